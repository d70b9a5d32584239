//! Reads jobs: graphs of named steps whose outputs lie under the run that computes them.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::asset::{NAME_RULE, is_name};
use super::fields::{Fields, Problems};
use super::input::{self, Reader};
use super::known::{Known, Steps};
use super::output::{self, RESULT};
use super::table::Form;
use super::tree::Entry;
use super::{Diagnostic, Input, InputSource, Op, Output, OutputReference, Position, ValueType, keys, op, variables};
use crate::graph;

/// A graph of steps.
#[derive(Clone, Debug, Serialize)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub position: Position,
    /// In words.
    pub description: Option<String>,
    /// Its steps, each after all that it depends on; the order of definition breaks ties.
    pub steps: Vec<JobStep>,
}

/// A step of a job: an op, what it is given, and who stores what it gives.
#[derive(Clone, Debug, Serialize)]
pub struct JobStep {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub position: Position,
    /// In words.
    pub description: Option<String>,
    /// What computes it.
    pub op: Op,
    /// The table of the definitions that says so, where that is one of what several steps are made from: `ops.clean`.
    #[serde(skip)]
    pub shared_table: Option<String>,
    /// What the op is given.
    pub inputs: Vec<Input>,
    /// The steps that must succeed first and of which nothing is loaded.
    pub deps: Vec<String>,
    /// What the op gives.
    pub outputs: Vec<Output>,
    /// The dynamic output for each of whose elements it is done once, at whatever distance; absent where it is done once.
    pub mapped_over: Option<OutputReference>,
}

impl Job {
    /// The step `name`.
    pub fn step(&self, name: &str) -> Option<&JobStep> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The output `reference`.
    pub fn output(&self, reference: &OutputReference) -> Option<&Output> {
        self.step(&reference.step)?.outputs.iter().find(|output| output.name == reference.output)
    }
}

impl JobStep {
    /// The names of the steps that it depends on.
    pub fn upstream(&self) -> impl Iterator<Item = &str> {
        let inputs = self.inputs.iter().flat_map(|input| input.source.outputs());
        inputs.map(|output| output.step.as_str()).chain(self.deps.iter().map(String::as_str))
    }
}

/// Reads the job `entry`, whose steps are merged over the ops that they name.
pub(super) fn read(entry: &Entry, known: &Known<'_>, problems: &Problems) -> Job {
    if !is_name(&entry.key) {
        problems.at(&entry.position, format!("the name of the job {:?} {NAME_RULE}", entry.key));
    }
    let what = format!("the job `{}`", entry.key);
    let fields = Fields::new(&entry.node, &entry.position, &what, keys::JOB, problems);
    let io = fields.text("io").map(|(name, position)| {
        known.check_io_manager(name, position, problems);
        name
    });
    let entries = fields.named("steps");
    if entries.is_empty() {
        fields.missing("steps", "say what is done: `steps.NAME = { op = \"OP\" }`, or a step with a `command`");
    }
    let steps = Steps::new(entries);
    let reader = StepReader { known, steps: &steps, default_io: io.or(known.default_io), partitions: None, problems };
    let list = reader.read_all(entries);
    Job {
        name: entry.key.clone(),
        position: entry.position.clone(),
        description: fields.text("description").map(|(text, _)| text.to_owned()),
        steps: list,
    }
}

/// Reads the `entries`, steps of the graph that the asset `asset` is made from and that come before it, which has
/// `partitions`.
pub(super) fn read_graph(
    asset: &Entry,
    entries: &[Entry],
    known: &Known<'_>,
    partitions: Option<&str>,
    problems: &Problems,
) -> Job {
    let steps = Steps::new(entries);
    let reader = StepReader { known, steps: &steps, default_io: known.default_io, partitions, problems };
    let steps = reader.read_all(entries);
    for step in &steps {
        if step.outputs.iter().any(|output| output.is_dynamic) {
            let message = format!("the step `{}` of an asset cannot have a `dynamic` output", step.name);
            let help = "make a job of the graph, whose steps may be done for each element";
            problems.push(Diagnostic::at(&step.position, message).help(help));
        }
    }
    Job { name: asset.key.clone(), position: asset.position.clone(), description: None, steps }
}

