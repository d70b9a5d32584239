//! The I/O manager that keeps tables as Parquet, CSV, JSON lines or Arrow files, and the op that converts between forms.
//!
//! A table in a pipeline is an Arrow IPC stream. It is stored and loaded batch by batch, so memory holds a few batches
//! and, for Parquet, one row group of encoded columns, however large the table is; a single batch is held whole.
//!
//! What was stored loads as it was, its metadata included. A text cannot tell an `int32` from an `int64`, so beside a CSV
//! or JSON lines file lies another, with the extension `schema.arrows`: an Arrow IPC stream without batches, which has the
//! schema. Without it, as for files from elsewhere, types are inferred from the whole file.
//!
//! A file that is damaged or made to deceive is an error that names it, or, where the libraries of Arrow and Parquet meet
//! what they take for impossible, a trap, which the sandbox reports.

mod config;
mod convert;
mod dictionary;
mod error;
mod format;
mod load;
mod metadata;
mod plain;
mod schema;
mod store;
mod table;
mod text;

/// Stores, loads and converts tables.
#[derive(Debug)]
pub struct Tables;

airlock_sdk::export!(Tables);
airlock_sdk::export_op!(Tables);
airlock_sdk::manifest!("../manifest.json");

#[cfg(test)]
mod tests;
