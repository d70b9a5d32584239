//! Calls itself for ever. Must end at the limit `stack`.

use std::hint::black_box;

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};

pub struct Program;

#[inline(never)]
#[expect(unconditional_recursion, reason = "that is what it tries")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 64]);
    recurse(depth + 1) + frame[3]
}

impl crate::Program for Program {
    fn store(_context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        Err(Error::other("unlimited", recurse(0)))
    }

    fn load(_context: &InputContext, _value: &mut Sink) -> Result<(), Error> {
        Err(Error::other("unlimited", recurse(0)))
    }
}
