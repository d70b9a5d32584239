//! What confines a process of the sandbox beside WebAssembly, so that escaping takes two independent faults.
//!
//! A process confines itself before it compiles or runs anything of a guest, while it has one thread; before, it reads what the
//! sandbox found in the component, and nothing else of it. What the kernel does not offer is left out and said so; see [`Layers`].

use std::time::Duration;
use std::{fmt, io};

use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};

use super::distrust::shown_line;
use crate::limits::{Limits, PLAN_BYTES, PROCESS_MEMORY, PROCESS_TIME};

/// Which layers confine a worker process, beside the process itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layers {
    /// Landlock: of the file system, only the directories that are lent.
    pub file_system: Layer,
    /// A seccomp filter: of the system calls, only those that a call needs.
    pub system_calls: Layer,
    /// A network of its own, with nothing in it.
    pub network: Layer,
    /// Bounds of memory, of computing and of files (`setrlimit`).
    pub resources: Layer,
}

/// Whether a layer is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// It is.
    On,
    /// It is, as far as this kernel knows it.
    Partly,
    /// It is not, for this reason.
    Off(String),
}

impl Layers {
    /// The layers by their names, in order.
    pub fn list(&self) -> [(&'static str, &Layer); 4] {
        [
            ("file system (Landlock)", &self.file_system),
            ("system calls (seccomp)", &self.system_calls),
            ("network (namespace)", &self.network),
            ("memory and files (rlimits)", &self.resources),
        ]
    }

    /// Fails where one of them is there less than in `promised`.
    pub(super) fn check_at_least(&self, promised: &Self) -> io::Result<()> {
        for ((name, layer), (_, promised)) in self.list().into_iter().zip(promised.list()) {
            if layer.strength() < promised.strength() {
                let said = shown_line(&layer.to_string());
                return Err(io::Error::other(format!(
                    "the layer {name} does not confine it as it did the first process of this sandbox, but is {said}"
                )));
            }
        }
        Ok(())
    }

    /// Whether none of them is missing; one may be there as far as the kernel knows it.
    pub fn are_complete(&self) -> bool {
        self.list().iter().all(|(_, layer)| !matches!(layer, Layer::Off(_)))
    }
}

impl Layer {
    fn strength(&self) -> u8 {
        match self {
            Self::On => 2,
            Self::Partly => 1,
            Self::Off(_) => 0,
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On => f.write_str("on"),
            Self::Partly => f.write_str("on, as far as this kernel knows it"),
            Self::Off(reason) => write!(f, "off: {reason}"),
        }
    }
}

impl<E: fmt::Display> From<Result<(), E>> for Layer {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::On,
            Err(error) => Self::Off(error.to_string()),
        }
    }
}

/// What a process needs.
pub(super) struct Needs {
    /// Directories, and whether it writes there.
    pub directories: Vec<(Dir, bool)>,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of the largest file.
    pub file: u64,
    /// Of computing, of all threads.
    pub cpu_time: Duration,
}

impl Needs {
    /// What calls within `limits` need.
    pub fn of_calls(limits: &Limits, directories: Vec<(Dir, bool)>) -> Self {
        Self {
            directories,
            memory: limits.memory.saturating_add(PROCESS_MEMORY),
            file: limits.disk.saturating_add(PLAN_BYTES),
            // A worker that computed for as long as a call may makes no other.
            cpu_time: limits.cpu_time.saturating_mul(2).saturating_add(PROCESS_TIME),
        }
    }
}

pub(super) use linux::{confine, leave_descriptors};

mod linux {
    use std::io;

    use landlock::{
        ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset, RulesetAttr,
        RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
    };
    use rustix::process::{
        DumpableBehavior, Resource, Rlimit, Signal, getegid, geteuid, getrlimit, set_parent_process_death_signal,
        setrlimit,
    };
    use rustix::thread::{CapabilitySet, CapabilitySets, UnshareFlags, capabilities, set_capabilities};

    use super::{Layer, Layers, Needs};
    use crate::process::filter;

    /// What the kernel adds to its wish to end a process where there is no memory: half of all that the machine has.
    const OUT_OF_MEMORY_SCORE: &str = "500";
    /// The first descriptor that is not a standard one.
    const FIRST_GIVEN: libc::c_int = 3;
    /// The newest rules that are asked for; an older kernel gives those that it knows.
    const RULES: ABI = ABI::V7;

