//! The context of an op in memory: what the host would answer, and a record of what the guest said.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::LogLine;
use super::context::{Partitions, Record};
use super::value::{Keys, Part, Sink, Source};
use crate::{Error, Level, MetadataEntry, TimeWindow};

/// The step that an op under test computes.
#[derive(Clone, Debug)]
pub struct OpFields {
    pub run_id: String,
    pub step_key: String,
    pub attempt: u32,
    pub config: String,
    pub partitions: Partitions,
    pub inputs: Vec<(String, Vec<Part>)>,
    pub outputs: Vec<OpOutput>,
}

/// An output of an op.
#[derive(Clone, Debug)]
pub struct OpOutput {
    pub name: String,
    /// Whether it is any number of parts, each with a mapping key.
    pub is_dynamic: bool,
}

/// What an op said and computed.
#[derive(Debug, Default)]
pub struct OpRecord {
    pub sinks: BTreeMap<String, Sink>,
    /// The record of each output.
    pub outputs: BTreeMap<String, Record>,
    /// The record of each part of an output, by the output and its key.
    pub parts: BTreeMap<(String, String), Record>,
    pub log: Vec<LogLine>,
}

#[derive(Debug)]
pub struct OpContext {
    pub fields: OpFields,
    pub record: RefCell<OpRecord>,
}

impl OpContext {
    pub fn run_id(&self) -> String {
        self.fields.run_id.clone()
    }

    pub fn step_key(&self) -> String {
        self.fields.step_key.clone()
    }

    pub fn attempt(&self) -> u32 {
        self.fields.attempt
    }

    pub fn config(&self) -> String {
        self.fields.config.clone()
    }

    pub fn partition_count(&self) -> u32 {
        self.fields.partitions.count()
    }

    pub fn partition_keys(&self, offset: u32, max: u32) -> Vec<String> {
        self.fields.partitions.page(offset, max)
    }

    pub fn partition_dimensions(&self, key: &str) -> Vec<(String, String)> {
        self.fields.partitions.dimensions(key).unwrap_or_default().to_vec()
    }

    pub fn time_window(&self) -> Option<TimeWindow> {
        self.fields.partitions.time_window
    }

    pub fn time_zone(&self) -> Option<String> {
        self.fields.partitions.time_zone.clone()
    }

    pub fn inputs(&self) -> Vec<String> {
        self.fields.inputs.iter().map(|(name, _)| name.clone()).collect()
    }

    pub fn outputs(&self) -> Vec<String> {
        self.fields.outputs.iter().map(|output| output.name.clone()).collect()
    }

    pub fn input(&self, name: &str) -> Result<Source, Error> {
        let input = self.fields.inputs.iter().find(|(known, _)| known == name);
        let (_, parts) = input.ok_or_else(|| unknown("input", name, &self.inputs()))?;
        Ok(Source::new(parts.clone()))
    }

    pub fn output(&self, name: &str) -> Result<Sink, Error> {
        let output = self.find_output(name)?;
        let keys = if output.is_dynamic { Keys::Mapping } else { self.fields.partitions.sink_keys() };
        Ok(self.record.borrow_mut().sinks.entry(name.to_owned()).or_insert_with(|| Sink::new(keys)).clone())
    }

    pub fn add_output_metadata(&self, output: &str, entries: &[MetadataEntry]) -> Result<(), Error> {
        self.find_output(output)?;
        self.record.borrow_mut().outputs.entry(output.to_owned()).or_default().add(entries)
    }

    pub fn add_part_metadata(&self, output: &str, key: &str, entries: &[MetadataEntry]) -> Result<(), Error> {
        self.output(output)?.check_key(key)?;
        let part = (output.to_owned(), key.to_owned());
        self.record.borrow_mut().parts.entry(part).or_default().add(entries)
    }

    pub fn log(&self, level: Level, message: &str) {
        self.record.borrow_mut().log.push(LogLine { level, message: message.to_owned() });
    }

    fn find_output(&self, name: &str) -> Result<&OpOutput, Error> {
        let output = self.fields.outputs.iter().find(|known| known.name == name);
        output.ok_or_else(|| unknown("output", name, &self.outputs()))
    }
}

fn unknown(what: &str, name: &str, known: &[String]) -> Error {
    Error::other(format!("unknown-{what}"), format!("there is no {what} {name:?}; there are: {}", known.join(", ")))
}
