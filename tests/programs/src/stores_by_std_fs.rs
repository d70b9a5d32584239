//! Stores and loads as a library would that knows nothing of Airlock: a temporary file that is renamed, appending, seeking,
//! reading back what it wrote, listing, truncating, removing. Must succeed, and leave its value and nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};

use airlock_sdk::{Error, InputContext, OutputContext, Sink, Source};

pub struct Program;

fn expect(what: &str, right: bool) -> Result<(), Error> {
    if right { Ok(()) } else { Err(Error::other("wrong", what)) }
}

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let own = context.file(None, "bin")?;
        let temporary = context.file(None, "bin.tmp")?;
        let mut part = value.single()?;
        let mut bytes = Vec::new();
        part.read_to_end(&mut bytes)?;

        if let Some(directory) = own.parent() {
            fs::create_dir_all(directory)?;
        }
        let (first, second) = bytes.split_at(bytes.len() / 2);
        fs::write(&temporary, first)?;
        OpenOptions::new().append(true).open(&temporary)?.write_all(second)?;
        expect("what was appended is there", fs::read(&temporary)? == bytes)?;

        let mut file = OpenOptions::new().read(true).write(true).open(&temporary)?;
        file.seek(SeekFrom::End(0))?;
        file.write_all(b"tail")?;
        file.seek(SeekFrom::Start(0))?;
        let mut all = Vec::new();
        file.read_to_end(&mut all)?;
        expect("what was written at the end is there", all.ends_with(b"tail"))?;
        file.set_len(bytes.len() as u64)?;
        file.sync_all()?;
        drop(file);

        fs::rename(&temporary, &own)?;
        expect("the temporary name is gone", !temporary.try_exists()?)?;
        expect("the value is there", fs::metadata(&own)?.len() == bytes.len() as u64)?;

        let directory = context.file(None, "d")?;
        fs::create_dir_all(directory.join("a/b"))?;
        fs::write(directory.join("a/b/c"), "x")?;
        let names: Vec<_> = fs::read_dir(directory.join("a"))?.flatten().map(|entry| entry.file_name()).collect();
        expect("what was made is listed", names == ["b"])?;
        fs::remove_dir_all(&directory)?;
        expect("what was removed is gone", !directory.try_exists()?)
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let mut file = File::open(context.file(None, "bin")?)?;
        io::copy(&mut file, &mut value.begin(None, "application/octet-stream")?)?;
        Ok(())
    }
}
