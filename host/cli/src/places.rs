//! Where Airlock keeps what outlives a process and belongs to no project.

use std::path::PathBuf;

use airlock_sandbox::component::CacheSettings;
use airlock_sandbox::process::Program;
use airlock_sandbox::{Durability, Processes, Sandbox, SandboxError, Settings};
use etcetera::BaseStrategy;

use crate::arguments::IsolateArgument;
use crate::error::{Error, ExitStatus, Report};
use crate::output::tell;

/// The cache of compiled code and the key to it; absent on a machine without a home.
///
/// The key lies outside the cache, so that who can write to a cache (a restored one, a shared one) cannot put code
/// into it.
fn cache() -> Option<CacheSettings> {
    let base = etcetera::choose_base_strategy().ok()?;
    let state = base.state_dir().unwrap_or_else(|| base.data_dir());
    Some(CacheSettings {
        directory: base.cache_dir().join("airlock").join("compiled"),
        key_file: state.join("airlock").join("cache.key"),
    })
}

/// The directories of Airlock's own that no mount may lend.
pub fn own_state() -> Vec<PathBuf> {
    let Some(cache) = cache() else { return Vec::new() };
    let parents = [cache.directory.parent(), cache.key_file.parent()];
    parents.into_iter().flatten().map(PathBuf::from).collect()
}

/// What this program is started with to serve as a process of its sandbox.
pub const PROCESS: &str = "sandbox-process";

/// The sandbox, with the cache of compiled code where there can be one. What it stores survives what `durability` says.
pub fn sandbox(isolate: IsolateArgument, durability: Durability) -> Result<Sandbox, Error> {
    let internal = |message: String| Error::from(Report::new(ExitStatus::Internal, message));
    let program = Program::own(PROCESS);
    let processes = if isolate.is_on() { Processes::Calls(program) } else { Processes::Compiling(program) };
    let with = |cache| Sandbox::new(&Settings { cache, processes: processes.clone(), durability });
    let cache = cache();
    if cache.is_none() {
        tell("warning: there is no home directory (HOME is not set), so components are compiled each time");
    }
    let made = match with(cache) {
        Err(error @ SandboxError::Cache { .. }) => {
            tell(format!("warning: {error}; components are compiled each time"));
            with(None)
        }
        made => made,
    };
    let sandbox = made.map_err(|error| internal(error.to_string()))?;
    if let Some(layers) = sandbox.layers().map_err(|error| internal(error.to_string()))?
        && (isolate.is_asked_for() || !layers.are_complete())
    {
        let shown = layers.list().map(|(name, layer)| format!("{name} {layer}"));
        tell(format!("isolation: {}", shown.join(", ")));
    }
    Ok(sandbox)
}