/// Checks the ops `entries` as far as they can be checked before a step is made from them.
pub(super) fn check_ops(entries: &[Entry], known: &Known<'_>, problems: &Problems) {
    for entry in entries {
        if !is_name(&entry.key) {
            problems.at(&entry.position, format!("the name of the op {:?} {NAME_RULE}", entry.key));
        }
        let what = format!("the op `{}`", entry.key);
        let found = Problems::default();
        let fields = Fields::new(&entry.node, &entry.position, &what, keys::OP, &found);
        op::of_step(&fields, known.builtins, &found);
        // What an op lacks, the steps may have.
        let lacks = |problem: &Diagnostic| problem.position.as_ref().is_some_and(|place| place.is_at(&entry.position));
        found.into_list().into_iter().filter(|problem| !lacks(problem)).for_each(|problem| problems.push(problem));
    }
}

struct StepReader<'a> {
    known: &'a Known<'a>,
    steps: &'a Steps<'a>,
    default_io: Option<&'a str>,
    /// The name of the partitions of the asset whose graph it is.
    partitions: Option<&'a str>,
    problems: &'a Problems,
}

impl StepReader<'_> {
    /// The steps `entries`, in order.
    fn read_all(&self, entries: &[Entry]) -> Vec<JobStep> {
        let read = |entry: &Entry| self.read(entry, &format!("the step `{}`", entry.key), keys::STEP);
        let mut steps: Vec<JobStep> = entries.iter().map(read).collect();
        if in_order(&mut steps, self.problems) {
            map(&mut steps, self.problems);
        }
        steps
    }

    fn read(&self, entry: &Entry, what: &str, known_keys: &'static [&'static str]) -> JobStep {
        let Self { known, problems, .. } = self;
        let fields = Fields::new(&entry.node, &entry.position, what, known_keys, problems);
        let by = op::kind(&fields);
        let outputs = self.outputs(&fields, by);
        let form = outputs.first().and_then(|output| output.form).unwrap_or(Form::Csv);
        let deps = fields.texts("deps");
        for (name, position) in &deps {
            if !self.steps.0.iter().any(|(step, _)| step == name) {
                let names = self.steps.0.iter().map(|(step, _)| *step);
                problems.unknown(position, format!("there is no step `{name}` in this job"), name, names);
            }
        }
        let reader = Reader { known, by, form, partitions: self.partitions, steps: Some(self.steps), problems };
        JobStep {
            name: entry.key.clone(),
            position: entry.position.clone(),
            description: fields.text("description").map(|(text, _)| text.to_owned()),
            op: op::of_step(&fields, known.builtins, problems).unwrap_or(Op::Command(Vec::new())),
            shared_table: fields.get("component").and_then(|entry| known.shared_table(&entry.node.position)),
            inputs: reader.read(&fields),
            deps: deps.into_iter().map(|(name, _)| name.to_owned()).collect(),
            outputs,
            mapped_over: None,
        }
    }

    /// The outputs that `fields` name, otherwise the only one, which they describe themselves.
    fn outputs(&self, fields: &Fields<'_>, by: super::table::By) -> Vec<Output> {
        let Self { known, problems, default_io, .. } = self;
        let Some(entry) = fields.get("outputs") else {
            let output = output::read(RESULT, fields, by, known, *default_io, problems);
            check_kind(&output, fields, problems);
            return vec![output];
        };
        for entry in keys::OUTPUT.iter().filter_map(|key| fields.get(key)) {
            let message = format!("{} has `outputs`, so `{}` is said of each of them", fields.what, entry.key);
            problems.at(&entry.position, message);
        }
        let named = fields.named("outputs");
        if named.is_empty() && entry.node.entries().is_some() {
            let help = "leave it out and say `type = \"none\"` where the op gives nothing";
            problems.push(Diagnostic::at(&entry.position, "`outputs` names at least one output").help(help));
        }
        let mut variables: HashMap<String, &str> = HashMap::new();
        let read = |entry| {
            let entry: &Entry = entry;
            if !input::is_name(&entry.key) {
                let message = format!("the name of the output {:?} {}", entry.key, input::NAME_RULE);
                problems.at(&entry.position, message);
            }
            let variable = variables::upper(&entry.key);
            if let Some(other) = variables.insert(variable, &entry.key) {
                let message = format!("the outputs `{other}` and `{}` differ too little", entry.key);
                let help = "a command finds both in one environment variable: rename one of them";
                problems.push(Diagnostic::at(&entry.position, message).help(help));
            }
            let what = format!("the output `{}`", entry.key);
            let fields = Fields::new(&entry.node, &entry.position, &what, keys::OUTPUT, problems);
            let output = output::read(&entry.key, &fields, by, known, *default_io, problems);
            check_kind(&output, &fields, problems);
            output
        };
        named.iter().map(read).collect()
    }
}

