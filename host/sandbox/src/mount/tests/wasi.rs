//! The interface that a guest calls.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, Descriptor, DescriptorFlags, DescriptorType, Host as _, HostDescriptor, HostDirectoryEntryStream,
    NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream, StreamError};

use crate::limits::{CHUNK, DIRECTORY_ENTRIES, LISTED_ENTRIES, Limit};
use crate::report::Operation;

use super::super::FileSystemView;
use super::*;

/// Nothing here ever waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

struct Guest {
    files: FileSystem,
    table: ResourceTable,
}

impl Guest {
    fn new(files: FileSystem) -> Self {
        Self { files, table: ResourceTable::new() }
    }

    fn view(&mut self) -> FileSystemView<'_> {
        FileSystemView { files: &mut self.files, table: &mut self.table }
    }

    fn mount(&mut self) -> Resource<Descriptor> {
        let mut directories = self.view().get_directories().unwrap();
        assert_eq!(directories.iter().map(|(_, path)| path.as_str()).collect::<Vec<_>>(), ["/data", "/"]);
        HostDescriptor::drop(&mut self.view(), directories.remove(1).0).unwrap();
        directories.remove(0).0
    }

    fn open(&mut self, path: &str, how: OpenFlags, flags: DescriptorFlags) -> FsResult<Resource<Descriptor>> {
        let directory = self.mount();
        let opened = now(self.view().open_at(again(&directory), PathFlags::empty(), path.into(), how, flags));
        HostDescriptor::drop(&mut self.view(), directory).unwrap();
        opened
    }

    fn create(&mut self, path: &str) -> Resource<Descriptor> {
        self.open(path, OpenFlags::CREATE | OpenFlags::TRUNCATE, DescriptorFlags::READ | DescriptorFlags::WRITE)
            .unwrap()
    }
}

fn again(descriptor: &Resource<Descriptor>) -> Resource<Descriptor> {
    Resource::new_borrow(descriptor.rep())
}

#[track_caller]
fn fs_code<T>(result: FsResult<T>) -> ErrorCode {
    match result {
        Err(error) => error.downcast().expect("it trapped"),
        Ok(_) => panic!("it was done"),
    }
}

#[test]
fn file_operations_on_a_directory_give_a_code() {
    let mut guest = Guest::new(Store::memory().store());
    let directory = guest.mount();
    let d = || again(&directory);
    let mut view = guest.view();
    assert_eq!(fs_code(view.read_via_stream(d(), 0)), ErrorCode::IsDirectory);
    assert_eq!(fs_code(view.write_via_stream(d(), 0)), ErrorCode::IsDirectory);
    assert_eq!(fs_code(view.append_via_stream(d())), ErrorCode::IsDirectory);
    assert_eq!(fs_code(now(view.read(d(), 1, 0))), ErrorCode::IsDirectory);
    assert_eq!(fs_code(now(view.write(d(), vec![1], 0))), ErrorCode::IsDirectory);
    assert_eq!(fs_code(now(view.set_size(d(), 0))), ErrorCode::IsDirectory);
    assert_eq!(fs_code(now(view.advise(d(), 0, 0, Advice::Normal))), ErrorCode::IsDirectory);
    assert_eq!(fs_code(now(view.set_times(d(), NewTimestamp::Now, NewTimestamp::Now))), ErrorCode::Unsupported);
    assert!(now(view.sync(d())).is_ok());
}

#[test]
fn directory_operations_on_a_file_give_a_code() {
    let mut guest = Guest::new(Store::memory().store());
    let file = guest.create("a");
    let f = || again(&file);
    let path = || "x".to_owned();
    let none = PathFlags::empty();
    let mut view = guest.view();
    assert_eq!(fs_code(now(view.read_directory(f()))), ErrorCode::NotDirectory);
    assert_eq!(fs_code(now(view.create_directory_at(f(), path()))), ErrorCode::NotDirectory);
    assert_eq!(fs_code(now(view.remove_directory_at(f(), path()))), ErrorCode::NotDirectory);
    assert_eq!(fs_code(now(view.unlink_file_at(f(), path()))), ErrorCode::NotDirectory);
    assert_eq!(fs_code(now(view.stat_at(f(), none, path()))), ErrorCode::NotDirectory);
    assert_eq!(fs_code(now(view.metadata_hash_at(f(), none, path()))), ErrorCode::NotDirectory);
    assert_eq!(fs_code(now(view.rename_at(f(), path(), f(), path()))), ErrorCode::NotDirectory);
    assert_eq!(fs_code(now(view.readlink_at(f(), path()))), ErrorCode::NotDirectory);
    let opened = view.open_at(f(), none, path(), OpenFlags::empty(), DescriptorFlags::READ);
    assert_eq!(fs_code(now(opened)), ErrorCode::NotDirectory);
    assert!(now(view.sync_data(f())).is_ok() && now(view.advise(f(), 0, 0, Advice::Random)).is_ok());
}

