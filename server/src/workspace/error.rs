//! Errors of the workspace, with what the user can do about them.

use std::io;
use std::path::PathBuf;

use super::file_state::MAX_FILE_BYTES;
use crate::contracts::RepoPath;

/// Why the workspace, or a file of it, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// The root does not exist.
    #[error("{} does not exist; name an existing folder with --workspace", .0.display())]
    Missing(PathBuf),
    /// The root is something else.
    #[error("{} is not a folder; name the folder that holds the project", .0.display())]
    NotAFolder(PathBuf),
    /// The root may not be read.
    #[error("{} may not be read; check the permissions of the folder and of those above it", .0.display())]
    Denied(PathBuf),
    /// The root cannot be opened for another reason.
    #[error("{} cannot be opened: {source}", .path.display())]
    Open {
        /// The root.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A link leads out of the root.
    #[error("{0} is a link that leads out of the workspace; only what lies inside is read")]
    Outside(RepoPath),
    /// A link leads to a file that is never read.
    #[error("{path} is a link to {target}, which is never read")]
    Guarded {
        /// The link.
        path: RepoPath,
        /// Where it leads.
        target: RepoPath,
    },
    /// A component is a link where none is allowed.
    #[error("{0} lies behind a symbolic link; files are written only in their real place")]
    Link(RepoPath),
    /// A folder, a pipe, a device or a socket.
    #[error("{0} is not a regular file")]
    NotAFile(RepoPath),
    /// A file is in the place of a folder.
    #[error("{0} is not a folder; move away what stands there")]
    NotAFolderInside(RepoPath),
    /// Larger than [`MAX_FILE_BYTES`].
    #[error("{path} has {bytes} bytes; files above {MAX_FILE_BYTES} bytes are neither read nor changed")]
    TooLarge {
        /// The file.
        path: RepoPath,
        /// Its size.
        bytes: u64,
    },
    /// A file of ignore rules cannot be used, so it is unknown which files are ignored.
    #[error("{file} cannot be used, and without it nobody can tell which files are ignored: {why}")]
    IgnoreFile {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: RepoPath,
        /// What the system said.
        source: io::Error,
    },
}
