//! The contract as the generators read it.

use anyhow::{Context, Result, anyhow};
use wit_bindgen_core::wit_parser::{PackageId, Resolve, SourceMap, WorldId};

/// The files of `wit/`, by name.
pub const FILES: [(&str, &str); 6] = [
    ("context.wit", include_str!("../../../wit/context.wit")),
    ("managers.wit", include_str!("../../../wit/managers.wit")),
    ("op.wit", include_str!("../../../wit/op.wit")),
    ("types.wit", include_str!("../../../wit/types.wit")),
    ("value.wit", include_str!("../../../wit/value.wit")),
    ("worlds.wit", include_str!("../../../wit/worlds.wit")),
];

/// What a guest does: the world of the contract that it is written against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// It stores and loads.
    IoManager,
    /// It computes.
    OpComponent,
}

impl World {
    /// As the contract calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::IoManager => "io-manager",
            Self::OpComponent => "op-component",
        }
    }
}

/// A parsed package of WIT.
#[derive(Clone)]
pub struct Contract {
    pub(crate) resolve: Resolve,
    package: PackageId,
}

impl Contract {
    /// The contract that this program was built with.
    ///
    /// # Errors
    /// Where that is no WIT.
    pub fn embedded() -> Result<Self> {
        Self::parse(&FILES)
    }

    /// A package of the files with these names and texts.
    ///
    /// # Errors
    /// Where they are no WIT, or need packages that are not among them.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self> {
        let mut sources = SourceMap::default();
        for (name, text) in files {
            sources.push_str(name, *text);
        }
        let group = sources.parse().map_err(|(_, error)| anyhow!(error)).context("cannot read the contract")?;
        let mut resolve = Resolve::default();
        let package = resolve.push_group(group).context("cannot read the contract")?;
        Ok(Self { resolve, package })
    }

    /// One of its worlds.
    pub(crate) fn world(&self, world: World) -> Result<WorldId> {
        let name = world.name();
        self.resolve.select_world(&[self.package], Some(name)).with_context(|| format!("no world `{name}`"))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_contract_has_every_file_of_its_folder() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "wit")).collect();
        names.sort();
        assert_eq!(names, FILES.map(|(name, _)| name));
    }

    #[test]
    fn what_is_no_wit_is_refused() {
        assert!(Contract::parse(&[("a.wit", "package a:b; world c { export d; }")]).is_err());
        assert!(Contract::parse(&[("a.wit", "package a:b; world c {}")]).unwrap().world(World::OpComponent).is_err());
    }
}
