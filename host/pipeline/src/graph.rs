//! What depends on what, and what a selection means.

use crate::definitions::Definitions;

/// The assets in an order in which each follows all that it depends on; the order of definition breaks ties.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    order: Vec<String>,
}

impl Graph {
    /// The names of all assets in order.
    pub fn order(&self) -> &[String] {
        &self.order
    }

    /// The names of the assets that `asset` loads or waits for, in order.
    pub fn upstream(&self, asset: &str) -> Vec<&str> {
        let _ = asset;
        todo!()
    }

    /// The names of the assets that load or wait for `asset`, in order.
    pub fn downstream(&self, asset: &str) -> Vec<&str> {
        let _ = asset;
        todo!()
    }

    /// The names of the assets that `selection` means, in order: each entry is `name`, `+name` (and all upstream),
    /// `name+` (and all downstream), `+name+`, or `group:name` with the same signs; several mean their union, none
    /// mean all.
    ///
    /// # Errors
    /// [`SelectionError`] for the first entry that means nothing.
    pub fn select(&self, definitions: &Definitions, selection: &[String]) -> Result<Vec<String>, SelectionError> {
        let _ = (definitions, selection);
        todo!()
    }
}

/// An entry of a selection that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// No asset has the name.
    #[error("there is no asset `{name}`{}", likely(suggestion))]
    UnknownAsset {
        /// As it was given.
        name: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// No asset is in the group.
    #[error("there is no group `{name}`{}", likely(suggestion))]
    UnknownGroup {
        /// As it was given.
        name: String,
        /// What was probably meant.
        suggestion: Option<String>,
    },
    /// It is not a selection.
    #[error("`{entry}` selects nothing: write `name`, `+name`, `name+`, `+name+` or `group:name`")]
    Syntax {
        /// As it was given.
        entry: String,
    },
}

fn likely(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
