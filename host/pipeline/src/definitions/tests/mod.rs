mod deciding;
mod jobs;
mod mistakes;
mod profiles;

use airlock_sandbox::grant::{Access, Scope};

use super::*;

/// What `builtin:…` can name in tests.
pub(crate) const BUILTINS: Builtins = &[("files", b"")];

/// Definitions to which a test adds what it is about, in the table of an I/O manager.
const HEAD: &str = r#"
[assets.b]
command = ["x"]
type = "json"
io = "lake"
[io.lake]
component = "builtin:files"
"#;

/// A directory with `files`, and the definitions of its `airlock.toml`.
pub(crate) struct Project {
    pub directory: tempfile::TempDir,
}

impl Project {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self { directory }
    }

    pub fn home(&self) -> Home {
        Home::at(self.directory.path().join(".airlock"))
    }

    pub fn read(&self, profile: Option<&str>) -> Result<Definitions, Diagnostics> {
        Definitions::read(&self.directory.path().join("airlock.toml"), profile, &self.home(), BUILTINS)
    }

    /// The mistakes, as they are shown, with paths relative to the project.
    pub fn mistakes(&self, profile: Option<&str>) -> String {
        let shown = self.read(profile).expect_err("the definitions have mistakes").render();
        shown.replace(&format!("{}/", self.directory.path().display()), "")
    }
}

