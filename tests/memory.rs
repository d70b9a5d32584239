//! What the host takes of the machine's memory and descriptors for guests that have it hold all they can. It is the only test
//! of its process, since it reads what the process had at most.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "each test file uses its part of it")]
mod support;

use airlock_sandbox::limits::Limit;
use airlock_sandbox::report::Failure;
use serde_json::json;
use support::{Lab, limit};

/// A line of what the kernel tells of this process, in KiB.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

/// Bytes that both guests and the host for them may take: a third of it is what the values of a call may have, and the
/// guests' own.
const MOST: u64 = 192 << 20;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn what_the_host_holds_for_guests_that_take_all_they_can_is_bounded() {
    let manager = Lab::program("holds_all_it_can");
    let op = Lab::new("test-ops").config(json!({ "op": "hold_all" }));
    // What compiling takes is not meant.
    drop(Lab::new("test-ops").config(json!({ "op": "nothing" })).run(Vec::new(), &["result"]));
    drop(Lab::program("keeps_no_state").store(""));
    let (before, open) = (status("VmRSS:"), descriptors());
    std::thread::scope(|threads| {
        threads.spawn(|| match manager.store("").outcome {
            Err(Failure::Denied { error: Some(error), .. }) => {
                assert!(error.to_string().contains("held: 100 4 400"), "{error}");
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(limit(op.run(Vec::new(), &["first*", "second*"])), Limit::PartNames);
        assert!(descriptors() < open + 300, "{} descriptors are open, {open} were before", descriptors());
    });
    let planning = Lab::program("holds_all_it_can").config(json!({ "program": "holds_all_it_can", "plan": true }));
    match planning.store("").outcome {
        Err(Failure::Storage { failure }) => {
            assert!(failure.reason.contains("its plan has more than 64 MiB"), "{failure}");
        }
        other => panic!("{other:?}"),
    }
    let taken = status("VmHWM:").saturating_sub(before) << 10;
    println!("the host and both guests took {} MiB more than before at most", taken >> 20);
    assert!(taken < MOST, "{} MiB", taken >> 20);
}
