//! Stores nothing but what it sees of its surroundings. The environment must be what the configuration gives as
//! `environment`, empty where it gives none; no arguments, no working directory, nothing on standard input. Otherwise
//! the error `leak`.

use std::collections::BTreeMap;
use std::env;
use std::io::Read;

use airlock_sdk::{Error, OutputContext, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let leak = |what: String| Err(Error::other("leak", what));
        let environment: BTreeMap<String, String> = env::vars().collect();
        if environment != context.config::<Config>()?.environment {
            return leak(format!("the environment {environment:?}"));
        }
        if env::args().len() > 0 {
            return leak(format!("the arguments {:?}", env::args().collect::<Vec<_>>()));
        }
        if let Some(directory) = wasip2::cli::environment::initial_cwd() {
            return leak(format!("the working directory {directory}"));
        }
        let mut input = Vec::new();
        match std::io::stdin().read_to_end(&mut input) {
            Ok(0) | Err(_) => Ok(()),
            Ok(length) => leak(format!("{length} bytes on standard input")),
        }
    }
}
