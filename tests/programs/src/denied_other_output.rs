//! Touches the file of another output, which the configuration gives as `other`, a path below `/data`: reads, writes,
//! renames, removes, looks. Each must be denied. It must not show in a listing either.

use std::fs::{self, OpenOptions};
use std::path::Path;

use airlock_sdk::{DATA, Error, InputContext, OutputContext, Sink, Source};
use serde::Deserialize;

pub struct Program;

#[derive(Deserialize)]
struct Config {
    other: String,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let other = Path::new(DATA).join(context.config::<Config>()?.other);
        let own = context.file(None, "bin")?;
        fs::write(&own, "own")?;
        let mut refusals = crate::Refusals::of_looking_at(&other);
        refusals.expect("write", fs::write(&other, "forged"));
        refusals.expect("append", OpenOptions::new().append(true).open(&other));
        refusals.expect("truncate", OpenOptions::new().write(true).truncate(true).open(&other));
        refusals.expect("rename it", fs::rename(&other, context.file(None, "taken")?));
        refusals.expect("rename onto it", fs::rename(&own, &other));
        refusals.expect("link it", fs::hard_link(&other, context.file(None, "linked")?));
        refusals.expect("remove", fs::remove_file(&other));
        refusals.expect("a directory in its place", fs::create_dir(&other));
        refusals.expect("save", value.single()?.save(&other));
        refusals.finish()
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let other = Path::new(DATA).join(context.config::<Config>()?.other);
        let mut refusals = crate::Refusals::of_looking_at(&other);
        refusals.expect("load", value.begin(None, "text/plain")?.load(&other));
        refusals.finish()
    }
}
