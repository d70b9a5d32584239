//! What `airlock lock` records is what runs with `--locked`, and nothing else.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/locked.rs"]
mod locked;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;
#[path = "support/versions.rs"]
mod versions;

use locked::{LENT, definitions, lock_of, locked, needs_a_yes, project, refused};
use project::{Project, Ran, assert_prints, guest};
use versions::rebuilt;

#[test]
fn what_is_locked_runs_and_is_recorded_for_people_to_compare() {
    let project = project(LENT);
    assert_prints(
        &project.run(&["lock"]).ok(),
        "
  x.wasm is new, sha256:…
  x.wasm asks for the mount /data to write
+ io.lake is new, with the component x.wasm
+ io.lake is lent /data = data, to write, the files of one value
+ io.lake is lent /more = more, to read, the files of one value
+ io.lake is given the environment entry TZ, a text of the definitions
  io.lake has the limit files = 10
  io.lake has the limit memory = 64MiB
airlock.lock is written",
    );
    let lock = lock_of(&project);
    assert_prints(
        &lock,
        r#"
# …
…
version = 1

[components."x.wasm"]
digest = "sha256:…"
contract = "0.1.0"
exports = [
    "input",
    "output",
]
imports = [
    "airlock:io/context@0.1.0",
…
]

[components."x.wasm".manifest]
name = "files"
…
[lent."io.lake"]
component = "x.wasm"

[lent."io.lake".environment]
TZ = "in the definitions"

[lent."io.lake".limits]
files = 10
memory = "64MiB"

[lent."io.lake".mounts."/data"]
access = "write"
scope = "output"
path = "data"

[lent."io.lake".mounts."/more"]
access = "read"
scope = "output"
path = "more""#,
    );
    project.run(&["run", "--locked"]).ok();
    assert_eq!(project.run(&["load", "a", "--locked"]).ok(), "x\n");
    project.run(&["check", "--locked"]).ok();
    assert_eq!(project.run(&["lock"]).ok(), "airlock.lock is up to date\n");
    assert_eq!(lock_of(&project), lock);
}

#[test]
fn without_a_lock_that_can_be_read_nothing_runs() {
    let project = project(LENT);
    refused(&project, 2, "there is no lock airlock.lock, and `--locked` needs one\nhint: `airlock lock` records");
    project.run(&["lock"]).ok();
    let lock = lock_of(&project);
    for (damaged, said) in [
        ("\u{1b}[2J".to_owned(), "airlock.lock is damaged: line 1: "),
        (String::new(), "is damaged: line 1: missing field `version`"),
        (lock.replace("version = 1", "version = 2\nother = 1"), "its version is 2, and this program knows 1"),
        (lock.replace("access = \"read\"", "access = \"all\""), "is damaged: line "),
        (lock.replace("files = 10", "files = 10\n[lent.\"io.lake\".rights]"), "unknown field `rights`"),
        (lock.replace("components.\"x.wasm\"", "components.\"y.wasm\""), "it says nothing of the component x.wasm"),
        (lock[..lock.len() / 2].to_owned(), "is damaged: "),
    ] {
        project.put("airlock.lock", &damaged);
        refused(&project, 2, said);
        // Nothing is recorded over it, since nobody can say what that would change.
        let ran = project.run(&["lock"]);
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        assert!(!ran.stderr.contains('\u{1b}'), "{ran:#?}");
        assert_eq!(lock_of(&project), damaged);
    }
    std::fs::write(project.path("airlock.lock"), [0xff, 0xfe]).unwrap();
    refused(&project, 2, "airlock.lock is damaged: it is not UTF-8");
    std::fs::remove_file(project.path("airlock.lock")).unwrap();
    std::fs::create_dir(project.path("airlock.lock")).unwrap();
    refused(&project, 2, "cannot read the lock airlock.lock: it is not a regular file");
}

#[test]
fn another_build_of_a_component_is_refused_until_it_is_locked_and_needs_no_yes() {
    let project = locked(LENT);
    let bytes = std::fs::read(project.path("x.wasm")).unwrap();
    std::fs::write(project.path("x.wasm"), rebuilt(&bytes, 1)).unwrap();
    refused(&project, 6, "  x.wasm is another build, sha256:");
    refused(
        &project,
        6,
        "error: the definitions or their components differ from airlock.lock: x.wasm\nhint: `airlock check` shows",
    );
    // Without `--locked` it is told and runs.
    let ran = project.run(&["check"]);
    assert!(ran.stderr.contains("since the lock was written:\n  x.wasm is another build"), "{}", ran.stderr);
    ran.ok();
    project.run(&["run"]).ok();
    let told = project.run(&["lock"]).ok();
    assert_prints(&told, "  x.wasm is another build, sha256:…; it was sha256:…\nairlock.lock is rewritten: 1 change");
    project.run(&["run", "--locked"]).ok();
}

