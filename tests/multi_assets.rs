//! Assets that one op computes together, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, guest};

/// Orders, those that were kept and thrown out, and what is made of the first; each run of the op is noted.
const ORDERS: &str = r#"
[assets.orders]
type = "text"
command = ["sh", "-c", 'printf "1\n-2\n3\n" > "$AIRLOCK_OUTPUT"']

[multi_assets.split]
inputs = ["orders"]
group = "orders"
command = ["sh", "-c", '''
echo "$AIRLOCK_STEP" >> computed
grep -v - "$AIRLOCK_INPUT_ORDERS" > "$AIRLOCK_OUTPUT_KEPT"
grep - "$AIRLOCK_INPUT_ORDERS" > "$AIRLOCK_OUTPUT_THROWN_OUT"
echo '{"rows": 2}' > "$AIRLOCK_METADATA_KEPT"''']
assets."sales/kept" = { type = "text" }
assets.rest = { type = "text", output = "thrown_out", description = "What is no order" }

[assets.total]
type = "text"
inputs.kept = "sales/kept"
command = ["sh", "-c", 'paste -sd+ "$AIRLOCK_INPUT_KEPT" > "$AIRLOCK_OUTPUT"']
"#;

fn computed(project: &Project) -> usize {
    std::fs::read_to_string(project.path("computed")).map_or(0, |text| text.lines().count())
}

#[test]
fn one_step_computes_several_assets_which_are_stored_and_recorded_each() {
    let project = Project::new(ORDERS);
    let said = project.run(&["run"]).ok();
    assert!(said.contains("✓ split") && said.contains("3 steps done"), "{said}");
    assert_eq!((project.load("sales/kept"), project.load("rest")), ("1\n3\n".to_owned(), "-2\n".to_owned()));
    assert_eq!(project.load("total"), "1+3\n");
    assert!(project.path("data/sales/kept.txt").is_file() && project.path("data/rest.txt").is_file());
    let events = project.run(&["events", "--format", "jsonl"]).ok();
    let events = events.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let of_split: Vec<_> = events.filter(|event| event["step_key"] == "split").collect();
    let kinds: Vec<&str> = of_split.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let of_output = ["STEP_OUTPUT", "HANDLED_OUTPUT", "ASSET_MATERIALIZATION"];
    let expected = [&["STEP_START", "LOADED_INPUT", "STEP_INPUT"][..], &of_output, &of_output, &["STEP_SUCCESS"]];
    assert_eq!(kinds, expected.concat());
    let assets: Vec<&str> = of_split
        .iter()
        .filter(|event| event["kind"] == "ASSET_MATERIALIZATION")
        .map(|event| event["asset"].as_str().unwrap())
        .collect();
    assert_eq!(assets, ["sales/kept", "rest"]);
    let shown = project.run(&["show", "sales/kept"]).ok();
    assert!(shown.contains("step     split\nbeside   rest") && shown.contains("rows = 2"), "{shown}");
}

#[test]
fn whoever_selects_one_has_all_computed() {
    let project = Project::new(ORDERS);
    project.run(&["run", "orders"]).ok();
    let said = project.run(&["run", "rest"]).ok();
    assert!(said.contains("✓ split") && said.contains("1 step done"), "{said}");
    project.run(&["load", "sales/kept"]).ok();
    // What is there of those that were not named is looked at too.
    assert_eq!(project.run(&["run", "rest", "--missing"]).stderr, "nothing to do: nothing is missing\n");
    assert!(project.run(&["run", "group:orders"]).ok().contains("1 step done"));
    assert!(project.run(&["run", "rest+"]).ok().contains("1 step done"));
    assert!(project.run(&["run", "split+"]).ok().contains("2 steps done"));
}

