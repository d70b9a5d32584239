//! Puts the steps of graphs into the place of the steps, and of the assets, that are made from them.
//!
//! A step `c` that is made from a graph becomes the steps of that graph, called `c.NAME`. What they are given as an input of
//! the graph comes from where the step says, and what others load of the step comes from the step of the graph that gives it.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use super::fields::{Fields, Problems, text};
use super::output::RESULT;
use super::tree::{Entry, Node, Tree};
use super::{Diagnostic, Position, keys};

/// Steps that are looked at for one job or asset, at most: graphs in graphs could come to any number.
const STEPS: usize = 100_000;

/// What a step of a graph takes that is given to the graph.
const INPUT: &str = "input";

/// The graphs, by their names.
pub(super) struct Graphs<'a> {
    by_name: HashMap<&'a str, &'a Entry>,
    /// Those that something is made from.
    used: RefCell<HashSet<String>>,
    /// How many steps may be looked at still.
    left: Cell<usize>,
    problems: &'a Problems,
}

/// What stands around the steps that are put into the place of one.
struct Around<'a> {
    /// What their names begin with: `c.`, and nothing in a job.
    prefix: String,
    /// What the graph is given, by name; none in a job.
    inputs: Option<&'a [Entry]>,
    /// What they all wait for.
    deps: Vec<Node>,
    /// The graphs that they are in, outermost first.
    within: Vec<String>,
}

/// Steps that a graph has become.
#[derive(Clone, Debug, Default)]
pub(super) struct Expanded {
    pub steps: Vec<Entry>,
    /// The inputs of the graph that they take.
    taken: HashSet<String>,
}

/// The entry of `steps` that says from which graph it is made, with that name.
fn made_from(step: &Entry) -> Option<(&str, &Position)> {
    match step.node.get("graph").map(|entry| &entry.node) {
        Some(Node { tree: Tree::Text(name), position }) => Some((name, position)),
        _ => None,
    }
}

fn steps_of(node: &Node) -> &[Entry] {
    node.get("steps").and_then(|steps| steps.node.entries()).unwrap_or_default()
}

impl<'a> Graphs<'a> {
    /// The graphs `entries`, whose steps are merged over their ops; what is wrong with them as such is a problem.
    pub fn new(entries: &'a [Entry], problems: &'a Problems) -> Self {
        for entry in entries {
            if !super::asset::is_name(&entry.key) {
                let message = format!("the name of the graph {:?} {}", entry.key, super::asset::NAME_RULE);
                problems.at(&entry.position, message);
            }
            let what = format!("the graph `{}`", entry.key);
            let fields = Fields::new(&entry.node, &entry.position, &what, keys::GRAPH, problems);
            if fields.named("steps").is_empty() {
                fields.missing("steps", "say what is done: `steps.NAME = { op = \"OP\" }`, or a step with a `command`");
            }
            fields.named("outputs");
        }
        let by_name = entries.iter().map(|entry| (entry.key.as_str(), entry)).collect();
        Self { by_name, used: RefCell::default(), left: Cell::new(STEPS), problems }
    }

    /// The names of those that something is made from.
    pub fn used(self) -> HashSet<String> {
        self.used.into_inner()
    }

    /// Whether one more step may be looked at.
    fn look(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 0
    }

    /// That `what`, which is at `position`, comes to more steps than there can be is a problem.
    fn is_bounded(&self, what: &str, position: &Position) -> bool {
        if self.left.get() == 0 {
            self.problems.at(position, format!("the graphs of {what} come to more than {STEPS} steps"));
        }
        self.left.replace(STEPS) > 0
    }

    /// Puts the steps of graphs into the place of those of `job` that are made from them.
    pub fn expand_job(&self, job: &mut Entry) {
        let Some(steps) = job.node.get_mut("steps") else { return };
        let Some(entries) = steps.entries() else { return };
        let around = Around { prefix: String::new(), inputs: None, deps: Vec::new(), within: Vec::new() };
        let mut expanded = Expanded::default();
        self.put(entries, &around, &mut expanded);
        steps.tree = Tree::Table(expanded.steps);
        self.is_bounded(&format!("the job `{}`", job.key), &job.position);
    }

