//! What people read: prose, tables, sizes, times, metadata.

use std::time::Duration;

use airlock_pipeline::definitions::Setting;
use airlock_sandbox::context::{MetadataEntry, MetadataValue};
use airlock_sandbox::limits::Bytes;
use airlock_sandbox::text::{safe, safe_line};
use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use console::{measure_text_width, style};
use serde::Serialize;

use crate::error::Error;
use crate::output::{Output, stdout_width};

/// Bytes of one value of metadata that people are shown.
const METADATA_SHOWN: usize = 400;
/// Bytes of one cell of a table that came from a person's file.
const CELL_SHOWN: usize = 400;

/// `text` in lines of at most `width` columns that end in a line break. Its first line is filled word by word, what
/// overflows begins with `indent`; its further lines are indented and otherwise left alone, so that they can be copied.
pub fn wrap(text: &str, width: usize, indent: &str) -> String {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let margin: String = first.chars().take_while(|character| *character == ' ').collect();
    let mut shown = margin.clone();
    let mut column = margin.len();
    let mut fresh = true;
    for word in first.split_whitespace() {
        let length = measure_text_width(word);
        if !fresh && column.saturating_add(1 + length) > width {
            shown.push('\n');
            shown.push_str(indent);
            column = indent.len();
        } else if !fresh {
            shown.push(' ');
            column += 1;
        }
        shown.push_str(word);
        column += length;
        fresh = false;
    }
    shown.push('\n');
    for line in lines {
        shown.push_str(format!("{indent}{line}").trim_end());
        shown.push('\n');
    }
    shown
}

/// `label`, and beside it, from `column` on, `text` in lines that end in a line break; together at most `width` columns.
pub fn beside(label: &str, column: usize, text: &str, width: usize) -> String {
    let mut before = console::pad_str(label, column, console::Alignment::Left, None).into_owned();
    let mut shown = String::new();
    for line in wrap(text, width.saturating_sub(column).max(20), "").lines() {
        shown.push_str(format!("{before}{line}").trim_end());
        shown.push('\n');
        before = " ".repeat(column);
    }
    shown
}

/// Prints a table; `header` names its columns. On a terminal it keeps to the width of that.
pub fn print_table<const N: usize>(output: &mut Output, header: [&str; N], rows: &[[String; N]]) -> Result<(), Error> {
    table(header, rows, stdout_width()).lines().enumerate().try_for_each(|(index, line)| match index {
        0 => output.line(style(line).dim()),
        _ => output.line(line),
    })
}

fn table<const N: usize>(header: [&str; N], rows: &[[String; N]], width: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match u16::try_from(width) {
        Ok(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        Err(_) => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(header);
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| safe_line(cell, CELL_SHOWN)).collect()).collect();
    table.add_rows(&rows);
    // Names are what people copy, so the first column is broken last.
    if let (Some(column), Some(longest)) =
        (table.column_mut(0), rows.iter().filter_map(|row| row.first()).map(|name| measure_text_width(name)).max())
    {
        column.set_padding((0, 1));
        if let Ok(longest) = u16::try_from(longest.max(header.first().map_or(0, |name| name.len())) + 1)
            && usize::from(longest) < width / 2
        {
            column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(longest)));
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

/// Names and what they stand for, in two columns.
#[derive(Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Adds a field; a value with lines goes on below itself.
    pub fn add(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into()));
    }

    /// Adds a field where there is a value.
    pub fn add_some(&mut self, name: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// Adds several values of one name, one a line.
    pub fn add_all(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        let values: Vec<String> = values.into_iter().collect();
        if !values.is_empty() {
            self.add(name, values.join("\n"));
        }
    }

    /// The fields, in lines of at most `width` columns.
    pub fn render(&self, width: usize) -> String {
        let column = self.0.iter().map(|(name, _)| measure_text_width(name)).max().unwrap_or(0) + 1;
        let mut shown = String::new();
        for (name, value) in &self.0 {
            let mut name = name.as_str();
            for line in if value.is_empty() { "-" } else { value }.lines() {
                shown.push_str(&beside(&style(name).dim().to_string(), column, line, width));
                name = "";
            }
        }
        shown
    }

    /// Prints them.
    pub fn print(&self, output: &mut Output) -> Result<(), Error> {
        output.write(self.render(stdout_width()).as_bytes())
    }
}

/// A number of bytes.
pub fn size(bytes: u64) -> String {
    Bytes(bytes).to_string()
}

/// A time in the unit that suits it.
pub fn time(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        seconds @ 60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// An instant, to the second: `2026-01-31 12:00:00Z`.
pub fn instant(timestamp: impl std::fmt::Display) -> String {
    let shown = timestamp.to_string();
    let (date, time) = shown.split_once('T').unwrap_or((&shown, ""));
    let time = time.split(['.', 'Z']).next().unwrap_or_default();
    format!("{date} {time}Z")
}

/// A name that a person or a guest gave, on one line.
pub fn safe_name(name: &str) -> String {
    safe_line(name, CELL_SHOWN)
}

/// The word that stands for `value` in JSON: `kebab-case` for an enum of the libraries.
pub fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => "-".to_owned(),
    }
}

