//! Touches another partition of its own asset, which the configuration gives as `other`, a path below `/data`: it must be
//! denied, and must not show in a listing. The host must give no path for its key either.

use std::fs;
use std::path::Path;

use airlock_sdk::{DATA, Error, InputContext, OutputContext, Sink, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    other: String,
    other_key: String,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let Config { other, other_key } = context.config()?;
        let other = Path::new(DATA).join(other);
        let mut refusals = crate::Refusals::of_looking_at(&other);
        refusals.expect("write", fs::write(&other, "forged"));
        refusals.expect("remove", fs::remove_file(&other));
        refusals.expect("a path", context.path(Some(&other_key), "bin"));
        refusals.expect("a path of the whole asset", context.path(None, "bin"));
        refusals.expect("save", value.single()?.save(&other));
        refusals.finish()
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let Config { other, other_key } = context.config()?;
        let other = Path::new(DATA).join(other);
        let mut refusals = crate::Refusals::of_looking_at(&other);
        refusals.expect("a path", context.path(Some(&other_key), "bin"));
        refusals.expect("a part", value.begin(Some(&other_key), "text/plain").map(drop));
        refusals.expect("load", value.begin(None, "text/plain")?.load(&other));
        refusals.finish()
    }
}
