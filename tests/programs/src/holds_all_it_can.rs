//! Has the host hold as much for it as it may, of everything at once: texts, metadata, events, handles, open files, listed
//! directories, files with long names, denials. Then returns an error with a long text. Or, where the configuration says `plan`,
//! makes so many files, under names that take the most room in JSON, that the host cannot write down what it is to publish.
//! The host's memory must stay bounded.

use std::fs::{self, File};
use std::io::{Write, stderr};

use airlock_sdk::{AssetEvent, Error, Level, MetadataValue, OutputContext, Source};
use serde::Deserialize;
use wasip2::clocks::monotonic_clock;
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};

pub struct Program;

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    plan: bool,
}

/// Segments of a path below its directory, and bytes of each.
const DEEP: usize = 12;
const LONG: usize = 250;

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let plan = context.config::<Config>()?.plan;
        if !plan {
            hold_texts(context)?;
        }
        let (filler, files) = if plan { ("\x01", 9_000) } else { ("d", 3_000) };
        let own = context.file(None, "own")?;
        fs::create_dir_all(&own)?;
        let (directories, guest_path) = preopens::get_directories().swap_remove(0);
        let mut path = context.path(None, "own")?.trim_start_matches(&guest_path).trim_start_matches('/').to_owned();
        for _ in 0..DEEP {
            path = format!("{path}/{}", filler.repeat(LONG));
            directories.create_directory_at(&path).map_err(|code| Error::other("directory", code.name()))?;
        }
        let mut open = Vec::new();
        for number in 0..files {
            let name = format!("{path}/{number:0>LONG$}");
            let (how, flags) = (OpenFlags::CREATE, DescriptorFlags::WRITE);
            let file = directories.open_at(PathFlags::empty(), &name, how, flags);
            let file = file.map_err(|code| Error::other("file", code.name()))?;
            if number < 100 {
                open.push(file);
            }
        }
        if plan {
            return Ok(());
        }
        let listed = directories.open_at(PathFlags::empty(), &path, OpenFlags::DIRECTORY, DescriptorFlags::READ);
        let listed = listed.map_err(|code| Error::other("directory", code.name()))?;
        let listings: Vec<_> = (0..4).map(|_| listed.read_directory()).collect();
        let handles: Vec<_> = (0..400).map(|_| monotonic_clock::subscribe_duration(1)).collect();
        for number in 0..100 {
            drop(File::open(format!("/elsewhere/{number}{}", format!("/{}", "\x1b".repeat(LONG)).repeat(DEEP))));
        }
        Err(Error::other("held", format!("{} {} {}{}", open.len(), listings.len(), handles.len(), "\x1b".repeat(4 << 20))))
    }
}

fn hold_texts(context: &OutputContext) -> Result<(), Error> {
    // A list of empty lists takes more room than any other text of its length.
    let lists = format!("[{}[]]", "[],".repeat(20_000));
    for number in 0..8 {
        context.add_metadata(number.to_string(), MetadataValue::Json(lists.clone()))?;
    }
    for number in 0..200 {
        let asset_key = vec![number.to_string(); 4];
        context.log_observation(&AssetEvent { asset_key, partition: None, description: None, metadata: Vec::new() })?;
    }
    for _ in 0..150 {
        context.log(Level::Info, "\x1b".repeat(7000));
        context.log(Level::Info, "\n");
        stderr().write_all(&[b'\x1b'; 9000])?;
    }
    Ok(())
}
