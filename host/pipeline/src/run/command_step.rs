//! The op of a step that is a command: its inputs and its outputs are files named in its environment.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;
use std::{fs, io};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::command;
use super::command_inputs::{self, NotGiven};
use super::command_outputs::OutputFiles;
use super::failure::{FailureClass, Stage, StepFailure};
use super::inputs::StepInput;
use super::ready::ReadyCommand;
use super::step::{Computed, Given, Step, wrong_output};
use super::subject::Places;
use super::value;
use crate::definitions::{self, Form, ValueType, dimension_name, metadata_name, output_name, part_metadata_name};
use crate::partition::time_zone;

/// The helper for programs in Python.
const PYTHON: &str = include_str!("../../python/airlock.py");

/// Makes the directory that `import airlock` of a program in Python finds the helper in.
pub(super) fn write_python(scratch: &Path) -> io::Result<()> {
    let directory = scratch.join("python");
    fs::create_dir(&directory)?;
    fs::write(directory.join("airlock.py"), PYTHON)
}

/// Runs the command of `step`.
pub(super) fn run(
    step: &Step<'_>,
    ready: &ReadyCommand,
    inputs: Vec<StepInput<'_>>,
) -> Result<Computed, Box<StepFailure>> {
    let failed = |doing: &str, error: &io::Error| {
        if error.kind() == io::ErrorKind::InvalidInput {
            let message = format!("cannot {doing} of the command `{}`: {error}", ready.shown);
            return StepFailure::new(FailureClass::Error, Stage::Op, message);
        }
        let message = format!("cannot {doing} of `{}` in {}: {error}", step.ready.planned.key, step.scratch.display());
        StepFailure::new(FailureClass::Storage, Stage::Op, message)
    };
    let (inputs_directory, outputs) = (step.scratch.join("inputs"), OutputFiles::of(step));
    let mut environment =
        environment(step, &inputs_directory, &outputs).map_err(|error| failed("make the files", &error))?;
    // Their memory is free while the command runs.
    environment.extend(command_inputs::write(step, &inputs_directory, inputs).map_err(|error| match error {
        NotGiven::Failed(failure) => failure,
        NotGiven::Io(error) => failed("write the inputs", &error).into(),
    })?);
    let run = step.run;
    let directory = run.definitions.directory();
    let ended = command::run(&ready.program, &ready.arguments, directory, &environment, &step.log, &run.interrupt);
    let ended = ended.map_err(|error| {
        let message = format!("cannot start the command `{}`: {error}", ready.shown);
        let failure = StepFailure::new(FailureClass::Error, Stage::Op, message);
        let help = format!("it is looked for in PATH, and runs in {}", directory.display());
        if error.kind() == io::ErrorKind::NotFound { failure.help(help) } else { failure }
    })?;
    let Some(status) = ended.status else { return Err(StepFailure::interrupted(Stage::Op).into()) };
    if !status.success() {
        let message = format!("the command `{}` {}", ready.shown, command::describe(status));
        return Err(StepFailure::new(FailureClass::Error, Stage::Op, message).stderr(&ended.stderr).into());
    }
    let mut given = Vec::new();
    for (output, files) in step.ready.of.outputs.iter().zip(&outputs) {
        let variable = metadata_name(&output.output.name);
        let read = |bytes: Option<Vec<u8>>| match bytes {
            Some(bytes) => value::metadata(&bytes)
                .map_err(|wrong| Box::new(wrong_output(format!("what `{}` wrote to {variable} {wrong}", ready.shown)))),
            None => Ok(Vec::new()),
        };
        let metadata = read(files.metadata().map_err(|error| failed("read the metadata", &error))?)?;
        let mut part_metadata = HashMap::new();
        let of_parts = files.part_metadata(step).map_err(|error| failed("read the metadata of a part", &error))?;
        for (key, bytes) in of_parts {
            part_metadata.insert(key, read(Some(bytes))?);
        }
        if output.output.value_type == ValueType::None {
            given.push(Given { value: None, metadata, part_metadata });
            continue;
        }
        let taken =
            files.take(step).map_err(|error| failed(&format!("take the output `{}`", output.output.name), &error))?;
        let value = match taken {
            Some(value) => Some(step.checked(output, value, output.output.form.unwrap_or(Form::Arrow))?),
            None if output.output.is_optional => None,
            None => return Err(no_output(step, ready, output.output).stderr(&ended.stderr).into()),
        };
        given.push(Given { value, metadata, part_metadata });
    }
    Ok(Computed { outputs: given, computed_by: None })
}

fn no_output(step: &Step<'_>, ready: &ReadyCommand, output: &definitions::Output) -> StepFailure {
    let variable = output_name(&output.name);
    let message = format!("the command `{}` ended well, and wrote no file to {variable}", ready.shown);
    if step.ready.of.is_keyed {
        let help = "write a file for each partition, where the list in AIRLOCK_PARTITIONS says, in Python by \
                    airlock.store_json(value, partition=key) and its like";
        return StepFailure::new(FailureClass::Error, Stage::Op, message).help(help);
    }
    let otherwise = if step.is_of_job() {
        "say `optional = true` of an output that may be absent, and `type = \"none\"` where nothing is stored"
    } else {
        "say `type = \"none\"` where nothing is stored"
    };
    let help = format!(
        "write the value to the path in the environment variable {variable}, in Python by airlock.store_json and its \
         like; or {otherwise}"
    );
    StepFailure::new(FailureClass::Error, Stage::Op, message).help(help)
}

