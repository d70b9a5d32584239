//! Looking at what a component gave, however much that is.

use airlock_sandbox::value::{Part, Value};

use crate::check::{Checked, found};

/// Bytes of a part that are looked at: twice those of the largest value that the kit stores.
const LOOKED_AT: u64 = 128 << 20;
/// Parts that are told of.
const TOLD: usize = 16;

/// The part of a value that has to have one. `done` says what was done until then.
pub(crate) fn only_part<'a>(value: &'a Value, done: &str) -> Checked<&'a Part> {
    match value.parts.as_slice() {
        [part] => Ok(part),
        parts => found(done, "a value of one part", format!("{} parts {}", parts.len(), media_types(value))),
    }
}

/// The media types of the parts of a value.
fn media_types(value: &Value) -> String {
    listed(value.parts.iter().map(|part| part.media_type.clone()))
}

/// What some of `names` are, and how many there are besides.
pub(crate) fn listed(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(TOLD);
    let names = names.take(TOLD).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{names} and {more} more") } else { names }
}

/// The bytes of a part; a component can give more than this machine has memory for.
pub(crate) fn bytes_of(part: &Part, done: &str) -> Checked<Vec<u8>> {
    let size = part.content.size();
    if size > LOOKED_AT {
        return found(
            done,
            format!("no more than {LOOKED_AT} bytes, which is more than was stored"),
            format!("{size} bytes"),
        );
    }
    Ok(part.content.to_vec()?)
}

#[cfg(test)]
mod tests {
    use airlock_sandbox::value::Content;

    use super::*;
    use crate::check::Stop;

    #[test]
    fn no_more_is_read_than_there_is_room_for() {
        let file = tempfile::tempfile().unwrap();
        let part = |size: u64| {
            file.set_len(size).unwrap();
            let content = Content::from_file(file.try_clone().unwrap()).unwrap();
            Part { key: None, media_type: "text/plain".to_owned(), content }
        };
        assert_eq!(bytes_of(&part(3), "loaded").unwrap(), [0; 3]);
        let Err(Stop::Found(findings)) = bytes_of(&part(1 << 40), "loaded") else { panic!("it was read") };
        assert_eq!(findings[0].found, "1099511627776 bytes");
    }

    #[test]
    fn of_many_names_the_first_are_told() {
        assert_eq!(listed(["a", "b"].map(str::to_owned).into_iter()), "a, b");
        let many = listed((0..100).map(|number: u8| number.to_string()));
        assert!(many.ends_with("15 and 84 more"), "{many}");
    }
}
