//! Values that lie where the configuration of their output says, from end to end.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;

use project::Project;

/// I/O managers that are lent the whole of `data`.
const WHOLE: &str = r#"
[io.inbox]
component = "builtin:files"
mounts."/data" = { path = "data", access = "write", scope = "mount" }

[io.tables]
component = "builtin:tables"
config = { format = "csv" }
mounts."/data" = { path = "data", access = "write", scope = "mount" }
"#;

#[test]
fn a_value_is_stored_and_loaded_at_the_path_that_its_output_says() {
    let project = Project::of(&format!(
        r#"{WHOLE}
        [assets.orders]
        type = "text"
        io = "inbox"
        config = {{ path = "2024/all orders.txt" }}
        command = ["sh", "-c", 'printf "three orders" > "$AIRLOCK_OUTPUT"']

        [assets.shout]
        type = "text"
        io = "inbox"
        inputs = ["orders"]
        command = ["sh", "-c", 'tr a-z A-Z < "$AIRLOCK_INPUT_ORDERS" > "$AIRLOCK_OUTPUT"']
        "#
    ));
    project.run(&["run"]).ok();
    assert_eq!(std::fs::read_to_string(project.path("data/2024/all orders.txt")).unwrap(), "three orders");
    assert_eq!((project.load("orders"), project.load("shout")), ("three orders".to_owned(), "THREE ORDERS".to_owned()));
    project.put("data/2024/all orders.txt", "four orders");
    assert_eq!(project.load("orders"), "four orders");
}

#[test]
fn what_something_else_put_there_is_loaded_and_partitions_lie_each_at_its_own() {
    let project = Project::of(&format!(
        r#"{WHOLE}
        [partitions.regions]
        static = ["eu", "us"]

        [assets.sales]
        type = "table"
        io = "tables"
        partitions = "regions"
        external = true
        config = {{ path = "incoming/sales-{{partition}}.csv" }}

        [assets.all]
        type = "table"
        io = "tables"
        inputs = ["sales"]
        config = {{ path = "out/all.csv" }}
        command = ["sh", "-c", 'cat "$AIRLOCK_INPUT_SALES"/*us.csv > "$AIRLOCK_OUTPUT"']
        "#
    ));
    project.put("data/incoming/sales-eu.csv", "item,price\nhat,3\n");
    project.put("data/incoming/sales-us.csv", "item,price\ncoat,4\n");
    assert_eq!(project.run(&["load", "sales", "--partition", "eu"]).ok(), "item,price\nhat,3\n");
    project.run(&["run"]).ok();
    assert_eq!(project.load("all"), "item,price\ncoat,4\n");
    assert_eq!(std::fs::read_to_string(project.path("data/out/all.csv")).unwrap(), "item,price\ncoat,4\n");
}

#[test]
fn a_path_that_leads_out_or_tells_no_partition_is_refused_and_nothing_is_written() {
    for (config, partitions, said) in [
        (r#"path = "../outside.txt""#, "", "is not one below the directory that is lent"),
        (r#"path = "/etc/outside.txt""#, "", "is not one below the directory that is lent"),
        (r#"path = "all.txt""#, "partitions = \"letters\"", "lacks `{partition}`, so all partitions would lie there"),
        (r#"path = "{partition}.txt""#, "", "has `{partition}`, and the value has no partitions"),
        (
            r#"path = "{partition}.txt""#,
            "partitions = \"slashes\"",
            "cannot have the key of a partition in it that has a `/`",
        ),
    ] {
        let project = Project::of(&format!(
            r#"{WHOLE}
            [partitions.letters]
            static = ["a"]
            [partitions.slashes]
            static = ["../a"]

            [assets.a]
            type = "text"
            io = "inbox"
            {partitions}
            config = {{ {config} }}
            command = ["sh", "-c", 'printf x > "$AIRLOCK_OUTPUT"']
            "#
        ));
        let arguments = if partitions.is_empty() { &["run"][..] } else { &["run", "--partition", "all"] };
        let ran = project.run(arguments);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        assert!(ran.stderr.contains(said), "{config}: {}", ran.stderr);
        assert!(!project.path("outside.txt").exists() && !project.path("a.txt").exists());
    }
}

#[test]
fn without_the_whole_mount_a_path_is_denied_with_what_would_allow_it() {
    let project = Project::of(&format!(
        r#"{}
        [assets.a]
        type = "text"
        io = "inbox"
        config = {{ path = "elsewhere.txt" }}
        command = ["sh", "-c", 'printf x > "$AIRLOCK_OUTPUT"']
        "#,
        WHOLE.replace(", scope = \"mount\"", "")
    ));
    let ran = project.run(&["run"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("scope = \"mount\""), "{}", ran.stderr);
}
