//! Directories in memory, of which a worker has a copy.

use std::os::unix::fs::MetadataExt;

use rustix::fs::{FallocateFlags, SealFlags, fallocate, fcntl_add_seals};

use super::*;
use crate::process::memory::PackedDirectory;
use crate::process::wire::anonymous;

/// Paths of a directory in memory, and the places of their files.
type Entries<'a> = &'a [(&'a str, Option<usize>)];

/// A directory in memory that holds the file `name`.
fn directory(name: &str) -> MemoryDirectory {
    let directory = MemoryDirectory::default();
    let contents = vec![(name.to_owned(), Some(anonymous(b"old").unwrap()))];
    directory.replace(crate::mount::Contents::new(contents).unwrap());
    directory
}

fn names(directory: &MemoryDirectory) -> Vec<String> {
    directory.contents().into_iter().map(|(name, _)| name).collect()
}

/// What becomes of a store by a worker that says that directories in memory hold these files.
fn stores(scene: &Scene, said: &[&[(&str, Option<usize>)]], beside: &[&File]) -> Result<(), String> {
    let entries = |entries: &&[(&str, Option<usize>)]| {
        PackedDirectory(entries.iter().map(|(path, place)| ((*path).to_owned(), *place)).collect())
    };
    let said = Reply::Ended(report(Ok(PackedResult::Stored(Stored::default()))), said.iter().map(entries).collect());
    let value = Value::default();
    let subject = Subject::Output(storing(), &value);
    scene.call::<Stored>(subject, |theirs| say(theirs, &said, beside)).map_err(told).map(drop)
}

#[test]
fn a_worker_serves_no_directory_in_memory_but_the_one_that_it_was_started_for() {
    let purpose = |directory: &MemoryDirectory| {
        let Scene { grant, budget, interrupt } = &Scene::lending(&[(directory, Access::Write)], Limits::default());
        let call = Call { component: &COMPONENT, grant, budget, interrupt, strict: false, deterministic: None };
        crate::process::workers::purpose(&call).unwrap()
    };
    let (one, other) = (MemoryDirectory::default(), MemoryDirectory::default());
    assert_eq!(purpose(&one), purpose(&one.clone()));
    assert_ne!(purpose(&one), purpose(&other));
}

#[test]
fn a_directory_in_memory_that_is_lent_to_be_read_stays_as_it_is() {
    let (read, written) = (directory("read"), directory("written"));
    let scene = Scene::lending(&[(&read, Access::Read), (&written, Access::Write)], Limits::default());
    stores(&scene, &[&[], &[("new", Some(0))]], &[&anonymous(b"x").unwrap()]).unwrap();
    assert_eq!((names(&read), names(&written)), (vec!["read".to_owned()], vec!["new".to_owned()]));
}

#[test]
fn directories_in_memory_hold_all_that_a_worker_says_or_nothing_of_it() {
    let closed = anonymous(b"abc").unwrap();
    fcntl_add_seals(&closed, SealFlags::SEAL).unwrap();
    let (sound, disk) = (anonymous(b"x").unwrap(), on_disk(b"x"));
    let deep = ["d"; 17].join("/");
    let cases: [(&str, Entries<'_>, &File); 9] = [
        ("a file that it can go on changing", &[("f", Some(0))], &closed),
        ("a file on disk", &[("f", Some(0))], &disk),
        ("a file that did not come", &[("f", Some(1))], &sound),
        ("a file below a file", &[("f", Some(0)), ("f/g", None)], &sound),
        ("a file over a directory", &[("f/g", None), ("f", Some(0))], &sound),
        ("a path twice", &[("f", None), ("f", Some(0))], &sound),
        ("no path", &[("../f", Some(0))], &sound),
        ("what is reserved", &[(".airlock/f", Some(0))], &sound),
        ("a path that is too deep", &[(&deep, Some(0))], &sound),
    ];
    for (name, second, file) in cases {
        let (a, b) = (directory("a"), directory("b"));
        let scene = Scene::lending(&[(&a, Access::Write), (&b, Access::Write)], Limits::default());
        assert!(stores(&scene, &[&[], second], &[file]).is_err(), "{name}");
        assert_eq!((names(&a), names(&b)), (vec!["a".to_owned()], vec!["b".to_owned()]), "{name}");
    }
    let only = directory("a");
    let scene = Scene::lending(&[(&only, Access::Write)], Limits::default());
    assert!(stores(&scene, &[], &[]).is_err() && stores(&scene, &[&[], &[]], &[]).is_err(), "as many as are lent");
    assert_eq!(names(&only), ["a"]);
}

#[test]
fn files_of_a_directory_in_memory_take_no_more_than_their_bytes_need() {
    let directory = directory("a");
    let scene = Scene::lending(&[(&directory, Access::Write)], Limits::default());
    let hollow = anonymous(b"hollow").unwrap();
    fallocate(&hollow, FallocateFlags::KEEP_SIZE, 0, MIB).unwrap();
    stores(&scene, &[&[("f", Some(0))]], &[&hollow]).unwrap();
    let file = directory.contents().pop().unwrap().1.unwrap();
    let mut bytes = [0; 6];
    file.read_exact_at(&mut bytes, 0).unwrap();
    assert_eq!((&bytes, file.metadata().unwrap().len()), (b"hollow", 6));
    assert!(file.metadata().unwrap().blocks() < hollow.metadata().unwrap().blocks());
}

#[test]
fn a_worker_cannot_write_the_files_of_a_directory_in_memory_that_it_is_lent() {
    let lent = directory("read");
    let scene = Scene::lending(&[(&lent, Access::Read)], Limits::default());
    let held = scene.call_with_files::<Loaded>(loading(), |theirs, mut beside| {
        assert!(beside.take(0).unwrap().write_all_at(b"new", 0).is_err());
        say(theirs, &ended(single(Vec::new())), &[]);
    });
    assert!(held.is_ok());
}
