//! Computes for ever. Must end at the limit `cpu-time`, or at `time` where that is less.

use std::hint::black_box;

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};

pub struct Program;

fn compute() -> ! {
    loop {
        black_box(0);
    }
}

impl crate::Program for Program {
    fn store(_context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        compute()
    }

    fn load(_context: &InputContext, _value: &mut Sink) -> Result<(), Error> {
        compute()
    }
}
