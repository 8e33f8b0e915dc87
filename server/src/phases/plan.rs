//! The plan phase: turns the task and its context into small tasks with files of their own.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::named::{For, Named};
use super::run_one::{OneAgent, Work, run_one, toolbox};
use super::{checks_told, context};
use crate::agents::{Need, Opening, fault_text, json_text, left_out, section, submit_tool};
use crate::contracts::{
    Approval, ContextOutput, Handoff, HandoffFile, PhaseName, PlanOutput, PlanStage, RepoPath, Task, TaskSize,
    check_plan, parse,
};
use crate::memory::{Memory, PLAN_MARKDOWN, Revision, SetAside};
use crate::models::{Tier, ToolSpec};
use crate::text::count;
use crate::workflow::{
    Changes, EventStatus, GateSources, PLAN, Phase, PhaseEnd, PhaseError, Policy, Run, TierRule, Titles, ToolSet,
};
use crate::workspace::Workspace;

/// The row of the plan phase.
pub(super) struct Plan;

#[async_trait]
impl Phase for Plan {
    fn name(&self) -> PhaseName {
        PLAN
    }

    fn titles(&self) -> Titles {
        Titles { help: "Break it into small tasks", subject: "The plan" }
    }

    fn prompt(&self) -> &'static str {
        include_str!("../../prompts/plan.md")
    }

    fn files(&self) -> &'static [HandoffFile] {
        const { &[HandoffFile::of::<PlanOutput>(), HandoffFile::text(PLAN_MARKDOWN), HandoffFile::of::<Approval>()] }
    }

    fn handoff(&self) -> &'static str {
        PlanOutput::FILE
    }

    fn tools(&self) -> ToolSet {
        ToolSet::Read
    }

    fn tier(&self) -> TierRule {
        TierRule::Always(Tier::Powerful)
    }

    fn weight(&self) -> u32 {
        13
    }

    fn is_written(&self, memory: &Memory) -> bool {
        memory.plan.is_some() || memory.faulty_plan.is_some()
    }

    /// A plan from elsewhere may have come without a task; a new one answers to it all the same.
    fn is_due(&self, memory: &Memory, _policy: &Policy, _now: Timestamp) -> bool {
        !self.is_written(memory) && (memory.context.is_some() || memory.revision.is_some())
    }

    fn lacks(&self, memory: &Memory) -> Option<&'static str> {
        memory.context.is_none().then_some("a context: run --phase context first")
    }

    fn has_checkpoint(&self) -> bool {
        true
    }

    async fn run(&self, run: &Arc<Run>, memory: &Memory) -> Result<PhaseEnd, PhaseError> {
        run_one(self, run, memory).await.map(|_| PhaseEnd::Done)
    }
}

#[async_trait]
impl OneAgent for Plan {
    type Handoff = PlanOutput;
    /// The version of the plan that is to be made.
    type Material = u32;

    fn phase(&self) -> &dyn Phase {
        self
    }

    fn begin(&self, run: &Run, memory: &Memory) -> Result<String, PhaseError> {
        // What answered an earlier plan does not answer this one.
        run.store.set_plan_aside(SetAside::Phase)?;
        Ok(match version(memory) {
            1 => "Planning".to_owned(),
            version => format!("Planning again (version {version})"),
        })
    }

    async fn gather(&self, run: &Arc<Run>, memory: &Memory) -> Result<(Work<PlanOutput>, u32), PhaseError> {
        let toolbox = toolbox(run, self, &memory.task_text(), Vec::new());
        let (context, cancel) = (memory.context.as_ref(), &run.context.cancel);
        let ranges = match context {
            Some(context) => {
                let changes = Changes::load(&run.store, &run.workspace)?.as_open(&run.workspace);
                Named::of(context, &run.workspace, &changes).attached(&toolbox, For::Work, cancel).await?
            }
            None => Opening::new(),
        };
        let checks = checks_told::to_run(run);
        let first_message = first_message(&memory.task_text(), context, ranges, &checks, memory.revision.as_ref());
        Ok((Work::ask(first_message, toolbox), version(memory)))
    }

    fn submit(&self) -> ToolSpec {
        submit_tool::<PlanOutput>("submit_plan", "Hand on the plan. Ends your work.")
    }

    fn accept(&self, run: &Run, version: &u32, input: Value) -> Result<PlanOutput, Vec<String>> {
        accept(input, &run.workspace, *version, Timestamp::now())
    }

