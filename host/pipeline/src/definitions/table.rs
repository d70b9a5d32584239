//! Reads what is said of tables: the form in which a command has one, its columns and their types.

use std::collections::HashSet;

use serde::Serialize;

use super::fields::{Fields, Problems, text};
use super::known::Upstream;
use super::tree::{Entry, Tree};
use super::{Diagnostic, ValueType};

/// The form in which a command gives or finds a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// Comma-separated values whose first line names the columns.
    Csv,
    /// A JSON object a line, for each row.
    Jsonl,
    /// A JSON array of objects, one for each row.
    Json,
    /// A Parquet file.
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Csv, Self::Jsonl, Self::Json, Self::Parquet, Self::Arrow];

    /// As definitions, the command line and the component that converts tables call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::Json => "json",
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }

    /// That of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.name() == name)
    }

    /// The media type of a table that has it.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Jsonl => "application/x-ndjson",
            Self::Json => "application/json",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// True or false.
    Bool,
    /// A signed integer of 8 bits.
    Int8,
    /// A signed integer of 16 bits.
    Int16,
    /// A signed integer of 32 bits.
    Int32,
    /// A signed integer of 64 bits.
    Int64,
    /// An integer of 8 bits, not negative.
    Uint8,
    /// An integer of 16 bits, not negative.
    Uint16,
    /// An integer of 32 bits, not negative.
    Uint32,
    /// An integer of 64 bits, not negative.
    Uint64,
    /// A number of 32 bits.
    Float32,
    /// A number of 64 bits.
    Float64,
    /// Text.
    String,
    /// A day.
    Date,
    /// A point in time.
    Timestamp,
    /// Bytes.
    Binary,
}

/// The names of the types of columns.
pub(super) const COLUMN_TYPES: &[(&str, ColumnType)] = &[
    ("bool", ColumnType::Bool),
    ("int8", ColumnType::Int8),
    ("int16", ColumnType::Int16),
    ("int32", ColumnType::Int32),
    ("int64", ColumnType::Int64),
    ("uint8", ColumnType::Uint8),
    ("uint16", ColumnType::Uint16),
    ("uint32", ColumnType::Uint32),
    ("uint64", ColumnType::Uint64),
    ("float32", ColumnType::Float32),
    ("float64", ColumnType::Float64),
    ("string", ColumnType::String),
    ("date", ColumnType::Date),
    ("timestamp", ColumnType::Timestamp),
    ("binary", ColumnType::Binary),
];

/// The forms of values that are no tables: there is one for each type, by its name.
const OTHER_FORMS: [&str; 2] = ["text", "bytes"];

/// What computes a value or is given it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Command,
    Component,
}

/// The form that `as` in `fields` names; `whose` value it is and its type, where that is known. Only a table has one,
/// since there is no choice for other values.
pub(super) fn form(
    fields: &Fields<'_>,
    whose: &str,
    value_type: Option<ValueType>,
    by: By,
    problems: &Problems,
) -> Option<Form> {
    let (name, position) = fields.text("as")?;
    let table_form = Form::named(name);
    if table_form.is_none() && !OTHER_FORMS.contains(&name) {
        let forms = Form::ALL.map(Form::name).into_iter().chain(OTHER_FORMS);
        problems.unknown(position, format!("`{name}` is not one of the values of `as`"), name, forms);
        return None;
    }
    if by == By::Component {
        let message = format!("{} takes no `as`: a component has its tables as Arrow streams", fields.what);
        problems.at(position, message);
        return None;
    }
    match value_type? {
        ValueType::Table => {
            if table_form.is_none() {
                let message = format!("{whose} is a table, which a command cannot have as `{name}`");
                let help = "say `csv`, `jsonl`, `json`, `parquet` or `arrow`";
                problems.push(Diagnostic::at(position, message).help(help));
            }
            table_form
        }
        // Said elsewhere: an asset without a value takes no `as` and cannot be loaded.
        ValueType::None => None,
        other => {
            if name != other.name() {
                let message = format!("{whose} is of type `{}`, so a command cannot have it as `{name}`", other.name());
                problems.push(Diagnostic::at(position, message).help("leave `as` out: only tables are converted"));
            }
            None
        }
    }
}

