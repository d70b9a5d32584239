//! Ctrl-C: the first ends what goes on cleanly, the second at once.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use airlock_pipeline::run::kill_commands;
use airlock_sandbox::Interrupt;

use crate::error::{Error, ExitStatus, Report};
use crate::output::tell;

const INTERRUPTED: i32 = 130;

/// An interrupt that Ctrl-C, a hang-up and a request to terminate trigger.
pub fn on_signal() -> Result<Interrupt, Error> {
    let interrupt = Interrupt::default();
    let triggered = interrupt.clone();
    let again = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if again.swap(true, Ordering::Relaxed) {
            kill_commands();
            std::process::exit(INTERRUPTED);
        }
        triggered.interrupt();
        // Takes the place of a line of progress and of the terminal's own `^C`.
        let clear = if std::io::stderr().is_terminal() { "\r\u{1b}[K" } else { "" };
        tell(format!("{clear}interrupted: ending cleanly; once more ends at once"));
    })
    .map_err(|error| Report::new(ExitStatus::Internal, format!("cannot listen for Ctrl-C: {error}")))?;
    Ok(interrupt)
}
