//! Checks templates, and has each mistake in one reported once, however many assets are made from it.

use std::collections::HashSet;
use std::sync::Arc;

use super::asset::{self, NAME_RULE, is_name};
use super::fields::Problems;
use super::known::Known;
use super::tree::{Entry, Tree};
use super::{Diagnostic, keys};

/// Checks `templates` as far as they can be checked before an asset is made from them.
pub(super) fn check(templates: &[Entry], known: &Known<'_>, problems: &Problems) {
    for template in templates {
        if !is_name(&template.key) {
            problems.at(&template.position, format!("the name of the template {:?} {NAME_RULE}", template.key));
        }
        let found = Problems::default();
        asset::read(template, &format!("the template `{}`", template.key), keys::TEMPLATE, None, known, &found);
        // What a template lacks, the assets may have.
        let is_of_whole =
            |problem: &Diagnostic| problem.position.as_ref().is_some_and(|position| position.is_at(&template.position));
        for problem in found.into_list().into_iter().filter(|problem| !is_of_whole(problem)) {
            problems.push(problem);
        }
    }
}

/// `problems`, with one for each place in `templates`, or in ops: the first.
pub(super) fn once(mut problems: Vec<Diagnostic>, templates: &[Entry]) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    problems.retain(|problem| match &problem.position {
        Some(place) if templates.iter().any(|template| template.node.holds(place)) => {
            seen.insert((Arc::as_ptr(&place.source), place.start))
        }
        _ => true,
    });
    problems
}

/// A warning for each of `templates` that none of `assets` is made from.
pub(super) fn unused(templates: &[Entry], assets: &[Entry]) -> Vec<Diagnostic> {
    let named = assets.iter().filter_map(|asset| match &asset.node.get("template")?.node.tree {
        Tree::Text(name) => Some(name.as_str()),
        _ => None,
    });
    let used: HashSet<&str> = named.collect();
    let unused = templates.iter().filter(|template| !used.contains(template.key.as_str()));
    let warning = |template: &Entry| {
        Diagnostic::at(&template.position, format!("no asset is made from the template `{}`", template.key))
    };
    unused.map(warning).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Project, definitions, messages, mistakes};
    use super::super::{Form, Setting, ValueType};

    const HEAD: &str = "defaults.io = \"lake\"\nio.lake.component = \"builtin:files\"\n";

    #[test]
    fn an_asset_is_merged_over_its_template_and_a_profile_over_both() {
        let text = format!(
            r#"{HEAD}
            [templates.daily]
            type = "table"
            as = "parquet"
            group = "daily"
            tags = {{ tier = "1", source = "met" }}
            config = {{ level = 1, depth = 1 }}
            metadata = {{ owner = "met" }}
            [assets.plain]
            template = "daily"
            command = ["x"]
            [assets.other]
            template = "daily"
            command = ["y"]
            as = "csv"
            tags = {{ tier = "2" }}
            config.level = 2
            [profile.prod.assets.other]
            group = "prod"
            tags.source = "none"
            "#
        );
        let project = Project::new(&[("airlock.toml", &text)]);
        let definitions = project.read(None).unwrap();
        let plain = definitions.asset("plain").unwrap();
        assert_eq!((plain.output.value_type, plain.output.form), (ValueType::Table, Some(Form::Parquet)));
        assert_eq!(plain.group.as_deref(), Some("daily"));
        assert_eq!(plain.output.metadata.len(), 1);
        let other = definitions.asset("other").unwrap();
        assert_eq!(other.output.form, Some(Form::Csv));
        assert_eq!((&*other.tags["tier"], &*other.tags["source"]), ("2", "met"));
        let expected = [("depth".to_owned(), Setting::Integer(1)), ("level".to_owned(), Setting::Integer(2))];
        assert_eq!(other.output.config.as_ref().unwrap().setting, Setting::Table(expected.into()));
        let prod = project.read(Some("prod")).unwrap();
        let other = prod.asset("other").unwrap();
        assert_eq!((other.group.as_deref(), &*other.tags["tier"], &*other.tags["source"]), (Some("prod"), "2", "none"));
    }

    #[test]
    fn templates_may_stand_in_another_file() {
        let project = Project::new(&[
            ("airlock.toml", "include = [\"t.toml\"]\nassets.a = { template = \"t\", command = [\"x\"] }\n"),
            ("t.toml", "templates.t = { type = \"none\" }\n"),
        ]);
        assert_eq!(project.read(None).unwrap().asset("a").unwrap().output.value_type, ValueType::None);
    }

    #[test]
    fn a_mistake_in_a_template_is_reported_once_and_at_the_template() {
        let text = format!(
            r#"{HEAD}
[templates.daily]
type = "tabel"
color = "red"
[assets.a]
template = "daily"
command = ["x"]
[assets.b]
template = "daily"
command = ["x"]
"#
        );
        let expected = "error: `tabel` is not one of the values of `type`
 --> airlock.toml:5:8
  |
5 | type = \"tabel\"
  |        ^^^^^^^
  = help: did you mean `table`?

error: the template `daily` has no key `color`
 --> airlock.toml:6:1
  |
6 | color = \"red\"
  | ^^^^^
";
        assert_eq!(mistakes(&text), expected);
    }

    #[test]
    fn what_is_wrong_about_the_use_of_a_template_is_said_where_it_is_used() {
        for (text, expected) in [
            (
                "templates.daily = {}\nassets.a = { template = \"dayli\", command = [\"x\"], type = \"none\" }",
                "there is no template `dayli`",
            ),
            ("templates.a = { template = \"b\" }\ntemplates.b = {}", "the template `a` has no key `template`"),
            ("templates.a = { type = \"none\" }\nassets.a = { template = \"a\" }", "the asset `a` lacks `command`"),
            (
                "templates.\"a b\" = {}",
                "the name of the template \"a b\" has other characters than letters, digits, `_`, `-` and `.`",
            ),
            ("templates.a = 3", "the template `a` is a table, and this is an integer"),
            (
                "templates.a = { type = \"none\" }\nassets.a = { command = [\"x\"], type = \"none\" }\n\
                 profile.p.assets.a.template = \"a\"",
                "a profile cannot change the template of an asset, which is merged before it",
            ),
            ("profile.p.templates = {}", "the profile `p` has no key `templates`"),
        ] {
            assert_eq!(messages(text), [expected], "{text}");
        }
    }

    #[test]
    fn a_mistake_that_only_an_asset_makes_of_a_template_is_not_lost() {
        let text = format!(
            "{HEAD}templates.a = {{ media_type = \"text/csv\" }}\n\
             assets.a = {{ template = \"a\", command = [\"x\"], type = \"text\" }}\n\
             assets.b = {{ template = \"a\", command = [\"x\"], type = \"json\" }}\n"
        );
        let expected = "a value of type `json` cannot be text/csv: it is application/json or ends in +json";
        assert_eq!(messages(&text), [expected]);
    }

    #[test]
    fn a_template_that_no_asset_uses_is_a_warning() {
        let read = definitions(
            "templates.t = { type = \"none\" }\ntemplates.u = {}\nassets.a = { template = \"t\", command = [\"x\"] }\n",
        );
        let warnings: Vec<&str> = read.warnings().iter().map(|warning| warning.message.as_str()).collect();
        assert_eq!(warnings, ["no asset is made from the template `u`"]);
    }
}
