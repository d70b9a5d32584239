//! Gives a value without end where it loads. Must end at the limit `disk`, which what waits in the host counts against.

use std::io::Write;

use airlock_sdk::{Error, InputContext, Sink};

pub struct Program;

impl crate::Program for Program {
    fn load(_context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let mut part = value.begin(None, "application/octet-stream")?;
        let chunk = vec![1; 1 << 20];
        loop {
            part.write_all(&chunk)?;
        }
    }
}
