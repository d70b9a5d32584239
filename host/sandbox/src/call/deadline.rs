//! Time: what ends a guest that computes, one that sleeps, and one that the caller has given up.
//!
//! A guest that computes yields by epochs, so that a timer on the same thread can end it; a guest that sleeps does so in
//! async host calls, which the same timer drops. Host calls that move bytes look at the deadline at each chunk.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Store, UpdateDeadline};

use super::outcome::Ended;
use super::{Call, Interrupt, State};
use crate::contract::wit_types;
use crate::limits::{Limit, LimitExceeded};

/// When a call must end.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    started: Instant,
    allowed: Duration,
    interrupt: Interrupt,
}

/// The caller gave up.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(super) struct Interrupted;

impl Deadline {
    pub(super) fn new(call: &Call<'_>) -> Self {
        let allowed = call.grant.limits().time;
        Self { started: Instant::now(), allowed, interrupt: call.interrupt.clone() }
    }

    /// Whether there is time left; for host calls that take long.
    pub(crate) fn check(&self) -> wasmtime::Result<()> {
        if self.interrupt.is_interrupted() {
            Err(Interrupted.into())
        } else if self.started.elapsed() > self.allowed {
            Err(self.exceeded().into())
        } else {
            Ok(())
        }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn exceeded(&self) -> LimitExceeded {
        LimitExceeded::new(Limit::Time, millis(self.allowed))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Runs the guest in `store` until it returns, traps, runs out of time or is interrupted.
pub(super) fn run(
    store: &mut Store<State>,
    call: &Call<'_>,
    enter: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<Result<(), wit_types::Error>>,
) -> Ended {
    if tokio::runtime::Handle::try_current().is_ok() {
        return Ended::Unable("a call blocks its thread, and this one drives async tasks".to_owned());
    }
    limit_computing(store, call.grant.limits().cpu_time);
    let allowed = call.grant.limits().time;
    let guest = async {
        tokio::select! {
            biased;
            () = call.interrupt.raised() => Ended::Failed(Interrupted.into()),
            ended = tokio::time::timeout(allowed, enter(store)) => match ended {
                Ok(Ok(Ok(()))) => Ended::Done,
                Ok(Ok(Err(error))) => Ended::Refused(error),
                Ok(Err(error)) => Ended::Failed(error),
                Err(_) => Ended::Failed(LimitExceeded::new(Limit::Time, millis(allowed)).into()),
            },
        }
    };
    RUNTIME.with(|runtime| match runtime {
        Ok(runtime) => runtime.block_on(guest),
        Err(error) => Ended::Unable(format!("there is no timer: {error}")),
    })
}

thread_local! {
    /// Each thread that calls keeps a runtime of its own: a timer, and nothing that runs elsewhere.
    static RUNTIME: std::io::Result<tokio::runtime::Runtime> =
        tokio::runtime::Builder::new_current_thread().enable_time().build();
}

/// Looks at each tick how long the guest, and the host for it, has computed, and lets the timer run.
fn limit_computing(store: &mut Store<State>, allowed: Duration) {
    let started = thread_cpu_time();
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        if thread_cpu_time().saturating_sub(started) > allowed {
            return Err(LimitExceeded::new(Limit::CpuTime, millis(allowed)).into());
        }
        Ok(UpdateDeadline::Yield(1))
    });
}

/// How long this thread has computed.
pub(super) fn thread_cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
