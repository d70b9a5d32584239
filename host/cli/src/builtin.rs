//! The components that come with the command, and those that a command line names.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use airlock_pipeline::definitions::ComponentSource;
use airlock_pipeline::{Builtins, component_name};

use crate::error::Error;

/// The components that are named `builtin:<name>`.
pub const BUILTINS: Builtins = &[
    ("files", include_bytes!(concat!(env!("OUT_DIR"), "/files.wasm"))),
    ("tables", include_bytes!(concat!(env!("OUT_DIR"), "/tables.wasm"))),
];

/// A component as it is named: a path, or `builtin:<name>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentName {
    source: ComponentSource,
    shown: String,
}

impl FromStr for ComponentName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let shown = name.to_owned();
        let Some(builtin) = name.strip_prefix("builtin:") else {
            return Ok(Self { source: ComponentSource::File(PathBuf::from(name)), shown });
        };
        if BUILTINS.iter().any(|(known, _)| *known == builtin) {
            return Ok(Self { source: ComponentSource::Builtin(builtin.to_owned()), shown });
        }
        let known: Vec<String> = BUILTINS.iter().map(|(known, _)| format!("builtin:{known}")).collect();
        Err(format!("the components that come with airlock are {}", known.join(", ")))
    }
}

impl std::fmt::Display for ComponentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::render::safe_name(&self.shown))
    }
}

impl ComponentName {
    /// The component that definitions in `directory` name, shown as it is written there.
    pub fn of(source: &ComponentSource, directory: &Path) -> Self {
        Self { source: source.clone(), shown: component_name(source, directory) }
    }

    /// The bytes of the component.
    pub fn read(&self) -> Result<Cow<'static, [u8]>, Error> {
        match &self.source {
            ComponentSource::Builtin(name) => {
                let bytes = BUILTINS.iter().find(|(known, _)| known == name).map(|(_, bytes)| Cow::Borrowed(*bytes));
                bytes.ok_or_else(|| Error::usage(format!("there is no component `builtin:{name}`")).into())
            }
            ComponentSource::File(path) => airlock_sandbox::component::read(path)
                .map(Cow::Owned)
                .map_err(|error| Error::component(&self.to_string(), &error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_a_path_or_comes_with_the_command() {
        assert_eq!("builtin:files".parse::<ComponentName>().unwrap().to_string(), "builtin:files");
        assert_eq!("a/files.wasm".parse::<ComponentName>().unwrap().to_string(), "a/files.wasm");
        let refusal = "builtin:file".parse::<ComponentName>().unwrap_err();
        assert_eq!(refusal, "the components that come with airlock are builtin:files, builtin:tables");
    }

    #[test]
    fn the_components_that_come_with_the_command_are_components() {
        for (name, bytes) in BUILTINS {
            let inspection = airlock_sandbox::component::inspect(bytes).unwrap();
            assert!(inspection.exports.output && inspection.exports.input, "{name}");
        }
    }
}