#[test]
fn a_link_to_a_component_is_no_way_round() {
    let project = project(LENT);
    let bytes = std::fs::read(guest("files")).unwrap();
    std::fs::rename(project.path("x.wasm"), project.path("one.wasm")).unwrap();
    std::fs::write(project.path("two.wasm"), rebuilt(&bytes, 1)).unwrap();
    std::os::unix::fs::symlink("one.wasm", project.path("x.wasm")).unwrap();
    project.run(&["lock"]).ok();
    project.run(&["run", "--locked"]).ok();
    std::fs::remove_file(project.path("x.wasm")).unwrap();
    std::os::unix::fs::symlink("two.wasm", project.path("x.wasm")).unwrap();
    refused(&project, 6, "  x.wasm is another build");
}

#[test]
fn a_component_that_a_step_replaces_runs_as_it_was_locked() {
    let project = locked(LENT);
    let bytes = std::fs::read(project.path("x.wasm")).unwrap();
    std::fs::write(project.path("other.wasm"), rebuilt(&bytes, 1)).unwrap();
    let replacing = definitions(LENT).replace("tee begun", "tee begun; cp other.wasm x.wasm");
    let storing =
        replacing.replace("'echo x | tee begun; cp other.wasm x.wasm > $", "'cp other.wasm x.wasm; echo x > $");
    project.put("airlock.toml", &storing);
    project.run(&["run", "--locked"]).ok();
    assert_ne!(std::fs::read(project.path("x.wasm")).unwrap(), bytes, "it was replaced");
    let event = project.event("ASSET_MATERIALIZATION").to_string();
    let digest = airlock_sandbox::text::sha256(&bytes);
    assert!(event.contains(&digest), "{event}");
    refused(&project, 6, "  x.wasm is another build");
}

#[test]
fn no_value_of_the_environment_or_of_the_definitions_that_a_component_is_given_is_recorded() {
    let lent = LENT
        .replace("path = \"more\"", "path = { \"$env\" = \"MORE\", default = \"a-default\" }")
        .replace("{ TZ =", "{ KEY = { \"$env\" = \"TOKEN\", default = \"a-secret-default\" }, TZ =");
    let project = project(&(lent + "config.extension = { \"$env\" = \"EXTENSION\" }\n"));
    let environment = "export MORE=/a-secret-path TOKEN=a-secret-token EXTENSION=a-secret-extension";
    let ran = project.run_after(environment, &["lock"]);
    let lock = lock_of(&project);
    assert!(!lock.contains("a-secret") && !(ran.stdout + &ran.stderr).contains("a-secret"), "{lock}");
    for line in [
        "told = [\"EXTENSION\"]",
        "KEY = { \"$env\" = \"TOKEN\" }",
        "[lent.\"io.lake\".mounts.\"/more\".path]\n\"$env\" = \"MORE\"\ndefault = \"a-default\"\n",
    ] {
        let tables = "[lent.\"io.lake\".environment.KEY]\n\"$env\" = \"TOKEN\"";
        assert!(lock.contains(line) || (line.starts_with("KEY") && lock.contains(tables)), "{line}: {lock}");
    }
    project.run_after("export MORE=more TOKEN=x EXTENSION=md", &["run", "--locked"]).ok();
}

#[test]
fn the_lock_is_of_every_profile() {
    let prod = |path: &str| {
        definitions(LENT)
            + &format!(
                "[profile.dev]\n[profile.prod.io.lake]\nmounts.\"/data\" = {{ path = \"{path}\", access = \"write\" }}\n"
            )
    };
    let project = project(LENT);
    project.put("airlock.toml", &prod("prod"));
    let told = project.run(&["lock"]).ok();
    assert!(told.contains("+ profile.prod.io.lake is lent /data = prod, to write, the files of one value\n"), "{told}");
    for profile in ["dev", "prod"] {
        project.run(&["run", "--locked", "--profile", profile]).ok();
    }
    // One profile is changed: no other runs either, since somebody has to look.
    project.put("airlock.toml", &prod("other"));
    refused(&project, 6, "+ profile.prod.io.lake has other as /data; it had prod");
    let ran = project.run(&["run", "--locked", "--profile", "prod"]);
    assert_eq!(ran.code, Some(6), "{ran:#?}");
    needs_a_yes(&project, "profile.prod.io.lake has other as /data; it had prod");
    project.run(&["lock", "--accept", "profile.prod.io.lake"]).ok();
    // Without its own entry a profile has what there is without one, and that may be more.
    project.put("airlock.toml", &(definitions(LENT) + "[profile.dev]\n[profile.prod]\n"));
    needs_a_yes(&project, "profile.prod.io.lake has data as /data; it had other");
    project.put("airlock.toml", &definitions(LENT));
    assert_prints(
        &project.run(&["lock"]).ok(),
        "  profile.dev is gone\n  profile.prod is gone\nairlock.lock is rewritten: 2 changes",
    );
}

