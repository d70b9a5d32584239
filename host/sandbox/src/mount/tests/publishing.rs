//! What calls leave for others: publishing, recovery, sweeping and locks.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::sync::mpsc;
use std::time::Duration;

use crate::report::{Failure, StorageFailure};

use super::super::backend::Backend;
use super::super::directory::synced;
use super::super::local::{Local, Use};
use super::super::lock::{Waiting, stripes};
use super::super::plan::{Plan, Step};
use super::*;

fn storage<T>(result: Result<T, Failure>) -> StorageFailure {
    match result {
        Err(Failure::Storage { failure }) => failure,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was done"),
    }
}

fn call_directories(store: &Store) -> Vec<PathBuf> {
    let entries = fs::read_dir(store.path().join(".airlock")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| !path.ends_with("locks")).collect()
}

fn open_local(store: &Store) -> Local {
    let waiting = Waiting::new(&|| false, Duration::ZERO);
    Local::open(&store.path(), Use::Write, &stripes(Scope::Mount, &[]), &waiting).unwrap()
}

const BEFORE: [(&str, &str); 6] =
    [("file", "1"), ("directory/x", "2"), ("directory/y/z", "3"), ("gone", "4"), ("tree/a", "5"), ("kept", "6")];

/// A plan with every kind of step, over [`BEFORE`].
fn steps() -> Vec<Step> {
    let put = |staged, path: &str| Step::Put { staged, path: path.into() };
    vec![
        Step::ClearDirectory("directory".into()),
        Step::ClearFile("file".into()),
        Step::MakeDirectory("file".into()),
        Step::MakeDirectory("empty".into()),
        put(0, "directory"),
        put(1, "file/below"),
        put(2, "deep/er/new"),
        put(3, "kept"),
        Step::Remove("gone".into()),
        Step::Remove("tree".into()),
    ]
}

const AFTER: [&str; 8] =
    ["deep/", "deep/er/", "deep/er/new=2", "directory=0", "empty/", "file/", "file/below=1", "kept=3"];

fn stage(local: &mut Local) {
    use std::io::Write;
    for number in 0..4 {
        local.create_staged(number).unwrap().write_all(number.to_string().as_bytes()).unwrap();
    }
}

#[test]
fn a_publish_that_ends_after_any_step_is_finished_by_the_next_call() {
    for durability in [Durability::None, Durability::Full] {
        for done in 0..=steps().len() {
            let store = Store::local();
            store.fill(&BEFORE);
            let mut local = open_local(&store);
            stage(&mut local);
            local.prepare(&steps(), durability).unwrap();
            let mut changed = BTreeSet::new();
            for step in steps().iter().take(done) {
                local.perform(step, &mut changed).unwrap();
            }
            drop(local);
            assert_eq!(call_directories(&store).len(), 1);
            assert_eq!(store.tree(), AFTER, "after {done} steps");
            assert_eq!(call_directories(&store), Vec::<PathBuf>::new());
        }
    }
}

#[test]
fn steps_that_are_done_again_from_the_start_change_nothing() {
    for again in 0..=steps().len() {
        let store = Store::local();
        store.fill(&BEFORE);
        let mut local = open_local(&store);
        stage(&mut local);
        local.prepare(&steps(), Durability::None).unwrap();
        let mut changed = BTreeSet::new();
        for step in steps().iter().take(again).chain(&steps()) {
            local.perform(step, &mut changed).unwrap();
        }
        drop(local);
        assert_eq!(store.tree(), AFTER, "after {again} steps");
    }
}

/// What the directory with this inode held each time that it was made durable.
fn held_when_synced(inode: u64) -> Vec<Vec<String>> {
    synced::take().into_iter().filter(|(synced, _)| *synced == inode).map(|(_, names)| names).collect()
}

