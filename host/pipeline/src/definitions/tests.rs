use super::*;

/// What `builtin:…` can name in tests.
pub(crate) const BUILTINS: Builtins = &[("files", b"")];

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
    assert_eq!(daily.media_type.as_deref(), Some("text/csv"));
    assert_eq!(daily.io.as_deref(), Some("lake"));
    assert_eq!(daily.metadata.len(), 3);
    assert!(daily.position.to_string().ends_with("assets/weather.toml:2:9"), "{}", daily.position);
    assert_eq!(monthly.key, ["weather", "monthly"]);
    assert_eq!(monthly.media_type.as_deref(), Some("application/json"));
    let Op::Component(component) = &monthly.op else { panic!() };
    // Paths are relative to the file that they stand in.
    assert_eq!(component.component, ComponentSource::File(project.directory.path().join("assets/monthly.wasm")));
    assert_eq!(component.mounts[0].scope, Scope::Mount);
    assert_eq!(monthly.inputs[0].config, Some(Setting::Table([("header".to_owned(), Setting::Boolean(true))].into())));
}

#[test]
fn ten_mistakes_are_reported_at_once_each_at_its_place() {
    let text = r#"[defaults]
io = "lke"

[io.lake]
component = "builtin:file"
mounts."data" = { path = "data", acess = "write" }
mounts."/etc" = { path = "/proc" }
limits = { memory = "256", times = "30s" }

[assets.daily]
comand = ["python3", "daily.py"]
type = "tabel"

[assets.summary]
command = ["python3", "summary.py"]
component = "summary.wasm"
type = "json"
inputs = ["dialy"]
io = "lake"
description = 3
"#;
    let expected = r#"error: there is no I/O manager `lke`
 --> airlock.toml:2:6
  |
2 | io = "lke"
  |      ^^^^^
  = help: did you mean `lake`?

error: there is no component `builtin:file`
 --> airlock.toml:5:13
  |
5 | component = "builtin:file"
  |             ^^^^^^^^^^^^^^
  = help: did you mean `builtin:files`?

error: the guest path "data" is not an absolute path below `/`, such as "/data"
 --> airlock.toml:6:8
  |
6 | mounts."data" = { path = "data", acess = "write" }
  |        ^^^^^^

error: the mount "data" has no key `acess`
 --> airlock.toml:6:34
  |
6 | mounts."data" = { path = "data", acess = "write" }
  |                                  ^^^^^
  = help: did you mean `access`?

error: /proc cannot be lent: it shows the machine's processes and devices; lend a directory of its own below it
 --> airlock.toml:7:8
  |
7 | mounts."/etc" = { path = "/proc" }
  |        ^^^^^^

error: `memory` is not "256" but a quantity such as "256MiB"
 --> airlock.toml:8:21
  |
8 | limits = { memory = "256", times = "30s" }
  |                     ^^^^^

error: `limits` has no key `times`
 --> airlock.toml:8:28
  |
8 | limits = { memory = "256", times = "30s" }
  |                            ^^^^^
  = help: did you mean `time`?

error: the asset `daily` lacks `command`
  --> airlock.toml:10:9
   |
10 | [assets.daily]
   |         ^^^^^
   = help: say what computes it: `command = ["python3", "…"]` or `component = "….wasm"`

error: the asset `daily` has no key `comand`
  --> airlock.toml:11:1
   |
11 | comand = ["python3", "daily.py"]
   | ^^^^^^
   = help: did you mean `command`?

error: `tabel` is not one of the values of `type`
  --> airlock.toml:12:8
   |
12 | type = "tabel"
   |        ^^^^^^^
   = help: did you mean `table`?

error: the asset `summary` has both `command` and `component`: one of them computes it
  --> airlock.toml:15:1
   |
15 | command = ["python3", "summary.py"]
   | ^^^^^^^

error: there is no asset `dialy`
  --> airlock.toml:18:11
   |
18 | inputs = ["dialy"]
   |           ^^^^^^^
   = help: did you mean `daily`?

error: `description` is a text, and this is an integer
  --> airlock.toml:20:15
   |
20 | description = 3
   |               ^
"#;
    assert_eq!(mistakes(text), expected);
}

