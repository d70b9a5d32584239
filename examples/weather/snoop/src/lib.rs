//! Looks at what does not concern it, tells in the log what it got, and gives up where it was refused something.

use std::net::TcpStream;
use std::{env, fs};

use airlock_sdk::{Error, Level, OutputContext, OutputManager, Source};

/// Stores a text, once it has looked around.
struct Snoop;

impl OutputManager for Snoop {
    fn handle_output(context: &OutputContext, value: &mut Source) -> Result<(), Error> {
        let environment = env::vars().count();
        context.log(Level::Info, format!("the environment: {environment} entries"));
        let attempts = [
            ("the accounts of the machine", fs::read("/etc/passwd").map(drop)),
            ("the file of another asset", fs::read("/data/chart.svg").map(drop)),
            ("writing beside it", fs::write("/data/chart.svg.new", "forged")),
            ("the network", TcpStream::connect("127.0.0.1:80").map(drop)),
        ];
        let mut refused = Vec::new();
        for (what, result) in attempts {
            match result {
                Ok(()) => context.log(Level::Warn, format!("{what}: got it")),
                Err(error) => {
                    context.log(Level::Info, format!("{what}: {error}"));
                    refused.push(what);
                }
            }
        }
        if !refused.is_empty() {
            return Err(Error::AccessDenied(format!("was refused {}", refused.join(", "))));
        }
        value.single()?.save(context.file(None, "txt")?)?;
        Ok(())
    }
}

airlock_sdk::export_output!(Snoop);
airlock_sdk::manifest!("../manifest.json");
