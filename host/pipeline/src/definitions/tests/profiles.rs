//! What a profile changes.

use super::*;

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
    assert_eq!(plain.asset("a").unwrap().output.io.as_deref(), Some("lake"));
    let prod = project.read(Some("prod")).unwrap();
    assert_eq!(prod.profile(), Some("prod"));
    assert_eq!(prod.asset("a").unwrap().output.io.as_deref(), Some("scratch"));
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
        let expected =
            ["nothing is stored or loaded by the I/O manager `spare`", "no asset has the partitions `cities`"];
        assert_eq!(warnings, expected, "{profile:?}");
    }
    let shown = project.read(None).unwrap().warnings()[0].render_warning();
    assert!(shown.starts_with("warning: nothing is stored or loaded by the I/O manager `spare`\n"), "{shown}");
}
