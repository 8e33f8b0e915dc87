//! The checks at the end of a round, once all of its tasks are published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::as_tried::as_tried;
use super::base::base_state;
use super::changed_since::as_they_are;
use super::running::{Done, run_check, slot};
use super::sandbox::sandbox;
use super::taken_over::{CameBack, TakenOver, take_over};
use super::words::{named, outcome_in_time, state_of};
use crate::config::{Check, SandboxMode};
use crate::contracts::{
    CHECK_CANCELLED, CHECK_UNTRUSTED, CheckResult, CheckState, ImplReport, REPAIR_CHANGED_NOTHING, RepoPath, Round,
    RoundKind, SandboxLevel,
};
use crate::memory::CheckedFiles;
use crate::text::count;
use crate::workflow::changes::files::Changes;
use crate::workflow::changes::publishes::{Publish, journal};
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::events::EventStatus;
use crate::workflow::run::phase::Run;
use crate::workflow::run::phase_names::IMPLEMENT;
use crate::workspace::{Ended, Place};

/// Run the checks that a report lacks, and add their results to it. It is written after each, so that a kill costs one at
/// most; where the run is stopped, those that had not ended by then stand in it as such, and run when it goes on. What ran
/// before a check changed files is run once more, since its result is of other files. Answers whether a check changed files.
///
/// # Errors
/// When files cannot be read or written, or the run was cancelled.
pub(crate) async fn check_round(run: &Arc<Run>, round: &Round, report: &mut ImplReport) -> Result<bool, PhaseError> {
    let checks = run.checks();
    let trust = run.check_trust();
    // What was not trusted then may be by now.
    let is_due_again = |check: &Check, result: &CheckResult| {
        result.is_unfinished() || result.is_untrusted() && trust.is_trusted(check)
    };
    let stands = |result: &CheckResult| checks.iter().any(|check| is_of(check, result) && !is_due_again(check, result));
    report.checks.retain(stands);
    if round.kind == RoundKind::Repair && !has_published(run, round.n)? {
        keep_results(run, round.n, &checks, report)?;
    }
    let missing: Vec<&Check> =
        checks.iter().filter(|check| report.check(&check.name, &check.command).is_none()).collect();
    if missing.is_empty() {
        write(run, &checks, report)?;
        return Ok(false);
    }
    run.emit(IMPLEMENT, EventStatus::Progress, format!("running {}", count(missing.len(), "check")));
    let missing: Vec<Check> = missing.into_iter().cloned().collect();
    let mut at_work = AtWork {
        run,
        checks: &checks,
        round: round.n,
        report,
        has_changed: false,
        working: JoinSet::new(),
        stop: run.context.cancel.child_token(),
        begun: BTreeSet::new(),
        outdated: BTreeMap::new(),
        told: BTreeMap::new(),
        is_last: false,
    };
    let outcome = at_work.run_to_the_end(&missing).await;
    let has_changed = at_work.has_changed;
    if outcome.is_err() && run.context.cancel.is_cancelled() {
        note_unfinished(run, &checks, report)?;
    }
    outcome.map(|()| has_changed)
}

/// Add to a report that the checks it lacks had not ended when the run was stopped.
fn note_unfinished(run: &Run, checks: &[Check], report: &mut ImplReport) -> Result<(), PhaseError> {
    for check in checks {
        if report.check(&check.name, &check.command).is_none() {
            report.checks.push(without_run(run, check, CHECK_CANCELLED));
        }
    }
    write(run, checks, report)
}

/// The checks of a round that are at work.
struct AtWork<'a> {
    run: &'a Arc<Run>,
    checks: &'a [Check],
    round: u32,
    report: &'a mut ImplReport,
    has_changed: bool,
    /// Each ends with its slot, which is free once its result is written.
    working: JoinSet<(Result<Checked, PhaseError>, OwnedSemaphorePermit)>,
    stop: CancellationToken,
    /// The names of those at work.
    begun: BTreeSet<String>,
    /// Those that began before another one changed files, with the name of that.
    outdated: BTreeMap<String, String>,
    /// What became of the changes of each.
    told: BTreeMap<String, Vec<String>>,
    /// Whether nothing is run again after this: a formatter may change files each time.
    is_last: bool,
}

