//! Values in and out of a guest, as readers and writers.

use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Error;
#[cfg(target_family = "wasm")]
use crate::bindings::airlock::io::value as host;
#[cfg(not(target_family = "wasm"))]
use crate::built::host;

/// Bytes that cross to or from the host in one call.
const CHUNK: usize = 1 << 20;

/// A handle that the guest owns, or has for the time of the call.
#[derive(Debug)]
enum Handle<'call, T> {
    Borrowed(&'call T),
    Owned(T),
}

impl<T> Deref for Handle<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Handle::Borrowed(handle) => handle,
            Handle::Owned(handle) => handle,
        }
    }
}

/// A value to read: one part without a key, or parts that each have one.
#[derive(Debug)]
pub struct Source<'call> {
    host: Handle<'call, host::Source>,
}

impl<'call> Source<'call> {
    /// The value that `host` lends.
    #[doc(hidden)]
    pub fn borrowed(host: &'call host::Source) -> Self {
        Self { host: Handle::Borrowed(host) }
    }

    pub(crate) fn owned(host: host::Source) -> Self {
        Self { host: Handle::Owned(host) }
    }

    /// The next part; none at the end.
    ///
    /// # Errors
    /// Where the host cannot open it.
    #[expect(clippy::should_implement_trait, reason = "`?` on each step reads better than an iterator of results")]
    pub fn next(&mut self) -> Result<Option<Reader>, Error> {
        Ok(self.host.next()?.map(Reader::new))
    }

    /// The only part of a value that has one part.
    ///
    /// # Errors
    /// [`Error::UnsupportedType`] where there are several; [`Error::NotFound`] where there is none.
    pub fn single(&mut self) -> Result<Reader, Error> {
        let first = self.next()?.ok_or_else(Error::not_found)?;
        match self.next()? {
            None => Ok(first),
            Some(_) => Err(Error::unsupported_type("the value has several parts; one is expected")),
        }
    }
}

/// One part of a value, as a buffered reader.
///
/// ```
/// # use airlock_sdk::{Error, Reader};
/// # use std::io::BufRead;
/// # fn longest_line(part: Reader) -> Result<usize, Error> {
/// let mut longest = 0;
/// for line in part.lines() {
///     longest = longest.max(line?.len());
/// }
/// # Ok(longest)
/// # }
/// ```
pub struct Reader {
    host: host::Reader,
    chunk: Vec<u8>,
    position: usize,
    untouched: bool,
}

impl Reader {
    pub(crate) fn new(host: host::Reader) -> Self {
        Self { host, chunk: Vec::new(), position: 0, untouched: true }
    }

    /// The partition key or mapping key of the part; none where the value has only this part.
    pub fn key(&self) -> Option<String> {
        self.host.key()
    }

    /// An IANA media type: `text/csv`, `application/json`, …
    pub fn media_type(&self) -> String {
        self.host.media_type()
    }

    /// The size of the whole part, in bytes.
    pub fn size(&self) -> u64 {
        self.host.size()
    }

    /// `sha256:` and the hexadecimal digest of the whole part, which the host computes.
    ///
    /// # Errors
    /// Where the host cannot read the part.
    pub fn digest(&self) -> Result<String, Error> {
        self.host.digest()
    }

    /// Goes back to the start.
    ///
    /// # Errors
    /// Where the host cannot.
    pub fn rewind(&mut self) -> Result<(), Error> {
        self.host.rewind()?;
        self.chunk.clear();
        self.position = 0;
        self.untouched = true;
        Ok(())
    }

    /// Writes the whole part to the file at `path` and gives its size. The file is created or replaced and its
    /// directories are made; the bytes never enter the guest.
    ///
    /// # Errors
    /// Where the path is not lent for writing, or a limit is reached.
    pub fn save(&mut self, path: impl AsRef<Path>) -> Result<u64, Error> {
        if !self.untouched {
            self.rewind()?;
        }
        self.untouched = false;
        self.host.save(utf8(path.as_ref())?)
    }

