//! What a guest was told.

use std::fmt::Debug;

use crate::LEVELS;
use crate::airlock::io::types::{Error, Level};

/// What functions answered, in order.
#[derive(Default)]
pub struct Told {
    lines: Vec<String>,
}

impl Told {
    /// Takes note of what the function `name` answered.
    pub fn line(&mut self, name: &str, answer: impl Debug) {
        self.lines.push(format!("{name}: {answer:?}"));
    }

    /// Takes note of how the function `name` refused. The words of an error are no part of the contract, its kind is.
    pub fn refusal<T: Debug>(&mut self, name: &str, answer: Result<T, Error>) {
        match answer {
            Ok(answer) => self.line(name, answer),
            Err(Error::NotFound(keys)) => self.line(name, format_args!("not-found {keys:?}")),
            Err(Error::InvalidConfig(_)) => self.line(name, format_args!("invalid-config")),
            Err(Error::UnsupportedType(_)) => self.line(name, format_args!("unsupported-type")),
            Err(Error::Corrupt(_)) => self.line(name, format_args!("corrupt")),
            Err(Error::AccessDenied(_)) => self.line(name, format_args!("access-denied")),
            Err(Error::Conflict(_)) => self.line(name, format_args!("conflict")),
            Err(Error::LimitExceeded(_)) => self.line(name, format_args!("limit-exceeded")),
            Err(Error::Unavailable(_)) => self.line(name, format_args!("unavailable")),
            Err(Error::Other(error)) => self.line(name, format_args!("other {} {}", error.code, error.retryable)),
        }
    }

    /// Logs all of it, with each level in turn.
    pub fn log(self, log: impl Fn(Level, &str)) {
        for (line, level) in self.lines.iter().zip(LEVELS.into_iter().cycle()) {
            log(level, line);
        }
    }
}
