use std::fs;

use serde_json::json;

use airlock_sandbox::context::MetadataValue;

use super::*;
use crate::home::Home;
use crate::run::{FailureClass, Stage};

fn home() -> (tempfile::TempDir, Home) {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::at(directory.path());
    (directory, home)
}

fn event(run_id: &str, step_key: Option<&str>, body: EventBody) -> Event {
    let time = "2026-01-02T03:04:05.678Z".parse().unwrap();
    Event { run_id: run_id.to_owned(), time, step_key: step_key.map(str::to_owned), body }
}

fn start(run_id: &str) -> Event {
    let steps = vec!["a".to_owned(), "b".to_owned()];
    let selection = vec!["+b".to_owned()];
    let start = EventBody::RunStart { selection, steps, profile: None, partition: None, job: None, parent: None };
    event(run_id, None, start)
}

fn materialization(asset: &str, logged: bool) -> EventBody {
    EventBody::AssetMaterialization(AssetMaterialization {
        asset: asset.to_owned(),
        partition: None,
        description: None,
        metadata: vec![MetadataEntry { label: "rows".to_owned(), value: MetadataValue::Int(3) }],
        manager: Some(ManagerUse { name: "lake".to_owned(), digest: "sha256:00".to_owned() }),
        output_config: json!({ "token": { "$env": "TOKEN", "as": "text" } }),
        data_version: None,
        inputs: None,
        code_version: Some("sha256:01".to_owned()),
        store: Some("here".to_owned()),
        logged,
    })
}

#[test]
fn what_was_flushed_is_read_back_as_it_was_written() {
    let (_directory, home) = home();
    let failure = StepFailure {
        class: FailureClass::Denied,
        stage: Stage::Input { name: "days".to_owned(), asset: Some("a".to_owned()), partition: None },
        message: "denied".to_owned(),
        help: vec!["lend it".to_owned()],
        stderr: String::new(),
        backtrace: Vec::new(),
        receipt: Some(Receipt::default()),
    };
    let events = [
        start("1"),
        event("1", Some("a"), EventBody::StepStart {}),
        event("1", Some("a"), materialization("a", false)),
        event("1", Some("a"), EventBody::StepSuccess {}),
        event("1", Some("b"), EventBody::StepFailure(Box::new(failure))),
        event("1", None, EventBody::RunFailure { failed: vec!["b".to_owned()] }),
    ];
    let log = EventLog::open(&home.events()).unwrap();
    for event in &events {
        log.append(event.clone());
    }
    log.flush().unwrap();
    let reader = EventReader::open(&home).unwrap().unwrap();
    let read: Vec<Event> = reader.events("1", 0, 100).unwrap().into_iter().map(|recorded| recorded.event).collect();
    assert_eq!(read, events);
    let rest = reader.events("1", 4, 1).unwrap();
    assert_eq!(rest.iter().map(|recorded| recorded.id).collect::<Vec<_>>(), [5]);
}

#[test]
fn what_was_appended_is_there_after_the_log_was_closed() {
    let (_directory, home) = home();
    let log = EventLog::open(&home.events()).unwrap();
    log.append(start("1"));
    drop(log);
    let log = EventLog::open(&home.events()).unwrap();
    log.append(start("2"));
    drop(log);
    let reader = EventReader::open(&home).unwrap().unwrap();
    let runs = reader.runs(&RunFilter { limit: 10, before: None }).unwrap();
    assert_eq!(runs.iter().map(|run| run.run_id.as_str()).collect::<Vec<_>>(), ["2", "1"]);
}

