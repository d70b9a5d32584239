//! Compares what is printed with what is expected, where `…` stands for anything, alone on a line for any lines.

/// Whether `lines` are what `pattern` says, where `…` stands for anything.
pub fn matches(pattern: &[String], lines: &[&str]) -> bool {
    match pattern.split_first() {
        None => lines.is_empty(),
        Some((any, rest)) if any.trim() == "…" => (0..=lines.len()).any(|skipped| matches(rest, &lines[skipped..])),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, others)| line_matches(first, line) && matches(rest, others))
        }
    }
}

fn line_matches(pattern: &str, line: &str) -> bool {
    let (pattern, line) = (pattern.trim_end(), line.trim_end());
    match pattern.split_once('…') {
        None => pattern == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|left| {
            let mut ends = left.char_indices().map(|(index, _)| index).chain([left.len()]);
            ends.any(|index| line_matches(rest, &left[index..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_found_out() {
        let lines = ["one", "two 12 ms", "three"];
        let pattern = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert!(matches(&pattern("one\ntwo … ms\nthree"), &lines));
        assert!(matches(&pattern("…\nthree"), &lines));
        assert!(!matches(&pattern("one\ntwo … s\nthree"), &lines));
        assert!(!matches(&pattern("one\ntwo … ms"), &lines));
    }
}
