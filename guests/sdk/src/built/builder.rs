//! Builders of contexts, with a method for every field of the contract.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::context::{InputContext, InputFields, OutputContext, OutputFields, Partitions, Record, StoredOutput};
use super::layout::Location;
use super::outcome::{BuiltInput, BuiltOutput};
use super::root::Root;
use super::setters::{setters, strings};

/// A context to store the output `result` of the step `step` in the run `test`, as no asset.
///
/// # Panics
/// Where no temporary directory can be made.
///
/// ```
/// use airlock_sdk::{Error, NewPart, OutputContext, InputContext, Part, PathIoManager, Reader};
/// use airlock_sdk::{build_input_context, build_output_context};
/// # struct Bytes;
/// # impl PathIoManager for Bytes {
/// #     fn extension() -> &'static str { "bin" }
/// #     fn dump_to_path(_: &OutputContext, part: &mut Reader, path: &std::path::Path) -> Result<(), Error> {
/// #         part.save(path)?;
/// #         Ok(())
/// #     }
/// #     fn load_from_path(_: &InputContext, path: &std::path::Path, part: NewPart) -> Result<(), Error> {
/// #         part.begin("text/plain")?.load(path)?;
/// #         Ok(())
/// #     }
/// # }
/// let value = Part::new("text/plain", "hello");
/// let output = build_output_context().asset_key(["greeting"]).build();
/// output.store::<Bytes>([value.clone()])?;
/// assert!(output.metadata_value("path").is_some());
///
/// let input = build_input_context().upstream_output(&output).build();
/// assert_eq!(input.load::<Bytes>()?, [value]);
/// # Ok::<(), Error>(())
/// ```
pub fn build_output_context() -> OutputContextBuilder {
    OutputContextBuilder {
        fields: OutputFields {
            run_id: "test".to_owned(),
            step_key: "step".to_owned(),
            attempt: 1,
            output_name: "result".to_owned(),
            asset_key: None,
            partitions: Partitions::default(),
            config: "{}".to_owned(),
            output_config: "null".to_owned(),
            definition_metadata: Vec::new(),
            runtime_metadata: Vec::new(),
            root: temporary_root(),
        },
    }
}

/// A context to load outside a run, from the output that [`build_output_context`] gives by default.
///
/// # Panics
/// Where no temporary directory can be made.
pub fn build_input_context() -> InputContextBuilder {
    InputContextBuilder {
        fields: InputFields {
            run_id: None,
            step_key: None,
            input_name: None,
            asset_key: None,
            location: Location::output("test", "step", "result"),
            partitions: Partitions::default(),
            allow_missing: false,
            upstream: BTreeMap::new(),
            requested_type: None,
            columns: Vec::new(),
            config: "{}".to_owned(),
            input_config: "null".to_owned(),
            definition_metadata: Vec::new(),
            root: temporary_root(),
        },
    }
}

#[expect(clippy::expect_used, reason = "in a test, where nothing can be done about it")]
fn temporary_root() -> Root {
    Root::temporary().expect("a temporary directory can be made")
}

/// Builds a [`BuiltOutput`].
#[derive(Clone, Debug)]
pub struct OutputContextBuilder {
    fields: OutputFields,
}

impl OutputContextBuilder {
    setters! {
        text /** The run that computed the value. */ run_id;
        text /** The step within the run. */ step_key;
        text /** The output's name. */ output_name;
        json /** The manager's configuration. */ config;
        json /** The configuration of this output. */ output_config;
        metadata /** One more entry of the definition's metadata. */ definition_metadata;
        metadata /** One more entry of the metadata that the op added. */ runtime_metadata;
        partitions;
        mapping_key;
        root;
    }

    /// The number of the attempt, from 1.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.fields.attempt = attempt;
        self
    }

    /// The parts of the asset key.
    #[must_use]
    pub fn asset_key<S: Into<String>>(mut self, parts: impl IntoIterator<Item = S>) -> Self {
        self.fields.asset_key = Some(strings(parts));
        self
    }

    /// The context.
    pub fn build(self) -> BuiltOutput {
        BuiltOutput { host: OutputContext { fields: self.fields, record: RefCell::default() } }
    }
}

/// Builds a [`BuiltInput`].
#[derive(Clone, Debug)]
pub struct InputContextBuilder {
    fields: InputFields,
}

impl InputContextBuilder {
    setters! {
        option /** The run. */ run_id;
        option /** The step within the run. */ step_key;
        option /** The op's name for the input. */ input_name;
        option /** The media type that the op asks for. */ requested_type;
        json /** The manager's configuration. */ config;
        json /** The configuration of this input. */ input_config;
        metadata /** One more entry of the metadata of the input's definition. */ definition_metadata;
        partitions;
        mapping_key;
        root;
    }

