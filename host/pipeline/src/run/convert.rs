//! Converts tables between the form that a command asked for and Arrow.
//!
//! What is converted was written by a command, or loaded by a component that is not trusted, so it is read in the
//! sandbox too: the component `tables` has a converter, which is lent nothing.

use std::sync::{Arc, OnceLock};

use airlock_sandbox::Component;
use airlock_sandbox::component::ComponentError;
use airlock_sandbox::context::{OpContext, OpOutput};
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

/// What a table is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The same table in another form.
    Form(Form),
    /// Its first rows as texts, in JSON: `columns`, each with its `name` and `type`, `rows`, and whether there are `more`.
    Preview {
        /// Rows at most.
        rows: usize,
    },
}

impl Target {
    /// As the converter calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Form(form) => form.name(),
            Self::Preview { .. } => "preview",
        }
    }
}

impl From<Form> for Target {
    fn from(form: Form) -> Self {
        Self::Form(form)
    }
}

/// What is changed in a table that is converted.
#[derive(Clone, Debug, Default)]
pub(super) struct Conversion<'a> {
    /// The columns that it must have, in order, and their types; what it has where nothing is said.
    pub schema: &'a [ColumnDefinition],
    /// The columns to keep; all where none is named.
    pub columns: &'a [String],
    /// Whether it is read even where nothing else changes, to find out whether it is a table.
    pub check: bool,
}

impl Conversion<'_> {
    /// Whether it changes nothing, but that what is no table is refused.
    fn is_none(&self) -> bool {
        self.schema.is_empty() && self.columns.is_empty() && !self.check
    }
}

/// Whether the component of `lent` is the one that comes with the program and keeps tables: it gives the columns that are
/// asked for and no others, and stores nothing that is no table.
pub(super) fn keeps_tables(lent: &Lent) -> bool {
    matches!(&lent.definition.component, ComponentSource::Builtin(name) if name == COMPONENT)
}

impl RunContext<'_> {
    /// What the table in `content`, which has the form `from`, is as `to`; `what` names it in errors.
    pub fn convert(
        &self,
        content: Content,
        (from, to): (Form, Target),
        conversion: &Conversion<'_>,
        stage: &Stage,
        what: &str,
    ) -> Outcome<Content> {
        if to == Target::Form(from) && conversion.is_none() {
            return Ok(content);
        }
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
        let mut config = json!({ "from": from.name(), "to": to.name() });
        if let Some(config) = config.as_object_mut() {
            if !schema.is_empty() {
                config.insert("schema".to_owned(), schema.into());
            }
            if !conversion.columns.is_empty() {
                config.insert("columns".to_owned(), conversion.columns.into());
            }
            if let Target::Preview { rows } = to {
                config.insert("rows".to_owned(), rows.into());
            }
        }
        let part = Part { key: None, media_type: from.media_type().to_owned(), content };
        let op_context = OpContext {
            run_id: self.run_id.clone(),
            step_key: "convert".to_owned(),
            attempt: 1,
            config,
            partitions: Partitions::default(),
            inputs: vec![(INPUT.to_owned(), Input::Loaded(Value { parts: vec![part] }))],
            outputs: vec![OpOutput { name: OUTPUT.to_owned(), is_dynamic: false }],
        };
        let call = airlock_sandbox::Call {
            component,
            grant: &grant,
            budget: &self.budget,
            interrupt: &self.interrupt,
            strict: false,
            deterministic: None,
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
            let is_given = from == Form::Arrow && to != Target::Form(Form::Arrow);
            let (verb, form) = if is_given { ("give", to.name()) } else { ("read", from.name()) };
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
