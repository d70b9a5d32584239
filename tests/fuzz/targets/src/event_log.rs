//! Event logs.

use airlock_pipeline::event::{EventLogError, RunFilter};
use airlock_pipeline::{EventReader, Home};

use crate::Target;

/// The database of an event log, read as the verbs that show what happened do.
pub fn event_logs() -> Target {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    Box::new(move |input| {
        let _in_use = &folder;
        std::fs::write(home.events(), input).unwrap();
        for beside in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{beside}", home.events().display()));
        }
        read(&home).map_err(|error| error.to_string()).is_ok()
    })
}

fn read(home: &Home) -> Result<(), EventLogError> {
    let Some(reader) = EventReader::open(home)? else { return Ok(()) };
    for run in reader.runs(&RunFilter { limit: 10, ..RunFilter::default() })? {
        reader.events(&run.run_id, 0, 1000)?;
        reader.steps(&run.run_id)?;
    }
    reader.latest_materializations()?;
    reader.latest("a", None, "")?;
    reader.materializations("a", 10).map(drop)
}