#[test]
fn all_are_computed_again_where_one_is_missing_and_none_where_nothing_changed() {
    let project = Project::new(ORDERS);
    project.run(&["run"]).ok();
    assert_eq!(project.run(&["run", "--missing"]).stderr, "nothing to do: nothing is missing\n");
    std::fs::remove_file(project.path("data/rest.txt")).unwrap();
    let said = project.run(&["run", "--missing"]).ok();
    // And what depends on one of them.
    assert!(said.contains("2 steps done"), "{said}");
    assert_eq!(computed(&project), 2);
    let said = project.run(&["run", "--skip-unchanged"]).ok();
    assert!(said.contains("3 unchanged"), "{said}");
    std::fs::remove_file(project.path("data/rest.txt")).unwrap();
    let said = project.run(&["run", "--skip-unchanged"]).ok();
    assert!(said.contains("1 done, 2 unchanged"), "{said}");
    assert_eq!(computed(&project), 3);
}

#[test]
fn partitions_are_computed_together_too() {
    let project = Project::new(&format!(
        r#"
        [partitions.letters]
        static = ["a", "b"]

        [multi_assets.pair]
        partitions = "letters"
        component = {{ path = "{}", config = {{ op = "every_output" }} }}
        assets.one = {{ type = "text" }}
        assets.two = {{ type = "text" }}

        [assets.all]
        type = "text"
        inputs.one = "one"
        inputs.two = "two"
        component = {{ path = "{0}", config = {{ op = "join" }} }}
        "#,
        guest("test-ops")
    ));
    let said = project.run(&["run", "--partition", "all"]).ok();
    assert!(said.contains("✓ pair") && said.contains("2 partitions"), "{said}");
    assert_eq!(project.load("all"), "a=one of a;b=one of b;a=two of a;b=two of b;");
    let said = project.run(&["run", "two", "--partition", "b"]).ok();
    assert!(said.contains("✓ pair[b]"), "{said}");
}

#[test]
fn one_that_the_op_does_not_give_fails_the_step_and_what_was_stored_stays() {
    let project = Project::new(&ORDERS.replace("grep - ", "test -e gone || grep - "));
    project.run(&["run"]).ok();
    project.put("gone", "");
    project.run(&["run", "rest"]).fails(
        1,
        "
error: split: the command `sh -c …` ended well, and wrote no file to AIRLOCK_OUTPUT_THROWN_OUT
…",
    );
    assert_eq!(project.load("rest"), "-2\n");
}

#[test]
fn what_is_wrong_about_them_is_told() {
    for (definitions, expected) in [
        ("[multi_assets.m]\ncommand = [\"x\"]\n", "the multi-asset `m` lacks `assets`"),
        (
            "[multi_assets.m]\ncommand = [\"x\"]\nassets.a = { type = \"text\", command = [\"y\"] }\n",
            "the asset `a` has no key `command`",
        ),
        (
            "[assets.a]\ncommand = [\"x\"]\ntype = \"text\"\n[multi_assets.m]\ncommand = [\"x\"]\nassets.a = { type = \"text\" }\n",
            "the asset `a` is defined twice",
        ),
        (
            "[multi_assets.m]\ncommand = [\"x\"]\nassets.a = { type = \"text\" }\nassets.\"b/a\" = { type = \"text\" }\n",
            "`a` and `b/a` are one output of `m`: `a` and `a`",
        ),
        (
            "[multi_assets.m]\ncommand = [\"x\"]\ninputs = [\"b\"]\nassets.a = { type = \"text\" }\nassets.b = { type = \"text\" }\n",
            "the asset `b` depends on itself",
        ),
        (
            "[multi_assets.m]\ncomand = [\"x\"]\nassets.a = { type = \"text\" }\nassets.b = { type = \"text\" }\n",
            "the multi-asset `m` has no key `comand`",
        ),
        (
            "[multi_assets.m]\ncommand = [\"x\"]\nassets.a = { type = \"text\" }\n[profile.p.assets.a]\ncommand = [\"y\"]\n",
            "`command` is of all assets that `m` computes, and a profile changes one",
        ),
    ] {
        let ran = Project::new(definitions).run(&["check"]);
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        assert!(ran.stderr.contains(expected), "{definitions}\n{}", ran.stderr);
    }
}
