//! The version of what computes an asset: it changes when the value may come out otherwise for the same inputs.

use airlock_sandbox::text::sha256;
use serde_json::json;

use super::context::written;
use super::prepare::ReadyAsset;
use super::step::{Output, Step};
use crate::definitions::{Asset, Input, Op};

/// The version of what computes `asset`, whose component has the digest `digest`: its op with its configuration, what it
/// loads and how, and what kind of value it gives. References to the environment count as they are written.
pub(super) fn code_version(asset: &Asset, digest: Option<&str>) -> String {
    let op = match &asset.op {
        Op::Command(words) => json!({ "command": words }),
        Op::Component(used) => json!({ "digest": digest, "config": used.config }),
    };
    let input = |input: &Input| {
        json!([
            input.name,
            input.asset,
            input.partition_mapping,
            input.allow_missing,
            input.columns,
            input.form,
            written(input.config.as_ref()),
        ])
    };
    let inputs: Vec<_> = asset.inputs.iter().map(input).collect();
    let value = json!([asset.value_type, asset.media_type, asset.form, asset.schema, asset.partitions]);
    let whole = json!({ "op": op, "inputs": inputs, "value": value });
    sha256(whole.to_string().as_bytes())
}

impl Step<'_> {
    /// The version of what computed `output`.
    pub(super) fn code_version(&self, output: &Output) -> String {
        let ReadyAsset { asset, code_version: known, .. } = &*self.ready.of;
        let digest = output.computed_by.as_ref().map(|used| used.digest.as_str());
        known.get_or_init(|| code_version(asset, digest)).clone()
    }
}
