//! Which calls wait for each other.

use std::time::Duration;

use super::*;

#[test]
fn two_calls_that_store_one_output_wait_for_each_other() {
    for store in [Store::local(), Store::memory()] {
        let mut first = store.store();
        write(&mut first, "a", "first");
        let grants = [store.grant(Access::Write, Scope::Mount)];
        let release = || {
            publish(&mut first);
            drop(first);
        };
        let mut second = after_waiting(release, |interrupted| {
            FileSystem::open(&grants, &[location()], Intent::Store, &Limits::default(), interrupted).unwrap()
        });
        assert_eq!(read(&mut second, "a").unwrap(), "first");
    }
}

#[test]
fn a_publish_waits_for_calls_that_read_the_output() {
    for store in [Store::local(), Store::memory()] {
        store.fill(&[("a", "old"), ("b", "old")]);
        let mut reader = store.load();
        let mut writer = store.store();
        write(&mut writer, "a", "new");
        write(&mut writer, "b", "new");
        assert_eq!(read(&mut reader, "a").unwrap(), "old");
        let release = || {
            assert_eq!(read(&mut reader, "b").unwrap(), "old");
            drop(reader);
        };
        let published = after_waiting(release, |interrupted| writer.publish(Durability::None, interrupted));
        assert_eq!(published, Ok(()));
        assert_eq!(store.tree(), ["a=new", "b=new"]);
    }
}

#[test]
fn calls_on_different_outputs_do_not_wait() {
    for store in [Store::local(), Store::memory()] {
        let grants = [store.grant(Access::Write, Scope::Output)];
        let open = |key: &str| {
            let location = Location::asset(&[key]);
            FileSystem::open(&grants, &[location], Intent::Store, &Limits::default(), &|| panic!("it waits")).unwrap()
        };
        let (mut a, mut b) = (open("a"), open("b"));
        save(&mut a, "/data/a.csv", "1");
        save(&mut b, "/data/b.csv", "2");
        publish(&mut a);
        publish(&mut b);
        drop((a, b));
        assert_eq!(store.tree(), ["a.csv=1", "b.csv=2"]);
    }
}

#[test]
fn a_call_on_a_whole_mount_and_one_on_an_output_wait_for_each_other() {
    for store in [Store::local(), Store::memory()] {
        let open = |scope, locations: &[Location], interrupted: &dyn Fn() -> bool| {
            let grants = [store.grant(Access::Write, scope)];
            FileSystem::open(&grants, locations, Intent::Store, &Limits::default(), interrupted).unwrap()
        };
        // As an op has it: the mount, and no output.
        let mut whole = open(Scope::Mount, &[], &|| false);
        write(&mut whole, "sales", "1");
        let release = || {
            whole.remove_file_at(&mount(), "sales").unwrap();
            publish(&mut whole);
            drop(whole);
        };
        let mut output = after_waiting(release, |interrupted| open(Scope::Output, &[location()], interrupted));
        save(&mut output, "/data/sales/orders.csv", "1");
        let release = || {
            publish(&mut output);
            drop(output);
        };
        let mut whole = after_waiting(release, |interrupted| open(Scope::Mount, &[], interrupted));
        assert_eq!(read(&mut whole, "sales/orders.csv").unwrap(), "1");
    }
}

#[test]
fn a_publish_of_an_output_waits_for_calls_that_read_the_whole_mount() {
    for store in [Store::local(), Store::memory()] {
        let reader = open(&[store.grant(Access::Write, Scope::Mount)], Intent::Load);
        let mut writer = open(&[store.grant(Access::Write, Scope::Output)], Intent::Store);
        save(&mut writer, "/data/sales/orders.csv", "1");
        let published = after_waiting(|| drop(reader), |interrupted| writer.publish(Durability::None, interrupted));
        assert_eq!(published, Ok(()));
    }
}

#[test]
fn waiting_ends_when_it_is_interrupted_or_the_time_is_up() {
    for store in [Store::local(), Store::memory()] {
        let _first = store.store();
        let grants = [store.grant(Access::Write, Scope::Mount)];
        let open = |limits: &Limits, interrupted: bool| {
            FileSystem::open(&grants, &[location()], Intent::Store, limits, &|| interrupted).map(|_| ())
        };
        assert_eq!(open(&Limits::default(), true), Err(Failure::Interrupted));
        let failure = storage(open(&Limits { time: Duration::ZERO, ..Limits::default() }, false));
        assert!(failure.reason.contains("another call holds it"), "{failure}");
    }
}

