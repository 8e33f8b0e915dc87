//! The memory folder itself: created by the first write, refused when it holds other files, and noticed when it is
//! removed.

use std::io;
use std::sync::OnceLock;

use cap_std::fs::Dir;

use super::error::MemoryError;
use super::files::{FEEDBACK, RUNS, TASK};
use super::history::HISTORY;
use super::platform::has_no_name;
use crate::contracts::{Handoffs, MAX_NOTE_BYTES, RepoPath};
use crate::workspace::{self, Workspace, read_bounded};

/// A folder with this name is always ours.
const NAME: &str = ".agent_memory";
/// Makes git ignore the folder, and marks it as ours.
const IGNORE: &str = ".gitignore";

/// The memory folder of a workspace. It is created by the first write; reading creates nothing.
pub(super) struct Folder {
    workspace: Workspace,
    path: RepoPath,
    dir: OnceLock<Dir>,
    handoffs: Handoffs,
}

impl Folder {
    /// Opens the folder by its path, whether it exists or not.
    pub(super) fn open(workspace: &Workspace, path: &RepoPath, handoffs: &Handoffs) -> Result<Self, MemoryError> {
        let folder =
            Self { workspace: workspace.clone(), path: path.clone(), dir: OnceLock::new(), handoffs: handoffs.clone() };
        if let Some(dir) = workspace.find_folder(path)? {
            folder.check(&dir)?;
            // No other thread has the folder yet.
            let _ = folder.dir.set(dir);
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &RepoPath {
        &self.path
    }

    /// The folder, if it exists.
    pub(super) fn existing(&self) -> Option<&Dir> {
        if self.dir.get().is_none()
            && let Ok(Some(dir)) = self.workspace.find_folder(&self.path)
            && self.check(&dir).is_ok()
        {
            // If another thread was first, it has set the same folder.
            let _ = self.dir.set(dir);
        }
        self.dir.get()
    }

    /// The folder for writing: created if missing, with the file that makes git ignore it.
    ///
    /// # Errors
    /// When the folder is not ours, or cannot be created or written.
    pub(super) fn make(&self) -> Result<&Dir, MemoryError> {
        let dir = match self.dir.get() {
            Some(dir) => dir,
            None => {
                let dir = self.workspace.folder(&self.path)?;
                self.check(&dir)?;
                self.dir.get_or_init(|| dir)
            }
        };
        if dir.symlink_metadata(IGNORE).is_err() {
            let written = workspace::replace(dir, IGNORE, b"*\n", 0o644);
            written.map_err(|source| self.error("write", format!("{}/{IGNORE}", self.path), source))?;
        }
        Ok(dir)
    }

    /// Whether the folder was removed while it was open.
    pub(super) fn is_gone(&self) -> bool {
        self.dir.get().is_some_and(has_no_name)
    }

    /// An I/O error of a file, or [`MemoryError::Gone`] if the whole folder is gone.
    pub(super) fn error(&self, action: &'static str, file: String, source: io::Error) -> MemoryError {
        if source.kind() == io::ErrorKind::NotFound && self.is_gone() {
            return MemoryError::Gone { folder: self.path.to_string() };
        }
        MemoryError::Io { action, file, source }
    }

    /// Refuses a folder that holds other files: ours would be mixed with them, and the sweep of temporary files could
    /// remove one of them.
    fn check(&self, dir: &Dir) -> Result<(), MemoryError> {
        if self.path.file_name() == NAME || is_marked(dir) {
            return Ok(());
        }
        let unreadable = |source| self.error("read", self.path.to_string(), source);
        for entry in dir.entries().map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            let name = name.to_string_lossy();
            if !is_known(&name, &self.handoffs) {
                return Err(MemoryError::Foreign { folder: self.path.to_string(), holds: name.into_owned() });
            }
        }
        Ok(())
    }
}

/// Refuses a folder that cannot be a memory folder; a missing one can.
///
/// # Errors
/// When it is a link or a file, or holds files that are not Baton's.
pub fn check_folder(workspace: &Workspace, path: &RepoPath, handoffs: &Handoffs) -> Result<(), MemoryError> {
    Folder::open(workspace, path, handoffs).map(drop)
}

/// Whether there is a memory folder of Baton's at this path: by its name, or by the file that makes git ignore it.
pub fn is_memory_folder(workspace: &Workspace, path: &RepoPath) -> bool {
    let found = workspace.find_folder(path).ok().flatten();
    found.is_some_and(|dir| path.file_name() == NAME || is_marked(&dir))
}

/// Whether the folder's `.gitignore` ignores everything, as ours does; the user may have added lines.
fn is_marked(dir: &Dir) -> bool {
    let Ok(Some(bytes)) = read_bounded(dir, IGNORE, MAX_NOTE_BYTES) else { return false };
    let text = String::from_utf8_lossy(&bytes);
    let mut patterns = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    patterns.next() == Some("*")
}

/// Whether a name can be in a memory folder: a file of a workflow, or a leftover of an editor or file manager beside
/// one.
fn is_known(name: &str, handoffs: &Handoffs) -> bool {
    let ours = [TASK, FEEDBACK, RUNS, HISTORY, super::lock::FILE];
    let of_files = |name: &str| ours.contains(&name) || handoffs.all().any(|file| file.file == name);
    let left_beside = name.trim_start_matches(['.', '#']).trim_end_matches(['~', '#']);
    of_files(name)
        || of_files(left_beside)
        || name.strip_prefix('.').and_then(|name| name.rsplit_once(".sw")).is_some_and(|(name, _)| of_files(name))
        || (name.starts_with(".baton-") && name.ends_with(".tmp"))
        || [".DS_Store", "Thumbs.db", "desktop.ini", "sinks"].contains(&name)
}
