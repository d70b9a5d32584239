//! Looks in a directory for what lies at the places of values.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

use airlock_sandbox::layout::{Location, is_extension};

use crate::partition::{PartitionSet, Selected};

/// The partitions of the asset at `location` that have a file or a directory below `directory`, under any extension. What
/// lies beside assets without partitions is taken from `listings`, where it is known.
pub(super) fn files(
    directory: &Path,
    location: &Location,
    set: Option<&PartitionSet>,
    listings: &mut HashMap<PathBuf, HashSet<String>>,
) -> Result<Selected, (PathBuf, io::Error)> {
    let path = Path::new(location.as_str());
    // Links are not followed when a value is loaded.
    let is_link = |below: &Path| directory.join(below).is_symlink();
    if path.ancestors().skip(usize::from(set.is_none())).any(is_link) {
        return Ok(Selected::default());
    }
    let Some(set) = set else {
        let names = match listings.entry(directory.join(path.parent().unwrap_or(Path::new("")))) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => {
                let names = names(unknown.key())?;
                unknown.insert(names)
            }
        };
        let is_there = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| names.contains(name));
        return Ok(if is_there { Selected::all(1) } else { Selected::default() });
    };
    let directory = directory.join(path);
    if entries(&directory)?.next().is_none() {
        return Ok(Selected::default());
    }
    let mut found = Vec::new();
    let mut places = vec![0; set.dimensions().len()];
    find_partitions(&directory, &levels(set), &mut places, &mut |places| found.push(set.at(places)))?;
    Ok(Selected::of_indices(found))
}

/// The directories of one dimension below an asset, or the files where it is the last.
struct Level {
    /// The place of the dimension in the order of definition.
    dimension: usize,
    /// What the partitions are called there.
    segments: Vec<String>,
}

/// The levels of `set`, outermost first.
fn levels(set: &PartitionSet) -> Vec<Level> {
    let mut dimensions: Vec<(usize, &PartitionSet)> = set.dimensions().iter().enumerate().collect();
    dimensions.sort_by_key(|(_, dimension)| dimension.name());
    let root = Location::asset(&[""]);
    let level = |(dimension, set): (usize, &PartitionSet)| {
        let segment = |key: Cow<'_, str>| {
            let location = root.partition(&[(set.name(), &*key)]);
            location.as_str().rsplit('/').next().unwrap_or_default().to_owned()
        };
        Level { dimension, segments: set.keys().map(segment).collect() }
    };
    dimensions.into_iter().map(level).collect()
}

/// Tells `found` the places, in the order of definition, of each partition that lies below `directory`.
fn find_partitions(
    directory: &Path,
    levels: &[Level],
    places: &mut [usize],
    found: &mut impl FnMut(&[usize]),
) -> Result<(), (PathBuf, io::Error)> {
    let Some((level, deeper)) = levels.split_first() else { return Ok(()) };
    let names = if deeper.is_empty() { names(directory)? } else { directories(directory)? };
    for (place, segment) in level.segments.iter().enumerate().filter(|(_, segment)| names.contains(*segment)) {
        if let Some(slot) = places.get_mut(level.dimension) {
            *slot = place;
        }
        if deeper.is_empty() {
            found(places);
        } else {
            find_partitions(&directory.join(segment), deeper, places, found)?;
        }
    }
    Ok(())
}

/// The names of the directories in `directory`.
fn directories(directory: &Path) -> Result<HashSet<String>, (PathBuf, io::Error)> {
    let mut names = HashSet::new();
    for entry in entries(directory)? {
        let (entry, failed) = (entry?, |error| (directory.to_owned(), error));
        if entry.file_type().map_err(failed)?.is_dir() {
            names.extend(entry.file_name().into_string());
        }
    }
    Ok(names)
}