#[test]
fn a_call_that_reads_what_it_writes_under_another_path_does_not_wait_for_itself() {
    for store in [Store::local(), Store::memory()] {
        let mut again = store.grant(Access::Read, Scope::Mount);
        again.guest_path = GuestPath::new("/again").unwrap();
        let mut call = open(&[store.grant(Access::Write, Scope::Mount), again], Intent::Store);
        save(&mut call, "/data/a", "1");
        call.publish(Durability::None, &|| panic!("it waits")).unwrap();
    }
}

#[test]
fn a_call_that_waits_to_write_keeps_nobody_from_publishing() {
    for (one, two) in [(Store::local(), Store::local()), (Store::memory(), Store::memory())] {
        // The directories whose locks come first, in the order of their paths.
        for (read_store, written_store) in [(&one, &two), (&two, &one)] {
            read_store.fill(&[("before", "1")]);
            let grants = |access| {
                let mut other = written_store.grant(Access::Write, Scope::Mount);
                other.guest_path = GuestPath::new("/other").unwrap();
                [read_store.grant(access, Scope::Mount), other]
            };
            let mut first = open(&grants(Access::Write), Intent::Store);
            save(&mut first, "/data/a", "1");
            let release = || {
                first.publish(Durability::None, &|| panic!("it waits")).unwrap();
                drop(first);
            };
            let second = grants(Access::Read);
            after_waiting(release, |interrupted| {
                drop(FileSystem::open(&second, &[], Intent::Store, &Limits::default(), interrupted).unwrap());
            });
        }
    }
}

#[test]
fn a_load_never_sees_half_of_an_output_of_two_files() {
    for store in [Store::local(), Store::memory()] {
        store.fill(&[("a", "0"), ("b", "0")]);
        let grant = || store.grant(Access::Write, Scope::Mount);
        let (write_grants, read_grants) = (([grant()], [grant()]), [grant()]);
        std::thread::scope(|scope| {
            for (writer, grants) in [&write_grants.0, &write_grants.1].into_iter().enumerate() {
                scope.spawn(move || {
                    for round in 0..20 {
                        let mut call = open(grants, Intent::Store);
                        for path in ["a", "b"] {
                            write(&mut call, path, &format!("{writer} {round}"));
                        }
                        publish(&mut call);
                    }
                });
            }
            let grants = &read_grants;
            scope.spawn(move || {
                for _ in 0..40 {
                    let mut call = open(grants, Intent::Load);
                    let first = read(&mut call, "a").unwrap();
                    for path in ["a", "b"].into_iter().cycle().take(40) {
                        assert_eq!(read(&mut call, path).unwrap(), first);
                    }
                }
            });
        });
    }
}

#[test]
fn what_was_read_before_there_were_locks_is_refused_where_it_was_stored_meanwhile() {
    let store = Store::local();
    let read = |key: &str| {
        let grants = [store.grant(Access::Read, Scope::Output)];
        FileSystem::open(&grants, &[Location::asset(&[key])], Intent::Load, &Limits::default(), &|| false).unwrap()
    };
    let (mut same, mut other) = (read("a"), read("b"));
    let stored = Location::asset(&["a"]);
    let grants = [store.grant(Access::Write, Scope::Output)];
    let mut first = FileSystem::open(&grants, &[stored], Intent::Store, &Limits::default(), &|| false).unwrap();
    save(&mut first, "/data/a.d/x", "1");
    save(&mut first, "/data/a.d/y", "2");
    publish(&mut first);
    drop(first);
    let failure = storage(same.publish(Durability::None, &|| false));
    assert!(failure.reason.contains("stored for the first time meanwhile"), "{failure}");
    assert_eq!(other.publish(Durability::None, &|| false), Ok(()), "it was not stored");
    assert_eq!(read("a").publish(Durability::None, &|| false), Ok(()));
}
