//! Checks what the definitions configure against what the components say in their manifests that they take.

use std::collections::HashSet;
use std::fmt;

use airlock_sandbox::component::{ConfigMistake, ConfigSchema, Manifest};

use crate::definitions::{
    Asset, ComponentSource, ComponentUse, Configuration, Definitions, Diagnostic, Environment, Input, IoManager, Job,
    JobStep, Op, Output, Position,
};
use crate::suggest;

/// What in the definitions does not fit, without a look at the environment: what stands there is known by its type alone.
/// `manifest_of` gives the manifest of a component that has one.
pub fn check_configs<'a>(
    definitions: &Definitions,
    manifest_of: impl Fn(&ComponentSource) -> Option<&'a Manifest>,
) -> Vec<Diagnostic> {
    let mut check = ConfigCheck::new(None);
    let manager = |name: Option<&str>| {
        let manager = definitions.io_manager(name?)?;
        Some((manager.name.as_str(), manifest_of(&manager.component.component)?))
    };
    // A parent loads what another did not store.
    let with_parents = |name: Option<&'_ str>| {
        let first = name.and_then(|name| definitions.io_manager(name));
        let parent = |manager: &&IoManager| definitions.io_manager(manager.parent.as_deref()?);
        std::iter::successors(first, parent)
            .filter_map(|manager| Some((manager.name.as_str(), manifest_of(&manager.component.component)?)))
    };
    for manager in definitions.io_managers() {
        if let Some(manifest) = manifest_of(&manager.component.component) {
            check.io_manager(&manager.name, &manager.component, manifest);
        }
    }
    let stored_with = |asset: Option<&str>| definitions.asset(asset?)?.output.io.as_deref();
    for asset in definitions.assets() {
        let owner = Owner::Asset(asset);
        if let Op::Component(used) = &asset.op
            && let Some(manifest) = manifest_of(&used.component)
        {
            check.op(owner, used, manifest);
        }
        // What is made elsewhere is not stored here.
        let storing = manager(asset.output.io.as_deref()).filter(|_| !matches!(asset.op, Op::External));
        if let Some((name, manifest)) = storing {
            check.output(owner, &asset.output, name, manifest);
        }
        for input in &asset.inputs {
            let given = asset.graph.iter().flat_map(|graph| stored_by(graph, input));
            let storing = given.chain(stored_with(input.asset())).filter(|_| input.io.is_none());
            for (name, manifest) in
                input.io.as_deref().into_iter().chain(storing).flat_map(|name| with_parents(Some(name)))
            {
                check.input(owner, input, name, manifest);
            }
        }
    }
    for (job, step) in definitions.graphs().flat_map(|job| job.steps.iter().map(move |step| (job, step))) {
        let owner = Owner::Step(job, step);
        if let Op::Component(used) = &step.op
            && let Some(manifest) = manifest_of(&used.component)
        {
            check.op(owner, used, manifest);
        }
        for output in &step.outputs {
            if let Some((name, manifest)) = manager(output.io.as_deref()) {
                check.output(owner, output, name, manifest);
            }
        }
        for input in &step.inputs {
            let given = input.io.as_deref();
            let storing = stored_by(job, input).chain(stored_with(input.asset())).filter(|_| given.is_none());
            let loading = given.into_iter().chain(storing);
            for (name, manifest) in loading.flat_map(|name| with_parents(Some(name))) {
                check.input(owner, input, name, manifest);
            }
        }
    }
    check.mistakes
}

/// The I/O managers that store what `input`, of a step of `graph` or of what is made from it, takes of other steps.
fn stored_by<'a>(graph: &'a Job, input: &'a Input) -> impl Iterator<Item = &'a str> {
    input.source.outputs().iter().filter_map(|output| graph.output(output)?.io.as_deref())
}

/// What has an op, outputs and inputs.
#[derive(Clone, Copy)]
pub(crate) enum Owner<'a> {
    Asset(&'a Asset),
    Step(&'a Job, &'a JobStep),
}

impl Owner<'_> {
    fn position(&self) -> &Position {
        match self {
            Self::Asset(asset) => &asset.position,
            Self::Step(_, step) => &step.position,
        }
    }
}

