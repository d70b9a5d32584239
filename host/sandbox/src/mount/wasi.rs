//! `wasi:filesystem` over a [`FileSystem`]: nothing but translation.
//!
//! The interfaces are those that wasmtime-wasi generated, so that they take the place of its own in a linker. A
//! `Resource<Descriptor>` is only a number with a type; what the table holds under it is a file or directory of
//! ours.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream,
    ErrorCode, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{FsError, FsResult};
use wasmtime_wasi_io::streams::{DynInputStream, DynOutputStream};

use super::backend::Kind;
use super::file::{Identity, OpenFile};
use super::quota::Permit;
use super::stream::{FileInput, FileOutput};
use super::system::{Base, FileSystem, OpenMode, Opened};

/// A call's file system with the table of its handles.
pub(crate) struct FileSystemView<'a> {
    pub files: &'a mut FileSystem,
    pub table: &'a mut ResourceTable,
}

/// Says that a store's data gives a [`FileSystemView`].
pub(crate) struct HasFileSystem;

impl HasData for HasFileSystem {
    type Data<'a> = FileSystemView<'a>;
}

/// What is in the table under a `Resource<Descriptor>`.
enum Handle {
    File(Arc<OpenFile>),
    Directory { base: Base, _permit: Permit },
}

/// What is in the table under a `Resource<DirectoryEntryStream>`.
struct Listing {
    entries: std::vec::IntoIter<DirectoryEntry>,
    _permits: [Permit; 2],
}

impl FileSystemView<'_> {
    fn handle(&self, descriptor: &Resource<Descriptor>) -> FsResult<&Handle> {
        Ok(self.table.get(&Resource::<Handle>::new_borrow(descriptor.rep()))?)
    }

    fn file(&self, descriptor: &Resource<Descriptor>) -> FsResult<&Arc<OpenFile>> {
        match self.handle(descriptor)? {
            Handle::File(file) => Ok(file),
            Handle::Directory { .. } => Err(ErrorCode::IsDirectory.into()),
        }
    }

    fn directory(&self, descriptor: &Resource<Descriptor>) -> FsResult<Base> {
        match self.handle(descriptor)? {
            Handle::Directory { base, .. } => Ok(base.clone()),
            Handle::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }

    fn push_handle(&mut self, handle: Handle) -> FsResult<Resource<Descriptor>> {
        Ok(Resource::new_own(self.table.push(handle)?.rep()))
    }

    fn push_directory(&mut self, base: Base) -> FsResult<Resource<Descriptor>> {
        let permit = self.files.descriptor()?;
        self.push_handle(Handle::Directory { base, _permit: permit })
    }

    fn identity(&self, descriptor: &Resource<Descriptor>) -> FsResult<Identity> {
        match self.handle(descriptor)? {
            Handle::File(file) => Ok(file.opening().identity),
            Handle::Directory { base, .. } => Ok(self.files.stat(base)?.identity),
        }
    }

    fn output(
        &mut self,
        descriptor: &Resource<Descriptor>,
        position: Option<u64>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let file = self.file(descriptor)?;
        if !file.opening().writable {
            return Err(ErrorCode::BadDescriptor.into());
        }
        let stream: DynOutputStream = Box::new(FileOutput::new(Arc::clone(file), position));
        Ok(self.table.push(stream)?)
    }
}

impl preopens::Host for FileSystemView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut directories = Vec::new();
        for (base, guest_path) in self.files.preopens() {
            let descriptor = self.push_directory(base).map_err(wasmtime::Error::from)?;
            directories.push((descriptor, guest_path));
        }
        Ok(directories)
    }
}

impl types::Host for FileSystemView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(self.table.get(&error)?.downcast_ref::<ErrorCode>().copied())
    }
}

