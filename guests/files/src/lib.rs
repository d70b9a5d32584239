//! The I/O manager that keeps any value as a file, under an extension that tells its media type.
//!
//! The bytes never enter the guest: the host moves them between the value and the file. A value of another media type
//! than before takes the place of the old one, whose file is removed. A media type that has no extension here is
//! kept as `bin`, and comes back from what is recorded of the stored value; without a record such a file is
//! `application/octet-stream`.

mod media_type;

use std::io;
use std::path::{Path, PathBuf};

use airlock_sdk::path::ConfiguredPlace;
use airlock_sdk::{Error, InputContext, InputManager, MetadataValue, OutputContext, OutputManager, Sink, Source, path};
use serde::Deserialize;

/// The mount that has the files.
const DATA: &str = "/data";

/// Stores and loads.
#[derive(Debug)]
pub struct Files;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Instead of the extension that the media type asks for.
    extension: Option<String>,
}

impl OutputManager for Files {
    fn handle_output(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let config: Config = context.config()?;
        let place = ConfiguredPlace::of_output(context)?;
        let mut parts = 0;
        let mut size = 0;
        let mut only = None;
        let mut media_types = Vec::new();
        while let Some(mut part) = value.next()? {
            let key = path::stored_key(context, &part)?;
            let media_type = part.media_type();
            let extension = config.extension.as_deref().unwrap_or_else(|| media_type::extension(&media_type));
            let configured = place.file(&context.directory(DATA), key.as_deref())?;
            let is_configured = configured.is_some();
            let file = configured.map_or_else(|| context.file(key.as_deref(), extension), Ok)?;
            // A value has one file, so the one that takes an old one's place leaves no other behind. Where it cannot be
            // told whether there is one, saving says why.
            let replaces = file.try_exists().unwrap_or(false);
            size += part.save(&file)?;
            if !replaces && !is_configured {
                for other in media_type::extensions().filter(|other| *other != extension) {
                    remove(&context.file(key.as_deref(), other)?)?;
                }
            }
            parts += 1;
            only = Some((file, part.digest()?));
            if !media_types.contains(&media_type) {
                media_types.push(media_type);
            }
        }
        if let (1, Some((file, digest))) = (parts, only) {
            context.add_metadata("path", MetadataValue::path(file.to_string_lossy()))?;
            context.add_metadata("digest", digest)?;
        }
        if let [media_type] = media_types.as_slice() {
            context.add_metadata("media_type", media_type.as_str())?;
        }
        context.add_metadata("size", size)
    }
}

/// Removes the file that a value of another media type left.
fn remove(file: &Path) -> Result<(), Error> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// A stored part: its file, and what its media type is.
struct Stored {
    file: PathBuf,
    media_type: String,
}

impl InputManager for Files {
    fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let config: Config = context.config()?;
        for (key, stored) in path::present_parts(context, |key| find(context, &config, key))? {
            value.begin(key.as_deref(), &stored.media_type)?.load(&stored.file)?;
        }
        Ok(())
    }
}

/// Looks where the value was stored last, then under the extensions that it can have.
fn find(context: &InputContext, config: &Config, key: Option<&str>) -> Result<Option<Stored>, Error> {
    let recorded = Recorded::new(context, key);
    if let Some(file) = ConfiguredPlace::of_input(context, key)?.file(&context.directory(DATA), key)? {
        let extension = extension_of(&file.to_string_lossy()).unwrap_or_default();
        let media_type = recorded.media_type_of(&extension);
        return Ok(file.try_exists()?.then_some(Stored { file, media_type }));
    }
    if let Some(extension) = &recorded.extension {
        let file = context.file(key, extension)?;
        if file.try_exists()? {
            return Ok(Some(Stored { media_type: recorded.media_type_of(extension), file }));
        }
    }
    let extensions = match &config.extension {
        Some(extension) => vec![extension.as_str()],
        None => media_type::extensions().collect(),
    };
    let mut found: Option<Stored> = None;
    for extension in extensions {
        let file = context.file(key, extension)?;
        if !file.try_exists()? {
            continue;
        }
        if let Some(Stored { file: other, .. }) = found {
            return Err(Error::conflict(format!(
                "{} and {} both exist, and nothing is recorded that tells which is the value; remove one of them",
                other.display(),
                file.display(),
            )));
        }
        found = Some(Stored { media_type: recorded.media_type_of(extension), file });
    }
    Ok(found)
}

/// What the log of the pipeline knows of the stored value. The file may be newer, or from elsewhere.
#[derive(Default)]
struct Recorded {
    extension: Option<String>,
    media_type: Option<String>,
}

impl Recorded {
    fn new(context: &InputContext, key: Option<&str>) -> Self {
        let mut recorded = Self::default();
        for entry in context.upstream(key).map(|stored| stored.stored_metadata()).unwrap_or_default() {
            match (entry.label.as_str(), entry.value) {
                ("path", MetadataValue::Tagged((_, path))) => recorded.extension = extension_of(&path),
                ("media_type", MetadataValue::Text(media_type)) => recorded.media_type = Some(media_type),
                _ => {}
            }
        }
        recorded
    }

    /// The recorded media type where it is that of a file with `extension`, otherwise that of the extension.
    fn media_type_of(&self, extension: &str) -> String {
        let fits = |media_type: &&String| {
            self.extension.as_deref() == Some(extension) || media_type::extension(media_type) == extension
        };
        let recorded = self.media_type.as_ref().filter(fits);
        recorded.map_or_else(|| media_type::of_extension(extension).to_owned(), Clone::clone)
    }
}

/// What follows the first dot of the file name; the host's paths have no other dot before the extension.
fn extension_of(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    name.split_once('.').map(|(_, extension)| extension.to_owned())
}

airlock_sdk::export!(Files);
airlock_sdk::manifest!("../manifest.json");

#[cfg(test)]
mod tests;
