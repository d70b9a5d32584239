//! What a call changes: seen by itself at once, by others once it is published, and the same over every back end.

use super::*;

/// Does the same on every back end. `change` starts from `before`; then the call itself, and after publishing
/// others, see `after`.
#[track_caller]
fn check(before: &[(&str, &str)], change: impl Fn(&mut FileSystem), after: &[&str]) {
    for store in [Store::local(), Store::memory()] {
        store.fill(before);
        let unchanged = store.tree();
        let mut call = store.store();
        change(&mut call);
        assert_eq!(tree(&mut call), after, "seen by the call itself, {:?}", store.source);
        drop(call);
        assert_eq!(store.tree(), unchanged, "after a call that was not published, {:?}", store.source);
        let mut call = store.store();
        change(&mut call);
        publish(&mut call);
        drop(call);
        assert_eq!(store.tree(), after, "after publishing, {:?}", store.source);
        if let Some(directory) = &store.directory {
            let left = std::fs::read_dir(directory.path().join(".airlock")).unwrap().count();
            assert_eq!(left, 2, "nothing but the locks and .gitignore is left");
        }
    }
}

#[test]
fn what_is_written_is_read() {
    check(&[("a", "old")], |call| write(call, "b", "new"), &["a=old", "b=new"]);
}

#[test]
fn a_file_is_copied_when_it_is_first_written() {
    let change = |call: &mut FileSystem| {
        let file = open_file(call, "a", UPDATE).unwrap();
        file.write_at(b"XY", 1).unwrap();
        assert_eq!(file.read_at(100, 0).unwrap(), b"oXY-content");
    };
    check(&[("a", "old-content")], change, &["a=oXY-content"]);
}

#[test]
fn appending_goes_to_the_end() {
    let change = |call: &mut FileSystem| open_file(call, "a", UPDATE).unwrap().append(b"+").unwrap();
    check(&[("a", "1")], change, &["a=1+"]);
}

#[test]
fn opening_with_truncate_alone_empties_a_file() {
    let change = |call: &mut FileSystem| {
        write(call, "staged", "x");
        for path in ["a", "staged"] {
            drop(open_file(call, path, OpenMode { truncate: true, ..READ }).unwrap());
        }
    };
    check(&[("a", "1")], change, &["a=", "staged="]);
}

#[test]
fn a_file_is_cut_and_grown() {
    let change = |call: &mut FileSystem| {
        open_file(call, "a", UPDATE).unwrap().set_size(2).unwrap();
        let file = open_file(call, "b", CREATE).unwrap();
        file.set_size(2).unwrap();
        file.write_at(b"z", 3).unwrap();
    };
    check(&[("a", "12345")], change, &["a=12", "b=\0\0\0z"]);
}

#[test]
fn a_temporary_file_is_renamed_over_the_old_one() {
    let change = |call: &mut FileSystem| {
        write(call, "a.tmp", "new");
        call.rename_at(&mount(), "a.tmp", &mount(), "a").unwrap();
    };
    check(&[("a", "old"), ("b", "b")], change, &["a=new", "b=b"]);
}

#[test]
fn stored_files_are_renamed_in_a_ring() {
    let change = |call: &mut FileSystem| {
        for (from, to) in [("a", "t"), ("b", "a"), ("t", "b")] {
            call.rename_at(&mount(), from, &mount(), to).unwrap();
        }
    };
    check(&[("a", "1"), ("b", "2")], change, &["a=2", "b=1"]);
}

#[test]
fn a_directory_is_renamed_with_all_it_holds() {
    let change = |call: &mut FileSystem| {
        write(call, "d/new", "new");
        write(call, "d/sub/x", "changed");
        call.remove_file_at(&mount(), "d/gone").unwrap();
        call.rename_at(&mount(), "d", &mount(), "e").unwrap();
        assert_eq!(code(read(call, "d/a")), ErrorCode::NoEntry);
    };
    let before = [("d/a", "1"), ("d/gone", "2"), ("d/sub/x", "3"), ("d/sub/y", "4")];
    check(&before, change, &["e/", "e/a=1", "e/new=new", "e/sub/", "e/sub/x=changed", "e/sub/y=4"]);
}

