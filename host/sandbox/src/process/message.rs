//! What the sandbox and its processes say to each other.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::claims::Claims;
use super::compile::Bounds;
use super::conversation::Lost;
use super::distrust;
use super::layers::Layers;
use super::memory::{self, PackedDirectory};
use super::packing::{PackedPart, PackedValue, Parcel, Unpacker};
use crate::call::Deterministic;
use crate::component::{ComponentError, Inspection};
use crate::context::{AssetEvent, AssetEventKind, InputContext, MetadataEntry, OpContext, OpOutput, OutputContext};
use crate::grant::{Access, DirectoryPath, Grant, GrantError, GuestPath, MountGrant, MountSource, Scope};
use crate::limits::Limits;
use crate::mount::{Durability, MemoryDirectory};
use crate::partition::Partitions;
use crate::report::{Computed, ComputedOutput, Failure, Loaded, Log, Receipt, Report, Stored};
use crate::text::{safe, safe_line};
use crate::value::Input;

/// What a process is started for; the first message.
#[derive(Serialize, Deserialize)]
pub(super) enum Task {
    /// To compile the component in the file beside it, within these bounds.
    Compile(Inspection, Bounds),
    /// To make calls.
    Call(CallTask),
    /// To say how it can be confined.
    Probe,
}

/// Whose calls a worker makes, and within what. The compiled code is in the file beside it.
#[derive(Serialize, Deserialize)]
pub(super) struct CallTask {
    pub name: String,
    pub inspection: Inspection,
    pub grant: PackedGrant,
    pub durability: Durability,
    /// Whether the first call stores, so that directories that are lent to be written are made where they are missing.
    pub makes: bool,
}

/// What a compiling process answers; the code is in the file beside it.
pub(super) type Compiled = Result<(), Refusal>;

/// Bytes that are told of what a process that compiles says; what is honest takes less.
const REASON: usize = 16 << 10;

/// Why a component cannot be compiled.
#[derive(Serialize, Deserialize)]
pub(super) enum Refusal {
    Rejected(String),
    Mismatch(String),
    Shape { what: String, found: u64, allowed: u64 },
}

impl From<ComponentError> for Refusal {
    fn from(error: ComponentError) -> Self {
        match error {
            ComponentError::Mismatch(reason) => Self::Mismatch(reason),
            ComponentError::Shape { what, found, allowed } => Self::Shape { what: what.into_owned(), found, allowed },
            ComponentError::Rejected(reason) => Self::Rejected(reason),
            other => Self::Rejected(other.to_string()),
        }
    }
}

impl From<Refusal> for ComponentError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Rejected(reason) => Self::Rejected(safe(&reason, REASON)),
            Refusal::Mismatch(reason) => Self::Mismatch(safe(&reason, REASON)),
            Refusal::Shape { what, found, allowed } => {
                Self::Shape { what: safe_line(&what, REASON).into(), found, allowed }
            }
        }
    }
}

/// What a worker is told.
#[derive(Serialize, Deserialize)]
pub(super) enum Request {
    /// To make a call.
    Call {
        subject: Box<PackedSubject>,
        strict: bool,
        deterministic: Option<Deterministic>,
        memory: Vec<PackedDirectory>,
    },
    /// The part that it asked for.
    Part(Result<Option<PackedPart>, String>),
    /// The file that it asked for is beside this; so many bytes may be written into it.
    File(Result<u64, String>),
    /// To end the call.
    Interrupt,
}

/// What a worker says.
#[derive(Serialize, Deserialize)]
pub(super) enum Reply {
    /// It waits for calls, or cannot make any.
    Ready(Result<Readiness, String>),
    /// Since it was confined, a directory that is lent was removed or another came in its place, which it cannot reach.
    Stale,
    /// What it does now.
    Phase(Phase),
    /// It needs a part of an op's input.
    Part { input: usize, place: usize },
    /// It needs a file for a value.
    File,
    /// The call has ended, and the directories in memory hold this.
    Ended(Box<PackedReport>, Vec<PackedDirectory>),
}

/// A worker that waits for calls.
#[derive(Serialize, Deserialize)]
pub(super) struct Readiness {
    /// How it is confined.
    pub layers: Layers,
    /// Whether all directories that are lent were there when it was confined; what comes later it cannot see.
    pub complete: bool,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// The guest runs.
    Running,
    /// What it wrote is published.
    Publishing,
}

/// A [`Grant`] in a message.
#[derive(Serialize, Deserialize)]
pub(super) struct PackedGrant {
    mounts: Vec<PackedMount>,
    environment: BTreeMap<String, String>,
    limits: Limits,
}

#[derive(Serialize, Deserialize)]
struct PackedMount {
    guest_path: String,
    source: PackedSource,
    access: Access,
    scope: Scope,
}

