//! Reads one asset.

use std::collections::HashSet;

use airlock_sandbox::context::{AssetKey, MetadataEntry, MetadataValue};
use airlock_sandbox::limits;

use super::fields::{Fields, Problems, text, text_setting};
use super::tree::{Entry, Node, Tree};
use super::{Asset, Builtins, Input, Op, Position, Setting, ValueType, component, keys};

const VALUE_TYPES: &[(&str, ValueType)] =
    &[("json", ValueType::Json), ("text", ValueType::Text), ("bytes", ValueType::Bytes), ("none", ValueType::None)];

impl ValueType {
    /// The media type of a value of which nothing more is said; none where there is no value.
    pub fn media_type(self) -> Option<&'static str> {
        match self {
            ValueType::Json => Some("application/json"),
            ValueType::Text => Some("text/plain"),
            ValueType::Bytes => Some("application/octet-stream"),
            ValueType::None => None,
        }
    }
}

/// The names that an asset may use.
pub(super) struct Known<'a> {
    pub assets: HashSet<&'a str>,
    pub io_managers: Vec<&'a str>,
    /// What stores an asset that does not say otherwise.
    pub default_io: Option<&'a str>,
    pub builtins: Builtins,
}

impl Known<'_> {
    fn check_asset(&self, name: &str, position: &Position, problems: &Problems) {
        if !self.assets.contains(name) {
            problems.unknown(position, format!("there is no asset `{name}`"), name, self.assets.iter().copied());
        }
    }

    pub fn check_io_manager(&self, name: &str, position: &Position, problems: &Problems) {
        if !self.io_managers.contains(&name) {
            let message = format!("there is no I/O manager `{name}`");
            problems.unknown(position, message, name, self.io_managers.iter().copied());
        }
    }
}

