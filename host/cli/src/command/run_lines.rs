//! What `airlock run` prints of what became of its steps.

use std::collections::HashMap;

use airlock_pipeline::RunResult;
use airlock_pipeline::run::{StepResult, StepStatus};
use console::style;

use crate::render::{safe_name, size, thousands, time};
use crate::watch::MANY;

/// The steps of one name, or one step.
enum Line<'a> {
    Step(&'a StepResult),
    Together { name: &'a str, steps: Vec<&'a StepResult> },
}

impl Line<'_> {
    fn name(&self) -> String {
        safe_name(match self {
            Line::Step(step) => &step.key,
            Line::Together { name, .. } => name,
        })
    }
}

/// A line for each step; for the partitions of one asset one together, and for the elements of a step of a job.
pub fn lines(steps: &[StepResult]) -> Vec<String> {
    // The steps of a graph that an asset is made from follow one another partition by partition.
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut groups: Vec<Vec<&StepResult>> = Vec::new();
    for step in steps {
        let place = *places.entry(&step.name).or_insert(groups.len());
        match groups.get_mut(place) {
            Some(group) => group.push(step),
            None => groups.push(vec![step]),
        }
    }
    let entries: Vec<Line<'_>> = groups
        .into_iter()
        .filter_map(|steps| match steps.as_slice() {
            [step] => Some(Line::Step(step)),
            [first, ..] => Some(Line::Together { name: &first.name, steps }),
            [] => None,
        })
        .collect();
    let width = entries.iter().map(|entry| console::measure_text_width(&entry.name())).max().unwrap_or(0);
    let line = |entry: &Line<'_>| {
        let name = entry.name();
        let name = console::pad_str(&name, width, console::Alignment::Left, None);
        match entry {
            Line::Step(step) => step_line(step, &name),
            Line::Together { steps, .. } => asset_line(steps, &name),
        }
    };
    entries.iter().map(line).collect()
}

fn step_line(step: &StepResult, name: &str) -> String {
    let size = step.size.map(size).unwrap_or_default();
    match &step.status {
        StepStatus::Succeeded => format!("{} {name}  {size:>9}  {:>8}", style("✓").green(), time(step.time)),
        StepStatus::Unchanged => format!("{} {name}  {}", style("✓").green(), style("unchanged").dim()),
        StepStatus::Failed => format!("{} {name}  {:>9}  {:>8}", style("✗").red(), "failed", time(step.time)),
        StepStatus::Skipped { because, output } => {
            let why =
                output.as_ref().map_or("did not succeed".to_owned(), |output| format!("gave no {}", safe_name(output)));
            let because = format!("not run, since {} {why}", safe_name(because));
            format!("{} {name}  {}", style("-").dim(), style(because).dim())
        }
        StepStatus::Canceled => format!("{} {name}  {}", style("-").dim(), style("interrupted").dim()),
        StepStatus::NotBegun => format!("{} {name}  {}", style("-").dim(), style("not run").dim()),
    }
}

fn asset_line(steps: &[&StepResult], name: &str) -> String {
    let bytes = steps.iter().filter_map(|step| step.size).fold(0, u64::saturating_add);
    let number = |status| steps.iter().filter(|step| step.status == status).count();
    let (done, unchanged) = (number(StepStatus::Succeeded), number(StepStatus::Unchanged));
    let (mark, size) = if done + unchanged == steps.len() {
        (style("✓").green(), if done > 0 { size(bytes) } else { String::new() })
    } else if steps.iter().any(|step| step.status == StepStatus::Failed) {
        (style("✗").red(), "failed".to_owned())
    } else {
        (style("-").dim(), String::new())
    };
    let what = match outcomes(&steps.iter().copied()).as_slice() {
        [_] if done == steps.len() => {
            let is_mapped = steps.iter().any(|step| step.mapping_key.is_some());
            let partitions: usize = steps.iter().map(|step| step.partition_count).sum();
            if is_mapped {
                format!("{} elements", thousands(done))
            } else {
                format!("{} partitions", thousands(partitions))
            }
        }
        parts => parts.join(", "),
    };
    format!("{mark} {name}  {size:>9}  {what}")
}

/// `1,460 done`, `1 failed`: how many steps came to what, of all that any came to.
fn outcomes<'a>(steps: &(impl Iterator<Item = &'a StepResult> + Clone)) -> Vec<String> {
    let number = |is: fn(&StepStatus) -> bool| steps.clone().filter(|step| is(&step.status)).count();
    let parts = [
        (number(|status| *status == StepStatus::Succeeded), "done"),
        (number(|status| *status == StepStatus::Unchanged), "unchanged"),
        (number(|status| *status == StepStatus::Failed), "failed"),
        (number(|status| matches!(status, StepStatus::Skipped { .. } | StepStatus::NotBegun)), "not run"),
        (number(|status| *status == StepStatus::Canceled), "interrupted"),
    ];
    parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", thousands(*n))).collect()
}

