//! Which workflow a rollback is about: the one at hand, or an earlier one.

use std::collections::BTreeSet;

use super::publishes::{Publish, journal_of};
use super::recover::recover;
use super::rolled_back::{RollbackNote, RollbackRequest};
use super::settle::settle_rollbacks;
use super::unverified::{Unverified, unverified_of_or_log, unverified_or_log};
use crate::contracts::RepoPath;
use crate::memory::{KnownWorkflow, MemoryError, RunDir, RunId, Store};
use crate::text;
use crate::workflow::run::error::StartError;
use crate::workspace::{PublishState, Workspace};

/// Ids that a message about a wrong one names.
const NAMED: usize = 5;

/// The workflow that is rolled back.
pub(super) enum Target {
    /// The one at hand.
    AtHand,
    /// An earlier one: what was written since counts as the user's own edits.
    Earlier(KnownWorkflow),
}

impl Target {
    /// The workflow that a request names, by its id, by the beginning of that, or by one of its runs.
    ///
    /// # Errors
    /// When there is none, or several begin so.
    pub(super) fn of(store: &Store, request: &RollbackRequest) -> Result<Self, StartError> {
        let Some(named) = &request.workflow else { return Ok(Self::AtHand) };
        let found = find(store.workflows()?, named).map_err(StartError::Usage)?;
        Ok(if found.entry.is_none() { Self::AtHand } else { Self::Earlier(found) })
    }

    /// Finish what a kill interrupted, and read what was published; with `unfinished` as if it had been finished.
    pub(super) fn journal(
        &self,
        store: &Store,
        workspace: &Workspace,
        dry_run: bool,
    ) -> Result<Vec<Publish>, StartError> {
        if !dry_run {
            recover(workspace, store)?;
        }
        let done = [PublishState::Done];
        let states = if dry_run { &[PublishState::Done, PublishState::Intent][..] } else { &done[..] };
        Ok(match self {
            Self::AtHand => journal_of(store, &store.workflow_runs()?, states)?,
            Self::Earlier(workflow) => journal_of(store, &workflow.folders, states)?,
        })
    }

    /// The hunks of it that the user keeps, each with its file.
    pub(super) fn kept(&self, store: &Store) -> Result<BTreeSet<(RepoPath, String)>, MemoryError> {
        match self {
            Self::AtHand => store.kept_hunks(&store.workflow_runs()?),
            Self::Earlier(workflow) => store.kept_hunks(&workflow.folders),
        }
    }

    /// What of it counts as absent.
    pub(super) fn unverified(&self, store: &Store) -> Vec<String> {
        let Unverified { warnings, .. } = match self {
            Self::AtHand => unverified_or_log(store),
            Self::Earlier(workflow) => unverified_of_or_log(store, &workflow.folders),
        };
        let removed = match self {
            Self::AtHand => 0,
            Self::Earlier(workflow) => workflow.runs.iter().filter(|run| !workflow.folders.contains(run)).count(),
        };
        let removed = (removed > 0).then(|| {
            let (runs, was) = (text::count(removed, "run"), if removed == 1 { "was" } else { "were" });
            format!("{runs} of that workflow {was} removed (keep_runs): what they wrote can no longer be undone.")
        });
        warnings.into_iter().chain(removed).collect()
    }

    /// Begin the run that the rollback is journaled as.
    pub(super) fn begin_run(&self, store: &Store, id: &RunId) -> Result<RunDir, MemoryError> {
        match self {
            Self::AtHand => store.begin_run(id),
            Self::Earlier(workflow) => store.begin_rollback_of(id, &workflow.id),
        }
    }

    /// Bring the memory folder in line with the rollback: of an earlier workflow it holds nothing that would have to change.
    pub(super) fn settle(
        &self,
        store: &Store,
        workspace: &Workspace,
        undo: bool,
    ) -> Result<Vec<RollbackNote>, StartError> {
        match self {
            Self::AtHand => settle_rollbacks(store, workspace),
            Self::Earlier(_) if undo => Ok(Vec::new()),
            Self::Earlier(_) => Ok(vec![RollbackNote::CanBeUndone]),
        }
    }
}

fn find(workflows: Vec<KnownWorkflow>, named: &str) -> Result<KnownWorkflow, String> {
    let named = named.trim();
    let begins = |workflow: &&KnownWorkflow| !named.is_empty() && workflow.id.as_str().starts_with(named);
    let has_run = |workflow: &&KnownWorkflow| workflow.runs.iter().any(|run| run.as_str() == named);
    let found: Vec<&KnownWorkflow> = workflows.iter().filter(begins).collect();
    let shown = text::short_line(named, 40);
    match (found.as_slice(), workflows.iter().find(has_run)) {
        ([one], _) => Ok((*one).clone()),
        ([], Some(one)) => Ok(one.clone()),
        ([], None) if workflows.is_empty() => Err("no workflow has run here yet".to_owned()),
        ([], None) => Err(format!("no workflow has the id {shown}; there are {}", ids(workflows.iter()))),
        (several, _) => Err(format!("several workflows begin with {shown}: {}", ids(several.iter().copied()))),
    }
}

fn ids<'a>(workflows: impl Iterator<Item = &'a KnownWorkflow>) -> String {
    let all: Vec<&str> = workflows.map(|workflow| workflow.id.as_str()).collect();
    let more = if all.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", all[..all.len().min(NAMED)].join(", "))
}
