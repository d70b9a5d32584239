//! What to do about a failure: the lines that would allow what was denied, and the limit to raise.

use std::collections::HashSet;

use airlock_sandbox::grant::{Access, Scope};
use airlock_sandbox::limits::{Limit, LimitExceeded};
use airlock_sandbox::report::{Denial, Operation, Rule};

use super::lend::Lent;
use crate::definitions::{Mount, MountPath, Setting};

/// What would allow `denials`, at most `limit` remedies, each once.
pub(super) fn allow_all<'a>(denials: impl Iterator<Item = &'a Denial>, lent: &Lent, limit: usize) -> Vec<String> {
    // Of two denials with one remedy the first is told.
    let remedy = |help: &str| help.split_once('\n').map_or_else(|| help.to_owned(), |(_, lines)| lines.to_owned());
    let mut remedies = HashSet::new();
    let all = denials.map(|denial| allow(denial, lent));
    all.filter(|help| remedies.insert(remedy(help))).take(limit).collect()
}

/// What would allow `denial`: a sentence, and the lines to add to the definitions where there are some.
pub(super) fn allow(denial: &Denial, lent: &Lent) -> String {
    let mount_of =
        |guest_path: &str| lent.definition.mounts.iter().find(|mount| mount.guest_path.as_str() == guest_path);
    let lines = |mount: String| format!("{}\n{mount}", lent.table);
    let tried = match denial.operation {
        Operation::Read => format!("read {}", denial.subject),
        Operation::Write => format!("write {}", denial.subject),
        Operation::Link => format!("link {}", denial.subject),
        Operation::Network => format!("reach the network by {}", denial.subject),
    };
    match &denial.rule {
        Rule::NotMounted => {
            let access = if denial.operation == Operation::Read { Access::Read } else { Access::Write };
            let line = mount_line(&directory_of(&denial.subject), "\"…\"", access, None);
            format!("to let it {tried}, name the directory to lend:\n{}", lines(line))
        }
        Rule::ReadOnly { mount, loading: false } => match mount_of(mount) {
            Some(mount) => {
                let scope = if lent.is_op { Scope::Output } else { mount.scope };
                format!("to let it {tried}:\n{}", lines(changed(mount, Access::Write, scope)))
            }
            None => format!("to let it {tried}, lend {mount} with access = \"write\" in {}", lent.table),
        },
        Rule::OutOfScope { mount, .. } => match mount_of(mount) {
            Some(mount) => format!(
                "to let it {tried}, lend the whole directory instead of the paths of one output:\n{}",
                lines(changed(mount, mount.access, Scope::Mount))
            ),
            None => format!("to let it {tried}, lend {mount} with scope = \"mount\" in {}", lent.table),
        },
        Rule::Escape { mount } => {
            format!(
                "nothing leads out of {mount}; to let it {tried}, lend the directory that holds it as a mount of its own in {}",
                lent.table
            )
        }
        Rule::ReadOnly { loading: true, .. } => {
            format!("nothing lets it {tried}: an I/O manager only reads while it loads")
        }
        Rule::Reserved => format!("nothing lets it {tried}: that is Airlock's own"),
        Rule::NotAFile => format!("nothing lets it {tried}: links, FIFOs, devices and sockets are never lent"),
        Rule::NoNetwork => format!("nothing lets it {tried}: the network is never lent"),
    }
}

/// The lines that raise the limit, where a definition sets it.
pub(super) fn raise(exceeded: &LimitExceeded, lent: &Lent) -> Option<String> {
    let setting = exceeded.limit.setting()?;
    let doubled = exceeded.allowed.saturating_mul(2);
    let value = match exceeded.limit {
        Limit::Memory | Limit::Disk => format!("\"{}\"", size(doubled)),
        Limit::Time | Limit::CpuTime => format!("\"{}s\"", doubled.div_ceil(1000)),
        _ => doubled.to_string(),
    };
    Some(format!("to allow more:\n{}\nlimits.{setting} = {value}", lent.table))
}

fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = units.iter().find(|(shift, _)| bytes.is_multiple_of(1 << shift) && bytes >> shift > 0);
    whole.map_or_else(|| format!("{bytes}B"), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

/// The directory to lend so that `subject` can be reached: the one that holds it, or itself below `/`.
fn directory_of(subject: &str) -> String {
    match subject.rsplit_once('/') {
        Some((directory, _)) if !directory.is_empty() => directory.to_owned(),
        _ => subject.to_owned(),
    }
}

fn changed(mount: &Mount, access: Access, scope: Scope) -> String {
    let scope = (scope != Scope::Output).then_some(scope);
    match &mount.source {
        MountPath::Directory(path) => mount_line(mount.guest_path.as_str(), &toml_setting(path), access, scope),
        MountPath::Memory => mount_line(mount.guest_path.as_str(), "", access, scope),
    }
}

/// `mounts."/data" = { path = "data", access = "read" }`; in memory where `path` is empty.
fn mount_line(guest_path: &str, path: &str, access: Access, scope: Option<Scope>) -> String {
    let source = if path.is_empty() { "memory = true".to_owned() } else { format!("path = {path}") };
    let access = if access == Access::Read { "read" } else { "write" };
    let scope = if scope == Some(Scope::Mount) { ", scope = \"mount\"" } else { "" };
    format!("mounts.{} = {{ {source}, access = \"{access}\"{scope} }}", quoted(guest_path))
}

fn toml_setting(setting: &Setting) -> String {
    match setting {
        Setting::Environment(reference) => format!("{{ \"$env\" = {} }}", quoted(&reference.name)),
        other => quoted(&other.shown()),
    }
}

/// `text` as a TOML string; a JSON string is one.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// `name` as a TOML key: bare where it can be.
pub(super) fn toml_key(name: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !name.is_empty() && name.bytes().all(is_bare) { name.to_owned() } else { quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::Environment;
    use crate::definitions::tests::definitions;
    use crate::home::Home;
    use crate::run::lend::{Components, Lender, MemoryDirectories};

    fn lent() -> Lent {
        let definitions = definitions(
            r#"
            [io."my lake"]
            component = "builtin:files"
            mounts."/data" = { path = "data", access = "read" }
            mounts."/tmp" = { memory = true, access = "write" }
            mounts."/env" = { path = { "$env" = "LAKE" } }
            "#,
        );
        let mut lender = Lender {
            home: &Home::at("/nowhere/.airlock"),
            deciding: &[],
            environment: &Environment::from_iter([("LAKE", "/nowhere/lake")]),
            memory: &MemoryDirectories::default(),
            components: &Components::default(),
            problems: Vec::new(),
        };
        let manager = definitions.io_manager("my lake").unwrap();
        lender.lend("my lake", false, &manager.component).unwrap()
    }

    fn denied(operation: Operation, subject: &str, rule: Rule) -> String {
        allow(&Denial { operation, subject: subject.to_owned(), rule }, &lent())
    }

    #[test]
    fn a_denial_ends_with_the_lines_that_would_allow_it() {
        let read_only = |mount: &str| Rule::ReadOnly { mount: mount.to_owned(), loading: false };
        let out_of_scope = |mount: &str| Rule::OutOfScope { mount: mount.to_owned(), scope: "a".to_owned() };
        for (operation, subject, rule, line) in [
            (Operation::Read, "/etc/passwd", Rule::NotMounted, r#"mounts."/etc" = { path = "…", access = "read" }"#),
            (Operation::Write, "/x", Rule::NotMounted, r#"mounts."/x" = { path = "…", access = "write" }"#),
            (
                Operation::Write,
                "/data/a",
                read_only("/data"),
                r#"mounts."/data" = { path = "data", access = "write" }"#,
            ),
            (
                Operation::Write,
                "/env/a",
                read_only("/env"),
                r#"mounts."/env" = { path = { "$env" = "LAKE" }, access = "write" }"#,
            ),
            (
                Operation::Read,
                "/tmp/b",
                out_of_scope("/tmp"),
                r#"mounts."/tmp" = { memory = true, access = "write", scope = "mount" }"#,
            ),
        ] {
            let help = denied(operation, subject, rule);
            assert!(help.ends_with(&format!(":\n[io.\"my lake\"]\n{line}")), "{help}");
        }
    }

    #[test]
    fn denials_with_one_remedy_have_it_once() {
        let denial = |subject: &str, rule| Denial { operation: Operation::Read, subject: subject.to_owned(), rule };
        let denials = [
            denial("/etc/passwd", Rule::NotMounted),
            denial("/etc/shadow", Rule::NotMounted),
            denial("a socket", Rule::NoNetwork),
            denial("/etc/passwd", Rule::NotMounted),
        ];
        let help = allow_all(denials.iter(), &lent(), 4);
        assert_eq!(help.len(), 2, "{help:?}");
        assert!(help[0].starts_with("to let it read /etc/passwd, "), "{help:?}");
        assert_eq!(allow_all(denials.iter(), &lent(), 1).len(), 1);
    }

    #[test]
    fn what_nothing_allows_says_so() {
        let loading = Rule::ReadOnly { mount: "/data".to_owned(), loading: true };
        for rule in [loading, Rule::Reserved, Rule::NotAFile, Rule::NoNetwork] {
            let help = denied(Operation::Write, "/data/a", rule);
            assert!(help.starts_with("nothing lets it write /data/a: "), "{help}");
        }
    }

    #[test]
    fn a_limit_that_was_reached_ends_with_the_line_that_raises_it() {
        let lent = lent();
        for (limit, allowed, line) in [
            (Limit::Memory, 64 << 20, "limits.memory = \"128MiB\""),
            (Limit::Disk, 1000, "limits.disk = \"2000B\""),
            (Limit::Time, 1500, "limits.time = \"3s\""),
            (Limit::CpuTime, 60_000, "limits.cpu_time = \"120s\""),
            (Limit::Files, 10, "limits.files = 20"),
        ] {
            let help = raise(&LimitExceeded::new(limit, allowed), &lent).unwrap();
            assert_eq!(help, format!("to allow more:\n[io.\"my lake\"]\n{line}"));
        }
        assert_eq!(raise(&LimitExceeded::new(Limit::Handles, 1), &lent), None);
    }

    #[test]
    fn a_text_that_a_guest_chose_stays_one_toml_string() {
        let help = denied(Operation::Read, "/a\"b\\c/d", Rule::NotMounted);
        assert!(help.ends_with(r#"mounts."/a\"b\\c" = { path = "…", access = "read" }"#), "{help}");
    }
}
