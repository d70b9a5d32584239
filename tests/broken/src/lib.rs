//! An I/O manager that keeps each part as a file, with one fault at a time, which its configuration names. Without one it is
//! sound. The conformance kit has to find each fault by the cases about it and by no others.

#![cfg(target_family = "wasm")]

use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufRead, Read, Write};
use std::path::Path;

use airlock_sdk::table::TableReader;
use airlock_sdk::{Error, InputContext, InputManager, OutputContext, OutputManager, Reader, Sink, Source, path};
use arrow::array::{Array, BooleanArray};
use arrow::compute::filter_record_batch;
use serde::Deserialize;

/// Bytes of what differs each time.
const STAMP: usize = 8;

/// The media types that it keeps, and their extensions.
const KINDS: [(&str, &str); 4] = [
    ("application/octet-stream", "bin"),
    ("text/plain", "txt"),
    ("application/json", "json"),
    ("application/vnd.apache.arrow.stream", "arrows"),
];

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Fault {
    Truncates,
    IgnoresKeys,
    DropsNull,
    LeaksParts,
    DiffersEachTime,
    LeavesATemporaryFile,
    HidesErrors,
    MixesMediaTypes,
    KeepsTheLongerFile,
    LacksAKind,
    PanicsOnEmpty,
    ForgetsMetadata,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    fault: Option<Fault>,
}

struct Broken;

impl OutputManager for Broken {
    fn handle_output(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let fault = context.config::<Config>()?.fault;
        let (mut size, mut buffer) = (0, Vec::new());
        while let Some(mut part) = value.next()? {
            let media_type = part.media_type();
            let kind = KINDS.iter().find(|(known, _)| *known == media_type);
            let kind = kind.filter(|(_, extension)| fault != Some(Fault::LacksAKind) || *extension != "json");
            let Some((_, extension)) = kind else {
                return Err(Error::unsupported_type(format!("{media_type:?} is not kept here")));
            };
            let mut key = path::stored_key(context, &part)?;
            if fault == Some(Fault::IgnoresKeys) && key.is_some() {
                key = context.partition_keys().into_iter().next();
            }
            let file = context.file(key.as_deref(), extension)?;
            size += part.size();
            match store(fault, &mut part, &file, &mut buffer) {
                Err(_) if fault == Some(Fault::HidesErrors) => {}
                stored => stored?,
            }
            for (_, other) in KINDS.iter().filter(|(_, other)| other != extension) {
                if fault == Some(Fault::MixesMediaTypes) {
                    break;
                }
                match remove(&context.file(key.as_deref(), other)?) {
                    Err(_) if fault == Some(Fault::HidesErrors) => {}
                    removed => removed?,
                }
            }
            if fault == Some(Fault::LeavesATemporaryFile) {
                fs::write(context.file(key.as_deref(), "tmp")?, "left over")?;
            }
        }
        if fault == Some(Fault::ForgetsMetadata) { Ok(()) } else { context.add_metadata("size", size) }
    }
}

/// Writes one part to `file`.
#[expect(clippy::panic, reason = "that is one of the faults")]
fn store(fault: Option<Fault>, part: &mut Reader, file: &Path, buffer: &mut Vec<u8>) -> Result<(), Error> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    match fault {
        // One call gives at most one chunk, and nobody asks for the next.
        Some(Fault::Truncates) => Ok(fs::write(file, part.fill_buf()?)?),
        Some(Fault::DropsNull) if file.extension().is_some_and(|extension| extension == "arrows") => {
            without_null(part, file)
        }
        // What an earlier part left in the buffer goes with a shorter one.
        Some(Fault::LeaksParts) => {
            let mut bytes = Vec::new();
            part.read_to_end(&mut bytes)?;
            if buffer.len() < bytes.len() {
                buffer.resize(bytes.len(), 0);
            }
            for (kept, byte) in buffer.iter_mut().zip(bytes) {
                *kept = byte;
            }
            Ok(fs::write(file, buffer)?)
        }
        Some(Fault::DiffersEachTime) => {
            let mut stamped = File::create(file)?;
            stamped.write_all(&RandomState::new().build_hasher().finish().to_le_bytes())?;
            part.copy_to(&mut stamped).map(drop)
        }
        Some(Fault::KeepsTheLongerFile) => {
            let mut kept = OpenOptions::new().write(true).create(true).truncate(false).open(file)?;
            part.copy_to(&mut kept).map(drop)
        }
        Some(Fault::PanicsOnEmpty) if part.size() == 0 => panic!("there is a first byte"),
        _ => part.save(file).map(drop),
    }
}

/// Stores the rows of a table that have no null.
fn without_null(part: &mut Reader, file: &Path) -> Result<(), Error> {
    let wrong = |error| Error::other("arrow", error);
    let table = TableReader::new(part)?;
    let mut writer = arrow::ipc::writer::StreamWriter::try_new(File::create(file)?, &table.schema()).map_err(wrong)?;
    for batch in table {
        let batch = batch?;
        let is_whole = |row| batch.columns().iter().all(|column| column.is_valid(row));
        let whole: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_whole(row))).collect();
        writer.write(&filter_record_batch(&batch, &whole).map_err(wrong)?).map_err(wrong)?;
    }
    writer.finish().map_err(wrong)
}

fn remove(file: &Path) -> Result<(), Error> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

impl InputManager for Broken {
    fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let fault = context.config::<Config>()?.fault;
        let first = context.partition_keys().into_iter().next();
        let find = |key: Option<&str>| {
            let key = if fault == Some(Fault::IgnoresKeys) && key.is_some() { first.as_deref() } else { key };
            for (media_type, extension) in KINDS {
                let file = context.file(key, extension)?;
                if file.try_exists()? {
                    return Ok(Some((media_type, file)));
                }
            }
            Ok(None)
        };
        for (key, (media_type, file)) in path::present_parts(context, find)? {
            let mut part = value.begin(key.as_deref(), media_type)?;
            if fault == Some(Fault::DiffersEachTime) {
                let mut stamped = File::open(&file)?;
                stamped.read_exact(&mut [0; STAMP])?;
                io::copy(&mut stamped, &mut part)?;
            } else {
                part.load(&file)?;
            }
        }
        Ok(())
    }
}

airlock_sdk::export!(Broken);
airlock_sdk::manifest!("../manifest.json");