impl types::HostDescriptor for FileSystemView<'_> {
    fn read_via_stream(&mut self, descriptor: Resource<Descriptor>, offset: u64) -> FsResult<Resource<DynInputStream>> {
        let file = self.file(&descriptor)?;
        if !file.opening().readable {
            return Err(ErrorCode::BadDescriptor.into());
        }
        let stream: DynInputStream = Box::new(FileInput::new(Arc::clone(file), offset));
        Ok(self.table.push(stream)?)
    }

    fn write_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: u64,
    ) -> FsResult<Resource<DynOutputStream>> {
        self.output(&descriptor, Some(offset))
    }

    fn append_via_stream(&mut self, descriptor: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        self.output(&descriptor, None)
    }

    async fn advise(&mut self, descriptor: Resource<Descriptor>, _: u64, _: u64, _: Advice) -> FsResult<()> {
        self.file(&descriptor)?;
        Ok(())
    }

    /// Nothing to do: what a call wrote is made durable when it is published.
    async fn sync_data(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        self.handle(&descriptor)?;
        Ok(())
    }

    async fn sync(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        self.handle(&descriptor)?;
        Ok(())
    }

    async fn get_flags(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        let either = |set: bool, flag: DescriptorFlags| if set { flag } else { DescriptorFlags::empty() };
        Ok(match self.handle(&descriptor)? {
            Handle::File(file) => {
                let opening = file.opening();
                either(opening.readable, DescriptorFlags::READ) | either(opening.writable, DescriptorFlags::WRITE)
            }
            Handle::Directory { base, .. } => {
                DescriptorFlags::READ | either(self.files.is_writable(base), DescriptorFlags::MUTATE_DIRECTORY)
            }
        })
    }

    async fn get_type(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorType> {
        Ok(match self.handle(&descriptor)? {
            Handle::File(_) => DescriptorType::RegularFile,
            Handle::Directory { .. } => DescriptorType::Directory,
        })
    }

    async fn set_size(&mut self, descriptor: Resource<Descriptor>, size: u64) -> FsResult<()> {
        Ok(self.file(&descriptor)?.set_size(size)?)
    }

    async fn set_times(
        &mut self,
        descriptor: Resource<Descriptor>,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let (accessed, modified) = (time_of(accessed)?, time_of(modified)?);
        match self.handle(&descriptor)? {
            Handle::File(file) => Ok(file.set_times(accessed, modified)?),
            Handle::Directory { .. } => Err(ErrorCode::Unsupported.into()),
        }
    }

    async fn read(&mut self, descriptor: Resource<Descriptor>, length: u64, offset: u64) -> FsResult<(Vec<u8>, bool)> {
        let bytes = self.file(&descriptor)?.read_at(length, offset)?;
        let at_end = bytes.is_empty() && length > 0;
        Ok((bytes, at_end))
    }

    async fn write(&mut self, descriptor: Resource<Descriptor>, bytes: Vec<u8>, offset: u64) -> FsResult<u64> {
        self.file(&descriptor)?.write_at(&bytes, offset)?;
        Ok(bytes.len() as u64)
    }

    async fn read_directory(&mut self, descriptor: Resource<Descriptor>) -> FsResult<Resource<DirectoryEntryStream>> {
        let base = self.directory(&descriptor)?;
        let permit = self.files.descriptor()?;
        let names = self.files.list(&base)?;
        let permits = [permit, self.files.listing(names.len())?];
        let entry = |(name, kind)| DirectoryEntry { type_: type_of(kind), name };
        let entries: Vec<_> = names.into_iter().map(entry).collect();
        let listing = Listing { entries: entries.into_iter(), _permits: permits };
        Ok(Resource::new_own(self.table.push(listing)?.rep()))
    }

    async fn create_directory_at(&mut self, descriptor: Resource<Descriptor>, path: String) -> FsResult<()> {
        let base = self.directory(&descriptor)?;
        Ok(self.files.create_directory_at(&base, &path)?)
    }

    async fn stat(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        match self.handle(&descriptor)? {
            Handle::File(file) => {
                let (size, modified) = file.stat()?;
                Ok(stat_of(Kind::File, size, modified))
            }
            Handle::Directory { base, .. } => {
                let stat = self.files.stat(base)?;
                Ok(stat_of(stat.kind, stat.size, stat.modified))
            }
        }
    }

    async fn stat_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        _: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        let base = self.directory(&descriptor)?;
        let stat = self.files.stat_at(&base, &path)?;
        Ok(stat_of(stat.kind, stat.size, stat.modified))
    }

    async fn set_times_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        _: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        let base = self.directory(&descriptor)?;
        let (accessed, modified) = (time_of(accessed)?, time_of(modified)?);
        Ok(self.files.set_times_at(&base, &path, accessed, modified)?)
    }

    async fn link_at(
        &mut self,
        _: Resource<Descriptor>,
        _: PathFlags,
        _: String,
        descriptor: Resource<Descriptor>,
        path: String,
    ) -> FsResult<()> {
        let base = self.directory(&descriptor)?;
        Err(self.files.refuse_link_at(&base, &path).into())
    }

    async fn symlink_at(&mut self, descriptor: Resource<Descriptor>, _: String, path: String) -> FsResult<()> {
        let base = self.directory(&descriptor)?;
        Err(self.files.refuse_link_at(&base, &path).into())
    }

    /// No link is ever seen, so nothing is one.
    async fn readlink_at(&mut self, descriptor: Resource<Descriptor>, path: String) -> FsResult<String> {
        let base = self.directory(&descriptor)?;
        self.files.stat_at(&base, &path)?;
        Err(ErrorCode::Invalid.into())
    }

    async fn open_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        _: PathFlags,
        path: String,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let base = self.directory(&descriptor)?;
        let mode = OpenMode {
            create: how.contains(OpenFlags::CREATE),
            exclusive: how.contains(OpenFlags::EXCLUSIVE),
            truncate: how.contains(OpenFlags::TRUNCATE),
            directory: how.contains(OpenFlags::DIRECTORY),
            read: flags.contains(DescriptorFlags::READ),
            write: flags.contains(DescriptorFlags::WRITE),
        };
        match self.files.open_at(&base, &path, mode)? {
            Opened::File(file) => self.push_handle(Handle::File(Arc::new(file))),
            Opened::Directory(base) => self.push_directory(base),
        }
    }

    async fn remove_directory_at(&mut self, descriptor: Resource<Descriptor>, path: String) -> FsResult<()> {
        let base = self.directory(&descriptor)?;
        Ok(self.files.remove_directory_at(&base, &path)?)
    }

    async fn unlink_file_at(&mut self, descriptor: Resource<Descriptor>, path: String) -> FsResult<()> {
        let base = self.directory(&descriptor)?;
        Ok(self.files.remove_file_at(&base, &path)?)
    }

    async fn rename_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        from: String,
        to_descriptor: Resource<Descriptor>,
        to: String,
    ) -> FsResult<()> {
        let (base, to_base) = (self.directory(&descriptor)?, self.directory(&to_descriptor)?);
        Ok(self.files.rename_at(&base, &from, &to_base, &to)?)
    }

    async fn is_same_object(&mut self, a: Resource<Descriptor>, b: Resource<Descriptor>) -> wasmtime::Result<bool> {
        Ok(matches!((self.identity(&a), self.identity(&b)), (Ok(a), Ok(b)) if a == b))
    }

    async fn metadata_hash(&mut self, descriptor: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        Ok(hash_of(self.identity(&descriptor)?))
    }

    async fn metadata_hash_at(
        &mut self,
        descriptor: Resource<Descriptor>,
        _: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        let base = self.directory(&descriptor)?;
        Ok(hash_of(self.files.stat_at(&base, &path)?.identity))
    }

    fn drop(&mut self, descriptor: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Handle>::new_own(descriptor.rep()))?;
        Ok(())
    }
}

