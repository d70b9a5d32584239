//! Messages between the sandbox and its processes: MessagePack frames over a socket, with descriptors beside them.
//!
//! The sandbox's end bounds what it takes, since the other end may be a guest that escaped: the bytes, the descriptors, and what
//! the message becomes in memory. It looks at the time whenever a piece of a message has come, however small and soon.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::values;
use crate::limits::{Bytes, FRAME_BYTES, FRAME_DESCRIPTORS, REPLY_BYTES, REPLY_VALUES};
use crate::text::safe_line;

/// Descriptors that are sent at once.
const BATCH: usize = 250;
/// Those that the kernel takes at once.
const MOST_AT_ONCE: usize = 253;
/// How often one who waits for the other side looks whether to go on.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// The lengths of the message and of its list of descriptors.
const HEADER: usize = 8;
/// Bytes of a message that memory is taken for at once.
const PIECE: usize = 1 << 20;
/// Lists and their like within one another: what JSON may have, and what is around it.
const DEPTH: usize = 192;

/// Bytes of an error that are told.
const ERROR: usize = 300;

/// One end of the socket.
pub(super) struct Connection {
    socket: UnixStream,
    /// Bytes of the messages that it takes, and values that these may consist of.
    takes: Takes,
}

/// What an end takes.
#[derive(Clone, Copy)]
struct Takes {
    bytes: usize,
    values: usize,
}

/// Of a process.
const REPLIES: Takes = Takes { bytes: REPLY_BYTES, values: REPLY_VALUES };
/// Of the sandbox, which is trusted.
const REQUESTS: Takes = Takes { bytes: FRAME_BYTES, values: usize::MAX };

/// Why nothing more comes from the other side.
#[derive(Debug)]
pub(super) enum Broken<S> {
    /// It closed its end, or it cannot be understood.
    Connection(io::Error),
    /// This side cannot do its part, whatever the other does.
    Unable(io::Error),
    /// Who waited does not want to wait longer.
    Stopped(S),
}

impl<S> From<io::Error> for Broken<S> {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}

/// What to do while the other side is waited for: go on, or stop for a reason.
pub(super) type Wait<'a, S> = &'a mut dyn FnMut() -> Result<(), S>;

