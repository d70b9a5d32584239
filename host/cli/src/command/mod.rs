//! The verbs, a file each.

pub mod bindings;
pub mod call;
mod call_subject;
pub mod check;
pub mod completions;
pub mod componentize;
pub mod events;
pub mod inspect;
pub mod load;
pub mod lock;
pub mod logs;
pub mod ls;
pub mod new;
pub mod partitions;
pub mod run;
mod run_lines;
pub mod runs;
pub mod schema;
pub mod show;
mod show_job;
pub mod test;
mod test_junit;
pub mod wipe;

use crate::arguments::Verb;
use crate::error::{Error, ExitStatus};

/// Does what `verb` says.
pub fn execute(verb: Verb) -> Result<ExitStatus, Error> {
    match verb {
        Verb::Run(run) => run.execute(),
        Verb::Load(load) => load.execute(),
        Verb::Ls(ls) => ls.execute(),
        Verb::Show(show) => show.execute(),
        Verb::Partitions(partitions) => partitions.execute(),
        Verb::Wipe(wipe) => wipe.execute(),
        Verb::Runs(runs) => runs.execute(),
        Verb::Events(events) => events.execute(),
        Verb::Logs(logs) => logs.execute(),
        Verb::Check(check) => check.execute(),
        Verb::Lock(lock) => lock.execute(),
        Verb::Inspect(inspect) => inspect.execute(),
        Verb::Test(test) => test.execute(),
        Verb::Call(call) => call.execute(),
        Verb::New(new) => new.execute(),
        Verb::Bindings(bindings) => bindings.execute(),
        Verb::Componentize(componentize) => componentize.execute(),
        Verb::Schema(schema) => schema.execute(),
        Verb::Completions(completions) => completions.execute(),
    }
}
