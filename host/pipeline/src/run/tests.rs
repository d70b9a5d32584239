use std::fs;
use std::sync::Mutex;

use airlock_sandbox::Settings;
use airlock_sandbox::context::MetadataValue;

use super::*;
use crate::definitions::tests::{BUILTINS, Project};
use crate::event::{EventReader, RunFilter};
use crate::plan::{PartitionSets, PlanRequest};

/// A project whose assets have no values, so that it needs no component.
struct Commands {
    project: Project,
    runner: Runner,
}

impl Commands {
    fn new(text: &str) -> Self {
        Self::with_environment(text, Environment::default())
    }

    fn with_environment(text: &str, environment: Environment) -> Self {
        let project = Project::new(&[("airlock.toml", text)]);
        let definitions = Arc::new(project.read(None).unwrap_or_else(|mistakes| panic!("{mistakes}")));
        let sandbox = Sandbox::new(&Settings::default()).unwrap();
        let runner = Runner::new(definitions, project.home(), sandbox, BUILTINS).with_environment(environment);
        Self { project, runner }
    }

    fn run_with(&self, options: &RunOptions, on_event: &(dyn Fn(&Event) + Sync)) -> RunResult {
        let plan = self.runner.plan(&PlanRequest::of(&[])).unwrap();
        self.runner.run(&plan, options, on_event).unwrap()
    }

    fn run(&self) -> RunResult {
        self.run_with(&RunOptions { jobs: 2, ..RunOptions::default() }, &|_| {})
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.project.directory.path().join(name)).unwrap()
    }

    fn events(&self, run_id: &str) -> Vec<Event> {
        let reader = EventReader::open(&self.project.home()).unwrap().unwrap();
        reader.events(run_id, 0, 1000).unwrap().into_iter().map(|recorded| recorded.event).collect()
    }
}

/// `b STEP_START` and so on.
fn kinds(events: &[Event]) -> Vec<String> {
    let kind = |event: &Event| {
        format!("{}{}", event.step_key.clone().map(|key| key + " ").unwrap_or_default(), event.body.kind())
    };
    events.iter().map(kind).collect()
}

fn statuses(result: &RunResult) -> Vec<String> {
    let status = |step: &StepResult| match &step.status {
        StepStatus::Skipped { because, .. } => format!("{} skipped for {because}", step.key),
        status => format!("{} {status:?}", step.key).to_lowercase(),
    };
    result.steps.iter().map(status).collect()
}

#[test]
fn steps_follow_what_they_depend_on_and_each_is_recorded() {
    let commands = Commands::new(
        r#"
        [assets.b]
        command = ["sh", "-c", "echo b >> order"]
        type = "none"
        deps = ["a"]
        [assets.a]
        command = ["sh", "-c", "echo a >> order"]
        type = "none"
        "#,
    );
    let seen = Mutex::new(Vec::new());
    let result = commands.run_with(&RunOptions::default(), &|event| seen.lock().unwrap().push(event.clone()));
    assert_eq!(commands.file("order"), "a\nb\n");
    assert_eq!(statuses(&result), ["a succeeded", "b succeeded"]);
    assert_eq!((result.status, result.exit_code()), (RunStatus::Succeeded, 0));
    let events = commands.events(&result.run_id);
    let expected = [
        "RUN_START",
        "a STEP_START",
        "a ASSET_MATERIALIZATION",
        "a STEP_SUCCESS",
        "b STEP_START",
        "b ASSET_MATERIALIZATION",
        "b STEP_SUCCESS",
        "RUN_SUCCESS",
    ];
    assert_eq!(kinds(&events), expected);
    assert_eq!(seen.into_inner().unwrap(), events);
}