#[test]
fn what_was_staged_is_durable_before_the_plan_and_the_end_of_the_plan_before_the_locks_go() {
    let store = Store::local();
    let mut call = store.store();
    write(&mut call, "a", "1");
    write(&mut call, "b", "2");
    let inode = fs::metadata(&call_directories(&store)[0]).unwrap().ino();
    synced::take();
    call.publish(Durability::Full, &|| false).unwrap();
    assert_eq!(held_when_synced(inode), [vec!["0", "1", "plan.new"], vec!["0", "1", "plan"], vec![]]);
}

#[test]
fn a_single_file_is_published_with_one_directory_made_durable() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    let mut call = store.store();
    write(&mut call, "a", "2");
    synced::take();
    call.publish(Durability::Full, &|| false).unwrap();
    assert_eq!(synced::take().len(), 1);
}

#[test]
fn who_finishes_a_plan_makes_durable_what_the_one_before_did_of_it() {
    let store = Store::local();
    store.fill(&BEFORE);
    let mut local = open_local(&store);
    stage(&mut local);
    local.prepare(&steps(), Durability::Full).unwrap();
    let mut changed = BTreeSet::new();
    for step in &steps() {
        local.perform(step, &mut changed).unwrap();
    }
    drop(local);
    let call = fs::metadata(&call_directories(&store)[0]).unwrap().ino();
    synced::take();
    drop(store.load());
    let synced = synced::take();
    for directory in ["", "deep", "deep/er", "file", "empty"] {
        let inode = fs::metadata(store.path().join(directory)).unwrap().ino();
        assert!(synced.iter().any(|(synced, _)| *synced == inode), "{directory}");
    }
    assert_eq!(synced.last(), Some(&(call, Vec::new())), "the plan is gone last");
}

#[test]
fn a_publish_that_fails_half_way_says_that_the_next_call_finishes_it() {
    let store = Store::local();
    let mut call = store.store();
    write(&mut call, "a", "1");
    call.create_directory_at(&mount(), "d").unwrap();
    write(&mut call, "d/b", "2");
    // What cannot be seen before: a directory comes where a file is put, while the call waits for one that reads.
    let reader = store.load();
    let release = || {
        fs::create_dir_all(store.path().join("a/in/the/way")).unwrap();
        drop(reader);
    };
    let failure = storage(after_waiting(release, |interrupted| call.publish(Durability::None, interrupted)));
    assert!(failure.reason.ends_with("the next call on this mount publishes it"), "{failure}");
    drop(call);
    assert_eq!(call_directories(&store).len(), 1);
    fs::remove_dir_all(store.path().join("a")).unwrap();
    assert_eq!(store.tree(), ["a=1", "d/", "d/b=2"]);
}

#[test]
fn a_call_that_ends_before_its_plan_leaves_nothing() {
    let store = Store::local();
    store.fill(&BEFORE);
    let before = store.tree();
    let left = store.path().join(".airlock/call-1-2-3");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("0"), "half").unwrap();
    fs::write(left.join("plan.new"), "airlock-plan 100").unwrap();
    assert_eq!(store.tree(), before);
    assert!(!left.exists());
}

