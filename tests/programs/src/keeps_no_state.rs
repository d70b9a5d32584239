//! Counts its calls in memory. Every call must be the first; otherwise the error `state`.

use std::sync::atomic::{AtomicU32, Ordering};

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};

pub struct Program;

static CALLS: AtomicU32 = AtomicU32::new(0);

fn count() -> Result<(), Error> {
    match CALLS.fetch_add(1, Ordering::Relaxed) {
        0 => Ok(()),
        before => Err(Error::other("state", format!("{before} calls before this one"))),
    }
}

impl crate::Program for Program {
    fn store(_context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        count()
    }

    fn load(_context: &InputContext, _value: &mut Sink) -> Result<(), Error> {
        count()
    }
}
