//! `airlock events`: what happened in a run.

use std::path::PathBuf;

use airlock_pipeline::event::{EventBody, LoadedPartitions, RecordedEvent};
use airlock_pipeline::partition::value_name;
use airlock_sandbox::report::Receipt;
use airlock_sandbox::text::safe_line;
use clap::Args;
use console::style;

use crate::arguments::FormatArgument;
use crate::error::{Error, ExitStatus};
use crate::output::{Format, Output, stdout_width};
use crate::project::{self, event_log};
use crate::render::{beside, count, safe_name, size, time};

/// Events that are read at once.
const PAGE: usize = 1000;
/// Bytes of an event's detail that people are shown.
const DETAIL: usize = 400;
/// Columns before the step: the time, and the longest kind of an event.
const COLUMN: usize = 35;

const HELP: &str = "\
Examples:
  airlock events
  airlock events 1a2b3c
  airlock events --format jsonl | grep HANDLED_OUTPUT";

/// Show what happened in a run
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Events {
    /// The run: its id, the beginning of it, or `latest`
    #[arg(default_value = "latest")]
    run: String,
    /// The definitions; otherwise the nearest airlock.toml, from the current directory upwards
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    format: FormatArgument,
}

impl Events {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let (_, reader) = project::events(self.file.as_deref())?;
        let run = project::find_run(reader.as_ref(), &self.run)?;
        let Some(reader) = reader else { return Ok(ExitStatus::Done) };
        let width = stdout_width();
        let mut output = Output::new();
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let page = reader.events(&run.run_id, after, PAGE).map_err(event_log)?;
            let Some(last) = page.last() else { break };
            after = last.id;
            match self.format.format {
                Format::Human => page.iter().try_for_each(|event| output.write(line(event, width).as_bytes()))?,
                Format::Jsonl => page.iter().try_for_each(|event| output.json_line(event))?,
                Format::Json => all.extend(page),
            }
        }
        if self.format.format == Format::Json {
            output.json("events", &all)?;
        }
        output.finish()?;
        Ok(ExitStatus::Done)
    }
}

fn line(recorded: &RecordedEvent, width: usize) -> String {
    let event = &recorded.event;
    let time = format!("{:.3}", event.time);
    let time = time.split_once('T').map_or(time.as_str(), |(_, time)| time).trim_end_matches('Z');
    let kind = event.body.kind();
    let kind = match event.body {
        EventBody::RunFailure { .. } | EventBody::StepFailure(_) => style(kind).red(),
        EventBody::AssetMaterialization(_) => style(kind).green(),
        _ => style(kind),
    };
    let step = event.step_key.as_deref().map(safe_name).unwrap_or_default();
    let detail = detail(&event.body);
    let separator = if step.is_empty() || detail.is_empty() { "" } else { ": " };
    let text = format!("{step}{separator}{}", safe_line(&detail, DETAIL));
    beside(&format!("{} {kind}", style(time).dim()), COLUMN, &text, width)
}

fn detail(body: &EventBody) -> String {
    match body {
        EventBody::RunStart { steps, profile, partition, job, parent, .. } => {
            let job = job.as_ref().map(|job| format!(", job {job}")).unwrap_or_default();
            let parent = parent.as_ref().map(|parent| format!(", goes on from {parent}")).unwrap_or_default();
            let partition = partition.as_ref().map(|partition| format!(", partition {partition}")).unwrap_or_default();
            let profile = profile.as_ref().map(|profile| format!(", profile {profile}")).unwrap_or_default();
            format!("{}{job}{partition}{profile}{parent}", count(steps.len(), "step"))
        }
        EventBody::RunFailure { failed } => format!("{} failed", failed.join(", ")),
        EventBody::LoadedInput { input, asset, partitions, manager, receipt, upstream_step_key, .. } => {
            let what = match asset.as_ref().or(upstream_step_key.as_ref()) {
                Some(from) if from != input => format!("{input} = {from}"),
                _ => input.clone(),
            };
            let what = format!("{what}{}", partitions.as_ref().map(loaded).unwrap_or_default());
            format!("{what} with {}, read {}{}", manager.name, size(receipt.read.bytes), denied(receipt))
        }
        EventBody::StepInput { input, media_type, size: bytes } => value(input, media_type.as_deref(), *bytes),
        EventBody::StepOutput { output, mapping_key, media_type, size: bytes, .. } => {
            let denied = body.receipt().map(denied).unwrap_or_default();
            let output = value_name(output, mapping_key.as_deref());
            format!("{}{denied}", value(&output, media_type.as_deref(), *bytes))
        }
        EventBody::LoadInputRetry { message, delay, .. } | EventBody::HandleOutputRetry { message, delay, .. } => {
            format!("{message}; again in {}", time(*delay))
        }
        EventBody::HandledOutput { output, partition, mapping_key, attempt, manager, receipt, .. } => {
            let output = value_name(output, partition.as_deref().or(mapping_key.as_deref()));
            let attempt = if *attempt > 1 { format!(" at attempt {attempt}") } else { String::new() };
            format!("{output} with {}{attempt}, wrote {}{}", manager.name, size(receipt.written.bytes), denied(receipt))
        }
        EventBody::AssetMaterialization(made) => value_name(&made.asset, made.partition.as_deref()),
        EventBody::AssetObservation { asset, partition, description, .. } => {
            let name = value_name(asset, partition.as_deref());
            description.as_ref().map_or(name.clone(), |description| format!("{name}: {description}"))
        }
        EventBody::AssetWiped(wiped) => value_name(&wiped.asset, wiped.partition.as_deref()),
        EventBody::StepFailure(failure) => failure.message.clone(),
        EventBody::StepSkipped { because, output: None } => format!("{because} did not succeed"),
        EventBody::StepSkipped { because, output: Some(output) } => format!("{because} gave no {output}"),
        _ => String::new(),
    }
}

