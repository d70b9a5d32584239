//! The audit log: for each call of a component a line for each grant that it used, and for each denial.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use airlock_sandbox::grant::{Access, DirectoryPath, Grant, MountSource, Scope};
use airlock_sandbox::report::{Denial, Failure, Log, Operation, Receipt, Report, Rule, StorageFailure, Transfers};
use airlock_sandbox::text::safe_line;
use jiff::Timestamp;
use serde::Serialize;

use crate::run::FailureClass;

/// The version of the lines; it grows when something in them is renamed or removed.
const SCHEMA: u32 = 1;
/// Bytes of a name that the definitions give.
const NAME_BYTES: usize = 512;

/// A file to which a line is appended for each grant that a call used and for each denial, once the call has ended.
///
/// Where a line cannot be written that call fails, and no other is made.
#[derive(Debug)]
pub struct AuditLog {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    failure: Option<StorageFailure>,
}

/// A call that is told of.
#[derive(Clone, Copy, Debug)]
pub struct AuditedCall<'a> {
    /// The run that it is made in.
    pub run: Option<&'a str>,
    /// The step that it is made for.
    pub step: Option<&'a str>,
    /// What the definitions or the command line call the component.
    pub guest: &'a str,
    /// The digest of the component.
    pub digest: &'a str,
    /// What of it is called.
    pub function: Function,
    /// What it is lent.
    pub grant: &'a Grant,
}

/// The functions of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// It stores.
    HandleOutput,
    /// It loads.
    LoadInput,
    /// It computes.
    Run,
}

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    time: Timestamp,
    run: Option<&'a str>,
    step: Option<String>,
    guest: String,
    digest: &'a str,
    function: Function,
    /// What became of the call: `done`, or the class of its failure. What a call that was not done wrote is gone, but where
    /// its storage failed while it was put in place.
    result: Outcome,
    operation: Tried,
    decision: Decision,
    /// The path as the guest sees it, or what else was used; absent where more was than is told one by one.
    subject: Option<&'a str>,
    /// Bytes that were moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// How many more there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<u64>,
    /// What allowed it, or what refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<Because<'a>>,
}

