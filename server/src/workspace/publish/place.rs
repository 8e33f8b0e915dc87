//! The effects on the working tree: putting one file in place, and undoing it.

use std::collections::BTreeSet;
use std::io;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, File, OpenOptions};

use super::record::{PublishRecord, PublishedFile, read_regular};
use super::steps::Halt;
use crate::contracts::RepoPath;
use crate::workspace::beneath::{self, Blocked};
use crate::workspace::durable::{create, create_prepared, replace_prepared};
use crate::workspace::ownership::apply_metadata;
use crate::workspace::path_state::{PathState, can_create, path_state, remove_empty_folders};
use crate::workspace::platform::rename_new;
use crate::workspace::root::mode;
use crate::workspace::{Workspace, sha256, sync_folder};

pub(super) fn state_of(workspace: &Workspace, path: &RepoPath) -> Result<PathState, Halt> {
    path_state(workspace, path).map_err(|error| Halt::of_file(error, path))
}

/// Whether a file is as it was before the publish: the old content is there, or its path is free once the publish has
/// removed its files.
pub(super) fn is_before(workspace: &Workspace, record: &PublishRecord, file: &PublishedFile) -> Result<bool, Halt> {
    if file.sha256_before.is_some() {
        return Ok(state_of(workspace, &file.path)?.has(file.sha256_before.as_deref()));
    }
    let is_removed = |path: &RepoPath| {
        let is_it = |other: &PublishedFile| other.path == *path && other.sha256_after.is_none();
        record.files.iter().any(is_it)
    };
    can_create(workspace, &file.path, &is_removed).map_err(|error| Halt::of_file(error, &file.path))
}

pub(super) fn check_all(workspace: &Workspace, record: &PublishRecord) -> Result<(), Halt> {
    check_saved(workspace, record.paths())?;
    let mut changed = Vec::new();
    for file in &record.files {
        if !is_before(workspace, record, file)? {
            changed.push(file.path.clone());
        }
    }
    if changed.is_empty() { Ok(()) } else { Err(Halt::Conflict(changed)) }
}

/// Nothing is written to a file with unsaved changes.
pub(super) fn check_saved<'a>(
    workspace: &Workspace,
    paths: impl IntoIterator<Item = &'a RepoPath>,
) -> Result<(), Halt> {
    let unsaved = workspace.unsaved(paths);
    if unsaved.is_empty() { Ok(()) } else { Err(Halt::Unsaved(unsaved)) }
}

/// The folders that have to be created for these files, outermost first.
pub(super) fn missing_folders(workspace: &Workspace, files: &[PublishedFile]) -> Result<Vec<RepoPath>, Halt> {
    let mut missing = BTreeSet::new();
    for file in files.iter().filter(|file| file.sha256_after.is_some()) {
        let mut folder = file.path.parent();
        while let Some(path) = folder {
            match workspace.dir().symlink_metadata(path.as_str()) {
                // A file that is replaced by a folder.
                Ok(metadata) if metadata.is_file() => {}
                Ok(_) => break,
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(source) => return Err(Halt::Failed { what: format!("cannot look at {path}"), source }),
            }
            folder = path.parent();
            missing.insert(path);
        }
    }
    // A folder sorts before its content.
    Ok(missing.into_iter().collect())
}

