//! Airlock's own directory in a mount: `.airlock/locks/` and a directory `.airlock/call-…/` for each call that
//! writes. A call's directory is held by a lock while the call lives, so that whoever meets one that is not held
//! finishes the plan in it, or removes it.

use std::collections::BTreeSet;
use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::limits::{Bytes, PLAN_BYTES};
use crate::report::Failure;

use super::Durability;
use super::backend::storage_failure;
use super::directory;
use super::lock::{self, Lock, Waiting};
use super::path::RESERVED;
use super::plan::{NewPlan, Plan};
use super::publish;

const LOCKS: &str = "locks";
const CALL_PREFIX: &str = "call-";
const PLAN: &str = "plan";
const UNFINISHED_PLAN: &str = "plan.new";

/// Airlock's own directory in a mount.
pub(crate) struct Area {
    directory: Dir,
    locks: Option<Dir>,
    /// Why what is found here is not to be believed, where another user could have put it here.
    distrust: Option<String>,
    /// The mount, as a person knows it.
    mount: String,
}

/// The staged files of a call, and its plan once it has one.
pub(crate) struct CallDirectory {
    area: Dir,
    name: String,
    /// Holds the lock as long as it is open.
    directory: Dir,
    planned: bool,
    removed: bool,
}

/// A call's directory with a plan that waits to be done.
pub(crate) struct Pending {
    pub name: String,
    pub stripes: BTreeSet<u8>,
    /// Whether another process holds it.
    pub held: bool,
    /// Whether another user alone can finish it.
    pub of_another: bool,
}

impl Pending {
    fn of_another(name: &str, stripes: BTreeSet<u8>) -> Self {
        Self { name: name.to_owned(), stripes, held: true, of_another: true }
    }
}

impl Area {
    /// The area in `root`, which is made where `create` says so; nothing where there is none.
    pub fn open(root: &Dir, create: bool, mount: &str) -> io::Result<Option<Self>> {
        let Some(directory) = open_or_make(root, RESERVED, create)? else { return Ok(None) };
        let mut distrust = directory::check_owner(&directory).err().map(|error| error.to_string());
        if create && distrust.is_some() && take_back(&directory).unwrap_or(false) {
            distrust = None;
        }
        let mut locks = open_or_make(&directory, LOCKS, false)?;
        if locks.is_none() && create && distrust.is_none() {
            // It belongs to this machine. Where it cannot be written, somebody else does so or nobody minds.
            let _ = ignore_in_git(&directory);
            locks = open_or_make(&directory, LOCKS, true)?;
        }
        Ok(Some(Self { directory, locks, distrust, mount: mount.to_owned() }))
    }

    /// Refuses to store where others could plan what is done.
    pub fn require_trust(&self) -> Result<(), Failure> {
        match &self.distrust {
            None => Ok(()),
            Some(reason) => Err(self.failure("trust", "", &io::Error::other(reason.clone()))),
        }
    }

    /// Takes the locks of `stripes`, in order. None are taken in a mount that has none and cannot get them.
    pub fn lock(&self, lock: Lock, stripes: &BTreeSet<u8>, waiting: &Waiting) -> Result<Vec<File>, Failure> {
        let Some(locks) = &self.locks else { return Ok(Vec::new()) };
        let mut held = Vec::new();
        for claim in lock.claims(stripes) {
            let attempt = || match lock::try_lock(locks, &claim) {
                Err(error) if lock == Lock::Read && cannot_be_made(&error) => Ok(Some(None)),
                tried => Ok(tried.map_err(|error| self.failure("lock", LOCKS, &error))?.map(Some)),
            };
            held.extend(waiting.until(attempt, || format!("an output in {}", self.mount))?);
        }
        Ok(held)
    }

