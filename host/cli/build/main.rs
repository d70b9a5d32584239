//! Embeds what comes with the command: guests, and the templates of `airlock new`.
#![allow(missing_docs, reason = "a build script has no documentation")]

mod manifest;
mod templates;

use std::env;
use std::path::{Path, PathBuf};

const GUESTS: [&str; 2] = ["files", "tables"];

fn main() {
    println!("cargo::rerun-if-env-changed=AIRLOCK_GUESTS");
    let repository = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../..");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    embed_guests(&repository, &out);
    if let Err(error) = templates::embed(&repository, &out.join("templates.rs")) {
        println!("cargo::error=the templates of `airlock new` cannot be embedded: {error}");
    }
}

fn embed_guests(repository: &Path, out: &Path) {
    let guests = env::var_os("AIRLOCK_GUESTS").map_or_else(|| repository.join("target/guests"), PathBuf::from);
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
