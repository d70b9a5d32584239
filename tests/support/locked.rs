//! A project with a component that is lent much, locked.

use crate::project::{Project, Ran, guest};

/// An I/O manager that lends its component this much.
pub const LENT: &str = "\
mounts.\"/data\" = { path = \"data\", access = \"write\" }
mounts.\"/more\" = { path = \"more\" }
environment = { TZ = \"a-secret-of-the-definitions\" }
limits = { memory = \"64MiB\", files = 10 }
";

/// Definitions whose step would leave the file `begun`, and is stored by `x.wasm`, which is lent `lent`.
pub fn definitions(lent: &str) -> String {
    format!(
        "[assets.a]\ntype = \"text\"\nio = \"lake\"\n\
         command = [\"sh\", \"-c\", 'echo x | tee begun > $AIRLOCK_OUTPUT']\n\
         [io.lake]\ncomponent = \"x.wasm\"\n{lent}"
    )
}

/// A project with the component `files` as `x.wasm`.
pub fn project(lent: &str) -> Project {
    let project = Project::of(&definitions(lent));
    std::fs::copy(guest("files"), project.path("x.wasm")).unwrap();
    project
}

/// As [`project`], locked.
pub fn locked(lent: &str) -> Project {
    let project = project(lent);
    project.run(&["lock"]).ok();
    project
}

/// Checks that nothing is run, loaded or found sound as it is locked, with this code, and that this is said.
pub fn refused(project: &Project, code: i32, said: &str) {
    let _ = std::fs::remove_file(project.path("begun"));
    for arguments in [&["run", "--locked"][..], &["load", "a", "--locked"], &["check", "--locked"]] {
        let ran = project.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:#?}");
        assert!(ran.stderr.contains(said), "{arguments:?}: {said}: {}", ran.stderr);
    }
    assert_eq!(project.run_unread(&["check", "--locked"]), Some(code));
    assert!(!project.path("begun").exists());
}

/// Checks that `lock` refuses what is wider now, and writes nothing.
pub fn needs_a_yes(project: &Project, said: &str) -> Ran {
    let before = std::fs::read(project.path("airlock.lock")).unwrap();
    let ran = project.run(&["lock"]);
    assert_eq!(ran.code, Some(3), "{said}: {ran:#?}");
    assert!(ran.stdout.lines().any(|line| line == format!("+ {said}")), "{said}: {}", ran.stdout);
    assert!(ran.stderr.contains("nobody accepted that"), "{}", ran.stderr);
    assert_eq!(project.run_unread(&["lock"]), Some(3));
    assert_eq!(std::fs::read(project.path("airlock.lock")).unwrap(), before);
    ran
}

pub fn lock_of(project: &Project) -> String {
    std::fs::read_to_string(project.path("airlock.lock")).unwrap()
}
