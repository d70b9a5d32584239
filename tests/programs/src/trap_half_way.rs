//! Overwrites a good value with half of a new one, removes another file of its own, and panics. Must be a trap; the old
//! value must be there and load.

use std::fs::{self, File};
use std::io::{Read, Write};

use airlock_sdk::{Error, OutputContext, Source};

pub struct Program;

#[expect(clippy::panic, reason = "that is what it tries")]
impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let own = context.file(None, "bin")?;
        let other = context.file(None, "index")?;
        if other.try_exists()? {
            fs::remove_file(other)?;
        }
        let mut bytes = Vec::new();
        value.single()?.read_to_end(&mut bytes)?;
        let mut file = File::create(own)?;
        file.write_all(bytes.get(..bytes.len() / 2).unwrap_or_default())?;
        file.sync_all()?;
        panic!("the guest gave up half-way");
    }
}
