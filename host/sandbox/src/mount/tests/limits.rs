//! The limits of a call.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::limits::{
    CHANGED_PATH_BYTES, CHUNK, DESCRIPTORS, DIRECTORY_ENTRIES, Limit, MEMORY_DIRECTORY_BYTES, MEMORY_DIRECTORY_FILES,
};

use super::*;

fn store_within(store: &Store, disk: u64, files: u32) -> FileSystem {
    let limits = Limits { disk, files, ..Limits::default() };
    open_within(&[store.grant(Access::Write, Scope::Mount)], Intent::Store, &limits)
}

#[test]
fn the_last_byte_is_written_and_not_one_more() {
    for store in [Store::local(), Store::memory()] {
        let mut call = store_within(&store, 10, 100);
        let file = open_file(&mut call, "a", CREATE).unwrap();
        file.write_at(b"1234567890", 0).unwrap();
        for refused in [file.write_at(b"x", 0), file.append(b"x"), file.set_size(11), file.write_at(b"x", u64::MAX - 1)]
        {
            assert_eq!(limit(refused), LimitExceeded::new(Limit::Disk, 10));
        }
        assert_eq!(file.stat().unwrap().0, 10);
        file.set_size(3).unwrap();
        assert_eq!(file.stat().unwrap().0, 3);
    }
}

#[test]
fn growing_by_size_and_by_a_gap_is_charged() {
    let store = Store::local();
    let mut call = store_within(&store, 10, 100);
    let file = open_file(&mut call, "a", CREATE).unwrap();
    file.set_size(4).unwrap();
    file.write_at(b"x", 9).unwrap();
    assert_eq!(limit(file.append(b"x")), LimitExceeded::new(Limit::Disk, 10));
    let mut call = store_within(&Store::memory(), 10, 100);
    let file = open_file(&mut call, "a", CREATE).unwrap();
    assert_eq!(limit(file.write_at(b"x", 10)), LimitExceeded::new(Limit::Disk, 10));
    assert_eq!(limit(file.set_size(1 << 40)), LimitExceeded::new(Limit::Disk, 10));
    assert_eq!(file.stat().unwrap().0, 0);
}

#[test]
fn what_the_host_saves_is_charged() {
    let mut call = store_within(&Store::memory(), 10, 100);
    let target = call.create("/data/a").unwrap();
    target.charge(10).unwrap();
    assert_eq!(limit(target.charge(1)), LimitExceeded::new(Limit::Disk, 10));
}

#[test]
fn a_copy_is_charged() {
    let store = Store::local();
    store.fill(&[("a", "12345"), ("d/b", "123456")]);
    let mut call = store_within(&store, 5, 100);
    open_file(&mut call, "a", UPDATE).unwrap();
    assert_eq!(limit(call.rename_at(&mount(), "d", &mount(), "e")), LimitExceeded::new(Limit::Disk, 5));
    let mut call = {
        drop(call);
        store_within(&store, 100, 1)
    };
    assert_eq!(limit(call.rename_at(&mount(), "d", &mount(), "e")), LimitExceeded::new(Limit::Files, 1));
}

#[test]
fn a_call_writes_only_so_much_to_directories_in_memory() {
    let store = Store::memory();
    let mut call = store.store();
    let file = open_file(&mut call, "a", CREATE).unwrap();
    file.set_size(MEMORY_DIRECTORY_BYTES).unwrap();
    let full = |call: &mut FileSystem| code(call.create("/data/b").unwrap().charge(1));
    assert_eq!(full(&mut call), ErrorCode::InsufficientSpace);
    assert_eq!(code(file.append(b"x")), ErrorCode::InsufficientSpace);
    assert!(call.record().failure().unwrap().reason.contains("256 MiB"));
    drop(file);
    publish(&mut call);
    drop(call);
    // What is there is copied to be changed.
    let mut call = store.store();
    write(&mut call, "b", "1");
    assert_eq!(code(call.open_at(&mount(), "a", UPDATE)), ErrorCode::InsufficientSpace);
}

#[test]
fn a_directory_in_memory_without_room_tells_a_call_that_it_is_full() {
    let directory = MemoryDirectory::default();
    let store = |directory| Store { source: MountSource::Memory(directory), directory: None };
    store(directory.clone()).fill(&[("old", "as long as it likes")]);
    let narrow = store(directory.with_room(3));
    let mut call = narrow.store();
    let file = open_file(&mut call, "new", CREATE).unwrap();
    file.append(b"123").unwrap();
    assert_eq!(code(file.append(b"4")), ErrorCode::InsufficientSpace);
    assert!(call.record().failure().unwrap().reason.contains("3 B"), "{:?}", call.record().failure());
    // What is there is copied to be changed.
    assert_eq!(code(call.open_at(&mount(), "old", UPDATE)), ErrorCode::InsufficientSpace);
    drop((file, call));
    assert_eq!(narrow.tree(), ["old=as long as it likes"]);
    let mut call = store(directory.with_room(u64::MAX)).store();
    let all = open_file(&mut call, "new", CREATE).unwrap();
    assert_eq!(code(all.set_size(MEMORY_DIRECTORY_BYTES + 1)), ErrorCode::InsufficientSpace);
}