/// Reads the asset `entry`. What cannot be read is a problem, and something else stands in its place, so that what
/// depends on the asset can be checked still.
pub(super) fn read(entry: &Entry, known: &Known<'_>, problems: &Problems) -> Asset {
    let what = format!("the asset `{}`", entry.key);
    let fields = Fields::new(&entry.node, &entry.position, &what, keys::ASSET, problems);
    let key = asset_key(&entry.key, &entry.position, problems);
    let description = fields.text("description").map(|(text, _)| text.to_owned());
    let group = fields.text("group").map(|(text, position)| {
        if !is_name(text) {
            problems.at(position, format!("the group {text:?} {NAME_RULE}"));
        }
        text.to_owned()
    });
    let op = op(&fields, known.builtins, problems);
    let inputs = inputs(&fields, known, problems);
    let deps = fields.texts("deps");
    for (name, position) in &deps {
        known.check_asset(name, position, problems);
    }
    let config = fields.setting("config");
    let metadata = metadata(&fields, problems);
    let io = fields.text("io").map(|(name, position)| {
        known.check_io_manager(name, position, problems);
        name
    });
    if fields.get("type").is_none() {
        let help = "say `type = \"json\"`, `\"text\"`, `\"bytes\"`, or `\"none\"` where nothing is stored";
        fields.missing("type", help);
    }
    let value_type = fields.choice("type", VALUE_TYPES);
    let media_type = fields.get("media_type").and_then(|entry| media_type(&entry.node, value_type, problems));
    if value_type == Some(ValueType::None) {
        for entry in ["io", "config", "media_type"].iter().filter_map(|key| fields.get(key)) {
            problems.at(
                &entry.position,
                format!("{what} stores no value (`type = \"none\"`), so it takes no `{}`", entry.key),
            );
        }
    }
    let value_type = value_type.unwrap_or(ValueType::Bytes);
    let io = if value_type == ValueType::None { None } else { io.or(known.default_io) };
    if io.is_none() && value_type != ValueType::None && fields.get("io").is_none() && fields.get("type").is_some() {
        fields.missing("io", "name the I/O manager that stores it, here or as `io` under `[defaults]`");
    }
    Asset {
        name: entry.key.clone(),
        key,
        position: entry.position.clone(),
        description,
        group,
        value_type,
        media_type: media_type.or_else(|| value_type.media_type().map(str::to_owned)),
        op: op.unwrap_or(Op::Command(Vec::new())),
        inputs,
        deps: deps.into_iter().map(|(name, _)| name.to_owned()).collect(),
        io: io.map(str::to_owned),
        config,
        metadata,
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

fn op(fields: &Fields<'_>, builtins: Builtins, problems: &Problems) -> Option<Op> {
    match (fields.get("command"), fields.get("component")) {
        (Some(command), Some(_)) => {
            let message = format!("{} has both `command` and `component`: one of them computes it", fields.what);
            problems.at(&command.position, message);
            None
        }
        (None, None) => {
            fields.missing(
                "command",
                "say what computes it: `command = [\"python3\", \"…\"]` or `component = \"….wasm\"`",
            );
            None
        }
        (Some(_), None) => {
            let nodes = fields.list("command");
            let arguments: Vec<Setting> =
                nodes.iter().filter_map(|node| text_setting(node, "an argument of `command`", problems)).collect();
            let entry = fields.get("command")?;
            let empty = Setting::Text(String::new());
            if matches!(&entry.node.tree, Tree::List(nodes) if nodes.is_empty()) || arguments.first() == Some(&empty) {
                problems.at(&entry.node.position, "`command` begins with the program to run");
                return None;
            }
            (arguments.len() == nodes.len() && !nodes.is_empty()).then_some(Op::Command(arguments))
        }
        (None, Some(entry)) => {
            if let Tree::Text(_) = entry.node.tree {
                return component::source(&entry.node, builtins, problems)
                    .map(|source| Op::Component(Box::new(component::plain(source))));
            }
            let what = format!("`component` of {}", fields.what);
            let fields = Fields::new(&entry.node, &entry.position, &what, keys::OP_COMPONENT, problems);
            entry.node.entries()?;
            Some(Op::Component(Box::new(component::read(&fields, &component::OP, builtins, problems))))
        }
    }
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
        _ => Some(media_type.to_owned()),
    }
}

fn inputs(fields: &Fields<'_>, known: &Known<'_>, problems: &Problems) -> Vec<Input> {
    let Some(entry) = fields.get("inputs") else { return Vec::new() };
    let inputs: Vec<Input> = match &entry.node.tree {
        Tree::List(nodes) => nodes.iter().filter_map(|node| listed_input(node, problems)).collect(),
        Tree::Table(entries) => entries.iter().filter_map(|entry| named_input(entry, problems)).collect(),
        _ => {
            problems.wrong_kind(&entry.node, "`inputs`", "an array of assets, or a table of them by name");
            Vec::new()
        }
    };
    for (index, input) in inputs.iter().enumerate() {
        known.check_asset(&input.asset, &input.position, problems);
        let shared = |other: &Input| Some((other.name.clone(), shared_variable(&other.name, &input.name)?));
        if let Some((other, variable)) = inputs.iter().take(index).find_map(shared) {
            let message = if other == input.name {
                format!("two inputs are named `{}`", input.name)
            } else {
                format!(
                    "the inputs `{other}` and `{}` differ too little: a command finds something of both in {variable}",
                    input.name
                )
            };
            problems.push(
                super::Diagnostic::at(&input.position, message).help("name them: `inputs = { NAME = \"ASSET\", … }`"),
            );
        }
    }
    inputs
}

/// `AIRLOCK_INPUT_DAILY_WEATHER` for the input `daily-weather`: where a command finds the path of its file.
pub(crate) fn environment_name(input: &str) -> String {
    let upper = |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_uppercase() } else { '_' };
    format!("AIRLOCK_INPUT_{}", input.chars().map(upper).collect::<String>())
}

/// `AIRLOCK_INPUT_DAILY_WEATHER_MEDIA_TYPE`: where a command finds the media type of an input.
pub(crate) fn media_type_name(input: &str) -> String {
    format!("{}_MEDIA_TYPE", environment_name(input))
}

/// A variable in which a command would find something of both inputs.
fn shared_variable(a: &str, b: &str) -> Option<String> {
    let of_b = [environment_name(b), media_type_name(b)];
    [environment_name(a), media_type_name(a)].into_iter().find(|name| of_b.contains(name))
}

fn listed_input(node: &Node, problems: &Problems) -> Option<Input> {
    let (asset, position) = text(node, "an entry of `inputs`", problems)?;
    let name = asset.rsplit('/').next().unwrap_or(asset);
    check_input_name(name, position, problems);
    Some(input(name, asset, position))
}