#[test]
fn a_directory_is_renamed_over_an_empty_one_only() {
    let change = |call: &mut FileSystem| {
        call.create_directory_at(&mount(), "empty").unwrap();
        assert_eq!(code(call.rename_at(&mount(), "d", &mount(), "full")), ErrorCode::NotEmpty);
        assert_eq!(code(call.rename_at(&mount(), "d", &mount(), "file")), ErrorCode::NotDirectory);
        assert_eq!(code(call.rename_at(&mount(), "file", &mount(), "d")), ErrorCode::IsDirectory);
        assert_eq!(code(call.rename_at(&mount(), "d", &mount(), "d/below")), ErrorCode::Invalid);
        assert_eq!(code(call.rename_at(&mount(), "absent", &mount(), "d")), ErrorCode::NoEntry);
        assert_eq!(code(call.rename_at(&mount(), "d", &mount(), "absent/x")), ErrorCode::NoEntry);
        call.rename_at(&mount(), "d", &mount(), "empty").unwrap();
    };
    let before = [("d/a", "1"), ("full/b", "2"), ("file", "3")];
    check(&before, change, &["empty/", "empty/a=1", "file=3", "full/", "full/b=2"]);
}

#[test]
fn removed_things_are_gone() {
    let change = |call: &mut FileSystem| {
        assert_eq!(code(call.remove_directory_at(&mount(), "d")), ErrorCode::NotEmpty);
        assert_eq!(code(call.remove_file_at(&mount(), "d")), ErrorCode::IsDirectory);
        assert_eq!(code(call.remove_directory_at(&mount(), "a")), ErrorCode::NotDirectory);
        call.remove_file_at(&mount(), "d/x").unwrap();
        call.remove_directory_at(&mount(), "d").unwrap();
        call.remove_file_at(&mount(), "a").unwrap();
        assert_eq!(code(call.remove_file_at(&mount(), "a")), ErrorCode::NoEntry);
        assert_eq!(code(call.remove_directory_at(&mount(), "d")), ErrorCode::NoEntry);
    };
    check(&[("a", "1"), ("b", "2"), ("d/x", "3")], change, &["b=2"]);
}

#[test]
fn a_directory_that_was_removed_and_made_again_is_empty() {
    let change = |call: &mut FileSystem| {
        call.remove_file_at(&mount(), "d/x").unwrap();
        call.remove_file_at(&mount(), "d/y/z").unwrap();
        call.remove_directory_at(&mount(), "d/y").unwrap();
        call.remove_directory_at(&mount(), "d").unwrap();
        call.create_directory_at(&mount(), "d").unwrap();
        write(call, "d/y", "now a file");
    };
    check(&[("d/x", "1"), ("d/y/z", "2")], change, &["d/", "d/y=now a file"]);
}

#[test]
fn a_file_takes_the_place_of_a_directory_and_the_other_way_round() {
    let change = |call: &mut FileSystem| {
        call.remove_file_at(&mount(), "d/x").unwrap();
        call.remove_directory_at(&mount(), "d").unwrap();
        write(call, "d", "file");
        call.remove_file_at(&mount(), "f").unwrap();
        call.create_directory_at(&mount(), "f").unwrap();
        write(call, "f/y", "below");
    };
    check(&[("d/x", "1"), ("f", "2")], change, &["d=file", "f/", "f/y=below"]);
}

#[test]
fn empty_directories_are_published() {
    let change = |call: &mut FileSystem| {
        call.create_directory_at(&mount(), "d").unwrap();
        call.create_directory_at(&mount(), "d/e").unwrap();
        assert_eq!(code(call.create_directory_at(&mount(), "d")), ErrorCode::Exist);
        assert_eq!(code(call.create_directory_at(&mount(), "x/y")), ErrorCode::NoEntry);
    };
    check(&[], change, &["d/", "d/e/"]);
}

#[test]
fn a_listing_merges_what_is_stored_with_what_is_new() {
    let change = |call: &mut FileSystem| {
        write(call, "d/new", "n");
        write(call, "d/b", "B");
        call.remove_file_at(&mount(), "d/c").unwrap();
        let names = call.list(&Base::Mount { index: 0, path: "d".into() }).unwrap();
        let names: Vec<_> = names.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "d.x", "new"]);
    };
    check(
        &[("d/a", "1"), ("d/b", "2"), ("d/c", "3"), ("d/d.x", "4")],
        change,
        &["d/", "d/a=1", "d/b=B", "d/d.x=4", "d/new=n"],
    );
}

