//! Calls that worker processes make: what they give, and what becomes of them when a worker dies, hangs or is not needed.
#![cfg(target_os = "linux")]
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use project::{Project, Ran, guest, join};

/// A guest that waits for as long as it may.
fn sleeping(limits: &str) -> Project {
    let program = guest("test-programs");
    Project::new(&format!(
        r#"
[io.slow]
component = "{program}"
config = {{ program = "limit_time_sleeping" }}
mounts."/data" = {{ path = "slow", access = "write" }}
limits = {{ {limits} }}

[assets.slow]
type = "bytes"
command = ["sh", "-c", "printf x > $AIRLOCK_OUTPUT"]
io = "slow"

[assets.after]
type = "bytes"
command = ["sh", "-c", "printf 'stored all the same' > $AIRLOCK_OUTPUT"]
"#
    ))
}

/// The processes that `parent` started to make calls.
fn workers(parent: &Child) -> Vec<Pid> {
    let ours = format!("PPid:\t{}\n", parent.id());
    let is_worker = |pid: &i32| {
        fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| status.contains(&ours))
            && fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"sandbox-process\0"))
    };
    let names = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let pids = names.filter_map(|name| name.to_str()?.parse().ok());
    pids.filter(is_worker).map(Pid::from_raw).collect()
}

/// A worker whose guest has begun to sleep.
fn sleeping_worker(airlock: &Child) -> Pid {
    let started = Instant::now();
    loop {
        for pid in workers(airlock) {
            // A guest that sleeps leaves its thread waiting; until then the worker starts.
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            if status.contains("State:\tS") && status.contains("Seccomp:\t2") && has_opened_mount(pid) {
                return pid;
            }
        }
        assert!(started.elapsed() < Duration::from_mins(2), "no worker began a call");
        std::thread::yield_now();
    }
}

/// Whether a process holds a lock in a mount, which it takes for the call.
fn has_opened_mount(pid: Pid) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    files
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|link| link.to_string_lossy().contains("/.airlock/locks/"))
}

fn end(airlock: Child) -> Ran {
    Ran::from(airlock.wait_with_output().unwrap())
}

