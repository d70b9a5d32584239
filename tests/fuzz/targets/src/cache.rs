//! Entries of the cache of compiled code.

use std::path::PathBuf;

use airlock_sandbox::component::CacheSettings;
use airlock_sandbox::{Durability, Sandbox, Settings};

use crate::Target;
use crate::component::STORES;

/// What somebody did to the entry of a component, which is loaded then: its first two bytes tell where the rest is put over
/// the entry that Airlock made, or, where both are `0xff`, that it is the entry. Whatever it is, what is loaded is what
/// Airlock compiled: it takes the entry that is authentic, and puts it in place of any other.
pub fn code_cache() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("compiled");
    let cache = CacheSettings { directory: directory.clone(), key_file: folder.path().join("key") };
    let sandbox =
        Sandbox::new(&Settings { cache: Some(cache), durability: Durability::None, ..Settings::default() }).unwrap();
    let component = wat::parse_str(STORES).unwrap();
    let load = move || sandbox.load_bytes("component", &component);
    load().unwrap();
    let entries: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [path] = <[PathBuf; 1]>::try_from(entries).unwrap();
    let authentic = std::fs::read(&path).unwrap();
    Box::new(move |input| {
        let _in_use = &folder;
        let entry = changed(&authentic, input);
        std::fs::write(&path, &entry).unwrap();
        load().unwrap();
        assert!(std::fs::read(&path).unwrap() == authentic, "an entry was taken that Airlock did not make");
        entry == authentic
    })
}

fn changed(authentic: &[u8], input: &[u8]) -> Vec<u8> {
    let Some((place, rest)) = input.split_first_chunk() else { return input.to_vec() };
    if place == &[0xff; 2] {
        return rest.to_vec();
    }
    let place = usize::from(u16::from_le_bytes(*place)) % authentic.len();
    let mut entry = authentic.to_vec();
    entry.resize(entry.len().max(place + rest.len()), 0);
    entry.iter_mut().skip(place).zip(rest).for_each(|(old, new)| *old = *new);
    entry
}
