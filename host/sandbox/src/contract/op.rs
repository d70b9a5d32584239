//! The context of an op, as a guest sees it.

use wasmtime::component::Resource;

use super::metadata::{Again, Recorded};
use super::partition::{count, page};
use super::{Answer, SinkHandle, SinkKeys, SinkState, SourceHandle, host_error, wit_op_run, wit_types};
use crate::call::State;
use crate::context::{OpContext, OpOutput};
use crate::report::Level;
use crate::text::safe_line;

/// The context of the call's step; there is one in a call.
pub struct OpHandle;

/// A step that is being computed.
pub(crate) struct OpCall {
    pub context: OpContext,
    /// What the guest recorded of each output, in the order of the context. The sinks of the call are in the same
    /// order.
    pub recorded: Vec<Recorded>,
}

impl OpCall {
    pub(crate) fn new(context: OpContext) -> Self {
        let recorded = Recorded::several(context.outputs.len());
        Self { context, recorded }
    }

    fn output_index(&self, name: &str) -> Result<usize, wit_types::Error> {
        let index = self.context.outputs.iter().position(|output| output.name == name);
        index.ok_or_else(|| unknown("output", name, &self.names()))
    }

    fn names(&self) -> Vec<String> {
        self.context.outputs.iter().map(|output| output.name.clone()).collect()
    }
}

fn unknown(what: &str, name: &str, known: &[String]) -> wit_types::Error {
    let name = safe_line(name, 200);
    let message = format!("there is no {what} {name:?}; there are: {}", known.join(", "));
    host_error(&format!("unknown-{what}"), message)
}

type This = Resource<OpHandle>;

impl wit_op_run::Host for State {}

impl wit_op_run::HostOpContext for State {
    fn run_id(&mut self, _: This) -> wasmtime::Result<String> {
        Ok(self.op()?.context.run_id.clone())
    }

    fn step_key(&mut self, _: This) -> wasmtime::Result<String> {
        Ok(self.op()?.context.step_key.clone())
    }

    fn attempt(&mut self, _: This) -> wasmtime::Result<u32> {
        Ok(self.op()?.context.attempt)
    }

    fn config(&mut self, _: This) -> wasmtime::Result<String> {
        Ok(self.op()?.context.config.to_string())
    }

    fn partition_count(&mut self, _: This) -> wasmtime::Result<u32> {
        Ok(count(&self.op()?.context.partitions))
    }

    fn partition_keys(&mut self, _: This, offset: u32, max: u32) -> wasmtime::Result<Vec<String>> {
        Ok(page(&self.op()?.context.partitions, offset, max))
    }

    fn partition_dimensions(&mut self, _: This, key: String) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.op()?.context.partitions.dimensions(&key).to_vec())
    }

    fn time_window(&mut self, _: This) -> wasmtime::Result<Option<wit_types::TimeWindow>> {
        Ok(self.op()?.context.partitions.time_window().map(Into::into))
    }

    fn time_zone(&mut self, _: This) -> wasmtime::Result<Option<String>> {
        Ok(self.op()?.context.partitions.time_zone().map(str::to_owned))
    }

    fn inputs(&mut self, _: This) -> wasmtime::Result<Vec<String>> {
        Ok(self.op()?.context.inputs.iter().map(|(name, _)| name.clone()).collect())
    }

    fn outputs(&mut self, _: This) -> wasmtime::Result<Vec<String>> {
        Ok(self.op()?.names())
    }

    fn input(&mut self, _: This, name: String) -> Answer<Resource<SourceHandle>> {
        let inputs = &self.op()?.context.inputs;
        let Some((_, value)) = inputs.iter().find(|(input, _)| *input == name) else {
            let known: Vec<String> = inputs.iter().map(|(input, _)| input.clone()).collect();
            return Ok(Err(unknown("input", &name, &known)));
        };
        let source = SourceHandle::new(value.clone());
        Ok(Ok(self.table.push(source)?))
    }

    fn output(&mut self, _: This, name: String) -> Answer<Resource<SinkHandle>> {
        match self.op()?.output_index(&name) {
            Ok(index) => Ok(Ok(Resource::new_own(u32::try_from(index)?))),
            Err(error) => Ok(Err(error)),
        }
    }

    fn add_output_metadata(&mut self, _: This, output: String, entries: Vec<wit_types::MetadataEntry>) -> Answer<()> {
        let op = self.op()?;
        let index = match op.output_index(&output) {
            Ok(index) => index,
            Err(error) => return Ok(Err(error)),
        };
        match op.recorded.get_mut(index) {
            Some(recorded) => recorded.add(entries, Again::Conflict),
            None => Err(wasmtime::format_err!("an output has no record")),
        }
    }

    fn add_part_metadata(
        &mut self,
        _: This,
        output: String,
        key: String,
        entries: Vec<wit_types::MetadataEntry>,
    ) -> Answer<()> {
        let index = match self.op()?.output_index(&output) {
            Ok(index) => index,
            Err(error) => return Ok(Err(error)),
        };
        if let Some(Err(error)) = self.sinks.get(index).map(|sink| sink.check_key(&key)) {
            return Ok(Err(error));
        }
        match self.op()?.recorded.get_mut(index) {
            Some(recorded) => recorded.add_part(key, entries),
            None => Err(wasmtime::format_err!("an output has no record")),
        }
    }

    fn log(&mut self, _: This, level: wit_types::Level, message: String) -> wasmtime::Result<()> {
        self.log.line(Level::from(level), &message);
        Ok(())
    }

    fn drop(&mut self, _: This) -> wasmtime::Result<()> {
        Ok(())
    }
}

/// One sink for each output.
pub(crate) fn sinks(context: &OpContext, budget: &crate::value::Budget) -> Vec<SinkState> {
    let keys = |output: &OpOutput| {
        if output.is_dynamic { SinkKeys::Mapping } else { SinkKeys::Partitions(context.partitions.clone()) }
    };
    context.outputs.iter().map(|output| SinkState::new(budget.clone(), keys(output))).collect()
}