/// What the command finds in its environment, beside what Airlock itself was given and its inputs.
fn environment(step: &Step<'_>, inputs: &Path, outputs: &[OutputFiles<'_>]) -> io::Result<Vec<(String, OsString)>> {
    fs::create_dir(&step.scratch)?;
    fs::create_dir(inputs)?;
    let mut environment: Vec<(String, OsString)> = vec![
        ("AIRLOCK_RUN_ID".to_owned(), step.run.run_id.clone().into()),
        ("AIRLOCK_STEP".to_owned(), step.ready.planned.key.clone().into()),
        ("PYTHONPATH".to_owned(), python_path(&step.run.scratch.join("python"))),
    ];
    if let Some(asset) = step.ready.of.asset().or(step.ready.of.graph_of) {
        environment.push(("AIRLOCK_ASSET".to_owned(), asset.name.clone().into()));
    }
    let is_of_asset = step.ready.of.graph_of.is_some();
    if let Some(job) = step.ready.of.name.first().filter(|_| step.is_of_job() && !is_of_asset) {
        environment.push(("AIRLOCK_JOB".to_owned(), job.into()));
    }
    if let Some(key) = &step.ready.planned.mapping_key {
        environment.push(("AIRLOCK_MAPPING_KEY".to_owned(), key.into()));
    }
    let is_keyed = step.ready.of.is_keyed;
    for (output, files) in step.ready.of.outputs.iter().zip(outputs) {
        let output = output.output;
        environment.push((metadata_name(&output.name), files.metadata.clone().into()));
        if output.is_dynamic || is_keyed {
            fs::create_dir(&files.value)?;
            fs::create_dir(&files.part_metadata)?;
            environment.push((part_metadata_name(&output.name), files.part_metadata.clone().into()));
        }
        if output.value_type != ValueType::None {
            environment.push((output_name(&output.name), files.value.clone().into()));
        }
    }
    let partitions = step.partitions();
    if is_keyed {
        let list = step.scratch.join("partitions.json");
        fs::write(&list, serde_json::to_vec(&listed(step, outputs)?).map_err(io::Error::other)?)?;
        environment.push(("AIRLOCK_PARTITIONS".to_owned(), list.into()));
    } else if let Some(key) = step.key() {
        environment.push(("AIRLOCK_PARTITION".to_owned(), key.into()));
        let several = partitions.keys().iter().filter(|key| key.dimensions.len() > 1);
        for (name, key) in several.flat_map(|key| &key.dimensions) {
            environment.push((dimension_name(name), key.into()));
        }
    }
    if let Some(window) = partitions.time_window() {
        let zone = partitions.time_zone();
        environment.push(("AIRLOCK_PARTITION_START".to_owned(), moment(window.start_ms, zone)?.into()));
        environment.push(("AIRLOCK_PARTITION_END".to_owned(), moment(window.end_ms, zone)?.into()));
    }
    Ok(environment)
}

/// A partition that a step computes beside others, as its command is told of it.
#[derive(Serialize)]
struct Listed {
    partition: String,
    /// By the names of the dimensions, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    dimensions: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    /// By the names of the outputs that have a value, where to write them to.
    outputs: BTreeMap<String, String>,
    /// By the names of the outputs, where to write facts about the partition to.
    metadata: BTreeMap<String, String>,
}

fn listed(step: &Step<'_>, outputs: &[OutputFiles<'_>]) -> io::Result<Vec<Listed>> {
    let mut list = Vec::new();
    for (places, partition) in step.places().into_iter().flat_map(Places::each) {
        let partitions = places.partitions();
        let zone = partitions.time_zone();
        let window = partitions.time_window();
        let dimensions = partitions.dimensions(&partition);
        let several = dimensions.iter().filter(|_| dimensions.len() > 1).cloned();
        let with_value = outputs.iter().filter(|files| files.output.value_type != ValueType::None);
        let paths =
            with_value.map(|files| (files.output.name.clone(), files.of_partition(&partition).display().to_string()));
        let facts = outputs
            .iter()
            .map(|files| (files.output.name.clone(), files.metadata_of_partition(&partition).display().to_string()));
        list.push(Listed {
            metadata: facts.collect(),
            dimensions: several.collect(),
            start: window.map(|window| moment(window.start_ms, zone)).transpose()?,
            end: window.map(|window| moment(window.end_ms, zone)).transpose()?,
            outputs: paths.collect(),
            partition: partition.into_owned(),
        });
    }
    Ok(list)
}

/// A moment as RFC 3339 has it, in local time of `zone`: `2012-01-01T00:00:00-08:00`.
fn moment(milliseconds: i64, zone: Option<&str>) -> io::Result<String> {
    let zone = zone.and_then(time_zone).unwrap_or(TimeZone::UTC);
    let moment = Timestamp::from_millisecond(milliseconds).map_err(io::Error::other)?.to_zoned_datetime(zone);
    Ok(moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

fn python_path(directory: &Path) -> OsString {
    let mut path = OsString::from(directory);
    if let Some(others) = std::env::var_os("PYTHONPATH").filter(|others| !others.is_empty()) {
        path.push(":");
        path.push(others);
    }
    path
}
