//! The op that converts a table from one form to another.

mod config;
mod lossless;
mod preview;

use std::io::{Read, Write};

use airlock_sdk::table::TableReader;
use airlock_sdk::{Error, Op, OpContext, Reader};
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;

use self::config::{Config, Form};
use crate::Tables;
use crate::config::Compression;
use crate::error::unwritable;
use crate::format::{csv, json, parquet_file};
use crate::table::{Batches, Writer, projection};

/// What errors call the input.
const PLACE: &str = "the value";

impl Op for Tables {
    fn run(context: &OpContext) -> Result<(), Error> {
        let config: Config = context.config()?;
        let schema = config.schema()?;
        let rows = config.rows()?;
        let mut input = context.input("value")?;
        let mut output = context.output("result")?;
        while let Some(part) = input.next()? {
            let key = part.key();
            let table = read(part, config.from, schema.as_ref(), &config.columns)?;
            let part = output.begin(key.as_deref(), config.to.media_type())?;
            let mut writer = write(Box::new(part), config.to, rows, &table.schema)?;
            for batch in table.iterator {
                writer.write(&batch?)?;
            }
            writer.finish()?;
        }
        Ok(())
    }
}

fn read(
    mut part: Reader,
    from: Form,
    schema: Option<&SchemaRef>,
    columns: &[String],
) -> Result<Batches<'static>, Error> {
    let place = PLACE.to_owned();
    match from {
        Form::Csv => csv::read(Box::new(part), schema, columns, place),
        Form::Json => json::read(Box::new(part), json::Layout::Array, schema, columns, place),
        Form::Jsonl => json::read(Box::new(part), json::Layout::Lines, schema, columns, place),
        Form::Parquet => {
            // A value is read forward, Parquet from its end, so it is held whole.
            let mut bytes = Vec::new();
            part.read_to_end(&mut bytes)?;
            drop(part);
            // With a schema all columns are looked at.
            let read = if schema.is_some() { &[] } else { columns };
            let table = parquet_file::read(parquet_file::Chunks::Memory(bytes.into()), read, place)?;
            project(lossless::with_schema(table, schema)?, columns)
        }
        Form::Arrow => {
            let table = TableReader::new(part)?;
            let table = Batches { schema: table.schema(), iterator: Box::new(table) };
            project(lossless::with_schema(table, schema)?, columns)
        }
        Form::Preview => Err(Error::invalid_config("`from`: a preview is not read back; it is for `to` alone")),
    }
}

/// The table with `columns` alone; all where there are none.
fn project<'a>(table: Batches<'a>, columns: &[String]) -> Result<Batches<'a>, Error> {
    let Some(indexes) = projection(&table.schema, columns)? else { return Ok(table) };
    let schema = table.schema.project(&indexes).map_err(unwritable)?;
    let iterator = table.iterator.map(move |batch| batch?.project(&indexes).map_err(unwritable));
    Ok(Batches { schema: schema.into(), iterator: Box::new(iterator) })
}

fn write<'a>(
    part: Box<dyn Write + Send + 'a>,
    to: Form,
    rows: usize,
    schema: &Schema,
) -> Result<Box<dyn Writer + 'a>, Error> {
    match to {
        Form::Csv => csv::write(part, schema),
        Form::Json => json::write(part, schema, json::Layout::Array),
        Form::Jsonl => json::write(part, schema, json::Layout::Lines),
        Form::Parquet => parquet_file::write(part, schema, Compression::Snappy),
        Form::Arrow => Ok(Box::new(Stream(StreamWriter::try_new(part, schema).map_err(unwritable)?))),
        Form::Preview => Ok(Box::new(preview::Preview::new(part, rows, schema))),
    }
}

struct Stream<'a>(StreamWriter<Box<dyn Write + Send + 'a>>);

impl Writer for Stream<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        self.0.write(batch).map_err(unwritable)
    }

    fn finish(mut self: Box<Self>) -> Result<(), Error> {
        self.0.finish().map_err(unwritable)?;
        self.0.flush().map_err(unwritable)
    }
}
