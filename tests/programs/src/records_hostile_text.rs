//! Says what would drive a terminal, turn a line round or command a CI system wherever a text of its own is kept: in metadata,
//! events, a version and its log. Must succeed, and be harmless wherever any of it is shown.

use airlock_sdk::{AssetEvent, Error, Level, MetadataEntry, MetadataValue, OutputContext, Source};

pub struct Program;

const HOSTILE: &str = "\x1b]0;owned\x07\x1b[31mred\r\x08\u{9b}2J\u{202e}gnp\u{200b}\n::error::owned\n##[command]owned";

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let mut part = value.single()?;
        context.add_metadata("text", HOSTILE)?;
        context.add_metadata("turned \u{202e}round\u{200b}", 1)?;
        context.add_metadata("json", MetadataValue::Json(serde_json::json!({ HOSTILE: HOSTILE }).to_string()))?;
        context.add_metadata("tagged", MetadataValue::Tagged((HOSTILE.to_owned(), HOSTILE.to_owned())))?;
        // A label of more than plain text is refused, and the error names it.
        let refused = context.add_metadata(HOSTILE, 1).err();
        context.log(Level::Info, format!("{refused:?}"));
        context.set_data_version(HOSTILE)?;
        let metadata = vec![MetadataEntry { label: "text".to_owned(), value: HOSTILE.into() }];
        context.log_observation(&AssetEvent {
            asset_key: vec![HOSTILE.to_owned()],
            partition: Some(HOSTILE.to_owned()),
            description: Some(HOSTILE.to_owned()),
            metadata,
        })?;
        context.log(Level::Warn, HOSTILE);
        println!("{HOSTILE}");
        eprintln!("{HOSTILE}");
        part.save(context.file(None, "bin")?).map(drop)
    }
}
