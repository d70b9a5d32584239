//! The host's side of one call: all that its host functions work on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{Engine, Store};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};

use super::Call;
use super::deadline::{Deadline, thread_cpu_time};
use super::limiter::Limiter;
use super::log::CallLog;
use crate::context::{InputContext, OpContext, OutputContext};
use crate::contract::{InputCall, OpCall, OutputCall, Recorded, SinkQuota, SinkState};
use crate::limits::{CLOCK_RESOLUTION, HANDLES, HOST_CALL_BYTES, RANDOM_BYTES};
use crate::mount::{FileSystem, FileSystemView};
use crate::report::{Level, Log, Receipt};

/// The data of a call's store.
pub(crate) struct State {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) files: FileSystem,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) environment_asked: bool,
    pub(crate) deadline: Deadline,
    pub(crate) log: CallLog,
    pub(crate) sinks: Vec<SinkState>,
    pub(crate) sink_quota: SinkQuota,
    pub(super) subject: Subject,
    limiter: Limiter,
    cpu_at_start: Duration,
}

/// What the call is about.
pub(super) enum Subject {
    Output(OutputCall),
    Input(InputCall),
    Op(OpCall),
    /// The call is over and what it recorded was taken.
    Ended,
}

impl Subject {
    pub(super) fn output(context: OutputContext) -> Self {
        Self::Output(OutputCall { context, recorded: Recorded::default(), data_version: None })
    }

    pub(super) fn input(context: InputContext) -> Self {
        Self::Input(InputCall { context, recorded: Recorded::default() })
    }

    pub(super) fn op(context: OpContext) -> Self {
        Self::Op(OpCall::new(context))
    }
}

/// A store for one call, with every limit set.
pub(super) fn store(
    engine: &Engine,
    call: &Call<'_>,
    files: FileSystem,
    subject: Subject,
    sinks: Vec<SinkState>,
) -> Store<State> {
    let log = CallLog::default();
    let deadline = Deadline::new(call);
    let stop = deadline.clone();
    files.stop_by(move || stop.check());
    let mut table = ResourceTable::new();
    table.set_max_capacity(HANDLES);
    let mut wasi = WasiCtx::builder();
    wasi.stdout(log.stream(Level::Stdout))
        .stderr(log.stream(Level::Stderr))
        .allow_tcp(false)
        .allow_udp(false)
        .max_random_size(RANDOM_BYTES)
        .wall_clock(CoarseClock { started: Instant::now() })
        .monotonic_clock(CoarseClock { started: Instant::now() });
    if let Some(deterministic) = call.deterministic {
        deterministic.apply(&mut wasi);
    }
    let state = State {
        wasi: wasi.build(),
        table,
        files,
        environment: call.grant.environment().clone(),
        environment_asked: false,
        deadline,
        log,
        sinks,
        sink_quota: SinkQuota::new(call.grant.limits().disk),
        subject,
        limiter: Limiter::new(call.grant.limits().memory),
        cpu_at_start: thread_cpu_time(),
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    store.set_hostcall_fuel(HOST_CALL_BYTES);
    store.set_max_component_handles(HANDLES);
    store
}

impl State {
    pub(crate) fn file_system(&mut self) -> FileSystemView<'_> {
        FileSystemView { files: &mut self.files, table: &mut self.table }
    }

    pub(crate) fn output(&mut self) -> wasmtime::Result<&mut OutputCall> {
        match &mut self.subject {
            Subject::Output(output) => Ok(output),
            _ => Err(wasmtime::format_err!("no output is being stored")),
        }
    }

    pub(crate) fn input(&mut self) -> wasmtime::Result<&mut InputCall> {
        match &mut self.subject {
            Subject::Input(input) => Ok(input),
            _ => Err(wasmtime::format_err!("no input is being loaded")),
        }
    }

    pub(crate) fn op(&mut self) -> wasmtime::Result<&mut OpCall> {
        match &mut self.subject {
            Subject::Op(op) => Ok(op),
            _ => Err(wasmtime::format_err!("no op is being run")),
        }
    }

    /// Closes all that the guest held open. Gives the files, to be published or discarded, the receipt, the log and
    /// the end of the guest's standard error.
    pub(super) fn close(self) -> (FileSystem, Receipt, Log, String) {
        drop(self.table);
        let (log, stderr) = self.log.finish();
        let mut receipt = Receipt::default();
        self.files.record().fill(&mut receipt);
        receipt.time = self.deadline.elapsed();
        receipt.cpu_time = thread_cpu_time().saturating_sub(self.cpu_at_start);
        receipt.peak_memory = self.limiter.peak();
        receipt.environment = self.environment_asked.then_some(self.environment.len());
        (self.files, receipt, log, stderr)
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Clocks that tell a guest the time, but too coarsely to time the machine's caches.
struct CoarseClock {
    started: Instant,
}

fn coarse(time: Duration) -> Duration {
    let resolution = CLOCK_RESOLUTION.as_nanos();
    let nanos = time.as_nanos() / resolution * resolution;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl HostMonotonicClock for CoarseClock {
    fn resolution(&self) -> u64 {
        u64::try_from(CLOCK_RESOLUTION.as_nanos()).unwrap_or(u64::MAX)
    }

    fn now(&self) -> u64 {
        // It never says zero, which the runtime of Go takes for a broken clock.
        let time = self.started.elapsed().saturating_add(CLOCK_RESOLUTION);
        u64::try_from(coarse(time).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl HostWallClock for CoarseClock {
    fn resolution(&self) -> Duration {
        CLOCK_RESOLUTION
    }

    fn now(&self) -> Duration {
        // A machine whose clock stands before 1970 shows guests 1970.
        coarse(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default())
    }
}