#[test]
fn a_torn_plan_is_swept() {
    let store = Store::local();
    store.fill(&BEFORE);
    let before = store.tree();
    let mut local = open_local(&store);
    stage(&mut local);
    local.prepare(&steps(), Durability::None).unwrap();
    drop(local);
    let plan = call_directories(&store)[0].join("plan");
    let bytes = fs::read(&plan).unwrap();
    fs::write(&plan, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(store.tree(), before);
    assert_eq!(call_directories(&store), Vec::<PathBuf>::new());
}

#[test]
fn staging_that_is_held_stays() {
    let store = Store::local();
    let mut first = store.store();
    write(&mut first, "a", "1");
    let held = call_directories(&store);
    assert_eq!(held.len(), 1);
    assert_eq!(store.tree(), Vec::<String>::new());
    assert_eq!(call_directories(&store), held);
    publish(&mut first);
    drop(first);
    assert_eq!(store.tree(), ["a=1"]);
}

#[test]
fn an_unfinished_publish_of_another_output_is_finished_too_but_hinders_no_one() {
    let store = Store::local();
    store.fill(&[("kept", "1")]);
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), store.path().join("linked")).unwrap();
    let own = *stripes(Scope::Output, &[location()]).first().unwrap();
    let other = own.wrapping_add(1);
    let leave = |name: &str, stripe: u8, path: &str| {
        let call = store.path().join(".airlock").join(name);
        fs::create_dir(&call).unwrap();
        fs::write(call.join("0"), "late").unwrap();
        let plan = Plan::new(BTreeSet::from([stripe]), vec![Step::Put { staged: 0, path: path.into() }]);
        fs::write(call.join("plan"), plan.encode().unwrap()).unwrap();
    };
    leave("call-a", other, "late");
    leave("call-b", other, "linked/x");
    let load = |scope| {
        let grants = [store.grant(Access::Write, scope)];
        FileSystem::open(&grants, &[location()], Intent::Load, &Limits::default(), &|| false)
    };
    load(Scope::Output).unwrap();
    assert_eq!(fs::read_to_string(store.path().join("late")).unwrap(), "late");
    assert_eq!(call_directories(&store).len(), 1);
    leave("call-c", own, "linked/x");
    let failure = storage(load(Scope::Output));
    assert!(failure.to_string().contains("linked is in the way"), "{failure}");
    fs::remove_dir_all(store.path().join(".airlock/call-c")).unwrap();
    let failure = storage(load(Scope::Mount));
    assert!(failure.to_string().contains("linked is in the way"), "who may read all is concerned: {failure}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_link_on_the_way_is_not_followed_when_publishing() {
    let store = Store::local();
    store.fill(&[("a", "old")]);
    let outside = tempfile::tempdir().unwrap();
    let mut call = store.store();
    write(&mut call, "a", "new");
    call.create_directory_at(&mount(), "d").unwrap();
    write(&mut call, "d/x", "1");
    std::os::unix::fs::symlink(outside.path(), store.path().join("d")).unwrap();
    let d = store.path().join("d");
    // The link itself is in the way of a directory that the call made, so it is removed, not followed.
    publish(&mut call);
    drop(call);
    assert!(d.symlink_metadata().unwrap().is_dir());
    let mut call = store.store();
    save(&mut call, "/data/d/y/z", "1");
    write(&mut call, "a", "newer");
    fs::remove_dir_all(&d).unwrap();
    std::os::unix::fs::symlink(outside.path(), &d).unwrap();
    let failure = storage(call.publish(Durability::None, &|| false));
    assert!(failure.reason.contains("is in the way"), "{failure}");
    drop(call);
    assert_eq!(store.tree(), ["a=new", "d?"]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn what_no_call_can_name_is_seen_but_neither_moved_nor_in_a_plan() {
    let store = Store::local();
    store.fill(&[("moved/a", "1"), ("replaced/a", "1")]);
    // Another mount lies within this one.
    fs::create_dir_all(store.path().join("held/.airlock/locks")).unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"odd\xff");
    fs::write(store.path().join("moved").join("odd\\name"), "").unwrap();
    fs::write(store.path().join("moved").join(odd), "").unwrap();
    let mut call = store.store();
    let moved = Base::Mount { index: 0, path: "moved".into() };
    let seen = [("a", Kind::File), ("odd\\name", Kind::Other), ("odd\\xff", Kind::Other)];
    assert_eq!(call.list(&moved).unwrap(), seen.map(|(name, kind)| (name.to_owned(), kind)));
    assert_eq!(code(call.rename_at(&mount(), "moved", &mount(), "b")), ErrorCode::NotPermitted);
    assert_eq!(code(call.remove_directory_at(&mount(), "held")), ErrorCode::NotEmpty);
    // One that comes while the call runs stops its publish, and nobody else's.
    call.remove_file_at(&mount(), "replaced/a").unwrap();
    call.remove_directory_at(&mount(), "replaced").unwrap();
    call.create_directory_at(&mount(), "replaced").unwrap();
    write(&mut call, "replaced/b", "1");
    fs::write(store.path().join("replaced").join("odd\\name"), "").unwrap();
    let failure = storage(call.publish(Durability::None, &|| false));
    assert!(failure.reason.contains("odd\\name is in the way"), "{failure}");
    drop(call);
    assert!(store.tree().contains(&"replaced/a=1".to_owned()));
}

#[test]
fn a_plan_that_is_not_understood_stops_only_the_calls_that_it_concerns() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    let call = store.path().join(".airlock/call-a");
    fs::create_dir(&call).unwrap();
    let other = stripes(Scope::Output, &[location()]).first().unwrap().wrapping_add(1);
    let plan = Plan::new(BTreeSet::from([other]), vec![Step::Remove("odd\\name".into())]);
    fs::write(call.join("plan"), plan.encode().unwrap()).unwrap();
    publish(&mut open(&[store.grant(Access::Write, Scope::Output)], Intent::Store));
    let grants = [store.grant(Access::Write, Scope::Mount)];
    let failure = storage(FileSystem::open(&grants, &[], Intent::Load, &Limits::default(), &|| false));
    assert!(failure.reason.contains("which no call can write"), "{failure}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_others_could_have_planned_is_not_done() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    let area = store.path().join(".airlock");
    let call = area.join("call-a");
    fs::create_dir(&call).unwrap();
    let own = stripes(Scope::Output, &[location()]);
    let plan = call.join("plan");
    fs::write(&plan, Plan::new(own, vec![Step::Remove("a".into())]).encode().unwrap()).unwrap();
    let open = |access, intent, locations: &[Location]| {
        let grants = [store.grant(access, Scope::Output)];
        FileSystem::open(&grants, locations, intent, &Limits::default(), &|| false).map(drop)
    };
    let other = [Location::asset(&["b"])];
    for shared in [&plan, &call, &area] {
        set_mode(shared, 0o777);
        for (access, intent) in
            [(Access::Write, Intent::Store), (Access::Write, Intent::Load), (Access::Read, Intent::Load)]
        {
            let failure = storage(open(access, intent, &[location()]));
            assert!(failure.reason.contains("others than its owner may write"), "{failure}");
        }
        assert!(store.path().join("a").exists());
        if shared == &area {
            assert_eq!(open(Access::Read, Intent::Load, &other), Ok(()), "it does not concern the call");
            assert_eq!(open(Access::Write, Intent::Load, &other), Ok(()));
            assert!(open(Access::Write, Intent::Store, &other).is_err());
        }
        set_mode(shared, 0o755);
    }
    assert_eq!(open(Access::Write, Intent::Store, &[location()]), Ok(()));
    assert!(!store.path().join("a").exists(), "it is done once it is the owner's alone");
}

#[test]
fn a_plan_that_is_too_long_is_not_read() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    let call = store.path().join(".airlock/call-a");
    fs::create_dir(&call).unwrap();
    let plan = fs::File::create(call.join("plan")).unwrap();
    plan.set_len(crate::limits::PLAN_BYTES + 1).unwrap();
    let grants = [store.grant(Access::Write, Scope::Mount)];
    let failure = storage(FileSystem::open(&grants, &[], Intent::Load, &Limits::default(), &|| false));
    assert!(failure.reason.contains("more than 64 MiB"), "{failure}");
}

