//! What is found in a mount that a call left which ended while it published: its plan, and the files it staged.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use airlock_sandbox::grant::{Access, DirectoryPath, Grant, GuestPath, MountGrant, MountSource, Scope};
use airlock_sandbox::limits::Limits;
use airlock_sandbox::mount::Wipe;
use airlock_sandbox::{Durability, Interrupt, Sandbox, Settings};
use serde_json::Value;

use crate::Target;

/// Files staged by the call, of which two are what no call stages.
const STAGED: [&str; 4] = ["0", "1", "2", "3"];

/// A plan, or its JSON, which is then put under the length and checksum that it needs. The next call on the mount finds it:
/// it does the plan or refuses it, twice the same, and changes nothing outside of the mount whatever the plan says.
pub fn journals() -> Target {
    let field = Field::new();
    Box::new(move |input| {
        let plan = sealed(input);
        field.lay(&plan);
        let before = field.files();
        let first = field.recover();
        let after = field.files();
        assert_eq!(field.recover().is_ok(), first.is_ok(), "{first:?}");
        assert_eq!(fs::read_dir(field.path("outside")).unwrap().count(), 1);
        assert_eq!(fs::read(field.path("outside/secret")).unwrap(), b"secret");
        let is_left = field.call().exists();
        assert!(first.is_err() || !is_left || concerns_nobody(&plan), "{} is left", field.call().display());
        first.is_ok() && before != after
    })
}

fn sealed(input: &[u8]) -> Vec<u8> {
    if input.starts_with(b"airlock-plan ") {
        return input.to_vec();
    }
    let header = format!("airlock-plan {} {}\n", input.len(), blake3::hash(input));
    [header.as_bytes(), input].concat()
}

/// Whether no call has to wait for this plan, so that one that cannot be done is in nobody's way.
fn concerns_nobody(plan: &[u8]) -> bool {
    let json = plan.splitn(2, |byte| *byte == b'\n').nth(1).unwrap_or_default();
    let plan: Option<Value> = serde_json::from_slice(json).ok();
    plan.is_some_and(|plan| plan.get("stripes").and_then(Value::as_array).is_some_and(Vec::is_empty))
}

/// A folder with a mount, and what lies beside it.
struct Field {
    folder: tempfile::TempDir,
    sandbox: Sandbox,
    grant: Grant,
    interrupt: Interrupt,
}

impl Field {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for directory in ["outside", "mount"] {
            fs::create_dir(folder.path().join(directory)).unwrap();
        }
        fs::write(folder.path().join("outside/secret"), "secret").unwrap();
        let source = DirectoryPath::new(&folder.path().join("mount"), &[]).unwrap();
        let mount = MountGrant {
            guest_path: GuestPath::new("/data").unwrap(),
            source: MountSource::Directory(source),
            access: Access::Write,
            scope: Scope::Output,
        };
        let grant = Grant::new(vec![mount], BTreeMap::new(), Limits::default()).unwrap();
        let sandbox =
            Sandbox::new(&Settings { cache: None, durability: Durability::None, ..Settings::default() }).unwrap();
        Self { folder, sandbox, grant, interrupt: Interrupt::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn call(&self) -> PathBuf {
        self.path("mount/.airlock/call-1")
    }

    /// Makes the mount anew, with what a call left in it.
    fn lay(&self, plan: &[u8]) {
        let mount = self.path("mount");
        for entry in fs::read_dir(&mount).unwrap().map(Result::unwrap) {
            let is_directory = entry.file_type().unwrap().is_dir();
            let remove = if is_directory { fs::remove_dir_all } else { fs::remove_file };
            remove(entry.path()).unwrap();
        }
        fs::create_dir_all(mount.join("directory/below")).unwrap();
        for file in ["file.txt", "directory/below/file.txt"] {
            fs::write(mount.join(file), file).unwrap();
        }
        let outside = self.path("outside");
        symlink(&outside, mount.join("link")).unwrap();
        DirBuilder::new().recursive(true).mode(0o700).create(self.call()).unwrap();
        let secret = outside.join("secret");
        let [file, link, linked, other] = STAGED.map(|name| self.call().join(name));
        fs::write(file, "staged").unwrap();
        symlink(&secret, link).unwrap();
        fs::hard_link(&secret, linked).unwrap();
        fs::write(other, "staged too").unwrap();
        fs::write(self.call().join("plan"), plan).unwrap();
    }

    /// What the next call on the mount does with it, which may touch anything there and finds nothing to do.
    fn recover(&self) -> Result<(), String> {
        let wiped = self.sandbox.wipe(&self.grant, Wipe::Run("nothing"), &self.interrupt);
        wiped.map(drop).map_err(|failure| failure.to_string())
    }

    /// What lies in the mount, with the text of files; nothing may lead out of it but the link that was there.
    fn files(&self) -> BTreeSet<(PathBuf, Vec<u8>)> {
        let mut files = BTreeSet::new();
        let mut directories = vec![self.path("mount")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
                let (path, metadata) = (entry.path(), entry.metadata().unwrap());
                if metadata.is_dir() && entry.file_name() != ".airlock" {
                    files.insert((path.clone(), Vec::new()));
                    directories.push(path);
                } else if metadata.is_symlink() {
                    assert!(self.is_own(&path), "{} is a link", path.display());
                } else if metadata.is_file() {
                    assert_eq!(metadata.nlink(), 1, "{} is linked", path.display());
                    let text = fs::read(&path).unwrap();
                    files.insert((path, text));
                }
            }
        }
        files
    }

    fn is_own(&self, link: &Path) -> bool {
        link == self.path("mount/link")
    }
}
