//! Reads the inputs of an asset.

use std::collections::HashMap;

use super::fields::{Fields, Problems, text};
use super::known::{Known, Mistaken, Upstream};
use super::table::{By, Form, columns, form};
use super::tree::{Entry, Node, Tree};
use super::{Diagnostic, Input, Position, ValueType, keys, metadata, partition_mapping};
use crate::partition::PartitionMapping;

/// The asset whose inputs are read.
pub(super) struct Reader<'a> {
    pub known: &'a Known<'a>,
    /// What is given the inputs.
    pub by: By,
    /// The form in which a command finds tables where an input does not say otherwise.
    pub form: Form,
    /// The name of the partitions of the asset.
    pub partitions: Option<&'a str>,
    pub problems: &'a Problems,
}

impl Reader<'_> {
    /// The `inputs` of the asset `fields`.
    pub fn read(&self, fields: &Fields<'_>) -> Vec<Input> {
        let Some(entry) = fields.get("inputs") else { return Vec::new() };
        let inputs: Vec<Input> = match &entry.node.tree {
            Tree::List(nodes) => nodes.iter().filter_map(|node| self.listed(node)).collect(),
            Tree::Table(entries) => entries.iter().filter_map(|entry| self.named(entry)).collect(),
            _ => {
                self.problems.wrong_kind(&entry.node, "`inputs`", "an array of assets, or a table of them by name");
                Vec::new()
            }
        };
        check_names(&inputs, self.problems);
        inputs
    }

    fn listed(&self, node: &Node) -> Option<Input> {
        let (asset, position) = text(node, "an entry of `inputs`", self.problems)?;
        let name = asset.rsplit('/').next().unwrap_or(asset);
        check_name(name, position, self.problems);
        Some(self.input(name, asset, position, None))
    }

    fn named(&self, entry: &Entry) -> Option<Input> {
        check_name(&entry.key, &entry.position, self.problems);
        let what = format!("the input `{}`", entry.key);
        match &entry.node.tree {
            Tree::Text(asset) => Some(self.input(&entry.key, asset, &entry.node.position, None)),
            Tree::Table(_) => {
                let fields = Fields::new(&entry.node, &entry.position, &what, keys::INPUT, self.problems);
                if fields.get("asset").is_none() {
                    fields.missing("asset", "name the asset to load");
                }
                let (asset, position) = fields.text("asset")?;
                Some(self.input(&entry.key, asset, position, Some(&fields)))
            }
            _ => {
                self.problems.wrong_kind(&entry.node, &what, "the name of an asset, or a table");
                None
            }
        }
    }

    /// The input `name` of `asset`, and what `fields` say more of it.
    fn input(&self, name: &str, asset: &str, position: &Position, fields: Option<&Fields<'_>>) -> Input {
        let problems = self.problems;
        let upstream = self.known.asset(asset, position, problems);
        let value_type = upstream.and_then(|upstream| upstream.value_type);
        if value_type == Some(ValueType::None) {
            let message = format!("`{asset}` has no value to load: it is defined with `type = \"none\"`");
            let help = "to run after it without loading it, name it in `deps` instead of `inputs`";
            problems.push(Diagnostic::at(position, message).help(help));
        }
        let given = fields.and_then(|fields| form(fields, &format!("`{asset}`"), value_type, self.by, problems));
        let is_converted = value_type == Some(ValueType::Table) && self.by == By::Command;
        Input {
            name: name.to_owned(),
            asset: asset.to_owned(),
            position: position.clone(),
            partition_mapping: self.partition_mapping(fields, upstream),
            allow_missing: fields.is_some_and(|fields| self.allow_missing(fields, upstream)),
            form: is_converted.then_some(given.unwrap_or(self.form)),
            columns: fields.and_then(|fields| columns(fields, upstream, problems)),
            io: fields.and_then(|fields| self.io(fields)),
            config: fields.and_then(|fields| fields.setting("config")),
            metadata: fields.map(|fields| metadata::read(fields, problems)).unwrap_or_default(),
        }
    }

    /// Which partitions of `upstream` are loaded: as `fields` say, otherwise as follows from how both are partitioned.
    fn partition_mapping(&self, fields: Option<&Fields<'_>>, upstream: Option<&Upstream<'_>>) -> PartitionMapping {
        let entry = fields.and_then(|fields| fields.get("partition_mapping"));
        let given = entry.map(|entry| partition_mapping::read(entry, self.problems));
        let downstream = self.known.partitions(self.partitions);
        let upstream = upstream.ok_or(Mistaken).and_then(|upstream| self.known.partitions(upstream.partitions));
        let (Ok(downstream), Ok(upstream)) = (downstream, upstream) else { return PartitionMapping::All };
        if let (Some(entry), Some(Some(given))) = (entry, given) {
            if let Err(reason) = given.check(downstream, upstream) {
                self.problems.at(&entry.position, reason);
            }
            return given;
        }
        PartitionMapping::inferred(downstream, upstream)
    }

    /// The I/O manager that loads it instead of the one that stores the asset.
    fn io(&self, fields: &Fields<'_>) -> Option<String> {
        let (name, position) = fields.text("io")?;
        self.known.check_io_manager(name, position, self.problems);
        Some(name.to_owned())
    }

    fn allow_missing(&self, fields: &Fields<'_>, upstream: Option<&Upstream<'_>>) -> bool {
        let given = fields.boolean("allow_missing");
        if let (Some((_, position)), Some(Upstream { partitions: None, .. })) = (given, upstream) {
            let message = format!("{} has no partitions of which one could be missing", fields.what);
            self.problems.push(Diagnostic::at(position, message).help("leave `allow_missing` out"));
        }
        given.is_some_and(|(allowed, _)| allowed)
    }
}

