//! Loads the inputs of a step before its op runs, or makes them ready to be loaded as the op asks for them.

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

use airlock_sandbox::value::{Content, Part};

use super::convert::{Conversion, keeps_tables};
use super::failure::{FailureClass, Stage, StepFailure};
use super::load::{Load, Loaded, Recorded};
use super::parts::Parts;
use super::produced::{NotGiven, Produced};
use super::provenance::Versions;
use super::ready::{Gathering, Loader, ReadyInput, ReadyReference, ReadySource};
use super::step::{Outcome, Step};
use super::subject::{Places, Subject};
use super::value;
use crate::definitions::{Asset, Form};
use crate::event::{EventBody, LoadedPartitions};
use crate::partition::{PartitionSet, value_name};

/// An input, as far as it is loaded before the op runs.
pub(super) enum StepInput<'a> {
    /// A value, or its absence.
    One { input: &'a ReadyInput<'a>, part: Option<Part> },
    /// Parts that are loaded as they are asked for.
    Many(Box<Parts<'a>>),
}

/// Something that can be loaded.
#[derive(Clone, Debug)]
pub(super) enum Loadable<'a> {
    /// An asset, or a partition of it.
    Asset { asset: &'a Asset, partition: Option<(&'a PartitionSet, usize)>, with: Loader },
    /// What another step gave; as a part of an input under a key.
    Output { reference: &'a ReadyReference<'a>, produced: Arc<Produced>, key: Option<String> },
}

impl Loadable<'_> {
    fn subject(&self) -> Subject<'_> {
        match self {
            Self::Asset { asset, partition, .. } => {
                Subject::Asset { asset, partitions: partition.map(|(set, place)| Places::one(set, place)) }
            }
            Self::Output { reference, produced, .. } => Subject::Output {
                run_id: &produced.run_id,
                step_key: &produced.step_key,
                output: reference.output,
                mapping_key: produced.mapping_key.as_deref(),
            },
        }
    }

    /// The key of the part of the input that it is.
    pub fn key(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Asset { partition, .. } => partition.and_then(|(set, place)| set.key(place)),
            Self::Output { key, .. } => key.as_deref().map(Cow::Borrowed),
        }
    }

    /// What it is called.
    pub fn name(&self) -> String {
        self.subject().name()
    }

    /// The run, the step and the output that gave it, where a step of a job did.
    pub fn given_by(&self) -> (Option<String>, Option<String>, Option<String>) {
        match self {
            Self::Asset { .. } => (None, None, None),
            Self::Output { reference, produced, .. } => (
                Some(produced.run_id.clone()),
                Some(produced.step_key.clone()),
                Some(reference.reference.output.clone()),
            ),
        }
    }

    fn loader(&self) -> &Loader {
        match self {
            Self::Asset { with, .. } => with,
            Self::Output { reference, .. } => &reference.loaded_with,
        }
    }

    fn recorded(&self) -> Recorded<'_> {
        match self {
            Self::Asset { with, .. } => Recorded::Asset(&with.stored_with),
            Self::Output { reference, produced, .. } => Recorded::Output(produced, &reference.loaded_with.stored_with),
        }
    }
}

