//! The plan of a publish: ordered steps, each of which can be done again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::path::is_plain;

const VERSION: u32 = 1;

/// What is to be done to a mount, and for which outputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl Plan {
    /// The plan of `steps`.
    pub fn new(stripes: BTreeSet<u8>, steps: Vec<Step>) -> Self {
        Self { version: VERSION, stripes, steps }
    }

    /// The plan as it is written: a line with length and checksum, then JSON.
    pub fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let json = serde_json::to_vec(self)?;
        let mut bytes = format!("airlock-plan {} {}\n", json.len(), blake3::hash(&json)).into_bytes();
        bytes.extend(json);
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
