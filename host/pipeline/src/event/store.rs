//! The database of the event log: its schema, and what goes wrong with it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior, params};
use rustix::fs::Access;

use super::{Event, EventBody, EventLogError};

/// The version of the schema, kept as `user_version`.
const VERSION: i64 = 3;
/// How long to wait for another program that writes the log.
const BUSY: Duration = Duration::from_secs(10);
/// How often one who waits looks whether to go on.
const LOOK: Duration = Duration::from_millis(10);

const SCHEMA: &str = "
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        started TEXT NOT NULL,
        ended TEXT,
        status TEXT NOT NULL,
        selection TEXT NOT NULL,
        steps TEXT NOT NULL,
        profile TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE events (
        id INTEGER PRIMARY KEY,
        run TEXT NOT NULL,
        time TEXT NOT NULL,
        step TEXT,
        kind TEXT NOT NULL,
        asset TEXT,
        partition TEXT,
        body TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_run ON events (run, id);
    -- What the host itself recorded; a manager's own word about another asset does not come in here.
    CREATE TABLE materializations (
        asset TEXT NOT NULL,
        partition TEXT NOT NULL,
        event INTEGER NOT NULL REFERENCES events (id),
        PRIMARY KEY (asset, event)
    ) STRICT, WITHOUT ROWID;
";

/// What each version has that the one before it had not, from the first to the second on.
const UPGRADES: [&str; 2] = [
    "
    ALTER TABLE runs ADD COLUMN partition TEXT;
    ALTER TABLE materializations ADD COLUMN code_version TEXT;
    ALTER TABLE materializations ADD COLUMN store TEXT;
    CREATE INDEX materializations_by_partition ON materializations (asset, partition, event, code_version, store);
",
    "
    CREATE TABLE dynamic_partitions (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        key TEXT NOT NULL,
        UNIQUE (name, key)
    ) STRICT;
",
];

/// Opens the log at `path` to write it, and makes it where there is none.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, EventLogError> {
    let open = || {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version = version(&transaction)?;
        if version == 0 {
            transaction.execute_batch(SCHEMA)?;
        }
        if version < VERSION {
            for (known, upgrade) in (1..).zip(UPGRADES) {
                if version <= known {
                    transaction.execute_batch(upgrade)?;
                }
            }
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
        Ok::<_, rusqlite::Error>((connection, version))
    };
    let start = Instant::now();
    let opened = loop {
        match open() {
            // Who makes the log while another does is refused at once, whatever time it would wait otherwise.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && start.elapsed() < BUSY => {
                std::thread::sleep(LOOK);
            }
            opened => break opened,
        }
    };
    let (connection, version) = opened.map_err(|error| failed(path, &error))?;
    check(path, version)?;
    Ok(connection)
}

/// Opens the log at `path` to read it, and tells its version; none where there is none.
pub(super) fn open_to_read(path: &Path) -> Result<Option<(Connection, i64)>, EventLogError> {
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) => return Err(unusable(path, error.to_string())),
    }
    let open = |flags| {
        let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "query_only", true)?;
        let version = version(&connection)?;
        Ok((connection, version))
    };
    // A reader of a log in WAL mode shares memory with its writers, for which it needs to write beside the log; where
    // it may not, it reads what it can.
    let opened =
        open(OpenFlags::SQLITE_OPEN_READ_WRITE).or_else(|error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                open(OpenFlags::SQLITE_OPEN_READ_ONLY)
            }
            _ => Err(error),
        });
    let (connection, version) = opened.map_err(|error| failed(path, &error))?;
    if version == 0 {
        // It was made and not begun.
        return Ok(None);
    }
    check(path, version)?;
    Ok(Some((connection, version)))
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn check(path: &Path, found: i64) -> Result<(), EventLogError> {
    if found > VERSION {
        let path = path.display().to_string();
        return Err(EventLogError::Newer { path, found, known: VERSION });
    }
    Ok(())
}

