//! How much memory a table takes that a component gave. A few compressed bytes can stand for any number, and Arrow makes room for
//! as many as a message says, and for as many as there turn out to be.

use std::io;

use arrow::ipc::{Message, MessageHeader, RecordBatch, root_as_message};
use lz4_flex::frame::FrameDecoder;

/// Bytes that the compressed buffers of a table may take, all together.
const EXPANDED: u64 = 512 << 20;
/// Messages that a stream may have: for a few bytes of each, Arrow keeps all that belongs to a batch.
const MESSAGES: usize = 10_000;
/// What a message of a stream begins with.
const CONTINUES: u32 = u32::MAX;

/// Refuses a stream that takes more than there is room for. Where it is none, the reader says so.
pub(super) fn check(stream: &[u8]) -> Result<(), String> {
    let (mut rest, mut expanded, mut messages) = (stream, 0_u64, 0);
    while let Some((message, body, after)) = message(rest)? {
        messages += 1;
        if messages > MESSAGES {
            return Err(format!("a table of more than the {MESSAGES} batches that are looked at"));
        }
        if let Some(batch) = batch(&message) {
            expand(&batch, body, &mut expanded)?;
        }
        rest = after;
    }
    Ok(())
}

/// A message, its body, and what comes after it.
type Found<'a> = (Message<'a>, &'a [u8], &'a [u8]);

/// The first message of `stream`; none at its end, or where the reader says what is wrong. Arrow makes room for a message
/// before it looks whether it is there.
fn message(stream: &[u8]) -> Result<Option<Found<'_>>, String> {
    let cut = || "no Arrow IPC stream: it ends before the end of a message".to_owned();
    let Some((mut length, mut rest)) = number(stream) else { return Ok(None) };
    if length == CONTINUES {
        let Some(next) = number(rest) else { return Ok(None) };
        (length, rest) = next;
    }
    if length == 0 {
        return Ok(None);
    }
    let (head, rest) = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)).ok_or_else(cut)?;
    let Ok(message) = root_as_message(head) else { return Ok(None) };
    let length = usize::try_from(message.bodyLength()).ok();
    let (body, after) = length.and_then(|length| rest.split_at_checked(length)).ok_or_else(cut)?;
    Ok(Some((message, body, after)))
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

fn batch<'a>(message: &Message<'a>) -> Option<RecordBatch<'a>> {
    match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => message.header_as_dictionary_batch()?.data(),
        _ => None,
    }
}

/// Adds to `expanded` the bytes that the buffers of a batch take beyond those in its body.
fn expand(batch: &RecordBatch<'_>, body: &[u8], expanded: &mut u64) -> Result<(), String> {
    if batch.compression().is_none() {
        return Ok(());
    }
    let mut compressed = 0;
    for buffer in batch.buffers().into_iter().flatten() {
        let (Ok(start), Ok(length)) = (usize::try_from(buffer.offset()), usize::try_from(buffer.length())) else {
            continue;
        };
        let buffer = body.get(start..).and_then(|rest| rest.get(..length));
        let Some((said, frame)) = buffer.and_then(<[u8]>::split_first_chunk) else { continue };
        // Each is read once, so that reading all of them takes as long as the stream is.
        compressed += length;
        if compressed > body.len() {
            return Err("a table with compressed buffers that lie in one another".to_owned());
        }
        // One that is left as it is says -1.
        let Ok(said) = u64::try_from(i64::from_le_bytes(*said)) else { continue };
        *expanded = expanded.saturating_add(said);
        if *expanded > EXPANDED {
            return Err(format!(
                "a table that says it takes {expanded} bytes, more than the {EXPANDED} that are looked at"
            ));
        }
        if said > 0 && is_longer(frame, said) {
            return Err(format!("a table with a compressed buffer that says it takes {said} bytes and takes more"));
        }
    }
    Ok(())
}

/// Whether a compressed buffer holds more bytes than `said`. One that cannot be read has none too many until then, and the
/// reader says why.
fn is_longer(frame: &[u8], said: u64) -> bool {
    let mut some = io::Read::take(FrameDecoder::new(frame), said.saturating_add(1));
    io::copy(&mut some, &mut io::sink()).is_ok_and(|bytes| bytes > said)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};

    use super::*;
    use crate::tables::{difference, of_columns};

    fn compressed(batches: usize) -> Vec<u8> {
        of_rows(10_000, batches)
    }

    fn of_rows(rows: usize, batches: usize) -> Vec<u8> {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7; rows]));
        let batch = of_columns(vec![("number".to_owned(), numbers)]).unwrap();
        let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).unwrap();
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
        for _ in 0..batches {
            writer.write(&batch).unwrap();
        }
        writer.into_inner().unwrap()
    }

    #[test]
    fn a_table_that_is_compressed_is_looked_at() {
        let stream = compressed(3);
        assert_eq!(check(&stream), Ok(()));
        assert_eq!(difference(&stream, &stream, crate::tables::Metadata::Must), None);
    }

    #[test]
    fn a_table_that_says_it_takes_more_than_there_is_room_for_is_not() {
        let mut stream = compressed(1);
        let said = 80_000_i64.to_le_bytes();
        let place = stream.windows(8).position(|bytes| bytes == said).unwrap();
        stream[place..place + 8].copy_from_slice(&i64::MAX.to_le_bytes());
        let told = difference(&compressed(1), &stream, crate::tables::Metadata::May).unwrap();
        assert!(told.contains("a table that says it takes 9223372036854775807 bytes"), "{told}");
    }

    #[test]
    fn a_buffer_that_takes_more_than_it_says_is_not_expanded() {
        let mut stream = compressed(1);
        let place = stream.windows(8).position(|bytes| bytes == 80_000_i64.to_le_bytes()).unwrap();
        stream[place..place + 8].copy_from_slice(&79_999_i64.to_le_bytes());
        let told = difference(&compressed(1), &stream, crate::tables::Metadata::May).unwrap();
        assert!(told.ends_with("a compressed buffer that says it takes 79999 bytes and takes more"), "{told}");
    }

    #[test]
    fn a_table_of_too_many_batches_is_not_looked_at() {
        // The schema is a message as well.
        assert_eq!(check(&of_rows(1, MESSAGES - 1)), Ok(()));
        assert_eq!(
            check(&of_rows(1, MESSAGES)).unwrap_err(),
            "a table of more than the 10000 batches that are looked at"
        );
    }

    #[test]
    fn no_room_is_made_for_a_message_that_is_not_there() {
        let stream = compressed(1);
        let told = check(&stream[..stream.len() - 100]).unwrap_err();
        assert_eq!(told, "no Arrow IPC stream: it ends before the end of a message");
        assert_eq!(check(b"not a stream at all").unwrap_err(), told);
    }

    #[test]
    fn what_is_no_stream_is_left_to_the_reader() {
        for bytes in [&b""[..], b"x", &[255; 7], &[0; 64], b"\x04\0\0\0none"] {
            assert_eq!(check(bytes), Ok(()));
        }
    }
}