/// That a command could not tell two of `inputs` apart is a problem.
fn check_names(inputs: &[Input], problems: &Problems) {
    let mut variables: HashMap<String, &Input> = HashMap::new();
    for input in inputs {
        let name = &input.name;
        let of_input = [environment_name(name), media_type_name(name), partitions_name(name)];
        let shared = of_input.iter().find_map(|variable| Some((*variables.get(variable)?, variable)));
        if let Some((other, variable)) = shared {
            let message = if other.name == input.name {
                format!("two inputs are named `{}`", input.name)
            } else {
                let other = &other.name;
                format!(
                    "the inputs `{other}` and `{}` differ too little: a command finds something of both in {variable}",
                    input.name
                )
            };
            problems
                .push(Diagnostic::at(&input.position, message).help("name them: `inputs = { NAME = \"ASSET\", … }`"));
        }
        for variable in of_input {
            variables.entry(variable).or_insert(input);
        }
    }
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

/// `AIRLOCK_INPUT_DAILY_WEATHER_PARTITIONS`: where a command finds the path of the list of the partitions of an input.
pub(crate) fn partitions_name(input: &str) -> String {
    format!("{}_PARTITIONS", environment_name(input))
}

fn check_name(name: &str, position: &Position, problems: &Problems) {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.bytes().all(valid) || !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
        let message =
            format!("{name:?} is not the name of an input: a letter or `_`, then letters, digits, `_` and `-`");
        problems.push(Diagnostic::at(position, message).help("name it: `inputs = { NAME = \"ASSET\", … }`"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{definitions, messages};
    use super::*;

    const HEAD: &str = r#"
        defaults.io = "lake"
        io.lake.component = "builtin:files"
        partitions.days.daily = { start = "2024-01-01" }
        partitions.cities.static = ["oslo", "rome"]
        assets.daily = { command = ["x"], type = "json", partitions = "days" }
        assets.city = { command = ["x"], type = "json", partitions = "cities" }
        assets.raw = { command = ["x"], type = "json" }
    "#;

    #[test]
    fn an_input_loads_the_partitions_that_are_given_or_follow() {
        let definitions = definitions(&format!(
            r#"{HEAD}
            [assets.a]
            command = ["x"]
            type = "json"
            partitions = "days"
            inputs.same = "daily"
            inputs.whole = "raw"
            inputs.city = "city"
            inputs.all = {{ asset = "daily", partition_mapping = "all", allow_missing = true }}
            inputs.week = {{ asset = "daily", partition_mapping = {{ time_window = {{ start_offset = -6 }} }} }}
            "#
        ));
        let asset = definitions.asset("a").unwrap();
        assert_eq!(asset.partitions.as_deref(), Some("days"));
        let window = |start_offset| PartitionMapping::TimeWindow { start_offset, end_offset: 0 };
        let expected =
            [window(0), PartitionMapping::All, PartitionMapping::Identity, PartitionMapping::All, window(-6)];
        let mappings: Vec<PartitionMapping> =
            asset.inputs.iter().map(|input| input.partition_mapping.clone()).collect();
        assert_eq!(mappings, expected);
        let missing: Vec<bool> = asset.inputs.iter().map(|input| input.allow_missing).collect();
        assert_eq!(missing, [false, false, false, true, false]);
        assert!(definitions.partitions_definition("days").is_some());
        assert_eq!(definitions.partitions().len(), 2);
    }

    #[test]
    fn what_does_not_go_with_the_partitions_is_a_mistake() {
        let given = |partitions: &str, input: &str| {
            format!("assets.a = {{ command = [\"x\"], type = \"none\", {partitions} inputs.i = {{ {input} }} }}")
        };
        let days = "partitions = \"days\",";
        for (asset, expected) in [
            (given("partitions = \"day\",", r#"asset = "daily""#), "there are no partitions `day`"),
            (given("partitions = 3,", r#"asset = "daily""#), "`partitions` is a text, and this is an integer"),
            (
                given(days, r#"asset = "raw", partition_mapping = "identity""#),
                "`identity` is between partitions, and the asset that is loaded has none",
            ),
            (
                given("", r#"asset = "daily", partition_mapping = "identity""#),
                "`identity` is between partitions, and the asset that loads has none",
            ),
            (
                given("", r#"asset = "raw", allow_missing = true"#),
                "the input `i` has no partitions of which one could be missing",
            ),
            ("partitions.x = 3".to_owned(), "the partitions `x` is a table, and this is an integer"),
        ] {
            assert_eq!(messages(&format!("{HEAD}\n{asset}\n")), [expected], "{asset}");
        }
    }

    #[test]
    fn partitions_that_are_a_mistake_are_no_mistake_of_those_who_use_them() {
        let text = format!(
            "{HEAD}\npartitions.x.daily = {{ start = \"soon\" }}\n\
             assets.x = {{ command = [\"x\"], type = \"json\", partitions = \"x\" }}\n\
             assets.y = {{ command = [\"x\"], type = \"none\", partitions = \"x\", \
             inputs.i = {{ asset = \"x\", partition_mapping = \"identity\" }} }}\n"
        );
        let found = messages(&text);
        assert!(matches!(found.as_slice(), [only] if only.starts_with("`start` is \"soon\"")), "{found:?}");
    }
}
