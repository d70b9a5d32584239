//! What is seen of a run while it goes on.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use airlock_pipeline::Event;
use airlock_pipeline::event::EventBody;
use airlock_sandbox::report::Receipt;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::error::Error;
use crate::output::{Format, Output};
use crate::render::{safe_name, time};

/// From this number of steps on, how fast they go and how long it will take is worth telling.
pub const MANY: usize = 20;
/// Denials that are kept to be told; more are counted.
const DENIALS: usize = 200;

/// What is seen of a run while it goes on.
pub struct Watch {
    progress: ProgressBar,
    seen: Mutex<Seen>,
}

/// What was seen.
pub struct Seen {
    running: Vec<String>,
    /// What was denied although the calls went well.
    pub denials: Vec<String>,
    /// Denials that are not among these.
    pub denials_unlisted: u64,
    /// Takes the events where they are what is asked for.
    events: Option<Output>,
    /// Why that ended early.
    pub failed: Option<Error>,
}

impl Watch {
    /// Watches a run of `steps` steps.
    pub fn new(steps: usize, format: Format) -> Self {
        let progress = ProgressBar::new(steps as u64);
        let pace = if steps < MANY { "" } else { ", {rate}, {left} left" };
        if let Ok(style) =
            ProgressStyle::with_template(&format!("{{spinner}} {{pos}} of {{len}} done{pace}  {{wide_msg}}"))
        {
            let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.0}/s", state.per_sec());
            };
            let left = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{}", time(Duration::from_secs(state.eta().as_secs())));
            };
            progress.set_style(style.with_key("rate", rate).with_key("left", left));
        }
        progress.enable_steady_tick(Duration::from_millis(120));
        let events = (format == Format::Jsonl).then(Output::new);
        let seen = Seen { running: Vec::new(), denials: Vec::new(), denials_unlisted: 0, events, failed: None };
        Self { progress, seen: Mutex::new(seen) }
    }

    /// Sees `event` happen.
    pub fn see(&self, event: &Event) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.write(event);
        let Some(step) = &event.step_key else { return };
        if let Some(receipt) = event.body.receipt() {
            seen.deny(step, receipt);
        }
        match &event.body {
            EventBody::StepStart {} => seen.running.push(safe_name(step)),
            EventBody::StepSuccess {}
            | EventBody::StepUnchanged {}
            | EventBody::StepFailure(_)
            | EventBody::StepSkipped { .. }
            | EventBody::StepCanceled {} => {
                seen.running.retain(|running| *running != safe_name(step));
                // Steps for the elements of a dynamic output are not known before.
                if self.progress.position() >= self.progress.length().unwrap_or(0) {
                    self.progress.inc_length(1);
                }
                self.progress.inc(1);
            }
            _ => return,
        }
        self.progress.set_message(seen.running.join(", "));
    }

    /// Ends it, and removes the line of progress.
    pub fn finish(self) -> Seen {
        self.progress.finish_and_clear();
        self.seen.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Writes `event` where events are asked for. Output that is closed does not end a run.
    fn write(&mut self, event: &Event) {
        let Some(output) = &mut self.events else { return };
        if let Err(error) = output.json_line(event).and_then(|()| output.flush()) {
            self.failed = Some(error);
            self.events = None;
        }
    }

    fn deny(&mut self, step: &str, receipt: &Receipt) {
        let step = safe_name(step);
        for denial in &receipt.denials.list {
            if self.denials.len() < DENIALS {
                self.denials.push(format!("{step}: {denial}"));
            } else {
                self.denials_unlisted += 1;
            }
        }
        self.denials_unlisted += receipt.denials.unlisted;
    }
}

#[cfg(test)]
mod tests {
    use airlock_sandbox::report::{Denial, Denials, Operation, Rule};

    use super::*;

    #[test]
    fn denials_that_are_not_listed_are_counted() {
        let denial = Denial { operation: Operation::Read, subject: "/etc/passwd".to_owned(), rule: Rule::NotMounted };
        let receipt = Receipt { denials: Denials { list: vec![denial], unlisted: 7 }, ..Receipt::default() };
        let mut seen = Watch::new(1, Format::Human).finish();
        seen.deny("a", &receipt);
        assert_eq!(seen.denials, ["a: read /etc/passwd: no mount covers it"]);
        assert_eq!(seen.denials_unlisted, 7);
    }
}
