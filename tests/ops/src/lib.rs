//! Ops for the tests, in one component: the configuration says which one a call runs, `{ "op": "join" }`.

#![cfg(target_family = "wasm")]

use std::collections::HashSet;
use std::io::{Read, Write};
use std::time::SystemTime;

use airlock_sdk::{Error, Op, OpContext, Source};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Config {
    op: String,
}

struct Ops;

impl Op for Ops {
    fn run(context: &OpContext) -> Result<(), Error> {
        let op = context.config::<Config>()?.op;
        match op.as_str() {
            "join" => join(context),
            "copy" => copy(context),
            "join_twice" => join_twice(context),
            "first_part" => first_part(context),
            "hold_all" => hold_all(context),
            "hold_parts" => hold_parts(context),
            "ignore_errors" => ignore_errors(context, &["parts".to_owned()]),
            "ignore_all_errors" => ignore_errors(context, &context.inputs()),
            "tell" => tell(context),
            "every_other_output" => every_other_output(context),
            "each_partition" => each_partition(context),
            "elements" => elements(context),
            "every_output" => every_output(context),
            "nothing" => Ok(()),
            "wrong_part" => wrong_part(context),
            "many_facts" => many_facts(context),
            "many_parts" => many_parts(context, 0),
            "many_long_keys" => many_parts(context, 150),
            "wrong_key" => context.output("result")?.begin(Some("no such key"), "text/plain").map(drop),
            "twice" => twice(context),
            "stamp" => stamp(context),
            "shuffle" => shuffle(context),
            "unwrap" => unwrap(context, None),
            "unwrap_text" => unwrap(context, Some("text/plain")),
            _ => Err(Error::invalid_config(format!("there is no op {op:?}"))),
        }
    }
}

/// The parts that are left in `source`: `key=text;` of each.
fn parts(source: &mut Source) -> Result<String, Error> {
    let mut all = String::new();
    while let Some(mut part) = source.next()? {
        let mut text = String::new();
        part.read_to_string(&mut text)?;
        let key = part.key();
        all.extend([key.as_deref().unwrap_or("-"), "=", &text, ";"]);
    }
    Ok(all)
}

fn give(context: &OpContext, text: &str) -> Result<(), Error> {
    Ok(context.output("result")?.begin(None, "text/plain")?.write_all(text.as_bytes())?)
}

/// Gives the parts of every input.
fn join(context: &OpContext) -> Result<(), Error> {
    let mut all = String::new();
    for name in context.inputs() {
        all.push_str(&parts(&mut context.input(&name)?)?);
    }
    give(context, &all)
}

/// Gives the only part of its only input as it is.
fn copy(context: &OpContext) -> Result<(), Error> {
    let name = context.inputs().pop().unwrap_or_default();
    let mut part = context.input(&name)?.single()?;
    let media_type = part.media_type();
    part.copy_to(&mut context.output("result")?.begin(None, &media_type)?).map(drop)
}

/// Reads an input to its end, and again from its start.
fn join_twice(context: &OpContext) -> Result<(), Error> {
    let first = parts(&mut context.input("parts")?)?;
    let again = parts(&mut context.input("parts")?)?;
    give(context, &format!("{first} {again}"))
}

/// Holds all parts at once, and gives how many they are.
fn hold_parts(context: &OpContext) -> Result<(), Error> {
    let mut source = context.input("parts")?;
    let mut held = Vec::new();
    while let Some(part) = source.next()? {
        held.push(part);
    }
    give(context, &held.len().to_string())
}

/// Asks for the first part alone.
fn first_part(context: &OpContext) -> Result<(), Error> {
    let first = context.input("parts")?.next()?;
    give(context, first.and_then(|part| part.key()).as_deref().unwrap_or("none"))
}

/// Goes on where an input cannot be loaded.
fn ignore_errors(context: &OpContext, inputs: &[String]) -> Result<(), Error> {
    let mut loaded = 0;
    for name in inputs {
        loaded += usize::from(parts(&mut context.input(name)?).is_ok());
    }
    give(context, if loaded == inputs.len() { "loaded" } else { "not loaded" })
}

/// Gives what it is told of the step.
fn tell(context: &OpContext) -> Result<(), Error> {
    let keys = context.partition_keys();
    let told = json!({
        "step": context.step_key(),
        "attempt": context.attempt(),
        "keys": keys,
        "dimensions": keys.iter().map(|key| context.partition_dimensions(key)).collect::<Vec<_>>(),
        "window": context.time_window().map(|window| [window.start_ms, window.end_ms]),
        "zone": context.time_zone(),
        "inputs": context.inputs(),
        "outputs": context.outputs(),
    });
    context.add_output_metadata("result", "told", true)?;
    Ok(context.output("result")?.begin(None, "application/json")?.write_all(told.to_string().as_bytes())?)
}

