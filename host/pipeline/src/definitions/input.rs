//! Reads the inputs of an asset, or of a step of a job.

use std::collections::HashMap;

use super::dimension_mapping::Sides;
use super::fields::{Fields, Problems, setting, text};
use super::known::{Known, Mistaken, Steps, Upstream};
use super::output::{VALUE_TYPES, media_type};
use super::table::{By, Form, columns, form};
use super::tree::{Entry, Node, Tree};
use super::variables::{environment_name, media_type_name, partitions_name};
use super::{Diagnostic, Input, InputSource, Position, ValueType, keys, metadata, partition_mapping};
use crate::partition::PartitionMapping;

/// The asset or step whose inputs are read.
pub(super) struct Reader<'a> {
    pub known: &'a Known<'a>,
    /// What is given the inputs.
    pub by: By,
    /// The form in which a command finds tables where an input does not say otherwise.
    pub form: Form,
    /// The name of the partitions of the asset.
    pub partitions: Option<&'a str>,
    /// The steps of the job, where a step of it has the inputs.
    pub steps: Option<&'a Steps<'a>>,
    pub problems: &'a Problems,
}

/// What is said of the load of an asset alone.
const OF_AN_ASSET: [&str; 2] = ["partition_mapping", "allow_missing"];
/// What is said of a load.
const OF_A_LOAD: [&str; 6] = ["as", "columns", "media_type", "io", "config", "metadata"];

/// Where an input comes from, and what is known of that.
struct Found<'a> {
    source: InputSource,
    /// Of each that gives it.
    upstreams: Vec<&'a Upstream<'a>>,
    value_type: Option<ValueType>,
    position: &'a Position,
}

impl<'a> Reader<'a> {
    /// The `inputs` of the asset or step `fields`.
    pub fn read(&self, fields: &Fields<'a>) -> Vec<Input> {
        let Some(entry) = fields.get("inputs") else { return Vec::new() };
        let inputs: Vec<Input> = match &entry.node.tree {
            Tree::List(nodes) if self.steps.is_none() => nodes.iter().filter_map(|node| self.listed(node)).collect(),
            Tree::Table(entries) => entries.iter().filter_map(|entry| self.named(entry)).collect(),
            _ => {
                self.problems.wrong_kind(&entry.node, "`inputs`", "an array of assets, or a table of them by name");
                Vec::new()
            }
        };
        check_names(&inputs, self.problems);
        inputs
    }

    fn listed(&self, node: &'a Node) -> Option<Input> {
        let (asset, position) = text(node, "an entry of `inputs`", self.problems)?;
        let name = asset.rsplit('/').next().unwrap_or(asset);
        check_name(name, position, self.problems);
        Some(self.input(name, self.asset(asset, position), None))
    }

    fn named(&self, entry: &'a Entry) -> Option<Input> {
        check_name(&entry.key, &entry.position, self.problems);
        let what = format!("the input `{}`", entry.key);
        match &entry.node.tree {
            Tree::Text(asset) => Some(self.input(&entry.key, self.asset(asset, &entry.node.position), None)),
            Tree::Table(_) => {
                let known = if self.steps.is_some() { keys::STEP_INPUT } else { keys::INPUT };
                let fields = Fields::new(&entry.node, &entry.position, &what, known, self.problems);
                let found = self.source(entry, &fields)?;
                Some(self.input(&entry.key, found, Some(&fields)))
            }
            _ => {
                let wanted = match self.steps {
                    Some(_) => "the name of a step, an array of these, or a table",
                    None => "the name of an asset, or a table",
                };
                self.problems.wrong_kind(&entry.node, &what, wanted);
                None
            }
        }
    }

