//! What is wrong in definitions, and what is said of it.

use super::*;

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
   = help: say what computes it: `command = ["python3", "…"]` or `component = "….wasm"`; or that it is made elsewhere: `external = true`

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

#[test]
fn each_mistake_has_a_message_of_its_own() {
    let asset = |body: &str| format!("{HEAD}[assets.a]\n{body}");
    let stored = |body: &str| asset(&format!("command = [\"x\"]\ntype = \"json\"\nio = \"lake\"\n{body}"));
    let io = |body: &str| format!("{HEAD}{body}");
    for (text, expected) in [
        (asset("command = [\"x\"]\ntype = \"json\""), "the asset `a` lacks `io`"),
        (
            asset("command = [\"x\"]\ntype = \"json\"\nio = { component = \"builtin:files\" }"),
            "`io` is a text, and this is a table",
        ),
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
