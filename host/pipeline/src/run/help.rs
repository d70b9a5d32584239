//! What to do about a failure: the lines that would allow what was denied, and the limit to raise.

use std::collections::HashSet;

use airlock_sandbox::grant::{Access, Scope};
use airlock_sandbox::layout::Location;
use airlock_sandbox::limits::{Limit, LimitExceeded};
use airlock_sandbox::remedy::MountRemedy;
use airlock_sandbox::report::{Denial, Operation, Rule};

use super::lend::Lent;
use crate::definitions::{MountPath, Setting, quoted};

/// What would allow `denials` of a call that loads the values at `locations`, or stores them, at most `limit` remedies, each once.
pub(super) fn allow_all(
    denials: &[&Denial],
    locations: &[Location],
    stores: bool,
    lent: &Lent,
    limit: usize,
) -> Vec<String> {
    let mounts = MountRemedy::of_all(denials.iter().copied(), locations, stores);
    // Of two denials with one remedy the first is told.
    let remedy = |help: &str| help.split_once('\n').map_or_else(|| help.to_owned(), |(_, lines)| lines.to_owned());
    let mut remedies = HashSet::new();
    let all = denials.iter().map(|denial| {
        let own = MountRemedy::of(denial, locations, stores);
        let mount = own.and_then(|own| mounts.iter().find(|mount| mount.guest_path == own.guest_path));
        allow(denial, mount, lent)
    });
    all.filter(|help| remedies.insert(remedy(help))).take(limit).collect()
}

/// What would allow `denial`: a sentence, and the lines to add to the definitions, or to change in them, where lending
/// `mount` is what would.
fn allow(denial: &Denial, mount: Option<&MountRemedy>, lent: &Lent) -> String {
    let lines = mount.map(|mount| format!(":\n{}\n{}", lent.table, mount_line(mount, lent))).unwrap_or_default();
    let tried = match denial.operation {
        Operation::Read => format!("read {}", denial.subject),
        Operation::Write => format!("write {}", denial.subject),
        Operation::Link => format!("link {}", denial.subject),
        Operation::Network => format!("reach the network by {}", denial.subject),
    };
    match &denial.rule {
        Rule::NotMounted if mount.is_none() => format!("nothing lets it {tried}: it is no directory that can be lent"),
        Rule::NotMounted => format!("to let it {tried}, name the directory to lend{lines}"),
        Rule::ReadOnly { loading: false, .. } => format!("to let it {tried}{lines}"),
        Rule::OutOfScope { .. } => {
            format!("to let it {tried}, lend the whole directory instead of the paths of one output{lines}")
        }
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

/// `mounts."/data" = { path = "data", access = "read" }`: the mount as it is lent and as `remedy` wants it.
fn mount_line(remedy: &MountRemedy, lent: &Lent) -> String {
    let mut remedy = remedy.clone();
    let lent_so_far = lent.definition.mounts.iter().find(|mount| mount.guest_path == remedy.guest_path);
    let source = match lent_so_far.map(|mount| &mount.source) {
        Some(MountPath::Directory(path)) => format!("path = {}", toml_setting(path)),
        Some(MountPath::Memory) => "memory = true".to_owned(),
        None => "path = \"…\"".to_owned(),
    };
    if let Some(mount) = lent_so_far {
        remedy.widen(mount.access, mount.scope);
    }
    let access = if remedy.access == Access::Read { "read" } else { "write" };
    // To an op a mount is lent whole.
    let scope = if remedy.scope == Scope::Mount && !lent.is_op { ", scope = \"mount\"" } else { "" };
    format!("mounts.{} = {{ {source}, access = \"{access}\"{scope} }}", quoted(remedy.guest_path.as_str()))
}

fn toml_setting(setting: &Setting) -> String {
    match setting {
        Setting::Environment(reference) => format!("{{ \"$env\" = {} }}", quoted(&reference.name)),
        other => quoted(&other.shown()),
    }
}

#[cfg(test)]
mod tests {
    use airlock_sandbox::{Sandbox, Settings};

    use super::*;
    use crate::config_check::ConfigCheck;
    use crate::definitions::tests::definitions;
    use crate::definitions::{Deciding, Environment};
    use crate::home::Home;
    use crate::run::lend::{Components, Lender, MemoryDirectories};

    fn lent() -> Lent {
        let definitions = definitions(
            r#"
            [io."my.lake"]
            component = "builtin:files"
            mounts."/data" = { path = "data", access = "read" }
            mounts."/tmp" = { memory = true, access = "write" }
            mounts."/env" = { path = { "$env" = "LAKE" } }
            "#,
        );
        let mut lender = Lender {
            home: &Home::at("/nowhere/.airlock"),
            deciding: &Deciding::default(),
            audit: None,
            environment: &Environment::from_iter([("LAKE", "/nowhere/lake")]),
            memory: &MemoryDirectories::default(),
            components: &Components::default(),
            sandbox: &Sandbox::new(&Settings::default()).unwrap(),
            builtins: &[],
            is_called: true,
            refused: None,
            configs: ConfigCheck::new(None),
            problems: Vec::new(),
        };
        let manager = definitions.io_manager("my.lake").unwrap();
        lender.lend_manager("my.lake", &manager.component).unwrap()
    }

    fn denied(operation: Operation, subject: &str, rule: Rule) -> String {
        let denial = Denial { operation, subject: subject.to_owned(), rule };
        allow_all(&[&denial], &[Location::asset(&["notes", "today"])], false, &lent(), 1).remove(0)
    }

    #[test]
    fn a_denial_ends_with_the_lines_that_would_allow_it() {
        let read_only = |mount: &str| Rule::ReadOnly { mount: mount.to_owned(), loading: false };
        let out_of_scope = |mount: &str| Rule::OutOfScope { mount: mount.to_owned(), scope: "a".to_owned() };
        for (operation, subject, rule, line) in [
            (
                Operation::Read,
                "/etc/passwd",
                Rule::NotMounted,
                r#"mounts."/etc" = { path = "…", access = "read", scope = "mount" }"#,
            ),
            (
                Operation::Write,
                "/lake/notes/today.txt",
                Rule::NotMounted,
                r#"mounts."/lake" = { path = "…", access = "write" }"#,
            ),
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
            assert!(help.ends_with(&format!(":\n[io.\"my.lake\"]\n{line}")), "{help}");
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
        let denials: Vec<&Denial> = denials.iter().collect();
        let help = allow_all(&denials, &[], false, &lent(), 4);
        assert_eq!(help.len(), 2, "{help:?}");
        assert!(help[0].starts_with("to let it read /etc/passwd, "), "{help:?}");
        assert_eq!(allow_all(&denials, &[], false, &lent(), 1).len(), 1);
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
            assert_eq!(help, format!("to allow more:\n[io.\"my.lake\"]\n{line}"));
        }
        assert_eq!(raise(&LimitExceeded::new(Limit::Handles, 1), &lent), None);
    }

    #[test]
    fn a_text_that_a_guest_chose_stays_one_toml_string() {
        let help = denied(Operation::Read, "/a\"b\tc/d", Rule::NotMounted);
        assert!(help.ends_with(r#"mounts."/a\"b\tc" = { path = "…", access = "read", scope = "mount" }"#), "{help}");
    }
}
