//! What `--skip-unchanged` passes over, and what it does not.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, guest};

/// A word that is read from a file, its length, and a report; and how often each was computed.
const LENGTH: &str = r#"
[assets.word]
type = "text"
command = ["sh", "-c", 'echo word >> computed; cat word > "$AIRLOCK_OUTPUT"']

[assets.length]
type = "json"
inputs = ["word"]
command = ["sh", "-c", 'echo length >> computed; wc -c < "$AIRLOCK_INPUT_WORD" > "$AIRLOCK_OUTPUT"']

[assets.report]
type = "text"
inputs = ["length"]
command = ["sh", "-c", 'echo report >> computed; cat "$AIRLOCK_INPUT_LENGTH" > "$AIRLOCK_OUTPUT"']
"#;

/// What a run with `--skip-unchanged` and `arguments` computes.
fn computed(project: &Project, arguments: &[&str]) -> String {
    std::fs::write(project.path("computed"), "").unwrap();
    project.run(&[&["run", "--skip-unchanged"], arguments].concat()).ok();
    std::fs::read_to_string(project.path("computed")).unwrap().replace('\n', " ")
}

#[test]
fn a_step_is_passed_over_whose_code_and_inputs_are_unchanged() {
    let project = Project::new(LENGTH);
    project.put("word", "four");
    assert_eq!(computed(&project, &[]), "word length report ");
    assert_eq!(computed(&project, &[]), "");
    let ran = project.run(&["run", "--skip-unchanged"]).ok();
    assert!(ran.contains("✓ word    unchanged") && ran.contains("3 unchanged in"), "{ran}");

    // Another word of the same length is another input of the length, but no other length.
    project.put("word", "five");
    project.run(&["run", "word"]).ok();
    assert_eq!(computed(&project, &[]), "length ");
    // What is not stored is computed, and what is the same again is no other input.
    std::fs::remove_file(project.path("data/word.txt")).unwrap();
    assert_eq!(computed(&project, &[]), "word ");
    // Another command is other code.
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project.put("airlock.toml", &definitions.replace("wc -c <", "wc -m <"));
    assert_eq!(computed(&project, &[]), "length ");
    // So is another configuration of what stores it.
    project.put("airlock.toml", &definitions.replace("[io.lake]", "[io.lake]\nconfig = { extension = \"md\" }"));
    assert_eq!(computed(&project, &["word"]), "word ");
    // Without the option everything is computed.
    std::fs::write(project.path("computed"), "").unwrap();
    project.run(&["run"]).ok();
    assert_eq!(std::fs::read_to_string(project.path("computed")).unwrap(), "word\nlength\nreport\n");
}

#[test]
fn what_is_made_elsewhere_or_waited_for_has_no_version_to_compare() {
    let project = Project::new(
        r#"
[assets.orders]
type = "text"
external = true

[assets.copy]
type = "text"
inputs = ["orders"]
command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_ORDERS" > "$AIRLOCK_OUTPUT"']

[assets.after]
type = "text"
deps = ["copy"]
command = ["sh", "-c", 'echo after > "$AIRLOCK_OUTPUT"']
"#,
    );
    project.put("data/orders.txt", "three orders");
    for _ in 0..2 {
        assert!(project.run(&["run", "--skip-unchanged"]).ok().contains("2 steps done"));
    }
}

