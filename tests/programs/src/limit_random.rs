//! Asks for more random bytes at once than there are to be had. Must end at the limit `random`.

use airlock_sdk::{Error, OutputContext, Source};
use wasip2::random::random;

pub struct Program;

impl crate::Program for Program {
    fn store(_context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let bytes = random::get_random_bytes(2 << 20);
        Err(Error::other("unlimited", format!("got {} bytes", bytes.len())))
    }
}
