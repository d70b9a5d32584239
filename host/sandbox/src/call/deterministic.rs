//! Calls whose guests see another time and other random numbers than the machine has, the same ones each time.
//!
//! What bounds a call keeps to the real time: a guest that waits does so as long as it says, and ends when its call may take no
//! longer.

use std::cell::Cell;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::limits::CLOCK_RESOLUTION;

/// What a guest is told of time and of chance. A call that is made again with the same of these and of all else ends the same.
///
/// Files keep the real times at which they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deterministic {
    /// What its clocks tell first, the one on the wall since 1970. Each look tells the least bit more than the one before, so
    /// that who waits by looking at a clock does not wait for ever.
    pub time: Duration,
    /// What all its random numbers come of.
    pub seed: u64,
}

impl Deterministic {
    /// Has the guests of what `wasi` builds see it.
    pub(super) fn apply(self, wasi: &mut WasiCtxBuilder) {
        // Who asks in one way learns nothing of what comes in another.
        let mut seeds = StdRng::seed_from_u64(self.seed);
        wasi.secure_random(StdRng::from_rng(&mut seeds))
            .insecure_random(StdRng::from_rng(&mut seeds))
            .insecure_random_seed(seeds.random())
            .wall_clock(SteppingClock::new(self.time))
            .monotonic_clock(SteppingClock::new(self.time));
    }
}

/// A clock that stands still but for a step at each look.
struct SteppingClock(Cell<Duration>);

impl SteppingClock {
    fn new(time: Duration) -> Self {
        Self(Cell::new(time))
    }

    fn look(&self) -> Duration {
        self.0.set(self.0.get().saturating_add(CLOCK_RESOLUTION));
        self.0.get()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl HostMonotonicClock for SteppingClock {
    fn resolution(&self) -> u64 {
        nanos(CLOCK_RESOLUTION)
    }

    fn now(&self) -> u64 {
        nanos(self.look())
    }
}

impl HostWallClock for SteppingClock {
    fn resolution(&self) -> Duration {
        CLOCK_RESOLUTION
    }

    fn now(&self) -> Duration {
        self.look()
    }
}
