//! What a call may not do, and how that is recorded.

use rustix::fs::{FileType, Mode, mkfifoat};

use crate::limits::PATH_DEPTH;
use crate::report::{Operation, Rule};

use super::*;

fn denied(operation: Operation, subject: &str, rule: Rule) -> Vec<Denial> {
    vec![Denial { operation, subject: subject.into(), rule }]
}

fn out_of_scope() -> Rule {
    Rule::OutOfScope { mount: "/data".into(), scope: "sales/orders".into() }
}

/// Every way to change `path`, `a/x` and `a` being there.
fn changes(call: &mut FileSystem, base: &Base) -> Vec<(&'static str, ErrorCode)> {
    let mode = |create, truncate, write| OpenMode { create, truncate, write, ..READ };
    vec![
        ("create", code(call.open_at(base, "new", mode(true, false, false)))),
        ("create what is there", code(call.open_at(base, "a", mode(true, false, false)))),
        ("truncate", code(call.open_at(base, "a", mode(false, true, false)))),
        ("write", code(call.open_at(base, "a", mode(false, false, true)))),
        ("make a directory", code(call.create_directory_at(base, "new"))),
        ("remove a directory", code(call.remove_directory_at(base, "d"))),
        ("remove a file", code(call.remove_file_at(base, "a"))),
        ("rename", code(call.rename_at(base, "a", base, "b"))),
        ("set times", code(call.set_times_at(base, "a", None, None))),
        ("link", code::<()>(Err(call.refuse_link_at(base, "new")))),
    ]
}

#[test]
fn a_mount_that_is_lent_to_read_is_not_changed_beside_one_that_is_lent_to_write() {
    let (read_only, writable) = (Store::local(), Store::local());
    read_only.fill(&[("a", "1"), ("d/x", "2")]);
    let mut other = writable.grant(Access::Write, Scope::Mount);
    other.guest_path = GuestPath::new("/out").unwrap();
    let mut call = open(&[read_only.grant(Access::Read, Scope::Mount), other], Intent::Store);
    let (data, out) = (mount(), Base::Mount { index: 1, path: String::new() });
    for (change, code) in changes(&mut call, &data) {
        assert_eq!(code, ErrorCode::ReadOnly, "{change}");
    }
    let rule = Rule::ReadOnly { mount: "/data".into(), loading: false };
    assert!(denials(&call).iter().all(|denial| denial.rule == rule));
    assert!(matches!(call.open_at(&out, "mine", CREATE), Ok(Opened::File(_))));
    assert_eq!(code(call.rename_at(&data, "a", &out, "a")), ErrorCode::ReadOnly);
    assert_eq!(code(call.rename_at(&out, "mine", &data, "a")), ErrorCode::ReadOnly);
    publish(&mut call);
    drop(call);
    assert_eq!(read_only.tree(), ["a=1", "d/", "d/x=2"]);
    assert_eq!(writable.tree(), ["mine="]);
}

#[test]
fn nothing_is_changed_while_a_value_is_loaded() {
    let store = Store::local();
    store.fill(&[("a", "1"), ("d/x", "2")]);
    let mut call = store.load();
    for (change, code) in changes(&mut call, &mount()) {
        assert_eq!(code, ErrorCode::ReadOnly, "{change}");
    }
    let rule = Rule::ReadOnly { mount: "/data".into(), loading: true };
    assert!(denials(&call).iter().all(|denial| denial.rule == rule));
    assert_eq!(code(call.create("/data/x")), ErrorCode::ReadOnly);
}

