//! What the next call does with what one left: finishing plans, sweeping, and what it does not believe.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::time::Duration;

use super::super::backend::Backend;
use super::super::directory::synced;
use super::super::local::{Local, Use};
use super::super::lock::{Waiting, stripes};
use super::super::plan::{Plan, Step};
use super::*;

fn open_local(store: &Store) -> Local {
    // A process that another test starts holds for a moment what this one holds.
    let waiting = Waiting::new(&|| false, Duration::from_secs(30));
    Local::open(&store.path(), Use::Write, &stripes(Scope::Mount, &[]), &waiting).unwrap()
}

const BEFORE: [(&str, &str); 6] =
    [("file", "1"), ("directory/x", "2"), ("directory/y/z", "3"), ("gone", "4"), ("tree/a", "5"), ("kept", "6")];

/// A plan with every kind of step, over [`BEFORE`].
fn steps() -> Vec<Step> {
    let put = |staged, path: &str| Step::Put { staged, path: path.into() };
    vec![
        Step::ClearDirectory("directory".into()),
        Step::ClearFile("file".into()),
        Step::MakeDirectory("file".into()),
        Step::MakeDirectory("empty".into()),
        put(0, "directory"),
        put(1, "file/below"),
        put(2, "deep/er/new"),
        put(3, "kept"),
        Step::Remove("gone".into()),
        Step::Remove("tree".into()),
    ]
}

const AFTER: [&str; 8] =
    ["deep/", "deep/er/", "deep/er/new=2", "directory=0", "empty/", "file/", "file/below=1", "kept=3"];

fn stage(local: &mut Local) {
    use std::io::Write;
    for number in 0..4 {
        local.create_staged(number).unwrap().write_all(number.to_string().as_bytes()).unwrap();
    }
}

#[test]
fn a_publish_that_ends_after_any_step_is_finished_by_the_next_call() {
    for durability in [Durability::None, Durability::Full] {
        for done in 0..=steps().len() {
            let store = Store::local();
            store.fill(&BEFORE);
            let mut local = open_local(&store);
            stage(&mut local);
            local.prepare(&steps(), durability).unwrap();
            for step in steps().iter().take(done) {
                local.perform(step).unwrap();
            }
            drop(local);
            assert_eq!(call_directories(&store).len(), 1);
            assert_eq!(store.tree(), AFTER, "after {done} steps");
            assert_eq!(call_directories(&store), Vec::<PathBuf>::new());
        }
    }
}

#[test]
fn steps_that_are_done_again_from_the_start_change_nothing() {
    for again in 0..=steps().len() {
        let store = Store::local();
        store.fill(&BEFORE);
        let mut local = open_local(&store);
        stage(&mut local);
        local.prepare(&steps(), Durability::None).unwrap();
        for step in steps().iter().take(again).chain(&steps()) {
            local.perform(step).unwrap();
        }
        drop(local);
        assert_eq!(store.tree(), AFTER, "after {again} steps");
    }
}

/// What the directory with this inode held each time that it was made durable.
fn held_when_synced(inode: u64) -> Vec<Vec<String>> {
    synced::take().into_iter().filter(|(synced, _)| *synced == inode).map(|(_, names)| names).collect()
}

#[test]
fn what_was_staged_is_durable_before_the_plan_and_the_end_of_the_plan_before_the_locks_go() {
    let store = Store::local();
    let mut call = store.store();
    write(&mut call, "a", "1");
    write(&mut call, "b", "2");
    let inode = fs::metadata(&call_directories(&store)[0]).unwrap().ino();
    synced::take();
    call.publish(Durability::Full, &|| false).unwrap();
    assert_eq!(held_when_synced(inode), [vec!["0", "1", "plan.new"], vec!["0", "1", "plan"], vec![]]);
}

