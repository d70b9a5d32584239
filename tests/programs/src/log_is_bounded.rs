//! Logs 12 MiB: by `log`, on standard output and on standard error, among it a line of 1 MiB and texts that would drive a
//! terminal. Must succeed; of the log a bounded part is kept, and it is harmless.

use std::io::{Write, stderr, stdout};

use airlock_sdk::{Error, Level, OutputContext, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        context.log(Level::Warn, "\x1b]0;owned\x07\x1b[31mred\r\u{202e}");
        context.log(Level::Info, "x".repeat(1 << 20));
        let line = format!("\x1b[2J{}\n", "y".repeat(1000));
        for _ in 0..4000 {
            context.log(Level::Debug, &line);
            stdout().write_all(line.as_bytes())?;
            stderr().write_all(line.as_bytes())?;
        }
        Ok(())
    }
}
