//! What starts the processes of a sandbox, none of which is confined less than the first was.

use std::io;
use std::sync::OnceLock;

use super::child::{Process, Program};
use super::layers::Layers;
use super::wire::Connection;

/// Starts the processes of a sandbox.
///
/// What the kernel offers does not change while a program runs. So a process that has less of it than the first, which is most
/// often the one that was started to say how the sandbox isolates, is one that failed to confine itself, and is not used.
#[derive(Debug)]
pub(crate) struct Starter {
    program: Program,
    /// How the first process was confined.
    promised: OnceLock<Layers>,
}

impl Starter {
    /// Starts processes of `program`.
    pub fn new(program: Program) -> Self {
        Self { program, promised: OnceLock::new() }
    }

    /// Starts a process, and gives the socket to it.
    pub(super) fn start(&self) -> io::Result<(Process, Connection)> {
        Process::start(&self.program)
    }

    /// Fails where a process that says `layers` is confined less than the first was.
    pub(super) fn check(&self, layers: &Layers) -> io::Result<()> {
        layers.check_at_least(self.promised.get_or_init(|| layers.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::Layer;
    use super::*;

    fn layers(file_system: Layer) -> Layers {
        let (system_calls, network, resources) = (Layer::On, Layer::Off("no namespaces".to_owned()), Layer::On);
        Layers { file_system, system_calls, network, resources }
    }

    #[test]
    fn a_process_that_is_confined_less_than_the_first_is_refused() {
        let off = || Layer::Off("it cannot be".to_owned());
        let after = |first: Layer, next: Layer| {
            let starter = Starter::new(Program::own("x"));
            starter.check(&layers(first)).unwrap();
            starter.check(&layers(next)).map_err(|error| error.to_string())
        };
        for (first, next) in [(Layer::On, Layer::On), (Layer::Partly, Layer::On), (off(), off()), (off(), Layer::On)] {
            assert_eq!(after(first, next), Ok(()));
        }
        let reason = after(Layer::On, off()).unwrap_err();
        assert!(reason.starts_with("the layer file system (Landlock) does not confine it"), "{reason}");
        assert!(reason.ends_with("off: it cannot be"), "{reason}");
        assert!(after(Layer::On, Layer::Partly).is_err() && after(Layer::Partly, off()).is_err());
    }
}
