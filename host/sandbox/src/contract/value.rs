//! Values as a guest reads and writes them: in chunks, or moved by the host between a part and a file.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

use super::{Answer, host_error, limit, wit_types, wit_value};
use crate::call::State;
use crate::limits::{CHUNK, Limit, LimitExceeded, MEDIA_TYPE_BYTES, PART_BYTES, PARTS, PATH_BYTES};
use crate::mount::{FileError, ReadFile};
use crate::partition::{MAPPING_KEY_BYTES, Partitions, is_mapping_key};
use crate::report::StorageFailure;
use crate::text::safe_line;
use crate::value::{Budget, Content, ContentReader, ContentWriter, Input, Part, SpillFile, Value};

/// Files that a value holds open at most; what is loaded beyond that is copied.
pub(crate) const HELD_FILES: usize = 64;

/// Bytes that the host keeps of a part beside its content, its key and its media type, about.
const PART_OVERHEAD: usize = 512;

/// What the sinks of a call may still take: what is written to them waits in the host's memory and on its disk.
#[derive(Clone)]
pub(crate) struct SinkQuota {
    taken: Arc<AtomicU64>,
    allowed: u64,
    /// Bytes of the keys and media types.
    names: Arc<AtomicU64>,
}

impl SinkQuota {
    pub(crate) fn new(allowed: u64) -> Self {
        Self { taken: Arc::default(), allowed, names: Arc::default() }
    }

    /// Counts what the host keeps of a part beside its content, also of one that is refused or begun in vain.
    fn charge_part(&self, key: Option<&str>, media_type: &str) -> wasmtime::Result<()> {
        let key = key.map_or(0, str::len);
        let bytes = (2 * key + media_type.len() + PART_OVERHEAD) as u64;
        let taken = self.names.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if taken > PART_BYTES { limit(LimitExceeded::new(Limit::PartNames, PART_BYTES)) } else { Ok(()) }
    }

    pub(crate) fn charge(&self, bytes: u64) -> wasmtime::Result<()> {
        let taken = self.taken.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if taken > self.allowed { limit(LimitExceeded::new(Limit::Disk, self.allowed)) } else { Ok(()) }
    }
}

/// A value that a guest reads, and how far it is.
pub struct SourceHandle {
    input: Input,
    /// Of the next part.
    place: usize,
}

impl SourceHandle {
    pub(crate) fn new(input: Input) -> Self {
        Self { input, place: 0 }
    }
}

/// A part that a guest reads.
pub struct ReaderHandle {
    key: Option<String>,
    media_type: String,
    content: Content,
    reader: ContentReader,
    spent: bool,
}

/// A value that a guest writes; its state is the call's, by index, so that it outlives the handle.
pub struct SinkHandle;

/// A value that is being written.
pub(crate) struct SinkState {
    budget: Budget,
    keys: SinkKeys,
    begun: HashSet<Option<String>>,
    finished: Vec<Part>,
    current: Option<CurrentPart>,
    /// Loaded files that the value holds open instead of copies.
    held_files: usize,
    /// Of all its parts: a guest may begin many more than files can be open.
    spill: SpillFile,
}

/// The keys that the parts of a sink may have.
pub(crate) enum SinkKeys {
    /// Those of the partitions of the call.
    Partitions(Partitions),
    /// Mapping keys, which the guest makes up.
    Mapping,
}

impl SinkKeys {
    fn check(&self, key: Option<&str>) -> Result<(), wit_types::Error> {
        match (self, key) {
            // The only partition needs no name.
            (Self::Partitions(partitions), None) if partitions.len() <= 1 => Ok(()),
            (Self::Partitions(partitions), key) => Ok(partitions.check(key)?),
            (Self::Mapping, Some(key)) if is_mapping_key(key) => Ok(()),
            (Self::Mapping, Some(key)) => {
                let shown = safe_line(key, 200);
                let message =
                    format!("{shown:?} is no mapping key: it has 1 to {MAPPING_KEY_BYTES} of A-Z, a-z, 0-9 and _");
                Err(host_error("bad-mapping-key", message))
            }
            (Self::Mapping, None) => {
                Err(host_error("bad-mapping-key", "a part of a dynamic output has a mapping key".to_owned()))
            }
        }
    }
}

