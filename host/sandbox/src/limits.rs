//! What a call may use, finite by default.
//!
//! Limits that people tune are fields of [`Limits`]; the rest are constants here, so that every number
//! that bounds a guest stands on this page.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Bytes that a reader or a sink moves in one host call, at most.
pub const CHUNK: usize = 1 << 20;
/// Bytes that one host call may lift from a guest.
pub const HOST_CALL_BYTES: usize = 8 << 20;
/// Calls of a sandbox that run at once; more wait.
pub const CALLS: usize = 64;
/// Live resource handles of a call, and entries of each of the host's tables.
pub const HANDLES: usize = 1024;
/// Open files and directories of a call.
pub const DESCRIPTORS: usize = 128;
/// Linear memories of a component; their sizes are summed under [`Limits::memory`].
pub const MEMORIES: usize = 16;
/// Tables of a component.
pub const TABLES: usize = 256;
/// Elements of all tables of a component together.
pub const TABLE_ELEMENTS: usize = 200_000;
/// Instances of a component: core instances as it runs, and before that all those that its bytes stand for.
pub const INSTANCES: usize = 1024;
/// Bytes of one request for random numbers.
pub const RANDOM_BYTES: u64 = MIB;
/// What a guest can tell apart on the monotonic clock.
pub const CLOCK_RESOLUTION: Duration = Duration::from_millis(1);
/// Bytes of wasm stack.
pub const WASM_STACK: usize = 1 << 20;
/// Bytes of the native stack that a call runs on; the difference is what host functions may use.
pub const NATIVE_STACK: usize = 4 << 20;
/// Bytes of log that are kept of a call; more is dropped and counted.
pub const LOG_BYTES: usize = 1 << 20;
/// Bytes of one line of log; the rest of the line is dropped.
pub const LOG_LINE_BYTES: usize = 8 << 10;
/// Metadata entries that a call may add.
pub const METADATA_ENTRIES: usize = 256;
/// Bytes of a metadata label.
pub const METADATA_LABEL_BYTES: usize = 256;
/// Bytes of one metadata value.
pub const METADATA_VALUE_BYTES: usize = 64 << 10;
/// Bytes of all metadata and events of a call together.
pub const METADATA_BYTES: usize = 1 << 20;
/// Parts of an asset key that a guest may name.
pub const ASSET_KEY_PARTS: usize = 64;
/// Materializations and observations that a call may log.
pub const EVENTS: usize = 256;
/// Bytes that are kept of an error's text.
pub const ERROR_BYTES: usize = 16 << 10;
/// Denials that a receipt lists one by one; more are counted.
pub const DENIALS: usize = 64;
/// Files that a receipt lists by name in each direction; more are counted.
pub const RECEIPT_FILES: usize = 256;
/// Entries of one directory that a guest may list.
pub const DIRECTORY_ENTRIES: usize = 10_000;
/// Entries of all directories that a guest is listing at once: these wait in the host's memory.
pub const LISTED_ENTRIES: usize = 4 * DIRECTORY_ENTRIES;
/// Segments of a path below a mount.
pub const PATH_DEPTH: usize = 16;
/// Bytes of a path.
pub const PATH_BYTES: usize = 4096;
/// Bytes that the paths take which a call makes, removes or moves in one mount; or 256 for each file that
/// [`Limits::files`] allows, where that is more.
pub const CHANGED_PATH_BYTES: u64 = 32 * MIB;
/// Parts of one value.
pub const PARTS: usize = 100_000;
/// Bytes that the keys and media types of all parts of a call take, with what the host keeps of each part beside its content.
pub const PART_BYTES: u64 = 64 * MIB;
/// Bytes of a media type.
pub const MEDIA_TYPE_BYTES: usize = 256;
/// Bytes that a directory in memory holds, and that one call writes to such.
pub const MEMORY_DIRECTORY_BYTES: u64 = 256 * MIB;
/// Files and directories that a directory in memory holds.
pub const MEMORY_DIRECTORY_FILES: usize = 1000;
/// Bytes of the plan of a publish, which names each file that a call wrote.
pub const PLAN_BYTES: u64 = 64 * MIB;
/// Bytes that stay free on the file system of a mount, or a twentieth of it where that is less.
pub const FREE_SPACE_FLOOR: u64 = GIB;