#[test]
fn a_path_is_recorded_as_seen_from_the_definitions_wherever_it_stands() {
    let manager =
        "[io.lake]\ncomponent = \"builtin:files\"\nmounts.\"/data\" = { path = \"data\", access = \"write\" }\n";
    let asset = "[assets.a]\ntype = \"text\"\nio = \"lake\"\ncommand = [\"sh\", \"-c\", 'echo x > $AIRLOCK_OUTPUT']\n";
    let project = Project::of(&(asset.to_owned() + manager));
    project.run(&["lock"]).ok();
    project.put("airlock.toml", &format!("include = [\"sub/io.toml\"]\n{asset}"));
    project.put("sub/io.toml", manager);
    needs_a_yes(&project, "io.lake has sub/data as /data; it had data");
    project.put("sub/io.toml", &manager.replace("\"data\"", "{ \"$env\" = \"LAKE\" }"));
    needs_a_yes(&project, "io.lake has $LAKE (relative to sub) as /data; it had data");
}

#[test]
fn a_signature_that_is_asked_for_no_more_needs_a_yes() {
    let bytes = std::fs::read(guest("files")).unwrap();
    let keys = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let signature = minisign::sign(Some(&keys.pk), &keys.sk, bytes.as_slice(), None, None).unwrap();
    let key = keys.pk.to_base64();
    let signed = format!("signature = \"x.sig\"\npublic_key = \"{key}\"\n{LENT}");
    let project = locked(LENT);
    project.put("x.sig", &signature.into_string());
    project.put("airlock.toml", &definitions(&signed));
    refused(&project, 6, &format!("  io.lake must be signed by {key}\n"));
    project.run(&["lock"]).ok();
    project.run(&["run", "--locked"]).ok();
    project.put("airlock.toml", &definitions(LENT));
    needs_a_yes(&project, &format!("io.lake need not be signed any more; it had to be by {key}"));
}

#[test]
fn ops_of_assets_and_of_steps_and_what_their_inputs_tell_are_locked() {
    let op = format!("component = {{ path = {:?}, config = {{ op = \"join\" }} }}", guest("test-ops"));
    let constant = "inputs.i = { value = \"x\" }";
    let definitions = format!(
        "[assets.\"b.c/d\"]\ntype = \"text\"\n{op}\n{constant}\n\
         [multi_assets.both]\n{op}\nassets = {{ one = {{ type = \"text\" }}, two = {{ type = \"text\" }} }}\n\
         [jobs.j.steps.s]\ntype = \"text\"\n{op}\n"
    );
    let project = Project::new(&definitions);
    project.run(&["lock"]).ok();
    let lock = lock_of(&project);
    for place in ["lent.'assets.\"b.c/d\"'", "lent.\"multi_assets.both\"", "lent.\"jobs.j.steps.s\""] {
        assert!(lock.contains(&format!("[{place}]\ncomponent = ")), "{place}: {lock}");
    }
    let told = definitions.replace("\"x\" }", "{ \"$env\" = \"TOKEN\" } }");
    project.put("airlock.toml", &(project::LAKE.to_owned() + &told));
    needs_a_yes(&project, "assets.\"b.c/d\" is told $TOKEN in a configuration or a constant");
    project.run(&["lock", "--accept", "assets.\"b.c/d\""]).ok();
    let input = "[assets.e]\ntype = \"none\"\ncommand = [\"true\"]\n\
                 inputs.i = { asset = \"b.c/d\", config.path = { \"$env\" = \"OTHER\" } }\n";
    project.put("airlock.toml", &(project::LAKE.to_owned() + &told + input));
    let ran = project.run(&["lock"]);
    assert!(ran.stdout.contains("+ io.lake is told $OTHER in a configuration or a constant\n"), "{ran:#?}");
}