#[test]
fn the_end_of_a_step_is_told_once_it_is_in_the_log() {
    let commands = Commands::new(r#"assets.a = { command = ["true"], type = "none" }"#);
    let told = Mutex::new(Vec::new());
    commands.run_with(&RunOptions::default(), &|event| {
        if matches!(event.body, EventBody::StepSuccess {} | EventBody::RunSuccess {}) {
            told.lock().unwrap().push(commands.events(&event.run_id).contains(event));
        }
    });
    assert_eq!(told.into_inner().unwrap(), [true, true]);
}

#[test]
fn a_failure_stops_only_what_depends_on_it() {
    let commands = Commands::new(
        r#"
        [assets.fails]
        command = ["sh", "-c", "echo why >&2; exit 3"]
        type = "none"
        [assets.after]
        command = ["sh", "-c", "touch after"]
        type = "none"
        deps = ["fails", "apart"]
        [assets."far/after"]
        command = ["sh", "-c", "touch after"]
        type = "none"
        deps = ["after"]
        [assets.apart]
        command = ["sh", "-c", "touch apart"]
        type = "none"
        "#,
    );
    let result = commands.run();
    assert_eq!(
        statuses(&result),
        ["fails failed", "apart succeeded", "after skipped for fails", "far/after skipped for fails"]
    );
    assert_eq!((result.status, result.exit_code()), (RunStatus::Failed, 1));
    let as_data = serde_json::to_value(&result.steps[2]).unwrap();
    assert_eq!((&as_data["status"], &as_data["because"]), (&"skipped".into(), &"fails".into()));
    let failure = result.steps[0].failure.clone().unwrap();
    assert_eq!(failure.message, "the command `sh -c echo why >&2; exit 3` exited with status 3");
    assert_eq!((failure.class, failure.stage, failure.stderr.as_str()), (FailureClass::Error, Stage::Op, "why"));
    assert!(!commands.project.directory.path().join("after").exists());
    assert_eq!(kinds(&commands.events(&result.run_id)).last().unwrap(), "RUN_FAILURE");
}

#[test]
fn independent_steps_run_at_once() {
    // Each of the two waits for the other.
    let commands = Commands::new(
        r#"
        [assets.pipes]
        command = ["mkfifo", "to_b", "to_a"]
        type = "none"
        [assets.a]
        command = ["sh", "-c", "echo x > to_b; cat to_a"]
        type = "none"
        deps = ["pipes"]
        [assets.b]
        command = ["sh", "-c", "cat to_b; echo y > to_a"]
        type = "none"
        deps = ["pipes"]
        "#,
    );
    assert_eq!(commands.run().status, RunStatus::Succeeded);
}

#[test]
fn an_interrupt_ends_commands_and_cancels_what_is_left() {
    let commands = Commands::new(
        r#"
        [assets.pipe]
        command = ["mkfifo", "never"]
        type = "none"
        [assets.waits]
        command = ["cat", "never"]
        type = "none"
        deps = ["pipe"]
        [assets.after]
        command = ["touch", "after"]
        type = "none"
        deps = ["waits"]
        "#,
    );
    let options = RunOptions::default();
    let result = commands.run_with(&options, &|event| {
        if event.step_key.as_deref() == Some("waits") && event.body == (EventBody::StepStart {}) {
            options.interrupt.interrupt();
        }
    });
    assert_eq!(statuses(&result), ["pipe succeeded", "waits canceled", "after canceled"]);
    assert_eq!((result.status, result.exit_code()), (RunStatus::Canceled, 130));
    let events = kinds(&commands.events(&result.run_id));
    assert_eq!(events[events.len() - 3..], ["waits STEP_CANCELED", "after STEP_CANCELED", "RUN_CANCELED"]);
}

#[test]
fn a_command_finds_its_step_in_the_environment_and_runs_beside_the_definitions() {
    let commands = Commands::with_environment(
        r#"
        [assets."a/b"]
        command = ["sh", "-c", "pwd; echo $AIRLOCK_STEP $AIRLOCK_ASSET $AIRLOCK_RUN_ID ${AIRLOCK_OUTPUT-none} $0", { "$env" = "WORD" }]
        type = "none"
        "#,
        Environment::from_iter([("WORD", "s3cret")]),
    );
    let result = commands.run();
    let log = fs::read_to_string(result.steps[0].log.as_ref().unwrap()).unwrap();
    let directory = commands.project.directory.path().canonicalize().unwrap();
    assert_eq!(log, format!("{}\na/b a/b {} none s3cret\n", directory.display(), result.run_id));
    // The command saw the value, and nothing else did.
    assert!(!format!("{:?}", commands.events(&result.run_id)).contains("s3cret"));
}

#[test]
fn a_program_named_by_a_path_is_looked_for_beside_the_definitions() {
    let commands = Commands::new(r#"assets.a = { command = ["./tool/run.sh"], type = "none" }"#);
    let directory = commands.project.directory.path().join("tool");
    fs::create_dir(&directory).unwrap();
    std::os::unix::fs::symlink("/bin/true", directory.join("run.sh")).unwrap();
    assert_eq!(commands.run().status, RunStatus::Succeeded);
}

#[test]
fn the_log_of_a_step_has_what_it_printed_and_a_silent_step_has_none() {
    let commands = Commands::new(
        r#"
        assets.loud = { command = ["sh", "-c", "echo out; echo err >&2"], type = "none" }
        assets.silent = { command = ["true"], type = "none" }
        "#,
    );
    let result = commands.run();
    let log = fs::read_to_string(result.steps[0].log.as_ref().unwrap()).unwrap();
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["err", "out"]);
    assert_eq!(result.steps[1].log, None);
}

#[test]
fn a_program_in_python_adds_metadata_by_the_helper() {
    let commands = Commands::new(
        r#"
        [assets.a]
        command = ["python3", "-c", "import airlock; airlock.add_metadata(rows=3); airlock.add_metadata(mean=1.5, of=['x'])"]
        type = "none"
        "#,
    );
    let result = commands.run();
    let entry = |label: &str, value| MetadataEntry { label: label.to_owned(), value };
    let expected = [
        entry("mean", MetadataValue::Float(1.5)),
        entry("of", MetadataValue::Json(serde_json::json!(["x"]))),
        entry("rows", MetadataValue::Int(3)),
    ];
    assert_eq!(result.steps[0].metadata, expected);
    let reader = EventReader::open(&commands.project.home()).unwrap().unwrap();
    assert_eq!(reader.materializations("a", 1).unwrap()[0].body.metadata, expected);
}

#[test]
fn the_metadata_of_a_definition_is_recorded_where_the_op_says_nothing_else() {
    let commands = Commands::new(
        r#"
        [assets.a]
        command = ["sh", "-c", "echo '{\"rows\": 3}' > $AIRLOCK_METADATA"]
        type = "none"
        metadata = { owner = "weather team", rows = 0 }
        "#,
    );
    let result = commands.run();
    let entry = |label: &str, value| MetadataEntry { label: label.to_owned(), value };
    let expected =
        [entry("owner", MetadataValue::Text("weather team".to_owned())), entry("rows", MetadataValue::Int(3))];
    assert_eq!(result.steps[0].metadata, expected);
    let reader = EventReader::open(&commands.project.home()).unwrap().unwrap();
    assert_eq!(reader.materializations("a", 1).unwrap()[0].body.metadata, expected);
}

#[test]
fn metadata_that_is_no_json_object_fails_the_step() {
    let commands =
        Commands::new(r#"assets.a = { command = ["sh", "-c", "echo [1] > $AIRLOCK_METADATA"], type = "none" }"#);
    let failure = commands.run().steps[0].failure.clone().unwrap();
    assert!(failure.message.contains("wrote to AIRLOCK_METADATA is not a JSON object"), "{}", failure.message);
}

#[test]
fn metadata_that_is_no_file_fails_the_step_and_does_not_block_it() {
    let commands = Commands::new(r#"assets.a = { command = ["sh", "-c", "mkfifo $AIRLOCK_METADATA"], type = "none" }"#);
    let failure = commands.run().steps[0].failure.clone().unwrap();
    let expected = "cannot read the metadata of the command `sh -c mkfifo $AIRLOCK_METADATA`: it is not a regular file";
    assert_eq!((failure.class, failure.message.as_str()), (FailureClass::Error, expected));
}

#[test]
fn a_program_that_is_not_there_says_where_it_was_looked_for() {
    let commands = Commands::new(r#"assets.a = { command = ["no-such-program-here", "x"], type = "none" }"#);
    let failure = commands.run().steps[0].failure.clone().unwrap();
    assert!(
        failure.message.starts_with("cannot start the command `no-such-program-here x`: No such file"),
        "{}",
        failure.message
    );
    assert!(failure.help[0].starts_with("it is looked for in PATH"), "{}", failure.help[0]);
}

#[test]
fn a_command_that_is_told_of_is_one_line_that_cannot_move_the_cursor() {
    let long = "x".repeat(300);
    let commands = Commands::new(&format!(
        r#"assets.a = {{ command = ["sh", "-c", "\u001b[2J\n exit 3 # {long}"], type = "none" }}"#
    ));
    let failure = commands.run().steps[0].failure.clone().unwrap();
    assert!(failure.message.starts_with("the command `sh -c \\u{1b}[2J"), "{:?}", failure.message);
    assert!(!failure.message.contains(char::is_control) && failure.message.len() < 300, "{:?}", failure.message);
}

#[test]
fn what_a_command_leaves_running_does_not_hold_up_the_run() {
    let commands = Commands::new(
        r#"
        [assets.a]
        command = ["sh", "-c", "mkfifo never; cat never & echo started"]
        type = "none"
        "#,
    );
    assert_eq!(commands.run().status, RunStatus::Succeeded);
}

#[test]
fn an_environment_that_lacks_something_is_told_before_anything_is_begun() {
    let text = r#"[assets.a]
command = ["echo", { "$env" = "FIRST" }, { "$env" = "SECOND", as = "text" }]
type = "none"
"#;
    let commands = Commands::new(text);
    let plan = commands.runner.plan(&PlanRequest::of(&[])).unwrap();
    let Err(RunError::Definitions(mistakes)) = commands.runner.run(&plan, &RunOptions::default(), &|_| {}) else {
        panic!()
    };
    let shown: Vec<String> = mistakes.list.iter().map(|mistake| mistake.message.clone()).collect();
    assert_eq!(shown, ["the environment variable FIRST is not set", "the environment variable SECOND is not set"]);
    assert_eq!(mistakes.list[1].position.as_ref().map(|position| (position.line(), position.column())), Some((2, 53)));
    assert!(!commands.project.home().directory().exists());
}

#[test]
fn a_dangerous_directory_that_the_environment_names_is_refused_and_not_shown() {
    let commands = Commands::with_environment(
        r#"
        io.lake = { component = "builtin:files", mounts."/data" = { path = { "$env" = "LAKE" }, access = "write" } }
        assets.a = { command = ["true"], type = "json", io = "lake" }
        "#,
        Environment::from_iter([("LAKE", "/proc/sys")]),
    );
    let plan = commands.runner.plan(&PlanRequest::of(&[])).unwrap();
    let Err(RunError::Definitions(mistakes)) = commands.runner.run(&plan, &RunOptions::default(), &|_| {}) else {
        panic!()
    };
    let shown = mistakes.render();
    assert!(shown.contains("what LAKE names cannot be lent"), "{shown}");
    assert!(!shown.contains("/proc/sys"), "{shown}");
}

#[test]
fn a_file_in_the_place_of_a_directory_to_lend_is_a_mistake_that_names_the_variable() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let commands = Commands::with_environment(
        r#"
        io.lake = { component = "builtin:files", mounts."/data" = { path = { "$env" = "LAKE" }, access = "write" } }
        assets.a = { command = ["true"], type = "json", io = "lake" }
        "#,
        Environment::from_iter([("LAKE", file.path())]),
    );
    let plan = commands.runner.plan(&PlanRequest::of(&[])).unwrap();
    let refused = commands.runner.run(&plan, &RunOptions::default(), &|_| {}).unwrap_err();
    assert_eq!(refused.exit_code(), 2);
    let RunError::Definitions(mistakes) = refused else { panic!("{refused}") };
    assert_eq!(mistakes.list[0].message, "what LAKE names is not a directory");
    assert!(mistakes.list[0].position.is_some());
}

#[test]
fn a_panic_of_whoever_is_told_does_not_hold_up_the_run() {
    let commands = Commands::new(
        r#"
        assets.a = { command = ["true"], type = "none" }
        assets.b = { command = ["true"], type = "none", deps = ["a"] }
        "#,
    );
    let result = commands.run_with(&RunOptions::default(), &|event| {
        assert_ne!(event.body, EventBody::StepStart {}, "told of a step");
    });
    assert_eq!(statuses(&result), ["a failed", "b skipped for a"]);
    assert_eq!(result.exit_code(), 70);
}

#[test]
fn an_event_log_that_cannot_be_written_ends_the_run() {
    let commands = Commands::new(
        r#"
        assets.a = { command = ["true"], type = "none" }
        assets.b = { command = ["touch", "b"], type = "none", deps = ["a"] }
        "#,
    );
    let result = commands.run_with(&RunOptions::default(), &|event| {
        if event.body == (EventBody::StepStart {}) {
            let log = rusqlite::Connection::open(commands.project.home().events()).unwrap();
            log.execute_batch("DROP TABLE materializations; DROP TABLE events").unwrap();
        }
    });
    // What became of the step is told although it is not recorded, and the next one is not called interrupted.
    assert_eq!(statuses(&result), ["a succeeded", "b notbegun"]);
    assert_eq!((result.status, result.exit_code()), (RunStatus::Failed, 7));
    assert!(result.event_log_error.unwrap().contains("no such table"));
    assert!(!commands.project.directory.path().join("b").exists());
}

#[test]
fn the_failure_of_a_step_is_told_also_where_it_cannot_be_recorded() {
    let commands = Commands::new(
        r#"
        assets.a = { command = ["sh", "-c", "exit 3"], type = "none" }
        assets.b = { command = ["touch", "b"], type = "none", deps = ["a"] }
        "#,
    );
    let result = commands.run_with(&RunOptions::default(), &|event| {
        if event.body == (EventBody::StepStart {}) {
            let log = rusqlite::Connection::open(commands.project.home().events()).unwrap();
            log.execute_batch("DROP TABLE materializations; DROP TABLE events").unwrap();
        }
    });
    assert_eq!(statuses(&result), ["a failed", "b skipped for a"]);
    assert_eq!(result.steps[0].failure.as_ref().unwrap().class, FailureClass::Error);
    assert_eq!(result.exit_code(), 7);
}

#[test]
fn nothing_of_a_run_is_left_in_the_scratch_directory() {
    let commands =
        Commands::new(r#"assets.a = { command = ["sh", "-c", "echo x > $AIRLOCK_METADATA.other"], type = "none" }"#);
    commands.run();
    let left = fs::read_dir(commands.project.home().directory().join("scratch")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [".lock"]);
}

#[test]
fn runs_have_ids_that_sort_by_time() {
    let commands = Commands::new(r#"assets.a = { command = ["true"], type = "none" }"#);
    let ids: Vec<String> = (0..3).map(|_| commands.run().run_id).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    let reader = EventReader::open(&commands.project.home()).unwrap().unwrap();
    let runs = reader.runs(&RunFilter { limit: 10, before: None }).unwrap();
    assert_eq!(runs.iter().rev().map(|run| run.run_id.clone()).collect::<Vec<_>>(), ids);
}

#[test]
fn an_asset_without_a_value_cannot_be_loaded() {
    let commands = Commands::new(r#"assets.weather = { command = ["true"], type = "none" }"#);
    let asset = commands.runner.definitions.asset("weather").unwrap();
    let refused =
        commands.runner.load_asset(asset, None, &PartitionSets::default(), &RunOptions::default()).unwrap_err();
    assert_eq!(refused.to_string(), "`weather` has no value: it is defined with `type = \"none\"`");
    assert_eq!(refused.exit_code(), 2);
}
