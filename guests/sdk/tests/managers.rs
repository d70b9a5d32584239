//! Managers under test, as their authors test them.

use std::fs;
use std::io::{BufRead, Read, Write};
use std::path::Path;

use airlock_sdk::{
    AssetEvent, Error, InputContext, InputManager, Level, MetadataValue, NewPart, OutputContext, OutputManager, Part,
    PathIoManager, Reader, Sink, Source, StoredOutputBuilder, build_input_context, build_output_context,
};
use serde_json::json;

/// Keeps the lines of a text in reverse order.
struct Reversed;

impl PathIoManager for Reversed {
    fn extension() -> &'static str {
        "txt"
    }

    fn dump_to_path(_context: &OutputContext, part: &mut Reader, path: &Path) -> Result<(), Error> {
        let mut lines = part.lines().collect::<Result<Vec<_>, _>>()?;
        lines.reverse();
        Ok(fs::write(path, lines.join("\n"))?)
    }

    fn load_from_path(_context: &InputContext, path: &Path, part: NewPart) -> Result<(), Error> {
        let text = fs::read_to_string(path)?;
        let lines: Vec<&str> = text.lines().rev().collect();
        part.begin("text/plain")?.write_all(lines.join("\n").as_bytes())?;
        Ok(())
    }
}

const DAYS: [&str; 3] = ["2026-01-01", "2026-01-02", "2026-01-03"];

fn day(key: &str) -> Part {
    Part::new("text/plain", format!("a\nb\n{key}")).with_key(key)
}

#[test]
fn a_path_manager_stores_and_loads_one_part() {
    let output = build_output_context().asset_key(["Notes"]).build();
    output.store::<Reversed>([Part::new("text/plain", "a\nb")]).unwrap();
    let file = output.directory("/data").join("+notes.txt");
    assert_eq!(fs::read_to_string(&file).unwrap(), "b\na");
    assert_eq!(output.metadata_value("path"), Some(MetadataValue::path(file.to_str().unwrap())));

    let input = build_input_context().upstream_output(&output).build();
    assert_eq!(input.load::<Reversed>().unwrap(), [Part::new("text/plain", "a\nb")]);
}

#[test]
fn an_output_that_is_no_asset_lies_below_its_run() {
    let output = build_output_context().run_id("r1").step_key("clean").output_name("rows").build();
    output.store::<Reversed>([Part::new("text/plain", "a")]).unwrap();
    assert!(output.directory("/data").join("runs=r1/clean/rows.txt").is_file());
    let input = build_input_context().upstream_output(&output).build();
    assert_eq!(input.load::<Reversed>().unwrap(), [Part::new("text/plain", "a")]);
}

#[test]
fn the_output_of_a_step_is_loaded_by_the_names_of_its_run_and_step() {
    let output = build_output_context().run_id("r1").step_key("clean").output_name("rows").build();
    output.store::<Reversed>([Part::new("text/plain", "a")]).unwrap();
    let input = build_input_context().root(output.directory("/")).step_output("r1", "clean", "rows").build();
    assert_eq!(input.load::<Reversed>().unwrap(), [Part::new("text/plain", "a")]);
    assert!(input.context().asset_key().is_none());
}

#[test]
fn an_element_of_a_dynamic_output_has_its_mapping_key() {
    let output = build_output_context().run_id("r1").step_key("list").output_name("files").mapping_key("fox").build();
    output.store::<Reversed>([Part::new("text/plain", "a")]).unwrap();
    assert!(output.directory("/data").join("runs=r1/list/files/mapping_key=fox.txt").is_file());
    assert_eq!(output.context().partition_keys(), ["fox"]);
    assert_eq!(output.context().partition_dimensions("fox"), [("mapping_key".to_owned(), "fox".to_owned())]);

    let input = build_input_context().upstream_output(&output).build();
    assert_eq!(input.load::<Reversed>().unwrap()[0].bytes, b"a");
    assert_eq!(input.context().upstream(None).unwrap().mapping_key().as_deref(), Some("fox"));
    let input = build_input_context().root(output.directory("/")).step_output("r1", "list", "files");
    assert_eq!(input.mapping_key("fox").build().load::<Reversed>().unwrap()[0].bytes, b"a");
}

