//! Loading.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use airlock_sdk::path::ConfiguredPlace;
use airlock_sdk::table::TableWriter;
use airlock_sdk::{Error, InputContext, InputManager, MetadataValue, Sink, path};
use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::StreamReader;

use crate::Tables;
use crate::config::{Config, Format};
use crate::error::unreadable;
use crate::format::{arrow_file, csv, json, parquet_file};
use crate::table::Batches;

/// The mount that has the files.
pub const DATA: &str = "/data";

/// The extension of the file that has the schema of the text beside it.
pub const SCHEMA_EXTENSION: &str = "schema.arrows";

/// Bytes that are read from a text at a time.
const READ: usize = 1 << 20;

impl InputManager for Tables {
    fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let config: Config = context.config()?;
        config.compression()?;
        let columns = context.columns();
        for (key, stored) in path::present_parts(context, |key| find(context, config, key))? {
            let table = stored.open(&columns)?;
            let mut writer = TableWriter::begin(value, key.as_deref(), &table.schema)?;
            for batch in table.iterator {
                writer.write(&batch?)?;
            }
            writer.finish()?;
        }
        Ok(())
    }
}

/// A stored part.
struct Stored {
    file: PathBuf,
    format: Format,
    schema_file: PathBuf,
}

/// Looks where the value was stored last, then under the configured format, then under the others.
fn find(context: &InputContext, config: Config, key: Option<&str>) -> Result<Option<Stored>, Error> {
    if let Some(file) = ConfiguredPlace::of_input(context, key)?.file(&context.directory(DATA), key)? {
        let extension = file.extension().and_then(|extension| extension.to_str());
        let format = Format::ALL.into_iter().find(|format| Some(format.extension()) == extension);
        let (format, schema_file) = (format.unwrap_or(config.format), file.with_extension(SCHEMA_EXTENSION));
        return Ok(file.try_exists()?.then_some(Stored { file, format, schema_file }));
    }
    for format in recorded(context, key).into_iter().chain([config.format]).chain(Format::ALL) {
        let file = context.file(key, format.extension())?;
        if file.try_exists()? {
            return Ok(Some(Stored { file, format, schema_file: context.file(key, SCHEMA_EXTENSION)? }));
        }
    }
    Ok(None)
}

/// The format of the path that is recorded of the stored value.
fn recorded(context: &InputContext, key: Option<&str>) -> Option<Format> {
    let metadata = context.upstream(key)?.stored_metadata();
    let path = metadata.into_iter().find_map(|entry| match entry.value {
        MetadataValue::Tagged((_, path)) if entry.label == "path" => Some(path),
        _ => None,
    })?;
    let (_, extension) = path.rsplit_once('.')?;
    Format::ALL.into_iter().find(|format| format.extension() == extension)
}

impl Stored {
    fn open(&self, columns: &[String]) -> Result<Batches<'static>, Error> {
        let place = self.file.display().to_string();
        let file = File::open(&self.file)?;
        if !self.format.is_text() {
            return match self.format {
                Format::Arrow => arrow_file::read(file, columns, place),
                _ => parquet_file::read(parquet_file::Chunks::of_file(file)?, columns, place),
            };
        }
        let text = Box::new(BufReader::with_capacity(READ, file));
        let schema = read_schema(&self.schema_file)?;
        let place = match &schema {
            Some(_) => format!(
                "{place} (whose columns {} tells; remove that where the file is from elsewhere)",
                self.schema_file.display()
            ),
            None => place,
        };
        match self.format {
            Format::Csv => csv::read(text, schema.as_ref(), columns, place),
            _ => json::read(text, json::Layout::Lines, schema.as_ref(), columns, place),
        }
    }
}

fn read_schema(file: &Path) -> Result<Option<SchemaRef>, Error> {
    if !file.try_exists()? {
        return Ok(None);
    }
    let reader = StreamReader::try_new_buffered(File::open(file)?, None);
    let reader = reader.map_err(|error| unreadable(&file.display().to_string(), error))?;
    Ok(Some(reader.schema()))
}
