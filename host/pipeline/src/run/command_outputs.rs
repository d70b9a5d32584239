//! The outputs of a command: files that it writes, each where its environment says.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use airlock_sandbox::layout::segment;
use airlock_sandbox::limits::{METADATA_BYTES, PARTS};
use airlock_sandbox::partition::is_mapping_key;
use airlock_sandbox::text;
use airlock_sandbox::value::{Budget, Content, Part, Value};

use super::step::Step;
use crate::definitions::Output;

/// Bytes of one of many files of an output from which on it is held open instead of read.
const ELEMENT_HELD: u64 = 64 << 10;
/// Bytes of the name of a file that is shown.
const NAME_SHOWN: usize = 200;

/// Where a command writes an output, and what it records of it.
pub(super) struct OutputFiles<'a> {
    pub output: &'a Output,
    /// A file, or the directory of the files of elements or partitions.
    pub value: PathBuf,
    pub metadata: PathBuf,
    /// The directory of facts about elements or partitions.
    pub part_metadata: PathBuf,
}

impl<'a> OutputFiles<'a> {
    /// Those of the outputs of `step`, in order.
    pub fn of(step: &Step<'a>) -> Vec<Self> {
        let outputs = step.ready.of.outputs.iter().enumerate().map(|(index, ready)| Self {
            output: ready.output,
            value: step.scratch.join(format!("output{index}")),
            metadata: step.scratch.join(format!("metadata{index}.json")),
            part_metadata: step.scratch.join(format!("metadata{index}")),
        });
        outputs.collect()
    }

    /// The file of the partition `key`.
    pub fn of_partition(&self, key: &str) -> PathBuf {
        self.value.join(format!("{}.{}", segment(key), self.output.value_type.extension(self.output.form)))
    }

    /// The file of facts about the partition `key`.
    pub fn metadata_of_partition(&self, key: &str) -> PathBuf {
        self.part_metadata.join(format!("{}.json", segment(key)))
    }

    /// What the command wrote for `step`; none where it wrote nothing. The files are gone then.
    pub fn take(&self, step: &Step<'_>) -> io::Result<Option<Value>> {
        let media_type = self.output.media_type.clone().unwrap_or_default();
        let budget = &step.run.budget;
        if self.output.is_dynamic {
            return take_elements(&self.value, self.output, budget).map(Some);
        }
        if !step.ready.of.is_keyed {
            return Ok(take(&self.value)?.map(|content| Value::single(media_type, content)));
        }
        let mut parts = Vec::new();
        for key in step.keys().into_iter().flatten() {
            if let Some(content) = take_element(&self.of_partition(&key), budget)? {
                parts.push(Part { key: Some(key), media_type: media_type.clone(), content });
            }
        }
        Ok((!parts.is_empty()).then_some(Value { parts }))
    }

    /// What the command recorded of the output; none where it wrote nothing.
    pub fn metadata(&self) -> io::Result<Option<Vec<u8>>> {
        read_metadata(&self.metadata, METADATA_BYTES)
    }

    /// What the command recorded of elements or partitions for `step`, by their keys; together as much as of an output.
    pub fn part_metadata(&self, step: &Step<'_>) -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut parts = Vec::new();
        let mut left = METADATA_BYTES;
        let mut read = |key: String, path: &Path| {
            if let Some(bytes) = read_metadata(path, left)? {
                left = left.checked_sub(bytes.len()).ok_or_else(|| {
                    let message = format!("they have more than {METADATA_BYTES} bytes together");
                    io::Error::new(io::ErrorKind::InvalidInput, message)
                })?;
                parts.push((key, bytes));
            }
            Ok::<_, io::Error>(())
        };
        if step.ready.of.is_keyed {
            for key in step.keys().into_iter().flatten() {
                read(key.clone(), &self.metadata_of_partition(&key))?;
            }
        } else if self.output.is_dynamic {
            for entry in fs::read_dir(&self.part_metadata)? {
                let path = entry?.path();
                read(mapping_key(&path)?, &path)?;
            }
        }
        Ok(parts)
    }
}

/// The bytes of the file at `path`, at most one more than `most`; none where there is no file.
fn read_metadata(path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The mapping key of the element that the file at `path` is of.
fn mapping_key(path: &Path) -> io::Result<String> {
    let key = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if !is_mapping_key(key) {
        let name = text::safe_line(&path.file_name().unwrap_or_default().to_string_lossy(), NAME_SHOWN);
        let message =
            format!("the file {name:?} has no mapping key as its name: only A-Z, a-z, 0-9 and _ before a dot");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(key.to_owned())
}

/// The elements of the dynamic `output` in `directory`, in the order of their mapping keys: the names of the files, without
/// what follows the last dot.
fn take_elements(directory: &Path, output: &Output, budget: &Budget) -> io::Result<Value> {
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
        let key = mapping_key(&path)?;
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
