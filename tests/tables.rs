//! Tables from end to end: the forms that commands give and find them in, what is stored, what is loaded.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::Project;
use serde_json::{Value, json};

const LAKE: &str = r#"
[defaults]
io = "lake"

[io.lake]
component = "builtin:tables"
config = { format = "FORMAT" }
mounts."/data" = { path = "data", access = "write" }

[io.files]
component = "builtin:files"
mounts."/data" = { path = "data", access = "write" }
"#;

const PEOPLE: &str = r#"
[assets.people]
type = "table"
command = ["sh", "-c", "cp people.csv $AIRLOCK_OUTPUT"]
schema = { name = "string", age = "int32", born = "date" }
"#;

/// A project that keeps tables as `format`, with a table of people.
fn people(format: &str, more: &str) -> Project {
    let project = Project::of(&format!("{}{PEOPLE}{more}", LAKE.replace("FORMAT", format)));
    write(&project, "name,age,born\nAnn,41,1984-02-01\n\"O\"\"Hara, ü\",,\n");
    project
}

fn write(project: &Project, people: &str) {
    std::fs::write(project.path("people.csv"), people).unwrap();
}

fn recorded(project: &Project, asset: &str) -> Value {
    let shown = project.run(&["show", asset, "--format", "json"]).json();
    let metadata = shown["asset"]["materializations"][0]["metadata"].as_array().unwrap().clone();
    metadata
        .into_iter()
        .map(|entry| (entry["label"].as_str().unwrap().to_owned(), entry["value"]["value"].clone()))
        .collect()
}

#[test]
fn a_table_is_kept_in_each_format_and_loads_as_it_was() {
    for (format, file) in
        [("parquet", "people.parquet"), ("csv", "people.csv"), ("jsonl", "people.jsonl"), ("arrow", "people.arrow")]
    {
        let project = people(format, "");
        project.run(&["run"]).ok();
        assert!(project.path("data").join(file).exists(), "{format}");
        let expected = json!([
            { "name": "Ann", "age": 41, "born": "1984-02-01" },
            { "name": "O\"Hara, ü", "age": null, "born": null },
        ]);
        assert_eq!(project.run(&["load", "people", "--as", "json"]).json(), expected, "{format}");
        assert_eq!(project.load("people"), "name,age,born\nAnn,41,1984-02-01\n\"O\"\"Hara, ü\",,\n", "{format}");
        let recorded = recorded(&project, "people");
        assert_eq!(recorded["dagster/row_count"], 2, "{format}");
        let columns = recorded["dagster/column_schema"]["columns"].as_array().unwrap();
        let columns: Vec<_> = columns.iter().map(|column| column["name"].as_str().unwrap()).collect();
        assert_eq!(columns, ["name", "age", "born"], "{format}");
    }
}

#[test]
fn another_format_takes_the_place_of_the_old_one() {
    let project = people("parquet", "");
    project.run(&["run"]).ok();
    let definitions = std::fs::read_to_string(project.path("airlock.toml")).unwrap();
    std::fs::write(project.path("airlock.toml"), definitions.replace("parquet", "arrow")).unwrap();
    // What was stored before loads still, and is gone once it is stored anew.
    assert!(project.load("people").starts_with("name,age,born\n"));
    project.run(&["run"]).ok();
    assert!(project.path("data/people.arrow").exists() && !project.path("data/people.parquet").exists());
}

#[test]
fn a_command_finds_tables_in_the_form_and_with_the_columns_that_it_asks_for() {
    let project = people(
        "parquet",
        r#"
[assets.report]
type = "json"
io = "files"
command = ["python3", "report.py"]

[assets.report.inputs]
csv = "people"
jsonl = { asset = "people", as = "jsonl", columns = ["age", "name"] }
json = { asset = "people", as = "json", columns = ["born"] }
parquet = { asset = "people", as = "parquet" }
arrow = { asset = "people", as = "arrow" }
"#,
    );
    std::fs::write(
        project.path("report.py"),
        "import airlock\n\
         told = {name: airlock.input_media_type(name) for name in ['csv', 'jsonl', 'json', 'parquet', 'arrow']}\n\
         texts = [airlock.load_text(name) for name in ['csv', 'jsonl', 'json']]\n\
         heads = [airlock.load_bytes(name)[:4].hex() for name in ['parquet', 'arrow']]\n\
         airlock.store_json([told, texts, heads])\n",
    )
    .unwrap();
    project.run(&["run"]).ok();
    let report: Value = serde_json::from_str(&project.load("report")).unwrap();
    assert_eq!(
        report[0],
        json!({
            "csv": "text/csv", "jsonl": "application/x-ndjson", "json": "application/json",
            "parquet": "application/vnd.apache.parquet", "arrow": "application/vnd.apache.arrow.stream",
        })
    );
    assert_eq!(report[1][0], "name,age,born\nAnn,41,1984-02-01\n\"O\"\"Hara, ü\",,\n");
    // In the order that the table has them.
    assert_eq!(report[1][1], "{\"name\":\"Ann\",\"age\":41}\n{\"name\":\"O\\\"Hara, ü\",\"age\":null}\n");
    assert_eq!(report[1][2], "[{\"born\":\"1984-02-01\"},{\"born\":null}]");
    assert_eq!(report[2], json!(["50415231", "ffffffff"]));
}