const HEAD: &str = r#"
[assets.b]
command = ["x"]
type = "json"
io = "lake"
[io.lake]
component = "builtin:files"
"#;

#[test]
fn each_mistake_has_a_message_of_its_own() {
    let asset = |body: &str| format!("{HEAD}[assets.a]\n{body}");
    let stored = |body: &str| asset(&format!("command = [\"x\"]\ntype = \"json\"\nio = \"lake\"\n{body}"));
    let io = |body: &str| format!("{HEAD}{body}");
    for (text, expected) in [
        (asset("command = [\"x\"]\ntype = \"json\""), "the asset `a` lacks `io`"),
        (asset("command = []\ntype = \"none\""), "`command` begins with the program to run"),
        (asset("command = \"x\"\ntype = \"none\""), "`command` is an array, and this is a text"),
        (
            asset("component = \"no.wasm\"\ntype = \"none\""),
            "the component no.wasm cannot be read: No such file or directory (os error 2)",
        ),
        (asset("component = { config = {} }\ntype = \"none\""), "`component` of the asset `a` lacks `path`"),
        (
            asset("command = [\"x\"]\ntype = \"none\"\nio = \"lake\""),
            "the asset `a` stores no value (`type = \"none\"`), so it takes no `io`",
        ),
        (
            stored("media_type = \"text/csv\""),
            "a value of type `json` cannot be text/csv: it is application/json or ends in +json",
        ),
        (
            stored("inputs = { \"2x\" = \"b\" }"),
            "\"2x\" is not the name of an input: a letter or `_`, then letters, digits, `_` and `-`",
        ),
        (
            stored("inputs = { days = \"b\", days_media_type = \"b\" }"),
            "the inputs `days` and `days_media_type` differ too little: a command finds something of both in \
             AIRLOCK_INPUT_DAYS_MEDIA_TYPE",
        ),
        (stored("deps = [\"a\"]"), "the asset `a` depends on itself"),
        (stored("group = \"a b\""), "the group \"a b\" has other characters than letters, digits, `_`, `-` and `.`"),
        (
            stored("metadata = { x = { \"$env\" = \"X\" } }"),
            "metadata is recorded; the environment cannot be named here",
        ),
        (stored("config = { x = inf }"), "a number here is finite, since it is passed on as JSON"),
        (stored("config = { \"$env\" = \"X\", as = \"number\" }"), "`number` is not one of the values of `as`"),
        (
            stored("config = { \"$env\" = \"X\", as = \"int\", default = \"x\" }"),
            "`default` is a text, and `as` says `int`",
        ),
        (stored("config = { \"$env\" = \"\" }"), "the name of an environment variable is not empty and has no `=`"),
        (
            io("[io.\"\\u001b[2J\"]\ncomponent = \"builtin:files\""),
            "the name of the I/O manager \"\\u{1b}[2J\" has other characters than letters, digits, `_`, `-` and `.`",
        ),
        (io("config = 3"), "`config` is a table, and this is an integer"),
        (io("mounts.\"/a\" = {}"), "the mount \"/a\" lacks `path`"),
        (io("mounts.\"/a\" = { path = \"a\", memory = true }"), "a mount has either `path` or `memory`, not both"),
        (
            io("mounts.\"/a\" = { memory = true }\nmounts.\"/a/b\" = { memory = true }"),
            "the mounts \"/a/b\" and \"/a\" overlap: a guest path belongs to one mount",
        ),
        (
            io(
                "mounts.\"/a\" = { path = \"x\", access = \"write\" }\nmounts.\"/b\" = { path = \"./x\", access = \"write\" }",
            ),
            "the mounts \"/b\" and \"/a\" are the same directory: lend it to be written once",
        ),
        (
            io("environment = { \"A=B\" = \"x\" }"),
            "the environment entry \"A=B\" has an empty name, or a `=` or a NUL where none can be",
        ),
        (io("limits = { files = 0 }"), "`files` is a number from 1 to 4294967295, not 0"),
        (io("limits = { time = 30 }"), "`time` is a quantity such as \"30s\", and this is an integer"),
        ("include = [\"no/*.toml\"]".to_owned(), "no file matches \"no/*.toml\""),
        ("checks = {}".to_owned(), "the definitions file has no key `checks`"),
        (
            "[assets.\"a//b\"]\ncommand = [\"x\"]\ntype = \"none\"".to_owned(),
            "the asset name \"a//b\" has an empty part: its parts are separated by one `/`",
        ),
    ] {
        assert_eq!(messages(&text), [expected], "{text}");
    }
}