#[test]
fn who_finishes_a_plan_makes_durable_what_the_one_before_did_of_it() {
    let store = Store::local();
    store.fill(&BEFORE);
    let mut local = open_local(&store);
    stage(&mut local);
    local.prepare(&steps(), Durability::Full).unwrap();
    for step in &steps() {
        local.perform(step).unwrap();
    }
    drop(local);
    let call = fs::metadata(&call_directories(&store)[0]).unwrap().ino();
    synced::take();
    drop(store.load());
    let synced = synced::take();
    for directory in ["", "deep", "deep/er", "file", "empty"] {
        let inode = fs::metadata(store.path().join(directory)).unwrap().ino();
        assert!(synced.iter().any(|(synced, _)| *synced == inode), "{directory}");
    }
    assert_eq!(synced.last(), Some(&(call, Vec::new())), "the plan is gone last");
}

#[test]
fn a_directory_that_a_killed_call_made_is_durable_once_something_is_stored_below_it() {
    let store = Store::local();
    fs::create_dir_all(store.path().join("a/b")).unwrap();
    let mut call = store.store();
    write(&mut call, "a/b/c", "1");
    synced::take();
    call.publish(Durability::Full, &|| false).unwrap();
    let synced = synced::take();
    for directory in ["", "a", "a/b"] {
        let inode = fs::metadata(store.path().join(directory)).unwrap().ino();
        assert!(synced.iter().any(|(synced, _)| *synced == inode), "{directory}");
    }
}

#[test]
fn a_call_that_ends_before_its_plan_leaves_nothing() {
    let store = Store::local();
    store.fill(&BEFORE);
    let before = store.tree();
    let left = store.path().join(".airlock/call-1-2-3");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("0"), "half").unwrap();
    fs::write(left.join("plan.new"), "airlock-plan 100").unwrap();
    assert_eq!(store.tree(), before);
    assert!(!left.exists());
}

#[test]
fn a_torn_plan_is_swept() {
    let store = Store::local();
    store.fill(&BEFORE);
    let before = store.tree();
    let mut local = open_local(&store);
    stage(&mut local);
    local.prepare(&steps(), Durability::None).unwrap();
    drop(local);
    let plan = call_directories(&store)[0].join("plan");
    let bytes = fs::read(&plan).unwrap();
    fs::write(&plan, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(store.tree(), before);
    assert_eq!(call_directories(&store), Vec::<PathBuf>::new());
}

#[test]
fn staging_that_is_held_stays() {
    let store = Store::local();
    let mut first = store.store();
    write(&mut first, "a", "1");
    let held = call_directories(&store);
    assert_eq!(held.len(), 1);
    assert_eq!(store.tree(), Vec::<String>::new());
    assert_eq!(call_directories(&store), held);
    publish(&mut first);
    drop(first);
    assert_eq!(store.tree(), ["a=1"]);
}

#[test]
fn an_unfinished_publish_of_another_output_is_finished_too_but_hinders_no_one() {
    let store = Store::local();
    store.fill(&[("kept", "1")]);
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), store.path().join("linked")).unwrap();
    let own = *stripes(Scope::Output, &[location()]).first().unwrap();
    let other = own.wrapping_add(1);
    let leave = |name: &str, stripe: u8, path: &str| {
        let call = store.path().join(".airlock").join(name);
        fs::create_dir(&call).unwrap();
        fs::write(call.join("0"), "late").unwrap();
        let plan = Plan::new(BTreeSet::from([stripe]), vec![Step::Put { staged: 0, path: path.into() }]);
        fs::write(call.join("plan"), plan.encode().unwrap()).unwrap();
    };
    leave("call-a", other, "late");
    leave("call-b", other, "linked/x");
    let load = |scope| {
        let grants = [store.grant(Access::Write, scope)];
        FileSystem::open(&grants, &[location()], Intent::Load, &Limits::default(), &|| false)
    };
    load(Scope::Output).unwrap();
    assert_eq!(fs::read_to_string(store.path().join("late")).unwrap(), "late");
    assert_eq!(call_directories(&store).len(), 1);
    leave("call-c", own, "linked/x");
    let failure = storage(load(Scope::Output));
    assert!(failure.to_string().contains("linked is in the way"), "{failure}");
    fs::remove_dir_all(store.path().join(".airlock/call-c")).unwrap();
    let failure = storage(load(Scope::Mount));
    assert!(failure.to_string().contains("linked is in the way"), "who may read all is concerned: {failure}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_plan_that_is_not_understood_stops_only_the_calls_that_it_concerns() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    let call = store.path().join(".airlock/call-a");
    fs::create_dir(&call).unwrap();
    let other = stripes(Scope::Output, &[location()]).first().unwrap().wrapping_add(1);
    let plan = Plan::new(BTreeSet::from([other]), vec![Step::Remove("odd\\name".into())]);
    fs::write(call.join("plan"), plan.encode().unwrap()).unwrap();
    publish(&mut open(&[store.grant(Access::Write, Scope::Output)], Intent::Store));
    let grants = [store.grant(Access::Write, Scope::Mount)];
    let failure = storage(FileSystem::open(&grants, &[], Intent::Load, &Limits::default(), &|| false));
    assert!(failure.reason.contains("which no call can write"), "{failure}");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_others_could_have_planned_is_not_done() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    let area = store.path().join(".airlock");
    let call = area.join("call-a");
    fs::create_dir(&call).unwrap();
    let own = stripes(Scope::Output, &[location()]);
    let plan = call.join("plan");
    fs::write(&plan, Plan::new(own, vec![Step::Remove("a".into())]).encode().unwrap()).unwrap();
    let open = |access, intent, locations: &[Location]| {
        let grants = [store.grant(access, Scope::Output)];
        FileSystem::open(&grants, locations, intent, &Limits::default(), &|| false).map(drop)
    };
    let other = [Location::asset(&["b"])];
    for shared in [&plan, &call, &area] {
        set_mode(shared, 0o777);
        for (access, intent) in
            [(Access::Write, Intent::Store), (Access::Write, Intent::Load), (Access::Read, Intent::Load)]
        {
            let failure = storage(open(access, intent, &[location()]));
            assert!(failure.reason.contains("others than its owner may write"), "{failure}");
        }
        assert!(store.path().join("a").exists());
        if shared == &area {
            assert_eq!(open(Access::Read, Intent::Load, &other), Ok(()), "it does not concern the call");
            assert_eq!(open(Access::Write, Intent::Load, &other), Ok(()));
            assert!(open(Access::Write, Intent::Store, &other).is_err());
        }
        set_mode(shared, 0o755);
    }
    assert_eq!(open(Access::Write, Intent::Store, &[location()]), Ok(()));
    assert!(!store.path().join("a").exists(), "it is done once it is the owner's alone");
}