fn named_input(entry: &Entry, problems: &Problems) -> Option<Input> {
    check_input_name(&entry.key, &entry.position, problems);
    let what = format!("the input `{}`", entry.key);
    match &entry.node.tree {
        Tree::Text(asset) => Some(input(&entry.key, asset, &entry.node.position)),
        Tree::Table(_) => {
            let fields = Fields::new(&entry.node, &entry.position, &what, keys::INPUT, problems);
            let metadata = metadata(&fields, problems);
            let config = fields.setting("config");
            if fields.get("asset").is_none() {
                fields.missing("asset", "name the asset to load");
            }
            let (asset, position) = fields.text("asset")?;
            Some(Input { config, metadata, ..input(&entry.key, asset, position) })
        }
        _ => {
            problems.wrong_kind(&entry.node, &what, "the name of an asset, or a table");
            None
        }
    }
}

fn input(name: &str, asset: &str, position: &Position) -> Input {
    let (name, asset, position) = (name.to_owned(), asset.to_owned(), position.clone());
    Input { name, asset, position, config: None, metadata: Vec::new() }
}

fn check_input_name(name: &str, position: &Position, problems: &Problems) {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.bytes().all(valid) || !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        let message =
            format!("{name:?} is not the name of an input: a letter or `_`, then letters, digits, `_` and `-`");
        problems.push(super::Diagnostic::at(position, message).help("name it: `inputs = { NAME = \"ASSET\", … }`"));
    }
}

fn metadata(fields: &Fields<'_>, problems: &Problems) -> Vec<MetadataEntry> {
    let entries = fields.named("metadata");
    if let Some(entry) = entries.get(limits::METADATA_ENTRIES) {
        problems.at(&entry.position, format!("`metadata` has more than {} entries", limits::METADATA_ENTRIES));
    }
    entries.iter().filter_map(|entry| metadata_entry(entry, problems)).collect()
}

fn metadata_entry(entry: &Entry, problems: &Problems) -> Option<MetadataEntry> {
    if entry.key.is_empty() || entry.key.len() > limits::METADATA_LABEL_BYTES {
        let message = format!("the label of a metadata entry has 1 to {} bytes", limits::METADATA_LABEL_BYTES);
        problems.at(&entry.position, message);
    }
    let value = match &entry.node.tree {
        Tree::Boolean(value) => MetadataValue::Boolean(*value),
        Tree::Integer(value) => MetadataValue::Int(*value),
        Tree::Float(value) => match json(&entry.node, problems)? {
            serde_json::Value::Number(_) => MetadataValue::Float(*value),
            other => MetadataValue::Json(other),
        },
        Tree::Text(value) => MetadataValue::Text(value.clone()),
        Tree::Datetime(value) => MetadataValue::Tagged("timestamp".to_owned(), value.clone()),
        Tree::List(_) | Tree::Table(_) => MetadataValue::Json(json(&entry.node, problems)?),
    };
    Some(MetadataEntry { label: entry.key.clone(), value })
}

/// The JSON document that `node` is; it is recorded, so the environment cannot be named in it.
fn json(node: &Node, problems: &Problems) -> Option<serde_json::Value> {
    match &node.tree {
        Tree::Table(_) if node.get("$env").is_some() => {
            problems.wrong_kind(node, "metadata", "recorded");
            None
        }
        Tree::Table(entries) => {
            let entry = |entry: &Entry| Some((entry.key.clone(), json(&entry.node, problems)?));
            entries.iter().map(entry).collect::<Option<serde_json::Map<_, _>>>().map(Into::into)
        }
        Tree::List(nodes) => nodes.iter().map(|node| json(node, problems)).collect::<Option<Vec<_>>>().map(Into::into),
        Tree::Boolean(value) => Some((*value).into()),
        Tree::Integer(value) => Some((*value).into()),
        Tree::Float(value) if !value.is_finite() => {
            problems.at(&node.position, "a number in a metadata document is finite, since it is kept as JSON");
            None
        }
        Tree::Float(value) => Some((*value).into()),
        Tree::Text(value) | Tree::Datetime(value) => Some(value.as_str().into()),
    }
}
