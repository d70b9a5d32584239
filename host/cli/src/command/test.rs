//! `airlock test`: whether a component does what the contract and its manifest say.

use std::path::PathBuf;

use airlock_conformance::{CaseReport, CaseResult, Counts, Kit, Stopped, TestReport};
use airlock_sandbox::{Component, Durability, Sandbox};
use clap::Args;
use clap::builder::PossibleValuesParser;
use console::style;
use serde::Serialize;

use super::test_junit;
use crate::arguments::{FormatArgument, IsolateArgument};
use crate::builtin::ComponentName;
use crate::config::ConfigArgument;
use crate::error::{Error, ExitStatus, Report};
use crate::output::{Format, Output, stdout_width};
use crate::render::{beside, print_table, safe_name, time};
use crate::{interrupt, places};

const HELP: &str = "\
It stores and loads values through the component as a pipeline would, in
directories of its own, and lends it what its manifest asks for. What the
manifest does not claim is not asked for. docs/testing.md says what each case
checks. Its calls are made in processes that the system confines, unless
--isolate=no says otherwise.

Examples:
  airlock test manager.wasm
  airlock test builtin:tables --config '{\"format\": \"csv\"}'
  airlock test manager.wasm --junit results.xml
  airlock test manager.wasm --against manager-1.0.wasm
  airlock test manager.wasm --only cut-off";

/// Columns before what a case found.
const MARGIN: usize = 12;

/// Test that a component does what it claims
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Test {
    /// A component: a file, or `builtin:files`
    component: ComponentName,
    /// Another version: each has to load what the other stored
    #[arg(long, value_name = "COMPONENT")]
    against: Option<ComponentName>,
    #[command(flatten)]
    config: ConfigArgument,
    /// Run this case alone; several times for several
    #[arg(long, value_name = "CASE", hide_possible_values = true)]
    #[arg(value_parser = PossibleValuesParser::new(airlock_conformance::case_names()))]
    only: Vec<String>,
    /// Write the results to FILE as JUnit XML too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    isolate: IsolateArgument,
    #[command(flatten)]
    format: FormatArgument,
}

/// The report in a document.
#[derive(Serialize)]
struct Told<'a> {
    counts: Counts,
    #[serde(flatten)]
    report: &'a TestReport,
}

impl Test {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        // What it stores lies in temporary directories, and a loss of power ends the test as well.
        let sandbox = places::sandbox(self.isolate.or_on(), Durability::None)?;
        let component = self.load(&sandbox, &self.component)?;
        let against = self.against.as_ref().map(|name| self.load(&sandbox, name)).transpose()?;
        let interrupt = interrupt::on_signal()?;
        let kit = Kit {
            sandbox: &sandbox,
            component: &component,
            config: self.config.value(),
            against: against.as_ref(),
            interrupt: &interrupt,
        };
        let report = kit.run(&self.only).map_err(|stopped| self.stopped(&stopped))?;
        let counts = report.counts();
        // What was found is not lost with a file that cannot be written, nor with who reads standard output.
        let printed = Error::unless_closed(self.print(&report, counts));
        if let Some(file) = &self.junit {
            test_junit::write(&report, file)?;
        }
        printed?;
        Ok(if counts.is_sound() { ExitStatus::Done } else { ExitStatus::Failed(1) })
    }

    fn print(&self, report: &TestReport, counts: Counts) -> Result<(), Error> {
        let mut output = Output::new();
        match self.format.format {
            Format::Human => print(&mut output, report)?,
            Format::Json => output.json("test", &Told { counts, report })?,
            Format::Jsonl => report.cases.iter().try_for_each(|case| output.json_line(case))?,
        }
        output.finish()
    }

    fn load(&self, sandbox: &Sandbox, name: &ComponentName) -> Result<Component, Error> {
        let shown = name.to_string();
        let component = sandbox.load_bytes(&shown, &name.read()?).map_err(|error| Error::component(&shown, &error))?;
        self.config.check(&component)?;
        Ok(component)
    }

    /// That the test came to no end, which says nothing of the component.
    fn stopped(&self, stopped: &Stopped) -> Error {
        let status = match stopped {
            Stopped::Interrupted => ExitStatus::Failed(130),
            Stopped::Storage(_) => ExitStatus::Storage,
            Stopped::Grant(_) => ExitStatus::Component,
            Stopped::Host(_) => ExitStatus::Internal,
        };
        let report = Report::new(status, format!("the test of {} came to no end: {stopped}", self.component));
        if let Stopped::Storage(_) = stopped {
            let directory = std::env::temp_dir();
            return report
                .hint(format!("it keeps its files in {}; TMPDIR names another place", directory.display()))
                .into();
        }
        report.into()
    }
}

fn print(output: &mut Output, report: &TestReport) -> Result<(), Error> {
    let rows: Vec<[String; 3]> = report.cases.iter().map(row).collect();
    print_table(output, ["CASE", "RESULT", "WHAT IT CHECKS"], &rows)?;
    let width = stdout_width();
    for case in report.cases.iter().filter(|case| case.result == CaseResult::Failed) {
        output.line("")?;
        output.line(format!("{} {}", style("failed:").red().bold(), style(case.name).bold()))?;
        for finding in &case.findings {
            for (label, text) in
                [("  done", &finding.done), ("  expected", &finding.expected), ("  found", &finding.found)]
            {
                output.write(field(label, text, width).as_bytes())?;
            }
        }
    }
    let Counts { passed, failed, not_claimed, not_tried } = report.counts();
    let time = time(report.cases.iter().map(|case| case.time).sum());
    let counts = [(passed, "passed"), (failed, "failed"), (not_claimed, "not claimed"), (not_tried, "not tried")];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    output.line("")?;
    output.line(format!("{}: {} in {time}", safe_name(&report.component), counts.join(", ")))
}

/// A text that may have lines, beside its label.
fn field(label: &str, text: &str, width: usize) -> String {
    let mut label = label;
    let mut shown = String::new();
    for line in text.lines() {
        shown.push_str(&beside(&style(label).dim().to_string(), MARGIN, line, width));
        label = "";
    }
    shown
}

fn row(case: &CaseReport) -> [String; 3] {
    let result = match case.result {
        CaseResult::Passed => "passed",
        CaseResult::Failed => "FAILED",
        CaseResult::NotClaimed => "not claimed",
        CaseResult::NotTried => "not tried",
    };
    let checks = match &case.note {
        Some(note) if case.result == CaseResult::Passed => format!("{}; {note}", case.checks),
        Some(note) => note.clone(),
        None => case.checks.to_owned(),
    };
    [case.name.to_owned(), result.to_owned(), checks]
}