/// Puts one file in place by renaming its staged bytes, or removes it, if what is there is still what was there before: it may
/// have been edited meanwhile.
pub(super) fn place(
    workspace: &Workspace,
    run_dir: &Dir,
    record: &PublishRecord,
    file: &PublishedFile,
) -> Result<(), Halt> {
    let path = &file.path;
    let changed = || Halt::Conflict(vec![path.clone()]);
    let fault = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => changed(),
        _ => Halt::Failed { what: format!("cannot write {path}"), source },
    };
    let still = || is_before(workspace, record, file);
    if !still()? {
        return Err(changed());
    }
    let Some(staged) = &file.staged else {
        let folder = beneath::open_parent(workspace.dir(), path).map_err(|blocked| fault(blocked.into_io()))?;
        return folder.remove_file(path.file_name()).map_err(fault);
    };
    let parent = path.parent();
    let components = parent.iter().flat_map(RepoPath::components);
    let folder = beneath::create_folder(workspace.dir(), components).map_err(|blocked| fault(blocked.into_io()))?;
    if file.sha256_before.is_none() {
        remove_empty_folders(workspace, path);
    }
    let (holder, name) = stored(run_dir, staged).map_err(fault)?;
    if file.fresh {
        let bytes = read_regular(&holder, name).map_err(fault)?;
        create(&folder, path.file_name(), &bytes).map_err(fault)?;
        // Its bytes are in place; a leftover is removed at the next start.
        let _ = holder.remove_file(name);
        return Ok(());
    }
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No);
    let prepare = |staged: &File| apply_metadata(staged, (&folder, path.file_name()), file.owner, file.mode);
    prepare(&holder.open_with(name, &options).map_err(fault)?).map_err(fault)?;
    let renamed = match file.sha256_before {
        Some(_) => holder.rename(name, &folder, path.file_name()),
        None => rename_new((&holder, name), (&folder, path.file_name())),
    };
    match renamed {
        // The memory folder may be on another file system.
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            let bytes = read_regular(&holder, name).map_err(fault)?;
            let still = || still().map_err(Halt::into_io);
            let is_placed = match file.sha256_before {
                Some(_) => replace_prepared(&folder, path.file_name(), &bytes, &prepare, &still),
                None => create_prepared(&folder, path.file_name(), &bytes, &prepare).map(|()| true),
            };
            if !is_placed.map_err(fault)? {
                return Err(changed());
            }
            // Its bytes are in place; a leftover is swept at the next start.
            let _ = holder.remove_file(name);
            Ok(())
        }
        other => other.map_err(fault),
    }
}

/// Records the permission bits that the system gave to new files.
pub(super) fn note_modes(workspace: &Workspace, record: &mut PublishRecord) {
    for file in record.files.iter_mut().filter(|file| file.fresh) {
        let metadata = beneath::open_parent(workspace.dir(), &file.path)
            .map_err(Blocked::into_io)
            .and_then(|folder| folder.symlink_metadata(file.path.file_name()));
        match metadata {
            Ok(metadata) => file.mode = mode(&metadata),
            // It is gone already; the mode does not matter.
            Err(error) => tracing::debug!(%error, path = %file.path, "a new file's permission bits cannot be read"),
        }
    }
}

/// Whether the staged bytes exist and have the right hash.
pub(super) fn has_staged_bytes(run_dir: &Dir, file: &PublishedFile) -> bool {
    match (&file.staged, &file.sha256_after) {
        (Some(staged), Some(hash)) => read_stored(run_dir, staged).is_ok_and(|bytes| sha256(&bytes) == *hash),
        (None, None) => true,
        _ => false,
    }
}

/// Restores every file that holds the task's content, in reverse order, and returns those that could not be restored. A
/// file with any other content was edited and stays.
pub(super) fn undo(workspace: &Workspace, run_dir: &Dir, record: &PublishRecord) -> Vec<RepoPath> {
    let mut left = Vec::new();
    for file in record.files.iter().rev() {
        let done = match state_of(workspace, &file.path) {
            // Under the new name of a move, where case is folded: it was edited there, or it would be gone by now.
            Ok(PathState::OtherName(_)) => Ok(()),
            // What the user has put there since stays.
            Ok(PathState::Folder | PathState::BelowFile(_)) if !is_free(workspace, record, &file.path) => Ok(()),
            Ok(disk) if disk.has(file.sha256_after.as_deref()) => put_back(workspace, run_dir, file),
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other("cannot be read")),
        };
        if let Err(error) = done {
            tracing::warn!(path = %file.path, %error, "a published file could not be taken back");
            left.push(file.path.clone());
        }
    }
    for folder in record.created_folders.iter().rev() {
        // A folder that is not empty is no longer ours.
        if let Ok(parent) = beneath::open_parent(workspace.dir(), folder) {
            let _ = parent.remove_dir(folder.file_name());
        }
    }
    left.sort();
    left
}

