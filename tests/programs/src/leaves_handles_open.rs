//! Stores its value and forgets every handle that it has: reader, files, a directory, a pollable. Must succeed, and leave
//! nothing open in the host.

use std::fs::{self, File};
use std::mem::forget;

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};
use wasip2::clocks::monotonic_clock;

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let own = context.file(None, "bin")?;
        let mut part = value.single()?;
        part.save(&own)?;
        forget(part);
        forget(File::open(&own)?);
        forget(File::options().append(true).open(&own)?);
        forget(fs::read_dir("/data")?);
        forget(monotonic_clock::subscribe_duration(u64::MAX));
        Ok(())
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let own = context.file(None, "bin")?;
        forget(File::open(&own)?);
        forget(context.upstream(None));
        value.begin(None, "application/octet-stream")?.load(&own)?;
        Ok(())
    }
}