/// Bytes of memory that compiling a component may take.
pub const COMPILE_MEMORY: u64 = 2 * GIB;
/// How long compiling a component may compute, on all processors together.
pub const COMPILE_TIME: Duration = Duration::from_mins(2);
/// How long compiling a component may take.
pub const COMPILE_WAIT: Duration = Duration::from_mins(5);
/// Bytes of a component's compiled code.
pub const COMPILED_BYTES: u64 = 8 * COMPONENT_BYTES;
/// Bytes of memory that a worker process may take beside what its guest may: its code, and what is held on the guest's behalf.
pub const PROCESS_MEMORY: u64 = GIB;
/// How long a worker process may compute beside the calls that it makes, from its start to its end.
pub const PROCESS_TIME: Duration = Duration::from_mins(1);
/// Files in memory that a worker process fills in a call; beside these there is one on disk for each value.
pub const GIVEN_FILES: usize = 32;
/// How long a worker process may take to start.
pub const WORKER_START: Duration = Duration::from_mins(1);
/// How long a worker process may publish, where calls may not take longer.
pub const PUBLISH_TIME: Duration = Duration::from_mins(10);
/// Worker processes that are kept for further calls.
pub const IDLE_WORKERS: usize = 16;
/// Bytes of values that pass to and from a process within a message; what is larger passes in a file.
pub const INLINE_BYTES: usize = 64 << 10;
/// Bytes of a message to a process.
pub const FRAME_BYTES: usize = 256 << 20;
/// Bytes of a message from a process.
pub const REPLY_BYTES: usize = 128 << 20;
/// Values that a message from a process consists of, those within others too.
pub const REPLY_VALUES: usize = 4 << 20;
/// Descriptors that go with a message to or from a process.
pub const FRAME_DESCRIPTORS: usize = 1 << 14;

/// Bytes of a component file.
pub const COMPONENT_BYTES: u64 = 64 * MIB;
/// Imports and exports of a component each, and components that can be instantiated in one.
pub const COMPONENT_NAMES: usize = 10_000;
/// Bytes of one function's body.
pub const FUNCTION_BYTES: usize = 2 << 20;
/// Functions of a component, all its modules together.
pub const FUNCTIONS: u64 = 200_000;
/// Core modules of a component.
pub const MODULES: usize = 64;
/// Components and modules within one another.
pub const NESTING: usize = 16;
/// Bytes of a component's manifest section.
pub const MANIFEST_BYTES: usize = 256 << 10;

/// The limits of a call that a definition may set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of linear memory, summed over all memories of the call. Default 512 MiB.
    pub memory: u64,
    /// Time from the start of the guest to its end, sleeping included; as data in seconds. Default 300 s.
    #[serde(with = "crate::report::seconds")]
    pub time: Duration,
    /// Time that the guest computes; as data in seconds. Default 60 s.
    #[serde(with = "crate::report::seconds")]
    pub cpu_time: Duration,
    /// Bytes that the guest writes, to its mounts and, apart from these, to the value that it loads or computes.
    /// Default 10 GiB.
    pub disk: u64,
    /// Files and directories that the guest makes. Default 10,000.
    pub files: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 512 * MIB,
            time: Duration::from_mins(5),
            cpu_time: Duration::from_mins(1),
            disk: 10 * GIB,
            files: 10_000,
        }
    }
}

/// Which limit a call reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// [`Limits::memory`]
    Memory,
    /// [`Limits::time`]
    Time,
    /// [`Limits::cpu_time`]
    CpuTime,
    /// [`Limits::disk`]
    Disk,
    /// [`Limits::files`]
    Files,
    /// [`WASM_STACK`], or the smaller stack that the guest keeps in its own memory.
    Stack,
    /// [`MEMORIES`], [`TABLES`], [`TABLE_ELEMENTS`] or [`INSTANCES`]
    Shape,
    /// [`HANDLES`]
    Handles,
    /// [`DESCRIPTORS`]
    Descriptors,
    /// [`HOST_CALL_BYTES`]
    HostCall,
    /// [`RANDOM_BYTES`]
    Random,
    /// [`METADATA_ENTRIES`], [`METADATA_BYTES`] and their like
    Metadata,
    /// [`DIRECTORY_ENTRIES`]
    DirectoryEntries,
    /// [`LISTED_ENTRIES`]
    ListedEntries,
    /// [`PATH_DEPTH`]
    PathDepth,
    /// [`CHANGED_PATH_BYTES`]
    ChangedPaths,
    /// [`PARTS`]
    Parts,
    /// [`PART_BYTES`]
    PartNames,
}

