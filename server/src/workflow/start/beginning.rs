//! What a run begins with: what is done to the memory folder before its first step, or why it cannot begin as asked.

use jiff::Timestamp;

use super::base;
use crate::contracts::{Approval, Handoff, MAX_TEXT_BYTES, PhaseName};
use crate::memory::{Memory, MemoryError, SetAside, Store, is_same_task, tidied};
use crate::workflow::decide::accept;
use crate::workflow::decide::dismiss;
use crate::workflow::decide::issues::{self, HowToFix};
use crate::workflow::decide::next::{FixScope, Next, next_phase};
use crate::workflow::decide::rounds;
use crate::workflow::foreign::discount::without_unconfirmed;
use crate::workflow::gate::answer::{NO_PLAN, check_subset};
use crate::workflow::gate::notes;
use crate::workflow::gate::skipped::check_finished;
use crate::workflow::run::error::StartError;
use crate::workflow::run::goal::Goal;
use crate::workflow::run::phase::{Phases, Policy};
use crate::workflow::run::phase_names::IMPLEMENT;
use crate::workspace::{Base, Workspace};

/// The state a run starts from.
pub(crate) struct StartContext<'a> {
    pub(crate) workspace: &'a Workspace,
    pub(crate) store: &'a Store,
    pub(crate) memory: &'a Memory,
}

/// What a run begins with.
pub(crate) struct Beginning {
    /// What is done first, in this order.
    pub(crate) steps: Vec<Preparation>,
    /// The commit to review against: the run is that review, and no workflow.
    pub(crate) base: Option<Base>,
    /// Whether it cannot do without a model.
    pub(crate) needs_model: bool,
    /// Whether it waits for an answer first, after which it may ask models.
    pub(crate) is_at_gate: bool,
    /// What the run is about, where that is not what was asked for: an issue that nobody planned is fixed by a workflow of
    /// its own.
    pub(crate) goal: Option<Goal>,
}

