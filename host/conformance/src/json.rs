//! JSON, compared by what it means: blanks, escapes and the order of keys may differ, the digits of numbers may not.

use serde_json::Value;

/// Bytes of JSON that is told as it is.
const TOLD: usize = 200;

/// How the JSON in `found` differs from that in `expected`.
pub(crate) fn difference(expected: &[u8], found: &[u8]) -> Option<String> {
    if expected == found {
        return None;
    }
    if let Err(error) = is_json(found) {
        return Some(format!("{} bytes that are no JSON: {error}", found.len()));
    }
    // A value takes many times the memory of its text, and what has more values than were stored is something else.
    let may_be_the_same = marks(found) <= marks(expected);
    if may_be_the_same && meaning(found).is_some_and(|is| meaning(expected) == Some(is)) {
        return None;
    }
    if expected.len().max(found.len()) <= TOLD {
        let (is, was) = (String::from_utf8_lossy(found), String::from_utf8_lossy(expected));
        return Some(format!("`{is}` in the place of `{was}`"));
    }
    crate::check::difference(expected, found)
}

fn is_json(bytes: &[u8]) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|error| error.to_string())?;
    Ok(())
}

/// How many bytes of JSON may begin another value. However it is written, it has no more of them than the kit's own texts,
/// which escape none.
fn marks(json: &[u8]) -> usize {
    json.iter().filter(|byte| b",:[{".contains(byte)).count()
}

/// What JSON says, with each number as the text of its digits, since no double holds all of them.
fn meaning(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (mut marked, mut characters) = (String::with_capacity(2 * text.len()), text.chars().peekable());
    let (mut in_string, mut escaped) = (false, false);
    while let Some(character) = characters.next() {
        let begins_number = !in_string && (character == '-' || character.is_ascii_digit());
        if begins_number {
            marked.push_str("\"#");
        }
        marked.push(character);
        if begins_number {
            while let Some(digit) = characters.next_if(|next| next.is_ascii_alphanumeric() || "+-.".contains(*next)) {
                marked.push(digit);
            }
            marked.push('"');
        } else if character == '"' && !escaped {
            in_string = !in_string;
            if in_string {
                // So that no text is taken for a number.
                marked.push('s');
            }
        }
        escaped = in_string && character == '\\' && !escaped;
    }
    serde_json::from_str(&marked).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_the_same_however_it_is_written() {
        for (one, other) in [
            ("{\"a\": [1, 2.50e3, \"ü\"], \"b\": null}", "{\"b\":null,\"a\":[1,2.50e3,\"\\u00fc\"]}"),
            ("\"\\\"1\\\\\"", " \"\\u00221\\\\\" \n"),
            ("-0", "-0"),
            ("\"# 1\"", "\"# 1\""),
        ] {
            assert_eq!(difference(one.as_bytes(), other.as_bytes()), None, "{one} {other}");
        }
    }

    #[test]
    fn json_that_says_something_else_is_told() {
        for (was, is) in [
            ("9007199254740993", "9007199254740992"),
            ("[0.1000000000000000055511151231257827]", "[0.1]"),
            ("1", "1.0"),
            ("\"#1\"", "1"),
            ("\"a b\"", "\"ab\""),
            ("null", "false"),
            ("[1,2]", "[2,1]"),
            ("{\"a\":null}", "{}"),
            // The values of what has more of them are not even made.
            ("{\"a\":1}", "{\"a\":1,\"a\":1}"),
        ] {
            assert_eq!(difference(was.as_bytes(), is.as_bytes()), Some(format!("`{is}` in the place of `{was}`")));
        }
        let told = difference(b"[]", b"[").unwrap();
        assert!(told.starts_with("1 bytes that are no JSON"), "{told}");
        let long = format!("\"{}\"", "x".repeat(TOLD));
        assert_eq!(
            difference(long.as_bytes(), b"\"x\"").unwrap(),
            "3 bytes, of which those from byte 2 on are others; 202 were stored"
        );
    }
}