impl fmt::Display for Owner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asset(Asset { multi_asset: Some(name), .. }) => write!(f, "the multi-asset `{name}`"),
            Self::Asset(asset) => write!(f, "the asset `{}`", asset.name),
            // Of the graph of an asset it has that in its name.
            Self::Step(job, step) if step.name.starts_with(&format!("{}.", job.name)) => {
                write!(f, "the step `{}`", step.name)
            }
            Self::Step(job, step) => write!(f, "the step `{}` of the job `{}`", step.name, job.name),
        }
    }
}

/// Why `mistake` was probably made: the key that was meant.
pub fn config_help(mistake: &ConfigMistake) -> Option<String> {
    let known = mistake.known_keys.as_ref()?;
    suggest::help(mistake.path.last()?, known.iter().map(String::as_str))
}

/// Collects what does not fit.
pub(crate) struct ConfigCheck<'a> {
    /// What references are looked up in.
    environment: Option<&'a Environment>,
    /// What was told, and where: many assets may have one template.
    told: HashSet<String>,
    pub mistakes: Vec<Diagnostic>,
}

impl<'a> ConfigCheck<'a> {
    pub fn new(environment: Option<&'a Environment>) -> Self {
        Self { environment, told: HashSet::new(), mistakes: Vec::new() }
    }

    /// The configuration of the I/O manager `name`.
    pub fn io_manager(&mut self, name: &str, used: &ComponentUse, manifest: &Manifest) {
        self.component(&format!("the I/O manager `{name}`"), used, manifest);
    }

    /// The configuration of the component of `owner`.
    pub fn op(&mut self, owner: Owner<'_>, used: &ComponentUse, manifest: &Manifest) {
        self.component(&format!("the component of {owner}"), used, manifest);
    }

    /// The configuration of `output` of `owner`, which the I/O manager `manager` stores.
    pub fn output(&mut self, owner: Owner<'_>, output: &Output, manager: &str, manifest: &Manifest) {
        let whose = match owner {
            Owner::Asset(asset) => format!("the output of the asset `{}`", asset.name),
            Owner::Step(..) => format!("the output `{}` of {owner}", output.name),
        };
        let taker = format!("the I/O manager `{manager}` takes none of an output");
        self.check(&whose, &taker, manifest.output_config.as_ref(), output.config.as_ref(), owner.position());
    }

    /// The configuration of `input` of `owner`, which the I/O manager `manager` loads.
    pub fn input(&mut self, owner: Owner<'_>, input: &Input, manager: &str, manifest: &Manifest) {
        let whose = format!("the input `{}` of {owner}", input.name);
        let taker = format!("the I/O manager `{manager}` takes none of an input");
        self.check(&whose, &taker, manifest.input_config.as_ref(), input.config.as_ref(), &input.position);
    }

    fn component(&mut self, whose: &str, used: &ComponentUse, manifest: &Manifest) {
        let schema = manifest.config.as_ref();
        // Nothing and an empty table are the same to a component.
        let config = Some(&used.config).filter(|config| schema.is_some() || !config.is_empty());
        self.check(whose, "its component takes none", schema, config, &used.config.position);
    }

    /// Checks the configuration of `whose`, which would stand at `place` where there is none.
    fn check(
        &mut self,
        whose: &str,
        takes_none: &str,
        schema: Option<&ConfigSchema>,
        config: Option<&Configuration>,
        place: &Position,
    ) {
        let Some(schema) = schema else {
            if let Some(config) = config {
                let help = Some("leave `config` out".to_owned());
                self.tell(&config.position, whose, takes_none, help);
            }
            return;
        };
        let Some(config) = config else {
            for mistake in schema.check_absent() {
                self.tell(place, whose, &mistake.message, None);
            }
            return;
        };
        let (value, unknown) = match self.environment {
            None => config.setting.outline(),
            Some(environment) => match config.resolve(environment) {
                Ok(value) => (value, Vec::new()),
                // What the environment lacks is told where it is looked up.
                Err(_) => return,
            },
        };
        for mistake in schema.check(&value, &unknown) {
            let (position, reference) = config.find(&mistake.path);
            let of_environment = || Some(format!("it is what the environment variable {} has", reference?));
            let help = config_help(&mistake).or_else(of_environment);
            self.tell(position, whose, &mistake.message, help);
        }
    }

