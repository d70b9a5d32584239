//! Stores from the attempt on that the configuration gives as `succeeds`; before that it is unavailable, and where
//! `gives_up` is set it says that trying again does not help.

use airlock_sdk::{Error, OtherError, OutputContext, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    succeeds: u32,
    #[serde(default)]
    gives_up: bool,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let Config { succeeds, gives_up } = context.config()?;
        // What a failed attempt wrote must be gone.
        let key = context.partition_keys().pop();
        let path = context.file(key.as_deref(), "bin")?;
        value.single()?.save(&path)?;
        match context.attempt() {
            attempt if attempt >= succeeds => context.add_metadata("attempt", u64::from(attempt)),
            _ if gives_up => {
                let message = "the store is gone for good".to_owned();
                Err(Error::Other(OtherError { code: "gone".to_owned(), message, retryable: false }))
            }
            attempt => Err(Error::Unavailable(format!("busy at attempt {attempt}"))),
        }
    }
}
