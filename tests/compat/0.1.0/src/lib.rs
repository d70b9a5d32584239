//! A guest that uses every function of the contract `airlock:io@0.1.0`, and tells what each answered.
//!
//! It is built once, see `../build.sh`, and kept as `guest.wasm`: every later host has to run that file as this one did.
#![cfg(target_family = "wasm")]

mod told;

wit_bindgen::generate!({
    path: "../../../wit/frozen/0.1.0",
    inline: r#"
        package airlock:compat;

        world guest {
            include airlock:io/io-manager@0.1.0;
            include airlock:io/op-component@0.1.0;
        }
    "#,
    world: "airlock:compat/guest",
    generate_all,
});

use airlock::io::context::{AssetEvent, InputContext, OutputContext};
use airlock::io::op_run::OpContext;
use airlock::io::types::{Error, Level, MetadataEntry, MetadataValue, OtherError};
use airlock::io::value::{Reader, Sink, Source};
use told::Told;

struct Guest;

export!(Guest);

const LEVELS: [Level; 4] = [Level::Debug, Level::Info, Level::Warn, Level::Error];

/// Metadata of each kind.
fn every_kind() -> Vec<MetadataEntry> {
    let values = [
        ("null", MetadataValue::Null),
        ("boolean", MetadataValue::Boolean(true)),
        ("int", MetadataValue::Int(i64::MIN)),
        ("float", MetadataValue::Float(0.1)),
        ("text", MetadataValue::Text("grüße".to_owned())),
        ("json", MetadataValue::Json("{\"a\":[1]}".to_owned())),
        ("tagged", MetadataValue::Tagged(("url".to_owned(), "https://example.com".to_owned()))),
    ];
    values.map(|(label, value)| MetadataEntry { label: label.to_owned(), value }).into()
}

fn event(description: &str) -> AssetEvent {
    AssetEvent {
        asset_key: vec!["other".to_owned(), "asset".to_owned()],
        partition: Some("2026-01-02".to_owned()),
        description: Some(description.to_owned()),
        metadata: every_kind(),
    }
}

/// The error that a configuration `{"error": NAME}` asks for.
fn asked_for(config: &str) -> Result<(), Error> {
    let name = config.split('"').nth(3).filter(|_| config.starts_with("{\"error\":"));
    let said = || "said by the guest".to_owned();
    Err(match name {
        None => return Ok(()),
        Some("not-found") => Error::NotFound(vec!["a".to_owned(), "b".to_owned()]),
        Some("invalid-config") => Error::InvalidConfig(said()),
        Some("unsupported-type") => Error::UnsupportedType(said()),
        Some("corrupt") => Error::Corrupt(said()),
        Some("access-denied") => Error::AccessDenied(said()),
        Some("conflict") => Error::Conflict(said()),
        Some("limit-exceeded") => Error::LimitExceeded(said()),
        Some("unavailable") => Error::Unavailable(said()),
        Some(_) => Error::Other(OtherError { code: "of-its-own".to_owned(), message: said(), retryable: true }),
    })
}

/// Tells of a part, and leaves it at its start.
fn tell_part(told: &mut Told, part: &Reader) {
    told.line("reader.key", part.key());
    told.line("reader.media-type", part.media_type());
    told.line("reader.size", part.size());
    told.line("reader.read", part.read(4));
    told.refusal("reader.read of nothing", part.read(0));
    told.line("reader.rewind", part.rewind());
    told.line("reader.digest", part.digest());
}

impl exports::airlock::io::output::Guest for Guest {
    fn handle_output(context: &OutputContext, value: &Source) -> Result<(), Error> {
        asked_for(&context.config())?;
        let mut told = Told::default();
        told.line("run-id", context.run_id());
        told.line("step-key", context.step_key());
        told.line("attempt", context.attempt());
        told.line("output-name", context.output_name());
        told.line("asset-key", context.asset_key());
        told.line("partition-count", context.partition_count());
        let keys = context.partition_keys(0, context.partition_count());
        told.line("partition-keys", &keys);
        for key in &keys {
            told.line("partition-dimensions", context.partition_dimensions(key));
        }
        told.line("time-window", context.time_window());
        told.line("time-zone", context.time_zone());
        told.line("config", context.config());
        told.line("output-config", context.output_config());
        told.line("definition-metadata", context.definition_metadata());
        told.line("runtime-metadata", context.runtime_metadata());
        told.refusal("path of no key of this call", context.path(Some("no such key"), "bin"));
        while let Some(part) = value.next()? {
            tell_part(&mut told, &part);
            let path = context.path(part.key().as_deref(), "bin")?;
            told.line("path", &path);
            told.line("reader.save", part.save(&format!("/data/{path}")));
        }
        told.line("add-metadata", context.add_metadata(&every_kind()));
        told.refusal("add-metadata again", context.add_metadata(&every_kind()));
        told.line("set-data-version", context.set_data_version("version 1"));
        told.line("log-materialization", context.log_materialization(&event("made")));
        told.line("log-observation", context.log_observation(&event("seen")));
        told.log(|level, line| context.log(level, line));
        Ok(())
    }
}