    /// The next bytes as the host gave them; none at the end.
    #[cfg(feature = "arrow")]
    pub(crate) fn next_chunk(&mut self) -> io::Result<Vec<u8>> {
        self.fill_buf()?;
        let mut chunk = std::mem::take(&mut self.chunk);
        chunk.drain(..std::mem::take(&mut self.position));
        Ok(chunk)
    }

    /// Writes what is left to `target`, in chunks, and gives how many bytes that were. [`io::copy`] does the same
    /// in far smaller pieces.
    ///
    /// # Errors
    /// Those of reading and of writing.
    pub fn copy_to(&mut self, target: &mut impl Write) -> Result<u64, Error> {
        let mut copied = 0;
        loop {
            let chunk = self.fill_buf()?;
            if chunk.is_empty() {
                return Ok(copied);
            }
            let length = chunk.len();
            target.write_all(chunk)?;
            self.consume(length);
            copied += length as u64;
        }
    }
}

impl BufRead for Reader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.position >= self.chunk.len() {
            self.untouched = false;
            self.chunk = self.host.read(u32::try_from(CHUNK).unwrap_or(u32::MAX))?;
            self.position = 0;
        }
        Ok(self.chunk.get(self.position..).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.position = self.position.saturating_add(amount).min(self.chunk.len());
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }

    fn read_to_end(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        let size = usize::try_from(self.size()).unwrap_or(usize::MAX);
        buffer.try_reserve(size).map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))?;
        let before = buffer.len();
        self.copy_to(buffer)?;
        Ok(buffer.len() - before)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

/// The first error that a dropped writer met and nobody saw. What is lost that way fails the call.
pub(crate) type UnseenError = Arc<Mutex<Option<Error>>>;

/// A value to write, part by part. A sink in which nothing is begun is an absent value.
#[derive(Debug)]
pub struct Sink<'call> {
    host: Handle<'call, host::Sink>,
    unseen: UnseenError,
}

impl<'call> Sink<'call> {
    pub(crate) fn borrowed(host: &'call host::Sink, unseen: UnseenError) -> Self {
        Self { host: Handle::Borrowed(host), unseen }
    }

    pub(crate) fn owned(host: host::Sink, unseen: UnseenError) -> Self {
        Self { host: Handle::Owned(host), unseen }
    }

    /// Begins a part.
    ///
    /// # Errors
    /// Where the key was begun before or is not one of this call's, or where parts with and without keys would mix.
    pub fn begin(&mut self, key: Option<&str>, media_type: &str) -> Result<PartWriter<'_>, Error> {
        self.host.begin(key, media_type)?;
        Ok(PartWriter { host: &self.host, unseen: &self.unseen, buffer: Vec::new() })
    }
}

/// Writes one part, through a buffer of 1 MiB. It is [`Send`], as the writers of many formats ask for.
///
/// Dropping it writes the rest of the buffer; an error that happens then fails the call all the same.
pub struct PartWriter<'sink> {
    host: &'sink host::Sink,
    unseen: &'sink UnseenError,
    buffer: Vec<u8>,
}

impl PartWriter<'_> {
    /// Appends the whole file at `path` and gives its size. The bytes never enter the guest.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such file; a part to which nothing was appended yet then counts as not
    /// begun.
    pub fn load(&mut self, path: impl AsRef<Path>) -> Result<u64, Error> {
        self.write_buffer()?;
        self.host.load(utf8(path.as_ref())?)
    }

    fn write_buffer(&mut self) -> Result<(), Error> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let written = self.host.write(&self.buffer);
        self.buffer.clear();
        written
    }
}

impl Write for PartWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > CHUNK {
            self.write_buffer()?;
        }
        let length = bytes.len().min(CHUNK);
        let now = bytes.get(..length).unwrap_or(bytes);
        if length == CHUNK {
            self.host.write(now)?;
        } else {
            self.buffer.extend_from_slice(now);
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(self.write_buffer()?)
    }
}

impl Drop for PartWriter<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.write_buffer() {
            self.unseen.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }
}

impl fmt::Debug for PartWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartWriter").finish_non_exhaustive()
    }
}

fn utf8(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::other("path", format!("the path {} is no UTF-8", path.display())))
}
