//! What became of a test, as data.

use std::time::Duration;

use serde::Serialize;

/// What became of a test.
#[derive(Clone, Debug, Serialize)]
pub struct TestReport {
    /// What the component is called.
    pub component: String,
    /// `sha256:` and the digest of its bytes.
    pub digest: String,
    /// The cases, in the order in which they were run.
    pub cases: Vec<CaseReport>,
}

impl TestReport {
    /// How many cases ended how.
    pub fn counts(&self) -> Counts {
        let count = |result| self.cases.iter().filter(|case| case.result == result).count();
        Counts {
            passed: count(CaseResult::Passed),
            failed: count(CaseResult::Failed),
            not_claimed: count(CaseResult::NotClaimed),
            not_tried: count(CaseResult::NotTried),
        }
    }
}

/// How many cases ended how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Those that found all as it has to be.
    pub passed: usize,
    /// Those that found something else.
    pub failed: usize,
    /// Those about what the component does not claim.
    pub not_claimed: usize,
    /// Those that had nothing to begin with.
    pub not_tried: usize,
}

impl Counts {
    /// Whether nothing was found that is wrong, where there was anything to look at.
    pub fn is_sound(self) -> bool {
        self.failed == 0 && (self.not_tried == 0 || self.passed > 0)
    }
}

/// What became of a case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseReport {
    /// Its name.
    pub name: &'static str,
    /// What it checks, in words.
    pub checks: &'static str,
    /// How it ended.
    pub result: CaseResult,
    /// What there is to know besides: what of it was left out, why it is not claimed or was not tried. Safe to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What was found, where it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// How long it took; as data in seconds.
    #[serde(with = "airlock_sandbox::report::seconds")]
    pub time: Duration,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseResult {
    /// All was as it has to be.
    Passed,
    /// Something was not.
    Failed,
    /// The component does not claim what the case is about.
    NotClaimed,
    /// There was nothing to begin with: an earlier case failed, or there was none.
    NotTried,
}

/// What is wrong, for whoever wrote the component. Its texts are safe to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was done.
    pub done: String,
    /// What should have come of it.
    pub expected: String,
    /// What came of it.
    pub found: String,
}
