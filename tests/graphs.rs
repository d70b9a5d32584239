//! Graphs that jobs, other graphs and assets are made from, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, assert_prints, guest, join};
use serde_json::Value;

/// A graph that counts the words of a text in two steps, one that does so for each of several, and one of both.
const WORDS: &str = r#"
[io.attic]
component = "builtin:files"
mounts."/data" = { path = "attic", access = "write" }

[ops.upper]
type = "text"
command = ["sh", "-c", 'tr a-z A-Z < "$AIRLOCK_INPUT_TEXT" > "$AIRLOCK_OUTPUT"']

[graphs.loud]
steps.upper = { op = "upper", inputs.text = { input = "said" }, io = "attic" }
outputs.result = "mark"

[graphs.loud.steps.mark]
type = "text"
inputs = ["upper"]
command = ["sh", "-c", 'printf "%s!" "$(cat "$AIRLOCK_INPUT_UPPER")" > "$AIRLOCK_OUTPUT"']

[graphs.two]
steps.once = { graph = "loud", inputs.said = { input = "text" } }
steps.twice = { graph = "loud", inputs.said = "once" }
outputs = { result = "twice", first = "once" }

[jobs.talk]
steps.all = { op = "join", inputs.said = ["say", "talk.first", "talk"] }
steps.talk = { graph = "two", inputs.text = "say" }

[jobs.talk.steps.say]
type = "text"
command = ["sh", "-c", 'printf hello > "$AIRLOCK_OUTPUT"']
"#;

fn words() -> Project {
    Project::new(&format!("{WORDS}\n[ops.join]\ntype = \"text\"\n{}\n", join()))
}

#[test]
fn the_steps_of_graphs_are_called_and_lie_by_the_way_to_them() {
    let project = words();
    let run = project.run_job("talk");
    assert_eq!(project.given("all"), "say=hello;talk.once.mark=HELLO!;talk.twice.mark=HELLO!!;");
    let files = [
        "attic/runs=RUN/talk%2eonce%2eupper/result.txt",
        "attic/runs=RUN/talk%2etwice%2eupper/result.txt",
        "data/runs=RUN/all/result.txt",
        "data/runs=RUN/say/result.txt",
        "data/runs=RUN/talk%2eonce%2emark/result.txt",
        "data/runs=RUN/talk%2etwice%2emark/result.txt",
    ];
    let stored = project.files("attic", &run).into_iter().chain(project.files("data", &run));
    assert_eq!(stored.collect::<Vec<_>>(), files);
    // What a step of a graph gave is loaded by its name.
    assert_eq!(project.given("talk.once.upper"), "HELLO");
}

#[test]
fn a_graph_may_be_done_for_each_element_and_gathered() {
    let project = Project::new(&format!(
        r#"
[graphs.shout]
outputs.result = "mark"

[graphs.shout.steps.upper]
type = "text"
inputs.text = {{ input = "text" }}
command = ["sh", "-c", 'tr a-z A-Z < "$AIRLOCK_INPUT_TEXT" > "$AIRLOCK_OUTPUT"']

[graphs.shout.steps.mark]
type = "text"
inputs.upper = {{ each = "upper" }}
command = ["sh", "-c", 'printf "%s!" "$(cat "$AIRLOCK_INPUT_UPPER")" > "$AIRLOCK_OUTPUT"']

[jobs.talk]
steps.g = {{ graph = "shout", inputs.text = {{ each = "say" }} }}

[jobs.talk.steps.say]
type = "text"
dynamic = true
command = ["sh", "-c", 'cd "$AIRLOCK_OUTPUT"; printf a > one; printf b > two']

[jobs.talk.steps.all]
type = "text"
inputs.all = "g"
{}
"#,
        join()
    ));
    let run = project.run_job("talk");
    assert_eq!(project.given("all"), "one=A!;two=B!;");
    assert!(project.files("data", &run).contains("data/runs=RUN/g%2emark%5bone%5d/result.txt"));
    assert_eq!(project.given("g.mark[two]"), "B!");
}

