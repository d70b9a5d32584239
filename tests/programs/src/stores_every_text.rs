//! Stores every text that the host gives it: what its context says, and the errors of all that it can think of. None may tell
//! of the machine: no directory of it, no user, no entry of the environment.

use std::fmt::{Debug, Write};
use std::fs;
use std::path::Path;

use airlock_sdk::{AssetEvent, Error, OutputContext, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let mut told = Told::default();
        told.of_context(context);
        told.of_files(context.file(None, "bin")?.parent().unwrap_or(Path::new("/")));
        let mut part = value.single()?;
        for path in ["", "relative", "/", "/data", "/data/..", "/etc/passwd", "/data/sales/orders.lnk/x", "/data/sales/\u{1b}"] {
            told.add(part.save(path));
        }
        told.add((part.key(), part.media_type(), part.size(), part.digest()));
        told.add(std::env::vars().collect::<Vec<_>>());
        told.add((std::env::current_dir(), std::env::current_exe(), std::env::home_dir()));
        told.add(std::net::TcpStream::connect("localhost:80"));
        Ok(fs::write(context.file(None, "bin")?, told.0)?)
    }
}

#[derive(Default)]
struct Told(String);

impl Told {
    fn add(&mut self, what: impl Debug) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{what:?}");
    }

    fn of_context(&mut self, context: &OutputContext) {
        self.add((context.run_id(), context.step_key(), context.output_name(), context.asset_key()));
        self.add((context.partition_keys(), context.partition_dimensions("none"), context.time_zone()));
        self.add((context.definition_metadata(), context.runtime_metadata()));
        self.add((context.config::<serde_json::Value>(), context.output_config::<serde_json::Value>()));
        self.add((context.path(None, "a/b"), context.path(Some("none"), "bin"), context.path(None, "bin")));
        for label in ["", "\u{1b}", "twice", "twice"] {
            self.add(context.add_metadata(label, 1));
        }
        let event = AssetEvent { asset_key: Vec::new(), partition: None, description: None, metadata: Vec::new() };
        self.add(context.log_observation(&event));
    }

    /// Tries everything on paths that are there, that are not, and that cannot be.
    fn of_files(&mut self, directory: &Path) {
        for name in ["", ".", "..", "orders.bin", "orders.lnk", "orders.lnkdir/secret", "orders.d/x/y", "other.bin", "a\0b", "\\"] {
            let path = directory.join(name);
            self.add((fs::read(&path), fs::metadata(&path), fs::canonicalize(&path), fs::read_link(&path)));
            self.add((fs::write(&path, "x"), fs::create_dir(&path), fs::remove_dir(&path), fs::remove_file(&path)));
            self.add((fs::rename(&path, "/elsewhere"), fs::hard_link(&path, directory.join("orders.hard"))));
            self.add(fs::read_dir(&path).map(|entries| entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>()));
        }
        self.add((fs::read_dir("/").map(|entries| entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>()), 0));
    }
}