#[test]
fn events_of_many_threads_are_each_there_once_and_in_order_of_their_thread() {
    let (_directory, home) = home();
    let log = EventLog::open(&home.events()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let log = &log;
            scope.spawn(move || {
                for step in 0..50 {
                    log.append(event("1", Some(&format!("{thread}/{step}")), EventBody::StepStart {}));
                    if step % 10 == 0 {
                        log.flush().unwrap();
                    }
                }
                log.flush().unwrap();
            });
        }
    });
    let reader = EventReader::open(&home).unwrap().unwrap();
    let keys: Vec<String> =
        reader.events("1", 0, 1000).unwrap().into_iter().filter_map(|recorded| recorded.event.step_key).collect();
    assert_eq!(keys.len(), 200);
    for thread in 0..4 {
        let own: Vec<&String> = keys.iter().filter(|key| key.starts_with(&format!("{thread}/"))).collect();
        let expected: Vec<String> = (0..50).map(|step| format!("{thread}/{step}")).collect();
        assert_eq!(own, expected.iter().collect::<Vec<_>>());
    }
}

#[test]
fn runs_are_paged_and_found_by_the_beginning_of_their_id() {
    let (_directory, home) = home();
    let log = EventLog::open(&home.events()).unwrap();
    for run in ["aa1", "aa2", "ab1"] {
        log.append(start(run));
    }
    log.append(event("aa1", None, EventBody::RunSuccess {}));
    log.append(event("aa2", None, EventBody::RunCanceled {}));
    log.flush().unwrap();
    let reader = EventReader::open(&home).unwrap().unwrap();
    let ids = |limit, before: Option<&str>| {
        let filter = RunFilter { limit, before: before.map(str::to_owned) };
        reader.runs(&filter).unwrap().into_iter().map(|run| run.run_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(2, None), ["ab1", "aa2"]);
    assert_eq!(ids(2, Some("aa2")), ["aa1"]);
    let found = |id: &str| match reader.run(id).unwrap() {
        RunSearch::Found(run) => run.run_id,
        other => format!("{other:?}"),
    };
    assert_eq!(found("aa1"), "aa1");
    assert_eq!(found("ab"), "ab1");
    assert_eq!(found("aa"), "Ambiguous");
    assert_eq!(found("b"), "NotFound");
    assert_eq!(found("a%"), "NotFound");
    assert_eq!(found("latest"), "ab1");
    let RunSearch::Found(run) = reader.run("aa1").unwrap() else { panic!() };
    assert_eq!(
        (run.status, run.ended, run.selection.as_slice()),
        (RunStatus::Succeeded, Some(run.started), &["+b".to_owned()][..])
    );
}

#[test]
fn a_run_that_no_process_holds_any_more_is_lost() {
    let (_directory, home) = home();
    let log = EventLog::open(&home.events()).unwrap();
    log.append(start("1"));
    log.flush().unwrap();
    let reader = EventReader::open(&home).unwrap().unwrap();
    let status = || reader.runs(&RunFilter { limit: 1, before: None }).unwrap()[0].status;
    let scratch = home.hold_scratch("1").unwrap();
    assert_eq!(status(), RunStatus::Running);
    drop(scratch);
    assert_eq!(status(), RunStatus::Lost);
}

#[test]
fn the_latest_materialization_is_the_hosts_own_whatever_a_manager_logged() {
    let (_directory, home) = home();
    let log = EventLog::open(&home.events()).unwrap();
    log.append(event("1", Some("a"), materialization("a", false)));
    log.append(event("2", Some("a"), materialization("a", false)));
    log.append(event("2", Some("c"), materialization("c", false)));
    log.append(event("3", Some("b"), materialization("a", true)));
    log.flush().unwrap();
    let reader = EventReader::open(&home).unwrap().unwrap();
    let runs =
        |list: Vec<Materialization>| list.into_iter().map(|made| made.run_id + &made.body.asset).collect::<Vec<_>>();
    assert_eq!(runs(reader.latest_materializations().unwrap()), ["2a", "2c"]);
    assert_eq!(runs(reader.materializations("a", 10).unwrap()), ["2a", "1a"]);
    assert_eq!(runs(reader.materializations("a", 1).unwrap()), ["2a"]);
}

#[test]
fn what_was_removed_is_recorded_no_more_where_it_was_removed() {
    let (_directory, home) = home();
    let log = EventLog::open(&home.events()).unwrap();
    let made = |asset: &str, partition: Option<&str>, store: &str| {
        let EventBody::AssetMaterialization(made) = materialization(asset, false) else { panic!("it is none") };
        let (partition, store) = (partition.map(str::to_owned), Some(store.to_owned()));
        event("1", Some(asset), EventBody::AssetMaterialization(AssetMaterialization { partition, store, ..made }))
    };
    let wiped = |asset: &str, partition: Option<&str>| {
        let (asset, partition) = (asset.to_owned(), partition.map(str::to_owned));
        let (manager, store) = ("lake".to_owned(), "here".to_owned());
        event("", None, EventBody::AssetWiped(AssetWiped { asset, partition, manager, store }))
    };
    for appended in [
        made("a", None, "here"),
        made("a", None, "there"),
        made("b", Some("1"), "here"),
        made("b", Some("2"), "here"),
        wiped("a", None),
        wiped("b", Some("1")),
        made("c", None, "here"),
        wiped("c", None),
        made("c", None, "here"),
    ] {
        log.append(appended);
    }
    log.flush().unwrap();
    let reader = EventReader::open(&home).unwrap().unwrap();
    let is_recorded = |asset: &str, partition, store| reader.latest(asset, partition, store).unwrap().is_some();
    assert!(!is_recorded("a", None, "here") && is_recorded("a", None, "there"));
    assert!(!is_recorded("b", Some("1"), "here") && is_recorded("b", Some("2"), "here"));
    assert!(is_recorded("c", None, "here"), "it was made again");
    assert!(reader.wiped("a").unwrap().is_some() && reader.wiped("d").unwrap().is_none());
    assert_eq!(reader.runs(&RunFilter { limit: 10, before: None }).unwrap(), [], "it is of no run");
}

#[test]
fn there_is_no_log_before_the_first_run() {
    let (_directory, home) = home();
    assert!(EventReader::open(&home).unwrap().is_none());
    assert!(!home.events().exists());
}

#[test]
fn a_log_of_a_later_version_is_left_alone() {
    let (_directory, home) = home();
    drop(EventLog::open(&home.events()).unwrap());
    let connection = rusqlite::Connection::open(home.events()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let newer = EventLogError::Newer { path: home.events().display().to_string(), found: 99, known: 3 };
    assert_eq!(EventLog::open(&home.events()).unwrap_err(), newer);
    assert_eq!(EventReader::open(&home).unwrap_err(), newer);
}

#[test]
fn a_damaged_log_says_so() {
    let (_directory, home) = home();
    fs::write(home.events(), "no database, and longer than the header of one would be: ".repeat(20)).unwrap();
    assert!(matches!(EventLog::open(&home.events()), Err(EventLogError::Damaged { .. })));
    assert!(matches!(EventReader::open(&home), Err(EventLogError::Damaged { .. })));
}

#[test]
fn a_body_that_cannot_be_read_is_damage_and_not_a_panic() {
    let (_directory, home) = home();
    let log = EventLog::open(&home.events()).unwrap();
    log.append(start("1"));
    drop(log);
    let connection = rusqlite::Connection::open(home.events()).unwrap();
    connection.execute("UPDATE events SET body = '{}'", []).unwrap();
    let reader = EventReader::open(&home).unwrap().unwrap();
    assert!(matches!(reader.events("1", 0, 10), Err(EventLogError::Damaged { .. })));
}

#[test]
fn after_a_commit_failed_every_flush_says_so() {
    let (_directory, home) = home();
    let log = EventLog::open(&home.events()).unwrap();
    let connection = rusqlite::Connection::open(home.events()).unwrap();
    connection.execute_batch("DROP TABLE materializations; DROP TABLE events").unwrap();
    log.append(start("1"));
    assert!(matches!(log.flush(), Err(EventLogError::Unusable { .. })));
    assert!(matches!(log.flush(), Err(EventLogError::Unusable { .. })));
}

#[test]
fn what_an_op_was_denied_is_told_as_what_a_manager_was() {
    let receipt = Receipt { peak_memory: 7, ..Receipt::default() };
    let output = |computed_by| EventBody::StepOutput {
        mapping_key: None,
        output: "result".to_owned(),
        media_type: None,
        size: 0,
        metadata: Vec::new(),
        part_metadata: Vec::new(),
        computed_by,
    };
    let used = OpUse { digest: "sha256:00".to_owned(), receipt: receipt.clone() };
    assert_eq!(output(Some(used)).receipt(), Some(&receipt));
    assert_eq!(output(None).receipt(), None);
    // What was recorded before ops were is read still.
    let earlier = serde_json::json!({
        "kind": "STEP_OUTPUT", "output": "result", "media_type": null, "size": 0, "metadata": [],
    });
    assert_eq!(serde_json::from_value::<EventBody>(earlier).unwrap(), output(None));
}

/// The materialization of a partition by an op of a version.
fn of_partition(partition: &str, code_version: &str) -> Event {
    let EventBody::AssetMaterialization(made) = materialization("a", false) else { unreachable!() };
    let (partition, code_version) = (Some(partition.to_owned()), Some(code_version.to_owned()));
    let made = AssetMaterialization { partition, code_version, ..made };
    event("1", Some("a"), EventBody::AssetMaterialization(made))
}

#[test]
fn the_latest_of_each_partition_is_found_with_the_version_of_what_computed_it() {
    let (_directory, home) = home();
    let log = EventLog::open(&home.events()).unwrap();
    for event in [of_partition("x", "1"), of_partition("y", "1"), of_partition("x", "2")] {
        log.append(event);
    }
    log.flush().unwrap();
    let reader = EventReader::open(&home).unwrap().unwrap();
    let partitions = reader.partitions("a", "here").unwrap();
    let version = |key: &str| partitions[key].code_version.clone().unwrap();
    assert_eq!((partitions.len(), version("x"), version("y")), (2, "2".to_owned(), "1".to_owned()));
    assert!(partitions["x"].event_id > partitions["y"].event_id);
    assert_eq!(reader.latest("a", Some("y"), "here").unwrap().unwrap().event_id, partitions["y"].event_id);
    assert_eq!(reader.latest("a", None, "here").unwrap(), None);
    // What lies elsewhere is another value.
    assert_eq!(reader.latest("a", Some("y"), "there").unwrap(), None);
    assert!(reader.partitions("a", "there").unwrap().is_empty());
}

#[test]
fn a_log_of_the_first_version_is_read_as_it_is_and_upgraded_when_it_is_written() {
    let (_directory, home) = home();
    let log = EventLog::open(&home.events()).unwrap();
    log.append(of_partition("x", "1"));
    drop(log);
    // As the first version had it.
    let connection = rusqlite::Connection::open(home.events()).unwrap();
    let downgrade = "DROP TABLE dynamic_partitions; DROP INDEX materializations_by_partition; ALTER TABLE runs DROP COLUMN partition;
                     ALTER TABLE materializations DROP COLUMN code_version;
                     ALTER TABLE materializations DROP COLUMN store;
                     PRAGMA user_version = 1;";
    connection.execute_batch(downgrade).unwrap();
    drop(connection);
    let version = || {
        let reader = EventReader::open(&home).unwrap().unwrap();
        reader
            .partitions("a", "here")
            .unwrap()
            .into_iter()
            .map(|(key, known)| (key, known.code_version))
            .collect::<Vec<_>>()
    };
    assert_eq!(version(), [("x".to_owned(), None)]);
    let log = EventLog::open(&home.events()).unwrap();
    log.append(of_partition("x", "2"));
    drop(log);
    assert_eq!(version(), [("x".to_owned(), Some("2".to_owned()))]);
}

#[test]
fn a_log_that_is_not_there_yet_is_made_by_many_at_once() {
    for _ in 0..20 {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("events.db");
        let ready = std::sync::Barrier::new(8);
        std::thread::scope(|threads| {
            let open = || {
                ready.wait();
                EventLog::open(&path).map(drop)
            };
            let opened: Vec<_> = (0..8).map(|_| threads.spawn(open)).collect();
            for opened in opened {
                opened.join().unwrap().unwrap();
            }
        });
    }
}
