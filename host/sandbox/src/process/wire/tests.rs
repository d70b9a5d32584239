use std::io::Seek;

use proptest::prelude::*;
use rustix::fs::{CWD, FileType, Mode, OFlags};

use super::*;
use crate::process::message::Reply;

/// The end of the sandbox, and that of a process.
fn ends() -> (Connection, Connection) {
    let (ours, theirs) = Connection::pair().unwrap();
    (ours, Connection::of_process(theirs))
}

fn never(times: usize) -> impl FnMut() -> Result<(), &'static str> {
    let mut left = times;
    move || {
        left = left.checked_sub(1).ok_or("waited enough")?;
        Ok(())
    }
}

/// What the sandbox makes of a message of these bytes.
fn said<M: DeserializeOwned>(body: &[u8]) -> Result<M, String> {
    let (ours, theirs) = ends();
    let body = body.to_vec();
    let process = std::thread::spawn(move || {
        (&theirs.socket).write_all(&(body.len() as u64).to_le_bytes())?;
        (&theirs.socket).write_all(&body)
    });
    let received = ours.receive(FRAME_DESCRIPTORS, &mut || Ok::<_, ()>(()));
    drop(ours);
    let _ = process.join().unwrap();
    match received {
        Ok((message, _)) => Ok(message),
        Err(Broken::Connection(error) | Broken::Unable(error)) => Err(error.to_string()),
        Err(Broken::Stopped(())) => unreachable!(),
    }
}

#[test]
fn a_message_arrives_with_its_descriptors_in_their_order() {
    let (ours, theirs) = ends();
    let files: Vec<File> = (0..=2 * BATCH).map(|n| anonymous(n.to_string().as_bytes()).unwrap()).collect();
    let descriptors: Vec<BorrowedFd<'_>> = files.iter().map(File::as_fd).collect();
    ours.send("hello", &descriptors, &mut never(100)).unwrap();
    let (message, mut received): (String, Descriptors) = theirs.receive(FRAME_DESCRIPTORS, &mut never(100)).unwrap();
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
    let (ours, theirs) = ends();
    let text = "x".repeat(3 << 20);
    let sent = text.clone();
    let echo = std::thread::spawn(move || {
        let (message, _): (String, _) = theirs.receive(FRAME_DESCRIPTORS, &mut never(10_000)).unwrap();
        theirs.send(&message, &[], &mut never(10_000)).unwrap();
    });
    ours.send(&sent, &[], &mut never(10_000)).unwrap();
    let (received, _): (String, _) = ours.receive(FRAME_DESCRIPTORS, &mut never(10_000)).unwrap();
    assert_eq!(received.len(), text.len());
    echo.join().unwrap();
}

#[test]
fn who_waits_for_one_that_says_nothing_or_takes_nothing_can_stop() {
    let (ours, _theirs) = ends();
    let silent = ours.receive::<String, _>(FRAME_DESCRIPTORS, &mut never(2));
    assert!(matches!(silent, Err(Broken::Stopped("waited enough"))));
    let full = ours.send(&"x".repeat(8 << 20), &[], &mut never(2));
    assert!(matches!(full, Err(Broken::Stopped("waited enough"))));
}

#[test]
fn one_that_speaks_unasked_or_is_gone_is_noticed() {
    let (ours, theirs) = ends();
    assert!(!ours.is_heard());
    ours.send("x", &[], &mut never(9)).unwrap();
    assert!(!ours.is_heard(), "it was told something and says nothing");
    (&theirs.socket).write_all(&[0]).unwrap();
    assert!(ours.is_heard() && ours.is_heard(), "what it says is not taken");
    let (ours, theirs) = ends();
    drop(theirs);
    assert!(ours.is_heard());
}

