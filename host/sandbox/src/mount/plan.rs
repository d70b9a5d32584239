//! The plan of a publish: ordered steps, each of which can be done again.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};

use serde::{Deserialize, Serialize};

use crate::limits::{Bytes, PLAN_BYTES};

use super::path::is_plain;

const VERSION: u32 = 1;

/// What is to be done to a mount, and for which outputs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Plan {
    version: u32,
    /// The stripes of the outputs' locks.
    pub stripes: BTreeSet<u8>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

/// One change of a mount. Doing it again changes nothing, also after those that follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// Remove a directory where a file is put.
    ClearDirectory(String),
    /// Remove what is no directory where one is made.
    ClearFile(String),
    /// Make a directory.
    MakeDirectory(String),
    /// Put a staged file in place.
    Put {
        /// Its number in the staging area.
        staged: u64,
        /// Where it goes.
        path: String,
    },
    /// Remove a file, or a directory and what it holds.
    Remove(String),
}

impl Step {
    /// The path that it changes.
    pub fn path(&self) -> &str {
        match self {
            Step::ClearDirectory(path)
            | Step::ClearFile(path)
            | Step::MakeDirectory(path)
            | Step::Put { path, .. }
            | Step::Remove(path) => path,
        }
    }
}

/// A plan to be written.
#[derive(Clone, Copy, Serialize)]
pub(crate) struct NewPlan<'a> {
    version: u32,
    stripes: &'a BTreeSet<u8>,
    steps: &'a [Step],
}

impl<'a> NewPlan<'a> {
    /// The plan of `steps`, for the outputs of `stripes`.
    pub fn new(stripes: &'a BTreeSet<u8>, steps: &'a [Step]) -> Self {
        Self { version: VERSION, stripes, steps }
    }

    /// Writes it to `file`: a line with length and checksum, then JSON. What is too long is not held in memory, and nothing
    /// of it is written.
    pub fn write(&self, file: impl Write) -> io::Result<()> {
        let mut measured = Measured::default();
        serde_json::to_writer(&mut measured, self)?;
        let mut file = BufWriter::new(file);
        writeln!(file, "airlock-plan {} {}", measured.length, measured.hasher.finalize())?;
        serde_json::to_writer(&mut file, self)?;
        file.flush()
    }
}

/// Counts what is written and makes its checksum; refuses what no plan may have.
#[derive(Default)]
struct Measured {
    length: u64,
    hasher: blake3::Hasher,
}

/// Bytes of the line before the JSON, at most.
const HEADER_BYTES: u64 = 128;

impl Write for Measured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.length += bytes.len() as u64;
        if self.length > PLAN_BYTES - HEADER_BYTES {
            let reason = format!("its plan has more than {}; write fewer files in one call", Bytes(PLAN_BYTES));
            return Err(io::Error::other(reason));
        }
        self.hasher.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Plan {
    /// The plan of `steps`.
    #[cfg(test)]
    pub fn new(stripes: BTreeSet<u8>, steps: Vec<Step>) -> Self {
        Self { version: VERSION, stripes, steps }
    }

    /// The plan as it is written.
    #[cfg(test)]
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let Self { version, stripes, steps } = self;
        let mut bytes = Vec::new();
        NewPlan { version: *version, stripes, steps }.write(&mut bytes)?;
        Ok(bytes)
    }

    /// The plan that was written as `bytes`; nothing where it was not written to its end.
    ///
    /// # Errors
    /// Where a plan was written to its end that this program does not understand.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, String> {
        let Some(json) = body(bytes) else { return Ok(None) };
        let plan: Plan = serde_json::from_slice(json).map_err(unreadable)?;
        if plan.version != VERSION {
            return Err(format!("the plan has version {}, this program knows {VERSION}", plan.version));
        }
        match plan.steps.iter().find(|step| !is_plain(step.path())) {
            Some(step) => Err(format!("the plan names {:?}, which no call can write", step.path())),
            None => Ok(Some(plan)),
        }
    }

    /// The stripes of the plan that was written as `bytes`, even where the rest of it is not understood; nothing where
    /// it was not written to its end.
    ///
    /// # Errors
    /// Where they cannot be read.
    pub fn decode_stripes(bytes: &[u8]) -> Result<Option<BTreeSet<u8>>, String> {
        #[derive(Deserialize)]
        struct Concerned {
            stripes: BTreeSet<u8>,
        }
        let Some(json) = body(bytes) else { return Ok(None) };
        serde_json::from_slice(json).map(|Concerned { stripes }| Some(stripes)).map_err(unreadable)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed to `map_err`")]
fn unreadable(error: serde_json::Error) -> String {
    format!("the plan is not readable: {error}")
}

/// The JSON of a plan that was written to its end.
fn body(bytes: &[u8]) -> Option<&[u8]> {
    let (header, json) = split_line(bytes)?;
    let expected = format!("airlock-plan {} {}", json.len(), blake3::hash(json));
    (header == expected.as_bytes()).then_some(json)
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((bytes.get(..end)?, bytes.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(path: &str) -> Plan {
        Plan::new(
            BTreeSet::from([3]),
            vec![Step::Put { staged: 0, path: path.to_owned() }, Step::Remove("b".to_owned())],
        )
    }

    #[test]
    fn a_plan_is_read_as_it_was_written() {
        let bytes = plan("a/b.csv").encode().unwrap();
        assert_eq!(Plan::decode(&bytes), Ok(Some(plan("a/b.csv"))));
    }

    #[test]
    fn a_torn_plan_is_none() {
        let bytes = plan("a").encode().unwrap();
        for length in 0..bytes.len() {
            assert_eq!(Plan::decode(&bytes[..length]), Ok(None), "{length}");
        }
        for index in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[index] ^= 1;
            assert_eq!(Plan::decode(&bytes), Ok(None), "{index}");
        }
    }

    #[test]
    fn of_a_plan_that_is_too_long_nothing_is_written() {
        // Each of these bytes takes six in JSON.
        let steps = vec![Step::Remove("\u{1}".repeat(1 << 20)); 10];
        let stripes = BTreeSet::from([3]);
        let mut file = Vec::new();
        NewPlan::new(&stripes, &steps).write(&mut file).unwrap();
        assert!(file.len() > 60 << 20);
        file.clear();
        let steps = vec![Step::Remove("\u{1}".repeat(1 << 20)); 11];
        let refused = NewPlan::new(&stripes, &steps).write(&mut file).unwrap_err();
        assert_eq!(refused.to_string(), "its plan has more than 64 MiB; write fewer files in one call");
        assert!(file.is_empty());
    }

    #[test]
    fn a_plan_for_paths_that_no_call_can_write_is_refused() {
        for path in ["../x", "/etc/passwd", "a/../b", "a//b", ".airlock/x", "", "."] {
            assert!(Plan::decode(&plan(path).encode().unwrap()).is_err(), "{path}");
        }
    }

    #[test]
    fn a_plan_of_another_version_is_refused() {
        let other = Plan { version: 2, ..plan("a") }.encode().unwrap();
        assert!(Plan::decode(&other).is_err());
        assert_eq!(Plan::decode_stripes(&other), Ok(Some(BTreeSet::from([3]))), "whom it concerns is known");
    }
}