struct CurrentPart {
    key: Option<String>,
    media_type: String,
    content: ContentWriter,
    /// Whether nothing was written or loaded yet, not even something empty.
    untouched: bool,
}

impl SinkState {
    pub(crate) fn new(budget: Budget, keys: SinkKeys) -> Self {
        Self {
            budget,
            keys,
            begun: HashSet::new(),
            finished: Vec::new(),
            current: None,
            held_files: 0,
            spill: SpillFile::default(),
        }
    }

    /// That a part may have `key`.
    pub(crate) fn check_key(&self, key: &str) -> Result<(), wit_types::Error> {
        self.keys.check(Some(key))
    }

    /// The parts that were begun.
    pub(crate) fn finish(mut self) -> Value {
        self.close_part();
        Value { parts: self.finished }
    }

    /// Begins a part, which counts towards `quota`.
    pub(crate) fn begin(&mut self, quota: &SinkQuota, key: Option<String>, media_type: String) -> Answer<()> {
        quota.charge_part(key.as_deref(), &media_type)?;
        if self.begun.len() >= PARTS {
            return limit(LimitExceeded::new(Limit::Parts, PARTS as u64));
        }
        Ok(self.try_begin(key, media_type))
    }

    /// Where the part that was begun is written to.
    pub(crate) fn content(&mut self) -> Option<&mut ContentWriter> {
        let part = self.current.as_mut()?;
        part.untouched = false;
        Some(&mut part.content)
    }

    /// Whether the value may hold one more file open, which it then does.
    pub(crate) fn hold_file(&mut self) -> bool {
        let may = self.held_files < HELD_FILES;
        self.held_files += usize::from(may);
        may
    }

    fn try_begin(&mut self, key: Option<String>, media_type: String) -> Result<(), wit_types::Error> {
        self.keys.check(key.as_deref())?;
        if media_type.len() > MEDIA_TYPE_BYTES || !is_media_type(&media_type) {
            let shown = safe_line(&media_type, 100);
            return Err(host_error("bad-media-type", format!("{shown:?} is no media type, such as text/csv")));
        }
        if self.begun.contains(&key) {
            let message = match &key {
                None => "a value without keys has one part, which was begun before".to_owned(),
                Some(key) => format!("the part {:?} was begun before", safe_line(key, 200)),
            };
            return Err(host_error("begun-before", message));
        }
        if !self.begun.is_empty() && (key.is_none() || self.begun.contains(&None)) {
            return Err(host_error("mixed-keys", "parts with and without keys do not mix"));
        }
        // Not before: after an error the part that was begun goes on.
        self.close_part();
        self.begun.insert(key.clone());
        let content = ContentWriter::spilling_to(self.budget.clone(), self.spill.clone());
        self.current = Some(CurrentPart { key, media_type, content, untouched: true });
        Ok(())
    }

    /// Takes back that the current part was begun, where nothing was appended to it.
    fn forget_untouched(&mut self) {
        if let Some(part) = self.current.take_if(|part| part.untouched) {
            self.begun.remove(&part.key);
        }
    }

    fn close_part(&mut self) {
        if let Some(part) = self.current.take() {
            let content = part.content.finish();
            self.finished.push(Part { key: part.key, media_type: part.media_type, content });
        }
    }
}

/// Whether `text` has the form `type/subtype`, perhaps with parameters, in plain ASCII.
fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+*".contains(&byte))
    };
    let essence = text.split(';').next().unwrap_or_default().trim_end();
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

impl wit_value::Host for State {}

