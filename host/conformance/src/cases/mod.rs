//! What is checked, case by case.

mod against;
mod faults;
mod ops;
mod parts;
mod places;
mod repeatable;
mod table_values;
mod values;
pub(crate) mod words;

use std::time::Instant;

use airlock_sandbox::text::safe_line;

use crate::Stopped;
use crate::bench::Bench;
use crate::check::{Passed, Stop};
use crate::report::{CaseReport, CaseResult};

/// Bytes of a note.
const NOTE: usize = 4000;

/// One thing that is checked.
pub(crate) struct Case {
    pub name: &'static str,
    /// In words.
    checks: &'static str,
    run: fn(&Bench<'_>) -> Passed,
}

const fn case(name: &'static str, checks: &'static str, run: fn(&Bench<'_>) -> Passed) -> Case {
    Case { name, checks, run }
}

/// All cases, in the order in which they are run. Those that sum up what was seen in others come last.
pub(crate) const ALL: &[Case] = &[
    case("small", "a small value of each claimed kind comes back, with its media type", values::small),
    case("empty", "a value of no bytes comes back", values::empty),
    case("one-byte", "a value of one byte comes back", values::one_byte),
    case("chunk-edges", "values about as large as a chunk come back", values::chunk_edges),
    case("large", "a value of 64 MiB comes back", values::large),
    case("texts", "texts come back character by character", values::texts),
    case("json", "JSON comes back, null among it", values::json),
    case("no-record", "a value loads where nothing is recorded of it", values::no_record),
    case("overwrite-shorter", "a short value takes the place of a long one", values::overwrite_shorter),
    case("overwrite-kind", "a value of another kind takes the place of one", values::overwrite_kind),
    case("leaves-nothing", "a store leaves no file that no load reads", values::leaves_nothing),
    case("table-types", "columns of every type come back", table_values::types),
    case("table-nulls", "nulls come back", table_values::nulls),
    case("table-nested", "lists, structures and maps come back", table_values::nested),
    case("table-no-rows", "a table without rows keeps its columns", table_values::no_rows),
    case("table-wide", "a table of 1,000 columns comes back", table_values::wide),
    case("table-batches", "a table of many batches comes back", table_values::batches),
    case("table-names", "columns with awkward names come back", table_values::names),
    case("table-metadata", "metadata of a table and its columns comes back", table_values::metadata),
    case("table-columns", "a column that is asked for comes", table_values::columns),
    case("many-partitions", "many partitions come back, each with its own value", parts::many),
    case("dimensions", "partitions of two dimensions come back", parts::dimensions),
    case("replace-partition", "a partition is replaced and the others stay", parts::replace),
    case("missing", "what is not stored is `not-found`, and its partitions are named", parts::missing),
    case("allow-missing", "absent partitions are left out where that is allowed", parts::allow_missing),
    case("elements", "elements of a dynamic output come back", parts::elements),
    case("runs", "outputs of distinct runs do not meet", places::runs),
    case("awkward-keys", "keys of any characters come back and do not meet", places::awkward_keys),
    case("at-once", "calls at once on distinct outputs do not meet", places::at_once),
    case("unknown-type", "a media type that it does not claim is refused, or comes back", faults::unknown_type),
    case("wrong-config", "a configuration against its schema is `invalid-config`", faults::wrong_config),
    case("cut-off", "a store of a value that ends early fails, and the old value stays", faults::cut_off),
    case("full-disk", "a store on a full disk fails, and the old value stays", faults::full_disk),
    case("read-only", "a store to what is lent to read fails, and the old value stays", faults::read_only),
    case("metadata", "the metadata that its manifest promises is recorded", words::metadata),
    case("data-version", "another value has another data version", words::data_version),
    case("op-errors", "an op that lacks its inputs says so", ops::errors),
    case("op-unknown-type", "an op that is given an unknown media type does not trap", ops::unknown_type),
    case("op-cut-off", "an op whose input ends early does not succeed", ops::cut_off),
    case("op-repeatable", "an op computes the same of the same inputs", repeatable::computes),
    case("loads-other", "it loads what the other component stored", against::loads_other),
    case("other-loads", "the other component loads what it stored", against::other_loads),
    case("repeatable", "the same value is stored as the same bytes", repeatable::stores),
    case("errors", "the errors that it returns say something", words::errors),
    case("denials", "it tries nothing but what it is lent", words::denials),
];

impl Case {
    /// Runs it.
    pub fn perform(&self, bench: &Bench<'_>) -> Result<CaseReport, Stopped> {
        let begun = Instant::now();
        let (result, note, findings) = match (self.run)(bench) {
            Ok(note) => (CaseResult::Passed, note, Vec::new()),
            Err(Stop::Found(findings)) => (CaseResult::Failed, None, findings),
            Err(Stop::NotClaimed(reason)) => (CaseResult::NotClaimed, Some(reason), Vec::new()),
            Err(Stop::NotTried(reason)) => (CaseResult::NotTried, Some(reason), Vec::new()),
            Err(Stop::Test(stopped)) => return Err(stopped),
        };
        let note = note.map(|note| safe_line(&note, NOTE));
        Ok(CaseReport { name: self.name, checks: self.checks, result, note, findings, time: begun.elapsed() })
    }
}
