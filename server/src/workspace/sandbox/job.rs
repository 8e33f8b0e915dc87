//! What is run, where, and how it ended.

use std::time::Duration;

use crate::contracts::RepoPath;

/// Which level the user wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SandboxWish {
    /// The best there is.
    Auto,
    /// A view, or nothing is run.
    Require,
    /// None.
    Off,
}

/// A command to run.
#[derive(Debug, Clone)]
pub struct Job {
    /// For `sh -c`, in the root.
    pub command: String,
    /// How long it may take.
    pub timeout: Duration,
    /// Whether it may reach the network.
    pub network: bool,
    /// Whether it may read files of secrets.
    pub secrets: bool,
    /// On which tree it runs.
    pub place: Place,
}

/// On which tree a command runs.
#[derive(Debug, Clone)]
pub enum Place {
    /// The working tree with these edits laid over it. Nothing is kept.
    Try {
        /// The edits.
        edits: Vec<ViewEdit>,
        /// Files that agents touched, where it is asked what the command leaves behind.
        touched: Option<Vec<RepoPath>>,
    },
    /// The working tree as it is. Folders that git ignores are the real ones, so that caches stay warm; changes to
    /// tracked or touched files are returned.
    End {
        /// Files that agents touched.
        touched: Vec<RepoPath>,
    },
}

/// A file as it is to be, or as a command left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewEdit {
    /// The file.
    pub path: RepoPath,
    /// Its bytes; `None`: deleted.
    pub content: Option<Vec<u8>>,
    /// Its permissions; `None`: those it has, or the usual ones.
    pub mode: Option<u32>,
}

/// What came of a job.
#[derive(Debug, Clone)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// How long the command ran, without the set-up.
    pub elapsed: Duration,
    /// The first 8 and the last 24 KB of what it printed.
    pub output: String,
    /// The changes of a [`Place::End`], sorted by path.
    pub changed: Vec<ViewEdit>,
    /// Of a [`Place::End`], the files that are no regular files any more: a link, a folder or something special is there.
    pub replaced: Vec<RepoPath>,
    /// What explains a failure that comes from the sandbox.
    pub hints: Vec<String>,
    /// What the command of a [`Place::Try`] left behind, where that was asked and could be looked at.
    pub traces: Option<Traces>,
}

/// What a command left behind in a view that is thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traces {
    /// Whether the edits, and all files that git tracks or agents touched, are as they were.
    pub is_clean: bool,
    /// How many files it wrote, caches and the like included, and the edits.
    pub written: usize,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The command exited with this code.
    Exited(i32),
    /// This signal ended it.
    Signal(i32),
    /// Its time was over.
    TimedOut,
    /// It was cancelled.
    Cancelled,
    /// It was never started, for this reason.
    NotRun(String),
}
