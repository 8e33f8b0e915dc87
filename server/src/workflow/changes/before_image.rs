//! Files as they were before the workflow of a run touched them.

use super::publishes::{Publish, in_effect, journal, journal_of, without_taken_back};
use crate::contracts::RepoPath;
use crate::memory::{MemoryError, RunId, Store};
use crate::workspace::{self, PublishState, PublishedFile, Workspace};

/// The before-images of one workflow, by the publish journals that this user sealed.
pub struct BeforeImages {
    journal: Vec<Publish>,
    /// The publishes that were not rolled back.
    standing: Vec<Publish>,
}

/// What a file was before the workflow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeforeImage {
    /// It did not exist.
    Absent,
    /// It is a secret, by its name, its content or as another name of one: nobody is shown it.
    Secret,
    /// Its bytes.
    Bytes(Vec<u8>),
}

impl BeforeImages {
    /// Those of the workflow at hand.
    ///
    /// # Errors
    /// When a journal cannot be read.
    pub fn at_hand(store: &Store) -> Result<Self, MemoryError> {
        Ok(Self::new(journal(store)?))
    }

    /// Those of the workflow that a run belongs to, also of one that was set aside; `None` for a run of no workflow.
    ///
    /// # Errors
    /// When a journal cannot be read.
    pub fn of_run(store: &Store, run: &RunId) -> Result<Option<Self>, MemoryError> {
        let workflow = store.workflows()?.into_iter().find(|workflow| workflow.folders.contains(run));
        let Some(workflow) = workflow else { return Ok(None) };
        Ok(Some(Self::new(journal_of(store, &workflow.folders, &[PublishState::Done])?)))
    }

    fn new(journal: Vec<Publish>) -> Self {
        Self { standing: in_effect(journal.clone()), journal }
    }

    /// The run that holds what a file was before; `None` for a file that the workflow did not touch.
    pub fn run_of(&self, path: &RepoPath) -> Option<&RunId> {
        self.find(path).map(|(publish, _)| &publish.run)
    }

    /// What a file was before; `None` for one that the workflow did not touch.
    ///
    /// # Errors
    /// When its before-image cannot be read, or is not what the journal says.
    pub fn read(
        &self,
        store: &Store,
        workspace: &Workspace,
        path: &RepoPath,
    ) -> Result<Option<BeforeImage>, MemoryError> {
        let Some((publish, file)) = self.find(path) else { return Ok(None) };
        if workspace::is_secret(path) || workspace.is_secret_by_link(path) {
            return Ok(Some(BeforeImage::Secret));
        }
        let bytes = file.before(&publish.folder);
        Ok(Some(match bytes.map_err(|source| store.file_error("read", "a before-image", source))? {
            None => BeforeImage::Absent,
            Some(bytes) if workspace::is_secret_text(&bytes) => BeforeImage::Secret,
            Some(bytes) => BeforeImage::Bytes(bytes),
        }))
    }

    /// The publish that holds it: the first that stands. Where all were rolled back, the first of all.
    fn find(&self, path: &RepoPath) -> Option<(&Publish, &PublishedFile)> {
        let of_tasks = self.journal.iter().filter(|publish| publish.record.reversal.is_none());
        let standing = first(self.standing.iter(), path);
        standing
            .map(|(publish, file)| without_taken_back(&self.journal, publish, file))
            .or_else(|| first(of_tasks, path))
    }
}

fn first<'a>(
    mut publishes: impl Iterator<Item = &'a Publish>,
    path: &RepoPath,
) -> Option<(&'a Publish, &'a PublishedFile)> {
    publishes.find_map(|publish| Some((publish, publish.record.files.iter().find(|file| file.path == *path)?)))
}
