use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::check_runner::CheckRunner;
use super::edits::Edits;
use super::error::ToolError;
use crate::contracts::RepoPath;
use crate::outline::EditorSymbols;
use crate::workspace::{CacheFile, Interrupt, Staging, Workspace};

/// The tools of one agent, and what they work on.
#[derive(Debug, Clone)]
pub struct Toolbox {
    pub(super) workspace: Workspace,
    pub(super) memory_dir: RepoPath,
    role: Role,
    edits: Arc<Mutex<Edits>>,
    /// What runs the checks that an implementer may try, where there are any.
    checks: Option<Arc<dyn CheckRunner>>,
    pub(super) about: Arc<About>,
    pub(super) interrupt: Interrupt,
}

/// What outlines are made by.
#[derive(Debug, Default)]
pub struct About {
    /// The words of the task: in the map of a folder, what they name comes first.
    pub task: String,
    /// Where what was read of the workspace's files is kept.
    pub cache: Option<CacheFile>,
    /// An editor that is asked for the definitions of a file.
    pub editor: Option<Arc<dyn EditorSymbols>>,
    /// Whether the workspace is a copy on another machine, where it has no git history. A repository that this copy happens to
    /// lie in is somebody else's.
    pub is_copy: bool,
}

/// What an agent works on, beside the workspace.
#[derive(Debug, Clone)]
pub(super) enum Role {
    Nothing,
    Reader,
    Implementer(Arc<Mutex<Staging>>),
    Reviewer {
        diffs: Arc<Vec<(RepoPath, String)>>,
        /// What was changed since the review before; `None` where there was none.
        since_review: Option<Arc<Vec<(RepoPath, String)>>>,
    },
}

/// Which agents have a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Users {
    /// All of them.
    Everyone,
    /// Those that work on a task; only they write.
    Implementers,
    /// Those of them that may try checks on their edits.
    ImplementersWithChecks,
    /// Those that review a diff.
    Reviewers,
}

impl Toolbox {
    /// No tools: for an agent that judges what it is shown.
    pub fn none(workspace: Workspace, memory_dir: RepoPath) -> Self {
        Self {
            workspace,
            memory_dir,
            role: Role::Nothing,
            edits: Arc::default(),
            interrupt: Interrupt::never(),
            checks: None,
            about: Arc::default(),
        }
    }

    /// The tools of an agent that only reads the workspace.
    pub fn reader(workspace: Workspace, memory_dir: RepoPath) -> Self {
        Self { role: Role::Reader, ..Self::none(workspace, memory_dir) }
    }

    /// The tools of an agent that works on one task: it sees the workspace with its own changes.
    pub fn implementer(workspace: Workspace, memory_dir: RepoPath, staging: Arc<Mutex<Staging>>) -> Self {
        Self { role: Role::Implementer(staging), ..Self::none(workspace, memory_dir) }
    }

    /// The tools of an agent that reviews these diffs, by file.
    pub fn reviewer(workspace: Workspace, memory_dir: RepoPath, diffs: Vec<(RepoPath, String)>) -> Self {
        let role = Role::Reviewer { diffs: Arc::new(diffs), since_review: None };
        Self { role, ..Self::none(workspace, memory_dir) }
    }

    /// The same tools of an agent that reviews again, with the diffs of what was changed since the review before.
    #[must_use]
    pub fn since_review(mut self, changed: Option<Vec<(RepoPath, String)>>) -> Self {
        if let Role::Reviewer { since_review, .. } = &mut self.role {
            *since_review = changed.map(Arc::new);
        }
        self
    }

    /// The same tools, and one that tries these checks.
    #[must_use]
    pub fn with_checks(mut self, checks: Option<Arc<dyn CheckRunner>>) -> Self {
        self.checks = checks;
        self
    }

    /// The same tools, for this task.
    #[must_use]
    pub fn about(mut self, about: About) -> Self {
        self.about = Arc::new(about);
        self
    }

    /// The same tools, whose calls stop when this returns true.
    #[must_use]
    pub fn until(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// What the agent works on, beside the workspace.
    pub(super) fn role(&self) -> &Role {
        &self.role
    }

    /// Says that the model has seen the answers to all calls before: the lines that it names from now on are those that it was
    /// shown by then.
    pub fn begin_turn(&self) {
        self.edits().begin_turn();
    }

    /// The edits that the agent made. Another call that panicked with them in hand cannot have left them half changed.
    pub(super) fn edits(&self) -> MutexGuard<'_, Edits> {
        self.edits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this agent is one of them.
    pub(super) fn is_for(&self, users: Users) -> bool {
        match users {
            Users::Everyone => !matches!(self.role, Role::Nothing),
            Users::Implementers => matches!(self.role, Role::Implementer(_)),
            Users::ImplementersWithChecks => self.is_for(Users::Implementers) && self.checks.is_some(),
            Users::Reviewers => matches!(self.role, Role::Reviewer { .. }),
        }
    }

    /// The task's staging. Another call that panicked with it in hand cannot have left it half changed.
    pub(super) fn staging(&self) -> Option<MutexGuard<'_, Staging>> {
        match &self.role {
            Role::Implementer(staging) => Some(staging.lock().unwrap_or_else(PoisonError::into_inner)),
            Role::Nothing | Role::Reader | Role::Reviewer { .. } => None,
        }
    }

    /// The staging of an agent that may write.
    pub(super) fn writing(&self) -> Result<MutexGuard<'_, Staging>, ToolError> {
        self.staging().ok_or_else(|| ToolError::from("This agent does not write files.".to_owned()))
    }

    /// Takes back that the agent has read a file; nothing if it has changed it.
    pub fn forget(&self, path: &RepoPath) {
        if let Some(mut staging) = self.staging() {
            staging.forget(path);
        }
    }

    /// The files that the agent has changed.
    pub fn edited(&self) -> Vec<RepoPath> {
        self.staging()
            .map(|staging| staging.changes().into_iter().map(|change| change.path).collect())
            .unwrap_or_default()
    }

    /// Tells how tries of checks ended that were made elsewhere: the check, and whether it failed.
    pub fn note_tries(&self, tries: &[(String, bool)]) {
        if let Some(checks) = &self.checks {
            checks.note_tries(tries);
        }
    }

    /// What runs the checks that the agent may try.
    pub(super) fn checks(&self) -> Option<&Arc<dyn CheckRunner>> {
        self.checks.as_ref()
    }

    /// The diffs of an agent that reviews.
    pub(super) fn diffs(&self) -> &[(RepoPath, String)] {
        match &self.role {
            Role::Reviewer { diffs, .. } => diffs,
            Role::Nothing | Role::Reader | Role::Implementer(_) => &[],
        }
    }

    /// The diffs of what was changed since the review before; `None` where there was none.
    pub(super) fn diffs_since_review(&self) -> Option<&[(RepoPath, String)]> {
        match &self.role {
            Role::Reviewer { since_review, .. } => since_review.as_deref().map(Vec::as_slice),
            Role::Nothing | Role::Reader | Role::Implementer(_) => None,
        }
    }
}
