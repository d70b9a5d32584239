//! The partitions that one input of a step loads: each when it is asked for, and its like to an op that is a component.

use std::borrow::Cow;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use airlock_sandbox::context::MetadataEntry;
use airlock_sandbox::report::Receipt;
use airlock_sandbox::value::{LoadParts, NotLoaded, Part};

use super::failure::{FailureClass, Stage, StepFailure};
use super::inputs::Loadable;
use super::load::Loaded;
use super::provenance::Versions;
use super::ready::{Gathering, ReadyInput, ReadySource};
use super::step::{Outcome, Step};
use super::value;
use crate::event::{EventBody, LoadedPartitions, ManagerUse};

/// Partitions of one input of which it is recorded what the manager told as it loaded them; of more it is counted.
const OBSERVED: usize = 1000;
/// How often one who waits for a part looks whether to go on.
const LOOK: Duration = Duration::from_millis(20);

/// The parts of one input.
pub(super) struct Parts<'a> {
    step: &'a Step<'a>,
    input: &'a ReadyInput<'a>,
    /// What was not looked at yet, in order.
    left: Box<dyn Iterator<Item = Loadable<'a>> + Send + 'a>,
    /// What of it is there, in order, as far as it was looked at.
    present: Vec<Loadable<'a>>,
    /// How each of these was loaded, where they come from different outputs.
    sources: Vec<LoadedSource>,
    summary: Summary,
}

/// What became of the parts that an op asked for.
pub(super) struct Served<'a> {
    /// To be recorded.
    pub parts: Parts<'a>,
    /// Why one of them could not be loaded.
    pub failure: Option<Box<StepFailure>>,
}

/// A part with its key, what the manager recorded of it, and its version.
struct LoadedPart {
    part: Part,
    metadata: Vec<MetadataEntry>,
    version: Option<String>,
}

/// How one of several outputs that an input gathers was loaded.
struct LoadedSource {
    manager: ManagerUse,
    metadata: Vec<MetadataEntry>,
    receipt: Receipt,
}

/// What was loaded.
#[derive(Default)]
struct Summary {
    partitions: LoadedPartitions,
    media_type: Option<String>,
    size: u64,
    /// What the manager recorded of the only part.
    metadata: Vec<MetadataEntry>,
    /// Of how many of several partitions it recorded something.
    observed: usize,
    versions: Versions,
    /// Whether the op asked for more than there are.
    whole: bool,
    receipt: Receipt,
    manager: Option<ManagerUse>,
}

impl<'a> Parts<'a> {
    pub fn new(
        step: &'a Step<'a>,
        input: &'a ReadyInput<'a>,
        left: Box<dyn Iterator<Item = Loadable<'a>> + Send + 'a>,
    ) -> Self {
        Self { step, input, left, present: Vec::new(), sources: Vec::new(), summary: Summary::default() }
    }

    /// The input.
    pub fn input(&self) -> &'a ReadyInput<'a> {
        self.input
    }

    /// The part at `place` among those that are there, with its key; none where there are no more.
    pub fn part(&mut self, place: usize) -> Outcome<Option<Part>> {
        if let Some(loadable) = self.present.get(place).cloned() {
            // It was read before, and is asked for again. To the op its absence would be the end of the parts.
            let part = self.load(&loadable, place)?;
            return match part {
                Some(LoadedPart { part, .. }) => Ok(Some(part)),
                None => Err(self.vanished(&loadable)),
            };
        }
        while let Some(loadable) = self.left.next() {
            let Some(loaded) = self.load(&loadable, self.present.len())? else {
                self.summary.partitions.missing += 1;
                continue;
            };
            self.present.push(loadable);
            self.observe(&loaded);
            let part = self.summary.count(loaded);
            if self.present.len() > place {
                return Ok(Some(part));
            }
        }
        self.summary.whole = true;
        Ok(None)
    }

    /// Records what the manager told of a partition that is one of several, by itself: together there would be no telling
    /// which an entry is of. Of an only one the record of the input says it.
    fn observe(&mut self, loaded: &LoadedPart) {
        let LoadedPartitions { count, first, .. } = &self.summary.partitions;
        if *count == 1 {
            let (first, metadata) = (first.clone(), std::mem::take(&mut self.summary.metadata));
            self.observe_one(first, &metadata);
        }
        if self.summary.partitions.count > 0 {
            self.observe_one(loaded.part.key.clone(), &loaded.metadata);
        }
    }

    fn observe_one(&mut self, partition: Option<String>, metadata: &[MetadataEntry]) {
        let Some(asset) = self.asset().filter(|_| !metadata.is_empty()) else { return };
        self.summary.observed += 1;
        if self.summary.observed <= OBSERVED {
            let metadata = metadata.to_vec();
            self.step.emit(EventBody::AssetObservation { asset, partition, description: None, metadata });
        }
    }

    fn vanished(&self, loadable: &Loadable<'_>) -> Box<StepFailure> {
        let partition = loadable.key().map(Cow::into_owned);
        let message = format!("`{}` was removed while it was read", loadable.name());
        let stage = Stage::Input { name: self.input.input.name.clone(), asset: self.asset(), partition };
        StepFailure::new(FailureClass::Storage, stage, message).help("run it again").into()
    }

    fn asset(&self) -> Option<String> {
        self.input.input.asset().map(str::to_owned)
    }

