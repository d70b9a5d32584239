//! Mounts over a directory of the machine.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::fs::Dir;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::report::Failure;

use super::Durability;
use super::backend::{Backend, Found, Kind, storage_failure};
use super::directory::{self, Walk};
use super::lock::{Lock, Waiting};
use super::path::{RESERVED, is_plain, is_reserved, join, name, parent};
use super::plan::{NewPlan, Step};
use super::publish;
use super::staging::{Area, CallDirectory};

/// A directory of the machine, as one call sees it.
pub(crate) struct Local {
    path: PathBuf,
    /// Absent where the directory does not exist and the call only reads.
    root: Option<Dir>,
    /// Directories that got an entry when the mount's directory was made.
    made_in: Vec<Dir>,
    area: Option<Area>,
    /// Whether nothing was stored here when the call began, so that there were no locks to take.
    was_empty: bool,
    stripes: BTreeSet<u8>,
    usage: Use,
    locks: Vec<File>,
    call: Option<CallDirectory>,
    /// The directory that was walked to last, which what is looked at next lies in most often.
    walked: RefCell<Option<(String, Arc<Dir>)>>,
}

/// What lies where a walk leads.
enum Reached {
    Directory(Arc<Dir>),
    /// Nothing, or something below a file.
    Nothing,
    /// A link, or something behind one.
    Other,
}

/// What a call does with a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It stores there.
    Write,
    /// It reads there, and the grant would let another call write.
    ReadOfWritable,
    /// It reads there.
    Read,
}

impl Local {
    /// Opens the directory at `path` for a call on the outputs of `stripes`: takes their locks, finishes what calls
    /// before it began to publish, and sweeps what they left.
    pub fn open(path: &Path, usage: Use, stripes: &BTreeSet<u8>, waiting: &Waiting) -> Result<Self, Failure> {
        let shown = path.display().to_string();
        let failure = |operation: &str, error: io::Error| {
            Err(Failure::Storage { failure: storage_failure(operation, &shown, &error) })
        };
        let mut made_in = Vec::new();
        let root = match directory::open_root(path, (usage == Use::Write).then_some(&mut made_in)) {
            Ok(root) => Some(root),
            Err(error) if error.kind() == io::ErrorKind::NotFound && usage != Use::Write => None,
            Err(error) => return failure("open", error),
        };
        let (path, stripes) = (path.to_owned(), stripes.clone());
        let mut local = Self {
            path,
            root,
            made_in,
            area: None,
            was_empty: false,
            stripes,
            usage,
            locks: Vec::new(),
            call: None,
            walked: RefCell::default(),
        };
        if let Some(root) = &local.root {
            local.area = match Area::open(root, usage != Use::Read, &shown) {
                Ok(area) => area,
                Err(error) if usage != Use::Write && cannot_be_written(&error) => None,
                Err(error) => return failure("open Airlock's directory in", error),
            };
            local.was_empty = local.area.is_none() && matches!(directory::find(root, RESERVED), Ok(None));
        }
        if let (Some(area), Use::Write) = (&local.area, usage) {
            area.require_trust()?;
        }
        local.enter(waiting)?;
        Ok(local)
    }

    /// Takes the locks. While a plan for one of the outputs waits, lets them go, does the plan and takes them again.
    fn enter(&mut self, waiting: &Waiting) -> Result<(), Failure> {
        let (Some(root), Some(area)) = (&self.root, &self.area) else { return Ok(()) };
        let lock = if self.usage == Use::Write { Lock::Write } else { Lock::Read };
        let mut left_to_others = BTreeSet::new();
        loop {
            let locks = area.lock(lock, &self.stripes, waiting)?;
            let concerns = |stripes: &BTreeSet<u8>| !stripes.is_disjoint(&self.stripes);
            let mut pending = area.sweep()?;
            pending.retain(|plan| concerns(&plan.stripes) || !(plan.held || left_to_others.contains(&plan.name)));
            if pending.is_empty() {
                self.locks = locks;
                return Ok(());
            }
            drop(locks);
            for plan in pending {
                if plan.of_another && left_to_others.insert(plan.name.clone()) {
                    // The lock may not have been there to be taken; who publishes now is waited for.
                    continue;
                }
                let own = concerns(&plan.stripes);
                match area.recover(root, &plan.name, own, waiting) {
                    Err(error) if own => return Err(error),
                    // A call on those outputs will meet the failure.
                    _ => left_to_others.insert(plan.name),
                };
            }
        }
    }

