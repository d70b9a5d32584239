//! The first rows of a table, as a terminal shows them.

use airlock_sandbox::value::Content;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use console::style;
use serde::Deserialize;

use crate::error::{Error, ExitStatus, Report};
use crate::output::{Output, stdout_width};
use crate::render::safe_name;

/// What the converter gives of the first rows.
#[derive(Deserialize)]
struct Preview {
    columns: Vec<Column>,
    rows: Vec<Vec<Option<String>>>,
    more: bool,
}

#[derive(Deserialize)]
struct Column {
    name: String,
    #[serde(rename = "type")]
    column_type: String,
}

impl Column {
    fn is_number(&self) -> bool {
        ["int", "uint", "float", "decimal"].iter().any(|number| self.column_type.starts_with(number))
    }
}

/// Prints the first rows of the table `name`, of which `preview` has the converter's document.
pub fn print(name: &str, preview: &Content) -> Result<(), Error> {
    let wrong = |reason: String| {
        Report::new(ExitStatus::Internal, format!("cannot show the first rows of `{}`: {reason}", safe_name(name)))
    };
    let bytes = preview.to_vec().map_err(|error| wrong(error.to_string()))?;
    let preview: Preview = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    let mut output = Output::new();
    for (index, line) in render(&preview, stdout_width()).lines().enumerate() {
        if index == 0 { output.line(style(line).dim())? } else { output.line(line)? }
    }
    let rows = preview.rows.len();
    if preview.more {
        let more = format!("(the first {rows} rows; `--as csv` gives all)");
        output.line(style(more).dim())?;
    } else if rows == 0 {
        output.line(style("(no rows)").dim())?;
    }
    output.finish()
}

fn render(preview: &Preview, width: usize) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match u16::try_from(width) {
        Ok(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        Err(_) => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    table.set_header(preview.columns.iter().map(|column| safe_name(&column.name)));
    for row in &preview.rows {
        table.add_row(row.iter().map(|cell| cell.as_deref().map_or_else(|| "-".to_owned(), safe_name)));
    }
    for (index, column) in preview.columns.iter().enumerate() {
        if let Some(shown) = table.column_mut(index) {
            shown.set_padding((0, 2));
            if column.is_number() {
                shown.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(json: serde_json::Value) -> Preview {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn numbers_stand_at_the_right_and_what_is_null_as_a_dash() {
        let preview = preview(serde_json::json!({
            "columns": [{ "name": "date", "type": "date" }, { "name": "wind", "type": "float64" }],
            "rows": [["2012-01-01", "4.7"], ["2012-01-02", null]],
            "more": false,
        }));
        assert_eq!(render(&preview, 80), "date        wind\n2012-01-01   4.7\n2012-01-02     -");
    }

    #[test]
    fn what_a_guest_wrote_cannot_move_the_cursor() {
        let preview = preview(serde_json::json!({
            "columns": [{ "name": "\u{1b}[2J", "type": "string" }], "rows": [["a\r\u{1b}[2Jb"]], "more": true,
        }));
        let shown = render(&preview, 80);
        assert!(!shown.contains(['\u{1b}', '\r']), "{shown:?}");
    }
}
