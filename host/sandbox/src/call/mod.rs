//! A call: plain data in, a fresh instance, plain data out.
//!
//! Nothing of a call outlives it but its report. What must live longer lies in a mount.

mod deadline;
mod deterministic;
mod engine;
mod interrupt;
mod limiter;
mod log;
mod outcome;
mod state;
#[cfg(test)]
mod tests;

use std::io;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{Linker, Resource};

pub use deterministic::Deterministic;
pub use interrupt::Interrupt;
pub(crate) use state::State;

use crate::component::{Cache, CacheSettings, Code, Compiler, Component, ComponentError, Inspection};
use crate::context::{InputContext, OpContext, OpOutput, OutputContext};
use crate::contract::{Recorded, SinkKeys, SinkState, SourceHandle, wit_types};
use crate::grant::Grant;
use crate::layout::Location;
use crate::limits::CALLS;
use crate::mount::{self, Durability, FileSystem, Intent, RemovedValue, Wipe};
use crate::process::{self, Layers, Phase, Program, Starter, Workers};
use crate::report::{Computed, ComputedOutput, Failure, Loaded, Log, Receipt, Report, Stored};
use crate::value::{Budget, Input, Value};
use engine::Turns;
use outcome::Ended;
use state::Subject;

/// How a sandbox works, for all its calls.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Where compiled code is kept between processes; nowhere by default.
    pub cache: Option<CacheSettings>,
    /// How far a call that succeeded survives the machine's failing.
    pub durability: Durability,
    /// What is done in processes of their own.
    pub processes: Processes,
}

/// What of a sandbox's work is done in processes of their own, which are bounded and confined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Processes {
    /// Nothing: compiling a component can take as much time and memory as it likes.
    #[default]
    None,
    /// Compiling.
    Compiling(Program),
    /// Compiling, and calls: a guest that escapes from WebAssembly is still confined by the kernel.
    Calls(Program),
}

/// Loads components and calls them. Cheap to clone; its calls may run on any number of threads at once.
#[derive(Clone)]
pub struct Sandbox(Arc<Shared>);

struct Shared {
    engine: wasmtime::Engine,
    linker: Linker<State>,
    cache: Option<Cache>,
    durability: Durability,
    turns: Turns,
    /// Absent where components are compiled in this process.
    starter: Option<Arc<Starter>>,
    /// Absent where calls are made in this process.
    workers: Option<Workers>,
    /// Hears what a call does.
    watch: Watch,
}

type Watch = Box<dyn Fn(Phase) + Send + Sync>;

/// What links components, in an engine that has room for `calls` at once.
///
/// # Errors
/// [`SandboxError::Engine`] where it cannot be made.
pub(crate) fn linker(calls: usize) -> Result<Linker<State>, SandboxError> {
    let failed = |error: wasmtime::Error| SandboxError::Engine(format!("{error:#}"));
    let mut linker = Linker::new(&engine::new(calls).map_err(failed)?);
    crate::contract::add_to_linker(&mut linker).map_err(failed)?;
    Ok(linker)
}

/// Why there is no sandbox.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The cache of compiled code cannot be used.
    #[error("cannot use the cache of compiled code in {}: {error}", directory.display())]
    Cache {
        /// Its folder.
        directory: std::path::PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The engine cannot be made on this machine.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
    /// No process can be started to isolate calls in.
    #[error("cannot start a process to isolate calls in: {0}")]
    Worker(io::Error),
}

/// What a call is made with, whatever it does.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Whose code runs.
    pub component: &'a Component,
    /// What it is lent.
    pub grant: &'a Grant,
    /// The memory that its values come out of.
    pub budget: &'a Budget,
    /// Ends the call from outside.
    pub interrupt: &'a Interrupt,
    /// Whether a denial is a failure even where the guest goes on.
    pub strict: bool,
    /// What the guest is told of time and of chance; the truth where it is nothing.
    pub deterministic: Option<Deterministic>,
}

