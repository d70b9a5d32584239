//! What a command line lends a component.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use airlock_pipeline::definitions::quantity;
use airlock_sandbox::component::ManifestMount;
use airlock_sandbox::grant::{Access, DirectoryPath, Grant, GuestPath, MountGrant, MountSource, Scope};
use airlock_sandbox::layout::Location;
use airlock_sandbox::limits::Limits;
use airlock_sandbox::remedy::MountRemedy;
use airlock_sandbox::report::{Denial, Denials, Rule};
use clap::Args;

use crate::error::Error;
use crate::places;
use crate::render::word;

/// Mounts that an error proposes.
const MOUNTS_SHOWN: usize = 4;

/// What a component is lent. Nothing where nothing is given.
#[derive(Debug, Args)]
#[command(next_help_heading = "What the component is lent")]
pub struct LendArguments {
    /// Lend a directory: HOST::GUEST[:read|:write][:mount], to read unless it says `write`, and of it only the files of
    /// the value unless it says `mount`
    #[arg(long = "mount", value_name = "MOUNT")]
    mounts: Vec<MountOption>,
    /// Lend an environment entry: NAME=VALUE, or NAME as it is in this environment
    #[arg(long = "env", value_name = "ENTRY")]
    environment: Vec<EnvironmentOption>,
    /// Set a limit: memory, disk (64MiB), time, cpu_time (5s) or files (100)
    #[arg(long = "limit", value_name = "NAME=VALUE")]
    limits: Vec<LimitOption>,
}

/// A directory that is lent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MountOption {
    host: PathBuf,
    guest: GuestPath,
    access: Access,
    scope: Scope,
}

/// An environment entry that is lent.
#[derive(Clone, Debug, PartialEq, Eq)]
struct EnvironmentOption {
    name: String,
    value: String,
}

/// A limit that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
enum LimitOption {
    Memory(u64),
    Time(std::time::Duration),
    CpuTime(std::time::Duration),
    Disk(u64),
    Files(u32),
}

impl LendArguments {
    /// What is lent, parsed and checked.
    pub fn grant(&self) -> Result<Grant, Error> {
        let own_state = places::own_state();
        let mount = |mount: &MountOption| {
            let directory = DirectoryPath::new(&mount.host, &own_state)?;
            Ok(MountGrant {
                guest_path: mount.guest.clone(),
                source: MountSource::Directory(directory),
                access: mount.access,
                scope: mount.scope,
            })
        };
        let mounts = self.mounts.iter().map(mount).collect::<Result<Vec<_>, Error>>()?;
        let mut environment = BTreeMap::new();
        for entry in &self.environment {
            environment.insert(entry.name.clone(), entry.value.clone());
        }
        let mut limits = Limits::default();
        for limit in &self.limits {
            match limit {
                LimitOption::Memory(bytes) => limits.memory = *bytes,
                LimitOption::Time(time) => limits.time = *time,
                LimitOption::CpuTime(time) => limits.cpu_time = *time,
                LimitOption::Disk(bytes) => limits.disk = *bytes,
                LimitOption::Files(files) => limits.files = *files,
            }
        }
        Ok(Grant::new(mounts, environment, limits)?)
    }

    /// The options that would allow what was denied of a component that `asks` for mounts; `places` are where the value lies
    /// that the call loads or stores.
    pub fn remedies(
        &self,
        denials: &Denials,
        asks: &[ManifestMount],
        (places, stores): (&[Location], bool),
    ) -> Vec<String> {
        let mut mounts = MountRemedy::of_all(&denials.list, places, stores);
        for mount in &mut mounts {
            // Who asks for all of it needs that next, whatever was denied first.
            if let Some(asked) = asks.iter().find(|asked| asked.path == mount.guest_path.as_str()) {
                mount.widen(Access::Read, asked.scope);
            }
        }
        let mounts: Vec<MountOption> = mounts.into_iter().map(|mount| self.option(mount)).collect();
        let is_of_load = |denial: &Denial| matches!(denial.rule, Rule::ReadOnly { loading: true, .. });
        let storing_only = denials.list.iter().any(is_of_load);
        let mut remedies = Vec::new();
        if storing_only {
            remedies.push("a component that loads may not write, whatever it is lent".to_owned());
        }
        if !mounts.is_empty() {
            let lines: Vec<String> =
                mounts.iter().take(MOUNTS_SHOWN).map(|mount| format!("\n--mount {mount}")).collect();
            remedies.push(format!("to allow it, lend it so:{}", lines.concat()));
        } else if !denials.list.is_empty() && !storing_only {
            remedies.push("no option allows this".to_owned());
        }
        remedies
    }