/// The columns in `fields` that are loaded of an input of the type `value_type` and from `upstream`, where that is known.
pub(super) fn columns(
    fields: &Fields<'_>,
    value_type: Option<ValueType>,
    upstream: Option<&Upstream<'_>>,
    problems: &Problems,
) -> Option<Vec<String>> {
    let entry = fields.get("columns")?;
    let names = fields.texts("columns");
    let is_table = value_type.is_none_or(|kind| kind == ValueType::Table);
    if !is_table {
        problems.at(&entry.position, format!("{} is not a table, so it has no `columns`", fields.what));
        return None;
    }
    if fields.list("columns").is_empty() && matches!(entry.node.tree, Tree::List(_)) {
        problems.at(&entry.node.position, "`columns` names at least one column, or is left out to load all");
    }
    let known = upstream.and_then(|upstream| upstream.columns.as_ref());
    let mut seen = HashSet::new();
    for (name, position) in &names {
        if !seen.insert(*name) {
            problems.at(position, format!("`columns` names `{name}` twice"));
        } else if let Some(known) = known.filter(|known| !known.contains(name)) {
            problems.unknown(position, format!("{} has no column `{name}`", fields.what), name, known.iter().copied());
        }
    }
    Some(names.into_iter().map(|(name, _)| name.to_owned()).collect())
}

