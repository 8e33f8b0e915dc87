//! Where a workflow stands, from the memory folder alone: read once, judged once, and drawn by every face.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::proof::{CheckRow, check_rows, sandbox};
use super::reviewed::{ReviewStatus, review_status};
use super::rows::{IssueStatus, PhaseStatus, TaskStanding, base_issue_rows, issue_rows, phase_rows, task_rows};
use super::situation::{Facts, Live, Situation};
use super::standing::standing_criteria;
use super::states::{IssueState, NextStep, PhaseState, TaskState, WorkflowState};
use super::ways_on::{WayOn, WayOnId, fix, ways_on};
use super::words::Telling;
use crate::config::Settings;
use crate::contracts::{PlanNote, ReviewOutput, Usage, Verdict};
use crate::memory::{FileFaults, Memory, RunHistory, RunId, Store};
use crate::models::{Models, RECORDED_ACCOUNT};
use crate::text::{safe_line, safe_text};
use crate::workflow::changes::unverified::unverified_or_log;
use crate::workflow::changes::written::Written;
use crate::workflow::checks::changed_since::files_changed_since;
use crate::workflow::decide::next::{Next, next_phase};
use crate::workflow::foreign::assumed::assumed_words;
use crate::workflow::foreign::discount::without_unconfirmed;
use crate::workflow::gate::checks::{WaitingChecks, waiting_checks};
use crate::workflow::gate::content::GateSources;
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::{EventPhase, PhaseEvent};
use crate::workflow::run::outcome::Outcome;
use crate::workflow::run::phase::{Phases, Policy};
use crate::workflow::run::question::GateContent;

/// Where the workflow stands: what `baton status` and `baton.status` answer.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The run at work, or the last one.
    pub run: Option<String>,
    /// The first run of the workflow.
    pub workflow: Option<String>,
    /// The task in the user's words.
    pub task: Option<String>,
    /// The situation in one word.
    pub state: WorkflowState,
    /// The situation in a few words, for a status bar.
    pub headline: String,
    /// The situation in a sentence or two, which name no command.
    pub summary: String,
    /// The outcome, where there is one.
    pub outcome: Option<Outcome>,
    /// The phases, in order.
    pub phases: Vec<PhaseStatus>,
    /// The plan's tasks, in its order.
    pub tasks: Vec<TaskStanding>,
    /// The review's issues and those it found fixed, then those of the review against a commit.
    pub issues: Vec<IssueStatus>,
    /// What the review against a commit came to; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_review: Option<BaseReviewStatus>,
    /// The plan that waits for an answer; null also where plan.json breaks its contract, and so cannot be shown.
    pub gate: Option<GateContent>,
    /// The user's notes in plan.md that were not sent.
    pub notes: Vec<PlanNote>,
    /// The checks of the last round, with their results.
    pub checks: Vec<CheckRow>,
    /// What keeps checks from everything else, `view`, `landlock` or `none`, and why; null where none ran.
    pub sandbox: Option<String>,
    /// What the review that stands came to; null where there is none.
    pub review: Option<ReviewStatus>,
    /// What is wrong with the files of the memory folder; absent where nothing is. The workflow continues once they are fixed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultStatus>,
    /// What the workflow has used.
    pub usage: Usage,
    /// What the run at work, or the last one, has used.
    pub run_usage: Usage,
    /// Whether all of that is what a recorded run had used, of which nothing was billed now.
    #[serde(skip)]
    pub is_recorded: bool,
    /// What comes next.
    pub next: NextStep,
    /// What a person can do now.
    pub ways_on: Vec<WayOn>,
    /// What a person should know of how this was found: what counts as absent, and what was done elsewhere.
    pub warnings: Vec<String>,
}

/// A fault of a file of the memory folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultStatus {
    /// Relative to the workspace root.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// As on diagnostics: `schema`, `plan.cycle`.
    pub code: &'static str,
    /// What is wrong and what is expected.
    pub message: String,
}

/// What the review against a commit came to; its issues are among those of [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BaseReviewStatus {
    /// The commit that it compares with.
    pub base: Option<String>,
    /// In a word.
    pub verdict: Verdict,
    /// In a few sentences.
    pub summary: String,
}