impl<'a> Step<'a> {
    /// The inputs of the op, in order.
    pub fn inputs(&'a self) -> Outcome<Vec<StepInput<'a>>> {
        self.ready.of.inputs.iter().map(|input| self.input(input)).collect()
    }

    fn input(&'a self, input: &'a ReadyInput<'a>) -> Outcome<StepInput<'a>> {
        match &input.source {
            ReadySource::Asset { asset, set, is_many, loaded_with: with } => {
                let planned = self.ready.planned.loads.iter().find(|load| load.input == input.input.name);
                let partitions = planned.and_then(|planned| planned.partitions.as_ref());
                let (Some(set), Some(partitions)) = (set.as_deref(), partitions) else {
                    let with = self.branch(input, with, asset, || std::iter::once(None))?;
                    return self.load_one(input, &Loadable::Asset { asset, partition: None, with });
                };
                let with = self.branch(input, with, asset, || partitions.iter().map(|place| set.key(place)))?;
                let loadable =
                    move |place| Loadable::Asset { asset, partition: Some((set, place)), with: with.clone() };
                if *is_many {
                    let all = Box::new(partitions.iter().map(loadable));
                    return Ok(StepInput::Many(Parts::new(self, input, all).into()));
                }
                match partitions.iter().next() {
                    Some(partition) => self.load_one(input, &loadable(partition)),
                    None => Ok(self.absent(input)),
                }
            }
            ReadySource::Outputs { outputs, how } => {
                let mut given = self.given(outputs, *how);
                match (how, given.pop()) {
                    (Gathering::One | Gathering::Each, Some(loadable)) => self.load_one(input, &loadable),
                    // What is not given ended the step before.
                    (Gathering::One | Gathering::Each, None) => Ok(self.absent(input)),
                    (Gathering::All | Gathering::Several, last) => {
                        given.extend(last);
                        Ok(StepInput::Many(Parts::new(self, input, Box::new(given.into_iter())).into()))
                    }
                }
            }
            ReadySource::Unconnected { .. } => self.load_unconnected(input),
            ReadySource::Value(json) => {
                let failed = |error: io::Error| {
                    let message = format!("cannot keep the value of the input `{}`: {error}", input.input.name);
                    StepFailure::new(FailureClass::Storage, Stage::Op, message)
                };
                let content = Content::from_bytes(json.as_bytes(), &self.run.budget).map_err(failed)?;
                let part = Part { key: None, media_type: "application/json".to_owned(), content };
                // It is part of the definition; its digest could tell what the environment has.
                self.provenance.note(&input.input.name, Versions::default(), true);
                Ok(self.given_one(input, Some(part)))
            }
        }
    }

    /// Who loads the partitions of `asset` with `keys` for `input`.
    fn branch<'k, Keys: Iterator<Item = Option<Cow<'k, str>>>>(
        &self,
        input: &ReadyInput<'_>,
        with: &Loader,
        asset: &Asset,
        keys: impl Fn() -> Keys,
    ) -> Outcome<Loader> {
        with.branch(self.run, asset, keys).map_err(|error| {
            let (name, asset) = (input.input.name.clone(), Some(asset.name.clone()));
            let stage = Stage::Input { name, asset, partition: None };
            StepFailure::new(FailureClass::Storage, stage, error.to_string()).into()
        })
    }

    /// What the steps gave that `outputs` name, as an input gathers it.
    fn given(&self, outputs: &'a [ReadyReference<'a>], how: Gathering) -> Vec<Loadable<'a>> {
        let loadable = |ready: &'a ReadyReference<'a>| {
            let given = self.given_by(ready, how).into_iter();
            given.map(move |(produced, key)| Loadable::Output { reference: ready, produced, key })
        };
        outputs.iter().flat_map(loadable).collect()
    }

    /// What one step gave, each with its key as a part of the input that gathers it.
    fn given_by(&self, ready: &ReadyReference<'_>, how: Gathering) -> Vec<(Arc<Produced>, Option<String>)> {
        let ReadyReference { reference, mapped_over, .. } = ready;
        let of = |step: &str| self.run.produced.of(&self.sibling(step), &reference.output).into_iter();
        let mapping_key = self.ready.planned.mapping_key.as_deref();
        match (how, mapped_over) {
            (Gathering::One, _) => of(&reference.step).map(|value| (value, None)).collect(),
            (Gathering::Several, _) => of(&reference.step).map(|value| (value, Some(reference.to_string()))).collect(),
            (Gathering::Each, Some(_)) => {
                of(&value_name(&reference.step, mapping_key)).map(|value| (value, None)).collect()
            }
            (Gathering::Each, None) => {
                let is_meant = |value: &Arc<Produced>| value.mapping_key.as_deref() == mapping_key;
                of(&reference.step).filter(is_meant).map(|value| (value, None)).collect()
            }
            (Gathering::All, Some(over)) => {
                let keys = self.run.produced.mapping_keys(&over.step, &over.output).into_iter().flatten();
                let of_key = |key: String| {
                    let given = of(&value_name(&reference.step, Some(&key)));
                    given.map(move |value| (value, Some(key.clone())))
                };
                keys.flat_map(of_key).collect()
            }
            (Gathering::All, None) => {
                let keyed = |value: Arc<Produced>| {
                    let key = value.mapping_key.clone();
                    (value, key)
                };
                of(&reference.step).map(keyed).collect()
            }
        }
    }

    /// The key of another step of the job; or of the graph of an asset, for the same partition.
    fn sibling(&self, step: &str) -> String {
        value_name(step, self.key())
    }

    /// What keeps the step from being done although no other step failed: what it loads was not given.
    pub fn not_given(&self) -> Option<NotGiven> {
        let produced = &self.run.produced;
        let of_deps = self.ready.of.deps.iter().find_map(|step| produced.passed_over(&self.sibling(step)));
        of_deps.or_else(|| self.ready.of.inputs.iter().find_map(|input| self.input_not_given(input)))
    }

    fn input_not_given(&self, input: &'a ReadyInput<'a>) -> Option<NotGiven> {
        let ReadySource::Outputs { outputs, how } = &input.source else { return None };
        match how {
            // What was passed over gives none, as if it were not there.
            Gathering::Several => return None,
            Gathering::All => {
                let first = outputs.first()?;
                return self.run.produced.passed_over(&self.sibling(&first.reference.step));
            }
            Gathering::One | Gathering::Each => {}
        }
        let first = outputs.first().filter(|_| self.given(outputs, *how).is_empty())?;
        let mapping_key = self.ready.planned.mapping_key.as_deref().filter(|_| first.mapped_over.is_some());
        let step_key = self.sibling(&value_name(&first.reference.step, mapping_key));
        let passed_over = self.run.produced.passed_over(&step_key);
        Some(passed_over.unwrap_or_else(|| NotGiven { step_key, output: first.reference.output.clone() }))
    }

