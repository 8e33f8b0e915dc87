//! The workflows of a memory folder: the one at hand and those that were set aside, each with its runs.

use std::collections::HashSet;

use super::handle::Store;
use crate::contracts::{Approval, Decision, Handoff, ReviewOutput};
use crate::memory::error::MemoryError;
use crate::memory::files::{ROLLS_BACK, TASK};
use crate::memory::history;
use crate::memory::run_id::RunId;

/// A workflow: the one at hand, or one that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownWorkflow {
    /// Its id: that of its first run.
    pub id: RunId,
    /// Its runs, oldest first, those included whose folders were removed.
    pub runs: Vec<RunId>,
    /// The folders that are there, oldest first: of its runs, and of what was rolled back of it later.
    pub folders: Vec<RunId>,
    /// The entry of `history/` that holds its handoffs; `None` for the workflow at hand.
    pub entry: Option<String>,
}

/// How a workflow that was set aside had ended, by its handoffs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetAsideEnd {
    /// Its work was taken.
    Merged,
    /// Its plan was rejected.
    Rejected,
    /// It had not ended.
    Open,
}

impl Store {
    /// Every workflow that ran, newest first.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn workflows(&self) -> Result<Vec<KnownWorkflow>, MemoryError> {
        let there = self.runs()?;
        let later: Vec<(RunId, RunId)> =
            there.iter().filter_map(|run| Some((run.clone(), self.rolls_back(run)?))).collect();
        let mut found: Vec<KnownWorkflow> = Vec::new();
        let mut add = |runs: Vec<RunId>, entry: Option<String>| {
            let Some(id) = runs.first().cloned() else { return };
            let of_it =
                |run: &&RunId| runs.contains(run) || later.iter().any(|(rollback, of)| rollback == *run && *of == id);
            let folders = there.iter().filter(of_it).cloned().collect();
            found.push(KnownWorkflow { id, runs, folders, entry });
        };
        let mut known: HashSet<String> = HashSet::new();
        for (entry, runs) in self.set_aside_workflows()? {
            let own = runs.iter().filter(|run| !known.contains(*run)).filter_map(|run| RunId::parse(run)).collect();
            known.extend(runs);
            add(own, Some(entry));
        }
        add(self.workflow_runs()?, None);
        found.reverse();
        Ok(found)
    }

    /// The id of the workflow that a run at work belongs to: a review against a commit is one of its own.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn workflow_of(&self, run: &RunId) -> Result<RunId, MemoryError> {
        if let Some(workflow) = self.rolls_back(run) {
            return Ok(workflow);
        }
        let runs = self.workflow_runs()?;
        let is_of_it = runs.contains(run);
        Ok(runs.into_iter().next().filter(|_| is_of_it).unwrap_or_else(|| run.clone()))
    }

    fn set_aside_workflows(&self) -> Result<Vec<(String, Vec<String>)>, MemoryError> {
        let Some(dir) = self.folder.existing() else { return Ok(Vec::new()) };
        history::ended_workflows(dir).map_err(|source| self.file_error("read", history::HISTORY, source))
    }

    /// The workflow that a run rolled back, where that was not the one at hand.
    pub(super) fn rolls_back(&self, run: &RunId) -> Option<RunId> {
        let bytes = self.run_note(run, ROLLS_BACK)?;
        RunId::parse(std::str::from_utf8(&bytes).ok()?.trim())
    }

    /// The runs that may have left a publish half done, oldest first: those of the workflow at hand, and rollbacks of others.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn publishing_runs(&self) -> Result<Vec<RunId>, MemoryError> {
        let mut runs = self.workflow_runs()?;
        runs.extend(self.runs()?.into_iter().filter(|run| self.rolls_back(run).is_some()));
        runs.sort();
        Ok(runs)
    }

    /// The task of a workflow in the user's words, where it is there.
    pub fn task_of(&self, workflow: &KnownWorkflow) -> Option<String> {
        match &workflow.entry {
            Some(entry) => self.whole_text(&format!("{entry}/{TASK}")),
            None => self.whole_text(TASK),
        }
    }

    /// How a workflow that was set aside had ended.
    pub fn end_of(&self, workflow: &KnownWorkflow) -> SetAsideEnd {
        let Some(entry) = &workflow.entry else { return SetAsideEnd::Open };
        let approval: Option<Approval> = self.set_aside_handoff(entry, Approval::FILE);
        match approval {
            Some(approval) if approval.decision == Decision::Rejected => SetAsideEnd::Rejected,
            _ if entry.ends_with("-finished") && self.has(&format!("{entry}/{}", ReviewOutput::FILE)) => {
                SetAsideEnd::Merged
            }
            _ => SetAsideEnd::Open,
        }
    }
}
