//! Follows symbolic links that others put beside its value: `lnk` leads to a file outside the mount, `lnkdir` to a
//! directory outside that holds `secret`. Each way through them must be denied.

use std::fs;

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let link = context.file(None, "lnk")?;
        let directory = context.file(None, "lnkdir")?;
        let mut part = value.single()?;
        let mut refusals = crate::Refusals::default();
        for path in [&link, &directory.join("secret"), &directory.join("new")] {
            let shown = path.display();
            refusals.expect(format!("read {shown}"), fs::read(path));
            refusals.expect(format!("append to {shown}"), fs::OpenOptions::new().append(true).open(path));
        }
        refusals.expect("write below", fs::write(directory.join("new"), "forged"));
        refusals.expect("save below", part.save(directory.join("new")));
        refusals.expect("list", fs::read_dir(&directory));
        refusals.expect("read the link", fs::read_link(&link));
        refusals.finish()
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let mut part = value.begin(None, "text/plain")?;
        let mut refusals = crate::Refusals::default();
        refusals.expect("load", part.load(context.file(None, "lnk")?));
        refusals.expect("load below", part.load(context.file(None, "lnkdir")?.join("secret")));
        refusals.finish()
    }
}
