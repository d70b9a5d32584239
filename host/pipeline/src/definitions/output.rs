//! Reads the output of an op: what kind of value it is, and who stores it.

use airlock_sandbox::limits;

use super::fields::{Fields, Problems, text};
use super::known::Known;
use super::table::{By, Form};
use super::tree::Node;
use super::{Output, ValueType, metadata, table};

/// The name of an output that has no other.
pub const RESULT: &str = "result";

/// The types by their names; the last has no value.
pub(super) const VALUE_TYPES: &[(&str, ValueType); 5] = &[
    ("table", ValueType::Table),
    ("json", ValueType::Json),
    ("text", ValueType::Text),
    ("bytes", ValueType::Bytes),
    ("none", ValueType::None),
];
/// What is said of a value, and not where there is none.
const OF_A_VALUE: [&str; 5] = ["as", "schema", "media_type", "io", "config"];

impl ValueType {
    /// The type called `name` in the definitions.
    pub(super) fn named(name: &str) -> Option<Self> {
        VALUE_TYPES.iter().find(|(known, _)| *known == name).map(|(_, value_type)| *value_type)
    }

    /// What it is called in the definitions.
    pub(super) fn name(self) -> &'static str {
        VALUE_TYPES.iter().find(|(_, value_type)| *value_type == self).map_or("", |(name, _)| name)
    }

    /// What follows the last dot in the name of a file with such a value; of a table in the form `form`.
    pub fn extension(self, form: Option<Form>) -> &'static str {
        match (self, form) {
            (ValueType::Table, Some(Form::Arrow)) => "arrows",
            (ValueType::Table, Some(form)) => form.name(),
            (ValueType::Json, _) => "json",
            (ValueType::Text, _) => "txt",
            _ => "bin",
        }
    }

    /// The media type of a value of which nothing more is said; none where there is no value.
    pub fn media_type(self) -> Option<&'static str> {
        match self {
            ValueType::Table => Some(Form::Arrow.media_type()),
            ValueType::Json => Some("application/json"),
            ValueType::Text => Some("text/plain"),
            ValueType::Bytes => Some("application/octet-stream"),
            ValueType::None => None,
        }
    }
}

/// Reads the output `name` that `fields` describe and an op of the kind `by` gives. What cannot be read is a problem, and
/// something else stands in its place.
/// `default_io` stores it where it does not say otherwise.
pub(super) fn read(
    name: &str,
    fields: &Fields<'_>,
    by: By,
    known: &Known<'_>,
    default_io: Option<&str>,
    problems: &Problems,
) -> Output {
    let what = fields.what;
    if fields.get("type").is_none() {
        let help = "say `type = \"table\"`, `\"json\"`, `\"text\"`, `\"bytes\"`, or `\"none\"` where nothing is stored";
        fields.missing("type", help);
    }
    let value_type = fields.choice("type", VALUE_TYPES);
    let form = table::form(fields, what, value_type, by, problems);
    let is_converted = value_type == Some(ValueType::Table) && by == By::Command;
    let media_type = fields.get("media_type").and_then(|entry| media_type(&entry.node, value_type, problems));
    if value_type == Some(ValueType::None) {
        for entry in OF_A_VALUE.iter().filter_map(|key| fields.get(key)) {
            let message = format!("{what} stores no value (`type = \"none\"`), so it takes no `{}`", entry.key);
            problems.at(&entry.position, message);
        }
    }
    let flag = |key| fields.boolean(key).is_some_and(|(value, _)| value);
    Output {
        name: name.to_owned(),
        value_type: value_type.unwrap_or(ValueType::Bytes),
        media_type: media_type.or_else(|| value_type?.media_type().map(str::to_owned)),
        form: is_converted.then_some(form.unwrap_or(Form::Csv)),
        schema: table::schema(fields, value_type, problems),
        io: io(fields, value_type, known, default_io, problems),
        config: fields.configuration("config"),
        metadata: metadata::read(fields, problems),
        is_optional: flag("optional"),
        is_dynamic: flag("dynamic"),
    }
}

/// The I/O manager that stores the output `fields`.
fn io(
    fields: &Fields<'_>,
    value_type: Option<ValueType>,
    known: &Known<'_>,
    default_io: Option<&str>,
    problems: &Problems,
) -> Option<String> {
    let given = fields.text("io").map(|(name, position)| {
        known.check_io_manager(name, position, problems);
        name
    });
    if value_type == Some(ValueType::None) {
        return None;
    }
    let io = given.or(default_io);
    if io.is_none() && fields.get("io").is_none() && fields.get("type").is_some() {
        fields.missing("io", "name the I/O manager that stores it, here or as `io` under `[defaults]`");
    }
    io.map(str::to_owned)
}

/// Whether `text` is a media type without parameters.
pub fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    let is_pair = text.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    is_pair && text.len() <= limits::MEDIA_TYPE_BYTES
}

pub(super) fn media_type(node: &Node, value_type: Option<ValueType>, problems: &Problems) -> Option<String> {
    let (media_type, position) = text(node, "`media_type`", problems)?;
    if !is_media_type(media_type) {
        problems.at(position, format!("{media_type:?} is not a media type such as \"text/csv\""));
        return None;
    }
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    match value_type {
        Some(ValueType::Json) if !is_json => {
            problems.at(
                position,
                format!("a value of type `json` cannot be {media_type}: it is application/json or ends in +json"),
            );
            None
        }
        Some(ValueType::Table) => {
            problems.at(position, "a table is always an Arrow stream: leave `media_type` out");
            None
        }
        _ => Some(media_type.to_owned()),
    }
}
