//! One file as it is sent.

use std::io;

use super::error::TreeError;
use super::masking::{AsSent, as_sent};
use crate::contracts::RepoPath;
use crate::workspace::bounded::{ReadFault, open_regular, read_to_limit};
use crate::workspace::root::mode;
use crate::workspace::{Workspace, WorkspaceError};

/// A file as it is sent.
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) executable: bool,
    pub(super) masked: bool,
}

/// Reads a file that a walk found, as it is sent; `None` if it is gone, may not be read, or is a secret.
pub(super) fn read(workspace: &Workspace, path: &RepoPath, limit: u64) -> Result<Option<Content>, TreeError> {
    let Some((bytes, mode)) = read_real(workspace, path, limit)? else { return Ok(None) };
    let (bytes, masked) = match as_sent(&bytes, workspace.keys()) {
        AsSent::Same => (bytes, false),
        AsSent::Masked(masked) => (masked, true),
        AsSent::Never => return Ok(None),
    };
    // A mask may be longer than what it stands for.
    if bytes.len() as u64 > limit {
        return Err(TreeError::FileTooLarge { path: path.clone(), bytes: bytes.len() as u64, limit });
    }
    Ok(Some(Content { bytes, executable: mode & 0o100 != 0, masked }))
}

fn read_real(workspace: &Workspace, path: &RepoPath, limit: u64) -> Result<Option<(Vec<u8>, u32)>, TreeError> {
    if workspace.is_open(path) {
        if workspace.is_secret_by_link(path) {
            return Ok(None);
        }
        match workspace.read_unlinked(path) {
            Ok(state) => return Ok(state.map(|state| (state.bytes, state.mode))),
            // What is too large for agents is sent as it is on disk.
            Err(WorkspaceError::TooLarge { .. }) => {}
            Err(WorkspaceError::Io { path, source }) => return unread(path, source),
            Err(_) => return Ok(None),
        }
    }
    let (file, metadata) = match open_regular(workspace.dir(), path.as_str()) {
        Ok(Some(opened)) => opened,
        // A link, a pipe or a folder took its place.
        Ok(None) | Err(ReadFault::Kind(_) | ReadFault::OnTheWay(_)) => return Ok(None),
        Err(ReadFault::TooLarge { bytes, limit }) => {
            return Err(TreeError::FileTooLarge { path: path.clone(), bytes, limit });
        }
        Err(ReadFault::Io(source)) => return unread(path.clone(), source),
    };
    if workspace.is_secret_inode(&metadata) {
        return Ok(None);
    }
    match read_to_limit(file, metadata.len(), limit) {
        Ok(bytes) => Ok(Some((bytes, mode(&metadata)))),
        Err(ReadFault::TooLarge { bytes, limit }) => Err(TreeError::FileTooLarge { path: path.clone(), bytes, limit }),
        Err(fault) => unread(path.clone(), fault.into()),
    }
}

/// What this user may not read, an agent here cannot read either.
fn unread<T>(path: RepoPath, source: io::Error) -> Result<Option<T>, TreeError> {
    if source.kind() == io::ErrorKind::PermissionDenied {
        return Ok(None);
    }
    Err(TreeError::Io { path, source })
}
