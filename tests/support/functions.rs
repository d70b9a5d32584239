//! The names of the functions in the sources of the project, so that documents name tests that there are.

use std::collections::BTreeSet;
use std::path::Path;

use crate::project::repository;

/// The names of the functions, and of the hostile guests in WebAssembly text, in the sources below `folders`.
pub fn functions(folders: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in folders {
        add(&repository().join(folder), &mut found);
    }
    found
}

fn add(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(|extension| extension.to_str()) {
            _ if path.is_dir() && !path.ends_with("target") => add(&path, found),
            Some("rs") => {
                let source = std::fs::read_to_string(path).unwrap();
                let names = source.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")?.split('(').next());
                found.extend(names.map(str::to_owned));
            }
            Some("wat") => found.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned())),
            _ => {}
        }
    }
}
