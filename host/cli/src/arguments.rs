//! The command line.

use std::path::PathBuf;

use airlock_pipeline::audit::AuditLog;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use crate::command::bindings::Bindings;
use crate::command::call::Call;
use crate::command::check::Check;
use crate::command::completions::Completions;
use crate::command::componentize::Componentize;
use crate::command::events::Events;
use crate::command::inspect::Inspect;
use crate::command::load::Load;
use crate::command::lock::LockCommand;
use crate::command::logs::Logs;
use crate::command::ls::Ls;
use crate::command::new::New;
use crate::command::partitions::Partitions;
use crate::command::run::Run;
use crate::command::runs::Runs;
use crate::command::schema::Schema;
use crate::command::show::Show;
use crate::command::test::Test;
use crate::command::wipe::Wipe;
use crate::error::{Error, ExitStatus, Report};
use crate::output::{Color, Format};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    an op, an input or an output failed with its own error; a test failed
  2    the command line, the definitions or the lock are wrong
  3    denied by policy, or a component asks for more than before
  4    a limit was reached
  5    a component trapped
  6    a component is invalid, does not fit, or is not as it is locked
  7    storage or the event log failed
  70   a fault of Airlock's own
  130  interrupted";

const EXAMPLES: &str = "\
Examples:
  airlock run                          compute and store every asset
  airlock run +report                  report, and all that it needs
  airlock load report                  write the stored value to standard output
  airlock inspect builtin:files        what a component is and asks for";

/// Runs pipelines whose values are stored and loaded by WebAssembly components that may touch what they are lent and
/// nothing else.
#[derive(Debug, Parser)]
#[command(name = "airlock", version, after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
#[command(max_term_width = 80)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Use colours: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub color: Color,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    #[command(visible_alias = "materialize")]
    Run(Run),
    Load(Load),
    Ls(Ls),
    Show(Show),
    Partitions(Partitions),
    Wipe(Wipe),
    Runs(Runs),
    Events(Events),
    Logs(Logs),
    Check(Check),
    Lock(LockCommand),
    Inspect(Inspect),
    Test(Test),
    Call(Call),
    New(New),
    Bindings(Bindings),
    Componentize(Componentize),
    Schema(Schema),
    Completions(Completions),
}

/// Which definitions.
#[derive(Debug, Args)]
pub struct ProjectArguments {
    /// The definitions; otherwise the nearest airlock.toml, from the current directory upwards
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The profile of the definitions to use
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

/// The moment that counts as now.
#[derive(Debug, Args)]
pub struct NowArgument {
    /// Take TIME for now, where partitions end with it: 2026-01-31, or 2026-01-31T12:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    now: Option<Timestamp>,
}

impl NowArgument {
    /// The moment.
    pub fn moment(&self) -> Timestamp {
        self.now.unwrap_or_else(Timestamp::now)
    }
}

/// A moment, or the midnight UTC at which a day begins.
fn moment(text: &str) -> Result<Timestamp, String> {
    let of_day = |text: &str| {
        let day = Date::strptime("%Y-%m-%d", text).ok()?;
        TimeZone::UTC.to_timestamp(day.to_datetime(Time::midnight())).ok()
    };
    text.parse().ok().or_else(|| of_day(text)).ok_or_else(|| "write 2026-01-31 or 2026-01-31T12:00Z".to_owned())
}

/// Whether calls are isolated; they are not where nothing is said, but for commands that say otherwise.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct IsolateArgument {
    /// Make calls in processes that the system confines, or, with `=no`, in this one
    #[arg(long, value_enum, value_name = "no", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "yes", hide_possible_values = true)]
    isolate: Option<Isolate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Isolate {
    Yes,
    No,
    /// By the command, where nothing was said.
    #[value(skip)]
    Unasked,
}

impl IsolateArgument {
    /// Whether they are.
    pub fn is_on(self) -> bool {
        matches!(self.isolate, Some(Isolate::Yes | Isolate::Unasked))
    }

    /// Whether somebody wants to know how.
    pub fn is_asked_for(self) -> bool {
        self.isolate == Some(Isolate::Yes)
    }

    /// As it says, and on where it says nothing.
    #[must_use]
    pub fn or_on(self) -> Self {
        Self { isolate: self.isolate.or(Some(Isolate::Unasked)) }
    }
}

/// Where it is told what components use of what they are lent.
#[derive(Debug, Args)]
pub struct AuditArgument {
    /// Append to FILE a JSON line for each grant that a component uses and each denial
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
}

impl AuditArgument {
    /// The log, where there is to be one.
    pub fn open(&self) -> Result<Option<AuditLog>, Error> {
        let Some(file) = &self.audit else { return Ok(None) };
        AuditLog::open(file).map(Some).map_err(|error| {
            let message = format!("cannot write the audit log {}: {error}", file.display());
            let report = Report::new(ExitStatus::Storage, message);
            report.hint("nothing was begun; name a file that can be written").into()
        })
    }
}

/// How to print.
#[derive(Debug, Args)]
pub struct FormatArgument {
    /// Print for people (human), as one JSON document (json), or as one a line (jsonl)
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub format: Format,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_moment_is_a_time_or_the_beginning_of_a_day() {
        let expected: Timestamp = "2026-01-31T00:00:00Z".parse().unwrap();
        for text in ["2026-01-31", "2026-01-31T00:00Z", "2026-01-31T01:00:00+01:00"] {
            assert_eq!(moment(text), Ok(expected), "{text}");
        }
        for text in ["", "now", "2026-01-32", "2026-01-31T12:00"] {
            assert!(moment(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_shows_examples() {
        let command = Arguments::command();
        for verb in command.get_subcommands() {
            let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("airlock {}", verb.get_name())), "{} has no example", verb.get_name());
        }
    }

    #[test]
    fn the_help_fits_80_columns() {
        let mut command = Arguments::command().term_width(80);
        command.build();
        let mut helps = vec![command.render_help().to_string()];
        helps.extend(command.get_subcommands_mut().map(|verb| verb.render_help().to_string()));
        for line in helps.iter().flat_map(|help| help.lines()) {
            assert!(console::measure_text_width(line) <= 80, "too wide: {line}");
        }
    }

    #[test]
    fn the_help_lists_every_exit_code() {
        for status in [ExitStatus::Done, ExitStatus::Usage, ExitStatus::Component, ExitStatus::Storage] {
            assert!(EXIT_CODES.contains(&format!("\n  {:<4} ", status.code())), "{status:?}");
        }
    }
}
