//! Uses its value as it must not be used. Each misuse must give an error and change nothing: the value is stored and
//! loaded in spite of it. A misuse that works is the error `misused`.

use airlock_sdk::{DATA, Error, InputContext, OutputContext, Sink, Source};

pub struct Program;

fn expect_error<T>(what: &str, result: Result<T, Error>) -> Result<(), Error> {
    result.map_or(Ok(()), |_| Err(Error::other("misused", what)))
}

impl crate::Program for Program {
    fn store(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let own = context.file(None, "bin")?;
        let mut part = value.single()?;
        expect_error("a relative path", part.save("relative.bin"))?;
        expect_error("an empty path", part.save(""))?;
        expect_error("a mount", part.save(DATA))?;
        expect_error("a path of another key", context.path(Some("no-such-key"), "bin"))?;
        for extension in ["", ".", "a/b", "..", "../x", "A", "a b", "x\0"] {
            expect_error("an extension", context.path(None, extension))?;
        }
        context.add_metadata("twice", 1)?;
        expect_error("a label twice", context.add_metadata("twice", 2))?;
        part.rewind()?;
        part.save(own)?;
        Ok(())
    }

    fn load(context: &InputContext, value: &mut Sink) -> Result<(), Error> {
        expect_error("a key that is not one of the call's", value.begin(Some("no-such-key"), "text/plain"))?;
        expect_error("an empty media type", value.begin(None, ""))?;
        expect_error("a media type of many bytes", value.begin(None, &"x/".repeat(1000)))?;
        let mut part = value.begin(None, "application/octet-stream")?;
        part.load(context.file(None, "bin")?)?;
        expect_error("an absent file", part.load(context.file(None, "absent")?))?;
        expect_error("a directory", part.load(DATA))?;
        drop(part);
        expect_error("a part twice", value.begin(None, "application/octet-stream"))
    }
}
