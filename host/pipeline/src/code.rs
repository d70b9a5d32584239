//! The bytes of the components that definitions name.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use airlock_sandbox::component::{ComponentError, PublicKey, read, read_signed};
use airlock_sandbox::text::sha256;

use crate::definitions::{Builtins, ComponentSource, ComponentUse};

/// The bytes of the component of `used`. Where it must be signed, it is these bytes that are.
///
/// # Errors
/// [`ComponentError`] where it cannot be read, or is not signed as it must be.
pub fn read_component(used: &ComponentUse, builtins: Builtins) -> Result<Cow<'static, [u8]>, ComponentError> {
    match (&used.component, &used.signature) {
        (ComponentSource::Builtin(name), _) => {
            let found = builtins.iter().find(|(builtin, _)| builtin == name).map(|(_, bytes)| Cow::Borrowed(*bytes));
            found.ok_or_else(|| ComponentError::Read {
                path: PathBuf::from(format!("builtin:{name}")),
                reason: "this program has no such component".to_owned(),
            })
        }
        (ComponentSource::File(path), None) => read(path).map(Cow::Owned),
        (ComponentSource::File(path), Some(signature)) => {
            let wrong = |reason: &str| ComponentError::Signature {
                file: signature.file.clone(),
                reason: format!("cannot be checked by `public_key`: {reason}"),
            };
            let key: PublicKey = signature.public_key.parse().map_err(wrong)?;
            read_signed(path, &signature.file, &key).map(Cow::Owned)
        }
    }
}

/// What the names of places begin with, to which a person says yes as to those of components.
const PLACES: [&str; 7] = ["assets.", "graphs.", "io.", "jobs.", "multi_assets.", "ops.", "profile."];

/// The component from `source` as definitions in `directory` name it.
pub fn component_name(source: &ComponentSource, directory: &Path) -> String {
    match source {
        ComponentSource::File(path) => {
            let name = path.strip_prefix(directory).unwrap_or(path).display().to_string();
            // A file may be called as what comes with the program, or as a place of the definitions.
            let is_like_others = name.starts_with("builtin:") || PLACES.iter().any(|place| name.starts_with(place));
            if is_like_others { format!("./{name}") } else { name }
        }
        ComponentSource::Builtin(name) => format!("builtin:{name}"),
    }
}

/// The digests that components must have, since they were looked at before.
#[derive(Clone, Debug, Default)]
pub struct Pins(HashMap<ComponentSource, String>);

impl Pins {
    /// With the component from `source`, which has this digest.
    pub fn add(&mut self, source: ComponentSource, digest: String) {
        self.0.insert(source, digest);
    }

    /// Checks that `bytes`, the component from `source`, are those that were looked at.
    pub(crate) fn check(&self, source: &ComponentSource, bytes: &[u8]) -> Result<(), ComponentError> {
        let found = sha256(bytes);
        match self.0.get(source) {
            Some(expected) if *expected == found => Ok(()),
            expected => {
                let expected = expected.cloned().unwrap_or_else(|| "nothing that is known".to_owned());
                Err(ComponentError::Changed { expected, found })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_called_as_what_comes_with_the_program() {
        let name = |source| component_name(&source, Path::new("/project"));
        assert_eq!(name(ComponentSource::Builtin("files".to_owned())), "builtin:files");
        for (path, shown) in [
            ("/project/builtin:files", "./builtin:files"),
            ("/project/ops/x.wasm", "ops/x.wasm"),
            ("/project/../x.wasm", "../x.wasm"),
            ("/else/x.wasm", "/else/x.wasm"),
        ] {
            assert_eq!(name(ComponentSource::File(path.into())), shown);
        }
    }

    #[test]
    fn what_was_not_looked_at_or_is_another_now_is_refused() {
        let mut pins = Pins::default();
        let source = ComponentSource::File("a.wasm".into());
        pins.add(source.clone(), sha256(b"a"));
        assert_eq!(pins.check(&source, b"a"), Ok(()));
        let error = pins.check(&source, b"b").unwrap_err().to_string();
        assert_eq!(
            error,
            format!("it changed while it was looked at: it was {}, and is {}", sha256(b"a"), sha256(b"b"))
        );
        assert!(pins.check(&ComponentSource::File("b.wasm".into()), b"a").is_err());
    }
}
