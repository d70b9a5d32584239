//! What is otherwise than in the lock, in words.

use std::collections::{BTreeMap, BTreeSet};

use airlock_sandbox::grant::{Access, Scope};
use airlock_sandbox::limits::{Bytes, Limits};
use airlock_sandbox::text::{safe_line, sha256};
use serde::Serialize;

use super::{EntrySource, Lock, LockedComponent, LockedGrant, LockedManifest, LockedMount, Reference, Written};
use crate::definitions::quantity;

/// Bytes of a name that are shown.
const NAME_BYTES: usize = 400;

/// Something that is otherwise than it was recorded. Its texts are safe to show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Of what: a component by its file, or its place in the definitions, `io.lake` or `profile.prod.io.lake`.
    pub name: String,
    /// What, in words that go on after the name.
    pub text: String,
    /// Whether the component may touch, or asks for, more than before.
    pub widens: bool,
    /// By which a person says yes to what it is now.
    pub yes: String,
}

impl Change {
    /// Whether it is of the component or the place `name`, as definitions and the lock have it.
    pub fn is_of(&self, name: &str) -> bool {
        self.name == told_apart(name)
    }
}

/// In what `new` differs from `old`: of components, then of what is lent without a profile, then with each. It is empty where
/// they are the same, whatever was accepted.
pub fn compare(old: &Lock, new: &Lock) -> Vec<Change> {
    let mut changes = Vec::new();
    for file in keys(&old.components, &new.components) {
        let mut of = Changes::of(file, new.yes_to_component(file));
        of.component(old.components.get(file), new.components.get(file));
        changes.append(&mut of.list);
    }
    for place in keys(&old.lent, &new.lent) {
        let mut of = Changes::of(place, new.yes_to_lending(None, place));
        of.grant((old, old.lent.get(place)), (new, new.lent.get(place)));
        changes.append(&mut of.list);
    }
    for profile in keys(&old.profile, &new.profile) {
        let name = format!("profile.{profile}");
        let (before, now) = (old.profile.get(profile), new.profile.get(profile));
        let mut of = Changes::of(&name, String::new());
        match (before, now) {
            (Some(_), None) => of.say("is gone"),
            (None, Some(_)) => of.say("is new"),
            _ => {}
        }
        changes.append(&mut of.list);
        let Some(now) = now else { continue };
        let empty = BTreeMap::new();
        for place in keys(before.unwrap_or(&empty), now) {
            let profile = Some(&**profile);
            let mut of = Changes::of(&format!("{name}.{place}"), new.yes_to_lending(profile, place));
            of.grant((old, old.lent(profile, place)), (new, new.lent(profile, place)));
            changes.append(&mut of.list);
        }
    }
    changes
}

/// The keys of both, in order.
fn keys<'a, T>(old: &'a BTreeMap<String, T>, new: &'a BTreeMap<String, T>) -> BTreeSet<&'a String> {
    old.keys().chain(new.keys()).collect()
}

fn shown(name: &str) -> String {
    safe_line(name, NAME_BYTES)
}

/// As [`shown`], with the digest of what is shown otherwise than it is, so that no two are shown alike.
fn told_apart(name: &str) -> String {
    let shown = shown(name);
    if shown == name { shown } else { format!("{shown} {}", sha256(name.as_bytes())) }
}

/// Collects the changes of one name.
struct Changes {
    name: String,
    yes: String,
    list: Vec<Change>,
}

impl Changes {
    fn of(name: &str, yes: String) -> Self {
        Self { name: told_apart(name), yes, list: Vec::new() }
    }

    fn push(&mut self, widens: bool, text: impl Into<String>) {
        self.list.push(Change { name: self.name.clone(), text: text.into(), widens, yes: self.yes.clone() });
    }

    /// Something that widens nothing.
    fn say(&mut self, text: impl Into<String>) {
        self.push(false, text);
    }

    /// Something that widens what a component may touch or asks for.
    fn widen(&mut self, text: impl Into<String>) {
        self.push(true, text);
    }