#[test]
fn an_input_that_the_manager_finds_by_itself_has_a_path_and_nothing_that_was_stored() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("data/inputs=nightly/clean/rates.txt");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, "a").unwrap();
    let input = build_input_context().root(root.path()).unconnected(["nightly", "clean"], "rates").build();
    assert_eq!(input.load::<Reversed>().unwrap()[0].bytes, b"a");
    assert!(input.context().upstream(None).is_none() && input.context().asset_key().is_none());
    assert_eq!(input.context().input_name().as_deref(), Some("rates"));
}

#[test]
fn a_partition_of_several_dimensions_lies_below_all_of_them_and_has_its_window() {
    let (start, end) = (1_767_225_600_000, 1_767_312_000_000);
    let output = build_output_context()
        .asset_key(["sales"])
        .partition("2026-01-01|eu", [("region", "eu"), ("days", "2026-01-01")])
        .time_window(start, end, "Europe/Oslo")
        .build();
    output.store::<Reversed>([Part::new("text/plain", "a")]).unwrap();
    assert!(output.directory("/data").join("sales/days=2026-01-01/region=eu.txt").is_file());
    let input = build_input_context().upstream_output(&output).build();
    assert_eq!(input.load::<Reversed>().unwrap()[0].bytes, b"a");
    let window = input.context().time_window().unwrap();
    assert_eq!((window.start_ms, window.end_ms), (start, end));
    assert_eq!(input.context().time_zone().as_deref(), Some("Europe/Oslo"));
    assert_eq!(input.context().partition_dimensions("2026-01-01|eu").len(), 2);
}

#[test]
fn absent_partitions_are_named_wherever_they_lie() {
    for absent in DAYS {
        let root = tempfile::tempdir().unwrap();
        let output = DAYS.iter().fold(build_output_context().asset_key(["notes"]).root(root.path()), |builder, key| {
            builder.partition(key, [("days", key)])
        });
        let stored = DAYS.iter().filter(|key| **key != absent).map(|key| day(key));
        output.build().store::<Reversed>(stored.clone()).unwrap();

        let input = DAYS.iter().fold(build_input_context().asset_key(["notes"]).root(root.path()), |builder, key| {
            builder.partition(key, [("days", key)])
        });
        let error = input.clone().build().load::<Reversed>().unwrap_err();
        assert!(matches!(error, Error::NotFound(keys) if keys == [absent]));

        let lenient = input.allow_missing(true).build();
        assert_eq!(lenient.load::<Reversed>().unwrap(), stored.collect::<Vec<_>>());
        assert_eq!(lenient.log()[0].message, format!("{absent} is absent and left out"));
    }
}

#[test]
fn one_part_without_a_key_is_that_of_the_only_partition() {
    let output = build_output_context().asset_key(["notes"]).partition("eu", [("region", "eu")]).build();
    output.store::<Reversed>([Part::new("text/plain", "a")]).unwrap();
    assert!(output.directory("/data").join("notes/region=eu.txt").is_file());
}

#[test]
fn one_part_without_a_key_does_not_stand_for_several_partitions() {
    let output = build_output_context().partition("eu", [("region", "eu")]).partition("us", [("region", "us")]).build();
    let error = output.store::<Reversed>([Part::new("text/plain", "a")]).unwrap_err();
    assert!(matches!(error, Error::UnsupportedType(message) if message.contains("2 partitions")));
}

/// Does everything with its contexts that a manager can.
struct Curious;

impl OutputManager for Curious {
    fn handle_output(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let mut part = value.single()?;
        let mut text = String::new();
        part.read_to_string(&mut text)?;
        part.rewind()?;
        let again = part.read_to_string(&mut text)?;
        context.add_metadata("bytes", again as u64)?;
        context.set_data_version(&part.digest()?)?;
        let config: serde_json::Value = context.config()?;
        context.log(Level::Info, format!("{} {} {config}", context.run_id(), context.attempt()));
        let event = AssetEvent {
            asset_key: context.asset_key().unwrap_or_default(),
            partition: context.partition_keys().pop(),
            description: None,
            metadata: context.definition_metadata(),
        };
        context.log_materialization(&event)?;
        context.log_observation(&event)?;
        context.add_metadata("bytes", 0)
    }
}

impl InputManager for Curious {
    fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let stored = context.upstream(None).ok_or_else(Error::not_found)?;
        let text = format!(
            "{:?} {:?} {:?} {:?}",
            stored.run_id(),
            stored.stored_metadata(),
            context.columns(),
            context.requested_type()
        );
        value.begin(None, "text/plain")?.write_all(text.as_bytes())?;
        Ok(())
    }
}