#[test]
fn a_command_gives_a_table_in_any_form() {
    let project = people("parquet", "");
    project.run(&["run"]).ok();
    for form in ["csv", "json", "jsonl", "parquet", "arrow"] {
        project.run(&["load", "people", "--as", form, "-o", &format!("people.{form}")]).ok();
        let copy = format!(
            r#"
[assets.copy]
type = "table"
as = "{form}"
command = ["sh", "-c", "cp people.{form} $AIRLOCK_OUTPUT"]
schema = {{ name = "string", age = "int32", born = "date" }}
"#
        );
        std::fs::write(project.path("copy.toml"), format!("{}{copy}", LAKE.replace("FORMAT", "parquet"))).unwrap();
        project.run(&["run", "--file", "copy.toml"]).ok();
        let copied = project.run(&["load", "copy", "--file", "copy.toml", "--as", "csv"]).ok();
        assert_eq!(copied, project.load("people"), "{form}");
    }
}

#[test]
fn what_does_not_fit_the_schema_is_told_by_its_line_and_column_and_leaves_what_was_stored() {
    let project = people("parquet", "");
    project.run(&["run"]).ok();
    for (people, said) in [
        (
            "name,age,born\nAnn,41,1984-02-01\nBob,old,\n",
            "error: people: cannot read the value of `people` as csv: line 3, column \"age\": \"old\" is no int32",
        ),
        (
            "name,age\nAnn,41\n",
            "error: people: cannot read the value of `people` as csv: it has \"name\", \"age\", not …",
        ),
        ("", "error: people: cannot read the value of `people` as csv: it has no columns, not …"),
        ("name,age,born\nAnn,41\n", "error: people: cannot read the value of `people` as csv: line 2…"),
    ] {
        write(&project, people);
        project.run(&["run"]).fails(1, said);
    }
    assert!(project.load("people").contains("O\"\"Hara"));
}

#[test]
fn what_is_no_table_cannot_be_converted() {
    let project = people("parquet", "[assets.text]\ntype = \"text\"\nio = \"files\"\ncommand = [\"true\"]\n");
    project
        .run(&["load", "text", "--as", "csv"])
        .fails(2, "error: `text` is no table, so `--as` has nothing to convert");
    // Nor is what a component gives in place of one stored.
    let ops = project::guest("test-ops");
    let definitions = format!(
        "{}[assets.told]\ntype = \"table\"\ncomponent = {{ path = \"{ops}\", config = {{ op = \"join\" }} }}\n",
        LAKE.replace("FORMAT", "parquet")
    );
    std::fs::write(project.path("told.toml"), definitions).unwrap();
    project.run(&["run", "--file", "told.toml"]).fails(
        1,
        "error: told: the value of `told` is text/plain, and it is defined as application/vnd.apache.arrow.stream\n…",
    );
}

#[test]
fn the_extension_of_a_file_tells_the_form_of_a_table() {
    let project = people("csv", "");
    project.run(&["run"]).ok();
    for (file, head) in
        [("a.parquet", &b"PAR1"[..]), ("a.json", b"[{"), ("a.csv", b"name,"), ("a", b"\xff\xff\xff\xff")]
    {
        project.run(&["load", "people", "-o", file]).ok();
        assert!(std::fs::read(project.path(file)).unwrap().starts_with(head), "{file}");
    }
}

