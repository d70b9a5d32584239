//! `airlock schema`: the JSON schemas of the definitions and of the audit log.

use clap::Args;

use crate::error::{Error, ExitStatus};
use crate::output::Output;

const HELP: &str = "\
Examples:
  airlock schema > airlock.schema.json
  airlock schema --audit > audit.schema.json

An editor that knows TOML then completes and checks a file that begins with
  #:schema ./airlock.schema.json";

/// Print the JSON schema of airlock.toml, for editors
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Schema {
    /// Print the schema of a line of the audit log instead
    #[arg(long)]
    audit: bool,
}

impl Schema {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let mut output = Output::new();
        let schema =
            if self.audit { airlock_pipeline::audit::schema() } else { airlock_pipeline::definitions::schema() };
        output.line(schema.trim_end())?;
        output.finish()?;
        Ok(ExitStatus::Done)
    }
}