impl Sandbox {
    /// A sandbox that works by `settings`.
    ///
    /// # Errors
    /// [`SandboxError`] where the cache cannot be used or the engine cannot be made.
    pub fn new(settings: &Settings) -> Result<Self, SandboxError> {
        let cache = settings.cache.as_ref().map(|settings| {
            Cache::open(settings).map_err(|error| SandboxError::Cache { directory: settings.directory.clone(), error })
        });
        let cache = cache.transpose()?;
        let starter = match &settings.processes {
            Processes::None => None,
            Processes::Compiling(program) | Processes::Calls(program) => Some(Arc::new(Starter::new(program.clone()))),
        };
        let isolates = matches!(settings.processes, Processes::Calls(_));
        let workers =
            starter.as_ref().filter(|_| isolates).map(|starter| Workers::new(Arc::clone(starter), settings.durability));
        let shared = Self::shared(CALLS, settings.durability, Box::new(|_| ()))?;
        Ok(Self(Arc::new(Shared { cache, starter, workers, ..shared })))
    }

    /// The sandbox in a worker process, which makes one call at a time and says to `watch` what that does.
    pub(crate) fn for_worker(
        durability: Durability,
        watch: impl Fn(Phase) + Send + Sync + 'static,
    ) -> Result<Self, SandboxError> {
        Ok(Self(Arc::new(Self::shared(1, durability, Box::new(watch))?)))
    }

    fn shared(calls: usize, durability: Durability, watch: Watch) -> Result<Shared, SandboxError> {
        let linker = linker(calls)?;
        let engine = linker.engine().clone();
        engine::start_ticking(&engine).map_err(|error| SandboxError::Engine(error.to_string()))?;
        let (cache, starter, workers, turns) = (None, None, None, Turns::default());
        Ok(Shared { engine, linker, cache, durability, turns, starter, workers, watch })
    }

    /// How this system confines what is isolated; nothing where calls are made in this process.
    ///
    /// # Errors
    /// [`SandboxError::Worker`] where no worker process can be started.
    pub fn layers(&self) -> Result<Option<Layers>, SandboxError> {
        self.0.workers.as_ref().map(Workers::layers).transpose().map_err(SandboxError::Worker)
    }

    /// Loads the component at `path`.
    ///
    /// # Errors
    /// [`ComponentError`] where it cannot be read or is not one that Airlock can run.
    pub fn load(&self, path: &Path) -> Result<Component, ComponentError> {
        self.load_bytes(&path.display().to_string(), &crate::component::read(path)?)
    }

    /// Loads the component in `bytes`, to be called `name` in errors.
    ///
    /// # Errors
    /// [`ComponentError`] where it is not one that Airlock can run.
    pub fn load_bytes(&self, name: &str, bytes: &[u8]) -> Result<Component, ComponentError> {
        let Shared { linker, cache, starter, workers, .. } = &*self.0;
        let compiler =
            Compiler { linker, cache: cache.as_ref(), starter: starter.as_deref(), isolated: workers.is_some() };
        Component::load(&compiler, name, bytes)
    }

    /// Links the component whose code the sandbox of this worker lends.
    pub(crate) fn load_compiled(
        &self,
        name: &str,
        inspection: Inspection,
        code: &Code,
    ) -> Result<Component, ComponentError> {
        Component::link(&self.0.linker, name, inspection, code)
    }

