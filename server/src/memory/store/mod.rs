//! The store: everything that is read from and written to one memory folder.
//!
//! `Store` is a handle, cheap to clone; each file here adds the methods for one part of the folder. Nothing is cached: two
//! reads see two states of the files, and [`Memory`] is a snapshot of one moment.

mod approval;
mod archive;
mod file_io;
mod issue_ids;
mod load;
mod notes;
mod reseal;
mod rollback;
mod runs;
mod uncounted;

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

pub use load::{FaultyPlan, LoadedPlan, Memory, Revision};
pub use reseal::Resealed;
pub use runs::RunDir;
pub use uncounted::{Origin, Uncounted, UncountedFrom};

/// The memory folder of one workspace.
#[derive(Clone)]
pub struct Store {
    workspace: Workspace,
    folder: Arc<Folder>,
    seal: Seal,
    /// Which files the phases hand on.
    handoffs: Handoffs,
    /// Texts that stand for those of the files, by name.
    unsaved: Arc<BTreeMap<String, String>>,
}

impl Store {
    /// Open a workspace's memory folder, to which phases write these handoffs. It is made when something is first written: to look at it, or to fail before
    /// anything begins, leaves no trace.
    ///
    /// # Errors
    /// When the folder is a link, or files of something else live in it.
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

    /// Which files the phases hand on.
    pub fn handoffs(&self) -> &Handoffs {
        &self.handoffs
    }

    /// Whether there is a memory folder.
    pub fn exists(&self) -> bool {
        self.folder.existing().is_some()
    }

    /// The same folder, read as if these files had these texts. To look at, not to run on.
    pub fn with_unsaved(&self, unsaved: BTreeMap<String, String>) -> Self {
        Self { unsaved: unsaved.into(), ..self.clone() }
    }

    /// Take the workspace for a run. From here on nobody else writes its memory but the user and the gate.
    ///
    /// What a killed run left behind is put right: leftover temporary files go, plan.json is writable again.
    ///
    /// # Errors
    /// [`MemoryError::Locked`] with the holder when another run is at work.
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

    /// Who is at work here now.
    pub fn holder(&self) -> Option<LockHolder> {
        RunLock::holder(self.folder.existing()?)
    }

    /// The workspace whose memory this is.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The seal under which journals count.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The memory folder, relative to the workspace root.
    pub fn path(&self) -> &RepoPath {
        self.folder.path()
    }

    /// A file of the memory folder, relative to the workspace root.
    pub fn name(&self, file: &str) -> String {
        format!("{}/{file}", self.path()).trim_end_matches('/').to_owned()
    }

    /// The handle on the memory folder to write to it, which makes it.
    fn dir(&self) -> Result<&Dir, MemoryError> {
        self.folder.make()
    }

    /// Whether something is there.
    fn has(&self, file: &str) -> bool {
        self.folder.existing().is_some_and(|dir| dir.symlink_metadata(file).is_ok())
    }
}
