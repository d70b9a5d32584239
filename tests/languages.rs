//! One I/O manager in six languages, from end to end: it does the same in each, so that a value that one stored is
//! loaded by another. `make guests-all` builds them; those that are not built are listed, and with
//! `AIRLOCK_LANGUAGES=all` in the environment a failure.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[path = "support/languages.rs"]
mod languages;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;
#[expect(dead_code, reason = "each test file uses its part of it")]
mod support;

use std::fmt::Write as _;

use airlock_sandbox::report::{Failure, GuestError, Report};
use airlock_sandbox::value::Part;
use languages::LANGUAGES;
use project::{Project, guest};
use serde_json::{Value, json};
use support::{Lab, days, part};

/// The languages whose I/O managers are built here.
fn built() -> Vec<&'static str> {
    LANGUAGES.into_iter().filter(|language| languages::built(language).is_some()).collect()
}

fn component(name: &str) -> String {
    guest(&format!("languages/{name}"))
}

/// An I/O manager for each language that is built, named like it, all with the same files.
fn managers() -> String {
    let mut definitions = String::new();
    for language in built() {
        write!(
            definitions,
            "[io.{language}]\ncomponent = '{}'\nmounts.'/data' = {{ path = 'data', access = 'write' }}\n\n",
            component(language)
        )
        .unwrap();
    }
    definitions
}

/// Text of so many bytes in which no two places are alike.
fn text(size: usize) -> String {
    let mut text = String::with_capacity(size + 16);
    for number in 0.. {
        if text.len() >= size {
            break;
        }
        writeln!(text, "{number}").unwrap();
    }
    text.truncate(size);
    text
}

#[test]
fn every_language_stores_and_loads_values_of_any_size() {
    for language in built() {
        let project = Project::of(&format!(
            "{}[assets.value]\ntype = 'text'\nio = '{language}'\ncommand = ['sh', '-c', 'cat given > \"$AIRLOCK_OUTPUT\"']\n",
            managers()
        ));
        // The last ones replace longer ones.
        for size in [1 << 10, (1 << 20) + 1, 5 << 20, 3, 0] {
            let given = text(size);
            project.put("given", &given);
            project.run(&["run", "value"]).ok();
            assert!(project.load("value") == given, "{language} gives another value of {size} bytes");
            let file = std::fs::read_to_string(project.path("data/value.bin")).unwrap();
            assert!(file == given, "{language} keeps something else of {size} bytes");
            let stored = project.event("HANDLED_OUTPUT");
            let expected = json!({ "size": size, "media_type": "text/plain", "path": ["path", "/data/value.bin"] });
            assert_eq!(facts(&stored), expected, "{language}: {stored}");
        }
    }
}

/// What an event says that the manager recorded, as one object.
fn facts(event: &Value) -> Value {
    let entries = event["metadata"].as_array().unwrap().iter();
    entries.map(|entry| (entry["label"].as_str().unwrap().to_owned(), entry["value"]["value"].clone())).collect()
}

/// Three partitions that a step stores in one call, one of a key that is too long for a small string, and what reads all of them.
fn partitioned(language: &str) -> Project {
    let project = Project::of(&format!(
        r#"{}
[partitions.regions]
static = ["eu", "us", "beyond the north pole"]

[assets.part]
type = "text"
io = "{language}"
partitions = "regions"
partitions_per_step = "all"
command = ["python3", "store.py"]

[assets.whole]
type = "text"
io = "{language}"
inputs = ["part"]
command = ["python3", "join.py"]

[assets.some]
type = "text"
io = "{language}"
inputs.part = {{ asset = "part", allow_missing = true }}
command = ["python3", "join.py"]
"#,
        managers()
    ));
    project.put(
        "store.py",
        "import airlock\nfor key in airlock.partitions():\n    airlock.store_text(key * 100000, partition=key)\n",
    );
    project.put(
        "join.py",
        "import airlock\nparts = airlock.input_partitions('part')\n\
         airlock.store_text(';'.join(f'{key}={path.read_text() == key * 100000}' for key, path in parts.items()))\n",
    );
    project
}

#[test]
fn no_case_of_the_conformance_kit_fails_in_any_language() {
    let project = Project::of("");
    for language in built() {
        let report = project.run(&["test", &component(language), "--format", "json"]).json();
        assert_eq!(report["test"]["counts"]["failed"], 0, "{language}: {report:#}");
        // What all of them claim: the same cases.
        assert!(report["test"]["counts"]["passed"].as_u64().unwrap() >= 36, "{language}: {report:#}");
    }
}