/// That an output without a value is `optional` or `dynamic` is a problem.
fn check_kind(output: &Output, fields: &Fields<'_>, problems: &Problems) {
    for entry in ["optional", "dynamic"].iter().filter_map(|key| fields.get(key)) {
        if output.value_type == ValueType::None {
            let message = format!("{} has no value (`type = \"none\"`), so it is not `{}`", fields.what, entry.key);
            problems.at(&entry.position, message);
        }
    }
    if let (true, true, Some(entry)) = (output.is_dynamic, output.is_optional, fields.get("optional")) {
        let message = format!("{} is `dynamic`, so it may be empty anyway: leave `optional` out", fields.what);
        problems.at(&entry.position, message);
    }
}

/// Brings `steps` into an order in which each follows all that it depends on; that there is none is a problem.
fn in_order(steps: &mut Vec<JobStep>, problems: &Problems) -> bool {
    let index: HashMap<&str, usize> = steps.iter().enumerate().map(|(i, step)| (step.name.as_str(), i)).collect();
    let needs: Vec<BTreeSet<usize>> =
        steps.iter().map(|step| step.upstream().filter_map(|name| index.get(name).copied()).collect()).collect();
    match graph::order(&needs) {
        Ok(order) => {
            let mut left: Vec<Option<JobStep>> = std::mem::take(steps).into_iter().map(Some).collect();
            steps.extend(order.into_iter().filter_map(|place| left.get_mut(place)?.take()));
            true
        }
        Err(cycles) => {
            for cycle in cycles {
                let cycle: Vec<&JobStep> = cycle.into_iter().filter_map(|place| steps.get(place)).collect();
                let Some(first) = cycle.first() else { continue };
                let names: Vec<String> = cycle.iter().map(|step| format!("`{}`", step.name)).collect();
                let message = match names.as_slice() {
                    [name] => format!("the step {name} depends on itself"),
                    names => format!("these steps depend on one another: {} → `{}`", names.join(" → "), first.name),
                };
                problems.at(&first.position, message);
            }
            false
        }
    }
}

/// Finds out over which dynamic output each of `steps`, which are in order, is mapped.
fn map(steps: &mut [JobStep], problems: &Problems) {
    let mut mapped: HashMap<String, Option<OutputReference>> = HashMap::new();
    let mut dynamic: HashMap<OutputReference, bool> = HashMap::new();
    for step in steps.iter_mut() {
        let mut over: Option<OutputReference> = None;
        for input in &step.inputs {
            let InputSource::Each(output) = &input.source else { continue };
            let of_each = mapped.get(&output.step).cloned().flatten();
            let origin = match (dynamic.get(output), of_each) {
                (Some(true), _) => output.clone(),
                (_, Some(origin)) => origin,
                (Some(false), None) => {
                    let message = format!("`{output}` is one value, so there is no `each` of it");
                    let help = "load it by `from`, or say of the output that it is `dynamic`";
                    problems.push(Diagnostic::at(&input.position, message).help(help));
                    continue;
                }
                (None, None) => continue,
            };
            match &over {
                Some(other) if *other != origin => {
                    let message = format!(
                        "the step `{}` is done for each of `{other}`, so it cannot be done for each of `{origin}` as well",
                        step.name
                    );
                    problems.at(&input.position, message);
                }
                _ => over = Some(origin),
            }
        }
        for output in &step.outputs {
            if let (true, Some(origin)) = (output.is_dynamic, &over) {
                let message = format!(
                    "the output `{}` of the step `{}` is dynamic, and the step is done for each of `{origin}` already",
                    output.name, step.name
                );
                problems.at(&step.position, message);
            }
            let reference = OutputReference { step: step.name.clone(), output: output.name.clone() };
            dynamic.insert(reference, output.is_dynamic);
        }
        mapped.insert(step.name.clone(), over.clone());
        step.mapped_over = over;
    }
    let is_many = |output: &OutputReference| {
        dynamic.get(output) == Some(&true) || mapped.get(&output.step).is_some_and(Option::is_some)
    };
    for input in steps.iter().flat_map(|step| &step.inputs) {
        if let InputSource::FromSeveral(outputs) = &input.source
            && let Some(output) = outputs.iter().find(|output| is_many(output))
        {
            let message = format!("`{output}` is any number of values already, so it cannot be one of several");
            problems.push(Diagnostic::at(&input.position, message).help("give it an input of its own"));
        }
    }
}
