//! What decides what components may do, and where more of that is looked for.

use std::path::{Path, PathBuf};

use airlock_sandbox::grant::{Access, DirectoryPath};

use super::{ComponentSource, ComponentUse};
use crate::lock::Lock;

/// What decides what components may do: no component is lent it to write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deciding {
    /// The definitions, the components and the lock.
    files: Vec<PathBuf>,
    included: Vec<Included>,
}

/// Where an `include` looks for definitions.
#[derive(Clone, Debug)]
pub(super) struct Included {
    /// As it is written.
    pattern: String,
    /// A directory without links, and what the names in it and below it have to match.
    directory: PathBuf,
    names: Vec<Name>,
}

#[derive(Clone, Debug)]
enum Name {
    One(glob::Pattern),
    /// `**`
    Any,
}

impl Deciding {
    /// What decides where the definitions are `files`, the first of which includes the others as `included` says, and
    /// `components` are used under any profile.
    pub(super) fn new<'a>(
        files: impl Iterator<Item = &'a Path> + Clone,
        included: &[Included],
        components: impl Iterator<Item = &'a ComponentUse>,
    ) -> Self {
        // The lock is not there until it is written, and lies in the same directory, which the definitions are named for.
        let lock = files.clone().next().map(Lock::path).and_then(|lock| {
            let directory = lock.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Some(directory.canonicalize().ok()?.join(lock.file_name()?))
        });
        let components = components.filter_map(|used| match &used.component {
            ComponentSource::File(path) => Some(path.as_path()),
            ComponentSource::Builtin(_) => None,
        });
        let mut files: Vec<PathBuf> = files.chain(components).filter_map(|path| path.canonicalize().ok()).collect();
        files.sort();
        files.dedup();
        files.extend(lock);
        Self { files, included: included.to_vec() }
    }

    /// Why `directory` must not be lent with `access`: a component that writes there could decide itself what it may do
    /// the next time.
    pub fn refuse(&self, access: Access, directory: &DirectoryPath) -> Option<String> {
        if access != Access::Write {
            return None;
        }
        let directory = directory.as_path();
        let holds = |file: &&PathBuf| file.ancestors().skip(1).any(|ancestor| ancestor == directory);
        if let Some(held) = self.files.iter().find(holds) {
            let name = held.file_name().unwrap_or_default().display();
            return Some(format!(
                "a directory that holds {name} cannot be lent to write: it decides what components may do; lend a \
                 directory of its own below it"
            ));
        }
        let included = self.included.iter().find(|included| included.finds_below(directory))?;
        Some(format!(
            "a directory where `include` looks for {:?} cannot be lent to write: what it finds decides what components \
             may do; lend a directory that the pattern does not match, or include less",
            included.pattern
        ))
    }
}

impl Included {
    /// Where `pattern`, relative to `directory`, looks. What a link leads to now is looked at by itself.
    pub fn of(pattern: &str, directory: &Path) -> Vec<Self> {
        let names: Vec<&str> = pattern.split('/').filter(|name| !["", "."].contains(name)).collect();
        let is_absolute = directory.as_os_str().is_empty() && pattern.starts_with('/');
        let directory = match (is_absolute, directory.as_os_str().is_empty()) {
            (true, _) => Path::new("/"),
            (false, true) => Path::new("."),
            (false, false) => directory,
        };
        let Ok(base) = directory.canonicalize() else { return Vec::new() };
        let mut included = Vec::new();
        for (count, _) in names.iter().enumerate() {
            let (above, below) = names.split_at(count);
            let below: Option<Vec<Name>> = below.iter().map(|name| Name::of(name)).collect();
            let Some(below) = below else { continue };
            let mut add = |directory| {
                included.push(Self { pattern: pattern.to_owned(), directory, names: below.clone() });
            };
            if count == 0 {
                add(base.clone());
                continue;
            }
            let Some(shown) = base.to_str() else { continue };
            let full = format!("{}/{}", glob::Pattern::escape(shown), above.join("/"));
            for found in glob::glob(&full).into_iter().flatten().flatten() {
                match found.canonicalize() {
                    Ok(directory) if directory != found && directory.is_dir() => add(directory),
                    _ => {}
                }
            }
        }
        included
    }

    /// Whether a file that is made in `directory`, or below it, could be found.
    fn finds_below(&self, directory: &Path) -> bool {
        if self.directory.starts_with(directory) {
            return true;
        }
        let Ok(inner) = directory.strip_prefix(&self.directory) else { return false };
        let mut wanted = self.names.iter();
        for name in inner {
            match wanted.next() {
                Some(Name::Any) => return true,
                Some(Name::One(pattern)) if pattern.matches(&name.to_string_lossy()) => {}
                _ => return false,
            }
        }
        wanted.next().is_some()
    }
}

impl Name {
    fn of(name: &str) -> Option<Self> {
        if name == "**" { Some(Self::Any) } else { glob::Pattern::new(name).ok().map(Self::One) }
    }
}
