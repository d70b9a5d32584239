//! The CI of examples/ci does what it says: the steps of both files are run in a project that `airlock new` made, as they stand
//! there, each job in a folder of its own with the files that it takes of others, up to the first step that fails.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/ci_files.rs"]
mod ci_files;
#[path = "support/pattern.rs"]
#[expect(clippy::string_slice, reason = "a test fails by panicking")]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use ci_files::{CiFile, Job, JobRan, ci_files};
use project::{Project, Ran};
use serde_json::json;

/// Projects are built in one folder, so that what they depend on is compiled once.
static BUILDING: Mutex<()> = Mutex::new(());

/// What a pipeline is run for.
#[derive(Clone, Copy, Default)]
struct Occasion<'a> {
    /// The component of the last release, where there is one.
    released: Option<&'a [u8]>,
    /// Whether a person started it, and accepts what is more than in that.
    is_accepted: bool,
    is_tag: bool,
}

/// What came of a pipeline.
#[derive(Default)]
struct Pipeline {
    /// The jobs that were run, by their names.
    jobs: BTreeMap<String, JobRan>,
    /// What was kept of each: its files with what they hold.
    kept: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

impl Pipeline {
    /// Runs the jobs of `file` in their order. Those of `without` are not run, as if they had succeeded.
    fn run(file: &CiFile, project: &Path, occasion: Occasion<'_>, without: &[&str]) -> Self {
        let mut pipeline = Self::default();
        // Nor is that which builds Airlock: that of this build is in the path.
        for name in without.iter().chain(&["airlock"]) {
            pipeline.jobs.insert((*name).to_owned(), JobRan { succeeded: true, printed: String::new() });
        }
        for name in ["build", "test", "compare", "release"] {
            let job = file.job(name);
            let succeeded = |name: &String| pipeline.jobs.get(name).is_some_and(|ran| ran.succeeded);
            let is_due = (!job.of_tag || occasion.is_tag) && job.needs.iter().all(succeeded);
            if is_due && !without.contains(&name) {
                pipeline.run_job(file, job, project, occasion);
            }
        }
        pipeline
    }

    fn run_job(&mut self, file: &CiFile, job: &Job, project: &Path, occasion: Occasion<'_>) {
        let empty = tempfile::tempdir().unwrap();
        let folder = if job.name == "build" { project } else { empty.path() };
        for (path, bytes) in job.takes.iter().filter_map(|taken| self.kept.get(taken)).flatten() {
            std::fs::write(folder.join(path), bytes).unwrap();
        }
        in_place_of_what_is_not_run(job, folder, occasion);
        let ran = {
            let _building = (job.name == "build").then(|| begin_building(folder));
            file.run(job, folder, |shell| prepare(shell, file, folder, occasion))
        };
        if ran.succeeded || job.keeps_always {
            let read = |path: &String| match std::fs::read(folder.join(path)) {
                Err(_) if !ran.succeeded => None,
                bytes => Some((path.clone(), bytes.unwrap())),
            };
            self.kept.insert(job.name.clone(), job.keeps.iter().filter_map(read).collect());
        }
        self.jobs.insert(job.name.clone(), ran);
    }

    /// What `job` printed, which ended well or not.
    fn printed(&self, job: &str, succeeded: bool) -> &str {
        let ran = &self.jobs[job];
        assert_eq!(ran.succeeded, succeeded, "{job}: {}", ran.printed);
        &ran.printed
    }
}

/// Waits until no other project is built. Cargo takes projects of one name in one folder for one, so this one becomes the newest.
fn begin_building(project: &Path) -> MutexGuard<'static, ()> {
    let guard = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let source = std::fs::File::options().append(true).open(project.join("src/lib.rs")).unwrap();
    source.set_modified(SystemTime::now()).unwrap();
    guard
}

/// Does what the steps of `job` do that a CI system alone can run.
fn in_place_of_what_is_not_run(job: &Job, folder: &Path, occasion: Occasion<'_>) {
    match job.name.as_str() {
        // Fetching the component of the last release.
        "compare" => {
            if let Some(bytes) = occasion.released {
                std::fs::create_dir(folder.join("last-release")).unwrap();
                std::fs::write(folder.join("last-release/letters.wasm"), bytes).unwrap();
            }
        }
        // Installing the target of Rust, which built the guests of these tests; and publishing a release.
        "build" | "release" => {}
        other => assert_eq!(job.scripts_not_run().count(), 0, "nothing is done in the place of a step of {other}"),
    }
}

