//! The forms of a table outside the pipeline.

pub mod arrow_file;
pub mod csv;
pub mod json;
pub mod parquet_file;
