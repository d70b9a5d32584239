//! The inputs of a command: files, each in the form that the command asks for.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use airlock_sandbox::layout::segment;
use airlock_sandbox::value::{Content, Part};
use serde::Serialize;

use super::convert::Conversion;
use super::failure::{Stage, StepFailure};
use super::inputs::StepInput;
use super::parts::Parts;
use super::ready::ReadyInput;
use super::step::Step;
use crate::definitions::{Form, ValueType, environment_name, media_type_name, partitions_name};
use crate::partition::value_name;

/// Why the inputs were not given.
pub(super) enum NotGiven {
    /// One could not be loaded or converted.
    Failed(Box<StepFailure>),
    /// A file could not be written.
    Io(io::Error),
}

impl From<Box<StepFailure>> for NotGiven {
    fn from(failure: Box<StepFailure>) -> Self {
        Self::Failed(failure)
    }
}

impl From<io::Error> for NotGiven {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A partition of an input, as its command is told of it.
#[derive(Serialize)]
struct Listed {
    partition: String,
    path: String,
}

/// Writes `inputs` below `directory`, and gives what the command finds in its environment of them.
pub(super) fn write(
    step: &Step<'_>,
    directory: &Path,
    inputs: Vec<StepInput<'_>>,
) -> Result<Vec<(String, OsString)>, NotGiven> {
    let mut environment: Vec<(String, OsString)> = Vec::new();
    for (index, input) in inputs.into_iter().enumerate() {
        // A name may be longer than that of a file can be.
        let path = directory.join(index.to_string());
        match input {
            // What is absent has no variable, so that a command that does not expect it fails over that.
            StepInput::One { part: None, .. } => {}
            StepInput::One { input, part: Some(part) } => {
                let (name, part) = (&input.input.name, converted(step, input, part)?);
                write_file(&path, &part.content)?;
                environment.push((media_type_name(name), part.media_type.into()));
                environment.push((environment_name(name), path.into()));
            }
            StepInput::Many(parts) => {
                let name = &parts.input().input.name;
                let list = directory.join(format!("{index}.json"));
                if let Some(media_type) = write_parts(step, *parts, &path, &list)? {
                    environment.push((media_type_name(name), media_type.into()));
                }
                environment.push((partitions_name(name), list.into()));
                environment.push((environment_name(name), path.into()));
            }
        }
    }
    Ok(environment)
}

/// Writes each part to a file in `directory`, and which they are to the file `list`. Gives the media type of the first.
fn write_parts(
    step: &Step<'_>,
    mut parts: Parts<'_>,
    directory: &Path,
    list: &Path,
) -> Result<Option<String>, NotGiven> {
    fs::create_dir(directory)?;
    let mut listed = Vec::new();
    let mut media_type = None;
    while let Some(part) = parts.part(listed.len())? {
        let part = converted(step, parts.input(), part)?;
        let key = part.key.unwrap_or_default();
        let extension = parts.input().value_type().extension(parts.input().input.form);
        let path = directory.join(format!("{}.{extension}", segment(&key)));
        write_file(&path, &part.content)?;
        media_type.get_or_insert(part.media_type);
        listed.push(Listed { partition: key, path: path.display().to_string() });
    }
    parts.record();
    fs::write(list, serde_json::to_vec(&listed).map_err(io::Error::other)?)?;
    Ok(media_type)
}

/// A table in the form that the command asks for; what is no table stays as it is.
fn converted(step: &Step<'_>, input: &ReadyInput<'_>, mut part: Part) -> Result<Part, NotGiven> {
    let (Some(form), ValueType::Table) = (input.input.form, input.value_type()) else { return Ok(part) };
    let (name, asset) = (&input.input.name, input.input.asset());
    let stage = Stage::Input { name: name.clone(), asset: asset.map(str::to_owned), partition: part.key.clone() };
    let what = format!("the value of `{}`", value_name(asset.unwrap_or(name), part.key.as_deref()));
    let unchanged = Conversion::default();
    part.content = step.run.convert(part.content, (Form::Arrow, form.into()), &unchanged, &stage, &what)?;
    form.media_type().clone_into(&mut part.media_type);
    Ok(part)
}

fn write_file(path: &Path, content: &Content) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    content.reader().copy_to(&mut file, |_, _| Ok::<(), io::Error>(())).map(drop)
}
