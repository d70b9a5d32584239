//! Stores and loads below `/data` where the metadata of the definition says as `path`. Must succeed within a mount that
//! is lent whole, and be denied where the path leads out of it.

use std::fs;
use std::path::{Path, PathBuf};

use airlock_sdk::{Error, InputContext, MetadataEntry, OutputContext, Sink, Source};

pub struct Program;

fn place(metadata: &[MetadataEntry]) -> Result<PathBuf, Error> {
    let path = metadata.iter().find(|entry| entry.label == "path").and_then(|entry| entry.value.as_text());
    let path = path.ok_or_else(|| Error::other("lost", "the definition has no metadata `path`"))?;
    Ok(Path::new("/data").join(path))
}

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let place = place(&context.definition_metadata())?;
        if let Some(directory) = place.parent() {
            fs::create_dir_all(directory)?;
        }
        value.single()?.save(place)?;
        Ok(())
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let stored = context.upstream(None).ok_or_else(Error::not_found)?;
        value.begin(None, "text/plain")?.load(place(&stored.definition_metadata())?)?;
        Ok(())
    }
}
