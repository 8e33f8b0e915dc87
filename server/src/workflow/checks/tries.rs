//! A check tried on the edits of one task, before they are published.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::as_tried::{keep, tree_before};
use super::base::before_images;
use super::running::{Done, run_check, slot};
use super::sandbox::sandbox;
use super::words::state_of;
use crate::config::Check;
use crate::contracts::{BaseState, CheckState};
use crate::workflow::changes::publishes::journal;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::phase::Run;
use crate::workspace::{Ended, Place, Ran, StagedChange, ViewEdit};

/// How long one try may take at most.
const LONGEST: Duration = Duration::from_secs(300);

/// The checks that implementers may try in a round.
#[derive(Debug)]
pub(crate) struct Tries {
    /// Never empty.
    pub(crate) checks: Vec<Check>,
    round: u32,
    /// Whether a check fails on the tree without anyone's edits, by its name and the state of the tree.
    without: Mutex<HashMap<(String, String), bool>>,
}

/// What came of a try.
pub(crate) struct Tried {
    /// The check.
    pub(crate) check: Check,
    /// How it ended.
    pub(crate) state: CheckState,
    /// Its exit code.
    pub(crate) exit_code: Option<i32>,
    /// All else.
    pub(crate) ran: Ran,
    /// Why it never started.
    pub(crate) not_run: Option<String>,
    /// Whether it fails without the task's edits too, where others have published since the round began.
    pub(crate) fails_without: Option<bool>,
    /// Whether it fails, and an earlier round found out that it did so before the workflow.
    pub(crate) failed_before: bool,
    /// Whether others wrote to the tree while it ran.
    pub(crate) is_tree_changed: bool,
}

impl Tries {
    /// Those of a round: trusted, set to be tried, and there is a view to try them in.
    pub(crate) async fn of(run: &Run, round: u32) -> Option<Arc<Self>> {
        let trust = run.check_trust();
        let checks: Vec<Check> =
            run.checks().into_iter().filter(|check| check.r#try && trust.is_trusted(check)).collect();
        let can_try = !checks.is_empty() && sandbox(run).await.can_try();
        can_try.then(|| Arc::new(Self { checks, round, without: Mutex::default() }))
    }

    /// How long a try of a check may take.
    pub(crate) fn limit(check: &Check) -> Duration {
        Duration::from_secs(check.timeout_s).min(LONGEST)
    }

    /// Try a check of this round on the tree as it is and the edits of a task.
    ///
    /// # Errors
    /// When a journal cannot be read or a log not be written, or the run was cancelled.
    pub(crate) async fn run(
        &self,
        run: &Run,
        check: &Check,
        task: &str,
        edits: Vec<StagedChange>,
    ) -> Result<Tried, PhaseError> {
        let slot = slot(run).await?;
        let (since, before) = (SystemTime::now(), tree_state(run)?);
        let edits: Vec<ViewEdit> = edits.into_iter().map(view_edit).collect();
        let tree = tree_before(run, check, &edits).await?;
        let touched = journal(&run.store)?.into_iter().flat_map(|publish| publish.record.files).map(|file| file.path);
        let place = Place::Try { edits: edits.clone(), touched: Some(touched.collect()) };
        let Done { ran, log, .. } = run_check(run, check, place, Self::limit(check), &run.context.cancel).await?;
        keep(run, check, edits, tree, &ran, log);
        let is_tree_changed = tree_state(run)? != before || written_since(run, since).await?;
        let (state, exit_code) = state_of(&ran.ended);
        let not_run = match &ran.ended {
            Ended::NotRun(why) => Some(why.clone()),
            _ => None,
        };
        let has_failed = !matches!(state, CheckState::Passed | CheckState::Skipped);
        let fails_without = if has_failed && self.have_others_published(run, task)? {
            self.fails_without(run, check).await?
        } else {
            None
        };
        let failed_before = has_failed && run.store.known_base(&check.name, &check.command) == Some(BaseState::Failed);
        drop(slot);
        let check = check.clone();
        Ok(Tried { check, state, exit_code, ran, not_run, fails_without, failed_before, is_tree_changed })
    }

    /// Whether a check that fails passes on the files as they were before the workflow.
    ///
    /// # Errors
    /// When a journal cannot be read or a log not be written, or the run was cancelled.
    pub(crate) async fn passes_at_base(&self, run: &Run, check: &Check) -> Result<bool, PhaseError> {
        if let Some(known) = run.store.known_base(&check.name, &check.command) {
            return Ok(known == BaseState::Passed);
        }
        let place = Place::Try { edits: before_images(run)?, touched: None };
        let slot = slot(run).await?;
        let ran = run_check(run, check, place, Self::limit(check), &run.context.cancel).await?.ran;
        drop(slot);
        Ok(ran.ended == Ended::Exited(0))
    }

    fn have_others_published(&self, run: &Run, task: &str) -> Result<bool, PhaseError> {
        let journal = journal(&run.store)?;
        Ok(journal.iter().any(|publish| publish.record.round == self.round && publish.record.task != task))
    }

    /// Whether a check fails on the tree as it is, which is found out once for each state of the tree.
    async fn fails_without(&self, run: &Run, check: &Check) -> Result<Option<bool>, PhaseError> {
        let key = (check.name.clone(), tree_state(run)?);
        if let Some(known) = self.known().get(&key) {
            return Ok(Some(*known));
        }
        let place = Place::Try { edits: Vec::new(), touched: None };
        let ran = run_check(run, check, place, Self::limit(check), &run.context.cancel).await?.ran;
        if matches!(ran.ended, Ended::NotRun(_)) {
            return Ok(None);
        }
        let fails = ran.ended != Ended::Exited(0);
        self.known().insert(key, fails);
        Ok(Some(fails))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), bool>> {
        self.without.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn view_edit(change: StagedChange) -> ViewEdit {
    // A new file gets the system's bits, as it will when it is published.
    let is_new = change.before.is_none() && change.moved_from.is_none();
    ViewEdit { path: change.path, content: change.after, mode: (!is_new).then_some(change.mode) }
}

/// What of the tree is known to have changed: the publishes so far.
fn tree_state(run: &Run) -> Result<String, PhaseError> {
    let publishes = journal(&run.store)?;
    let ids =
        publishes.iter().map(|publish| format!("{}/{}-{}", publish.run, publish.record.task, publish.record.round));
    Ok(ids.collect::<Vec<_>>().join(" "))
}

/// Whether a file was saved since.
async fn written_since(run: &Run, since: SystemTime) -> Result<bool, PhaseError> {
    let (workspace, memory) = (run.workspace.clone(), run.store.path().clone());
    let looked = tokio::task::spawn_blocking(move || workspace.is_any_written_since(&memory, since));
    looked.await.map_err(|error| PhaseError::Internal(format!("looking for changes broke off: {error}")))
}
