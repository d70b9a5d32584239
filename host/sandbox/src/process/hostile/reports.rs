//! Reports that are changed at random.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::context::{MetadataEntry, MetadataValue};

/// The bytes of a report that is taken, as they pass through the socket.
fn sound() -> Vec<u8> {
    let metadata = vec![MetadataEntry { label: "rows".to_owned(), value: MetadataValue::Json(serde_json::json!([1])) }];
    let value = PackedValue(vec![part(None, vec![inline(b"abc"), at(0, 0, 3)])]);
    let said = PackedResult::Loaded { value, metadata, events: Vec::new() };
    rmp_serde::to_vec_named(&ended(said)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn whatever_a_report_becomes_the_call_ends(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut body = sound();
        for (place, byte) in changes {
            let place = place.index(body.len());
            body[place] = byte;
        }
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len()));
        }
        let file = on_disk(b"abc");
        let scene = Scene::new();
        let held = scene.call::<Loaded>(loading(), |theirs| theirs.send_raw(&body, &[file.as_fd()]));
        if let Ok(Ended { report, .. }) = held
            && let Ok(loaded) = report.outcome
        {
            prop_assert!(loaded.value.parts.len() <= 1);
            prop_assert!(loaded.value.parts.iter().all(|part| part.content.to_vec().is_ok()));
        }
        prop_assert_eq!(scene.budget.available(), 64 * MIB);
    }
}

#[test]
fn a_report_that_is_not_changed_is_taken() {
    let file = on_disk(b"def");
    let scene = Scene::new();
    let held = scene.call::<Loaded>(loading(), |theirs| theirs.send_raw(&sound(), &[file.as_fd()]));
    let loaded = held.map_err(told).unwrap().report.outcome.unwrap();
    assert_eq!(bytes(&loaded.value), [b"abcdef"]);
    let labels: HashMap<String, MetadataValue> =
        loaded.metadata.into_iter().map(|entry| (entry.label, entry.value)).collect();
    assert_eq!(labels["rows"], MetadataValue::Json(serde_json::json!([1])));
}
