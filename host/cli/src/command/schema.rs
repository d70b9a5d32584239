//! `airlock schema`: the JSON schema of the definitions.

use clap::Args;

use crate::error::{Error, ExitStatus};
use crate::output::Output;

const HELP: &str = "\
Examples:
  airlock schema > airlock.schema.json

An editor that knows TOML then completes and checks a file that begins with
  #:schema ./airlock.schema.json";

/// Print the JSON schema of airlock.toml, for editors
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Schema {}

impl Schema {
    /// Does it.
    pub fn execute() -> Result<ExitStatus, Error> {
        let mut output = Output::new();
        output.line(airlock_pipeline::definitions::schema().trim_end())?;
        output.finish()?;
        Ok(ExitStatus::Done)
    }
}
