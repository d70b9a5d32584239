//! Files that pass between the sandbox and a worker.

use rustix::fs::{FallocateFlags, SealFlags, fallocate, fcntl_add_seals, ftruncate};

use super::*;
use crate::contract::HELD_FILES;
use crate::grant::DirectoryPath;
use crate::limits::{CHUNK, GIVEN_FILES};
use crate::process::wire::anonymous;

#[test]
fn a_given_file_that_a_worker_keeps_for_itself_or_overfills_is_refused() {
    type Trick = fn(&File);
    let tricks: [(&str, Trick); 4] = [
        ("it can go on writing", |file| fcntl_add_seals(file, SealFlags::SEAL).unwrap()),
        ("it has more bytes than room", |file| ftruncate(file, 32 * MIB + 1).unwrap()),
        ("it takes memory beyond its end", |file| {
            fallocate(file, FallocateFlags::KEEP_SIZE, 0, 40 * MIB).unwrap();
        }),
        ("it ends before what is said", |file| ftruncate(file, 2).unwrap()),
    ];
    for (name, trick) in tricks {
        let scene = Scene::new();
        let lost = scene.call::<Loaded>(loading(), |theirs| {
            let given = ask_for_file(theirs).unwrap();
            given.write_all_at(b"abc", 0).unwrap();
            trick(&given);
            say(theirs, &ended(single(vec![at(0, 0, 3)])), &[&given]);
        });
        assert!(matches!(lost, Err(Lost::Worker(_))), "{name}");
        assert_eq!(scene.budget.available(), 64 * MIB, "{name}");
    }
}

#[test]
fn a_worker_is_given_only_so_many_files() {
    let asks = |theirs: &Connection| std::iter::from_fn(|| ask_for_file(theirs)).count();
    // Of which all are as large as none was filled.
    let budget = |memory| Budget::new(memory, std::env::temp_dir());
    let given = |memory, outputs: &[&str]| {
        let scene = Scene { budget: budget(memory), ..Scene::new() };
        let mut given = 0;
        let lost = scene.call::<Computed>(computing(Vec::new(), outputs), |theirs| given = asks(theirs));
        assert!(told(lost.err().unwrap()).contains("more files"));
        given
    };
    // One on disk for each value, however much memory there is.
    assert_eq!(given(u64::MAX, &["a"]), GIVEN_FILES + 1);
    assert_eq!(given(u64::MAX, &["a", "b"]), GIVEN_FILES + 2);
    assert_eq!((given(0, &["a"]), given(0, &["a", "b"])), (1, 2));
    assert_eq!(given(u64::MAX, &[]), 0);
    let value = Value::default();
    let mut given = 0;
    let scene = Scene::new();
    let lost = scene.call::<Stored>(Subject::Output(storing(), &value), |theirs| given = asks(theirs));
    assert!(told(lost.err().unwrap()).contains("more files"));
    assert_eq!(given, 0, "a store fills none");
}

#[test]
fn a_worker_sends_no_more_files_than_a_call_can_give() {
    let file = on_disk(b"abc");
    let scene = Scene::new();
    let loads = |files: usize, given: usize| {
        let outcome = scene.call::<Loaded>(loading(), |theirs| {
            for _ in 0..given {
                ask_for_file(theirs).unwrap();
            }
            say(theirs, &ended(single(Vec::new())), &vec![&file; files]);
        });
        outcome.map_err(told).map(drop)
    };
    // Those that a value holds, and between them what it collected.
    let most = 2 * HELD_FILES + 1;
    assert_eq!((loads(most, 0), loads(most + 1, 1)), (Ok(()), Ok(())));
    assert!(loads(most + 1, 0).unwrap_err().contains("descriptors"));
    let stores = |said: Reply, beside: &[&File]| {
        let value = Value::default();
        let act = |theirs: &Connection| {
            say(theirs, &said, beside);
            say(theirs, &ended(PackedResult::Stored(Stored::default())), &[]);
        };
        scene.call::<Stored>(Subject::Output(storing(), &value), act).map_err(told).map(drop)
    };
    assert_eq!(stores(Reply::Phase(Phase::Running), &[]), Ok(()));
    for said in [Reply::Phase(Phase::Running), ended(PackedResult::Stored(Stored::default()))] {
        assert!(stores(said, &[&file]).unwrap_err().contains("descriptors"));
    }
    let loads_with_a_phase = scene.call::<Loaded>(loading(), |theirs| {
        say(theirs, &Reply::Phase(Phase::Running), &[&file]);
        say(theirs, &ended(single(Vec::new())), &[]);
    });
    assert!(told(loads_with_a_phase.err().unwrap()).contains("a message that has none"));
}

