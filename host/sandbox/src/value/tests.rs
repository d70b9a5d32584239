use std::io::{self, Write};

use super::digest::DigestState;
use super::*;
use crate::limits::CHUNK;

fn budget(bytes: u64) -> Budget {
    Budget::new(bytes, std::env::temp_dir())
}

#[test]
fn bytes_come_back_whether_they_fit_into_the_budget_or_not() {
    let bytes: Vec<u8> = (0..=250).cycle().take(3 * CHUNK + 17).collect();
    for memory in [0, 1000, CHUNK as u64 + 1, u64::MAX] {
        let content = Content::from_bytes(&bytes, &budget(memory)).unwrap();
        assert_eq!(content.size(), bytes.len() as u64);
        assert!(content.to_vec().unwrap() == bytes, "with {memory} bytes of memory");
    }
}

#[test]
fn the_digest_is_that_of_all_bytes() {
    let content = Content::from_bytes(b"abc", &budget(2)).unwrap();
    let digest = content.digest(|| Ok::<(), io::Error>(())).unwrap();
    assert_eq!(digest, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

#[test]
fn who_asks_for_a_digest_that_is_underway_waits_for_it_or_gives_up() {
    let content = Content::from_bytes(&vec![7; 3 * CHUNK], &budget(u64::MAX)).unwrap();
    assert!(content.digest.begin());
    let given_up = content.digest(|| Err(io::Error::other("no time left"))).unwrap_err();
    assert_eq!(given_up.to_string(), "no time left");
    content.digest.end(DigestState::Unknown);
    content.digest_in_background();
    let waited = content.digest(|| Ok::<(), io::Error>(())).unwrap();
    assert_eq!(waited, content.compute_digest(|| Ok::<(), io::Error>(())).unwrap());
}

#[test]
fn memory_goes_back_to_the_budget_when_the_last_clone_goes() {
    let budget = budget(100);
    let content = Content::from_bytes(&[1; 60], &budget).unwrap();
    let clone = content.clone();
    assert_eq!(budget.available(), 40);
    drop(content);
    assert_eq!(budget.available(), 40);
    drop(clone);
    assert_eq!(budget.available(), 100);
}

#[test]
fn an_abandoned_writer_gives_its_memory_back() {
    let budget = budget(100);
    let mut writer = ContentWriter::new(budget.clone());
    writer.append(&[1; 60]).unwrap();
    drop(writer);
    assert_eq!(budget.available(), 100);
}

#[test]
fn a_reader_gives_at_most_what_was_asked_for_and_starts_again_after_a_rewind() {
    let content = Content::from_bytes(b"abcdef", &budget(4)).unwrap();
    let mut reader = content.reader();
    assert_eq!(reader.read(4).unwrap(), b"abcd");
    assert_eq!(reader.left(), 2);
    assert_eq!(reader.read(4).unwrap(), b"ef");
    assert_eq!(reader.read(4).unwrap(), b"");
    reader.rewind();
    assert_eq!(reader.read(100).unwrap(), b"abcdef");
}

#[test]
fn a_file_that_becomes_shorter_is_an_error() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"abcdef").unwrap();
    let content = Content::from_file(file.try_clone().unwrap()).unwrap();
    file.set_len(0).unwrap();
    assert_eq!(content.to_vec().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}
