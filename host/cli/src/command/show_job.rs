//! `airlock show job:NAME`: all about one job.

use std::path::Path;

use airlock_pipeline::definitions::{Input, Job, JobStep, Output as OutputDefinition};

use super::show::{input, op};
use crate::error::{Error, ExitStatus};
use crate::output::{Format, Output};
use crate::render::{Fields, safe_name, word};

/// Shows `job`; what its paths are shown relative to is `directory`.
pub fn execute(job: &Job, directory: &Path, format: Format) -> Result<ExitStatus, Error> {
    let mut output = Output::new();
    match format {
        Format::Human => print(&mut output, job, directory)?,
        Format::Json => output.json("job", job)?,
        Format::Jsonl => output.json_line(job)?,
    }
    output.finish()?;
    Ok(ExitStatus::Done)
}

fn print(output: &mut Output, job: &Job, directory: &Path) -> Result<(), Error> {
    let mut fields = Fields::default();
    fields.add("job", safe_name(&job.name));
    fields.add_some("about", job.description.as_deref().map(safe_name));
    fields.add("defined", job.position.to_string());
    fields.print(output)?;
    for step in &job.steps {
        output.line("")?;
        of_step(step, directory).print(output)?;
    }
    Ok(())
}

fn of_step(step: &JobStep, directory: &Path) -> Fields {
    let mut fields = Fields::default();
    fields.add("step", safe_name(&step.name));
    fields.add_some("about", step.description.as_deref().map(safe_name));
    fields.add_some("for", step.mapped_over.as_ref().map(|output| format!("each of {output}")));
    fields.add("op", op(&step.op, directory));
    fields.add_all("inputs", step.inputs.iter().map(of_input));
    fields.add_all("after", step.deps.iter().map(|step| safe_name(step)));
    fields.add_all("outputs", step.outputs.iter().map(of_output));
    fields
}

/// An input; an asset may be called as a step is.
fn of_input(of: &Input) -> String {
    match of.asset() {
        Some(asset) => format!("{} = the asset {}", safe_name(&of.name), safe_name(asset)),
        None => input(of),
    }
}

fn of_output(output: &OutputDefinition) -> String {
    let kind = match (output.is_dynamic, output.is_optional) {
        (true, _) => ", any number",
        (false, true) => ", optional",
        (false, false) => "",
    };
    let io = output.io.as_ref().map(|io| format!(" with {}", safe_name(io))).unwrap_or_default();
    format!("{}: {}{kind}{io}", safe_name(&output.name), word(&output.value_type))
}