    /// Stores `value` through the component's `handle-output`. What it wrote is there if, and only if, the outcome
    /// is ok.
    ///
    /// Blocks until the call has ended; not to be called on a thread that drives async tasks.
    pub fn handle_output(&self, call: &Call<'_>, context: OutputContext, value: &Value) -> Report<Stored> {
        if !call.component.inspection().exports.output {
            return refused("it does not export airlock:io/output, so it cannot store");
        }
        if let Some((workers, code)) = self.workers(call) {
            return self.in_turn(call, || workers.call(call, code, process::Subject::Output(context, value)));
        }
        let Some(manager) = call.component.entry().and_then(|entry| entry.output.as_ref()) else {
            return refused(ELSEWHERE);
        };
        let scope = context.partitions.locations(&context.location);
        let enter = async |store: &mut Store<State>| {
            let source = store.data_mut().table.push(SourceHandle::new(Input::Loaded(value.clone())))?;
            let manager = manager.instantiate_async(&mut *store).await?;
            let context = Resource::new_borrow(0);
            let source = Resource::new_borrow(source.rep());
            manager.airlock_io_output().call_handle_output(store, context, source).await
        };
        let finish = |state: &mut State| match std::mem::replace(&mut state.subject, Subject::Ended) {
            Subject::Output(output) => Stored {
                metadata: output.recorded.metadata,
                events: output.recorded.events,
                data_version: output.data_version,
            },
            _ => Stored::default(),
        };
        self.perform(call, Intent::Store, &scope, Subject::output(context), Vec::new(), enter, finish)
    }

    /// Loads a value through the component's `load-input`. Its mounts are read-only.
    ///
    /// Blocks until the call has ended; not to be called on a thread that drives async tasks.
    pub fn load_input(&self, call: &Call<'_>, context: InputContext) -> Report<Loaded> {
        if !call.component.inspection().exports.input {
            return refused("it does not export airlock:io/input, so it cannot load");
        }
        if let Some((workers, code)) = self.workers(call) {
            return self.in_turn(call, || workers.call(call, code, process::Subject::Input(context)));
        }
        let Some(manager) = call.component.entry().and_then(|entry| entry.input.as_ref()) else {
            return refused(ELSEWHERE);
        };
        let scope = context.partitions.locations(&context.location);
        let sinks = vec![SinkState::new(call.budget.clone(), SinkKeys::Partitions(context.partitions.clone()))];
        let enter = async |store: &mut Store<State>| {
            let manager = manager.instantiate_async(&mut *store).await?;
            manager.airlock_io_input().call_load_input(store, Resource::new_borrow(0), Resource::new_borrow(0)).await
        };
        let finish = |state: &mut State| {
            let value = state.sinks.pop().map(SinkState::finish).unwrap_or_default();
            match std::mem::replace(&mut state.subject, Subject::Ended) {
                Subject::Input(input) => {
                    Loaded { value, metadata: input.recorded.metadata, events: input.recorded.events }
                }
                _ => Loaded::default(),
            }
        };
        self.perform(call, Intent::Load, &scope, Subject::input(context), sinks, enter, finish)
    }

    /// Computes a step through the component's `run`. What it wrote to its mounts is there if, and only if, the
    /// outcome is ok.
    ///
    /// Blocks until the call has ended; not to be called on a thread that drives async tasks.
    pub fn run_op(&self, call: &Call<'_>, context: OpContext) -> Report<Computed> {
        if !call.component.inspection().exports.op {
            return refused("it does not export airlock:io/op, so it is no op");
        }
        if let Some((workers, code)) = self.workers(call) {
            return self.in_turn(call, || workers.call(call, code, process::Subject::Op(context)));
        }
        let Some(op) = call.component.entry().and_then(|entry| entry.op.as_ref()) else { return refused(ELSEWHERE) };
        let sinks = crate::contract::sinks(&context, call.budget);
        let enter = async |store: &mut Store<State>| {
            let op = op.instantiate_async(&mut *store).await?;
            op.airlock_io_op().call_run(store, Resource::new_borrow(0)).await
        };
        let finish = |state: &mut State| match std::mem::replace(&mut state.subject, Subject::Ended) {
            Subject::Op(op) => {
                let values = std::mem::take(&mut state.sinks).into_iter().map(SinkState::finish);
                let outputs = op.context.outputs.into_iter().zip(values).zip(op.recorded);
                let output = |((output, value), recorded): ((OpOutput, _), Recorded)| ComputedOutput {
                    name: output.name,
                    value,
                    metadata: recorded.metadata,
                    part_metadata: recorded.parts,
                };
                Computed { outputs: outputs.map(output).collect() }
            }
            _ => Computed::default(),
        };
        self.perform(call, Intent::Store, &[], Subject::op(context), sinks, enter, finish)
    }

