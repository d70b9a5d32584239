//! What people write: definitions, locks, keys and names of partitions.

use airlock_pipeline::definitions::Builtins;
use airlock_pipeline::lock::Lock;
use airlock_pipeline::partition::{DynamicKeys, PartitionSet, Selected};
use airlock_pipeline::plan::PartitionSets;
use airlock_pipeline::{Definitions, Home};
use airlock_sandbox::layout::{Location, SEGMENT_BYTES, segment};

use crate::Target;

const BUILTINS: Builtins = &[("files", &[]), ("tables", &[])];
/// Keys of one input of [`keys`], at most: each is compared with each.
const KEYS: usize = 16;

/// An `airlock.toml`.
pub fn definitions() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airlock.toml");
    let home = Home::at(folder.path().join("home"));
    Box::new(move |input| {
        let _in_use = &folder;
        std::fs::write(&path, input).unwrap();
        Definitions::read(&path, None, &home, BUILTINS).map_err(|mistakes| mistakes.to_string()).is_ok()
    })
}

/// An `airlock.lock`.
pub fn locks() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airlock.lock");
    Box::new(move |input| {
        let _in_use = &folder;
        std::fs::write(&path, input).unwrap();
        Lock::read(&path).map_err(|error| error.to_string()).is_ok()
    })
}

/// Keys, one a line: no two may meet on any system, and none may lead out.
pub fn keys() -> Target {
    Box::new(|input| {
        let Ok(text) = str::from_utf8(input) else { return false };
        let keys: Vec<&str> = text.split('\n').take(KEYS).collect();
        let segments: Vec<String> = keys.iter().map(|key| segment(key)).collect();
        for (key, one) in keys.iter().zip(&segments) {
            assert_safe(one, key);
            for (other_key, other) in keys.iter().zip(&segments) {
                assert!(key == other_key || !one.eq_ignore_ascii_case(other), "{key:?} and {other_key:?} are {one}");
            }
        }
        let asset = Location::asset(&keys);
        let path = asset.path("csv").unwrap();
        assert_eq!(path.split('/').count(), keys.len(), "{path}");
        let dimensions: Vec<(&str, &str)> = keys.iter().copied().zip(keys.iter().copied().skip(1)).collect();
        let partition = asset.partition(&dimensions);
        let below = partition.as_str().strip_prefix(asset.as_str()).unwrap();
        for part in below.split('/').skip(1) {
            assert!(part.len() <= SEGMENT_BYTES && !part.contains('.'), "{part:?}");
        }
        true
    })
}

fn assert_safe(segment: &str, key: &str) {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'+' | b'%');
    let length = 1..=SEGMENT_BYTES;
    let is_safe = length.contains(&segment.len()) && !segment.starts_with('-') && segment.bytes().all(allowed);
    assert!(is_safe, "{segment:?} of {key:?}");
}

/// Names of partitions, as `--partition` takes them.
pub fn partitions() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("airlock.toml");
    let written = r#"
        [defaults]
        io = "lake"
        [io.lake]
        component = "builtin:files"
        mounts."/data" = { path = "data", access = "write" }
        [partitions]
        days.daily = { start = "2024-01-01", end = "2024-03-01" }
        odd.static = ["a", "a..b", "b", "..", "-", "*x", " ", "ü"]
        both.dimensions = { day = "days", region = { static = ["eu", "us"] } }
    "#;
    std::fs::write(&path, written).unwrap();
    let definitions = Definitions::read(&path, None, &Home::at(folder.path().join("home")), BUILTINS).unwrap();
    let sets = PartitionSets::new(&definitions, jiff::Timestamp::UNIX_EPOCH, &DynamicKeys::new()).unwrap();
    Box::new(move |input| {
        let text = String::from_utf8_lossy(input);
        let mut taken = false;
        for name in ["days", "odd", "both"] {
            taken |= is_selected_and_named_back(sets.named(name).unwrap(), &text);
        }
        taken
    })
}

/// Whether `text` selects some of `set`. What is selected has to be named so that the name selects the same again.
fn is_selected_and_named_back(set: &PartitionSet, text: &str) -> bool {
    let Ok(selected) = set.select(text) else { return false };
    assert!(selected.iter().all(|place| place < set.len()), "{text:?}");
    let named = set.named(&selected).into_iter().filter_map(|name| set.select(&name).ok());
    // A name that means more than one range is refused and not guessed.
    let again = named.fold(Selected::default(), |all, some| all.union(&some));
    assert_eq!(again.without(&selected).len(), 0, "{text:?} of {}", set.name());
    true
}
