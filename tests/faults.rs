//! Fails the system calls of a run, from each point of it on, as a storage that fails does, and looks at what is said and at
//! what is stored then. `AIRLOCK_FAULT_CASES` says how many of all cases are tried; `make crash` tries 200.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and reads registers by their place"
)]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "support/store.rs"]
mod store;
#[path = "support/traced.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod traced;

use std::collections::BTreeMap;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::libc;
use store::{Store, setting, stored_by};
use traced::{SystemCall, Traced, Verdict, may_trace, trace};

/// A way in which the storage fails.
#[derive(Clone, Copy, Debug)]
struct Fault {
    error: Errno,
    /// In words, as people and programs call it.
    shown: &'static str,
    /// Which calls fail.
    fails: fn(&SystemCall) -> bool,
    /// Whether all that follow fail as well.
    lasts: bool,
}

const FAULTS: [Fault; 8] = [
    Fault { error: Errno::ENOSPC, shown: "no space left", fails: takes_space, lasts: true },
    Fault { error: Errno::EDQUOT, shown: "a used up quota", fails: takes_space, lasts: true },
    Fault { error: Errno::EIO, shown: "a call that fails", fails: SystemCall::is_of_files, lasts: false },
    Fault { error: Errno::EIO, shown: "a disk that fails from then on", fails: SystemCall::is_of_files, lasts: true },
    Fault { error: Errno::EROFS, shown: "read-only from then on", fails: changes, lasts: true },
    Fault { error: Errno::EMFILE, shown: "no more files in the process", fails: opens, lasts: true },
    Fault { error: Errno::ENFILE, shown: "no more files in the machine", fails: opens, lasts: true },
    Fault { error: Errno::ESTALE, shown: "a mount that is gone", fails: SystemCall::is_of_files, lasts: true },
];

fn opens(call: &SystemCall) -> bool {
    matches!(call.number, libc::SYS_open | libc::SYS_openat)
}

fn changes(call: &SystemCall) -> bool {
    let entries = [
        libc::SYS_rename,
        libc::SYS_renameat,
        libc::SYS_renameat2,
        libc::SYS_mkdir,
        libc::SYS_mkdirat,
        libc::SYS_unlink,
        libc::SYS_unlinkat,
        libc::SYS_rmdir,
    ];
    call.opens_to_change() || entries.contains(&call.number)
}

fn takes_space(call: &SystemCall) -> bool {
    let takes = [
        libc::SYS_write,
        libc::SYS_pwrite64,
        libc::SYS_copy_file_range,
        libc::SYS_ftruncate,
        libc::SYS_fallocate,
        libc::SYS_fsync,
        libc::SYS_fdatasync,
        libc::SYS_rename,
        libc::SYS_renameat,
        libc::SYS_renameat2,
        libc::SYS_mkdir,
        libc::SYS_mkdirat,
    ];
    call.makes_file() || takes.contains(&call.number)
}

/// The lines of each value, so that all runs make the same calls.
const LINES: usize = 40;

/// What fails: the mount, or the home with the event log.
const PLACES: [&str; 2] = ["data", ".airlock"];

struct Case {
    place: &'static str,
    fault: Fault,
    /// The first call that fails, counted from one.
    at: usize,
}

#[derive(Default)]
struct Tally {
    cases: usize,
    /// The run had ended before.
    unreached: usize,
    done: usize,
    told: usize,
    old: usize,
    between: usize,
    new: usize,
}

/// Runs with the calls that `case` names failing, and tells how many there were that it could have failed.
fn run(store: &Store, place: &str, fault: &Fault, at: usize) -> (Traced, usize) {
    let (mut calls, place) = (0, store.path(place));
    let traced = trace(&store.running("one"), |call| {
        // What is given back never fails so that anything comes of it.
        let is_meant = call.number != libc::SYS_close
            && (fault.fails)(call)
            && call.path().is_some_and(|path| path.starts_with(&place));
        calls += usize::from(is_meant);
        let fails = is_meant && if fault.lasts { calls >= at } else { calls == at };
        if fails { Verdict::Give(-i64::from(fault.error as i32)) } else { Verdict::Do }
    });
    (traced, calls)
}

