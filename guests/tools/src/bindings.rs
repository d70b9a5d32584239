//! What a guest is written against: generated bindings, and what hides where they are clumsy.

use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use wit_bindgen_core::{Files, WorldGenerator};

use crate::contract::{self, Contract, WORLD};

/// A language that bindings are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// C and C++: `airlock.h` and `airlock.c` as generated, `guest.h` and `guest.c` for C, `guest.hpp` for C++.
    C,
    /// A Go module named `airlock`.
    Go,
    /// The WIT of a guest with files, the module `airlock.js` and its types.
    Javascript,
    /// The WIT, from which componentize-py makes bindings itself.
    Python,
}

/// A file of bindings: its path below their folder, and its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// With `/` between folders.
    pub path: String,
    /// All of it.
    pub content: Vec<u8>,
}

/// The files that a guest in `language` builds on.
///
/// # Errors
/// Where the generator cannot make them of `contract`.
pub fn bindings(contract: &Contract, language: Language) -> Result<Vec<File>> {
    match language {
        Language::C => c(contract),
        Language::Go => go(contract),
        Language::Javascript => Ok(javascript()),
        Language::Python => Ok(wit("")),
    }
}

fn text(path: impl Into<String>, content: &str) -> File {
    File { path: path.into(), content: content.as_bytes().to_vec() }
}

fn wit(folder: &str) -> Vec<File> {
    contract::FILES.iter().map(|(name, content)| text(format!("{folder}{name}"), content)).collect()
}

fn generated(contract: &Contract, mut generator: Box<dyn WorldGenerator>) -> Result<Vec<File>> {
    let mut files = Files::default();
    let world = contract.world(WORLD)?;
    generator
        .generate(&mut contract.resolve.clone(), world, &mut files)
        .with_context(|| format!("cannot generate bindings to the world {WORLD}"))?;
    Ok(files.iter().map(|(path, content)| File { path: path.to_owned(), content: content.to_vec() }).collect())
}

fn c(contract: &Contract) -> Result<Vec<File>> {
    let options = wit_bindgen_c::Opts { rename_world: Some("airlock".to_owned()), ..wit_bindgen_c::Opts::default() };
    let mut files = generated(contract, options.build())?;
    files.extend([
        text("guest.h", include_str!("../support/c/guest.h")),
        text("guest.c", include_str!("../support/c/guest.c")),
        text("guest.hpp", include_str!("../support/c/guest.hpp")),
    ]);
    Ok(files)
}

/// The module that the generated packages are in.
const GO_MODULE: &str = "airlock";
/// Where the generator looks for what all bindings need.
const GO_SUPPORT: &str = "go.bytecodealliance.org/pkg/wit/";

fn go(contract: &Contract) -> Result<Vec<File>> {
    let options = wit_bindgen_go::Opts {
        pkg_name: Some(GO_MODULE.to_owned()),
        format: wit_bindgen_go::Format::False,
        ..wit_bindgen_go::Opts::default()
    };
    let mut files = generated(contract, options.build())?;
    for file in
        files.iter_mut().filter(|file| Path::new(&file.path).extension().is_some_and(|extension| extension == "go"))
    {
        let source = std::str::from_utf8(&file.content).with_context(|| format!("{} is no UTF-8", file.path))?;
        // The packages that it needs come along, so that nothing is downloaded.
        file.content = source.replace(GO_SUPPORT, &format!("{GO_MODULE}/wit/")).into_bytes();
    }
    files.extend([
        text("go.mod", include_str!("../support/go/module.txt")),
        text("airlock.go", include_str!("../support/go/airlock.go")),
        text("value.go", include_str!("../support/go/value.go")),
        text("context.go", include_str!("../support/go/context.go")),
        text("errors.go", include_str!("../support/go/errors.go")),
        text("internal/call/call.go", include_str!("../support/go/call.go")),
        text("exports/export_airlock_io_output/output.go", include_str!("../support/go/output.go")),
        text("exports/export_airlock_io_input/input.go", include_str!("../support/go/input.go")),
        text("wit/types/types.go", include_str!("../support/go/types.go")),
        text("wit/runtime/runtime.go", include_str!("../support/go/runtime.go")),
        text("wit/runtime/empty.s", "// Lets functions without a body stand in this package.\n"),
    ]);
    Ok(files)
}

fn javascript() -> Vec<File> {
    let mut files = wit("wit/deps/airlock-io/");
    files.extend([
        text("airlock.js", include_str!("../support/javascript/airlock.js")),
        text("airlock.d.ts", include_str!("../support/javascript/airlock.d.ts")),
        text("wit/world.wit", include_str!("../support/javascript/world.wit")),
        text("wit/deps/wasi-filesystem/filesystem.wit", include_str!("../support/javascript/filesystem.wit")),
    ]);
    files
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// `media-type` as JavaScript says it.
    fn camel_case(name: &str) -> String {
        let mut words = name.split('-');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |name, word| {
            let (initial, rest) = word.split_at(1);
            name + &initial.to_uppercase() + rest
        })
    }

    #[test]
    fn the_types_of_javascript_have_all_that_the_contract_has() {
        let contract = Contract::embedded().unwrap();
        let files = bindings(&contract, Language::Javascript).unwrap();
        let types = files.iter().find(|file| file.path == "airlock.d.ts").unwrap();
        let types = std::str::from_utf8(&types.content).unwrap();
        let mut methods = 0;
        for (_, interface) in &contract.resolve.interfaces {
            // Ops are not for JavaScript yet.
            if interface.name.as_deref().is_some_and(|name| name.starts_with("op")) {
                continue;
            }
            for (name, function) in &interface.functions {
                let name = camel_case(name.rsplit('.').next().unwrap());
                assert!(types.contains(&format!("  {name}(")), "no {name}");
                let has_self = function.kind.resource().is_some();
                for parameter in function.params.iter().skip(usize::from(has_self)) {
                    assert!(types.contains(&format!("{}: ", camel_case(&parameter.name))), "no {}", parameter.name);
                }
                methods += 1;
            }
        }
        assert!(methods > 50, "only {methods} functions were looked for");
    }

    #[test]
    fn bindings_name_each_file_once_and_need_nothing_from_elsewhere() {
        let contract = Contract::embedded().unwrap();
        for language in Language::value_variants() {
            let files = bindings(&contract, *language).unwrap();
            let names: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
            assert_eq!(names.len(), files.len(), "{language:?}");
            for file in files {
                let text = String::from_utf8_lossy(&file.content);
                assert!(!text.contains(GO_SUPPORT), "{} of {language:?}", file.path);
            }
        }
    }
}