#[test]
fn what_is_no_table_does_not_take_the_place_of_one_whoever_stores_it() {
    let table = |command: &str| {
        let files = LAKE.replace("FORMAT", "parquet").replace("io = \"lake\"", "io = \"files\"");
        format!("{files}[assets.t]\ntype = \"table\"\nas = \"arrow\"\ncommand = [\"sh\", \"-c\", \"{command}\"]\n")
    };
    let project = people("parquet", "");
    project.run(&["run"]).ok();
    project.run(&["load", "people", "--as", "arrow", "-o", "people.arrows"]).ok();
    std::fs::write(project.path("t.toml"), table("cp people.arrows $AIRLOCK_OUTPUT")).unwrap();
    project.run(&["run", "--file", "t.toml"]).ok();
    std::fs::write(project.path("t.toml"), table("echo garbage > $AIRLOCK_OUTPUT")).unwrap();
    let failed = project.run(&["run", "--file", "t.toml"]);
    failed.fails(1, "error: t: cannot read the value of `t` as arrow: …");
    assert!(project.run(&["load", "t", "--file", "t.toml"]).ok().starts_with("name,age,born\n"));
}

#[test]
fn an_op_is_given_the_columns_that_it_asks_for_whoever_stored_the_table() {
    let ops = project::guest("test-ops");
    let project = people("parquet", "");
    project.run(&["run"]).ok();
    project.run(&["load", "people", "--as", "arrow", "-o", "people.arrows"]).ok();
    let definitions = format!(
        r#"{}
[assets.t]
type = "table"
as = "arrow"
io = "files"
command = ["sh", "-c", "cp people.arrows $AIRLOCK_OUTPUT"]

[assets.given]
type = "bytes"
io = "files"
component = {{ path = "{ops}", config = {{ op = "copy" }} }}
inputs.part = {{ asset = "t", columns = ["age"] }}
"#,
        LAKE.replace("FORMAT", "parquet")
    );
    std::fs::write(project.path("t.toml"), definitions).unwrap();
    project.run(&["run", "--file", "t.toml"]).ok();
    let given = std::fs::read(project.path("data/given.arrows")).unwrap();
    let holds = |text: &str| given.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("age") && !holds("name") && !holds("Hara"));
}

/// Days that are tables, and texts that say which they are.
const DAYS: &str = r#"
[partitions.days]
daily = { start = "2012-03-01", end = "2012-03-04" }

[assets.day]
type = "table"
partitions = "days"
command = ["sh", "-c", 'printf "day\n$AIRLOCK_PARTITION\n" > "$AIRLOCK_OUTPUT"']

[assets.note]
type = "text"
io = "files"
partitions = "days"
command = ["sh", "-c", 'printf "$AIRLOCK_PARTITION" > "$AIRLOCK_OUTPUT"']
"#;

#[test]
fn several_partitions_are_loaded_into_a_directory_a_file_each() {
    let project = Project::of(&format!("{}{DAYS}", LAKE.replace("FORMAT", "parquet")));
    project.run(&["run", "--partition", "all"]).ok();
    let ran = project.run(&["load", "day", "-p", "2012-03-02..2012-03-03", "--as", "csv", "-o", "some/days"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), "2 files in some/days\n"));
    let read = |file: &str| std::fs::read_to_string(project.path(file)).unwrap();
    assert_eq!(std::fs::read_dir(project.path("some/days")).unwrap().count(), 2);
    assert_eq!(read("some/days/2012-03-03.csv"), "day\n2012-03-03\n");
    project.run(&["load", "note", "-p", "all", "-o", "notes"]).ok();
    assert_eq!(read("notes/2012-03-01.txt"), "2012-03-01");
    project.run(&["load", "day", "-p", "all", "-o", "tables"]).ok();
    assert!(project.path("tables/2012-03-01.arrows").exists());
    // A range of one is a range.
    let ran = project.run(&["load", "note", "-p", "2012-03-01..2012-03-01", "-o", "one"]);
    assert_eq!(ran.stderr, "1 file in one\n");
}

#[test]
fn several_partitions_are_not_printed_as_one_value() {
    let project = Project::of(&format!("{}{DAYS}", LAKE.replace("FORMAT", "parquet")));
    project.run(&["load", "day", "-p", "all"]).fails(
        2,
        "
error: `all` is not one value of `day`, but 3 partitions
hint: name a directory for them, where each gets a file: `-o DIRECTORY`",
    );
    let told = project.run(&["load", "note", "-p", "all", "-o", "notes"]);
    told.fails(
        1,
        "
error: cannot load `note[2012-03-01]` with the I/O manager `files`: it has no stored value
hint: run it first: airlock run note --partition 2012-03-01",
    );
}