#[test]
fn a_call_touches_its_own_output_only() {
    for store in [Store::local(), Store::memory()] {
        store.fill(&[("sales/orders.csv", "mine"), ("sales/other.csv", "theirs"), ("top.csv", "theirs")]);
        let grant = store.grant(Access::Write, Scope::Output);
        for (path, operation) in [
            ("sales/other.csv", Operation::Read),
            ("top.csv", Operation::Read),
            ("sales/orders2.csv", Operation::Read),
            ("sales/orders", Operation::Read),
        ] {
            let mut call = open(std::slice::from_ref(&grant), Intent::Store);
            assert_eq!(code(call.open_at(&mount(), path, READ)), ErrorCode::NotPermitted, "{path}");
            assert_eq!(denials(&call), denied(operation, &format!("/data/{path}"), out_of_scope()));
        }
        let mut call = open(&[grant], Intent::Store);
        assert_eq!(read(&mut call, "sales/orders.csv").unwrap(), "mine");
        write(&mut call, "sales/orders.csv.tmp", "new");
        call.rename_at(&mount(), "sales/orders.csv.tmp", &mount(), "sales/orders.csv").unwrap();
        assert_eq!(code(call.rename_at(&mount(), "sales/orders.csv", &mount(), "top.csv")), ErrorCode::NotPermitted);
        publish(&mut call);
        drop(call);
        assert_eq!(store.tree(), ["sales/", "sales/orders.csv=new", "sales/other.csv=theirs", "top.csv=theirs"]);
    }
}

#[test]
fn directories_above_an_output_are_there_and_show_nothing_else() {
    for store in [Store::local(), Store::memory()] {
        let grant = store.grant(Access::Write, Scope::Output);
        let mut call = open(std::slice::from_ref(&grant), Intent::Store);
        assert_eq!(tree(&mut call), ["sales/"]);
        assert_eq!(call.stat_at(&mount(), "sales").unwrap().kind, Kind::Directory);
        assert_eq!(code(call.create_directory_at(&mount(), "sales")), ErrorCode::Exist);
        assert_eq!(code(call.remove_directory_at(&mount(), "sales")), ErrorCode::NotPermitted);
        assert_eq!(code(call.rename_at(&mount(), "sales", &mount(), "sales/orders.x")), ErrorCode::NotPermitted);
        drop(call);
        store.fill(&[("sales/orders.csv", "mine"), ("sales/other.csv", "theirs"), ("x", "theirs")]);
        let mut call = open(&[grant], Intent::Load);
        assert_eq!(tree(&mut call), ["sales/", "sales/orders.csv=mine"]);
        assert_eq!(denials(&call), []);
    }
}

#[test]
fn asking_for_an_absent_file_in_scope_is_no_denial() {
    let call = open(&[Store::memory().grant(Access::Read, Scope::Output)], Intent::Load);
    assert_eq!(code(call.stat_at(&mount(), "sales/orders.csv")), ErrorCode::NoEntry);
    assert_eq!(denials(&call), []);
}

#[test]
fn a_path_out_of_the_mount_is_an_escape() {
    let store = Store::memory();
    store.fill(&[("d/a", "1")]);
    for (base, path, shown) in [
        ("", "../etc/passwd", "/etc/passwd"),
        ("", "/etc/passwd", "/etc/passwd"),
        ("", "/data/d/a", "/data/d/a"),
        ("", "d/../../x", "/x"),
        ("d", "../../x", "/x"),
    ] {
        let mut call = store.store();
        let base = Base::Mount { index: 0, path: base.into() };
        assert_eq!(code(call.open_at(&base, path, READ)), ErrorCode::NotPermitted);
        let rule = Rule::Escape { mount: "/data".into() };
        assert_eq!(denials(&call), denied(Operation::Read, shown, rule), "{path}");
    }
}

#[test]
fn what_lies_beside_the_mounts_is_refused_and_recorded() {
    let store = Store::memory();
    store.fill(&[("a", "1")]);
    let mut call = store.store();
    assert_eq!(code(call.open_at(&root(), "etc/passwd", READ)), ErrorCode::NotPermitted);
    assert_eq!(code(call.create_directory_at(&root(), "tmp")), ErrorCode::NotPermitted);
    let expected = [
        Denial { operation: Operation::Read, subject: "/etc/passwd".into(), rule: Rule::NotMounted },
        Denial { operation: Operation::Write, subject: "/tmp".into(), rule: Rule::NotMounted },
    ];
    assert_eq!(denials(&call), expected);
}