    fn write(&self, run: &Run, plan: &PlanOutput) -> Result<(), PhaseError> {
        write_plan(run, plan)
    }

    fn done(&self, _version: &u32, plan: &PlanOutput) -> String {
        format!("{} in {}", count(plan.tasks.len(), "task"), count(plan.parallel_groups.len(), "group"))
    }
}

/// The version of the plan that is to be made.
/// Writes plan.json and plan.md. A plan that somebody wrote while this one was being made is kept, and told of.
///
/// # Errors
/// When they cannot be written.
pub(super) fn write_plan(run: &Run, plan: &PlanOutput) -> Result<(), PhaseError> {
    if let Some(entry) = run.store.keep_other_plan(plan)? {
        let (file, kept) = (run.store.name(PlanOutput::FILE), run.store.name(&format!("{entry}/{}", PlanOutput::FILE)));
        let told =
            format!("warning: {file} was written by somebody else while the plan was made; that one is kept in {kept}");
        run.emit(PLAN, EventStatus::Progress, told);
    }
    run.store.write_plan(plan)?;
    Ok(GateSources::of(run).refresh_plan_markdown()?)
}

fn version(memory: &Memory) -> u32 {
    memory.revision.as_ref().map_or(1, |revision| revision.version.saturating_add(1))
}

/// The agent's first message: the task, the context with the lines that it names, what will run on the work, and what to change
/// where there was a plan already.
fn first_message(
    task: &str,
    context: Option<&ContextOutput>,
    ranges: Opening,
    checks: &str,
    revision: Option<&Revision>,
) -> Opening {
    let mut message = Opening::from(section("task", task));
    if let Some(context) = context {
        context::attach(context, &mut message);
    }
    message.append(ranges);
    message.push_str(checks);
    let Some(Revision { plan, review, feedback, .. }) = revision else {
        if context.is_some_and(|context| context.size == Some(TaskSize::Small)) {
            message.push_str("The work is small: make one task of it, unless the code shows that this was wrong.\n");
        }
        message.push_str("Plan this task and hand the plan on with submit_plan.");
        return message;
    };
    match plan {
        Ok(plan) => message.push_str(&section("previous_plan", &json_text(plan))),
        // Somebody edited it into this; what they meant may still be read from it.
        Err(text) => {
            let framed = |text: &str| section("previous_plan", text);
            let without = left_out("The previous plan, as somebody edited it, is", "nothing shows it");
            message.attach_text(Need::Telling, cut(text), &framed, "nothing shows the rest", without);
        }
    }
    if let Some(review) = review {
        message.push_str(&section("review", &json_text(review)));
        message.push_str(
            "The previous plan was implemented, and its changes stand in the working tree. The review found the plan \
             itself wrong. Look at the files as they are now and plan what is needed from here.\n",
        );
    }
    if let Some(feedback) = feedback {
        message.push_str(&section("feedback", feedback));
        message.push_str(
            "The user read the previous plan and wants it changed as the feedback says. Keep what the feedback does \
             not touch.\n",
        );
    }
    message.push_str("Hand the whole new plan on with submit_plan.");
    message
}

/// As much of a text as a planner needs of a plan.
fn cut(text: &str) -> &str {
    const MOST: usize = 100_000;
    let end = (0..=MOST.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

/// Take a submission: its shape, then every plan rule.
///
/// # Errors
/// What is wrong with it, for the model.
pub(super) fn accept(
    input: Value,
    workspace: &Workspace,
    version: u32,
    now: Timestamp,
) -> Result<PlanOutput, Vec<String>> {
    let text = input.to_string();
    let mut plan: PlanOutput = parse(input).map_err(|faults| faults.iter().map(fault_text).collect::<Vec<_>>())?;
    let stands = |path: &RepoPath| workspace.path_kind(path);
    let keys = workspace.file_keys_of(plan.tasks.iter().flat_map(Task::files));
    let found = check_plan(&plan, &text, &keys, PlanStage::Proposed(&stands));
    let mut faults: Vec<String> = found.iter().map(fault_text).collect();
    for (index, task) in plan.tasks.iter().enumerate() {
        if task.files().next().is_none() {
            faults.push(format!("/tasks/{index}: {} names no file; a task that changes nothing is no task", task.id));
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    plan.plan_version = version;
    plan.timestamp = Some(now);
    Ok(plan)
}