#[test]
fn a_plan_that_is_too_long_is_not_read() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    let call = store.path().join(".airlock/call-a");
    fs::create_dir(&call).unwrap();
    let plan = fs::File::create(call.join("plan")).unwrap();
    plan.set_len(crate::limits::PLAN_BYTES + 1).unwrap();
    let grants = [store.grant(Access::Write, Scope::Mount)];
    let failure = storage(FileSystem::open(&grants, &[], Intent::Load, &Limits::default(), &|| false));
    assert!(failure.reason.contains("more than 64 MiB"), "{failure}");
}

#[test]
fn a_staged_file_that_others_linked_is_not_published_by_the_next_call() {
    let store = Store::local();
    let mut local = open_local(&store);
    stage(&mut local);
    local.prepare(&[Step::Put { staged: 0, path: "a".into() }, Step::Remove("b".into())], Durability::None).unwrap();
    drop(local);
    fs::hard_link(call_directories(&store)[0].join("0"), store.path().join("linked")).unwrap();
    let grants = [store.grant(Access::Write, Scope::Mount)];
    let failure = storage(FileSystem::open(&grants, &[], Intent::Load, &Limits::default(), &|| false));
    assert!(failure.reason.contains("linked by another program"), "{failure}");
}

#[test]
fn what_a_call_left_and_cannot_be_looked_into_is_an_error() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    // Not a directory, and so not what a call left: but what it is, no one knows.
    fs::write(store.path().join(".airlock/call-a"), "").unwrap();
    let grants = [store.grant(Access::Write, Scope::Mount)];
    let failure = storage(FileSystem::open(&grants, &[], Intent::Load, &Limits::default(), &|| false));
    assert!(failure.path.ends_with(".airlock/call-a"), "{failure}");
}