#[test]
fn a_file_is_written_and_read_by_streams() {
    let store = Store::local();
    let mut guest = Guest::new(store.store());
    let file = guest.create("a");
    let output = guest.view().write_via_stream(again(&file), 2).unwrap();
    let stream: &mut DynOutputStream = guest.table.get_mut(&output).unwrap();
    assert_eq!(stream.check_write().unwrap(), CHUNK);
    stream.write(b"cd".to_vec().into()).unwrap();
    stream.check_write().unwrap();
    stream.write(b"ef".to_vec().into()).unwrap();
    let output = guest.view().append_via_stream(again(&file)).unwrap();
    now(guest.table.get_mut(&output).unwrap().blocking_write_and_flush(b"gh".to_vec().into())).unwrap();
    let input = guest.view().read_via_stream(again(&file), 1).unwrap();
    let stream: &mut DynInputStream = guest.table.get_mut(&input).unwrap();
    assert_eq!(stream.read(3).unwrap().as_ref(), b"\0cd");
    assert_eq!(now(stream.blocking_read(100)).unwrap().as_ref(), b"efgh");
    assert!(matches!(stream.read(1), Err(StreamError::Closed)));
    assert_eq!(receipt(&guest.files).written.bytes, 6);
    assert_eq!(receipt(&guest.files).read.bytes, 7);
}

#[test]
fn a_stream_takes_what_it_permitted_and_traps_above_it() {
    let mut guest = Guest::new(Store::memory().store());
    let file = guest.create("a");
    let output = guest.view().write_via_stream(again(&file), 0).unwrap();
    let stream: &mut DynOutputStream = guest.table.get_mut(&output).unwrap();
    assert!(matches!(stream.write(vec![0].into()), Err(StreamError::Trap(_))), "without asking");
    let permit = stream.check_write().unwrap();
    stream.write(vec![0; permit].into()).unwrap();
    let permit = stream.check_write().unwrap();
    assert!(matches!(stream.write(vec![0; permit + 1].into()), Err(StreamError::Trap(_))));
}

