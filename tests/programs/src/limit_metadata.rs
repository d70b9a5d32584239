//! Records more than it may: what the configuration says as `kind`, one of `entries`, `label`, `value`, `total`,
//! `key`, `events`. Must end at the limit `metadata`, and nothing of it may be recorded.

use airlock_sdk::{AssetEvent, Error, OutputContext, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    kind: String,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let config: Config = context.config()?;
        match config.kind.as_str() {
            "label" => context.add_metadata("x".repeat(257), 1),
            "value" => context.add_metadata("text", "x".repeat((64 << 10) + 1)),
            "total" => (0..100).try_for_each(|n| context.add_metadata(n.to_string(), "x".repeat(60 << 10))),
            "key" => context.log_observation(&AssetEvent {
                asset_key: vec!["a".to_owned(); 65],
                partition: None,
                description: None,
                metadata: Vec::new(),
            }),
            "events" => (0..100_000).try_for_each(|_| {
                context.log_observation(&AssetEvent {
                    asset_key: vec!["a".to_owned()],
                    partition: None,
                    description: None,
                    metadata: Vec::new(),
                })
            }),
            _ => (0..100_000).try_for_each(|n| context.add_metadata(n.to_string(), n)),
        }
    }
}
