//! The op of a step that is a command: its inputs and its output are files named in its environment.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use airlock_sandbox::limits::METADATA_BYTES;
use airlock_sandbox::value::{Content, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::command;
use super::command_inputs::{self, NotGiven};
use super::failure::{FailureClass, Stage, StepFailure};
use super::prepare::ReadyCommand;
use super::step::{Output, Step, StepInput, wrong_output};
use super::value;
use crate::definitions::{Form, ValueType};
use crate::partition::time_zone;

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
    output: PathBuf,
    metadata: PathBuf,
}

/// Runs the command of `step`.
pub(super) fn run(
    step: &Step<'_>,
    ready: &ReadyCommand,
    inputs: Vec<StepInput<'_>>,
) -> Result<Output, Box<StepFailure>> {
    let failed = |doing: &str, error: &io::Error| {
        if error.kind() == io::ErrorKind::InvalidInput {
            let message = format!("cannot {doing} of the command `{}`: {error}", ready.shown);
            return StepFailure::new(FailureClass::Error, Stage::Op, message);
        }
        let message = format!("cannot {doing} of `{}` in {}: {error}", step.ready.planned.key, step.scratch.display());
        StepFailure::new(FailureClass::Storage, Stage::Op, message)
    };
    let files = Files {
        inputs: step.scratch.join("inputs"),
        output: step.scratch.join("output"),
        metadata: step.scratch.join("metadata.json"),
    };
    let has_value = step.asset().value_type != ValueType::None;
    let mut environment = environment(step, &files, has_value).map_err(|error| failed("make the files", &error))?;
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
    let recorded = read_metadata(&files.metadata).map_err(|error| failed("read the metadata", &error))?;
    let metadata = match recorded {
        Some(bytes) => value::metadata(&bytes)
            .map_err(|wrong| wrong_output(format!("what `{}` wrote to AIRLOCK_METADATA {wrong}", ready.shown)))?,
        None => Vec::new(),
    };
    if !has_value {
        return Ok(Output { value: None, metadata, computed_by: None });
    }
    let content = take(&files.output).map_err(|error| failed("take the output", &error))?;
    let Some(content) = content else {
        let message = format!("the command `{}` ended well, and wrote no file to AIRLOCK_OUTPUT", ready.shown);
        let failure = StepFailure::new(FailureClass::Error, Stage::Op, message).stderr(&ended.stderr);
        let help = "write the value to the path in the environment variable AIRLOCK_OUTPUT, in Python by \
                    airlock.store_json and its like; or say `type = \"none\"` where nothing is stored";
        return Err(failure.help(help).into());
    };
    let media_type = step.asset().media_type.clone().unwrap_or_default();
    let form = step.asset().form.unwrap_or(Form::Arrow);
    let value = step.checked(Value::single(media_type, content), form)?;
    Ok(Output { value: Some(value), metadata, computed_by: None })
}

/// What the command finds in its environment, beside what Airlock itself was given and its inputs.
fn environment(step: &Step<'_>, files: &Files, has_value: bool) -> io::Result<Vec<(String, OsString)>> {
    fs::create_dir(&step.scratch)?;
    fs::create_dir(&files.inputs)?;
    let mut environment: Vec<(String, OsString)> = vec![
        ("AIRLOCK_RUN_ID".to_owned(), step.run.run_id.clone().into()),
        ("AIRLOCK_STEP".to_owned(), step.ready.planned.key.clone().into()),
        ("AIRLOCK_ASSET".to_owned(), step.asset().name.clone().into()),
        ("AIRLOCK_METADATA".to_owned(), files.metadata.clone().into()),
        ("PYTHONPATH".to_owned(), python_path(&step.run.scratch.join("python"))),
    ];
    if has_value {
        environment.push(("AIRLOCK_OUTPUT".to_owned(), files.output.clone().into()));
    }
    if let Some(key) = step.key() {
        environment.push(("AIRLOCK_PARTITION".to_owned(), key.into()));
    }
    let partitions = step.partitions();
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
