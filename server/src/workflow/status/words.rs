//! What is said of a situation: a word for programs, a few words for a status bar, and a sentence or two. They name no
//! command of any face.

use super::situation::{Facts, Situation};
use super::states::WorkflowState;
use crate::contracts::{PhaseName, ProtectedFile, ReviewOutput};
use crate::text::{count, safe_line};
use crate::workflow::decide::next::Next;
use crate::workflow::drive::summary;
use crate::workflow::run::events::FailureCause;
use crate::workflow::run::phase::Phases;
use crate::workflow::run::phase_names::{CONTEXT, IMPLEMENT, PLAN};
use crate::workflow::run::question::GateContent;

/// What a sentence needs beside the facts.
pub(crate) struct Telling<'a> {
    /// The phases there are.
    pub(crate) phases: &'a Phases,
    /// The plan that waits.
    pub(crate) gate: Option<&'a GateContent>,
    /// Tasks with a result, and all that were approved.
    pub(crate) tasks: (usize, usize),
    /// How old a context may be, for people.
    pub(crate) staleness_hours: f64,
    /// The first fault of a file that keeps the workflow from going on.
    pub(crate) fault: Option<String>,
}

impl Situation {
    /// The word of `status --json`.
    pub(crate) fn state(&self) -> WorkflowState {
        match self {
            Self::Fresh => WorkflowState::Fresh,
            Self::Ready => WorkflowState::Ready,
            Self::Paused => WorkflowState::Paused,
            Self::Running { .. } => WorkflowState::Running,
            Self::WaitingForSave { .. } => WorkflowState::WaitingForSave,
            Self::WaitingForNetwork { .. } => WorkflowState::WaitingForNetwork,
            Self::Gate => WorkflowState::Gate,
            Self::FaultyPlan | Self::Faulty => WorkflowState::Faulty,
            Self::Interrupted { .. } => WorkflowState::Interrupted,
            Self::Cancelled { .. } => WorkflowState::Cancelled,
            Self::Failed { .. } | Self::TasksFailed { .. } => WorkflowState::Failed,
            Self::BudgetSpent { .. } | Self::Escalated { .. } => WorkflowState::Escalated,
            Self::Merged => WorkflowState::Merged,
            Self::RolledBack => WorkflowState::RolledBack,
            Self::Rejected => WorkflowState::Rejected,
        }
    }

    /// A few words for a status bar, at most 40 characters.
    pub(crate) fn headline(&self, facts: &Facts<'_>, telling: &Telling<'_>) -> String {
        let issues = open_issues(facts);
        let with_issues = |words: &str| match issues {
            0 => words.to_owned(),
            issues => format!("{words}, {}", count(issues, "issue")),
        };
        match self {
            Self::Fresh => "no task yet".to_owned(),
            Self::Ready => "ready to start".to_owned(),
            Self::Paused => "can go on".to_owned(),
            Self::Running { is_base_review: true, .. } => "reviewing".to_owned(),
            Self::Running { phase: Some(IMPLEMENT), .. } => {
                let (done, all) = telling.tasks;
                format!("implement {done}/{all}")
            }
            Self::Running { phase, .. } => phase.map_or_else(|| "starting".to_owned(), |phase| phase.to_string()),
            Self::WaitingForSave { files, .. } => waiting_for_save(files),
            Self::WaitingForNetwork { .. } => "waits for the model".to_owned(),
            Self::Gate => "plan waits for you".to_owned(),
            Self::FaultyPlan => "plan has faults".to_owned(),
            Self::Faulty => "a file has faults".to_owned(),
            Self::Interrupted { .. } => "interrupted".to_owned(),
            Self::Cancelled { .. } => "stopped".to_owned(),
            Self::Failed { cause: Some(FailureCause::Key), .. } => "failed: the key is refused".to_owned(),
            Self::Failed { cause: Some(FailureCause::Quota), .. } => "failed: no credit left".to_owned(),
            Self::Failed { cause: Some(FailureCause::Network), .. } => "failed: no answer from the model".to_owned(),
            Self::Failed { .. } => "failed".to_owned(),
            Self::TasksFailed { tasks } => match &tasks[..] {
                [one] if one.len() < 20 => format!("{} did not end well", safe_line(one)),
                tasks => format!("{} did not end well", count(tasks.len(), "task")),
            },
            Self::BudgetSpent { .. } => "budget spent".to_owned(),
            Self::Escalated { .. } => with_issues("needs you"),
            Self::Merged if is_partly_undone(facts) => "approved, partly undone".to_owned(),
            Self::Merged if facts.memory.is_accepted() => "accepted by you".to_owned(),
            Self::Merged => with_issues(&approved(facts)),
            Self::RolledBack => "undone".to_owned(),
            Self::Rejected => "plan rejected".to_owned(),
        }
    }

