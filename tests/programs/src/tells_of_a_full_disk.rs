//! Writes more than there is room for, in each of the ways in which a guest can. Must be told why it failed each time, or be ended,
//! and not go on as if a part were all.

use std::fs::{self, File};
use std::io::Write;

use airlock_sdk::{Error, OutputContext, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let directory = context.file(None, "d")?;
        fs::create_dir_all(&directory)?;
        if let Err(error) = value.single()?.save(directory.join("saved")) {
            eprintln!("save: {error:?}");
        }
        if let Err(error) = File::create(directory.join("another")) {
            eprintln!("create: {:?}", error.kind());
        }
        // What was saved in part still takes the room.
        fs::remove_file(directory.join("saved"))?;
        let mut file = File::create(directory.join("written"))?;
        for _ in 0..100 {
            if let Err(error) = file.write_all(&[1; 4096]) {
                eprintln!("write: {:?}", error.kind());
                break;
            }
        }
        eprintln!("it went on");
        Ok(())
    }
}