    /// An input of which nothing is there, such as what is before the first partition.
    fn absent(&self, input: &'a ReadyInput<'a>) -> StepInput<'a> {
        self.provenance.note(&input.input.name, Versions::default(), true);
        self.given_one(input, None)
    }

    fn given_one(&self, input: &'a ReadyInput<'a>, part: Option<Part>) -> StepInput<'a> {
        self.emit(EventBody::StepInput {
            input: input.input.name.clone(),
            media_type: part.as_ref().map(|part| part.media_type.clone()),
            size: part.as_ref().map_or(0, |part| part.content.size()),
        });
        StepInput::One { input, part }
    }

    /// Loads an input that is one value.
    fn load_one(&self, input: &'a ReadyInput<'a>, loadable: &Loadable<'_>) -> Outcome<StepInput<'a>> {
        let loaded = self.load_part(input, loadable)?;
        let key = loadable.key();
        let version = loaded.part.as_ref().map(|_| (key.as_deref(), loaded.version.as_deref()));
        self.provenance.note(&input.input.name, Versions::of_one(version), true);
        Ok(self.loaded_one(input, &loadable.subject(), loaded))
    }

    /// Loads an input that its manager finds by itself.
    fn load_unconnected(&self, input: &'a ReadyInput<'a>) -> Outcome<StepInput<'a>> {
        let ReadySource::Unconnected { manager, value_type } = &input.source else { return Ok(self.absent(input)) };
        let load = Load {
            subject: Subject::Unconnected { of: &self.ready.of.name, input: &input.input.name },
            manager,
            recorded: Recorded::Nowhere,
            input: Some((&self.ready.planned.key, input.input)),
            config: &input.config,
            media_type: input.input.media_type.as_deref().or(value_type.media_type()),
        };
        let loaded = self.load(&load)?;
        self.provenance.note(&input.input.name, Versions::of_one(Some((None, None))), true);
        Ok(self.loaded_one(input, &load.subject, loaded))
    }

    /// Records that `input` was loaded.
    fn loaded_one(&self, input: &'a ReadyInput<'a>, subject: &Subject<'_>, loaded: Loaded) -> StepInput<'a> {
        let count = usize::from(loaded.part.is_some());
        let (upstream_step_key, upstream_output) = match subject {
            Subject::Output { step_key, output, .. } => (Some((*step_key).to_owned()), Some(output.name.clone())),
            _ => (None, None),
        };
        self.emit(EventBody::LoadedInput {
            input: input.input.name.clone(),
            asset: subject.asset().map(|asset| asset.name.clone()),
            partitions: subject.key().map(|key| LoadedPartitions {
                count,
                first: Some(key.clone().into_owned()),
                last: Some(key.into_owned()),
                missing: 1 - count,
            }),
            manager: loaded.manager,
            upstream_run_id: loaded.upstream_run_id,
            upstream_step_key,
            upstream_output,
            metadata: value::merge(&input.input.metadata, &loaded.metadata),
            receipt: loaded.receipt,
        });
        self.given_one(input, loaded.part)
    }

    /// Loads `loadable`, all or a part of `input`, through its manager.
    pub fn load_part(&self, input: &ReadyInput<'_>, loadable: &Loadable<'_>) -> Outcome<Loaded> {
        let manager = &loadable.loader().manager;
        let load = Load {
            subject: loadable.subject(),
            manager,
            recorded: loadable.recorded(),
            input: Some((&self.ready.planned.key, input.input)),
            config: &input.config,
            media_type: input.input.media_type.as_deref(),
        };
        let mut loaded = self.load(&load)?;
        loaded.version = loaded.version.filter(|_| input.has_versions());
        if let (Some(part), Some(columns)) = (&mut loaded.part, &input.input.columns)
            && !keeps_tables(manager)
        {
            // Only what is asked for gets to the op, whatever the manager makes of it.
            let conversion = Conversion { columns, ..Conversion::default() };
            let what = format!("the value of `{}`", loadable.name());
            let content = std::mem::take(&mut part.content);
            part.content =
                self.run.convert(content, (Form::Arrow, Form::Arrow.into()), &conversion, &load.stage(), &what)?;
        }
        Ok(loaded)
    }

    fn load(&self, load: &Load<'_>) -> Outcome<Loaded> {
        let mut loaded = load.perform(self.run, |log| self.log.write_component(&load.manager.name, &log))?;
        for event in std::mem::take(&mut loaded.events) {
            self.run.emit_logged(&self.ready.planned.key, event);
        }
        Ok(loaded)
    }
}
