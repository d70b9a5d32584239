//! A process that confines itself and then does what an escaped guest would try.

use std::fs::{self, File};
use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps, UTIME_NOW, fchmod, readlinkat, utimensat};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;

const FOLDER: &str = "AIRLOCK_TEST_FOLDER";
const MEMORY: u64 = 512 << 20;
const FILE: u64 = 1 << 20;

fn network() -> String {
    // By a call that a confined process may make.
    let link = readlinkat(CWD, "/proc/thread-self/ns/net", Vec::new()).unwrap().into_string().unwrap();
    assert!(link.starts_with("net:["), "{link}");
    link
}

/// Says what became of each attempt.
fn tell<T>(name: &str, attempt: io::Result<T>) {
    match attempt {
        Ok(_) => println!("tried {name}: done"),
        Err(error) => println!("tried {name}: {error}"),
    }
}

#[test]
#[ignore = "it confines its process for good, so the test below starts one for it"]
fn an_escaped_guest() {
    let folder = std::env::var_os(FOLDER).map(std::path::PathBuf::from).unwrap();
    let before = network();
    let parent = rustix::process::getppid().unwrap();
    let layers = confine(&Needs {
        directories: vec![
            (crate::mount::reach_root(&folder.join("written"), false).unwrap(), true),
            (crate::mount::reach_root(&folder.join("read"), false).unwrap(), false),
        ],
        memory: MEMORY,
        file: FILE,
        cpu_time: Duration::from_mins(1),
    });
    // Ends the line that the test program began.
    println!();
    for (name, layer) in layers.list() {
        println!("layer {name}: {layer}");
    }
    let (written, read) = (folder.join("written"), folder.join("read"));
    tell("read what is lent", fs::read(read.join("value")));
    tell("write where it is lent", fs::write(written.join("new"), "x"));
    tell("rename within what is lent", fs::rename(written.join("new"), written.join("below/new")));
    tell("start a thread", std::thread::Builder::new().spawn(|| ()).map(std::thread::JoinHandle::join));
    tell("write where it may read", fs::write(read.join("value"), "x"));
    tell("read what is not lent", fs::read(folder.join("secret")));
    tell("list what is not lent", fs::read_dir(&folder));
    tell("list the root", fs::read_dir("/"));
    tell("read the system", fs::read("/etc/passwd"));
    tell("read its own process", fs::read("/proc/self/maps"));
    tell("go through a link", fs::read(written.join("link")));
    tell("make a hard link", fs::hard_link(read.join("value"), written.join("value")));
    let long_ago = fs::FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
    tell("set the times of what it writes", open_to_write(&written).and_then(|file| file.set_times(long_ago)));
    tell("set the times of what is not lent", set_times(&folder.join("secret")));
    tell("make what others may read", open_to_write(&written).and_then(|file| Ok(fchmod(file, Mode::RUSR)?)));
    tell("make a link", std::os::unix::fs::symlink("/etc", written.join("etc")));
    tell("rename out of what is lent", fs::rename(written.join("below/new"), folder.join("new")));
    tell("truncate what is not lent", File::options().write(true).truncate(true).open(folder.join("secret")));
    tell("reach the network", TcpStream::connect("127.0.0.1:9"));
    tell("reach a local socket", UnixStream::connect(written.join("socket")));
    tell("start a process", start(libc::SIGCHLD));
    tell("start a thread with a network of its own", start(libc::CLONE_THREAD | libc::CLONE_NEWNET));
    tell("start something by other numbers of calls", start_by(0x4000_0000 | libc::SYS_clone, libc::CLONE_THREAD));
    // The kernel finds a fault in how it is asked for, which is not to be asked whether it may be.
    let as_thread = start(libc::CLONE_THREAD).unwrap_err();
    assert_eq!(as_thread.raw_os_error(), Some(libc::EINVAL), "{as_thread}");
    tell("start a program", Command::new("/bin/true").status());
    tell("signal another process", rustix::process::test_kill_process(parent).map_err(io::Error::from));
    tell("outlive who started it", rustix::process::set_parent_process_death_signal(None).map_err(io::Error::from));
    let more = Rlimit { current: None, maximum: None };
    tell("raise a limit", setrlimit(Resource::Core, more).map_err(io::Error::from));
    let bytes = usize::try_from(MEMORY).unwrap();
    tell("take more memory", Vec::<u8>::new().try_reserve_exact(bytes).map_err(io::Error::other));
    println!("another network: {}", network() != before);
    println!("largest file: {:?}", getrlimit(Resource::Fsize).current);
    println!("computing: {:?}", getrlimit(Resource::Cpu));
}