#[test]
fn a_run_goes_on_from_a_step_of_a_graph_that_failed() {
    let project = words();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project.put("airlock.toml", &definitions.replace("printf \"%s!\"", "test -e ready && printf \"%s!\""));
    assert_eq!(project.run(&["run", "job:talk"]).code, Some(1));
    project.put("ready", "");
    let said = project.run(&["run", "--retry", "latest"]).ok();
    assert_prints(
        &said,
        "
✓ talk.once.mark …
✓ talk.twice.upper …
✓ talk.twice.mark …
✓ all …
run …: 4 steps done in …",
    );
    assert_eq!(project.given("all"), "say=hello;talk.once.mark=HELLO!;talk.twice.mark=HELLO!!;");
}

/// Days, and what a graph makes of each.
fn assets() -> Project {
    Project::new(&format!(
        r#"{WORDS}
[ops.join]
type = "text"
{}

[partitions.days]
daily = {{ start = "2024-01-01", end = "2024-01-03" }}

[assets.day]
type = "text"
partitions = "days"
command = ["sh", "-c", 'printf "day $AIRLOCK_PARTITION" > "$AIRLOCK_OUTPUT"']

[assets."loud/day"]
graph = "two_steps"
partitions = "days"
inputs = ["day"]

[assets.all]
type = "text"
inputs.days = "loud/day"
{}

[graphs.two_steps]
steps.upper = {{ op = "upper", inputs.text = {{ input = "day" }}, io = "attic" }}
outputs.result = "mark"

[graphs.two_steps.steps.mark]
type = "text"
metadata = {{ made = "loud" }}
inputs.upper = "upper"
inputs.day = {{ input = "day" }}
command = ["sh", "-c", 'printf "%s! $AIRLOCK_ASSET $(cat "$AIRLOCK_INPUT_DAY")" "$(cat "$AIRLOCK_INPUT_UPPER")" > "$AIRLOCK_OUTPUT"']
"#,
        join(),
        join()
    ))
}

#[test]
fn an_asset_is_made_from_a_graph_whose_last_step_gives_its_value() {
    let project = assets();
    let said = project.run(&["run", "-p", "all", "--format", "json"]).json();
    let run = said["run"]["run_id"].as_str().unwrap();
    assert_eq!(
        project.load("all"),
        "2024-01-01=DAY 2024-01-01! loud/day day 2024-01-01;2024-01-02=DAY 2024-01-02! loud/day day 2024-01-02;"
    );
    // What its other steps gave lies under the run, and the asset where assets do.
    assert!(project.path("data/loud/day/days=2024-01-02.txt").is_file());
    let attic: Vec<String> = project.files("attic", run).into_iter().collect();
    assert_eq!(attic.len(), 2);
    assert!(attic.iter().all(|file| file.starts_with("attic/runs=RUN/loud%2fday%2eupper%5b2024-01-0")), "{attic:?}");
    let steps: Vec<Value> = project.events("STEP_SUCCESS").iter().map(|event| event["step_key"].clone()).collect();
    assert_eq!(steps.len(), 7, "{steps:?}");
    let made = project.events("ASSET_MATERIALIZATION");
    let made: Vec<&Value> = made.iter().filter(|event| event["asset"] == "loud/day").collect();
    assert_eq!((made.len(), &made[0]["metadata"][0]["label"]), (2, &Value::from("made")));
    assert_eq!(project.run(&["run", "--missing"]).stderr, "nothing to do: nothing is missing\n");
}

#[test]
fn what_the_steps_of_an_asset_gave_is_shown_loaded_and_removed() {
    let project = assets();
    project.run(&["run", "-p", "2024-01-02", "day", "loud/day"]).ok();
    assert_eq!(project.given("loud/day.upper[2024-01-02]"), "DAY 2024-01-02");
    let shown = project.run(&["show", "loud/day"]).ok();
    assert!(shown.contains("after      loud/day.upper: the command sh"), "{shown}");
    let removed = project.run(&["wipe", "--run", "latest", "--yes"]).ok();
    assert!(removed.contains("/attic/runs="), "{removed}");
    // The asset itself is of no run.
    assert_eq!(project.run(&["load", "loud/day", "-p", "2024-01-02"]).code, Some(0));
    project.run(&["load", "--run", "latest", "loud/day.other"]).fails(
        2,
        "
error: the run … gave no `loud/day.other`: there is `loud/day.upper[2024-01-02]`
hint: …",
    );
}

