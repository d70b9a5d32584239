//! One op in six languages, from end to end: it computes the same in each. `make guests-all` builds them; those that are not
//! built are listed, and with `AIRLOCK_LANGUAGES=all` in the environment a failure.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/languages.rs"]
mod languages;
#[path = "support/pattern.rs"]
#[expect(clippy::string_slice, reason = "a test fails by panicking")]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;
#[expect(dead_code, reason = "each test file uses its part of it")]
mod support;

use std::fmt::Write as _;
use std::sync::Arc;

use airlock_sandbox::context::{MetadataEntry, MetadataValue};
use airlock_sandbox::report::{Computed, Failure, GuestError, Report};
use airlock_sandbox::value::{Budget, Content, Input, LoadParts, NotLoaded, Part, Value};
use languages::LANGUAGES;
use project::Project;
use support::Lab;

/// The languages whose ops are built here.
fn built() -> Vec<&'static str> {
    LANGUAGES.into_iter().filter(|language| languages::built(&name(language)).is_some()).collect()
}

fn name(language: &str) -> String {
    format!("{language}-op")
}

fn op(language: &str) -> Lab {
    Lab::without_mounts(&format!("languages/{}", name(language)))
}

fn content(bytes: &[u8]) -> Content {
    Content::from_bytes(bytes, &Budget::new(u64::MAX, std::env::temp_dir())).unwrap()
}

/// An input of these texts, each with a key.
fn texts(parts: &[&[u8]]) -> Input {
    let part = |(number, bytes): (usize, &&[u8])| Part {
        key: Some(number.to_string()),
        media_type: "text/plain".to_owned(),
        content: content(bytes),
    };
    Input::Loaded(Value { parts: parts.iter().enumerate().map(part).collect() })
}

/// What an op has to give.
fn numbered(parts: &[&[u8]]) -> Vec<u8> {
    let lines = parts.iter().flat_map(|part| part.split_inclusive(|byte| *byte == b'\n'));
    let mut given = Vec::new();
    for (line, number) in lines.zip(1..) {
        given.extend_from_slice(format!("{number}\t").as_bytes());
        given.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        given.push(b'\n');
    }
    given
}

fn given(computed: &Computed) -> Vec<u8> {
    let [output] = computed.outputs.as_slice() else { panic!("{} outputs", computed.outputs.len()) };
    let [part] = output.value.parts.as_slice() else { panic!("{} parts", output.value.parts.len()) };
    assert_eq!((part.key.as_deref(), part.media_type.as_str()), (None, "text/plain"));
    part.content.to_vec().unwrap()
}

fn refused(report: Report<Computed>) -> GuestError {
    match report.outcome {
        Err(Failure::Guest { error }) => error,
        other => panic!("no error of the guest, but {other:?}"),
    }
}

#[test]
fn every_language_numbers_the_lines_of_all_parts() {
    let long = vec![b'x'; (3 << 20) + 7];
    // The line break is the last byte of a chunk, the first of the next, and all there is of one.
    let mut at_the_edge = vec![b'y'; (1 << 20) - 1];
    at_the_edge.extend_from_slice(b"\nz");
    let mut after_the_edge = vec![b'y'; 1 << 20];
    after_the_edge.push(b'\n');
    let breaks = vec![b'\n'; (1 << 20) + 1];
    let cases: [&[&[u8]]; 10] = [
        &[],
        &[b""],
        &[b"\n"],
        &[b"a\nb", b"", b"c\n", b"d"],
        &[b"a\r\nb\r\rc\0\x0b\x0c"],
        &[b"no UTF-8: \xff\xfe\n\xc3", "\u{2028}ü\u{85}\n".as_bytes()],
        &[&long, b"\n"],
        &[&at_the_edge],
        &[&after_the_edge],
        &[&breaks],
    ];
    for language in built() {
        let lab = op(language);
        for (number, parts) in cases.iter().enumerate() {
            let computed = lab.run(vec![("lines", texts(parts))], &["result"]).outcome.unwrap();
            let expected = numbered(parts);
            assert!(given(&computed) == expected, "{language} gives another text in case {number}");
            let lines = i64::try_from(expected.split(|byte| *byte == b'\n').count() - 1).unwrap();
            let recorded = MetadataEntry { label: "lines".to_owned(), value: MetadataValue::Int(lines) };
            assert_eq!(computed.outputs[0].metadata, [recorded], "{language}");
        }
    }
}

#[test]
fn every_language_counts_on_through_its_inputs() {
    for language in built() {
        let inputs = vec![("b", texts(&[b"one\ntwo"])), ("none", texts(&[])), ("a", texts(&[b"three"]))];
        let computed = op(language).run(inputs, &["result"]).outcome.unwrap();
        assert_eq!(given(&computed), b"1\tone\n2\ttwo\n3\tthree\n", "{language}");
        let computed = op(language).run(Vec::new(), &["result"]).outcome.unwrap();
        assert_eq!(given(&computed), b"", "{language}");
    }
}

