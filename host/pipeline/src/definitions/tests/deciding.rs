//! What decides what components may do is not lent to write.

use super::*;

fn managers(path: &str) -> String {
    format!("[io.lake]\ncomponent = \"builtin:files\"\nmounts.\"/data\" = {{ path = {path}, access = \"write\" }}\n")
}

/// What is refused of a mount at `path` where definitions are looked for as `pattern` says.
fn refused(pattern: &str, path: &str) -> Option<String> {
    let included = "[assets.a]\ntype = \"none\"\ncommand = [\"true\"]\n";
    let project = Project::new(&[
        ("airlock.toml", &format!("include = [\"x/y.toml\", {pattern:?}]\n{}", managers(&format!("{path:?}")))),
        ("x/y.toml", ""),
        ("assets/a.toml", included),
        ("assets/more/b.toml", ""),
        ("real/deep/c.toml", ""),
    ]);
    std::os::unix::fs::symlink("real", project.directory.path().join("link")).unwrap();
    project.read(None).err().map(|_| project.mistakes(None))
}

#[test]
fn a_directory_in_which_definitions_will_be_looked_for_is_not_lent_to_write() {
    for (pattern, path) in [
        ("*/*.toml", "data"),
        ("*/*.toml", "not-there"),
        ("assets/*.toml", "assets"),
        ("./assets//*.toml", "assets"),
        ("assets/**/*.toml", "assets/new/deeper"),
        ("a*/more/*.toml", "allowed"),
        ("a*/more/*.toml", "also/more"),
        ("link/*/*.toml", "real/data"),
        ("assets/../assets/*.toml", "assets"),
    ] {
        let said = refused(pattern, path).unwrap_or_else(|| panic!("{pattern} finds what is written to {path}"));
        assert!(said.contains("cannot be lent to write"), "{said}");
        if path != "assets" {
            let message = format!("a directory where `include` looks for {pattern:?} cannot be lent to write");
            assert!(said.contains(&message), "{said}");
        }
    }
    for (pattern, path) in [
        ("assets/*.toml", "data"),
        ("assets/*.toml", "assets/data"),
        ("a*/*.toml", "data"),
        ("a*/*.toml", "also/more"),
        ("assets/more/*.toml", "assets/less"),
        ("assets/more/*.toml", "assets/more/x"),
        ("link/deep/*.toml", "real/data"),
    ] {
        assert_eq!(refused(pattern, path), None, "{pattern} {path}");
    }
}

#[test]
fn what_a_profile_lends_or_uses_decides_without_it_too() {
    let component = "[io.other]\ncomponent = \"builtin:files\"\n";
    let profile = "[profile.prod.io.other]\ncomponent = \"data/x.wasm\"\n";
    let definitions = format!("{}{component}{profile}", managers("\"data\""));
    let project = Project::new(&[("airlock.toml", &definitions), ("data/x.wasm", "")]);
    for profile in [None, Some("prod")] {
        let said = project.mistakes(profile);
        assert!(said.contains("a directory that holds x.wasm cannot be lent to write"), "{said}");
    }
    let lent = "[profile.prod.io.lake.mounts]\n\"/data\" = { path = \"sub\", access = \"write\" }\n";
    let definitions = format!("include = [\"sub/*.toml\"]\n{}{lent}", managers("\"data\""));
    let project = Project::new(&[("airlock.toml", &definitions), ("sub/x.toml", "")]);
    let said = project.mistakes(None);
    assert!(said.contains("a directory that holds x.toml cannot be lent to write"), "{said}");
}
