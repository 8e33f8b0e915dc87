//! The plan agent: turns the task and its context into small tasks with files of their own.

use jiff::Timestamp;
use serde_json::Value;

use super::{context, fault_text, json_text, section, submit_tool};
use crate::contracts::{ContextOutput, PlanOutput, RepoPath, Task, check_plan, parse};
use crate::memory::Revision;
use crate::models::ToolSpec;
use crate::workspace::Workspace;

/// The tool the agent ends with.
pub fn submit() -> ToolSpec {
    submit_tool::<PlanOutput>("submit_plan", "Hand on the plan. Ends your work.")
}

/// The agent's first message: the task, the context, and what to change where there was a plan already.
pub fn first_message(task: &str, context: Option<&ContextOutput>, revision: Option<&Revision>) -> String {
    let mut message = section("task", task);
    if let Some(context) = context {
        message.push_str(&context::as_section(context));
    }
    let Some(Revision { plan, review, feedback, .. }) = revision else {
        message.push_str("Plan this task and hand the plan on with submit_plan.");
        return message;
    };
    match plan {
        Ok(plan) => message.push_str(&section("previous_plan", &json_text(plan))),
        // Somebody edited it into this; what they meant may still be read from it.
        Err(text) => message.push_str(&section("previous_plan", cut(text))),
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
pub fn accept(input: Value, workspace: &Workspace, version: u32, now: Timestamp) -> Result<PlanOutput, Vec<String>> {
    let text = input.to_string();
    let mut plan: PlanOutput = parse(input).map_err(|faults| faults.iter().map(fault_text).collect::<Vec<_>>())?;
    let stands = |path: &RepoPath| workspace.standing(path);
    let keys = workspace.file_keys_of(plan.tasks.iter().flat_map(Task::files));
    let mut faults: Vec<String> = check_plan(&plan, &text, &keys, Some(&stands)).iter().map(fault_text).collect();
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