impl exports::airlock::io::input::Guest for Guest {
    fn load_input(context: &InputContext, value: &Sink) -> Result<(), Error> {
        asked_for(&context.config())?;
        let mut told = Told::default();
        told.line("run-id", context.run_id());
        told.line("step-key", context.step_key());
        told.line("input-name", context.input_name());
        told.line("asset-key", context.asset_key());
        told.line("partition-count", context.partition_count());
        let keys = context.partition_keys(0, context.partition_count());
        told.line("partition-keys", &keys);
        for key in &keys {
            told.line("partition-dimensions", context.partition_dimensions(key));
        }
        told.line("time-window", context.time_window());
        told.line("time-zone", context.time_zone());
        told.line("allow-missing", context.allow_missing());
        told.line("requested-type", context.requested_type());
        told.line("columns", context.columns());
        told.line("config", context.config());
        told.line("input-config", context.input_config());
        told.line("definition-metadata", context.definition_metadata());

        told.refusal("sink.write before begin", value.write(b"early"));
        let parts: Vec<Option<&str>> =
            if keys.is_empty() { vec![None] } else { keys.iter().map(|key| Some(key.as_str())).collect() };
        for key in parts {
            if let Some(stored) = context.upstream(key) {
                told.line("stored-output.run-id", stored.run_id());
                told.line("stored-output.step-key", stored.step_key());
                told.line("stored-output.output-name", stored.output_name());
                told.line("stored-output.mapping-key", stored.mapping_key());
                told.line("stored-output.output-config", stored.output_config());
                told.line("stored-output.definition-metadata", stored.definition_metadata());
                told.line("stored-output.stored-metadata", stored.stored_metadata());
                told.line("stored-output.data-version", stored.data_version());
            }
            let path = context.path(key, "bin")?;
            told.line("path", &path);
            told.line("sink.begin", value.begin(key, "text/plain"));
            told.refusal("sink.load of no file", value.load(&format!("/data/{path}.none")));
            told.line("sink.begin of what is not begun any more", value.begin(key, "text/plain"));
            told.refusal("sink.begin again", value.begin(key, "text/plain"));
            told.line("sink.write", value.write(b"loaded: "));
            told.line("sink.load", value.load(&format!("/data/{path}")));
        }
        told.line("add-metadata", context.add_metadata(&every_kind()));
        told.line("add-metadata again", context.add_metadata(&every_kind()));
        told.line("log-observation", context.log_observation(&event("seen")));
        told.log(|level, line| context.log(level, line));
        Ok(())
    }
}

impl exports::airlock::io::op::Guest for Guest {
    fn run(context: &OpContext) -> Result<(), Error> {
        asked_for(&context.config())?;
        let mut told = Told::default();
        told.line("run-id", context.run_id());
        told.line("step-key", context.step_key());
        told.line("attempt", context.attempt());
        told.line("config", context.config());
        told.line("partition-count", context.partition_count());
        let keys = context.partition_keys(0, context.partition_count());
        told.line("partition-keys", &keys);
        for key in &keys {
            told.line("partition-dimensions", context.partition_dimensions(key));
        }
        told.line("time-window", context.time_window());
        told.line("time-zone", context.time_zone());
        told.line("inputs", context.inputs());
        told.line("outputs", context.outputs());
        told.refusal("input of no such name", context.input("no such input").map(drop));
        told.refusal("output of no such name", context.output("no such output").map(drop));
        for name in context.inputs() {
            let input = context.input(&name)?;
            while let Some(part) = input.next()? {
                tell_part(&mut told, &part);
            }
        }
        for name in context.outputs() {
            let output = context.output(&name)?;
            let parts: Vec<Option<&str>> = match name.as_str() {
                "elements" => vec![Some("one"), Some("two")],
                _ if keys.is_empty() => vec![None],
                _ => keys.iter().map(|key| Some(key.as_str())).collect(),
            };
            for key in parts {
                told.line("sink.begin", output.begin(key, "text/plain"));
                told.line("sink.write", output.write(name.as_bytes()));
                if let Some(key) = key {
                    told.line("add-part-metadata", context.add_part_metadata(&name, key, &every_kind()));
                }
            }
            told.line("add-output-metadata", context.add_output_metadata(&name, &every_kind()));
        }
        told.log(|level, line| context.log(level, line));
        Ok(())
    }
}
