//! What a call makes visible to others.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::super::directory::synced;
use super::*;

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