    /// Closes what this process was given beside its socket: who started it may have been given something too.
    #[expect(
        unsafe_code,
        reason = "close_range and close close descriptors that somebody in this process may think are theirs. This process has only \
                  begun: of descriptors it uses the standard ones, which stay open."
    )]
    pub(in crate::process) fn leave_descriptors() -> io::Result<()> {
        // SAFETY: see the reason above.
        if unsafe { libc::syscall(libc::SYS_close_range, FIRST_GIVEN, libc::c_uint::MAX, 0) } == 0 {
            return Ok(());
        }
        // The kernel, or what confines this process already, does not have it.
        let listed = std::fs::read_dir("/proc/self/fd").map_err(|error| {
            io::Error::new(error.kind(), format!("it cannot close what it was given beside its socket: {error}"))
        })?;
        let open = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<libc::c_int>().ok());
        // All of them before one is closed, so that it is not the list itself.
        let open: Vec<libc::c_int> = open.filter(|descriptor| *descriptor >= FIRST_GIVEN).collect();
        for descriptor in open {
            // SAFETY: see the reason above. The list is no longer open.
            unsafe { libc::close(descriptor) };
        }
        Ok(())
    }

    /// Confines this process to what it needs, for good. It must have one thread.
    pub(in crate::process) fn confine(needs: &Needs) -> Layers {
        // Where the machine runs out of memory, the kernel ends it before others.
        let _ = std::fs::write("/proc/self/oom_score_adj", OUT_OF_MEMORY_SCORE);
        let network = unshare().into();
        // Nobody of the same user reads its memory or attaches to it. Before, it could not name its user to its namespace.
        let _ = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
        // Both after the namespaces: to make some takes rights and then gives all, and undoes what is to happen in the end.
        let _ = drop_capabilities();
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        let resources = resources(needs).into();
        let file_system = match file_system(needs) {
            Ok(RulesetStatus::FullyEnforced) => Layer::On,
            Ok(RulesetStatus::PartiallyEnforced) => Layer::Partly,
            Ok(RulesetStatus::NotEnforced) => Layer::Off("this kernel has no Landlock, or it is disabled".to_owned()),
            Err(error) => Layer::Off(error.to_string()),
        };
        // Last, since what comes before needs calls that it forbids.
        let system_calls = filter::install().into();
        Layers { file_system, system_calls, network, resources }
    }

    /// Of the rights of an administrator, leaves those over files of others, which may be lent. One who is none has no right more.
    fn drop_capabilities() -> io::Result<()> {
        let held = capabilities(None)?;
        let files = CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH | CapabilitySet::FOWNER;
        let kept = if geteuid().is_root() { held.permitted & files } else { CapabilitySet::empty() };
        let none = CapabilitySet::empty();
        set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: none })?;
        Ok(())
    }

    fn file_system(needs: &Needs) -> Result<RulesetStatus, RulesetError> {
        let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
        let write: BitFlags<AccessFs> = read
            | make_bitflags!(AccessFs::{WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer});
        let mut rules = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(RULES))?
            .handle_access(AccessNet::from_all(RULES))?
            .scope(Scope::from_all(RULES))?
            .create()?;
        for (directory, is_written) in &needs.directories {
            rules = rules.add_rule(PathBeneath::new(directory, if *is_written { write } else { read }))?;
        }
        Ok(rules.restrict_self()?.ruleset)
    }

    fn resources(needs: &Needs) -> io::Result<()> {
        bound(Resource::Core, 0, 0)?;
        bound(Resource::Data, needs.memory, 0)?;
        bound(Resource::Fsize, needs.file, 0)?;
        // Half of the descriptors that who started it may have at once. What a user's processes sent and nobody received yet counts
        // for all of them, and one that has more than its own bound there sends no more: a process that fills its socket is
        // stopped before the sandbox is.
        if let Some(files) = getrlimit(Resource::Nofile).current {
            bound(Resource::Nofile, files / 2, 0)?;
        }
        // The first bound is a signal that says why, the second kills.
        let seconds = needs.cpu_time.as_secs().saturating_add(u64::from(needs.cpu_time.subsec_nanos() > 0));
        bound(Resource::Cpu, seconds, 1)
    }

    /// Bounds `resource` by `wanted`, or by what this process was started with where that is less, since nobody but an
    /// administrator raises it again. The signal comes that much before the end.
    fn bound(resource: Resource, wanted: u64, before: u64) -> io::Result<()> {
        let wanted = wanted.saturating_add(before);
        let maximum = getrlimit(resource).maximum.map_or(wanted, |hard| hard.min(wanted));
        Ok(setrlimit(resource, Rlimit { current: Some(maximum.saturating_sub(before)), maximum: Some(maximum) })?)
    }

    /// Leaves the networks and the shared memory of the machine.
    fn unshare() -> io::Result<()> {
        let flags = UnshareFlags::NEWNET | UnshareFlags::NEWIPC;
        // One who may do it needs no user namespace, in which an administrator's rights over others' files would end.
        if leave(flags).is_ok() {
            return Ok(());
        }
        let (user, group) = (geteuid().as_raw(), getegid().as_raw());
        leave(flags | UnshareFlags::NEWUSER)
            .map_err(|error| io::Error::new(error.kind(), format!("the system allows no namespaces ({error})")))?;
        // The same user and group inside as outside.
        std::fs::write("/proc/self/setgroups", "deny")?;
        std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
    }

    #[expect(
        unsafe_code,
        reason = "rustix marks unshare as unsafe because of CLONE_FILES, after which threads disagree on what descriptors \
                  are open. None of the flags here is that one."
    )]
    fn leave(flags: UnshareFlags) -> io::Result<()> {
        // SAFETY: see the reason above.
        unsafe { rustix::thread::unshare_unsafe(flags) }.map_err(Into::into)
    }
}

#[cfg(test)]
mod tests;
