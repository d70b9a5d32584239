//! Removing what is stored.

use super::super::wipe::{RemovedValue, Wipe, wipe};
use super::*;

fn remove(store: &Store, what: Wipe<'_>) -> Result<Vec<RemovedValue>, Failure> {
    let grants = [store.grant(Access::Write, Scope::Output)];
    wipe(&grants, what, &Limits::default(), Durability::None, &|| false)
}

fn places(removed: &[RemovedValue]) -> Vec<&str> {
    removed.iter().map(|removed| removed.place.as_str()).collect()
}

#[test]
fn an_output_goes_under_all_its_extensions_and_its_neighbours_stay() {
    let store = Store::local();
    store.fill(&[("top.csv", "5"), ("top2.csv", "6")]);
    std::fs::create_dir_all(store.path().join("sales/orders")).unwrap();
    std::fs::create_dir_all(store.path().join("sales/orders.delta/deep")).unwrap();
    for path in ["sales/orders.csv", "sales/orders.delta/deep/x", "sales/orders/day=1.csv", "sales/orders2.csv"] {
        std::fs::write(store.path().join(path), "1").unwrap();
    }
    let removed = remove(&store, Wipe::Outputs(&[location(), Location::asset(&["top"])])).unwrap();
    assert_eq!(places(&removed), ["top", "sales/orders", "sales/orders"]);
    assert!(removed[0].path.ends_with("/top.csv"), "{removed:?}");
    assert_eq!(
        store.tree(),
        ["sales/", "sales/orders/", "sales/orders/day=1.csv=1", "sales/orders2.csv=1", "top2.csv=6"]
    );
    assert!(call_directories(&store).is_empty());
}

#[test]
fn of_partitions_those_that_are_named_go() {
    let store = Store::local();
    let day = |key: &str| location().partition(&[("days", key)]);
    std::fs::create_dir_all(store.path().join("sales/orders")).unwrap();
    for key in ["1", "2", "3"] {
        std::fs::write(store.path().join(day(key).path("csv").unwrap()), key).unwrap();
    }
    let removed = remove(&store, Wipe::Outputs(&[day("1"), day("3"), day("4")])).unwrap();
    assert_eq!(places(&removed), ["sales/orders/days=1", "sales/orders/days=3"]);
    assert_eq!(store.tree(), ["sales/", "sales/orders/", "sales/orders/days=2.csv=2"]);
}

#[test]
fn a_run_goes_with_all_that_it_stored() {
    let store = Store::local();
    for run in ["1", "2"] {
        let path = store.path().join(Location::output(run, "clean", "result").path("csv").unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, run).unwrap();
    }
    let removed = remove(&store, Wipe::Run("1")).unwrap();
    assert_eq!(places(&removed), ["runs=1"]);
    assert_eq!(store.tree(), ["runs=2/", "runs=2/clean/", "runs=2/clean/result.csv=2"]);
    assert_eq!(remove(&store, Wipe::Run("1")).unwrap(), []);
}

#[test]
fn a_link_at_the_place_of_an_output_keeps_all_of_it() {
    let store = Store::local();
    store.fill(&[("a.csv", "1"), ("b.csv", "2")]);
    std::os::unix::fs::symlink("b.csv", store.path().join("a.json")).unwrap();
    let failure = remove(&store, Wipe::Outputs(&[Location::asset(&["a"])])).unwrap_err();
    assert!(failure.to_string().contains("a.json: no call stored it"), "{failure}");
    assert!(store.path().join("a.csv").exists() && store.path().join("b.csv").exists());
    assert!(call_directories(&store).is_empty());
}

#[test]
fn a_directory_behind_a_link_is_left_alone() {
    let (store, outside) = (Store::local(), tempfile::tempdir().unwrap());
    std::fs::write(outside.path().join("orders.csv"), "1").unwrap();
    std::os::unix::fs::symlink(outside.path(), store.path().join("sales")).unwrap();
    assert_eq!(remove(&store, Wipe::Outputs(&[location()])).unwrap(), []);
    assert!(outside.path().join("orders.csv").exists());
}

#[test]
fn nothing_goes_from_a_mount_that_is_read_or_whose_places_tell_nothing() {
    let store = Store::local();
    store.fill(&[("a.csv", "1")]);
    for (access, scope) in [(Access::Read, Scope::Output), (Access::Write, Scope::Mount)] {
        let what = Wipe::Outputs(&[Location::asset(&["a"])]);
        let removed = wipe(&[store.grant(access, scope)], what, &Limits::default(), Durability::None, &|| false);
        assert_eq!(removed.unwrap(), []);
    }
    assert_eq!(store.tree(), ["a.csv=1"]);
}

#[test]
fn a_directory_that_is_not_there_is_not_made() {
    let parent = tempfile::tempdir().unwrap();
    let store = Store { source: local_source(&parent.path().join("data")), directory: None };
    assert_eq!(remove(&store, Wipe::Outputs(&[location()])).unwrap(), []);
    assert!(!parent.path().join("data").exists());
}

#[test]
fn a_call_that_reads_the_output_is_waited_for() {
    let store = Store::local();
    store.fill(&[("sales.csv", "1")]);
    let what = [Location::asset(&["sales"])];
    let grants = [store.grant(Access::Write, Scope::Output)];
    let reader = FileSystem::open(&grants, &what, Intent::Load, &Limits::default(), &|| false).unwrap();
    let removed = after_waiting(
        || drop(reader),
        |interrupted| wipe(&grants, Wipe::Outputs(&what), &Limits::default(), Durability::None, interrupted),
    );
    assert_eq!(places(&removed.unwrap()), ["sales"]);
}

#[test]
fn a_call_that_stores_is_waited_for_and_what_it_stored_goes() {
    let output = Location::output("1", "clean", "result");
    for what in [Wipe::Outputs(std::slice::from_ref(&output)), Wipe::Run("1")] {
        let store = Store::local();
        let grants = [store.grant(Access::Write, Scope::Output)];
        let locations = std::slice::from_ref(&output);
        let mut call = FileSystem::open(&grants, locations, Intent::Store, &Limits::default(), &|| false).unwrap();
        save(&mut call, "/data/runs=1/clean/result.csv", "1");
        let release = || {
            publish(&mut call);
            drop(call);
        };
        let removed = after_waiting(release, |interrupted| {
            wipe(&grants, what, &Limits::default(), Durability::None, interrupted)
        });
        assert_eq!(removed.unwrap().len(), 1, "{what:?}");
        assert!(!store.path().join("runs=1/clean/result.csv").exists());
    }
}
