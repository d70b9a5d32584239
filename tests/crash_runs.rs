//! Kills runs at random points, alone and beside another, with their event log and without it, and looks at what the next
//! start finds. `make crash` kills 1,000 times; `AIRLOCK_CRASH_POINTS` and `AIRLOCK_CRASH_SEED` say how often, and where.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and reads registers by their place"
)]
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "support/store.rs"]
mod store;
#[path = "support/traced.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod traced;

use fastrand::Rng;
use std::process::Command;

use store::{RUNNERS, Store, Stored, isolates, setting, stored_by};
use traced::{SystemCall, Traced, Verdict, may_trace, trace, trace_all};

/// What is known of the run beside what is stored.
#[derive(Clone, Copy, PartialEq)]
enum Log {
    Kept,
    /// The home is removed after the kill, with the event log.
    Removed,
}

/// What became of one attempt to kill.
#[derive(Default)]
struct Tally {
    points: usize,
    killed: usize,
    old: usize,
    /// Killed between both assets.
    between: usize,
    new: usize,
}

/// Traces `program`, and where calls are isolated the processes that make them too.
fn trace_workers(program: &Command, judge: impl FnMut(&SystemCall) -> Verdict) -> Traced {
    if isolates() { trace_all(program, judge) } else { trace(program, judge) }
}

impl Store {
    /// Runs `who`, and kills it as it begins its call `at` of those that may have to do with files.
    fn kill(&self, who: &str, at: usize) -> Traced {
        let mut calls = 0;
        let traced = trace_workers(&self.running(who), |call| {
            calls += usize::from(call.is_of_files());
            if calls == at { Verdict::Kill } else { Verdict::Do }
        });
        assert!(matches!(traced.code, None | Some(0)), "it failed before it was killed: {}", traced.stderr);
        traced
    }

    /// Checks what the log has of runs that it had not before, and gives the assets that it says they stored.
    fn check_log(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        for (run, events) in self.new_runs() {
            let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
            assert!(WHOLE_RUN.starts_with(&kinds), "the log has gaps: {kinds:?}");
            let status = if kinds == WHOLE_RUN { "succeeded" } else { "lost" };
            assert_eq!(run["status"], status, "{kinds:?}");
            told.extend(stored_by(&events));
        }
        told
    }

    /// How many calls that may have to do with files a run has.
    fn calls(&mut self) -> usize {
        let value = self.next_value("one");
        let mut calls = 0;
        let traced = trace_workers(&self.running("one"), |call| {
            calls += usize::from(call.is_of_files());
            Verdict::Do
        });
        assert_eq!(traced.code, Some(0), "{}", traced.stderr);
        self.stored = Stored { file: value.clone(), files: value };
        self.check_log();
        calls
    }

    /// Kills a run at the call `at`, and checks what is found then.
    fn kill_one(&mut self, at: usize, log: Log, tally: &mut Tally) {
        let old = self.stored.clone();
        let new = self.next_value("one");
        let killed = self.kill("one", at).code.is_none();
        if killed && log == Log::Removed {
            std::fs::remove_dir_all(self.path(".airlock")).unwrap();
            self.known.clear();
        }
        let found = self.start();
        let told = if killed && log == Log::Removed { Vec::new() } else { self.check_log() };
        let is_of = |value: &str, old: &str, asset: &str| {
            assert!(value == new || value == old, "{asset} is neither the old value nor the new: {value:?}");
            let must_be_new = !killed || told.contains(&asset.to_owned());
            assert!(!must_be_new || value == new, "the new value of {asset} was told to be stored, and is lost");
            value == new
        };
        let is_new = (is_of(&found.file, &old.file, "file"), is_of(&found.files, &old.files, "files"));
        assert_ne!(is_new, (false, true), "what was stored before is lost, and what was stored after is not");
        tally.points += 1;
        tally.killed += usize::from(killed);
        match is_new {
            (false, _) => tally.old += 1,
            (true, false) => tally.between += 1,
            (true, true) => tally.new += 1,
        }
        self.stored = found;
    }

