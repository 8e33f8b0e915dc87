//! What one task is done with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize};

use super::tries::LastTries;
use crate::contracts::{Issue, Task};
use crate::memory::PlanLock;
use crate::models::{Model, Tier};
use crate::workflow::Tries;
use crate::workspace::{GitFolders, Writable};

/// Everything one task needs.
pub(super) struct Assignment {
    pub(super) task: Task,
    pub(super) round: u32,
    pub(super) model: Arc<dyn Model>,
    pub(super) tier: Tier,
    /// Most tokens that one answer may have.
    pub(super) max_tokens: u32,
    pub(super) system: Vec<String>,
    pub(super) issues: Vec<Issue>,
    pub(super) writable: Writable,
    /// Folders in which nothing is written, whatever the task may write.
    pub(super) git_folders: GitFolders,
    pub(super) plan_lock: Arc<PlanLock>,
    /// Counts the tasks of the phase that wait for a person or a check.
    pub(super) waiting: Arc<AtomicUsize>,
    /// What failing checks said, in a round that repairs them.
    pub(super) failing: Option<Arc<str>>,
    /// The checks that may be tried.
    pub(super) tries: Option<Arc<Tries>>,
    /// How many tries were made.
    pub(super) used_tries: Arc<AtomicU32>,
    /// How the last ones ended.
    pub(super) last_tries: LastTries,
}