/// Gives `shell` the environment of a step, as the system has it, and none of what is secret.
fn prepare(shell: &mut Command, file: &CiFile, folder: &Path, occasion: Occasion<'_>) {
    let binary = Path::new(env!("CARGO_BIN_EXE_airlock")).parent().unwrap();
    shell.env("PATH", format!("{}:{}", binary.display(), std::env::var("PATH").unwrap()));
    for (name, value) in &file.environment {
        shell.env(name, if value.starts_with("${{") { "" } else { value });
    }
    if occasion.is_accepted {
        shell.env("ACCEPT_MORE", "true");
    }
    shell.env("CI_PROJECT_DIR", folder);
    // Compiling takes long, so all tests share what was compiled; the network is not asked for it.
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR"));
    shell.env("XDG_CACHE_HOME", shared.join("cache")).env("XDG_STATE_HOME", shared.join("state"));
    shell.env("CARGO_TARGET_DIR", shared.join("new/rust")).env("CARGO_NET_OFFLINE", "true");
    for variable in ["AIRLOCK_HOME", "COLUMNS", "MAKEFLAGS", "MAKELEVEL"] {
        shell.env_remove(variable);
    }
}

/// A project in Rust that is called `letters`, and its folder.
fn letters() -> (Project, PathBuf) {
    let project = Project(tempfile::tempdir().unwrap());
    project.run(&["new", "letters", "--lang", "rust"]).ok();
    let folder = project.path("letters");
    (project, folder)
}

/// Replaces `from`, which is in a file of the project, once.
fn replace(file: PathBuf, from: &str, to: &str) {
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from}: {text}");
    std::fs::write(file, text.replacen(from, to, 1)).unwrap();
}

/// How many cases a report has, and how many of them failed.
fn cases(report: &[u8]) -> (usize, usize) {
    let report = quick_junit::Report::deserialize_from_str(std::str::from_utf8(report).unwrap()).unwrap();
    (report.tests, report.failures)
}

#[test]
fn both_systems_run_the_same_steps_and_keep_the_same_files() {
    let [github, gitlab] = ci_files();
    let names = |file: &CiFile| file.jobs.iter().map(|job| job.name.clone()).collect::<BTreeSet<_>>();
    assert_eq!(names(&github), ["airlock", "build", "compare", "release", "test"].map(str::to_owned).into());
    assert_eq!(names(&github), names(&gitlab));
    for job in &github.jobs {
        let other = gitlab.job(&job.name);
        let name = &job.name;
        // One says first where Airlock lies; the other finds it where Cargo installs it.
        let first = "export PATH=\"$CI_PROJECT_DIR/tools/bin:$PATH\"";
        let scripts =
            |job: &Job| job.scripts_run().filter(|script| *script != first).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(scripts(job), scripts(other), "{name}");
        assert_eq!(job.scripts_not_run().count(), other.scripts_not_run().count(), "{name}");
        for script in job.scripts_not_run().chain(other.scripts_not_run()) {
            // That it is one is all that is known of it here.
            Ran::from(Command::new("bash").args(["-n", "-c", script]).output().unwrap()).ok();
        }
        assert_eq!((job.of_tag, job.keeps_always), (other.of_tag, other.keeps_always), "{name}");
        if name != "airlock" {
            assert_eq!(job.keeps, other.keeps, "{name}");
            assert_eq!(github.environment["COMPONENT"], gitlab.environment["COMPONENT"]);
        }
    }
}

#[test]
fn a_component_is_tested_and_released_with_its_digest() {
    for file in ci_files() {
        let (_project, folder) = letters();
        let occasion = Occasion { is_tag: true, ..Occasion::default() };
        let pipeline = Pipeline::run(&file, &folder, occasion, &[]);

        let kept = &pipeline.kept["build"];
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["letters.wasm", "letters.wasm.sha256"]);
        let digest =
            Ran::from(Command::new("sha256sum").arg("letters.wasm").current_dir(&folder).output().unwrap()).ok();
        assert_eq!(kept["letters.wasm.sha256"], digest.as_bytes());

        assert!(pipeline.printed("test", true).contains("letters.wasm: OK\n"));
        let report = &pipeline.kept["test"]["results.xml"];
        let (tests, failures) = cases(report);
        assert!(tests > 40 && failures == 0, "{tests} {failures}");
        // What was tested is what is kept.
        let digest = digest.split(' ').next().unwrap();
        assert!(std::str::from_utf8(report).unwrap().contains(&format!("sha256:{digest}")));

        let compared = pipeline.printed("compare", true);
        assert!(compared.contains("lend it     mounts.\"/data\" = { path = \"…\", access = \"write\" }"), "{compared}");
        assert!(
            compared.ends_with("nothing was released yet that letters.wasm could be compared with\n"),
            "{compared}"
        );
        assert_eq!(pipeline.printed("release", true), "letters.wasm: OK\n");
    }
}