    /// Walks from `root` to the directory `path`.
    fn reach(&self, root: &Dir, path: &str) -> io::Result<Reached> {
        let mut walked = self.walked.borrow_mut();
        if let Some((at, directory)) = &*walked
            && at == path
        {
            return Ok(Reached::Directory(Arc::clone(directory)));
        }
        Ok(match directory::walk(root, path)? {
            Walk::Directory(directory) => {
                let directory = Arc::new(directory);
                *walked = Some((path.to_owned(), Arc::clone(&directory)));
                Reached::Directory(directory)
            }
            Walk::Missing | Walk::File => Reached::Nothing,
            Walk::Other => Reached::Other,
        })
    }

    /// The directory of the staged files, which is made when it is first needed.
    fn call(&mut self) -> io::Result<&mut CallDirectory> {
        let area = self.area.as_ref().ok_or_else(|| io::Error::from(Errno::ROFS))?;
        let call = match self.call.take() {
            Some(call) => call,
            None => area.begin()?,
        };
        Ok(self.call.insert(call))
    }

    fn staging(&self) -> io::Result<&Dir> {
        self.call.as_ref().map(CallDirectory::directory).ok_or_else(|| io::Error::from(Errno::NOENT))
    }

    /// Checks what can be checked and makes it durable, up to the plan. Nothing of it can be seen in the mount.
    pub(super) fn prepare(&mut self, steps: &[Step], durability: Durability) -> io::Result<()> {
        publish::check(self, steps)?;
        let call = self.call()?;
        publish::check_staged(call.directory(), steps)?;
        if durability == Durability::Full {
            publish::sync_staged(call.directory(), steps)?;
            for directory in &self.made_in {
                directory::sync(directory)?;
            }
        }
        if is_atomic(steps) {
            return Ok(());
        }
        if let (Durability::Full, Some(root)) = (durability, &self.root) {
            // The entry of Airlock's own directory.
            directory::sync(root)?;
        }
        // Made above.
        let call = self.call.as_mut().ok_or_else(|| io::Error::from(Errno::NOENT))?;
        call.write_plan(NewPlan::new(&self.stripes, steps), durability)
    }

    /// Refuses what was read without locks where one of its outputs was published for the first time meanwhile.
    fn check_unlocked(&self) -> Result<(), Failure> {
        let Some(root) = self.root.as_ref().filter(|_| self.was_empty) else { return Ok(()) };
        let published =
            Area::open(root, false, "").and_then(|area| area.map_or(Ok(false), |area| area.has_locks(&self.stripes)));
        match published {
            Ok(false) => Ok(()),
            Ok(true) => {
                let reason =
                    "it was stored for the first time meanwhile, and what was read may be a part of it; try again";
                let failure = self.failure("read", "", &io::Error::other(reason));
                Err(Failure::Storage { failure })
            }
            Err(error) => Err(Failure::Storage { failure: self.failure("read", "", &error) }),
        }
    }

    /// Does one step of what was prepared.
    pub(super) fn perform(&self, step: &Step) -> io::Result<()> {
        let root = self.root.as_ref().ok_or_else(|| io::Error::from(Errno::NOENT))?;
        publish::perform(root, self.staging()?, step)
    }

    fn finish(&mut self, steps: &[Step], durability: Durability) -> io::Result<()> {
        if let (Durability::Full, Some(root)) = (durability, &self.root) {
            publish::sync(root, steps)?;
        }
        if let Some(call) = self.call.take() {
            call.finish(durability)?;
        }
        Ok(())
    }
}

impl Backend for Local {
    fn stat(&self, path: &str) -> io::Result<Option<Found>> {
        let Some(holder) = parent(path) else { return Ok(Some(Found::Directory)) };
        let Some(root) = &self.root else { return Ok(None) };
        match self.reach(root, holder)? {
            Reached::Directory(directory) => directory::find(&directory, name(path)),
            Reached::Nothing => Ok(None),
            Reached::Other => Ok(Some(Found::Other)),
        }
    }

