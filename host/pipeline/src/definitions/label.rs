//! Reads what an asset is listed and selected by: its group, owners, tags and kinds.

use std::collections::BTreeMap;

use super::Position;
use super::asset::{NAME_RULE, is_name};
use super::fields::{Fields, Problems, text};
use super::tree::Entry;

/// Characters of a part of a tag and of a kind, at most.
const LABEL_CHARACTERS: usize = 63;
/// Kinds of an asset, at most.
const KINDS: usize = 3;
const CHARACTERS: &str = "63 of the characters A-Z, a-z, 0-9, `_`, `-` and `.`";

/// What an asset is listed and selected by.
pub(super) struct Labels {
    pub group: Option<String>,
    pub owners: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub kinds: Vec<String>,
}

/// The labels among the keys of the asset `fields`.
pub(super) fn read(fields: &Fields<'_>, problems: &Problems) -> Labels {
    let group = fields.text("group").map(|(text, position)| {
        if !is_name(text) {
            problems.at(position, format!("the group {text:?} {NAME_RULE}"));
        }
        text.to_owned()
    });
    let owners = distinct(fields, "owners", problems, |owner, position| {
        if !is_owner(owner) {
            let message = format!("the owner {owner:?} is neither an e-mail address nor `team:` and a name");
            problems.at(position, message);
        }
    });
    let kinds = distinct(fields, "kinds", problems, |kind, position| {
        if kind.is_empty() || !is_label(kind) {
            problems.at(position, format!("the kind {kind:?} is not 1 to {CHARACTERS}"));
        }
    });
    if let (Some(entry), true) = (fields.get("kinds"), kinds.len() > KINDS) {
        problems.at(&entry.position, format!("{} has more than {KINDS} kinds", fields.what));
    }
    let tags = fields.named("tags").iter().filter_map(|entry| tag(entry, problems)).collect();
    Labels { group, owners, tags, kinds }
}

fn distinct(fields: &Fields<'_>, key: &str, problems: &Problems, check: impl Fn(&str, &Position)) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (text, position) in fields.texts(key) {
        check(text, position);
        if all.iter().any(|other| other == text) {
            problems.at(position, format!("`{key}` names {text:?} twice"));
        } else {
            all.push(text.to_owned());
        }
    }
    all
}

fn tag(entry: &Entry, problems: &Problems) -> Option<(String, String)> {
    let mut parts = entry.key.splitn(2, '/');
    if !parts.all(|part| !part.is_empty() && is_label(part)) {
        let message =
            format!("the tag {:?} is not 1 to {CHARACTERS}, nor two such names with a `/` between them", entry.key);
        problems.at(&entry.position, message);
    }
    let what = format!("the tag `{}`", entry.key);
    let (value, position) = text(&entry.node, &what, problems)?;
    if !is_label(value) {
        problems.at(position, format!("the value {value:?} of {what} is not at most {CHARACTERS}"));
    }
    Some((entry.key.clone(), value.to_owned()))
}

fn is_label(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.len() <= LABEL_CHARACTERS && text.bytes().all(allowed)
}

/// Whether `text` is an e-mail address, as far as that can be told, or `team:` and a name.
fn is_owner(text: &str) -> bool {
    if let Some(team) = text.strip_prefix("team:") {
        return is_name(team);
    }
    let Some((mailbox, domain)) = text.split_once('@') else { return false };
    let in_mailbox = |byte: u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte);
    let is_host =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    !mailbox.is_empty() && mailbox.bytes().all(in_mailbox) && domain.contains('.') && domain.split('.').all(is_host)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{definitions, messages};

    #[test]
    fn labels_are_read() {
        let definitions = definitions(
            r#"
            [assets.a]
            command = ["x"]
            type = "none"
            owners = ["team:weather", "some.one+x@example.org"]
            tags = { priority = "high", pii = "", "team/cost" = "4.2" }
            kinds = ["python", "parquet"]
            "#,
        );
        let shown = serde_json::to_value(definitions.asset("a").unwrap()).unwrap();
        assert_eq!(shown["owners"], serde_json::json!(["team:weather", "some.one+x@example.org"]));
        assert_eq!(shown["tags"], serde_json::json!({ "pii": "", "priority": "high", "team/cost": "4.2" }));
        assert_eq!(shown["kinds"], serde_json::json!(["python", "parquet"]));
    }

    #[test]
    fn what_is_no_label_is_a_mistake() {
        let long = "x".repeat(64);
        for (key, expected) in [
            (r#"owners = ["weather"]"#, r#"the owner "weather" is neither an e-mail address nor `team:` and a name"#),
            (r#"owners = ["team:"]"#, r#"the owner "team:" is neither an e-mail address nor `team:` and a name"#),
            (r#"owners = ["a@b"]"#, r#"the owner "a@b" is neither an e-mail address nor `team:` and a name"#),
            (r#"owners = ["team:a", "team:a"]"#, r#"`owners` names "team:a" twice"#),
            (r#"kinds = ["a", "b", "c", "d"]"#, "the asset `a` has more than 3 kinds"),
            (r#"kinds = [""]"#, "the kind \"\" is not 1 to 63 of the characters A-Z, a-z, 0-9, `_`, `-` and `.`"),
            (
                r#"tags = { "a b" = "x" }"#,
                "the tag \"a b\" is not 1 to 63 of the characters A-Z, a-z, 0-9, `_`, `-` and `.`, nor two such names \
                 with a `/` between them",
            ),
            (
                r#"tags = { a = "x y" }"#,
                "the value \"x y\" of the tag `a` is not at most 63 of the characters A-Z, a-z, 0-9, `_`, `-` and `.`",
            ),
            (r"tags = { a = 1 }", "the tag `a` is a text, and this is an integer"),
            (
                &format!("tags = {{ a = \"{long}\" }}"),
                &format!(
                    "the value \"{long}\" of the tag `a` is not at most 63 of the characters A-Z, a-z, 0-9, `_`, `-` and `.`"
                ),
            ),
        ] {
            let text = format!("[assets.a]\ncommand = [\"x\"]\ntype = \"none\"\n{key}\n");
            assert_eq!(messages(&text), [expected], "{key}");
        }
    }
}