#[test]
fn the_root_leads_into_the_mounts() {
    let store = Store::memory();
    store.fill(&[("a", "1")]);
    let mut deep = store.grant(Access::Write, Scope::Mount);
    deep.guest_path = GuestPath::new("/mnt/lake").unwrap();
    let mut call = open(&[deep], Intent::Store);
    assert_eq!(call.list(&root()).unwrap(), [("mnt".into(), Kind::Directory)]);
    assert_eq!(call.list(&Base::Root("mnt".into())).unwrap(), [("lake".into(), Kind::Directory)]);
    assert_eq!(call.stat_at(&root(), "mnt").unwrap().kind, Kind::Directory);
    assert!(matches!(call.open_at(&root(), "mnt/lake/a", READ), Ok(Opened::File(_))));
    let opened = call.open_at(&root(), "mnt/../mnt/lake/", OpenMode { directory: true, ..READ });
    assert!(matches!(opened, Ok(Opened::Directory(base)) if base == mount()));
    assert_eq!(denials(&call), []);
    for result in [
        call.remove_directory_at(&root(), "mnt"),
        call.remove_file_at(&root(), "mnt"),
        call.rename_at(&root(), "mnt", &root(), "mnt/lake/x"),
        call.open_at(&root(), "mnt", CREATE).map(|_| ()),
    ] {
        assert_eq!(code(result), ErrorCode::NotPermitted);
    }
    assert_eq!(code(call.create_directory_at(&root(), "mnt")), ErrorCode::Exist);
    assert_eq!(code(call.remove_directory_at(&root(), "mnt/lake")), ErrorCode::Busy);
}

#[test]
fn the_reserved_directory_is_not_there() {
    let store = Store::local();
    store.fill(&[("a", "1"), ("d/x", "2")]);
    let mut call = store.store();
    assert_eq!(tree(&mut call), ["a=1", "d/", "d/x=2"]);
    for path in [".airlock", ".airlock/locks", ".AirLock/x", "d/../.airlock"] {
        assert_eq!(code(call.open_at(&mount(), path, READ)), ErrorCode::NotPermitted, "{path}");
        assert_eq!(code(call.stat_at(&mount(), path)), ErrorCode::NotPermitted, "{path}");
        assert_eq!(code(call.create_directory_at(&mount(), path)), ErrorCode::NotPermitted, "{path}");
        assert_eq!(code(call.rename_at(&mount(), "a", &mount(), path)), ErrorCode::NotPermitted, "{path}");
    }
    assert!(denials(&call).iter().all(|denial| denial.rule == Rule::Reserved));
}

/// A mount in which others placed what no call may open.
fn store_with_traps() -> (Store, tempfile::TempDir) {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let store = Store::local();
    let path = store.path();
    std::os::unix::fs::symlink(outside.path().join("secret"), path.join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path(), path.join("linked")).unwrap();
    std::os::unix::fs::symlink("nowhere", path.join("dangling")).unwrap();
    let directory = std::fs::File::open(&path).unwrap();
    mkfifoat(&directory, "fifo", Mode::RUSR | Mode::WUSR).unwrap();
    std::os::unix::net::UnixListener::bind(path.join("socket")).unwrap();
    (store, outside)
}