    /// Whether any of the outputs of `stripes` was ever published or read here.
    pub fn has_locks(&self, stripes: &BTreeSet<u8>) -> io::Result<bool> {
        let Some(locks) = &self.locks else { return Ok(false) };
        for claim in Lock::Publish.claims(stripes) {
            if directory::find(locks, &claim.name)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes what calls left that ended without a plan, and gives those that have one. Where others could have put
    /// it there, nothing is removed, and what cannot be looked at is left to them.
    pub fn sweep(&self) -> Result<Vec<Pending>, Failure> {
        let names = directory::list(&self.directory, &|name| name.starts_with(CALL_PREFIX), usize::MAX);
        let names = names.map_err(|error| self.failure("list", "", &error))?;
        let mut pending = Vec::new();
        for (name, _) in names {
            match self.sweep_call(&name) {
                Ok(found) => pending.extend(found),
                // Another process removed it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(self.failure("recover", &name, &error)),
            }
        }
        Ok(pending)
    }

    fn sweep_call(&self, name: &str) -> io::Result<Option<Pending>> {
        let call = match directory::open(&self.directory, name) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return self.sweep_of_another(name),
            opened => opened?,
        };
        if self.distrust.is_some() {
            let stripes = read_plan(&call, Plan::decode_stripes)?;
            return Ok(stripes.map(|stripes| Pending::of_another(name, stripes)));
        }
        directory::check_owner(&call)?;
        let held = match read_plan(&call, Plan::decode_stripes)? {
            None => {
                if !try_hold(&call)? {
                    return Ok(None);
                }
                match read_plan(&call, Plan::decode_stripes)? {
                    None => {
                        return match directory::remove_tree(&self.directory, name) {
                            // It is in nobody's way where nobody can write.
                            Err(error) if !cannot_be_made(&error) => Err(error),
                            _ => Ok(None),
                        };
                    }
                    Some(_) => false,
                }
            }
            Some(_) => !try_hold(&call)?,
        };
        // A plan that vanished meanwhile was done.
        let stripes = read_plan(&call, Plan::decode_stripes)?;
        Ok(stripes.map(|stripes| Pending { name: name.to_owned(), stripes, held, of_another: false }))
    }

    /// What a call of another user left, which lets others look at its plan once it has one.
    fn sweep_of_another(&self, name: &str) -> io::Result<Option<Pending>> {
        let call = directory::open_to_walk(&self.directory, name);
        match call.and_then(|call| read_plan(&call, Plan::decode_stripes)) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
            stripes => Ok(stripes?.map(|stripes| Pending::of_another(name, stripes))),
        }
    }

    /// Does the plan in the call directory `name` of a call that is gone. Where `wait` is not set and others are in
    /// the way, it is left to them.
    pub fn recover(&self, root: &Dir, name: &str, wait: bool, waiting: &Waiting) -> Result<(), Failure> {
        if let Some(reason) = &self.distrust {
            let reason = format!("{RESERVED} is not to be trusted: {reason}; its owner finishes what was begun there");
            return Err(self.failure("recover", name, &io::Error::other(reason)));
        }
        let failure = |error: io::Error| match Errno::from_io_error(&error) {
            Some(Errno::ACCESS) => {
                let reason = "a call of another user left it, who alone can finish it: by the next call on this mount";
                self.failure("recover", name, &io::Error::other(reason))
            }
            _ => self.failure("recover", name, &error),
        };
        let held = || format!("the unfinished publish {RESERVED}/{name} in {}", self.mount);
        let attempt = || match self.hold(name).map_err(failure)? {
            Hold::Held if wait => Ok(None),
            Hold::Held | Hold::Gone => Ok(Some(None)),
            Hold::Taken(call) => Ok(Some(Some(call))),
        };
        let Some(call) = waiting.until(attempt, held)? else { return Ok(()) };
        check_plan_owner(&call).map_err(failure)?;
        if let Some(plan) = read_plan(&call, Plan::decode).map_err(failure)? {
            let locks = match (&self.locks, wait) {
                (_, true) => Some(self.lock(Lock::Publish, &plan.stripes, waiting)?),
                (Some(locks), false) => {
                    let claims = Lock::Publish.claims(&plan.stripes);
                    let tried = claims.iter().map(|claim| lock::try_lock(locks, claim));
                    tried.collect::<io::Result<Option<Vec<File>>>>().map_err(failure)?
                }
                (None, false) => Some(Vec::new()),
            };
            let Some(_locks) = locks else { return Ok(()) };
            for step in &plan.steps {
                publish::perform(root, &call, step).map_err(failure)?;
            }
            publish::sync(root, &plan.steps).map_err(failure)?;
            // While the locks are held: what comes after it must not be undone by doing the plan again.
            remove_plan(&call, Durability::Full).map_err(failure)?;
        }
        remove_call(&self.directory, name, &call).map_err(failure)
    }

