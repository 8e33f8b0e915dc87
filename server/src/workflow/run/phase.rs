//! A phase is a value: everything the engine and the faces know of it is a row of the table they are given. A run is what
//! a phase is given, and a dispatcher holds the conversations of both. They name each other, and so they stand in one file.

use super::events::NewEvent;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::check_state::CheckState;
use super::checkpoint_state::CheckpointState;
use super::costs::{Costs, Priced};
use super::editor::Editor;
use super::error::PhaseError;
use super::events::{Bus, EventErrorKind, EventPhase, EventStatus};
use super::goal::Goal;
use super::phase_kinds::{PhaseEnd, TierRule, Titles, ToolSet};
use super::phase_names::{IMPLEMENT, PLAN, REVIEW};
use super::prompts::Prompts;
use super::question::Approver;
use crate::agents::{AgentError, Brief, Judge, Report, RunContext};
use crate::config::{Check, Settings, UserPhase};
use crate::contracts::{HandoffFile, Handoffs, ImplReport, PhaseFiles, PhaseName};
use crate::memory::{Memory, Store};
use crate::models::{Model, ModelError, Models, Tier};
use crate::workspace::{Base, Dir, Workspace};

/// One phase.
#[async_trait]
pub trait Phase: Send + Sync {
    /// Its name.
    fn name(&self) -> PhaseName;

    /// What people call it.
    fn titles(&self) -> Titles;

    /// The system prompt of its agents. A file of the user's named after the phase replaces it.
    fn prompt(&self) -> &'static str;

    /// The system prompts of agents that it asks beside its own, by name. A file of the user's of that name replaces one.
    fn prompts_beside(&self) -> &'static [(PhaseName, &'static str)] {
        &[]
    }

    /// Whether the user's configuration names the file of its prompt, so that no other file replaces it.
    fn is_prompt_from_settings(&self) -> bool {
        false
    }

    /// The files it writes to the memory folder, in the order in which it does.
    fn files(&self) -> &'static [HandoffFile];

    /// Of its files, the one that it hands on.
    fn handoff(&self) -> &'static str;

    /// The tools its agents have besides the one they submit with.
    fn tools(&self) -> ToolSet;

    /// Which model serves it.
    fn tier(&self) -> TierRule;

    /// Most tokens that one answer may have.
    fn max_tokens(&self) -> u32 {
        16_000
    }

    /// Its share of the progress of a run, beside those of the other phases.
    fn weight(&self) -> u32;

    /// Whether its handoff is there, also where it is faulty.
    fn is_written(&self, memory: &Memory) -> bool;

    /// Whether it is the phase to run, where every phase before it is done and, after the plan, the gate was passed.
    fn is_due(&self, memory: &Memory, policy: &Policy, now: Timestamp) -> bool;

    /// What it lacks to be run by name: "a context: run --phase context first".
    fn lacks(&self, memory: &Memory) -> Option<&'static str>;

    /// Whether it changes files, and so runs behind the gate only, also when it is asked for by name.
    fn changes_files(&self) -> bool {
        false
    }

    /// Whether a checkpoint is recorded after it, however it ended.
    fn has_checkpoint(&self) -> bool {
        false
    }

    /// Add what it may cost from the gate on.
    fn add_costs(&self, _costs: &mut Costs<'_>) {}

    /// Run it.
    ///
    /// # Errors
    /// When it cannot come to an end. What it wrote by then stands.
    async fn run(&self, run: &Arc<Run>, memory: &Memory) -> Result<PhaseEnd, PhaseError>;

    /// Review the working tree against a commit instead, where the phase can. Answers with the final message.
    ///
    /// # Errors
    /// When it cannot come to an end.
    async fn run_against(&self, _run: &Arc<Run>, _base: &Base) -> Option<Result<String, PhaseError>> {
        None
    }
}

/// The phases of the program, in their order, and how one that the user's configuration adds becomes a phase. The
/// engine and the faces are given it.
#[derive(Clone, Copy)]
pub struct Table {
    /// The rows.
    pub rows: &'static [&'static dyn Phase],
    /// What stands for the phases up to the plan in a quick workflow: one conversation.
    pub quick: &'static dyn Phase,
    /// Makes a row of a phase from the user's configuration. It lives as long as the process.
    pub further: fn(&UserPhase) -> &'static dyn Phase,
}

/// The phases that there are, in their order: those of the [`Table`], and the user's own ones.
#[derive(Clone)]
pub struct Phases {
    rows: Arc<[&'static dyn Phase]>,
    quick: &'static dyn Phase,
}

/// The settings the decision depends on.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The phases there are.
    pub phases: Phases,
    /// Age at which a context without a plan is gathered again.
    pub context_staleness: SignedDuration,
    /// Reviews without a merge before a person is asked.
    pub max_review_cycles: u32,
    /// The user's own checks, each of which a report holds a result of before it is judged.
    pub checks: Vec<Check>,
    /// Repair rounds in a row after failing checks.
    pub max_repair_rounds: u32,
}

