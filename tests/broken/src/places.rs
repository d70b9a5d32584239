//! Where the files lie: under the paths that the host gives, or, of a directory that is lent whole, under names of their own.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use airlock_sdk::{Error, InputContext, OutputContext, StoredOutput};

use crate::Fault;

/// The directory that is lent whole.
const WHOLE: &str = "/whole";

/// What tells one value from another where the manager itself says where it lies.
pub struct Place(String);

impl Place {
    pub fn of_output(context: &OutputContext, fault: Option<Fault>) -> Self {
        let output = || (context.run_id(), context.step_key(), context.output_name());
        Self::new(context.asset_key(), output, fault)
    }

    pub fn of_input(context: &InputContext, key: Option<&str>, fault: Option<Fault>) -> Self {
        let output = || {
            let stored = context.upstream(key);
            let of = |text: Option<String>| text.unwrap_or_default();
            let run = of(stored.as_ref().and_then(StoredOutput::run_id));
            let step = of(stored.as_ref().and_then(StoredOutput::step_key));
            (run, step, of(stored.map(|stored| stored.output_name())))
        };
        Self::new(context.asset_key(), output, fault)
    }

    fn new(
        asset: Option<Vec<String>>,
        output: impl FnOnce() -> (String, String, String),
        fault: Option<Fault>,
    ) -> Self {
        let name = if let Some(key) = asset {
            format!("asset {key:?}")
        } else {
            let (run, step, output) = output();
            let run = if fault == Some(Fault::ForgetsRuns) { String::new() } else { run };
            format!("output {run:?} {step:?} {output:?}")
        };
        Self(if fault == Some(Fault::HasOnePlace) { String::new() } else { name })
    }

    /// The file of the part `key`.
    pub fn file(&self, key: Option<&str>, extension: &str, fault: Option<Fault>) -> PathBuf {
        let mut name = format!("{} {key:?}", self.0);
        if fault == Some(Fault::FoldsCase) {
            name = name.to_lowercase();
        }
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Path::new(WHOLE).join(format!("{:016x}.{extension}", hasher.finish()))
    }
}

/// The file of the part `key` of the output that is stored.
pub fn stored(
    context: &OutputContext,
    (fault, whole): (Option<Fault>, bool),
    key: Option<&str>,
    extension: &str,
) -> Result<PathBuf, Error> {
    if whole {
        return Ok(Place::of_output(context, fault).file(key, extension, fault));
    }
    context.file(key, extension)
}

/// The file of the part `key` of the value that is loaded.
pub fn loaded(
    context: &InputContext,
    (fault, whole): (Option<Fault>, bool),
    key: Option<&str>,
    extension: &str,
) -> Result<PathBuf, Error> {
    if whole {
        return Ok(Place::of_input(context, key, fault).file(key, extension, fault));
    }
    context.file(key, extension)
}
