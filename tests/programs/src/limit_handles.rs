//! Makes pollables and keeps them. Must end at the limit `handles`.

use airlock_sdk::{Error, OutputContext, Source};
use wasip2::clocks::monotonic_clock;

pub struct Program;

impl crate::Program for Program {
    fn store(_context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let mut kept = Vec::new();
        for _ in 0..1_000_000 {
            kept.push(monotonic_clock::subscribe_duration(1));
        }
        Ok(())
    }
}