/// The definitions `text`, which have no mistakes.
pub(crate) fn definitions(text: &str) -> Definitions {
    Project::new(&[("airlock.toml", text)]).read(None).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

pub(crate) fn mistakes(text: &str) -> String {
    Project::new(&[("airlock.toml", text)]).mistakes(None)
}

/// The first lines of the mistakes.
pub(crate) fn messages(text: &str) -> Vec<String> {
    let lines = mistakes(text);
    lines.lines().filter_map(|line| line.strip_prefix("error: ")).map(str::to_owned).collect()
}

#[test]
fn whole_definitions_are_read() {
    let project = Project::new(&[
        (
            "airlock.toml",
            r#"
include = ["assets/*.toml"]
[defaults]
io = "lake"
[io.lake]
component = "builtin:files"
config = { depth = 2, token = { "$env" = "TOKEN" } }
mounts."/data" = { path = "data", access = "write" }
mounts."/cache" = { memory = true, access = "write", scope = "mount" }
environment = { MODE = "fast" }
limits = { memory = "256MiB", time = "30s", files = 10 }
"#,
        ),
        (
            "assets/weather.toml",
            r#"
[assets.daily_weather]
description = "One row per day"
group = "weather"
command = ["python3", "daily.py", { "$env" = "YEAR", default = "2012" }]
type = "bytes"
media_type = "text/csv"
config = { level = 3 }
metadata = { owner = "met", rows = 1461, tags = ["a", "b"] }
[assets."weather/monthly"]
component = { path = "monthly.wasm", config = { top = 3 }, mounts."/tables" = { path = "tables" } }
type = "json"
inputs.days = { asset = "daily_weather", metadata = { columns = 2 }, config = { header = true } }
"#,
        ),
        ("assets/monthly.wasm", ""),
    ]);
    let definitions = project.read(None).unwrap();
    let lake = definitions.io_manager("lake").unwrap();
    let shown = serde_json::to_value(lake).unwrap();
    assert_eq!(shown["config"], serde_json::json!({ "depth": 2, "token": { "$env": "TOKEN", "as": "text" } }));
    assert_eq!(lake.component.mounts.len(), 2);
    assert_eq!(lake.component.mounts[0].scope, Scope::Output);
    assert_eq!(lake.component.mounts[1].access, Access::Write);
    let limits = lake.component.limits.resolve(&Environment::default()).unwrap();
    assert_eq!((limits.memory, limits.time.as_secs(), limits.files), (256 << 20, 30, 10));

    let [daily, monthly] = definitions.assets() else { panic!() };
    assert_eq!(daily.output.media_type.as_deref(), Some("text/csv"));
    assert_eq!(daily.output.io.as_deref(), Some("lake"));
    assert_eq!(daily.output.metadata.len(), 3);
    assert!(daily.position.to_string().ends_with("assets/weather.toml:2:9"), "{}", daily.position);
    assert_eq!(monthly.key, ["weather", "monthly"]);
    assert_eq!(monthly.output.media_type.as_deref(), Some("application/json"));
    let Op::Component(component) = &monthly.op else { panic!() };
    // Paths are relative to the file that they stand in.
    assert_eq!(component.component, ComponentSource::File(project.directory.path().join("assets/monthly.wasm")));
    assert_eq!(component.mounts[0].scope, Scope::Mount);
    let config = monthly.inputs[0].config.as_ref().unwrap();
    assert_eq!(config.setting, Setting::Table([("header".to_owned(), Setting::Boolean(true))].into()));
}

#[test]
fn a_missing_file_says_so() {
    let project = Project::new(&[]);
    let shown = project.mistakes(None);
    assert!(shown.starts_with("error: cannot read airlock.toml: No such file"), "{shown}");
}

#[test]
fn the_state_of_airlock_cannot_be_lent() {
    let text = format!("{HEAD}mounts.\"/all\" = {{ path = \".\" }}\n");
    let shown = mistakes(&text);
    assert!(shown.contains("it is, holds or lies in Airlock's own state"), "{shown}");
}

#[test]
fn what_decides_about_components_cannot_be_lent_to_write() {
    let text = |access: &str| {
        format!(
            "{HEAD}mounts.\"/all\" = {{ path = \".\", access = \"{access}\" }}\n\
                 mounts.\"/ops\" = {{ path = \"ops\", access = \"{access}\" }}\n\
                 [io.other]\ncomponent = \"ops/other.wasm\"\n"
        )
    };
    let home = tempfile::tempdir().unwrap();
    let read = |access: &str| {
        let project = Project::new(&[("airlock.toml", &text(access)), ("ops/other.wasm", "")]);
        Definitions::read(&project.directory.path().join("airlock.toml"), None, &Home::at(home.path()), BUILTINS)
    };
    assert!(read("read").is_ok());
    let shown = read("write").unwrap_err().render();
    assert!(shown.contains("a directory that holds airlock.toml cannot be lent to write"), "{shown}");
    assert!(shown.contains("a directory that holds other.wasm cannot be lent to write"), "{shown}");
}

#[test]
fn what_else_the_program_keeps_cannot_be_lent() {
    let text = format!("{HEAD}mounts.\"/data\" = {{ path = \"compiled/x\" }}\n");
    let project = Project::new(&[("airlock.toml", &text)]);
    let path = project.directory.path().join("airlock.toml");
    assert!(Definitions::read(&path, None, &project.home(), BUILTINS).is_ok());
    let home = project.home().with_state([project.directory.path().join("compiled")]);
    let mistakes = Definitions::read(&path, None, &home, BUILTINS).unwrap_err().render();
    assert!(mistakes.contains("it is, holds or lies in Airlock's own state"), "{mistakes}");
}

#[test]
fn diagnostics_have_their_place_in_json() {
    let project = Project::new(&[("airlock.toml", "asets = {}\n")]);
    let diagnostics = project.read(None).unwrap_err();
    let mut json = serde_json::to_value(&diagnostics).unwrap();
    json[0]["file"] = "airlock.toml".into();
    let expected = serde_json::json!([{
        "file": "airlock.toml", "line": 1, "column": 1, "length": 5,
        "message": "the definitions file has no key `asets`", "help": "did you mean `assets`?",
    }]);
    assert_eq!(json, expected);
}

/// A project of 5,000 assets in 50 files, each made from a template and loading the one before it in its file.
fn large() -> Project {
    let main = r#"
include = ["assets/*.toml"]
[defaults]
io = "lake"
[io.lake]
component = "builtin:files"
mounts."/data" = { path = "data", access = "write" }
[templates.daily]
type = "table"
tags = { tier = "1" }
schema = { day = "date" }
"#;
    let asset = |file: usize, asset: usize| {
        let inputs = match asset.checked_sub(1) {
            Some(before) => format!("{{ days = {{ asset = \"f{file}/a{before}\", columns = [\"day\"] }} }}"),
            None => "{}".to_owned(),
        };
        format!(
            "[assets.\"f{file}/a{asset}\"]\ntemplate = \"daily\"\ncommand = [\"python3\", \"x.py\"]\n\
             group = \"g{file}\"\ntags = {{ file = \"{file}\" }}\ninputs = {inputs}\n"
        )
    };
    let file = |file: usize| (format!("assets/f{file}.toml"), (0..100).map(|index| asset(file, index)).collect());
    let files: Vec<(String, String)> = (0..50).map(file).collect();
    let mut all: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    all.push(("airlock.toml", main));
    Project::new(&all)
}

#[test]
fn five_thousand_assets_in_fifty_files_are_read() {
    let definitions = large().read(None).unwrap();
    assert_eq!(definitions.assets().len(), 5_000);
    assert_eq!(definitions.graph().order().len(), 5_000);
    assert_eq!(definitions.graph().select(&definitions, &["group:g7".to_owned()]).unwrap().len(), 100);
    assert_eq!(definitions.graph().select(&definitions, &["+f49/a99".to_owned()]).unwrap().len(), 100);
    let last = definitions.asset("f49/a99").unwrap();
    assert_eq!(last.tags.len(), 2);
    assert_eq!(last.inputs[0].asset(), Some("f49/a98"));
}