    /// The steps of the graph from which `asset` is made, but for the one that gives its value, of which the asset has the op
    /// and the inputs then; none where it is not made from a graph.
    pub fn expand_asset(&self, asset: &mut Entry) -> Option<Vec<Entry>> {
        let named = asset.node.get("graph")?.clone();
        let (name, position) = text(&named.node, "`graph`", self.problems)?;
        for other in ["command", "component", "external"].iter().filter_map(|key| asset.node.get(key)) {
            let message = format!("the asset `{}` is made from a graph, so it takes no `{}`", asset.key, other.key);
            self.problems.at(&other.position, message);
        }
        if let Some(several) = asset.node.get("partitions_per_step") {
            let message = format!("the steps of a graph compute one partition each: `{}` is made from one", asset.key);
            self.problems.at(&several.position, message);
        }
        let graph = self.graph(name, position)?;
        name_inputs(&mut asset.node);
        let inputs = asset.node.get("inputs").and_then(|inputs| inputs.node.entries()).unwrap_or_default().to_vec();
        let around = Around {
            prefix: format!("{}.", asset.key),
            inputs: Some(&inputs),
            deps: Vec::new(),
            within: vec![name.to_owned()],
        };
        let mut expanded = Expanded::default();
        self.put(steps_of(&graph.node), &around, &mut expanded);
        self.check_taken(&inputs, &expanded.taken, name);
        if !self.is_bounded(&format!("the asset `{}`", asset.key), &asset.position) {
            return None;
        }
        let outputs = graph.node.get("outputs").and_then(|outputs| outputs.node.entries()).unwrap_or_default();
        let [output] = outputs else {
            let message = format!("the graph `{name}` gives {} outputs, and an asset is one value", outputs.len());
            self.problems.at(position, message);
            return None;
        };
        let reference = self.resolve(&output.node, steps_of(&graph.node), &around)?;
        let place = expanded.steps.iter().position(|step| step.key == reference);
        let Some(last) = place.map(|place| expanded.steps.remove(place)) else {
            let message = format!("the step that gives the value of `{}` gives something else as well", asset.key);
            let help = "it gives nothing but the `result` that stands beside its `command`: leave its `outputs` out";
            self.problems.push(Diagnostic::at(&output.node.position, message).help(help));
            return None;
        };
        asset.node.take("graph");
        self.take_last(asset, &last);
        Some(expanded.steps)
    }

    /// Gives `asset` what the step `last` says, where it does not say otherwise.
    fn take_last(&self, asset: &mut Entry, last: &Entry) {
        for entry in last.node.entries().unwrap_or_default() {
            match entry.key.as_str() {
                "description" | "deps" | "op" => continue,
                "outputs" | "optional" | "dynamic" => {
                    let message = format!("the value of the asset `{}` cannot have `{}`", asset.key, entry.key);
                    self.problems.at(&entry.position, message);
                    continue;
                }
                "inputs" => drop(asset.node.take("inputs")),
                key if asset.node.get(key).is_some() => continue,
                _ => {}
            }
            if let Some(all) = asset.node.entries_mut() {
                all.push(entry.clone());
            }
        }
        if last.node.get("inputs").is_none() {
            asset.node.take("inputs");
        }
    }

