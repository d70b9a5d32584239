//! What an op is given: a value that is there, or parts that are loaded as it asks for them.

use std::fmt;
use std::sync::Arc;

use super::{Part, Value};

/// An input of an op. Cheap to clone, and read from its start each time the op asks for it.
#[derive(Clone, Debug)]
pub enum Input {
    /// A value that is there.
    Loaded(Value),
    /// Parts that are loaded when they are asked for, and not before.
    Lazy(Arc<dyn LoadParts>),
}

impl From<Value> for Input {
    fn from(value: Value) -> Self {
        Self::Loaded(value)
    }
}

impl Input {
    /// The part at `place`; none where there are no more. `wanted` says whether somebody still waits for it.
    pub(crate) fn part(&self, place: usize, wanted: &dyn Fn() -> bool) -> Result<Option<Part>, NotLoaded> {
        match self {
            Self::Loaded(value) => Ok(value.parts.get(place).cloned()),
            Self::Lazy(parts) => parts.load(place, wanted),
        }
    }
}

/// Loads the parts of a value, one by one.
pub trait LoadParts: fmt::Debug + Send + Sync {
    /// The part at `place`; none where there are no more. It is given up once `wanted` says that nobody waits for it.
    ///
    /// It is called on a thread that is busy with the call of the op, where no other call can be made: what loads through
    /// a component does so on a thread of its own.
    ///
    /// # Errors
    /// [`NotLoaded`], which the op is told.
    fn load(&self, place: usize, wanted: &dyn Fn() -> bool) -> Result<Option<Part>, NotLoaded>;
}

/// Why a part was not loaded, in words that an op may see.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotLoaded(pub String);
