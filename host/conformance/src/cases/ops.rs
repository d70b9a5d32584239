//! Ops. What inputs an op has is known to its author alone, so it is learned from what it asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use airlock_sandbox::report::{Computed, Failure, Report};
use airlock_sandbox::value::{Input, LoadParts, NotLoaded, Part, Value};

use crate::bench::Bench;
use crate::check::{Checked, Passed, found, innermost, not_claimed, told};
use crate::kinds::UNKNOWN;
use crate::lab::Lab;

/// Inputs and outputs that an op is asked for, at most.
const NAMES: usize = 16;

/// What the input is called that an op is offered which asks for none by its name.
const OFFERED: &str = "input";

/// The inputs and outputs that an op asked for, and what came of the last call.
pub(super) struct Asked {
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub last: Report<Computed>,
    /// Whether it asks for no input by its name, and reads those that there are.
    lists: bool,
}

/// Calls the op with no inputs, and then with those that it says it lacks, each of which is `input`. One that lacks none may
/// read whatever inputs it finds there are, so it is offered one.
pub(super) fn asked(bench: &Bench<'_>, lab: &Lab<'_>, input: &Input) -> Checked<Asked> {
    bench.computes()?;
    let asked = learned(lab, Vec::new(), input)?;
    if !asked.inputs.is_empty() {
        return Ok(asked);
    }
    let offered = Arc::new(Offered::default());
    learned(lab, vec![OFFERED.to_owned()], &Input::Lazy(offered.clone()))?;
    // Who does not look into it has no use for it.
    if !offered.0.load(Ordering::Relaxed) {
        return Ok(asked);
    }
    Ok(Asked { lists: true, ..learned(lab, vec![OFFERED.to_owned()], input)? })
}

/// Calls the op with `inputs`, and then with those besides that it says it lacks.
fn learned(lab: &Lab<'_>, mut inputs: Vec<String>, input: &Input) -> Checked<Asked> {
    let mut outputs: Vec<String> = Vec::new();
    loop {
        let given = with(&inputs, input);
        let last = lab.run(&given, &outputs)?;
        let lacked = match &last.outcome {
            Err(failure) => lacked(failure),
            Ok(_) => None,
        };
        match lacked {
            Some((true, name)) if inputs.len() < NAMES && !inputs.contains(&name) => inputs.push(name),
            Some((false, name)) if outputs.len() < NAMES && !outputs.contains(&name) => outputs.push(name),
            _ => return Ok(Asked { inputs, outputs, last, lists: false }),
        }
    }
}

/// An input without a part, and whether that was looked for.
#[derive(Debug, Default)]
struct Offered(AtomicBool);

impl LoadParts for Offered {
    fn load(&self, _: usize, _: &dyn Fn() -> bool) -> Result<Option<Part>, NotLoaded> {
        self.0.store(true, Ordering::Relaxed);
        Ok(None)
    }
}

fn without_parts() -> Input {
    Input::Loaded(Value::default())
}

pub(super) fn with(names: &[String], input: &Input) -> Vec<(String, Input)> {
    names.iter().map(|name| (name.clone(), input.clone())).collect()
}

/// The input (or else the output) that the host said there is not, in words that the op handed on.
fn lacked(failure: &Failure) -> Option<(bool, String)> {
    let Failure::Guest { error } = innermost(failure) else { return None };
    let (what, is_input) = match error.code.as_str() {
        "unknown-input" => ("input", true),
        "unknown-output" => ("output", false),
        _ => return None,
    };
    let (_, rest) = error.message.split_once(&format!("there is no {what} \""))?;
    let (name, _) = rest.split_once("\"; there are")?;
    Some((is_input, name.to_owned()))
}

/// That an op which cannot compute returned an error.
fn is_no_trap(report: &Report<Computed>, done: &str) -> Checked<()> {
    match &report.outcome {
        Err(failure) if matches!(innermost(failure), Failure::Trap { .. } | Failure::Limit { .. }) => {
            found(done, "an error that says what it lacks, or ok", told(failure))
        }
        _ => Ok(()),
    }
}

pub(super) fn named(inputs: &[String]) -> String {
    if inputs.is_empty() { "without inputs".to_owned() } else { format!("with the inputs {}", inputs.join(", ")) }
}

pub(super) fn errors(bench: &Bench<'_>) -> Passed {
    let asked = asked(bench, &Lab::new(bench)?, &without_parts())?;
    is_no_trap(&asked.last, &format!("ran it {}, each without a part", named(&asked.inputs)))?;
    if asked.lists {
        return Ok(Some("it reads whatever inputs there are".to_owned()));
    }
    Ok((!asked.inputs.is_empty()).then(|| format!("it asked for {}", asked.inputs.join(", "))))
}

pub(super) fn unknown_type(bench: &Bench<'_>) -> Passed {
    let lab = Lab::new(bench)?;
    let Asked { inputs, outputs, .. } = asked(bench, &lab, &without_parts())?;
    if inputs.is_empty() {
        return not_claimed("it asked for no input");
    }
    let given = Input::Loaded(bench.value(UNKNOWN, &UNKNOWN.sample(1))?);
    let report = lab.run(&with(&inputs, &given), &outputs)?;
    is_no_trap(&report, &format!("ran it {}, each of {}", named(&inputs), UNKNOWN.media_type))?;
    Ok(None)
}

/// An input of which no part can be loaded, and whether one was asked for.
#[derive(Debug, Default)]
struct EndsEarly(AtomicBool);

impl LoadParts for EndsEarly {
    fn load(&self, _: usize, _: &dyn Fn() -> bool) -> Result<Option<Part>, NotLoaded> {
        self.0.store(true, Ordering::Relaxed);
        Err(NotLoaded("the input could not be loaded".to_owned()))
    }
}

pub(super) fn cut_off(bench: &Bench<'_>) -> Passed {
    let lab = Lab::new(bench)?;
    let Asked { inputs, outputs, .. } = asked(bench, &lab, &without_parts())?;
    if inputs.is_empty() {
        return not_claimed("it asked for no input");
    }
    let input = Arc::new(EndsEarly::default());
    let report = lab.run(&with(&inputs, &Input::Lazy(input.clone())), &outputs)?;
    let done = format!("ran it {}, of which loading fails", named(&inputs));
    is_no_trap(&report, &done)?;
    if report.outcome.is_ok() && input.0.load(Ordering::Relaxed) {
        return found(done, "an error: who cannot read its input does not compute", "it returned ok");
    }
    Ok(None)
}
