//! The op of a step that is a command: its inputs and its outputs are files named in its environment.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use airlock_sandbox::limits::{METADATA_BYTES, PARTS};
use airlock_sandbox::partition::is_mapping_key;
use airlock_sandbox::text;
use airlock_sandbox::value::{Budget, Content, Part, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::command;
use super::command_inputs::{self, NotGiven};
use super::failure::{FailureClass, Stage, StepFailure};
use super::inputs::StepInput;
use super::ready::ReadyCommand;
use super::step::{Computed, Given, Step, wrong_output};
use super::value;
use crate::definitions::{self, Form, ValueType, dimension_name, metadata_name, output_name};
use crate::partition::time_zone;

/// Bytes of an element of a dynamic output from which on its file is held open instead of read.
const ELEMENT_HELD: u64 = 64 << 10;
/// Bytes of the name of a file that is shown.
const NAME_SHOWN: usize = 200;
/// The helper for programs in Python.
const PYTHON: &str = include_str!("../../python/airlock.py");

/// Makes the directory that `import airlock` of a program in Python finds the helper in.
pub(super) fn write_python(scratch: &Path) -> io::Result<()> {
    let directory = scratch.join("python");
    fs::create_dir(&directory)?;
    fs::write(directory.join("airlock.py"), PYTHON)
}

/// The files of a command.
struct Files {
    inputs: PathBuf,
    /// For each output that has a value.
    outputs: Vec<OutputFiles>,
}

/// Where a command writes an output, and what it records of it.
struct OutputFiles {
    value: PathBuf,
    metadata: PathBuf,
}

impl Files {
    fn new(step: &Step<'_>) -> Self {
        let outputs = step.ready.of.outputs.iter().enumerate().map(|(index, _)| OutputFiles {
            value: step.scratch.join(format!("output{index}")),
            metadata: step.scratch.join(format!("metadata{index}.json")),
        });
        Self { inputs: step.scratch.join("inputs"), outputs: outputs.collect() }
    }
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
    let files = Files::new(step);
    let mut environment = environment(step, &files).map_err(|error| failed("make the files", &error))?;
    // Their memory is free while the command runs.
    environment.extend(command_inputs::write(step, &files.inputs, inputs).map_err(|error| match error {
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
    let mut outputs = Vec::new();
    for (output, files) in step.ready.of.outputs.iter().zip(&files.outputs) {
        let variable = metadata_name(&output.output.name);
        let recorded = read_metadata(&files.metadata).map_err(|error| failed("read the metadata", &error))?;
        let metadata = match recorded {
            Some(bytes) => value::metadata(&bytes)
                .map_err(|wrong| wrong_output(format!("what `{}` wrote to {variable} {wrong}", ready.shown)))?,
            None => Vec::new(),
        };
        if output.output.value_type == ValueType::None {
            outputs.push(Given { value: None, metadata });
            continue;
        }
        let taken = if output.output.is_dynamic {
            take_elements(&files.value, output.output, &run.budget).map(Some)
        } else {
            let media_type = output.output.media_type.clone().unwrap_or_default();
            take(&files.value).map(|content| content.map(|content| Value::single(media_type, content)))
        };
        let taken = taken.map_err(|error| failed(&format!("take the output `{}`", output.output.name), &error))?;
        let value = match taken {
            Some(value) => Some(step.checked(output, value, output.output.form.unwrap_or(Form::Arrow))?),
            None if output.output.is_optional => None,
            None => return Err(no_output(step, ready, output.output).stderr(&ended.stderr).into()),
        };
        outputs.push(Given { value, metadata });
    }
    Ok(Computed { outputs, computed_by: None })
}

fn no_output(step: &Step<'_>, ready: &ReadyCommand, output: &definitions::Output) -> StepFailure {
    let variable = output_name(&output.name);
    let message = format!("the command `{}` ended well, and wrote no file to {variable}", ready.shown);
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

/// The elements of the dynamic `output` in `directory`, in the order of their mapping keys: the names of the files, without
/// what follows the last dot.
fn take_elements(directory: &Path, output: &definitions::Output, budget: &Budget) -> io::Result<Value> {
    let mut parts = Vec::new();
    let entries = fs::read_dir(directory).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            let message = "it is no directory any more, in which each element has a file";
            io::Error::new(io::ErrorKind::InvalidInput, message)
        }
        _ => error,
    })?;
    for entry in entries {
        let path = entry?.path();
        let key = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        if !is_mapping_key(&key) {
            let name = text::safe_line(&path.file_name().unwrap_or_default().to_string_lossy(), NAME_SHOWN);
            let message =
                format!("the file {name:?} has no mapping key as its name: only A-Z, a-z, 0-9 and _ before a dot");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        if parts.len() == PARTS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it has more than {PARTS} elements")));
        }
        let Some(content) = take_element(&path, budget)? else { continue };
        let media_type = output.media_type.clone().unwrap_or_default();
        parts.push(Part { key: Some(key), media_type, content });
    }
    parts.sort_by(|a, b| a.key.cmp(&b.key));
    if let Some((twice, _)) = parts.iter().zip(parts.iter().skip(1)).find(|(a, b)| a.key == b.key) {
        let message = format!("two files have the mapping key {}", twice.key.as_deref().unwrap_or_default());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(Value { parts })
}

/// What the command finds in its environment, beside what Airlock itself was given and its inputs.
fn environment(step: &Step<'_>, files: &Files) -> io::Result<Vec<(String, OsString)>> {
    fs::create_dir(&step.scratch)?;
    fs::create_dir(&files.inputs)?;
    let mut environment: Vec<(String, OsString)> = vec![
        ("AIRLOCK_RUN_ID".to_owned(), step.run.run_id.clone().into()),
        ("AIRLOCK_STEP".to_owned(), step.ready.planned.key.clone().into()),
        ("PYTHONPATH".to_owned(), python_path(&step.run.scratch.join("python"))),
    ];
    if let Some(asset) = step.ready.of.asset() {
        environment.push(("AIRLOCK_ASSET".to_owned(), asset.name.clone().into()));
    }
    if let Some(job) = step.ready.of.name.first().filter(|_| step.is_of_job()) {
        environment.push(("AIRLOCK_JOB".to_owned(), job.into()));
    }
    if let Some(key) = &step.ready.planned.mapping_key {
        environment.push(("AIRLOCK_MAPPING_KEY".to_owned(), key.into()));
    }
    for (output, files) in step.ready.of.outputs.iter().zip(&files.outputs) {
        let output = output.output;
        environment.push((metadata_name(&output.name), files.metadata.clone().into()));
        if output.is_dynamic {
            fs::create_dir(&files.value)?;
        }
        if output.value_type != ValueType::None {
            environment.push((output_name(&output.name), files.value.clone().into()));
        }
    }
    if let Some(key) = step.key() {
        environment.push(("AIRLOCK_PARTITION".to_owned(), key.into()));
    }
    let partitions = step.partitions();
    for (name, key) in partitions.keys().iter().filter(|key| key.dimensions.len() > 1).flat_map(|key| &key.dimensions) {
        environment.push((dimension_name(name), key.into()));
    }
    if let Some(window) = partitions.time_window() {
        let zone = partitions.time_zone();
        environment.push(("AIRLOCK_PARTITION_START".to_owned(), moment(window.start_ms, zone)?.into()));
        environment.push(("AIRLOCK_PARTITION_END".to_owned(), moment(window.end_ms, zone)?.into()));
    }
    Ok(environment)
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

/// The content of the file at `path`, which is gone then; none where there is no file.
fn take(path: &Path) -> io::Result<Option<Content>> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    fs::remove_file(path)?;
    Content::from_file(file).map(Some)
}

/// As [`take`], but what is small is not held open, since there may be very many.
fn take_element(path: &Path, budget: &Budget) -> io::Result<Option<Content>> {
    let Some(mut file) = open_regular(path)? else { return Ok(None) };
    fs::remove_file(path)?;
    if file.metadata()?.len() > ELEMENT_HELD {
        return Content::from_file(file).map(Some);
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Content::from_bytes(&bytes, budget).map(Some)
}

fn read_metadata(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(METADATA_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Opens the regular file at `path`; none where there is nothing. A link is not followed, and a FIFO does not block.
fn open_regular(path: &Path) -> io::Result<Option<File>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {
            OpenOptions::new().read(true).custom_flags(NO_FOLLOW).open(path).map(Some)
        }
        Ok(_) => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[expect(clippy::cast_possible_wrap, reason = "the flags are small and positive")]
const NO_FOLLOW: i32 = (rustix::fs::OFlags::NOFOLLOW.bits() | rustix::fs::OFlags::NONBLOCK.bits()) as i32;
