//! Embeds the guests that come with the command.
#![allow(missing_docs, reason = "a build script has no documentation")]

use std::env;
use std::path::PathBuf;

const GUESTS: [&str; 2] = ["files", "tables"];

fn main() {
    println!("cargo::rerun-if-env-changed=AIRLOCK_GUESTS");
    let workspace = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../..");
    let guests = env::var_os("AIRLOCK_GUESTS").map_or_else(|| workspace.join("target/guests"), PathBuf::from);
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for guest in GUESTS {
        let file = guests.join(format!("{guest}.wasm"));
        println!("cargo::rerun-if-changed={}", file.display());
        if let Err(error) = std::fs::copy(&file, out.join(format!("{guest}.wasm"))) {
            println!(
                "cargo::error=the guest {} that the command embeds cannot be read ({error}): run `make guests` first",
                file.display()
            );
        }
    }
}
