//! The conformance kit: calls a component as a pipeline would, and checks that it does what the contract and its manifest
//! say, so that somebody can vouch for it who has not read its source.
//!
//! A [`Kit`] has what is tested. [`Kit::run`] goes through the cases one by one, each in directories of its own, and gives a
//! [`TestReport`]: a [`CaseReport`] for each case, with what was done, expected and found where it failed. What the manifest
//! does not claim is not asked for. Nothing is printed here.
//!
//! `kinds` makes values, `tables` those that are tables, `json` compares JSON, `lab` makes calls, `looking` looks at what comes
//! of them, and `cases` has what is checked.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod bench;
mod cases;
mod check;
mod json;
mod kinds;
mod lab;
mod looking;
mod report;
mod subject;
mod tables;

pub use report::{CaseReport, CaseResult, Counts, Finding, TestReport};

use airlock_sandbox::{Component, Interrupt, Sandbox};

/// What is tested, and with what.
#[derive(Clone, Copy)]
pub struct Kit<'a> {
    /// Makes the calls.
    pub sandbox: &'a Sandbox,
    /// What is tested.
    pub component: &'a Component,
    /// The configuration that it is given, a JSON object that its manifest allows.
    pub config: &'a serde_json::Value,
    /// Another version, which has to load what the component stored, and the other way round.
    pub against: Option<&'a Component>,
    /// Ends it from outside.
    pub interrupt: &'a Interrupt,
}

/// Why a test came to no end. None of these says anything of the component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The caller gave up.
    #[error("it was interrupted")]
    Interrupted,
    /// The machine's storage failed.
    #[error("the storage of this machine failed: {0}")]
    Storage(String),
    /// What the manifest asks for cannot be lent.
    #[error("what its manifest asks for cannot be lent: {0}")]
    Grant(String),
    /// A fault of Airlock's own.
    #[error("a fault of Airlock's own: {0}")]
    Host(String),
}

/// The names of all cases, in the order in which they are run.
pub fn case_names() -> impl Iterator<Item = &'static str> {
    cases::ALL.iter().map(|case| case.name)
}

impl Kit<'_> {
    /// Runs the cases that `only` names; all where it names none.
    ///
    /// # Errors
    /// [`Stopped`], where the test came to no end.
    pub fn run(&self, only: &[String]) -> Result<TestReport, Stopped> {
        let bench = bench::Bench::new(*self)?;
        let wanted = |name: &str| only.is_empty() || only.iter().any(|wanted| wanted == name);
        let mut cases = Vec::new();
        for case in cases::ALL.iter().filter(|case| wanted(case.name)) {
            cases.push(case.perform(&bench)?);
        }
        // What the others begin with has failed, which is told with them.
        let lacks = cases.iter().any(|case: &CaseReport| case.result == CaseResult::NotTried);
        if let Some(small) = cases::ALL.first().filter(|small| lacks && !wanted(small.name) && bench.small_failed()) {
            cases.insert(0, small.perform(&bench)?);
        }
        Ok(TestReport {
            component: self.component.name().to_owned(),
            digest: self.component.digest().to_owned(),
            cases,
        })
    }
}
