//! The files of the definitions: the one that is named, those it includes, and the profiles in it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::deciding::Included;
use super::fields::{Fields, Problems};
use super::sections::Sections;
use super::tree::{self, Entry, Node, Tree};
use super::{Diagnostic, Diagnostics, Position, SourceFile, keys, template};
use crate::suggest;

/// Bytes of a file of definitions, at most.
const FILE_BYTES: u64 = 16 << 20;

/// The parsed files.
pub(super) struct Files {
    sources: Vec<Arc<SourceFile>>,
    main: Node,
    /// The sections of all files, without a profile.
    pub sections: Sections,
    /// Where files were looked for.
    pub included: Vec<Included>,
    /// What is wrong about the files as such.
    problems: Vec<Diagnostic>,
}

impl Files {
    /// Reads the file at `path` and those that it includes.
    pub fn read(path: &Path) -> Result<Self, Diagnostics> {
        let problems = Problems::default();
        let source = load(path).map_err(|error| {
            let diagnostic = Diagnostic::new(format!("cannot read {}: {error}", path.display()));
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            if missing {
                diagnostic.help("name the definitions file, or go to the directory that has it")
            } else {
                diagnostic
            }
        })?;
        let mut sources = vec![Arc::clone(&source)];
        let mut syntax = Vec::new();
        let main = tree::parse(&source).unwrap_or_else(|errors| {
            syntax.extend(errors);
            Node { tree: Tree::Table(Vec::new()), position: Position { source, start: 0, end: 0 } }
        });
        let (mut included, mut looked_for) = (Vec::new(), Vec::new());
        // One file has many paths, and is read once.
        let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut read = HashSet::from([canonical(path)]);
        let fields = Fields::new(&main, &main.position, "the definitions file", keys::FILE, &problems);
        for (pattern, position) in fields.texts("include") {
            looked_for.extend(Included::of(pattern, path.parent().unwrap_or(Path::new(""))));
            for file in find(path, pattern, position, &problems) {
                if !read.insert(canonical(&file)) {
                    continue;
                }
                match load(&file) {
                    Ok(source) => {
                        sources.push(Arc::clone(&source));
                        match tree::parse(&source) {
                            Ok(node) => included.push(node),
                            Err(errors) => syntax.extend(errors),
                        }
                    }
                    Err(error) => problems.at(position, format!("cannot read {}: {error}", file.display())),
                }
            }
        }
        for node in &included {
            Fields::new(node, &node.position, "an included file", keys::INCLUDED_FILE, &problems);
        }
        let sections = Sections::read(&main, included, &problems);
        // A graph may be in many places.
        let problems = template::once(problems.into_list(), &sections.graphs);
        let files = Self { sources, main, sections, included: looked_for, problems };
        // What else would be said of a file that could be read in part only would mislead.
        if syntax.is_empty() { Ok(files) } else { Err(files.in_order(syntax)) }
    }

    /// The sections, with the profile `name` merged over them, and what is wrong with the files as such.
    pub fn sections(&self, name: Option<&str>) -> (Cow<'_, Sections>, Vec<Diagnostic>) {
        let problems = Problems::default();
        for problem in &self.problems {
            problems.push(problem.clone());
        }
        let mut sections = Cow::Borrowed(&self.sections);
        match name.map(|name| self.profile(name).ok_or(name)) {
            None => {}
            Some(Ok(profile)) => sections.to_mut().merge_profile(profile, &problems),
            Some(Err(name)) => problems.push(self.no_profile(name)),
        }
        (sections, problems.into_list())
    }

    /// The paths of the files.
    pub fn paths(&self) -> impl Iterator<Item = &Path> + Clone {
        self.sources.iter().map(|source| source.path.as_path())
    }

    /// The names of the profiles.
    pub fn profiles(&self) -> impl Iterator<Item = &str> + Clone {
        self.main
            .get("profile")
            .and_then(|entry| entry.node.entries())
            .unwrap_or_default()
            .iter()
            .map(|entry| &*entry.key)
    }

    /// Whether `diagnostic` is about something that the profile `name` says.
    pub fn is_of_profile(&self, name: &str, diagnostic: &Diagnostic) -> bool {
        let profile = self.profile(name);
        profile.zip(diagnostic.position.as_ref()).is_some_and(|(profile, place)| profile.node.holds(place))
    }

    /// `problems` in the order of the files and the places in them, each once.
    pub fn in_order(&self, mut problems: Vec<Diagnostic>) -> Diagnostics {
        let rank = |problem: &Diagnostic| {
            let position = problem.position.as_ref()?;
            Some((self.sources.iter().position(|source| *source == position.source), position.start))
        };
        problems.sort_by_cached_key(rank);
        problems.dedup();
        Diagnostics { list: problems }
    }

    fn profile(&self, name: &str) -> Option<&Entry> {
        self.main.get("profile")?.node.get(name)
    }

    fn no_profile(&self, name: &str) -> Diagnostic {
        let help = suggest::help(name, self.profiles());
        let help = help.unwrap_or_else(|| format!("define it under `[profile.{name}]`"));
        Diagnostic::new(format!("{} has no profile `{name}`", self.main.position.file().display())).help(help)
    }
}

fn load(path: &Path) -> std::io::Result<Arc<SourceFile>> {
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    if metadata.len() > FILE_BYTES {
        return Err(std::io::Error::other("it is larger than 16 MiB"));
    }
    let text = std::fs::read_to_string(path)?;
    Ok(Arc::new(SourceFile::new(path.to_owned(), text)))
}

/// The files that `pattern`, relative to the file `main`, means.
fn find(main: &Path, pattern: &str, position: &Position, problems: &Problems) -> Vec<PathBuf> {
    let directory = main.parent().unwrap_or(Path::new(""));
    let Some(shown) = directory.to_str() else {
        problems.at(position, "`include` needs a directory whose name is UTF-8");
        return Vec::new();
    };
    let full =
        if shown.is_empty() { pattern.to_owned() } else { format!("{}/{pattern}", glob::Pattern::escape(shown)) };
    let paths = match glob::glob(&full) {
        Ok(paths) => paths,
        Err(error) => {
            problems.at(position, format!("{pattern:?} is not a pattern: {}", error.msg));
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for path in paths {
        match path {
            Ok(path) if path.is_file() => files.push(path),
            Ok(_) => {}
            Err(error) => problems.at(position, format!("cannot look for {pattern:?}: {error}")),
        }
    }
    if files.is_empty() {
        problems.at(position, format!("no file matches {pattern:?}"));
    }
    files
}
