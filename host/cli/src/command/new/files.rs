//! The files of a project. Those of the repository's own components in each language, which its tests build, are what a
//! project begins with.

use super::Language;

/// What `build.rs` embeds: `FILES`, each file's path among the templates, and its text.
mod embedded {
    include!(concat!(env!("OUT_DIR"), "/templates.rs"));
}

/// A file of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path in the project.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// What a component is built from, where that is no op.
fn template(language: Language, op: bool) -> Option<&'static str> {
    match (language, op) {
        (Language::Rust, false) => Some("rust"),
        (Language::Rust, true) => Some("rust-op"),
        (Language::C, false) => Some("c"),
        (Language::Cpp, false) => Some("cpp"),
        (Language::Python, false) => Some("python"),
        (Language::Javascript, false) => Some("javascript"),
        (Language::Go, false) => Some("go"),
        (_, true) => None,
    }
}

/// The file in which to go on.
pub fn source(language: Language, op: bool) -> &'static str {
    match (language, op) {
        (Language::Rust, _) => "src/lib.rs",
        (Language::C, _) => "manager.c",
        (Language::Cpp, _) => "manager.cpp",
        (Language::Python, _) => "manager.py",
        (Language::Javascript, _) => "manager.js",
        (Language::Go, _) => "manager.go",
    }
}

/// All files of a project of a component called `name`; nothing where there is none to begin with.
pub fn project(language: Language, op: bool, name: &str) -> Option<Vec<File>> {
    let template = template(language, op)?;
    let mut files: Vec<File> =
        below(template).map(|(path, text)| File { path: path.to_owned(), text: named(text, template, name) }).collect();
    files.extend(below("wit").map(|(path, text)| File { path: format!("wit/{path}"), text: text.to_owned() }));
    let own = |path: &str| text(&format!("project/{path}")).replace("@NAME@", name);
    let mut add = |path: &str, text: String| files.push(File { path: path.to_owned(), text });
    add("airlock.mk", own("airlock.mk") + text("project/tools.mk"));
    add(".gitignore", own("gitignore"));
    add("airlock.toml", own(if op { "op.toml" } else { "manager.toml" }));
    if language == Language::Rust {
        if op {
            add("Makefile", named(text("rust/Makefile"), template, name));
        }
        for (path, text) in below("sdk") {
            add(&format!("vendor/airlock-sdk/{path}"), text.to_owned());
        }
        let manifest = files.iter_mut().find(|file| file.path == "Cargo.toml")?;
        // Also in a folder that is a workspace, it is none of its members.
        manifest.text.push_str("[workspace]\n\n");
        manifest.text.push_str(text("project/profile.toml"));
    }
    Some(files)
}

/// The files of a template, by their paths in it.
fn below(template: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let prefix = format!("{template}/");
    embedded::FILES.iter().filter_map(move |(path, text)| Some((path.strip_prefix(&prefix)?, *text)))
}

fn text(path: &str) -> &'static str {
    embedded::FILES.iter().find(|(known, _)| *known == path).map_or("", |(_, text)| text)
}

/// The text of a file of a template, as it is in a project of a component called `name`.
fn named(text: &str, template: &str, name: &str) -> String {
    let changes = [
        ("../../../wit/", "wit/"),
        ("include ../common.mk", "include airlock.mk"),
        ("airlock-bindings ", "airlock "),
        ("The I/O manager that is written in six languages, in ", "An I/O manager in "),
        ("airlock-parts", name),
        ("airlock-longest", name),
        ("airlock_parts", &name.replace('-', "_")),
        ("airlock_longest", &name.replace('-', "_")),
        ("module parts", &format!("module {name}")),
        (&format!("\"parts-{template}\""), &format!("{name:?}")),
        ("\"longest\"", &format!("{name:?}")),
    ];
    let text = text.to_owned();
    changes.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::ValueEnum;

    use super::*;

    #[test]
    fn a_project_has_each_file_once_and_leads_to_nothing_beside_it() {
        for language in Language::value_variants() {
            for op in [false, true] {
                let Some(files) = project(*language, op, "my-own") else { continue };
                let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
                assert_eq!(paths.len(), files.len(), "{language:?}");
                let needed =
                    ["Makefile", "airlock.mk", "airlock.toml", "manifest.json", "wit/value.wit", source(*language, op)];
                for needed in needed {
                    assert!(paths.contains(needed), "{needed} of {language:?}, {op}");
                }
                for File { path, text } in &files {
                    assert!(!text.is_empty(), "{path} of {language:?} is empty");
                    for foreign in
                        ["workspace = true", "../common.mk", "airlock-parts", "airlock_parts", "@NAME@", "../../../wit"]
                    {
                        assert!(!text.contains(foreign), "{path} of {language:?} has {foreign}");
                    }
                }
                let manifest = files.iter().find(|file| file.path == "manifest.json").unwrap();
                assert!(manifest.text.contains("\"name\": \"my-own\""), "{language:?}");
            }
        }
    }
}