    /// The option that lends the mount as `remedy` wants it, and as it is lent.
    fn option(&self, mut remedy: MountRemedy) -> MountOption {
        let current = self.mounts.iter().find(|mount| mount.guest == remedy.guest_path);
        if let Some(mount) = current {
            remedy.widen(mount.access, mount.scope);
        }
        let host = current.map_or_else(|| PathBuf::from("DIRECTORY"), |mount| mount.host.clone());
        MountOption { host, guest: remedy.guest_path, access: remedy.access, scope: remedy.scope }
    }
}

impl std::fmt::Display for MountOption {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}::{}:{}", self.host.display(), self.guest, word(&self.access))?;
        if self.scope == Scope::Mount { f.write_str(":mount") } else { Ok(()) }
    }
}

impl FromStr for MountOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (host, rest) = text.split_once("::").ok_or("write HOST::GUEST, such as ./data::/data:write")?;
        if host.is_empty() {
            return Err("the directory before `::` is missing".to_owned());
        }
        let mut words = rest.split(':');
        let guest = GuestPath::new(words.next().unwrap_or_default()).map_err(|error| error.to_string())?;
        let mut mount = Self { host: Path::new(host).to_owned(), guest, access: Access::Read, scope: Scope::Output };
        for word in words {
            match word {
                "read" => mount.access = Access::Read,
                "write" => mount.access = Access::Write,
                "output" => mount.scope = Scope::Output,
                "mount" => mount.scope = Scope::Mount,
                other => return Err(format!("`{other}` is none of `read`, `write` and `mount`")),
            }
        }
        Ok(mount)
    }
}

impl FromStr for EnvironmentOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((name, value)) = text.split_once('=') {
            return Ok(Self { name: name.to_owned(), value: value.to_owned() });
        }
        let value = std::env::var(text).map_err(|error| match error {
            std::env::VarError::NotPresent => format!("{text} is not set here; give {text}=VALUE"),
            std::env::VarError::NotUnicode(_) => format!("the value of {text} is not UTF-8"),
        })?;
        Ok(Self { name: text.to_owned(), value })
    }
}

impl FromStr for LimitOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as memory=64MiB")?;
        let size = || quantity::size(value).ok_or_else(|| format!("`{value}` is no size such as 64MiB"));
        let time = || quantity::time(value).ok_or_else(|| format!("`{value}` is no time such as 5s"));
        match name {
            "memory" => size().map(Self::Memory),
            "disk" => size().map(Self::Disk),
            "time" => time().map(Self::Time),
            "cpu_time" => time().map(Self::CpuTime),
            "files" => match value.parse() {
                Ok(files) if files > 0 => Ok(Self::Files(files)),
                _ => Err(format!("`{value}` is no number of files, from 1 to {}", u32::MAX)),
            },
            other => Err(format!("`{other}` is none of memory, disk, time, cpu_time and files")),
        }
    }
}

#[cfg(test)]
mod tests {
    use airlock_sandbox::report::Operation;

    use super::*;

    fn lend(mounts: &[&str]) -> LendArguments {
        let mounts = mounts.iter().map(|mount| mount.parse().unwrap()).collect();
        LendArguments { mounts, environment: Vec::new(), limits: Vec::new() }
    }

    fn remedy(lend: &LendArguments, operation: Operation, subject: &str, rule: Rule) -> String {
        let denials = Denials { list: vec![Denial { operation, subject: subject.to_owned(), rule }], unlisted: 0 };
        lend.remedies(&denials, &[], (&[Location::asset(&["a", "b"])], false)).join("\n")
    }