fn open_to_write(written: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(written.join("file"))
}

fn set_times(path: &Path) -> io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(utimensat(CWD, path, &Timestamps { last_access: now, last_modification: now }, AtFlags::empty())?)
}

fn start(flags: libc::c_int) -> io::Result<()> {
    start_by(libc::SYS_clone, flags)
}

#[expect(unsafe_code, reason = "that the kernel refuses it is what is tested")]
fn start_by(call: libc::c_long, flags: libc::c_int) -> io::Result<()> {
    // SAFETY: of the flags of a thread the necessary ones are missing, so that none is started. A process ends at once.
    match unsafe { libc::syscall(call, libc::c_long::from(flags), 0, 0, 0, 0) } {
        // SAFETY: nothing of this process is used.
        0 => unsafe { libc::_exit(0) },
        1.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What the escaped guest says that tries its ways in `folder`, started by `command`.
fn escaped_guest(mut command: Command, folder: &Path) -> String {
    for directory in ["written/below", "read"] {
        fs::create_dir_all(folder.join(directory)).unwrap();
    }
    let test = "process::layers::tests::an_escaped_guest";
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"]).env(FOLDER, folder);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said.into_owned()
}

#[test]
fn a_process_that_was_started_with_lower_limits_keeps_those_and_has_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "ulimit -f 100; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    let said = escaped_guest(shell, folder.path());
    assert!(said.contains("layer memory and files (rlimits): on"), "{said}");
    assert!(said.contains("computing: Rlimit { current: Some(60), maximum: Some(61) }"), "{said}");
    let largest = said.lines().find_map(|line| line.strip_prefix("largest file: Some(")?.strip_suffix(')')).unwrap();
    assert!(largest.parse::<u64>().unwrap() < FILE, "{said}");
}

#[test]
fn a_confined_process_does_what_a_call_needs_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("written")).unwrap();
    fs::create_dir_all(folder.path().join("read")).unwrap();
    fs::write(folder.path().join("read/value"), "value").unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret"), folder.path().join("written/link")).unwrap();
    let _listening = std::os::unix::net::UnixListener::bind(folder.path().join("written/socket")).unwrap();

    let said = escaped_guest(Command::new(std::env::current_exe().unwrap()), folder.path());
    let is_on = |layer: &str| {
        let on = said.lines().any(|line| line.starts_with(&format!("layer {layer}")) && line.contains(": on"));
        if !on {
            eprintln!("not tested, since this system does not offer it: {layer}");
        }
        on
    };
    let told = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("tried {name}: ")));
        line.unwrap_or_else(|| panic!("it did not try to {name}: {said}"))
    };
    let done = |name: &str| told(name) == "done";

    let needed = ["read what is lent", "write where it is lent", "rename within what is lent", "start a thread"];
    for name in needed.into_iter().chain(["set the times of what it writes", "make what others may read"]) {
        assert!(done(name), "{name}: {said}");
    }
    // What the kernel offers has to be used.
    let required = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let offers_landlock = required.handle_access(AccessFs::from_all(ABI::V1)).and_then(Ruleset::create).is_ok();
    assert_eq!(is_on("file system"), offers_landlock, "{said}");
    let offers_filters = fs::read_to_string("/proc/self/status").unwrap().contains("Seccomp:");
    assert_eq!(is_on("system calls"), offers_filters, "{said}");
    let mut refused = vec!["raise a limit", "take more memory"];
    assert!(is_on("memory"), "{said}");
    assert!(said.contains(&format!("largest file: Some({FILE})")), "{said}");
    if is_on("file system") {
        refused.extend(["write where it may read", "read what is not lent", "list what is not lent", "list the root"]);
        refused.extend(["read the system", "read its own process", "go through a link", "rename out of what is lent"]);
        refused.push("truncate what is not lent");
    }
    if is_on("system calls") {
        refused.extend(["make a link", "reach the network", "reach a local socket", "start a program"]);
        refused.extend(["signal another process", "make a hard link", "set the times of what is not lent"]);
        refused.extend(["start a process", "outlive who started it"]);
        let without_namespace =
            ["start a thread with a network of its own", "start something by other numbers of calls"];
        for name in without_namespace {
            // Not a fault in how it was asked for.
            assert!(told(name).contains("not implemented"), "{said}");
        }
    }
    if is_on("network") {
        assert!(said.contains("another network: true"), "{said}");
    }
    for name in refused {
        assert!(!done(name), "{name}: {said}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("secret")).unwrap(), "secret");
}
