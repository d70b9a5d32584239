//! The builder of the context of an op, with a method for every field of the contract.

use std::cell::RefCell;

use super::context::Partitions;
use super::op_context::{OpContext, OpFields, OpOutput, OpRecord};
use super::outcome::BuiltOp;
use super::setters::setters;
use super::value::Part;

/// A context to compute the output `result`, unless others are named, in the step `step` of the run `test`.
pub fn build_op_context() -> OpContextBuilder {
    OpContextBuilder {
        fields: OpFields {
            run_id: "test".to_owned(),
            step_key: "step".to_owned(),
            attempt: 1,
            config: "{}".to_owned(),
            partitions: Partitions::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        },
    }
}

/// Builds a [`BuiltOp`].
#[derive(Clone, Debug)]
pub struct OpContextBuilder {
    fields: OpFields,
}

impl OpContextBuilder {
    setters! {
        text /** The run. */ run_id;
        text /** The step within the run. */ step_key;
        json /** The configuration of the op. */ config;
        partitions;
    }

    /// The number of the attempt, from 1.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.fields.attempt = attempt;
        self
    }

    /// One more input.
    #[must_use]
    pub fn input(mut self, name: &str, parts: impl IntoIterator<Item = Part>) -> Self {
        self.fields.inputs.push((name.to_owned(), parts.into_iter().collect()));
        self
    }

    /// The names of outputs, in the place of `result`.
    #[must_use]
    pub fn outputs<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        self.more_outputs(names, false)
    }

    /// The names of outputs that are dynamic, each part of which has a mapping key, in the place of `result`.
    #[must_use]
    pub fn dynamic_outputs<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        self.more_outputs(names, true)
    }

    fn more_outputs<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>, is_dynamic: bool) -> Self {
        self.fields.outputs.extend(names.into_iter().map(|name| OpOutput { name: name.into(), is_dynamic }));
        self
    }

    /// The context.
    pub fn build(mut self) -> BuiltOp {
        if self.fields.outputs.is_empty() {
            self = self.outputs(["result"]);
        }
        BuiltOp { host: OpContext { fields: self.fields, record: RefCell::new(OpRecord::default()) } }
    }
}