#[test]
fn one_that_says_a_message_bit_by_bit_is_not_listened_to_for_ever() {
    // A message of so many descriptors, each of which comes alone and at once.
    let (ours, theirs) = ends();
    let header = (1u64 | 1000 << u32::BITS).to_le_bytes();
    (&theirs.socket).write_all(&header).unwrap();
    let file = anonymous(&[]).unwrap();
    for _ in 0..20 {
        theirs.send_with(&[0], &[file.as_fd()], &mut never(9)).unwrap();
    }
    assert!(matches!(
        ours.receive::<String, _>(FRAME_DESCRIPTORS, &mut never(5)),
        Err(Broken::Stopped("waited enough"))
    ));
    assert!((&ours.socket).read(&mut [0]).is_ok(), "it was stopped before all was taken");
    // Bytes that come as they are asked for.
    let (ours, theirs) = ends();
    (&theirs.socket).write_all(&1000u64.to_le_bytes()).unwrap();
    let mut left = 10;
    let mut drip = || {
        (&theirs.socket).write_all(&[0]).unwrap();
        left -= 1;
        if left > 0 { Ok(()) } else { Err("waited enough") }
    };
    assert!(matches!(ours.receive::<String, _>(FRAME_DESCRIPTORS, &mut drip), Err(Broken::Stopped("waited enough"))));
}

#[test]
fn one_that_went_away_or_claims_too_much_is_an_error() {
    let (ours, theirs) = ends();
    drop(theirs);
    assert!(matches!(ours.receive::<String, _>(FRAME_DESCRIPTORS, &mut never(9)), Err(Broken::Connection(_))));
    assert!(matches!(ours.send("x", &[], &mut never(9)), Err(Broken::Connection(_))));
    let claims = |bytes: usize, descriptors: usize| {
        let (ours, theirs) = ends();
        let header = (bytes as u64 | (descriptors as u64) << u32::BITS).to_le_bytes();
        (&theirs.socket).write_all(&header).unwrap();
        drop(theirs);
        format!("{:?}", ours.receive::<String, _>(FRAME_DESCRIPTORS, &mut never(9)).unwrap_err()).contains("more than")
    };
    assert!(claims(REPLY_BYTES + 1, 0) && !claims(REPLY_BYTES, 0));
    assert!(claims(0, FRAME_DESCRIPTORS + 1) && !claims(0, FRAME_DESCRIPTORS));
}

#[test]
fn a_message_to_a_process_may_be_larger_than_one_from_it() {
    let (ours, theirs) = ends();
    let sender = std::thread::spawn(move || {
        let text = serde_bytes::ByteBuf::from(vec![0; FRAME_BYTES + 1]);
        assert!(ours.send(&text, &[], &mut never(9)).is_err());
        ours.send(&serde_bytes::Bytes::new(&vec![0; REPLY_BYTES + 1]), &[], &mut || Ok::<_, ()>(())).unwrap();
    });
    let (bytes, _): (serde_bytes::ByteBuf, _) = theirs.receive(FRAME_DESCRIPTORS, &mut || Ok::<_, ()>(())).unwrap();
    assert_eq!(bytes.len(), REPLY_BYTES + 1);
    sender.join().unwrap();
}

#[test]
fn a_message_of_too_many_values_is_refused_before_it_takes_memory() {
    let list = |values: usize| {
        let mut message = vec![0xdd];
        message.extend(u32::try_from(values).unwrap().to_be_bytes());
        message.resize(message.len() + values, 0xc0);
        message
    };
    assert_eq!(said::<Vec<()>>(&list(REPLY_VALUES - 1)).unwrap().len(), REPLY_VALUES - 1);
    assert!(said::<Vec<()>>(&list(REPLY_VALUES)).unwrap_err().contains("too many values"));
}

#[test]
fn a_message_nests_only_so_deep() {
    // The failure of a call, within a denial, within a denial…
    let nested = |depth: usize| {
        let open = b"\x81\xa5Ended\x92\x93\x81\xa3Err";
        [open.as_slice(), &b"\x82\xa5class\xa6denied\xa5error".repeat(depth)].concat()
    };
    let lists = |depth: usize| [&b"\x91".repeat(depth), b"\xc0".as_slice()].concat();
    for depth in [DEPTH, 100_000] {
        assert!(said::<serde_json::Value>(&lists(depth)).is_err(), "{depth}");
        assert!(said::<Reply>(&nested(depth)).is_err(), "{depth}");
    }
    assert!(said::<serde_json::Value>(&lists(150)).is_ok(), "what JSON may have");
}

