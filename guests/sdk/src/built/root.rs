//! The directory of a test that stands in for the root of the guest's file system.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tempfile::TempDir;

/// A directory in which `/data` and other guest paths lie.
#[derive(Clone, Debug)]
pub struct Root {
    path: PathBuf,
    /// Removes the directory with the last clone.
    _temporary: Option<Rc<TempDir>>,
}

impl Root {
    /// A fresh directory, removed at the end.
    pub fn temporary() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        Ok(Self { path: directory.path().to_owned(), _temporary: Some(Rc::new(directory)) })
    }

    /// The directory `path`, which stays.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), _temporary: None }
    }

    /// Where the guest path `guest_path` lies.
    pub fn directory(&self, guest_path: &str) -> PathBuf {
        self.path.join(guest_path.trim_start_matches('/'))
    }
}

/// A context that has a root.
pub trait HasRoot {
    /// The root.
    fn root(&self) -> &Root;
}
