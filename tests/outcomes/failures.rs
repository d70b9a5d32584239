//! Programs that fail, and what is left of what they did.

use airlock_sandbox::report::Failure;
use serde_json::json;

use crate::assert_nothing_left;
use crate::own_mounts::{mount, with_own_mounts};
use crate::support::{Lab, days, log};

programs! {
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
fn a_component_that_only_computes_cannot_store() {
    let report = Lab::new("test-ops").store("x");
    assert_eq!(
        report.outcome.unwrap_err().to_string(),
        "the component does not fit: it does not export airlock:io/output, so it cannot store"
    );
}
