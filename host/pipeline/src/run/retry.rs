//! Asks a manager again where a call of it failed, as often as its policy says.

use std::time::{Duration, Instant};

use airlock_sandbox::report::{Failure, Report};

use super::context::{RunContext, random_fraction};
use super::failure::{Stage, StepFailure};
use super::lend::Lent;
use super::step::Outcome;
use crate::audit::AuditLog;

/// How often one who waits for the next attempt looks whether to go on.
const LOOK: Duration = Duration::from_millis(20);

/// An attempt that failed and is followed by another.
pub(super) struct Retry<'a> {
    /// Which it was, from 1.
    pub attempt: u32,
    pub failure: &'a Failure,
    /// How long the next one waits.
    pub delay: Duration,
}

impl RunContext<'_> {
    /// The first call of `manager` that goes well or after which there is no other, and which it was, from 1. `call` is told
    /// which it is, and `failed` of each that another follows. Only where the run is interrupted meanwhile there is none.
    pub fn retried<T>(
        &self,
        manager: &Lent,
        stage: &Stage,
        mut call: impl FnMut(u32) -> Report<T>,
        failed: impl Fn(&Retry<'_>),
    ) -> Outcome<(u32, Report<T>)> {
        let mut attempt = 1;
        loop {
            let report = call(attempt);
            let Some(policy) = manager.retry.as_ref().filter(|policy| attempt < policy.attempts) else {
                return Ok((attempt, report));
            };
            // Where calls cannot be told of, none is made.
            let is_last = self.audit.is_some_and(AuditLog::has_failed);
            let failed_with = report.outcome.as_ref().err().filter(|failure| !is_last && is_retryable(failure));
            let Some(failure) = failed_with else {
                return Ok((attempt, report));
            };
            let delay = policy.delay_before(attempt + 1, random_fraction());
            failed(&Retry { attempt, failure, delay });
            self.wait(delay, stage)?;
            attempt += 1;
        }
    }

    fn wait(&self, delay: Duration, stage: &Stage) -> Outcome<()> {
        let start = Instant::now();
        loop {
            if self.interrupt.is_interrupted() {
                return Err(StepFailure::interrupted(stage.clone()).into());
            }
            let left = delay.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(LOOK));
        }
    }
}

/// Whether the same call may succeed another time: what the component says of its own errors, and storage, which may be
/// full or busy for the moment.
fn is_retryable(failure: &Failure) -> bool {
    match failure {
        Failure::Guest { error } => error.retryable,
        Failure::Storage { .. } => true,
        _ => false,
    }
}

/// ` after 3 attempts`, where it was not the first.
pub(super) fn tried(attempt: u32) -> String {
    if attempt > 1 { format!(" after {attempt} attempts") } else { String::new() }
}
