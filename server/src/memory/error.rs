//! Errors of the memory folder, with what the user can do about them.

use std::fmt;
use std::io;

use crate::contracts::Fault;
use crate::workspace::WorkspaceError;

/// Why the memory folder could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// A file of the memory folder could not be read or written.
    #[error("cannot {action} {file}: {source}")]
    Io {
        /// What was tried: "read", "write".
        action: &'static str,
        /// The file, relative to the workspace root.
        file: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The memory folder was removed during the run.
    #[error(
        "the memory folder {folder} was removed while a run was at work, and what it held is lost. What agents had put in \
         place by then is in your working tree; start again by `baton run`"
    )]
    Gone {
        /// The folder, relative to the workspace root.
        folder: String,
    },
    /// The folder holds files that are not Baton's.
    #[error(
        "{folder} holds {holds:?}, which is no file of Baton's: a memory folder is new, empty, or one of ours. Name another \
         one; or, if this is one of ours, write the line * to {folder}/.gitignore"
    )]
    Foreign {
        /// The folder, relative to the workspace root.
        folder: String,
        /// One of the files.
        holds: String,
    },
    /// The file in the lock's place is not a lock of Baton's.
    #[error("{file} holds something else than Baton writes there, and is left as it is; move it away")]
    NotALock {
        /// The file, relative to the workspace root.
        file: String,
    },
    /// The memory folder itself cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// Another run holds the workspace.
    #[error("another run is working here: {0}. Wait for it, cancel it, or watch it with `baton status`")]
    Locked(LockedBy),
    /// Handoffs that break their contract. The files are not changed.
    #[error("{}", faults_text(.0))]
    Faulty(Vec<FileFaults>),
    /// plan.json changed while it was being implemented.
    #[error("{file} changed while it was being implemented; restore it, or approve the new plan and run again")]
    PlanChanged {
        /// plan.json, relative to the workspace root.
        file: String,
    },
}

/// Who holds the workspace, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedBy {
    /// Process id, where known.
    pub pid: Option<u32>,
    /// Run id, where known.
    pub run: Option<String>,
    /// Whether a process with this id exists on this machine, where that is known.
    pub is_here: Option<bool>,
}

/// All faults of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFaults {
    /// The file, relative to the workspace root.
    pub file: String,
    /// Its faults, in the order of the text.
    pub faults: Vec<Fault>,
}

impl fmt::Display for LockedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "pid {pid}")?,
            None => write!(f, "pid unknown")?,
        }
        if let Some(run) = &self.run {
            write!(f, ", run {run}")?;
        }
        if self.is_here == Some(false) {
            // The lock is released when its process ends; it is held, so the holder is alive.
            write!(f, " (no such process here: it is in a container or on another machine that shares this folder)")?;
        }
        Ok(())
    }
}

impl fmt::Display for FileFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:{fault}", self.file)?;
        }
        Ok(())
    }
}

fn faults_text(files: &[FileFaults]) -> String {
    files.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