#[test]
fn an_error_quotes_a_message_so_that_it_can_be_shown() {
    let message = rmp_serde::to_vec(&format!("\u{1b}[2J{}", "x".repeat(100_000))).unwrap();
    let error = said::<Reply>(&message).err().unwrap();
    assert!(!error.contains('\u{1b}') && error.len() < 1000, "{error:?}");
}

#[test]
fn descriptors_that_were_not_announced_are_refused() {
    let file = anonymous(&[]).unwrap();
    for announced in [0, 1] {
        let (ours, theirs) = ends();
        let header = (1u64 | announced << u32::BITS).to_le_bytes();
        theirs.send_with(&header, &[file.as_fd(), file.as_fd()], &mut never(9)).unwrap();
        (&theirs.socket).write_all(&[0xc0]).unwrap();
        assert!(ours.receive::<(), _>(1, &mut never(9)).is_err(), "{announced}");
    }
}

#[test]
fn more_descriptors_than_a_message_may_have_are_refused_however_they_come() {
    let file = anonymous(&[]).unwrap();
    let header = (1u64 | 2 << u32::BITS).to_le_bytes();
    let refused = |most: usize, pieces: &[(&[u8], usize)]| {
        let (ours, theirs) = ends();
        for (bytes, descriptors) in pieces {
            theirs.send_with(bytes, &vec![file.as_fd(); *descriptors], &mut never(9)).unwrap();
        }
        drop(theirs);
        format!("{:?}", ours.receive::<(), _>(most, &mut never(9)).unwrap_err()).contains("that it may have")
    };
    assert!(refused(1, &[(&header, 0)]), "as it announces them");
    // Each with a byte of what announces them, which is not there yet.
    assert!(refused(1, &[(&header[..1], 1), (&header[1..2], 1)]));
    assert!(!refused(2, &[(&header[..1], 1), (&header[1..2], 1)]));
}

#[test]
fn only_regular_files_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::RWXU, 0).unwrap();
    let (stream, _other) = UnixStream::pair().unwrap();
    let odd: [OwnedFd; 4] = [
        File::open("/").unwrap().into(),
        File::open("/dev/zero").unwrap().into(),
        rustix::fs::open(&fifo, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap(),
        stream.into(),
    ];
    for descriptor in odd {
        let (ours, theirs) = ends();
        theirs.send("x", &[descriptor.as_fd()], &mut never(9)).unwrap();
        let (_, mut received): (String, _) = ours.receive(FRAME_DESCRIPTORS, &mut never(9)).unwrap();
        assert!(received.take(0).is_err(), "{descriptor:?}");
    }
}

#[test]
fn a_file_that_stays_open_to_be_changed_is_not_taken_as_sealed() {
    use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, memfd_create};
    let take = |file: &File| Descriptors::copied(&[file.as_fd()]).take_sealed(0);
    let sound = anonymous(b"abc").unwrap();
    assert!(take(&sound).is_ok() && (&sound).write_all(b"x").is_err(), "nobody changes it any more");
    // The last of the seals alone, which keeps others from being added.
    let closed = anonymous(b"abc").unwrap();
    fcntl_add_seals(&closed, SealFlags::SEAL).unwrap();
    // One that was never to be sealed has that seal from the start.
    let unsealable = File::from(memfd_create("x", MemfdFlags::CLOEXEC).unwrap());
    // It takes much more memory than it has bytes.
    let hollow = anonymous(b"abc").unwrap();
    fallocate(&hollow, FallocateFlags::KEEP_SIZE, 0, 64 << 20).unwrap();
    for file in [closed, unsealable, hollow, tempfile::tempfile().unwrap()] {
        assert!(take(&file).is_err(), "{file:?}");
    }
}

proptest! {
    #[test]
    fn whatever_bytes_come_the_sandbox_goes_on(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (ours, theirs) = ends();
        (&theirs.socket).write_all(&bytes).unwrap();
        drop(theirs);
        prop_assert!(ours.receive::<Reply, _>(FRAME_DESCRIPTORS, &mut || Ok::<_, ()>(())).is_err());
    }

    #[test]
    fn whatever_a_message_consists_of_the_sandbox_goes_on(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = said::<Reply>(&body);
    }
}