#[test]
fn links_fifos_and_sockets_are_neither_followed_nor_opened_nor_changed() {
    let (store, outside) = store_with_traps();
    for path in ["link", "dangling", "fifo", "socket", "linked", "linked/secret"] {
        let mut call = store.store();
        for mode in [READ, UPDATE, CREATE, CREATE_NEW] {
            assert_eq!(code(call.open_at(&mount(), path, mode)), ErrorCode::NotPermitted, "{path} {mode:?}");
        }
        assert_eq!(code(call.stat_at(&mount(), path)), ErrorCode::NotPermitted, "{path}");
        assert_eq!(code(call.remove_file_at(&mount(), path)), ErrorCode::NotPermitted, "{path}");
        assert_eq!(code(call.create_directory_at(&mount(), path)), ErrorCode::NotPermitted, "{path}");
        assert_eq!(code(call.create(&format!("/data/{path}"))), ErrorCode::NotPermitted, "{path}");
        write(&mut call, "mine", "x");
        assert_eq!(code(call.rename_at(&mount(), "mine", &mount(), path)), ErrorCode::NotPermitted, "{path}");
        assert!(denials(&call).iter().all(|denial| denial.rule == Rule::NotAFile));
        assert_eq!(call.record().failure(), None);
    }
    assert_eq!(store.tree(), ["dangling?", "fifo?", "link?", "linked?", "socket?"]);
    assert_eq!(std::fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
}

#[test]
fn what_is_behind_a_link_is_not_written() {
    let (store, outside) = store_with_traps();
    let mut call = store.store();
    assert_eq!(code(call.open_at(&mount(), "linked/new", CREATE)), ErrorCode::NotPermitted);
    assert_eq!(code(call.create("/data/linked/new")), ErrorCode::NotPermitted);
    publish(&mut call);
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn a_directory_with_a_link_is_neither_removed_nor_moved() {
    let store = Store::local();
    store.fill(&[("d/a", "1")]);
    std::os::unix::fs::symlink("/etc", store.path().join("d/link")).unwrap();
    let mut call = store.store();
    call.remove_file_at(&mount(), "d/a").unwrap();
    assert_eq!(code(call.remove_directory_at(&mount(), "d")), ErrorCode::NotEmpty);
    assert_eq!(code(call.rename_at(&mount(), "d", &mount(), "e")), ErrorCode::NotPermitted);
}

#[test]
fn devices_are_not_opened() {
    let file = rustix::fs::stat("/dev/null").unwrap();
    assert_eq!(FileType::from_raw_mode(file.st_mode), FileType::CharacterDevice);
    let devices = super::super::directory::open_root(Path::new("/dev"), None).unwrap();
    let opened = super::super::directory::open_file(&devices, "null", rustix::fs::OFlags::RDONLY).unwrap();
    assert!(opened.is_none());
}

#[test]
fn links_are_not_made() {
    let store = Store::memory();
    let call = store.store();
    assert_eq!(code::<()>(Err(call.refuse_link_at(&mount(), "link"))), ErrorCode::NotPermitted);
    assert_eq!(denials(&call), denied(Operation::Link, "/data/link", Rule::NotAFile));
}

#[test]
fn a_path_may_be_deep_but_no_deeper() {
    let store = Store::memory();
    let mut call = store.store();
    let deepest = vec!["d"; PATH_DEPTH].join("/");
    save(&mut call, &format!("/data/{deepest}"), "x");
    let exceeded = limit(call.stat_at(&mount(), &format!("{deepest}/d")));
    assert_eq!(exceeded.to_string(), "it used a path of more than 16 segments");
    call.create_directory_at(&mount(), "e").unwrap();
    let exceeded = limit(call.rename_at(&mount(), "d", &mount(), "e/d"));
    assert_eq!(exceeded.to_string(), "it used a path of more than 16 segments");
}

#[test]
fn saving_takes_the_same_checks() {
    let store = Store::memory();
    let mut call = open(&[store.grant(Access::Write, Scope::Output)], Intent::Store);
    assert_eq!(code(call.create("/etc/passwd")), ErrorCode::NotPermitted);
    assert_eq!(code(call.create("/data/other.csv")), ErrorCode::NotPermitted);
    assert_eq!(code(call.create("/data/sales")), ErrorCode::IsDirectory);
    assert_eq!(code(call.create("/data/sales/orders.d/")), ErrorCode::IsDirectory);
    assert_eq!(code(call.create("/")), ErrorCode::IsDirectory);
    assert_eq!(code(call.open_read("/data/other.csv")), ErrorCode::NotPermitted);
    assert_eq!(code(call.open_read("/data/sales")), ErrorCode::IsDirectory);
    assert_eq!(code(call.open_read("/data/sales/orders.csv")), ErrorCode::NoEntry);
    save(&mut call, "/data/sales/orders.d/part-0", "12");
    let ReadFile { file, size, stable } = call.open_read("/data/sales/orders.d/part-0").unwrap();
    assert!(!stable);
    assert_eq!((file.metadata().unwrap().len(), size), (2, 2));
}

#[test]
fn times_above_the_mounts_are_not_set_and_that_is_recorded() {
    let store = Store::local();
    let mut call = store.store();
    assert_eq!(code(call.set_times_at(&root(), ".", None, None)), ErrorCode::NotPermitted);
    let denied = Denial { operation: Operation::Write, subject: "/".into(), rule: Rule::NotMounted };
    assert_eq!(denials(&call), [denied]);
}
