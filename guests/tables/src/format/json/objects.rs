//! The objects of a JSON text, one by one.

use std::io::BufRead;

use airlock_sdk::Error;

use super::Layout;
use crate::error::corrupt;
use crate::table::skip_byte_order_mark;

/// Objects and lists within each other, at most; libraries go through them by recursion.
pub const DEPTH: u32 = 64;

/// Finds where objects begin and end; what is in them is for others to judge.
pub struct Objects<R> {
    source: R,
    layout: Layout,
    place: String,
    /// Objects that were found.
    found: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the text.
    Start,
    /// Before the array.
    Outside,
    /// Before an object, or the end where there need not be one.
    Before { needed: bool },
    /// After an object.
    After,
    /// After the array.
    Ended,
}

impl<R: BufRead> Objects<R> {
    pub fn new(source: R, layout: Layout, place: &str) -> Self {
        Self { source, layout, place: place.to_owned(), found: 0, state: State::Start }
    }

    /// How many were found until now.
    pub fn found(&self) -> u64 {
        self.found
    }

    /// Appends the next object and a line end to `text`; false at the end.
    pub fn next(&mut self, text: &mut Vec<u8>) -> Result<bool, Error> {
        if self.state == State::Start {
            skip_byte_order_mark(&mut self.source)?;
            self.state = match self.layout {
                Layout::Array => State::Outside,
                Layout::Lines => State::Before { needed: false },
            };
        }
        while let Some(byte) = self.peek()? {
            if byte.is_ascii_whitespace() {
                self.source.consume(1);
                continue;
            }
            self.state = match (self.state, byte) {
                (State::Outside, b'[') => State::Before { needed: false },
                (State::Before { needed: false } | State::After, b']') if self.layout == Layout::Array => State::Ended,
                (State::After, b',') => State::Before { needed: true },
                (State::Before { .. }, b'{') => {
                    self.found += 1;
                    self.object(text)?;
                    text.push(b'\n');
                    self.state = if self.layout == Layout::Array { State::After } else { self.state };
                    return Ok(true);
                }
                (State::Before { .. }, _) => return Err(self.wrong("is no object")),
                (State::Start | State::Outside, _) => {
                    return Err(corrupt(&self.place, "it is no JSON array of objects"));
                }
                (State::After, _) => return Err(self.wrong("comes without a comma before it")),
                (State::Ended, _) => return Err(corrupt(&self.place, "it goes on after its array")),
            };
            self.source.consume(1);
        }
        match self.state {
            State::Ended => Ok(false),
            State::Before { .. } if self.layout == Layout::Lines => Ok(false),
            _ => Err(corrupt(&self.place, "it ends within its JSON array")),
        }
    }

    fn peek(&mut self) -> Result<Option<u8>, Error> {
        Ok(self.source.fill_buf()?.first().copied())
    }

    fn wrong(&self, reason: &str) -> Error {
        corrupt(&self.place, format!("row {} {reason}", self.found + 1))
    }

    /// Appends from an opening brace to its closing one.
    fn object(&mut self, text: &mut Vec<u8>) -> Result<(), Error> {
        let (mut depth, mut nested, mut quoted, mut escaped) = (0_u32, 0_u32, false, false);
        loop {
            let bytes = self.source.fill_buf()?;
            if bytes.is_empty() {
                return Err(corrupt(&self.place, format!("it ends within row {}", self.found)));
            }
            let mut length = bytes.len();
            for (index, byte) in bytes.iter().enumerate() {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if quoted => escaped = true,
                    b'"' => quoted = !quoted,
                    b'{' if !quoted => depth = depth.saturating_add(1),
                    b'}' if !quoted => depth = depth.saturating_sub(1),
                    _ => {}
                }
                match byte {
                    b'{' | b'[' if !quoted => nested = nested.saturating_add(1),
                    b'}' | b']' if !quoted => nested = nested.saturating_sub(1),
                    _ => {}
                }
                if nested > DEPTH {
                    let reason = format!("row {}: values are nested deeper than {DEPTH}", self.found);
                    return Err(corrupt(&self.place, reason));
                }
                if depth == 0 {
                    length = index + 1;
                    break;
                }
            }
            text.extend_from_slice(bytes.get(..length).unwrap_or_default());
            self.source.consume(length);
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The objects of `text`, whatever the size of the chunks in which it is read.
    fn objects(text: &str, layout: Layout) -> Result<Vec<String>, String> {
        let read = |capacity| {
            let mut objects = Objects::new(BufReader::with_capacity(capacity, text.as_bytes()), layout, "text");
            let (mut found, mut object) = (Vec::new(), Vec::new());
            while objects.next(&mut object).map_err(|error| format!("{error:?}"))? {
                found.push(String::from_utf8(std::mem::take(&mut object)).unwrap().trim_end().to_owned());
            }
            Ok(found)
        };
        let found = read(1 << 10);
        for capacity in 1..8 {
            assert_eq!(read(capacity), found, "in chunks of {capacity}");
        }
        found
    }

    #[test]
    fn braces_and_quotes_within_texts_do_not_end_an_object() {
        let expected = Ok(vec![r#"{"a":"}\"}"}"#.to_owned(), r#"{"b":{"c":[{}]}}"#.to_owned()]);
        assert_eq!(objects(r#"{"a":"}\"}"}  {"b":{"c":[{}]}}"#, Layout::Lines), expected);
        assert_eq!(objects(r#" [ {"a":"}\"}"} , {"b":{"c":[{}]}} ] "#, Layout::Array), expected);
    }

    #[test]
    fn a_byte_order_mark_at_the_start_is_passed_over() {
        for (text, layout) in [("\u{feff}{}", Layout::Lines), ("\u{feff}[{}]", Layout::Array)] {
            let mut objects = Objects::new(text.as_bytes(), layout, "text");
            assert!(objects.next(&mut Vec::new()).unwrap(), "{text}");
        }
        assert!(objects("{}\u{feff}{}", Layout::Lines).unwrap_err().contains("row 2 is no object"));
    }

    #[test]
    fn objects_nest_to_a_bound() {
        let nested = |depth: usize| format!("{{}}{{\"[[\":{}1{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert_eq!(objects(&nested(64), Layout::Lines).unwrap().len(), 2);
        assert!(objects(&nested(65), Layout::Lines).unwrap_err().contains("row 2: values are nested deeper than 64"));
    }

    #[test]
    fn there_may_be_no_object() {
        assert_eq!(objects("\n", Layout::Lines), Ok(vec![]));
        assert_eq!(objects("[]", Layout::Array), Ok(vec![]));
    }

    #[test]
    fn what_is_no_object_is_told_by_its_row() {
        for (text, layout, expected) in [
            ("{}\n[]", Layout::Lines, "row 2 is no object"),
            ("{} {", Layout::Lines, "it ends within row 2"),
            ("[{}, 1]", Layout::Array, "row 2 is no object"),
            ("[{},]", Layout::Array, "row 2 is no object"),
            ("[{} {}]", Layout::Array, "row 2 comes without a comma"),
            ("[{}", Layout::Array, "it ends within its JSON array"),
            ("", Layout::Array, "it ends within its JSON array"),
            ("{}", Layout::Array, "it is no JSON array of objects"),
            ("[] []", Layout::Array, "it goes on after its array"),
        ] {
            let error = objects(text, layout).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
