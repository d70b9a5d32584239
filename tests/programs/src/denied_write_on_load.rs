//! Writes to its own file while it loads, though its mount is lent to write. Must be denied.

use std::fs::{self, OpenOptions};

use airlock_sdk::{Error, InputContext, Sink};

pub struct Program;

impl crate::Program for Program {
    fn load(context: &InputContext, _value: &mut Sink) -> Result<(), Error> {
        let own = context.file(None, "bin")?;
        let mut refusals = crate::Refusals::default();
        refusals.expect("write", fs::write(&own, "forged"));
        refusals.expect("append", OpenOptions::new().append(true).open(&own));
        refusals.expect("remove", fs::remove_file(&own));
        refusals.expect("make", fs::write(context.file(None, "new")?, "forged"));
        refusals.finish()
    }
}
