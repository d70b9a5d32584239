//! Stores files below its output whose names would drive a terminal, turn a line round, look like a command of a CI system, or
//! mean something on another system. What names such files must be harmless wherever it is shown.

use std::fs;

use airlock_sdk::{Error, OutputContext, Source};

pub struct Program;

const NAMES: [&str; 9] = [
    "\x1b[31mred",
    "line\n::error::broken",
    "\r\x08over",
    "\u{202e}gnp.txt",
    "e\u{301}",
    "CON",
    "a:b",
    " trailing. ",
    "##[group]",
];

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let directory = context.file(None, "d")?;
        fs::create_dir_all(&directory)?;
        for name in NAMES {
            fs::write(directory.join(name), name)?;
            // Nor does a name become harmful where it is denied.
            let _ = fs::read(format!("/data/sales/{name}"));
        }
        Ok(())
    }
}
