//! Attempts of which each must be refused.

use std::fmt::Display;
use std::fs;
use std::path::Path;

use airlock_sdk::Error;

/// What was refused, and what was not.
#[derive(Default)]
pub struct Refusals {
    refused: Vec<String>,
    worked: Vec<String>,
}

impl Refusals {
    /// Reads the file `other`, asks for its metadata and looks for it in its directory.
    pub fn of_looking_at(other: &Path) -> Self {
        let mut refusals = Self::default();
        refusals.expect("read", fs::read(other));
        refusals.expect("look", fs::metadata(other));
        let listed = other.parent().into_iter().flat_map(fs::read_dir).flatten().flatten();
        let seen = listed.map(|entry| entry.path()).find(|path| path == other);
        refusals.expect("list", seen.ok_or("it is not listed"));
        refusals
    }

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