    fn graph(&self, name: &str, position: &Position) -> Option<&'a Entry> {
        let found = self.by_name.get(name).copied();
        self.used.borrow_mut().insert(name.to_owned());
        if found.is_none() {
            let mut names: Vec<&str> = self.by_name.keys().copied().collect();
            names.sort_unstable();
            self.problems.unknown(position, format!("there is no graph `{name}`"), name, names);
        }
        found
    }

    /// Puts `steps`, and those of graphs in their place, into `expanded`.
    fn put(&self, steps: &[Entry], around: &Around<'_>, expanded: &mut Expanded) {
        for step in steps {
            if !self.look() {
                return;
            }
            if !super::input::is_name(&step.key) {
                let message = format!("the name of the step {:?} {}", step.key, super::input::NAME_RULE);
                self.problems.at(&step.position, message);
            }
            let mut step = step.clone();
            self.rewrite(&mut step, steps, around, expanded);
            let Some(named) = step.node.get("graph") else {
                step.key.insert_str(0, &around.prefix);
                expanded.steps.push(step);
                continue;
            };
            let Some((name, position)) = text(&named.node, "`graph`", self.problems) else { continue };
            let what = format!("the step `{}`", step.key);
            Fields::new(&step.node, &step.position, &what, keys::GRAPH_STEP, self.problems);
            if around.within.iter().any(|outer| outer == name) {
                self.problems.at(position, format!("the graph `{name}` is made of itself"));
                continue;
            }
            let Some(graph) = self.graph(name, position) else { continue };
            let inputs = step.node.get("inputs").and_then(|inputs| inputs.node.entries()).unwrap_or_default();
            let inner = Around {
                prefix: format!("{}{}.", around.prefix, step.key),
                inputs: Some(inputs),
                deps: list(step.node.get("deps")).to_vec(),
                within: around.within.iter().cloned().chain([name.to_owned()]).collect(),
            };
            let mut of_graph = Expanded::default();
            self.put(steps_of(&graph.node), &inner, &mut of_graph);
            self.check_taken(inputs, &of_graph.taken, name);
            expanded.steps.append(&mut of_graph.steps);
        }
    }

    /// That one of `inputs` is given to the graph `name` and not among those `taken` by its steps is a problem.
    fn check_taken(&self, inputs: &[Entry], taken: &HashSet<String>, name: &str) {
        for input in inputs.iter().filter(|input| !taken.contains(&input.key)) {
            let message = format!("no step of the graph `{name}` takes the input `{}`", input.key);
            let mut names: Vec<&str> = taken.iter().map(String::as_str).collect();
            names.sort_unstable();
            self.problems.unknown(&input.position, message, &input.key, names);
        }
    }

    /// Has the inputs and `deps` of `step`, one of `steps`, name what there is once these are put into their place.
    fn rewrite(&self, step: &mut Entry, steps: &[Entry], around: &Around<'_>, expanded: &mut Expanded) {
        if let Some(inputs) = step.node.get_mut("inputs").and_then(Node::entries_mut) {
            // What is wrong with one is told, and nothing more of it.
            inputs.retain_mut(|input| self.rewrite_input(input, steps, around, expanded).is_some());
        }
        let own = step.node.take("deps");
        if own.is_none() && around.deps.is_empty() {
            return;
        }
        if let Some(entry) = own.as_ref().filter(|entry| !matches!(entry.node.tree, Tree::List(_))) {
            self.problems.wrong_kind(&entry.node, "`deps`", "an array");
        }
        let names = list(own.as_ref()).iter().flat_map(|node| self.rewrite_dep(node, steps, around));
        let deps: Vec<Node> = around.deps.iter().cloned().chain(names).collect();
        let position = own.map_or_else(|| step.position.clone(), |entry| entry.position);
        let node = Node { tree: Tree::List(deps), position: position.clone() };
        if let Some(all) = step.node.entries_mut() {
            all.push(Entry { key: "deps".to_owned(), position, node });
        }
    }

    fn rewrite_input(
        &self,
        input: &mut Entry,
        steps: &[Entry],
        around: &Around<'_>,
        expanded: &mut Expanded,
    ) -> Option<()> {
        if let Some(taken) = input.node.take(INPUT) {
            return self.take_input(input, &taken, around, expanded);
        }
        let entries = input.node.entries_mut().into_iter().flatten();
        for entry in entries.filter(|entry| matches!(entry.key.as_str(), "from" | "each")) {
            let nodes = match &mut entry.node.tree {
                Tree::List(nodes) => nodes.as_mut_slice(),
                _ => std::slice::from_mut(&mut entry.node),
            };
            for node in nodes.iter_mut().filter(|node| matches!(node.tree, Tree::Text(_))) {
                node.tree = Tree::Text(self.resolve(node, steps, around)?);
            }
        }
        Some(())
    }

    /// Gives `input` what the graph is given as the input that `taken` names.
    fn take_input(&self, input: &mut Entry, taken: &Entry, around: &Around<'_>, expanded: &mut Expanded) -> Option<()> {
        let (name, position) = text(&taken.node, "`input`", self.problems)?;
        let Some(inputs) = around.inputs else {
            let message = format!("the input `{}` is in no graph that is given an `input`", input.key);
            self.problems.at(position, message);
            return None;
        };
        if let Some(source) = keys::SOURCES.iter().find_map(|key| input.node.get(key)) {
            let message = format!("the input `{}` comes from one place: leave out all but one of them", input.key);
            self.problems.at(&source.position, message);
            return None;
        }
        expanded.taken.insert(name.to_owned());
        let Some(given) = inputs.iter().find(|given| given.key == name) else {
            let (graph, maker) = (around.within.last().map_or("", String::as_str), around.prefix.trim_end_matches('.'));
            let message = format!("`{maker}` is made from the graph `{graph}`, and does not say its input `{name}`");
            self.problems.at(position, message);
            return None;
        };
        let Some(entries) = given.node.entries() else {
            let wanted = "the name of what gives it, or a table";
            self.problems.wrong_kind(&given.node, &format!("the input `{name}`"), wanted);
            return None;
        };
        // What the step of the graph says of the input goes before what is said where it comes from.
        for entry in entries {
            if input.node.get(&entry.key).is_none()
                && let Some(all) = input.node.entries_mut()
            {
                all.push(entry.clone());
            }
        }
        Some(())
    }

    /// The names of the steps that `node`, an entry of `deps`, names.
    fn rewrite_dep(&self, node: &Node, steps: &[Entry], around: &Around<'_>) -> Vec<Node> {
        let Tree::Text(name) = &node.tree else { return vec![node.clone()] };
        let mut names = Vec::new();
        match steps.iter().find(|step| step.key == *name).and_then(made_from) {
            Some((graph, _)) => {
                self.names(graph, &format!("{}{name}.", around.prefix), around.within.len(), &mut names);
            }
            None => names.push(format!("{}{name}", around.prefix)),
        }
        names.into_iter().map(|name| Node { tree: Tree::Text(name), position: node.position.clone() }).collect()
    }

    /// The names of all steps that come of the graph `name`.
    fn names(&self, name: &str, prefix: &str, depth: usize, names: &mut Vec<String>) {
        // A graph that is made of itself is told of where it is.
        if depth > self.by_name.len() {
            return;
        }
        for step in self.by_name.get(name).map(|graph| steps_of(&graph.node)).unwrap_or_default() {
            if !self.look() {
                return;
            }
            match made_from(step) {
                Some((inner, _)) => self.names(inner, &format!("{prefix}{}.", step.key), depth + 1, names),
                None => names.push(format!("{prefix}{}", step.key)),
            }
        }
    }

    /// The output that `node` names among `steps`, as it is called once these are put into their place.
    fn resolve(&self, node: &Node, steps: &[Entry], around: &Around<'_>) -> Option<String> {
        let reference = text(node, "the output of a step", self.problems)?;
        let inner = self.output(reference, steps, around.within.last().map(String::as_str), 0)?;
        Some(format!("{}{inner}", around.prefix))
    }

    /// The output that `reference` names among `steps`, those of the graph `within` or of a job, without what their names
    /// will begin with.
    fn output(
        &self,
        (reference, position): (&str, &Position),
        steps: &[Entry],
        within: Option<&str>,
        depth: usize,
    ) -> Option<String> {
        let (step, output) = reference.split_once('.').unwrap_or((reference, RESULT));
        let Some(found) = steps.iter().find(|entry| entry.key == step) else {
            // In a job that is found out when its steps are read.
            let Some(graph) = within else { return Some(reference.to_owned()) };
            let message = format!("there is no step `{step}` in the graph `{graph}`");
            self.problems.unknown(position, message, step, steps.iter().map(|entry| entry.key.as_str()));
            return None;
        };
        let Some((name, _)) = made_from(found) else { return Some(reference.to_owned()) };
        // A graph that is made of itself is told of where it is.
        let graph = self.by_name.get(name).filter(|_| depth <= self.by_name.len())?;
        let outputs = graph.node.get("outputs").and_then(|outputs| outputs.node.entries()).unwrap_or_default();
        let Some(found) = outputs.iter().find(|entry| entry.key == output) else {
            let names: Vec<String> = outputs.iter().map(|entry| format!("`{step}.{}`", entry.key)).collect();
            let message = format!("the step `{step}` has no output `{output}`: the graph `{name}` does not give it");
            let problem = Diagnostic::at(position, message);
            self.problems.push(if names.is_empty() {
                problem.help(format!("say what it gives: `graphs.{name}.outputs.{output} = \"STEP\"`"))
            } else {
                problem.help(format!("it has {}", names.join(", ")))
            });
            return None;
        };
        let inner = text(&found.node, "an output of a graph", self.problems)?;
        let inner = self.output(inner, steps_of(&graph.node), Some(name), depth + 1)?;
        Some(format!("{step}.{inner}"))
    }
}

