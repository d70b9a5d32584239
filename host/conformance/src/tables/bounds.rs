//! How much memory a table takes that a component gave. A few compressed bytes can stand for any number, and Arrow makes room for
//! as many as they say.

use arrow::ipc::{Message, MessageHeader, RecordBatch, root_as_message};

/// Bytes that the compressed buffers of a table may take, all together.
const EXPANDED: u64 = 512 << 20;
/// What a message of a stream begins with.
const CONTINUES: u32 = u32::MAX;

/// Refuses a stream that says it takes more than there is room for. Where it is none, the reader says so.
pub(super) fn check(stream: &[u8]) -> Result<(), String> {
    let (mut rest, mut expanded) = (stream, 0_u64);
    while let Some((message, body, after)) = message(rest) {
        expanded = expanded.saturating_add(batch(&message).map_or(0, |batch| expansion(&batch, body)));
        if expanded > EXPANDED {
            return Err(format!(
                "a table that says it takes {expanded} bytes, more than the {EXPANDED} that are looked at"
            ));
        }
        rest = after;
    }
    Ok(())
}

/// The first message of `stream`, its body, and what comes after it.
fn message(stream: &[u8]) -> Option<(Message<'_>, &[u8], &[u8])> {
    let (mut length, mut rest) = number(stream)?;
    if length == CONTINUES {
        (length, rest) = number(rest)?;
    }
    let (head, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    let message = root_as_message(head).ok()?;
    let (body, after) = rest.split_at_checked(usize::try_from(message.bodyLength()).ok()?)?;
    Some((message, body, after))
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

/// Bytes that the buffers of a batch say they take beyond those in its body.
fn expansion(batch: &RecordBatch<'_>, body: &[u8]) -> u64 {
    if batch.compression().is_none() {
        return 0;
    }
    let buffers = batch.buffers().into_iter().flatten().filter(|buffer| buffer.length() > 0);
    let said = buffers.filter_map(|buffer| {
        let start = usize::try_from(buffer.offset()).ok()?;
        let said: &[u8; 8] = body.get(start..)?.first_chunk()?;
        // One that is left as it is says -1.
        u64::try_from(i64::from_le_bytes(*said)).ok()
    });
    said.fold(0, u64::saturating_add)
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
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![7; 10_000]));
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
    fn what_is_no_stream_is_left_to_the_reader() {
        for bytes in [&b""[..], b"x", &[255; 64], b"not a stream at all"] {
            assert_eq!(check(bytes), Ok(()));
        }
    }
}