#[test]
fn a_directory_of_our_own_that_a_checkout_left_writable_is_taken_back() {
    let store = Store::local();
    store.fill(&[("a", "1")]);
    drop(store.store());
    let area = store.path().join(".airlock");
    fs::set_permissions(&area, fs::Permissions::from_mode(0o777)).unwrap();
    let mut call = store.store();
    write(&mut call, "b", "2");
    publish(&mut call);
    drop(call);
    assert_eq!(fs::metadata(&area).unwrap().permissions().mode() & 0o777, 0o755);
    assert_eq!(store.tree(), ["a=1", "b=2"]);
    assert_eq!(fs::read_to_string(area.join(".gitignore")).unwrap(), "*\n");
}

/// Where this test is told, in a process of another user, what to load.
const ANOTHER_USER: &str = "AIRLOCK_TEST_ANOTHER_USER";

#[test]
fn another_user_is_told_of_a_publish_that_was_begun_and_of_nothing_else() {
    let load = |mount: &str| {
        let grant =
            Store { source: local_source(Path::new(mount)), directory: None }.grant(Access::Read, Scope::Output);
        FileSystem::open(&[grant], &[location()], Intent::Load, &Limits::default(), &|| false).map(drop)
    };
    if let Ok(mount) = std::env::var(ANOTHER_USER) {
        println!("loaded: {:?}", load(&mount));
        return;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can be another user");
        return;
    }
    let own = stripes(Scope::Output, &[location()]);
    let other = BTreeSet::from([own.first().unwrap().wrapping_add(1)]);
    for owner in [0, 1001] {
        let store = Store::local();
        store.fill(&[("a", "1")]);
        set_mode(&store.path(), 0o755);
        let loads = || {
            let entries = std::iter::once(store.path().join(".airlock")).chain(call_directories(&store));
            for path in entries.chain(call_directories(&store).iter().map(|call| call.join("plan"))) {
                let _ = std::os::unix::fs::chown(path, Some(owner), None);
            }
            let test = "mount::tests::recovery::another_user_is_told_of_a_publish_that_was_begun_and_of_nothing_else";
            // By its path another user may not reach it.
            let mut command = std::process::Command::new("/proc/self/exe");
            command.args(["--exact", test, "--nocapture"]).env(ANOTHER_USER, store.path()).uid(1002).gid(1002);
            String::from_utf8(command.output().unwrap().stdout).unwrap()
        };
        let waiting = Waiting::new(&|| false, Duration::from_secs(30));
        let begin = |stripes: &BTreeSet<u8>| {
            let mut local = Local::open(&store.path(), Use::Write, stripes, &waiting).unwrap();
            stage(&mut local);
            local
        };
        let publish = |local: &mut Local| {
            let put = |staged, path: &str| Step::Put { staged, path: path.into() };
            local.prepare(&[put(0, "b"), put(1, "c")], Durability::None).unwrap();
        };
        let mut local = begin(&other);
        assert!(loads().contains("loaded: Ok(())"), "{owner}: a call that is in progress: {}", loads());
        publish(&mut local);
        drop(local);
        assert!(loads().contains("loaded: Ok(())"), "{owner}: what was begun of another output: {}", loads());
        fs::remove_dir_all(store.path().join(".airlock")).unwrap();
        publish(&mut begin(&own));
        let reason = if owner == 0 { "who alone can finish it" } else { "its owner finishes what was begun there" };
        assert!(loads().contains(reason), "{owner}: {}", loads());
    }
}

#[test]
fn what_keeps_our_directory_out_of_git_is_made_where_a_killed_call_did_not_come_to_it() {
    let store = Store::local();
    let area = store.path().join(".airlock");
    for left in [&[][..], &[".gitignore"]] {
        let _ = fs::remove_dir_all(&area);
        fs::create_dir(&area).unwrap();
        for name in left {
            fs::write(area.join(name), "").unwrap();
        }
        drop(store.store());
        assert_eq!(fs::read_to_string(area.join(".gitignore")).unwrap(), "*\n");
    }
}