/// Skips every second output.
fn every_other_output(context: &OpContext) -> Result<(), Error> {
    for name in context.outputs().iter().step_by(2) {
        context.output(name)?.begin(None, "text/plain")?.write_all(name.as_bytes())?;
        context.add_output_metadata(name, "name", name.as_str())?;
    }
    Ok(())
}

/// Gives every output its name and the partition.
fn every_output(context: &OpContext) -> Result<(), Error> {
    for name in context.outputs() {
        let text = format!("{name} of {}", context.partition_keys().concat());
        context.output(&name)?.begin(None, "text/plain")?.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// Gives of each partition the part of its only input with that key, the last one first, but none of the partition `skip`.
fn each_partition(context: &OpContext) -> Result<(), Error> {
    #[derive(Deserialize)]
    struct Skip {
        skip: Option<String>,
    }

    let mut parts = Vec::new();
    let mut source = context.input(&context.inputs().pop().unwrap_or_default())?;
    while let Some(mut part) = source.next()? {
        let mut text = String::new();
        part.read_to_string(&mut text)?;
        parts.push((part.key().unwrap_or_default(), text));
    }
    let skip = context.config::<Skip>()?.skip;
    let keys = context.partition_keys();
    let mut output = context.output("result")?;
    for (key, text) in parts.iter().rev().filter(|(key, _)| keys.contains(key) && Some(key) != skip.as_ref()) {
        output.begin(Some(key), "text/plain")?.write_all(text.to_uppercase().as_bytes())?;
        context.add_part_metadata("result", key, "bytes", text.len() as u64)?;
    }
    context.add_output_metadata("result", "keys", keys.len() as u64)
}

/// Gives two elements of a dynamic output.
fn elements(context: &OpContext) -> Result<(), Error> {
    let mut output = context.output("result")?;
    for (key, text) in [("a", "first"), ("b", "second")] {
        output.begin(Some(key), "text/plain")?.write_all(text.as_bytes())?;
        context.add_part_metadata("result", key, "text", text)?;
    }
    context.add_output_metadata("result", "elements", 2_u64)
}

/// Records a fact of a part that there cannot be.
fn wrong_part(context: &OpContext) -> Result<(), Error> {
    context.add_part_metadata("result", "no such key", "text", "x")
}

/// Records more of its parts than there is room for.
fn many_facts(context: &OpContext) -> Result<(), Error> {
    for part in 0..100_000_u32 {
        context.add_part_metadata("result", &part.to_string(), "fact", "x".repeat(100))?;
    }
    Ok(())
}

/// Begins more parts than a value may have, with keys of so many bytes at least.
fn many_parts(context: &OpContext, bytes: usize) -> Result<(), Error> {
    let mut output = context.output("result")?;
    for part in 0..=100_000_u32 {
        output.begin(Some(&format!("{part:0bytes$}")), "text/plain").map(drop)?;
    }
    Ok(())
}

/// Gives its input with the day on which it was computed.
fn stamp(context: &OpContext) -> Result<(), Error> {
    const SECONDS_OF_A_DAY: u64 = 86_400;
    let all = parts(&mut context.input("parts")?)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    give(context, &format!("{all} on day {}", now.as_secs() / SECONDS_OF_A_DAY))
}

/// Gives numbers in the order of a table of hashes.
fn shuffle(context: &OpContext) -> Result<(), Error> {
    let numbers: HashSet<u32> = (0..100).collect();
    give(context, &format!("{numbers:?}"))
}

/// Takes for granted that it has an input, of one part and of the media type that is given.
#[expect(clippy::panic, reason = "a test looks for that")]
fn unwrap(context: &OpContext, media_type: Option<&str>) -> Result<(), Error> {
    let Ok(mut input) = context.input("parts") else {
        assert!(media_type.is_some(), "it lacks an input");
        return context.input("parts").map(drop);
    };
    let Ok(part) = input.single() else { return give(context, "") };
    match media_type {
        Some(media_type) if part.media_type() != media_type => panic!("it is of {}", part.media_type()),
        _ => give(context, &part.media_type()),
    }
}

/// Begins its output twice.
fn twice(context: &OpContext) -> Result<(), Error> {
    let mut output = context.output("result")?;
    output.begin(None, "text/plain").map(drop)?;
    output.begin(None, "text/plain").map(drop)
}

airlock_sdk::export_op!(Ops);
airlock_sdk::manifest!("../manifest.json");

/// Fills the memory that values have, and then gives each output as many parts as it may, of one byte each.
fn hold_all(context: &OpContext) -> Result<(), Error> {
    let media_type = format!("a/{}", "b".repeat(250));
    for name in context.outputs() {
        let mut output = context.output(&name)?;
        output.begin(Some("first"), "a/b")?.write_all(&vec![0; 9 << 20])?;
        for number in 0..99_999 {
            output.begin(Some(&format!("{number:0>200}")), &media_type)?.write_all(b"x")?;
        }
    }
    Ok(())
}
