//! `airlock new`: a project of a component, which is built without this repository.

mod files;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use clap::{Args, ValueEnum};

use crate::error::{Error, ExitStatus, Report};
use crate::output::tell;

const HELP: &str = "\
Examples:
  airlock new pictures --lang rust      an I/O manager
  airlock new hottest --lang python --op  an op, which computes values

The project is built with `make` and needs nothing of Airlock but the command.";

/// Characters of a name, at most: it is a part of names of files.
const NAME_LENGTH: usize = 64;
/// What no crate may be called, or what is confused with those that come along.
const RESERVED: [&str; 8] = ["airlock", "airlock-sdk", "alloc", "bindings", "core", "proc-macro", "std", "test"];

/// Make a project of a new component: an I/O manager, or an op
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct New {
    /// What the component is called, and the folder that is made for it
    #[arg(value_parser = component_name)]
    name: String,
    /// What it is written in
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Language,
    /// Begin with an op, which computes, and not with an I/O manager
    #[arg(long)]
    op: bool,
}

/// A language that there is a project to begin with in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust
    Rust,
    /// C
    C,
    /// C++
    Cpp,
    /// Python
    Python,
    /// JavaScript
    Javascript,
    /// Go
    Go,
}

impl Language {
    /// As people call it.
    fn shown(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::C => "C",
            Self::Cpp => "C++",
            Self::Python => "Python",
            Self::Javascript => "JavaScript",
            Self::Go => "Go",
        }
    }
}

impl New {
    /// Does it.
    pub fn execute(self) -> Result<ExitStatus, Error> {
        let Self { name, lang, op } = self;
        write(Path::new(&name), &files::project(lang, op, &name))?;
        let kind = if op { "an op" } else { "an I/O manager" };
        tell(format!("made {name}/: {kind} in {}, of which {} is what it does", lang.shown(), files::source(lang, op)));
        tell("next:");
        let mut next = vec![(format!("cd {name}"), String::new()), ("make".to_owned(), format!("builds {name}.wasm"))];
        if lang == Language::Rust {
            next.push(("cargo test".to_owned(), "runs its tests, without Airlock".to_owned()));
        }
        next.push((format!("airlock test {name}.wasm"), "tests that it does what it claims".to_owned()));
        next.push(("airlock run".to_owned(), "computes what airlock.toml defines, with it".to_owned()));
        next.push(("airlock load greeting".to_owned(), "loads what was stored".to_owned()));
        for (command, what) in next {
            // A command that is too long for the column has what it does on the next line.
            let gap = if command.len() < 23 { String::new() } else { format!("\n  {:<23}", "") };
            tell(format!("  {command:<23}{gap}{what}").trim_end());
        }
        Ok(ExitStatus::Done)
    }
}

/// A name that a folder, a file and a package of each language can have.
fn component_name(name: &str) -> Result<String, String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    if !begins || name.ends_with('-') || name.contains("--") || !name.bytes().all(allowed) {
        return Err("it has lower-case letters, digits and `-` between them, and begins with a letter".to_owned());
    }
    if name.len() > NAME_LENGTH {
        return Err(format!("it has more than {NAME_LENGTH} characters"));
    }
    if RESERVED.contains(&name) || is_keyword(name) {
        return Err("a package cannot be called so; take another name".to_owned());
    }
    Ok(name.to_owned())
}

/// Whether Cargo refuses it, since Rust has that word.
fn is_keyword(name: &str) -> bool {
    let words = "abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if \
                 impl in let loop macro match mod move mut override priv pub ref return self static struct super trait true try \
                 type typeof unsafe unsized use virtual where while yield";
    words.split(' ').any(|word| word == name)
}

/// Writes `files` to `folder`, which is there whole or not at all.
fn write(folder: &Path, files: &[files::File]) -> Result<(), Error> {
    if folder.symlink_metadata().is_ok() {
        let message = format!("cannot make the project: {} is there already", folder.display());
        return Err(Error::usage(message).hint("take another name, or move it away").into());
    }
    let written = || -> io::Result<()> {
        let unfinished = tempfile::Builder::new()
            .prefix(&format!(".{}-", folder.display()))
            .permissions(Permissions::from_mode(0o777))
            .tempdir_in(".")?;
        for file in files {
            let path = unfinished.path().join(&file.path);
            if let Some(holder) = path.parent() {
                fs::create_dir_all(holder)?;
            }
            fs::write(path, &file.text)?;
        }
        // Where somebody made the folder meanwhile, it is empty, or this fails.
        fs::rename(unfinished.path(), folder)?;
        let _ = unfinished.keep();
        Ok(())
    };
    written().map_err(|error| {
        let message = format!("cannot make the project {}: {error}", folder.display());
        Report::new(ExitStatus::Storage, message).hint("make it where you may write").into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_every_language_and_system_takes() {
        for name in ["a", "pictures", "my-manager2"] {
            assert_eq!(component_name(name).as_deref(), Ok(name));
        }
        let long = "a".repeat(NAME_LENGTH + 1);
        for name in
            ["", "A", "1a", "-a", "a-", "a--b", "a_b", "a/b", "..", "ü", "a b", "test", "fn", "airlock-sdk", &long]
        {
            assert!(component_name(name).is_err(), "{name}");
        }
    }
}
