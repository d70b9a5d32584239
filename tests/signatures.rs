//! Components that must be signed run only as they were signed.
#![expect(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/project.rs"]
#[expect(dead_code, reason = "each test file uses its part of it")]
mod project;
#[path = "support/versions.rs"]
mod versions;

use std::io::Cursor;

use minisign::KeyPair;
use project::{Project, guest};
use versions::rebuilt;

/// A key of an author of components.
struct Author(KeyPair);

impl Author {
    fn new() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().unwrap())
    }

    fn public_key(&self) -> String {
        self.0.pk.to_base64()
    }

    fn sign(&self, bytes: &[u8]) -> String {
        minisign::sign(Some(&self.0.pk), &self.0.sk, Cursor::new(bytes), None, None).unwrap().into_string()
    }
}

/// A project whose first step would leave the file `begun`, and whose last is stored by a component that `author` signed.
fn signed_by(author: &Author) -> Project {
    let project = Project::of(&definitions(&signing(&author.public_key())));
    let bytes = std::fs::read(guest("files")).unwrap();
    std::fs::write(project.path("upper.wasm"), &bytes).unwrap();
    project.put("upper.wasm.minisig", &author.sign(&bytes));
    project
}

fn signing(public_key: &str) -> String {
    format!("signature = \"upper.wasm.minisig\"\npublic_key = \"{public_key}\"")
}

fn definitions(signing: &str) -> String {
    format!(
        "[assets.first]\ntype = \"none\"\ncommand = [\"touch\", \"begun\"]\n\
         [assets.last]\ntype = \"text\"\nio = \"upper\"\ndeps = [\"first\"]\ncommand = [\"sh\", \"-c\", 'echo x > $AIRLOCK_OUTPUT']\n\
         [io.upper]\ncomponent = \"upper.wasm\"\n{signing}\n\
         mounts.\"/data\" = {{ path = \"data\", access = \"write\" }}\n"
    )
}

/// Checks that nothing of it is begun, and that `check` and `lock` refuse it as well.
fn refused(project: &Project, said: &str) {
    for verb in ["run", "check", "lock"] {
        let ran = project.run(&[verb]);
        assert_eq!(ran.code, Some(6), "{ran:#?}");
        assert!(ran.stderr.contains(said) && ran.stderr.contains("io.upper"), "{verb}: {}", ran.stderr);
    }
    assert!(!project.path("begun").exists() && !project.path("airlock.lock").exists());
}

#[test]
fn a_component_runs_as_its_author_signed_it() {
    let project = signed_by(&Author::new());
    project.run(&["check"]).ok();
    project.run(&["run"]).ok();
    assert_eq!(project.load("last"), "x\n");
}

#[test]
fn a_component_that_was_changed_after_it_was_signed_is_refused_before_anything_runs() {
    let project = signed_by(&Author::new());
    let changed = rebuilt(&std::fs::read(guest("files")).unwrap(), 1);
    std::fs::write(project.path("upper.wasm"), changed).unwrap();
    refused(&project, "its signature ");
    refused(&project, "is not one of these bytes by `public_key`: the component or the signature was changed");
    // What was stored is looked at, and removed, whoever stored it.
    project.run(&["ls"]).ok();
    project.run(&["wipe", "last", "--yes"]).ok();
}

#[test]
fn a_signature_of_somebody_else_is_refused() {
    let (author, bytes) = (Author::new(), std::fs::read(guest("files")).unwrap());
    let project = signed_by(&author);
    project.put("upper.wasm.minisig", &Author::new().sign(&bytes));
    refused(&project, "was made with another key than `public_key`");
}

#[test]
fn the_key_that_a_signature_says_it_is_of_is_not_believed() {
    let (author, bytes) = (Author::new(), std::fs::read(guest("files")).unwrap());
    let project = signed_by(&author);
    // The second line begins with the algorithm and the id of the key: 13 characters and a part of the next.
    let second = |signature: &str| signature.lines().nth(1).unwrap().to_owned();
    let of_author = second(&author.sign(&bytes));
    let others = std::iter::repeat_with(|| Author::new().sign(&bytes));
    let other = others.into_iter().find(|other| second(other)[13..14] == of_author[13..14]).unwrap();
    let forged = other.replace(&second(&other), &format!("{}{}", &of_author[..13], &second(&other)[13..]));
    project.put("upper.wasm.minisig", &forged);
    refused(&project, "is not one of these bytes by `public_key`: the component or the signature was changed");
}

#[test]
fn what_is_no_signature_is_refused() {
    let project = signed_by(&Author::new());
    for garbage in ["", "untrusted comment: x\nRUQ\ntrusted comment: y\nRUQ\n", "\u{1b}[2J"] {
        project.put("upper.wasm.minisig", garbage);
        refused(&project, "is no signature of minisign");
    }
    std::fs::remove_file(project.path("upper.wasm.minisig")).unwrap();
    std::fs::create_dir(project.path("upper.wasm.minisig")).unwrap();
    refused(&project, "cannot be read: it is not a regular file");
}

#[test]
fn a_signature_that_is_missing_or_names_no_key_is_a_mistake_of_the_definitions() {
    let key = Author::new().public_key();
    let of = |signing: &str| definitions(signing);
    for (definitions, said) in [
        (of(&signing(&key)), "the signature upper.wasm.minisig cannot be read: No such file or directory"),
        (of("signature = \"upper.wasm\""), "the I/O manager `upper` lacks `public_key`"),
        (of(&format!("public_key = \"{key}\"")), "the I/O manager `upper` lacks `signature`"),
        (of("signature = \"upper.wasm\"\npublic_key = \"RWabc\""), "`public_key` is wrong: it is no public key"),
        (
            of(&signing(&key)).replace("\"upper.wasm\"", "\"builtin:files\""),
            "`builtin:files` comes with the program, so it takes no `signature`",
        ),
        (
            format!("[assets.a]\ntype = \"none\"\ncomponent = {{ path = \"upper.wasm\", public_key = \"{key}\" }}\n"),
            "`component` of the asset `a` lacks `signature`",
        ),
    ] {
        let project = Project::of(&definitions);
        std::fs::copy(guest("files"), project.path("upper.wasm")).unwrap();
        for verb in ["run", "check"] {
            let ran = project.run(&[verb]);
            assert_eq!(ran.code, Some(2), "{ran:#?}");
            assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
        }
        assert!(!project.path("begun").exists());
    }
}

#[test]
fn an_op_is_signed_as_well_and_one_file_may_be_used_with_a_signature_and_without() {
    let author = Author::new();
    let bytes = std::fs::read(guest("test-ops")).unwrap();
    let asset = |name: &str, more: &str| {
        format!(
            "[assets.{name}]\ntype = \"text\"\ncomponent = {{ path = \"op.wasm\", config = {{ op = \"join\" }}{more} }}\n"
        )
    };
    let signed = format!(", signature = \"op.sig\", public_key = \"{}\"", author.public_key());
    let project = Project::new(&(asset("free", "") + &asset("signed", &signed)));
    std::fs::write(project.path("op.wasm"), &bytes).unwrap();
    project.put("op.sig", &author.sign(&bytes));
    project.run(&["run"]).ok();
    std::fs::write(project.path("op.wasm"), rebuilt(&bytes, 1)).unwrap();
    project.run(&["run", "free"]).ok();
    let ran = project.run(&["run"]);
    assert_eq!(ran.code, Some(6), "{ran:#?}");
    assert!(ran.stderr.contains("nothing was begun: [assets.signed.component]: its signature"), "{ran:#?}");
}
