//! Sleeps for ever, in a call to the host. Must end at the limit `time`.

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};
use wasip2::clocks::monotonic_clock;

pub struct Program;

impl crate::Program for Program {
    fn store(_context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        monotonic_clock::subscribe_duration(u64::MAX).block();
        Err(Error::other("woke", "the end of time"))
    }

    fn load(_context: &InputContext, _value: &mut Sink) -> Result<(), Error> {
        std::thread::sleep(std::time::Duration::MAX);
        Err(Error::other("woke", "the end of time"))
    }
}
