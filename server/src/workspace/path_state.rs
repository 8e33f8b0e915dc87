//! What is at a path, and whether a file can be created there once other files are removed.
//!
//! A file may be replaced by a folder of its name, a folder by a file, and where case is folded a name by the same name
//! in another case: in each case the old has to be removed first, and on rollback the new is in the way.

use super::beneath::{self, Blocked};
use super::root::{check_kind, is_absent};
use super::{FileState, Workspace, WorkspaceError};
use crate::contracts::{PathKind, RepoPath};

/// How many entries of a folder are checked before it counts as in the way.
const MOST_ENTRIES: usize = 10_000;

/// What is at a path.
#[derive(Debug)]
pub(super) enum PathState {
    Nothing,
    File(FileState),
    /// A file with this name in another case: the same file under another name.
    OtherName(RepoPath),
    /// A folder.
    Folder,
    /// One of the path's folders is a file.
    BelowFile(RepoPath),
    /// A link or a path behind one, a device, or a file that is too large.
    Other(WorkspaceError),
}

impl PathState {
    /// Whether it has the content of this hash; for `None`, whether it is no file.
    pub(super) fn has(&self, hash: Option<&str>) -> bool {
        match (self, hash) {
            (Self::File(state), Some(hash)) => state.sha256 == hash,
            (Self::File(_) | Self::Other(_), None) | (_, Some(_)) => false,
            (_, None) => true,
        }
    }
}

impl Workspace {
    /// What is at a path, for the rules of a plan. Only names and kinds are read.
    pub fn path_kind(&self, path: &RepoPath) -> PathKind {
        let real = self.on_disk(path);
        let unwritable = |error: WorkspaceError| PathKind::Unwritable(error.to_string());
        let io = |source| unwritable(WorkspaceError::Io { path: path.clone(), source });
        let folder = match beneath::open_parent(self.dir(), &real) {
            Ok(folder) => folder,
            Err(Blocked::Link) => return PathKind::Unwritable(self.describe_link(path)),
            Err(Blocked::NotAFolder) => {
                return match file_ancestor(self, &real) {
                    Ok(Some(above)) => PathKind::BelowFile(above),
                    Ok(None) => PathKind::Nothing,
                    Err(error) => unwritable(error),
                };
            }
            Err(Blocked::Io(error)) if is_absent(&error) => return PathKind::Nothing,
            Err(Blocked::Io(error)) => return io(error),
        };
        match folder.symlink_metadata(real.file_name()) {
            Ok(metadata) if metadata.is_symlink() => PathKind::Unwritable(self.describe_link(path)),
            Ok(metadata) if metadata.is_dir() => PathKind::Folder,
            Ok(metadata) => check_kind(path, &metadata).map_or_else(unwritable, |()| PathKind::File),
            Err(error) if is_absent(&error) => PathKind::Nothing,
            Err(error) => io(error),
        }
    }

    /// Says that a path is a link or behind one, with the real path that can be written instead.
    fn describe_link(&self, path: &RepoPath) -> String {
        let what = WorkspaceError::Link(path.clone());
        match self.real_path(path) {
            Ok(Some(real)) => format!("{what}; this one is {real}, which can be named itself"),
            Ok(None) => format!("{what}; nothing is where it leads"),
            Err(error) => error.to_string(),
        }
    }
}

/// Reads a file under its exact name and without links; `None` if no file has this name, whatever else does. For paths
/// that were plain files once.
///
/// # Errors
/// When a link, a device or a file that is too large is there, or it cannot be read.
pub fn read_exact(workspace: &Workspace, path: &RepoPath) -> Result<Option<FileState>, WorkspaceError> {
    match path_state(workspace, path)? {
        PathState::File(state) => Ok(Some(state)),
        PathState::Other(error) => Err(error),
        PathState::Nothing | PathState::OtherName(_) | PathState::Folder | PathState::BelowFile(_) => Ok(None),
    }
}

/// What is at a path under its exact name.
pub(super) fn path_state(workspace: &Workspace, path: &RepoPath) -> Result<PathState, WorkspaceError> {
    match workspace.read_in_place(path) {
        Ok(Some(state)) => Ok(other_name(workspace, path).map_or(PathState::File(state), PathState::OtherName)),
        Ok(None) => Ok(file_ancestor(workspace, path)?.map_or(PathState::Nothing, PathState::BelowFile)),
        Err(WorkspaceError::NotAFile(_)) if is_folder(workspace, path) => Ok(PathState::Folder),
        Err(error @ (WorkspaceError::Link(_) | WorkspaceError::NotAFile(_) | WorkspaceError::TooLarge { .. })) => {
            Ok(PathState::Other(error))
        }
        Err(error) => Err(error),
    }
}

