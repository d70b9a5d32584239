//! Lists the directory that lies under the extension `d` of its value, in which others made more entries than a guest may
//! list. Must end at the limit `directory-entries`.

use std::fs;

use airlock_sdk::{Error, InputContext, Sink};

pub struct Program;

impl crate::Program for Program {
    fn load(context: &InputContext, _value: &mut Sink) -> Result<(), Error> {
        let entries = fs::read_dir(context.file(None, "d")?)?.collect::<Result<Vec<_>, _>>()?;
        Err(Error::other("listed", format!("{} entries", entries.len())))
    }
}
