//! The partitions of a call, as each of its contexts shows them to a guest.

use super::{host_error, wit_types};
use crate::layout::{BadExtension, Location};
use crate::partition::{Partitions, TimeWindow, UnknownKey};

/// Keys that a guest is given at once, at most.
const PAGE: usize = 10_000;

/// How many partitions there are.
pub(super) fn count(partitions: &Partitions) -> u32 {
    u32::try_from(partitions.len()).unwrap_or(u32::MAX)
}

/// At most `max` keys from `offset` on.
pub(super) fn page(partitions: &Partitions, offset: u32, max: u32) -> Vec<String> {
    let (offset, max) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(max).unwrap_or(usize::MAX));
    partitions.keys().iter().skip(offset).take(max.min(PAGE)).map(|key| key.key.clone()).collect()
}

/// The path of the part `key` of the output at `output`.
pub(super) fn path(
    partitions: &Partitions,
    output: &Location,
    key: Option<&str>,
    extension: &str,
) -> Result<String, wit_types::Error> {
    Ok(partitions.location(output, key)?.path(extension)?)
}

impl From<TimeWindow> for wit_types::TimeWindow {
    fn from(window: TimeWindow) -> Self {
        Self { start_ms: window.start_ms, end_ms: window.end_ms }
    }
}

impl From<UnknownKey> for wit_types::Error {
    fn from(error: UnknownKey) -> Self {
        host_error("unknown-key", error.to_string())
    }
}

impl From<BadExtension> for wit_types::Error {
    fn from(error: BadExtension) -> Self {
        host_error("bad-extension", error.to_string())
    }
}
