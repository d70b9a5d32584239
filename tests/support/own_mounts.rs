//! Small file systems in memory, for tests of what happens when one is full.

use std::path::Path;
use std::process::{Command, Stdio};

use nix::mount::{self, MsFlags};

/// Says in the environment of a test that it runs with mounts of its own.
const OWN_MOUNTS: &str = "AIRLOCK_TEST_OWN_MOUNTS";

/// Does `work` in a process that has mounts of its own: this test, which is called `name`, again. Says so and does nothing
/// where the machine does not allow that.
pub fn with_own_mounts(name: &str, work: impl FnOnce()) {
    if std::env::var_os(OWN_MOUNTS).is_some() {
        return work();
    }
    let arguments: &[&str] =
        if rustix::process::geteuid().is_root() { &["--mount"] } else { &["--user", "--map-root-user", "--mount"] };
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(arguments);
        command
    };
    let tried = unshare().args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("skipped: {name}: this machine does not let a process have mounts of its own");
        return;
    }
    let mut again = unshare();
    again.arg(std::env::current_exe().unwrap()).args(["--exact", name, "--nocapture"]).env(OWN_MOUNTS, "1");
    let output = again.output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "with mounts of its own: {}", String::from_utf8_lossy(&printed));
    print!("{}", String::from_utf8_lossy(&printed));
}

/// Mounts an empty file system in memory at `directory`, with these options.
pub fn mount(directory: &Path, options: &str) {
    mount::mount(Some("tmpfs"), directory, Some("tmpfs"), MsFlags::empty(), Some(options)).unwrap();
}

/// Shows what is at `source` at `directory` too.
pub fn bind(source: &Path, directory: &Path) {
    mount::mount(Some(source), directory, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
}

/// Changes the options of what is mounted at `directory`.
pub fn remount(directory: &Path, options: &str) {
    mount::mount(None::<&str>, directory, None::<&str>, MsFlags::MS_REMOUNT, Some(options)).unwrap();
}

/// Makes what is mounted at `directory` read-only.
pub fn forbid_writing(directory: &Path) {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    mount::mount(None::<&str>, directory, None::<&str>, flags, None::<&str>).unwrap();
}

/// Takes away what is mounted at `directory`.
pub fn unmount(directory: &Path) {
    mount::umount(directory).unwrap();
}

/// Pages and files that the file system of `directory` has in use.
pub fn used(directory: &Path) -> (u64, u64) {
    let found = rustix::fs::statvfs(directory).unwrap();
    (found.f_blocks - found.f_bfree, found.f_files - found.f_ffree)
}