/// Whether a failure says what its cause was. Of a call that fails once, the database knows no more than this.
fn names_cause(stderr: &str, fault: &Fault) -> bool {
    let error = std::io::Error::from_raw_os_error(fault.error as i32).to_string();
    let in_database = [
        "disk I/O error",
        "database disk image is malformed",
        "unable to open database file",
        "attempt to write a readonly database",
    ];
    stderr.contains(&error) || (!fault.lasts && in_database.iter().any(|said| stderr.contains(said)))
}

impl Store {
    fn fail(&mut self, case: &Case, tally: &mut Tally) {
        let old = self.stored.clone();
        let new = self.next_value_of("one", LINES);
        let (Traced { code, stderr }, calls) = run(self, case.place, &case.fault, case.at);
        let stderr = stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        let what = format!("{} from call {} in {} on: {stderr}", case.fault.error, case.at, case.place);
        tally.cases += 1;
        match code {
            // Events that are committed together are more in one run than in another.
            Some(0) if calls < case.at => tally.unreached += 1,
            Some(0) => tally.done += 1,
            Some(7) => {
                tally.told += 1;
                let place: PathBuf = self.path(case.place);
                assert!(names_cause(&stderr, &case.fault), "the cause is not told of {what}");
                // A value that waits between two places does not know where it came from.
                let is_told = stderr.contains(place.to_str().unwrap()) || stderr.contains("the value cannot be read");
                assert!(is_told, "the place is not told of {what}");
            }
            code => panic!("ended with {code:?}: {what}"),
        }
        let found = self.start();
        let told: Vec<String> = self.new_runs().iter().flat_map(|(_, events)| stored_by(events)).collect();
        for (asset, value, old) in [("file", &found.file, &old.file), ("files", &found.files, &old.files)] {
            assert!(*value == new || value == old, "{asset} is neither old nor new after {what}: {value:?}");
            let must_be_new = code == Some(0) || told.contains(&asset.to_owned());
            assert!(*value == new || !must_be_new, "the new value of {asset} is lost after {what}");
        }
        let (file, files) = (found.file == new, found.files == new);
        let is_told = |said: &str| stderr.contains(said);
        let is_kept = is_told("the next call on this mount publishes it") || is_told("what was written is in place");
        if case.place == "data" && code == Some(7) && !is_kept {
            let stored = usize::from(file) + usize::from(files);
            assert_eq!(stored, told.len(), "what a step that failed wrote is there after {what}");
        }
        match (file, files) {
            (false, false) => tally.old += 1,
            (true, false) => tally.between += 1,
            (true, true) => tally.new += 1,
            (false, true) => panic!("what was stored first is lost after {what}"),
        }
        self.stored = found;
    }
}

#[test]
fn a_storage_that_fails_is_named_and_costs_no_value() {
    if !may_trace() {
        return;
    }
    let mut store = Store::new();
    let mut all = Vec::new();
    for place in PLACES {
        for fault in FAULTS {
            let value = store.next_value_of("one", LINES);
            let (traced, calls) = run(&store, place, &fault, usize::MAX);
            assert_eq!(traced.code, Some(0), "{}", traced.stderr);
            (store.stored.file, store.stored.files) = (value.clone(), value);
            all.extend((1..=calls).map(|at| Case { place, fault, at }));
        }
    }
    store.new_runs();
    let wanted = usize::try_from(setting("AIRLOCK_FAULT_CASES", 40)).unwrap().min(all.len());
    let mut rows: BTreeMap<(&str, &str), Tally> = BTreeMap::new();
    // Evenly from all, and others each time.
    let offset = usize::try_from(setting("AIRLOCK_FAULT_OFFSET", fastrand::u64(..))).unwrap() % all.len();
    println!("{wanted} of {} cases; AIRLOCK_FAULT_OFFSET={offset} tries the same ones again", all.len());
    for number in 0..wanted {
        let case = &all[(number * all.len() + offset) / wanted];
        store.fail(case, rows.entry((case.place, case.fault.shown)).or_default());
    }
    println!(
        "| where | what | cases | ended before | done all the same | failed, and named | both old | first new | both new |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for ((place, what), Tally { cases, unreached, done, told, old, between, new }) in &rows {
        println!("| `{place}` | {what} | {cases} | {unreached} | {done} | {told} | {old} | {between} | {new} |");
    }
}