/// The result of a check, and what became of its changes.
type Checked = (CheckResult, TakenOver);

type EndedTask = Result<(Result<Checked, PhaseError>, OwnedSemaphorePermit), JoinError>;

impl AtWork<'_> {
    /// Run these checks, and those again that are of other files after that.
    async fn run_to_the_end(&mut self, missing: &[Check]) -> Result<(), PhaseError> {
        let missing = self.take_tried(missing).await?;
        self.run_all(&missing).await?;
        let again = self.take_outdated();
        if again.is_empty() {
            return Ok(());
        }
        let message = format!("running {} again, on the files as they are by now", count(again.len(), "check"));
        self.run.emit(IMPLEMENT, EventStatus::Progress, message);
        self.is_last = true;
        self.run_all(&again).await
    }

    /// Take the results of those that passed when they were tried on the very same files. Returns the rest. Before any check
    /// runs, as those write to ignored folders.
    async fn take_tried(&mut self, missing: &[Check]) -> Result<Vec<Check>, PhaseError> {
        let mut rest = Vec::new();
        for check in missing {
            let is_due = skipped(self.run, check, self.report).await?.is_none();
            let tried = match is_due {
                true => as_tried(self.run, check, changed_files(self.run, self.report)?).await?,
                false => None,
            };
            match tried {
                Some(result) => {
                    self.report.checks.push(result);
                    write(self.run, self.checks, self.report)?;
                    let message = format!("check {}: passed, as tried", named(&check.name));
                    self.run.emit(IMPLEMENT, EventStatus::Progress, message);
                }
                None => rest.push(check.clone()),
            }
        }
        Ok(rest)
    }

    /// Run these checks to their ends.
    async fn run_all(&mut self, checks: &[Check]) -> Result<(), PhaseError> {
        let mut outcome = self.begin_all(checks).await;
        if outcome.is_err() {
            self.stop.cancel();
        }
        while let Some(ended) = self.working.join_next().await {
            if let Err(error) = self.add(ended) {
                // The others end within a moment; nothing of them is left behind.
                self.stop.cancel();
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    /// The checks to run again, in their order.
    fn take_outdated(&mut self) -> Vec<Check> {
        let outdated = std::mem::take(&mut self.outdated);
        self.checks.iter().filter(|check| outdated.contains_key(&check.name)).cloned().collect()
    }

    /// Begin the checks in their order, each as soon as it has a slot.
    async fn begin_all(&mut self, missing: &[Check]) -> Result<(), PhaseError> {
        for check in missing {
            if let Some(reason) = skipped(self.run, check, self.report).await? {
                take(self.run, self.checks, self.report, without_run(self.run, check, reason))?;
                continue;
            }
            let slot = self.slot().await?;
            let files = changed_files(self.run, self.report)?;
            let (run, check, round, stop) = (self.run.clone(), check.clone(), self.round, self.stop.clone());
            self.begun.insert(check.name.clone());
            self.working.spawn(async move { (check_one(&run, &check, round, files, &stop).await, slot) });
        }
        Ok(())
    }

    /// A slot for the next check. What ends meanwhile is written first.
    async fn slot(&mut self) -> Result<OwnedSemaphorePermit, PhaseError> {
        loop {
            tokio::select! {
                biased;
                Some(ended) = self.working.join_next() => self.add(ended)?,
                slot = slot(self.run) => return slot,
            }
        }
    }

    fn add(&mut self, ended: EndedTask) -> Result<(), PhaseError> {
        let broke_off = |error: JoinError| PhaseError::Internal(format!("a check broke off: {error}"));
        let (checked, slot) = ended.map_err(broke_off)?;
        let (mut result, over) = checked?;
        self.begun.remove(&result.name);
        let told = self.told.entry(result.name.clone()).or_default();
        told.extend(over.words);
        told.iter().for_each(|words| add_reason(&mut result, words));
        if !over.taken.is_empty() {
            self.has_changed = true;
            let taken: Vec<RepoPath> = over.taken.into_keys().collect();
            self.outdate(&result.name, &taken);
        }
        match self.outdated.get(&result.name) {
            // Its result is of other files, and it runs again.
            Some(_) if !self.is_last => write(self.run, self.checks, self.report)?,
            by => {
                if let Some(by) = by {
                    add_reason(&mut result, &of_other_files(by));
                }
                take(self.run, self.checks, self.report, result)?;
            }
        }
        drop(slot);
        Ok(())
    }

    /// A check changed these files: what the others said is of the files before that.
    fn outdate(&mut self, by: &str, changed: &[RepoPath]) {
        for check in self.checks.iter().filter(|check| check.name != by && check.is_due(changed)) {
            let has_result = self.report.checks.iter().any(|result| is_of(check, result) && !result.is_skipped());
            if has_result || self.begun.contains(&check.name) {
                self.outdated.entry(check.name.clone()).or_insert_with(|| by.to_owned());
            }
        }
        if !self.is_last {
            self.report.checks.retain(|result| !self.outdated.contains_key(&result.name));
        }
        for result in &mut self.report.checks {
            if let Some(by) = self.outdated.get(&result.name) {
                add_reason(result, &of_other_files(by));
            }
        }
    }
}

fn of_other_files(by: &str) -> String {
    format!("its result is of the files as they were before check {} changed some", named(by))
}

fn add_reason(result: &mut CheckResult, words: &str) {
    match &mut result.reason {
        Some(reason) if reason.contains(words) => {}
        Some(reason) => *reason = format!("{}; {words}", reason.trim_end_matches('.')),
        none => *none = Some(words.to_owned()),
    }
}

fn take(run: &Run, checks: &[Check], report: &mut ImplReport, result: CheckResult) -> Result<(), PhaseError> {
    let message = format!("check {}: {}", named(&result.name), outcome_in_time(&result));
    report.checks.push(result);
    write(run, checks, report)?;
    run.emit(IMPLEMENT, EventStatus::Progress, message);
    Ok(())
}

/// Checks end in any order; a report has them as the settings do.
fn write(run: &Run, checks: &[Check], report: &mut ImplReport) -> Result<(), PhaseError> {
    report.checks.sort_by_key(|result| checks.iter().position(|check| is_of(check, result)));
    report.timestamp = Some(Timestamp::now());
    Ok(run.store.write(report)?)
}

fn is_of(check: &Check, result: &CheckResult) -> bool {
    (&check.name, &check.command) == (&result.name, &result.command)
}

/// Why a check does not run, as its result says it.
async fn skipped(run: &Run, check: &Check, report: &ImplReport) -> Result<Option<&'static str>, PhaseError> {
    if !run.check_trust().is_trusted(check) {
        return Ok(Some(CHECK_UNTRUSTED));
    }
    if !check.is_due(&changed_files(run, report)?) {
        return Ok(Some("paths"));
    }
    let is_required = run.settings.sandbox == SandboxMode::Require;
    let has_view = !is_required || sandbox(run).await.level() == SandboxLevel::View;
    Ok((!has_view).then_some("sandbox"))
}

/// The files that the workflow changed, and those that a report from elsewhere says were.
fn changed_files(run: &Run, report: &ImplReport) -> Result<Vec<RepoPath>, PhaseError> {
    let changes = Changes::load(&run.store, &run.workspace)?;
    let reported = report.results.iter().flat_map(|result| &result.changes);
    let reported = reported.filter_map(|change| RepoPath::parse(&change.path).ok());
    Ok(changes.files().map(|file| file.path.clone()).chain(reported).collect())
}

fn without_run(run: &Run, check: &Check, reason: impl Into<String>) -> CheckResult {
    let sandbox = run.check_state.sandbox.get().map_or(SandboxLevel::None, |sandbox| sandbox.level());
    CheckResult {
        name: check.name.clone(),
        command: check.command.clone(),
        state: CheckState::Skipped,
        exit_code: None,
        reason: Some(reason.into()),
        base: None,
        sandbox,
        elapsed_ms: 0,
        log: String::new(),
    }
}

async fn check_one(
    run: &Arc<Run>,
    check: &Check,
    round: u32,
    files: Vec<RepoPath>,
    cancel: &CancellationToken,
) -> Result<Checked, PhaseError> {
    run.emit(IMPLEMENT, EventStatus::Progress, format!("check {}: running", named(&check.name)));
    let touched = journal(&run.store)?.into_iter().flat_map(|publish| publish.record.files).map(|file| file.path);
    let place = Place::End { touched: touched.collect() };
    let (since, mut seen) = (SystemTime::now(), read(run, files).await?);
    let Done { number, ran, log } = run_check(run, check, place, Duration::from_secs(check.timeout_s), cancel).await?;
    if let Ended::NotRun(why) = ran.ended {
        return Ok((CheckResult { log, ..without_run(run, check, why) }, TakenOver::default()));
    }
    let (state, exit_code) = state_of(&ran.ended);
    // What was stopped in the middle may have left files half written.
    let has_exited = matches!(ran.ended, Ended::Exited(_));
    let (changed, replaced) = if has_exited { (ran.changed, ran.replaced) } else { Default::default() };
    let has_passed = state == CheckState::Passed;
    let over = take_over(run, check, round, CameBack { number, has_passed, changed, replaced, since }).await?;
    let mut result = CheckResult {
        state,
        exit_code,
        // What explains the failure: a network that was not given, a command that is not installed.
        reason: (!ran.hints.is_empty()).then(|| ran.hints.join(" ")),
        elapsed_ms: u64::try_from(ran.elapsed.as_millis()).unwrap_or(u64::MAX),
        log,
        ..without_run(run, check, "")
    };
    if result.has_failed() {
        result.base = Some(base_state(run, check, cancel).await?);
    }
    if sandbox(run).await.level() != SandboxLevel::View {
        // What it changed itself is in the real tree.
        seen = read(run, seen.into_keys().collect()).await?;
    }
    seen.extend(over.taken.iter().map(|(path, hash)| (path.clone(), hash.clone())));
    run.store.record_check(&result, &ran.output, seen)?;
    Ok((result, over))
}

/// The files as they are.
async fn read(run: &Arc<Run>, files: Vec<RepoPath>) -> Result<CheckedFiles, PhaseError> {
    let run = run.clone();
    let read = tokio::task::spawn_blocking(move || as_they_are(&run.workspace, files)).await;
    read.map_err(|error| PhaseError::Internal(format!("reading the files broke off: {error}")))
}

/// Whether anything was published in a round, by its tasks or its checks.
fn has_published(run: &Run, round: u32) -> Result<bool, PhaseError> {
    let is_of_round = |publish: &Publish| publish.record.round == round && publish.record.reversal.is_none();
    Ok(journal(&run.store)?.iter().any(is_of_round))
}

/// After a repair that changed nothing, the results of the round before it stand, and no further repair follows.
fn keep_results(run: &Run, round: u32, checks: &[Check], report: &mut ImplReport) -> Result<(), PhaseError> {
    let before = run.store.earlier_reports()?.into_iter().find(|earlier| earlier.round < round);
    for result in before.iter().flat_map(|before| &before.checks) {
        let is_missing = report.check(&result.name, &result.command).is_none();
        if is_missing && checks.iter().any(|check| is_of(check, result)) && run.store.is_check_confirmed(result) {
            let reason = match result.has_failed() {
                true => Some(
                    [Some(REPAIR_CHANGED_NOTHING), result.reason.as_deref()]
                        .into_iter()
                        .flatten()
                        .collect::<Vec<_>>()
                        .join("; "),
                ),
                false => result.reason.clone(),
            };
            report.checks.push(CheckResult { reason, ..result.clone() });
        }
    }
    Ok(())
}
