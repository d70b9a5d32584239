//! What a call by hand is about: an asset or the output of a step of a job, or a part of either.

use std::str::FromStr;

use airlock_pipeline::definitions::OutputReference;
use airlock_pipeline::partition::value_name;
use airlock_sandbox::context::StoredOutput;
use airlock_sandbox::layout::Location;
use airlock_sandbox::partition::{MAPPING_KEY_BYTES, PartitionKey, Partitions, is_mapping_key};
use clap::Args;

/// The output that is no output of a step of its own name.
const RESULT: &str = "result";
/// The run of an output, where none is named.
const RUN: &str = "call";

/// What a call is about.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is stored or loaded")]
pub struct SubjectArguments {
    /// An asset: the parts of its key joined by `/`
    #[arg(long, value_name = "KEY", required_unless_present = "step")]
    asset: Option<AssetName>,
    /// The partition of the asset; of several dimensions once for each
    #[arg(long, value_name = "DIMENSION=KEY", requires = "asset", conflicts_with = "step")]
    partition: Vec<Dimension>,
    /// An output of a step of a job: STEP for its `result`, or STEP.OUTPUT
    #[arg(long, value_name = "STEP", conflicts_with = "asset")]
    step: Option<StepOutput>,
    /// The id of the run that the output is of; `call` where none is given
    #[arg(long, value_name = "RUN", requires = "step", conflicts_with = "asset", value_parser = not_empty)]
    run: Option<String>,
    /// The element of a dynamic output
    #[arg(long, value_name = "KEY", requires = "step", conflicts_with = "asset", value_parser = mapping_key)]
    mapping_key: Option<String>,
}

/// An asset key, its parts joined by `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct AssetName(Vec<String>);

impl FromStr for AssetName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<String> = text.split('/').map(str::to_owned).collect();
        if parts.iter().any(String::is_empty) {
            return Err("a key has parts that are not empty, joined by `/`".to_owned());
        }
        Ok(Self(parts))
    }
}

/// The key of a step and the name of an output of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct StepOutput(OutputReference);

impl FromStr for StepOutput {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (step, output) = text.split_once('.').unwrap_or((text, RESULT));
        if step.is_empty() || output.is_empty() {
            return Err("write STEP, or STEP.OUTPUT".to_owned());
        }
        Ok(Self(OutputReference { step: step.to_owned(), output: output.to_owned() }))
    }
}

/// The name of a dimension and a key in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Dimension(String, String);

impl FromStr for Dimension {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, key)) if !name.is_empty() => Ok(Self(name.to_owned(), key.to_owned())),
            _ => Err("write DIMENSION=KEY, such as days=2026-01-31".to_owned()),
        }
    }
}

