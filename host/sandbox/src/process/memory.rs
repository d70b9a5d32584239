//! Directories in memory, lent to a worker as copies of what they hold: the files pass as descriptors.

use std::fs::File;
use std::io;

use serde::{Deserialize, Serialize};

use super::packing::Parcel;
use super::wire::{Descriptors, invalid};
use crate::call::Call;
use crate::grant::{Access, Grant, MountSource};
use crate::mount::{Contents, Held, MemoryDirectory, Waiting};
use crate::report::Failure;

/// What a directory in memory holds, in a message: its paths, and the places of their files.
#[derive(Serialize, Deserialize)]
pub(super) struct PackedDirectory(pub Vec<(String, Option<usize>)>);

/// The directories in memory that `grant` lends, each once, in the order of the mounts.
pub(super) fn directories(grant: &Grant) -> Vec<MemoryDirectory> {
    let mut directories: Vec<MemoryDirectory> = Vec::new();
    for mount in grant.mounts() {
        if let MountSource::Memory(directory) = &mount.source
            && place(&directories, directory).is_none()
        {
            directories.push(directory.clone());
        }
    }
    directories
}

/// Where `directory` is among `directories`.
pub(super) fn place(directories: &[MemoryDirectory], directory: &MemoryDirectory) -> Option<usize> {
    directories.iter().position(|known| known.number() == directory.number())
}

/// Holds `directories` for `call`, those alone that it may change where it `stores`.
pub(super) fn hold(directories: &[MemoryDirectory], call: &Call<'_>, stores: bool) -> Result<Vec<Held>, Failure> {
    let interrupted = || call.interrupt.is_interrupted();
    let waiting = Waiting::new(&interrupted, call.grant.limits().time);
    // In the order of all calls, so that none of two waits for the other.
    let mut ordered: Vec<&MemoryDirectory> = directories.iter().collect();
    ordered.sort_by_key(|directory| directory.number());
    ordered.into_iter().map(|directory| directory.hold(stores && is_written(call.grant, directory), &waiting)).collect()
}

/// Whether `grant` lends `directory` to be written.
fn is_written(grant: &Grant, directory: &MemoryDirectory) -> bool {
    grant.mounts().iter().any(|mount| {
        let is_it = matches!(&mount.source, MountSource::Memory(source) if source.number() == directory.number());
        is_it && mount.access == Access::Write
    })
}

/// Packs what `directories` hold.
pub(super) fn pack(directories: &[MemoryDirectory], parcel: &mut Parcel<'_>) -> io::Result<Vec<PackedDirectory>> {
    let mut pack = |directory: &MemoryDirectory| {
        let mut packed = Vec::new();
        for (path, file) in directory.contents() {
            // Who is lent a copy is not to change the original.
            let file =
                file.map(|file| crate::mount::seal(&file).and_then(|()| parcel.whole_file(&file))).transpose()?;
            packed.push((path, file));
        }
        Ok(PackedDirectory(packed))
    };
    directories.iter().map(&mut pack).collect()
}

/// Has `directories` hold what was packed. Nothing changes in any of them where it cannot be in one.
pub(super) fn unpack(
    packed: Vec<PackedDirectory>,
    directories: &[MemoryDirectory],
    descriptors: &mut Descriptors,
) -> io::Result<()> {
    for (directory, contents) in unpacked(packed, directories, descriptors)? {
        directory.replace(contents);
    }
    Ok(())
}

/// The same of a worker, which changes those alone that `grant` lends to be written.
pub(super) fn unpack_of_worker(
    packed: Vec<PackedDirectory>,
    directories: &[MemoryDirectory],
    grant: &Grant,
    descriptors: &mut Descriptors,
) -> io::Result<()> {
    for (directory, contents) in unpacked(packed, directories, descriptors)? {
        if is_written(grant, directory) {
            directory.replace(contents);
        }
    }
    Ok(())
}

fn unpacked<'a>(
    packed: Vec<PackedDirectory>,
    directories: &'a [MemoryDirectory],
    descriptors: &mut Descriptors,
) -> io::Result<Vec<(&'a MemoryDirectory, Contents)>> {
    if packed.len() != directories.len() {
        return Err(invalid("there are not as many directories in memory"));
    }
    let mut contents = Vec::new();
    for (directory, PackedDirectory(entries)) in directories.iter().zip(packed) {
        let mut files: Vec<(String, Option<File>)> = Vec::new();
        for (path, place) in entries {
            files.push((path, place.map(|place| descriptors.take_sealed(place)).transpose()?));
        }
        contents.push((directory, Contents::new(files)?));
    }
    Ok(contents)
}
