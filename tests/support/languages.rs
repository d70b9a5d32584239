//! The languages that guests are written in, and which of them are built here: `make guests-all` installs their tools.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::project::guest;

pub const LANGUAGES: [&str; 6] = ["rust", "c", "cpp", "go", "python", "javascript"];

/// The component of this name in `guests/languages`, where it is built. One that is not is told of, past what catches the output
/// of tests, and counted; with `AIRLOCK_LANGUAGES=all` in the environment it is a failure.
pub fn built(name: &str) -> Option<String> {
    static MISSING: AtomicUsize = AtomicUsize::new(0);
    let path = guest(&format!("languages/{name}"));
    if Path::new(&path).exists() {
        return Some(path);
    }
    let all = std::env::var_os("AIRLOCK_LANGUAGES").is_some_and(|wanted| wanted == "all");
    assert!(!all, "{path} is not built; run `make guests-all`");
    let number = MISSING.fetch_add(1, Ordering::Relaxed) + 1;
    let _ = writeln!(std::io::stderr(), "skipped, {number}: {name} is not built here; `make guests-all` builds it");
    None
}
