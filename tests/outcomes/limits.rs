//! Programs that take more than they may.

use std::time::Duration;

use airlock_sandbox::limits::{CALLS, LOG_BYTES, LOG_LINE_BYTES, Limit};
use airlock_sandbox::report::Failure;
use serde_json::json;

use crate::assert_nothing_left;
use crate::support::{Lab, limit, log};

programs! {
    fn holds_all_it_can() {
        // How much the host takes for it is measured by a test that has a process of its own.
        let report = Lab::program("holds_all_it_can").store("");
        assert!(matches!(&report.outcome, Err(Failure::Denied { .. })), "{:?}", report.outcome);
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