#[derive(Serialize, Deserialize)]
enum PackedSource {
    /// A path's bytes.
    Directory(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Which of the directories in memory, and the bytes for which a call finds room there.
    Memory(usize, u64),
}

impl PackedGrant {
    pub fn pack(grant: &Grant) -> Self {
        let in_memory = memory::directories(grant);
        let mount = |mount: &MountGrant| PackedMount {
            guest_path: mount.guest_path.as_str().to_owned(),
            source: match &mount.source {
                MountSource::Directory(path) => PackedSource::Directory(path.as_path().as_os_str().as_bytes().to_vec()),
                MountSource::Memory(directory) => {
                    let place = memory::place(&in_memory, directory).unwrap_or_default();
                    PackedSource::Memory(place, directory.room())
                }
            },
            access: mount.access,
            scope: mount.scope,
        };
        Self {
            mounts: grant.mounts().iter().map(mount).collect(),
            environment: grant.environment().clone(),
            limits: grant.limits().clone(),
        }
    }

    pub fn unpack(self) -> Result<Grant, GrantError> {
        let mut in_memory: HashMap<usize, MemoryDirectory> = HashMap::new();
        let mut mount = |mount: PackedMount| {
            let source = match mount.source {
                PackedSource::Directory(bytes) => {
                    let path = PathBuf::from(std::ffi::OsString::from_vec(bytes));
                    MountSource::Directory(DirectoryPath::already_checked(path))
                }
                PackedSource::Memory(place, room) => {
                    MountSource::Memory(in_memory.entry(place).or_default().with_room(room))
                }
            };
            let guest_path = GuestPath::new(&mount.guest_path)?;
            Ok(MountGrant { guest_path, source, access: mount.access, scope: mount.scope })
        };
        let mounts = self.mounts.into_iter().map(&mut mount).collect::<Result<_, _>>()?;
        Grant::new(mounts, self.environment, self.limits)
    }
}

/// What a call is about.
#[derive(Serialize, Deserialize)]
pub(super) enum PackedSubject {
    Output(OutputContext, PackedValue),
    Input(InputContext),
    Op(PackedOp),
}

/// An [`OpContext`] in a message.
#[derive(Serialize, Deserialize)]
pub(super) struct PackedOp {
    run_id: String,
    step_key: String,
    attempt: u32,
    config: serde_json::Value,
    partitions: Partitions,
    /// Without a value where its parts are asked for one by one.
    inputs: Vec<(String, Option<PackedValue>)>,
    outputs: Vec<OpOutput>,
}

impl PackedOp {
    pub fn pack(context: OpContext, parcel: &mut Parcel<'_>) -> io::Result<(Self, Vec<Input>)> {
        let OpContext { run_id, step_key, attempt, config, partitions, inputs, outputs } = context;
        let (mut packed, mut kept) = (Vec::new(), Vec::new());
        for (name, input) in inputs {
            let value = match &input {
                Input::Loaded(value) => Some(parcel.value(value)?),
                Input::Lazy(_) => None,
            };
            packed.push((name, value));
            kept.push(input);
        }
        Ok((Self { run_id, step_key, attempt, config, partitions, inputs: packed, outputs }, kept))
    }