fn not_empty(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("an id is not empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn mapping_key(text: &str) -> Result<String, String> {
    if is_mapping_key(text) {
        return Ok(text.to_owned());
    }
    Err(format!("a mapping key has 1 to {MAPPING_KEY_BYTES} of A-Z, a-z, 0-9 and _"))
}

impl SubjectArguments {
    /// What it is called; of a part its key in brackets.
    pub fn name(&self) -> String {
        let name = match &self.step {
            Some(StepOutput(output)) => output.to_string(),
            None => self.asset_key().unwrap_or_default().join("/"),
        };
        value_name(&name, self.partitions().keys().first().map(|key| key.key.as_str()))
    }

    /// The key of the asset, where it is one.
    pub fn asset_key(&self) -> Option<Vec<String>> {
        self.asset.as_ref().map(|asset| asset.0.clone())
    }

    /// The run, where it is of one.
    fn run(&self) -> &str {
        self.run.as_deref().unwrap_or(RUN)
    }

    /// Where it lies below a mount; a part of it lies below that.
    pub fn location(&self) -> Location {
        match &self.step {
            Some(StepOutput(output)) => Location::output(self.run(), &output.step, &output.output),
            None => Location::asset(&self.asset_key().unwrap_or_default()),
        }
    }

    /// The part of it that is meant.
    pub fn partitions(&self) -> Partitions {
        let key = match (&self.mapping_key, self.partition.is_empty()) {
            (Some(key), _) => Some(PartitionKey::of_mapping_key(key)),
            (None, true) => None,
            (None, false) => {
                let mut dimensions = self.partition.clone();
                dimensions.sort_unstable();
                let keys: Vec<&str> = dimensions.iter().map(|Dimension(_, key)| key.as_str()).collect();
                let key = keys.join("|");
                Some(PartitionKey {
                    key,
                    dimensions: dimensions.into_iter().map(|Dimension(name, key)| (name, key)).collect(),
                })
            }
        };
        Partitions::new(key.into_iter().collect(), None, None)
    }

    /// What is known of it as it was stored.
    pub fn stored(&self) -> StoredOutput {
        let output = self.step.as_ref().map(|step| &step.0);
        StoredOutput {
            run_id: output.map(|_| self.run().to_owned()),
            step_key: output.map(|output| output.step.clone()),
            output_name: output.map_or(RESULT, |output| &output.output).to_owned(),
            mapping_key: self.mapping_key.clone(),
            ..StoredOutput::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        subject: SubjectArguments,
    }

    fn subject(arguments: &[&str]) -> SubjectArguments {
        Line::try_parse_from([&["call"], arguments].concat()).unwrap().subject
    }

    /// Where the only part of it lies.
    fn place(arguments: &[&str]) -> String {
        let subject = subject(arguments);
        let places = subject.partitions().locations(&subject.location());
        places.iter().map(Location::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_key_has_parts_and_none_is_empty() {
        assert_eq!("a/b".parse(), Ok(AssetName(vec!["a".to_owned(), "b".to_owned()])));
        for wrong in ["", "/a", "a//b", "a/"] {
            assert!(wrong.parse::<AssetName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_called_for_lies_where_a_run_would_put_it() {
        assert_eq!(place(&["--asset", "a/b"]), "a/b");
        assert_eq!(place(&["--asset", "a", "--partition", "r=eu", "--partition", "d=1"]), "a/d=1/r=eu");
        assert_eq!(place(&["--step", "clean"]), "runs=call/clean/result");
        assert_eq!(place(&["--step", "count[fox].rows", "--run", "r1"]), "runs=r1/count%5bfox%5d/rows");
        assert_eq!(place(&["--step", "list.files", "--mapping-key", "fox"]), "runs=call/list/files/mapping_key=fox");
    }

    #[test]
    fn a_part_is_called_by_its_key() {
        let name = |arguments: &[&str]| subject(arguments).name();
        assert_eq!(name(&["--asset", "a/b"]), "a/b");
        assert_eq!(name(&["--asset", "a", "--partition", "r=eu", "--partition", "d=1"]), "a[1|eu]");
        assert_eq!(name(&["--step", "list.files", "--mapping-key", "fox"]), "list.files[fox]");
        assert_eq!(name(&["--step", "clean.result"]), "clean");
    }

    #[test]
    fn what_is_loaded_was_stored_by_the_run_and_step_that_are_named() {
        let stored = subject(&["--step", "list.files", "--run", "r1", "--mapping-key", "fox"]).stored();
        assert_eq!((stored.run_id.as_deref(), stored.step_key.as_deref()), (Some("r1"), Some("list")));
        assert_eq!((stored.output_name.as_str(), stored.mapping_key.as_deref()), ("files", Some("fox")));
        let stored = subject(&["--asset", "a"]).stored();
        assert_eq!(stored, StoredOutput { output_name: "result".to_owned(), ..StoredOutput::default() });
    }

    #[test]
    fn an_asset_or_an_output_is_named_and_never_a_part_of_the_other() {
        for wrong in [
            &[][..],
            &["--asset", "a", "--step", "b"],
            &["--asset", "a", "--run", "r"],
            &["--asset", "a", "--mapping-key", "k"],
            &["--step", "a", "--partition", "d=1"],
            &["--step", ".rows"],
            &["--step", "a", "--mapping-key", "a-b"],
            &["--step", "a", "--run", ""],
            &["--asset", "a", "--partition", "2026"],
        ] {
            assert!(Line::try_parse_from([&["call"], wrong].concat()).is_err(), "{wrong:?}");
        }
    }
}