/// What is done to the memory folder before the first step of a run.
pub(crate) enum Preparation {
    /// Move the whole workflow to history.
    SetWorkflowAside(SetAside),
    /// Move the plan and what follows from it to history, for a plan that answers to this feedback.
    RevisePlan(String),
    /// Take out the results of these tasks, so that they are done again; those of the others stay.
    RedoTasks(Vec<String>),
    /// Narrow the approval to these tasks.
    LimitToTasks(Vec<String>),
    /// Write the round for the issues that were chosen.
    BeginFix(FixScope),
    /// Dismiss what is open, and record that the work is taken as it is, with this reason.
    Accept(Option<String>),
    /// Move these files to history.
    SetFilesAside(Vec<&'static str>),
    /// Write the task.
    WriteTask(String),
    /// Mark the workflow as a quick one.
    BeginQuick,
}

impl Preparation {
    /// Apply it.
    ///
    /// # Errors
    /// When a file cannot be moved or written.
    pub(crate) fn apply(self, store: &Store, workspace: &Workspace, memory: &Memory) -> Result<(), StartError> {
        match self {
            Self::SetWorkflowAside(why) => drop(store.set_workflow_aside(why)?),
            Self::RevisePlan(feedback) => drop(store.revise_plan(&feedback)?),
            Self::RedoTasks(tasks) => rounds::redo_tasks(store, memory, &tasks)?,
            Self::LimitToTasks(tasks) => rounds::limit_to_tasks(store, memory, &tasks)?,
            Self::BeginFix(scope) => rounds::begin_fix(store, workspace, memory, &scope)?,
            Self::Accept(because) => accept::accept(store, memory, because.as_deref())?,
            Self::SetFilesAside(files) => drop(store.set_aside(SetAside::Phase, &files)?),
            Self::WriteTask(task) => drop(store.write_task(&task)?),
            Self::BeginQuick => store.begin_quick()?,
        }
        Ok(())
    }
}

impl Beginning {
    /// What a run with this goal begins with.
    ///
    /// # Errors
    /// When it cannot begin as asked; the message says why and what can be done.
    pub(crate) fn of(
        goal: &Goal,
        start: &StartContext<'_>,
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Self, StartError> {
        let StartContext { workspace, store, memory } = *start;
        match goal {
            Goal::ReviewAgainst { base } => {
                let base = base::find_base(workspace, base)?;
                Ok(Self { base: Some(base), ..Self::with(Vec::new()) })
            }
            Goal::Fix { issues } => match issues::how_to_fix(store, memory, issues)? {
                HowToFix::Round => Ok(Self::with(fix(store, memory, issues)?)),
                HowToFix::Task(task) => {
                    let goal = Goal::of_task(task);
                    Ok(Self { goal: Some(goal.clone()), ..go(memory, &goal, None, policy, now)? })
                }
            },
            Goal::Checks => {
                check_finished(memory)?;
                Ok(Self { needs_model: false, ..Self::with(Vec::new()) })
            }
            Goal::Accept { because } => {
                check_accept(start, policy, now)?;
                let because = dismiss::reason(because.as_deref())?;
                Ok(Self { needs_model: false, ..Self::with(vec![Preparation::Accept(because)]) })
            }
            Goal::Go { only, quick, .. } => {
                let mut beginning = go(memory, goal, only.as_deref(), policy, now)?;
                if *quick {
                    check_quick(memory, goal, &next_phase(memory, policy, now))?;
                    beginning.steps.push(Preparation::BeginQuick);
                }
                Ok(beginning)
            }
            Goal::Phase { phase, .. } => {
                let task = TaskAtHand::of(memory, goal, &next_phase(memory, policy, now))?;
                let first = named(&policy.phases, *phase, memory, &task)?;
                Ok(Self::with(task.around([first])))
            }
            Goal::Tasks { ids, .. } => {
                let task = TaskAtHand::of(memory, goal, &next_phase(memory, policy, now))?;
                check_tasks(memory, &task, ids)?;
                let first = match &memory.plan {
                    Some(_) => Preparation::RedoTasks(ids.clone()),
                    None => named(&policy.phases, IMPLEMENT, memory, &task)?,
                };
                Ok(Self::with(task.around([first])))
            }
            Goal::Revise { .. } if !memory.has_plan() => Err(StartError::Usage(NO_PLAN.to_owned())),
            Goal::Revise { feedback } => {
                Ok(Self::with(vec![Preparation::RevisePlan(notes::with_notes(memory, &tidied(feedback))?)]))
            }
        }
    }

    /// Beginning with these steps, a run that needs a model.
    fn with(steps: Vec<Preparation>) -> Self {
        Self { steps, base: None, needs_model: true, is_at_gate: false, goal: None }
    }
}

/// A round for chosen issues. Where a plan was rejected they are a new question, and the gate opens again.
fn fix(store: &Store, memory: &Memory, issues: &[String]) -> Result<Vec<Preparation>, StartError> {
    if let Some(faulty) = &memory.faulty_plan {
        return Err(MemoryError::Faulty(vec![faulty.faults.clone()]).into());
    }
    let scope = issues::scope_of_chosen(store, memory, issues)?;
    let answer = memory.is_rejected().then_some(Preparation::SetFilesAside(vec![Approval::FILE]));
    Ok(scope.map(Preparation::BeginFix).into_iter().chain(answer).collect())
}

/// Whether there is reviewed work to accept. Results that nothing confirms are none: they would be done here instead.
fn check_accept(start: &StartContext<'_>, policy: &Policy, now: Timestamp) -> Result<(), StartError> {
    let StartContext { store, memory, .. } = *start;
    accept::check_acceptable(memory, &next_phase(memory, policy, now))?;
    let (next, warnings) = without_unconfirmed(&policy.phases, store, &mut memory.clone(), Next::Merged)?;
    match warnings.last() {
        Some(why) if next != Next::Merged => Err(StartError::Usage(format!("there is nothing to accept. {why}"))),
        _ => Ok(()),
    }
}

/// The workflow, from wherever the memory stands.
fn go(
    memory: &Memory,
    goal: &Goal,
    only: Option<&[String]>,
    policy: &Policy,
    now: Timestamp,
) -> Result<Beginning, StartError> {
    let next = next_phase(memory, policy, now);
    let task = TaskAtHand::of(memory, goal, &next)?;
    if let Some(only) = only {
        check_tasks(memory, &task, only)?;
    }
    if next == Next::NeedTask && task.write.is_none() {
        return Err(StartError::Usage(
            "there is no task; say what should be done, by `baton run \"…\"`, or write it to task.md in the memory folder"
                .to_owned(),
        ));
    }
    let is_idle = matches!(next, Next::Merged | Next::Rejected | Next::Escalated { .. } | Next::Gate);
    let needs_model = task.write.is_some() || !is_idle;
    let only = only.filter(|_| memory.plan.is_some() && !task.is_fresh());
    let first = only.map(|only| Preparation::LimitToTasks(only.to_vec()));
    Ok(Beginning { needs_model, is_at_gate: next == Next::Gate, ..Beginning::with(task.around(first)) })
}

/// Whether a quick workflow can begin: none that is unfinished stands in its place, and there is a task.
fn check_quick(memory: &Memory, goal: &Goal, next: &Next) -> Result<(), StartError> {
    let usage = |message: &str| Err(StartError::Usage(message.to_owned()));
    let is_finished = matches!(next, Next::Merged | Next::Rejected);
    match (goal.resets(), is_finished, asked_task(goal)?) {
        (true, ..) => Ok(()),
        (false, true, None) => {
            usage("the workflow here is finished, and a quick one needs a task: say what is to be done")
        }
        (false, false, _) if memory.is_begun() => usage(
            "a workflow is unfinished here, and a quick one begins anew. Go on with it by `baton run`, or set it aside by \
             `baton reset`",
        ),
        _ => Ok(()),
    }
}

/// What becomes of the workflow at hand, and which task is written.
struct TaskAtHand {
    set_aside: Option<SetAside>,
    write: Option<String>,
}

impl TaskAtHand {
    fn of(memory: &Memory, goal: &Goal, next: &Next) -> Result<Self, StartError> {
        let usage = |message: &str| Err(StartError::Usage(message.to_owned()));
        let asked = asked_task(goal)?;
        let there = memory.task.as_deref();
        let unfinished = memory.is_begun();
        let finished = matches!(next, Next::Merged | Next::Rejected);
        let other = asked.as_deref().filter(|asked| there.is_none_or(|there| !is_same_task(asked, there)));

        if goal.resets() {
            let Some(task) = asked.or_else(|| memory.task.clone()) else {
                return usage("there is no task; say what is to be done with --task");
            };
            return Ok(Self { set_aside: Some(SetAside::Reset), write: Some(task) });
        }
        if asked.is_some() && finished && goal.last_phase().is_none() {
            return Ok(Self { set_aside: Some(SetAside::Finished), write: asked });
        }
        match (other, there) {
            (Some(_), Some(there)) if unfinished => usage(&format!(
                "another task is unfinished here: {:?}. Go on with it by `baton run`, or set it aside by `baton reset`",
                shortened(there)
            )),
            (Some(_), _) => {
                // A task somebody wrote by hand and never started is kept all the same.
                let is_kept = !unfinished && there.is_some();
                Ok(Self { set_aside: is_kept.then_some(SetAside::Reset), write: asked })
            }
            (None, _) => Ok(Self { set_aside: None, write: None }),
        }
    }

