//! The table that is printed.

use std::time::Duration;

use serde_json::Value;

/// One line of the table.
pub struct Row {
    name: String,
    airlock: Measured,
    native: Option<Duration>,
    /// What Dagster's script calls it.
    dagster: Option<String>,
    goal: String,
}

enum Measured {
    Time(Duration),
    Bytes(u64),
}

impl Row {
    /// A median time.
    pub fn time(name: impl Into<String>, time: Duration) -> Self {
        Self { name: name.into(), airlock: Measured::Time(time), native: None, dagster: None, goal: String::new() }
    }

    /// Bytes of memory.
    pub fn bytes(name: impl Into<String>, bytes: u64) -> Self {
        Self { airlock: Measured::Bytes(bytes), ..Self::time(name, Duration::ZERO) }
    }

    /// What native Rust takes for the same.
    pub fn native(self, time: Duration) -> Self {
        Self { native: Some(time), ..self }
    }

    /// What Dagster's script calls it.
    pub fn dagster(self, name: impl Into<String>) -> Self {
        Self { dagster: Some(name.into()), ..self }
    }

    /// What it should be.
    pub fn goal(self, goal: impl Into<String>) -> Self {
        Self { goal: goal.into(), ..self }
    }

    fn print(&self, dagster: Option<&Value>) {
        let seconds = self.dagster.as_ref().and_then(|name| dagster?[name.as_str()].as_f64());
        let (dagster, native) = (seconds.map(Duration::from_secs_f64), self.native);
        let (airlock, times, faster) = match self.airlock {
            Measured::Bytes(bytes) => (shown_bytes(bytes), None, None),
            Measured::Time(time) => (
                shown(time),
                native.map(|native| format!("{:.2}", ratio(time, native))),
                dagster.map(|dagster| format!("{:.1}", ratio(dagster, time))),
            ),
        };
        let (native, dagster) = (native.map(shown), dagster.map(shown));
        let [native, times, dagster, faster] = [native, times, dagster, faster].map(Option::unwrap_or_default);
        println!("| {} | {airlock} | {native} | {times} | {dagster} | {faster} | {} |", self.name, self.goal);
    }
}

/// `a` in terms of `b`.
pub fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

/// `time` as it is read.
pub fn shown(time: Duration) -> String {
    if time < Duration::from_millis(1) {
        format!("{:.1} µs", time.as_secs_f64() * 1e6)
    } else {
        format!("{:.1} ms", time.as_secs_f64() * 1e3)
    }
}

/// `bytes` as they are read.
pub fn shown_bytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// Prints `rows` beside what `dagster` took.
pub fn print(rows: &[Row], dagster: Option<&Value>) {
    if rows.is_empty() {
        return;
    }
    if let Some(dagster) = dagster {
        let text = |key: &str| dagster[key].as_str().unwrap_or("?").to_owned();
        println!("\nDagster {}, Python {}.", text("version"), text("python"));
    }
    println!("\n| | Airlock | native Rust | × native | Dagster | Dagster ÷ Airlock | goal |");
    println!("|---|---|---|---|---|---|---|");
    for row in rows {
        row.print(dagster);
    }
}

/// This machine, and how busy it is.
pub fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let line = |text: &str, key: &str| {
        let found = text.lines().find(|line| line.starts_with(key));
        found.and_then(|line| line.split(':').nth(1)).unwrap_or("?").trim().to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory: u64 = line(&read("/proc/meminfo"), "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    format!(
        "{}, {cores} cores, {} GiB of memory, Linux {}, load {} at the start.",
        line(&read("/proc/cpuinfo"), "model name"),
        memory >> 20,
        kernel.split('-').next().unwrap_or("?").trim(),
        load.split(' ').next().unwrap_or("?"),
    )
}