/// A setting of the definitions; what the environment has is named and not shown.
pub fn setting(setting: &Setting) -> String {
    match setting {
        Setting::Text(text) => safe_name(text),
        Setting::Environment(reference) => format!("${}", safe_name(&reference.name)),
        other => safe_name(&serde_json::to_string(other).unwrap_or_default()),
    }
}

/// `1,461`.
pub fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1 file`, `2 files`.
pub fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A value of metadata on one line, cut where it is long.
pub fn metadata_value(value: &MetadataValue) -> String {
    match value {
        MetadataValue::Null => "-".to_owned(),
        MetadataValue::Boolean(value) => value.to_string(),
        MetadataValue::Int(value) => value.to_string(),
        MetadataValue::Float(value) => value.to_string(),
        MetadataValue::Text(text) | MetadataValue::Tagged(_, text) => safe_line(text, METADATA_SHOWN),
        MetadataValue::Json(value) => safe_line(&value.to_string(), METADATA_SHOWN),
    }
}

/// Entries of metadata, one a line.
pub fn metadata(entries: &[MetadataEntry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| format!("{} = {}", safe_line(&entry.label, METADATA_SHOWN), metadata_value(&entry.value)))
        .collect()
}

/// Text that somebody else wrote, in lines, each begun with `margin`.
pub fn quoted(text: &str, limit: usize, margin: &str) -> String {
    let shown: Vec<String> =
        safe(text.trim_matches('\n').trim_end(), limit).lines().map(|line| format!("{margin}{line}")).collect();
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_filled_and_lines_to_copy_are_left_alone() {
        let text = "one two three four\nkept   as it is, however long it may be";
        assert_eq!(wrap(text, 9, "  "), "one two\n  three\n  four\n  kept   as it is, however long it may be\n");
        assert_eq!(wrap("one two three", usize::MAX, ""), "one two three\n");
    }

    #[test]
    fn a_word_wider_than_the_line_is_not_broken() {
        assert_eq!(wrap("a sha256:0123456789 b", 8, ""), "a\nsha256:0123456789\nb\n");
    }

    #[test]
    fn a_table_keeps_to_80_columns_and_keeps_names_whole() {
        let name = "sales/orders_by_customer".to_owned();
        let rows = [[name.clone(), "word ".repeat(40)], ["b".to_owned(), "short".to_owned()]];
        let shown = table(["ASSET", "DESCRIPTION"], &rows, 80);
        assert!(shown.lines().all(|line| measure_text_width(line) <= 80), "{shown}");
        assert!(shown.contains(&name), "{shown}");
        assert!(shown.starts_with("ASSET "), "{shown}");
    }

    #[test]
    fn a_table_that_no_terminal_shows_has_a_line_for_each_row() {
        let rows = [["a".to_owned(), "word ".repeat(40)], ["b".to_owned(), "short".to_owned()]];
        assert_eq!(table(["ASSET", "DESCRIPTION"], &rows, usize::MAX).lines().count(), 3);
    }

    #[test]
    fn cells_cannot_move_the_cursor() {
        let shown = table(["ASSET"], &[["\u{1b}[2J".to_owned()]], 80);
        assert!(!shown.contains('\u{1b}') && shown.contains("\\u{1b}[2J"), "{shown:?}");
    }

    #[test]
    fn metadata_is_cut_and_stays_on_its_line() {
        let text = MetadataValue::Text(format!("a\nb{}", "x".repeat(1000)));
        let shown = metadata_value(&text);
        assert!(shown.starts_with("a\\nbxx") && shown.len() < 500, "{shown}");
    }

    #[test]
    fn fields_stand_in_two_columns() {
        let mut fields = Fields::default();
        fields.add("a", "one two");
        fields.add_all("longer", ["x".to_owned(), "y".to_owned()]);
        fields.add_some("none", None::<String>);
        assert_eq!(console::strip_ansi_codes(&fields.render(80)), "a      one two\nlonger x\n       y\n");
    }

    #[test]
    fn times_and_sizes_have_units() {
        assert_eq!(time(Duration::from_millis(12)), "12 ms");
        assert_eq!(time(Duration::from_millis(1234)), "1.2 s");
        assert_eq!(time(Duration::from_secs(61)), "1 min 1 s");
        assert_eq!(time(Duration::from_mins(121)), "2 h 1 min");
        assert_eq!(instant("2026-01-31T12:00:01.5Z"), "2026-01-31 12:00:01Z");
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(0, "file"), "0 files");
        assert_eq!([0, 999, 1000, 1_461, 1_000_000].map(thousands), ["0", "999", "1,000", "1,461", "1,000,000"]);
    }
}