    /// Whether the run starts with nothing of the workflow at hand.
    fn is_fresh(&self) -> bool {
        self.set_aside.is_some()
    }

    /// What is done first, with these steps between what is set aside and the task that is written.
    fn around(self, steps: impl IntoIterator<Item = Preparation>) -> Vec<Preparation> {
        let aside = self.set_aside.map(Preparation::SetWorkflowAside);
        let task = self.write.map(Preparation::WriteTask);
        aside.into_iter().chain(steps).chain(task).collect()
    }
}

/// The task that the start brings.
fn asked_task(goal: &Goal) -> Result<Option<String>, StartError> {
    let Some(task) = goal.task().map(tidied) else { return Ok(None) };
    if task.is_empty() {
        let message = "the task is empty; say what should be done, for example \"Add a --json flag\"";
        return Err(StartError::Usage(message.to_owned()));
    }
    if task.len() as u64 > MAX_TEXT_BYTES {
        return Err(StartError::Usage(format!(
            "the task has {} bytes, and may have {MAX_TEXT_BYTES}; put what is long into files and name them: agents read \
             files",
            task.len()
        )));
    }
    Ok(Some(task))
}

/// Whether these are tasks of the plan at hand that can be done by themselves.
fn check_tasks(memory: &Memory, task: &TaskAtHand, ids: &[String]) -> Result<(), StartError> {
    match memory.plan.as_ref().filter(|_| !task.is_fresh()) {
        Some(plan) => check_subset(&plan.plan, Some(ids), &memory.done_tasks()).map_err(StartError::Usage),
        None => Ok(()),
    }
}

/// What a phase asked for by name sets aside: its own output and the later ones'.
fn named(phases: &Phases, name: PhaseName, memory: &Memory, task: &TaskAtHand) -> Result<Preparation, StartError> {
    let needs_plan = phases.after_plan().iter().any(|phase| phase.name() == name);
    if let (Some(faulty), false, true) = (&memory.faulty_plan, task.is_fresh(), needs_plan) {
        return Err(MemoryError::Faulty(vec![faulty.faults.clone()]).into());
    }
    let words = task.write.clone().or_else(|| memory.task.clone());
    let rest = if task.is_fresh() { Memory::default() } else { memory.clone() };
    let lacking = match phases.get(name) {
        Some(phase) => phase.lacks(&Memory { task: words, ..rest }),
        None => Some("a row in the table of phases"),
    };
    match lacking {
        Some(needs) => Err(StartError::Usage(format!("the {name} phase needs {needs}"))),
        None => Ok(Preparation::SetFilesAside(phases.handoffs().from_phase(name))),
    }
}

fn shortened(task: &str) -> String {
    let line = task.lines().next().unwrap_or_default().trim_end();
    let cut: String = line.chars().take(80).collect();
    if cut.len() < task.trim().len() { format!("{cut}…") } else { cut }
}
