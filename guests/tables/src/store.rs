//! Storing.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use airlock_sdk::path::ConfiguredPlace;
use airlock_sdk::table::TableReader;
use airlock_sdk::{Error, OutputContext, OutputManager, Source, path};
use arrow::datatypes::Schema;
use arrow::ipc::writer::StreamWriter;

use crate::Tables;
use crate::config::{Compression, Config, Format};
use crate::dictionary::SmallIndexes;
use crate::error::unwritable;
use crate::format::{arrow_file, csv, json, parquet_file};
use crate::load::{DATA, SCHEMA_EXTENSION};
use crate::metadata::Summary;
use crate::table::Writer;

impl OutputManager for Tables {
    fn handle_output(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let config: Config = context.config()?;
        let compression = config.compression()?;
        let place = ConfiguredPlace::of_output(context)?;
        let mut summary = Summary::default();
        while let Some(part) = value.next()? {
            let key = path::stored_key(context, &part)?;
            let table = TableReader::new(part)?;
            let schema = table.schema();
            let configured = place.file(&context.directory(DATA), key.as_deref())?;
            let is_configured = configured.is_some();
            let (file, schema_file) = if let Some(file) = configured {
                (file.clone(), file.with_extension(SCHEMA_EXTENSION))
            } else {
                let file = |extension| context.file(key.as_deref(), extension);
                (file(config.format.extension())?, file(SCHEMA_EXTENSION)?)
            };

            if let Some(directory) = file.parent() {
                fs::create_dir_all(directory)?;
            }
            let mut rows = 0;
            let mut indexes = SmallIndexes::default();
            let mut writer = create(&file, config.format, compression, &schema)?;
            for batch in table {
                let batch = batch?;
                // The dictionaries that the schema beside a text tells of are made anew.
                if config.format.is_text() {
                    indexes.check(&batch)?;
                }
                writer.write(&batch)?;
                rows += batch.num_rows() as u64;
            }
            writer.finish()?;

            if config.format.is_text() {
                write_schema(&schema_file, &schema)?;
            } else {
                remove(&schema_file)?;
            }
            for other in Format::ALL.into_iter().filter(|other| !is_configured && *other != config.format) {
                remove(&context.file(key.as_deref(), other.extension())?)?;
            }
            summary.add(&file, file.metadata()?.len(), rows, schema);
        }
        summary.record(context)
    }
}

fn create(file: &Path, format: Format, compression: Compression, schema: &Schema) -> Result<Box<dyn Writer>, Error> {
    let file = Box::new(File::create(file)?);
    match format {
        Format::Parquet => parquet_file::write(file, schema, compression),
        Format::Csv => csv::write(file, schema),
        Format::Jsonl => json::write(file, schema, json::Layout::Lines),
        Format::Arrow => arrow_file::write(file, schema, compression),
    }
}

fn write_schema(file: &Path, schema: &Schema) -> Result<(), Error> {
    let mut writer = StreamWriter::try_new_buffered(File::create(file)?, schema).map_err(unwritable)?;
    writer.finish().map_err(unwritable)?;
    writer.flush().map_err(unwritable)
}

/// Removes the file that a value of another format left.
fn remove(file: &Path) -> Result<(), Error> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
