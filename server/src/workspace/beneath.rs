//! Opens folders component by component, so that no link on the way is followed.

use std::io;
use std::path::Path;

use cap_fs_ext::DirExt;
use cap_std::fs::Dir;

use super::durable::sync_folder;
use super::error::WorkspaceError;
use crate::contracts::RepoPath;

/// Why a folder cannot be opened.
#[derive(Debug)]
pub(super) enum Blocked {
    /// A component is a symbolic link.
    Link,
    /// A component is a file.
    NotAFolder,
    /// Any other error, "not found" included.
    Io(io::Error),
}

impl Blocked {
    pub(super) fn at(self, path: &RepoPath) -> WorkspaceError {
        match self {
            Self::Link => WorkspaceError::Link(path.clone()),
            Self::NotAFolder => WorkspaceError::NotAFolderInside(path.clone()),
            Self::Io(source) => WorkspaceError::Io { path: path.clone(), source },
        }
    }

    pub(super) fn into_io(self) -> io::Error {
        match self {
            Self::Link => io::Error::other("a symbolic link stands in the way"),
            Self::NotAFolder => io::Error::from(io::ErrorKind::NotADirectory),
            Self::Io(error) => error,
        }
    }
}

/// Opens the folder that holds `path`.
pub(super) fn open_parent(base: &Dir, path: &RepoPath) -> Result<Dir, Blocked> {
    match path.parent() {
        Some(parent) => open_folder(base, parent.components()),
        None => base.try_clone().map_err(Blocked::Io),
    }
}

/// Opens an existing folder.
pub(super) fn open_folder(base: &Dir, components: impl Iterator<Item = impl AsRef<Path>>) -> Result<Dir, Blocked> {
    let mut dir = base.try_clone().map_err(Blocked::Io)?;
    for component in components {
        dir = step(&dir, component.as_ref())?;
    }
    Ok(dir)
}

/// Opens a folder; missing components are created durably.
pub(super) fn create_folder<'a>(base: &Dir, components: impl Iterator<Item = &'a str>) -> Result<Dir, Blocked> {
    let mut dir = base.try_clone().map_err(Blocked::Io)?;
    for component in components {
        dir = match step(&dir, component.as_ref()) {
            Err(Blocked::Io(error)) if error.kind() == io::ErrorKind::NotFound => {
                match dir.create_dir(component) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(Blocked::Io(error)),
                    _ => sync_folder(&dir).map_err(Blocked::Io)?,
                }
                step(&dir, component.as_ref())?
            }
            other => other?,
        };
    }
    Ok(dir)
}

fn step(dir: &Dir, component: &Path) -> Result<Dir, Blocked> {
    let metadata = dir.symlink_metadata(component).map_err(Blocked::Io)?;
    if metadata.is_symlink() {
        return Err(Blocked::Link);
    }
    if !metadata.is_dir() {
        return Err(Blocked::NotAFolder);
    }
    dir.open_dir_nofollow(component).map_err(Blocked::Io)
}
