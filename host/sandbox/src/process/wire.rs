//! Messages between the sandbox and its processes: MessagePack frames over a socket, with descriptors beside them.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::{Bytes, FRAME_BYTES, FRAME_DESCRIPTORS};

/// Descriptors that go with one message; the kernel takes at most 253.
const BATCH: usize = 250;
/// How often one who waits for the other side looks whether to go on.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// The lengths of the message and of its list of descriptors.
const HEADER: usize = 8;

/// One end of the socket.
pub(super) struct Connection(UnixStream);

/// Why nothing more comes from the other side.
#[derive(Debug)]
pub(super) enum Broken<S> {
    /// It closed its end, or it cannot be understood.
    Connection(io::Error),
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
        Ok((Self(ours), theirs.into()))
    }

    /// The end that a process was started with as its standard input. It waits as long as it takes.
    pub fn inherited() -> io::Result<Self> {
        Ok(Self(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?)))
    }

    /// The same end once more.
    pub fn try_clone(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Sends `message` and `descriptors`. `wait` is asked now and then while the other side does not take it.
    pub fn send<S>(
        &mut self,
        message: &(impl Serialize + ?Sized),
        descriptors: &[BorrowedFd<'_>],
        wait: Wait<'_, S>,
    ) -> Result<(), Broken<S>> {
        let body = rmp_serde::to_vec_named(message).map_err(io::Error::other)?;
        if body.len() > FRAME_BYTES || descriptors.len() > FRAME_DESCRIPTORS {
            return Err(too_large().into());
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

    /// The next message and its descriptors. `wait` is asked now and then until it is there.
    pub fn receive<M: DeserializeOwned, S>(&mut self, wait: Wait<'_, S>) -> Result<(M, Descriptors), Broken<S>> {
        let mut descriptors = Vec::new();
        let mut header = [0; HEADER];
        let mut have = 0;
        while let Some(rest) = header.get_mut(have..).filter(|rest| !rest.is_empty()) {
            have += self.receive_with(rest, &mut descriptors, wait)?;
        }
        let number = u64::from_le_bytes(header);
        let lengths = [number & u64::from(u32::MAX), number >> u32::BITS];
        let [length, expected] = lengths.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        if length > FRAME_BYTES || expected > FRAME_DESCRIPTORS {
            return Err(too_large().into());
        }
        while descriptors.len() < expected {
            let before = descriptors.len();
            self.receive_with(&mut [0], &mut descriptors, wait)?;
            if descriptors.len() == before {
                return Err(io::Error::from(io::ErrorKind::InvalidData).into());
            }
        }
        let mut body = vec![0; length];
        self.read_exact(&mut body, wait)?;
        let message = rmp_serde::from_slice(&body).map_err(io::Error::other)?;
        Ok((message, Descriptors(descriptors.into_iter().map(Some).collect())))
    }

    fn send_with<S>(
        &mut self,
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
            match rustix::net::sendmsg(&self.0, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL) {
                Ok(sent) => return Ok(sent),
                Err(error) => go_on(error.into(), wait)?,
            }
        }
    }

    fn receive_with<S>(
        &mut self,
        bytes: &mut [u8],
        descriptors: &mut Vec<OwnedFd>,
        wait: Wait<'_, S>,
    ) -> Result<usize, Broken<S>> {
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut into = [IoSliceMut::new(bytes)];
            match rustix::net::recvmsg(&self.0, &mut into, &mut control, RecvFlags::CMSG_CLOEXEC) {
                Ok(received) => {
                    for message in control.drain() {
                        if let RecvAncillaryMessage::ScmRights(sent) = message {
                            descriptors.extend(sent);
                        }
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

    fn write_all<S>(&mut self, mut bytes: &[u8], wait: Wait<'_, S>) -> Result<(), Broken<S>> {
        while !bytes.is_empty() {
            let sent = self.send_with(bytes, &[], wait)?;
            bytes = bytes.get(sent..).unwrap_or_default();
        }
        Ok(())
    }

    fn read_exact<S>(&mut self, mut bytes: &mut [u8], wait: Wait<'_, S>) -> Result<(), Broken<S>> {
        while !bytes.is_empty() {
            match self.0.read(bytes) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(read) => bytes = bytes.get_mut(read..).unwrap_or_default(),
                Err(error) => go_on(error, wait)?,
            }
        }
        Ok(())
    }
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
    let message = format!(
        "a message to or from a process takes more than {} or {FRAME_DESCRIPTORS} descriptors",
        Bytes(FRAME_BYTES as u64)
    );
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The descriptors that came with a message, by their places.
#[derive(Debug, Default)]
pub(crate) struct Descriptors(Vec<Option<OwnedFd>>);

impl Descriptors {
    /// The regular file at `place`; a descriptor is taken once.
    pub fn take(&mut self, place: usize) -> io::Result<File> {
        let descriptor = self.0.get_mut(place).and_then(Option::take);
        let file = File::from(descriptor.ok_or_else(|| io::Error::other("a descriptor is missing"))?);
        // Reading anything else could block, or have effects.
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("a descriptor is no regular file")) }
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
mod tests {
    use std::io::Seek;

    use super::*;

    fn ends() -> (Connection, Connection) {
        let (ours, theirs) = Connection::pair().unwrap();
        (ours, Connection(UnixStream::from(theirs)))
    }

    fn never(times: usize) -> impl FnMut() -> Result<(), &'static str> {
        let mut left = times;
        move || {
            left = left.checked_sub(1).ok_or("waited enough")?;
            Ok(())
        }
    }

    #[test]
    fn a_message_arrives_with_its_descriptors_in_their_order() {
        let (mut ours, mut theirs) = ends();
        let files: Vec<File> = (0..=2 * BATCH).map(|n| anonymous(n.to_string().as_bytes()).unwrap()).collect();
        let descriptors: Vec<BorrowedFd<'_>> = files.iter().map(File::as_fd).collect();
        ours.send("hello", &descriptors, &mut never(100)).unwrap();
        let (message, mut received): (String, Descriptors) = theirs.receive(&mut never(100)).unwrap();
        assert_eq!(message, "hello");
        for place in [0, BATCH, 2 * BATCH] {
            let mut file = received.take(place).unwrap();
            let mut text = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            assert_eq!(text, place.to_string());
        }
        assert!(received.take(0).is_err(), "it was taken");
        assert!(received.take(9999).is_err());
    }

    #[test]
    fn large_messages_pass_in_both_directions() {
        let (mut ours, mut theirs) = ends();
        let text = "x".repeat(3 << 20);
        let sent = text.clone();
        let echo = std::thread::spawn(move || {
            let (message, _): (String, _) = theirs.receive(&mut never(100)).unwrap();
            theirs.send(&message, &[], &mut never(100)).unwrap();
        });
        ours.send(&sent, &[], &mut never(1000)).unwrap();
        let (received, _): (String, _) = ours.receive(&mut never(1000)).unwrap();
        assert_eq!(received.len(), text.len());
        echo.join().unwrap();
    }

    #[test]
    fn who_waits_for_one_that_says_nothing_or_takes_nothing_can_stop() {
        let (mut ours, _theirs) = ends();
        let silent = ours.receive::<String, _>(&mut never(2));
        assert!(matches!(silent, Err(Broken::Stopped("waited enough"))));
        let full = ours.send(&"x".repeat(8 << 20), &[], &mut never(2));
        assert!(matches!(full, Err(Broken::Stopped("waited enough"))));
    }

    #[test]
    fn one_that_went_away_or_claims_too_much_is_an_error() {
        let (mut ours, theirs) = ends();
        drop(theirs);
        assert!(matches!(ours.receive::<String, _>(&mut never(9)), Err(Broken::Connection(_))));
        assert!(matches!(ours.send("x", &[], &mut never(9)), Err(Broken::Connection(_))));
        let (mut ours, theirs) = ends();
        (&theirs.0).write_all(&[255; HEADER]).unwrap();
        let error = ours.receive::<String, _>(&mut never(9)).unwrap_err();
        assert!(format!("{error:?}").contains("takes more than"), "{error:?}");
    }

    #[test]
    fn only_regular_files_are_taken() {
        let (mut ours, mut theirs) = ends();
        let directory = File::open("/").unwrap();
        ours.send("x", &[directory.as_fd()], &mut never(9)).unwrap();
        let (_, mut received): (String, _) = theirs.receive(&mut never(9)).unwrap();
        assert!(received.take(0).is_err());
    }
}
