//! An I/O manager that keeps each part as a file, with one fault at a time, which its configuration names. Without one it is
//! sound. The conformance kit has to find each fault by the cases about it and by no others.

#![cfg(target_family = "wasm")]

mod places;
mod tables;

use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, DefaultHasher, Hash, Hasher};
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::time::SystemTime;

use airlock_sdk::{
    Error, InputContext, InputManager, MetadataValue, OutputContext, OutputManager, Reader, Sink, Source, path,
};
use serde::Deserialize;

/// Bytes of what differs each time.
const STAMP: usize = 8;
const SECONDS_OF_A_DAY: u64 = 86_400;

const JSON: &str = "json";
const TABLE: &str = "arrows";
const NOTE: &str = "note";
/// The media types that it keeps, and their extensions.
const KINDS: [(&str, &str); 4] = [
    ("application/octet-stream", "bin"),
    ("text/plain", "txt"),
    ("application/json", JSON),
    ("application/vnd.apache.arrow.stream", TABLE),
];

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    CutsWideTables,
    DiffersEachTime,
    DropsNull,
    DropsTableMetadata,
    FailsOnDecimals,
    FailsOnLists,
    FoldsCase,
    ForgetsMetadata,
    ForgetsRuns,
    HasOnePlace,
    HidesErrors,
    IgnoresKeys,
    KeepsTheFirstBatch,
    KeepsTheLongerFile,
    KeepsTwelveColumns,
    LacksAKind,
    LeaksParts,
    LeavesATemporaryFile,
    LiesOfItsPath,
    LoadsTheFirstColumn,
    LooksAround,
    LosesOneByte,
    LowercasesColumns,
    MixesMediaTypes,
    NeedsARecord,
    NeedsRows,
    PanicsOnConfig,
    PanicsOnEmpty,
    RoundsNumbers,
    SaysNothing,
    SetsOneVersion,
    StampsTheDay,
    StampsTheRun,
    StoresNothing,
    StripsMarks,
    TakesEverything,
    Truncates,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    fault: Option<Fault>,
    /// Whether it says itself where its files lie.
    #[serde(default)]
    whole: bool,
    /// Whether it keeps a note beside each file, which it reads where nothing is recorded.
    #[serde(default)]
    notes: bool,
}

/// What an output may be configured with, which does nothing.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutputConfig {
    #[serde(rename = "note")]
    _note: Option<String>,
}

struct Broken;

impl OutputManager for Broken {
    #[expect(clippy::panic, reason = "that is one of the faults")]
    fn handle_output(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let Config { fault, whole, notes } = context.config()?;
        match context.output_config::<Option<OutputConfig>>() {
            Err(error) if fault == Some(Fault::PanicsOnConfig) => panic!("{error:?}"),
            config => config?,
        };
        if fault == Some(Fault::StoresNothing) {
            return Err(Error::other("no-room", "it keeps nothing"));
        }
        if fault == Some(Fault::LooksAround) {
            let _ = fs::read("/etc/passwd");
        }
        let file = |key: Option<&str>, extension: &str| places::stored(context, (fault, whole), key, extension);
        let (mut size, mut buffer) = (0, Vec::new());
        while let Some(mut part) = value.next()? {
            let extension = extension(fault, &part.media_type())?;
            let mut key = path::stored_key(context, &part)?;
            if fault == Some(Fault::IgnoresKeys) && key.is_some() {
                key = context.partition_keys().into_iter().next();
            }
            let key = key.as_deref();
            size += part.size();
            match store(fault, &mut part, &file(key, extension)?, (&mut buffer, &context.run_id())) {
                Err(_) if fault == Some(Fault::HidesErrors) => {}
                Err(_) if fault == Some(Fault::SaysNothing) => return Err(Error::other("It broke!", "")),
                stored => stored?,
            }
            for (_, other) in KINDS.iter().filter(|(_, other)| *other != extension) {
                if fault == Some(Fault::MixesMediaTypes) {
                    break;
                }
                match remove(&file(key, other)?) {
                    Err(_) if fault == Some(Fault::HidesErrors) => {}
                    removed => removed?,
                }
            }
            if fault == Some(Fault::LeavesATemporaryFile) {
                fs::write(file(key, "tmp")?, "left over")?;
            }
            if notes {
                fs::write(file(key, NOTE)?, part.media_type())?;
            }
        }
        match fault {
            Some(Fault::ForgetsMetadata) => return Ok(()),
            Some(Fault::LiesOfItsPath) => context.add_metadata("path", MetadataValue::path("/data/elsewhere"))?,
            Some(Fault::SetsOneVersion) => context.set_data_version("1")?,
            _ => {}
        }
        context.add_metadata("size", size)
    }
}

