//! Stores its value, says `ready` in its log and on standard error, and then waits for as long as it may. For tests that
//! kill the host or interrupt the call meanwhile: of what it wrote, nothing may be there afterwards.

use std::thread::sleep;
use std::time::Duration;

use airlock_sdk::{Error, Level, OutputContext, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        value.single()?.save(context.file(None, "bin")?)?;
        context.log(Level::Info, "ready");
        eprintln!("ready");
        loop {
            sleep(Duration::from_hours(1));
        }
    }
}
