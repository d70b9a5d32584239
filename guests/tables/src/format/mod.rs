//! The forms of a table outside the pipeline.

pub mod arrow_file;
pub mod csv;
pub mod json;
mod parquet_batches;
pub mod parquet_file;
