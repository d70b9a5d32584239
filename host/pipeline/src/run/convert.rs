//! Converts tables between the form that a command asked for and Arrow.
//!
//! What is converted was written by a command, or loaded by a component that is not trusted, so it is read in the
//! sandbox too: the component `tables` has a converter, which is lent nothing.

use std::sync::{Arc, OnceLock};

use airlock_sandbox::Component;
use airlock_sandbox::component::ComponentError;
use airlock_sandbox::context::OpContext;
use airlock_sandbox::grant::Grant;
use airlock_sandbox::partition::Partitions;
use airlock_sandbox::report::{Failure, Report};
use airlock_sandbox::value::{Content, Input, Part, Value};
use serde_json::json;

use super::context::RunContext;
use super::failure::{FailureClass, Stage, StepFailure};
use super::lend::Lent;
use super::step::Outcome;
use crate::definitions::{ColumnDefinition, ComponentSource, Form};

/// The component that converts.
const COMPONENT: &str = "tables";
/// What the converter calls its input and its output.
const INPUT: &str = "value";
const OUTPUT: &str = "result";

/// The converter, compiled when it is first needed. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Converter(Arc<OnceLock<Result<Component, ComponentError>>>);

/// How a table is converted.
#[derive(Clone, Debug, Default)]
pub struct Conversion<'a> {
    /// The columns that it must have, in order, and their types; what it has where nothing is said.
    pub schema: &'a [ColumnDefinition],
    /// The columns to keep; all where none is named.
    pub columns: &'a [String],
    /// Rows to keep at most.
    pub rows: Option<usize>,
    /// Whether it is read even where nothing else changes, to find out whether it is a table.
    pub check: bool,
}

impl Conversion<'_> {
    /// Whether it changes nothing, but that what is no table is refused.
    fn is_none(&self) -> bool {
        self.schema.is_empty() && self.columns.is_empty() && self.rows.is_none() && !self.check
    }
}

/// Whether the component of `lent` is the one that comes with the program and keeps tables: it gives the columns that are
/// asked for and no others, and stores nothing that is no table.
pub(super) fn keeps_tables(lent: &Lent) -> bool {
    matches!(&lent.definition.component, ComponentSource::Builtin(name) if name == COMPONENT)
}

/// The media type of a table in the form `form`.
pub(super) fn media_type_of(form: Form) -> &'static str {
    media_type(form_name(form))
}

/// The name by which the converter knows a form.
fn form_name(form: Form) -> &'static str {
    match form {
        Form::Csv => "csv",
        Form::Jsonl => "jsonl",
        Form::Json => "json",
        Form::Parquet => "parquet",
        Form::Arrow => "arrow",
    }
}

impl RunContext<'_> {
    /// The table in `content`, which has the form `from`, in the form `to`; `what` names it in errors.
    pub fn convert(
        &self,
        content: Content,
        (from, to): (Form, Form),
        conversion: &Conversion<'_>,
        stage: &Stage,
        what: &str,
    ) -> Outcome<Content> {
        if from == to && conversion.is_none() {
            return Ok(content);
        }
        self.convert_named(content, form_name(from), form_name(to), conversion, stage, what)
    }

    /// As [`convert`](Self::convert), to a form that only the converter knows.
    pub fn convert_named(
        &self,
        content: Content,
        from: &str,
        to: &str,
        conversion: &Conversion<'_>,
        stage: &Stage,
        what: &str,
    ) -> Outcome<Content> {
        let component = self.converter.0.get_or_init(|| {
            let bytes = self.builtins.iter().find(|(name, _)| *name == COMPONENT).map(|(_, bytes)| *bytes);
            let name = format!("builtin:{COMPONENT}");
            let missing = || ComponentError::Read {
                path: name.clone().into(),
                reason: "this program has no such component".to_owned(),
            };
            self.sandbox.load_bytes(&name, bytes.ok_or_else(missing)?)
        });
        let component = component.as_ref().map_err(|error| {
            let message = format!("cannot convert {what}: {error}");
            StepFailure::new(FailureClass::Component, stage.clone(), message)
        })?;
        let grant = Grant::default();
        let schema: Vec<_> =
            conversion.schema.iter().map(|column| json!({ "name": column.name, "type": column.column_type })).collect();
        let mut config = json!({ "from": from, "to": to });
        if let Some(config) = config.as_object_mut() {
            if !schema.is_empty() {
                config.insert("schema".to_owned(), schema.into());
            }
            if !conversion.columns.is_empty() {
                config.insert("columns".to_owned(), conversion.columns.into());
            }
            if let Some(rows) = conversion.rows {
                config.insert("rows".to_owned(), rows.into());
            }
        }
        let part = Part { key: None, media_type: media_type(from).to_owned(), content };
        let op_context = OpContext {
            run_id: self.run_id.clone(),
            step_key: "convert".to_owned(),
            attempt: 1,
            config,
            partitions: Partitions::default(),
            inputs: vec![(INPUT.to_owned(), Input::Loaded(Value { parts: vec![part] }))],
            outputs: vec![OUTPUT.to_owned()],
        };
        let call = airlock_sandbox::Call {
            component,
            grant: &grant,
            budget: &self.budget,
            interrupt: &self.interrupt,
            strict: false,
        };
        let Report { outcome, .. } = self.sandbox.run_op(&call, op_context);
        let computed = outcome.map_err(|failure| {
            let reason = match &failure {
                // What it is called there is said here by its name.
                Failure::Guest { error } if !error.message.is_empty() => {
                    error.message.strip_prefix("the value: ").unwrap_or(&error.message).to_owned()
                }
                failure => failure.to_string(),
            };
            let (verb, form) = if from == "arrow" && to != "arrow" { ("give", to) } else { ("read", from) };
            let message = format!("cannot {verb} {what} as {form}: {reason}");
            StepFailure::new(FailureClass::from(&failure), stage.clone(), message)
        })?;
        let mut parts = computed.outputs.into_iter().flat_map(|output| output.value.parts);
        let converted = parts.next().map(|part| part.content);
        converted.ok_or_else(|| {
            let message = format!("cannot convert {what}: the converter gave nothing");
            StepFailure::new(FailureClass::Host, stage.clone(), message).into()
        })
    }
}

/// The media type of a table in the form that the converter calls `form`.
fn media_type(form: &str) -> &'static str {
    match form {
        "csv" => "text/csv",
        "jsonl" => "application/x-ndjson",
        "json" => "application/json",
        "parquet" => "application/vnd.apache.parquet",
        _ => "application/vnd.apache.arrow.stream",
    }
}
