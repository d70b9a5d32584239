//! What work takes.

use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

/// What some work took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// From start to end.
    pub time: Duration,
    /// Computing, in this process and for it in the kernel, on all its threads.
    pub cpu: Duration,
}

impl std::ops::Div<u32> for Cost {
    type Output = Self;

    fn div(self, count: u32) -> Self {
        Self { time: self.time / count, cpu: self.cpu / count }
    }
}

/// What `work` takes and gives.
pub fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(Cost, T)> {
    let computed = computed();
    let start = Instant::now();
    let result = work()?;
    let time = start.elapsed();
    Ok((Cost { time, cpu: self::computed().saturating_sub(computed) }, result))
}

fn computed() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap_or_default()
}

/// The median cost of `work`; the first round is not counted.
pub fn repeat(rounds: usize, work: impl FnMut() -> Result<Cost>) -> Result<Cost> {
    Ok(compare(rounds, work, || Ok(Cost::default()))?.0)
}

/// The median costs of `a` and `b`, which take turns; the first round is not counted.
pub fn compare(
    rounds: usize,
    mut a: impl FnMut() -> Result<Cost>,
    mut b: impl FnMut() -> Result<Cost>,
) -> Result<(Cost, Cost)> {
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (cost_a, cost_b) = (a()?, b()?);
        if round > 0 {
            of_a.push(cost_a);
            of_b.push(cost_b);
        }
    }
    Ok((medians(&of_a), medians(&of_b)))
}

fn medians(costs: &[Cost]) -> Cost {
    let median = |of: fn(&Cost) -> Duration| {
        let mut times: Vec<Duration> = costs.iter().map(of).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    Cost { time: median(|cost| cost.time), cpu: median(|cost| cost.cpu) }
}