/// The columns that `schema` in `fields` names, in its order.
pub(super) fn schema(
    fields: &Fields<'_>,
    value_type: Option<ValueType>,
    problems: &Problems,
) -> Option<Vec<ColumnDefinition>> {
    let entry = fields.get("schema")?;
    if value_type.is_some_and(|value_type| !matches!(value_type, ValueType::Table | ValueType::None)) {
        problems.at(&entry.position, format!("{} is not a table, so it has no `schema`", fields.what));
        return None;
    }
    let columns = fields.named("schema");
    if columns.is_empty() && entry.node.entries().is_some() {
        problems.at(&entry.node.position, "`schema` names at least one column, or is left out");
    }
    let column = |column: &Entry| {
        let (name, position) = text(&column.node, &format!("the type of the column `{}`", column.key), problems)?;
        let found = COLUMN_TYPES.iter().find(|(column_type, _)| *column_type == name);
        if found.is_none() {
            let types = COLUMN_TYPES.iter().map(|(column_type, _)| *column_type);
            problems.unknown(position, format!("`{name}` is not a type of column"), name, types);
        }
        Some(ColumnDefinition { name: column.key.clone(), column_type: found?.1 })
    };
    Some(columns.iter().filter_map(column).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{definitions, messages};
    use super::*;

    const HEAD: &str = r#"
        defaults.io = "lake"
        io.lake.component = "builtin:files"
        assets.daily = { command = ["x"], type = "table", schema = { date = "date", temp_max = "float64" } }
        assets.raw = { command = ["x"], type = "json" }
    "#;

    #[test]
    fn a_table_of_a_command_has_a_form_and_so_have_the_tables_that_it_finds() {
        let definitions = definitions(&format!(
            r#"{HEAD}
            [assets.a]
            command = ["x"]
            type = "table"
            as = "parquet"
            inputs = {{ daily = "daily", lines = {{ asset = "daily", as = "jsonl" }}, raw = "raw" }}
            [assets.b]
            command = ["x"]
            type = "json"
            as = "json"
            inputs = {{ daily = "daily", raw = {{ asset = "raw", as = "json" }} }}
            [assets.c]
            component = "builtin:files"
            type = "table"
            inputs = ["daily"]
            "#
        ));
        let forms = |asset: &str| {
            let asset = definitions.asset(asset).unwrap();
            (asset.output.form, asset.inputs.iter().map(|input| input.form).collect::<Vec<_>>())
        };
        assert_eq!(forms("daily"), (Some(Form::Csv), vec![]));
        assert_eq!(forms("a"), (Some(Form::Parquet), vec![Some(Form::Parquet), Some(Form::Jsonl), None]));
        assert_eq!(forms("b"), (None, vec![Some(Form::Csv), None]));
        assert_eq!(forms("c"), (None, vec![None]));
        let shown = serde_json::to_value(definitions.asset("a").unwrap()).unwrap();
        assert_eq!((&shown["as"], &shown["inputs"][1]["as"]), (&"parquet".into(), &"jsonl".into()));
        assert_eq!(shown["media_type"], "application/vnd.apache.arrow.stream");
    }

    #[test]
    fn a_schema_keeps_the_order_of_its_columns() {
        let definitions = definitions(&format!(
            "{HEAD}\nassets.z = {{ command = [\"x\"], type = \"table\", schema = {{ z = \"uint8\", a = \"timestamp\" }} }}"
        ));
        let column = |name: &str, column_type| ColumnDefinition { name: name.to_owned(), column_type };
        let expected = vec![column("z", ColumnType::Uint8), column("a", ColumnType::Timestamp)];
        let asset = definitions.asset("z").unwrap();
        assert_eq!(asset.output.schema, Some(expected));
        let shown = serde_json::to_value(asset).unwrap();
        assert_eq!(shown["schema"][0], serde_json::json!({ "name": "z", "type": "uint8" }));
    }

    #[test]
    fn every_type_of_column_is_called_as_it_is_shown() {
        for (name, column_type) in COLUMN_TYPES {
            assert_eq!(serde_json::to_value(column_type).unwrap(), *name);
        }
    }

    #[test]
    fn only_the_named_columns_of_an_input_are_loaded() {
        let definitions = definitions(&format!(
            "{HEAD}\nassets.a = {{ component = \"builtin:files\", type = \"text\", \
             inputs = {{ all = \"daily\", some = {{ asset = \"daily\", columns = [\"temp_max\", \"date\"] }} }} }}"
        ));
        let [all, some] = definitions.asset("a").unwrap().inputs.as_slice() else { panic!() };
        assert_eq!(all.columns, None);
        assert_eq!(some.columns, Some(vec!["temp_max".to_owned(), "date".to_owned()]));
    }

    #[test]
    fn what_does_not_go_with_the_value_is_a_mistake() {
        let of = |kind: &str, keys: &str| format!("assets.a = {{ command = [\"x\"], type = \"{kind}\", {keys} }}");
        let given = |input: &str| of("none", &format!("inputs.i = {{ {input} }}"));
        let component =
            |keys: &str| format!("assets.a = {{ component = \"builtin:files\", type = \"table\", {keys} }}");
        for (asset, expected) in [
            (of("table", r#"as = "cvs""#), "`cvs` is not one of the values of `as`"),
            (of("table", r#"as = "text""#), "the asset `a` is a table, which a command cannot have as `text`"),
            (of("json", r#"as = "csv""#), "the asset `a` is of type `json`, so a command cannot have it as `csv`"),
            (of("none", r#"as = "csv""#), "the asset `a` stores no value (`type = \"none\"`), so it takes no `as`"),
            (of("table", r#"media_type = "text/csv""#), "a table is always an Arrow stream: leave `media_type` out"),
            (of("text", r#"schema = { a = "date" }"#), "the asset `a` is not a table, so it has no `schema`"),
            (of("table", "schema = {}"), "`schema` names at least one column, or is left out"),
            (of("table", r#"schema = { a = "int" }"#), "`int` is not a type of column"),
            (of("table", r"schema = { a = 8 }"), "the type of the column `a` is a text, and this is an integer"),
            (component(r#"as = "csv""#), "the asset `a` takes no `as`: a component has its tables as Arrow streams"),
            (
                component(r#"inputs.i = { asset = "daily", as = "csv" }"#),
                "the input `i` takes no `as`: a component has its tables as Arrow streams",
            ),
            (given(r#"asset = "raw", as = "csv""#), "`raw` is of type `json`, so a command cannot have it as `csv`"),
            (given(r#"asset = "raw", columns = ["a"]"#), "the input `i` is not a table, so it has no `columns`"),
            (
                given(r#"asset = "daily", columns = []"#),
                "`columns` names at least one column, or is left out to load all",
            ),
            (given(r#"asset = "daily", columns = ["date", "date"]"#), "`columns` names `date` twice"),
            (given(r#"asset = "daily", columns = ["dat"]"#), "the input `i` has no column `dat`"),
            (given(r#"asset = "dialy", columns = ["date"]"#), "there is no asset `dialy`"),
        ] {
            assert_eq!(messages(&format!("{HEAD}\n{asset}\n")), [expected], "{asset}");
        }
    }
}
