//! The part of a mount that one call may touch.

use crate::grant::Scope;
use crate::layout::Location;

use super::path::{below, parent};

/// The part of a mount that one call may touch.
#[derive(Clone, Debug)]
pub(crate) enum CallScope {
    /// All of it.
    Mount,
    /// The outputs at these places, under any extension, and what lies below them.
    Outputs(Vec<String>),
}

/// Where a path lies with respect to a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The call may touch it.
    Inside,
    /// A directory on the way to what the call may touch.
    Above,
    /// Neither.
    Outside,
}

impl CallScope {
    /// The scope of a call on the outputs at `locations`.
    pub fn new(scope: Scope, locations: &[Location]) -> Self {
        match scope {
            Scope::Mount => CallScope::Mount,
            Scope::Output => CallScope::Outputs(locations.iter().map(|l| l.as_str().to_owned()).collect()),
        }
    }

    /// Where `path` lies.
    pub fn place(&self, path: &str) -> Place {
        let CallScope::Outputs(locations) = self else { return Place::Inside };
        if locations.iter().any(|location| is_inside(path, location)) {
            Place::Inside
        } else if path.is_empty() || locations.iter().any(|location| below(location, path).is_some()) {
            Place::Above
        } else {
            Place::Outside
        }
    }

    /// The names of directories in `directory` that are there for the call whether they exist or not.
    pub fn names_above(&self, directory: &str) -> Vec<String> {
        let CallScope::Outputs(locations) = self else { return Vec::new() };
        let rest = locations.iter().filter_map(|location| below(parent(location)?, directory));
        let mut names: Vec<String> = rest.filter_map(|rest| rest.split('/').next().map(str::to_owned)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The scope as a denial shows it: the place, or the first of several.
    pub fn shown(&self) -> String {
        match self {
            CallScope::Mount => String::new(),
            CallScope::Outputs(locations) => locations.first().cloned().unwrap_or_default(),
        }
    }
}

/// Whether `path` is `location` with an extension, or lies below that.
fn is_inside(path: &str, location: &str) -> bool {
    let extension = path.strip_prefix(location).and_then(|rest| rest.strip_prefix('.'));
    extension.is_some_and(|extension| !extension.is_empty() && !extension.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(locations: &[&[&str]]) -> CallScope {
        let locations: Vec<Location> = locations.iter().map(|key| Location::asset(key)).collect();
        CallScope::new(Scope::Output, &locations)
    }

    #[test]
    fn an_output_is_its_name_under_any_extension_and_what_lies_below() {
        let scope = scope(&[&["sales", "orders"]]);
        for path in ["sales/orders.parquet", "sales/orders.csv.gz", "sales/orders.delta/a/b"] {
            assert_eq!(scope.place(path), Place::Inside, "{path}");
        }
        for path in ["", "sales"] {
            assert_eq!(scope.place(path), Place::Above, "{path}");
        }
        for path in [
            "sales/orders",
            "sales/orders/x.csv",
            "sales/orders.",
            "sales/orders./x",
            "sales/orders2.csv",
            "sales/order",
            "sale",
            "sales2",
            "orders.csv",
            "x/sales/orders.csv",
        ] {
            assert_eq!(scope.place(path), Place::Outside, "{path}");
        }
    }

    #[test]
    fn directories_on_the_way_are_named() {
        let scope = scope(&[&["sales", "eu", "orders"], &["sales", "us", "orders"], &["top"]]);
        assert_eq!(scope.names_above(""), ["sales"]);
        assert_eq!(scope.names_above("sales"), ["eu", "us"]);
        assert_eq!(scope.names_above("sales/eu"), Vec::<String>::new());
    }

    #[test]
    fn without_outputs_only_the_root_is_seen() {
        let scope = scope(&[]);
        assert_eq!(scope.place(""), Place::Above);
        assert_eq!(scope.place("a.csv"), Place::Outside);
    }
}
