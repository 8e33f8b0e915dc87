//! State kept for each workspace in the user's state folder, outside the workspace: which folder it was (device and
//! inode) and the number of the last answer given in it. With it, an old approval that is put back is recognised, and a
//! moved folder is distinguished from a copied one.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cap_std::fs::{Dir, OpenOptions};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::memory::hex::{hex, unhex};
use crate::memory::plan_lock::digest;
use crate::memory::platform::{private_file, unix_path};
use crate::workspace::{self, Identity, identity};

/// In the state folder: a file for each workspace, named by the SHA-256 of its path.
const FOLDER: &str = "workspaces";
/// The largest state file that is read, in bytes; ours are far smaller.
const MOST_BYTES: u64 = 64 * 1024;
/// How many folders that a path held before are remembered; the newest are kept.
const MOST_EARLIER: usize = 16;
/// How long to wait for another process that holds a workspace's state file.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Answer numbers of workspaces whose state cannot be kept on disk: valid for this process only.
static IN_MEMORY: Mutex<BTreeMap<PathBuf, u64>> = Mutex::new(BTreeMap::new());

/// The state of one workspace.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    root: PathBuf,
    /// The state folder, with its path; `None` where nothing can be kept.
    state: Option<(Arc<Dir>, PathBuf)>,
}

/// The number of the last answer given in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastAnswer {
    /// No answer was counted: it predates the numbers, or none was given.
    Uncounted,
    /// This one.
    Number(u64),
    /// The state file is unreadable, so no earlier answer can be taken for the last.
    Unknown,
}

/// A numbered answer. No other process can answer until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) n: u64,
    _lock: Option<File>,
}

/// A workspace in which this user has worked.
#[derive(Debug, Clone)]
pub(super) struct KnownWorkspace {
    pub(super) path: PathBuf,
    /// The folder at the path when it was last used.
    pub(super) folder: Option<Identity>,
    /// Folders that were at the path before.
    pub(super) earlier: Vec<Identity>,
    pub(super) last: LastAnswer,
}

/// The state file of one workspace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct StateFile {
    /// The workspace's real path.
    path: String,
    /// Its bytes in hex, where `path` cannot hold them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
    /// The folder there.
    #[serde(default)]
    folder: Option<Identity>,
    /// Folders that were there before, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Identity>,
    /// Number of the last answer; null while none was counted.
    #[serde(default)]
    n: Option<u64>,
}

impl Answers {
    /// The state of the workspace at this real path, in the user's state folder.
    pub(super) fn open(state: Dir, state_path: &Path, root: &Path) -> Self {
        Self { root: root.to_owned(), state: Some((Arc::new(state), state_path.to_owned())) }
    }

    /// The state of a workspace for which nothing can be kept on disk.
    pub(super) fn in_memory(root: &Path) -> Self {
        Self { root: root.to_owned(), state: None }
    }

    /// The state of another workspace in the same state folder.
    pub(super) fn at(&self, root: &Path) -> Self {
        Self { root: root.to_owned(), ..self.clone() }
    }

    /// Whether anything is kept on disk at all.
    pub(super) fn has_state(&self) -> bool {
        self.state.is_some()
    }

    /// The user's state folder, where there is one.
    pub(super) fn state_folder(&self) -> Option<&Dir> {
        self.state.as_ref().map(|(state, _)| &**state)
    }

    /// Keeps other processes from writing what the state folder holds of this workspace, until it is dropped. `None` where
    /// nothing is kept, or on file systems without locks.
    ///
    /// # Errors
    /// When another process holds it for long, or the state folder cannot be written.
    pub(super) fn lock_workspace(&self) -> io::Result<Option<File>> {
        match self.state_folder() {
            Some(state) => self.lock(&open_folder(state)?),
            None => Ok(None),
        }
    }

    /// Whether answers hold for other processes too.
    pub(super) fn are_on_disk(&self) -> bool {
        self.has_state() && !in_memory().contains_key(&self.root)
    }

    /// The number of the last answer.
    pub(super) fn last(&self) -> LastAnswer {
        if let Some(n) = in_memory().get(&self.root) {
            return LastAnswer::Number(*n);
        }
        match self.read() {
            Ok(kept) => kept.and_then(|kept| kept.n).map_or(LastAnswer::Uncounted, LastAnswer::Number),
            Err(error) => {
                tracing::warn!(%error, file = %self.file().display(), "cannot tell which answer was the last");
                LastAnswer::Unknown
            }
        }
    }

    /// Counts an answer, which is written while [`Counted`] is held: of two processes that answer at once, the later
    /// one is the last for both. The number is written first: after a kill in between, no answer was given, and no
    /// earlier one is valid.
    ///
    /// # Errors
    /// When the number cannot be kept.
    pub(super) fn count(&self) -> io::Result<Counted> {
        let Some((state, _)) = &self.state else { return Ok(self.count_in_memory()) };
        match self.count_on_disk(state) {
            Err(error) if is_read_only(&error) => {
                tracing::warn!(%error, file = %self.file().display(), "answers hold for this process only");
                Ok(self.count_in_memory())
            }
            counted => counted,
        }
    }

    fn count_on_disk(&self, state: &Dir) -> io::Result<Counted> {
        let folder = open_folder(state)?;
        let lock = self.lock(&folder)?;
        let mut kept = match self.read() {
            Ok(kept) => kept.unwrap_or_default(),
            // A number from the clock is above every number given before.
            Err(_) => StateFile { n: Some(Timestamp::now().as_millisecond().unsigned_abs()), ..StateFile::default() },
        };
        let n = kept.n.unwrap_or(0).saturating_add(1);
        kept.n = Some(n);
        self.write(&folder, kept)?;
        in_memory().remove(&self.root);
        Ok(Counted { n, _lock: lock })
    }

