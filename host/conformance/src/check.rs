//! What a case finds, and how it ends early.

use std::io;

use airlock_sandbox::report::Failure;
use airlock_sandbox::text::{safe, safe_line};

use crate::Stopped;
use crate::report::Finding;

/// Bytes of a text that a finding has from elsewhere.
const TEXT: usize = 600;
/// Findings of one case that are told.
const FINDINGS: usize = 8;

/// Why a case ends before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// So does the whole test.
    Test(Stopped),
    /// Something is not as it has to be.
    Found(Vec<Finding>),
    /// The component does not claim what the case is about, for this reason.
    NotClaimed(String),
    /// There is nothing to begin with, for this reason.
    NotTried(String),
}

/// What a step of a case gives.
pub(crate) type Checked<T> = Result<T, Stop>;

/// What a case gives that passed: what there is to know besides.
pub(crate) type Passed = Checked<Option<String>>;

impl From<Stopped> for Stop {
    fn from(stopped: Stopped) -> Self {
        Self::Test(stopped)
    }
}

/// Of the machine's own files, not of the component's.
impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Test(Stopped::Storage(error.to_string()))
    }
}

/// That something is not as it has to be. What was found may be a text of the component's.
pub(crate) fn found<T>(done: impl Into<String>, expected: impl Into<String>, found: impl AsRef<str>) -> Checked<T> {
    let (done, expected) = (safe_line(&done.into(), TEXT), safe_line(&expected.into(), TEXT));
    Err(Stop::Found(vec![Finding { done, expected, found: safe(found.as_ref(), 4 * TEXT) }]))
}

/// That the component does not claim what the case is about.
pub(crate) fn not_claimed<T>(reason: impl Into<String>) -> Checked<T> {
    Err(Stop::NotClaimed(safe_line(&reason.into(), TEXT)))
}

/// A failure of a call in words, with what a trap printed.
pub(crate) fn told(failure: &Failure) -> String {
    let text = failure.to_string();
    match innermost(failure) {
        Failure::Trap { trap } if !trap.stderr.trim().is_empty() => {
            format!("{}\n{}", safe(&text, TEXT), safe(trap.stderr.trim(), 2 * TEXT))
        }
        _ => text,
    }
}

/// The failure that a denial led to, where there is one.
pub(crate) fn innermost(failure: &Failure) -> &Failure {
    match failure {
        Failure::Denied { error: Some(error), .. } => innermost(error),
        failure => failure,
    }
}

/// What several attempts of a case found.
#[derive(Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    /// What `checked` gave, where it found nothing wrong.
    pub fn take<T>(&mut self, checked: Checked<T>) -> Checked<Option<T>> {
        match checked {
            Ok(value) => Ok(Some(value)),
            Err(Stop::Found(found)) => {
                self.0.extend(found);
                self.0.truncate(FINDINGS);
                Ok(None)
            }
            Err(stop) => Err(stop),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How the case ends.
    pub fn end(self, note: Option<String>) -> Passed {
        if self.0.is_empty() { Ok(note) } else { Err(Stop::Found(self.0)) }
    }
}

/// How `found` differs from the bytes that are expected.
pub(crate) fn difference(expected: &[u8], found: &[u8]) -> Option<String> {
    if expected == found {
        return None;
    }
    let same = expected.iter().zip(found).take_while(|(expected, found)| expected == found).count();
    Some(match (same == expected.len(), same == found.len()) {
        (_, true) => format!("only the first {} of {} bytes", found.len(), expected.len()),
        (true, false) => {
            format!("all {} bytes, and {} more after them", expected.len(), found.len().saturating_sub(expected.len()))
        }
        (false, false) => {
            format!(
                "{} bytes, of which those from byte {same} on are others; {} were stored",
                found.len(),
                expected.len()
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_how_bytes_differ() {
        assert_eq!(difference(b"abc", b"abc"), None);
        assert_eq!(difference(b"abc", b"ab").unwrap(), "only the first 2 of 3 bytes");
        assert_eq!(difference(b"ab", b"abc").unwrap(), "all 2 bytes, and 1 more after them");
        let other = difference(b"abc", b"axc").unwrap();
        assert_eq!(other, "3 bytes, of which those from byte 1 on are others; 3 were stored");
    }

    #[test]
    fn what_a_component_wrote_is_safe_to_show() {
        let Err(Stop::Found(findings)) = found::<()>("did", "this", "\u{1b}[2J") else { panic!("nothing was found") };
        assert_eq!(findings[0].found, "\\u{1b}[2J");
    }
}
