//! Writes a list of the files that `airlock new` puts into projects, as Rust.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::manifest;

/// Folders of the repository, by the name that they have among the templates.
const FOLDERS: [(&str, &str); 15] = [
    ("c", "guests/languages/c"),
    ("c-op", "guests/languages/c-op"),
    ("cpp", "guests/languages/cpp"),
    ("cpp-op", "guests/languages/cpp-op"),
    ("go", "guests/languages/go"),
    ("go-op", "guests/languages/go-op"),
    ("javascript", "guests/languages/javascript"),
    ("javascript-op", "guests/languages/javascript-op"),
    ("project", "host/cli/templates"),
    ("python", "guests/languages/python"),
    ("python-op", "guests/languages/python-op"),
    ("rust", "guests/languages/rust"),
    ("rust-op", "guests/languages/rust-op"),
    ("sdk", "guests/sdk"),
    ("wit", "wit"),
];
/// Files of the repository, likewise.
const FILES: [(&str, &str); 4] = [
    ("javascript-op/package-lock.json", "guests/languages/javascript/package-lock.json"),
    ("javascript-op/package.json", "guests/languages/javascript/package.json"),
    ("project/tools.mk", "guests/languages/tools.mk"),
    ("sdk/LICENSE", "LICENSE"),
];
/// What builds leave in folders, and what only tests of the SDK need.
const LEFT_OUT: [&str; 4] = ["__pycache__", "bindings", "testdata", "tests"];

/// Writes `FILES` to `list`: each file's path among the templates, and its text.
pub fn embed(repository: &Path, list: &Path) -> io::Result<()> {
    let workspace = manifest::read(&repository.join("Cargo.toml"))?;
    println!("cargo::rerun-if-changed={}", repository.join("Cargo.toml").display());
    let mut entries = String::new();
    for (name, file) in FILES {
        let file = repository.join(file);
        println!("cargo::rerun-if-changed={}", file.display());
        entries.push_str(&entry(name, &text(&file)?));
    }
    for (name, folder) in FOLDERS {
        let folder = repository.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        for path in files(&folder)? {
            let below = path.strip_prefix(&folder).map_err(io::Error::other)?.display().to_string();
            let is_manifest = below == "Cargo.toml";
            let text = if is_manifest { manifest::standing_alone(&path, &workspace)? } else { text(&path)? };
            entries.push_str(&entry(&format!("{name}/{below}"), &text));
        }
    }
    let profile = manifest::guest_profile(&workspace)?;
    entries.push_str(&entry("project/profile.toml", &profile));
    fs::write(list, format!("pub static FILES: &[(&str, &str)] = &[\n{entries}];\n"))
}

fn entry(name: &str, text: &str) -> String {
    format!("    ({name:?}, {text:?}),\n")
}

fn text(path: &Path) -> io::Result<String> {
    fs::read_to_string(path).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))
}

/// The files below `folder`, in order.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| io::Error::other(format!("{}: {error}", folder.display())))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || LEFT_OUT.contains(&&*name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path())?);
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
