//! A computation as a guest.

use serde::de::DeserializeOwned;

#[cfg(target_family = "wasm")]
use crate::bindings::op_component::airlock::io::op_run as host;
#[cfg(not(target_family = "wasm"))]
use crate::built::host;
use crate::context::{all_pages, parse_config};
use crate::value::UnseenError;
use crate::{Error, Level, MetadataEntry, MetadataValue, Sink, Source, TimeWindow};

/// Computes the outputs of a step from its inputs. It has what it is lent, directories too, and nothing else.
pub trait Op {
    /// Computes.
    ///
    /// # Errors
    /// Whatever kept it from computing.
    fn run(context: &OpContext) -> Result<(), Error>;
}

/// The step that an op computes.
#[derive(Debug)]
pub struct OpContext<'call> {
    host: &'call host::OpContext,
    unseen: UnseenError,
}

impl<'call> OpContext<'call> {
    pub(crate) fn new(host: &'call host::OpContext, unseen: UnseenError) -> Self {
        Self { host, unseen }
    }

    /// The run.
    pub fn run_id(&self) -> String {
        self.host.run_id()
    }

    /// The step within the run.
    pub fn step_key(&self) -> String {
        self.host.step_key()
    }

    /// 1 for the first attempt.
    pub fn attempt(&self) -> u32 {
        self.host.attempt()
    }

    /// The configuration of the op.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where it is no `T`.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Error> {
        parse_config(&self.host.config())
    }

    /// The keys of the partitions that are computed; empty where the step is not partitioned.
    pub fn partition_keys(&self) -> Vec<String> {
        all_pages(self.host.partition_count(), |offset| self.host.partition_keys(offset, 1000))
    }

    /// The names and keys of the dimensions of a partition key.
    pub fn partition_dimensions(&self, key: &str) -> Vec<(String, String)> {
        self.host.partition_dimensions(key)
    }

    /// From the start of the first partition to the end of the last, where they are of time and adjoin.
    pub fn time_window(&self) -> Option<TimeWindow> {
        self.host.time_window()
    }

    /// The IANA name of the time zone of the partitions.
    pub fn time_zone(&self) -> Option<String> {
        self.host.time_zone()
    }

    /// The names of the inputs.
    pub fn inputs(&self) -> Vec<String> {
        self.host.inputs()
    }

    /// The names of the outputs.
    pub fn outputs(&self) -> Vec<String> {
        self.host.outputs()
    }

    /// The input `name`.
    ///
    /// # Errors
    /// Where there is none of that name, or it cannot be loaded.
    pub fn input(&self, name: &str) -> Result<Source<'static>, Error> {
        self.host.input(name).map(Source::owned)
    }

    /// The output `name`. An output in which nothing is begun is skipped.
    ///
    /// # Errors
    /// Where there is none of that name.
    pub fn output(&self, name: &str) -> Result<Sink<'static>, Error> {
        Ok(Sink::owned(self.host.output(name)?, self.unseen.clone()))
    }

    /// Records a fact about an output.
    ///
    /// # Errors
    /// Where there is no such output, `label` was added before, or a limit is reached.
    pub fn add_output_metadata(
        &self,
        output: &str,
        label: impl Into<String>,
        value: impl Into<MetadataValue>,
    ) -> Result<(), Error> {
        self.host.add_output_metadata(output, &[MetadataEntry { label: label.into(), value: value.into() }])
    }

    /// Records a fact about the part `key` of an output: a partition, or an element of a dynamic output.
    ///
    /// # Errors
    /// As [`add_output_metadata`](Self::add_output_metadata), and where there can be no such part.
    pub fn add_part_metadata(
        &self,
        output: &str,
        key: &str,
        label: impl Into<String>,
        value: impl Into<MetadataValue>,
    ) -> Result<(), Error> {
        self.host.add_part_metadata(output, key, &[MetadataEntry { label: label.into(), value: value.into() }])
    }

    /// Writes a line to the log of the step.
    pub fn log(&self, level: Level, message: impl AsRef<str>) {
        self.host.log(level, message.as_ref());
    }
}