#[test]
fn who_loads_what_another_stored_is_told_the_configuration_of_it() {
    let managers = "[io.other]\ncomponent = \"builtin:files\"\nmounts.\"/data\" = { path = \"data\" }\n\
                    [io.parent]\ncomponent = \"builtin:files\"\nmounts.\"/data\" = { path = \"data\" }\n";
    let secret = "type = \"text\"\nconfig.path = { \"$env\" = \"SECRET\" }\ncommand = [\"true\"]\n";
    let definitions = format!(
        "[assets.a]\n{secret}[assets.b]\ntype = \"none\"\ncommand = [\"true\"]\ninputs.a = {{ asset = \"a\" }}\n\
         [jobs.j.steps.s]\n{secret}[jobs.j.steps.t]\ntype = \"none\"\ncommand = [\"true\"]\n\
         inputs.s = {{ from = \"s\" }}\n{managers}"
    );
    let project = Project::new(&definitions);
    project.run(&["lock"]).ok();
    let lock = lock_of(&project);
    assert_eq!(lock.matches("told = ").count(), 1, "{lock}");
    let [lake, all] = [project::LAKE, &*definitions].map(str::to_owned);
    for (changed, manager) in [
        (lake.clone() + &all.replace("{ asset = \"a\" }", "{ asset = \"a\", io = \"other\" }"), "io.other"),
        (lake.clone() + &all.replace("{ from = \"s\" }", "{ from = \"s\", io = \"other\" }"), "io.other"),
        (lake.replace("component", "parent = \"parent\"\ncomponent") + &all, "io.parent"),
    ] {
        project.put("airlock.toml", &changed);
        let said = format!("{manager} is told $SECRET in a configuration or a constant");
        needs_a_yes(&project, &said);
        let ran = project.run(&["run", "--locked"]);
        assert_eq!(ran.code, Some(6), "{ran:#?}");
        assert!(ran.stderr.contains(&format!("+ {said}\n")), "{ran:#?}");
    }
}

#[test]
fn a_component_that_is_called_as_a_place_is_not_taken_for_it() {
    let component = "[io.lake]\ncomponent = \"io.lake\"\n";
    let asset = "[assets.a]\ntype = \"text\"\nio = \"lake\"\ncommand = [\"true\"]\n";
    let project = Project::of(&format!("{asset}{component}"));
    std::fs::copy(guest("files"), project.path("io.lake")).unwrap();
    let told = project.run(&["lock"]).ok();
    assert!(told.contains("  ./io.lake is new, sha256:"), "{told}");
    assert!(told.contains("+ io.lake is new, with the component ./io.lake\n"), "{told}");
    project.put("airlock.toml", &format!("{asset}{component}limits.files = 4000000000\n"));
    let ran = project.run(&["lock", "--accept", "./io.lake"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("there is nothing to accept of `./io.lake`\n"), "{ran:#?}");
    project.run(&["lock", "--accept", "io.lake"]).ok();
}

#[test]
fn the_changes_are_in_the_document_of_check() {
    let project = locked(LENT);
    project.put("airlock.toml", &definitions(&LENT.replace("64MiB", "65MiB")));
    let document = project.run(&["check", "--format", "json"]).json();
    let change = &document["components"][0]["changes"][0];
    assert_eq!((&change["name"], &change["widens"]), (&"io.lake".into(), &true.into()), "{document}");
    assert_eq!(change["text"], "has the limit memory = 65MiB; it was 64MiB");
}

#[test]
fn a_change_of_what_cannot_be_shown_as_it_is_called_is_in_the_document_too() {
    let definitions = |memory: &str| {
        format!(
            "[io.lake]\ncomponent = \"x\\ny.wasm\"\n[io.today]\ncomponent = \"x\\ny.wasm\"\nlimits.memory = \"{memory}\"\n"
        )
    };
    let project = Project::of(&definitions("64MiB"));
    std::fs::copy(guest("files"), project.path("x\ny.wasm")).unwrap();
    project.run(&["lock"]).ok();
    let component = std::fs::read(guest("files")).unwrap();
    std::fs::write(project.path("x\ny.wasm"), rebuilt(&component, 1)).unwrap();
    project.put("airlock.toml", &definitions("65MiB"));
    let document = project.run(&["check", "--format", "json"]).json();
    let changes = |component: &serde_json::Value| -> Vec<String> {
        let changes = component["changes"].as_array().unwrap().iter();
        changes.map(|change| change["text"].as_str().unwrap().to_owned()).collect()
    };
    let told: Vec<_> = document["components"].as_array().unwrap().iter().map(changes).collect();
    assert_eq!(told.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2], "{document:#}");
}

