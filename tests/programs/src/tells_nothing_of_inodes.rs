//! Asks what the machine knows of its file: how many links it has, when its inode changed, when it was read. Must be told
//! the size and the time of the content alone; otherwise the error `leak`.

use airlock_sdk::{Error, OutputContext, Source};
use wasip2::filesystem::preopens;
use wasip2::filesystem::types::PathFlags;

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let path = context.path(None, "bin")?;
        for (directory, guest_path) in preopens::get_directories() {
            if guest_path == "/data" {
                let path = path.trim_start_matches("/data/");
                let stat = directory.stat_at(PathFlags::empty(), path).map_err(|code| Error::other("stat", code.name()))?;
                let time = |time: Option<wasip2::clocks::wall_clock::Datetime>| time.map(|time| (time.seconds, time.nanoseconds));
                let modified = time(stat.data_modification_timestamp);
                if stat.link_count != 1
                    || time(stat.status_change_timestamp) != modified
                    || time(stat.data_access_timestamp) != modified
                {
                    return Err(Error::other("leak", format!("{stat:?}")));
                }
            }
        }
        Ok(())
    }
}
