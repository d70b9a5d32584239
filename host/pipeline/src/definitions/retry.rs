//! How often a call of an I/O manager that failed is tried again, and after what delays.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::fields::{Fields, Problems};
use super::tree::Tree;
use super::{keys, quantity};

/// Times that a call is tried, at most.
const MOST_ATTEMPTS: u32 = 100;
/// The longest delay.
const LONGEST_DELAY: Duration = Duration::from_hours(1);

/// How often a call of an I/O manager that failed is tried again, and after what delays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RetryPolicy {
    /// Times that it is tried in all, 2 to 100.
    pub attempts: u32,
    /// Before the second attempt, at most an hour.
    #[serde(rename = "delay_ms", serialize_with = "milliseconds")]
    pub delay: Duration,
    /// How the delay grows from attempt to attempt.
    pub backoff: Backoff,
    /// How chance changes the delay; not at all where it is absent.
    pub jitter: Option<Jitter>,
}

/// How a delay grows with `n`, which is 1 before the second attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Not at all.
    #[default]
    Constant,
    /// `n` times the delay.
    Linear,
    /// `2ⁿ - 1` times the delay.
    Exponential,
}

/// How chance changes a delay, so that not all who failed at once try again at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// To anything from 0 to what it would be.
    Full,
    /// By up to the delay before the second attempt, up or down.
    PlusMinus,
}

impl RetryPolicy {
    /// How long to wait before `attempt`, which is 2 or more, given a number `random` from 0 to 1; at most an hour.
    pub fn delay_before(&self, attempt: u32, random: f64) -> Duration {
        let retry = attempt.saturating_sub(1).max(1);
        let factor = match self.backoff {
            Backoff::Constant => 1,
            Backoff::Linear => retry,
            Backoff::Exponential => 2_u32.checked_pow(retry).map_or(u32::MAX, |power| power.saturating_sub(1)),
        };
        let grown = self.delay.saturating_mul(factor).min(LONGEST_DELAY).as_secs_f64();
        let seconds = match self.jitter {
            None => grown,
            Some(Jitter::Full) => grown * random,
            Some(Jitter::PlusMinus) => grown + (2.0 * random - 1.0) * self.delay.as_secs_f64(),
        };
        Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(LONGEST_DELAY).min(LONGEST_DELAY)
    }
}

fn milliseconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u128(time.as_millis())
}

const BACKOFF: &[(&str, Backoff)] =
    &[("constant", Backoff::Constant), ("linear", Backoff::Linear), ("exponential", Backoff::Exponential)];
const JITTER: &[(&str, Jitter)] = &[("full", Jitter::Full), ("plus_minus", Jitter::PlusMinus)];

/// The policy that `retry` of the I/O manager `manager` is.
pub(super) fn read(manager: &Fields<'_>, problems: &Problems) -> Option<RetryPolicy> {
    let entry = manager.get("retry")?;
    let fields = Fields::new(&entry.node, &entry.position, "`retry`", keys::RETRY, problems);
    let attempts = attempts(&fields, problems);
    let delay = fields.text("delay").and_then(|(text, position)| {
        let delay = quantity::time(text).filter(|delay| *delay <= LONGEST_DELAY);
        if delay.is_none() {
            problems.at(position, format!("`delay` is not {text:?} but a time such as \"1s\", at most \"1h\""));
        }
        delay
    });
    if fields.get("delay").is_none() {
        for entry in ["backoff", "jitter"].iter().filter_map(|key| fields.get(key)) {
            problems.at(&entry.position, format!("`{}` changes the `delay`, and there is none", entry.key));
        }
    }
    let backoff = fields.choice("backoff", BACKOFF).unwrap_or_default();
    let jitter = fields.choice("jitter", JITTER);
    Some(RetryPolicy { attempts: attempts?, delay: delay.unwrap_or_default(), backoff, jitter })
}