impl wit_value::HostSource for State {
    fn next(&mut self, source: Resource<SourceHandle>) -> Answer<Option<Resource<ReaderHandle>>> {
        let handle = self.table.get(&source)?;
        let (input, place) = (handle.input.clone(), handle.place);
        let deadline = &self.deadline;
        let part = match input.part(place, &|| deadline.check().is_ok()) {
            Ok(Some(part)) => part,
            Ok(None) => return Ok(Ok(None)),
            Err(not_loaded) => {
                // Where time is up that is what ends the call.
                self.deadline.check()?;
                return Ok(Err(host_error("not-loaded", not_loaded.to_string())));
            }
        };
        self.table.get_mut(&source)?.place += 1;
        let reader = part.content.reader();
        let handle =
            ReaderHandle { key: part.key, media_type: part.media_type, content: part.content, reader, spent: false };
        Ok(Ok(Some(self.table.push(handle)?)))
    }

    fn drop(&mut self, source: Resource<SourceHandle>) -> wasmtime::Result<()> {
        self.table.delete(source)?;
        Ok(())
    }
}

impl wit_value::HostReader for State {
    fn key(&mut self, reader: Resource<ReaderHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.table.get(&reader)?.key.clone())
    }

    fn media_type(&mut self, reader: Resource<ReaderHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&reader)?.media_type.clone())
    }

    fn size(&mut self, reader: Resource<ReaderHandle>) -> wasmtime::Result<u64> {
        Ok(self.table.get(&reader)?.content.size())
    }

    fn digest(&mut self, reader: Resource<ReaderHandle>) -> Answer<String> {
        let content = self.table.get(&reader)?.content.clone();
        let deadline = self.deadline.clone();
        match content.digest(|| deadline.check().map_err(Stop::Trap)) {
            Ok(digest) => Ok(Ok(digest)),
            Err(stop) => self.stopped("read", "the value", stop),
        }
    }

    fn read(&mut self, reader: Resource<ReaderHandle>, max: u32) -> Answer<Vec<u8>> {
        if max == 0 {
            return Ok(Err(host_error("bad-length", "at least one byte is read")));
        }
        let handle = self.table.get_mut(&reader)?;
        if handle.spent {
            return Ok(Err(spent()));
        }
        match handle.reader.read(usize::try_from(max).unwrap_or(CHUNK)) {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(error) => self.stopped("read", "the value", Stop::Io(error)),
        }
    }

    fn rewind(&mut self, reader: Resource<ReaderHandle>) -> Answer<()> {
        let handle = self.table.get_mut(&reader)?;
        if handle.spent {
            return Ok(Err(spent()));
        }
        handle.reader.rewind();
        Ok(Ok(()))
    }

    fn save(&mut self, reader: Resource<ReaderHandle>, path: String) -> Answer<u64> {
        let handle = self.table.get_mut(&reader)?;
        if handle.spent {
            return Ok(Err(spent()));
        }
        let target = match self.files.create(&path) {
            Ok(target) => target,
            Err(error) => return self.stopped("write", &path, Stop::File(error)),
        };
        handle.content.digest_in_background();
        let deadline = &self.deadline;
        let copied = handle.reader.copy_to(&mut target.file(), |_, bytes| {
            deadline.check().map_err(Stop::Trap)?;
            target.charge(bytes).map_err(Stop::File)
        });
        match copied {
            Ok(bytes) => Ok(Ok(bytes)),
            Err(stop) => {
                handle.spent = true;
                let stop = match stop {
                    Stop::Io(error) => Stop::File(target.fail(&error)),
                    other => other,
                };
                self.stopped("write", &path, stop)
            }
        }
    }

    fn drop(&mut self, reader: Resource<ReaderHandle>) -> wasmtime::Result<()> {
        self.table.delete(reader)?;
        Ok(())
    }
}

fn spent() -> wit_types::Error {
    host_error("spent", "the reader is spent: an earlier save failed")
}

impl wit_value::HostSink for State {
    fn begin(&mut self, sink: Resource<SinkHandle>, key: Option<String>, media_type: String) -> Answer<()> {
        let quota = self.sink_quota.clone();
        self.sink(&sink)?.begin(&quota, key, media_type)
    }

