//! Takes memory without end, and uses it. Must end at the limit `memory`.

use std::hint::black_box;

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};

pub struct Program;

fn take() -> Result<(), Error> {
    let mut kept = Vec::new();
    for _ in 0..256 {
        kept.push(black_box(vec![1_u8; 16 << 20]));
    }
    Err(Error::other("unlimited", format!("took {} blocks of 16 MiB", kept.len())))
}

impl crate::Program for Program {
    fn store(_context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        take()
    }

    fn load(_context: &InputContext, _value: &mut Sink) -> Result<(), Error> {
        take()
    }
}
