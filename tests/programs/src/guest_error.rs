//! Returns the error that the configuration names as `error`, with a text of `bytes` bytes after one that would drive a
//! terminal. Must be a guest error of that kind, its text bounded and harmless.

use airlock_sdk::{Error, OtherError, OutputContext, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    error: String,
    #[serde(default)]
    bytes: usize,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let config: Config = context.config()?;
        let text = format!("\x1b]0;owned\x07\x1b[31mred\r\u{202e}{}", "x".repeat(config.bytes));
        Err(match config.error.as_str() {
            "not-found" => Error::not_found(),
            "invalid-config" => Error::InvalidConfig(text),
            "unsupported-type" => Error::UnsupportedType(text),
            "corrupt" => Error::Corrupt(text),
            "access-denied" => Error::AccessDenied(text),
            "conflict" => Error::Conflict(text),
            "limit-exceeded" => Error::LimitExceeded(text),
            "unavailable" => Error::Unavailable(text),
            code => Error::Other(OtherError { code: code.to_owned(), message: text, retryable: true }),
        })
    }
}
