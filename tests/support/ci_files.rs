//! The CI configurations that are shown, read as what they have a CI system do, and run as it does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value};

use crate::project::repository;

/// How a script begins that only a CI system can run.
const NOT_RUN: &str = "# Not run by the tests: ";

/// What a file of the examples has a CI system do.
pub struct CiFile {
    /// All of it.
    pub content: Value,
    /// What every step finds in its environment, as it is written.
    pub environment: BTreeMap<String, String>,
    pub jobs: Vec<Job>,
    shell: Shell,
}

/// How a system runs the scripts of a job.
#[derive(Clone, Copy)]
enum Shell {
    /// Each by a shell of its own.
    OneEach,
    /// All by one shell.
    OneForAll,
}

pub struct Job {
    pub name: String,
    /// The jobs that have to succeed before it begins.
    pub needs: Vec<String>,
    /// The jobs whose files it finds in its folder.
    pub takes: Vec<String>,
    /// Whether it is one of a tag alone.
    pub of_tag: bool,
    pub scripts: Vec<String>,
    /// The files that are kept of it.
    pub keeps: BTreeSet<String>,
    /// Whether they are kept of a job that failed too.
    pub keeps_always: bool,
}

/// What became of a job.
#[derive(Debug)]
pub struct JobRan {
    pub succeeded: bool,
    /// What its steps printed, on both streams.
    pub printed: String,
}

/// The examples, of each system.
pub fn ci_files() -> [CiFile; 2] {
    [github(), gitlab()]
}

fn read(file: &str) -> Value {
    let text = std::fs::read_to_string(repository().join("examples/ci").join(file)).unwrap();
    let documents = Yaml::load_from_str(&text).unwrap();
    assert_eq!(documents.len(), 1, "{file}");
    json(&documents[0])
}

fn json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Value(Scalar::Boolean(value)) => (*value).into(),
        Yaml::Value(Scalar::Integer(value)) => (*value).into(),
        Yaml::Value(Scalar::String(text)) => text.to_string().into(),
        Yaml::Sequence(list) => list.iter().map(json).collect(),
        Yaml::Mapping(map) => {
            let entry = |(key, value): (&Yaml<'_>, &Yaml<'_>)| (key.as_str().unwrap().to_owned(), json(value));
            map.iter().map(entry).collect::<Map<String, Value>>().into()
        }
        other => panic!("the tests do not know {other:?}"),
    }
}

/// A text, or a list of texts.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => text.lines().map(str::to_owned).collect(),
        Value::Array(list) => list.iter().map(|text| text.as_str().unwrap().to_owned()).collect(),
        other => panic!("{other} is no list of texts"),
    }
}

/// Nothing is passed over that may change what is done.
fn has_only(value: &Value, keys: &[&str]) {
    for key in value.as_object().unwrap().keys() {
        assert!(keys.contains(&key.as_str()), "the tests do not know `{key}` of {value:#}");
    }
}

fn github() -> CiFile {
    let content = read(".github/workflows/component.yml");
    has_only(&content, &["name", "on", "env", "permissions", "jobs"]);
    let environment = content["env"].as_object().unwrap();
    let environment = environment.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    let environment: BTreeMap<String, String> = environment.collect();
    // By the name under which it is kept, the job that something is of.
    let mut artifacts = BTreeMap::new();
    let mut jobs = Vec::new();
    for (name, job) in content["jobs"].as_object().unwrap() {
        has_only(job, &["if", "needs", "runs-on", "permissions", "steps"]);
        let mut read = Job {
            name: name.clone(),
            needs: texts(&job["needs"]),
            takes: Vec::new(),
            of_tag: is_of_tag(&job["if"], "startsWith(github.ref, 'refs/tags/v')"),
            scripts: Vec::new(),
            keeps: BTreeSet::new(),
            keeps_always: false,
        };
        for step in job["steps"].as_array().unwrap() {
            if let Some(script) = step["run"].as_str() {
                let is_run = !script.starts_with(NOT_RUN);
                has_only(step, if is_run { &["name", "run"] } else { &["name", "run", "if", "env"] });
                read.scripts.push(script.trim_end().to_owned());
                continue;
            }
            has_only(step, &["name", "id", "if", "uses", "with"]);
            let with = &step["with"];
            let artifact = || with["name"].as_str().unwrap().to_owned();
            match step["uses"].as_str().unwrap().split_once('@').unwrap().0 {
                "actions/upload-artifact" => {
                    assert_eq!(with["if-no-files-found"], "error", "{step:#}");
                    read.keeps_always = step["if"] == "${{ !cancelled() }}";
                    assert!(read.keeps_always || step["if"].is_null(), "{step:#}");
                    let component = &environment["COMPONENT"];
                    read.keeps = texts(&with["path"])
                        .iter()
                        .map(|path| path.replace("${{ env.COMPONENT }}", component))
                        .collect();
                    artifacts.insert(artifact(), name.clone());
                }
                "actions/download-artifact" => read.takes.push(artifact()),
                "actions/checkout" | "actions/cache" | "actions/cache/restore" => {}
                other => panic!("the tests do not know what {other} does"),
            }
        }
        jobs.push(read);
    }
    for taken in jobs.iter_mut().flat_map(|job| &mut job.takes) {
        *taken = artifacts[taken].clone();
    }
    CiFile { content, environment, jobs, shell: Shell::OneEach }
}

