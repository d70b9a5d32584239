//! Programs that reach for what they were not lent.

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};

use airlock_sandbox::context::{MetadataEntry, MetadataValue};
use airlock_sandbox::grant::{Access, Scope};
use airlock_sandbox::report::{Failure, Report};
use rustix::fs::{CWD, FileType, Mode};
use serde_json::json;

use crate::support::{Lab, days, denials};

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

programs! {
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
}

#[test]
fn denials_fail_a_guest_that_goes_on_only_where_they_are_to() {
    let mut lab = Lab::program("leaves_handles_open");
    lab.store("x").outcome.unwrap();
    lab.strict = true;
    lab.store("x").outcome.unwrap();
}
