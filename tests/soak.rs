//! Many calls in one process, after which it has no more memory, descriptors and threads than before. `make soak` makes a
//! million small calls and ten thousand that fail; `AIRLOCK_SOAK_CALLS` says how many.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

#[expect(dead_code, reason = "each test file uses its part of it")]
mod support;

use std::time::{Duration, Instant};

use airlock_sandbox::Interrupt;
use airlock_sandbox::limits::Limit;
use airlock_sandbox::report::{Failure, Report};
use serde_json::json;
use support::{Lab, limit};

/// Calls until all that is made once is made.
const WARM_UP: u64 = 1_000;
/// Bytes by which the memory of the process may have grown: less than a byte for each call of the long form.
const GROWTH: u64 = 8 << 20;

/// What the process has.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Held {
    descriptors: usize,
    threads: usize,
    /// Bytes of memory.
    memory: u64,
}

fn held() -> Held {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let number = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    };
    Held {
        // Without the one that lists them.
        descriptors: std::fs::read_dir("/proc/self/fd").unwrap().count() - 1,
        threads: usize::try_from(number("Threads:")).unwrap(),
        memory: number("VmRSS:") * 1024,
    }
}

/// Makes `calls` calls after some to warm up, and checks that the process has what it had before.
fn soak(name: &str, calls: u64, mut call: impl FnMut(u64)) {
    (0..WARM_UP.min(calls)).for_each(&mut call);
    let (before, start) = (held(), Instant::now());
    (0..calls).for_each(&mut call);
    let time = start.elapsed();
    let after = held();
    let mib = |bytes: u64| bytes >> 20;
    println!(
        "| {name} | {calls} | {} | {} → {} | {} → {} | {} MiB → {} MiB |",
        time.as_millis() / 1000,
        before.descriptors,
        after.descriptors,
        before.threads,
        after.threads,
        mib(before.memory),
        mib(after.memory),
    );
    assert_eq!((before.descriptors, before.threads), (after.descriptors, after.threads), "{name}");
    assert!(after.memory <= before.memory + GROWTH, "{name}: {before:?}, then {after:?}");
}

fn is_trap<T>(report: &Report<T>) -> bool {
    matches!(report.outcome, Err(Failure::Trap { .. }))
}

#[test]
fn after_many_calls_the_process_holds_what_it_held_before() {
    let calls: u64 = std::env::var("AIRLOCK_SOAK_CALLS").map_or(10_000, |calls| calls.parse().unwrap());
    let failing = (calls / 100).max(400);
    println!("| calls | how many | seconds | descriptors | threads | memory |");
    println!("|---|---|---|---|---|---|");
    let files = Lab::new("files");
    soak("a value of 3 bytes, loaded nine times of ten and stored once", calls, |number| {
        if number % 10 == 0 {
            files.store("abc").outcome.unwrap();
        } else {
            assert_eq!(files.load_text(), "abc");
        }
    });
    let trapping = Lab::program("trap_half_way");
    let exiting = Lab::program("trap_exit").config(json!({ "status": 7 }));
    soak("trapping", failing / 2, |number| {
        let lab = if number % 2 == 0 { &trapping } else { &exiting };
        assert!(is_trap(&lab.store("x")));
    });
    let sleeping = Lab::program("limit_time_sleeping").limits(|limits| limits.time = Duration::from_millis(5));
    let looping = Lab::program("limit_cpu_time_looping").limits(|limits| limits.time = Duration::from_millis(5));
    soak("timed out", failing / 4, |number| {
        let lab = if number % 2 == 0 { &sleeping } else { &looping };
        assert_eq!(limit(lab.store("")), Limit::Time);
    });
    let mut killed = Lab::program("limit_time_sleeping");
    soak("killed", failing / 4, |number| {
        let interrupt = Interrupt::new();
        killed.interrupt = interrupt.clone();
        let outcome = std::thread::scope(|scope| {
            let outcome = scope.spawn(|| killed.store("").outcome);
            // At ever another point: before it begins, while it does, and while it sleeps.
            let until = Instant::now() + Duration::from_micros(number * 7 % 2000);
            while Instant::now() < until {
                std::hint::spin_loop();
            }
            interrupt.interrupt();
            outcome.join().unwrap()
        });
        assert!(matches!(outcome, Err(Failure::Interrupted)), "{outcome:?}");
    });
    for lab in [&files, &trapping, &exiting, &sleeping, &looping, &killed] {
        assert_eq!(lab.leftovers("data"), [""; 0]);
    }
}
