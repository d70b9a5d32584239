//! What a guest is written against: generated bindings, and what hides where they are clumsy.

use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use wit_bindgen_core::{Files, WorldGenerator};

use crate::contract::{self, Contract, World};

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

/// The files that a guest of the world `world` in `language` builds on. Those for JavaScript and Python are for all worlds.
///
/// # Errors
/// Where the generator cannot make them of `contract`.
pub fn bindings(contract: &Contract, language: Language, world: World) -> Result<Vec<File>> {
    match language {
        Language::C => c(contract, world),
        Language::Go => go(contract, world),
        Language::Javascript => Ok(javascript()),
        Language::Python => Ok(wit("")),
    }
}

fn text(path: impl Into<String>, content: &str) -> File {
    File { path: path.into(), content: content.as_bytes().to_vec() }
}

/// A file of `support/`, as it is called in the folder of bindings.
macro_rules! support {
    ($path:literal, $file:literal) => {
        text($path, include_str!(concat!("../support/", $file)))
    };
}

fn wit(folder: &str) -> Vec<File> {
    contract::FILES.iter().map(|(name, content)| text(format!("{folder}{name}"), content)).collect()
}

fn generated(contract: &Contract, world: World, mut generator: Box<dyn WorldGenerator>) -> Result<Vec<File>> {
    let mut files = Files::default();
    generator
        .generate(&mut contract.resolve.clone(), contract.world(world)?, &mut files)
        .with_context(|| format!("cannot generate bindings to the world {}", world.name()))?;
    Ok(files.iter().map(|(path, content)| File { path: path.to_owned(), content: content.to_vec() }).collect())
}

fn c(contract: &Contract, world: World) -> Result<Vec<File>> {
    let options = wit_bindgen_c::Opts { rename_world: Some("airlock".to_owned()), ..wit_bindgen_c::Opts::default() };
    let mut files = generated(contract, world, options.build())?;
    files.extend([
        support!("common.h", "c/common.h"),
        support!("common.c", "c/common.c"),
        support!("common.hpp", "c/common.hpp"),
    ]);
    files.extend(match world {
        World::IoManager => [
            support!("guest.h", "c/manager.h"),
            support!("guest.c", "c/manager.c"),
            support!("guest.hpp", "c/manager.hpp"),
        ],
        World::OpComponent => {
            [support!("guest.h", "c/op.h"), support!("guest.c", "c/op.c"), support!("guest.hpp", "c/op.hpp")]
        }
    });
    Ok(files)
}

/// The module that the generated packages are in.
const GO_MODULE: &str = "airlock";
/// Where the generator looks for what all bindings need.
const GO_SUPPORT: &str = "go.bytecodealliance.org/pkg/wit/";

fn go(contract: &Contract, world: World) -> Result<Vec<File>> {
    let options = wit_bindgen_go::Opts {
        pkg_name: Some(GO_MODULE.to_owned()),
        format: wit_bindgen_go::Format::False,
        ..wit_bindgen_go::Opts::default()
    };
    let mut files = generated(contract, world, options.build())?;
    for file in
        files.iter_mut().filter(|file| Path::new(&file.path).extension().is_some_and(|extension| extension == "go"))
    {
        let source = std::str::from_utf8(&file.content).with_context(|| format!("{} is no UTF-8", file.path))?;
        // The packages that it needs come along, so that nothing is downloaded.
        file.content = source.replace(GO_SUPPORT, &format!("{GO_MODULE}/wit/")).into_bytes();
    }
    files.extend([
        support!("go.mod", "go/module.txt"),
        support!("airlock.go", "go/airlock.go"),
        support!("value.go", "go/value.go"),
        support!("metadata.go", "go/metadata.go"),
        support!("errors.go", "go/errors.go"),
        support!("wit/types/types.go", "go/types.go"),
        support!("wit/runtime/runtime.go", "go/runtime.go"),
        text("wit/runtime/empty.s", "// Lets functions without a body stand in this package.\n"),
    ]);
    files.extend(match world {
        World::IoManager => vec![
            support!("manager.go", "go/manager.go"),
            support!("context.go", "go/manager_context.go"),
            support!("internal/call/call.go", "go/manager_call.go"),
            support!("exports/export_airlock_io_output/output.go", "go/manager_output.go"),
            support!("exports/export_airlock_io_input/input.go", "go/manager_input.go"),
        ],
        World::OpComponent => vec![
            support!("op.go", "go/op.go"),
            support!("context.go", "go/op_context.go"),
            support!("internal/call/call.go", "go/op_call.go"),
            support!("exports/export_airlock_io_op/op.go", "go/op_run.go"),
        ],
    });
    Ok(files)
}

fn javascript() -> Vec<File> {
    let mut files = wit("wit/deps/airlock-io/");
    files.extend([
        support!("airlock.js", "javascript/airlock.js"),
        support!("airlock.d.ts", "javascript/airlock.d.ts"),
        support!("wit/world.wit", "javascript/world.wit"),
        support!("wit/deps/wasi-filesystem/filesystem.wit", "javascript/filesystem.wit"),
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
        let files = bindings(&contract, Language::Javascript, World::IoManager).unwrap();
        let types = files.iter().find(|file| file.path == "airlock.d.ts").unwrap();
        let types = std::str::from_utf8(&types.content).unwrap();
        let mut methods = 0;
        for (_, interface) in &contract.resolve.interfaces {
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
            for world in [World::IoManager, World::OpComponent] {
                let files = bindings(&contract, *language, world).unwrap();
                let names: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
                assert_eq!(names.len(), files.len(), "{language:?}, {world:?}");
                for file in files {
                    let text = String::from_utf8_lossy(&file.content);
                    assert!(!text.contains(GO_SUPPORT), "{} of {language:?}, {world:?}", file.path);
                }
            }
        }
    }
}