#[test]
fn a_staged_file_that_others_linked_is_not_published_by_the_next_call() {
    let store = Store::local();
    let mut local = open_local(&store);
    stage(&mut local);
    local.prepare(&[Step::Put { staged: 0, path: "a".into() }, Step::Remove("b".into())], Durability::None).unwrap();
    drop(local);
    fs::hard_link(call_directories(&store)[0].join("0"), store.path().join("linked")).unwrap();
    let grants = [store.grant(Access::Write, Scope::Mount)];
    let failure = storage(FileSystem::open(&grants, &[], Intent::Load, &Limits::default(), &|| false));
    assert!(failure.reason.contains("linked by another program"), "{failure}");
}

#[test]
fn what_a_call_left_and_cannot_be_looked_into_is_an_error() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    // Not a directory, and so not what a call left: but what it is, no one knows.
    fs::write(store.path().join(".airlock/call-a"), "").unwrap();
    let grants = [store.grant(Access::Write, Scope::Mount)];
    let failure = storage(FileSystem::open(&grants, &[], Intent::Load, &Limits::default(), &|| false));
    assert!(failure.path.ends_with(".airlock/call-a"), "{failure}");
}

#[test]
fn a_file_above_an_output_is_not_replaced() {
    for store in [Store::local(), Store::memory()] {
        store.fill(&[("sales", "a file of someone else")]);
        let mut call = open(&[store.grant(Access::Write, Scope::Output)], Intent::Store);
        save(&mut call, "/data/sales/orders.csv", "1");
        let failure = storage(call.publish(Durability::None, &|| false));
        assert!(failure.reason.contains("sales"), "{failure}");
        drop(call);
        assert_eq!(store.tree(), ["sales=a file of someone else"]);
    }
}