/// Where phases and tasks stand: the part of [`Status`] that is shown all the time.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The run at work, of whatever process.
    pub running: Option<String>,
    /// The phases, in order.
    pub phases: Vec<PhaseStatus>,
    /// The plan's tasks, in its order.
    pub tasks: Vec<TaskStanding>,
}

/// The state of phases and tasks, also where other parts of the memory are faulty: what was [inspected](Store::inspect) is
/// given. It is asked for at every event of a run, and reads no transcript.
///
/// # Errors
/// When the memory folder cannot be read.
pub fn standing(
    phases: &Phases,
    policy: &Policy,
    store: &Store,
    (memory, faults): (&Memory, &[FileFaults]),
    now: Timestamp,
) -> Result<Standing, StartError> {
    let running = store.holder().map(|holder| holder.run);
    let mut history: Vec<PhaseEvent> = Vec::new();
    for run in store.workflow_runs()? {
        history.extend(store.events(&run)?);
    }
    let events: Vec<&PhaseEvent> = history.iter().collect();
    let live = running.as_deref().map(|run| Live {
        run,
        events: events.iter().copied().filter(|event| event.run == run).collect(),
        is_base_review: RunId::parse(run).is_some_and(|run| store.is_base_review(&run)),
    });
    let next = next_phase(memory, policy, now);
    let faulty = stopping(store, memory, faults);
    let written = Written::of(store)?;
    let facts = Facts {
        memory,
        faulty,
        next: &next,
        changed_since: 0,
        criteria: &standing_criteria(memory, store),
        events: &events,
        live,
        written,
        has_token_budget: false,
        is_moved: false,
        checks: &WaitingChecks::default(),
    };
    let situation = Situation::of(&facts);
    let (phases, tasks) = (phase_rows(phases, &situation, &facts, now), task_rows(&facts));
    Ok(Standing { running, phases, tasks })
}

/// The state of the workflow, from the memory folder alone, also where its files have faults. `models` are those that would
/// continue it, where there are any.
///
/// # Errors
/// When the memory folder cannot be read.
pub fn status(
    store: &Store,
    settings: &Settings,
    models: Option<&Models>,
    phases: &Phases,
    now: Timestamp,
) -> Result<Status, StartError> {
    StatusReader::default().status(store, settings, models, phases, now)
}

/// Reads the status of a workflow repeatedly: of the runs' journals, which grow long, it reads only what was added.
#[derive(Default)]
pub struct StatusReader {
    /// The memory folder that was read.
    memory: String,
    /// The run that holds the lock.
    running: Option<String>,
    /// The runs of the workflow.
    runs: BTreeMap<RunId, RunHistory<PhaseEvent>>,
    /// The run that holds the lock, where it is a review against a commit.
    base_review: Option<(RunId, RunHistory<PhaseEvent>)>,
}

impl StatusReader {
    /// As [`status`].
    ///
    /// # Errors
    /// As [`status`].
    pub fn status(
        &mut self,
        store: &Store,
        settings: &Settings,
        models: Option<&Models>,
        phases: &Phases,
        now: Timestamp,
    ) -> Result<Status, StartError> {
        const TRIES: usize = 3;
        let mut tries = 1;
        loop {
            self.read(store)?;
            let usage = self.runs.values().map(|run| run.usage).sum();
            let sources = GateSources { store, settings, models, usage, phases };
            let status = self.status_of(&sources, now)?;
            // A run that began meanwhile may have changed one file after it was read and another before.
            if tries == TRIES || self.is_current(store)? {
                return Ok(status);
            }
            tries += 1;
        }
    }

    /// Whether no run has begun or ended since the journals were read.
    fn is_current(&self, store: &Store) -> Result<bool, StartError> {
        let running = store.holder().map(|holder| holder.run);
        Ok(running == self.running && store.workflow_runs()?.iter().eq(self.runs.keys()))
    }