#[test]
fn what_a_guest_recorded_can_be_looked_at() {
    let output = build_output_context()
        .run_id("r7")
        .attempt(2)
        .asset_key(["a"])
        .partition("x", [("kind", "x")])
        .config(json!({ "deep": [1, 2] }))
        .definition_metadata("owner", "me")
        .build();
    let error = output.store::<Curious>([Part::new("text/plain", "héllo")]).unwrap_err();
    assert!(matches!(error, Error::Conflict(message) if message.contains("bytes")));
    assert_eq!(output.metadata_value("bytes"), Some(6.into()));
    assert!(output.data_version().unwrap().starts_with("sha256:"));
    assert_eq!(output.log()[0].message, r#"r7 2 {"deep":[1,2]}"#);
    assert_eq!(output.materializations(), output.observations());
    assert_eq!(output.materializations()[0].partition.as_deref(), Some("x"));
    assert_eq!(output.materializations()[0].metadata[0].label, "owner");
}

#[test]
fn an_input_tells_what_was_asked_for_and_what_is_recorded() {
    let stored = StoredOutputBuilder::default().run_id("r1").stored_metadata("rows", 3);
    let input = build_input_context()
        .asset_key(["a"])
        .upstream(None, stored)
        .columns(["date"])
        .requested_type("text/csv")
        .build();
    let parts = input.load::<Curious>().unwrap();
    let text = String::from_utf8(parts[0].bytes.clone()).unwrap();
    assert_eq!(
        text,
        r#"Some("r1") [MetadataEntry { label: "rows", value: MetadataValue::Int(3) }] ["date"] Some("text/csv")"#
    );
}

/// Writes more than a chunk and leaves the rest to the end of the call.
struct Large;

const LARGE: usize = (2 << 20) + 17;

impl InputManager for Large {
    fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let key = context.config::<Option<String>>().ok().flatten();
        let mut part = value.begin(key.as_deref(), "application/octet-stream")?;
        for piece in vec![7; LARGE].chunks(1000) {
            part.write_all(piece)?;
        }
        Ok(())
    }
}

#[test]
fn what_is_left_in_the_buffer_of_a_writer_is_written() {
    let parts = build_input_context().build().load::<Large>().unwrap();
    assert_eq!(parts[0].bytes.len(), LARGE);
}

#[test]
fn a_large_part_is_read_whole_and_saved_whole_after_a_look_at_its_start() {
    struct Peek;
    impl PathIoManager for Peek {
        fn extension() -> &'static str {
            "bin"
        }
        fn dump_to_path(_context: &OutputContext, part: &mut Reader, path: &Path) -> Result<(), Error> {
            let mut magic = [0; 4];
            part.read_exact(&mut magic)?;
            part.save(path)?;
            Ok(())
        }
        fn load_from_path(_context: &InputContext, _path: &Path, _part: NewPart) -> Result<(), Error> {
            Err(Error::other("unused", "only stores"))
        }
    }
    let output = build_output_context().asset_key(["a"]).build();
    let bytes: Vec<u8> = (0..=250).cycle().take(LARGE).collect();
    output.store::<Peek>([Part::new("application/octet-stream", bytes.clone())]).unwrap();
    assert!(fs::read(output.directory("/data").join("a.bin")).unwrap() == bytes);
}

#[test]
fn a_load_of_an_absent_file_begins_nothing() {
    struct Absent;
    impl InputManager for Absent {
        fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
            let loaded = value.begin(None, "text/plain")?.load(context.file(None, "txt")?);
            assert!(matches!(loaded, Err(Error::NotFound(keys)) if keys.is_empty()));
            Ok(())
        }
    }
    assert_eq!(build_input_context().build().load::<Absent>().unwrap(), []);
}

#[test]
fn parts_with_and_without_keys_do_not_mix() {
    struct Mixed;
    impl InputManager for Mixed {
        fn load_input(_context: &InputContext, value: &mut Sink) -> Result<(), Error> {
            value.begin(None, "text/plain")?.write_all(b"a")?;
            value.begin(Some("x"), "text/plain")?.write_all(b"b")?;
            Ok(())
        }
    }
    let error = build_input_context().partition("x", []).build().load::<Mixed>().unwrap_err();
    assert!(matches!(error, Error::Conflict(message) if message.contains("do not mix")));
}
