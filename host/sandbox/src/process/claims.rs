//! What a worker says that a call gave, held to what a call can give.
//!
//! Within this process the host's side of the contract sees to it, but a guest that escaped may say anything: parts under keys
//! that nobody asked for, more bytes than it may write, a file that it goes on changing. So what is said goes through the same
//! sinks and towards the same quota as what a guest writes.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::time::Instant;

use super::conversation::{Lost, Subject};
use super::distrust::Records;
use super::packing::{PackedPart, PackedPiece, PackedValue};
use super::wire::Descriptors;
use crate::call::Call;
use crate::contract::{SinkKeys, SinkQuota, SinkState};
use crate::grant::{Access, MountGrant, MountSource};
use crate::limits::CHUNK;
use crate::mount::MemoryDirectory;
use crate::value::Shelf;

/// What a call can give.
pub(super) struct Expected {
    /// Of each value its name and where it is collected, the last one first.
    outputs: Vec<(String, SinkState)>,
}

impl Expected {
    /// What `call` about `subject` can give.
    pub fn of(subject: &Subject<'_>, call: &Call<'_>) -> Self {
        let outputs = match subject {
            Subject::Output(..) => Vec::new(),
            Subject::Input(context) => {
                let keys = SinkKeys::Partitions(context.partitions.clone());
                vec![(String::new(), SinkState::new(call.budget.clone(), keys))]
            }
            Subject::Op(context) => {
                let names = context.outputs.iter().map(|output| output.name.clone());
                names.zip(crate::contract::sinks(context, call.budget)).rev().collect()
            }
        };
        Self { outputs }
    }

    /// How many values.
    pub fn values(&self) -> usize {
        self.outputs.len()
    }
}

/// What a worker says at the end of a call.
pub(crate) struct Claims<'a> {
    pub call: &'a Call<'a>,
    /// When the call began.
    pub since: Instant,
    pub(super) descriptors: Descriptors,
    pub(super) records: Records,
    expected: Expected,
    quota: SinkQuota,
    /// Files that were given to the worker to be filled.
    given: &'a [Arc<Shelf>],
    /// Directories whose files the worker has.
    in_memory: &'a [MemoryDirectory],
    files: HashMap<usize, Said>,
    /// Whether a value holds a file that the worker could go on changing.
    pub(super) holds_changeable: bool,
}

/// A file that came with a message.
#[derive(Clone)]
struct Said {
    file: Arc<Shelf>,
    size: u64,
    is_given: bool,
    /// Whether it may be one of a directory that the worker can write.
    is_changeable: bool,
}

impl<'a> Claims<'a> {
    /// What was said with `descriptors` of a call since `since`, in which the worker had `given` and the files of `in_memory`.
    pub(super) fn new(
        call: &'a Call<'a>,
        since: Instant,
        expected: Expected,
        descriptors: Descriptors,
        given: &'a [Arc<Shelf>],
        in_memory: &'a [MemoryDirectory],
    ) -> Self {
        let quota = SinkQuota::new(call.grant.limits().disk);
        let records = Records::default();
        Self {
            call,
            since,
            descriptors,
            records,
            expected,
            quota,
            given,
            in_memory,
            files: HashMap::new(),
            holds_changeable: false,
        }
    }

    /// The name of the next value that the call can give, and where it is collected.
    pub fn next_output(&mut self) -> Option<(String, SinkState)> {
        self.expected.outputs.pop()
    }

    /// Collects in `sink` the value that was said.
    pub(super) fn value(&mut self, said: PackedValue, sink: &mut SinkState) -> Result<(), Lost> {
        said.0.into_iter().try_for_each(|part| self.part(part, sink))
    }

    fn part(&mut self, said: PackedPart, sink: &mut SinkState) -> Result<(), Lost> {
        let begun = sink.begin(&self.quota, said.key, said.media_type);
        if !matches!(begun, Ok(Ok(()))) {
            return Err(Lost::invalid("a value has a part that a guest cannot begin"));
        }
        for piece in said.content {
            match piece {
                PackedPiece::Inline(bytes) => {
                    self.charge(bytes.len() as u64)?;
                    let Some(content) = sink.content() else { continue };
                    content.append(&bytes).map_err(unkept())?;
                }
                PackedPiece::File { place, offset, length } => {
                    let Said { file, size, is_given, is_changeable } = self.file(place)?;
                    if offset.checked_add(length).is_none_or(|end| end > size) {
                        return Err(Lost::invalid("a value is said to lie where its file has ended"));
                    }
                    if is_given {
                        self.charge(length)?;
                    } else if !sink.hold_file() {
                        return Err(Lost::invalid("a value holds more files than it may"));
                    }
                    let Some(content) = sink.content() else { continue };
                    // To copy much takes longer than to start another worker.
                    if is_changeable && length <= CHUNK as u64 {
                        let mut bytes = vec![0; usize::try_from(length).unwrap_or(CHUNK)];
                        file.file.read_exact_at(&mut bytes, offset).map_err(unseen())?;
                        content.append(&bytes).map_err(unkept())?;
                    } else {
                        self.holds_changeable |= is_changeable;
                        content.append_piece(file, offset, length);
                    }
                }
            }
        }
        Ok(())
    }

    fn charge(&self, bytes: u64) -> Result<(), Lost> {
        self.quota.charge(bytes).map_err(|_| Lost::invalid("a value has more bytes than the call may write"))
    }

    fn file(&mut self, place: usize) -> Result<Said, Lost> {
        if let Some(known) = self.files.get(&place) {
            return Ok(known.clone());
        }
        let file = self.descriptors.take(place).map_err(Lost::Worker)?;
        let metadata = file.metadata().map_err(unseen())?;
        let given = self.given.iter().find(|shelf| is_same(&shelf.file, &metadata)).cloned();
        let is_given = given.is_some();
        // What nobody counted, and the worker could go on changing.
        let is_memory = is_given || crate::mount::is_anonymous(&file).map_err(unseen())?;
        if is_memory && !is_given && !self.is_lent(&metadata) {
            return Err(Lost::invalid("a value lies in memory that the worker was not given"));
        }
        let is_changeable = !is_memory && self.call.grant.mounts().iter().any(is_written_directory);
        let file = given.unwrap_or_else(|| Arc::new(Shelf::from(file)));
        let said = Said { file, size: metadata.len(), is_given, is_changeable };
        Ok(self.files.entry(place).or_insert(said).clone())
    }

    /// Whether it is a file of a directory in memory.
    fn is_lent(&self, metadata: &Metadata) -> bool {
        let files = self.in_memory.iter().flat_map(MemoryDirectory::contents).filter_map(|(_, file)| file);
        files.into_iter().any(|file| is_same(&file, metadata))
    }
}

fn is_written_directory(mount: &MountGrant) -> bool {
    mount.access == Access::Write && matches!(mount.source, MountSource::Directory(_))
}

fn unkept() -> impl FnOnce(std::io::Error) -> Lost {
    Lost::unable("keep", "the value of a worker process")
}

fn unseen() -> impl FnOnce(std::io::Error) -> Lost {
    Lost::unable("read", "a file that a worker process loaded")
}

fn is_same(file: &File, metadata: &Metadata) -> bool {
    file.metadata().is_ok_and(|own| (own.dev(), own.ino()) == (metadata.dev(), metadata.ino()))
}
