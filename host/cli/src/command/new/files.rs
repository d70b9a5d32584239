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

/// The language as it is called among the templates; that of an op is called so too, with `-op` after it.
fn template(language: Language) -> &'static str {
    match language {
        Language::Rust => "rust",
        Language::C => "c",
        Language::Cpp => "cpp",
        Language::Python => "python",
        Language::Javascript => "javascript",
        Language::Go => "go",
    }
}

/// The file in which to go on.
pub fn source(language: Language, op: bool) -> &'static str {
    match (language, op) {
        (Language::Rust, _) => "src/lib.rs",
        (Language::C, false) => "manager.c",
        (Language::C, true) => "op.c",
        (Language::Cpp, false) => "manager.cpp",
        (Language::Cpp, true) => "op.cpp",
        (Language::Python, false) => "manager.py",
        (Language::Python, true) => "op.py",
        (Language::Javascript, false) => "manager.js",
        (Language::Javascript, true) => "op.js",
        (Language::Go, false) => "manager.go",
        (Language::Go, true) => "op.go",
    }
}

/// All files of a project of a component called `name`.
pub fn project(language: Language, op: bool, name: &str) -> Vec<File> {
    let template = format!("{}{}", template(language), if op { "-op" } else { "" });
    let mut files: Vec<File> = below(&template)
        .map(|(path, text)| File { path: path.to_owned(), text: named(text, &template, name) })
        .collect();
    if language == Language::Rust {
        let manifests = files.iter_mut().filter(|file| file.path == "Cargo.toml");
        // Also in a folder that is a workspace, it is none of its members.
        manifests.for_each(|manifest| manifest.text += &["[workspace]\n\n", text("project/profile.toml")].concat());
    }
    let mut add = |path: String, text: String| files.push(File { path, text });
    for (path, text) in below("wit") {
        add(format!("wit/{path}"), text.to_owned());
    }
    if language == Language::Rust {
        for (path, text) in below("sdk") {
            add(format!("vendor/airlock-sdk/{path}"), text.to_owned());
        }
    }
    let own = |path: &str| text(&format!("project/{path}")).replace("@NAME@", name);
    add("airlock.mk".to_owned(), own("airlock.mk") + text("project/tools.mk"));
    add(".gitignore".to_owned(), own("gitignore"));
    add("airlock.toml".to_owned(), own(if op { "op.toml" } else { "manager.toml" }));
    files
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
        // What leads out of the folder.
        ("../../../wit/", "wit/"),
        ("../javascript/", ""),
        ("include ../common.mk", "include airlock.mk"),
        ("airlock-bindings ", "airlock "),
        (&format!("make -C guests/languages/{template}"), "make"),
        // What it is called. No name has an `@`, so that it is not taken for what is replaced.
        ("The I/O manager that is written in six languages, in ", "An I/O manager in "),
        ("The op that is written in six languages, in ", "An op in "),
        (&format!("\"parts-{template}\""), "\"@NAME@\""),
        (&format!("\"numbered-{}\"", template.trim_end_matches("-op")), "\"@NAME@\""),
        ("airlock-parts", "@NAME@"),
        ("airlock-numbered", "@NAME@"),
        ("airlock_parts", "@NAME_IN_RUST@"),
        ("airlock_numbered", "@NAME_IN_RUST@"),
        ("@NAME_IN_RUST@", &name.replace('-', "_")),
        ("@NAME@", name),
    ];
    let text = text.to_owned();
    changes.iter().fold(text, |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::ValueEnum;

    use super::*;

    /// What is of this repository, or leads out of a project.
    const FOREIGN: [&str; 12] = [
        "workspace = true",
        "guests/languages",
        "airlock-bindings",
        "six languages",
        "airlock-parts",
        "airlock_parts",
        "airlock-numbered",
        "airlock_numbered",
        "\"parts-",
        "\"numbered-",
        "@NAME@",
        " ../",
    ];

    #[test]
    fn a_project_has_each_file_once_and_leads_to_nothing_beside_it() {
        for (language, op) in
            Language::value_variants().iter().flat_map(|language| [(*language, false), (*language, true)])
        {
            let files = project(language, op, "my-own");
            let paths: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(paths.len(), files.len(), "{language:?}, {op}");
            let needed = ["Makefile", "README.md", "airlock.mk", "airlock.toml", "manifest.json", "wit/value.wit"];
            for needed in needed.into_iter().chain([source(language, op)]) {
                assert!(paths.contains(needed), "{needed} of {language:?}, {op}");
            }
            for File { path, text } in &files {
                assert!(!text.is_empty(), "{path} of {language:?} is empty");
                let is_own = !path.starts_with("vendor/") && !path.starts_with("wit/");
                for foreign in FOREIGN.iter().filter(|_| is_own) {
                    assert!(!text.contains(foreign), "{path} of {language:?}, {op} has {foreign}");
                }
            }
            let manifest = files.iter().find(|file| file.path == "manifest.json").unwrap();
            assert!(manifest.text.contains("\"name\": \"my-own\""), "{language:?}");
        }
    }
    #[test]
    fn a_name_that_is_like_those_of_the_templates_is_left_as_it_is() {
        let name = "an-airlock-numbered-airlock-parts";
        let text = |op: bool, path: &str| {
            project(Language::Rust, op, name).into_iter().find(|file| file.path == path).unwrap().text
        };
        for op in [false, true] {
            assert!(text(op, "Cargo.toml").contains(&format!("name = \"{name}\"\n")));
            assert!(text(op, "Makefile").contains("/an_airlock_numbered_airlock_parts.wasm\n"));
            assert!(text(op, "manifest.json").contains(&format!("\"name\": \"{name}\"")));
        }
    }
}