#[test]
fn a_staged_file_that_others_linked_is_not_published() {
    let store = Store::local();
    let mut call = store.store();
    write(&mut call, "a", "1");
    let staged = call_directories(&store)[0].join("0");
    fs::hard_link(&staged, store.path().join("linked")).unwrap();
    let failure = storage(call.publish(Durability::None, &|| false));
    assert!(failure.reason.contains("linked by another program"), "{failure}");
    drop(call);
    assert!(!store.path().join("a").exists());
}

#[test]
fn a_read_mount_that_never_was_written_gets_nothing() {
    let store = Store::local();
    fs::write(store.path().join("a"), "1").unwrap();
    for intent in [Intent::Load, Intent::Store] {
        let mut call = open(&[store.grant(Access::Read, Scope::Mount)], intent);
        assert_eq!(read(&mut call, "a").unwrap(), "1");
        publish(&mut call);
    }
    assert_eq!(fs::read_dir(store.path()).unwrap().count(), 1);
}

#[test]
fn a_missing_directory_is_empty_to_a_load_and_made_by_a_store() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("not/yet");
    let store = Store { source: local_source(&path), directory: None };
    assert_eq!(store.tree(), Vec::<String>::new());
    assert!(!path.exists());
    let mut call = store.store();
    write(&mut call, "a", "1");
    call.publish(Durability::Full, &|| false).unwrap();
    drop(call);
    assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "1");
}

#[test]
fn a_directory_that_was_replaced_by_a_link_since_it_was_lent_is_not_opened() {
    let parent = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let lent = parent.path().join("shared/lake");
    fs::create_dir_all(&lent).unwrap();
    let store = Store { source: local_source(&lent), directory: None };
    fs::rename(parent.path().join("shared"), parent.path().join("moved")).unwrap();
    std::os::unix::fs::symlink(outside.path(), parent.path().join("shared")).unwrap();
    for intent in [Intent::Load, Intent::Store] {
        let grants = [store.grant(Access::Write, Scope::Mount)];
        let failure = storage(FileSystem::open(&grants, &[], intent, &Limits::default(), &|| false));
        assert!(failure.reason.contains("shared is no directory, or was replaced by a link"), "{failure}");
    }
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn two_mounts_are_published_and_a_rename_between_them_is_across_devices() {
    let (one, two) = (Store::local(), Store::memory());
    let mut second = two.grant(Access::Write, Scope::Mount);
    second.guest_path = GuestPath::new("/other").unwrap();
    let mut call = open(&[one.grant(Access::Write, Scope::Mount), second], Intent::Store);
    let other = Base::Mount { index: 1, path: String::new() };
    save(&mut call, "/data/a", "1");
    save(&mut call, "/other/b", "2");
    assert_eq!(code(call.rename_at(&mount(), "a", &other, "a")), ErrorCode::CrossDevice);
    publish(&mut call);
    drop(call);
    assert_eq!((one.tree(), two.tree()), (vec!["a=1".to_owned()], vec!["b=2".to_owned()]));
}

/// Does `wait` on another thread, which must wait for others, and then `release`.
fn after_waiting<T: Send>(release: impl FnOnce(), wait: impl FnOnce(&dyn Fn() -> bool) -> T + Send) -> T {
    let (waits, waiting) = mpsc::channel();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            wait(&|| {
                waits.send(()).ok();
                false
            })
        });
        waiting.recv().expect("it did not wait");
        release();
        waiter.join().unwrap()
    })
}

