//! Every program under `tests/programs`, and the outcome that it must have.
//!
//! A program without a test does not compile: each test is named after its program, and both are counted.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/own_mounts.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod own_mounts;
#[expect(dead_code, reason = "each test file uses its part of it")]
mod support;

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use airlock_sandbox::context::{MetadataEntry, MetadataValue};
use airlock_sandbox::grant::{Access, Scope};
use airlock_sandbox::limits::{CALLS, LOG_BYTES, LOG_LINE_BYTES, Limit};
use airlock_sandbox::partition::{PartitionKey, Partitions, TimeWindow};
use airlock_sandbox::report::{Failure, Report};
use own_mounts::{mount, with_own_mounts};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::json;
use support::{Lab, days, denials, limit, log};

macro_rules! programs {
    ($($(#[$attribute:meta])* fn $name:ident() $body:block)*) => {
        $(#[test] $(#[$attribute])* fn $name() $body)*

        /// The list of programs in the package that holds them.
        const LIST: &str = include_str!("programs/src/lib.rs");
        const TESTS: usize = [$(stringify!($name)),*].len();
        const _: () = assert!(count(LIST, "programs! {\n") == TESTS, "a program has no test, or a test no program");
        $(const _: () = assert!(is_listed(LIST, concat!("    ", stringify!($name), ",")), "a test has no program");)*
    };
}

/// Entries of the block of `text` that `start` begins.
const fn count(text: &str, start: &str) -> usize {
    let (text, start) = (text.as_bytes(), start.as_bytes());
    let mut at = 0;
    while !starts_at(text, start, at) {
        at += 1;
    }
    at += start.len();
    let mut lines = 0;
    while text[at] != b'}' {
        if text[at] == b',' {
            lines += 1;
        }
        at += 1;
    }
    lines
}

const fn is_listed(text: &str, line: &str) -> bool {
    let (text, line) = (text.as_bytes(), line.as_bytes());
    let mut at = 0;
    while at + line.len() <= text.len() {
        if starts_at(text, line, at) {
            return true;
        }
        at += 1;
    }
    false
}

const fn starts_at(text: &[u8], part: &[u8], at: usize) -> bool {
    let mut index = 0;
    while index < part.len() {
        if text[at + index] != part[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Checks that a guest gave up over what it was denied, and that nothing it tried worked. Gives the denials.
fn denied<T>(report: &Report<T>) -> Vec<String> {
    match &report.outcome {
        Err(Failure::Denied { error: Some(error), .. }) => match &**error {
            Failure::Guest { error } => assert_eq!(error.code, "access-denied", "{error}"),
            other => panic!("the guest did not return an error, but: {other}"),
        },
        Err(other) => panic!("it was not denied, but: {other}"),
        Ok(_) => panic!("it worked"),
    }
    denials(report)
}

fn assert_denied<T>(report: &Report<T>, expected: &[&str]) {
    let denials = denied(report);
    for expected in expected {
        assert!(denials.iter().any(|denial| denial == expected), "{expected} is not among {denials:#?}");
    }
}

/// Checks that nothing of a call is left.
fn assert_nothing_left(lab: &Lab) {
    assert_eq!(lab.leftovers("data"), Vec::<String>::new());
}

programs! {
    fn clock_is_coarse() {
        Lab::program("clock_is_coarse").store("").outcome.unwrap();
    }

    fn denied_passwd() {
        let lab = Lab::program("denied_passwd");
        let expected = ["read /etc/passwd: no mount covers it", "write /etc/shadow: no mount covers it"];
        assert_denied(&lab.store(""), &expected);
        assert_denied(&lab.load(), &expected[..1]);
    }

    fn denied_paths() {
        let lab = Lab::program("denied_paths");
        lab.write("secret", "secret");
        lab.write("data/sales/other.bin", "other");
        symlink(lab.path("secret"), lab.path("data/sales/orders.lnk")).unwrap();
        symlink(lab.path(""), lab.path("data/sales/orders.lnkdir")).unwrap();
        assert!(denied(&lab.store("x")).iter().any(|denial| denial.ends_with("it leads out of /data")));
        assert_eq!((lab.read("secret"), lab.read("data/sales/other.bin")), ("secret".into(), "other".into()));
        assert_eq!(lab.files("data"), ["sales/orders.lnk", "sales/orders.lnkdir", "sales/other.bin"]);
    }

    fn denied_parent_directory() {
        let lab = Lab::program("denied_parent_directory");
        lab.write("secret", "secret");
        let denials = denied(&lab.store("x"));
        assert!(denials.iter().any(|denial| denial.ends_with("it leads out of /data")), "{denials:#?}");
        assert_eq!((lab.read("secret").as_str(), lab.files("data").len()), ("secret", 0));
    }

    fn denied_other_output() {
        let lab = Lab::program("denied_other_output").config(json!({ "other": "sales/orders2.bin" }));
        lab.write("data/sales/orders2.bin", "other");
        lab.write("data/sales/orders.bin", "own");
        let expected = [
            "read /data/sales/orders2.bin: of /data this call may touch sales/orders.* only",
            "write /data/sales/orders2.bin: of /data this call may touch sales/orders.* only",
        ];
        assert_denied(&lab.store("x"), &expected);
        assert_denied(&lab.load(), &expected[..1]);
        assert_eq!(lab.files("data"), ["sales/orders.bin", "sales/orders2.bin"]);
        assert_eq!((lab.read("data/sales/orders2.bin"), lab.read("data/sales/orders.bin")), ("other".into(), "own".into()));
    }

    fn denied_other_partition() {
        let other = json!({ "other": "sales/orders/days=2.bin", "other_key": "2" });
        let mut lab = Lab::program("denied_other_partition").config(other);
        lab.partitions = days(&["1"]);
        lab.write("data/sales/orders/days=1.bin", "own");
        lab.write("data/sales/orders/days=2.bin", "other");
        let expected = [
            "read /data/sales/orders/days=2.bin: of /data this call may touch sales/orders/days=1.* only",
            "write /data/sales/orders/days=2.bin: of /data this call may touch sales/orders/days=1.* only",
        ];
        assert_denied(&lab.store("x"), &expected);
        assert_denied(&lab.load(), &expected[..1]);
        assert_eq!(lab.read("data/sales/orders/days=2.bin"), "other");
    }

    fn denied_own_state() {
        let lab = Lab::without_mounts("test-programs").config(json!({ "program": "denied_own_state" }));
        let lab = lab.mount("/data", "data", Access::Write, Scope::Mount);
        assert_denied(&lab.store("x"), &["write /data/.airlock/plan: it is Airlock's own"]);
        assert_eq!(lab.files("data"), Vec::<String>::new());
    }

    fn denied_symlink() {
        let lab = Lab::program("denied_symlink");
        lab.write("outside/secret", "secret");
        lab.write("data/sales/orders.bin", "own");
        symlink(lab.path("outside/secret"), lab.path("data/sales/orders.lnk")).unwrap();
        symlink(lab.path("outside"), lab.path("data/sales/orders.lnkdir")).unwrap();
        let expected = ["read /data/sales/orders.lnk: only regular files and directories are lent"];
        assert_denied(&lab.store("x"), &expected);
        assert_denied(&lab.load(), &expected);
        assert_eq!(lab.files("outside"), ["secret"]);
        assert_eq!(lab.read("outside/secret"), "secret");
    }

    fn denied_swapped_directory() {
        use rustix::fs::{RenameFlags, renameat_with};
        let lab = Lab::program("denied_swapped_directory").config(json!({ "bytes": 500 }));
        lab.write("outside/secret", "secret");
        lab.write("data/sales/orders.d/secret", "own");
        let (directory, link) = (lab.path("data/sales/orders.d"), lab.path("link"));
        symlink(lab.path("outside"), &link).unwrap();
        let ended = AtomicBool::new(false);
        let escapes = std::thread::scope(|threads| {
            threads.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    renameat_with(CWD, &directory, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                }
            });
            let outcome = lab.store("x").outcome;
            // Who looks first and opens then does get out, so that it is known that the swapping bites.
            let looked = || std::fs::symlink_metadata(&directory).is_ok_and(|found| found.is_dir());
            let escaped = || looked() && std::fs::read(directory.join("secret")).is_ok_and(|text| text == b"secret");
            let control = (0..10_000_000).any(|_| escaped());
            ended.store(true, Ordering::Relaxed);
            (outcome.map(drop), control)
        });
        // It may be denied, or a swap may come between its directory and what it publishes there.
        assert!(!matches!(&escapes.0, Err(Failure::Guest { error }) if error.code == "escaped"), "{escapes:?}");
        assert!(escapes.1, "nobody got out, so nothing was shown");
        assert_eq!((lab.files("outside"), lab.read("outside/secret")), (vec!["secret".into()], "secret".into()));
    }

    fn denied_link_making() {
        let lab = Lab::program("denied_link_making");
        assert_denied(&lab.store("x"), &["link /data/sales/orders.link: only regular files and directories are lent"]);
        assert_eq!(lab.files("data"), Vec::<String>::new());
    }

    fn denied_fifo() {
        let lab = Lab::program("denied_fifo");
        lab.write("data/sales/orders.bin", "own");
        let fifo = lab.path("data/sales/orders.fifo");
        rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let expected = ["read /data/sales/orders.fifo: only regular files and directories are lent"];
        assert_denied(&lab.store("x"), &expected);
        assert_denied(&lab.load(), &expected);
    }

    fn denied_device() {
        let lab = Lab::program("denied_device").config(json!({ "extension": "socket" }));
        lab.write("data/sales/orders.bin", "own");
        let _socket = std::os::unix::net::UnixListener::bind(lab.path("data/sales/orders.socket")).unwrap();
        assert_denied(&lab.store("x"), &["read /data/sales/orders.socket: only regular files and directories are lent"]);
    }

    fn denied_network() {
        let lab = Lab::program("denied_network");
        let expected = [
            "reach the network by a TCP socket: no network is lent",
            "reach the network by a UDP socket: no network is lent",
            "reach the network by looking up localhost: no network is lent",
        ];
        assert_denied(&lab.store("x"), &expected);
    }

    fn denied_write_on_load() {
        let lab = Lab::program("denied_write_on_load");
        lab.write("data/sales/orders.bin", "own");
        assert_denied(&lab.load(), &["write /data/sales/orders.bin: /data is read-only while a value is loaded"]);
        assert_eq!((lab.files("data"), lab.read("data/sales/orders.bin")), (vec!["sales/orders.bin".into()], "own".into()));
    }

    fn denied_write_on_read_mount() {
        let lab = Lab::program("denied_write_on_read_mount");
        let lab = lab.mount("/reference", "reference", Access::Read, Scope::Output);
        lab.write("reference/sales/orders.bin", "kept");
        assert_denied(&lab.store("x"), &["write /reference/sales/orders.bin: /reference is lent to read only"]);
        assert_eq!(lab.files("reference"), ["sales/orders.bin"]);
        assert_eq!(lab.read("reference/sales/orders.bin"), "kept");
    }

    fn empty_environment() {
        let lab = Lab::program("empty_environment");
        let report = lab.store("");
        report.outcome.unwrap();
        assert_eq!(report.receipt.environment, Some(0));
        let mut lab = Lab::program("empty_environment").config(json!({ "environment": { "TZ": "UTC" } }));
        lab.environment.insert("TZ".into(), "UTC".into());
        lab.store("").outcome.unwrap();
    }

    fn flaky_load() {
        let lab = Lab::program("flaky_load");
        lab.store("busy").outcome.unwrap();
        match lab.load().outcome {
            Err(Failure::Guest { error }) => assert_eq!((error.code.as_str(), error.retryable), ("unavailable", true)),
            other => panic!("{other:?}"),
        }
        lab.store("done").outcome.unwrap();
        assert_eq!(lab.load_text(), "done");
    }

    fn flaky_store() {
        // What an attempt that failed wrote is gone, and the guest says whether another may succeed.
        let mut lab = Lab::program("flaky_store").config(json!({ "succeeds": 2 }));
        lab.partitions = days(&["1"]);
        match lab.store("x").outcome {
            Err(Failure::Guest { error }) => assert_eq!((error.code.as_str(), error.retryable), ("unavailable", true)),
            other => panic!("{other:?}"),
        }
        assert_eq!(lab.files("data"), Vec::<String>::new());
    }

    fn guest_error() {
        let error = |code: &str| {
            let lab = Lab::program("guest_error").config(json!({ "error": code, "bytes": 100_000 }));
            match lab.store("").outcome {
                Err(Failure::Guest { error }) => error,
                other => panic!("{other:?}"),
            }
        };
        for code in ["not-found", "invalid-config", "unsupported-type", "corrupt", "access-denied", "conflict",
            "limit-exceeded", "unavailable", "of-its-own"]
        {
            let error = error(code);
            assert_eq!(error.code, code);
            assert_eq!(error.retryable, matches!(code, "unavailable" | "of-its-own"));
            assert!(error.message.len() < 17_000 && !error.message.contains(['\u{1b}', '\r', '\u{202e}']), "{error}");
        }
    }

    fn holds_all_it_can() {
        // How much the host takes for it is measured by a test that has a process of its own.
        let report = Lab::program("holds_all_it_can").store("");
        assert!(matches!(&report.outcome, Err(Failure::Denied { .. })), "{:?}", report.outcome);
    }

    fn keeps_no_state() {
        let lab = Lab::program("keeps_no_state");
        for _ in 0..3 {
            lab.store("").outcome.unwrap();
            lab.load().outcome.unwrap();
        }
    }

    fn leaves_handles_open() {
        let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let lab = Lab::program("leaves_handles_open");
        lab.store("x").outcome.unwrap();
        // Other tests open and close files meanwhile; what a call leaves would add up.
        let before = open();
        for _ in 0..200 {
            lab.store("x").outcome.unwrap();
            drop(lab.load().outcome.unwrap());
        }
        assert!(open() < before + 200, "{before} descriptors were open before, {} after", open());
    }

    fn lies_where_metadata_says() {
        let at = |path: &str, scope| {
            let mut lab = Lab::without_mounts("test-programs").mount("/data", "data", Access::Write, scope);
            lab.metadata = vec![MetadataEntry { label: "path".to_owned(), value: MetadataValue::Text(path.to_owned()) }];
            lab.config(json!({ "program": "lies_where_metadata_says" }))
        };
        let lab = at("any/where.txt", Scope::Mount);
        lab.store("x").outcome.unwrap();
        assert_eq!((lab.files("data"), lab.read("data/any/where.txt")), (vec!["any/where.txt".into()], "x".into()));
        let lab = at("any/where.txt", Scope::Output);
        denied(&lab.store("x"));
        for path in ["../secret", "/secret", "any/../../secret"] {
            let lab = at(path, Scope::Mount);
            lab.write("secret", "secret");
            denied(&lab.store("x"));
            assert_eq!((lab.read("secret").as_str(), lab.files("data").len()), ("secret", 0), "{path}");
        }
    }

    fn limit_memory() {
        let lab = Lab::program("limit_memory").limits(|limits| limits.memory = 64 << 20);
        assert_eq!(limit(lab.store("")), Limit::Memory);
        let report = lab.load();
        assert!(report.receipt.peak_memory <= 64 << 20);
        assert_eq!(limit(report), Limit::Memory);
    }

    fn limit_time_sleeping() {
        let lab = Lab::program("limit_time_sleeping").limits(|limits| limits.time = Duration::from_millis(50));
        assert_eq!(limit(lab.store("")), Limit::Time);
        assert_eq!(limit(lab.load()), Limit::Time);
        // What clock a guest is shown bounds nothing.
        let lab = lab.deterministic(1_000_000_000, 1);
        assert_eq!(limit(lab.store("")), Limit::Time);
        assert_eq!(limit(lab.load()), Limit::Time);
    }

    fn limit_cpu_time_looping() {
        let lab = Lab::program("limit_cpu_time_looping").limits(|limits| limits.cpu_time = Duration::from_millis(50));
        assert_eq!(limit(lab.store("")), Limit::CpuTime);
        let lab = lab.limits(|limits| limits.time = Duration::from_millis(20));
        assert_eq!(limit(lab.load()), Limit::Time);
    }

    fn limit_stack() {
        let lab = Lab::program("limit_stack");
        assert_eq!(limit(lab.store("")), Limit::Stack);
        assert_eq!(limit(lab.load()), Limit::Stack);
    }

    fn limit_disk() {
        let lab = Lab::program("limit_disk").limits(|limits| limits.disk = 3 << 20);
        lab.write("data/sales/orders.bin", "old");
        let report = lab.store("x");
        assert!(report.receipt.written.bytes <= 3 << 20);
        assert_eq!(limit(report), Limit::Disk);
        let lab = lab.config(json!({ "save": true }));
        assert_eq!(limit(lab.store("x".repeat(1 << 20))), Limit::Disk);
        assert_eq!((lab.files("data"), lab.read("data/sales/orders.bin")), (vec!["sales/orders.bin".into()], "old".into()));
        assert_nothing_left(&lab);
    }

    fn limit_disk_sparse() {
        let lab = |bytes| {
            let lab = Lab::program("limit_disk_sparse").config(json!({ "bytes": bytes }));
            lab.limits(|limits| limits.disk = 1000)
        };
        lab(1000).store("").outcome.unwrap();
        assert_eq!(limit(lab(1001).store("")), Limit::Disk);
        assert_eq!(limit(lab(1_u64 << 40).store("")), Limit::Disk);
    }

    fn limit_files() {
        for directories in [false, true] {
            let lab = Lab::program("limit_files").config(json!({ "directories": directories }));
            let lab = lab.limits(|limits| limits.files = 20);
            assert_eq!(limit(lab.store("")), Limit::Files);
            assert_eq!(lab.files("data"), Vec::<String>::new());
            assert_nothing_left(&lab);
        }
    }

    fn limit_descriptors() {
        assert_eq!(limit(Lab::program("limit_descriptors").store("")), Limit::Descriptors);
    }

    fn limit_handles() {
        assert_eq!(limit(Lab::program("limit_handles").store("")), Limit::Handles);
    }

    fn limit_directory_entries() {
        let lab = Lab::program("limit_directory_entries");
        for number in 0..10_001 {
            lab.write(&format!("data/sales/orders.d/{number}"), "");
        }
        assert_eq!(limit(lab.load()), Limit::DirectoryEntries);
        std::fs::remove_file(lab.path("data/sales/orders.d/0")).unwrap();
        match lab.load().outcome {
            Err(Failure::Guest { error }) => assert_eq!((error.code.as_str(), error.message.as_str()), ("listed", "10000 entries")),
            other => panic!("{other:?}"),
        }
    }

    fn limit_path_depth() {
        assert_eq!(limit(Lab::program("limit_path_depth").store("")), Limit::PathDepth);
    }

    fn limit_host_call() {
        let lab = |kind: &str, bytes: usize| Lab::program("limit_host_call").config(json!({ "kind": kind, "bytes": bytes }));
        assert_eq!(limit(lab("poll", 4 << 20).store("")), Limit::HostCall);
        for kind in ["log", "path", "metadata"] {
            assert_eq!(limit(lab(kind, 9 << 20).store("")), Limit::HostCall, "{kind}");
        }
        lab("log", 7 << 20).store("").outcome.unwrap();
    }

    fn limit_value() {
        let lab = Lab::program("limit_value").limits(|limits| limits.disk = 20 << 20);
        assert_eq!(limit(lab.load()), Limit::Disk);
    }

    fn limit_random() {
        assert_eq!(limit(Lab::program("limit_random").store("")), Limit::Random);
    }

    fn limit_metadata() {
        for kind in ["entries", "label", "value", "total", "key", "events"] {
            let lab = Lab::program("limit_metadata").config(json!({ "kind": kind }));
            assert_eq!(limit(lab.store("")), Limit::Metadata, "{kind}");
        }
    }

    fn log_is_bounded() {
        let report = Lab::program("log_is_bounded").store("");
        let kept: usize = log(&report).iter().map(|line| line.len()).sum();
        // What is written out takes more room than what the guest wrote.
        assert!(kept <= 2 * LOG_BYTES && report.log.dropped > 10 << 20, "{kept} kept, {} dropped", report.log.dropped);
        assert!(log(&report).iter().all(|line| line.len() < 2 * LOG_LINE_BYTES));
        assert!(!log(&report).iter().any(|line| line.contains(['\u{1b}', '\r', '\u{202e}'])));
        report.outcome.unwrap();
    }

    fn misused_value_is_an_error() {
        let lab = Lab::program("misused_value_is_an_error");
        lab.store("value").outcome.unwrap();
        assert_eq!(lab.load_text(), "value");
    }

    fn records_hostile_text() {
        // What the command shows of it is the matter of a test of the command.
        let stored = Lab::program("records_hostile_text").store("x").outcome.unwrap();
        assert_eq!((stored.metadata.len(), stored.events.len()), (4, 1));
    }

    fn records_what_it_does() {
        let stored = Lab::program("records_what_it_does").store("x").outcome.unwrap();
        let labels: Vec<&str> = stored.metadata.iter().map(|entry| entry.label.as_str()).collect();
        assert_eq!((labels, stored.events.len()), (vec!["by", "refused"], 2));
    }

    fn sets_a_version() {
        let stored = Lab::program("sets_a_version").store("x").outcome.unwrap();
        assert_eq!(stored.data_version.as_deref(), Some("version 7"));
    }

    fn slow_store() {
        let lab = Lab::program("slow_store");
        lab.write("data/sales/orders.bin", "old");
        let interrupt = lab.interrupt.clone();
        let store = std::thread::scope(|threads| {
            let call = threads.spawn(|| lab.store("new"));
            // The guest has written once its call's directory holds a staged file.
            let staged = || {
                let calls = std::fs::read_dir(lab.path("data/.airlock")).into_iter().flatten().flatten();
                calls.filter(|call| call.file_name() != "locks").any(|call| call.path().join("0").exists())
            };
            while !staged() && !call.is_finished() {
                std::thread::yield_now();
            }
            interrupt.interrupt();
            call.join().unwrap()
        });
        assert_eq!(store.outcome.unwrap_err(), Failure::Interrupted);
        assert_eq!((lab.files("data"), lab.read("data/sales/orders.bin")), (vec!["sales/orders.bin".into()], "old".into()));
        assert_nothing_left(&lab);
    }

    fn stores_awkward_names() {
        let lab = Lab::program("stores_awkward_names");
        let report = lab.store("");
        let written = report.receipt.written.files.iter().map(|file| file.path.as_str());
        let told: Vec<&str> = written.chain(report.receipt.denials.list.iter().map(|denial| denial.subject.as_str())).collect();
        assert!(!told.iter().any(|path| path.contains(|c: char| c.is_control() || c == '\u{202e}')), "{told:#?}");
        assert!(told.contains(&"/data/sales/orders.d/\\u{1b}[31mred"), "{told:#?}");
        report.outcome.unwrap();
        assert_eq!(lab.files("data").len(), 9);
    }

    fn stores_by_std_fs() {
        let lab = Lab::program("stores_by_std_fs");
        for value in ["first", "the second, longer value", "3"] {
            lab.store(value).outcome.unwrap();
            assert_eq!((lab.files("data"), lab.load_text()), (vec!["sales/orders.bin".into()], value.into()));
        }
        assert_nothing_left(&lab);
    }

    fn stores_every_text() {
        let lab = Lab::program("stores_every_text");
        symlink(lab.path("outside"), lab.path("data/link")).unwrap();
        lab.store("x").outcome.unwrap();
        let told = lab.read("data/sales/orders.bin");
        assert!(told.contains("denied") || told.contains("not permitted"), "{told}");
        let home = std::env::var("HOME").unwrap();
        for secret in [lab.path("").to_str().unwrap(), "/tmp", &home, "HOME", "PATH"] {
            assert!(!told.contains(secret), "it was told {secret}: {told}");
        }
    }

    fn stores_many_files() {
        let lab = Lab::program("stores_many_files").config(json!({ "piece": 1 }));
        for value in ["abc", "defgh", "i"] {
            lab.store(value).outcome.unwrap();
            assert_eq!((lab.files("data").len(), lab.load_text()), (value.len(), value.into()));
        }
        assert_nothing_left(&lab);
        // More files than a value holds open: the rest is copied.
        let many = "x".repeat(500);
        lab.store(&many).outcome.unwrap();
        assert_eq!(lab.load_text(), many);
    }

    fn stores_many_partitions() {
        let mut lab = Lab::program("stores_many_partitions");
        lab.partitions = days(&["1"]);
        let stored = lab.store("x").outcome.unwrap();
        assert_eq!((stored.metadata[0].value.clone(), lab.load_text()), (MetadataValue::Int(1), "x".to_owned()));
    }

    fn tells_its_configuration() {
        let stored = Lab::program("tells_its_configuration").store("x").outcome.unwrap();
        assert_eq!(stored.metadata[0].value, MetadataValue::Text("null".to_owned()));
    }

    fn tells_of_a_full_disk() {
        with_own_mounts("tells_of_a_full_disk", || {
            let lab = Lab::program("tells_of_a_full_disk");
            mount(&lab.path("data"), "size=64k");
            let report = lab.store("x".repeat(100_000));
            let message = "/data/sales/orders.d/saved: insufficient-space";
            let told = format!(r#"save: Error::Other(OtherError {{ code: "storage", message: "{message}", retryable: false }})"#);
            assert_eq!(log(&report), [told.as_str(), "create: StorageFull"]);
            let Err(Failure::Storage { failure }) = report.outcome else { panic!("{:?}", report.outcome) };
            let written = lab.path("data/sales/orders.d/saved");
            assert_eq!((failure.operation.as_str(), failure.path.as_str()), ("write", written.to_str().unwrap()));
            assert_eq!(failure.reason, "No space left on device (os error 28)");
            assert_nothing_left(&lab);
        });
    }

    fn tells_nothing_of_inodes() {
        let lab = Lab::program("tells_nothing_of_inodes");
        lab.write("data/sales/orders.bin", "own");
        std::fs::hard_link(lab.path("data/sales/orders.bin"), lab.path("data/linked")).unwrap();
        lab.store("").outcome.unwrap();
    }

    fn tells_time_and_chance() {
        let told = |lab: Lab| -> Vec<String> {
            lab.store("").outcome.unwrap();
            lab.read("data/sales/orders.d/told").lines().map(str::to_owned).collect()
        };
        // The lines of `one` that differ in `other`, by what they begin with.
        let differ = |one: &[String], other: &[String]| -> Vec<String> {
            let pairs = one.iter().zip(other).filter(|(one, other)| one != other);
            pairs.map(|(line, _)| line.split(':').next().unwrap().to_owned()).collect()
        };
        let clocks = ["wall", "monotonic"];
        let chance = ["random", "insecure", "seed", "hash"];
        let program = || Lab::program("tells_time_and_chance");

        let fixed = told(program().deterministic(1_000_000_000, 1));
        assert!(fixed[0].starts_with("wall: 1000000000.0"), "{fixed:?}");
        assert_eq!(told(program().deterministic(1_000_000_000, 1)), fixed);
        assert_eq!(differ(&told(program().deterministic(2_000_000_000, 1)), &fixed), clocks);
        assert_eq!(differ(&told(program().deterministic(1_000_000_000, 2)), &fixed), chance);
        // Without, it is told the truth.
        let (one, other) = (told(program()), told(program()));
        let chance_differs = differ(&one, &other).iter().filter(|line| chance.contains(&line.as_str())).count();
        assert_eq!(chance_differs, chance.len(), "{one:?} {other:?}");
        assert!(*one[0] > *"wall: 1700000000", "{one:?}");
    }

    fn tells_what_is_recorded() {
        let lab = Lab::program("tells_what_is_recorded");
        // Nothing is recorded where no pipeline is.
        assert!(matches!(lab.load().outcome, Err(Failure::Guest { error }) if error.code == "not-found"));
    }

    fn tells_what_it_loads() {
        let mut lab = Lab::program("tells_what_it_loads");
        let window = TimeWindow { start_ms: 0, end_ms: 9 };
        lab.partitions = Partitions::new(vec![PartitionKey::single("days", "1")], Some(window), Some("UTC".to_owned()));
        let entry = |label: &str, value| MetadataEntry { label: label.to_owned(), value };
        let told = entry("told", MetadataValue::Text("days=1 from 0 to 9 in UTC".to_owned()));
        assert_eq!(lab.store("x").outcome.unwrap().metadata, std::slice::from_ref(&told));
        let file = MetadataValue::Tagged("path".to_owned(), "/data/sales/orders/days=1.bin".to_owned());
        assert_eq!(lab.load().outcome.unwrap().metadata, [entry("file", file), told]);
    }

    fn trap_exit() {
        for status in [0, 7] {
            let lab = Lab::program("trap_exit").config(json!({ "status": status }));
            match lab.store("x").outcome {
                Err(Failure::Trap { trap }) => assert!(trap.reason.starts_with("it ended itself with status"), "{trap}"),
                other => panic!("{other:?}"),
            }
            assert_eq!(lab.files("data"), Vec::<String>::new());
        }
    }

    fn trap_half_way() {
        let lab = Lab::program("trap_half_way");
        lab.write("data/sales/orders.bin", "a good value");
        lab.write("data/sales/orders.index", "its index");
        match lab.store("a value that is never finished").outcome {
            Err(Failure::Trap { trap }) => {
                assert!(trap.stderr.contains("the guest gave up half-way"), "{trap:?}");
                assert!(trap.reason.contains("unreachable"), "{trap:?}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(lab.files("data"), ["sales/orders.bin", "sales/orders.index"]);
        assert_eq!(lab.load_text(), "a good value");
        assert_nothing_left(&lab);
    }

    fn trap_unpermitted_write() {
        for kind in ["stdout", "file"] {
            let lab = Lab::program("trap_unpermitted_write").config(json!({ "kind": kind }));
            match lab.store("x").outcome {
                Err(Failure::Trap { trap }) => assert!(trap.reason.contains("check-write"), "{trap:?}"),
                other => panic!("{other:?}"),
            }
            assert_eq!(lab.files("data"), Vec::<String>::new());
        }
    }
}

#[test]
fn denials_fail_a_guest_that_goes_on_only_where_they_are_to() {
    let mut lab = Lab::program("leaves_handles_open");
    lab.store("x").outcome.unwrap();
    lab.strict = true;
    lab.store("x").outcome.unwrap();
}

#[test]
fn calls_that_run_out_of_time_leave_the_next_ones_alone() {
    // More than run at once, so that none keeps a turn.
    let lab = Lab::program("limit_time_sleeping").limits(|limits| limits.time = Duration::from_millis(1));
    for _ in 0..2 * CALLS {
        assert_eq!(limit(lab.store("")), Limit::Time);
    }
    Lab::program("stores_by_std_fs").store("x").outcome.unwrap();
}

#[test]
fn a_component_that_only_computes_cannot_store() {
    let report = Lab::new("test-ops").store("x");
    assert_eq!(
        report.outcome.unwrap_err().to_string(),
        "the component does not fit: it does not export airlock:io/output, so it cannot store"
    );
}
