//! The configuration of the op.

use airlock_sdk::Error;
use airlock_sdk::table::ARROW_STREAM;
use arrow::datatypes::SchemaRef;
use serde::Deserialize;

use crate::schema::{self, Column};

/// Rows of a preview, unless it is said.
const PREVIEW_ROWS: usize = 10;

/// What is converted to what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub from: Form,
    pub to: Form,
    /// The columns of the input, all of them; inferred, or those it has, where it is absent.
    schema: Option<Vec<Column>>,
    /// The columns that are kept; all where there is none.
    #[serde(default)]
    pub columns: Vec<String>,
    /// The rows of a preview.
    rows: Option<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    Csv,
    /// An array of objects.
    Json,
    /// An object a line.
    Jsonl,
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
    /// The first rows as texts, in JSON.
    Preview,
}

impl Form {
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Json | Self::Preview => "application/json",
            Self::Jsonl => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => ARROW_STREAM,
        }
    }
}

impl Config {
    /// The schema of the input, where it is said.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where it is none.
    pub fn schema(&self) -> Result<Option<SchemaRef>, Error> {
        self.schema.as_deref().map(schema::schema).transpose()
    }

    /// The rows of a preview.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where they are said of another form.
    pub fn rows(&self) -> Result<usize, Error> {
        if self.rows.is_some() && self.to != Form::Preview {
            return Err(Error::invalid_config("`rows` is of a preview alone (`to = \"preview\"`)"));
        }
        Ok(self.rows.unwrap_or(PREVIEW_ROWS))
    }
}
