//! How many values a MessagePack message consists of.
//!
//! A value of one byte can become a hundred in memory, so a bound of the bytes of a message bounds too little.

use std::io;

use super::wire::invalid;

/// Fails where `message` consists of more values than `most`, those within others too, or ends within one.
pub(super) fn check(message: &[u8], most: usize) -> io::Result<()> {
    let mut rest = message;
    let mut values = 0;
    while let Some((&marker, after)) = rest.split_first() {
        values += 1;
        if values > most {
            return Err(invalid("a message consists of too many values"));
        }
        // The values of a list or a map follow it and are counted as they come.
        rest = match marker {
            0xa0..=0xbf => skip(after, u64::from(marker & 0x1f)),
            0xc4 | 0xd9 => skip_counted(after, 1, 0),
            0xc5 | 0xda => skip_counted(after, 2, 0),
            0xc6 | 0xdb => skip_counted(after, 4, 0),
            0xc7 => skip_counted(after, 1, 1),
            0xc8 => skip_counted(after, 2, 1),
            0xc9 => skip_counted(after, 4, 1),
            0xcc | 0xd0 => skip(after, 1),
            0xcd | 0xd1 | 0xd4 | 0xdc | 0xde => skip(after, 2),
            0xd5 => skip(after, 3),
            0xca | 0xce | 0xd2 | 0xdd | 0xdf => skip(after, 4),
            0xd6 => skip(after, 5),
            0xcb | 0xcf | 0xd3 => skip(after, 8),
            0xd7 => skip(after, 9),
            0xd8 => skip(after, 17),
            _ => Some(after),
        }
        .ok_or_else(|| invalid("a message ends within a value"))?;
    }
    Ok(())
}

fn skip(bytes: &[u8], count: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(count).ok()?..)
}

/// Skips a length of `width` bytes, as many bytes as it says, and so many more.
fn skip_counted(bytes: &[u8], width: usize, more: u64) -> Option<&[u8]> {
    let (length, rest) = bytes.split_at_checked(width)?;
    let length = length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
    skip(rest, length + more)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn count(value: &Value) -> usize {
        match value {
            Value::Array(values) => 1 + values.iter().map(count).sum::<usize>(),
            Value::Object(entries) => 1 + entries.values().map(|value| 1 + count(value)).sum::<usize>(),
            _ => 1,
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u8>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            proptest::collection::vec(any::<char>(), 0..300).prop_map(|text| Value::from(String::from_iter(text))),
        ];
        leaf.prop_recursive(4, 64, 20, |value| {
            prop_oneof![
                proptest::collection::vec(value.clone(), 0..20).prop_map(Value::from),
                proptest::collection::btree_map("[a-z]{0,40}", value, 0..20)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_message_has_the_values_that_it_was_made_of(value in json()) {
            let message = rmp_serde::to_vec_named(&value).unwrap();
            let values = count(&value);
            prop_assert!(check(&message, values).is_ok());
            prop_assert!(check(&message, values - 1).is_err());
        }

        #[test]
        fn whatever_bytes_are_counted_they_end(message in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let _ = check(&message, usize::MAX);
            // What has a place in memory takes a byte at least.
            prop_assert!(check(&message, message.len()).is_ok() == check(&message, usize::MAX).is_ok());
        }
    }

    #[test]
    fn texts_bytes_and_large_lists_are_counted_whatever_their_length() {
        for length in [31, 32, 255, 256, 65_535, 65_536] {
            let text = rmp_serde::to_vec(&"x".repeat(length)).unwrap();
            let bytes = rmp_serde::to_vec(&serde_bytes::Bytes::new(&vec![0; length])).unwrap();
            for message in [text, bytes] {
                assert!(check(&message, 1).is_ok(), "{length}");
                assert!(check(&message[..message.len() - 1], 1).is_err(), "{length}");
            }
            let list = rmp_serde::to_vec(&vec![(); length]).unwrap();
            assert!(check(&list, length + 1).is_ok() && check(&list, length).is_err(), "{length}");
            let map: std::collections::BTreeMap<usize, u8> = (0..length).map(|key| (key, 0)).collect();
            let map = rmp_serde::to_vec(&map).unwrap();
            assert!(check(&map, 2 * length + 1).is_ok() && check(&map, 2 * length).is_err(), "{length}");
        }
        let none = json!([]);
        assert_eq!(count(&none), 1);
    }
}