#[test]
fn a_worker_that_filled_a_file_on_disk_makes_no_other_call() {
    let scene = Scene { budget: Budget::new(0, std::env::temp_dir()), ..Scene::new() };
    let ended = scene.call::<Loaded>(loading(), |theirs| {
        let given = ask_for_file(theirs).unwrap();
        say(theirs, &ended(single(vec![at(0, 0, 0)])), &[&given]);
    });
    assert!(!ended.map_err(told).unwrap().reusable);
}

#[test]
fn a_worker_does_not_go_on_changing_what_it_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let loads = |access: Access, size: usize| {
        let source = MountSource::Directory(DirectoryPath::new(folder.path(), &[]).unwrap());
        let mount = MountGrant { guest_path: GuestPath::new("/data").unwrap(), source, access, scope: Scope::Mount };
        let grant = Grant::new(vec![mount], BTreeMap::new(), Limits::default()).unwrap();
        let scene = Scene { grant, ..Scene::new() };
        let file = on_disk(&vec![7; size]);
        let said = ended(single(vec![at(0, 0, size as u64)]));
        let Ended { report, reusable } =
            scene.call::<Loaded>(loading(), |theirs| say(theirs, &said, &[&file])).map_err(told).unwrap();
        file.write_all_at(b"new", 0).unwrap();
        let is_changed = bytes(&report.outcome.unwrap().value) != [vec![7; size]];
        (is_changed, reusable)
    };
    // It has a copy of what is small, and is followed by another worker else.
    assert_eq!(loads(Access::Write, CHUNK), (false, true));
    assert_eq!(loads(Access::Write, CHUNK + 1), (true, false));
    // That somebody else writes there is what a grant to read lends.
    assert_eq!(loads(Access::Read, CHUNK), (true, true));
}

#[test]
fn a_value_lies_in_no_memory_that_nobody_gave() {
    let own = anonymous(b"abc").unwrap();
    assert!(Scene::new().loaded(single(vec![at(0, 0, 3)]), &[&own]).unwrap_err().contains("memory"));
    crate::mount::seal(&own).unwrap();
    assert!(Scene::new().loaded(single(vec![at(0, 0, 3)]), &[&own]).unwrap_err().contains("memory"));
    // What a directory in memory holds may be loaded.
    let directory = MemoryDirectory::default();
    let contents = vec![("f".to_owned(), Some(own.try_clone().unwrap()))];
    directory.replace(crate::mount::Contents::new(contents).unwrap());
    let scene = Scene::lending(&[(&directory, Access::Read)], Limits::default());
    assert!(scene.loaded(single(vec![at(0, 0, 3)]), &[&own]).is_ok());
}

#[test]
fn a_worker_cannot_write_what_others_are_given_too() {
    // On disk and in memory.
    for memory in [0, 64 * MIB] {
        let scene = Scene { budget: Budget::new(memory, std::env::temp_dir()), ..Scene::new() };
        let content = crate::value::Content::from_bytes(&vec![7; 3 << 20], &scene.budget).unwrap();
        let value = Value::single("text/plain", content);
        let held = scene.call_with_files::<Stored>(Subject::Output(storing(), &value), |theirs, mut beside| {
            let file = beside.take(0).unwrap();
            let mut first = [0];
            file.read_exact_at(&mut first, 0).unwrap();
            assert_eq!((first, file.write_all_at(b"new", 0).is_err()), ([7], true));
            say(theirs, &ended(PackedResult::Stored(Stored::default())), &[]);
        });
        assert!(held.is_ok());
        assert!(bytes(&value) == [vec![7; 3 << 20]]);
    }
}
