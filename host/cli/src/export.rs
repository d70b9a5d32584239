//! A loaded value on its way to standard output or a file.

use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use airlock_sandbox::limits::CHUNK;
use airlock_sandbox::value::{Content, Part, Value};
use clap::Args;

use crate::error::{Error, ExitStatus, Report};
use crate::output::Output;
use crate::render;

/// Where a value goes.
#[derive(Debug, Args)]
pub struct ExportArgument {
    /// Write the value to FILE, which is replaced as a whole; otherwise to standard output
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

impl ExportArgument {
    /// Writes `value`, called `name`, to where it goes.
    pub fn write(&self, name: &str, value: &Value) -> Result<(), Error> {
        let [part] = value.parts.as_slice() else {
            return Err(match value.parts.len() {
                0 => Report::new(ExitStatus::Failed(1), format!("the component gave no value for `{name}`")).into(),
                parts => {
                    Error::usage(format!("the value of `{name}` has {parts} parts, which have no common form")).into()
                }
            });
        };
        match &self.output {
            Some(path) => to_file(path, &part.content),
            None => to_standard_output(name, part),
        }
    }
}

fn to_standard_output(name: &str, part: &Part) -> Result<(), Error> {
    let terminal = io::stdout().is_terminal();
    if terminal && !is_text(&part.content).map_err(|error| unreadable(name, &error))? {
        let (media_type, size) = (&part.media_type, render::size(part.content.size()));
        return Err(Error::usage(format!(
            "the value of `{name}` is not text ({media_type}, {size}), and would garble the terminal"
        ))
        .hint("write it to a file with `-o FILE`, or pipe it to a program that reads it")
        .into());
    }
    let mut output = Output::new();
    let mut ends_in_line_break = true;
    let mut reader = part.content.reader();
    loop {
        let bytes = reader.read(CHUNK).map_err(|error| unreadable(name, &error))?;
        let Some(last) = bytes.last() else { break };
        ends_in_line_break = *last == b'\n';
        output.write(&bytes)?;
    }
    // A prompt is easier to find on a line of its own; what is piped stays as it is.
    if terminal && !ends_in_line_break {
        output.write(b"\n")?;
    }
    output.finish()
}

/// Whether `content` is UTF-8 text without control characters but line breaks and tabs: what a terminal can be given.
fn is_text(content: &Content) -> io::Result<bool> {
    let mut reader = content.reader();
    let mut pending: Vec<u8> = Vec::new();
    loop {
        let bytes = reader.read(CHUNK)?;
        if bytes.is_empty() {
            return Ok(pending.is_empty());
        }
        pending.extend_from_slice(&bytes);
        let valid = match std::str::from_utf8(&pending) {
            Ok(_) => pending.len(),
            // A character that the end of the chunk cuts in two.
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Ok(false),
        };
        let rest = pending.split_off(valid);
        let text = String::from_utf8_lossy(&pending);
        if text.chars().any(|character| character.is_control() && !matches!(character, '\n' | '\t' | '\r')) {
            return Ok(false);
        }
        pending = rest;
    }
}

fn to_file(path: &Path, content: &Content) -> Result<(), Error> {
    write_file(path, content)
        .map_err(|error| Report::new(ExitStatus::Storage, format!("cannot write {}: {error}", path.display())).into())
}

/// Replaces the file at `path`, so that whoever reads it finds the old content or the new. A device or a pipe is
/// written as it stands.
fn write_file(path: &Path, content: &Content) -> io::Result<()> {
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        return copy(content, &mut std::fs::OpenOptions::new().write(true).open(path)?);
    }
    // What a link points to is replaced, not the link.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    directory.metadata()?;
    let mut builder = tempfile::Builder::new();
    // Its own message names a file that nobody asked for.
    let file = builder.prefix(".airlock-").permissions(mode).tempfile_in(directory);
    let mut file = file.map_err(|error| io::Error::from(error.kind()))?;
    copy(content, file.as_file_mut())?;
    file.persist(&path)?;
    Ok(())
}

fn copy(content: &Content, target: &mut File) -> io::Result<()> {
    content.reader().copy_to(target, |_, _| Ok::<(), io::Error>(())).map(|_| ())
}

fn unreadable(name: &str, error: &io::Error) -> Error {
    Report::new(ExitStatus::Storage, format!("cannot read the value of `{name}`: {error}")).into()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use airlock_sandbox::value::Budget;

    use super::*;

    fn content(bytes: &[u8]) -> Content {
        Content::from_bytes(bytes, &Budget::new(u64::MAX, std::env::temp_dir())).unwrap()
    }

    #[test]
    fn a_terminal_is_given_text_and_nothing_that_moves_its_cursor() {
        assert!(is_text(&content("year,temp\n2012,ü\t\r\n".as_bytes())).unwrap());
        assert!(is_text(&content(b"")).unwrap());
        for binary in [&b"\x89PNG"[..], b"a\0b", b"\x1b[2J", "\u{9b}2J".as_bytes(), b"cut \xc3"] {
            assert!(!is_text(&content(binary)).unwrap(), "{binary:?}");
        }
    }

    #[test]
    fn a_character_across_two_chunks_is_text() {
        let mut bytes = vec![b'a'; CHUNK - 1];
        bytes.extend("ü".as_bytes());
        assert!(is_text(&content(&bytes)).unwrap());
    }

    #[test]
    fn an_error_names_the_file_that_was_asked_for_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("gone/value");
        let Err(Error::Told(report)) = to_file(&path, &content(b"new")) else { panic!("it was written") };
        let expected = format!("cannot write {}: No such file or directory (os error 2)", path.display());
        assert_eq!(report.message(), expected);
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_a_failure_leaves_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("value");
        std::fs::write(&path, "old").unwrap();
        write_file(&path, &content(b"new")).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");

        let shrunk = tempfile::tempfile().unwrap();
        (&shrunk).write_all(b"longer").unwrap();
        let broken = Content::from_file(shrunk.try_clone().unwrap()).unwrap();
        shrunk.set_len(0).unwrap();
        write_file(&path, &broken).unwrap_err();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
