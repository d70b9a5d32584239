//! Attempts of which each must be refused.

use std::fmt::Display;

use airlock_sdk::Error;

/// What was refused, and what was not.
#[derive(Default)]
pub struct Refusals {
    refused: Vec<String>,
    worked: Vec<String>,
}

impl Refusals {
    /// Takes note of the attempt `what`.
    pub fn expect<T, E: Display>(&mut self, what: impl Into<String>, result: Result<T, E>) {
        match result {
            Ok(_) => self.worked.push(what.into()),
            Err(error) => self.refused.push(format!("{}: {error}", what.into())),
        }
    }

    /// The error `access-denied` with all refusals, or `escaped` with the attempts that worked.
    pub fn finish(self) -> Result<(), Error> {
        if self.worked.is_empty() {
            return Err(Error::AccessDenied(self.refused.join("; ")));
        }
        Err(Error::other("escaped", self.worked.join("; ")))
    }
}
