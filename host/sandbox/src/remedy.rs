//! The mounts that would allow what was denied.

use crate::grant::{Access, GuestPath, Scope};
use crate::layout::Location;
use crate::mount::{CallScope, Place};
use crate::report::{Denial, Operation, Rule};

/// A mount that would allow what was denied: a new one, or one that is lent less widely.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountRemedy {
    /// Where the guest sees it.
    pub guest_path: GuestPath,
    /// The access that it needs at least.
    pub access: Access,
    /// The scope that it needs at least.
    pub scope: Scope,
}

impl MountRemedy {
    /// The mount that would allow `denial` of a call that loads the values at `locations`, or stores them; none where no
    /// mount would, or where what leads out of a mount is no path that could be lent.
    pub fn of(denial: &Denial, locations: &[Location], stores: bool) -> Option<Self> {
        let mount = |guest_path: &str, access, scope| {
            GuestPath::new(guest_path).ok().map(|guest_path| Self { guest_path, access, scope })
        };
        match &denial.rule {
            Rule::NotMounted => {
                let (guest_path, below) = split_first(&denial.subject)?;
                // A value is looked for at its place below a mount, so what lies elsewhere is some other file.
                let scope = match CallScope::new(Scope::Output, locations).place(below) {
                    Place::Inside | Place::Above => Scope::Output,
                    Place::Outside => Scope::Mount,
                };
                // Who stores a value may look first whether one is there.
                let is_written = denial.operation != Operation::Read || (stores && scope == Scope::Output);
                let access = if is_written { Access::Write } else { Access::Read };
                mount(guest_path, access, scope)
            }
            Rule::ReadOnly { mount: guest_path, loading: false } => mount(guest_path, Access::Write, Scope::Output),
            Rule::OutOfScope { mount: guest_path, .. } => mount(guest_path, Access::Read, Scope::Mount),
            Rule::ReadOnly { loading: true, .. }
            | Rule::Escape { .. }
            | Rule::Reserved
            | Rule::NotAFile
            | Rule::NoNetwork => None,
        }
    }

    /// The mounts that would together allow `denials`, each guest path once.
    pub fn of_all<'a>(
        denials: impl IntoIterator<Item = &'a Denial>,
        locations: &[Location],
        stores: bool,
    ) -> Vec<Self> {
        let mut mounts: Vec<Self> = Vec::new();
        for mount in denials.into_iter().filter_map(|denial| Self::of(denial, locations, stores)) {
            match mounts.iter_mut().find(|other| other.guest_path == mount.guest_path) {
                Some(other) => other.widen(mount.access, mount.scope),
                None => mounts.push(mount),
            }
        }
        mounts
    }

    /// Allows also what `access` and `scope` do.
    pub fn widen(&mut self, access: Access, scope: Scope) {
        if access == Access::Write {
            self.access = access;
        }
        if scope == Scope::Mount {
            self.scope = scope;
        }
    }
}

/// `/data/a/b` as `/data` and `a/b`.
fn split_first(path: &str) -> Option<(&str, &str)> {
    let (first, rest) = path.strip_prefix('/')?.split_once('/').unwrap_or((path.strip_prefix('/')?, ""));
    path.get(..=first.len()).map(|guest| (guest, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(operation: Operation, subject: &str, rule: Rule) -> Denial {
        Denial { operation, subject: subject.to_owned(), rule }
    }

    fn remedy(operation: Operation, subject: &str, rule: Rule) -> Option<(String, Access, Scope)> {
        let locations = [Location::asset(&["notes", "today"])];
        let remedy = MountRemedy::of(&denial(operation, subject, rule), &locations, false)?;
        Some((remedy.guest_path.to_string(), remedy.access, remedy.scope))
    }

    #[test]
    fn the_mount_of_a_value_is_lent_for_the_value_alone_and_that_of_another_file_whole() {
        for (operation, subject, expected) in [
            (Operation::Write, "/data/notes/today.txt", ("/data", Access::Write, Scope::Output)),
            (Operation::Read, "/data/notes/today.d/0", ("/data", Access::Read, Scope::Output)),
            (Operation::Read, "/data/notes", ("/data", Access::Read, Scope::Output)),
            (Operation::Read, "/data", ("/data", Access::Read, Scope::Output)),
            (Operation::Read, "/data/lake/notes/today.txt", ("/data", Access::Read, Scope::Mount)),
            (Operation::Read, "/etc/passwd", ("/etc", Access::Read, Scope::Mount)),
        ] {
            let expected = Some((expected.0.to_owned(), expected.1, expected.2));
            assert_eq!(remedy(operation, subject, Rule::NotMounted), expected, "{subject}");
        }
        assert_eq!(remedy(Operation::Read, "/", Rule::NotMounted), None);
        assert_eq!(remedy(Operation::Network, "a TCP socket", Rule::NoNetwork), None);
    }

    #[test]
    fn who_stores_a_value_and_looks_first_whether_one_is_there_needs_to_write() {
        let access = |subject: &str| {
            let denied = denial(Operation::Read, subject, Rule::NotMounted);
            MountRemedy::of(&denied, &[Location::asset(&["a"])], true).unwrap().access
        };
        assert_eq!([access("/data/a.txt"), access("/etc/passwd")], [Access::Write, Access::Read]);
    }

    #[test]
    fn denials_of_one_mount_have_one_remedy() {
        let read_only = Rule::ReadOnly { mount: "/data".to_owned(), loading: false };
        let out_of_scope = Rule::OutOfScope { mount: "/data".to_owned(), scope: "a".to_owned() };
        let denials = [
            denial(Operation::Write, "/data/a.txt", read_only),
            denial(Operation::Read, "/data/b.txt", out_of_scope),
            denial(Operation::Read, "/tmp/x", Rule::NotMounted),
        ];
        let mounts = MountRemedy::of_all(&denials, &[Location::asset(&["a"])], false);
        let mounts: Vec<_> =
            mounts.iter().map(|mount| (mount.guest_path.as_str(), mount.access, mount.scope)).collect();
        assert_eq!(mounts, [("/data", Access::Write, Scope::Mount), ("/tmp", Access::Read, Scope::Mount)]);
    }
}