impl types::HostDirectoryEntryStream for FileSystemView<'_> {
    async fn read_directory_entry(
        &mut self,
        listing: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let listing = self.table.get_mut(&Resource::<Listing>::new_borrow(listing.rep()))?;
        Ok(listing.entries.next())
    }

    fn drop(&mut self, listing: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Listing>::new_own(listing.rep()))?;
        Ok(())
    }
}

fn type_of(kind: Kind) -> DescriptorType {
    match kind {
        Kind::File => DescriptorType::RegularFile,
        Kind::Directory => DescriptorType::Directory,
        Kind::Other => DescriptorType::Unknown,
    }
}

fn stat_of(kind: Kind, size: u64, modified: Option<SystemTime>) -> DescriptorStat {
    let since_epoch = modified.and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
    let modified = since_epoch.map(|since| Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() });
    DescriptorStat {
        type_: type_of(kind),
        link_count: 1,
        size,
        data_access_timestamp: modified,
        data_modification_timestamp: modified,
        status_change_timestamp: modified,
    }
}

fn hash_of(identity: Identity) -> MetadataHashValue {
    MetadataHashValue { lower: identity.lower, upper: identity.upper }
}

fn time_of(time: NewTimestamp) -> FsResult<Option<SystemTime>> {
    match time {
        NewTimestamp::NoChange => Ok(None),
        NewTimestamp::Now => Ok(Some(SystemTime::now())),
        NewTimestamp::Timestamp(Datetime { seconds, nanoseconds }) => {
            let time = UNIX_EPOCH
                .checked_add(Duration::from_secs(seconds))
                .and_then(|time| time.checked_add(Duration::from_nanos(u64::from(nanoseconds))));
            Ok(Some(time.ok_or(ErrorCode::Overflow)?))
        }
    }
}