    /// What is in `new` and not in `old` widens, where `widens` says so; what is gone does not.
    fn sets(
        &mut self,
        (old, new): (&BTreeSet<String>, &BTreeSet<String>),
        widens: bool,
        is_new: impl Fn(&str) -> String,
        is_gone: impl Fn(&str) -> String,
    ) {
        for name in new.difference(old) {
            self.push(widens, is_new(&shown(name)));
        }
        for name in old.difference(new) {
            self.say(is_gone(&shown(name)));
        }
    }

    fn component(&mut self, old: Option<&LockedComponent>, new: Option<&LockedComponent>) {
        let (old, new) = match (old, new) {
            (Some(old), Some(new)) => (old, new),
            (None, Some(new)) => return self.new_component(new),
            (Some(_), None) => return self.say("is not used any more"),
            (None, None) => return,
        };
        if old.digest != new.digest {
            self.say(format!("is another build, {}; it was {}", shown(&new.digest), shown(&old.digest)));
        }
        if old.contract != new.contract {
            let (new, old) = (shown(&new.contract), shown(&old.contract));
            self.say(format!("speaks airlock:io@{new}; it spoke airlock:io@{old}"));
        }
        let ability = |export: &str| match export {
            "output" => "store outputs".to_owned(),
            "input" => "load inputs".to_owned(),
            "op" => "compute".to_owned(),
            other => format!("do {other}"),
        };
        let (can, cannot) =
            (|name: &str| format!("can {}", ability(name)), |name: &str| format!("cannot {} any more", ability(name)));
        self.sets((&old.exports, &new.exports), true, can, cannot);
        self.imports(&old.imports, &new.imports);
        let none = LockedManifest::default();
        self.manifest(old.manifest.as_ref().unwrap_or(&none), new.manifest.as_ref().unwrap_or(&none));
        if old != new && self.list.is_empty() {
            self.widen("is otherwise than it was recorded");
        }
    }

    /// It touches nothing until it is lent something, and that needs a yes.
    fn new_component(&mut self, new: &LockedComponent) {
        self.say(format!("is new, {}", shown(&new.digest)));
        let Some(manifest) = &new.manifest else { return };
        for (path, access) in &manifest.mounts {
            self.say(asked(manifest, path, *access));
        }
        for name in &manifest.environment {
            self.say(format!("asks for the environment entry {}", shown(name)));
        }
    }

    /// Language runtimes import all of WASI, which is empty until something is lent, so that an import widens nothing.
    fn imports(&mut self, old: &BTreeSet<String>, new: &BTreeSet<String>) {
        let interfaces = |names: &BTreeSet<String>| -> BTreeSet<String> {
            names.iter().map(|name| name.split_once('@').map_or(name.as_str(), |(name, _)| name).to_owned()).collect()
        };
        let (before, now) = (interfaces(old), interfaces(new));
        self.sets(
            (&before, &now),
            false,
            |name| format!("imports {name}"),
            |name| format!("does not import {name} any more"),
        );
        if old != new && before == now {
            self.say("imports the same interfaces in other versions");
        }
    }

    fn manifest(&mut self, old: &LockedManifest, new: &LockedManifest) {
        let title = |manifest: &LockedManifest| {
            format!("`{}`", shown(format!("{} {}", manifest.name, manifest.version).trim()))
        };
        if (&old.name, &old.version) != (&new.name, &new.version) {
            self.say(format!("calls itself {}; it called itself {}", title(new), title(old)));
        }
        for path in keys(&old.mounts, &new.mounts) {
            let path_shown = shown(path);
            match (old.mounts.get(path), new.mounts.get(path)) {
                (None, Some(access)) => {
                    self.widen(asked(new, path, *access));
                    continue;
                }
                (Some(_), None) => {
                    self.say(format!("does not ask for the mount {path_shown} any more"));
                    continue;
                }
                (Some(Access::Read), Some(Access::Write)) => {
                    self.widen(format!("asks to write to {path_shown}; it asked to read it"));
                }
                (Some(Access::Write), Some(Access::Read)) => {
                    self.say(format!("asks to read {path_shown}; it asked to write to it"));
                }
                _ => {}
            }
            match (old.whole_mounts.contains(path), new.whole_mounts.contains(path)) {
                (false, true) => {
                    self.widen(format!("asks for all of {path_shown}; it asked for the files of one value"));
                }
                (true, false) => {
                    self.say(format!("asks for the files of one value in {path_shown}; it asked for all of it"));
                }
                _ => {}
            }
        }
        self.sets(
            (&old.environment, &new.environment),
            true,
            |name| format!("asks for the environment entry {name}"),
            |name| format!("does not ask for the environment entry {name} any more"),
        );
        for (whose, old, new) in [
            ("its configuration", &old.config, &new.config),
            ("the configuration of an output", &old.output_config, &new.output_config),
            ("the configuration of an input", &old.input_config, &new.input_config),
        ] {
            self.sets(
                (old, new),
                false,
                |key| format!("takes `{key}` in {whose}"),
                |key| format!("does not take `{key}` in {whose} any more"),
            );
        }
        self.sets(
            (&old.values, &new.values),
            false,
            |value| format!("says that it takes values of the type {value}"),
            |value| format!("does not say any more that it takes values of the type {value}"),
        );
        match (old.many_partitions, new.many_partitions) {
            (false, true) => self.say("stores several partitions in one call"),
            (true, false) => self.say("does not store several partitions in one call any more"),
            _ => {}
        }
    }