    /// A sentence or two.
    pub(crate) fn summary(&self, facts: &Facts<'_>, telling: &Telling<'_>) -> String {
        let memory = facts.memory;
        match self {
            Self::Fresh => "There is no task yet.".to_owned(),
            Self::Ready => "The task is written, and nothing has begun.".to_owned(),
            Self::Paused => next_sentence(facts, telling),
            Self::Running { is_base_review: true, .. } if *facts.next == Next::Gate => {
                "The working tree is being reviewed. The plan waits for your answer.".to_owned()
            }
            Self::Running { is_base_review: true, .. } => "The working tree is being reviewed.".to_owned(),
            Self::Running { phase: Some(IMPLEMENT), .. } => {
                let (done, all) = telling.tasks;
                format!("{} is at work: {done} of {} done.", subject(telling, IMPLEMENT), count(all, "task"))
            }
            Self::Running { phase: Some(PLAN), .. } => "The plan is being made.".to_owned(),
            Self::Running { phase: Some(phase), .. } => format!("{} is at work.", subject(telling, *phase)),
            Self::Running { phase: None, .. } => "A run begins.".to_owned(),
            Self::WaitingForSave { task, files } => {
                let files = files.join(", ");
                format!("{task} waits for you to save {files}: what is there unsaved is never overwritten.")
            }
            Self::WaitingForNetwork { message } => message.clone(),
            Self::Gate => gate_sentence(facts, telling),
            Self::FaultyPlan | Self::Faulty => {
                let fault = telling.fault.as_deref().unwrap_or("a file breaks its contract");
                format!("{fault}. Nothing goes on until that is fixed.")
            }
            Self::Interrupted { phase } => summary::interrupted(*phase, memory),
            Self::Cancelled { phase } => summary::stopped(*phase, memory),
            Self::Failed { message, .. } | Self::BudgetSpent { message } => message.clone(),
            Self::TasksFailed { tasks } => summary::failed_tasks(memory, tasks),
            Self::Escalated { reason } => summary::escalated(reason),
            Self::Merged if is_partly_undone(facts) => {
                format!("{} Some of its changes are undone.", merged(facts))
            }
            Self::Merged => merged(facts),
            Self::RolledBack if *facts.next == Next::Gate => {
                format!("{} Its plan waits for your answer again.", summary::UNDONE)
            }
            Self::RolledBack => summary::UNDONE.to_owned(),
            Self::Rejected => summary::rejected(facts.written.files),
        }
    }
}

fn merged(facts: &Facts<'_>) -> String {
    summary::merged(facts.memory, facts.written.files, facts.changed_since, &facts.checks.offered)
}

fn is_partly_undone(facts: &Facts<'_>) -> bool {
    facts.written.files > 0 && facts.written.can_bring_back
}

/// `approved`, and how many checks fail because of the work.
fn approved(facts: &Facts<'_>) -> String {
    let checks = facts.memory.report.iter().flat_map(|report| &report.checks);
    match checks.filter(|check| check.is_broken()).count() {
        0 => "approved".to_owned(),
        1 => "approved, 1 check fails".to_owned(),
        broken => format!("approved, {broken} checks fail"),
    }
}

fn open_issues(facts: &Facts<'_>) -> usize {
    facts.memory.open_issues().count()
}

/// `save src/a.rs`; where that is too long, how many files.
fn waiting_for_save(files: &[String]) -> String {
    let name = files.first().map(|file| file.rsplit('/').next().unwrap_or(file)).unwrap_or_default();
    match files {
        [_] if name.chars().count() <= 15 => format!("waits for you to save {name}"),
        files => format!("waits for you to save {}", count(files.len(), "file")),
    }
}

fn subject(telling: &Telling<'_>, phase: PhaseName) -> String {
    telling.phases.get(phase).map_or_else(|| phase.to_string(), |phase| phase.titles().subject.to_owned())
}

/// What comes next, of a workflow that can go on.
fn next_sentence(facts: &Facts<'_>, telling: &Telling<'_>) -> String {
    match facts.next {
        Next::Phase(CONTEXT) if facts.memory.context.is_some() => {
            format!("The context is older than {} h, and is gathered anew first.", telling.staleness_hours)
        }
        Next::Phase(phase) => format!("{} comes next.", subject(telling, *phase)),
        Next::EnterRound => "A round that was begun comes next.".to_owned(),
        Next::Fix(scope) => format!("A round that fixes {} comes next.", count(scope.issues.len(), "issue")),
        Next::Repair(scope) => format!("A round that repairs {} comes next.", scope.checks.join(", ")),
        Next::RePlan => "A new plan that answers to the review comes next.".to_owned(),
        _ => String::new(),
    }
}

fn gate_sentence(facts: &Facts<'_>, telling: &Telling<'_>) -> String {
    let Some(plan) = &facts.memory.plan else { return String::new() };
    // Work that no journal bears out here may be in the files already.
    let is_untouched = facts.memory.report.is_none() && facts.written.files == 0;
    let before = if is_untouched { "; nothing of it is written before" } else { "" };
    let mut words = format!(
        "The plan (version {}, {}) waits for your answer{before}.",
        plan.plan.plan_version,
        count(plan.plan.tasks.len(), "task")
    );
    let protected = telling.gate.map(|gate| &gate.protected[..]).unwrap_or_default();
    if let Some(files) = ProtectedFile::named(protected, false) {
        words.push_str(&format!(" It writes protected files: {files}."));
    }
    if let Some(files) = ProtectedFile::named(protected, true) {
        words.push_str(&format!(" It plans files that are never written: {files}."));
    }
    match facts.written.files {
        0 => {}
        1 => words.push_str(" 1 file that was changed before stands."),
        files => words.push_str(&format!(" {files} files that were changed before stand.")),
    }
    words
}

/// Whether a review judges the work good.
pub(crate) fn is_good(review: &ReviewOutput) -> bool {
    review.verdict == crate::contracts::Verdict::Approved
}
