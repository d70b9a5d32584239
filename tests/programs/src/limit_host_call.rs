//! Passes more to the host in one call than may be passed: `bytes` of the configuration, as a line of log, or as what its
//! `kind` says: `path`, `metadata`, or `poll` for so many times the same handle. Must end at the limit `host-call`.

use airlock_sdk::{Error, Level, OutputContext, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    bytes: usize,
    kind: String,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let config: Config = context.config()?;
        let text = "x".repeat(config.bytes);
        match config.kind.as_str() {
            "path" => std::fs::read(format!("/data/{text}")).map(drop)?,
            "poll" => {
                let handle = wasip2::clocks::monotonic_clock::subscribe_duration(1);
                drop(wasip2::io::poll::poll(&vec![&handle; config.bytes]));
            }
            "metadata" => context.add_metadata("text", text)?,
            _ => context.log(Level::Info, text),
        }
        Ok(())
    }
}
