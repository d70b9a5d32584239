//! I/O managers that load from another what they did not store themselves, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, join};

/// What is computed says where: in production, or on a branch.
const BRANCH: &str = r#"
[io.branch]
component = "builtin:files"
mounts."/data" = { path = "branch", access = "write" }
parent = "lake"

[profile.dev.defaults]
io = "branch"

[partitions.letters]
static = ["a", "b"]

[assets.letter]
type = "text"
partitions = "letters"
command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION of $WHERE;" > "$AIRLOCK_OUTPUT"']

[assets.one]
type = "text"
command = ["sh", "-c", 'printf "one of $WHERE;" > "$AIRLOCK_OUTPUT"']

[assets.all]
type = "text"
inputs = ["one", "letter"]
command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_ONE" "$AIRLOCK_INPUT_LETTER"/* > "$AIRLOCK_OUTPUT"']
"#;

fn run(project: &Project, place: &str, arguments: &[&str]) {
    let profile = if place == "prod" { &[][..] } else { &["--profile", "dev"] };
    let arguments = [&["run"], arguments, profile].concat();
    let ran = project.command(&arguments).env("WHERE", place).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

fn load(project: &Project, asset: &str) -> String {
    project.run(&["load", asset, "--profile", "dev"]).ok()
}

fn load_partition(project: &Project, asset: &str, key: &str) -> String {
    project.run(&["load", asset, "--profile", "dev", "--partition", key]).ok()
}

#[test]
fn what_a_branch_did_not_store_is_loaded_from_its_parent() {
    let project = Project::new(BRANCH);
    run(&project, "prod", &["--partition", "all"]);
    run(&project, "dev", &["all"]);
    assert_eq!(load(&project, "all"), "one of prod;a of prod;b of prod;");
    run(&project, "dev", &["one"]);
    run(&project, "dev", &["all"]);
    assert_eq!(load(&project, "all"), "one of dev;a of prod;b of prod;");
    // And the parent is as it was.
    assert_eq!(project.load("all"), "one of prod;a of prod;b of prod;");
    assert_eq!(project.load("one"), "one of prod;");
}

#[test]
fn partitions_come_from_a_branch_all_of_them_or_none() {
    let project = Project::new(BRANCH);
    run(&project, "prod", &["--partition", "all"]);
    run(&project, "dev", &["letter", "--partition", "b"]);
    run(&project, "dev", &["all"]);
    assert_eq!(load(&project, "all"), "one of prod;a of prod;b of prod;");
    run(&project, "dev", &["letter", "--partition", "a"]);
    run(&project, "dev", &["all"]);
    assert_eq!(load(&project, "all"), "one of prod;a of dev;b of dev;");
    let loaded = project.event("LOADED_INPUT");
    assert_eq!(loaded["manager"]["name"], "lake");
}

#[test]
fn what_loads_from_a_parent_is_not_passed_over_as_unchanged() {
    let project = Project::new(BRANCH);
    run(&project, "prod", &["--partition", "all"]);
    run(&project, "dev", &["all"]);
    let again = project.run(&["run", "all", "--skip-unchanged", "--profile", "dev"]).ok();
    assert!(again.contains("1 step done"), "{again}");
}

#[test]
fn a_manager_that_is_its_own_parent_is_a_mistake() {
    let definitions = BRANCH.replace("[profile", "[profile.dev.io.lake]\nparent = \"branch\"\n[profile");
    let ran = Project::new(&definitions).run(&["check", "--profile", "dev"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("the I/O manager `lake` is its own `parent`"), "{}", ran.stderr);
    let ran = Project::new(&BRANCH.replace("\"lake\"\n\n[profile", "\"lak\"\n\n[profile")).run(&["check"]);
    assert!(ran.stderr.contains("there is no I/O manager `lak`"), "{}", ran.stderr);
}

/// What is made of letters, in production and on a branch.
const LETTERS: &str = r#"
[io.branch]
component = "builtin:files"
mounts."/data" = { path = "branch", access = "write" }
parent = "lake"

[profile.dev.defaults]
io = "branch"

[partitions.letters]
static = ["A", "B", "C"]

[partitions.pairs]
static = ["ab", "bc", "ca"]

[assets.letter]
type = "text"
partitions = "letters"
command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION of $WHERE" > "$AIRLOCK_OUTPUT"']

[assets.next]
type = "text"
partitions = "letters"
inputs = ["letter"]
JOIN

[assets.pair]
type = "text"
partitions = "pairs"
inputs.of = { asset = "letter", partition_mapping = { static = { ab = ["A", "B"], bc = ["B", "C"], ca = ["C", "A"] } } }
JOIN
"#;

/// Letters that are all stored in production, and on a branch those of `keys`, and then all that is made of them.
fn branched(keys: &[&str]) -> Project {
    let project = Project::new(&LETTERS.replace("JOIN", &join()));
    run(&project, "prod", &["letter", "--partition", "all"]);
    for key in keys {
        run(&project, "dev", &["letter", "--partition", key]);
    }
    run(&project, "dev", &["next", "pair", "--partition", "all"]);
    project
}

#[test]
fn a_partition_that_a_branch_stored_is_loaded_from_it_and_the_others_from_its_parent() {
    let project = branched(&["A"]);
    let next = ["A", "B", "C"].map(|key| load_partition(&project, "next", key));
    assert_eq!(next, ["-=A of dev;", "-=B of prod;", "-=C of prod;"]);
    // Outside a run too.
    let letters = ["A", "B"].map(|key| load_partition(&project, "letter", key));
    assert_eq!(letters, ["A of dev", "B of prod"]);
    assert_eq!(project.run(&["load", "letter", "--partition", "A"]).ok(), "A of prod");
    assert!(!project.path("data/next").exists());
}

#[test]
fn each_partition_that_loads_several_finds_all_of_them_on_a_branch_or_none() {
    let project = branched(&["A", "B"]);
    let pairs = ["ab", "bc", "ca"].map(|key| load_partition(&project, "pair", key));
    assert_eq!(pairs, ["A=A of dev;B=B of dev;", "B=B of prod;C=C of prod;", "A=A of prod;C=C of prod;"]);
}

#[test]
fn a_job_on_a_branch_loads_what_it_stored_there() {
    let job = r#"
[jobs.talk]
io = "branch"

[jobs.talk.steps.say]
type = "text"
command = ["sh", "-c", 'printf said > "$AIRLOCK_OUTPUT"']

[jobs.talk.steps.hear]
type = "text"
inputs = ["say"]
JOIN
"#;
    let project = Project::new(&format!("{LETTERS}{job}").replace("JOIN", &join()));
    project.run(&["run", "job:talk"]).ok();
    assert_eq!(project.given("hear"), "-=said;");
    assert_eq!(project.event("LOADED_INPUT")["manager"]["name"], "branch");
    assert!(project.path("branch").is_dir() && !project.path("data").exists());
}
