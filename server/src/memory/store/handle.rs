//! The handle on a memory folder: opening it, locking it, and what all its parts need.

use std::collections::BTreeMap;
use std::sync::Arc;

use cap_std::fs::Dir;
use jiff::Timestamp;

use crate::contracts::{Handoffs, RepoPath};
use crate::memory::error::MemoryError;
use crate::memory::files::RUNS;
use crate::memory::folder::Folder;
use crate::memory::history;
use crate::memory::lock::{self, LockHolder, RunLock};
use crate::memory::plan_lock::PlanLock;
use crate::memory::run_id::RunId;
use crate::memory::seal::Seal;
use crate::workspace::{self, Workspace};

/// The memory folder of one workspace.
#[derive(Clone)]
pub struct Store {
    pub(super) workspace: Workspace,
    pub(super) folder: Arc<Folder>,
    pub(super) seal: Seal,
    /// The registry of the handoff files.
    pub(super) handoffs: Handoffs,
    /// Texts to read instead of those of the files, by file name.
    pub(super) unsaved: Arc<BTreeMap<String, String>>,
}

impl Store {
    /// Opens a workspace's memory folder. It is created by the first write, so that reading it, or failing early,
    /// leaves no trace.
    ///
    /// # Errors
    /// When the folder is a link, or holds files that are not Baton's.
    pub fn open(
        workspace: &Workspace,
        memory_dir: &RepoPath,
        seal: Seal,
        handoffs: Handoffs,
    ) -> Result<Self, MemoryError> {
        let folder = Folder::open(workspace, memory_dir, &handoffs)?;
        let store =
            Self { workspace: workspace.clone(), folder: folder.into(), seal, handoffs, unsaved: Arc::default() };
        if store.has(RUNS) {
            store.seal.answers().note_folder();
        }
        Ok(store)
    }

    /// The registry of the handoff files.
    pub fn handoffs(&self) -> &Handoffs {
        &self.handoffs
    }

    /// Whether there is a memory folder.
    pub fn exists(&self) -> bool {
        self.folder.existing().is_some()
    }

    /// The same folder, read as if its files had these texts. For reading only, not for runs.
    pub fn with_unsaved(&self, unsaved: BTreeMap<String, String>) -> Self {
        Self { unsaved: unsaved.into(), ..self.clone() }
    }

    /// Locks the workspace for a run. Until the lock is dropped, only the user and the gate write to its memory.
    ///
    /// Cleans up after a killed run: removes leftover temporary files and makes plan.json writable again.
    ///
    /// # Errors
    /// [`MemoryError::Locked`] with the holder when another run is active.
    pub fn lock(&self, now: Timestamp) -> Result<(RunLock, RunId), MemoryError> {
        let id = RunId::new(now, self.runs_until(now)?.last());
        let holder = LockHolder { pid: std::process::id(), run: id.to_string() };
        let dir = self.dir()?;
        let lock = RunLock::take(dir, &self.name(lock::FILE), &holder)?;
        self.seal.answers().note_folder();
        PlanLock::release(dir);
        workspace::sweep(dir).map_err(|source| self.file_error("tidy", "", source))?;
        history::sweep(dir).map_err(|source| self.file_error("tidy", history::HISTORY, source))?;
        Ok((lock, id))
    }

    /// The holder of the lock, if a run is active.
    pub fn holder(&self) -> Option<LockHolder> {
        RunLock::holder(self.folder.existing()?)
    }

    /// Who runs the workflow: a review against a commit is no part of it.
    pub fn workflow_holder(&self) -> Option<LockHolder> {
        let is_beside = |holder: &LockHolder| RunId::parse(&holder.run).is_some_and(|run| self.is_base_review(&run));
        self.holder().filter(|holder| !is_beside(holder))
    }

    /// The workspace that this memory belongs to.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The seal that approvals and journals are verified with.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The memory folder, relative to the workspace root.
    pub fn path(&self) -> &RepoPath {
        self.folder.path()
    }

    /// The path of a file of the memory folder, relative to the workspace root.
    pub fn name(&self, file: &str) -> String {
        format!("{}/{file}", self.path()).trim_end_matches('/').to_owned()
    }

    /// The memory folder for writing, created if missing.
    pub(super) fn dir(&self) -> Result<&Dir, MemoryError> {
        self.folder.make()
    }

    /// The memory folder for the files that no part of the store writes; created if missing.
    pub(in crate::memory) fn dir_for_writing(&self) -> Result<&Dir, MemoryError> {
        self.dir()
    }

    /// The memory folder, where there is one.
    pub(in crate::memory) fn existing_dir(&self) -> Option<&Dir> {
        self.folder.existing()
    }

    /// Whether the memory folder has an entry with this name.
    pub(super) fn has(&self, file: &str) -> bool {
        self.folder.existing().is_some_and(|dir| dir.symlink_metadata(file).is_ok())
    }
}
