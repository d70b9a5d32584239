//! Climbs out of its mounts by `..`, by absolute paths and by odd spellings, through the file functions of Rust and
//! through the raw interface. Each must be denied.

use std::fs;

use airlock_sdk::{Error, OutputContext, Source};
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};

pub struct Program;

const PATHS: [&str; 16] = [
    "..",
    "../",
    "../..",
    "../secret",
    "../../etc/passwd",
    "./../secret",
    "a/../../secret",
    "a/../../../etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "/",
    "/data/../etc/passwd",
    "..\\secret",
    ".. /secret",
    "%2e%2e/secret",
    "proc/self/environ",
];

impl crate::Program for Program {
    fn store(_context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let mut refusals = crate::Refusals::default();
        let mut part = value.single()?;
        for path in PATHS.map(|path| format!("/data/{path}")) {
            refusals.expect(format!("read {path}"), fs::read(&path));
            refusals.expect(format!("write {path}"), fs::write(&path, "forged"));
            refusals.expect(format!("save {path}"), part.save(&path));
        }
        for (directory, guest_path) in preopens::get_directories() {
            for path in PATHS.iter().copied().chain(["..\0/secret", ""]) {
                for (open, flags) in [
                    (OpenFlags::empty(), DescriptorFlags::READ),
                    (OpenFlags::DIRECTORY, DescriptorFlags::READ),
                    (OpenFlags::CREATE, DescriptorFlags::WRITE),
                    (OpenFlags::CREATE | OpenFlags::DIRECTORY, DescriptorFlags::MUTATE_DIRECTORY),
                ] {
                    let what = format!("{path:?} in {guest_path} with {open:?}");
                    let opened = directory.open_at(PathFlags::SYMLINK_FOLLOW, path, open, flags);
                    refusals.expect(what, opened.map_err(|code| code.name()));
                }
                refusals.expect(format!("look at {path:?} in {guest_path}"), {
                    directory.stat_at(PathFlags::SYMLINK_FOLLOW, path).map_err(|code| code.name())
                });
            }
        }
        refusals.finish()
    }
}