pub fn summary(result: &RunResult) -> String {
    let parts = outcomes(&result.steps.iter());
    let steps = match parts.as_slice() {
        [_] if result.steps.iter().all(|step| step.status == StepStatus::Succeeded) => match result.steps.len() {
            1 => "1 step done".to_owned(),
            count => format!("{} steps done", thousands(count)),
        },
        parts => parts.join(", "),
    };
    let seconds = result.time.as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "it is shown in whole numbers")]
    let rate = result.steps.len() as f64 / seconds.max(f64::MIN_POSITIVE);
    let pace = if result.steps.len() < MANY { String::new() } else { format!(", {rate:.0} a second") };
    format!("run {}: {steps} in {}{pace}", result.run_id, time(result.time))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use airlock_pipeline::event::RunStatus;

    use super::*;

    fn step(key: &str, status: StepStatus) -> StepResult {
        StepResult {
            key: key.to_owned(),
            name: key.to_owned(),
            asset: Some(key.to_owned()),
            partition: None,
            partition_count: 0,
            mapping_key: None,
            status,
            time: Duration::from_millis(12),
            size: Some(1024),
            metadata: Vec::new(),
            failure: None,
            log: None,
        }
    }

    #[test]
    fn each_step_has_a_line_that_says_what_became_of_it() {
        let steps = [
            step("observations", StepStatus::Succeeded),
            step("a", StepStatus::Failed),
            step("b", StepStatus::Skipped { because: "a".to_owned(), output: None }),
            step("c\u{1b}[2J", StepStatus::Canceled),
        ];
        let shown: Vec<String> = lines(&steps).iter().map(|l| console::strip_ansi_codes(l).into_owned()).collect();
        assert_eq!(
            shown,
            [
                "✓ observations      1 KiB     12 ms",
                "✗ a                failed     12 ms",
                "- b             not run, since a did not succeed",
                "- c\\u{1b}[2J    interrupted",
            ]
        );
    }

    fn run(steps: Vec<StepResult>, status: RunStatus) -> RunResult {
        let time = Duration::from_secs(2);
        RunResult { run_id: "1a2b".to_owned(), status, time, steps, event_log_error: None }
    }

    #[test]
    fn a_run_is_summed_up_in_one_line() {
        let done = vec![step("a", StepStatus::Succeeded), step("b", StepStatus::Succeeded)];
        assert_eq!(summary(&run(done, RunStatus::Succeeded)), "run 1a2b: 2 steps done in 2.0 s");
        let skipped = StepStatus::Skipped { because: "a".to_owned(), output: None };
        let failed = vec![step("a", StepStatus::Failed), step("b", skipped), step("c", StepStatus::Succeeded)];
        assert_eq!(summary(&run(failed, RunStatus::Failed)), "run 1a2b: 1 done, 1 failed, 1 not run in 2.0 s");
        let many = (0..30).map(|_| step("a", StepStatus::Succeeded)).collect();
        assert_eq!(summary(&run(many, RunStatus::Succeeded)), "run 1a2b: 30 steps done in 2.0 s, 15 a second");
    }

    #[test]
    fn partitions_of_one_asset_have_one_line_together() {
        let of = |asset: &str, key: &str, status| StepResult {
            name: asset.to_owned(),
            asset: Some(asset.to_owned()),
            partition: Some(key.to_owned()),
            partition_count: 1,
            ..step(&format!("{asset}[{key}]"), status)
        };
        let skipped = || StepStatus::Skipped { because: "daily[2]".to_owned(), output: None };
        let steps = [
            of("daily", "1", StepStatus::Succeeded),
            of("daily", "2", StepStatus::Failed),
            of("hourly", "1", StepStatus::Succeeded),
            of("hourly", "2", StepStatus::Succeeded),
            of("monthly", "1", skipped()),
            of("weekly", "1", skipped()),
            of("weekly", "2", skipped()),
        ];
        let shown: Vec<String> = lines(&steps).iter().map(|l| console::strip_ansi_codes(l).into_owned()).collect();
        assert_eq!(
            shown,
            [
                "✗ daily          failed  1 done, 1 failed",
                "✓ hourly          2 KiB  2 partitions",
                "- monthly[1]  not run, since daily[2] did not succeed",
                "- weekly                 2 not run",
            ]
        );
    }
}
