//! Is unavailable as long as what is stored is `busy`.

use airlock_sdk::{Error, InputContext, Sink};

pub struct Program;

impl crate::Program for Program {
    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        let path = context.file(None, "bin")?;
        if std::fs::read(&path)? == b"busy" {
            return Err(Error::Unavailable("busy".to_owned()));
        }
        value.begin(None, "application/octet-stream")?.load(path)?;
        Ok(())
    }
}
