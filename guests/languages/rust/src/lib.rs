//! An I/O manager that keeps each part of a value as a file.

use std::fs::{self, File};
use std::io;

use airlock_sdk::{Error, InputContext, InputManager, MetadataValue, OutputContext, OutputManager, Sink, Source, path};

const EXTENSION: &str = "bin";
const OCTETS: &str = "application/octet-stream";

/// Stores and loads.
#[derive(Debug)]
pub struct Parts;

impl OutputManager for Parts {
    fn handle_output(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let (mut parts, mut size) = (0, 0);
        let mut media_type = None;
        let mut file = None;
        while let Some(mut part) = value.next()? {
            if *media_type.get_or_insert_with(|| part.media_type()) != part.media_type() {
                return Err(Error::unsupported_type("the parts of the value differ in their media types"));
            }
            let key = path::stored_key(context, &part)?;
            let path = context.file(key.as_deref(), EXTENSION)?;
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            size += part.copy_to(&mut File::create(&path)?)?;
            parts += 1;
            file = Some(path);
        }
        context.add_metadata("size", size)?;
        if let Some(media_type) = media_type {
            context.add_metadata("media_type", media_type)?;
        }
        if let (1, Some(file)) = (parts, file) {
            context.add_metadata("path", MetadataValue::path(file.to_string_lossy()))?;
        }
        Ok(())
    }
}

impl InputManager for Parts {
    fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let find = |key: Option<&str>| {
            let file = context.file(key, EXTENSION)?;
            Ok(file.try_exists()?.then_some(file))
        };
        for (key, file) in path::present_parts(context, find)? {
            let mut part = value.begin(key.as_deref(), &recorded_media_type(context, key.as_deref()))?;
            io::copy(&mut File::open(file)?, &mut part)?;
        }
        Ok(())
    }
}

/// The media type that is recorded of the stored part.
fn recorded_media_type(context: &InputContext, key: Option<&str>) -> String {
    let entries = context.upstream(key).map(|stored| stored.stored_metadata()).unwrap_or_default();
    let recorded = entries.into_iter().find_map(|entry| match entry.value {
        MetadataValue::Text(text) if entry.label == "media_type" => Some(text),
        _ => None,
    });
    recorded.unwrap_or_else(|| OCTETS.to_owned())
}

airlock_sdk::export!(Parts);
airlock_sdk::manifest!("../manifest.json");

#[cfg(test)]
mod tests {
    use airlock_sdk::{Part, build_input_context, build_output_context};

    use super::*;

    #[test]
    fn a_value_comes_back_with_its_media_type() {
        let output = build_output_context().asset_key(["notes", "today"]).build();
        output.store::<Parts>([Part::new("text/plain", "hello")]).unwrap();
        assert_eq!(output.metadata_value("size"), Some(5.into()));
        let input = build_input_context().upstream_output(&output).build();
        assert_eq!(input.load::<Parts>().unwrap(), [Part::new("text/plain", "hello")]);
    }

    #[test]
    fn what_is_absent_is_not_found() {
        let error = build_input_context().asset_key(["notes", "today"]).build().load::<Parts>().unwrap_err();
        assert!(matches!(error, Error::NotFound(keys) if keys.is_empty()));
    }
}