#[test]
fn names_that_sort_between_a_directory_and_its_content_are_no_part_of_it() {
    let change = |call: &mut FileSystem| {
        write(call, "d.x", "1");
        write(call, "d/y", "2");
        call.rename_at(&mount(), "d", &mount(), "e").unwrap();
    };
    check(&[("d/z", "3")], change, &["d.x=1", "e/", "e/y=2", "e/z=3"]);
}

#[test]
fn opening_gives_the_codes_of_posix() {
    for store in [Store::local(), Store::memory()] {
        store.fill(&[("d/a", "1")]);
        let mut call = store.store();
        let mut open = |path: &str, mode| code(call.open_at(&mount(), path, mode));
        assert_eq!(open("x", READ), ErrorCode::NoEntry);
        assert_eq!(open("", READ), ErrorCode::NoEntry);
        assert_eq!(open("d/a", CREATE_NEW), ErrorCode::Exist);
        assert_eq!(open("d", CREATE_NEW), ErrorCode::Exist);
        assert_eq!(open("d", UPDATE), ErrorCode::IsDirectory);
        assert_eq!(open("d/a", OpenMode { directory: true, ..READ }), ErrorCode::NotDirectory);
        assert_eq!(open("d/a/", READ), ErrorCode::NotDirectory);
        assert_eq!(open("d/new/", CREATE), ErrorCode::IsDirectory);
        assert_eq!(open("x/new", CREATE), ErrorCode::NoEntry);
        assert_eq!(open("d/a/new", CREATE), ErrorCode::NotDirectory);
        assert_eq!(open(&"x".repeat(300), READ), ErrorCode::NameTooLong);
        assert_eq!(open("a\0b", READ), ErrorCode::Invalid);
        assert_eq!(call.record().failure(), None, "ordinary answers are no failures");
        assert_eq!(denials(&call), []);
    }
}

#[test]
fn an_open_file_stays_readable_when_it_is_removed_or_replaced() {
    for store in [Store::local(), Store::memory()] {
        store.fill(&[("a", "stored")]);
        let mut call = store.store();
        write(&mut call, "b", "staged");
        let (a, b) = (open_file(&mut call, "a", READ).unwrap(), open_file(&mut call, "b", READ).unwrap());
        write(&mut call, "a", "new");
        call.remove_file_at(&mount(), "b").unwrap();
        assert_eq!(a.read_at(100, 0).unwrap(), b"stored");
        assert_eq!(b.read_at(100, 0).unwrap(), b"staged");
    }
}

#[test]
fn a_file_that_is_open_to_read_is_not_written() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    let mut call = store.store();
    write(&mut call, "b", "2");
    for path in ["a", "b"] {
        let file = open_file(&mut call, path, READ).unwrap();
        assert_eq!(code(file.write_at(b"x", 0)), ErrorCode::BadDescriptor);
        assert_eq!(code(file.append(b"x")), ErrorCode::BadDescriptor);
        assert_eq!(code(file.set_size(0)), ErrorCode::BadDescriptor);
    }
    let file = open_file(&mut call, "b", OpenMode { read: false, ..UPDATE }).unwrap();
    assert_eq!(code(file.read_at(1, 0)), ErrorCode::BadDescriptor);
}

#[test]
fn the_receipt_has_what_was_read_written_and_removed() {
    for store in [Store::local(), Store::memory()] {
        store.fill(&[("a", "12345"), ("b", "1"), ("c", "1")]);
        let mut call = store.store();
        read(&mut call, "a").unwrap();
        call.open_read("/data/a").unwrap();
        write(&mut call, "x.tmp", "123");
        call.rename_at(&mount(), "x.tmp", &mount(), "x").unwrap();
        call.remove_file_at(&mount(), "b").unwrap();
        call.remove_file_at(&mount(), "c").unwrap();
        write(&mut call, "c", "22");
        let receipt = receipt(&call);
        let shown = |transfers: &crate::report::Transfers| -> Vec<String> {
            transfers.files.iter().map(|file| format!("{} {}", file.path, file.bytes)).collect()
        };
        assert_eq!(shown(&receipt.read), ["/data/a 10"]);
        assert_eq!(shown(&receipt.written), ["/data/x 3", "/data/c 2"]);
        assert_eq!((receipt.read.bytes, receipt.written.bytes), (10, 5));
        assert_eq!(receipt.removed, ["/data/b"]);
    }
}

