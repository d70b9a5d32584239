//! The command `airlock`.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod arguments;
mod builtin;
mod command;
mod error;
mod export;
mod failure;
mod interrupt;
mod lend;
mod output;
mod partitions;
mod places;
mod project;
mod render;
mod table;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;
use crate::error::{Error, ExitStatus};

fn main() -> ExitCode {
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