fn list(entry: Option<&Entry>) -> &[Node] {
    match entry.map(|entry| &entry.node.tree) {
        Some(Tree::List(nodes)) => nodes,
        _ => &[],
    }
}

/// Makes a table of the inputs of an asset that are written in short.
fn name_inputs(asset: &mut Node) {
    let Some(inputs) = asset.get_mut("inputs") else { return };
    if let Tree::List(nodes) = &mut inputs.tree {
        let named = std::mem::take(nodes).into_iter().map(|node| {
            let key = match &node.tree {
                Tree::Text(asset) => asset.rsplit('/').next().unwrap_or_default().to_owned(),
                _ => String::new(),
            };
            Entry { key, position: node.position.clone(), node }
        });
        inputs.tree = Tree::Table(named.collect());
    }
    for input in inputs.entries_mut().into_iter().flatten() {
        if let Tree::Text(_) = input.node.tree {
            let position = input.node.position.clone();
            let tree = std::mem::replace(&mut input.node.tree, Tree::Table(Vec::new()));
            let asset = Entry { key: "asset".to_owned(), position: position.clone(), node: Node { tree, position } };
            input.node.tree = Tree::Table(vec![asset]);
        }
    }
}

/// A warning for each of `graphs` that is not among those `used`.
pub(super) fn unused(graphs: &[Entry], used: &HashSet<String>) -> Vec<Diagnostic> {
    let unused = graphs.iter().filter(|graph| !used.contains(&graph.key));
    let warning =
        |graph: &Entry| Diagnostic::at(&graph.position, format!("nothing is made from the graph `{}`", graph.key));
    unused.map(warning).collect()
}
