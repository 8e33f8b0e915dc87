//! How much of what agents wrote stands, from the publish journals alone: no file is read.

use std::collections::BTreeSet;

use super::publishes::{Publish, in_effect, journal_with_unfinished, paths_in_effect};
use crate::contracts::RepoPath;
use crate::memory::{MemoryError, RunId, Store};
use crate::workspace::ReversalKind;

/// What agents of the workflow wrote, and what of it was rolled back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Files that an agent wrote and that were not rolled back.
    pub(crate) files: usize,
    /// Whether a rollback can be undone: no agent has written since.
    pub(crate) can_bring_back: bool,
    /// Whether the last run of the workflow was a rollback.
    pub(crate) ends_with_rollback: bool,
}

impl Written {
    /// Of the workflow at hand.
    ///
    /// # Errors
    /// When a journal cannot be read.
    pub(crate) fn of(store: &Store) -> Result<Self, MemoryError> {
        // What a kill interrupted is finished by the next command.
        Ok(Self::in_journal(journal_with_unfinished(store)?, store.workflow_runs()?.last()))
    }

    /// By the publishes of a workflow, whose last run is `last_run`.
    pub(crate) fn in_journal(all: Vec<Publish>, last_run: Option<&RunId>) -> Self {
        let mut can_bring_back = false;
        for publish in all.iter().rev() {
            let Some(reversal) = &publish.record.reversal else { break };
            if reversal.kind == ReversalKind::Rollback && !paths_in_effect(&all, publish).is_empty() {
                can_bring_back = true;
                break;
            }
        }
        let is_rollback = |kind: ReversalKind| kind == ReversalKind::Rollback;
        let ends_with_rollback = all.last().is_some_and(|last| {
            Some(&last.run) == last_run
                && last.record.reversal.as_ref().is_some_and(|reversal| is_rollback(reversal.kind))
        });
        let standing = in_effect(all);
        let files: BTreeSet<&RepoPath> = standing.iter().flat_map(|publish| publish.record.paths()).collect();
        Self { files: files.len(), can_bring_back, ends_with_rollback }
    }

    /// Whether all that agents wrote was rolled back.
    pub(crate) fn is_all_rolled_back(self) -> bool {
        self.files == 0 && self.can_bring_back
    }
}