#[test]
fn two_calls_that_store_one_output_wait_for_each_other() {
    for store in [Store::local(), Store::memory()] {
        let mut first = store.store();
        write(&mut first, "a", "first");
        let grants = [store.grant(Access::Write, Scope::Mount)];
        let release = || {
            publish(&mut first);
            drop(first);
        };
        let mut second = after_waiting(release, |interrupted| {
            FileSystem::open(&grants, &[location()], Intent::Store, &Limits::default(), interrupted).unwrap()
        });
        assert_eq!(read(&mut second, "a").unwrap(), "first");
    }
}

#[test]
fn a_publish_waits_for_calls_that_read_the_output() {
    for store in [Store::local(), Store::memory()] {
        store.fill(&[("a", "old"), ("b", "old")]);
        let mut reader = store.load();
        let mut writer = store.store();
        write(&mut writer, "a", "new");
        write(&mut writer, "b", "new");
        assert_eq!(read(&mut reader, "a").unwrap(), "old");
        let release = || {
            assert_eq!(read(&mut reader, "b").unwrap(), "old");
            drop(reader);
        };
        let published = after_waiting(release, |interrupted| writer.publish(Durability::None, interrupted));
        assert_eq!(published, Ok(()));
        assert_eq!(store.tree(), ["a=new", "b=new"]);
    }
}

#[test]
fn calls_on_different_outputs_do_not_wait() {
    for store in [Store::local(), Store::memory()] {
        let grants = [store.grant(Access::Write, Scope::Output)];
        let open = |key: &str| {
            let location = Location::asset(&[key]);
            FileSystem::open(&grants, &[location], Intent::Store, &Limits::default(), &|| panic!("it waits")).unwrap()
        };
        let (mut a, mut b) = (open("a"), open("b"));
        save(&mut a, "/data/a.csv", "1");
        save(&mut b, "/data/b.csv", "2");
        publish(&mut a);
        publish(&mut b);
        drop((a, b));
        assert_eq!(store.tree(), ["a.csv=1", "b.csv=2"]);
    }
}

#[test]
fn a_call_on_a_whole_mount_and_one_on_an_output_wait_for_each_other() {
    for store in [Store::local(), Store::memory()] {
        let open = |scope, locations: &[Location], interrupted: &dyn Fn() -> bool| {
            let grants = [store.grant(Access::Write, scope)];
            FileSystem::open(&grants, locations, Intent::Store, &Limits::default(), interrupted).unwrap()
        };
        // As an op has it: the mount, and no output.
        let mut whole = open(Scope::Mount, &[], &|| false);
        write(&mut whole, "sales", "1");
        let release = || {
            whole.remove_file_at(&mount(), "sales").unwrap();
            publish(&mut whole);
            drop(whole);
        };
        let mut output = after_waiting(release, |interrupted| open(Scope::Output, &[location()], interrupted));
        save(&mut output, "/data/sales/orders.csv", "1");
        let release = || {
            publish(&mut output);
            drop(output);
        };
        let mut whole = after_waiting(release, |interrupted| open(Scope::Mount, &[], interrupted));
        assert_eq!(read(&mut whole, "sales/orders.csv").unwrap(), "1");
    }
}