/// Whether a file can be restored: whatever is at its path was created by the publish, and is gone by now.
fn is_free(workspace: &Workspace, record: &PublishRecord, path: &RepoPath) -> bool {
    let ours = |path: &RepoPath| record.files.iter().any(|file| file.path == *path && file.sha256_before.is_none());
    can_create(workspace, path, &ours).unwrap_or(false)
}

/// Whether somebody has put a file there.
fn is_taken(workspace: &Workspace, path: &RepoPath) -> bool {
    matches!(state_of(workspace, path), Ok(PathState::File(_)))
}

fn put_back(workspace: &Workspace, run_dir: &Dir, file: &PublishedFile) -> io::Result<()> {
    let Some(image) = &file.before_image else {
        let folder = beneath::open_parent(workspace.dir(), &file.path).map_err(Blocked::into_io)?;
        return folder.remove_file(file.path.file_name());
    };
    let parent = file.path.parent();
    let components = parent.iter().flat_map(RepoPath::components);
    let folder = beneath::create_folder(workspace.dir(), components).map_err(Blocked::into_io)?;
    let bytes = read_stored(run_dir, image)?;
    if Some(sha256(&bytes)) != file.sha256_before {
        return Err(io::Error::other(format!("{image} is damaged")));
    }
    remove_empty_folders(workspace, &file.path);
    let (name, mode) = (file.path.file_name(), file.mode_before.unwrap_or(file.mode));
    let prepare = |new: &File| apply_metadata(new, (&folder, name), file.owner_before, mode);
    let Some(after) = &file.sha256_after else {
        return match create_prepared(&folder, name, &bytes, &prepare) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_taken(workspace, &file.path) => Ok(()),
            created => created,
        };
    };
    let still = || Ok(state_of(workspace, &file.path).map_err(Halt::into_io)?.has(Some(after)));
    // Where it was edited in between, it stays.
    replace_prepared(&folder, name, &bytes, &prepare, &still).map(|_| ())
}

/// Makes the renames and removals of a publish durable.
pub(super) fn sync_parents(workspace: &Workspace, record: &PublishRecord) -> Result<(), Halt> {
    let parents: BTreeSet<Option<RepoPath>> = record.paths().map(RepoPath::parent).collect();
    for parent in parents {
        let components = parent.iter().flat_map(RepoPath::components);
        match beneath::open_folder(workspace.dir(), components) {
            Ok(folder) => sync_folder(&folder).map_err(Halt::failed("cannot sync a folder"))?,
            // Undone together with its folder; or a file by now.
            Err(Blocked::NotAFolder) => {}
            Err(Blocked::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(blocked) => return Err(Halt::failed("cannot open a folder")(blocked.into_io())),
        }
    }
    Ok(())
}

fn read_stored(run_dir: &Dir, stored_at: &str) -> io::Result<Vec<u8>> {
    let (folder, name) = stored(run_dir, stored_at)?;
    read_regular(&folder, name)
}

/// The folder and name of a file that the journal refers to.
fn stored<'a>(run_dir: &Dir, stored_at: &'a str) -> io::Result<(Dir, &'a str)> {
    let parsed = RepoPath::parse(stored_at).map_err(io::Error::other)?;
    if parsed.as_str() != stored_at {
        return Err(io::Error::other(format!("{stored_at} is no path in the run's folder")));
    }
    let (folder, name) = stored_at.rsplit_once('/').ok_or_else(|| io::Error::other("no folder"))?;
    Ok((beneath::open_folder(run_dir, folder.split('/')).map_err(Blocked::into_io)?, name))
}