    fn grant(&mut self, (before, old): (&Lock, Option<&LockedGrant>), (now, new): (&Lock, Option<&LockedGrant>)) {
        let Some(new) = new else {
            if old.is_some() {
                self.say("is gone");
            }
            return;
        };
        let digest = |lock: &Lock, grant: &LockedGrant| {
            lock.components.get(&grant.component).map(|component| component.digest.clone())
        };
        let component = shown(&new.component);
        match old {
            None => self.widen(format!("is new, with the component {component}")),
            Some(old) if old.component != new.component => {
                // What moved is what it was.
                let is_same = digest(before, old) == digest(now, new);
                self.push(!is_same, format!("has the component {component}; it had {}", shown(&old.component)));
            }
            Some(_) => {}
        }
        let none = LockedGrant::default();
        let is_new = old.is_none();
        let old = old.unwrap_or(&none);
        match (&old.public_key, &new.public_key) {
            (before, now) if before == now => {}
            (None, Some(key)) => self.say(format!("must be signed by {}", shown(key))),
            (Some(key), None) => self.widen(format!("need not be signed any more; it had to be by {}", shown(key))),
            (Some(before), Some(now)) => {
                self.widen(format!("must be signed by {}; it had to be by {}", shown(now), shown(before)));
            }
            (None, None) => {}
        }
        for path in keys(&old.mounts, &new.mounts) {
            self.mount(&shown(path), old.mounts.get(path), new.mounts.get(path));
        }
        for name in keys(&old.environment, &new.environment) {
            self.entry(&shown(name), old.environment.get(name), new.environment.get(name));
        }
        self.sets(
            (&old.told, &new.told),
            true,
            |name| format!("is told ${name} in a configuration or a constant"),
            |name| format!("is not told ${name} any more"),
        );
        for limit in keys(&old.limits, &new.limits) {
            self.limit(limit, old.limits.get(limit), new.limits.get(limit), is_new);
        }
        if old != new && self.list.is_empty() {
            self.widen("is otherwise than it was recorded");
        }
    }

    fn mount(&mut self, path: &str, old: Option<&LockedMount>, new: Option<&LockedMount>) {
        let (old, new) = match (old, new) {
            (Some(old), Some(new)) => (old, new),
            (None, Some(new)) => {
                let access = verb(new.access);
                let scope = if new.scope == Scope::Mount { "all of it" } else { "the files of one value" };
                return self.widen(format!("is lent {path} = {}, to {access}, {scope}", source(new)));
            }
            (Some(_), None) => return self.say(format!("is not lent {path} any more")),
            (None, None) => return,
        };
        if old.path != new.path {
            self.widen(format!("has {} as {path}; it had {}", source(new), source(old)));
        }
        match (old.access, new.access) {
            (Access::Read, Access::Write) => self.widen(format!("may write to {path}; it could only read it")),
            (Access::Write, Access::Read) => self.say(format!("may only read {path}; it could write to it")),
            _ => {}
        }
        match (old.scope, new.scope) {
            (Scope::Output, Scope::Mount) => {
                self.widen(format!("may touch all of {path}; it could touch the files of one value"));
            }
            (Scope::Mount, Scope::Output) => {
                self.say(format!("may touch only the files of one value in {path}; it could touch all of it"));
            }
            _ => {}
        }
    }

