//! With a mount `/reference` lent to read, which holds the file `bin` of its output, and `/data` lent to write: makes
//! every call that changes something on `/reference`. Each must be denied, while `/data` is written.

use std::fs::{self, OpenOptions};
use std::path::Path;

use airlock_sdk::{Error, OutputContext, Source};
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let kept = Path::new("/reference").join(context.path(None, "bin")?);
        let new = Path::new("/reference").join(context.path(None, "new")?);
        let own = context.file(None, "bin")?;
        let mut part = value.single()?;
        part.save(&own)?;
        fs::read(&kept)?;

        let mut refusals = crate::Refusals::default();
        refusals.expect("create", fs::write(&new, "forged"));
        refusals.expect("open to write", OpenOptions::new().write(true).open(&kept));
        refusals.expect("append", OpenOptions::new().append(true).open(&kept));
        refusals.expect("truncate", OpenOptions::new().write(true).truncate(true).open(&kept));
        refusals.expect("rename", fs::rename(&kept, &new));
        refusals.expect("rename away", fs::rename(&kept, context.file(None, "taken")?));
        refusals.expect("rename onto", fs::rename(&own, &kept));
        refusals.expect("link away", fs::hard_link(&kept, context.file(None, "linked")?));
        refusals.expect("link onto", fs::hard_link(&own, &new));
        refusals.expect("remove", fs::remove_file(&kept));
        refusals.expect("make a directory", fs::create_dir(&new));
        refusals.expect("remove a directory", fs::remove_dir(&kept));
        refusals.expect("save", part.save(&new));

        let reference = preopens::get_directories().into_iter().find(|(_, path)| path == "/reference");
        let (reference, _) = reference.ok_or_else(|| Error::invalid_config("no mount /reference"))?;
        raw(&reference, &context.path(None, "bin")?, &mut refusals);
        refusals.finish()
    }
}

/// The calls that the file functions of Rust do not make.
fn raw(reference: &Descriptor, path: &str, refusals: &mut crate::Refusals) {
    let open = |flags, descriptor| reference.open_at(PathFlags::empty(), path, flags, descriptor);
    let mut expect = |what, result: Result<(), ErrorCode>| refusals.expect(what, result.map_err(|code| code.name()));
    expect("truncate without writing", open(OpenFlags::TRUNCATE, DescriptorFlags::READ).map(drop));
    expect("exclusive create", open(OpenFlags::CREATE | OpenFlags::EXCLUSIVE, DescriptorFlags::WRITE).map(drop));
    let now = NewTimestamp::Now;
    expect("set times", reference.set_times_at(PathFlags::empty(), path, now, now));
    expect("symbolic link", reference.symlink_at("bin", "link"));
    if let Ok(file) = open(OpenFlags::empty(), DescriptorFlags::READ) {
        expect("write to a reader", file.write(b"forged", 0).map(drop));
        expect("write stream of a reader", file.write_via_stream(0).map(drop));
        expect("append stream of a reader", file.append_via_stream().map(drop));
        expect("set the size of a reader", file.set_size(0));
        expect("set the times of a reader", file.set_times(now, now));
    }
}
