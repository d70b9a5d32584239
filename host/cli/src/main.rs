//! The command `airlock`.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod arguments;
mod builtin;
mod command;
mod config;
mod error;
mod export;
mod failure;
mod interrupt;
mod lend;
mod locking;
mod output;
mod partitions;
mod places;
mod project;
mod render;
mod table;
mod watch;

use std::process::ExitCode;

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::arguments::Arguments;
use crate::error::{Error, ExitStatus};

/// Files that may be open at once, where the machine lets this user have so many. Steps that run side by side may each keep
/// many parts of their inputs open, and many systems allow 1,024 to those who do not ask for more.
const OPEN_FILES: u64 = 1 << 14;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == places::PROCESS) {
        return airlock_sandbox::process::serve();
    }
    allow_open_files();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version come this way too, with the exit code 0. Who closed the output does not wait for them.
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { ExitStatus::Usage.into() } else { ExitStatus::Done.into() };
        }
    };
    arguments.color.apply();
    match std::panic::catch_unwind(|| command::execute(arguments.verb)) {
        Ok(Ok(status)) => status.into(),
        Ok(Err(Error::OutputClosed)) => ExitStatus::Done.into(),
        Ok(Err(Error::Told(report))) => {
            report.show();
            report.status().into()
        }
        // The panic's own message is on standard error already.
        Err(_) => {
            output::tell("error: this is a fault of Airlock's own; please report it with what is said above");
            ExitStatus::Internal.into()
        }
    }
}

fn allow_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(OPEN_FILES).min(OPEN_FILES);
    if limit.current.is_some_and(|current| current < wanted) {
        // Where it is refused, a step that opens more fails with what the system says.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit });
    }
}
