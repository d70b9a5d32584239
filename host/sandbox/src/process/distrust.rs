//! What a worker reports, made safe to show and bounded: a guest that escaped within it can say anything.

use std::collections::HashSet;
use std::time::Duration;

use super::conversation::Lost;
use crate::context::{AssetEvent, MetadataEntry, MetadataValue};
use crate::grant::Grant;
use crate::limits::{
    ASSET_KEY_PARTS, DENIALS, ERROR_BYTES, EVENTS, LOG_BYTES, METADATA_BYTES, METADATA_ENTRIES, METADATA_LABEL_BYTES,
    PATH_BYTES, RECEIPT_FILES,
};
use crate::report::{Denial, Failure, Log, Receipt, Rule, Transfers};
use crate::text::{safe, safe_line};

/// Bytes of a line and of a text. What is honest was cut to half of that before, and is cut again, with a note of how much, only where
/// many of its characters were written out since.
const LINE: usize = 2 * PATH_BYTES;
const TEXT: usize = 2 * ERROR_BYTES;
/// Lines of a list that a failure has.
const LINES: usize = 128;

/// What a list does not name: counts of calls are added up.
const COUNT: u64 = u32::MAX as u64;
/// What a line of a log takes beside its text.
const LINE_OVERHEAD: usize = 16;

/// `text` as a line that can be shown.
pub(super) fn shown_line(text: &str) -> String {
    safe_line(text, LINE)
}

fn line(text: &mut String) {
    *text = shown_line(text);
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

/// Makes the receipt of a call with `grant` safe, which took `elapsed`.
pub(super) fn receipt(receipt: &mut Receipt, elapsed: Duration, grant: &Grant) {
    let Receipt { read, written, removed, removed_unlisted, time, cpu_time, peak_memory, denials, environment } =
        receipt;
    let transfers = |transfers: &mut Transfers| {
        let Transfers { files, unlisted, bytes: _ } = transfers;
        files.truncate(RECEIPT_FILES);
        for transfer in files {
            line(&mut transfer.path);
        }
        *unlisted = (*unlisted).min(COUNT);
    };
    transfers(read);
    transfers(written);
    lines(removed, RECEIPT_FILES);
    *removed_unlisted = (*removed_unlisted).min(COUNT);
    *time = (*time).min(elapsed);
    *cpu_time = (*cpu_time).min(elapsed);
    *peak_memory = (*peak_memory).min(grant.limits().memory);
    denials.list.truncate(DENIALS);
    denials.list.iter_mut().for_each(denial);
    denials.unlisted = denials.unlisted.min(COUNT);
    *environment = environment.map(|entries| entries.min(grant.environment().len()));
}

/// Makes a log safe.
pub(super) fn log(log: &mut Log) {
    let mut bytes: usize = 0;
    let fitting = log.lines.iter().take_while(|line| {
        bytes = bytes.saturating_add(line.text.len() + LINE_OVERHEAD);
        bytes <= 2 * LOG_BYTES
    });
    let fitting = fitting.count();
    let cut = log.lines.iter().skip(fitting).map(|line| line.text.len() as u64).fold(0, u64::saturating_add);
    log.dropped = log.dropped.saturating_add(cut);
    log.lines.truncate(fitting);
    for line in &mut log.lines {
        log.dropped = log.dropped.saturating_add(line.text.len().saturating_sub(TEXT) as u64);
        line.text = safe(&line.text, TEXT);
    }
}

/// What a call recorded, all of it together.
#[derive(Debug, Default)]
pub(super) struct Records {
    bytes: usize,
}

impl Records {
    /// Bytes of all. A number of JSON is longer as it is written here than a guest may write it.
    const BYTES: usize = 4 * METADATA_BYTES;

    /// Counts a text that is kept.
    pub fn text(&mut self, text: &str) -> Result<(), Lost> {
        self.bytes = self.bytes.saturating_add(text.len());
        if self.bytes > Self::BYTES { Err(Lost::invalid("it records more than a call may")) } else { Ok(()) }
    }

    /// Makes metadata safe; its values are made so where they are shown, as a guest's are.
    pub fn metadata(&mut self, entries: &mut [MetadataEntry]) -> Result<(), Lost> {
        let mut labels = HashSet::new();
        for entry in &*entries {
            let is_label = !entry.label.is_empty() && !entry.label.chars().any(char::is_control);
            if !is_label || entry.label.len() > METADATA_LABEL_BYTES || !labels.insert(entry.label.as_str()) {
                return Err(Lost::invalid("it records under a label that is none"));
            }
            self.text(&entry.label)?;
            match &entry.value {
                MetadataValue::Text(text) => self.text(text)?,
                MetadataValue::Tagged(kind, text) => {
                    self.text(kind)?;
                    self.text(text)?;
                }
                MetadataValue::Json(json) => self.text(&json.to_string())?,
                MetadataValue::Null | MetadataValue::Boolean(_) | MetadataValue::Int(_) | MetadataValue::Float(_) => {}
            }
        }
        if entries.len() > METADATA_ENTRIES {
            return Err(Lost::invalid("it records more than a call may"));
        }
        for entry in entries {
            if let MetadataValue::Tagged(kind, _) = &mut entry.value {
                *kind = safe_line(kind, 2 * METADATA_LABEL_BYTES);
            }
        }
        Ok(())
    }

    /// Makes events safe.
    pub fn events(&mut self, events: &mut [AssetEvent]) -> Result<(), Lost> {
        if events.len() > EVENTS {
            return Err(Lost::invalid("it records more than a call may"));
        }
        for AssetEvent { kind: _, asset_key, partition, description, metadata } in events {
            if asset_key.is_empty() || asset_key.len() > ASSET_KEY_PARTS {
                return Err(Lost::invalid("it records something of what is no asset"));
            }
            let texts = asset_key.iter().chain(partition.as_ref()).chain(description.as_ref());
            texts.map(String::as_str).try_for_each(|text| self.text(text))?;
            self.metadata(metadata)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
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
        let grant = Grant::new(Vec::new(), std::collections::BTreeMap::new(), Limits::default()).unwrap();
        receipt(&mut said, Duration::ZERO, &grant);
        assert_eq!((said.read.files.len(), said.removed.len(), said.denials.list.len()), (256, 256, 64));
        assert!(
            is_safe(&said.read.files[0].path) && is_safe(&said.removed[0]) && is_safe(&said.denials.list[0].subject)
        );
        let mut said = Log { lines: vec![LogLine { level: Level::Info, text: "x".repeat(LOG_BYTES) }; 5], dropped: 0 };
        log(&mut said);
        assert_eq!((said.lines.len(), said.dropped), (1, (5 * LOG_BYTES - TEXT) as u64));
        let mut said = Log { lines: vec![LogLine { level: Level::Info, text: String::new() }; LOG_BYTES], dropped: 0 };
        log(&mut said);
        assert!(said.lines.len() <= 2 * LOG_BYTES / LINE_OVERHEAD);
    }

    #[test]
    fn what_is_honest_stays_as_it_was() {
        let shown = safe_line(HOSTILE, 1000);
        let mut said = Failure::Host { reason: shown.clone() };
        failure(&mut said);
        assert_eq!(said, Failure::Host { reason: shown });
    }
}
