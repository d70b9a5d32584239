//! Stores its value in pieces of `piece` bytes (1,000 where the configuration gives none), each a file in a directory of its
//! own, in place of those that were there. Must be there all or not at all, and load as it was.

use std::fs;
use std::io::Read;

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    piece: Option<usize>,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let directory = context.file(None, "d")?;
        if directory.try_exists()? {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        let piece = context.config::<Config>()?.piece.unwrap_or(1000);
        let mut bytes = Vec::new();
        value.single()?.read_to_end(&mut bytes)?;
        for (number, bytes) in bytes.chunks(piece).enumerate() {
            fs::write(directory.join(format!("{number:08}.bin")), bytes)?;
        }
        Ok(())
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let entries = fs::read_dir(context.file(None, "d")?)?.collect::<Result<Vec<_>, _>>()?;
        let mut files: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
        files.sort();
        let mut part = value.begin(None, "application/octet-stream")?;
        for file in files {
            part.load(file)?;
        }
        Ok(())
    }
}