fn extension(fault: Option<Fault>, media_type: &str) -> Result<&'static str, Error> {
    let kind = KINDS.iter().find(|(known, _)| *known == media_type);
    match kind.filter(|(_, extension)| fault != Some(Fault::LacksAKind) || *extension != JSON) {
        Some((_, extension)) => Ok(*extension),
        None if fault == Some(Fault::TakesEverything) => Ok("bin"),
        None => Err(Error::unsupported_type(format!("{media_type:?} is not kept here"))),
    }
}

/// Writes one part to `file`.
#[expect(clippy::panic, reason = "that is one of the faults")]
fn store(
    fault: Option<Fault>,
    part: &mut Reader,
    file: &Path,
    (buffer, run): (&mut Vec<u8>, &str),
) -> Result<(), Error> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    if let Some(fault) = fault
        && let Some(stamp) = stamp(fault, run)
    {
        let mut stamped = File::create(file)?;
        stamped.write_all(&stamp.to_le_bytes())?;
        return part.copy_to(&mut stamped).map(drop);
    }
    let is = |extension: &str| file.extension().is_some_and(|found| found == extension);
    match fault {
        _ if is(TABLE) && tables::is_changed_by(fault) => tables::store(fault, part, file),
        // One call gives at most one chunk, and nobody asks for the next.
        Some(Fault::Truncates) => Ok(fs::write(file, part.fill_buf()?)?),
        // What an earlier part left in the buffer goes with a shorter one.
        Some(Fault::LeaksParts) => {
            let bytes = all(part)?;
            if buffer.len() < bytes.len() {
                buffer.resize(bytes.len(), 0);
            }
            for (kept, byte) in buffer.iter_mut().zip(bytes) {
                *kept = byte;
            }
            Ok(fs::write(file, buffer)?)
        }
        Some(Fault::KeepsTheLongerFile) => {
            let mut kept = OpenOptions::new().write(true).create(true).truncate(false).open(file)?;
            part.copy_to(&mut kept).map(drop)
        }
        Some(Fault::LosesOneByte) if part.size() == 1 => Ok(fs::write(file, [])?),
        Some(Fault::PanicsOnEmpty) if part.size() == 0 => panic!("there is a first byte"),
        Some(Fault::StripsMarks) if is("txt") => {
            let bytes = all(part)?;
            Ok(fs::write(file, bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes))?)
        }
        // It keeps no more digits than a double has.
        Some(Fault::RoundsNumbers) if is(JSON) => {
            let json: serde_json::Value = serde_json::from_slice(&all(part)?).map_err(Error::corrupt)?;
            let is_small = |number: &f64| number.fract() == 0.0 && number.abs() < 1e15;
            let rounded = json.as_f64().filter(|number| !is_small(number)).map_or(json, serde_json::Value::from);
            Ok(fs::write(file, rounded.to_string())?)
        }
        _ => part.save(file).map(drop),
    }
}

fn all(part: &mut Reader) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    part.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// What `fault` writes before the value.
fn stamp(fault: Fault, run: &str) -> Option<u64> {
    match fault {
        Fault::DiffersEachTime => Some(RandomState::new().build_hasher().finish()),
        Fault::StampsTheDay => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            Some(now.as_secs() / SECONDS_OF_A_DAY)
        }
        Fault::StampsTheRun => {
            let mut hasher = DefaultHasher::new();
            run.hash(&mut hasher);
            Some(hasher.finish())
        }
        _ => None,
    }
}

fn remove(file: &Path) -> Result<(), Error> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

impl InputManager for Broken {
    fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let Config { fault, whole, notes } = context.config()?;
        let first = context.partition_keys().into_iter().next();
        let find = |key: Option<&str>| {
            let key = if fault == Some(Fault::IgnoresKeys) && key.is_some() { first.as_deref() } else { key };
            for (media_type, extension) in KINDS {
                let file = places::loaded(context, (fault, whole), key, extension)?;
                if file.try_exists()? {
                    return Ok(Some((media_type, file)));
                }
            }
            Ok(None)
        };
        for (key, (media_type, file)) in path::present_parts(context, find)? {
            if fault == Some(Fault::NeedsARecord) && context.upstream(key.as_deref()).is_none() {
                return Err(Error::corrupt("nothing is known of it"));
            }
            if notes && context.upstream(key.as_deref()).is_none() {
                fs::read(file.with_extension(NOTE))?;
            }
            let mut part = value.begin(key.as_deref(), media_type)?;
            if fault.is_some_and(|fault| stamp(fault, "").is_some()) {
                let mut stamped = File::open(&file)?;
                stamped.read_exact(&mut [0; STAMP])?;
                io::copy(&mut stamped, &mut part)?;
            } else if fault == Some(Fault::LoadsTheFirstColumn) && !context.columns().is_empty() {
                tables::load_first_column(&file, &mut part)?;
            } else {
                part.load(&file)?;
            }
        }
        Ok(())
    }
}

airlock_sdk::export!(Broken);
airlock_sdk::manifest!("../manifest.json");
