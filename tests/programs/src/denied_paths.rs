//! Tries some hundred spellings of paths that lead out, over links, or to what it is not lent, in each directory that it is
//! lent, by every function of the file system that takes a path. Each must be refused.

use airlock_sdk::{Error, OutputContext, Source};
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{Descriptor, DescriptorFlags, ErrorCode, NewTimestamp, OpenFlags, PathFlags};

pub struct Program;

const BEFORE: [&str; 6] = ["", "./", ".//./", "sales/../", "sales/./../", "sales/../sales/../"];
const TARGETS: [&str; 9] = [
    "..",
    "../outside/secret",
    "../../../../../../../../etc/passwd",
    "/etc/passwd",
    "/proc/self/environ",
    "sales/orders.lnk",
    "sales/orders.lnkdir/secret",
    "sales/other.bin",
    ".airlock/plan",
];
const AFTER: [&str; 5] = ["", "/", "/.", "//", "/./x"];

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        std::fs::write(context.file(None, "own")?, "own")?;
        let own = context.path(None, "own")?;
        let mut refusals = crate::Refusals::default();
        let directories = preopens::get_directories();
        for (directory, guest_path) in &directories {
            for (before, target, after) in spellings() {
                let path = format!("{before}{target}{after}");
                for (what, result) in attempts(directory, &path, &own) {
                    refusals.expect(format!("{what} {path} in {guest_path}"), result.map_err(|code| code.name()));
                }
            }
        }
        refusals.finish()
    }
}

fn spellings() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let targets = BEFORE.iter().flat_map(|before| TARGETS.iter().map(move |target| (*before, *target)));
    targets.flat_map(|(before, target)| AFTER.iter().map(move |after| (before, target, *after)))
}

/// What each function makes of `path`; `own` is a file that it may touch.
fn attempts(directory: &Descriptor, path: &str, own: &str) -> Vec<(&'static str, Result<(), ErrorCode>)> {
    let follow = PathFlags::SYMLINK_FOLLOW;
    let open = |how, flags| directory.open_at(follow, path, how, flags).map(drop);
    let (none, now) = (OpenFlags::empty(), NewTimestamp::Now);
    vec![
        ("read", open(none, DescriptorFlags::READ)),
        ("write", open(none, DescriptorFlags::WRITE)),
        ("make", open(OpenFlags::CREATE, DescriptorFlags::WRITE)),
        ("make anew", open(OpenFlags::CREATE | OpenFlags::EXCLUSIVE, DescriptorFlags::WRITE)),
        ("empty", open(OpenFlags::TRUNCATE, DescriptorFlags::WRITE)),
        ("list", open(OpenFlags::DIRECTORY, DescriptorFlags::READ)),
        ("look at", directory.stat_at(follow, path).map(drop)),
        ("tell apart", directory.metadata_hash_at(follow, path).map(drop)),
        ("set the times of", directory.set_times_at(follow, path, now, now)),
        ("make a directory", directory.create_directory_at(path)),
        ("remove the directory", directory.remove_directory_at(path)),
        ("remove", directory.unlink_file_at(path)),
        ("rename", directory.rename_at(path, directory, own)),
        ("rename to", directory.rename_at(own, directory, path)),
        ("link to", directory.link_at(follow, path, directory, own)),
        ("make a hard link", directory.link_at(follow, own, directory, path)),
        ("make a symbolic link", directory.symlink_at("../outside", path)),
        ("read the link", directory.readlink_at(path).map(drop)),
    ]
}