#[test]
fn every_language_stores_partitions_in_one_call_and_names_those_that_are_missing() {
    for language in built() {
        let project = partitioned(language);
        project.run(&["run", "part", "-p", "all"]).ok();
        assert_eq!(project.events("HANDLED_OUTPUT").len(), 1, "{language}");
        project.run(&["run", "whole"]).ok();
        assert_eq!(project.load("whole"), "eu=True;us=True;beyond the north pole=True", "{language}");

        for key in ["us", "beyond%20the%20north%20pole"] {
            std::fs::remove_file(project.path(&format!("data/part/regions={key}.bin"))).unwrap();
        }
        project.run(&["run", "whole"]).fails(1, "…cannot load `part[us]`…has no stored value\n…");
        project.run(&["run", "some"]).ok();
        assert_eq!(project.load("some"), "eu=True", "{language}");
    }
}

#[test]
fn every_language_loads_what_every_other_stored() {
    let languages = built();
    let mut definitions = managers();
    for from in &languages {
        write!(
            definitions,
            "[assets.by_{from}]\ntype = 'text'\nio = '{from}'\ncommand = ['sh', '-c', 'cat given > \"$AIRLOCK_OUTPUT\"']\n\n"
        )
        .unwrap();
        for to in &languages {
            write!(
                definitions,
                "[assets.{to}_of_{from}]\ntype = 'text'\nio = '{to}'\ninputs.value = {{ asset = 'by_{from}', io = '{to}', media_type = 'text/plain' }}\n\
                 command = ['sh', '-c', 'cat \"$AIRLOCK_INPUT_VALUE\" > \"$AIRLOCK_OUTPUT\"']\n\n"
            )
            .unwrap();
        }
    }
    let project = Project::of(&definitions);
    let given = text(100_000);
    project.put("given", &given);
    project.run(&["run"]).ok();
    assert_eq!(project.events("LOADED_INPUT").len(), languages.len() * languages.len());
    for from in &languages {
        for to in &languages {
            assert!(project.load(&format!("{to}_of_{from}")) == given, "what {from} stored, {to} loads otherwise");
        }
    }
}

#[test]
fn every_language_says_with_the_same_codes_what_went_wrong() {
    for language in built() {
        let project = Project::of("");
        std::fs::create_dir(project.path("data")).unwrap();
        let component = component(language);
        let call = |function: &str, more: &[&str]| {
            let arguments = ["call", &component, function, "--asset", "value", "--format", "jsonl"];
            let ran = project.run_with_input(&[&arguments[..], more].concat(), text(100_000).as_bytes());
            // Beside a value that is loaded, it is on standard error.
            let mut lines = ran.stdout.lines().chain(ran.stderr.lines());
            let line = lines.find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{language}: {ran:#?}"));
            serde_json::from_str::<Value>(line).unwrap()
        };
        let denied = call("handle-output", &["--mount", "data::/data"]);
        assert_eq!(code(&denied), "access-denied", "{language}: {denied}");
        let denied = call("load-input", &["--mount", "data::/elsewhere"]);
        assert_eq!(code(&denied), "access-denied", "{language}: {denied}");
        let absent = call("load-input", &["--mount", "data::/data"]);
        assert_eq!(code(&absent), "not-found", "{language}: {absent}");
        std::fs::create_dir(project.path("data/value.bin")).unwrap();
        let other = call("load-input", &["--mount", "data::/data"]);
        // Where the host moves the bytes, it says so in a word of its own.
        let expected = if ["python", "javascript"].contains(&language) { "storage" } else { "io" };
        assert_eq!(code(&other), expected, "{language}: {other}");
        std::fs::remove_dir(project.path("data/value.bin")).unwrap();
    }
}

/// The code of the error that a guest returned, wherever it stands in what was printed.
fn code(printed: &Value) -> &str {
    let found = match printed {
        Value::Object(entries) => match entries.get("code") {
            Some(Value::String(code)) => return code,
            _ => entries.values().map(code).find(|code| !code.is_empty()),
        },
        Value::Array(items) => items.iter().map(code).find(|code| !code.is_empty()),
        _ => None,
    };
    found.unwrap_or_default()
}

#[test]
fn every_language_refuses_what_it_does_not_store_and_names_all_that_is_missing() {
    for language in built() {
        let mut lab = Lab::new(&format!("languages/{language}"));
        lab.partitions = days(&["1", "2", "3", "4"]);
        assert_eq!(error(lab.store("all")).code, "unsupported-type", "{language}");
        let other = Part { media_type: "text/csv".to_owned(), ..part(Some("2"), "b") };
        assert_eq!(error(lab.store_parts(vec![part(Some("1"), "a"), other])).code, "unsupported-type", "{language}");
        lab.store_parts(vec![part(Some("2"), "b"), part(Some("4"), "")]).outcome.unwrap();
        assert_eq!(lab.files("data"), ["sales/orders/days=2.bin", "sales/orders/days=4.bin"], "{language}");
        let missing = error(lab.load());
        assert_eq!(
            (missing.code.as_str(), missing.partitions),
            ("not-found", vec!["1".into(), "3".into()]),
            "{language}"
        );
    }
}

/// The error that a guest returned.
fn error<T: std::fmt::Debug>(report: Report<T>) -> GuestError {
    match report.outcome {
        Err(Failure::Guest { error }) => error,
        other => panic!("no error of the guest, but {other:?}"),
    }
}

#[test]
fn the_parser_of_records_passes_its_own_tests() {
    let mut python = std::process::Command::new("python3");
    python.args(["-m", "unittest"]).env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = python.current_dir(project::repository().join("guests/languages/python-sqlite")).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && !said.contains("Ran 0 tests"), "{said}");
}

