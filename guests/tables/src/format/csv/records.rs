//! The records of a CSV text, and their cells.

use std::io::BufRead;

use airlock_sdk::Error;

use crate::error::corrupt;
use crate::table::skip_byte_order_mark;

/// Why a text is no CSV, or could not be read.
pub enum Wrong {
    Text { line: u64, reason: String },
    Storage(Error),
}

impl Wrong {
    /// The same as an error about `place`.
    pub fn at(self, place: &str) -> Error {
        match self {
            Self::Text { line, reason } => corrupt(place, format!("line {line}: {reason}")),
            Self::Storage(error) => error,
        }
    }
}

/// What a cell has.
#[derive(Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    Nothing,
    Text(&'a str),
}

/// Finds records.
pub struct Records<R> {
    source: R,
    /// The line of the next byte, from 1.
    line: u64,
    /// The cells of the record, one after the other.
    text: Vec<u8>,
    /// Where each ends, and whether it was quoted.
    cells: Vec<(usize, bool)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a cell.
    Start,
    Plain,
    Quoted,
    /// After a quote within quotes: their end, or the first half of a quote.
    Quote,
    /// After a carriage return, which the rest of the end of the line has to follow.
    Return {
        quoted: bool,
    },
}

/// The record that was found last.
pub struct Record<'a> {
    text: &'a str,
    cells: &'a [(usize, bool)],
    line: u64,
}

impl Record<'_> {
    /// The cell at `index`; nothing where there is none.
    pub fn cell(&self, index: usize) -> Cell<'_> {
        let start = index.checked_sub(1).and_then(|before| self.cells.get(before)).map_or(0, |(end, _)| *end);
        match self.cells.get(index) {
            Some((end, quoted)) if *quoted || *end > start => {
                Cell::Text(self.text.get(start..*end).unwrap_or_default())
            }
            _ => Cell::Nothing,
        }
    }

    /// The line on which it begins, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// In bytes.
    pub fn size(&self) -> usize {
        self.text.len() + self.cells.len()
    }
}

impl<R: BufRead> Records<R> {
    pub fn new(source: R) -> Self {
        Self { source, line: 1, text: Vec::new(), cells: Vec::new() }
    }

    /// The names of the columns; none where the text is empty.
    pub fn header(&mut self) -> Result<Vec<String>, Wrong> {
        skip_byte_order_mark(&mut self.source).map_err(Wrong::Storage)?;
        if !self.read()? {
            return Ok(Vec::new());
        }
        let record = self.record(1)?;
        if let ([_], Cell::Nothing) = (record.cells, record.cell(0)) {
            let reason =
                "it is blank, but the first line names the columns; remove the blank lines before it".to_owned();
            return Err(Wrong::Text { line: 1, reason });
        }
        let name = |index| match record.cell(index) {
            Cell::Text(name) => name.to_owned(),
            Cell::Nothing => String::new(),
        };
        Ok((0..record.cells.len()).map(name).collect())
    }

    /// The next record of `width` cells; none at the end. Blank lines are skipped where they are no record.
    pub fn next(&mut self, width: usize) -> Result<Option<Record<'_>>, Wrong> {
        loop {
            let line = self.line;
            if !self.read()? {
                return Ok(None);
            }
            match self.cells.len() {
                count if count == width => return self.record(line).map(Some),
                1 if self.text.is_empty() => {}
                count => {
                    return Err(Wrong::Text { line, reason: format!("it has {count} cells; the header has {width}") });
                }
            }
        }
    }

    fn record(&self, line: u64) -> Result<Record<'_>, Wrong> {
        let text = str::from_utf8(&self.text).ok().filter(|text| {
            // A character does not go on in the next cell.
            self.cells.iter().all(|(end, _)| text.is_char_boundary(*end))
        });
        let text = text.ok_or_else(|| Wrong::Text { line, reason: "it is not UTF-8".to_owned() })?;
        Ok(Record { text, cells: &self.cells, line })
    }

    /// Reads a record; false at the end.
    fn read(&mut self) -> Result<bool, Wrong> {
        self.text.clear();
        self.cells.clear();
        let (mut state, mut quoted_since) = (State::Start, self.line);
        loop {
            let bytes = self.source.fill_buf().map_err(|error| Wrong::Storage(error.into()))?;
            if bytes.is_empty() {
                return match state {
                    State::Quoted => Err(Wrong::Text {
                        line: quoted_since,
                        reason: "a quoted cell that begins here never ends".to_owned(),
                    }),
                    State::Return { .. } => Err(lone_return(self.line)),
                    State::Start if self.cells.is_empty() => Ok(false),
                    _ => {
                        self.cells.push((self.text.len(), state.is_quoted()));
                        Ok(true)
                    }
                };
            }
            let mut used = 0;
            let mut ended = false;
            while let Some(rest) = bytes.get(used..)
                && let Some(byte) = rest.first()
            {
                // Most bytes are within a cell and are taken at once.
                let run = match state {
                    State::Plain => {
                        rest.iter().position(|byte| matches!(byte, b',' | b'\n' | b'\r')).unwrap_or(rest.len())
                    }
                    State::Quoted => rest.iter().position(|byte| *byte == b'"').unwrap_or(rest.len()),
                    _ => 0,
                };
                if let (1.., Some(within)) = (run, rest.get(..run)) {
                    if state == State::Quoted {
                        self.line += within.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
                    }
                    self.text.extend_from_slice(within);
                    used += run;
                    continue;
                }
                used += 1;
                match (state, byte) {
                    (State::Quoted, _) => state = State::Quote,
                    (State::Quote, b'"') => {
                        self.text.push(b'"');
                        state = State::Quoted;
                    }
                    (State::Start, b'"') => {
                        quoted_since = self.line;
                        state = State::Quoted;
                    }
                    (State::Start | State::Plain | State::Quote, b',') => {
                        self.cells.push((self.text.len(), state.is_quoted()));
                        state = State::Start;
                    }
                    (_, b'\n') => {
                        self.cells.push((self.text.len(), state.is_quoted()));
                        self.line += 1;
                        ended = true;
                        break;
                    }
                    (State::Return { .. }, _) => return Err(lone_return(self.line)),
                    (_, b'\r') => state = State::Return { quoted: state.is_quoted() },
                    (State::Quote, _) => {
                        let reason = "a quoted cell goes on after its closing quote".to_owned();
                        return Err(Wrong::Text { line: self.line, reason });
                    }
                    (State::Start | State::Plain, _) => {
                        self.text.push(*byte);
                        state = State::Plain;
                    }
                }
            }
            self.source.consume(used);
            if ended {
                return Ok(true);
            }
        }
    }
}

