//! Reads the event log.

use std::collections::HashMap;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{AssetMaterialization, Event, EventBody, EventLogError, store};
use crate::home::Home;

/// Reads the event log, also while runs write it.
#[derive(Debug)]
pub struct EventReader {
    home: Home,
    connection: Connection,
    /// Of the log as it is; who only reads does not upgrade it.
    version: i64,
}

/// A run, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// Its id; ids sort by time.
    pub run_id: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; absent while it goes on, and where it was killed.
    pub ended: Option<Timestamp>,
    /// What became of it.
    pub status: RunStatus,
    /// What was selected; empty: all.
    pub selection: Vec<String>,
    /// The keys of its steps, in order.
    pub steps: Vec<String>,
    /// The profile.
    pub profile: Option<String>,
    /// The partitions that were asked for, as they were named.
    pub partition: Option<String>,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// It goes on.
    Running,
    /// All steps succeeded.
    Succeeded,
    /// A step failed.
    Failed,
    /// It was interrupted.
    Canceled,
    /// Its process ended without a word: it was killed, or the machine stopped.
    Lost,
}

/// Which runs are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// How many at most.
    pub limit: usize,
    /// Only runs before this one.
    pub before: Option<String>,
}

/// What was found where a run was asked for by a part of its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunSearch {
    /// No run.
    NotFound,
    /// This run.
    Found(RunSummary),
    /// Several runs.
    Ambiguous,
}

/// An event and its place in the log.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordedEvent {
    /// Grows from event to event.
    pub id: i64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A materialization as it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Materialization {
    /// The event.
    pub event_id: i64,
    /// The run.
    pub run_id: String,
    /// The step.
    pub step_key: Option<String>,
    /// When.
    pub time: Timestamp,
    /// What was recorded.
    #[serde(flatten)]
    pub body: AssetMaterialization,
}

/// The latest materialization of a partition, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedPartition {
    /// The event; later events have greater ones.
    pub event_id: i64,
    /// The version of what computed it.
    pub code_version: Option<String>,
}