/// What became of a call.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum Outcome {
    Done(Done),
    Failed(FailureClass),
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Done {
    Done,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Decision {
    Allowed,
    Denied,
}

/// What was done or tried.
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum Tried {
    Allowed(Used),
    Denied(Operation),
    Any(Any),
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Used {
    Read,
    Write,
    Remove,
    Environment,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Any {
    Any,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Because<'a> {
    Allowed(Allowed<'a>),
    Denied(&'a Rule),
}

/// What of the grant allows something.
#[derive(Serialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
enum Allowed<'a> {
    Mount { mount: &'a str, access: Access, scope: Scope },
    Environment,
}

impl AuditLog {
    /// Opens the file at `path` to append to it, and makes it where there is none.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        append(&mut file, &[])?;
        let path = path.canonicalize()?;
        Ok(Self { path, state: Mutex::new(State { file, failure: None }) })
    }

    /// Why `directory` must not be lent with `access`: who writes there could change what is told of him.
    pub fn refuse(&self, access: Access, directory: &DirectoryPath) -> Option<String> {
        let held = self.path.ancestors().skip(1).any(|ancestor| ancestor == directory.as_path());
        (held && access == Access::Write).then(|| {
            let name = self.path.file_name().unwrap_or_default().display();
            format!("a directory that holds the audit log {name} cannot be lent to write; keep the log elsewhere")
        })
    }

    /// As [`refuse`](Self::refuse), of all that `grant` lends.
    pub fn refuse_any(&self, grant: &Grant) -> Option<String> {
        grant.mounts().iter().find_map(|mount| match &mount.source {
            MountSource::Directory(directory) => self.refuse(mount.access, directory),
            MountSource::Memory(_) => None,
        })
    }

    /// Whether nothing can be told any more.
    pub fn has_failed(&self) -> bool {
        self.state().failure.is_some()
    }

    /// Makes a call and tells of it.
    pub fn told<T>(&self, told: &AuditedCall<'_>, call: impl FnOnce() -> Report<T>) -> Report<T> {
        if let Some(failure) = self.state().failure.clone() {
            let outcome = Err(Failure::Storage { failure });
            return Report { outcome, receipt: Receipt::default(), log: Log::default() };
        }
        let mut report = call();
        let result = match &report.outcome {
            Ok(_) => Outcome::Done(Done::Done),
            Err(failure) => Outcome::Failed(FailureClass::from(failure)),
        };
        if let Err(failure) = self.append(&lines(told, result, &report.receipt)) {
            report.outcome = Err(Failure::Storage { failure });
        }
        report
    }

    /// Writes the lines of a call, together, so that those of others do not come between them.
    fn append(&self, lines: &[Line<'_>]) -> Result<(), StorageFailure> {
        let mut bytes = Vec::new();
        let mut state = self.state();
        let written = lines.iter().try_for_each(|line| {
            serde_json::to_writer(&mut bytes, line)?;
            bytes.push(b'\n');
            Ok::<_, io::Error>(())
        });
        let written = written.and_then(|()| append(&mut state.file, &bytes));
        written.map_err(|error| {
            let (operation, path) = ("write the audit log".to_owned(), self.path.display().to_string());
            let failure = StorageFailure { operation, path, reason: error.to_string() };
            state.failure = Some(failure.clone());
            failure
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Appends `bytes`, all or none, so that neither what a writer that was killed left of a line, nor what another process
/// writes meanwhile, spoils a line.
fn append(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    file.lock()?;
    let written = append_locked(file, bytes);
    written.and(file.unlock())
}

fn append_locked(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let length = file.metadata()?.len();
    let mut last = *b"\n";
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    let end = if last == *b"\n" { &[][..] } else { b"\n" };
    let written = file.write_all(&[end, bytes].concat());
    if written.is_err() {
        // Of what remains nobody could make anything.
        let _ = file.set_len(length);
    }
    written
}

/// What is told of a call.
fn lines<'a>(told: &'a AuditedCall<'_>, result: Outcome, receipt: &'a Receipt) -> Vec<Line<'a>> {
    let time = Timestamp::now();
    let line = |operation, decision, subject, rule| Line {
        schema: SCHEMA,
        time,
        run: told.run,
        step: told.step.map(|step| safe_line(step, NAME_BYTES)),
        guest: safe_line(told.guest, NAME_BYTES),
        digest: told.digest,
        function: told.function,
        result,
        operation,
        decision,
        subject,
        bytes: None,
        more: None,
        rule,
    };
    let allowed = |used, subject, rule| line(Tried::Allowed(used), Decision::Allowed, subject, rule);
    let in_mount = |path: &str| mount_of(told.grant, path).map(Because::Allowed);
    let more = |line: Line<'a>, more: u64| (more > 0).then_some(Line { more: Some(more), ..line });
    let mut lines = Vec::new();
    let mut moved = |used, files: &'a Transfers| {
        lines.extend(files.files.iter().map(|file| Line {
            bytes: Some(file.bytes),
            ..allowed(used, Some(file.path.as_str()), in_mount(&file.path))
        }));
        lines.extend(more(allowed(used, None, None), files.unlisted));
    };
    moved(Used::Read, &receipt.read);
    moved(Used::Write, &receipt.written);
    lines.extend(receipt.removed.iter().map(|path| allowed(Used::Remove, Some(path.as_str()), in_mount(path))));
    lines.extend(more(allowed(Used::Remove, None, None), receipt.removed_unlisted));
    if receipt.environment.is_some() {
        let entry = |name: &'a String| {
            allowed(Used::Environment, Some(name.as_str()), Some(Because::Allowed(Allowed::Environment)))
        };
        lines.extend(told.grant.environment().keys().map(entry));
    }
    lines.extend(receipt.denials.list.iter().map(|Denial { operation, subject, rule }| {
        line(Tried::Denied(*operation), Decision::Denied, Some(subject.as_str()), Some(Because::Denied(rule)))
    }));
    lines.extend(more(line(Tried::Any(Any::Any), Decision::Denied, None, None), receipt.denials.unlisted));
    lines
}

/// The mount of `grant` that holds `path`.
fn mount_of<'a>(grant: &'a Grant, path: &str) -> Option<Allowed<'a>> {
    let holds = |mount: &str| path.strip_prefix(mount).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let mount = grant.mounts().iter().find(|mount| holds(mount.guest_path.as_str()))?;
    Some(Allowed::Mount { mount: mount.guest_path.as_str(), access: mount.access, scope: mount.scope })
}

/// The JSON schema of a line.
pub fn schema() -> &'static str {
    include_str!("../audit.schema.json")
}

#[cfg(test)]
mod tests {
    use airlock_sandbox::report::Denials;

    use super::*;

    fn told(grant: &Grant) -> AuditedCall<'_> {
        AuditedCall {
            run: Some("run"),
            step: Some("a step"),
            guest: "lake",
            digest: "sha256:00",
            function: Function::HandleOutput,
            grant,
        }
    }

    fn report() -> Report<()> {
        let denial = Denial { operation: Operation::Read, subject: "/etc/passwd".to_owned(), rule: Rule::NotMounted };
        let denials = Denials { list: vec![denial], unlisted: 3 };
        Report { outcome: Ok(()), receipt: Receipt { denials, ..Receipt::default() }, log: Log::default() }
    }

    #[test]
    fn where_a_line_cannot_be_written_the_call_fails_and_no_other_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let log = AuditLog::open(&folder.path().join("audit.jsonl")).unwrap();
        // What was opened to read takes no line.
        log.state().file = File::open(folder.path().join("audit.jsonl")).unwrap();
        let grant = Grant::default();
        let failed = log.told(&told(&grant), report).outcome.unwrap_err();
        assert!(failed.to_string().starts_with("storage failed: cannot write the audit log "), "{failed}");
        assert!(log.has_failed());
        let second = log.told(&told(&grant), || -> Report<()> { panic!("it was called") });
        assert_eq!(second.outcome, Err(failed));
    }

    #[test]
    fn what_a_killed_writer_left_does_not_spoil_the_next_line_whenever_that_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let log = AuditLog::open(&path).unwrap();
        // Another process was killed once this one had opened the file.
        std::fs::write(&path, "{\"schema\":1,").unwrap();
        let grant = Grant::default();
        log.told(&told(&grant), report).outcome.unwrap();
        let lines = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].ends_with(
            r#""operation":"read","decision":"denied","subject":"/etc/passwd","rule":{"rule":"not-mounted"}}"#
        ));
        assert!(
            lines[2].ends_with(r#""operation":"any","decision":"denied","subject":null,"more":3}"#),
            "{}",
            lines[2]
        );
    }
}