#[test]
fn languages_whose_tools_stream_hold_little_of_a_value_in_memory() {
    let text: Vec<u8> = (0..4_000_000).flat_map(|number: u32| format!("{number}\n").into_bytes()).collect();
    let expected = numbered(&[&text]);
    for language in built() {
        if ["python", "javascript"].contains(&language) {
            continue;
        }
        let lab = op(language).limits(|limits| limits.memory = 28 << 20);
        let computed = lab.run(vec![("lines", texts(&[&text]))], &["result"]).outcome;
        let computed = computed.unwrap_or_else(|failure| panic!("{language}: {failure}"));
        assert!(given(&computed) == expected, "{language} gives another text");
    }
}

/// A first part, and no second one.
#[derive(Debug)]
struct EndsEarly;

impl LoadParts for EndsEarly {
    fn load(&self, place: usize, _: &dyn Fn() -> bool) -> Result<Option<Part>, NotLoaded> {
        match place {
            0 => Ok(Some(Part { key: Some("a".into()), media_type: "text/plain".into(), content: content(b"a\n") })),
            _ => Err(NotLoaded("it is not there".to_owned())),
        }
    }
}

#[test]
fn every_language_says_with_the_same_codes_what_went_wrong() {
    // Errors have no end where a buffer has one.
    let long = "ü".repeat(600);
    for language in built() {
        let table = Part { key: None, media_type: "application/json".to_owned(), content: content(b"[]") };
        let table = || Input::Loaded(Value { parts: vec![table.clone()] });
        for name in ["lines", &long] {
            let error = refused(op(language).run(vec![("text", texts(&[b"a"])), (name, table())], &["result"]));
            let expected = format!("the input `{name}` is of the type application/json, and not text/plain");
            assert_eq!((error.code.as_str(), error.message), ("unsupported-type", expected), "{language}");
        }
        let error = refused(op(language).run(vec![("lines", Input::Lazy(Arc::new(EndsEarly)))], &["result"]));
        assert_eq!(error.code, "not-loaded", "{language}");
        let error = refused(op(language).run(Vec::new(), &["other"]));
        assert_eq!(error.code, "unknown-output", "{language}");
    }
}

#[test]
fn no_case_of_the_conformance_kit_fails_in_any_language() {
    let project = Project::of("");
    for language in built() {
        let component = languages::built(&name(language)).unwrap();
        let report = project.run(&["test", &component, "--format", "json"]).json();
        assert_eq!(report["test"]["counts"]["failed"], 0, "{language}: {report:#}");
        let cases = report["test"]["cases"].as_array().unwrap();
        for name in ["op-errors", "op-unknown-type", "op-cut-off", "errors", "denials"] {
            let case = cases.iter().find(|case| case["name"] == name).unwrap();
            assert_eq!(case["result"], "passed", "{language}: {report:#}");
        }
    }
}

#[test]
fn every_op_computes_from_what_an_io_manager_in_another_language_stored() {
    let ops = built();
    let managers: Vec<_> = LANGUAGES.into_iter().filter(|language| languages::built(language).is_some()).collect();
    let mut definitions = "[partitions.regions]\nstatic = [\"eu\", \"us\"]\n".to_owned();
    for language in &managers {
        let component = languages::built(language).unwrap();
        writeln!(
            definitions,
            "[io.{language}]\ncomponent = '{component}'\nmounts.'/data' = {{ path = 'data', access = 'write' }}\n\
             [assets.by_{language}]\ntype = 'text'\nio = '{language}'\npartitions = 'regions'\n\
             partitions_per_step = 'all'\ncommand = ['python3', 'store.py']"
        )
        .unwrap();
    }
    for (place, language) in ops.iter().enumerate() {
        // The next language stored its input, and the one after that stores what it gives.
        let manager = |after: usize| managers[(place + after) % managers.len()];
        writeln!(
            definitions,
            "[assets.numbered_{language}]\ntype = 'text'\nio = '{}'\ninputs = ['by_{}']\ncomponent = '{}'",
            manager(2),
            manager(1),
            languages::built(&name(language)).unwrap()
        )
        .unwrap();
    }
    let project = Project::of(&definitions);
    project.put(
        "store.py",
        "import airlock\nfor key in airlock.partitions():\n    airlock.store_text(f'good day\\n{key}', partition=key)\n",
    );
    let named = |prefix: &str, languages: &[&str]| -> Vec<String> {
        languages.iter().map(|language| format!("{prefix}{language}")).collect()
    };
    let (given, numbered) = (named("by_", &managers), named("numbered_", &ops));
    let run = |assets: &[String], more: &[&str]| {
        let assets: Vec<&str> = assets.iter().map(String::as_str).collect();
        project.run(&[&["run"], assets.as_slice(), more].concat()).ok();
    };
    run(&given, &["--partition", "all"]);
    run(&numbered, &[]);
    for language in &ops {
        let expected = "1\tgood day\n2\teu\n3\tgood day\n4\tus\n";
        assert_eq!(project.load(&format!("numbered_{language}")), expected, "{language}");
    }
}