#[test]
fn records_lie_in_databases_that_inputs_query() {
    let Some(manager) = languages::built("python-sqlite") else { return };
    let project = Project::of(&format!(
        r#"
[defaults]
io = "records"

[io.records]
component = "{manager}"
mounts."/data" = {{ path = "data", access = "write" }}

[assets.orders]
type = "json"
command = ["python3", "orders.py"]

[assets.totals]
type = "json"
inputs.orders = {{ asset = "orders", config = {{ query = "select region, sum(price) as total from records group by region order by region" }} }}
command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_ORDERS" > "$AIRLOCK_OUTPUT"']

[assets.odd]
type = "json"
command = ["sh", "-c", 'echo "[{{\"n\": 9223372036854775808}}, {{\"n\": \"9223372036854775808\"}}, {{}}]" > "$AIRLOCK_OUTPUT"']

[assets.bare]
type = "json"
command = ["sh", "-c", 'echo "[{{}}, {{}}]" > "$AIRLOCK_OUTPUT"']

[assets.unnamed]
type = "json"
command = ["sh", "-c", 'echo "[{{\"\": 1, \"a\": 2}}]" > "$AIRLOCK_OUTPUT"']
"#
    ));
    project.put(
        "orders.py",
        "import airlock\nairlock.store_json([{'region': ['eu', 'us'][n % 2], 'price': n, 'paid': n > 1, 'tags': ['a', n],\n\
         'note': None if n else 'ü'} for n in range(30000)])\n",
    );
    project.run(&["run", "orders", "totals"]).ok();
    let database = std::fs::read(project.path("data/orders.sqlite")).unwrap();
    assert!(database.starts_with(b"SQLite format 3\0"));
    let orders: Value = serde_json::from_str(&project.load("orders")).unwrap();
    assert_eq!(orders.as_array().unwrap().len(), 30000);
    assert_eq!(orders[0], json!({ "region": "eu", "price": 0, "paid": false, "tags": ["a", 0], "note": "ü" }));
    assert_eq!(
        orders[29999],
        json!({ "region": "us", "price": 29999, "paid": true, "tags": ["a", 29999], "note": null })
    );
    project.run(&["run", "odd"]).ok();
    // Numbers that no column of numbers holds, and records without a key.
    let odd = json!([{ "n": 9_223_372_036_854_775_808_u64 }, { "n": "9223372036854775808" }, { "n": null }]);
    assert_eq!(serde_json::from_str::<Value>(&project.load("odd")).unwrap(), odd);
    project.run(&["run", "bare"]).ok();
    assert_eq!(project.load("bare"), "[{},{}]");
    project.run(&["run", "unnamed"]).fails(1, "…a key without a character is no name of a column…");
    let totals: Value = serde_json::from_str(&project.load("totals")).unwrap();
    assert_eq!(totals, json!([{ "region": "eu", "total": 224_985_000 }, { "region": "us", "total": 225_000_000 }]));
}
