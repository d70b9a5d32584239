//! Assets in partitions of several dimensions, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::{Project, assert_prints, guest};
use serde_json::{Value, json};

/// A rate for each day, sales of a day in a region, which load the rate of the day, and for each region and each day a
/// list of its sales.
const SALES: &str = r#"
[partitions.days]
daily = { start = "2024-01-01", end = "2024-01-04" }

[partitions.regions]
static = ["eu", "us"]

[partitions.sales]
dimensions = { region = "regions", day = "days" }

[assets.rate]
type = "text"
partitions = "days"
command = ["sh", "-c", 'printf "rate of $AIRLOCK_PARTITION" > $AIRLOCK_OUTPUT']

[assets.sale]
type = "text"
partitions = "sales"
inputs = ["rate"]
command = ["sh", "-c", '''
echo "$AIRLOCK_PARTITION" >> computed
printf "$AIRLOCK_PARTITION_REGION $AIRLOCK_PARTITION_DAY $AIRLOCK_PARTITION_START at " > $AIRLOCK_OUTPUT
cat $AIRLOCK_INPUT_RATE >> $AIRLOCK_OUTPUT''']

[assets.region]
type = "text"
partitions = "regions"
inputs.sales = "sale"
component = { path = "TEST_OPS", config = { op = "join" } }

[assets.day]
type = "text"
partitions = "days"
inputs.sales = "sale"
command = ["python3", "-c", '''
import airlock
sales = airlock.input_partitions("sales")
airlock.store_text(" ".join(sales) + "; " + " ".join(path.read_text() for path in sales.values()))
''']
"#;

fn sales() -> Project {
    Project::new(&SALES.replace("TEST_OPS", &guest("test-ops")))
}

/// The partitions of sales that a run with `arguments` computes, sorted.
fn computed(project: &Project, arguments: &[&str]) -> Vec<String> {
    project.put("computed", "");
    project.run(&[&["run"], arguments].concat()).ok();
    let computed = std::fs::read_to_string(project.path("computed")).unwrap();
    let mut computed: Vec<String> = computed.lines().map(str::to_owned).collect();
    computed.sort();
    computed
}