#[test]
fn a_directory_in_memory_holds_only_so_much_and_is_left_as_it_was() {
    let store = Store::memory();
    let grow = |path: &str| {
        let mut call = store.store();
        open_file(&mut call, path, CREATE).unwrap().set_size(MEMORY_DIRECTORY_BYTES / 2).unwrap();
        call.publish(Durability::None, &|| false)
    };
    assert_eq!((grow("a"), grow("b"), grow("b")), (Ok(()), Ok(()), Ok(())));
    let failure = grow("c").unwrap_err();
    assert!(failure.to_string().contains("holds at most 256 MiB"), "{failure}");
    let mut call = store.store();
    assert_eq!(call.list(&mount()).unwrap().len(), 2);
    call.remove_file_at(&mount(), "a").unwrap();
    call.create_directory_at(&mount(), "d").unwrap();
    publish(&mut call);
    drop(call);
    assert_eq!(grow("d/c"), Ok(()), "what was removed makes room");
    let mut call = store.store();
    for i in 3..MEMORY_DIRECTORY_FILES {
        call.create_directory_at(&mount(), &i.to_string()).unwrap();
    }
    publish(&mut call);
    call.create_directory_at(&mount(), "more").unwrap();
    let failure = call.publish(Durability::None, &|| false).unwrap_err();
    assert!(failure.to_string().contains("at most 1000 files"), "{failure}");
}

#[test]
fn a_copy_ends_with_the_call() {
    for store in [Store::local(), Store::memory()] {
        store.fill(&[("big", &"x".repeat(CHUNK + 1)), ("d/a/b", "1")]);
        let stopped = |call: &mut FileSystem, from: &str| {
            let moved = call.rename_at(&mount(), from, &mount(), "to");
            matches!(moved, Err(FileError::Stopped(error)) if error.to_string() == "time is up")
        };
        // Asked before each chunk of a file, and at each directory.
        for (from, asked) in [("big", 2), ("d", 3)] {
            for allowed in 0..=asked {
                let mut call = store.store();
                let left = AtomicUsize::new(allowed);
                call.stop_by(move || match left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)) {
                    Ok(_) => Ok(()),
                    Err(_) => Err(wasmtime::Error::msg("time is up")),
                });
                assert_eq!(stopped(&mut call, from), allowed < asked, "{from} {allowed}");
            }
        }
    }
}

#[test]
fn the_last_file_is_made_and_not_one_more() {
    let mut call = store_within(&Store::memory(), 100, 3);
    write(&mut call, "a", "");
    call.create_directory_at(&mount(), "d").unwrap();
    save(&mut call, "/data/b", "");
    let reached = LimitExceeded::new(Limit::Files, 3);
    assert_eq!(limit(call.open_at(&mount(), "c", CREATE)), reached);
    assert_eq!(limit(call.create_directory_at(&mount(), "e")), reached);
    assert_eq!(limit(call.create("/data/c")), reached);
}

#[test]
fn the_paths_that_a_call_changes_take_only_so_much_memory() {
    let mut call = store_within(&Store::local(), 0, 10_000);
    let mut deep = String::new();
    for _ in 0..14 {
        deep = format!("{deep}{}/", "d".repeat(250));
        call.create_directory_at(&mount(), &deep).unwrap();
    }
    let mut made = (0..10_000).map(|number| call.create_directory_at(&mount(), &format!("{deep}{number:0>250}")));
    let refused = made.find(Result::is_err).unwrap();
    assert_eq!(limit(refused), LimitExceeded::new(Limit::ChangedPaths, CHANGED_PATH_BYTES));
}

#[test]
fn so_many_descriptors_are_open_and_not_one_more() {
    let store = Store::memory();
    store.fill(&[("a", "1")]);
    let mut call = store.load();
    let mut open: Vec<OpenFile> = (0..DESCRIPTORS).map(|_| open_file(&mut call, "a", READ).unwrap()).collect();
    let reached = LimitExceeded::new(Limit::Descriptors, DESCRIPTORS as u64);
    assert_eq!(limit(open_file(&mut call, "a", READ)), reached);
    open.pop();
    assert!(open_file(&mut call, "a", READ).is_ok());
}

#[test]
fn a_directory_of_too_many_entries_is_not_listed_but_its_files_are_read() {
    let store = Store::local();
    store.fill(&[("sales/orders.csv", "1")]);
    for i in 0..DIRECTORY_ENTRIES {
        std::fs::write(store.path().join("sales").join(i.to_string()), "").unwrap();
    }
    let mut call = store.load();
    let sales = Base::Mount { index: 0, path: "sales".into() };
    let reached = LimitExceeded::new(Limit::DirectoryEntries, DIRECTORY_ENTRIES as u64);
    assert_eq!(limit(call.list(&sales)), reached);
    assert_eq!(read(&mut call, "sales/orders.csv").unwrap(), "1");
    let call = open(&[store.grant(Access::Read, Scope::Output)], Intent::Load);
    assert_eq!(call.list(&sales).unwrap().len(), 1, "what is out of scope does not count");
    std::fs::remove_file(store.path().join("sales/0")).unwrap();
    assert_eq!(store.load().list(&sales).unwrap().len(), DIRECTORY_ENTRIES);
}

#[test]
fn a_failure_of_the_machine_is_remembered_with_its_cause() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    let mut call = store.store();
    write(&mut call, "b", "2");
    // Staged files cannot be made any more.
    for entry in std::fs::read_dir(store.path().join(".airlock")).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("locks") || path.ends_with(".gitignore") {
            continue;
        }
        std::fs::remove_dir_all(path).unwrap();
    }
    assert_eq!(code(call.open_at(&mount(), "b", READ)), ErrorCode::Io);
    assert!(call.record().failure().is_some());
    let failure = call.publish(Durability::None, &|| false).unwrap_err();
    assert!(failure.to_string().contains(&store.path().display().to_string()), "{failure}");
    drop(call);
    assert_eq!(store.tree(), ["a=1"]);
}