/// `[2012-01-01]`, or `, 29 partitions from 2012-02-01 to 2012-02-29`.
fn loaded(partitions: &LoadedPartitions) -> String {
    let missing = if partitions.missing > 0 { format!(", {} missing", partitions.missing) } else { String::new() };
    match (&partitions.first, &partitions.last) {
        (Some(first), Some(last)) if first == last => format!("[{first}]{missing}"),
        (Some(first), Some(last)) => {
            format!(", {} from {first} to {last}{missing}", count(partitions.count, "partition"))
        }
        _ => format!(", no partitions{missing}"),
    }
}

fn value(name: &str, media_type: Option<&str>, bytes: u64) -> String {
    format!("{name}, {}{}", media_type.map(|media_type| format!("{media_type}, ")).unwrap_or_default(), size(bytes))
}

fn denied(receipt: &Receipt) -> String {
    let unlisted = usize::try_from(receipt.denials.unlisted).unwrap_or(usize::MAX);
    let denials = receipt.denials.list.len().saturating_add(unlisted);
    if denials == 0 { String::new() } else { format!(", {} denied", count(denials, "attempt")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: serde_json::Value, width: usize) -> String {
        let event = serde_json::from_value(json).unwrap();
        console::strip_ansi_codes(line(&RecordedEvent { id: 1, event }, width).trim_end()).into_owned()
    }

    #[test]
    fn an_event_has_a_line_with_its_time_its_step_and_what_matters() {
        let event = serde_json::json!({
            "run_id": "1a2b", "time": "2026-01-31T12:00:01.5Z", "step_key": "report",
            "kind": "STEP_INPUT", "input": "days", "media_type": "text/csv", "size": 2048,
        });
        assert_eq!(shown(event, usize::MAX), "12:00:01.500 STEP_INPUT            report: days, text/csv, 2 KiB");
        let event = serde_json::json!({
            "run_id": "1a2b", "time": "2026-01-31T12:00:01Z", "step_key": null, "kind": "RUN_SUCCESS",
        });
        assert_eq!(shown(event, usize::MAX), "12:00:01.000 RUN_SUCCESS");
    }

    #[test]
    fn an_event_keeps_to_the_width_of_the_terminal() {
        let event = serde_json::json!({
            "run_id": "1a2b", "time": "2026-01-31T12:00:01Z", "step_key": "report",
            "kind": "STEP_SKIPPED", "because": "one two three four",
        });
        let expected = "12:00:01.000 STEP_SKIPPED          report: one two three\n\
                        \x20                                  four did not succeed";
        assert_eq!(shown(event, 57), expected);
    }

    #[test]
    fn an_event_cannot_move_the_cursor() {
        let event = serde_json::json!({
            "run_id": "1a2b", "time": "2026-01-31T12:00:01Z", "step_key": "a\u{1b}[2J",
            "kind": "STEP_SKIPPED", "because": "b\r\n",
        });
        let shown = shown(event, usize::MAX);
        assert!(!shown.contains(['\u{1b}', '\r', '\n']), "{shown:?}");
    }
}
