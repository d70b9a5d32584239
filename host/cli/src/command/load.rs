//! `airlock load`: gives a stored value.

use airlock_pipeline::RunOptions;
use clap::Args;

use crate::arguments::ProjectArguments;
use crate::error::{Error, ExitStatus};
use crate::export::ExportArgument;
use crate::project::Project;
use crate::{failure, interrupt};

const HELP: &str = "\
The value is loaded through the I/O manager that the definitions name, and
nothing is computed.

Examples:
  airlock load report
  airlock load report | python3 -m json.tool
  airlock load chart -o chart.svg";

/// Give the stored value of an asset
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct Load {
    /// The asset
    asset: String,
    /// Fail where the I/O manager tried anything that its grant does not allow
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    export: ExportArgument,
    #[command(flatten)]
    project: ProjectArguments,
}

impl Load {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let project = Project::read(&self.project)?;
        let options = RunOptions { strict: self.strict, interrupt: interrupt::on_signal()?, ..RunOptions::default() };
        let loaded = project.runner()?.load_asset(&self.asset, &options).map_err(failure::load)?;
        failure::tell_denials(&loaded.receipt);
        self.export.write(&self.asset, &loaded.value)?;
        Ok(ExitStatus::Done)
    }
}
