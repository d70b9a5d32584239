//! Records metadata and events of what it stores and loads.

use airlock_sdk::{AssetEvent, Error, InputContext, MetadataEntry, OutputContext, Sink, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        value.single()?.save(context.file(None, "bin")?)?;
        context.add_metadata("by", "the manager")?;
        if let Err(Error::Conflict(message)) = context.add_metadata("by", "the manager again") {
            context.add_metadata("refused", message)?;
        }
        let event = |description: &str| AssetEvent {
            asset_key: vec!["other".to_owned(), "asset".to_owned()],
            partition: None,
            description: Some(description.to_owned()),
            metadata: vec![MetadataEntry { label: "rows".to_owned(), value: 7.into() }],
        };
        context.log_observation(&event("seen on the way"))?;
        context.log_materialization(&event("made on the way"))
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        value.begin(None, "text/plain")?.load(context.file(None, "bin")?)?;
        context.add_metadata("by", "the manager")?;
        context.add_metadata("by", "the manager again")?;
        let told: Vec<String> = context.definition_metadata().into_iter().map(|entry| entry.label).collect();
        context.add_metadata("told", told.join(","))
    }
}
