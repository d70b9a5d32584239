use std::os::unix::fs::PermissionsExt;

use super::*;

/// A cache in a folder of its own, and the one component that is put in it.
struct Fixture {
    folder: tempfile::TempDir,
    engine: Engine,
    component: Vec<u8>,
}

impl Fixture {
    fn new() -> Self {
        let component = wat::parse_str("(component (core module (func (export \"f\") (result i32) i32.const 7)))");
        Self { folder: tempfile::tempdir().unwrap(), engine: Engine::default(), component: component.unwrap() }
    }

    fn settings(&self) -> CacheSettings {
        CacheSettings { directory: self.folder.path().join("compiled"), key_file: self.folder.path().join("state/key") }
    }

    fn cache(&self) -> Cache {
        Cache::open(&self.settings()).unwrap()
    }

    /// Whether the entry of `digest` is there and authentic.
    fn is_kept(&self, digest: &str) -> bool {
        let identity = identity(&self.engine, digest);
        self.cache().read(&self.entry(digest), &identity).is_some()
    }

    fn entry(&self, digest: &str) -> PathBuf {
        self.settings().directory.join(format!("{}.cwasm", identity(&self.engine, digest).to_hex()))
    }

    fn compile(&self, digest: &str) {
        let cache = self.cache();
        if cache.get(&self.engine, digest).is_none() {
            let bytes = self.engine.precompile_component(&self.component).unwrap();
            cache.keep(&self.engine, digest, &Code::new(&bytes).unwrap());
        }
    }
}

#[test]
fn an_entry_is_used_again() {
    let fixture = Fixture::new();
    fixture.compile("a");
    let written = std::fs::metadata(fixture.entry("a")).unwrap().modified().unwrap();
    assert!(fixture.is_kept("a"));
    fixture.compile("a");
    assert_eq!(std::fs::metadata(fixture.entry("a")).unwrap().modified().unwrap(), written);
}

#[test]
fn an_entry_that_was_altered_anywhere_is_compiled_again() {
    let fixture = Fixture::new();
    fixture.compile("a");
    let good = std::fs::read(fixture.entry("a")).unwrap();
    for position in (0..good.len()).step_by(97).chain([good.len() - 1]) {
        let mut altered = good.clone();
        altered[position] ^= 1;
        std::fs::write(fixture.entry("a"), &altered).unwrap();
        assert!(!fixture.is_kept("a"), "the byte at {position} was altered");
    }
    fixture.compile("a");
    assert_eq!(std::fs::read(fixture.entry("a")).unwrap().len(), good.len());
    assert!(fixture.is_kept("a"));
}

#[test]
fn an_entry_that_was_cut_lengthened_or_emptied_is_compiled_again() {
    let fixture = Fixture::new();
    fixture.compile("a");
    let good = std::fs::read(fixture.entry("a")).unwrap();
    let longer = [good.as_slice(), b"x"].concat();
    for bytes in [&good[..0], &good[..TAG_BYTES - 1], &good[..TAG_BYTES], &good[..good.len() - 1], &longer] {
        std::fs::write(fixture.entry("a"), bytes).unwrap();
        assert!(!fixture.is_kept("a"), "{} bytes", bytes.len());
        fixture.compile("a");
        assert!(fixture.is_kept("a"));
    }
}

#[test]
fn an_entry_of_another_component_is_not_taken() {
    let fixture = Fixture::new();
    fixture.compile("a");
    fixture.compile("b");
    std::fs::copy(fixture.entry("b"), fixture.entry("a")).unwrap();
    assert!(!fixture.is_kept("a"));
}

#[test]
fn an_entry_made_under_another_key_is_not_taken() {
    let fixture = Fixture::new();
    fixture.compile("a");
    std::fs::remove_file(fixture.settings().key_file).unwrap();
    assert!(!fixture.is_kept("a"));
}

#[test]
fn an_entry_that_is_no_file_is_passed_over() {
    let fixture = Fixture::new();
    fixture.compile("a");
    let elsewhere = fixture.folder.path().join("elsewhere");
    std::fs::rename(fixture.entry("a"), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, fixture.entry("a")).unwrap();
    assert!(!fixture.is_kept("a"));
    fixture.compile("a");
    assert!(fixture.is_kept("a"));
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let fixture = Fixture::new();
    fixture.compile("a");
    let key = fixture.settings().key_file;
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(Cache::open(&fixture.settings()).err().unwrap().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_folder_that_others_can_write_is_refused() {
    let fixture = Fixture::new();
    fixture.compile("a");
    std::fs::set_permissions(fixture.settings().directory, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(Cache::open(&fixture.settings()).err().unwrap().kind(), io::ErrorKind::PermissionDenied);
}

#[test]
fn a_key_within_the_folder_is_refused() {
    let fixture = Fixture::new();
    let directory = fixture.settings().directory;
    let settings = CacheSettings { key_file: directory.join("key"), directory };
    assert!(Cache::open(&settings).is_err());
}

#[test]
fn what_killed_processes_left_unfinished_is_removed_and_what_others_write_is_not() {
    let fixture = Fixture::new();
    let directory = fixture.settings().directory;
    fixture.compile("a");
    let (left, held) = (directory.join("unfinished-left"), directory.join("unfinished-held"));
    std::fs::write(&left, "half").unwrap();
    let writer = File::create(&held).unwrap();
    writer.lock().unwrap();
    fixture.compile("b");
    assert!(!left.exists() && held.exists());
    assert!(fixture.is_kept("a") && fixture.is_kept("b"));
}
