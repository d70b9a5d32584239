//! What is stored and loaded.

use airlock_sandbox::context::{AssetKey, StoredOutput};
use airlock_sandbox::layout::Location;
use airlock_sandbox::partition::PartitionKey;
use airlock_sandbox::report::Stored;
use serde_json::json;

/// What is stored and loaded.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub asset_key: Option<AssetKey>,
    pub run_id: String,
    pub step_key: String,
    pub output_name: String,
    pub mapping_key: Option<String>,
    pub location: Location,
    pub partitions: Vec<PartitionKey>,
}

impl Subject {
    pub fn asset<S: AsRef<str>>(key: &[S]) -> Self {
        let asset_key: AssetKey = key.iter().map(|part| part.as_ref().to_owned()).collect();
        Self {
            run_id: "run-1".to_owned(),
            step_key: asset_key.join("/"),
            output_name: "result".to_owned(),
            mapping_key: None,
            location: Location::asset(key),
            asset_key: Some(asset_key),
            partitions: Vec::new(),
        }
    }

    /// The output of a step of a job, as the run `run_id` stores it.
    pub fn output(run_id: &str, step_key: &str, output_name: &str) -> Self {
        Self {
            asset_key: None,
            run_id: run_id.to_owned(),
            step_key: step_key.to_owned(),
            output_name: output_name.to_owned(),
            mapping_key: None,
            location: Location::output(run_id, step_key, output_name),
            partitions: Vec::new(),
        }
    }

    /// An element of it, where it is dynamic.
    pub fn element(self, key: &str) -> Self {
        Self { mapping_key: Some(key.to_owned()), partitions: vec![PartitionKey::of_mapping_key(key)], ..self }
    }

    /// The same asset, as another run stores it.
    pub fn again(&self) -> Self {
        Self { run_id: "run-2".to_owned(), ..self.clone() }
    }

    /// These partitions of it.
    pub fn partitions(&self, keys: &[PartitionKey]) -> Self {
        Self { partitions: keys.to_vec(), ..self.clone() }
    }

    /// What a pipeline records of it once it is stored.
    pub fn record(&self, stored: &Stored) -> StoredOutput {
        StoredOutput {
            run_id: Some(self.run_id.clone()),
            step_key: Some(self.step_key.clone()),
            output_name: self.output_name.clone(),
            mapping_key: self.mapping_key.clone(),
            output_config: json!(null),
            definition_metadata: Vec::new(),
            stored_metadata: stored.metadata.clone(),
            data_version: stored.data_version.clone(),
        }
    }
}