    fn hold(&self, name: &str) -> io::Result<Hold> {
        let call = match directory::open(&self.directory, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Hold::Gone),
            opened => opened?,
        };
        if !try_hold(&call)? {
            return Ok(Hold::Held);
        }
        if directory::is_linked(&self.directory, name, &call)? { Ok(Hold::Taken(call)) } else { Ok(Hold::Gone) }
    }

    /// Makes the directory of a call.
    pub fn begin(&self) -> io::Result<CallDirectory> {
        loop {
            let name = call_name();
            if !directory::make(&self.directory, &name, 0o700)? {
                continue;
            }
            // Who sweeps may have seen it before it was held.
            if let Hold::Taken(directory) = self.hold(&name)? {
                return Ok(CallDirectory {
                    area: self.directory.try_clone()?,
                    name,
                    directory,
                    planned: false,
                    removed: false,
                });
            }
        }
    }

    fn failure(&self, operation: &str, name: &str, error: &io::Error) -> Failure {
        let path = format!("{}/{RESERVED}/{name}", self.mount);
        Failure::Storage { failure: storage_failure(operation, &path, error) }
    }
}

enum Hold {
    Taken(Dir),
    Held,
    Gone,
}

impl CallDirectory {
    /// Where the staged files lie.
    pub fn directory(&self) -> &Dir {
        &self.directory
    }

    /// Whether what was staged will be published, by this process or another.
    pub fn is_planned(&self) -> bool {
        self.planned
    }

    /// Writes `plan`. Once this is done, the plan will be done by this process or another.
    pub fn write_plan(&mut self, plan: NewPlan<'_>, durability: Durability) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        let file = directory::open_file(&self.directory, UNFINISHED_PLAN, flags)?;
        let file = file.ok_or_else(|| io::Error::other("the plan is no regular file"))?;
        // Another user who loads has to know that the value is put in place.
        file.set_permissions(Permissions::from_mode(0o644))?;
        rustix::fs::fchmod(&self.directory, Mode::from_raw_mode(0o711))?;
        plan.write(&file)?;
        if durability == Durability::Full {
            file.sync_all()?;
        }
        if durability == Durability::Full {
            directory::sync(&self.area)?;
            // What was staged must be there whenever the plan is.
            directory::sync(&self.directory)?;
        }
        self.directory.rename(UNFINISHED_PLAN, &self.directory, PLAN)?;
        // Whoever meets it does it from here on, also where it cannot be made durable.
        self.planned = true;
        if durability == Durability::Full {
            directory::sync(&self.directory)?;
        }
        Ok(())
    }

    /// Ends the call whose steps are done. A plan must be gone for good before the locks are: if it came back after
    /// another call had published, it would be done again.
    pub fn finish(mut self, durability: Durability) -> io::Result<()> {
        self.removed = true;
        if self.planned {
            remove_plan(&self.directory, durability)?;
        }
        // What cannot be removed now is removed by the next call.
        let _ = remove_without_plan(&self.area, &self.name);
        Ok(())
    }
}

impl Drop for CallDirectory {
    fn drop(&mut self) {
        if !self.planned && !self.removed {
            // What cannot be removed now is removed by the next call. A plan may be there that is not durable.
            let _ = remove_call(&self.area, &self.name, &self.directory);
        }
    }
}

