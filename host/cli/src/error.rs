//! How a command ends, and what it says when it fails.

use std::io::{self, Write};
use std::process::ExitCode;

use airlock_sandbox::component::ComponentError;
use airlock_sandbox::grant::GrantError;
use console::style;

use crate::output::stderr_width;
use crate::render::wrap;

/// What the process tells who called it. `docs/command.md` and `airlock --help` list these for users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// All was done.
    Done,
    /// The command line or the definitions are wrong.
    Usage,
    /// The component is invalid or does not fit.
    Component,
    /// Storage or the event log failed.
    Storage,
    /// A fault of Airlock's own.
    Internal,
    /// A failure that a library has classified by its code.
    Failed(u8),
}

impl ExitStatus {
    /// The number of it.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Usage => 2,
            Self::Component => 6,
            Self::Storage => 7,
            Self::Internal => 70,
            Self::Failed(code) => code,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

/// Why a command stopped.
#[derive(Debug)]
pub enum Error {
    /// Who read its output has closed it: `airlock events | head`. That is no failure and is not spoken of.
    OutputClosed,
    /// A failure, which is told.
    Told(Box<Report>),
}

/// What is told of a failure: what was tried and why it failed, what is known besides, what to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    status: ExitStatus,
    message: String,
    notes: Vec<String>,
    hints: Vec<String>,
}

impl Report {
    /// A failure that is told as `message`.
    pub fn new(status: ExitStatus, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), notes: Vec::new(), hints: Vec::new() }
    }

    /// With something known besides; it may have lines.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// With what to do next; lines after the first are shown as they are, to be copied.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// How the process ends.
    pub fn status(&self) -> ExitStatus {
        self.status
    }

    /// What was tried and why it failed.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Writes it to standard error, as far as that takes it.
    pub fn show(&self) {
        let _ = io::stderr().lock().write_all(self.render(stderr_width()).as_bytes());
    }

    fn render(&self, width: usize) -> String {
        let label = |text: &str| style(format!("{text}:")).for_stderr().bold();
        let mut shown = wrap(&format!("{} {}", label("error").red(), self.message), width, "  ");
        for note in &self.notes {
            shown.push_str(&wrap(&format!("  {note}"), width, "  "));
        }
        for hint in &self.hints {
            shown.push_str(&wrap(&format!("{} {hint}", label("hint").cyan()), width, "      "));
        }
        shown
    }
}

impl From<Report> for Error {
    fn from(report: Report) -> Self {
        Self::Told(Box::new(report))
    }
}

impl Error {
    /// A mistake on the command line or in the definitions.
    pub fn usage(message: impl Into<String>) -> Report {
        Report::new(ExitStatus::Usage, message)
    }

    /// Output that cannot be written.
    pub fn output(error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::OutputClosed;
        }
        Report::new(ExitStatus::Storage, format!("cannot write to standard output: {error}")).into()
    }

    /// What became of printing where something is to be done or told after it all the same: that nobody reads it is no failure.
    pub fn unless_closed(printed: Result<(), Self>) -> Result<(), Self> {
        match printed {
            Err(Self::OutputClosed) => Ok(()),
            printed => printed,
        }
    }

    /// A component that cannot be used.
    pub fn component(name: &str, error: &ComponentError) -> Self {
        let report = match error {
            ComponentError::Read { .. } => Self::usage(error.to_string()),
            _ => Report::new(ExitStatus::Component, format!("{name}: {error}")),
        };
        report.into()
    }
}

impl From<GrantError> for Error {
    fn from(error: GrantError) -> Self {
        Self::usage(error.to_string()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_followed_by_what_is_known_and_what_to_do() {
        let report = Report::new(ExitStatus::Failed(3), "denied by policy: read /etc/passwd: no mount covers it")
            .note("grant: /data (write)")
            .hint("to lend it, add to `[io.lake]`:\nmounts.\"/etc\" = { path = \"/etc\", access = \"read\" }");
        assert_eq!(
            console::strip_ansi_codes(&report.render(60)),
            "error: denied by policy: read /etc/passwd: no mount covers\n  it\n  grant: /data (write)\n\
             hint: to lend it, add to `[io.lake]`:\n      mounts.\"/etc\" = { path = \"/etc\", access = \"read\" }\n"
        );
    }

    #[test]
    fn exit_codes_are_those_that_are_promised() {
        let codes = [
            (ExitStatus::Done, 0),
            (ExitStatus::Usage, 2),
            (ExitStatus::Component, 6),
            (ExitStatus::Storage, 7),
            (ExitStatus::Internal, 70),
            (ExitStatus::Failed(130), 130),
        ];
        for (status, code) in codes {
            assert_eq!(status.code(), code);
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure_and_a_full_disk_is_one() {
        assert!(matches!(Error::output(&io::ErrorKind::BrokenPipe.into()), Error::OutputClosed));
        let Error::Told(report) = Error::output(&io::ErrorKind::StorageFull.into()) else { panic!("not told") };
        assert_eq!(report.status(), ExitStatus::Storage);
    }
}