fn gitlab() -> CiFile {
    let content = read(".gitlab-ci.yml");
    let environment = content["variables"].as_object().unwrap().iter().map(|(name, value)| {
        let text = value.as_str().or_else(|| value["value"].as_str()).unwrap();
        (name.clone(), text.to_owned())
    });
    let environment: BTreeMap<String, String> = environment.collect();
    let first = texts(&content["default"]["before_script"]);
    let mut jobs = Vec::new();
    for (name, job) in content.as_object().unwrap() {
        if ["workflow", "stages", "variables", "default"].contains(&name.as_str()) {
            continue;
        }
        has_only(job, &["stage", "needs", "rules", "variables", "cache", "script", "artifacts"]);
        let artifacts = &job["artifacts"];
        let mut keeps = texts(&artifacts["paths"]);
        keeps.extend(artifacts["reports"]["junit"].as_str().map(str::to_owned));
        let keeps = keeps.iter().map(|path| path.replace("$COMPONENT", &environment["COMPONENT"])).collect();
        jobs.push(Job {
            name: name.clone(),
            needs: texts(&job["needs"]),
            takes: texts(&job["needs"]),
            of_tag: is_of_tag(&job["rules"][0]["if"], "$CI_COMMIT_TAG =~ /^v/"),
            scripts: first
                .iter()
                .cloned()
                .chain(texts(&job["script"]))
                .map(|text| text.trim_end().to_owned())
                .collect(),
            keeps,
            keeps_always: artifacts["when"] == "always",
        });
    }
    CiFile { content, environment, jobs, shell: Shell::OneForAll }
}

fn is_of_tag(condition: &Value, of_tag: &str) -> bool {
    assert!(condition.is_null() || condition == of_tag, "the tests do not know when {condition} holds");
    !condition.is_null()
}

impl CiFile {
    pub fn job(&self, name: &str) -> &Job {
        self.jobs.iter().find(|job| job.name == name).unwrap()
    }

    /// Runs the steps of `job` in `folder`, by shells that `prepare` makes ready, up to the first that fails.
    pub fn run(&self, job: &Job, folder: &Path, prepare: impl Fn(&mut Command)) -> JobRan {
        let scripts: Vec<&str> = job.scripts_run().collect();
        let (options, programs) = match self.shell {
            Shell::OneEach => ("-e", scripts.iter().map(|script| (*script).to_owned()).collect()),
            Shell::OneForAll => ("-eo pipefail", vec![scripts.join("\n")]),
        };
        let mut ran = JobRan { succeeded: true, printed: String::new() };
        for program in programs {
            let mut shell = Command::new("bash");
            shell.args(options.split(' ')).args(["-c", &format!("exec 2>&1\n{program}")]).current_dir(folder);
            prepare(&mut shell);
            let output = shell.output().unwrap();
            ran.printed.push_str(&String::from_utf8(output.stdout).unwrap());
            if !output.status.success() {
                return JobRan { succeeded: false, ..ran };
            }
        }
        ran
    }
}

impl Job {
    /// The scripts that a CI system alone can run.
    pub fn scripts_not_run(&self) -> impl Iterator<Item = &str> {
        self.scripts.iter().map(String::as_str).filter(|script| script.starts_with(NOT_RUN))
    }

    /// All others.
    pub fn scripts_run(&self) -> impl Iterator<Item = &str> {
        self.scripts.iter().map(String::as_str).filter(|script| !script.starts_with(NOT_RUN))
    }
}
