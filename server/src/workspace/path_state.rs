//! What stands at a path, and whether a file can be put there once others are gone.
//!
//! A file may give way to a folder of its name, a folder to a file, and where case is folded a name to the same name in
//! another case: in each, what goes has to go first, and what comes stands in its way when it is taken back.

use super::beneath::{self, Blocked};
use super::root::{check_kind, is_absent};
use super::{FileState, Workspace, WorkspaceError};
use crate::contracts::{RepoPath, Standing};

/// Entries of a folder that are looked at before it counts as in the way.
const MOST_ENTRIES: usize = 10_000;

/// What stands at a path.
#[derive(Debug)]
pub(super) enum PathState {
    Nothing,
    File(FileState),
    /// A file that has this name in another case: another name of the same file, so none of this one.
    OtherName(RepoPath),
    /// A folder: no file of this name.
    Folder,
    /// A file stands where a folder above it would: no file of this name.
    BelowFile(RepoPath),
    /// A link, or something behind one; a device, or a file too large to be one of ours.
    Other(WorkspaceError),
}

impl PathState {
    /// Whether it is the content of this hash; `None` is no file, whatever else stands there.
    pub(super) fn has(&self, hash: Option<&str>) -> bool {
        match (self, hash) {
            (Self::File(state), Some(hash)) => state.sha256 == hash,
            (Self::File(_) | Self::Other(_), None) | (_, Some(_)) => false,
            (_, None) => true,
        }
    }
}

impl Workspace {
    /// What is at a path, for the rules of a plan. Nothing is read but names and kinds.
    pub fn standing(&self, path: &RepoPath) -> Standing {
        let real = self.on_disk(path);
        let unwritable = |error: WorkspaceError| Standing::Unwritable(error.to_string());
        let io = |source| unwritable(WorkspaceError::Io { path: path.clone(), source });
        let folder = match beneath::open_parent(self.dir(), &real) {
            Ok(folder) => folder,
            Err(Blocked::Link) => return Standing::Unwritable(self.describe_link(path)),
            Err(Blocked::NotAFolder) => {
                return match file_ancestor(self, &real) {
                    Ok(Some(above)) => Standing::BelowFile(above),
                    Ok(None) => Standing::Nothing,
                    Err(error) => unwritable(error),
                };
            }
            Err(Blocked::Io(error)) if is_absent(&error) => return Standing::Nothing,
            Err(Blocked::Io(error)) => return io(error),
        };
        match folder.symlink_metadata(real.file_name()) {
            Ok(metadata) if metadata.is_symlink() => Standing::Unwritable(self.describe_link(path)),
            Ok(metadata) if metadata.is_dir() => Standing::Folder,
            Ok(metadata) => check_kind(path, &metadata).map_or_else(unwritable, |()| Standing::File),
            Err(error) if is_absent(&error) => Standing::Nothing,
            Err(error) => io(error),
        }
    }

    /// That a path is a link or lies behind one, with the place that can be written instead.
    fn describe_link(&self, path: &RepoPath) -> String {
        let what = WorkspaceError::Link(path.clone());
        match self.real_path(path) {
            Ok(Some(real)) => format!("{what}; this one is {real}, which can be named itself"),
            Ok(None) => format!("{what}; nothing is where it leads"),
            Err(error) => error.to_string(),
        }
    }
}

/// A file as it stands in its real place now, to the letter; `None` when no file has this name, whatever else may have
/// it. For what was a plain file once, and may be anything by now.
///
/// # Errors
/// When a link or a device stands there, a file that is too large, or one that cannot be read.
pub fn read_exact(workspace: &Workspace, path: &RepoPath) -> Result<Option<FileState>, WorkspaceError> {
    match path_state(workspace, path)? {
        PathState::File(state) => Ok(Some(state)),
        PathState::Other(error) => Err(error),
        PathState::Nothing | PathState::OtherName(_) | PathState::Folder | PathState::BelowFile(_) => Ok(None),
    }
}

/// What stands at a path, to the letter.
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

/// Whether nothing keeps a new file from being put at a path, once the files are gone of which `goes` says so.
pub(super) fn can_create(
    workspace: &Workspace,
    path: &RepoPath,
    is_removed: &dyn Fn(&RepoPath) -> bool,
) -> Result<bool, WorkspaceError> {
    Ok(blocking_path(workspace, path, is_removed)?.is_none())
}

/// The first thing that keeps a new file from being put at a path, once the files are gone of which `goes` says so.
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

/// Remove a folder that has nothing in it but such folders. What else is in it stays, and so does it.
pub(super) fn remove_empty_folders(workspace: &Workspace, folder: &RepoPath) {
    let Ok(dir) = beneath::open_folder(workspace.dir(), folder.components()) else { return };
    for name in dir.entries().into_iter().flatten().flatten() {
        if let Some(inner) = child_path(folder, &name.file_name()) {
            remove_empty_folders(workspace, &inner);
        }
    }
    if let Ok(parent) = beneath::open_parent(workspace.dir(), folder) {
        // It fails where something is left in it, and that is as it should be.
        let _ = parent.remove_dir(folder.file_name());
    }
}

/// The name that a file has where it is not the one it was asked for by.
fn other_name(workspace: &Workspace, path: &RepoPath) -> Option<RepoPath> {
    let real = workspace.on_disk(path);
    (real.file_name() != path.file_name()).then_some(real)
}

/// The file that stands where a folder above this path would; a link, and whatever else is no folder, is none.
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

/// The first thing in a folder that does not go.
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
        // Not every file system tells the kind with the name.
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
