//! What is recorded of a stored table, under Dagster's keys.

use std::path::{Path, PathBuf};

use airlock_sdk::{Error, MetadataValue, OutputContext};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use serde_json::json;

use crate::schema::type_name;

/// Bytes of a schema that is recorded, at most: metadata is for people.
const SCHEMA_BYTES: usize = 32 << 10;

/// Adds up the parts of one call.
#[derive(Default)]
pub struct Summary {
    parts: usize,
    rows: u64,
    size: u64,
    file: PathBuf,
    schemas: Vec<SchemaRef>,
}

impl Summary {
    /// One more part.
    pub fn add(&mut self, file: &Path, size: u64, rows: u64, schema: SchemaRef) {
        self.parts += 1;
        self.rows += rows;
        self.size += size;
        file.clone_into(&mut self.file);
        if !self.schemas.iter().any(|known| known.fields() == schema.fields()) {
            self.schemas.push(schema);
        }
    }

    /// Records all.
    pub fn record(self, context: &OutputContext) -> Result<(), Error> {
        if self.parts == 1 {
            context.add_metadata("path", MetadataValue::path(self.file.to_string_lossy()))?;
        }
        context.add_metadata("size", self.size)?;
        let rows = if context.partition_count() == 0 { "dagster/row_count" } else { "dagster/partition_row_count" };
        context.add_metadata(rows, self.rows)?;
        if let [schema] = self.schemas.as_slice()
            && let schema = column_schema(schema)
            && schema.len() <= SCHEMA_BYTES
        {
            context.add_metadata("dagster/column_schema", MetadataValue::Json(schema))?;
        }
        Ok(())
    }
}

/// The JSON of Dagster's `TableSchema`.
fn column_schema(schema: &Schema) -> String {
    let column = |field: &FieldRef| {
        json!({
            "name": field.name(),
            "type": type_name(field.data_type()),
            "description": field.metadata().get("description"),
            "constraints": { "nullable": field.is_nullable(), "unique": false, "other": [] },
        })
    };
    let columns: Vec<_> = schema.fields().iter().map(column).collect();
    json!({ "columns": columns, "constraints": { "other": [] } }).to_string()
}