#[test]
fn what_is_no_toml_is_reported_at_its_place_and_alone() {
    let shown = mistakes("[assets.a]\ntype = none\nunknown = 1\n");
    assert!(shown.contains("--> airlock.toml:2:8"), "{shown}");
    assert!(!shown.contains("unknown"), "{shown}");
}

#[test]
fn assets_that_depend_on_one_another_are_named_in_order() {
    let text = r#"
        [assets.c]
        command = ["x"]
        type = "none"
        deps = ["a"]
        [assets.a]
        command = ["x"]
        type = "none"
        deps = ["b"]
        [assets.b]
        command = ["x"]
        type = "none"
        deps = ["c", "d"]
        [assets.d]
        command = ["x"]
        type = "none"
        [assets.after]
        command = ["x"]
        type = "none"
        deps = ["a"]
        "#;
    assert_eq!(messages(text), ["these assets depend on one another: `c` → `a` → `b` → `c`"]);
}

#[test]
fn an_asset_without_a_value_can_be_waited_for_but_not_loaded() {
    let text = r#"
        [assets.a]
        command = ["x"]
        type = "none"
        [assets.b]
        command = ["x"]
        type = "none"
        inputs = ["a"]
        "#;
    assert_eq!(messages(text), ["`a` has no value to load: it is defined with `type = \"none\"`"]);
}

#[test]
fn inputs_whose_names_a_command_could_not_tell_apart_are_refused() {
    let text = r#"
        defaults.io = "lake"
        io.lake.component = "builtin:files"
        assets."x/day" = { command = ["x"], type = "json" }
        assets."y/day" = { command = ["x"], type = "json" }
        assets.z = { command = ["x"], type = "none", inputs = ["x/day", "y/day"] }
        assets.w = { command = ["x"], type = "none", inputs = { a-b = "x/day", a_b = "y/day" } }
        "#;
    let expected = [
        "two inputs are named `day`",
        "the inputs `a-b` and `a_b` differ too little: a command finds something of both in AIRLOCK_INPUT_A_B",
    ];
    assert_eq!(messages(text), expected);
}

#[test]
fn an_asset_defined_in_two_files_is_a_mistake_that_names_both_places() {
    let asset = "[assets.a]\ncommand = [\"x\"]\ntype = \"none\"\n";
    let project = Project::new(&[("airlock.toml", &format!("include = [\"b.toml\"]\n{asset}")), ("b.toml", asset)]);
    let expected = "error: the asset `a` is defined twice
 --> b.toml:1:9
  |
1 | [assets.a]
  |         ^
  = help: it is defined first at airlock.toml:2:9
";
    assert_eq!(project.mistakes(None), expected);
}

#[test]
fn an_included_file_includes_nothing_and_has_no_defaults() {
    let project = Project::new(&[("airlock.toml", "include = [\"b.toml\"]"), ("b.toml", "include = []\n[defaults]\n")]);
    let shown = project.mistakes(None);
    assert!(shown.contains("an included file has no key `include`"), "{shown}");
    assert!(shown.contains("an included file has no key `defaults`"), "{shown}");
}