impl Connection {
    /// Two ends of one socket.
    pub fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(TICK))?;
        ours.set_write_timeout(Some(TICK))?;
        Ok((Self { socket: ours, takes: REPLIES }, theirs.into()))
    }

    /// The end that a process was started with as its standard input. It waits as long as it takes.
    pub fn inherited() -> io::Result<Self> {
        Ok(Self { socket: UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?), takes: REQUESTS })
    }

    /// The end of a process, which `socket` is.
    #[cfg(test)]
    pub fn of_process(socket: OwnedFd) -> Self {
        Self { socket: UnixStream::from(socket), takes: REQUESTS }
    }

    /// Whether the other side said something that was not received, or is gone.
    pub fn is_heard(&self) -> bool {
        let peeked = rustix::net::recv(&self.socket, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        !matches!(peeked, Err(Errno::AGAIN))
    }

    /// Sends `body` as a message, whatever it is.
    #[cfg(test)]
    pub fn send_raw(&self, body: &[u8], descriptors: &[BorrowedFd<'_>]) {
        let header = (body.len() as u64 | (descriptors.len() as u64) << u32::BITS).to_le_bytes();
        let wait: Wait<'_, ()> = &mut || Ok(());
        let _ = self.send_with(&header, descriptors, wait).and_then(|_| self.write_all(body, wait));
    }

    /// The same end once more.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { socket: self.socket.try_clone()?, takes: self.takes })
    }

    /// Sends `message` and `descriptors`. `wait` is asked while the other side does not take all of it.
    pub fn send<S>(
        &self,
        message: &(impl Serialize + ?Sized),
        descriptors: &[BorrowedFd<'_>],
        wait: Wait<'_, S>,
    ) -> Result<(), Broken<S>> {
        let body = rmp_serde::to_vec_named(message).map_err(|error| Broken::Unable(io::Error::other(error)))?;
        if body.len() > FRAME_BYTES || descriptors.len() > FRAME_DESCRIPTORS {
            return Err(Broken::Unable(too_large()));
        }
        let header = (body.len() as u64 | (descriptors.len() as u64) << u32::BITS).to_le_bytes();
        let (first, rest) = descriptors.split_at(descriptors.len().min(BATCH));
        let sent = self.send_with(&header, first, wait)?;
        self.write_all(header.get(sent..).unwrap_or_default(), wait)?;
        for batch in rest.chunks(BATCH) {
            self.send_with(&[0], batch, wait)?;
        }
        self.write_all(&body, wait)
    }

    /// The next message and its descriptors, of which there are `most` at most: each is one of this process's, also before it
    /// is known what they are for. `wait` is asked until all of it is there.
    pub fn receive<M: DeserializeOwned, S>(
        &self,
        most: usize,
        wait: Wait<'_, S>,
    ) -> Result<(M, Descriptors), Broken<S>> {
        let most = most.min(FRAME_DESCRIPTORS);
        let mut descriptors = Vec::new();
        let mut header = [0; HEADER];
        let mut have = 0;
        while let Some(rest) = header.get_mut(have..).filter(|rest| !rest.is_empty()) {
            if have > 0 {
                wait().map_err(Broken::Stopped)?;
            }
            have += self.receive_with(rest, &mut descriptors, wait)?;
            if descriptors.len() > most {
                return Err(too_many(most).into());
            }
        }
        let number = u64::from_le_bytes(header);
        let lengths = [number & u64::from(u32::MAX), number >> u32::BITS];
        let [length, expected] = lengths.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if length > self.takes.bytes {
            return Err(too_large().into());
        }
        if expected > most {
            return Err(too_many(most).into());
        }
        while descriptors.len() < expected {
            wait().map_err(Broken::Stopped)?;
            let before = descriptors.len();
            self.receive_with(&mut [0], &mut descriptors, wait)?;
            if descriptors.len() == before {
                return Err(invalid("a descriptor is missing").into());
            }
        }
        if descriptors.len() > expected {
            return Err(invalid("more descriptors came than were announced").into());
        }
        let body = self.read_body(length, wait)?;
        let message = decode(&body, self.takes.values)?;
        Ok((message, Descriptors(descriptors.into_iter().map(Some).collect())))
    }

    fn send_with<S>(
        &self,
        bytes: &[u8],
        descriptors: &[BorrowedFd<'_>],
        wait: Wait<'_, S>,
    ) -> Result<usize, Broken<S>> {
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
                return Err(too_large().into());
            }
            // A process that is gone is an error here, not a signal.
            match rustix::net::sendmsg(&self.socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
                Ok(sent) => return Ok(sent),
                Err(Errno::TOOMANYREFS) => return Err(Broken::Unable(out_of_descriptors())),
                Err(error) => go_on(error.into(), wait)?,
            }
        }
    }

    fn receive_with<S>(
        &self,
        bytes: &mut [u8],
        descriptors: &mut Vec<OwnedFd>,
        wait: Wait<'_, S>,
    ) -> Result<usize, Broken<S>> {
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_AT_ONCE))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut into = [IoSliceMut::new(bytes)];
            match rustix::net::recvmsg(&self.socket, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Ok(received) => {
                    for message in control.drain() {
                        if let RecvAncillaryMessage::ScmRights(sent) = message {
                            descriptors.extend(sent);
                        }
                    }
                    // There is room for as many as can come, so those are missing that this process cannot have.
                    if received.flags.contains(ReturnFlags::CTRUNC) {
                        return Err(Broken::Unable(out_of_descriptors()));
                    }
                    if received.bytes == 0 {
                        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                    }
                    return Ok(received.bytes);
                }
                Err(error) => go_on(error.into(), wait)?,
            }
        }
    }

    fn write_all<S>(&self, mut bytes: &[u8], wait: Wait<'_, S>) -> Result<(), Broken<S>> {
        while !bytes.is_empty() {
            let sent = self.send_with(bytes, &[], wait)?;
            bytes = bytes.get(sent..).unwrap_or_default();
            if !bytes.is_empty() {
                wait().map_err(Broken::Stopped)?;
            }
        }
        Ok(())
    }

    /// So many bytes, for which memory is taken as they come.
    fn read_body<S>(&self, length: usize, wait: Wait<'_, S>) -> Result<Vec<u8>, Broken<S>> {
        let mut body = Vec::new();
        while body.len() < length {
            let have = body.len();
            body.resize(length.min(have + PIECE), 0);
            let mut filled = have;
            while let Some(rest) = body.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                match (&self.socket).read(rest) {
                    Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                    Ok(read) => filled += read,
                    Err(error) => go_on(error, wait)?,
                }
                if filled < length {
                    wait().map_err(Broken::Stopped)?;
                }
            }
        }
        Ok(body)
    }
}

