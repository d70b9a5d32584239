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
        let mut refusals = look(&other);
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
        let mut refusals = look(&other);
        refusals.expect("a path", context.path(Some(&other_key), "bin"));
        refusals.expect("a part", value.begin(Some(&other_key), "text/plain").map(drop));
        refusals.expect("load", value.begin(None, "text/plain")?.load(&other));
        refusals.finish()
    }
}

fn look(other: &Path) -> crate::Refusals {
    let mut refusals = crate::Refusals::default();
    refusals.expect("read", fs::read(other));
    refusals.expect("look", fs::metadata(other));
    let listed = other.parent().into_iter().flat_map(fs::read_dir).flatten().flatten();
    let seen = listed.map(|entry| entry.path()).find(|path| path == other);
    refusals.expect("list", seen.ok_or("it is not listed"));
    refusals
}