    /// The parts of the asset key.
    #[must_use]
    pub fn asset_key<S: Into<String>>(mut self, parts: impl IntoIterator<Item = S>) -> Self {
        let key = strings(parts);
        self.fields.location = Location::asset(&key);
        self.fields.asset_key = Some(key);
        self
    }

    /// What is loaded is the output `output_name` of the step `step_key` of a job, which the run `run_id` stored.
    #[must_use]
    pub fn step_output(mut self, run_id: &str, step_key: &str, output_name: &str) -> Self {
        self.fields.location = Location::output(run_id, step_key, output_name);
        self.fields.asset_key = None;
        self
    }

    /// What is loaded is no output of anything: the manager finds it by itself, for the input `input_name` of the asset or
    /// step that the parts of `of` name, such as `["job", "step"]`.
    #[must_use]
    pub fn unconnected<S: Into<String>>(mut self, of: impl IntoIterator<Item = S>, input_name: &str) -> Self {
        self.fields.location = Location::input(&strings(of), input_name);
        self.fields.asset_key = None;
        self.fields.input_name = Some(input_name.to_owned());
        self.fields.upstream.clear();
        self
    }

    /// Whether absent partitions may be left out.
    #[must_use]
    pub fn allow_missing(mut self, allow_missing: bool) -> Self {
        self.fields.allow_missing = allow_missing;
        self
    }

    /// The columns that the op asks for.
    #[must_use]
    pub fn columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.fields.columns = strings(columns);
        self
    }

    /// What is recorded of the stored output, or of one partition of it.
    #[must_use]
    pub fn upstream(mut self, key: Option<&str>, stored: StoredOutputBuilder) -> Self {
        self.fields.upstream.insert(key.map(str::to_owned), stored.fields);
        self
    }

    /// Loads what `output` stored: its asset or output, its partitions, its configuration of the manager, its
    /// directories, and what it recorded.
    #[must_use]
    pub fn upstream_output(mut self, output: &BuiltOutput) -> Self {
        let (from, record) = (&output.host.fields, output.host.record.borrow());
        self.fields.location = match &from.asset_key {
            Some(key) => Location::asset(key),
            None => Location::output(&from.run_id, &from.step_key, &from.output_name),
        };
        self.fields.asset_key.clone_from(&from.asset_key);
        self.fields.partitions = from.partitions.clone();
        self.fields.config.clone_from(&from.config);
        self.fields.root = from.root.clone();
        let stored = StoredOutput {
            run_id: Some(from.run_id.clone()),
            step_key: Some(from.step_key.clone()),
            output_name: from.output_name.clone(),
            mapping_key: from.partitions.mapping_key(),
            output_config: from.output_config.clone(),
            definition_metadata: from.definition_metadata.clone(),
            stored_metadata: from.runtime_metadata.iter().chain(&record.metadata).cloned().collect(),
            data_version: record.data_version.clone(),
        };
        let keys = from.partitions.keys.iter().map(|(key, _)| Some(key.clone()));
        for key in keys.chain([None]) {
            self.fields.upstream.insert(key, stored.clone());
        }
        self
    }

    /// The context.
    pub fn build(self) -> BuiltInput {
        BuiltInput { host: InputContext { fields: self.fields, record: RefCell::new(Record::default()) } }
    }
}

/// Builds what is recorded of a stored output.
#[derive(Clone, Debug)]
pub struct StoredOutputBuilder {
    fields: StoredOutput,
}

impl Default for StoredOutputBuilder {
    fn default() -> Self {
        Self {
            fields: StoredOutput {
                run_id: None,
                step_key: None,
                output_name: "result".to_owned(),
                mapping_key: None,
                output_config: "null".to_owned(),
                definition_metadata: Vec::new(),
                stored_metadata: Vec::new(),
                data_version: None,
            },
        }
    }
}

impl StoredOutputBuilder {
    setters! {
        option /** The run that stored it. */ run_id;
        option /** The step that stored it. */ step_key;
        text /** The output's name. */ output_name;
        option /** The mapping key, where it is one of several of a dynamic output. */ mapping_key;
        json /** The configuration of the output. */ output_config;
        metadata /** One more entry of the metadata of its definition. */ definition_metadata;
        metadata /** One more entry of the metadata of the materialization. */ stored_metadata;
        option /** The version of its content. */ data_version;
    }
}
