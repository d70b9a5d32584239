//! Compiled code, in memory that nobody changes any more, so that it is mapped where it runs and not copied there.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use wasmtime::Engine;
use wasmtime::component::Component as Compiled;

/// Authentic compiled code, in a sealed file without a name.
#[derive(Debug)]
pub(crate) struct Code(File);

impl Code {
    /// The code in `bytes`.
    pub fn new(bytes: &[u8]) -> io::Result<Self> {
        let mut file = crate::mount::anonymous_file()?;
        file.write_all(bytes)?;
        Self::sealed(file)
    }

    /// The code in `file`, which is sealed where it is not.
    ///
    /// # Errors
    /// Where it cannot be.
    pub fn sealed(file: File) -> io::Result<Self> {
        crate::mount::seal(&file)?;
        Ok(Self(file))
    }

    /// To be lent to other processes.
    pub fn file(&self) -> &File {
        &self.0
    }

    /// How many bytes it has.
    pub fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    /// A copy of it.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.size()?).map_err(io::Error::other)?];
        // Not from its position, which all have in common that hold it.
        self.0.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }

    /// Makes a component of it; nothing where it is of another version of the compiler.
    #[expect(
        unsafe_code,
        reason = "Component::deserialize and deserialize_file run what they are given. Their contract asks for bytes that \
                  Component::serialize gave and nobody changes. Whoever makes a Code passes what this process compiled, or a \
                  process of this program did which runs no guest; or what the cache gave, whose keyed hash was taken of the very \
                  bytes that were written to the file, under a key that only this user can read, bound to this component and these \
                  compiler settings; or, in a worker, the file of its sandbox. The file has no name, and was sealed before its \
                  hash was compared, so that nobody writes it after. wasmtime itself refuses code of another version of wasmtime."
    )]
    pub fn load(&self, engine: &Engine) -> Option<Compiled> {
        let path = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        // SAFETY: see the reason above. The path names the file that is held here.
        if let Ok(compiled) = unsafe { Compiled::deserialize_file(engine, path) } {
            return Some(compiled);
        }
        // Where the kernel does not show the file (`/proc` is missing) or does not let it be run.
        let bytes = self.bytes().ok()?;
        // SAFETY: see the reason above.
        unsafe { Compiled::deserialize(engine, bytes) }.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_mapped_from_its_file_which_nobody_can_write() {
        let engine = Engine::default();
        let component =
            wat::parse_str("(component (core module (func (export \"f\") (result i32) i32.const 7)))").unwrap();
        let bytes = engine.precompile_component(&component).unwrap();
        let code = Code::new(&bytes).unwrap();
        let compiled = code.load(&engine).unwrap();
        assert_eq!(compiled.serialize().unwrap(), bytes);
        assert!(code.file().write_at(b"x", 0).is_err() && code.file().set_len(0).is_err());
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(maps.lines().any(|line| line.contains("memfd:airlock") && line.contains("r-xp")), "{maps}");
    }

    #[test]
    fn code_of_something_else_is_not_loaded() {
        assert!(Code::new(b"no code").unwrap().load(&Engine::default()).is_none());
        assert!(Code::new(b"").unwrap().load(&Engine::default()).is_none());
    }
}