#[test]
fn what_the_graph_of_an_asset_depends_on_the_asset_does() {
    let project = assets();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    // Only a step before the last loads the day.
    project.put(
        "airlock.toml",
        &definitions.replace("inputs.day = { input = \"day\" }\n", "").replace("$(cat \"$AIRLOCK_INPUT_DAY\")", ""),
    );
    let said = project.run(&["run", "+loud/day", "-p", "2024-01-02"]).ok();
    assert_prints(
        &said,
        "
✓ day[2024-01-02] …
✓ loud/day.upper[2024-01-02] …
✓ loud/day[2024-01-02] …
run …",
    );
    project.run(&["run", "day", "-p", "2024-01-02"]).ok();
    let said = project.run(&["run", "+loud/day", "--missing"]).ok();
    assert!(said.contains("5 steps done"), "both days, of which one was never made: {said}");
}

#[test]
fn a_run_goes_on_from_a_graph_of_an_asset_with_what_its_steps_gave() {
    let project = assets();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project
        .put("airlock.toml", &definitions.replace("printf \"%s! $AIRLOCK", "test -e ready && printf \"%s! $AIRLOCK"));
    assert_eq!(project.run(&["run", "loud/day", "day", "-p", "all"]).code, Some(1));
    project.put("ready", "");
    let said = project.run(&["run", "--retry", "latest"]).ok();
    assert_prints(
        &said,
        "
✓ loud/day …  2 partitions
run …: 2 steps done in …",
    );
    assert_eq!(project.run(&["load", "loud/day", "-p", "2024-01-02"]).ok(), "DAY 2024-01-02! loud/day day 2024-01-02");
}

#[test]
fn what_computes_an_asset_is_its_whole_graph() {
    let project = assets();
    project.run(&["run", "-p", "all"]).ok();
    assert_eq!(project.run(&["run", "--changed"]).stderr, "nothing to do: nothing is missing or changed\n");
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project.put("airlock.toml", &definitions.replace("tr a-z A-Z", "tr a-y A-Y"));
    let said = project.run(&["run", "--changed"]).ok();
    assert!(said.contains("5 steps done"), "{said}");
}

#[test]
fn each_mistake_in_a_graph_is_told_at_its_place_and_once() {
    let project = words();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    let mistakes = |from: &str, to: &str| {
        assert!(definitions.contains(from), "{from}");
        project.put("airlock.toml", &definitions.replacen(from, to, 1));
        let checked = project.run(&["check"]);
        assert_eq!(checked.code, Some(2), "{checked:?}");
        checked.stderr.lines().filter(|line| line.starts_with("error")).map(str::to_owned).collect::<Vec<_>>()
    };
    for (from, to, said) in [
        ("graph = \"two\"", "graph = \"too\"", "error: there is no graph `too`"),
        (
            "{ graph = \"loud\", inputs.said = \"once\" }",
            "{ graph = \"two\", inputs.text = \"once\" }",
            "error: the graph `two` is made of itself",
        ),
        (
            "inputs.text = \"say\"",
            "inputs.text = \"say\", inputs.more = \"say\"",
            "error: no step of the graph `two` takes the input `more`",
        ),
        (
            "\"talk.first\"",
            "\"talk.second\"",
            "error: the step `talk` has no output `second`: the graph `two` does not give it",
        ),
        ("first = \"once\"", "first = \"never\"", "error: there is no step `never` in the graph `two`"),
        (
            "inputs.text = { input = \"said\" }",
            "inputs.text = { input = \"sait\" }",
            "error: `talk.once` is made from the graph `loud`, and does not say its input `sait`",
        ),
        ("steps.once = {", "steps.once = { op = \"upper\",", "error: the step `once` has no key `op`"),
    ] {
        let found = mistakes(from, to);
        assert_eq!(found.first().map(String::as_str), Some(said), "{found:?}");
    }
    let once = mistakes("steps.upper = { op = \"upper\",", "steps.upper = { op = \"upper\", type = \"txt\",");
    assert_eq!(
        once,
        ["error: `txt` is not one of the values of `type`", "error: 1 mistake in the definitions: airlock.toml"]
    );
}

