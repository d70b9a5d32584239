//! The results of a test as JUnit XML, which CI systems show.

use std::path::Path;

use airlock_conformance::{CaseReport, CaseResult, TestReport};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use crate::error::{Error, ExitStatus, Report};

/// `text` without the two characters that no XML holds and that are not left out of it already.
fn xml(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

/// Writes `report` to `file`.
pub fn write(report: &TestReport, file: &Path) -> Result<(), Error> {
    let failed = |reason: String| {
        let message = format!("cannot write the results to {}: {reason}", file.display());
        Report::new(ExitStatus::Storage, message).hint("name a file that can be written")
    };
    let xml = document(report).map_err(|error| failed(error.to_string()))?;
    std::fs::write(file, xml).map_err(|error| failed(error.to_string()))?;
    Ok(())
}

fn document(report: &TestReport) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(xml(&report.component));
    suite.add_property(("digest", report.digest.as_str()));
    suite.set_time(report.cases.iter().map(|case| case.time).sum());
    suite.add_test_cases(report.cases.iter().map(|case| test_case(&report.component, case)));
    let mut document = quick_junit::Report::new("airlock test");
    document.add_test_suite(suite);
    document.to_string()
}

fn test_case(component: &str, case: &CaseReport) -> TestCase {
    let mut status = match case.result {
        CaseResult::Passed => TestCaseStatus::success(),
        CaseResult::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        CaseResult::NotClaimed | CaseResult::NotTried => TestCaseStatus::skipped(),
    };
    match case.result {
        CaseResult::Passed => {}
        CaseResult::Failed => {
            let told = case.findings.iter().map(|finding| {
                format!("done: {}\nexpected: {}\nfound: {}\n", finding.done, finding.expected, finding.found)
            });
            status
                .set_message(case.checks)
                .set_type("conformance")
                .set_description(xml(&told.collect::<Vec<_>>().join("\n")));
        }
        CaseResult::NotClaimed => {
            status.set_message(xml(&format!("not claimed: {}", case.note.as_deref().unwrap_or_default())));
        }
        CaseResult::NotTried => {
            status.set_message(xml(&format!("not tried: {}", case.note.as_deref().unwrap_or_default())));
        }
    }
    let mut test_case = TestCase::new(case.name, status);
    test_case.set_classname(xml(component)).set_time(case.time);
    test_case
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use airlock_conformance::Finding;

    use super::*;

    #[test]
    fn what_was_found_is_escaped_and_what_no_xml_holds_is_left_out() {
        let finding = Finding {
            done: "stored <a> & \"b\"".to_owned(),
            expected: "]]>".to_owned(),
            found: "\u{1}\u{1b}[2J\u{ffff}ü".to_owned(),
        };
        let case = |name, result, findings| CaseReport {
            name,
            checks: "it comes back",
            result,
            note: Some("for <a> reason".to_owned()),
            findings,
            time: Duration::from_millis(12),
        };
        let report = TestReport {
            component: "a<b>\".wasm".to_owned(),
            digest: "sha256:0".to_owned(),
            cases: vec![
                case("small", CaseResult::Passed, Vec::new()),
                case("large", CaseResult::Failed, vec![finding]),
                case("runs", CaseResult::NotClaimed, Vec::new()),
            ],
        };
        let xml = document(&report).unwrap();
        for expected in [
            "tests=\"3\"",
            "failures=\"1\"",
            "skipped message=\"not claimed: for &lt;a&gt; reason\"",
            "stored &lt;a&gt; &amp; ",
            "time=\"0.012\"",
        ] {
            assert!(xml.contains(expected), "{expected}: {xml}");
        }
        let is_xml = |character: char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..);
        assert!(xml.chars().all(is_xml) && xml.contains('ü'), "{xml:?}");
        assert!(!xml.contains("]]>") && !xml.contains("<a>"), "{xml}");
    }
}
