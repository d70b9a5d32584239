//! Reads one asset.

use airlock_sandbox::context::AssetKey;
use airlock_sandbox::limits;

use super::fields::{Fields, Problems, text};
use super::input::Reader;
use super::known::Known;
use super::table::{By, Form};
use super::tree::{Entry, Node};
use super::{Asset, Op, Position, ValueType, label, metadata, op, table};

const VALUE_TYPES: &[(&str, ValueType)] = &[
    ("table", ValueType::Table),
    ("json", ValueType::Json),
    ("text", ValueType::Text),
    ("bytes", ValueType::Bytes),
    ("none", ValueType::None),
];
/// What an asset without a value takes nothing of.
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

/// Reads the asset `entry`, which messages call `what`, and which takes the keys `known_keys`. What cannot be read is a
/// problem, and something else stands in its place, so that what depends on the asset can be checked still.
pub(super) fn read(
    entry: &Entry,
    what: &str,
    known_keys: &'static [&'static str],
    known: &Known<'_>,
    problems: &Problems,
) -> Asset {
    let fields = Fields::new(&entry.node, &entry.position, what, known_keys, problems);
    let key = asset_key(&entry.key, &entry.position, problems);
    let labels = label::read(&fields, problems);
    if fields.get("type").is_none() {
        let help = "say `type = \"table\"`, `\"json\"`, `\"text\"`, `\"bytes\"`, or `\"none\"` where nothing is stored";
        fields.missing("type", help);
    }
    let value_type = fields.choice("type", VALUE_TYPES);
    let by = op::kind(&fields);
    let form = table::form(&fields, what, value_type, by, problems);
    let is_converted = value_type == Some(ValueType::Table) && by == By::Command;
    let form = is_converted.then_some(form.unwrap_or(Form::Csv));
    let deps = fields.texts("deps");
    for (name, position) in &deps {
        known.asset(name, position, problems);
    }
    let partitions = fields.text("partitions").map(|(name, position)| {
        known.check_partitions(name, position, problems);
        name
    });
    let media_type = fields.get("media_type").and_then(|entry| media_type(&entry.node, value_type, problems));
    if value_type == Some(ValueType::None) {
        if let Some(entry) = fields.get("external").filter(|_| op::is_external(&fields)) {
            problems
                .at(&entry.position, format!("{what} has no value that could be made elsewhere (`type = \"none\"`)"));
        }
        for entry in OF_A_VALUE.iter().filter_map(|key| fields.get(key)) {
            problems.at(
                &entry.position,
                format!("{what} stores no value (`type = \"none\"`), so it takes no `{}`", entry.key),
            );
        }
    }
    Asset {
        name: entry.key.clone(),
        key,
        position: entry.position.clone(),
        description: fields.text("description").map(|(text, _)| text.to_owned()),
        group: labels.group,
        owners: labels.owners,
        tags: labels.tags,
        kinds: labels.kinds,
        value_type: value_type.unwrap_or(ValueType::Bytes),
        media_type: media_type.or_else(|| value_type?.media_type().map(str::to_owned)),
        form,
        schema: table::schema(&fields, value_type, problems),
        partitions: partitions.map(str::to_owned),
        op: op::read(&fields, known.builtins, problems).unwrap_or(Op::Command(Vec::new())),
        inputs: Reader { known, by, form: form.unwrap_or(Form::Csv), partitions, problems }.read(&fields),
        deps: deps.into_iter().map(|(name, _)| name.to_owned()).collect(),
        io: io(&fields, value_type, known, problems),
        config: fields.setting("config"),
        metadata: metadata::read(&fields, problems),
    }
}

/// What a part of an asset key, a group and an I/O manager look like, so that a selection can name them on any command line.
pub(super) const NAME_RULE: &str = "has other characters than letters, digits, `_`, `-` and `.`";

pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|character| character.is_alphanumeric() || matches!(character, '_' | '-' | '.'))
}

/// Segments of a key; one less than a path may have, so that what lies below an output has room.
const KEY_PARTS: usize = limits::PATH_DEPTH - 1;

fn asset_key(name: &str, position: &Position, problems: &Problems) -> AssetKey {
    let key: AssetKey = name.split('/').map(str::to_owned).collect();
    if key.iter().any(String::is_empty) {
        problems.at(position, format!("the asset name {name:?} has an empty part: its parts are separated by one `/`"));
    } else if !key.iter().all(|part| is_name(part)) {
        problems.at(position, format!("the asset name {name:?} {NAME_RULE}"));
    } else if key.len() > KEY_PARTS {
        problems.at(position, format!("the asset name {name:?} has more than {KEY_PARTS} parts"));
    }
    key
}

/// The I/O manager that stores the asset `fields`.
fn io(fields: &Fields<'_>, value_type: Option<ValueType>, known: &Known<'_>, problems: &Problems) -> Option<String> {
    let given = fields.text("io").map(|(name, position)| {
        known.check_io_manager(name, position, problems);
        name
    });
    if value_type == Some(ValueType::None) {
        return None;
    }
    let io = given.or(known.default_io);
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

fn media_type(node: &Node, value_type: Option<ValueType>, problems: &Problems) -> Option<String> {
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