/// Whether a file can be created at a path once the files are gone for which `is_removed` holds.
pub(super) fn can_create(
    workspace: &Workspace,
    path: &RepoPath,
    is_removed: &dyn Fn(&RepoPath) -> bool,
) -> Result<bool, WorkspaceError> {
    Ok(blocking_path(workspace, path, is_removed)?.is_none())
}

/// The first path that prevents a file from being created, once the files are gone for which `is_removed` holds.
pub(super) fn blocking_path(
    workspace: &Workspace,
    path: &RepoPath,
    is_removed: &dyn Fn(&RepoPath) -> bool,
) -> Result<Option<RepoPath>, WorkspaceError> {
    let blocking = match path_state(workspace, path)? {
        PathState::Nothing => None,
        PathState::BelowFile(file) | PathState::OtherName(file) => Some(file).filter(|file| !is_removed(file)),
        PathState::Folder => {
            let mut left = MOST_ENTRIES;
            first_remaining(workspace, path, is_removed, &mut left)
        }
        PathState::File(_) | PathState::Other(_) => Some(path.clone()),
    };
    Ok(blocking)
}

/// Removes a folder that contains only empty folders; any other content stays, with its folders.
pub(super) fn remove_empty_folders(workspace: &Workspace, folder: &RepoPath) {
    let Ok(dir) = beneath::open_folder(workspace.dir(), folder.components()) else { return };
    for name in dir.entries().into_iter().flatten().flatten() {
        if let Some(inner) = child_path(folder, &name.file_name()) {
            remove_empty_folders(workspace, &inner);
        }
    }
    if let Ok(parent) = beneath::open_parent(workspace.dir(), folder) {
        // It fails if something is left in it, as intended.
        let _ = parent.remove_dir(folder.file_name());
    }
}

/// The disk's name of a file if it differs from the given one.
fn other_name(workspace: &Workspace, path: &RepoPath) -> Option<RepoPath> {
    let real = workspace.on_disk(path);
    (real.file_name() != path.file_name()).then_some(real)
}

/// The file in place of one of the path's folders; links and other kinds do not count.
fn file_ancestor(workspace: &Workspace, path: &RepoPath) -> Result<Option<RepoPath>, WorkspaceError> {
    match beneath::open_parent(workspace.dir(), path) {
        Err(Blocked::NotAFolder) => {}
        Err(Blocked::Link) => return Err(WorkspaceError::Link(path.clone())),
        _ => return Ok(None),
    }
    let mut above = path.parent();
    while let Some(folder) = above {
        if workspace.dir().symlink_metadata(folder.as_str()).is_ok() {
            return Ok(Some(workspace.on_disk(&folder)));
        }
        above = folder.parent();
    }
    Ok(None)
}

fn is_folder(workspace: &Workspace, path: &RepoPath) -> bool {
    workspace.dir().symlink_metadata(path.as_str()).is_ok_and(|metadata| metadata.is_dir())
}

/// The first entry of a folder that is not removed.
fn first_remaining(
    workspace: &Workspace,
    folder: &RepoPath,
    is_removed: &dyn Fn(&RepoPath) -> bool,
    left: &mut usize,
) -> Option<RepoPath> {
    let unknown = || Some(folder.clone());
    let Ok(dir) = beneath::open_folder(workspace.dir(), folder.components()) else { return unknown() };
    let Ok(entries) = dir.entries() else { return unknown() };
    for entry in entries {
        let Ok(entry) = entry else { return unknown() };
        let Some(path) = child_path(folder, &entry.file_name()) else { return unknown() };
        *left = left.saturating_sub(1);
        // Not every file system lists the kind with the name.
        let Ok(kind) = dir.symlink_metadata(entry.file_name()) else { return unknown() };
        if *left == 0 || !(kind.is_dir() || kind.is_file()) {
            return Some(path);
        }
        if kind.is_dir() {
            if let Some(remaining) = first_remaining(workspace, &path, is_removed, left) {
                return Some(remaining);
            }
        } else if !is_removed(&path) {
            return Some(path);
        }
    }
    None
}

fn child_path(folder: &RepoPath, name: &std::ffi::OsStr) -> Option<RepoPath> {
    let text = format!("{folder}/{}", name.to_str()?);
    RepoPath::parse(&text).ok().filter(|path| path.as_str() == text)
}
