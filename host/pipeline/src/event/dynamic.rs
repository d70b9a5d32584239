//! The keys of dynamic partitions, which come and go by command: kept beside the events, so that two processes and one
//! that is killed leave them whole.

use std::collections::BTreeSet;

use rusqlite::{Connection, TransactionBehavior, params};

use super::{EventLogError, EventReader, store};
use crate::home::{Home, HomeError};
use crate::partition::{DynamicKeys, PARTITIONS};

/// Adds keys of dynamic partitions, and removes them.
#[derive(Debug)]
pub struct DynamicPartitions {
    home: Home,
    connection: Connection,
}

/// Dynamic partitions that were not changed.
#[derive(Debug, thiserror::Error)]
pub enum DynamicError {
    /// Airlock's own directory cannot be made.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The event log cannot be used.
    #[error(transparent)]
    EventLog(#[from] EventLogError),
    /// There would be more than [`PARTITIONS`].
    #[error("`{name}` would have more than {PARTITIONS} partitions")]
    TooMany {
        /// Their name.
        name: String,
    },
    /// One that was to be removed is not there.
    #[error("`{name}` has no partition {key:?}")]
    Unknown {
        /// Their name.
        name: String,
        /// The key.
        key: String,
    },
}

impl DynamicPartitions {
    /// Opens those in `home`, and makes it where there is none.
    ///
    /// # Errors
    /// [`DynamicError`]
    pub fn open(home: &Home) -> Result<Self, DynamicError> {
        home.create()?;
        let connection = store::open_to_write(&home.events())?;
        Ok(Self { home: home.clone(), connection })
    }

    /// Adds `keys` to the partitions `name`, after those that are there, and gives how many were not.
    ///
    /// # Errors
    /// [`DynamicError`] where none was added.
    pub fn add(&mut self, name: &str, keys: &[String]) -> Result<usize, DynamicError> {
        let add = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut added = 0;
            for key in keys {
                let sql = "INSERT OR IGNORE INTO dynamic_partitions (name, key) VALUES (?, ?)";
                added += transaction.prepare_cached(sql)?.execute(params![name, key])?;
            }
            let count = "SELECT count(*) FROM dynamic_partitions WHERE name = ?";
            let count: i64 = transaction.query_row(count, params![name], |row| row.get(0))?;
            if usize::try_from(count).map_or(true, |count| count > PARTITIONS) {
                return Ok(None);
            }
            transaction.commit()?;
            Ok(Some(added))
        };
        let added = add(&mut self.connection).map_err(|error| self.failed(&error))?;
        added.ok_or_else(|| DynamicError::TooMany { name: name.to_owned() })
    }

    /// Removes `keys` from the partitions `name`, and gives how many they are. What is stored of them stays where it is.
    ///
    /// # Errors
    /// [`DynamicError`] where none was removed.
    pub fn remove(&mut self, name: &str, keys: &[String]) -> Result<usize, DynamicError> {
        let keys: BTreeSet<&String> = keys.iter().collect();
        let remove = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for key in &keys {
                let sql = "DELETE FROM dynamic_partitions WHERE name = ? AND key = ?";
                if transaction.prepare_cached(sql)?.execute(params![name, key])? == 0 {
                    return Ok(Some((*key).clone()));
                }
            }
            transaction.commit()?;
            Ok(None)
        };
        match remove(&mut self.connection).map_err(|error| self.failed(&error))? {
            Some(key) => Err(DynamicError::Unknown { name: name.to_owned(), key }),
            None => Ok(keys.len()),
        }
    }

    fn failed(&self, error: &rusqlite::Error) -> EventLogError {
        store::failed(&self.home.events(), error)
    }
}

impl EventReader {
    /// The keys of all dynamic partitions.
    ///
    /// # Errors
    /// [`EventLogError`]
    pub fn dynamic_keys(&self) -> Result<DynamicKeys, EventLogError> {
        if !self.has_dynamic_partitions() {
            return Ok(DynamicKeys::new());
        }
        let sql = "SELECT name, key FROM dynamic_partitions ORDER BY id";
        let rows = self.query(sql, params![], |row| Ok(Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))))?;
        let mut keys = DynamicKeys::new();
        for (name, key) in rows {
            keys.entry(name).or_default().push(key);
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn kept(home: &Home, name: &str) -> Vec<String> {
        EventReader::open(home).unwrap().unwrap().dynamic_keys().unwrap().remove(name).unwrap_or_default()
    }

    #[test]
    fn keys_are_kept_in_the_order_in_which_they_were_added() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let mut partitions = DynamicPartitions::open(&home).unwrap();
        assert_eq!(partitions.add("customers", &keys(&["b", "a", "b"])).unwrap(), 2);
        assert_eq!(partitions.add("others", &keys(&["a"])).unwrap(), 1);
        assert_eq!(partitions.add("customers", &keys(&["a", "c"])).unwrap(), 1);
        assert_eq!(kept(&home, "customers"), ["b", "a", "c"]);
        partitions.remove("customers", &keys(&["a"])).unwrap();
        // One that comes back is the last.
        partitions.add("customers", &keys(&["a"])).unwrap();
        assert_eq!((kept(&home, "customers"), kept(&home, "others")), (keys(&["b", "c", "a"]), keys(&["a"])));
    }

    #[test]
    fn where_one_key_is_not_there_none_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        let mut partitions = DynamicPartitions::open(&home).unwrap();
        partitions.add("customers", &keys(&["a", "b"])).unwrap();
        let refused = partitions.remove("customers", &keys(&["a", "x"])).unwrap_err();
        assert_eq!(refused.to_string(), "`customers` has no partition \"x\"");
        assert_eq!(kept(&home, "customers"), ["a", "b"]);
    }

    #[test]
    fn two_at_once_lose_none_of_their_keys() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        std::thread::scope(|threads| {
            for writer in 0..2 {
                let home = &home;
                threads.spawn(move || {
                    for number in 0..20 {
                        let key = format!("{writer}-{number}");
                        DynamicPartitions::open(home).unwrap().add("customers", &[key]).unwrap();
                    }
                });
            }
        });
        assert_eq!(kept(&home, "customers").len(), 40);
    }

    #[test]
    fn a_log_that_is_older_than_dynamic_partitions_has_none() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        DynamicPartitions::open(&home).unwrap();
        let log = Connection::open(home.events()).unwrap();
        log.execute_batch("DROP TABLE dynamic_partitions; PRAGMA user_version = 2").unwrap();
        assert_eq!(EventReader::open(&home).unwrap().unwrap().dynamic_keys().unwrap(), DynamicKeys::new());
        DynamicPartitions::open(&home).unwrap().add("customers", &keys(&["a"])).unwrap();
        assert_eq!(kept(&home, "customers"), ["a"]);
    }
}