const PROFILES: &str = r#"
[defaults]
io = "lake"
[io.lake]
component = "builtin:files"
config = { depth = 1, level = 2 }
mounts."/data" = { path = "data", access = "write" }
[io.scratch]
component = "builtin:files"
[assets.a]
command = ["x"]
type = "json"
[profile.prod]
defaults.io = "scratch"
[profile.prod.io.lake]
config = { level = 9 }
mounts."/data" = { memory = true }
[profile.prod.assets.a]
group = "g"
"#;

#[test]
fn a_profile_is_merged_over_what_is_there() {
    let project = Project::new(&[("airlock.toml", PROFILES)]);
    let plain = project.read(None).unwrap();
    assert_eq!(plain.asset("a").unwrap().io.as_deref(), Some("lake"));
    let prod = project.read(Some("prod")).unwrap();
    assert_eq!(prod.profile(), Some("prod"));
    assert_eq!(prod.asset("a").unwrap().io.as_deref(), Some("scratch"));
    assert_eq!(prod.asset("a").unwrap().group.as_deref(), Some("g"));
    let lake = serde_json::to_value(prod.io_manager("lake").unwrap()).unwrap();
    assert_eq!(lake["config"], serde_json::json!({ "depth": 1, "level": 9 }));
    assert_eq!(lake["mounts"][0]["source"], "memory");
    assert_eq!(lake["mounts"][0]["access"], "read");
}

#[test]
fn mistakes_of_a_profile_are_reported_whether_or_not_it_is_chosen() {
    let text = format!("{PROFILES}typ = \"json\"\n[profile.test.io.laek]\nconfig = {{}}\n");
    let project = Project::new(&[("airlock.toml", &text)]);
    for profile in [None, Some("prod"), Some("test")] {
        let shown = project.mistakes(profile);
        let lines: Vec<&str> =
            shown.lines().filter(|line| line.starts_with("error") || line.contains("help")).collect();
        let expected = [
            "error: the asset `a` has no key `typ`",
            "   = help: did you mean `type`?",
            "error: a profile changes what is there, and there is no I/O manager `laek`",
            "   = help: did you mean `lake`?",
        ];
        assert_eq!(lines, expected, "{profile:?}");
    }
}

#[test]
fn a_profile_that_is_not_there_is_a_mistake_that_says_which_are() {
    let shown = Project::new(&[("airlock.toml", PROFILES)]).mistakes(Some("prd"));
    assert_eq!(shown, "error: airlock.toml has no profile `prd`\n  = help: did you mean `prod`?\n");
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
    assert_eq!(last.inputs[0].asset, "f49/a98");
}

#[test]
fn what_no_asset_uses_under_any_profile_is_a_warning() {
    let text = r#"
[io.lake]
component = "builtin:files"
[io.cloud]
component = "builtin:files"
[io.spare]
component = "builtin:files"
[partitions.days]
daily = { start = "2024-01-01" }
[partitions.cities]
static = ["oslo"]
[assets.a]
command = ["x"]
type = "json"
io = "lake"
[profile.prod.assets.a]
io = "cloud"
partitions = "days"
"#;
    let project = Project::new(&[("airlock.toml", text)]);
    for profile in [None, Some("prod")] {
        let definitions = project.read(profile).unwrap();
        let warnings: Vec<&str> = definitions.warnings().iter().map(|warning| warning.message.as_str()).collect();
        let expected = ["no asset is stored by the I/O manager `spare`", "no asset has the partitions `cities`"];
        assert_eq!(warnings, expected, "{profile:?}");
    }
    let shown = project.read(None).unwrap().warnings()[0].render_warning();
    assert!(shown.starts_with("warning: no asset is stored by the I/O manager `spare`\n"), "{shown}");
}
