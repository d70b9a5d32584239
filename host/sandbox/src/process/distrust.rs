//! What a worker reports, made safe to show and bounded: a guest that escaped within it can say anything.

use crate::context::MetadataEntry;
use crate::limits::{
    DENIALS, ERROR_BYTES, LOG_BYTES, METADATA_ENTRIES, METADATA_LABEL_BYTES, PATH_BYTES, RECEIPT_FILES,
};
use crate::report::{Denial, Failure, Log, Receipt, Rule, Transfers};
use crate::text::{safe, safe_line};

/// Bytes of a line and of a text. What is honest was cut to less before, with a note of how much.
const LINE: usize = 2 * PATH_BYTES;
const TEXT: usize = 2 * ERROR_BYTES;
/// Lines of a list that a failure has.
const LINES: usize = 128;

fn line(text: &mut String) {
    *text = safe_line(text, LINE);
}

fn text(text: &mut String) {
    *text = safe(text, TEXT);
}

fn lines(list: &mut Vec<String>, at_most: usize) {
    list.truncate(at_most);
    list.iter_mut().for_each(line);
}

/// Makes a failure safe.
pub(super) fn failure(failure: &mut Failure) {
    match failure {
        Failure::Guest { error } => {
            line(&mut error.code);
            text(&mut error.message);
            lines(&mut error.partitions, LINES);
        }
        Failure::Denied { denial, error } => {
            self::denial(denial);
            // What a denial led to is no denial, so this goes no deeper.
            if let Some(error) = error {
                match **error {
                    Failure::Denied { .. } => **error = Failure::Host { reason: "a denial within a denial".to_owned() },
                    _ => self::failure(error),
                }
            }
        }
        Failure::Trap { trap } => {
            text(&mut trap.reason);
            lines(&mut trap.backtrace, LINES);
            text(&mut trap.stderr);
        }
        Failure::Storage { failure } => {
            [&mut failure.operation, &mut failure.path, &mut failure.reason].into_iter().for_each(line);
        }
        Failure::Incompatible { reason } | Failure::Host { reason } => text(reason),
        Failure::Limit { .. } | Failure::Interrupted => {}
    }
}

fn denial(denial: &mut Denial) {
    line(&mut denial.subject);
    match &mut denial.rule {
        Rule::ReadOnly { mount, .. } | Rule::Escape { mount } => line(mount),
        Rule::OutOfScope { mount, scope } => [mount, scope].into_iter().for_each(line),
        Rule::NotMounted | Rule::Reserved | Rule::NotAFile | Rule::NoNetwork => {}
    }
}

/// Makes a receipt safe.
pub(super) fn receipt(receipt: &mut Receipt) {
    let transfers = |transfers: &mut Transfers| {
        transfers.files.truncate(RECEIPT_FILES);
        transfers.files.iter_mut().for_each(|transfer| line(&mut transfer.path));
    };
    transfers(&mut receipt.read);
    transfers(&mut receipt.written);
    lines(&mut receipt.removed, RECEIPT_FILES);
    receipt.denials.list.truncate(DENIALS);
    receipt.denials.list.iter_mut().for_each(denial);
}

/// Makes a log safe.
pub(super) fn log(log: &mut Log) {
    let mut bytes: usize = 0;
    let fitting = log.lines.iter().take_while(|line| {
        bytes = bytes.saturating_add(line.text.len());
        bytes <= 2 * LOG_BYTES
    });
    log.lines.truncate(fitting.count());
    for line in &mut log.lines {
        line.text = safe(&line.text, TEXT);
    }
}

/// Makes metadata safe; its values are made so where they are shown, as a guest's are.
pub(super) fn metadata(entries: &mut Vec<MetadataEntry>) {
    entries.truncate(METADATA_ENTRIES);
    for entry in entries {
        entry.label = safe_line(&entry.label, 2 * METADATA_LABEL_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Denials, GuestError, Level, LogLine, Operation, StorageFailure, Transfer, Trap};

    const HOSTILE: &str = "\u{1b}[2J\n::add-mask::x\n##[error]";

    fn denied() -> Denial {
        let rule = Rule::OutOfScope { mount: HOSTILE.to_owned(), scope: HOSTILE.to_owned() };
        Denial { operation: Operation::Read, subject: HOSTILE.to_owned(), rule }
    }

    fn is_safe(shown: &str) -> bool {
        !shown.contains('\u{1b}') && !shown.contains("\n::") && !shown.replace("\\##[", "").contains("##[")
    }

    #[test]
    fn what_a_worker_says_drives_no_terminal_and_no_ci_system() {
        let hostile = || HOSTILE.to_owned();
        let trap = Trap { reason: hostile(), backtrace: vec![hostile(); 1000], stderr: hostile() };
        let error =
            GuestError { code: hostile(), message: hostile(), retryable: false, partitions: vec![hostile(); 1000] };
        let storage = StorageFailure { operation: hostile(), path: hostile(), reason: hostile() };
        let within = Box::new(Failure::Denied { denial: denied(), error: None });
        for mut said in [
            Failure::Guest { error },
            Failure::Trap { trap },
            Failure::Storage { failure: storage },
            Failure::Host { reason: hostile() },
            Failure::Incompatible { reason: hostile() },
            Failure::Denied { denial: denied(), error: Some(Box::new(Failure::Host { reason: hostile() })) },
            Failure::Denied { denial: denied(), error: Some(within) },
        ] {
            failure(&mut said);
            let shown = said.to_string();
            assert!(is_safe(&shown), "{shown}");
            assert!(serde_json::to_string(&said).unwrap().len() < 1 << 20);
        }
        let files = vec![Transfer { path: hostile(), bytes: 1 }; 1000];
        let denials = Denials { list: vec![denied(); 1000], unlisted: 0 };
        let mut said = Receipt {
            read: Transfers { files, unlisted: 0, bytes: 1 },
            removed: vec![hostile(); 1000],
            denials,
            ..Receipt::default()
        };
        receipt(&mut said);
        assert_eq!((said.read.files.len(), said.removed.len(), said.denials.list.len()), (256, 256, 64));
        assert!(
            is_safe(&said.read.files[0].path) && is_safe(&said.removed[0]) && is_safe(&said.denials.list[0].subject)
        );
        let mut said = Log { lines: vec![LogLine { level: Level::Info, text: "x".repeat(LOG_BYTES) }; 5], dropped: 0 };
        log(&mut said);
        assert_eq!(said.lines.len(), 2);
    }

    #[test]
    fn what_is_honest_stays_as_it_was() {
        let shown = safe_line(HOSTILE, 1000);
        let mut said = Failure::Host { reason: shown.clone() };
        failure(&mut said);
        assert_eq!(said, Failure::Host { reason: shown });
    }
}