/// What is recorded as written and as removed of a call that does `change` to the files `a`, `b`, `d/x` and `d/y/z`.
fn recorded(change: impl Fn(&mut FileSystem)) -> (Vec<String>, Vec<String>) {
    let mut recorded = [Store::local(), Store::memory()].map(|store| {
        store.fill(&[("a", "123"), ("b", "4"), ("d/x", "56"), ("d/y/z", "789")]);
        let mut call = store.store();
        change(&mut call);
        let receipt = receipt(&call);
        let written = receipt.written.files.iter().map(|file| format!("{} {}", file.path, file.bytes));
        (written.collect(), receipt.removed)
    });
    assert_eq!(recorded[0], recorded[1]);
    std::mem::take(&mut recorded[0])
}

#[test]
fn whatever_the_call_puts_somewhere_is_written_there() {
    let rename = |from: &'static str, to: &'static str| {
        move |call: &mut FileSystem| call.rename_at(&mount(), from, &mount(), to).unwrap()
    };
    let open =
        |path: &'static str, mode: OpenMode| move |call: &mut FileSystem| drop(open_file(call, path, mode).unwrap());
    let emptied = open("a", OpenMode { truncate: true, ..READ });
    assert_eq!(recorded(emptied), (vec!["/data/a 0".into()], vec![]));
    let made = open("new", OpenMode { create: true, ..READ });
    assert_eq!(recorded(made), (vec!["/data/new 0".into()], vec![]));
    assert_eq!(recorded(rename("b", "a")), (vec!["/data/a 1".into()], vec!["/data/b".into()]));
    assert_eq!(recorded(rename("a", "new")), (vec!["/data/new 3".into()], vec!["/data/a".into()]));
    let replaced = |call: &mut FileSystem| {
        call.remove_file_at(&mount(), "b").unwrap();
        rename("a", "b")(call);
    };
    assert_eq!(recorded(replaced), (vec!["/data/b 3".into()], vec!["/data/a".into()]));
    let directory = |call: &mut FileSystem| call.create_directory_at(&mount(), "new").unwrap();
    assert_eq!(recorded(directory), (vec!["/data/new 0".into()], vec![]));
    let (mut written, removed) = recorded(rename("d", "e"));
    written.sort();
    assert_eq!(written, ["/data/e 0", "/data/e/x 2", "/data/e/y 0", "/data/e/y/z 3"]);
    assert_eq!(removed, ["/data/d"]);
}

#[test]
fn what_is_not_listed_is_counted_once_however_it_came_to_lie_there() {
    let store = Store::local();
    let mut call = store.store();
    for number in 0..crate::limits::RECEIPT_FILES + 3 {
        write(&mut call, "x.tmp", "1");
        call.rename_at(&mount(), "x.tmp", &mount(), &number.to_string()).unwrap();
    }
    let written = receipt(&call).written;
    assert_eq!((written.files.len(), written.unlisted), (crate::limits::RECEIPT_FILES, 3));
    assert_eq!(written.bytes, crate::limits::RECEIPT_FILES as u64 + 3);
}

#[test]
fn a_directory_in_memory_lives_as_long_as_its_last_clone() {
    let first = MemoryDirectory::default();
    let second = first.clone();
    let store = |memory| Store { source: MountSource::Memory(memory), directory: None };
    store(first).fill(&[("a", "1")]);
    assert_eq!(store(second).tree(), ["a=1"]);
}

#[test]
fn a_file_that_the_call_wrote_is_not_taken_for_one_that_stays_as_it_is() {
    for store in [Store::local(), Store::memory()] {
        store.fill(&[("a", "old")]);
        let mut call = store.store();
        assert!(call.open_read("/data/a").unwrap().stable);
        write(&mut call, "a", "new");
        let read = call.open_read("/data/a").unwrap();
        assert_eq!((read.stable, read.size), (false, 3));
    }
}
