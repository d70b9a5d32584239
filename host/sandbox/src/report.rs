//! What became of a call: its outcome, typed, and its receipt.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::context::{AssetEvent, MetadataEntry};
use crate::limits::{DENIALS, LimitExceeded, RECEIPT_FILES};
use crate::value::Value;

/// What became of a call.
#[derive(Debug)]
pub struct Report<T> {
    /// What the call gave, or why it gave nothing.
    pub outcome: Result<T, Failure>,
    /// What it used and was denied, whatever the outcome.
    pub receipt: Receipt,
    /// What the guest said.
    pub log: Log,
}

/// A stored output.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Stored {
    /// What the manager recorded of it.
    pub metadata: Vec<MetadataEntry>,
    /// Further materializations and observations, in order.
    pub events: Vec<AssetEvent>,
    /// The version of the content, where the manager set one.
    pub data_version: Option<String>,
}

/// A loaded input.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The value; absent where the manager began no part.
    pub value: Value,
    /// What the manager recorded of it.
    pub metadata: Vec<MetadataEntry>,
    /// Observations, in order.
    pub events: Vec<AssetEvent>,
}

/// What an op component computed.
#[derive(Debug, Default)]
pub struct Computed {
    /// Each output in the order of the context; a skipped one is absent.
    pub outputs: Vec<ComputedOutput>,
}

/// One output of an op component.
#[derive(Debug)]
pub struct ComputedOutput {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// What the op recorded of it.
    pub metadata: Vec<MetadataEntry>,
    /// What the op recorded of single parts, by their keys.
    pub part_metadata: HashMap<String, Vec<MetadataEntry>>,
}

/// Why a call gave nothing. What it wrote is gone, and what was there before is there still; but for a
/// [`Failure::Storage`] that comes while files are published, which says that what was written is kept and that the next
/// call on the mount publishes it, or that it is in place and may not last. Of several mounts, those published before the one that failed stay changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "class", rename_all = "kebab-case")]
pub enum Failure {
    /// The guest returned an error.
    #[error("the component returned an error: {error}")]
    Guest {
        /// The error.
        error: GuestError,
    },
    /// Something was denied, and the guest failed; or denials were to be failures.
    #[error("denied by policy: {denial}{}", after(error.as_deref()))]
    Denied {
        /// The first denial; the receipt has them all.
        denial: Denial,
        /// What the guest made of it.
        error: Option<Box<Failure>>,
    },
    /// A limit was reached.
    #[error("a limit was reached: {exceeded}")]
    Limit {
        /// Which, and what was allowed.
        exceeded: LimitExceeded,
    },
    /// The guest trapped or ended itself.
    #[error("the component trapped: {trap}")]
    Trap {
        /// How.
        trap: Trap,
    },
    /// A mount could not be read or written.
    #[error("storage failed: {failure}")]
    Storage {
        /// What was tried.
        failure: StorageFailure,
    },
    /// The component does not fit what was asked of it.
    #[error("the component does not fit: {reason}")]
    Incompatible {
        /// In words.
        reason: String,
    },
    /// The caller gave up.
    #[error("it was interrupted")]
    Interrupted,
    /// A fault of Airlock's own.
    #[error("a fault of Airlock's own: {reason}")]
    Host {
        /// In words.
        reason: String,
    },
}

fn after(error: Option<&Failure>) -> String {
    error.map(|error| format!("; then {error}")).unwrap_or_default()
}

/// An error that a guest returned; its text is safe to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestError {
    /// `not-found`, `invalid-config`, `unsupported-type`, `corrupt`, `access-denied`, `conflict`, `limit-exceeded`,
    /// `unavailable`, or a code of the guest's own.
    pub code: String,
    /// In the guest's words.
    pub message: String,
    /// Whether calling again may succeed.
    pub retryable: bool,
    /// The partitions that are absent, of `not-found`.
    pub partitions: Vec<String>,
}