#[test]
fn a_limit_ends_the_call_with_its_name() {
    let limits = Limits { disk: 3, ..Limits::default() };
    let store = Store::memory();
    let files = open_within(&[store.grant(Access::Write, Scope::Mount)], Intent::Store, &limits);
    let mut guest = Guest::new(files);
    let file = guest.create("a");
    let expected = LimitExceeded::new(Limit::Disk, 3);
    let error: FsError = now(guest.view().write(again(&file), vec![0; 4], 0)).unwrap_err();
    let trap = guest.view().convert_error_code(error).unwrap_err();
    assert_eq!(trap.downcast_ref(), Some(&expected));
    let output = guest.view().append_via_stream(again(&file)).unwrap();
    let stream: &mut DynOutputStream = guest.table.get_mut(&output).unwrap();
    stream.check_write().unwrap();
    match stream.write(vec![0; 4].into()) {
        Err(StreamError::Trap(trap)) => assert_eq!(trap.downcast_ref(), Some(&expected)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_code_of_a_failed_stream_is_told() {
    let mut guest = Guest::new(Store::memory().store());
    let error = guest.table.push(wasmtime::Error::from(ErrorCode::InsufficientSpace)).unwrap();
    let code = guest.view().filesystem_error_code(error).unwrap();
    assert_eq!(code, Some(ErrorCode::InsufficientSpace));
    let other = guest.table.push(wasmtime::Error::msg("other")).unwrap();
    assert_eq!(guest.view().filesystem_error_code(other).unwrap(), None);
}

#[test]
fn a_descriptor_that_is_dropped_is_free_again() {
    let mut guest = Guest::new(Store::memory().store());
    let file = guest.create("a");
    for _ in 0..1000 {
        let directory = guest.open(".", OpenFlags::DIRECTORY, DescriptorFlags::READ);
        HostDescriptor::drop(&mut guest.view(), directory.unwrap()).unwrap();
    }
    HostDescriptor::drop(&mut guest.view(), again(&file)).unwrap();
    assert!(now(guest.view().stat(file)).unwrap_err().downcast_ref().is_none(), "a dropped descriptor traps");
}

#[test]
fn the_hash_tells_objects_apart_and_follows_a_renamed_file() {
    let store = Store::local();
    store.fill(&[("stored", "1")]);
    let mut guest = Guest::new(store.store());
    let directory = guest.mount();
    let staged = guest.create("staged");
    let hash = |guest: &mut Guest, path: &str| {
        let hash = now(guest.view().metadata_hash_at(again(&directory), PathFlags::empty(), path.into())).unwrap();
        (hash.lower, hash.upper)
    };
    let open = now(guest.view().metadata_hash(again(&staged))).unwrap();
    assert_eq!(hash(&mut guest, "staged"), (open.lower, open.upper));
    assert_eq!(hash(&mut guest, "stored"), hash(&mut guest, "stored"));
    assert_ne!(hash(&mut guest, "stored"), hash(&mut guest, "staged"));
    assert_ne!(hash(&mut guest, "."), hash(&mut guest, "staged"));
    guest.files.rename_at(&mount(), "staged", &mount(), "moved").unwrap();
    assert_eq!(hash(&mut guest, "moved"), (open.lower, open.upper));
    guest.create("staged");
    assert_ne!(hash(&mut guest, "staged"), (open.lower, open.upper));
    let stored = hash(&mut guest, "stored");
    guest.create("stored");
    assert_eq!(hash(&mut guest, "stored"), stored, "a file that is written is still the same");
}

#[test]
fn times_are_set_and_absurd_ones_are_an_error() {
    for store in [Store::local(), Store::memory()] {
        let mut guest = Guest::new(store.store());
        let directory = guest.mount();
        let file = guest.create("a");
        let time = |seconds, nanoseconds| NewTimestamp::Timestamp(Datetime { seconds, nanoseconds });
        now(guest.view().set_times(again(&file), NewTimestamp::NoChange, time(1000, 5))).unwrap();
        let stat = now(guest.view().stat(again(&file))).unwrap();
        let modified = stat.data_modification_timestamp.unwrap();
        assert_eq!((modified.seconds, modified.nanoseconds, stat.link_count), (1000, 5, 1));
        let none = PathFlags::empty();
        now(guest.view().set_times_at(again(&directory), none, "a".into(), NewTimestamp::Now, time(7, 0))).unwrap();
        let stat = now(guest.view().stat_at(again(&directory), none, "a".into())).unwrap();
        assert_eq!(stat.data_modification_timestamp.unwrap().seconds, 7);
        for (seconds, nanoseconds) in [(u64::MAX, u32::MAX), (u64::MAX, 0), (i64::MAX as u64, u32::MAX)] {
            assert!(now(guest.view().set_times(again(&file), time(seconds, nanoseconds), NewTimestamp::Now)).is_err());
        }
    }
}

#[test]
fn a_directory_is_listed_entry_by_entry() {
    let store = Store::memory();
    store.fill(&[("a", "1"), ("d/b", "2")]);
    let mut guest = Guest::new(store.load());
    let directory = guest.mount();
    let listing = now(guest.view().read_directory(directory)).unwrap();
    let mut names = Vec::new();
    while let Some(entry) = now(guest.view().read_directory_entry(Resource::new_borrow(listing.rep()))).unwrap() {
        names.push((entry.name, entry.type_));
    }
    assert_eq!(names, [("a".into(), DescriptorType::RegularFile), ("d".into(), DescriptorType::Directory)]);
    HostDirectoryEntryStream::drop(&mut guest.view(), listing).unwrap();
}

#[test]
fn links_are_refused_and_recorded() {
    let mut guest = Guest::new(Store::memory().store());
    guest.create("a");
    let directory = guest.mount();
    let d = || again(&directory);
    let linked = now(guest.view().link_at(d(), PathFlags::empty(), "a".into(), d(), "hard".into()));
    assert_eq!(fs_code(linked), ErrorCode::NotPermitted);
    let linked = now(guest.view().symlink_at(d(), "/etc/passwd".into(), "soft".into()));
    assert_eq!(fs_code(linked), ErrorCode::NotPermitted);
    let recorded = denials(&guest.files);
    let subjects: Vec<_> = recorded.iter().map(|denial| (denial.operation, denial.subject.as_str())).collect();
    assert_eq!(subjects, [(Operation::Link, "/data/hard"), (Operation::Link, "/data/soft")]);
    assert_eq!(fs_code(now(guest.view().readlink_at(d(), "a".into()))), ErrorCode::Invalid);
}

#[test]
fn so_many_entries_are_listed_at_once_and_no_more() {
    let store = Store::local();
    for i in 0..DIRECTORY_ENTRIES {
        std::fs::write(store.path().join(i.to_string()), "").unwrap();
    }
    let mut guest = Guest::new(store.load());
    let directory = guest.mount();
    let list = |guest: &mut Guest| now(guest.view().read_directory(again(&directory)));
    let mut listings: Vec<_> = (0..LISTED_ENTRIES / DIRECTORY_ENTRIES).map(|_| list(&mut guest).unwrap()).collect();
    let error = list(&mut guest).unwrap_err().downcast().unwrap_err();
    let reached = LimitExceeded::new(Limit::ListedEntries, LISTED_ENTRIES as u64);
    assert_eq!(error.downcast_ref::<LimitExceeded>(), Some(&reached));
    HostDirectoryEntryStream::drop(&mut guest.view(), listings.pop().unwrap()).unwrap();
    list(&mut guest).unwrap();
}
