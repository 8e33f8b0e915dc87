//! The workflows of a memory folder, for people who look back: what each was about, how it ended, what it wrote.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use crate::contracts::{RepoPath, Usage};
use crate::memory::{KnownWorkflow, RunId, SetAsideEnd, Store, tidied};
use crate::text;
use crate::workflow::changes::publishes::journal_of;
use crate::workflow::changes::written::Written;
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::PhaseEvent;
use crate::workflow::run::outcome::Outcome;
use crate::workspace::PublishState;

/// A workflow that ran here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastWorkflow {
    /// Its id: that of its first run.
    pub workflow: String,
    /// The ids of its runs, oldest first, also of those that were removed.
    pub runs: Vec<String>,
    /// The task in one line; empty where it is not known.
    pub task: String,
    /// How it ended; `None` while it runs, and where nothing tells.
    pub outcome: Option<Outcome>,
    /// When something last happened in it.
    pub at: Timestamp,
    /// Files that its agents wrote, those included that were undone.
    pub files: usize,
    /// Whether it is the one at hand.
    pub current: bool,
    /// Whether something that its agents wrote can be undone.
    pub can_undo: bool,
    /// Whether its last rollback can be taken back.
    pub can_bring_back: bool,
    /// What the runs used whose journals are there; `None` where none is.
    pub usage: Option<Usage>,
    /// How many of its runs were removed, with what undoing them needs.
    pub removed_runs: usize,
}

impl PastWorkflow {
    /// How it ended, for people: nothing is merged into a branch, the changes are in the working tree.
    pub fn outcome_words(&self) -> String {
        match self.outcome {
            None => "no end".to_owned(),
            Some(Outcome::Merged) => "approved".to_owned(),
            Some(Outcome::RolledBack) => "undone".to_owned(),
            Some(other) => other.to_string().replace('_', " "),
        }
    }
}

/// The workflows that ran here, newest first. Files are not read, and neither are transcripts.
///
/// # Errors
/// When the memory folder cannot be read.
pub fn history(store: &Store) -> Result<Vec<PastWorkflow>, StartError> {
    store.workflows()?.iter().map(|workflow| past_workflow(store, workflow)).collect()
}

fn past_workflow(store: &Store, workflow: &KnownWorkflow) -> Result<PastWorkflow, StartError> {
    let KnownWorkflow { id, runs, folders, entry } = workflow;
    let journals = Journals::read(store, folders)?;
    // What a kill interrupted is finished before anything is undone, where the workflow is the one at hand.
    let states = [PublishState::Done, PublishState::Intent];
    let states = if entry.is_none() { &states[..] } else { &states[..1] };
    let publishes = journal_of(store, folders, states)?;
    let wrote = publishes.iter().filter(|publish| publish.record.reversal.is_none());
    let files: BTreeSet<RepoPath> = wrote.flat_map(|publish| publish.record.paths().cloned()).collect();
    let written = Written::in_journal(publishes, folders.last());
    let is_at_work = store.holder().is_some_and(|holder| runs.iter().any(|run| run.as_str() == holder.run));
    let outcome = match (is_at_work, written.is_all_rolled_back(), journals.outcome) {
        (true, ..) => None,
        (_, true, _) => Some(Outcome::RolledBack),
        (_, _, Some(outcome)) => Some(outcome),
        (_, _, None) => match store.end_of(workflow) {
            SetAsideEnd::Merged => Some(Outcome::Merged),
            SetAsideEnd::Rejected => Some(Outcome::Rejected),
            SetAsideEnd::Open => None,
        },
    };
    let task = store.task_of(workflow).map(|task| text::safe_line(&tidied(&task))).unwrap_or_default();
    Ok(PastWorkflow {
        workflow: id.to_string(),
        runs: runs.iter().map(RunId::to_string).collect(),
        task,
        outcome,
        at: journals.at.or_else(|| runs.last().and_then(RunId::started)).unwrap_or_default(),
        files: files.len(),
        current: entry.is_none(),
        can_undo: written.files > 0,
        can_bring_back: written.can_bring_back,
        usage: journals.usage,
        removed_runs: runs.iter().filter(|run| !folders.contains(run)).count(),
    })
}

/// What the events of a workflow's runs tell.
#[derive(Default)]
struct Journals {
    /// The last outcome.
    outcome: Option<Outcome>,
    at: Option<Timestamp>,
    usage: Option<Usage>,
}

impl Journals {
    fn read(store: &Store, runs: &[RunId]) -> Result<Self, StartError> {
        let mut journals = Self::default();
        for run in runs {
            let events: Vec<PhaseEvent> = store.events(run)?;
            journals.outcome = events.iter().rev().find_map(|event| event.outcome).or(journals.outcome);
            journals.at = events.last().map(|event| event.at).or(journals.at);
            // Each event tells what its run has used so far.
            if let Some(used) = events.iter().rev().find_map(|event| event.usage) {
                journals.usage = Some(journals.usage.into_iter().chain([used]).sum());
            }
        }
        Ok(journals)
    }
}