    #[test]
    fn a_mount_is_lent_to_read_and_for_the_value_alone_unless_it_says_otherwise() {
        let mount: MountOption = "./data::/data".parse().unwrap();
        assert_eq!((mount.access, mount.scope), (Access::Read, Scope::Output));
        assert_eq!(mount.to_string(), "./data::/data:read");
        let mount: MountOption = "./data::/data:write:mount".parse().unwrap();
        assert_eq!((mount.access, mount.scope), (Access::Write, Scope::Mount));
        assert_eq!(mount.to_string(), "./data::/data:write:mount");
    }

    #[test]
    fn a_mount_that_is_none_is_refused() {
        for wrong in ["", "data", "./data:/data", "::/data", "./data::data", "./data::/", "./data::/data:rw"] {
            assert!(wrong.parse::<MountOption>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn limits_have_units() {
        assert_eq!("memory=64MiB".parse(), Ok(LimitOption::Memory(64 << 20)));
        assert_eq!("files=3".parse(), Ok(LimitOption::Files(3)));
        for wrong in ["memory", "memory=64", "time=5", "fuel=1", "files=-1", "files=0"] {
            assert!(wrong.parse::<LimitOption>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_environment_entry_is_given_or_passed_on() {
        let given: EnvironmentOption = "A=b=c".parse().unwrap();
        assert_eq!((given.name.as_str(), given.value.as_str()), ("A", "b=c"));
        let refusal = "AIRLOCK_NO_SUCH_ENTRY".parse::<EnvironmentOption>().unwrap_err();
        assert!(refusal.ends_with("give AIRLOCK_NO_SUCH_ENTRY=VALUE"), "{refusal}");
    }

    #[test]
    fn a_denial_is_answered_by_the_option_that_would_allow_it() {
        let nothing = lend(&[]);
        let shown = remedy(&nothing, Operation::Write, "/data/a/b.bin", Rule::NotMounted);
        assert!(shown.ends_with("--mount DIRECTORY::/data:write"), "{shown}");
        let shown = remedy(&nothing, Operation::Read, "/etc/passwd", Rule::NotMounted);
        assert!(shown.ends_with("--mount DIRECTORY::/etc:read:mount"), "{shown}");

        let read = lend(&["./data::/data"]);
        let rule = Rule::ReadOnly { mount: "/data".to_owned(), loading: false };
        let shown = remedy(&read, Operation::Write, "/data/a/b.bin", rule);
        assert!(shown.ends_with("--mount ./data::/data:write"), "{shown}");
        let rule = Rule::OutOfScope { mount: "/data".to_owned(), scope: "a/b".to_owned() };
        let shown = remedy(&read, Operation::Read, "/data/c", rule);
        assert!(shown.ends_with("--mount ./data::/data:read:mount"), "{shown}");
        assert_eq!(remedy(&read, Operation::Network, "a TCP socket", Rule::NoNetwork), "no option allows this");
    }

    #[test]
    fn who_asks_for_a_whole_directory_is_answered_by_one() {
        let rule = Rule::NotMounted;
        let list = vec![Denial { operation: Operation::Write, subject: "/data/a/b.bin".to_owned(), rule }];
        let asks = |path: &str| {
            let (access, scope) = (Access::Write, Scope::Mount);
            [ManifestMount { path: path.to_owned(), access, scope, reason: String::new() }]
        };
        let (denials, places) = (Denials { list, unlisted: 0 }, [Location::asset(&["a", "b"])]);
        let shown = |path| lend(&[]).remedies(&denials, &asks(path), (&places, true)).concat();
        assert!(shown("/data").ends_with("--mount DIRECTORY::/data:write:mount"), "{}", shown("/data"));
        assert!(shown("/other").ends_with("--mount DIRECTORY::/data:write"), "{}", shown("/other"));
    }

    #[test]
    fn denials_of_one_directory_are_answered_by_one_mount() {
        let denied =
            |operation, subject: &str| Denial { operation, subject: subject.to_owned(), rule: Rule::NotMounted };
        let list = vec![denied(Operation::Write, "/data/a/b.bin"), denied(Operation::Read, "/data/c.bin")];
        let places = [Location::asset(&["a", "b"])];
        let remedies = lend(&[]).remedies(&Denials { list, unlisted: 0 }, &[], (&places, false));
        assert_eq!(remedies, ["to allow it, lend it so:\n--mount DIRECTORY::/data:write:mount"]);
    }
}