#[test]
fn no_component_is_lent_the_directory_of_the_lock_to_write() {
    // A link leads to the definitions, and beside it the lock lies.
    let project = Project::of("");
    let lake =
        "[io.lake]\ncomponent = \"builtin:files\"\nmounts.\"/data\" = { path = \"../here\", access = \"write\" }\n";
    project.put("there/airlock.toml", lake);
    std::fs::create_dir(project.path("here")).unwrap();
    std::os::unix::fs::symlink("../there/airlock.toml", project.path("here/airlock.toml")).unwrap();
    let mut command = project.command(&["check", "--file", "here"]);
    let ran = Ran::from(command.env("AIRLOCK_HOME", project.path("elsewhere")).output().unwrap());
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("a directory that holds airlock.lock cannot be lent to write"), "{}", ran.stderr);
}

#[test]
fn what_a_component_writes_never_becomes_definitions() {
    let lake = project::LAKE.replace("\"data\"", "{ \"$env\" = \"LAKE\" }");
    let note = "[assets.note]\ntype = \"text\"\ncommand = [\"true\"]\n";
    let project = Project::of(&format!("include = [\"*/*.toml\"]\n{lake}{note}"));
    project.put("assets/a.toml", "[assets.a]\ntype = \"none\"\ncommand = [\"true\"]\n");
    project.run(&["lock"]).ok();
    let refused = |asset: &str| {
        let ran = project.run_after("export LAKE=data", &["run", asset, "--locked"]);
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        let said = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("a directory where `include` looks for \"*/*.toml\" cannot be lent to write"), "{said}");
    };
    refused("note");
    assert!(!project.path("data").exists());
    // Also where it is not lent in this run: it may have been in another.
    project.put("data/note.toml", "[assets.evil]\ntype = \"none\"\ncommand = [\"touch\", \"pwned\"]\n");
    let ran = project.run_after("export LAKE=data", &["run", "evil", "--locked"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(ran.stderr.contains("a directory that holds note.toml cannot be lent to write"), "{ran:#?}");
    assert!(!project.path("pwned").exists());
    project.run_after("export LAKE=lake/of/values", &["run", "evil", "--locked"]).ok();
    assert!(project.path("pwned").exists(), "who writes there otherwise is trusted");
}

#[test]
fn ops_and_graphs_that_several_steps_are_made_from_are_locked_once() {
    let op = format!("component = {{ path = {:?}, config = {{ op = \"join\" }} }}", guest("test-ops"));
    let definitions = format!(
        "[ops.\"clean.it\"]\ntype = \"text\"\n{op}\n\
         [graphs.g]\noutputs.result = \"last\"\n\
         [graphs.g.steps.first]\nop = \"clean.it\"\n\
         [graphs.g.steps.middle]\ntype = \"text\"\n{op}\ninputs.i = {{ from = \"first\" }}\n\
         [graphs.g.steps.last]\ntype = \"text\"\n{op}\ninputs.i = {{ from = \"middle\" }}\n\
         [assets.a]\ngraph = \"g\"\n\
         [jobs.a.steps.first]\ntype = \"text\"\n{op}\n\
         [jobs.a.steps.g]\ngraph = \"g\"\n"
    );
    let project = Project::new(&definitions);
    project.run(&["lock"]).ok();
    let lock = lock_of(&project);
    let places: Vec<&str> = lock.lines().filter(|line| line.starts_with("[lent.")).collect();
    assert_eq!(
        places,
        [
            "[lent.\"assets.a\"]",
            "[lent.\"graphs.g.steps.last\"]",
            "[lent.\"graphs.g.steps.middle\"]",
            "[lent.\"io.lake\"]",
            "[lent.\"io.lake\".mounts.\"/data\"]",
            "[lent.\"jobs.a.steps.first\"]",
            "[lent.'ops.\"clean.it\"']",
        ]
    );
    project.run(&["run", "a", "--locked"]).ok();
    let middle = format!("[graphs.g.steps.middle]\ntype = \"text\"\n{op}");
    let lent = middle.replace("config =", "mounts.\"/more\" = { path = \"more\" }, config =");
    project.put("airlock.toml", &(project::LAKE.to_owned() + &definitions.replace(&middle, &lent)));
    needs_a_yes(&project, "graphs.g.steps.middle is lent /more = more, to read, all of it");
}
