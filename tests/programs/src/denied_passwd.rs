//! Reads files of the machine by their absolute paths. Each must be denied.

use std::fs;

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};

pub struct Program;

const PATHS: [&str; 6] =
    ["/etc/passwd", "/etc/shadow", "/proc/self/environ", "/proc/self/fd/0", "/etc/ssh/ssh_host_rsa_key", "/dev/urandom"];

impl crate::Program for Program {
    fn store(_context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let mut refusals = crate::Refusals::default();
        for path in PATHS {
            refusals.expect(path, fs::read(path));
            refusals.expect(path, fs::write(path, "forged"));
        }
        refusals.finish()
    }

    fn load(_context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let mut part = value.begin(None, "text/plain")?;
        let mut refusals = crate::Refusals::default();
        for path in PATHS {
            refusals.expect(path, part.load(path));
        }
        refusals.finish()
    }
}