    /// The context; `lazy` gives what loads the parts of the input at a place.
    pub fn unpack(self, unpacker: &mut Unpacker<'_>, lazy: impl Fn(usize) -> Input) -> io::Result<OpContext> {
        let Self { run_id, step_key, attempt, config, partitions, inputs: packed, outputs } = self;
        let mut inputs = Vec::new();
        for (place, (name, value)) in packed.into_iter().enumerate() {
            let input = match value {
                Some(value) => Input::Loaded(unpacker.value(value)?),
                None => lazy(place),
            };
            inputs.push((name, input));
        }
        Ok(OpContext { run_id, step_key, attempt, config, partitions, inputs, outputs })
    }
}

/// A [`Report`] in a message.
#[derive(Serialize, Deserialize)]
pub(super) struct PackedReport {
    pub outcome: Result<PackedResult, Failure>,
    pub receipt: Receipt,
    pub log: Log,
}

/// What a call that succeeded gave.
#[derive(Serialize, Deserialize)]
pub(crate) enum PackedResult {
    Stored(Stored),
    Loaded { value: PackedValue, metadata: Vec<MetadataEntry>, events: Vec<AssetEvent> },
    Computed(Vec<PackedOutput>),
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PackedOutput {
    pub name: String,
    pub value: PackedValue,
    pub metadata: Vec<MetadataEntry>,
    pub part_metadata: HashMap<String, Vec<MetadataEntry>>,
}

/// What passes between processes as the result of a call.
pub(crate) trait Outcome: Sized {
    fn pack(self, parcel: &mut Parcel<'_>) -> io::Result<PackedResult>;
    /// Nothing where it is the result of another kind of call. Fails where no such call gives it.
    fn unpack(packed: PackedResult, claims: &mut Claims<'_>) -> Result<Option<Self>, Lost>;
}

impl Outcome for Stored {
    fn pack(self, _: &mut Parcel<'_>) -> io::Result<PackedResult> {
        Ok(PackedResult::Stored(self))
    }

    fn unpack(packed: PackedResult, claims: &mut Claims<'_>) -> Result<Option<Self>, Lost> {
        let PackedResult::Stored(mut stored) = packed else { return Ok(None) };
        claims.records.metadata(&mut stored.metadata)?;
        claims.records.events(&mut stored.events)?;
        stored.data_version = stored.data_version.map(|version| distrust::shown_line(&version));
        Ok(Some(stored))
    }
}

impl Outcome for Loaded {
    fn pack(self, parcel: &mut Parcel<'_>) -> io::Result<PackedResult> {
        let Self { value, metadata, events } = self;
        Ok(PackedResult::Loaded { value: parcel.value(&value)?, metadata, events })
    }

    fn unpack(packed: PackedResult, claims: &mut Claims<'_>) -> Result<Option<Self>, Lost> {
        let PackedResult::Loaded { value, mut metadata, mut events } = packed else { return Ok(None) };
        claims.records.metadata(&mut metadata)?;
        claims.records.events(&mut events)?;
        // One who loads has stored nothing.
        if events.iter().any(|event| event.kind != AssetEventKind::Observation) {
            return Err(Lost::invalid("it says that it stored what it loads"));
        }
        let (_, mut sink) = claims.next_output().ok_or_else(|| Lost::invalid("it is of another call"))?;
        claims.value(value, &mut sink)?;
        Ok(Some(Self { value: sink.finish(), metadata, events }))
    }
}

impl Outcome for Computed {
    fn pack(self, parcel: &mut Parcel<'_>) -> io::Result<PackedResult> {
        let mut output = |output: ComputedOutput| -> io::Result<PackedOutput> {
            let ComputedOutput { name, value, metadata, part_metadata } = output;
            Ok(PackedOutput { name, value: parcel.value(&value)?, metadata, part_metadata })
        };
        self.outputs.into_iter().map(&mut output).collect::<io::Result<_>>().map(PackedResult::Computed)
    }

    fn unpack(packed: PackedResult, claims: &mut Claims<'_>) -> Result<Option<Self>, Lost> {
        let PackedResult::Computed(said) = packed else { return Ok(None) };
        let mut outputs = Vec::new();
        for PackedOutput { name, value, mut metadata, mut part_metadata } in said {
            let Some((_, mut sink)) = claims.next_output().filter(|(expected, _)| *expected == name) else {
                return Err(Lost::invalid("it gives outputs that the op does not have"));
            };
            claims.records.metadata(&mut metadata)?;
            for (key, metadata) in &mut part_metadata {
                sink.check_key(key).map_err(|_| Lost::invalid("it records something of a part that cannot be"))?;
                claims.records.text(key)?;
                claims.records.metadata(metadata)?;
            }
            claims.value(value, &mut sink)?;
            outputs.push(ComputedOutput { name, value: sink.finish(), metadata, part_metadata });
        }
        if claims.next_output().is_some() {
            return Err(Lost::invalid("it gives fewer outputs than the op has"));
        }
        Ok(Some(Self { outputs }))
    }
}

impl PackedReport {
    pub fn pack<T: Outcome>(report: Report<T>, parcel: &mut Parcel<'_>) -> Self {
        let Report { outcome, receipt, log } = report;
        let lost =
            |error: io::Error| Failure::Host { reason: format!("what the call gave cannot be passed on: {error}") };
        let outcome = outcome.and_then(|result| result.pack(parcel).map_err(lost));
        Self { outcome, receipt, log }
    }

    /// Fails where it cannot be the report of the call.
    pub fn unpack<T: Outcome>(self, claims: &mut Claims<'_>) -> Result<Report<T>, Lost> {
        let Self { outcome, mut receipt, mut log } = self;
        let outcome = match outcome {
            Ok(result) => Ok(T::unpack(result, claims)?.ok_or_else(|| Lost::invalid("it is of another call"))?),
            Err(Failure::Interrupted) if !claims.call.interrupt.is_interrupted() => {
                return Err(Lost::invalid("it says that it was interrupted, which it was not"));
            }
            Err(mut failure) => {
                distrust::failure(&mut failure);
                Err(failure)
            }
        };
        distrust::receipt(&mut receipt, claims.since.elapsed(), claims.call.grant);
        distrust::log(&mut log);
        Ok(Report { outcome, receipt, log })
    }
}