impl fmt::Display for GuestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.message.is_empty(), self.partitions.is_empty()) {
            (true, true) => f.write_str(&self.code),
            (true, false) => write!(f, "{}: {}", self.code, self.partitions.join(", ")),
            (false, _) => write!(f, "{}: {}", self.code, self.message),
        }
    }
}

/// How a guest trapped; its text is safe to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trap {
    /// In words.
    pub reason: String,
    /// The guest's frames, innermost first.
    pub backtrace: Vec<String>,
    /// The end of what the guest wrote to its standard error, where languages put panics and exceptions.
    pub stderr: String,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// What of storage failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("cannot {operation} {path}: {reason}")]
pub struct StorageFailure {
    /// What was tried: `open`, `write`, `publish`, …
    pub operation: String,
    /// On what: a path of the machine, or what of a call is no file.
    pub path: String,
    /// Why it failed.
    pub reason: String,
}

/// What a call used, read, wrote and was denied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Files that were read.
    pub read: Transfers,
    /// Files that were written; they were published only if the call succeeded.
    pub written: Transfers,
    /// Paths that were removed.
    pub removed: Vec<String>,
    /// Paths that were removed and are not listed.
    #[serde(default)]
    pub removed_unlisted: u64,
    /// From the start of the guest to its end; as data in seconds.
    #[serde(with = "seconds")]
    pub time: Duration,
    /// Of that, how long its thread computed; as data in seconds.
    #[serde(with = "seconds")]
    pub cpu_time: Duration,
    /// Bytes of linear memory at most.
    pub peak_memory: u64,
    /// What was refused.
    pub denials: Denials,
    /// Whether the guest asked for its environment, and how many entries it was lent.
    pub environment: Option<usize>,
}

impl Receipt {
    /// Adds what a further call used, as if both had been one; what does not fit into a list is counted.
    pub fn add(&mut self, other: Self) {
        let Self { read, written, removed, removed_unlisted, time, cpu_time, peak_memory, denials, environment } =
            other;
        self.read.add(read);
        self.written.add(written);
        let mut removed = removed.into_iter();
        self.removed.extend(removed.by_ref().take(RECEIPT_FILES.saturating_sub(self.removed.len())));
        self.removed_unlisted += removed_unlisted + removed.len() as u64;
        self.time += time;
        self.cpu_time += cpu_time;
        self.peak_memory = self.peak_memory.max(peak_memory);
        for denial in denials.list {
            if self.denials.list.contains(&denial) {
                continue;
            }
            if self.denials.list.len() < DENIALS {
                self.denials.list.push(denial);
            } else {
                self.denials.unlisted += 1;
            }
        }
        self.denials.unlisted += denials.unlisted;
        self.environment = self.environment.max(environment);
    }
}

impl Transfers {
    fn add(&mut self, other: Self) {
        let mut files = other.files.into_iter();
        let room = RECEIPT_FILES.saturating_sub(self.files.len());
        self.files.extend(files.by_ref().take(room));
        self.unlisted += other.unlisted + files.len() as u64;
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// A length of time as a number of seconds, for `#[serde(with)]`.
pub mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes `time` in seconds, to the microsecond.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((time.as_secs_f64() * 1e6).round() / 1e6)
    }

    /// Reads a number of seconds.
    ///
    /// # Errors
    /// Those of the deserializer, and an error for a number that is no length of time.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Bytes moved in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfers {
    /// Files by guest path with the bytes moved, in order of first use; at most
    /// [`RECEIPT_FILES`](crate::limits::RECEIPT_FILES).
    pub files: Vec<Transfer>,
    /// Files that are not listed.
    pub unlisted: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Bytes moved from or to one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// As the guest sees it.
    pub path: String,
    /// How many.
    pub bytes: u64,
}

/// What a call was denied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denials {
    /// Each distinct denial once, in order; at most [`DENIALS`](crate::limits::DENIALS).
    pub list: Vec<Denial>,
    /// Denials that are not listed.
    pub unlisted: u64,
}

/// One refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// What was tried.
    pub operation: Operation,
    /// On what: a path as the guest sees it, or the name of a host interface; safe to show.
    pub subject: String,
    /// The rule that refused it.
    pub rule: Rule,
}