/// One run and all it works with.
pub struct Run {
    pub(crate) workspace: Workspace,
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) models: Result<Models, ModelError>,
    pub(crate) prompts: Prompts,
    pub(crate) approver: Arc<dyn Approver>,
    pub(crate) dispatcher: Arc<dyn Dispatcher>,
    pub(crate) editor: Editor,
    pub(crate) policy: Policy,
    pub(crate) context: RunContext,
    pub(crate) bus: Bus,
    pub(crate) checkpoints: CheckpointState,
    pub(crate) check_state: CheckState,
    /// `runs/<run>/`.
    pub(crate) folder: Dir,
    /// What the start asks for.
    pub(crate) goal: Goal,
    pub(crate) auto_approve: bool,
}

/// One conversation of a phase or a task, from its first prompt to what it hands on.
pub struct Conversation<'a> {
    /// The phase.
    pub phase: PhaseName,
    /// The task, where it is one of several.
    pub task: Option<&'a str>,
    /// The round, from 1; `None` where there is none yet.
    pub round: Option<u32>,
    /// SHA-256 of the plan, in hex, where there is one.
    pub plan_sha256: Option<String>,
    /// Whether the agent is asked once, and not driven until it hands on.
    pub is_asked_once: bool,
    /// How many conversations may be under way at once, this one among them.
    pub beside: usize,
    /// The agent. What it has read and edited so far is in its toolbox.
    pub brief: &'a Brief,
}

/// Holds the conversations of a run. What an agent hands on is judged by who asked for the conversation, and so are its edits:
/// they are in the brief's toolbox whenever `judge` is asked, wherever they were made.
#[async_trait]
pub trait Dispatcher: Send + Sync {
    /// Where conversations are held, if not in this process: "workers at nats://host".
    fn place(&self) -> Option<String> {
        None
    }

    /// Hold a conversation until `judge` takes what is handed on.
    ///
    /// # Errors
    /// When the model cannot be asked, does not come to an end, or the run is cancelled.
    async fn hold(
        &self,
        run: &Run,
        conversation: &Conversation<'_>,
        judge: &dyn Judge<()>,
        report: Report<'_>,
    ) -> Result<(), AgentError>;
}

impl Table {
    /// The phases of the table with those of the user's configuration, in their order, before the review.
    pub fn with(&self, further: &[UserPhase]) -> Phases {
        let mut rows = self.rows.to_vec();
        let review = rows.iter().position(|row| row.name() == REVIEW).unwrap_or(rows.len());
        rows.splice(review..review, further.iter().map(self.further));
        Phases { rows: rows.into(), quick: self.quick }
    }
}

impl Phases {
    /// All of them, in their order.
    pub fn all(&self) -> &[&'static dyn Phase] {
        &self.rows
    }

