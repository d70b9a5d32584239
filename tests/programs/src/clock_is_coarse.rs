//! Looks for the smallest step of the monotonic clock. It must be 1 ms or more; otherwise the error `fine-clock`.

use std::time::{Duration, Instant};

use airlock_sdk::{Error, OutputContext, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(_context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        for _ in 0..5 {
            let start = Instant::now();
            let mut now = start;
            while now == start {
                now = Instant::now();
            }
            let step = now - start;
            if step < Duration::from_millis(1) {
                return Err(Error::other("fine-clock", format!("a step of {step:?}")));
            }
        }
        Ok(())
    }
}
