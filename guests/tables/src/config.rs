//! The configuration of the I/O manager.

use airlock_sdk::Error;
use serde::Deserialize;

/// How files are written.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    pub format: Format,
    compression: Option<Compression>,
}

/// What the files are.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    #[default]
    Parquet,
    Csv,
    Jsonl,
    Arrow,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Parquet, Self::Csv, Self::Jsonl, Self::Arrow];

    pub fn extension(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Arrow => "arrow",
        }
    }

    /// Whether the schema lies beside the file, which has no place for it.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Csv | Self::Jsonl)
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    Snappy,
    Lz4,
}

impl Config {
    /// The configured compression, or that of the format.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where the format does not have it.
    pub fn compression(self) -> Result<Compression, Error> {
        let choices: &[Compression] = match self.format {
            Format::Parquet => &[Compression::Snappy, Compression::Lz4, Compression::None],
            Format::Arrow => &[Compression::None, Compression::Lz4],
            Format::Csv | Format::Jsonl => &[Compression::None],
        };
        match (self.compression, choices) {
            (Some(chosen), _) if choices.contains(&chosen) => Ok(chosen),
            (None, [default, ..]) => Ok(*default),
            _ => Err(Error::invalid_config(format!(
                "`compression`: the format `{}` has only {}",
                self.format.extension(),
                choices.iter().map(|choice| format!("`{choice:?}`").to_lowercase()).collect::<Vec<_>>().join(", "),
            ))),
        }
    }
}
