//! The checks at the end of a round, once all of its tasks are published.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::base::base_state;
use super::running::{Done, run_check, slot};
use super::sandbox::sandbox;
use super::taken_over::{CameBack, take_over};
use super::words::{outcome_in_time, state_of};
use crate::config::{Check, SandboxMode};
use crate::contracts::{CheckResult, CheckState, ImplReport, RepoPath, Round, RoundKind, SandboxLevel};
use crate::text::count;
use crate::workflow::changes::files::Changes;
use crate::workflow::changes::publishes::{Publish, journal};
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::events::EventStatus;
use crate::workflow::run::phase::Run;
use crate::workflow::run::phase_names::IMPLEMENT;
use crate::workspace::{Ended, Place};

/// Why checks are not repaired again after a round that was to do so.
const REPAIR_CHANGED_NOTHING: &str = "the repair changed nothing";

/// Run the checks that a report lacks, and add their results to it. It is written after each, so that a kill costs one at
/// most. Answers whether a check changed files.
///
/// # Errors
/// When files cannot be read or written, or the run was cancelled.
pub(crate) async fn check_round(run: &Arc<Run>, round: &Round, report: &mut ImplReport) -> Result<bool, PhaseError> {
    let checks = run.checks();
    let is_set = |result: &CheckResult| checks.iter().any(|check| is_of(check, result));
    report.checks.retain(is_set);
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
    let stop = run.context.cancel.child_token();
    let (mut working, mut has_changed, mut failure) = (JoinSet::new(), false, None);
    for check in missing {
        let next = match skipped(run, check, report).await {
            Ok(Some(reason)) => take(run, &checks, report, without_run(run, check, reason)),
            // Who asks first runs first; the slot is held until the end.
            Ok(None) => match slot(run).await {
                Ok(slot) => {
                    let (run, check, n, stop) = (run.clone(), check.clone(), round.n, stop.clone());
                    working.spawn(async move {
                        let done = check_one(&run, &check, n, &stop).await;
                        drop(slot);
                        done
                    });
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Err(error) => Err(error),
        };
        failure = failure.or(next.err());
        while failure.is_none()
            && let Some(ended) = working.try_join_next()
        {
            failure = add(run, &checks, report, &mut has_changed, joined(ended)).err();
        }
        if failure.is_some() {
            break;
        }
    }
    if failure.is_some() {
        stop.cancel();
    }
    while let Some(ended) = working.join_next().await {
        if let Err(error) = add(run, &checks, report, &mut has_changed, joined(ended)) {
            // The others end within a moment; nothing of them is left behind.
            stop.cancel();
            failure = failure.or(Some(error));
        }
    }
    failure.map_or(Ok(has_changed), Err)
}

/// The result of a check, and whether it changed files.
type Checked = (CheckResult, bool);

fn joined(ended: Result<Result<Checked, PhaseError>, tokio::task::JoinError>) -> Result<Checked, PhaseError> {
    ended.unwrap_or_else(|error| Err(PhaseError::Internal(format!("a check broke off: {error}"))))
}

fn add(
    run: &Run,
    checks: &[Check],
    report: &mut ImplReport,
    has_changed: &mut bool,
    checked: Result<Checked, PhaseError>,
) -> Result<(), PhaseError> {
    let (result, changed) = checked?;
    *has_changed |= changed;
    take(run, checks, report, result)
}

fn take(run: &Run, checks: &[Check], report: &mut ImplReport, result: CheckResult) -> Result<(), PhaseError> {
    let message = format!("check {}: {}", result.name, outcome_in_time(&result));
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
        return Ok(Some("untrusted"));
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
    cancel: &CancellationToken,
) -> Result<Checked, PhaseError> {
    run.emit(IMPLEMENT, EventStatus::Progress, format!("check {}: running", check.name));
    let touched = journal(&run.store)?.into_iter().flat_map(|publish| publish.record.files).map(|file| file.path);
    let place = Place::End { touched: touched.collect() };
    let since = SystemTime::now();
    let Done { number, ran, log } = run_check(run, check, place, Duration::from_secs(check.timeout_s), cancel).await?;
    if let Ended::NotRun(why) = ran.ended {
        return Ok((CheckResult { log, ..without_run(run, check, why) }, false));
    }
    let (state, exit_code) = state_of(&ran.ended);
    // What was stopped in the middle may have left files half written.
    let changed = if matches!(ran.ended, Ended::Exited(_)) { ran.changed } else { Vec::new() };
    let has_changed = take_over(run, check, round, CameBack { number, changed, since }).await?;
    let mut result = CheckResult {
        state,
        exit_code,
        reason: None,
        elapsed_ms: u64::try_from(ran.elapsed.as_millis()).unwrap_or(u64::MAX),
        log,
        ..without_run(run, check, "")
    };
    if result.has_failed() {
        result.base = Some(base_state(run, check, cancel).await?);
    }
    run.store.record_check(&result, &ran.output)?;
    Ok((result, has_changed))
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
                true => Some(REPAIR_CHANGED_NOTHING.to_owned()),
                false => result.reason.clone(),
            };
            report.checks.push(CheckResult { reason, ..result.clone() });
        }
    }
    Ok(())
}
