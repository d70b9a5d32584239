//! A process that confines itself and then does what an escaped guest would try.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;

use landlock::{ABI, Access, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::*;
use crate::grant::DirectoryPath;

const FOLDER: &str = "AIRLOCK_TEST_FOLDER";
const MEMORY: u64 = 512 << 20;
const FILE: u64 = 1 << 20;

fn network() -> String {
    fs::read_link("/proc/thread-self/ns/net").map_or_else(|error| error.to_string(), |link| link.display().to_string())
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
            (DirectoryPath::new(&folder.join("written"), &[]).unwrap(), true),
            (DirectoryPath::new(&folder.join("read"), &[]).unwrap(), false),
        ],
        memory: MEMORY,
        file: Some(FILE),
        cpu_seconds: None,
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
    tell("make a link", std::os::unix::fs::symlink("/etc", written.join("etc")));
    tell("rename out of what is lent", fs::rename(written.join("below/new"), folder.join("new")));
    tell("truncate what is not lent", File::options().write(true).truncate(true).open(folder.join("secret")));
    tell("reach the network", TcpStream::connect("127.0.0.1:9"));
    tell("reach a local socket", UnixStream::connect(written.join("socket")));
    tell("start a program", Command::new("/bin/true").status());
    tell("signal another process", rustix::process::test_kill_process(parent).map_err(io::Error::from));
    let more = Rlimit { current: None, maximum: None };
    tell("raise a limit", setrlimit(Resource::Core, more).map_err(io::Error::from));
    let bytes = usize::try_from(MEMORY).unwrap();
    tell("take more memory", Vec::<u8>::new().try_reserve_exact(bytes).map_err(io::Error::other));
    println!("another network: {}", network() != before);
    println!("largest file: {:?}", getrlimit(Resource::Fsize).current);
}

#[test]
fn a_confined_process_does_what_a_call_needs_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    for directory in ["written/below", "read"] {
        fs::create_dir_all(folder.path().join(directory)).unwrap();
    }
    fs::write(folder.path().join("read/value"), "value").unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret"), folder.path().join("written/link")).unwrap();
    let _listening = std::os::unix::net::UnixListener::bind(folder.path().join("written/socket")).unwrap();

    let test = "process::layers::tests::an_escaped_guest";
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let is_on = |layer: &str| {
        let on = said.lines().any(|line| line.starts_with(&format!("layer {layer}")) && line.contains(": on"));
        if !on {
            eprintln!("not tested, since this system does not offer it: {layer}");
        }
        on
    };
    let done = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("tried {name}: ")));
        line.unwrap_or_else(|| panic!("it did not try to {name}: {said}")) == "done"
    };

    for name in ["read what is lent", "write where it is lent", "rename within what is lent", "start a thread"] {
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
        refused.push("signal another process");
    }
    if is_on("network") {
        assert!(said.contains("another network: true"), "{said}");
    }
    for name in refused {
        assert!(!done(name), "{name}: {said}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("secret")).unwrap(), "secret");
}
