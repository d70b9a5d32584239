//! The version of what computes an asset: it changes when the value may come out otherwise for the same inputs.

use std::path::Path;

use airlock_sandbox::limits::COMPONENT_BYTES;
use airlock_sandbox::text::sha256;
use serde_json::json;

use super::context::written;
use super::ready::ReadyOutput;
use super::step::Step;
use crate::definitions::{Asset, ComponentSource, Definitions, Input, Op, Setting};
use crate::partition::PartitionsDefinition;

/// Bytes of a file that a command names, at most, that count.
const SCRIPT_BYTES: u64 = 16 << 20;

/// The version of what computes `asset`, whose component has the digest `digest`: its op with its configuration, what it
/// loads and how, what kind of value it gives, and the configuration by which that is stored. Of a command the files count that its arguments name, as scripts are.
/// References to the environment count as they are written.
pub(super) fn code_version(definitions: &Definitions, asset: &Asset, digest: Option<&str>) -> String {
    let op = match &asset.op {
        Op::Command(words) => json!({ "command": words, "files": scripts(definitions.directory(), words) }),
        Op::External => serde_json::Value::Null,
        Op::Component(used) => {
            json!({ "digest": digest, "config": used.config, "mounts": used.mounts, "environment": used.environment })
        }
    };
    let input = |input: &Input| {
        let upstream = input.asset().and_then(|asset| definitions.asset(asset));
        json!([
            input.name,
            input.source,
            upstream.map(|upstream| partitions(definitions, upstream)),
            upstream.map(|upstream| (
                upstream.output.value_type,
                &upstream.output.media_type,
                written(upstream.output.config.as_ref())
            )),
            manager(definitions, input.io.as_deref().or(upstream.and_then(|upstream| upstream.output.io.as_deref()))),
            input.metadata,
            input.partition_mapping,
            input.allow_missing,
            input.columns,
            input.form,
            input.media_type,
            input.io,
            written(input.config.as_ref()),
        ])
    };
    let inputs: Vec<_> = asset.inputs.iter().map(input).collect();
    let graph: Vec<_> = asset
        .graph
        .iter()
        .flat_map(|graph| &graph.steps)
        .map(|step| {
            let inputs: Vec<_> = step.inputs.iter().map(input).collect();
            let outputs: Vec<_> =
                step.outputs.iter().map(|output| json!([output, manager(definitions, output.io.as_deref())])).collect();
            json!([step.name, step_op(definitions, &step.op), inputs, outputs, step.deps])
        })
        .collect();
    let value = json!([
        asset.output.value_type,
        asset.output.media_type,
        asset.output.form,
        asset.output.schema,
        partitions(definitions, asset)
    ]);
    let io = json!([
        manager(definitions, asset.output.io.as_deref()),
        written(asset.output.config.as_ref()),
        asset.output.metadata
    ]);
    let mut whole = json!({ "op": op, "inputs": inputs, "value": value, "io": io });
    if let (Some(whole), false) = (whole.as_object_mut(), graph.is_empty()) {
        whole.insert("graph".to_owned(), graph.into());
    }
    sha256(whole.to_string().as_bytes())
}

/// What computes a step of a graph: of a component the digest of its file, where that can be read.
fn step_op(definitions: &Definitions, op: &Op) -> serde_json::Value {
    match op {
        Op::Command(words) => json!({ "command": words, "files": scripts(definitions.directory(), words) }),
        Op::External => serde_json::Value::Null,
        Op::Component(used) => {
            let digest = match &used.component {
                ComponentSource::Builtin(name) => Some(format!("builtin:{name}")),
                ComponentSource::File(path) => file_digest(path, COMPONENT_BYTES),
            };
            json!({ "digest": digest, "config": used.config, "mounts": used.mounts, "environment": used.environment })
        }
    }
}

/// Which component the I/O manager `name` is, and its configuration.
fn manager(definitions: &Definitions, name: Option<&str>) -> serde_json::Value {
    let Some(manager) = name.and_then(|name| definitions.io_manager(name)) else { return serde_json::Value::Null };
    let component = match &manager.component.component {
        ComponentSource::Builtin(name) => format!("builtin:{name}"),
        // A project that lies elsewhere is the same.
        ComponentSource::File(path) => path.strip_prefix(definitions.directory()).unwrap_or(path).display().to_string(),
    };
    let parent = self::manager(definitions, manager.parent.as_deref());
    json!([component, manager.component.config, parent])
}

/// How `asset` is cut into partitions, but not which there are, since these come and go.
fn partitions(definitions: &Definitions, asset: &Asset) -> serde_json::Value {
    let name = asset.partitions.as_deref();
    let definition = name.and_then(|name| definitions.partitions_definition(name));
    definition.map_or(serde_json::Value::Null, |definition| json!([name, cut(definition)]))
}

fn cut(definition: &PartitionsDefinition) -> serde_json::Value {
    match definition {
        PartitionsDefinition::Static(_) => json!("static"),
        PartitionsDefinition::Dynamic(_) => json!("dynamic"),
        PartitionsDefinition::Time(time) => json!(time.calendar),
        PartitionsDefinition::Dimensions(dimensions) => {
            dimensions.iter().map(|dimension| json!([dimension.name, cut(&dimension.partitions)])).collect()
        }
    }
}

/// The digests of the files in `directory` that `words` name.
fn scripts(directory: &Path, words: &[Setting]) -> Vec<Option<String>> {
    let digest = |word: &Setting| {
        let Setting::Text(name) = word else { return None };
        file_digest(&directory.join(name), SCRIPT_BYTES)
    };
    words.iter().map(digest).collect()
}

/// The digest of the file at `path`, where it is one of at most `bytes`.
fn file_digest(path: &Path, bytes: u64) -> Option<String> {
    let metadata = path.metadata().ok()?;
    let is_read = metadata.is_file() && metadata.len() <= bytes;
    let bytes = is_read.then(|| std::fs::read(path))?;
    bytes.ok().map(|bytes| sha256(&bytes))
}

impl Step<'_> {
    /// The version of what computes `asset`, the output `ready`: a component of the digest `digest`, or a command.
    pub(super) fn code_version(&self, ready: &ReadyOutput<'_>, asset: &Asset, digest: Option<&str>) -> String {
        let known = &ready.code_version;
        known.get_or_init(|| code_version(self.run.definitions, asset, digest)).clone()
    }
}
