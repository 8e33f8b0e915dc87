//! Making a folder of a manifest.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use super::blobs::{BlobError, BlobStore};
use super::manifest::{Manifest, TreeEntry};
use crate::contracts::RepoPath;
use crate::workspace::beneath::{Blocked, open_folder};
use crate::workspace::platform::{make_private, set_mode};

/// Why a tree cannot be put in place.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Something is there already.
    #[error("{} is not empty; a tree is put in a folder of its own", .0.display())]
    NotEmpty(PathBuf),
    /// The content of a file is not in the store.
    #[error("the content of {path} ({sha256}) is not there; fetch the packs that the manifest names")]
    Missing {
        /// The file.
        path: RepoPath,
        /// Its SHA-256.
        sha256: String,
    },
    /// Two names are one on this disk.
    #[error(
        "{0} has the name of another file of the tree on this disk, which takes names that differ in case or form for one; use a \
         worker whose disk tells them apart"
    )]
    Clash(RepoPath),
    /// The store cannot be read, or a file not written.
    #[error(transparent)]
    Disk(#[from] BlobError),
}

impl Manifest {
    /// Makes a folder with the files of the tree, 0755 for those that may be executed and 0644 for all others, to be
    /// opened as a [`Workspace`](crate::workspace::Workspace). The folder is made if it is missing; nothing is written
    /// outside of it. What is there after an error is of no use, and the caller's to remove.
    ///
    /// # Errors
    /// When the folder is not empty, a content is missing, names clash on this disk, or it cannot be written.
    pub fn put_in_place(&self, dir: &Path, blobs: &mut dyn BlobStore) -> Result<(), PlaceError> {
        let io = |error| BlobError::of(dir, error);
        Dir::create_ambient_dir_all(dir, ambient_authority()).map_err(io)?;
        let root = Dir::open_ambient_dir(dir, ambient_authority()).map_err(io)?;
        if root.entries().map_err(io)?.next().is_some() {
            return Err(PlaceError::NotEmpty(dir.to_owned()));
        }
        let mut last: Option<(Option<RepoPath>, Dir)> = None;
        for entry in self.entries() {
            let parent = entry.path.parent();
            let folder = match last.take() {
                Some((known, folder)) if known == parent => folder,
                _ => folder(&root, parent.as_ref()).map_err(io)?,
            };
            let bytes = blobs.get(&entry.sha256)?.filter(|bytes| bytes.len() as u64 == entry.size);
            let Some(bytes) = bytes else {
                return Err(PlaceError::Missing { path: entry.path.clone(), sha256: entry.sha256.clone() });
            };
            match write(&folder, entry, &bytes) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    return Err(PlaceError::Clash(entry.path.clone()));
                }
                written => written.map_err(io)?,
            }
            last = Some((parent, folder));
        }
        Ok(())
    }
}

fn folder(root: &Dir, path: Option<&RepoPath>) -> io::Result<Dir> {
    let Some(path) = path else { return root.try_clone() };
    root.create_dir_all(path.as_str())?;
    open_folder(root, path.components()).map_err(Blocked::into_io)
}

/// Writes a file where none is.
fn write(folder: &Dir, entry: &TreeEntry, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).follow(FollowSymlinks::No);
    make_private(&mut options);
    let mut file = folder.open_with(entry.path.file_name(), &options)?;
    file.write_all(bytes)?;
    set_mode(&file, if entry.executable { 0o755 } else { 0o644 })
}
