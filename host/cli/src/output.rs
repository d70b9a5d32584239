//! Standard output, for data, and what is known of both outputs.

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use airlock_sandbox::text::safe;
use clap::ValueEnum;
use console::Term;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::error::Error;

/// The version of the JSON that commands print. It grows when something is renamed or removed.
pub const SCHEMA: u32 = 1;

/// How data is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Human,
    Json,
    Jsonl,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// Makes it so.
    pub fn apply(self) {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let enabled = |terminal: bool| match self {
            Self::Auto => terminal && !forbidden,
            Self::Always => true,
            Self::Never => false,
        };
        console::set_colors_enabled(enabled(io::stdout().is_terminal()));
        console::set_colors_enabled_stderr(enabled(io::stderr().is_terminal()));
    }
}

/// Columns that standard error has.
pub fn stderr_width() -> usize {
    width(&Term::stderr())
}

/// Columns that standard output has.
pub fn stdout_width() -> usize {
    width(&Term::stdout())
}

/// What `COLUMNS` says, otherwise what the terminal has. What goes elsewhere has lines of any length, so that it can be
/// searched line by line.
fn width(terminal: &Term) -> usize {
    let given = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let columns = given.or_else(|| terminal.size_checked().map(|(_, columns)| usize::from(columns)));
    match columns {
        Some(columns) => columns.max(20),
        None if terminal.is_term() => 80,
        None => usize::MAX,
    }
}

/// Writes a line about what goes on to standard error, as far as that takes it.
pub fn tell(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// `{ "schema": 1, name: value }`
struct Document<'a, T> {
    name: &'a str,
    value: &'a T,
}

impl<T: Serialize> Serialize for Document<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_map(Some(2))?;
        document.serialize_entry("schema", &SCHEMA)?;
        document.serialize_entry(self.name, self.value)?;
        document.end()
    }
}

/// `{ "schema": 1, name: value, … }`, with what the document `second` has.
struct Pair<'a, T, U> {
    name: &'a str,
    value: T,
    second: Document<'a, U>,
}

impl<T: Serialize, U: Serialize> Serialize for Pair<'_, T, U> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_map(Some(3))?;
        document.serialize_entry("schema", &SCHEMA)?;
        document.serialize_entry(self.name, &self.value)?;
        document.serialize_entry(self.second.name, self.second.value)?;
        document.end()
    }
}

/// `value` as JSON on one line, safe to show.
pub fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map(|json| escape(&json)).map_err(|error| Error::output(&error.into()))
}

/// `json` with every character escaped that a terminal would obey or hide, and the second of two `#`, by which some CI systems
/// know what to obey wherever in a line it stands. It means what it meant, since a `#` and what is not ASCII stand within
/// strings only, and JSON escapes the control characters of ASCII but the last itself.
fn escape(json: &str) -> String {
    let is_safe = |character: char| {
        let text = character.to_string();
        character < '\u{7f}' || safe(&text, text.len()) == text
    };
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        let is_second = character == '#' && escaped.ends_with('#');
        if is_safe(character) && !is_second {
            escaped.push(character);
        } else {
            // UTF-16, as JSON has it.
            escaped.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    escaped
}

/// Standard output. What is written shows after [`Output::finish`] at the latest.
pub struct Output {
    writer: BufWriter<Stdout>,
}

impl Output {
    /// Standard output.
    pub fn new() -> Self {
        Self { writer: BufWriter::with_capacity(64 << 10, io::stdout()) }
    }

    /// Writes `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.writer.write_all(bytes).map_err(|error| Error::output(&error))
    }

    /// Writes `line` and ends it.
    pub fn line(&mut self, line: impl Display) -> Result<(), Error> {
        writeln!(self.writer, "{line}").map_err(|error| Error::output(&error))
    }

    /// Writes `value` as a line of JSON.
    pub fn json_line(&mut self, value: &impl Serialize) -> Result<(), Error> {
        self.line(json(value)?)
    }

    /// Writes the document `{ "schema": 1, name: value }`.
    pub fn json(&mut self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        let document = Document { name, value };
        let json = serde_json::to_string_pretty(&document).map_err(|error| Error::output(&error.into()))?;
        self.line(escape(&json))
    }

    /// Writes the document `{ "schema": 1, first: …, second: … }`.
    pub fn json_pair(
        &mut self,
        first: (&str, &[impl Serialize]),
        second: (&str, &[impl Serialize]),
    ) -> Result<(), Error> {
        let ((name, value), second) = (first, Document { name: second.0, value: &second.1 });
        let json = serde_json::to_string_pretty(&Pair { name, value, second });
        self.line(escape(&json.map_err(|error| Error::output(&error.into()))?))
    }

    /// Writes the `items` called `name` in a JSON format.
    pub fn json_items(&mut self, format: Format, name: &str, items: &[impl Serialize]) -> Result<(), Error> {
        match format {
            Format::Jsonl => items.iter().try_for_each(|item| self.json_line(item)),
            _ => self.json(name, &items),
        }
    }

    /// Hands what was written so far to whoever reads it.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.writer.flush().map_err(|error| Error::output(&error))
    }

    /// Hands all that was written to whoever reads it.
    pub fn finish(mut self) -> Result<(), Error> {
        self.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_cannot_move_the_cursor_and_means_what_it_meant() {
        let hostile = "a\u{1b}[2J\u{7f}\u{9b}2J\u{202e}\u{e0041}\n\"ü\u{1f600}##[command]";
        let shown = json(&hostile).unwrap();
        assert_eq!(shown, r#""a\u001b[2J\u007f\u009b2J\u202e\udb40\udc41\n\"ü😀#\u0023[command]""#);
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), hostile);
    }
}