#[test]
fn a_graph_that_grows_beyond_all_bounds_is_refused() {
    let graph = |level: usize| match level.checked_sub(1) {
        Some(inner) => {
            format!("g{level}.steps = {{ a = {{ graph = \"g{inner}\" }}, b = {{ graph = \"g{inner}\" }} }}\n")
        }
        None => "g0.steps.a = { command = [\"true\"], type = \"none\" }\n".to_owned(),
    };
    let graphs: String = (0..40).map(graph).collect();
    let text = format!("[graphs]\n{graphs}[jobs]\nall.steps.a = {{ graph = \"g39\" }}\n");
    let project = Project::new(&text);
    let checked = project.run(&["check"]);
    assert_eq!(checked.code, Some(2));
    assert!(
        checked.stderr.contains("error: the graphs of the job `all` come to more than 100000 steps"),
        "{}",
        checked.stderr
    );
}

#[test]
fn an_asset_is_made_from_a_graph_that_gives_one_value() {
    let project = assets();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    for (from, to, said) in [
        (
            "outputs.result = \"mark\"\n\n[graphs.two_steps",
            "outputs = { result = \"mark\", upper = \"upper\" }\n\n[graphs.two_steps",
            "the graph `two_steps` gives 2 outputs, and an asset is one value",
        ),
        (
            "graph = \"two_steps\"",
            "graph = \"two_steps\"\ncommand = [\"true\"]",
            "the asset `loud/day` is made from a graph, so it takes no `command`",
        ),
        (
            "graph = \"two_steps\"",
            "graph = \"two_steps\"\npartitions_per_step = 2",
            "the steps of a graph compute one partition each: `loud/day` is made from one",
        ),
        ("graph = \"two_steps\"", "graph = \"two_step\"", "there is no graph `two_step`"),
        (
            "inputs.text = { input = \"day\" }, io",
            "inputs.text = { input = \"day\" }, dynamic = true, io",
            "the step `loud/day.upper` of an asset cannot have a `dynamic` output",
        ),
        (
            "[assets.day]",
            "[assets.\"loud/day.upper\"]\ntype = \"text\"\ncommand = [\"true\"]\n\n[assets.day]",
            "`loud/day.upper` is also what a step of the graph of `loud/day` is called",
        ),
    ] {
        assert!(definitions.contains(from), "{from}");
        project.put("airlock.toml", &definitions.replacen(from, to, 1));
        let checked = project.run(&["check"]);
        assert_eq!(checked.code, Some(2), "{said}: {checked:?}");
        assert!(checked.stderr.contains(&format!("error: {said}\n")), "{said}: {}", checked.stderr);
    }
}

#[test]
fn a_component_of_a_graph_is_lent_more_where_it_stands() {
    let project = Project::new(&format!(
        r#"
[graphs.g]
outputs.result = "hold"

[graphs.g.steps.hold]
type = "text"
inputs.parts = {{ input = "parts" }}
component = {{ path = "{}", config = {{ op = "join" }}, limits = {{ memory = "1MiB" }} }}

[jobs.j]
steps.g = {{ graph = "g", inputs.parts = ["say"] }}

[jobs.j.steps.say]
type = "text"
command = ["sh", "-c", 'printf hello > "$AIRLOCK_OUTPUT"']
"#,
        guest("test-ops")
    ));
    let ran = project.run(&["run", "job:j"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.stderr.contains("[graphs.g.steps.hold.component]"), "{}", ran.stderr);
}
