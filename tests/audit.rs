//! The audit log, through the command.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use airlock_sandbox::component::ConfigSchema;
use project::{Project, guest};
use serde_json::{Value, json};

/// An asset that a test program stores, and an op that loads it.
fn project(program: &str, more: &str) -> Project {
    Project::of(&format!(
        r#"
[io.programs]
component = "{}"
config = {{ program = "{program}"{more} }}
environment = {{ TZ = "UTC" }}
mounts."/data" = {{ path = "data", access = "write" }}

[assets."sales/orders"]
io = "programs"
type = "bytes"
command = ["sh", "-c", 'printf 12345 > "$AIRLOCK_OUTPUT"']

[assets.loaded]
type = "none"
inputs = ["sales/orders"]
command = ["true"]
"#,
        guest("test-programs")
    ))
}

/// The lines of the log, each of which fits the published schema.
fn lines(project: &Project) -> Vec<Value> {
    let schema: ConfigSchema = serde_json::from_str(&project.run(&["schema", "--audit"]).ok()).unwrap();
    let text = std::fs::read_to_string(project.path("audit.jsonl")).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert_eq!(schema.check(line, &[]), [], "{line}");
    }
    lines
}

/// What a line says was used or tried, and by what rule.
fn said(line: &Value) -> String {
    let word = |key: &str| line[key].as_str().unwrap_or("-").to_owned();
    format!(
        "{} {} {} {} {}",
        word("function"),
        word("operation"),
        word("decision"),
        word("subject"),
        line["rule"]["rule"]
    )
}