/// Removes a call's directory. The plan goes first: it must not be done without the files that it puts in place.
fn remove_call(area: &Dir, name: &str, call: &Dir) -> io::Result<()> {
    remove_plan(call, Durability::Full)?;
    remove_without_plan(area, name)
}

fn remove_plan(call: &Dir, durability: Durability) -> io::Result<()> {
    if directory::find(call, PLAN)?.is_some() {
        directory::remove_tree(call, PLAN)?;
        if durability == Durability::Full {
            directory::sync(call)?;
        }
    }
    Ok(())
}

fn remove_without_plan(area: &Dir, name: &str) -> io::Result<()> {
    // Most often all staged files were put in place.
    area.remove_dir(name).or_else(|_| directory::remove_tree(area, name))
}

fn try_hold(call: &Dir) -> io::Result<bool> {
    // The lock belongs to the open directory, which the clone shares.
    match call.try_clone()?.into_std_file().try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn check_plan_owner(call: &Dir) -> io::Result<()> {
    match directory::open_file(call, PLAN, OFlags::RDONLY) {
        Ok(file) => file.map_or(Ok(()), directory::check_owner),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// What `decode` makes of the plan in `call`; nothing where there is none.
fn read_plan<T>(call: &Dir, decode: impl Fn(&[u8]) -> Result<Option<T>, String>) -> io::Result<Option<T>> {
    let file = match directory::open_file(call, PLAN, OFlags::RDONLY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
    let file = file.ok_or_else(|| invalid("the plan is no regular file".to_owned()))?;
    let mut bytes = Vec::new();
    file.take(PLAN_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > PLAN_BYTES {
        return Err(invalid(format!("the plan has more than {}", Bytes(PLAN_BYTES))));
    }
    decode(&bytes).map_err(invalid)
}

/// Whether a lock file neither is there nor can be made.
fn cannot_be_made(error: &io::Error) -> bool {
    let errors = [Errno::NOENT, Errno::ACCESS, Errno::PERM, Errno::ROFS];
    Errno::from_io_error(error).is_some_and(|errno| errors.contains(&errno))
}

/// Keeps what lies here out of commits of the mount.
fn ignore_in_git(area: &Dir) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE;
    match directory::open_file(area, ".gitignore", flags)? {
        Some(mut file) => file.write_all(b"*\n"),
        None => Ok(()),
    }
}

/// Takes the right to write from others than the owner of `area`, and gives whether it can be believed then: where this
/// user owns it, and others have left no call in it. A checkout or a `chmod -R` may have given that right.
fn take_back(area: &Dir) -> io::Result<bool> {
    let stat = rustix::fs::fstat(area)?;
    let has_calls = || directory::list(area, &|name| name.starts_with(CALL_PREFIX), 0).map(|calls| !calls.is_empty());
    if stat.st_uid != rustix::process::geteuid().as_raw() || has_calls()? {
        return Ok(false);
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    rustix::fs::fchmod(area, mode - Mode::WGRP - Mode::WOTH)?;
    if has_calls()? {
        // Somebody was quicker.
        rustix::fs::fchmod(area, mode)?;
        return Ok(false);
    }
    Ok(directory::check_owner(area).is_ok())
}

fn open_or_make(parent: &Dir, name: &str, create: bool) -> io::Result<Option<Dir>> {
    match directory::open(parent, name) {
        Ok(directory) => Ok(Some(directory)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !create {
                return Ok(None);
            }
            directory::make(parent, name, 0o755)?;
            directory::open(parent, name).map(Some)
        }
        Err(error) => Err(error),
    }
}

/// A name that no other call has; that it has not is checked when the directory is made.
fn call_name() -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let number = CALLS.fetch_add(1, Ordering::Relaxed);
    format!("{CALL_PREFIX}{time:x}-{:x}-{number:x}", std::process::id())
}