    fn write(&mut self, sink: Resource<SinkHandle>, bytes: Vec<u8>) -> Answer<()> {
        if bytes.len() > CHUNK {
            return Ok(Err(host_error("bad-length", format!("at most {CHUNK} bytes are written at once"))));
        }
        self.sink_quota.charge(bytes.len() as u64)?;
        let Some(content) = self.sink(&sink)?.content() else { return Ok(Err(before_begin())) };
        match content.append(&bytes) {
            Ok(()) => Ok(Ok(())),
            Err(error) => self.stopped("keep", "the value", Stop::Io(error)),
        }
    }

    fn load(&mut self, sink: Resource<SinkHandle>, path: String) -> Answer<u64> {
        if self.sink(&sink)?.current.is_none() {
            return Ok(Err(before_begin()));
        }
        let loaded = match self.files.open_read(&path) {
            Ok(file) => self.append_file(&sink, file),
            Err(error) => Err(Stop::File(error)),
        };
        match loaded {
            Ok(length) => Ok(Ok(length)),
            Err(stop) => {
                let sink = self.sink(&sink)?;
                let absent = matches!(stop, Stop::File(FileError::Code(ErrorCode::NoEntry)));
                if absent {
                    sink.forget_untouched();
                }
                self.stopped("read", &path, stop)
            }
        }
    }

    fn drop(&mut self, _: Resource<SinkHandle>) -> wasmtime::Result<()> {
        Ok(())
    }
}

fn before_begin() -> wit_types::Error {
    host_error("not-begun", "begin a part first")
}

/// Why moving bytes stopped.
pub(crate) enum Stop {
    /// The machine's storage failed.
    Io(io::Error),
    /// The guest's file system answered so.
    File(FileError),
    /// The call ends.
    Trap(wasmtime::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Io(error)
    }
}

impl State {
    fn sink(&mut self, sink: &Resource<SinkHandle>) -> wasmtime::Result<&mut SinkState> {
        let index = usize::try_from(sink.rep())?;
        self.sinks.get_mut(index).ok_or_else(|| wasmtime::format_err!("there is no such sink"))
    }

    /// Appends a file to the part that was begun: the file itself, or a copy where the guest could still change
    /// it, or where the value holds many already.
    fn append_file(&mut self, sink: &Resource<SinkHandle>, read: ReadFile) -> Result<u64, Stop> {
        let ReadFile { file, size: length, stable } = read;
        let deadline = self.deadline.clone();
        let quota = self.sink_quota.clone();
        let sink = self.sink(sink).map_err(Stop::Trap)?;
        let holds = stable && sink.hold_file();
        let Some(content) = sink.content() else { return Ok(0) };
        if holds {
            content.append_file(file, length);
            return Ok(length);
        }
        Content::from_file(file)?.reader().copy_to(content, |_, bytes| {
            deadline.check().map_err(Stop::Trap)?;
            quota.charge(bytes).map_err(Stop::Trap)
        })
    }

    /// What a guest is told when moving bytes stopped; a failure of storage is remembered with its cause.
    fn stopped<T>(&mut self, operation: &str, path: &str, stop: Stop) -> Answer<T> {
        match stop {
            Stop::Trap(error) | Stop::File(FileError::Stopped(error)) => Err(error),
            Stop::File(FileError::Limit(exceeded)) => limit(exceeded),
            Stop::File(FileError::Code(code)) => Ok(Err(file_error(path, code))),
            Stop::Io(error) => {
                let (operation, path) = (operation.to_owned(), safe_line(path, PATH_BYTES));
                let failure = StorageFailure { operation, path, reason: error.to_string() };
                self.files.record().fail(failure);
                // Without more of the reason, which may name a path of the machine.
                Ok(Err(host_error("storage", error.kind().to_string())))
            }
        }
    }
}

fn file_error(path: &str, code: ErrorCode) -> wit_types::Error {
    let path = safe_line(path, 1000);
    match code {
        ErrorCode::NoEntry => wit_types::Error::NotFound(Vec::new()),
        ErrorCode::NotPermitted | ErrorCode::Access | ErrorCode::ReadOnly => wit_types::Error::AccessDenied(path),
        other => host_error("storage", format!("{path}: {}", other.name())),
    }
}