/// What a guest may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Open a file to read, list a directory, or ask whether something is there.
    Read,
    /// Make, change, rename or remove something.
    Write,
    /// Make a link.
    Link,
    /// Reach the network.
    Network,
}

/// The rules that refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum Rule {
    /// No mount covers the path.
    NotMounted,
    /// The mount is lent to read, or the call only loads.
    ReadOnly {
        /// The guest path of the mount.
        mount: String,
        /// Whether the grant itself allows writing, so that only the kind of call forbids it.
        loading: bool,
    },
    /// The path is not one of this call's output.
    OutOfScope {
        /// The guest path of the mount.
        mount: String,
        /// The path that is in scope, with no extension.
        scope: String,
    },
    /// The path leads out of the mount.
    Escape {
        /// The guest path of the mount.
        mount: String,
    },
    /// Airlock's own files in a mount.
    Reserved,
    /// Links, FIFOs, devices and sockets are not opened, and links are not made.
    NotAFile,
    /// Network access is not lent.
    NoNetwork,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = match self.operation {
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Link => "link",
            Operation::Network => "reach the network by",
        };
        write!(f, "{operation} {}: ", self.subject)?;
        match &self.rule {
            Rule::NotMounted => write!(f, "no mount covers it"),
            Rule::ReadOnly { mount, loading: true } => write!(f, "{mount} is read-only while a value is loaded"),
            Rule::ReadOnly { mount, loading: false } => write!(f, "{mount} is lent to read only"),
            Rule::OutOfScope { mount, scope } => write!(f, "of {mount} this call may touch {scope}.* only"),
            Rule::Escape { mount } => write!(f, "it leads out of {mount}"),
            Rule::Reserved => write!(f, "it is Airlock's own"),
            Rule::NotAFile => write!(f, "only regular files and directories are lent"),
            Rule::NoNetwork => write!(f, "no network is lent"),
        }
    }
}

/// What a guest said: by `log`, on its standard output and on its standard error; safe to show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Log {
    /// In order.
    pub lines: Vec<LogLine>,
    /// Bytes that were dropped beyond [`LOG_BYTES`](crate::limits::LOG_BYTES).
    pub dropped: u64,
}

/// One line of log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How it was said.
    pub level: Level,
    /// What was said.
    pub text: String,
}

/// How a line was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// By `log`, for those who look for a fault.
    Debug,
    /// By `log`.
    Info,
    /// By `log`.
    Warn,
    /// By `log`.
    Error,
    /// On standard output.
    Stdout,
    /// On standard error.
    Stderr,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfers(files: u64) -> Transfers {
        let files: Vec<Transfer> = (0..files).map(|number| Transfer { path: number.to_string(), bytes: 1 }).collect();
        Transfers { bytes: files.len() as u64, files, unlisted: 0 }
    }

    #[test]
    fn receipts_of_several_calls_add_up_and_stay_bounded() {
        let denial =
            |subject: &str| Denial { operation: Operation::Read, subject: subject.to_owned(), rule: Rule::NotMounted };
        let receipt = |subject: &str, memory| Receipt {
            read: transfers(200),
            time: Duration::from_secs(1),
            peak_memory: memory,
            removed: vec![subject.to_owned(); 200],
            denials: Denials { list: vec![denial("/same"), denial(subject)], unlisted: 1 },
            ..Receipt::default()
        };
        let mut sum = receipt("/a", 5);
        sum.add(receipt("/b", 3));
        assert_eq!((sum.read.files.len(), sum.read.unlisted, sum.read.bytes), (RECEIPT_FILES, 400 - 256, 400));
        assert_eq!((sum.removed.len(), sum.removed_unlisted), (RECEIPT_FILES, 400 - 256));
        assert_eq!((sum.time, sum.peak_memory), (Duration::from_secs(2), 5));
        let denials = Denials { list: vec![denial("/same"), denial("/a"), denial("/b")], unlisted: 2 };
        assert_eq!(sum.denials, denials);
    }
}