/// The names in `directory`, without their extensions; none where it is not there.
fn names(directory: &Path) -> Result<HashSet<String>, (PathBuf, io::Error)> {
    let mut names = HashSet::new();
    for entry in entries(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        // What has no extension that a value may have, or is an empty directory, is none.
        let Some((name, extension)) = name.to_str().and_then(|name| name.split_once('.')) else { continue };
        let path = entry.path();
        if is_extension(extension) && !path.is_symlink() && !(path.is_dir() && is_empty(&path)) {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

/// What is in `directory`; nothing where it is not there.
fn entries(
    directory: &Path,
) -> Result<impl Iterator<Item = Result<DirEntry, (PathBuf, io::Error)>>, (PathBuf, io::Error)> {
    let failed = |error| (directory.to_owned(), error);
    let entries = match std::fs::read_dir(directory) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => None,
        opened => Some(opened.map_err(failed)?),
    };
    Ok(entries.into_iter().flatten().map(move |entry| entry.map_err(failed)))
}

fn is_empty(directory: &Path) -> bool {
    std::fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::{Dimension, PartitionsDefinition};

    fn touch(directory: &Path, names: &[&str]) {
        for name in names {
            let path = directory.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
    }

    #[test]
    fn what_lies_at_the_place_of_a_value_is_stored_under_whatever_extension() {
        let directory = tempfile::tempdir().unwrap();
        touch(directory.path(), &["sales/orders.csv", "sales/days=a.csv", "bare", "tree.d/part", "draft.csv~"]);
        std::fs::create_dir(directory.path().join("hollow.d")).unwrap();
        std::os::unix::fs::symlink("tree.d", directory.path().join("link.d")).unwrap();
        let is_there = |key: &[&str]| {
            !files(directory.path(), &Location::asset(key), None, &mut HashMap::new()).unwrap().is_empty()
        };
        assert!(!is_there(&["draft"]) && !is_there(&["hollow"]) && !is_there(&["link"]));
        assert!(is_there(&["sales", "orders"]) && is_there(&["tree"]));
        assert!(
            !is_there(&["sales"]) && !is_there(&["bare"]) && !is_there(&["sales", "days"]) && !is_there(&["x", "y"])
        );
    }

    #[test]
    fn each_partition_is_looked_for_at_its_own_place() {
        let directory = tempfile::tempdir().unwrap();
        touch(directory.path(), &["orders/region=eu.parquet", "orders/region=+e+u.csv", "orders/region=old.csv"]);
        let regions = ["us", "eu", "EU"].map(str::to_owned).to_vec();
        let set = PartitionsDefinition::Static(regions).partitions("region", jiff::Timestamp::UNIX_EPOCH);
        let found = files(directory.path(), &Location::asset(&["orders"]), Some(&set), &mut HashMap::new()).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_partition_of_several_dimensions_lies_in_a_directory_for_each() {
        let directory = tempfile::tempdir().unwrap();
        let names = ["a=1/b=x.csv", "a=2/b=y.d/part", "a=1/b=z.csv", "a=3/b=x.csv", "a=1.csv", "b=x/a=1.csv"];
        touch(&directory.path().join("orders"), &names);
        std::os::unix::fs::symlink("a=1", directory.path().join("orders/a=4")).unwrap();
        let of = |name: &str, keys: &[&str]| Dimension {
            name: name.to_owned(),
            partitions: PartitionsDefinition::Static(keys.iter().map(|key| (*key).to_owned()).collect()),
        };
        let definition = PartitionsDefinition::Dimensions(vec![of("b", &["x", "y"]), of("a", &["1", "2", "4"])]);
        let set = definition.partitions("both", jiff::Timestamp::UNIX_EPOCH);
        let found = files(directory.path(), &Location::asset(&["orders"]), Some(&set), &mut HashMap::new()).unwrap();
        assert_eq!(found.iter().map(|place| set.key(place).unwrap()).collect::<Vec<_>>(), ["1|x", "2|y"]);
    }
}