impl State {
    /// Whether the cell that ends here was quoted.
    fn is_quoted(self) -> bool {
        matches!(self, Self::Quote | Self::Return { quoted: true })
    }
}

fn lone_return(line: u64) -> Wrong {
    let reason = "a carriage return outside quotes, without a line feed after it; lines end with a line feed, alone or \
                  after a carriage return";
    Wrong::Text { line, reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// The lines and cells of `text`, whatever the size of the chunks in which it is read.
    fn records(text: &str, width: usize) -> Vec<(u64, Vec<Option<String>>)> {
        let read = |capacity| {
            let mut records = Records::new(BufReader::with_capacity(capacity, text.as_bytes()));
            let mut found = Vec::new();
            while let Some(record) = records.next(width).map_err(|error| error.at("text")).unwrap() {
                let cell = |index| match record.cell(index) {
                    Cell::Text(text) => Some(text.to_owned()),
                    Cell::Nothing => None,
                };
                found.push((record.line(), (0..width).map(cell).collect()));
            }
            found
        };
        let found = read(1 << 10);
        for capacity in 1..8 {
            assert_eq!(read(capacity), found, "in chunks of {capacity}");
        }
        found
    }

    fn error(text: &str, width: usize) -> String {
        let mut records = Records::new(text.as_bytes());
        loop {
            match records.next(width) {
                Ok(record) => assert!(record.is_some(), "no error"),
                Err(error) => return format!("{:?}", error.at("text")),
            }
        }
    }

    fn cells<const N: usize>(cells: [&str; N]) -> Vec<Option<String>> {
        cells.map(|cell| Some(cell.to_owned())).to_vec()
    }

    #[test]
    fn quotes_hold_separators_line_ends_and_quotes() {
        let found = records("a,\"b,\nc\"\r\n\"\"\"d\"\"\",e\r\nf,g", 2);
        assert_eq!(found, [(1, cells(["a", "b,\nc"])), (3, cells(["\"d\"", "e"])), (4, cells(["f", "g"]))]);
    }

    #[test]
    fn nothing_and_an_empty_text_are_two_things() {
        assert_eq!(records(",\"\"\n", 2), [(1, vec![None, Some(String::new())])]);
    }

    #[test]
    fn a_blank_line_is_a_record_only_where_there_is_one_column() {
        assert_eq!(records("a\n\nb\n", 1), [(1, cells(["a"])), (2, vec![None]), (3, cells(["b"]))]);
        assert_eq!(records("a,b\n\r\n\nc,d\n", 2), [(1, cells(["a", "b"])), (4, cells(["c", "d"]))]);
    }

    #[test]
    fn a_quote_within_a_plain_cell_is_text() {
        assert_eq!(records("5\" pipe,x\n", 2), [(1, cells(["5\" pipe", "x"]))]);
    }

    #[test]
    fn what_is_no_csv_is_told_by_its_line() {
        assert!(error("a,b\nc\n", 2).contains("line 2: it has 1 cells; the header has 2"));
        assert!(error("a,b\nc,d,e\n", 2).contains("line 2: it has 3 cells"));
        assert!(error("a,b\n\"c,d\ne,f\n", 2).contains("line 2: a quoted cell that begins here never ends"));
        assert!(error("a,\"b\"c\n", 2).contains("line 1: a quoted cell goes on after its closing quote"));
    }

    #[test]
    fn a_carriage_return_outside_quotes_is_no_end_of_a_line_alone() {
        for text in ["a,b\rc,d\r", "a,\"b\"\rc,d", "a,b\r", "a\rb,c\n", "a,b\r\r\n"] {
            assert!(error(text, 2).contains("line 1: a carriage return outside quotes"), "{text:?}");
        }
        assert_eq!(records("a,\"b\rc\"\r\n,\r\n", 2), [(1, cells(["a", "b\rc"])), (2, vec![None, None])]);
    }

    #[test]
    fn a_blank_line_is_no_header() {
        for text in ["\na,b\n", "\r\na\n", "\n"] {
            let Err(error) = Records::new(text.as_bytes()).header() else { panic!("no error") };
            assert!(format!("{:?}", error.at("text")).contains("line 1: it is blank"));
        }
        assert_eq!(Records::new(b"\"\"\n".as_slice()).header().ok(), Some(vec![String::new()]));
    }

    #[test]
    fn what_is_not_utf_8_is_told_by_its_line() {
        for bytes in [b"a,b\n\xff,c\n".as_slice(), b"a,b\n\xc3,\xa4\n"] {
            let mut records = Records::new(bytes);
            assert!(records.next(2).is_ok());
            let Err(error) = records.next(2) else { panic!("no error") };
            assert!(format!("{:?}", error.at("text")).contains("line 2: it is not UTF-8"));
        }
    }
}