    /// Read what was added to the journals.
    fn read(&mut self, store: &Store) -> Result<(), StartError> {
        if self.memory != store.path().as_str() {
            store.path().as_str().clone_into(&mut self.memory);
            self.runs.clear();
            self.base_review = None;
        }
        self.running = store.holder().map(|holder| holder.run);
        let runs = store.workflow_runs()?;
        self.runs.retain(|run, _| runs.contains(run));
        for run in &runs {
            store.read_on(run, self.runs.entry(run.clone()).or_default())?;
        }
        let is_known = |run: &RunId| runs.contains(run);
        let other = self.running.as_deref().and_then(RunId::parse).filter(|run| !is_known(run));
        match other {
            // Between taking the lock and making its folder a run has no journals.
            Some(run) if store.run_folder(&run).is_ok() => {
                let known = self.base_review.take().filter(|(known, _)| *known == run);
                let mut history = known.map(|(_, history)| history).unwrap_or_default();
                store.read_on(&run, &mut history)?;
                self.base_review = Some((run, history));
            }
            _ => self.base_review = None,
        }
        Ok(())
    }

    /// Whether every run that used something was played back.
    fn is_recorded(&self) -> bool {
        let is_played = |event: &PhaseEvent| event.phase == EventPhase::Workflow && event.message == RECORDED_ACCOUNT;
        let mut used = self.runs.values().filter(|run| run.usage.total_tokens() > 0).peekable();
        used.peek().is_some() && used.all(|run| run.events.iter().any(is_played))
    }

    /// The events of the workflow, and the run at work.
    fn events(&self, store: &Store) -> (Vec<&PhaseEvent>, Option<Live<'_>>) {
        let events: Vec<&PhaseEvent> = self.runs.values().flat_map(|run| &run.events).collect();
        let live = self.running.as_deref().map(|run| match &self.base_review {
            Some((other, history)) => {
                let is_base_review = store.is_base_review(other);
                Live { run, events: history.events.iter().collect(), is_base_review }
            }
            None => {
                let own = events.iter().copied().filter(|event| event.run == run).collect();
                Live { run, events: own, is_base_review: false }
            }
        });
        (events, live)
    }

    fn status_of(&self, sources: &GateSources<'_>, now: Timestamp) -> Result<Status, StartError> {
        let store = sources.store;
        let (mut memory, faults) = store.inspect()?;
        store.forget_unconfirmed_checks(&mut memory);
        let next = next_phase(&memory, &Policy::of(sources.settings, sources.phases), now);
        let (next, done_elsewhere) = without_unconfirmed(sources.phases, store, &mut memory, next)?;
        let unverified = unverified_or_log(store);
        let warnings: Vec<String> =
            unverified.warnings.into_iter().chain(done_elsewhere).chain(assumed_words(store)).collect();
        let faulty = stopping(store, &memory, &faults);
        let beside = faults.iter().filter(|faulty| !store.stops_workflow(faulty)).filter_map(unreadable_base_review);
        let gate = match (&next, &memory.plan) {
            (Next::Gate, Some(plan)) if faulty.is_none() => {
                let content = sources.content(&memory, plan);
                let warnings = content.warnings.iter().chain(&warnings).cloned().collect();
                Some(GateContent { warnings, ..content })
            }
            _ => None,
        };
        let (events, live) = self.events(store);
        let facts = Facts {
            memory: &memory,
            faulty,
            next: &next,
            changed_since: files_changed_since(store, &memory),
            criteria: &standing_criteria(&memory, store),
            events: &events,
            live,
            written: Written::of(store)?,
            has_token_budget: sources.settings.budget_tokens.is_some(),
            is_moved: unverified.is_moved,
            checks: &waiting_checks(store, sources.settings),
        };
        let situation = Situation::of(&facts);
        let tasks = task_rows(&facts);
        let telling = Telling {
            phases: sources.phases,
            gate: gate.as_ref(),
            tasks: progress_of(&tasks),
            staleness_hours: sources.settings.context_staleness_hours,
            fault: faulty.or(memory.faulty_plan.as_ref().map(|plan| &plan.faults)).and_then(first_fault),
        };
        let issues = [issue_rows(&memory, store), base_issue_rows(&memory, store)?].concat();
        let newest = self.runs.last_key_value();
        let of_live = self.base_review.as_ref().map(|(_, history)| history.usage);
        let last_run = newest.map(|(run, _)| run.to_string());
        let mut status = Status {
            run: self.running.clone().or(last_run),
            workflow: self.runs.first_key_value().map(|(run, _)| run.to_string()),
            task: memory.task.clone(),
            state: situation.state(),
            headline: situation.headline(&facts, &telling),
            summary: situation.summary(&facts, &telling),
            outcome: situation.outcome(&facts),
            phases: phase_rows(sources.phases, &situation, &facts, now),
            issues,
            base_review: memory.base_review.as_ref().map(BaseReviewStatus::of),
            ways_on: ways_on(&situation, &facts),
            tasks,
            gate,
            notes: memory.notes.clone(),
            checks: check_rows(&memory, store),
            sandbox: sandbox(&memory, &events),
            review: review_status(&memory, store),
            faults: faults.iter().filter(|faulty| store.stops_workflow(faulty)).flat_map(fault_states).collect(),
            usage: sources.usage,
            run_usage: of_live.or(newest.map(|(_, history)| history.usage)).unwrap_or_default(),
            is_recorded: self.is_recorded(),
            next: if faulty.is_some() { NextStep::None } else { NextStep::from(&next) },
            warnings: warnings.into_iter().chain(beside).collect(),
        };
        if status.ways_on.iter().all(|way| way.id != WayOnId::Fix) {
            status.ways_on.extend(status.ways_on_of_base_review());
        }
        Ok(status)
    }
}