#[test]
fn of_many_partitions_each_is_compared_and_one_more_or_less_is_a_change() {
    let numbers = |keys: &str| {
        format!(
            r#"
[partitions.numbers]
static = [{keys}]

[assets.number]
type = "text"
partitions = "numbers"
command = ["sh", "-c", 'echo "$AIRLOCK_PARTITION" >> computed; cat number > "$AIRLOCK_OUTPUT"']

[assets.all]
type = "text"
inputs = ["number"]
command = ["sh", "-c", 'echo all >> computed; cat "$AIRLOCK_INPUT_NUMBER"/* > "$AIRLOCK_OUTPUT"']
"#
        )
    };
    let project = Project::new(&numbers(r#""1", "2", "3""#));
    project.put("number", "x");
    let all: &[&str] = &["--partition", "all", "--jobs", "1"];
    assert_eq!(computed(&project, all), "1 2 3 all ");
    assert_eq!(computed(&project, all), "");
    project.put("number", "y");
    project.run(&["run", "number", "--partition", "2"]).ok();
    assert_eq!(computed(&project, all), "all ");
    for keys in [r#""1", "2""#, r#""1", "2", "3""#] {
        project.put("airlock.toml", &format!("{}{}", project::LAKE, numbers(keys)));
        assert_eq!(computed(&project, all), "all ", "{keys}");
    }
    assert!(project.run(&["run", "--skip-unchanged", "-p", "all"]).ok().contains("✓ number             3 unchanged"));
}

#[test]
fn an_op_that_asked_for_the_first_part_alone_is_compared_by_that() {
    let component = guest("test-ops");
    let definitions = |keys: &str| {
        format!(
            r#"
[partitions.letters]
static = [{keys}]

[assets.letter]
type = "text"
partitions = "letters"
command = ["sh", "-c", 'cat letter > "$AIRLOCK_OUTPUT"']

[assets.first]
type = "text"
component = {{ path = "{component}", config = {{ op = "first_part" }} }}
inputs.parts = "letter"
"#
        )
    };
    let project = Project::new(&definitions(r#""a", "b""#));
    project.put("letter", "x");
    project.run(&["run", "-p", "all"]).ok();
    let again = || project.run(&["run", "first", "--skip-unchanged"]).ok();
    assert!(again().contains("✓ first  unchanged"));
    project.put("letter", "y");
    project.run(&["run", "letter", "-p", "b"]).ok();
    assert!(again().contains("✓ first  unchanged"));
    project.run(&["run", "letter", "-p", "a"]).ok();
    assert!(again().contains("1 step done"));
}

/// Whether `copy`, which loads `source` as `input` says, is computed by a run with `--skip-unchanged`.
fn is_copied(project: &Project, source: &str, input: &str) -> bool {
    let definitions = format!(
        r#"{}
[io.archive]
component = "builtin:files"
mounts."/data" = {{ path = "archive", access = "write" }}

[partitions.letters]
static = ["a", "b"]

[assets.source]
{source}

[assets.copy]
type = "text"
inputs.value = {{ asset = "source"{input} }}
command = ["sh", "-c", 'echo copy >> computed; find "$AIRLOCK_INPUT_VALUE" -type f -exec cat {{}} + > "$AIRLOCK_OUTPUT"']
"#,
        project::LAKE
    );
    project.put("airlock.toml", &definitions);
    !computed(project, &["copy"]).is_empty()
}

#[test]
fn what_takes_the_place_of_a_computed_value_is_loaded_anew() {
    let project = Project::of("");
    let source = "type = \"text\"\ncommand = [\"sh\", \"-c\", \"echo one > $AIRLOCK_OUTPUT\"]";
    let external = "type = \"text\"\nexternal = true";
    project.put("data/source.txt", "by hand");
    project.put("archive/source.txt", "archived");
    assert!(is_copied(&project, source, "") && is_copied(&project, source, ""), "nothing is recorded of the source");
    project.run(&["run", "source"]).ok();
    assert!(is_copied(&project, source, "") && !is_copied(&project, source, ""));
    // Where something else makes it, or another manager loads it, there is no telling which version that is.
    for (source, input) in [(external, ""), (source, ", io = \"archive\"")] {
        assert!(is_copied(&project, source, input) && is_copied(&project, source, input), "{source} {input}");
    }
    assert_eq!(project.load("copy"), "archived");
    // Nor can that be told afterwards.
    assert!(is_copied(&project, source, "") && !is_copied(&project, source, ""));
    assert!(is_copied(&project, external, "") && is_copied(&project, source, ""));
    // It is loaded with other words, or as something else.
    for (source, input) in
        [(source, ", metadata = { of = \"it\" }"), (source, ""), (&source.replace("text", "bytes"), "")]
    {
        assert!(is_copied(&project, source, input) && !is_copied(&project, source, input), "{source} {input}");
    }
}

#[test]
fn partitions_that_come_and_go_beside_those_that_are_recorded_are_noticed() {
    let project = Project::of("");
    let source = "type = \"text\"\npartitions = \"letters\"\ncommand = [\"sh\", \"-c\", \"echo $AIRLOCK_PARTITION > $AIRLOCK_OUTPUT\"]";
    let allowed = ", allow_missing = true";
    assert!(is_copied(&project, source, allowed) && !is_copied(&project, source, allowed));
    project.run(&["run", "source", "--partition", "a"]).ok();
    assert!(is_copied(&project, source, allowed) && !is_copied(&project, source, allowed));
    // One that nobody recorded, one more that is recorded, and one that is gone.
    project.put("data/source/letters=b.txt", "by hand");
    assert!(is_copied(&project, source, allowed) && is_copied(&project, source, allowed));
    project.run(&["run", "source", "--partition", "b"]).ok();
    assert!(is_copied(&project, source, allowed) && !is_copied(&project, source, allowed));
    std::fs::remove_file(project.path("data/source/letters=a.txt")).unwrap();
    assert!(is_copied(&project, source, allowed));
    assert_eq!(project.load("copy"), "b\n");
    // Where none may be missing, that one is fails the run.
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project.put("airlock.toml", &definitions.replace(allowed, ""));
    project.run(&["run", "--skip-unchanged", "copy"]).fails(
        1,
        "
error: copy: cannot load `source[a]` with the I/O manager `lake`: it has no stored value
…",
    );
}

#[test]
fn what_has_no_value_is_done_for_what_it_does() {
    let project =
        Project::new("[assets.tick]\ntype = \"none\"\ncommand = [\"sh\", \"-c\", \"echo tick >> computed\"]\n");
    for _ in 0..2 {
        assert_eq!(computed(&project, &[]), "tick ");
    }
}

#[test]
fn what_is_kept_in_memory_is_missing_in_the_next_process() {
    for scope in ["output", "mount"] {
        let project = Project::of(&format!(
            r#"
[defaults]
io = "memory"

[io.memory]
component = "builtin:files"
mounts."/data" = {{ memory = true, access = "write", scope = "{scope}" }}

[assets.word]
type = "text"
command = ["sh", "-c", 'echo word >> computed; echo word > "$AIRLOCK_OUTPUT"']
"#
        ));
        assert_eq!((computed(&project, &[]), computed(&project, &[])), ("word ".to_owned(), "word ".to_owned()));
        assert!(project.run(&["run", "--missing"]).ok().contains("1 step done"), "{scope}");
    }
}
