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
    /// The memory folder itself cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// Another run holds the workspace.
    #[error("another run is working here: {0}. Wait for it, cancel it, or watch it with `baton status`")]
    Locked(LockedBy),
    /// Handoffs that break their contract. The files are left as they are.
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