#[test]
fn each_grant_that_is_used_has_a_line_that_says_by_whom_and_what_allowed_it() {
    let project = project("stores_by_std_fs", "");
    project.run(&["run", "--audit", "audit.jsonl"]).ok();
    let lines = lines(&project);
    let mut told: Vec<String> = lines.iter().map(said).collect();
    told.dedup();
    assert!(
        told.iter().any(|line| line == r#"handle-output write allowed /data/sales/orders.bin "mount""#),
        "{told:#?}"
    );
    assert!(told.iter().any(|line| line == r#"load-input read allowed /data/sales/orders.bin "mount""#), "{told:#?}");
    let stored = lines.iter().find(|line| line["operation"] == "write").unwrap();
    let run = project.run(&["runs", "--format", "json"]).json()["runs"][0]["run_id"].clone();
    assert_eq!((&stored["run"], stored["step"].as_str()), (&run, Some("sales/orders")));
    assert_eq!((&stored["guest"], &stored["result"]), (&json!("programs"), &json!("done")));
    assert!(stored["bytes"].as_u64() >= Some(5), "{stored}");
    assert_eq!(stored["rule"], json!({ "rule": "mount", "mount": "/data", "access": "write", "scope": "output" }));
    assert!(stored["digest"].as_str().unwrap().starts_with("sha256:"), "{stored}");
}

#[test]
fn each_denial_has_a_line_with_the_rule_that_refused_it() {
    let project = project("denied_other_output", r#", other = "sales/other.bin""#);
    let ran = project.run(&["run", "--audit", "audit.jsonl"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    let lines = lines(&project);
    let denied = lines.iter().find(|line| line["decision"] == "denied" && line["operation"] == "write").unwrap();
    assert_eq!((&denied["subject"], &denied["result"]), (&json!("/data/sales/other.bin"), &json!("denied")));
    assert_eq!(denied["rule"], json!({ "rule": "out-of-scope", "mount": "/data", "scope": "sales/orders" }));
}

#[test]
fn the_environment_that_a_component_asks_for_has_a_line_for_each_entry_and_no_value() {
    let project = project("empty_environment", r#", environment = { TZ = "UTC" }"#);
    project.run(&["run", "sales/orders", "--audit", "audit.jsonl"]).ok();
    let told: Vec<String> = lines(&project).iter().map(said).collect();
    assert_eq!(told, [r#"handle-output environment allowed TZ "environment""#]);
}

#[test]
fn what_is_not_told_one_by_one_is_counted() {
    let project = project("stores_many_files", ", piece = 1");
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project.put("airlock.toml", &definitions.replace("printf 12345", "printf %0300d 0"));
    project.run(&["run", "sales/orders", "--audit", "audit.jsonl"]).ok();
    let lines = lines(&project);
    let written: Vec<&Value> = lines.iter().filter(|line| line["operation"] == "write").collect();
    let more: Vec<u64> = written.iter().filter_map(|line| line["more"].as_u64()).collect();
    // 300 files and their directory.
    assert_eq!((written.len(), more.as_slice()), (257, &[45][..]));
}

#[test]
fn text_of_a_component_is_harmless_in_it() {
    let project = project("stores_awkward_names", "");
    project.run(&["run", "sales/orders", "--audit", "audit.jsonl"]).ok();
    let text = std::fs::read_to_string(project.path("audit.jsonl")).unwrap();
    assert!(!text.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')), "{text:?}");
    let subjects: Vec<Value> = lines(&project).iter().map(|line| line["subject"].clone()).collect();
    assert!(subjects.contains(&json!("/data/sales/orders.d/\\u{1b}[31mred")), "{subjects:#?}");
}

#[test]
fn lines_are_appended_by_every_command_that_calls_a_component() {
    let project = project("stores_by_std_fs", "");
    project.run(&["run", "sales/orders", "--audit", "audit.jsonl"]).ok();
    let first = lines(&project).len();
    project.run(&["load", "sales/orders", "--audit", "audit.jsonl"]).ok();
    let loaded = lines(&project);
    assert!(loaded.len() > first);
    assert_eq!((&loaded[first]["run"], &loaded[first]["function"]), (&Value::Null, &json!("load-input")));
    let arguments = ["call", "builtin:files", "handle-output", "--asset", "a", "--audit", "audit.jsonl"];
    let lent = [&arguments[..], &["--mount", "data::/data:write"]].concat();
    project.run_with_input(&lent, b"x").ok();
    let called = lines(&project);
    assert_eq!(called.last().unwrap()["guest"], "builtin:files");
}

#[test]
fn nothing_begins_where_the_log_cannot_be_written() {
    let project = project("stores_by_std_fs", "");
    std::fs::create_dir(project.path("folder")).unwrap();
    for (file, reason) in
        [("folder", "Is a directory"), ("none/audit.jsonl", "No such file"), ("/dev/full", "not a regular")]
    {
        let ran = project.run(&["run", "--audit", file]);
        assert_eq!(ran.code, Some(7), "{ran:#?}");
        assert!(
            ran.stderr.contains(&format!("cannot write the audit log {file}: ")) && ran.stderr.contains(reason),
            "{ran:#?}"
        );
    }
    assert!(!project.path("data").exists());
}

#[test]
fn a_run_ends_over_a_log_that_takes_no_more_and_nothing_is_tried_again() {
    let project = project("stores_by_std_fs", "");
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    let retry = "retry = { attempts = 3, delay = \"1ms\" }\nenvironment";
    project.put("airlock.toml", &definitions.replacen("environment", retry, 1));
    // Compiled before files may have so many bytes only.
    project.run(&["run", "sales/orders"]).ok();
    std::fs::write(project.path("audit.jsonl"), "\n".repeat((2 << 20) - 100)).unwrap();
    let ran = project.run_after("trap '' XFSZ; ulimit -f 4096", &["run", "--audit", "audit.jsonl"]);
    assert_eq!(ran.code, Some(7), "{ran:#?}");
    assert!(ran.stderr.contains("cannot write the audit log "), "{ran:#?}");
    // What there was room for of the lines is taken back, so that others can go on.
    assert_eq!(std::fs::metadata(project.path("audit.jsonl")).unwrap().len(), (2 << 20) - 100);
    assert_eq!(project.events("HANDLE_OUTPUT_RETRY"), Vec::<Value>::new());
    assert_eq!(project.events("STEP_START").len(), 1, "nothing is begun after it");
}

#[test]
fn a_component_is_not_lent_the_log_to_write() {
    let project = project("stores_by_std_fs", "");
    std::fs::create_dir(project.path("data")).unwrap();
    let ran = project.run(&["run", "--audit", "data/audit.jsonl"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(
        ran.stderr.contains("a directory that holds the audit log audit.jsonl cannot be lent to write"),
        "{ran:#?}"
    );
    let arguments = ["call", "builtin:files", "handle-output", "--asset", "a", "--audit", "data/audit.jsonl"];
    let ran = project.run_with_input(&[&arguments[..], &["--mount", "data::/data:write"]].concat(), b"x");
    assert_eq!(ran.code, Some(2), "{ran:#?}");
}
