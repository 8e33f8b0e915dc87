//! Context and plan in one conversation, for a task that is small enough: it stands for both phases, writes both handoffs,
//! and everything behind them is as ever.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::context::{self, Accepted};
use super::run_one::{converse_to_handoff, toolbox};
use super::{checks_told, plan};
use crate::agents::{Brief, SubmitTry, fault_text, submit_tool};
use crate::contracts::{Complexity, HandoffFile, MAX_QUICK_FILES, PhaseName, PlanOutput, QuickOutput, parse};
use crate::memory::{Memory, SetAside};
use crate::models::Tier;
use crate::text::count;
use crate::workflow::{
    CONTEXT, EventStatus, PLAN, Phase, PhaseEnd, PhaseError, Policy, QUICK, Run, TierRule, Titles, ToolSet, close_agent,
};
use crate::workspace::Workspace;

/// What stands for context and plan in a quick workflow.
pub(super) struct Quick;

#[async_trait]
impl Phase for Quick {
    fn name(&self) -> PhaseName {
        QUICK
    }

    fn titles(&self) -> Titles {
        Titles { help: "Gather the context and plan one small task", subject: "The quick plan" }
    }

    fn prompt(&self) -> &'static str {
        include_str!("../../prompts/quick.md")
    }

    /// Those of the phases it stands for.
    fn files(&self) -> &'static [HandoffFile] {
        &[]
    }

    fn handoff(&self) -> &'static str {
        <PlanOutput as crate::contracts::Handoff>::FILE
    }

    fn tools(&self) -> ToolSet {
        ToolSet::Read
    }

    fn tier(&self) -> TierRule {
        TierRule::Always(Tier::Balanced)
    }

    /// It takes the shares of the phases it stands for.
    fn weight(&self) -> u32 {
        0
    }

    fn is_written(&self, memory: &Memory) -> bool {
        memory.has_plan()
    }

    /// The phases it stands for say when.
    fn is_due(&self, _memory: &Memory, _policy: &Policy, _now: Timestamp) -> bool {
        false
    }

    fn lacks(&self, memory: &Memory) -> Option<&'static str> {
        memory.task.is_none().then_some("a task: say what is to be done with --task")
    }

    fn has_checkpoint(&self) -> bool {
        true
    }

    async fn run(&self, run: &Arc<Run>, memory: &Memory) -> Result<PhaseEnd, PhaseError> {
        run.store.set_plan_aside(SetAside::Phase)?;
        run.emit(CONTEXT, EventStatus::Started, "Gathering context and planning in one conversation");
        let tier = self.tier().tier(Complexity::Moderate);
        let toolbox = toolbox(run, self, &memory.task_text(), Vec::new());
        let mut first_message = context::surroundings(&memory.task_text(), run, &toolbox).await?;
        first_message.push_str(&checks_told::to_run(run));
        first_message
            .push_str("Find out what this task needs, plan it as one task, and hand both on with submit_quick.");
        let brief = Brief {
            agent: QUICK.as_str().to_owned(),
            model: run.model(tier)?,
            tier,
            system: vec![run.prompts.of(QUICK)],
            first_message,
            toolbox,
            submit: submit_tool::<QuickOutput>("submit_quick", "Hand on the context and the plan. Ends your work."),
            max_tokens: self.max_tokens(),
        };
        let accept = |mut input: Value, submit_try: SubmitTry| {
            if submit_try.is_last
                && let Some(context) = input.get_mut("context")
            {
                context::drop_faulty_ranges(context, &run.workspace);
            }
            accept(input, &run.workspace, Timestamp::now()).map(|(accepted, plan)| (accepted.tell(run), plan))
        };
        let (context, plan) = converse_to_handoff(run, CONTEXT, memory, &brief, &accept).await?;
        // A kill between the two finds the conversation open, and takes it from the journal.
        run.store.write(&context)?;
        run.emit(CONTEXT, EventStatus::Done, count(context.relevant_files.len(), "relevant file"));
        run.emit(PLAN, EventStatus::Started, "Planned in the same conversation");
        plan::write_plan(run, &plan)?;
        close_agent(run, QUICK.as_str())?;
        run.emit(PLAN, EventStatus::Done, "1 task, by a quick plan");
        Ok(PhaseEnd::Done)
    }
}

/// Take a submission: its shape, what each part must keep, and that it is one small task.
///
/// # Errors
/// What is wrong with it, for the model.
fn accept(input: Value, workspace: &Workspace, now: Timestamp) -> Result<(Accepted, PlanOutput), Vec<String>> {
    let small = not_small(&input["plan"]["tasks"]);
    // All faults are told at once, but those of what the parts say only where they have the shape.
    if let Err(faults) = parse::<QuickOutput>(input.clone()) {
        return Err(faults.iter().map(fault_text).chain(small).collect());
    }
    let part = |name: &str| input.get(name).cloned().unwrap_or_default();
    let below = |name: &'static str| {
        move |fault: String| format!("/{name}{}{fault}", if fault.starts_with('/') { "" } else { ": " })
    };
    let context = context::accept(part("context"), workspace, now);
    let plan = plan::accept(part("plan"), workspace, 1, now);
    match (context, plan, small) {
        (Ok(mut context), Ok(plan), None) => {
            context.context.size = None;
            Ok((context, plan))
        }
        (context, plan, small) => {
            let context = context.err().unwrap_or_default().into_iter().map(below("context"));
            let plan = plan.err().unwrap_or_default().into_iter().map(below("plan"));
            Err(context.chain(plan).chain(small).collect())
        }
    }
}

/// Why the tasks of a plan are not one small task, whatever else is wrong with them. That there is none is told by the rules of
/// every plan.
fn not_small(tasks: &Value) -> Option<String> {
    let tasks = tasks.as_array()?;
    let lists = ["files_to_modify", "files_to_create", "files_to_delete"];
    let files_of = |task: &Value| lists.iter().filter_map(|list| task[*list].as_array()).map(Vec::len).sum::<usize>();
    let files = tasks.iter().map(files_of).sum::<usize>();
    let is_small = tasks.len() <= 1 && files <= MAX_QUICK_FILES;
    (!is_small).then(|| {
        format!(
            "/plan/tasks: {} with {}; a quick plan is one task of at most {MAX_QUICK_FILES} files. Where the work needs more, \
             plan the part that can be done so, and say in risks what is left for a workflow that is not quick",
            count(tasks.len(), "task"),
            count(files, "file")
        )
    })
}