#[test]
fn one_that_asks_for_more_than_the_last_release_fails_in_words_unless_that_is_accepted() {
    let (_project, folder) = letters();
    let [file, _] = ci_files();
    let first = Pipeline::run(&file, &folder, Occasion::default(), &["test", "compare"]);
    let released = Occasion { released: Some(&first.kept["build"]["letters.wasm"]), ..Occasion::default() };
    let more = "\"environment\": [{ \"name\": \"LANGUAGE\" }],\n  \"mounts\"";
    for file in ci_files() {
        let same = Pipeline::run(&file, &folder, released, &["test"]);
        let compared = same.printed("compare", true);
        assert!(compared.ends_with("\nletters.wasm is the same as last-release/letters.wasm\n"), "{compared}");

        replace(folder.join("manifest.json"), "\"mounts\"", more);
        let refused = Pipeline::run(&file, &folder, Occasion { is_tag: true, ..released }, &["test"]);
        let said = "
+ letters.wasm asks for the environment entry LANGUAGE
  letters.wasm is another build, sha256:…
error: letters.wasm does or asks for more than last-release/letters.wasm: it asks for the environment entry LANGUAGE
hint: …";
        project::assert_prints(refused.printed("compare", false), &format!("…{said}"));
        assert!(!refused.jobs.contains_key("release"));

        let accepted = Occasion { is_accepted: true, is_tag: true, ..released };
        let accepted = Pipeline::run(&file, &folder, accepted, &["test"]);
        let said = format!("…{said}\nif it does or asks for more, that was accepted for this run");
        project::assert_prints(accepted.printed("compare", true), &said);
        assert!(accepted.jobs.contains_key("release"));
        replace(folder.join("manifest.json"), more, "\"mounts\"");
    }
}

#[test]
fn what_cannot_be_compared_fails_also_where_more_is_accepted() {
    let (_project, folder) = letters();
    for file in ci_files() {
        let occasion = Occasion { released: Some(b"no component"), is_accepted: true, is_tag: false };
        let pipeline = Pipeline::run(&file, &folder, occasion, &["test"]);
        let printed = pipeline.printed("compare", false);
        assert!(printed.contains("error: last-release/letters.wasm: this is not a WebAssembly component"), "{printed}");
    }
}

#[test]
fn one_that_looks_around_fails_its_test_is_not_released_and_its_report_is_published() {
    let (_project, folder) = letters();
    let begin = "let (mut parts, mut size) = (0, 0);";
    replace(folder.join("src/lib.rs"), begin, &format!("let _ = fs::read(\"/etc/passwd\");\n        {begin}"));
    for file in ci_files() {
        let pipeline = Pipeline::run(&file, &folder, Occasion { is_tag: true, ..Occasion::default() }, &[]);
        let printed = pipeline.printed("test", false);
        assert!(printed.contains("denials            FAILED       it tries nothing but what it is lent"), "{printed}");
        assert!(printed.contains("read /etc/passwd: no mount covers it"), "{printed}");
        assert_eq!(cases(&pipeline.kept["test"]["results.xml"]).1, 1);
        assert!(!pipeline.jobs.contains_key("release"));
    }
}

#[test]
fn a_component_that_was_changed_on_the_way_is_not_tested() {
    let (_project, folder) = letters();
    for file in ci_files() {
        let mut pipeline = Pipeline::run(&file, &folder, Occasion::default(), &["test", "compare"]);
        pipeline.kept.get_mut("build").unwrap().get_mut("letters.wasm").unwrap().push(0);
        pipeline.run_job(&file, file.job("test"), &folder, Occasion::default());
        let printed = pipeline.printed("test", false);
        assert!(printed.contains("letters.wasm: FAILED") && !printed.contains("CASE"), "{printed}");
    }
}

#[test]
fn no_job_may_do_more_than_it_has_to_and_a_fork_gets_no_secrets() {
    let [github, gitlab] = ci_files();
    let text = github.content.to_string();
    assert!(!text.contains("pull_request_target") && !text.contains("secrets."), "{text}");
    assert!(github.content["on"].as_object().unwrap().contains_key("pull_request"));
    assert_eq!(github.content["permissions"], json!({}));
    for job in github.jobs.iter().map(|job| job.name.as_str()) {
        let permissions = &github.content["jobs"][job]["permissions"];
        match job {
            "airlock" | "test" => assert!(permissions.is_null()),
            "release" => assert_eq!(*permissions, json!({ "contents": "write" })),
            _ => assert_eq!(*permissions, json!({ "contents": "read" })),
        }
        for step in github.content["jobs"][job]["steps"].as_array().unwrap() {
            let Some(action) = step["uses"].as_str() else { continue };
            let (name, commit) = action.split_once('@').unwrap();
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{action}");
            assert!(name != "actions/checkout" || step["with"]["persist-credentials"] == false, "{step:#}");
        }
    }
    // What comes out of the build is all that a job after it has of the project.
    for job in &gitlab.jobs {
        let strategy = gitlab.content[&job.name]["variables"]["GIT_STRATEGY"].as_str();
        assert_eq!(strategy, (job.name == "build").then_some("fetch"), "{}", job.name);
    }
    assert_eq!(gitlab.environment["GIT_STRATEGY"], "empty");
    // The token that may write is named where a release is made, and where the last one is fetched.
    for file in [&github, &gitlab] {
        for job in &file.jobs {
            let has_token = file.content["jobs"][&job.name].to_string().contains("github.token")
                || file.content[&job.name].to_string().contains("CI_JOB_TOKEN");
            assert_eq!(has_token, ["compare", "release"].contains(&job.name.as_str()), "{}", job.name);
        }
    }
}
