//! Small workspaces for tests.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use tempfile::TempDir;
use tokio::sync::watch;

use super::tree::{BlobError, BlobStore};
use super::{Buffer, Buffers, Workspace};
use crate::contracts::RepoPath;

/// Contents in memory, by their SHA-256.
#[derive(Default)]
pub(crate) struct Blobs(pub(crate) BTreeMap<String, Vec<u8>>);

impl BlobStore for Blobs {
    fn put(&mut self, sha256: &str, bytes: &[u8]) -> Result<(), BlobError> {
        self.0.insert(sha256.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn get(&mut self, sha256: &str) -> Result<Option<Vec<u8>>, BlobError> {
        Ok(self.0.get(sha256).cloned())
    }

    fn has(&mut self, sha256: &str) -> bool {
        self.0.contains_key(sha256)
    }
}

/// A small workspace from one string: each file starts with a line `//- /its/path`.
pub(crate) struct Fixture {
    outer: TempDir,
}

impl Fixture {
    pub(crate) fn new(text: &str) -> Self {
        let fixture = Self { outer: tempfile::tempdir().unwrap() };
        fs::create_dir(fixture.root()).unwrap();
        let mut path = None;
        let mut content = String::new();
        for line in text.split_inclusive('\n') {
            match line.strip_prefix("//- /") {
                Some(name) => {
                    if let Some(path) = path.replace(name.trim_end().to_owned()) {
                        fixture.write(&path, content.as_bytes());
                    }
                    content.clear();
                }
                None => content.push_str(line),
            }
        }
        if let Some(path) = path {
            fixture.write(&path, content.as_bytes());
        }
        fixture
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.outer.path().join("work")
    }

    /// A folder beside the workspace.
    pub(crate) fn outside(&self) -> &Path {
        self.outer.path()
    }

    pub(crate) fn workspace(&self) -> Workspace {
        Workspace::open(&self.root()).unwrap()
    }

    pub(crate) fn dir(&self) -> Dir {
        Dir::open_ambient_dir(self.root(), ambient_authority()).unwrap()
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.root().join(path)).ok()
    }

    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(self.read(path).unwrap()).unwrap()
    }

    pub(crate) fn remove(&self, path: &str) {
        fs::remove_file(self.root().join(path)).unwrap();
    }

    /// Whether the disk folds case; if so, says that the test shows nothing here.
    pub(crate) fn folds_case(&self) -> bool {
        self.write("Case", b"");
        let folds = self.read("cASE").is_some();
        self.remove("Case");
        if folds {
            skipped("this disk takes names that differ in case for one");
        }
        folds
    }

    /// Names in a folder, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.root().join(folder)) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[cfg(unix)]
    pub(crate) fn link(&self, target: &str, name: &str) {
        std::os::unix::fs::symlink(target, self.root().join(name)).unwrap();
    }

    #[cfg(unix)]
    pub(crate) fn mode(&self, path: &str) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(self.root().join(path)).unwrap().permissions().mode() & 0o7777
    }

    #[cfg(unix)]
    pub(crate) fn set_mode(&self, path: &str, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(self.root().join(path), fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Says why a test shows nothing here.
#[expect(clippy::print_stderr, reason = "whoever reads the test's output must know")]
pub(crate) fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// A valid path.
pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::parse(text).unwrap()
}

/// The usual memory folder.
pub(crate) fn memory() -> RepoPath {
    path(".agent_memory")
}

/// An editor with documents open.
#[derive(Default)]
pub(crate) struct Opened {
    open: Mutex<HashMap<String, Buffer>>,
    changes: watch::Sender<u64>,
}

impl Opened {
    /// Open a document, or change it.
    pub(crate) fn set(&self, path: &str, text: &str, edited: bool) {
        self.open.lock().unwrap().insert(path.to_owned(), Buffer { text: text.into(), edited });
        self.changes.send_modify(|count| *count += 1);
    }

    /// Close a document.
    pub(crate) fn close(&self, path: &str) {
        self.open.lock().unwrap().remove(path);
        self.changes.send_modify(|count| *count += 1);
    }
}

impl Buffers for Opened {
    fn open(&self, path: &RepoPath) -> Option<Buffer> {
        self.open.lock().unwrap().get(path.as_str()).cloned()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}
