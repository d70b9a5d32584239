//! Makes links to its own file and out of the mount: symbolic and hard. Each must be denied.

use std::fs;

use airlock_sdk::{Error, OutputContext, Source};
use wasip2::filesystem::preopens;

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let own = context.file(None, "bin")?;
        fs::write(&own, "x")?;
        let name = context.path(None, "link")?;
        let mut refusals = crate::Refusals::default();
        refusals.expect("hard link", fs::hard_link(&own, context.file(None, "link")?));
        for (directory, guest_path) in preopens::get_directories() {
            for target in ["../../etc/passwd", "/etc/passwd", "."] {
                let what = format!("symbolic link to {target} in {guest_path}");
                refusals.expect(what, directory.symlink_at(target, &name).map_err(|code| code.name()));
            }
        }
        refusals.finish()
    }
}
