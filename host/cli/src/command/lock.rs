//! `airlock lock`: records what components are and are lent, as a person accepts it.

use airlock_pipeline::lock::{Change, Lock, compare};
use airlock_pipeline::run::shell_word;
use clap::Args;

use crate::error::{Error, ExitStatus, Report};
use crate::locking::{self, Inspections, names};
use crate::output::Output;
use crate::project::Project;
use crate::render::{count, safe_name};

/// Lines to copy that a refusal has at most.
const LINES_SHOWN: usize = 20;

const HELP: &str = "\
It writes airlock.lock beside airlock.toml: what each component is and asks for,
and what it is lent, with every profile. It runs nothing, and tells what is new.

Where a component may touch or asks for more than the lock says, marked by `+`,
nothing is written unless that is accepted: by --accept, or in the file itself.

Examples:
  airlock lock
  airlock lock --accept io.lake --accept ops/monthly.wasm
  airlock run --locked";

/// Record what components are and are lent, so that `--locked` refuses changes
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct LockCommand {
    /// Accept all that NAME may touch or asks for now, a component or its place as it is told
    #[arg(long, value_name = "NAME")]
    accept: Vec<String>,
    /// The definitions; otherwise the nearest airlock.toml, from the current directory upwards
    #[arg(short, long, value_name = "FILE")]
    file: Option<std::path::PathBuf>,
}

impl LockCommand {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let project = Project::read(&crate::arguments::ProjectArguments { file: self.file.clone(), profile: None })?;
        let path = Lock::path(project.definitions.path());
        let old = locking::read(&project)?;
        let mut new = locking::record(&project, &mut Inspections::default())?;
        let changes = compare(old.as_ref().unwrap_or(&Lock::default()), &new);
        // To write the first lock is to accept what is in it.
        let widening: Vec<&Change> = changes.iter().filter(|change| change.widens && old.is_some()).collect();
        self.check_names(&widening)?;
        let is_accepted = |change: &&Change| {
            self.accept.contains(&change.name) || old.as_ref().is_some_and(|old| old.accepts(change))
        };
        let refused: Vec<&Change> = widening.iter().copied().filter(|change| !is_accepted(change)).collect();
        if !refused.is_empty() {
            Error::unless_closed(print(&changes, None))?;
            return Err(refuse(&path, &refused));
        }
        match &old {
            Some(old) if changes.is_empty() => new.keep_accepted(old),
            _ => new.accept(widening),
        }
        if old.as_ref() != Some(&new) {
            new.write(&path).map_err(|error| locking::failed(&error))?;
        }
        let done = match (&old, changes.len()) {
            (None, _) => format!("{} is written", path.display()),
            (Some(_), 0) => format!("{} is up to date", path.display()),
            (Some(_), changes) => format!("{} is rewritten: {}", path.display(), count(changes, "change")),
        };
        print(&changes, Some(done))?;
        Ok(ExitStatus::Done)
    }

    /// That something is to be accepted of which nothing widens is a mistake.
    fn check_names(&self, widening: &[&Change]) -> Result<(), Error> {
        let Some(name) = self.accept.iter().find(|name| widening.iter().all(|change| change.name != **name)) else {
            return Ok(());
        };
        let message = format!("there is nothing to accept of `{}`", safe_name(name));
        let names = names(widening.iter().copied());
        let hint = if names.is_empty() {
            "leave `--accept` out: nothing may touch or asks for more than the lock says".to_owned()
        } else {
            format!("there is of {}", names.join(", "))
        };
        Err(Error::usage(message).hint(hint).into())
    }
}

fn print(changes: &[Change], done: Option<String>) -> Result<(), Error> {
    let mut output = Output::new();
    locking::lines(changes).into_iter().chain(done).try_for_each(|line| output.line(line))?;
    output.finish()
}

/// That `changes` are not accepted.
fn refuse(path: &std::path::Path, changes: &[&Change]) -> Error {
    let names = names(changes.iter().copied());
    let message = format!(
        "{} stays as it was: {} may touch or ask for more than it says, and nobody accepted that: {}",
        path.display(),
        count(names.len(), "component"),
        names.join(", ")
    );
    let accepted: Vec<String> =
        names.iter().take(LINES_SHOWN).map(|name| format!("--accept {}", shell_word(name))).collect();
    let mut lines: Vec<String> =
        changes.iter().map(|change| format!("\n{:?} = {:?}", change.name, change.yes)).collect();
    lines.dedup();
    lines.truncate(LINES_SHOWN);
    Report::new(ExitStatus::Failed(3), message)
        .hint(format!("to accept what is marked by `+` above:\nairlock lock {}", accepted.join(" ")))
        .hint(format!("or say so in {}, and `airlock lock` takes it:\n[accept]{}", path.display(), lines.concat()))
        .into()
}