/// The message in `body`, which consists of at most so many values.
fn decode<M: DeserializeOwned>(body: &[u8], values: usize) -> io::Result<M> {
    values::check(body, values)?;
    let mut decoder = rmp_serde::Deserializer::from_read_ref(body);
    decoder.set_max_depth(DEPTH);
    // Such an error quotes the message.
    M::deserialize(&mut decoder).map_err(|error| invalid(safe_line(&error.to_string(), ERROR)))
}

/// Whether to try again after `error`.
fn go_on<S>(error: io::Error, wait: Wait<'_, S>) -> Result<(), Broken<S>> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => wait().map_err(Broken::Stopped),
        _ => Err(error.into()),
    }
}

fn too_large() -> io::Error {
    invalid(format!(
        "a message takes more than {} to a process, {} from one, or {FRAME_DESCRIPTORS} descriptors",
        Bytes(FRAME_BYTES as u64),
        Bytes(REPLY_BYTES as u64)
    ))
}

fn out_of_descriptors() -> io::Error {
    io::Error::other("there are as many files open as there may be; allow more (ulimit -n), or do less at once")
}

fn too_many(most: usize) -> io::Error {
    invalid(format!("a message comes with more than the {most} descriptors that it may have"))
}

/// What the other side said cannot be, in these words.
pub(super) fn invalid(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

/// The descriptors that came with a message, by their places.
#[derive(Debug, Default)]
pub(crate) struct Descriptors(Vec<Option<OwnedFd>>);

impl Descriptors {
    /// Whether none came.
    pub fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The regular file at `place`; a descriptor is taken once.
    pub fn take(&mut self, place: usize) -> io::Result<File> {
        let descriptor = self.0.get_mut(place).and_then(Option::take);
        let file = File::from(descriptor.ok_or_else(|| io::Error::other("a descriptor is missing"))?);
        // Reading anything else could block, or have effects.
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("a descriptor is no regular file")) }
    }

    /// The file in memory at `place`, which nobody changes from now on.
    pub fn take_sealed(&mut self, place: usize) -> io::Result<File> {
        let file = self.take(place)?;
        crate::mount::seal(&file)?;
        Ok(file)
    }

    #[cfg(test)]
    pub fn copied(descriptors: &[BorrowedFd<'_>]) -> Self {
        Self(descriptors.iter().map(|descriptor| Some(descriptor.try_clone_to_owned().unwrap())).collect())
    }
}

/// A file without a name that begins with `bytes`.
pub(super) fn anonymous(bytes: &[u8]) -> io::Result<File> {
    let mut file = crate::mount::anonymous_file()?;
    file.write_all(bytes)?;
    Ok(file)
}

#[cfg(test)]
mod tests;
