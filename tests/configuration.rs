//! Configurations are checked against what the components say in their manifests that they take, before anything runs.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, guest};

/// Definitions whose only step would leave the file `begun`.
fn definitions(manager: &str, asset: &str) -> String {
    format!(
        "[io.lake]\n{manager}\nmounts.\"/data\" = {{ path = \"data\", access = \"write\" }}\n\
         [assets.a]\ntype = \"text\"\nio = \"lake\"\ncommand = [\"sh\", \"-c\", 'echo x | tee begun > $AIRLOCK_OUTPUT']\n{asset}"
    )
}

/// Checks that `run` begins nothing, and says what `check` says.
fn refused(definitions: &str, said: &str) {
    let project = Project::of(definitions);
    project.run(&["check"]).fails(2, &format!("{said}\nerror: 1 mistake in the definitions: airlock.toml"));
    let end = "error: nothing was begun: 1 mistake in the definitions or the environment";
    project.run(&["run"]).fails(2, &format!("{said}\n{end}"));
    assert!(!project.path("begun").exists() && !project.path("data").exists());
    assert_eq!(project.run(&["runs", "--format", "jsonl"]).ok(), "");
}

#[test]
fn what_a_manager_does_not_take_is_refused_before_anything_is_begun() {
    refused(
        &definitions("component = \"builtin:files\"\nconfig = { extention = \"md\" }", ""),
        "
error: the configuration of the I/O manager `lake`: `/extention` is not a key that is taken
 --> airlock.toml:3:12
  |
3 | config = { extention = \"md\" }
  |            ^^^^^^^^^
  = help: did you mean `extension`?
",
    );
    refused(
        &definitions("component = \"builtin:files\"\nconfig.extension = 3", ""),
        "
error: the configuration of the I/O manager `lake`: `/extension` is a text, and this is an integer
 --> airlock.toml:3:8
  |
3 | config.extension = 3
  |        ^^^^^^^^^
",
    );
}

#[test]
fn a_format_that_does_not_have_the_compression_is_refused() {
    let tables = "component = \"builtin:tables\"\nconfig = { format = \"csv\", compression = \"lz4\" }";
    refused(
        &definitions(tables, "").replace("\"text\"", "\"table\""),
        "
error: the configuration of the I/O manager `lake`: it has none of the forms that it may have: `parquet` with `snappy`, `lz4` or `none`; `arrow` with `lz4` or `none`; `csv` or `jsonl` with `none`
 --> airlock.toml:3:1
…
",
    );
}

#[test]
fn an_output_and_an_input_are_configured_only_where_the_manager_takes_that() {
    refused(
        &definitions("component = \"builtin:files\"", "config = { level = 1 }\n"),
        "
error: the configuration of the output of the asset `a`: `/level` is not a key that is taken
 --> airlock.toml:8:12
  |
8 | config = { level = 1 }
  |            ^^^^^
  = help: there is `path`
",
    );
    let input = "[assets.b]\ntype = \"none\"\ncommand = [\"true\"]\ninputs.a = { asset = \"a\", config = \"x\" }\n";
    refused(
        &definitions("component = \"builtin:files\"", input),
        "
error: the configuration of the input `a` of the asset `b`: the I/O manager `lake` takes none of an input
  --> airlock.toml:11:27
…
",
    );
    let programs =
        format!("component = {:?}\nconfig = {{ program = \"tells_its_configuration\" }}", guest("test-programs"));
    refused(
        &definitions(&programs, "config = { off = \"the output\" }\n"),
        "
error: the configuration of the output of the asset `a`: `/off` is not a key that is taken
…
  = help: did you mean `of`?
",
    );
}

#[test]
fn a_step_of_a_job_is_configured_as_its_managers_and_its_component_take_it() {
    let job = |step: &str| {
        let ops = guest("test-ops");
        let first = "[jobs.j.steps.first]\ntype = \"text\"\nio = \"lake\"\ncommand = [\"true\"]\n";
        definitions("component = \"builtin:files\"", &format!("{first}{step}").replace("TEST_OPS", &ops))
    };
    for (step, said) in [
        (
            "config = { level = 1 }\n",
            "the output `result` of the step `first` of the job `j`: `/level` is not a key that is taken",
        ),
        (
            "[jobs.j.steps.next]\ntype = \"none\"\ncommand = [\"true\"]\ninputs.i = { from = \"first\", config = 1 }\n",
            "the input `i` of the step `next` of the job `j`: the I/O manager `lake` takes none of an input",
        ),
        (
            "[jobs.j.steps.next]\ntype = \"none\"\ncomponent = \"TEST_OPS\"\n",
            "the component of the step `next` of the job `j`: it lacks `op`",
        ),
    ] {
        let project = Project::of(&job(step));
        for arguments in [&["check"][..], &["run", "job:j"]] {
            let ran = project.run(arguments);
            assert_eq!(ran.code, Some(2), "{ran:#?}");
            assert!(ran.stderr.contains(said), "{step}: {}", ran.stderr);
        }
    }
}

#[test]
fn what_an_op_does_not_take_is_refused_before_anything_is_begun() {
    let op = format!("[assets.b]\ntype = \"text\"\nio = \"lake\"\ncomponent = {{ path = {:?} }}\n", guest("test-ops"));
    refused(
        &definitions("component = \"builtin:files\"", &op),
        "
error: the configuration of the component of the asset `b`: it lacks `op`
  --> airlock.toml:11:1
…
",
    );
}

#[test]
fn only_what_is_computed_and_loaded_needs_a_configuration_that_fits() {
    let other = "[io.other]\ncomponent = \"builtin:files\"\nconfig.extension = 3\n\
                 [assets.b]\ntype = \"text\"\nio = \"other\"\ncommand = [\"true\"]\n";
    let project = Project::of(&definitions("component = \"builtin:files\"", other));
    project.run(&["run", "a"]).ok();
    project.run(&["load", "a"]).ok();
    let refused = project.run(&["load", "b"]);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    assert!(refused.stderr.contains("`other`: `/extension` is a text, and this is an integer"), "{refused:#?}");
}

#[test]
fn a_secret_that_does_not_fit_is_told_of_and_not_shown() {
    let manager = "component = \"builtin:files\"\nconfig.extension = { \"$env\" = \"AIRLOCK_TEST_EXTENSION\" }";
    let project = Project::of(&definitions(manager, ""));
    let secret = "a-secret-that-is-no-extension-since-it-is-too-long";
    let setting = format!("export AIRLOCK_TEST_EXTENSION={secret}");
    // It is not looked up yet.
    project.run_after(&setting, &["check"]).ok();
    let ran = project.run_after(&setting, &["run"]);
    assert!(!ran.stderr.contains(secret) && !ran.stdout.contains(secret), "{ran:#?}");
    ran.fails(
        2,
        "
error: the configuration of the I/O manager `lake`: `/extension` has at most 32 characters, and this has more
 --> airlock.toml:3:8
  |
3 | config.extension = { \"$env\" = \"AIRLOCK_TEST_EXTENSION\" }
  |        ^^^^^^^^^
  = help: it is what the environment variable AIRLOCK_TEST_EXTENSION has

error: nothing was begun: 1 mistake in the definitions or the environment",
    );
    project.run_after("export AIRLOCK_TEST_EXTENSION=md", &["run"]).ok();
}

#[test]
fn mistakes_in_configurations_are_in_the_document_of_check() {
    let project = Project::of(&definitions("component = \"builtin:files\"\nconfig.extension = true", ""));
    let ran = project.run(&["check", "--format", "json"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let mistake = &document["mistakes"][0];
    assert_eq!((&mistake["line"], &mistake["column"]), (&3.into(), &8.into()), "{document}");
    let message = "the configuration of the I/O manager `lake`: `/extension` is a text, and this is a boolean";
    assert_eq!(mistake["message"], message);
}

#[test]
fn a_component_without_a_manifest_is_not_checked() {
    let copy = format!("component = {{ path = {:?}, config = {{ any = 1 }} }}", guest("bench-copy"));
    let command = "command = [\"sh\", \"-c\", 'echo x | tee begun > $AIRLOCK_OUTPUT']";
    let project = Project::of(&definitions("component = \"builtin:files\"", "").replace(command, &copy));
    project.run(&["check"]).ok();
    project.run(&["run"]).ok();
}

#[test]
fn a_call_by_hand_is_checked_likewise() {
    let project = Project::of("");
    std::fs::create_dir(project.path("data")).unwrap();
    let call = |config: &str| {
        let arguments = ["call", "builtin:files", "handle-output", "--asset", "a", "--mount", "data::/data:write"];
        project.run_with_input(&[&arguments[..], &["--config", config]].concat(), b"x")
    };
    call(r#"{"extension": "md"}"#).ok();
    call(r#"{"extention": "md"}"#).fails(
        2,
        "
error: `--config` does not fit builtin:files: `/extention` is not a key that is taken
hint: did you mean `extension`?
hint: `airlock inspect builtin:files` shows what it may hold",
    );
    let snoop = guest("snoop");
    let ran = project.run(&["call", &snoop, "handle-output", "--asset", "a", "--config", r#"{"a": 1}"#]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("it takes none") && ran.stderr.contains("leave `--config` out"), "{ran:#?}");
}

/// A component with a manifest whose schema is `words`.
fn with_schema(project: &Project, words: &str) {
    let manifest = format!(r#"{{ "name": "x", "config": {words} }}"#).replace('"', "\\\"");
    let text = format!(
        r#"(component (@custom "airlock:manifest" "{manifest}")
            (instance $i) (export "airlock:io/output@0.1.0" (instance $i)) (export "airlock:io/input@0.1.0" (instance $i)))"#
    );
    std::fs::write(project.path("x.wasm"), wat::parse_str(text).unwrap()).unwrap();
}

#[test]
fn a_schema_that_would_cost_what_its_author_likes_is_refused_whoever_reads_it() {
    let project = Project::of(&definitions("component = \"x.wasm\"\nconfig.a = \"x\"", ""));
    for (words, told) in [
        (r#"{ "pattern": "((a{1000}){1000}){1000}" }"#.to_owned(), "unknown field `pattern`, expected one of "),
        (r##"{ "$ref": "#" }"##.to_owned(), "unknown field `$ref`, expected one of "),
        (r#"{ "$ref": "https://example.org/x.json" }"#.to_owned(), "unknown field `$ref`, expected one of "),
        (format!("{}true{}", r#"{"items":"#.repeat(5000), "}".repeat(5000)), "recursion limit exceeded"),
        (format!(r#"{{ "title": "{}" }}"#, "x".repeat(300 << 10)), "bytes of manifest; 262144 are allowed"),
    ] {
        with_schema(&project, &words);
        for arguments in
            [&["check"][..], &["run"], &["inspect", "x.wasm"], &["call", "x.wasm", "load-input", "--asset", "a"]]
        {
            let ran = project.run(arguments);
            assert_eq!(ran.code, Some(6), "{arguments:?} {ran:#?}");
            let said = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(said.contains(told), "{arguments:?} {ran:#?}");
        }
    }
}

#[test]
fn a_schema_as_large_as_a_manifest_may_be_is_checked_at_once() {
    let project = Project::of(&definitions("component = \"x.wasm\"\nconfig = { a = \"x\" }", ""));
    // Forms within forms, each of which is tried.
    let mut words = r#"{"type":"null"}"#.to_owned();
    for _ in 0..50 {
        words = format!(r#"{{"anyOf":[{{"type":"string"}},{words}]}}"#);
    }
    let many = vec![words.as_str(); 100].join(",");
    with_schema(&project, &format!(r#"{{ "properties": {{ "a": {{ "type": "string", "oneOf": [{many}] }} }} }}"#));
    project.run(&["check"]).fails(2, "\nerror: … it may have only one\n…");
}