    fn list(&self, path: &str, keep: &dyn Fn(&str) -> bool, limit: usize) -> io::Result<Vec<(String, Kind)>> {
        let Some(root) = &self.root else { return Ok(Vec::new()) };
        let visible = |name: &str| keep(name) && !(path.is_empty() && is_reserved(name));
        let Reached::Directory(directory) = self.reach(root, path)? else { return Ok(Vec::new()) };
        let mut names = directory::list(&directory, &visible, limit)?;
        // What no call can name is there, so that its directory is not empty, but is nothing that a call can move.
        for (name, kind) in &mut names {
            if !is_plain(&join(path, name)) {
                *kind = Kind::Other;
            }
        }
        Ok(names)
    }

    fn open(&self, path: &str) -> io::Result<Option<File>> {
        let (Some(root), Some(holder)) = (&self.root, parent(path)) else { return Ok(None) };
        match self.reach(root, holder)? {
            Reached::Directory(directory) => directory::open_file(&directory, name(path), OFlags::RDONLY),
            Reached::Nothing => Err(Errno::NOENT.into()),
            Reached::Other => Ok(None),
        }
    }

    fn create_staged(&mut self, number: u64) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        open_staged(self.call()?.directory(), number, flags)
    }

    fn open_staged(&self, number: u64) -> io::Result<File> {
        open_staged(self.staging()?, number, OFlags::RDWR)
    }

    fn remove_staged(&mut self, number: u64) -> io::Result<()> {
        self.staging()?.remove_file(number.to_string())
    }

    fn release_readers(&mut self) {
        // What is published is compared with what lies there then.
        self.walked.take();
        if self.usage != Use::Write {
            self.locks.clear();
        }
    }

    fn publish(&mut self, steps: Vec<Step>, durability: Durability, waiting: &Waiting) -> Result<(), Failure> {
        if steps.is_empty() {
            self.call = None;
            return self.check_unlocked();
        }
        let _publishing = match &self.area {
            Some(area) => area.lock(Lock::Publish, &self.stripes, waiting)?,
            None => Vec::new(),
        };
        let prepared = self.prepare(&steps, durability);
        let planned = self.call.as_ref().is_some_and(CallDirectory::is_planned);
        let failure = |local: &Self, operation: &str, path: &str, error: &io::Error, done: bool| {
            let mut failure = local.failure(operation, path, error);
            failure.reason.push_str(match (planned, done) {
                (true, _) => "; what was written is kept, and the next call on this mount publishes it",
                (false, true) => "; what was written is in place, and may not last where the machine fails",
                (false, false) => "",
            });
            Failure::Storage { failure }
        };
        prepared.map_err(|error| failure(self, "publish to", "", &error, false))?;
        for step in &steps {
            // A plan that is done again passes over what it has put in place; here nothing was put yet.
            let staged = self.staging().and_then(|staging| publish::check_staged(staging, std::slice::from_ref(step)));
            let done = staged.and_then(|()| self.perform(step));
            done.map_err(|error| failure(self, "publish", step.path(), &error, false))?;
        }
        self.finish(&steps, durability).map_err(|error| failure(self, "publish to", "", &error, true))
    }

    fn describe(&self, path: &str) -> String {
        if path.is_empty() { self.path.display().to_string() } else { self.path.join(path).display().to_string() }
    }
}

/// Whether the steps need no plan, since they are done or not done at once.
fn is_atomic(steps: &[Step]) -> bool {
    matches!(steps, [Step::Put { .. }])
}

fn open_staged(staging: &Dir, number: u64, flags: OFlags) -> io::Result<File> {
    let file = directory::open_file(staging, &number.to_string(), flags)?;
    file.ok_or_else(|| io::Error::other("a staged file was replaced by another program"))
}

fn cannot_be_written(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::ROFS | Errno::ACCESS | Errno::PERM | Errno::NOTDIR | Errno::LOOP))
}