    fn tell(&mut self, position: &Position, whose: &str, wrong: &str, help: Option<String>) {
        if self.told.insert(format!("{position}: {wrong}")) {
            let message = format!("the configuration of {whose}: {wrong}");
            self.mistakes.push(Diagnostic { help, ..Diagnostic::at(position, message) });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::definitions::tests::Project;

    const HEAD: &str = r#"
[io.lake]
component = "builtin:files"
[assets.a]
command = ["x"]
type = "json"
io = "lake"
"#;

    fn manifest() -> Manifest {
        let keys = json!({
            "type": "object",
            "properties": {
                "level": { "type": "integer", "minimum": 1 },
                "names": { "type": "array", "items": { "enum": ["a", "b"] } },
                "token": { "type": "string", "minLength": 20 },
            },
            "additionalProperties": false,
        });
        let manifest = json!({ "name": "x", "config": keys, "output_config": keys, "input_config": keys });
        serde_json::from_value(manifest).unwrap()
    }

    /// What is told of `text` where every component has the manifest `manifest`, as it is shown.
    fn told(text: &str, manifest: &Manifest) -> String {
        let project = Project::new(&[("airlock.toml", text), ("x.wasm", "")]);
        let definitions = project.read(None).unwrap();
        let list = check_configs(&definitions, |_| Some(manifest));
        let shown: Vec<String> = list.iter().map(Diagnostic::render).collect();
        shown.join("").replace(&format!("{}/", project.directory.path().display()), "")
    }

    /// The mistakes alone, a line each, and where they are.
    fn lines(text: &str, manifest: &Manifest) -> Vec<String> {
        let shown = told(text, manifest);
        let lines = shown.lines().filter_map(|line| {
            line.strip_prefix("error: the configuration of ")
                .or_else(|| line.trim_start().strip_prefix("--> airlock.toml:"))
        });
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn what_does_not_fit_is_told_where_it_stands() {
        let text = "[io.lake]\ncomponent = \"builtin:files\"\nconfig = { levle = 3,\n  names = [\"a\", \"c\"] }\n";
        let expected = "error: the configuration of the I/O manager `lake`: `/levle` is not a key that is taken
 --> airlock.toml:3:12
  |
3 | config = { levle = 3,
  |            ^^^^^
  = help: did you mean `level`?
error: the configuration of the I/O manager `lake`: `/names/1` is \"a\" or \"b\", and this is something else
 --> airlock.toml:4:17
  |
4 |   names = [\"a\", \"c\"] }
  |                 ^^^
";
        assert_eq!(told(text, &manifest()), expected);
    }

    #[test]
    fn configurations_of_ops_outputs_and_inputs_are_checked_too() {
        let text = format!(
            r#"{HEAD}config.level = 0
[assets.b]
component = {{ path = "x.wasm", config = {{ level = 0 }} }}
type = "json"
io = "lake"
inputs.i = {{ asset = "a", config = {{ level = 0 }} }}
"#
        );
        let expected = [
            "the output of the asset `a`: `/level` is at least 1, and this is less",
            "8:8",
            "the component of the asset `b`: `/level` is at least 1, and this is less",
            "10:43",
            "the input `i` of the asset `b`: `/level` is at least 1, and this is less",
            "13:38",
        ];
        assert_eq!(lines(&text, &manifest()), expected);
    }

    #[test]
    fn where_none_is_taken_any_is_a_mistake() {
        let takes_none = serde_json::from_value(json!({ "name": "x" })).unwrap();
        assert_eq!(told(HEAD, &takes_none), "");
        assert_eq!(told(&HEAD.replace("[assets.a]", "config = {}\n[assets.a]"), &takes_none), "");
        let text = format!(
            "{}config = {{}}\n[assets.b]\ncommand = [\"x\"]\ntype = \"none\"\ninputs.i = {{ asset = \"a\", config = \"x\" }}\n",
            HEAD.replace("[assets.a]", "config.level = 1\n[assets.a]"),
        );
        let expected = [
            "the I/O manager `lake`: its component takes none",
            "4:1",
            "the output of the asset `a`: the I/O manager `lake` takes none of an output",
            "9:1",
            "the input `i` of the asset `b`: the I/O manager `lake` takes none of an input",
            "13:27",
        ];
        assert_eq!(lines(&text, &takes_none), expected);
    }

    #[test]
    fn where_none_is_given_what_is_required_is_missing() {
        let schema = json!({ "type": "object", "required": ["level"] });
        let manifest = json!({ "name": "x", "config": schema, "output_config": schema, "input_config": schema });
        let manifest = serde_json::from_value(manifest).unwrap();
        let text =
            format!("{HEAD}[assets.b]\ncomponent = \"x.wasm\"\ntype = \"json\"\nio = \"lake\"\ninputs = [\"a\"]\n");
        let expected = [
            "the I/O manager `lake`: it lacks `level`",
            "2:5",
            "the output of the asset `a`: it lacks `level`",
            "4:9",
            "the component of the asset `b`: it lacks `level`",
            "9:13",
            "the output of the asset `b`: it lacks `level`",
            "8:9",
            "the input `a` of the asset `b`: it lacks `level`",
            "12:11",
        ];
        assert_eq!(lines(&text, &manifest), expected);
    }

    #[test]
    fn an_asset_that_is_made_elsewhere_has_no_output_to_configure() {
        let manifest = json!({ "name": "x", "output_config": { "required": ["level"] } });
        let text = HEAD.replace("command = [\"x\"]", "external = true");
        assert_eq!(told(&text, &serde_json::from_value(manifest).unwrap()), "");
    }

    #[test]
    fn an_input_is_checked_by_the_manager_that_loads_it() {
        let text = format!(
            "{HEAD}[io.other]\ncomponent = \"x.wasm\"\n[assets.b]\ncommand = [\"x\"]\ntype = \"none\"\n\
             inputs.i = {{ asset = \"a\", io = \"other\", config.level = 1 }}\n"
        );
        let project = Project::new(&[("airlock.toml", &text), ("x.wasm", "")]);
        let (takes, takes_none) = (manifest(), serde_json::from_value(json!({ "name": "x" })).unwrap());
        let is_other = |source: &ComponentSource| matches!(source, ComponentSource::File(_));
        let definitions = project.read(None).unwrap();
        let of =
            |other, lake| check_configs(&definitions, |source| Some(if is_other(source) { other } else { lake })).len();
        assert_eq!((of(&takes, &takes_none), of(&takes_none, &takes)), (0, 1));
    }

    #[test]
    fn what_the_environment_has_is_known_by_its_type_until_it_is_looked_up() {
        let text = r#"
[io.lake]
component = "builtin:files"
config = { token = { "$env" = "TOKEN" }, level = { "$env" = "LEVEL" } }
"#;
        let at_check = told(text, &manifest());
        let expected = "error: the configuration of the I/O manager `lake`: `/level` is an integer, and this is a text
 --> airlock.toml:4:42
  |
4 | config = { token = { \"$env\" = \"TOKEN\" }, level = { \"$env\" = \"LEVEL\" } }
  |                                          ^^^^^
  = help: it is what the environment variable LEVEL has
";
        assert_eq!(at_check, expected);
    }

    #[test]
    fn a_secret_that_does_not_fit_is_not_shown() {
        let text = r#"
[io.lake]
component = "builtin:files"
config = { token = { "$env" = "TOKEN" }, names = [{ "$env" = "NAME" }], level = { "$env" = "LEVEL", as = "int" } }
"#;
        let project = Project::new(&[("airlock.toml", text)]);
        let definitions = project.read(None).unwrap();
        let environment = Environment::from_iter([("TOKEN", "s3cret"), ("NAME", "s3cret"), ("LEVEL", "-31337")]);
        let mut check = ConfigCheck::new(Some(&environment));
        check.io_manager("lake", &definitions.io_managers()[0].component, &manifest());
        let shown: Vec<String> = check.mistakes.iter().map(Diagnostic::render).collect();
        let shown = shown.join("");
        for part in [
            "`/token` has at least 20 characters",
            "`/names/0` is \"a\" or \"b\"",
            "`/level` is at least 1",
            "variable NAME has",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(!shown.contains("s3cret") && !shown.contains("31337"), "{shown}");
    }

    #[test]
    fn a_mistake_in_a_template_is_told_once() {
        let text = r#"
[io.lake]
component = "builtin:files"
[templates.t]
type = "json"
io = "lake"
config.level = 0
[assets]
a = { template = "t", command = ["x"] }
b = { template = "t", command = ["x"] }
"#;
        let expected = ["the output of the asset `a`: `/level` is at least 1, and this is less", "7:8"];
        assert_eq!(lines(text, &manifest()), expected);
    }
}
