//! Writes more to a stream than it asked for: to standard output or, where the `kind` of its configuration is `file`, to its
//! file. Must trap, and nothing of it may wait in the host.

use airlock_sdk::{Error, OutputContext, Source};
use serde::Deserialize;
use wasip2::cli::stdout;
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};

pub struct Program;

#[derive(Deserialize)]
struct Config {
    kind: String,
}

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let bytes = vec![b'x'; 2 << 20];
        if context.config::<Config>()?.kind != "file" {
            stdout::get_stdout().write(&bytes).map_err(|_| Error::other("refused", ""))?;
            return Ok(());
        }
        let path = context.path(None, "bin")?;
        let refused = |code: wasip2::filesystem::types::ErrorCode| Error::other("refused", code.name());
        for (directory, guest_path) in preopens::get_directories() {
            if guest_path == "/data" {
                let path = path.trim_start_matches("/data/");
                let (how, flags) = (OpenFlags::CREATE, DescriptorFlags::WRITE);
                let file = directory.open_at(PathFlags::empty(), path, how, flags).map_err(refused)?;
                let stream = file.write_via_stream(0).map_err(refused)?;
                stream.write(&bytes).map_err(|_| Error::other("refused", ""))?;
            }
        }
        Ok(())
    }
}