    fn count_in_memory(&self) -> Counted {
        let before = match self.last() {
            LastAnswer::Number(n) => n,
            LastAnswer::Uncounted => 0,
            LastAnswer::Unknown => Timestamp::now().as_millisecond().unsigned_abs(),
        };
        let n = before.saturating_add(1);
        in_memory().insert(self.root.clone(), n);
        Counted { n, _lock: None }
    }

    /// Records which folder is at the path, if that changed.
    pub(super) fn note_folder(&self) {
        let Some((state, _)) = &self.state else { return };
        let Some(folder) = identity(&self.root) else { return };
        if self.read().is_ok_and(|kept| kept.is_some_and(|kept| kept.folder == Some(folder))) {
            return;
        }
        let note = || -> io::Result<()> {
            let folder = open_folder(state)?;
            let _lock = self.lock(&folder)?;
            // Leftovers of a killed process; a process that is writing just now retries.
            workspace::sweep(&folder)?;
            // If the file is broken, do not replace it: a file without a number would make an old answer valid.
            let kept = self.read()?.unwrap_or_default();
            self.write(&folder, kept)
        };
        if let Err(error) = note() {
            tracing::warn!(%error, file = %self.file().display(), "cannot note where this project is");
        }
    }

    /// All workspaces in which this user has worked, this one included. State files that cannot be read are skipped.
    pub(super) fn known_workspaces(&self) -> Vec<KnownWorkspace> {
        let list = || -> io::Result<Vec<KnownWorkspace>> {
            let Some((state, _)) = &self.state else { return Ok(Vec::new()) };
            let folder = state.open_dir(FOLDER)?;
            let mut places = Vec::new();
            for entry in folder.entries()? {
                let name = entry?.file_name();
                let Some(name) = name.to_str().filter(|name| name.ends_with(".json")) else { continue };
                let Ok(Some(kept)) = read_state_file(&folder, name) else { continue };
                let Some(path) = kept.real_path().filter(|path| file_name(path, "json") == name) else { continue };
                let last = kept.n.map_or(LastAnswer::Uncounted, LastAnswer::Number);
                places.push(KnownWorkspace { path, folder: kept.folder, earlier: kept.earlier, last });
            }
            places.sort_by(|a, b| a.path.cmp(&b.path));
            Ok(places)
        };
        list().unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, "cannot tell where else this user has worked");
            }
            Vec::new()
        })
    }

    /// The path of the state file, for messages.
    pub(super) fn file(&self) -> PathBuf {
        let state = self.state.as_ref().map(|(_, path)| path.clone()).unwrap_or_default();
        state.join(FOLDER).join(file_name(&self.root, "json"))
    }

    fn read(&self) -> io::Result<Option<StateFile>> {
        let Some((state, _)) = &self.state else { return Ok(None) };
        match state.open_dir(FOLDER) {
            Ok(folder) => read_state_file(&folder, &file_name(&self.root, "json")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, folder: &Dir, mut kept: StateFile) -> io::Result<()> {
        let now = identity(&self.root);
        if let Some(before) = kept.folder.filter(|before| now.is_some_and(|now| now != *before)) {
            kept.earlier.retain(|known| *known != before);
            kept.earlier.push(before);
            kept.earlier.drain(..kept.earlier.len().saturating_sub(MOST_EARLIER));
        }
        kept.folder = now.or(kept.folder);
        kept.path = self.root.to_string_lossy().into_owned();
        kept.path_bytes = self.root.to_str().is_none().then(|| hex(self.root.as_os_str().as_encoded_bytes()));
        let mut bytes = serde_json::to_vec_pretty(&kept)?;
        bytes.push(b'\n');
        workspace::replace(folder, &file_name(&self.root, "json"), &bytes, 0o600)
    }

    /// Locks the workspace's state file. `None` on file systems without locks.
    fn lock(&self, folder: &Dir) -> io::Result<Option<File>> {
        let name = file_name(&self.root, "lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = folder.open_with(&name, private_file(&mut options))?.into_std();
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_TIMEOUT => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => {
                    let message = "another process has held its lock for 10 seconds; end that one and try again";
                    return Err(io::Error::new(io::ErrorKind::TimedOut, message));
                }
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

impl StateFile {
    fn real_path(&self) -> Option<PathBuf> {
        match &self.path_bytes {
            None => Some(PathBuf::from(&self.path)),
            Some(bytes) => unix_path(unhex(bytes)?).map(PathBuf::from),
        }
    }
}

fn open_folder(state: &Dir) -> io::Result<Dir> {
    state.create_dir_all(FOLDER)?;
    state.open_dir(FOLDER)
}

fn read_state_file(folder: &Dir, name: &str) -> io::Result<Option<StateFile>> {
    let file = match folder.open(name) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}

fn file_name(root: &Path, ending: &str) -> String {
    format!("{}.{ending}", digest(root.as_os_str().as_encoded_bytes()))
}

pub(super) fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied)
}

/// A poisoned lock only means that another thread panicked; every number in the map is complete.
fn in_memory() -> MutexGuard<'static, BTreeMap<PathBuf, u64>> {
    IN_MEMORY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
