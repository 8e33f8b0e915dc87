//! Why a tree cannot be sent.

use std::io;

use crate::contracts::{MAX_MANIFEST_BYTES, RepoPath};
use crate::workspace::{Interrupted, WalkError};

/// Why the tree of a workspace cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// Its files cannot be listed.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// One file is too large.
    #[error(
        "{path} has {bytes} bytes, and no file of more than {limit} is sent to a worker; have git ignore it, or work on this \
         machine"
    )]
    FileTooLarge {
        /// The file.
        path: RepoPath,
        /// Its size.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// All files together are too large.
    #[error(
        "the files that agents may read have more than {limit} bytes, and no more are sent to a worker; have git ignore what is \
         built or downloaded, or work on this machine"
    )]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// There are too many files.
    #[error(
        "there are more than {limit} files that agents may read, and no more are sent to a worker; have git ignore what is built \
         or downloaded, or work on this machine"
    )]
    TooManyFiles {
        /// The limit.
        limit: usize,
    },
    /// The manifest is too large.
    #[error(
        "the names of the files that agents may read are too long: a manifest has at most {MAX_MANIFEST_BYTES} bytes; have git \
         ignore what is built or downloaded, or work on this machine"
    )]
    NamesTooLong,
    /// The content of a file is in no pack that was sent.
    #[error("the content of {0} was in no pack; send the packs of the tree before its manifest")]
    NotSent(RepoPath),
    /// A file cannot be read.
    #[error("{path} cannot be read, and so cannot be sent to a worker: {source}")]
    Io {
        /// The file.
        path: RepoPath,
        /// What the system said.
        source: io::Error,
    },
    /// It was cancelled or took too long.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}