    fn entry(&mut self, name: &str, old: Option<&EntrySource>, new: Option<&EntrySource>) {
        let from = |source: &EntrySource| match source {
            EntrySource::Reference(reference) => format!("what {} has", referenced(reference)),
            EntrySource::Definitions(_) => "a text of the definitions".to_owned(),
        };
        match (old, new) {
            (None, Some(new)) => self.widen(format!("is given the environment entry {name}, {}", from(new))),
            (Some(_), None) => self.say(format!("is not given the environment entry {name} any more")),
            (Some(old), Some(new)) if old != new => {
                let is_reference = matches!(new, EntrySource::Reference(_));
                let text = format!("is given {} as the environment entry {name}; it was {}", from(new), from(old));
                self.push(is_reference, text);
            }
            _ => {}
        }
    }

    fn limit(&mut self, limit: &str, old: Option<&Written>, new: Option<&Written>, is_new: bool) {
        if old == new {
            return;
        }
        // What cannot be compared, since the environment says it, may be more.
        let is_more = match (amount(limit, old), amount(limit, new)) {
            (Some(old), Some(new)) => new > old,
            _ => true,
        };
        let (name, now) = (shown(limit), allowed(limit, new));
        let text = if is_new {
            format!("has the limit {name} = {now}")
        } else {
            format!("has the limit {name} = {now}; it was {}", allowed(limit, old))
        };
        self.push(is_more, text);
    }
}

/// That a component asks for a mount, of which its manifest says more.
fn asked(manifest: &LockedManifest, path: &str, access: Access) -> String {
    let all = if manifest.whole_mounts.contains(path) { ", all of it" } else { "" };
    format!("asks for the mount {} to {}{all}", shown(path), verb(access))
}

fn verb(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
    }
}

/// What lies under a mount.
fn source(mount: &LockedMount) -> String {
    mount.path.as_ref().map_or_else(|| "memory".to_owned(), text)
}

fn text(written: &Written) -> String {
    match written {
        Written::Number(number) => number.to_string(),
        Written::Text(text) => shown(text),
        Written::Reference(reference) => referenced(reference),
    }
}

/// `$LAKE`, `$LAKE (data where it is not set)`.
fn referenced(reference: &Reference) -> String {
    let default = reference.default.as_ref().map(|default| format!("{} where it is not set", shown(default)));
    let base = reference.relative_to.as_ref().map(|base| format!("relative to {}", shown(base)));
    let facts: Vec<String> = default.into_iter().chain(base).collect();
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    format!("${}{facts}", shown(&reference.name))
}

/// What a limit allows, in words.
fn allowed(limit: &str, value: Option<&Written>) -> String {
    let limits = Limits::default();
    let unset = match limit {
        _ if value.is_some() => return value.map(text).unwrap_or_default(),
        "memory" => Bytes(limits.memory).to_string(),
        "disk" => Bytes(limits.disk).to_string(),
        "files" => limits.files.to_string(),
        "time" => format!("{}s", limits.time.as_secs()),
        "cpu_time" => format!("{}s", limits.cpu_time.as_secs()),
        _ => return "nothing that is known".to_owned(),
    };
    format!("{unset} (unset)")
}

/// How much a limit allows, in the unit of its kind; what the sandbox allows where it is not set. None where that is not
/// known.
fn amount(limit: &str, value: Option<&Written>) -> Option<u128> {
    let limits = Limits::default();
    match (limit, value) {
        ("memory", None) => Some(limits.memory.into()),
        ("disk", None) => Some(limits.disk.into()),
        ("files", None) => Some(limits.files.into()),
        ("time", None) => Some(limits.time.as_millis()),
        ("cpu_time", None) => Some(limits.cpu_time.as_millis()),
        ("memory" | "disk", Some(Written::Text(text))) => quantity::size(text).map(u128::from),
        ("time" | "cpu_time", Some(Written::Text(text))) => quantity::time(text).map(|time| time.as_millis()),
        ("files", Some(Written::Number(number))) => u128::try_from(*number).ok(),
        _ => None,
    }
}