#[test]
fn every_combination_is_computed_and_lies_in_a_directory_for_each_dimension() {
    let project = sales();
    let printed = project.run(&["run", "sale", "+rate", "--partition", "all"]).ok();
    assert!(printed.contains("✓ sale") && printed.contains("6 partitions"), "{printed}");
    let text = std::fs::read_to_string(project.path("data/sale/day=2024-01-02/region=us.txt")).unwrap();
    assert_eq!(text, "us 2024-01-02 2024-01-02T00:00:00+00:00 at rate of 2024-01-02");
    assert_eq!(project.run(&["load", "sale", "--partition", "2024-01-02|us"]).ok(), text);
    let made = project.run(&["show", "sale", "--format", "json"]).json();
    let keys: Vec<&str> = made["asset"]["materializations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|made| made["partition"].as_str().unwrap())
        .collect();
    assert_eq!(keys.len(), 6);
    assert!(keys.contains(&"2024-01-03|eu"), "{keys:?}");
}

#[test]
fn one_dimension_loads_all_of_the_other_in_both_directions() {
    let project = sales();
    project.run(&["run", "--partition", "all"]).ok();
    let region = project.run(&["load", "region", "--partition", "eu"]).ok();
    let of = |day: &str| format!("{day}|eu=eu {day} {day}T00:00:00+00:00 at rate of {day};");
    assert_eq!(region, ["2024-01-01", "2024-01-02", "2024-01-03"].map(of).concat());
    let day = project.run(&["load", "day", "--partition", "2024-01-02"]).ok();
    assert!(day.starts_with("2024-01-02|eu 2024-01-02|us; eu 2024-01-02 "), "{day}");
}

#[test]
fn each_dimension_of_a_partition_may_be_a_range_or_all() {
    let project = sales();
    project.run(&["run", "rate", "--partition", "all"]).ok();
    assert_eq!(computed(&project, &["sale", "--partition", "2024-01-03|eu"]), ["2024-01-03|eu"]);
    assert_eq!(computed(&project, &["sale", "--partition", "2024-01-03|*"]), ["2024-01-03|eu", "2024-01-03|us"]);
    assert_eq!(
        computed(&project, &["sale", "region", "--partition", "2024-01-01..2024-01-02|us"]),
        ["2024-01-01|us", "2024-01-02|us"]
    );
    // What depends on a day is of all regions, and of the day; the other days are there.
    project.run(&["run", "sale", "--partition", "all"]).ok();
    let run = project.run(&["run", "rate+", "--partition", "2024-01-01", "--format", "json"]).json();
    let steps: Vec<&str> =
        run["run"]["steps"].as_array().unwrap().iter().map(|step| step["key"].as_str().unwrap()).collect();
    assert_eq!(
        steps,
        [
            "rate[2024-01-01]",
            "sale[2024-01-01|eu]",
            "sale[2024-01-01|us]",
            "region[eu]",
            "region[us]",
            "day[2024-01-01]"
        ]
    );
    let hint = "\nhint: `airlock show sale` shows which partitions there are; name assets to leave others out";
    let refused = |partition: &str, expected: &str| {
        project.run(&["run", "sale", "--partition", partition]).fails(2, &format!("error: `sale`: {expected}{hint}"));
    };
    refused(
        "2024-01-03|uk",
        "`region` has no partition \"uk\": its partitions are \"eu\" to \"us\"; did you mean `us`?",
    );
    refused(
        "2024-01-01|eu..2024-01-02|eu",
        "\"2024-01-01|eu..2024-01-02|eu\" is no partition of `sales`, which has the dimensions `day` and `region`: write a key of \
         each as in \"2024-01-01|eu\", or for a key a range A..B of it, or * for all",
    );
}

#[test]
fn what_is_missing_of_several_dimensions_is_found_and_listed_as_it_can_be_run() {
    let project = sales();
    project.run(&["run", "--partition", "all"]).ok();
    assert_eq!(project.run(&["run", "--missing"]).stderr, "nothing to do: nothing is missing\n");
    std::fs::remove_file(project.path("data/sale/day=2024-01-02/region=us.txt")).unwrap();
    std::fs::remove_file(project.path("data/sale/day=2024-01-03/region=us.txt")).unwrap();
    let listed = project.run(&["ls", "--format", "json"]).json();
    let sale =
        &listed["assets"].as_array().unwrap().iter().find(|asset| asset["name"] == "sale").unwrap()["partitions"];
    assert_eq!((&sale["count"], &sale["stored"]), (&json!(6), &json!(4)));
    assert_eq!(sale["missing"], json!(["2024-01-02..2024-01-03|us"]));
    let shown = project.run(&["show", "sale"]).ok();
    assert!(shown.contains("sales: 2024-01-01|eu to 2024-01-03|us, 4 of 6 stored"), "{shown}");
    assert_eq!(computed(&project, &["--missing"]), ["2024-01-02|us", "2024-01-03|us"]);
    assert_eq!(project.run(&["run", "--missing"]).stderr, "nothing to do: nothing is missing\n");
    // What an older value of is loaded is missing still, and nothing else is.
    project.run(&["run", "rate", "--partition", "2024-01-01"]).ok();
    let run = project.run(&["run", "--missing", "--format", "json"]).json();
    let steps: Vec<&Value> = run["run"]["steps"].as_array().unwrap().iter().map(|step| &step["key"]).collect();
    assert_eq!(steps, ["sale[2024-01-01|eu]", "sale[2024-01-01|us]", "region[eu]", "region[us]", "day[2024-01-01]"]);
}

#[test]
fn what_is_unchanged_in_several_dimensions_is_passed_over() {
    let project = sales();
    let all = ["--skip-unchanged", "--partition", "all"];
    assert_eq!(computed(&project, &all).len(), 6);
    assert_eq!(computed(&project, &all), [""; 0]);
    std::fs::remove_file(project.path("data/sale/day=2024-01-02/region=us.txt")).unwrap();
    assert_eq!(computed(&project, &all), ["2024-01-02|us"]);
}

#[test]
fn partitions_of_several_dimensions_are_loaded_into_a_directory() {
    let project = sales();
    project.run(&["run", "sale", "rate", "--partition", "all"]).ok();
    let loaded = project.run(&["load", "sale", "--partition", "*|eu", "-o", "eu"]);
    assert_eq!((loaded.code, loaded.stderr.as_str()), (Some(0), "3 files in eu\n"));
    let file = std::fs::read_to_string(project.path("eu/2024-01-02%7ceu.txt")).unwrap();
    assert!(file.starts_with("eu 2024-01-02 "), "{file}");
    project.run(&["load", "sale", "--partition", "*|eu"]).fails(
        2,
        "
error: `*|eu` is not one value of `sale`, but 3 partitions
hint: name a directory for them, where each gets a file: `-o DIRECTORY`",
    );
    project
        .run(&["load", "sale", "--partition", "*|uk", "-o", "uk"])
        .fails(2, "error: `sale`: `region` has no partition \"uk\"…\n…");
    std::fs::remove_file(project.path("data/sale/day=2024-01-02/region=us.txt")).unwrap();
    project.run(&["load", "sale", "--partition", "2024-01-02|us"]).fails(
        1,
        "
error: cannot load `sale[2024-01-02|us]` with the I/O manager `lake`: it has no stored value
hint: run it first: airlock run sale --partition '2024-01-02|us'",
    );
}

#[test]
fn components_are_told_every_dimension_and_the_window_of_the_only_one_of_time() {
    let project = Project::new(&format!(
        r#"
[partitions.both]
dimensions = {{ z = {{ static = ["a"] }}, date = {{ daily = {{ start = "2020-01-01", end = "2020-01-03" }} }} }}

[assets.told]
type = "json"
partitions = "both"
component = {{ path = "{}", config = {{ op = "tell" }} }}
"#,
        guest("test-ops")
    ));
    project.run(&["run", "--partition", "all"]).ok();
    let told: Value =
        serde_json::from_str(&project.run(&["load", "told", "--partition", "2020-01-02|a"]).ok()).unwrap();
    assert_eq!(told["keys"], json!(["2020-01-02|a"]));
    assert_eq!(told["dimensions"], json!([[["date", "2020-01-02"], ["z", "a"]]]));
    assert_eq!(
        (&told["window"], &told["zone"]),
        (&json!([1_577_923_200_000_u64, 1_578_009_600_000_u64]), &json!("UTC"))
    );
    assert!(project.path("data/told/date=2020-01-02/z=a.json").exists());
}

#[test]
fn a_day_of_a_region_loads_the_day_before_of_it() {
    let project = Project::new(
        r#"
[partitions.sales]
dimensions = { region = { static = ["eu", "us"] }, day = { daily = { start = "2024-01-01", end = "2024-01-04" } } }

[assets.total]
type = "text"
partitions = "sales"
command = ["python3", "total.py"]

[assets.total.inputs.before]
asset = "total"
partition_mapping = { dimensions = { day = { time_window = { start_offset = -1, end_offset = -1 } }, region = "identity" } }
"#,
    );
    project.put(
        "total.py",
        "import airlock\n\
         before = airlock.load_text('before') if airlock.has_input('before') else ''\n\
         airlock.store_text(before + airlock.partition('region') + airlock.partition('day')[-1] + ';')\n",
    );
    project.run(&["run", "--partition", "all", "--jobs", "4"]).ok();
    assert_eq!(project.run(&["load", "total", "--partition", "2024-01-03|us"]).ok(), "us1;us2;us3;");
    std::fs::remove_file(project.path("data/total/day=2024-01-02/region=eu.txt")).unwrap();
    let run = project.run(&["run", "--missing", "--format", "json"]).json();
    let steps: Vec<&Value> = run["run"]["steps"].as_array().unwrap().iter().map(|step| &step["key"]).collect();
    assert_eq!(steps, ["total[2024-01-02|eu]", "total[2024-01-03|eu]"]);
}

#[test]
fn a_combination_that_needs_what_is_not_there_is_refused_before_anything_runs() {
    let project = sales();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    let fewer = "region = { static = [\"eu\", \"us\", \"asia\"] }";
    project.put("airlock.toml", &definitions.replace("region = \"regions\", day", &format!("{fewer}, day")));
    let ran = project.run(&["check"]);
    assert_prints(
        &ran.stderr,
        "
error: the asset that is loaded has the dimensions `region` and `day`, and none of them has the partitions of the asset that loads
…
   = help: say what is loaded: `partition_mapping = \"all\"`, `{ dimension = \"…\" }` or `{ dimensions = { … } }`
…",
    );
    let by_region = "inputs.sales = { asset = \"sale\", partition_mapping = { dimension = \"region\" } }\ncomponent";
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    project.put(
        "airlock.toml",
        &definitions.replace("inputs.sales = \"sale\"\ncomponent", by_region).replace("\"us\", \"asia\"]", "\"asia\"]"),
    );
    project.run(&["run", "region", "--partition", "us"]).fails(
        2,
        "
error: `region` cannot load its input `sales`: the partition \"us\" of `regions` needs the same one of `region`, whose partitions are \"eu\" to \"asia\"
…",
    );
    assert!(!project.path("data").exists());
}
