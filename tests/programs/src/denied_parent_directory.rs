//! Climbs out of its mounts by `..`, by absolute paths and by odd spellings, through the file functions of Rust and
//! through the raw interface; where the configuration gives a path as `save`, only saves its value there. Each must be
//! denied.

use std::fs;

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};
use serde::Deserialize;
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};

pub struct Program;

#[derive(Deserialize)]
struct Config {
    save: Option<String>,
}

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
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let mut refusals = crate::Refusals::default();
        if let Some(path) = context.config::<Config>()?.save {
            refusals.expect(format!("save {path}"), value.single()?.save(&path));
            return refusals.finish();
        }
        for path in PATHS.map(|path| format!("/data/{path}")) {
            refusals.expect(format!("read {path}"), fs::read(&path));
            refusals.expect(format!("write {path}"), fs::write(&path, "forged"));
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
    fn load(_context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let mut part = value.begin(None, "text/plain")?;
        let mut refusals = crate::Refusals::default();
        for path in PATHS.iter().map(|path| format!("/data/{path}")).chain(["..".to_owned(), String::new()]) {
            refusals.expect(format!("load {path}"), part.load(&path));
        }
        refusals.finish()
    }
}