    /// Whether the parts come from different outputs, each with a manager of its own.
    fn is_fan_in(&self) -> bool {
        matches!(self.input.source, ReadySource::Outputs { how: Gathering::Several, .. })
    }

    /// The part, which is at `place` of those that are there; none where it is not there.
    fn load(&mut self, loadable: &Loadable<'_>, place: usize) -> Outcome<Option<LoadedPart>> {
        let Loaded { part, metadata, receipt, manager, version, .. } = self.step.load_part(self.input, loadable)?;
        if self.is_fan_in() {
            match self.sources.get_mut(place) {
                Some(source) => source.receipt.add(receipt.clone()),
                None => self.sources.push(LoadedSource {
                    manager: manager.clone(),
                    metadata: metadata.clone(),
                    receipt: receipt.clone(),
                }),
            }
        }
        self.summary.receipt.add(receipt);
        self.summary.manager = Some(manager);
        let key = loadable.key().map(Cow::into_owned);
        Ok(part.map(|part| LoadedPart { part: Part { key, ..part }, metadata, version }))
    }

    /// Records what was loaded, where the op asked for anything.
    pub fn record(self) {
        let (asset, is_fan_in) = (self.asset(), self.is_fan_in());
        let Summary { partitions, media_type, size, metadata, observed, versions, whole, receipt, manager } =
            self.summary;
        let input = &self.input.input;
        self.step.provenance.note(&input.name, versions, whole);
        let Some(manager) = manager else { return };
        if let (Some(asset), true) = (&asset, observed > OBSERVED) {
            let unlisted = observed - OBSERVED;
            self.step.emit(EventBody::AssetObservation {
                asset: asset.clone(),
                partition: None,
                description: Some(format!(
                    "`{}` told something of {unlisted} partitions more, which is not recorded",
                    manager.name
                )),
                metadata: Vec::new(),
            });
        }
        let loaded = |from: (Option<String>, Option<String>, Option<String>),
                      partitions,
                      manager,
                      metadata: &[MetadataEntry],
                      receipt| {
            let (upstream_run_id, upstream_step_key, upstream_output) = from;
            self.step.emit(EventBody::LoadedInput {
                input: input.name.clone(),
                asset: asset.clone(),
                partitions,
                manager,
                upstream_run_id,
                upstream_step_key,
                upstream_output,
                metadata: value::merge(&input.metadata, metadata),
                receipt,
            });
        };
        if is_fan_in {
            for (loadable, LoadedSource { manager, metadata, receipt }) in self.present.iter().zip(self.sources) {
                loaded(loadable.given_by(), None, manager, &metadata, receipt);
            }
        } else {
            let from = input.source.outputs().first();
            let from = (None, from.map(|output| output.step.clone()), from.map(|output| output.output.clone()));
            loaded(from, Some(partitions), manager, &metadata, receipt);
        }
        self.step.emit(EventBody::StepInput { input: input.name.clone(), media_type, size });
    }

    /// Loads what is asked for on `requests` until nobody can ask any more. The op is told of a failure in a word; the
    /// step is given it whole.
    pub fn serve(mut self, requests: &Receiver<Request>) -> Served<'a> {
        let mut failure = None;
        for request in requests {
            let answer = match failure {
                Some(_) => Err(not_loaded()),
                None => self.part(request.place).map_err(|failed| {
                    failure = Some(failed);
                    not_loaded()
                }),
            };
            // Who asked may have been ended meanwhile.
            let _ = request.answer.send(answer);
        }
        Served { parts: self, failure }
    }
}

impl Summary {
    fn count(&mut self, LoadedPart { part, metadata, version }: LoadedPart) -> Part {
        self.partitions.count += 1;
        self.versions.add(part.key.as_deref(), version.as_deref());
        self.metadata = if self.partitions.count == 1 { metadata } else { Vec::new() };
        self.partitions.first = self.partitions.first.take().or_else(|| part.key.clone());
        self.partitions.last.clone_from(&part.key);
        self.media_type.get_or_insert_with(|| part.media_type.clone());
        self.size = self.size.saturating_add(part.content.size());
        part
    }
}

fn not_loaded() -> NotLoaded {
    NotLoaded("the input could not be loaded".to_owned())
}

/// A part that an op asks for.
#[derive(Debug)]
pub(super) struct Request {
    place: usize,
    answer: SyncSender<Result<Option<Part>, NotLoaded>>,
}

/// What an op has of parts that another thread loads.
#[derive(Debug)]
pub(super) struct RemoteParts(Mutex<Sender<Request>>);

/// Parts that are asked for at one end and loaded at the other.
pub(super) fn remote() -> (RemoteParts, Receiver<Request>) {
    let (sender, receiver) = channel();
    (RemoteParts(Mutex::new(sender)), receiver)
}

impl LoadParts for RemoteParts {
    fn load(&self, place: usize, wanted: &dyn Fn() -> bool) -> Result<Option<Part>, NotLoaded> {
        let (answer, answered) = sync_channel(1);
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sender.send(Request { place, answer }).map_err(|_| not_loaded())?;
        drop(sender);
        loop {
            match answered.recv_timeout(LOOK) {
                Ok(part) => return part,
                Err(RecvTimeoutError::Timeout) if wanted() => {}
                Err(_) => return Err(not_loaded()),
            }
        }
    }
}