    /// What does the work of a phase: in a quick workflow one conversation does that of all phases up to the plan.
    pub fn acting(&self, name: PhaseName, memory: &Memory) -> Option<&'static dyn Phase> {
        let is_before_gate = self.until_plan().iter().any(|phase| phase.name() == name);
        if is_before_gate && memory.plans_quickly() { Some(self.quick) } else { self.get(name) }
    }

    /// The label of the one agent of a phase.
    pub fn agent_of(&self, name: PhaseName, memory: &Memory) -> String {
        self.acting(name, memory).map_or(name, |phase| phase.name()).to_string()
    }

    /// All of them, and what stands for some of them.
    pub fn with_stand_ins(&self) -> impl Iterator<Item = &'static dyn Phase> {
        self.rows.iter().copied().chain([self.quick])
    }

    /// Their names, in their order.
    pub fn names(&self) -> impl Iterator<Item = PhaseName> {
        self.rows.iter().map(|phase| phase.name())
    }

    /// The phase of a name.
    pub fn get(&self, name: PhaseName) -> Option<&'static dyn Phase> {
        self.rows.iter().copied().find(|phase| phase.name() == name)
    }

    /// The name of a phase that was asked for.
    ///
    /// # Errors
    /// When there is none; the message lists those there are.
    pub fn parse(&self, text: &str) -> Result<PhaseName, String> {
        self.names().find(|name| name.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = self.names().map(PhaseName::as_str).collect();
            let (last, others) = names.split_last().unwrap_or((&"none", &[]));
            format!("no phase is called {text:?}; there are {} and {last}", others.join(", "))
        })
    }

    /// The files they write to the memory folder.
    pub fn handoffs(&self) -> Handoffs {
        Handoffs::new(self.rows.iter().map(|phase| PhaseFiles { phase: phase.name(), files: phase.files() }))
    }

    /// Those up to the plan, which the gate follows.
    pub fn until_plan(&self) -> &[&'static dyn Phase] {
        &self.rows[..self.after_plan_at()]
    }

    /// Those behind the gate.
    pub fn after_plan(&self) -> &[&'static dyn Phase] {
        &self.rows[self.after_plan_at()..]
    }

    /// Whether a phase takes what was implemented for a fact: it comes after the gate and changes no file.
    pub fn judges(&self, name: PhaseName) -> bool {
        self.after_plan().iter().any(|phase| phase.name() == name && !phase.changes_files())
    }

    fn after_plan_at(&self) -> usize {
        self.rows.iter().position(|phase| phase.name() == PLAN).map_or(0, |plan| plan + 1)
    }

    /// The prompts that come with them.
    pub fn prompts(&self) -> Prompts {
        let beside = self.rows.iter().flat_map(|phase| phase.prompts_beside()).copied();
        Prompts::built_in(self.with_stand_ins().map(|phase| (phase.name(), phase.prompt())).chain(beside))
    }

    /// From where to where a phase takes the progress of a run, in percent. The last percent is the end of the run.
    pub fn progress(&self, name: PhaseName) -> Option<(f64, f64)> {
        let at = self.rows.iter().position(|phase| phase.name() == name)?;
        let weight = |phases: &[&'static dyn Phase]| phases.iter().map(|phase| f64::from(phase.weight())).sum::<f64>();
        let percent = |part: f64| part * 99.0 / weight(&self.rows).max(1.0);
        Some((percent(weight(&self.rows[..at])), percent(weight(&self.rows[..=at]))))
    }
}

impl fmt::Debug for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl<P: Phase + ?Sized> Priced for P {
    fn answer_tokens(&self) -> u32 {
        self.max_tokens()
    }

    fn tier_rule(&self) -> TierRule {
        self.tier()
    }
}

impl Policy {
    /// The part of the settings that decides what comes next.
    pub fn of(settings: &Settings, phases: &Phases) -> Self {
        let staleness = (settings.context_staleness_hours * 3600.0).clamp(0.0, 1e12);
        Self {
            phases: phases.clone(),
            context_staleness: SignedDuration::from_secs(staleness as i64),
            max_review_cycles: settings.max_review_cycles,
            checks: settings.checks.clone(),
            max_repair_rounds: settings.max_repair_rounds,
        }
    }
}

impl Policy {
    /// The checks that a report lacks a result of.
    pub fn unchecked<'a>(&'a self, report: &ImplReport) -> impl Iterator<Item = &'a Check> {
        self.checks.iter().filter(|check| report.check(&check.name, &check.command).is_none())
    }
}

impl Run {
    /// The model of a tier.
    pub(crate) fn model(&self, tier: Tier) -> Result<Arc<dyn Model>, PhaseError> {
        match &self.models {
            Ok(models) => Ok(models.for_tier(tier).clone()),
            Err(error) => Err(AgentError::Model(error.clone()).into()),
        }
    }

    /// Emit an event about a phase, or about the run as a whole.
    pub(crate) fn emit(&self, phase: impl Into<EventPhase>, status: EventStatus, message: impl Into<String>) {
        self.emit_for_task(phase, status, None, message);
    }

    /// Emit an event, about a task where there is one.
    pub(crate) fn emit_for_task(
        &self,
        phase: impl Into<EventPhase>,
        status: EventStatus,
        task: Option<&str>,
        message: impl Into<String>,
    ) {
        self.bus.emit(NewEvent {
            task: task.map(str::to_owned),
            usage: Some(self.context.budget.used()),
            ..NewEvent::new(phase, status, message)
        });
    }

    /// Emit that a task waits until a person has saved these files.
    pub(crate) fn emit_waiting_for_save(&self, task: &str, files: Vec<String>, message: String) {
        self.bus.emit(NewEvent {
            task: Some(task.to_owned()),
            usage: Some(self.context.budget.used()),
            files,
            ..NewEvent::new(IMPLEMENT, EventStatus::Waiting, message)
        });
    }

    /// Emit that a phase failed or was cancelled.
    pub(crate) fn emit_failure(&self, phase: EventPhase, error: &PhaseError) {
        let cancelled = error.kind() == EventErrorKind::Cancelled;
        let status = if cancelled { EventStatus::Cancelled } else { EventStatus::Failed };
        self.bus.emit(NewEvent {
            error: Some(error.event()),
            usage: Some(self.context.budget.used()),
            ..NewEvent::new(phase, status, error.to_string())
        });
    }
}