    /// Where the input `entry`, which `fields` describe, comes from.
    fn source(&self, entry: &'a Entry, fields: &Fields<'_>) -> Option<Found<'a>> {
        let mut given = keys::SOURCES.iter().filter_map(|key| entry.node.get(key));
        let source = match (given.next(), given.next()) {
            (Some(source), None) => source,
            (Some(_), Some(second)) => {
                let message = format!("{} comes from one place: leave out all but one of them", fields.what);
                self.problems.at(&second.position, message);
                return None;
            }
            (None, _) => return self.unconnected(entry, fields),
        };
        if source.key != "asset" {
            self.refuse(fields, &OF_AN_ASSET, "loads no asset, so it takes");
        }
        if let Some(entry) = fields.get("type") {
            let message = format!("{} has the type of what it comes from: leave `type` out", fields.what);
            self.problems.at(&entry.position, message);
        }
        match (source.key.as_str(), self.steps) {
            ("asset", _) => {
                let (asset, position) = text(&source.node, "`asset`", self.problems)?;
                Some(self.asset(asset, position))
            }
            ("value", _) => {
                self.refuse(fields, &OF_A_LOAD, "is a constant, so it takes");
                let value = InputSource::Value(setting(&source.node, self.problems));
                Some(Found { source: value, upstreams: Vec::new(), value_type: None, position: &source.position })
            }
            (_, Some(steps)) => self.outputs(source, steps),
            (_, None) => None,
        }
    }

    /// An input that an I/O manager finds by itself.
    fn unconnected(&self, entry: &'a Entry, fields: &Fields<'_>) -> Option<Found<'a>> {
        if fields.get("io").is_none() {
            match self.steps {
                None => fields.missing("asset", "name the asset to load"),
                Some(_) => fields.missing(
                    "from",
                    "name the step that gives it: `from = \"STEP\"`; or load an `asset`, give a `value`, or name the \
                     `io` that finds it",
                ),
            }
            return None;
        }
        self.refuse(fields, &OF_AN_ASSET, "loads no asset, so it takes");
        if fields.get("type").is_none() {
            fields.missing("type", "say what is loaded: `type = \"table\"`, `\"json\"`, `\"text\"` or `\"bytes\"`");
        }
        let value_type = fields.choice("type", &VALUE_TYPES[..4])?;
        let source = InputSource::Unconnected { value_type };
        Some(Found { source, upstreams: Vec::new(), value_type: Some(value_type), position: &entry.position })
    }

    fn asset(&self, asset: &str, position: &'a Position) -> Found<'a> {
        let upstream = self.known.asset(asset, position, self.problems);
        let value_type = upstream.and_then(|upstream| upstream.value_type);
        if value_type == Some(ValueType::None) {
            let message = format!("`{asset}` has no value to load: it is defined with `type = \"none\"`");
            let help = "to run after it without loading it, name it in `deps` instead of `inputs`";
            self.problems.push(Diagnostic::at(position, message).help(help));
        }
        let upstreams = upstream.into_iter().collect();
        Found { source: InputSource::Asset(asset.to_owned()), upstreams, value_type, position }
    }

    /// The outputs of `steps` that `source` names.
    fn outputs(&self, source: &'a Entry, steps: &'a Steps<'a>) -> Option<Found<'a>> {
        let what = format!("`{}`", source.key);
        let one = |node: &'a Node| {
            let (name, position) = text(node, &what, self.problems)?;
            let (output, upstream) = steps.output(name, position, self.problems)?;
            if upstream.value_type == Some(ValueType::None) {
                let message = format!("`{output}` has no value to load: it is defined with `type = \"none\"`");
                let help = "to run after it without loading it, name its step in `deps`";
                self.problems.push(Diagnostic::at(position, message).help(help));
            }
            Some((output, upstream))
        };
        let found = |source, upstreams: Vec<&'a Upstream<'a>>, position| {
            let value_type = upstreams.first().and_then(|upstream| upstream.value_type);
            Some(Found { source, upstreams, value_type, position })
        };
        match &source.node.tree {
            Tree::List(nodes) if source.key == "from" => {
                let outputs: Vec<_> = nodes.iter().map(one).collect::<Option<_>>()?;
                for (place, (output, _)) in outputs.iter().enumerate() {
                    if outputs.iter().take(place).any(|(other, _)| other == output) {
                        self.problems.at(&source.node.position, format!("`from` names `{output}` twice"));
                    }
                }
                let Some((_, first)) = outputs.first() else {
                    self.problems.at(&source.node.position, "`from` names at least one step");
                    return None;
                };
                if outputs.iter().any(|(_, output)| output.value_type != first.value_type) {
                    let message = "the outputs that come together to one input are of one type";
                    self.problems.at(&source.node.position, message);
                }
                let list = outputs.iter().map(|(output, _)| output.clone()).collect();
                let upstreams = outputs.iter().map(|(_, upstream)| *upstream).collect();
                found(InputSource::FromSeveral(list), upstreams, &source.node.position)
            }
            _ => {
                let (output, upstream) = one(&source.node)?;
                let source_of = if source.key == "each" { InputSource::Each } else { InputSource::From };
                found(source_of(output), vec![upstream], &source.node.position)
            }
        }
    }

    /// That each of `refused` that `fields` have is a mistake.
    fn refuse(&self, fields: &Fields<'_>, refused: &[&str], why: &str) {
        for entry in refused.iter().filter_map(|key| fields.get(key)) {
            self.problems.at(&entry.position, format!("{} {why} no `{}`", fields.what, entry.key));
        }
    }

    /// The input `name` from `found`, and what `fields` say more of it.
    fn input(&self, name: &str, found: Found<'a>, fields: Option<&Fields<'_>>) -> Input {
        let problems = self.problems;
        let Found { source, upstreams, value_type, position } = found;
        let upstream = upstreams.first().copied();
        let whose = || match &source {
            InputSource::Asset(asset) => format!("`{asset}`"),
            source => match source.outputs() {
                [output] => format!("`{output}`"),
                _ => format!("the input `{name}`"),
            },
        };
        let given = fields.and_then(|fields| form(fields, &whose(), value_type, self.by, problems));
        let is_converted = value_type == Some(ValueType::Table) && self.by == By::Command;
        Input {
            name: name.to_owned(),
            position: position.clone(),
            partition_mapping: match source {
                InputSource::Asset(_) => self.partition_mapping(fields, upstream, position),
                _ => PartitionMapping::All,
            },
            allow_missing: matches!(source, InputSource::Asset(_))
                && fields.is_some_and(|fields| self.allow_missing(fields, upstream)),
            form: is_converted.then_some(given.unwrap_or(self.form)),
            columns: fields.and_then(|fields| {
                // All that give it must have them.
                for other in upstreams.iter().skip(1) {
                    columns(fields, value_type, Some(other), problems);
                }
                columns(fields, value_type, upstream, problems)
            }),
            media_type: fields.and_then(|fields| {
                let entry = fields.get("media_type")?;
                media_type(&entry.node, value_type, problems)
            }),
            io: fields.and_then(|fields| self.io(fields)),
            config: fields.and_then(|fields| fields.configuration("config")),
            metadata: fields.map(|fields| metadata::read(fields, problems)).unwrap_or_default(),
            source,
        }
    }

    /// Which partitions of `upstream` are loaded: as `fields` say, otherwise as follows from how both are partitioned.
    fn partition_mapping(
        &self,
        fields: Option<&Fields<'_>>,
        upstream: Option<&Upstream<'_>>,
        position: &Position,
    ) -> PartitionMapping {
        let given = fields.and_then(|fields| fields.get("partition_mapping"));
        let written = given.map(|entry| partition_mapping::read(entry, self.problems));
        let downstream = self.known.partitions(self.partitions);
        let upstream = upstream.ok_or(Mistaken).and_then(|upstream| self.known.partitions(upstream.partitions));
        // In the place of a mistake stands what makes no other: it says of no asset that it depends on itself.
        let unknown = PartitionMapping::TimeWindow { start_offset: -1, end_offset: -1 };
        let (Ok(downstream), Ok(upstream)) = (downstream, upstream) else { return unknown };
        let sides = Sides { downstream, upstream };
        let mapping = match written {
            Some(written) => written.and_then(|written| sides.resolve(written, self.problems)),
            None => sides.inferred(position, self.problems),
        };
        mapping.unwrap_or(unknown)
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

/// What the name of an input, an output and a step looks like.
pub(super) const NAME_RULE: &str = "is none: it is a letter or `_`, then letters, digits, `_` and `-`";

pub(super) fn is_name(name: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    name.bytes().all(valid) && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

fn check_name(name: &str, position: &Position, problems: &Problems) {
    if !is_name(name) {
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