impl BaseReviewStatus {
    fn of(review: &ReviewOutput) -> Self {
        let ReviewOutput { base, verdict, summary, .. } = review;
        Self { base: base.clone(), verdict: *verdict, summary: safe_text(summary) }
    }
}

impl Status {
    /// Whether there is nothing to report: a memory folder with nothing in it but a template. A plan that another tool wrote
    /// has neither a task nor a run.
    pub fn is_empty(&self) -> bool {
        self.task.is_none()
            && self.run.is_none()
            && self.faults.is_empty()
            && self.issues.is_empty()
            && self.phases.iter().all(|phase| phase.status == PhaseState::Pending)
    }
}

impl Status {
    /// What can be done about the review against a commit: its open issues become the task of a workflow, where no other
    /// one is unfinished.
    pub fn ways_on_of_base_review(&self) -> Vec<WayOn> {
        let is_open =
            |issue: &&IssueStatus| issue.base.is_some() && matches!(issue.state, IssueState::New | IssueState::Open);
        let issues = self.issues.iter().filter(is_open).map(|issue| &issue.issue);
        match self.state {
            WorkflowState::Fresh | WorkflowState::Ready | WorkflowState::Merged | WorkflowState::Rejected => {
                fix(issues)
            }
            _ => Vec::new(),
        }
    }
}

/// The first file, other than the plan, whose faults keep a run from starting.
fn stopping<'a>(store: &Store, memory: &Memory, faults: &'a [FileFaults]) -> Option<&'a FileFaults> {
    let is_plan = |faulty: &FileFaults| memory.faulty_plan.as_ref().is_some_and(|plan| plan.faults.file == faulty.file);
    faults.iter().find(|faulty| store.stops_workflow(faulty) && !is_plan(faulty))
}

/// How many tasks have a result, of those that were approved.
fn progress_of(tasks: &[TaskStanding]) -> (usize, usize) {
    let approved = tasks.iter().filter(|task| task.status != TaskState::NotApproved);
    let is_done = |task: &&TaskStanding| {
        !matches!(task.status, TaskState::Pending | TaskState::Running | TaskState::Waiting | TaskState::NotApproved)
    };
    (tasks.iter().filter(is_done).count(), approved.count())
}

/// `plan.json:3:5: what is wrong`
fn first_fault(faulty: &FileFaults) -> Option<String> {
    let fault = faulty.faults.first()?;
    Some(format!("{}:{}", safe_line(&faulty.file), safe_line(&fault.to_string())))
}

/// The review against a commit cannot be read, which keeps no workflow from going on.
fn unreadable_base_review(faulty: &FileFaults) -> Option<String> {
    let fault = faulty.faults.first()?;
    Some(format!(
        "{}:{fault}. The workflow goes on without this review; fix the file, or review against a commit again.",
        faulty.file
    ))
}

fn fault_states(faulty: &FileFaults) -> impl Iterator<Item = FaultStatus> {
    faulty.faults.iter().map(|fault| FaultStatus {
        file: faulty.file.clone(),
        line: fault.position.line,
        column: fault.position.column,
        code: fault.code,
        message: fault.message.clone(),
    })
}