#[test]
fn which_layers_isolate_is_said_when_it_is_asked_for() {
    let project =
        Project::new("[assets.a]\ntype = \"bytes\"\ncommand = [\"sh\", \"-c\", \"printf x > $AIRLOCK_OUTPUT\"]\n");
    let ran = project.run(&["run", "--isolate"]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    for layer in
        ["file system (Landlock)", "system calls (seccomp)", "network (namespace)", "memory and files (rlimits)"]
    {
        assert!(ran.stderr.contains(layer), "{ran:#?}");
    }
    assert!(!project.run(&["run", "--isolate=no"]).stderr.contains("isolation"));
}

#[test]
fn small_and_large_values_pass_between_steps_and_are_the_same() {
    let join = join();
    let project = Project::new(&format!(
        r#"
[assets.small]
type = "text"
command = ["sh", "-c", "printf 'a small value' > $AIRLOCK_OUTPUT"]

[assets.large]
type = "text"
command = ["sh", "-c", "head -c 300000 /dev/zero | tr '\\0' x > $AIRLOCK_OUTPUT"]

[assets.joined]
type = "text"
{join}
inputs.small = "small"
inputs.large = "large"
"#
    ));
    project.run(&["run", "--isolate"]).ok();
    let here = project.run(&["load", "joined", "--isolate=no"]).ok();
    assert_eq!(project.run(&["load", "joined", "--isolate"]).ok(), here);
    assert!(here.contains("a small value") && here.len() > 300_000, "{}", here.len());
}

#[test]
fn partitions_are_stored_and_loaded_by_workers() {
    let join = join();
    let project = Project::new(&format!(
        r#"
[partitions.letters]
static = ["a", "b", "c"]

[assets.each]
type = "text"
partitions = "letters"
command = ["sh", "-c", "printf $AIRLOCK_PARTITION > $AIRLOCK_OUTPUT"]

[assets.all]
type = "text"
{join}
inputs.each = "each"
"#
    ));
    project.run(&["run", "--isolate", "--partition", "all"]).ok();
    assert_eq!(project.load("all"), "a=a;b=b;c=c;");
}

#[test]
fn a_directory_in_memory_is_the_same_for_all_workers() {
    let project = Project::of(
        r#"
[io.memory]
component = "builtin:files"
mounts."/data" = { memory = true, access = "write" }

[io.lake]
component = "builtin:files"
mounts."/data" = { path = "data", access = "write" }

[assets.first]
type = "bytes"
command = ["sh", "-c", "printf 'kept in memory' > $AIRLOCK_OUTPUT"]
io = "memory"

[assets.second]
type = "bytes"
command = ["sh", "-c", "cat $AIRLOCK_INPUT_FIRST > $AIRLOCK_OUTPUT"]
inputs.first = "first"
io = "lake"
"#,
    );
    project.run(&["run", "--isolate"]).ok();
    assert_eq!(project.load("second"), "kept in memory");
}

#[test]
fn a_failure_a_limit_and_a_denial_are_told_as_without_isolation() {
    let program = guest("test-programs");
    for (name, limits) in [
        ("guest_error", ""),
        ("limit_memory", "limits = { memory = \"64MiB\" }"),
        ("limit_cpu_time_looping", "limits = { cpu_time = \"100ms\" }"),
        ("denied_passwd", ""),
        ("trap_half_way", ""),
    ] {
        let project = Project::of(&format!(
            r#"
[io.guest]
component = "{program}"
config = {{ program = "{name}" }}
mounts."/data" = {{ path = "data", access = "write" }}
{limits}

[assets.a]
type = "bytes"
command = ["sh", "-c", "printf x > $AIRLOCK_OUTPUT"]
io = "guest"
"#
        ));
        let ran = |isolate: &str| {
            let ran = project.run(&["run", isolate]);
            let said: Vec<String> =
                ran.stderr.lines().filter(|line| !line.starts_with("isolation: ")).map(str::to_owned).collect();
            (ran.code, said)
        };
        let (isolated, here) = (ran("--isolate"), ran("--isolate=no"));
        assert_ne!(here.0, Some(0), "{name}");
        assert_eq!(isolated.0, here.0, "{name}: {isolated:#?}");
        assert_eq!(isolated.1.first(), here.1.first(), "{name}");
    }
}

#[test]
fn a_worker_that_is_killed_fails_its_step_and_no_other() {
    let project = sleeping("time = \"100s\"");
    let airlock = project.command(&["run", "--isolate"]).spawn().unwrap();
    kill(sleeping_worker(&airlock), Signal::SIGKILL).unwrap();
    let ran = end(airlock);
    assert_eq!(ran.code, Some(70), "{ran:#?}");
    assert!(ran.stderr.contains("the worker process of the call was lost"), "{ran:#?}");
    assert!(ran.stderr.contains("signal: 9"), "{ran:#?}");
    assert_eq!(project.load("after"), "stored all the same");
    assert!(!project.path("slow").join("slow.txt").exists());
}

#[test]
fn a_worker_that_hangs_in_the_system_is_killed_when_its_time_is_over() {
    let project = sleeping("time = \"1s\"");
    let airlock = project.command(&["run", "--isolate"]).spawn().unwrap();
    let worker = sleeping_worker(&airlock);
    // A stopped process answers as little as one that waits for a dead file system.
    kill(worker, Signal::SIGSTOP).unwrap();
    let ran = end(airlock);
    assert_eq!(ran.code, Some(7), "{ran:#?}");
    assert!(ran.stderr.contains("its process was killed; look whether the file system answers"), "{ran:#?}");
    assert!(kill(worker, None).is_err(), "the worker is still there");
    assert_eq!(project.load("after"), "stored all the same");
}

#[test]
fn an_interrupt_ends_a_call_in_a_worker_and_leaves_no_process() {
    let project = sleeping("time = \"100s\"");
    let mut command = project.command(&["run", "--isolate", "slow"]);
    let airlock = command.process_group(0).stdin(Stdio::null()).spawn().unwrap();
    let worker = sleeping_worker(&airlock);
    kill(Pid::from_raw(airlock.id().cast_signed()), Signal::SIGINT).unwrap();
    let ran = end(airlock);
    assert_eq!(ran.code, Some(130), "{ran:#?}");
    assert!(kill(worker, None).is_err(), "the worker is still there");
}

#[test]
fn a_worker_that_died_while_nobody_needed_it_is_replaced() {
    let project = Project::new(
        r#"
[assets.first]
type = "bytes"
command = ["sh", "-c", "printf first > $AIRLOCK_OUTPUT"]

[assets.second]
type = "bytes"
command = ["sh", "killer.sh"]
inputs.first = "first"
"#,
    );
    // What the shell is started by has the worker that stored the first asset and loaded it, which waits for more.
    project.put(
        "killer.sh",
        r#"
for process in /proc/[0-9]*; do
    if grep -q "^PPid:[[:space:]]*$PPID\$" "$process/status" && grep -q sandbox-process "$process/cmdline"; then
        kill -KILL "${process#/proc/}" && killed=yes
    fi
done 2> /dev/null
printf '%s' "${killed:-no}" > "$AIRLOCK_OUTPUT"
"#,
    );
    project.run(&["run", "--isolate"]).ok();
    assert_eq!(project.load("second"), "yes");
}

#[test]
fn a_directory_that_is_removed_and_made_anew_is_lent_as_without_isolation() {
    let project = Project::new(
        r#"
[assets.first]
type = "bytes"
command = ["sh", "-c", "printf first > $AIRLOCK_OUTPUT"]

[assets.second]
type = "bytes"
command = ["sh", "-c", "rm -r data && mkdir data && printf anew > $AIRLOCK_OUTPUT"]
inputs.first = "first"
"#,
    );
    project.run(&["run", "--isolate"]).ok();
    assert_eq!(project.load("second"), "anew");
}

#[test]
fn a_worker_that_notices_nothing_ends_with_who_started_it() {
    let project = sleeping("time = \"100s\"");
    let mut airlock = project.command(&["run", "--isolate", "slow"]).spawn().unwrap();
    let worker = sleeping_worker(&airlock);
    // One that a guest took over need not look at its socket either.
    kill(worker, Signal::SIGSTOP).unwrap();
    airlock.kill().unwrap();
    airlock.wait().unwrap();
    let started = Instant::now();
    while kill(worker, None).is_ok() {
        assert!(started.elapsed() < Duration::from_mins(1), "the worker is still there");
        std::thread::yield_now();
    }
}

#[test]
fn a_worker_has_bounds_and_no_right_of_an_administrator_but_over_files() {
    let project = sleeping("time = \"100s\", cpu_time = \"1500ms\"");
    let mut airlock = project.command(&["run", "--isolate", "slow"]).spawn().unwrap();
    let worker = sleeping_worker(&airlock);
    let said = |file: &str| fs::read_to_string(format!("/proc/{worker}/{file}")).unwrap();
    let (status, limits) = (said("status"), said("limits"));
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    let rights = |name: &str| u64::from_str_radix(&field(name), 16).unwrap();
    // CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and CAP_FOWNER.
    let over_files = 1 << 1 | 1 << 2 | 1 << 3;
    for name in ["CapEff:", "CapPrm:"] {
        assert_eq!(rights(name) & !over_files, 0, "{status}");
    }
    assert_eq!((rights("CapInh:"), rights("CapAmb:")), (0, 0), "{status}");
    assert_eq!((field("NoNewPrivs:"), field("Seccomp:")), ("1".to_owned(), "2".to_owned()), "{status}");
    let limit = |name: &str| {
        let numbers = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        numbers.split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    // Twice what a call may compute, and a minute.
    assert_eq!(limit("Max cpu time"), ["63", "64"], "{limits}");
    assert_eq!(limit("Max core file size"), ["0", "0"], "{limits}");
    assert_eq!(limit("Max data size")[0], ((512 + 1024) * 1024 * 1024u64).to_string(), "{limits}");
    let files = limit("Max open files");
    assert_eq!(files[0], files[1], "{limits}");
    assert_eq!(said("oom_score_adj").trim(), "500");
    airlock.kill().unwrap();
    airlock.wait().unwrap();
}

#[test]
fn workers_end_with_who_started_them_and_what_they_left_is_swept() {
    let project = sleeping("time = \"100s\"");
    let mut airlock = project.command(&["run", "--isolate", "slow"]).spawn().unwrap();
    let worker = sleeping_worker(&airlock);
    airlock.kill().unwrap();
    airlock.wait().unwrap();
    let started = Instant::now();
    while kill(worker, None).is_ok() {
        assert!(started.elapsed() < Duration::from_mins(1), "the worker is still there");
        std::thread::yield_now();
    }
    project.run(&["run", "after"]).ok();
    let left: Vec<_> =
        fs::read_dir(project.path("data/.airlock")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| name == "locks" || name == ".gitignore"), "{left:?}");
}

#[test]
fn a_worker_knows_nothing_of_the_environment_and_holds_no_file_of_its_starter() {
    let project = sleeping("time = \"100s\"");
    let mut command = project.command(&["run", "--isolate", "slow"]);
    let mut airlock = command.env("SECRET_TOKEN", "s3cret").spawn().unwrap();
    let worker = sleeping_worker(&airlock);
    assert_eq!(fs::read(format!("/proc/{worker}/environ")).unwrap(), b"");
    let files = fs::read_dir(format!("/proc/{worker}/fd")).unwrap();
    let links: Vec<String> = files
        .filter_map(|file| fs::read_link(file.unwrap().path()).ok())
        .map(|link| link.display().to_string())
        .collect();
    assert!(links.iter().all(|link| !link.contains("events.db") && !link.contains("/home/")), "{links:?}");
    airlock.kill().unwrap();
    airlock.wait().unwrap();
}