fn attempts(fields: &Fields<'_>, problems: &Problems) -> Option<u32> {
    let Some(entry) = fields.get("attempts") else {
        fields.missing("attempts", "say how often it is tried in all: `attempts = 3`");
        return None;
    };
    let Tree::Integer(given) = entry.node.tree else {
        problems.wrong_kind(&entry.node, "`attempts`", "a number");
        return None;
    };
    let attempts = u32::try_from(given).ok().filter(|attempts| (2..=MOST_ATTEMPTS).contains(attempts));
    if attempts.is_none() {
        problems.at(&entry.node.position, format!("`attempts` is a number from 2 to {MOST_ATTEMPTS}, not {given}"));
    }
    attempts
}

#[cfg(test)]
mod tests {
    use super::super::tests::{definitions, messages};
    use super::*;

    fn policy(backoff: Backoff, jitter: Option<Jitter>) -> RetryPolicy {
        RetryPolicy { attempts: 100, delay: Duration::from_secs(10), backoff, jitter }
    }

    #[test]
    fn a_delay_grows_as_the_backoff_says_up_to_an_hour() {
        for (backoff, expected) in [
            (Backoff::Constant, [10, 10, 10, 10]),
            (Backoff::Linear, [10, 20, 30, 990]),
            (Backoff::Exponential, [10, 30, 70, 3600]),
        ] {
            let policy = policy(backoff, None);
            let delays = [2, 3, 4, 100].map(|attempt| policy.delay_before(attempt, 0.7).as_secs());
            assert_eq!(delays, expected, "{backoff:?}");
        }
    }

    #[test]
    fn chance_changes_a_delay_within_its_bounds() {
        for (jitter, expected) in [(Jitter::Full, [0, 15_000, 30_000]), (Jitter::PlusMinus, [20_000, 30_000, 40_000])] {
            let policy = policy(Backoff::Exponential, Some(jitter));
            let delays = [0.0, 0.5, 1.0].map(|random| policy.delay_before(3, random).as_millis());
            assert_eq!(delays, expected, "{jitter:?}");
        }
        let long = policy(Backoff::Exponential, Some(Jitter::PlusMinus));
        assert_eq!(long.delay_before(100, 1.0), LONGEST_DELAY);
        assert_eq!(RetryPolicy { delay: Duration::ZERO, ..long }.delay_before(2, 1.0), Duration::ZERO);
    }

    #[test]
    fn a_policy_is_read_and_shown() {
        let read = |retry: &str| {
            let text = format!("io.lake = {{ component = \"builtin:files\", retry = {retry} }}");
            definitions(&text).io_manager("lake").unwrap().retry.clone().unwrap()
        };
        let expected = RetryPolicy { attempts: 3, delay: Duration::ZERO, backoff: Backoff::Constant, jitter: None };
        assert_eq!(read("{ attempts = 3 }"), expected);
        let whole = read(r#"{ attempts = 5, delay = "500ms", backoff = "exponential", jitter = "plus_minus" }"#);
        let shown =
            serde_json::json!({ "attempts": 5, "delay_ms": 500, "backoff": "exponential", "jitter": "plus_minus" });
        assert_eq!(serde_json::to_value(whole).unwrap(), shown);
    }

    #[test]
    fn what_is_no_policy_is_a_mistake() {
        for (retry, expected) in [
            ("{}", "`retry` lacks `attempts`"),
            ("{ attempts = 1 }", "`attempts` is a number from 2 to 100, not 1"),
            ("{ attempts = 101 }", "`attempts` is a number from 2 to 100, not 101"),
            ("{ attempts = \"3\" }", "`attempts` is a number, and this is a text"),
            ("{ attempts = 3, delay = \"2h\" }", "`delay` is not \"2h\" but a time such as \"1s\", at most \"1h\""),
            ("{ attempts = 3, delay = \"1s\", jitter = \"ful\" }", "`ful` is not one of the values of `jitter`"),
            ("{ attempts = 3, backoff = \"linear\" }", "`backoff` changes the `delay`, and there is none"),
        ] {
            let text = format!("io.lake = {{ component = \"builtin:files\", retry = {retry} }}");
            assert_eq!(messages(&text), [expected], "{retry}");
        }
    }
}