    /// Removes what `what` names from the directories that `grant` lends to be written with
    /// [`Scope::Output`](crate::grant::Scope::Output), and gives what was removed. No component is asked. Waits for calls
    /// that hold it, at most as long as the grant allows a call; of what is removed from one directory all is gone, or
    /// nothing.
    ///
    /// # Errors
    /// [`Failure::Interrupted`] and [`Failure::Storage`].
    pub fn wipe(&self, grant: &Grant, what: Wipe<'_>, interrupt: &Interrupt) -> Result<Vec<RemovedValue>, Failure> {
        mount::wipe(grant.mounts(), what, grant.limits(), self.0.durability, &|| interrupt.is_interrupted())
    }

    /// The workers that make `call`, and the code that they run; nothing where it is made in this process.
    fn workers<'a>(&'a self, call: &Call<'a>) -> Option<(&'a Workers, &'a Code)> {
        self.0.workers.as_ref().zip(call.component.code())
    }

    /// Has a worker make a call when it is its turn. Who holds a lock of an output has a turn then, so that those who wait for it
    /// with a turn of theirs do not wait for ever.
    fn in_turn<T>(&self, call: &Call<'_>, make: impl FnOnce() -> Report<T>) -> Report<T> {
        match self.0.turns.take(call.interrupt) {
            Some(_turn) => make(),
            None => failed(Failure::Interrupted),
        }
    }

    /// The way of every call in this process: open its files, run the guest in a fresh store, close the store, publish or discard.
    #[expect(
        clippy::too_many_arguments,
        reason = "the three kinds of call differ in each of these and in nothing else"
    )]
    fn perform<T>(
        &self,
        call: &Call<'_>,
        intent: Intent,
        scope: &[Location],
        subject: Subject,
        sinks: Vec<SinkState>,
        enter: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<Result<(), wit_types::Error>>,
        finish: impl FnOnce(&mut State) -> T,
    ) -> Report<T> {
        let interrupted = || call.interrupt.is_interrupted();
        let limits = call.grant.limits();
        let files = match FileSystem::open(call.grant.mounts(), scope, intent, limits, &interrupted) {
            Ok(files) => files,
            Err(failure) => return failed(failure),
        };
        // Who waits for a lock of an output holds no turn: the files are opened before it is taken, and published after it
        // is given back.
        let Some(turn) = self.0.turns.take(call.interrupt) else { return failed(Failure::Interrupted) };
        (self.0.watch)(Phase::Running);
        let mut store = state::store(&self.0.engine, call, files, subject, sinks);
        let ended = std::panic::catch_unwind(AssertUnwindSafe(|| deadline::run(&mut store, call, enter)))
            .unwrap_or(Ended::Panicked);
        // The guest's files are closed with the store, before they are published.
        let mut state = store.into_data();
        drop(turn);
        let result = finish(&mut state);
        let (mut files, receipt, log, stderr) = state.close();
        let outcome = outcome::judge(ended, &files, stderr, call.strict);
        let outcome = outcome.and_then(|()| {
            (self.0.watch)(Phase::Publishing);
            files.publish(self.0.durability, &interrupted)
        });
        Report { outcome: outcome.map(|()| result), receipt, log }
    }
}

pub(crate) fn failed<T>(failure: Failure) -> Report<T> {
    Report { outcome: Err(failure), receipt: Receipt::default(), log: Log::default() }
}

/// Why a component cannot be called by a sandbox that did not load it.
const ELSEWHERE: &str = "it was loaded by a sandbox that isolates its calls, which this one does not";

fn refused<T>(reason: &str) -> Report<T> {
    failed(Failure::Incompatible { reason: reason.to_owned() })
}
