//! Built contexts, which call what is under test and tell what it did.

use std::cell::Ref;
use std::path::PathBuf;

use super::LogLine;
use super::context::{InputContext as HostInputContext, OutputContext as HostOutputContext};
use super::op_context::OpContext as HostOpContext;
use super::root::HasRoot;
use super::value::{Part, Sink, Source};
use crate::{AssetEvent, Error, InputContext, InputManager, MetadataEntry, MetadataValue, Op, OutputContext};
use crate::{OutputManager, call};

/// A context to store in.
#[derive(Debug)]
pub struct BuiltOutput {
    pub(super) host: HostOutputContext,
}

impl BuiltOutput {
    /// Calls `M` with a value of `parts`.
    ///
    /// # Errors
    /// Those of `M`.
    pub fn store<M: OutputManager>(&self, parts: impl IntoIterator<Item = Part>) -> Result<(), Error> {
        call::handle_output::<M>(&self.host, &Source::new(parts.into_iter().collect()))
    }

    /// The context as a manager sees it.
    pub fn context(&self) -> OutputContext<'_> {
        OutputContext::new(&self.host)
    }

    /// The directory that stands for the guest path `guest_path`.
    pub fn directory(&self, guest_path: &str) -> PathBuf {
        self.host.root().directory(guest_path)
    }

    /// The metadata that was added, in order.
    pub fn metadata(&self) -> Vec<MetadataEntry> {
        self.host.record.borrow().metadata.clone()
    }

    /// The metadata of `label`, where it was added.
    pub fn metadata_value(&self, label: &str) -> Option<MetadataValue> {
        find(&self.host.record.borrow().metadata, label)
    }

    /// The data version, where one was set.
    pub fn data_version(&self) -> Option<String> {
        self.host.record.borrow().data_version.clone()
    }

    /// The materializations that were logged.
    pub fn materializations(&self) -> Vec<AssetEvent> {
        self.host.record.borrow().materializations.clone()
    }

    /// The observations that were logged.
    pub fn observations(&self) -> Vec<AssetEvent> {
        self.host.record.borrow().observations.clone()
    }

    /// The lines that were logged.
    pub fn log(&self) -> Vec<LogLine> {
        self.host.record.borrow().log.clone()
    }
}

/// A context to load in.
#[derive(Debug)]
pub struct BuiltInput {
    pub(super) host: HostInputContext,
}

impl BuiltInput {
    /// Calls `M` and gives the parts that it wrote.
    ///
    /// # Errors
    /// Those of `M`.
    pub fn load<M: InputManager>(&self) -> Result<Vec<Part>, Error> {
        let sink = Sink::new(self.host.fields.partitions.sink_keys());
        call::load_input::<M>(&self.host, &sink)?;
        Ok(sink.take())
    }

    /// The context as a manager sees it.
    pub fn context(&self) -> InputContext<'_> {
        InputContext::new(&self.host)
    }

    /// The directory that stands for the guest path `guest_path`.
    pub fn directory(&self, guest_path: &str) -> PathBuf {
        self.host.root().directory(guest_path)
    }

    /// The metadata that was added, in order.
    pub fn metadata(&self) -> Vec<MetadataEntry> {
        self.host.record.borrow().metadata.clone()
    }

    /// The metadata of `label`, where it was added.
    pub fn metadata_value(&self, label: &str) -> Option<MetadataValue> {
        find(&self.host.record.borrow().metadata, label)
    }

    /// The observations that were logged.
    pub fn observations(&self) -> Vec<AssetEvent> {
        self.host.record.borrow().observations.clone()
    }

    /// The lines that were logged.
    pub fn log(&self) -> Vec<LogLine> {
        self.host.record.borrow().log.clone()
    }
}

/// A context to compute in.
#[derive(Debug)]
pub struct BuiltOp {
    pub(super) host: HostOpContext,
}

impl BuiltOp {
    /// Runs `O`.
    ///
    /// # Errors
    /// Those of `O`.
    pub fn run<O: Op>(&self) -> Result<(), Error> {
        call::run::<O>(&self.host)
    }

    /// The parts of the output `name`; none where it was skipped.
    pub fn output(&self, name: &str) -> Vec<Part> {
        self.host.record.borrow().sinks.get(name).map(Sink::take).unwrap_or_default()
    }

    /// The metadata of `label` of the output `output`, where it was added.
    pub fn metadata_value(&self, output: &str, label: &str) -> Option<MetadataValue> {
        let record: Ref<'_, _> = self.host.record.borrow();
        record.outputs.get(output).and_then(|record| find(&record.metadata, label))
    }

    /// The metadata of `label` of the part `key` of the output `output`, where it was added.
    pub fn part_metadata_value(&self, output: &str, key: &str, label: &str) -> Option<MetadataValue> {
        let record: Ref<'_, _> = self.host.record.borrow();
        let part = record.parts.get(&(output.to_owned(), key.to_owned()));
        part.and_then(|record| find(&record.metadata, label))
    }

    /// The lines that were logged.
    pub fn log(&self) -> Vec<LogLine> {
        self.host.record.borrow().log.clone()
    }
}

fn find(entries: &[MetadataEntry], label: &str) -> Option<MetadataValue> {
    entries.iter().find(|entry| entry.label == label).map(|entry| entry.value.clone())
}
