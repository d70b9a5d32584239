//! A test under way: what the component claims, what it was found to do so far, and what its calls have in common.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use airlock_sandbox::component::{Component, Exports, Manifest};
use airlock_sandbox::report::{Denial, Failure, GuestError, Report};
use airlock_sandbox::value::{Budget, Content, Part, Value};
use tempfile::TempDir;

use crate::cases::words;
use crate::check::{Checked, Findings, Stop, innermost, not_claimed};
use crate::kinds::{self, Form, Kind};
use crate::lab::Lab;
use crate::report::Finding;
use crate::subject::Subject;
use crate::{Kit, Stopped};

/// Bytes of memory that the values of a test take together; what exceeds it waits in files.
const VALUE_MEMORY: u64 = 32 << 20;
/// Denials and errors that are kept.
const SEEN: usize = 64;

/// A test under way.
pub(crate) struct Bench<'a> {
    pub kit: Kit<'a>,
    pub budget: Budget,
    manifest: Manifest,
    /// Where values wait.
    _spill: TempDir,
    seen: Mutex<Seen>,
    small: OnceLock<Small>,
}

/// What was seen in all calls, and what is wrong with it.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// Whether there was a call at all.
    pub calls: bool,
    /// What it was denied, and meanwhile it did what.
    pub denials: Vec<(&'static str, Denial)>,
    /// The errors that it returned which say too little, and meanwhile it did what.
    pub errors: Vec<(&'static str, GuestError)>,
}

/// What became of small values.
pub(crate) struct Small {
    /// The kinds of which one came back.
    pub working: Vec<Kind>,
    pub findings: Vec<Finding>,
}

impl<'a> Bench<'a> {
    pub fn new(kit: Kit<'a>) -> Result<Self, Stopped> {
        let spill = tempfile::tempdir().map_err(|error| Stopped::Storage(error.to_string()))?;
        Ok(Self {
            kit,
            budget: Budget::new(VALUE_MEMORY, spill.path()),
            manifest: kit.component.inspection().manifest.clone().unwrap_or_default(),
            _spill: spill,
            seen: Mutex::default(),
            small: OnceLock::new(),
        })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn exports(&self) -> Exports {
        self.kit.component.inspection().exports
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what a call was denied, as far as that tells something of the component, and the error that it returned where
    /// that says too little.
    pub fn note<T>(&self, doing: &'static str, report: &Report<T>, tells: impl Fn(&Denial) -> bool) {
        let mut seen = self.seen();
        seen.calls = true;
        for denial in report.receipt.denials.list.iter().filter(|denial| tells(denial)) {
            if seen.denials.len() < SEEN && !seen.denials.iter().any(|(_, known)| known == denial) {
                seen.denials.push((doing, denial.clone()));
            }
        }
        if let Err(failure) = &report.outcome
            && let Failure::Guest { error } = innermost(failure)
            && words::lacks(error).is_some()
            && seen.errors.len() < SEEN
            && !seen.errors.iter().any(|(_, known)| known == error)
        {
            seen.errors.push((doing, error.clone()));
        }
    }

    /// A part of a value.
    pub fn part(&self, kind: Kind, key: Option<&str>, bytes: &[u8]) -> Checked<Part> {
        let content = Content::from_bytes(bytes, &self.budget)?;
        Ok(Part { key: key.map(str::to_owned), media_type: kind.media_type.to_owned(), content })
    }

    /// A value of one part.
    pub fn value(&self, kind: Kind, bytes: &[u8]) -> Checked<Value> {
        Ok(Value { parts: vec![self.part(kind, None, bytes)?] })
    }

    /// What became of small values of each kind, which is tried once.
    pub fn small(&self) -> Checked<&Small> {
        self.stores()?;
        if let Some(small) = self.small.get() {
            return Ok(small);
        }
        let claimed = kinds::claimed(&self.manifest.values);
        if claimed.is_empty() {
            let claims = self.manifest.values.join(", ");
            return not_claimed(format!("it claims {claims}, of which the kit makes no values"));
        }
        let mut findings = Findings::default();
        let mut working = Vec::new();
        for kind in claimed {
            if findings.take(self.try_small(kind))?.is_some() {
                working.push(kind);
            }
        }
        let findings = match findings.end(None) {
            Err(Stop::Found(findings)) => findings,
            _ => Vec::new(),
        };
        Ok(self.small.get_or_init(|| Small { working, findings }))
    }

    /// Whether small values were tried, and not all came back.
    pub fn small_failed(&self) -> bool {
        self.small.get().is_some_and(|small| !small.findings.is_empty())
    }

    fn try_small(&self, kind: Kind) -> Checked<()> {
        let (lab, subject, bytes) = (Lab::new(self)?, Subject::asset(&["small", "value"]), kind.sample(1));
        let done = format!("stored a small value of {}", kind.media_type);
        let record = lab.put(&subject, &self.value(kind, &bytes)?, &done)?;
        if self.exports().input {
            lab.check(&subject, &[record], kind, &bytes, &format!("{done} and loaded it"))?;
        }
        Ok(())
    }

    /// A kind of values that it stores.
    pub fn any_kind(&self) -> Checked<Kind> {
        let none = || Stop::NotTried("no small value could be stored and loaded: see `small`".to_owned());
        self.small()?.working.first().copied().ok_or_else(none)
    }

    /// The kinds of values that it stores, of which there is one at least.
    pub fn kinds(&self) -> Checked<Vec<Kind>> {
        self.any_kind()?;
        Ok(self.small()?.working.clone())
    }

    /// As [`kinds`](Self::kinds), of a component that loads them too.
    pub fn loaded_kinds(&self) -> Checked<Vec<Kind>> {
        self.stores()?;
        self.loads()?;
        self.kinds()
    }

    /// The first of [`loaded_kinds`](Self::loaded_kinds).
    pub fn kind(&self) -> Checked<Kind> {
        self.stores()?;
        self.loads()?;
        self.any_kind()
    }

    /// The first kind of this form that it stores and loads; `what` such values are called.
    pub fn kind_of(&self, form: Form, what: &str) -> Checked<Kind> {
        match self.loaded_kinds()?.into_iter().find(|kind| kind.form == form) {
            Some(kind) => Ok(kind),
            None if kinds::claimed(&self.manifest.values).iter().any(|kind| kind.form == form) => {
                Err(Stop::NotTried(format!("no small {what} could be stored and loaded: see `small`")))
            }
            None => not_claimed(format!("its `values` hold no {what}")),
        }
    }

    /// That it stores tables and loads them.
    pub fn tables(&self) -> Checked<Kind> {
        self.kind_of(Form::Table, "table")
    }

    pub fn stores(&self) -> Checked<()> {
        if self.exports().output { Ok(()) } else { not_claimed("it does not store") }
    }

    pub fn computes(&self) -> Checked<()> {
        if self.exports().op { Ok(()) } else { not_claimed("it is no op") }
    }

    pub fn loads(&self) -> Checked<()> {
        if self.exports().input { Ok(()) } else { not_claimed("it does not load") }
    }

    /// Whether it stores all partitions of a step in one call.
    pub fn takes_many(&self) -> bool {
        self.manifest.many_partitions
    }

    /// The other component, where one is given.
    pub fn other(&self) -> Checked<&'a Component> {
        self.kit.against.map_or_else(|| not_claimed("no other component is given with `--against`"), Ok)
    }
}
