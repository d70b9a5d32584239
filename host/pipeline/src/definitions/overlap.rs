//! Finds assets whose values would lie at one place, because the directories of I/O managers lie in one another.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use airlock_sandbox::grant::{Access, DirectoryPath, Scope};
use airlock_sandbox::layout::Location;

use super::fields::Problems;
use super::{Asset, Diagnostic, IoManager, Mount, MountPath, Setting, component};
use crate::home::Home;

/// That two of `assets` would be stored at one place is a problem. A directory that the environment names is not known
/// here, and a manager that is lent a mount whole chooses its paths itself.
pub(super) fn check(assets: &[Asset], io_managers: &[IoManager], home: &Home, problems: &Problems) {
    let directory = |mount: &Mount| match &mount.source {
        MountPath::Directory(Setting::Text(path)) if mount.access == Access::Write && mount.scope == Scope::Output => {
            let beside = component::beside(&mount.position, Path::new(path));
            DirectoryPath::new(&beside, home.own_state()).ok()
        }
        _ => None,
    };
    let directories: HashMap<&str, Vec<DirectoryPath>> = io_managers
        .iter()
        .map(|manager| (manager.name.as_str(), manager.component.mounts.iter().filter_map(directory).collect()))
        .collect();
    let mut places: HashMap<PathBuf, &Asset> = HashMap::new();
    for asset in assets {
        let lent = asset.output.io.as_ref().and_then(|io| directories.get(io.as_str())).into_iter().flatten();
        let location = Location::asset(&asset.key);
        for place in lent.map(|directory| directory.as_path().join(location.as_str())) {
            match places.get(&place) {
                Some(other) if other.name != asset.name => problems.push(overlap(other, asset, &place)),
                Some(_) => {}
                None => {
                    places.insert(place, asset);
                }
            }
        }
    }
}

fn overlap(first: &Asset, second: &Asset, place: &Path) -> Diagnostic {
    let manager = |asset: &Asset| asset.output.io.clone().unwrap_or_default();
    let message = format!(
        "the assets `{}` (stored by `{}`) and `{}` (by `{}`) would both lie at {}",
        first.name,
        manager(first),
        second.name,
        manager(second),
        place.display()
    );
    Diagnostic::at(&second.position, message)
        .help("lend the I/O managers directories of which none lies in another, or rename an asset")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Project, messages};

    fn text(inner: &str) -> String {
        format!(
            r#"
            [io.lake]
            component = "builtin:files"
            mounts."/data" = {{ path = "data", access = "write" }}
            [io.sales]
            component = "builtin:files"
            mounts."/data" = {inner}
            [assets."sales/orders"]
            command = ["x"]
            type = "json"
            io = "lake"
            [assets."orders"]
            command = ["x"]
            type = "json"
            io = "sales"
            [assets."returns"]
            command = ["x"]
            type = "json"
            io = "sales"
            "#
        )
    }

    #[test]
    fn assets_that_would_lie_at_one_place_are_a_mistake_that_names_them_and_it() {
        let text = text(r#"{ path = "./data/sales", access = "write" }"#);
        let project = Project::new(&[("airlock.toml", &text)]);
        let expected = "error: the assets `sales/orders` (stored by `lake`) and `orders` (by `sales`) would both lie at \
                        data/sales/orders\n";
        let shown = project.mistakes(None);
        assert!(shown.starts_with(expected), "{shown}");
        assert_eq!(messages(&text).len(), 1);
    }

    #[test]
    fn directories_apart_or_only_read_or_lent_whole_do_not_overlap() {
        for inner in [
            r#"{ path = "data/other", access = "write" }"#,
            r#"{ path = "data/sales" }"#,
            r#"{ path = "data/sales", access = "write", scope = "mount" }"#,
            r#"{ path = { "$env" = "SALES" }, access = "write" }"#,
            r#"{ memory = true, access = "write" }"#,
        ] {
            assert!(Project::new(&[("airlock.toml", &text(inner))]).read(None).is_ok(), "{inner}");
        }
    }
}