#[test]
fn a_publish_of_an_output_waits_for_calls_that_read_the_whole_mount() {
    for store in [Store::local(), Store::memory()] {
        let reader = open(&[store.grant(Access::Write, Scope::Mount)], Intent::Load);
        let mut writer = open(&[store.grant(Access::Write, Scope::Output)], Intent::Store);
        save(&mut writer, "/data/sales/orders.csv", "1");
        let published = after_waiting(|| drop(reader), |interrupted| writer.publish(Durability::None, interrupted));
        assert_eq!(published, Ok(()));
    }
}

#[test]
fn waiting_ends_when_it_is_interrupted_or_the_time_is_up() {
    for store in [Store::local(), Store::memory()] {
        let _first = store.store();
        let grants = [store.grant(Access::Write, Scope::Mount)];
        let open = |limits: &Limits, interrupted: bool| {
            FileSystem::open(&grants, &[location()], Intent::Store, limits, &|| interrupted).map(|_| ())
        };
        assert_eq!(open(&Limits::default(), true), Err(Failure::Interrupted));
        let failure = storage(open(&Limits { time: Duration::ZERO, ..Limits::default() }, false));
        assert!(failure.reason.contains("another call holds it"), "{failure}");
    }
}

#[test]
fn a_call_that_reads_what_it_writes_under_another_path_does_not_wait_for_itself() {
    for store in [Store::local(), Store::memory()] {
        let mut again = store.grant(Access::Read, Scope::Mount);
        again.guest_path = GuestPath::new("/again").unwrap();
        let mut call = open(&[store.grant(Access::Write, Scope::Mount), again], Intent::Store);
        save(&mut call, "/data/a", "1");
        call.publish(Durability::None, &|| panic!("it waits")).unwrap();
    }
}

#[test]
fn a_call_that_waits_to_write_keeps_nobody_from_publishing() {
    for (one, two) in [(Store::local(), Store::local()), (Store::memory(), Store::memory())] {
        // The directories whose locks come first, in the order of their paths.
        for (read_store, written_store) in [(&one, &two), (&two, &one)] {
            read_store.fill(&[("before", "1")]);
            let grants = |access| {
                let mut other = written_store.grant(Access::Write, Scope::Mount);
                other.guest_path = GuestPath::new("/other").unwrap();
                [read_store.grant(access, Scope::Mount), other]
            };
            let mut first = open(&grants(Access::Write), Intent::Store);
            save(&mut first, "/data/a", "1");
            let release = || {
                first.publish(Durability::None, &|| panic!("it waits")).unwrap();
                drop(first);
            };
            let second = grants(Access::Read);
            after_waiting(release, |interrupted| {
                drop(FileSystem::open(&second, &[], Intent::Store, &Limits::default(), interrupted).unwrap());
            });
        }
    }
}

#[test]
fn a_load_never_sees_half_of_an_output_of_two_files() {
    for store in [Store::local(), Store::memory()] {
        store.fill(&[("a", "0"), ("b", "0")]);
        let grant = || store.grant(Access::Write, Scope::Mount);
        let (write_grants, read_grants) = (([grant()], [grant()]), [grant()]);
        std::thread::scope(|scope| {
            for (writer, grants) in [&write_grants.0, &write_grants.1].into_iter().enumerate() {
                scope.spawn(move || {
                    for round in 0..20 {
                        let mut call = open(grants, Intent::Store);
                        for path in ["a", "b"] {
                            write(&mut call, path, &format!("{writer} {round}"));
                        }
                        publish(&mut call);
                    }
                });
            }
            let grants = &read_grants;
            scope.spawn(move || {
                for _ in 0..40 {
                    let mut call = open(grants, Intent::Load);
                    let first = read(&mut call, "a").unwrap();
                    for path in ["a", "b"].into_iter().cycle().take(40) {
                        assert_eq!(read(&mut call, path).unwrap(), first);
                    }
                }
            });
        });
    }
}
