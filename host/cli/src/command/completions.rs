//! `airlock completions`: completions for a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::error::{Error, ExitStatus};
use crate::output::Output;

const HELP: &str = "\
Examples:
  airlock completions bash > ~/.local/share/bash-completion/completions/airlock
  airlock completions zsh > ~/.zfunc/_airlock
  airlock completions fish > ~/.config/fish/completions/airlock.fish";

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        // Written to memory first, since the generator panics where it cannot write.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Arguments::command(), "airlock", &mut script);
        let mut output = Output::new();
        output.write(&script)?;
        output.finish()?;
        Ok(ExitStatus::Done)
    }
}
