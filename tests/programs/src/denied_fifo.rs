//! Opens a FIFO that others made under the extension `fifo` of its value, to read and to write. Must be denied at once,
//! not wait for the other end.

use std::fs::{File, OpenOptions};

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let fifo = context.file(None, "fifo")?;
        let mut refusals = crate::Refusals::default();
        refusals.expect("read", File::open(&fifo));
        refusals.expect("write", OpenOptions::new().write(true).open(&fifo));
        refusals.expect("append", OpenOptions::new().append(true).open(&fifo));
        refusals.finish()
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let fifo = context.file(None, "fifo")?;
        let mut refusals = crate::Refusals::default();
        refusals.expect("load", value.begin(None, "text/plain")?.load(&fifo));
        refusals.expect("read", File::open(&fifo));
        refusals.finish()
    }
}