/// The greatest id of a run.
pub(super) fn last_run(connection: &Connection) -> rusqlite::Result<Option<String>> {
    connection.query_row("SELECT max(id) FROM runs", [], |row| row.get(0))
}

/// Writes `events` in one transaction.
pub(super) fn write(connection: &mut Connection, events: &[Event]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for event in events {
        write_event(&transaction, event)?;
    }
    transaction.commit()
}

fn write_event(connection: &Connection, event: &Event) -> rusqlite::Result<()> {
    let time = event.time.to_string();
    let end = |status: &str| {
        let mut update = connection.prepare_cached("UPDATE runs SET ended = ?2, status = ?3 WHERE id = ?1")?;
        update.execute(params![event.run_id, time, status]).map(drop)
    };
    match &event.body {
        EventBody::RunStart { selection, steps, profile, partition, .. } => {
            let sql = "INSERT INTO runs (id, started, status, selection, steps, profile, partition)
                       VALUES (?, ?, 'running', ?, ?, ?, ?)";
            let lists = (json(selection)?, json(steps)?);
            connection.prepare_cached(sql)?.execute(params![
                event.run_id,
                time,
                lists.0,
                lists.1,
                profile,
                partition
            ])?;
        }
        EventBody::RunSuccess {} => end("succeeded")?,
        EventBody::RunFailure { .. } => end("failed")?,
        EventBody::RunCanceled {} => end("canceled")?,
        _ => {}
    }
    let sql = "INSERT INTO events (run, time, step, kind, asset, partition, body) VALUES (?, ?, ?, ?, ?, ?, ?)";
    let (asset, partition) = event.body.asset().unzip();
    let (partition, body) = (partition.flatten(), json(&event.body)?);
    let values = params![event.run_id, time, event.step_key, event.body.kind(), asset, partition, body];
    let id = connection.prepare_cached(sql)?.insert(values)?;
    match &event.body {
        EventBody::AssetMaterialization(made) if !made.logged => {
            let sql = "INSERT INTO materializations (asset, partition, event, code_version, store)
                       VALUES (?, ?, ?, ?, ?)";
            let values = params![made.asset, partition.unwrap_or_default(), id, made.code_version, made.store];
            connection.prepare_cached(sql)?.execute(values).map(drop)
        }
        // What is gone is recorded no more as what is there, so that nothing has to know that it was removed.
        EventBody::AssetWiped(wiped) => {
            let sql = "DELETE FROM materializations
                       WHERE asset = ? AND partition = ? AND (store IS NULL OR store = ?)";
            let values = params![wiped.asset, partition.unwrap_or_default(), wiped.store];
            connection.prepare_cached(sql)?.execute(values).map(drop)
        }
        _ => Ok(()),
    }
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// What `error` means for the log at `path`.
pub(super) fn failed(path: &Path, error: &rusqlite::Error) -> EventLogError {
    let (shown, reason) = (path.display().to_string(), error.to_string());
    let code = error.sqlite_error_code();
    if let Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) = code {
        return EventLogError::Locked { path: shown, reason };
    }
    // The database says little of why: `disk I/O error`, `unable to open database file`.
    if let Some(cause) = code.and_then(|_| fails_now(path).err()) {
        return unusable(path, format!("{reason}: {cause}"));
    }
    match code {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => EventLogError::Damaged { path: shown, reason },
        _ => unusable(path, reason),
    }
}

/// Does what the database did with the log at `path`, for the machine's word about what fails. The file itself is not
/// opened: to close it would let go all locks that the database has on it in this process.
fn fails_now(path: &Path) -> io::Result<()> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK)?,
        Ok(_) => return Err(io::Error::other("it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut beside = tempfile::tempfile_in(directory)?;
    beside.write_all(&[0; 4096])?;
    beside.sync_all()?;
    File::open(directory)?.sync_all()
}

pub(super) fn unusable(path: &Path, reason: String) -> EventLogError {
    EventLogError::Unusable { path: path.display().to_string(), reason }
}