impl Limit {
    /// The key that sets this limit in a definition, where one does.
    pub fn setting(self) -> Option<&'static str> {
        match self {
            Limit::Memory => Some("memory"),
            Limit::Time => Some("time"),
            Limit::CpuTime => Some("cpu_time"),
            Limit::Disk => Some("disk"),
            Limit::Files => Some("files"),
            _ => None,
        }
    }
}

/// A limit that a call reached, and what was allowed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitExceeded {
    /// Which one.
    pub limit: Limit,
    /// What was allowed, in the unit of the limit: bytes, milliseconds or a count.
    pub allowed: u64,
}

impl LimitExceeded {
    /// The limit `limit`, of which `allowed` was allowed.
    pub fn new(limit: Limit, allowed: u64) -> Self {
        Self { limit, allowed }
    }
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.allowed;
        match self.limit {
            Limit::Memory => write!(f, "it asked for more than {} of memory", Bytes(n)),
            Limit::Time => write!(f, "it took longer than {}", Millis(n)),
            Limit::CpuTime => write!(f, "it computed for longer than {}", Millis(n)),
            Limit::Disk => write!(f, "it wrote more than {}", Bytes(n)),
            Limit::Files => write!(f, "it made more than {n} files and directories"),
            Limit::Stack => write!(f, "its calls nested deeper than the stack of {}", Bytes(n)),
            Limit::Shape => write!(f, "it asked for more than {n} memories, tables, table elements or instances"),
            Limit::Handles => write!(f, "it held more than {n} handles at once"),
            Limit::Descriptors => write!(f, "it held more than {n} files and directories open at once"),
            Limit::HostCall => write!(f, "it passed more than {} to the host in one call", Bytes(n)),
            Limit::Random => write!(f, "it asked for more than {} of random bytes at once", Bytes(n)),
            Limit::Metadata => write!(f, "it recorded more metadata or events than the {n} allowed"),
            Limit::DirectoryEntries => write!(f, "it listed a directory of more than {n} entries"),
            Limit::ListedEntries => write!(f, "it was listing directories of more than {n} entries at once"),
            Limit::PathDepth => write!(f, "it used a path of more than {n} segments"),
            Limit::ChangedPaths => write!(f, "the paths that it changed took more than {}", Bytes(n)),
            Limit::PartNames => write!(f, "the keys and media types of its parts took more than {}", Bytes(n)),
            Limit::Parts => write!(f, "it began more than {n} parts"),
        }
    }
}

impl std::error::Error for LimitExceeded {}

/// Shows a number of bytes in the largest binary unit that leaves it readable.
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, name) = match self.0 {
            n if n >= GIB => (GIB, "GiB"),
            n if n >= MIB => (MIB, "MiB"),
            n if n >= KIB => (KIB, "KiB"),
            n => return write!(f, "{n} B"),
        };
        if self.0.is_multiple_of(unit) {
            write!(f, "{} {name}", self.0 / unit)
        } else {
            #[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
            let value = self.0 as f64 / unit as f64;
            write!(f, "{value:.1} {name}")
        }
    }
}

struct Millis(u64);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{} s", self.0 / 1000) } else { write!(f, "{} ms", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_in_the_largest_unit_that_fits() {
        let shown = [0, 1023, 1024, 1536, 64 * MIB, 3 * GIB].map(|n| Bytes(n).to_string());
        assert_eq!(shown, ["0 B", "1023 B", "1 KiB", "1.5 KiB", "64 MiB", "3 GiB"]);
    }

    #[test]
    fn a_limit_reads_as_a_sentence() {
        let text = LimitExceeded::new(Limit::Time, 1500).to_string();
        assert_eq!(text, "it took longer than 1500 ms");
    }
}
