//! Managers that keep each part of a value in a file or directory of its own, and the steps that they share.

use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use crate::{
    Error, InputContext, InputManager, Level, MetadataValue, OutputContext, OutputManager, PartWriter, Reader, Sink,
    Source,
};

/// A manager that says how one part is written to a path and read from it; the rest is done.
///
/// The parts of a value are stored and loaded one after the other, under the paths that the host gives for their keys.
/// Absent parts are left out where the input allows it, and otherwise the error names them. The metadata `path` is
/// recorded for a value of one part.
///
/// ```
/// use std::fs::{self, File};
/// use std::io::{self, Read};
/// use std::path::Path;
///
/// use airlock_sdk::{Error, InputContext, NewPart, OutputContext, PathIoManager, Reader};
///
/// struct Upper;
///
/// impl PathIoManager for Upper {
///     fn extension() -> &'static str {
///         "txt"
///     }
///
///     fn dump_to_path(_context: &OutputContext, part: &mut Reader, path: &Path) -> Result<(), Error> {
///         let mut text = String::new();
///         part.read_to_string(&mut text)?;
///         Ok(fs::write(path, text.to_uppercase())?)
///     }
///
///     fn load_from_path(_context: &InputContext, path: &Path, part: NewPart) -> Result<(), Error> {
///         io::copy(&mut File::open(path)?, &mut part.begin("text/plain")?)?;
///         Ok(())
///     }
/// }
///
/// airlock_sdk::export!(Upper);
/// ```
pub trait PathIoManager {
    /// What follows the last dot of the paths: 1 to 32 of the characters `a-z`, `0-9`, `_`, `-` and inner dots.
    fn extension() -> &'static str;

    /// Writes `part` to `path`, whose directory exists.
    ///
    /// # Errors
    /// Whatever kept it from being written.
    fn dump_to_path(context: &OutputContext, part: &mut Reader, path: &Path) -> Result<(), Error>;

    /// Reads `path`, which exists, into `part`.
    ///
    /// # Errors
    /// Whatever kept it from being read.
    fn load_from_path(context: &InputContext, path: &Path, part: NewPart) -> Result<(), Error>;
}

/// A part of which the media type is still to be said.
#[derive(Debug)]
pub struct NewPart<'part, 'call> {
    sink: &'part mut Sink<'call>,
    key: Option<&'part str>,
}

impl<'part> NewPart<'part, '_> {
    /// The key of the part.
    pub fn key(&self) -> Option<&str> {
        self.key
    }

    /// Begins the part.
    ///
    /// # Errors
    /// Where the host refuses it.
    pub fn begin(self, media_type: &str) -> Result<PartWriter<'part>, Error> {
        self.sink.begin(self.key, media_type)
    }
}

impl<T: PathIoManager> OutputManager for T {
    fn handle_output(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let (mut parts, mut last) = (0, PathBuf::new());
        while let Some(mut part) = value.next()? {
            let key = stored_key(context, &part)?;
            let path = context.file(key.as_deref(), T::extension())?;
            if let Some(directory) = path.parent() {
                fs::create_dir_all(directory)?;
            }
            T::dump_to_path(context, &mut part, &path)?;
            parts += 1;
            last = path;
        }
        if parts == 1 {
            context.add_metadata("path", MetadataValue::path(last.to_string_lossy()))?;
        }
        Ok(())
    }
}

impl<T: PathIoManager> InputManager for T {
    fn load_input(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let find = |key: Option<&str>| {
            let path = context.file(key, T::extension())?;
            Ok(path.try_exists()?.then_some(path))
        };
        for (key, path) in present_parts(context, find)? {
            T::load_from_path(context, &path, NewPart { sink: value, key: key.as_deref() })?;
        }
        Ok(())
    }
}

/// The key under which `part` is stored: its own, or that of the only partition.
///
/// # Errors
/// [`Error::UnsupportedType`] where one part without a key stands for several partitions.
pub fn stored_key(context: &OutputContext, part: &Reader) -> Result<Option<String>, Error> {
    match (part.key(), context.partition_count()) {
        (Some(key), _) => Ok(Some(key)),
        (None, 0) => Ok(None),
        (None, 1) => Ok(context.partition_keys().pop()),
        (None, count) => Err(Error::unsupported_type(format!(
            "the value is one part without a key, but belongs to {count} partitions; give one part per partition key"
        ))),
    }
}

/// The parts that are to be loaded, with what `find` found of each.
///
/// # Errors
/// [`Error::NotFound`] with the keys of the parts for which `find` gave none, unless the input allows that.
pub fn present_parts<T>(
    context: &InputContext,
    find: impl Fn(Option<&str>) -> Result<Option<T>, Error>,
) -> Result<Vec<(Option<String>, T)>, Error> {
    let keys = match context.partition_count() {
        0 => vec![None],
        _ => context.partition_keys().into_iter().map(Some).collect(),
    };
    let mut present = Vec::new();
    let mut absent = Vec::new();
    for key in keys {
        match find(key.as_deref())? {
            Some(found) => present.push((key, found)),
            None => absent.push(key),
        }
    }
    if !absent.is_empty() && !context.allow_missing() {
        return Err(Error::NotFound(absent.into_iter().flatten().collect()));
    }
    for key in absent {
        context.log(Level::Warn, format!("{} is absent and left out", key.as_deref().unwrap_or("the value")));
    }
    Ok(present)
}

/// What stands for the key of the partition in a path that is configured.
const PARTITION: &str = "{partition}";

/// The place of a value that the configuration of its output says: `{ "path": "incoming/orders.csv" }`, below `/data`.
///
/// Who is lent the whole mount may keep values there, and find values that something else put there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfiguredPlace {
    path: Option<String>,
}

impl ConfiguredPlace {
    /// That of the output that is stored.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where the configuration is something else.
    pub fn of_output(context: &OutputContext) -> Result<Self, Error> {
        Ok(context.output_config::<Option<Self>>()?.unwrap_or_default())
    }

    /// That of the part `key` of the value that is loaded.
    ///
    /// # Errors
    /// As [`of_output`](Self::of_output).
    pub fn of_input(context: &InputContext, key: Option<&str>) -> Result<Self, Error> {
        let stored = context.upstream(key);
        let place = stored.map(|stored| stored.output_config::<Option<Self>>()).transpose()?;
        Ok(place.flatten().unwrap_or_default())
    }

    /// The path of the part `key` below the directory `data`; none where none is configured. `{partition}` in it stands
    /// for the key.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] where the path is none below `data`, or does not tell one part from another.
    pub fn file(&self, data: &Path, key: Option<&str>) -> Result<Option<PathBuf>, Error> {
        let Some(path) = &self.path else { return Ok(None) };
        let wrong = |why: &str| Error::invalid_config(format!("the path {path:?} of the output {why}"));
        let path = match (key, path.contains(PARTITION)) {
            (None, false) => path.clone(),
            (None, true) => return Err(wrong("has `{partition}`, and the value has no partitions")),
            (Some(_), false) => return Err(wrong("lacks `{partition}`, so all partitions would lie there")),
            (Some(key), true) if key.contains(['/', '\\', '\0']) => {
                return Err(wrong("cannot have the key of a partition in it that has a `/`"));
            }
            (Some(key), true) => path.replace(PARTITION, key),
        };
        let is_below = Path::new(&path).components().all(|part| matches!(part, Component::Normal(_)));
        if path.is_empty() || path.ends_with('/') || !is_below {
            return Err(wrong("is not one below the directory that is lent, such as \"incoming/orders.csv\""));
        }
        Ok(Some(data.join(path)))
    }
}
