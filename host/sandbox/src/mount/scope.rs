//! The part of a mount that one call may touch.

use std::collections::{HashMap, HashSet};

use crate::grant::Scope;
use crate::layout::Location;

/// The part of a mount that one call may touch.
#[derive(Clone, Debug)]
pub(crate) enum CallScope {
    /// All of it.
    Mount,
    /// The outputs at certain places, under any extension, and what lies below them.
    Outputs(Outputs),
}

/// The places of outputs, of which there may be many thousands: partitions of one asset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outputs {
    places: HashSet<String>,
    /// By directory that leads to them, the root included, the names of the directories in it that do.
    above: HashMap<String, HashSet<String>>,
    first: String,
}

impl Outputs {
    fn new(locations: &[Location]) -> Self {
        let mut outputs = Self::default();
        outputs.above.insert(String::new(), HashSet::new());
        for location in locations.iter().map(Location::as_str) {
            outputs.places.insert(location.to_owned());
            let mut rest = location;
            while let Some((directory, _)) = rest.rsplit_once('/') {
                let (parent, name) = directory.rsplit_once('/').unwrap_or(("", directory));
                if !outputs.above.entry(parent.to_owned()).or_default().insert(name.to_owned()) {
                    // So are those above it.
                    break;
                }
                outputs.above.entry(directory.to_owned()).or_default();
                rest = directory;
            }
        }
        outputs.first = locations.first().map(|location| location.as_str().to_owned()).unwrap_or_default();
        outputs
    }

    /// Whether `path` is one of the places with an extension, or lies below that. Places hold no dots, so the first dot of
    /// a path is where the extension begins.
    fn holds(&self, path: &str) -> bool {
        path.split_once('.').is_some_and(|(place, extension)| {
            self.places.contains(place) && !extension.is_empty() && !extension.starts_with('/')
        })
    }
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
            Scope::Output => CallScope::Outputs(Outputs::new(locations)),
        }
    }

    /// Where `path` lies.
    pub fn place(&self, path: &str) -> Place {
        let CallScope::Outputs(outputs) = self else { return Place::Inside };
        if outputs.holds(path) {
            Place::Inside
        } else if outputs.above.contains_key(path) {
            Place::Above
        } else {
            Place::Outside
        }
    }

    /// The names of directories in `directory` that are there for the call whether they exist or not.
    pub fn names_above(&self, directory: &str) -> Vec<String> {
        let CallScope::Outputs(outputs) = self else { return Vec::new() };
        let mut names: Vec<String> = outputs.above.get(directory).into_iter().flatten().cloned().collect();
        names.sort();
        names
    }

    /// The scope as a denial shows it: the place, or the first of several.
    pub fn shown(&self) -> String {
        match self {
            CallScope::Mount => String::new(),
            CallScope::Outputs(outputs) => outputs.first.clone(),
        }
    }
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
    fn partitions_share_the_directories_that_lead_to_them() {
        let output = Location::asset(&["sales", "orders"]);
        let locations = ["1", "2"].map(|day| output.partition(&[("days", day)]));
        let scope = CallScope::new(Scope::Output, &locations);
        for (path, place) in [
            ("", Place::Above),
            ("sales/orders", Place::Above),
            ("sales/orders/days=1.csv", Place::Inside),
            ("sales/orders/days=2.d/part", Place::Inside),
            ("sales/orders/days=3.csv", Place::Outside),
            ("sales/orders.csv", Place::Outside),
            ("sales/orders/days=1", Place::Outside),
        ] {
            assert_eq!(scope.place(path), place, "{path}");
        }
        assert_eq!(scope.names_above("sales"), ["orders"]);
        assert_eq!(scope.names_above("sales/orders"), [""; 0]);
    }

    #[test]
    fn without_outputs_only_the_root_is_seen() {
        let scope = scope(&[]);
        assert_eq!(scope.place(""), Place::Above);
        assert_eq!(scope.place("a.csv"), Place::Outside);
    }
}
