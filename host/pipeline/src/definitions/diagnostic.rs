//! What is wrong with a definitions file, and where.

use std::fmt::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// A file of definitions: its path as it is shown, and its text.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As the caller named it, or relative to the file that includes it.
    pub path: PathBuf,
    /// All of it.
    pub text: String,
    /// The byte at which each line begins.
    lines: Vec<usize>,
}

impl SourceFile {
    /// The file with `text` that is shown as `path`.
    pub fn new(path: PathBuf, text: String) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(newline, _)| newline + 1)).collect();
        Self { path, text, lines }
    }

    /// The line and column, from 1, of the byte `offset`; columns count characters.
    pub fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or_default();
        (line, self.text.get(start..offset).unwrap_or_default().chars().count() + 1)
    }

    fn line(&self, line: usize) -> &str {
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied();
        let rest = start.and_then(|start| self.text.get(start..)).unwrap_or_default();
        rest.lines().next().unwrap_or_default()
    }
}

/// A range of a file of definitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The file.
    pub source: Arc<SourceFile>,
    /// The byte it begins at.
    pub start: usize,
    /// The byte after its end.
    pub end: usize,
}

impl Position {
    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.source.line_and_column(self.start).0
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> usize {
        self.source.line_and_column(self.start).1
    }

    /// Whether `other` begins where this does.
    pub(super) fn is_at(&self, other: &Position) -> bool {
        self.start == other.start && Arc::ptr_eq(&self.source, &other.source)
    }

    /// The file, as the caller named it.
    pub fn file(&self) -> &Path {
        &self.source.path
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file().display(), self.line(), self.column())
    }
}

/// `{ "file": …, "line": …, "column": …, "length": … }`
impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            file: &'a Path,
            line: usize,
            column: usize,
            length: usize,
        }
        let (line, column) = self.source.line_and_column(self.start);
        Shown { file: self.file(), line, column, length: self.length() }.serialize(serializer)
    }
}

impl Position {
    /// Characters that it covers on its first line; at least 1.
    pub fn length(&self) -> usize {
        let text = self.source.text.get(self.start..self.end).unwrap_or_default();
        text.lines().next().unwrap_or_default().chars().count().max(1)
    }
}

/// One mistake, or warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Where; absent where it is about no place in a file, such as a file that is missing.
    #[serde(flatten)]
    pub position: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { position: None, message: message.into(), help: None }
    }

    /// A mistake at `position`.
    pub fn at(position: &Position, message: impl Into<String>) -> Self {
        Self { position: Some(position.clone()), message: message.into(), help: None }
    }

    /// With advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// As a compiler shows it: the message, the place, the line and a caret, the advice. It ends with a line break.
    pub fn render(&self) -> String {
        self.render_as("error")
    }

    /// As [`render`](Self::render) shows it, of what is not wrong and probably not meant.
    pub fn render_warning(&self) -> String {
        self.render_as("warning")
    }

    fn render_as(&self, kind: &str) -> String {
        let mut shown = format!("{kind}: {}\n", self.message);
        // Writing to a string does not fail.
        if let Some(position) = &self.position {
            let line = position.line();
            let number = line.to_string();
            let margin = " ".repeat(number.len());
            let source = position.source.line(line).replace('\t', " ");
            let (indent, carets) = (" ".repeat(position.column() - 1), "^".repeat(position.length()));
            let _ = writeln!(shown, "{margin}--> {position}");
            let _ = writeln!(shown, "{margin} |\n{number} | {source}\n{margin} | {indent}{carets}");
            if let Some(help) = &self.help {
                let _ = writeln!(shown, "{margin} = help: {help}");
            }
        } else if let Some(help) = &self.help {
            let _ = writeln!(shown, "  = help: {help}");
        }
        shown
    }
}

/// All mistakes of the definitions, in the order of the files and within them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(transparent)]
#[error("{}", self.render())]
pub struct Diagnostics {
    /// At least one.
    pub list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// All mistakes as [`Diagnostic::render`] shows them, an empty line between two.
    pub fn render(&self) -> String {
        self.list.iter().map(Diagnostic::render).collect::<Vec<_>>().join("\n")
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { list: vec![diagnostic] }
    }
}