impl EventReader {
    /// Opens the log in `home`; none where there is none yet.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn open(home: &Home) -> Result<Option<Self>, EventLogError> {
        let opened = store::open_to_read(&home.events())?;
        Ok(opened.map(|(connection, version)| Self { home: home.clone(), connection, version }))
    }

    /// Runs, the latest first.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunSummary>, EventLogError> {
        let run = self.run_columns();
        let sql = format!("SELECT {run} FROM runs WHERE ?1 IS NULL OR id < ?1 ORDER BY id DESC LIMIT ?2");
        self.query(&sql, params![filter.before, limit(filter.limit)], |row| self.run_of(row))
    }

    /// The run whose id is `id`, or the only one whose id begins with it; the latest run for `latest`.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn run(&self, id: &str) -> Result<RunSearch, EventLogError> {
        let mut found = if id == "latest" {
            self.runs(&RunFilter { limit: 1, before: None })?
        } else {
            let run = self.run_columns();
            let sql = format!("SELECT {run} FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id DESC LIMIT 3");
            self.query(&sql, params![id], |row| self.run_of(row))?
        };
        Ok(match (found.pop(), found.is_empty()) {
            (None, _) => RunSearch::NotFound,
            (Some(run), true) => RunSearch::Found(run),
            (Some(_), false) => RunSearch::Ambiguous,
        })
    }

    /// The events of a run after the event `after`, in order, at most `limit`; 0 is before the first.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn events(&self, run_id: &str, after: i64, limit: usize) -> Result<Vec<RecordedEvent>, EventLogError> {
        let sql = format!("SELECT {EVENT} FROM events WHERE run = ? AND id > ? ORDER BY id LIMIT ?");
        self.query(&sql, params![run_id, after, self::limit(limit)], |row| self.event_of(row))
    }

    /// The keys of the steps of a run of which something is recorded, in the order in which each began.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn steps(&self, run_id: &str) -> Result<Vec<String>, EventLogError> {
        let sql = "SELECT step FROM events WHERE run = ? AND step IS NOT NULL GROUP BY step ORDER BY min(id)";
        self.query(sql, params![run_id], |row| Ok(Ok(row.get(0)?)))
    }

    /// The latest materialization of every asset, by name.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn latest_materializations(&self) -> Result<Vec<Materialization>, EventLogError> {
        let latest = "SELECT max(event) FROM materializations GROUP BY asset";
        let sql = format!("SELECT {EVENT} FROM events WHERE id IN ({latest}) ORDER BY asset");
        self.query_materializations(&sql, params![])
    }

    /// The latest materialization of `asset`, or of one of its partitions, in `store`.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn latest(
        &self,
        asset: &str,
        partition: Option<&str>,
        store: &str,
    ) -> Result<Option<Materialization>, EventLogError> {
        let in_store = self.in_store();
        let latest =
            format!("SELECT max(event) FROM materializations WHERE asset = ?1 AND {in_store} AND partition = ?3");
        let sql = format!("SELECT {EVENT} FROM events WHERE id = ({latest})");
        Ok(self.query_materializations(&sql, params![asset, store, partition.unwrap_or_default()])?.pop())
    }

    /// The latest materialization in `store` of each partition of `asset` that was ever recorded, by key; that of an asset
    /// without partitions by the empty key.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn partitions(&self, asset: &str, store: &str) -> Result<HashMap<String, RecordedPartition>, EventLogError> {
        // SQLite takes the other columns from the row that has the maximum.
        let (code_version, in_store) = (if self.version > 1 { "code_version" } else { "NULL" }, self.in_store());
        let sql = format!(
            "SELECT partition, max(event), {code_version} FROM materializations WHERE asset = ?1 AND {in_store}
             GROUP BY partition"
        );
        let rows = self.query(&sql, params![asset, store], |row| {
            let recorded = RecordedPartition { event_id: row.get(1)?, code_version: row.get(2)? };
            Ok(Ok((row.get::<_, String>(0)?, recorded)))
        })?;
        Ok(rows.into_iter().collect())
    }

    /// Whether a row is of the store `?2`; what the first version recorded may be of any.
    fn in_store(&self) -> &'static str {
        if self.version > 1 { "(store IS NULL OR store = ?2)" } else { "?2 IS NOT NULL" }
    }

    /// The materializations of `asset`, the latest first, at most `limit`.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn materializations(&self, asset: &str, limit: usize) -> Result<Vec<Materialization>, EventLogError> {
        let latest = "SELECT event FROM materializations WHERE asset = ? ORDER BY event DESC LIMIT ?";
        let sql = format!("SELECT {EVENT} FROM events WHERE id IN ({latest}) ORDER BY id DESC");
        self.query_materializations(&sql, params![asset, self::limit(limit)])
    }

    /// When something of `asset` was last removed.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn wiped(&self, asset: &str) -> Result<Option<Timestamp>, EventLogError> {
        // It was of no run, by which it is found without looking at what runs recorded.
        let sql =
            "SELECT time FROM events WHERE run = '' AND kind = 'ASSET_WIPED' AND asset = ? ORDER BY id DESC LIMIT 1";
        let times = self.query(sql, params![asset], |row| Ok(self.time(&row.get::<_, String>(0)?)))?;
        Ok(times.into_iter().next())
    }

    fn query_materializations(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Materialization>, EventLogError> {
        let events = self.query(sql, values, |row| self.event_of(row))?;
        let materialization = |RecordedEvent { id, event }: RecordedEvent| match event.body {
            EventBody::AssetMaterialization(body) => {
                let Event { run_id, time, step_key, .. } = event;
                Some(Materialization { event_id: id, run_id, step_key, time, body })
            }
            _ => None,
        };
        Ok(events.into_iter().filter_map(materialization).collect())
    }

    /// Whether the log has what was added to dynamic partitions.
    pub(super) fn has_dynamic_partitions(&self) -> bool {
        self.version > 2
    }

    pub(super) fn query<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<Result<T, EventLogError>>,
    ) -> Result<Vec<T>, EventLogError> {
        let rows = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map(values, |row| read(row))?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        rows().map_err(|error| store::failed(&self.home.events(), &error))?.into_iter().collect()
    }

    fn run_columns(&self) -> &'static str {
        if self.version > 1 {
            "id, started, ended, status, selection, steps, profile, partition"
        } else {
            "id, started, ended, status, selection, steps, profile, NULL"
        }
    }

    fn run_of(&self, row: &Row<'_>) -> rusqlite::Result<Result<RunSummary, EventLogError>> {
        let (run_id, started, ended): (String, String, Option<String>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (status, selection, steps): (String, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
        let (profile, partition) = (row.get(6)?, row.get(7)?);
        let parse = || {
            let status = match status.as_str() {
                "succeeded" => RunStatus::Succeeded,
                "failed" => RunStatus::Failed,
                "canceled" => RunStatus::Canceled,
                _ if self.home.is_running(&run_id) => RunStatus::Running,
                _ => RunStatus::Lost,
            };
            let ended = ended.as_deref().map(|ended| self.time(ended)).transpose()?;
            let (selection, steps) = (self.json(&selection)?, self.json(&steps)?);
            Ok(RunSummary {
                started: self.time(&started)?,
                run_id: run_id.clone(),
                ended,
                status,
                selection,
                steps,
                profile,
                partition,
            })
        };
        Ok(parse())
    }

    fn event_of(&self, row: &Row<'_>) -> rusqlite::Result<Result<RecordedEvent, EventLogError>> {
        let (id, run_id, time): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (step_key, body): (Option<String>, String) = (row.get(3)?, row.get(4)?);
        let parse = || {
            let event = Event { run_id, time: self.time(&time)?, step_key, body: self.json(&body)? };
            Ok(RecordedEvent { id, event })
        };
        Ok(parse())
    }

    fn json<T: DeserializeOwned>(&self, text: &str) -> Result<T, EventLogError> {
        serde_json::from_str(text).map_err(|error| self.damaged(error.to_string()))
    }

    fn time(&self, text: &str) -> Result<Timestamp, EventLogError> {
        text.parse().map_err(|error: jiff::Error| self.damaged(error.to_string()))
    }

    fn damaged(&self, reason: String) -> EventLogError {
        EventLogError::Damaged { path: self.home.events().display().to_string(), reason }
    }
}

const EVENT: &str = "id, run, time, step, body";

fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