    /// Kills a run at the call `at` while another stores the same, which is killed at `other` where that is given and
    /// otherwise has to succeed, and checks what is found then.
    fn kill_of_two(&mut self, at: usize, other: Option<usize>, tally: &mut Tally) {
        let old = self.stored.clone();
        let values = RUNNERS.map(|who| self.next_value(who));
        let (one, two) = std::thread::scope(|scope| {
            let two = scope.spawn(|| {
                if let Some(other) = other {
                    return self.kill("two", other).code;
                }
                let ended = self.running("two").output().unwrap();
                assert!(ended.status.success(), "beside a kill: {}", String::from_utf8_lossy(&ended.stderr));
                ended.status.code()
            });
            (self.kill("one", at).code, two.join().unwrap())
        });
        let found = self.start();
        let told = self.check_log();
        for (asset, value, old) in [("file", &found.file, &old.file), ("files", &found.files, &old.files)] {
            let is_new = values.contains(value);
            assert!(is_new || value == old, "{asset} is neither the old value nor a new one: {value:?}");
            let must_be_new = one.is_some() || two.is_some() || told.contains(&asset.to_owned());
            assert!(is_new || !must_be_new, "a new value of {asset} was told to be stored, and is lost");
        }
        tally.points += 1;
        tally.killed += usize::from(one.is_none()) + usize::from(two.is_none());
        match (values.contains(&found.file), values.contains(&found.files)) {
            (false, _) => tally.old += 1,
            (true, false) => tally.between += 1,
            (true, true) => tally.new += 1,
        }
        self.stored = found;
    }
}

/// The events of a run that nothing happened to.
const WHOLE_RUN: [&str; 14] = [
    "RUN_START",
    "STEP_START",
    "STEP_OUTPUT",
    "HANDLED_OUTPUT",
    "ASSET_MATERIALIZATION",
    "STEP_SUCCESS",
    "STEP_START",
    "LOADED_INPUT",
    "STEP_INPUT",
    "STEP_OUTPUT",
    "HANDLED_OUTPUT",
    "ASSET_MATERIALIZATION",
    "STEP_SUCCESS",
    "RUN_SUCCESS",
];

#[test]
fn runs_killed_at_random_points_leave_whole_values_and_nothing_else() {
    if !may_trace() {
        return;
    }
    let points = setting("AIRLOCK_CRASH_POINTS", 40);
    let seed = setting("AIRLOCK_CRASH_SEED", fastrand::u64(..));
    println!("{points} points; AIRLOCK_CRASH_SEED={seed} tries the same ones again");
    let mut random = Rng::with_seed(seed);
    let mut store = Store::new();
    let calls = store.calls();
    let mut rows = Vec::new();
    let mut row = |name: &'static str, share: u64, kill: &mut dyn FnMut(&mut Rng, &mut Tally)| {
        let mut tally = Tally::default();
        for _ in 0..(points * share / 100).max(1) {
            kill(&mut random, &mut tally);
        }
        rows.push((name, tally));
    };
    row("a run", 40, &mut |random, tally| store.kill_one(random.usize(1..=calls), Log::Kept, tally));
    row("a run, its event log removed then", 18, &mut |random, tally| {
        store.kill_one(random.usize(1..=calls), Log::Removed, tally);
    });
    row("a run beside another", 20, &mut |random, tally| store.kill_of_two(random.usize(1..=calls), None, tally));
    row("both of two runs", 20, &mut |random, tally| {
        store.kill_of_two(random.usize(1..=calls), Some(random.usize(1..=calls)), tally);
    });
    let whole = {
        std::fs::remove_dir_all(store.path("cache")).unwrap();
        store.calls()
    };
    row("a run that compiles its components", 2, &mut |random, tally| {
        std::fs::remove_dir_all(store.path("cache")).unwrap();
        store.kill_one(random.usize(1..=whole), Log::Kept, tally);
    });
    println!("| killed | points | runs killed before their end | both old | first new | both new |");
    println!("|---|---|---|---|---|---|");
    for (name, Tally { points, killed, old, between, new }) in &rows {
        println!("| {name} | {points} | {killed} | {old} | {between} | {new} |");
    }
    let killed: usize = rows.iter().map(|(_, tally)| tally.killed).sum();
    assert!(killed as u64 * 2 > points, "only {killed} of {points} were killed before their end");
}

#[test]
fn a_run_killed_at_any_change_of_its_scratch_directory_leaves_none_of_it() {
    if !may_trace() {
        return;
    }
    let mut store = Store::new();
    let scratch = store.path(".airlock/scratch");
    for at in 1.. {
        store.next_value("one");
        let mut changes = 0;
        let traced = trace(&store.running("one"), |call| {
            changes += usize::from(call.is_change() && call.path().is_some_and(|path| path.starts_with(&scratch)));
            if changes == at { Verdict::Kill } else { Verdict::Do }
        });
        // Fails where something is left.
        store.start();
        if traced.code.is_some() {
            assert!(at > 8, "only {at} changes");
            break;
        }
    }
}
