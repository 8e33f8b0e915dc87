//! The messages for an implementing agent, and how its result is accepted.

use serde_json::{Value, json};

use crate::agents::{Need, Opening, fault_text, json_text, left_out, section, submit_tool};
use crate::contracts::{ContextOutput, Issue, PlanOutput, Task, TaskResult, parse};
use crate::models::ToolSpec;
use crate::phases::context::{self, BEFORE_THE_WORK};
use crate::workflow::Tries;

use super::tries::MOST;

/// The tool the agent ends with.
pub(super) fn submit() -> ToolSpec {
    submit_tool::<TaskResult>(
        "submit_result",
        "Hand on the result of your task. Your edits are published to the working tree, and your work ends.",
    )
}

/// The prompt without those items of its lists that speak of trying checks, for tasks that have none to try.
pub(super) fn without_tries(prompt: &str) -> String {
    let begins_item = |line: &str| {
        let numbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
        line.starts_with("- ") || (numbered.len() < line.len() && numbered.starts_with(". "))
    };
    let mut items: Vec<String> = Vec::new();
    for line in prompt.split_inclusive('\n') {
        match items.last_mut() {
            Some(item) if begins_item(item) && line.starts_with(' ') => item.push_str(line),
            _ => items.push(line.to_owned()),
        }
    }
    let speaks_of_tries = |item: &str| begins_item(item) && item.contains("`try_check");
    items.iter().filter(|item| !speaks_of_tries(item)).map(String::as_str).collect()
}

/// What all tasks of a phase are given after the prompt: the same bytes for each.
pub(super) fn shared(
    task: &str,
    context: Option<&ContextOutput>,
    plan: &PlanOutput,
    checks: Option<&Tries>,
) -> Opening {
    let mut shared = Opening::from(section("user_task", task));
    if let Some(context) = context {
        context::attach(context, &mut shared);
    }
    shared.push_str(&section("plan", &json_text(plan)));
    if let Some(Tries { checks, .. }) = checks {
        let listed = checks.iter().map(|check| {
            let timeout_s = Tries::limit(check).as_secs();
            json!({ "name": check.name, "command": check.command, "timeout_s": timeout_s })
        });
        shared.push_str(&section("checks", &json_text(&listed.collect::<Vec<_>>())));
        shared.push_str(&format!(
            "You can run each of these checks by its name with try_check, at most {MOST} times in all.\n"
        ));
    }
    shared
}

/// What a round is about, beside the task.
#[derive(Debug, Clone, Copy)]
pub(super) enum About<'a> {
    /// Issues of a review; empty in the first round.
    Issues(&'a [Issue]),
    /// What failing checks said.
    Checks(&'a str),
}

/// The agent's first message. It ends with the task as JSON, and holds nothing of the others'.
pub(super) fn first_message(task: &Task, own_files: Opening, about: About<'_>, note: Option<&str>) -> Opening {
    let mut message = Opening::new();
    if let Some(note) = note {
        message.push_str(&section("note", note));
    }
    message.append(own_files);
    match about {
        About::Issues([]) => message
            .push_str("Do this task of the plan, and only this one, then hand on with submit_result. Your task:\n"),
        About::Issues(issues) => {
            message.push_str(&section("review_issues", &json_text(&issues)));
            message.push_str(BEFORE_THE_WORK);
            message.push_str(
                "This task was done before: own_diff is what it changed so far, where it changed something. A review then \
                 found the issues above in its files. Fix every one of them, keep the rest as it is, and hand on with \
                 submit_result. Your task:\n",
            );
        }
        About::Checks(failing) => {
            let framed = |text: &str| section("failing_checks", text);
            let without = left_out("What the failing checks printed is", "look at the files of your task");
            message.attach_text(Need::Telling, failing, &framed, "nothing shows the rest", without);
            message.push_str(BEFORE_THE_WORK);
            message.push_str(
                "This task was done before: own_diff is what it changed so far, where it changed something. Then checks of \
                 the user's failed on the work of all tasks. Find out whether the files of your task are at fault, mend what is, keep the rest as it is, and hand on with \
                 submit_result. If nothing in them is at fault, change nothing and say so in `notes`. Your task:\n",
            );
        }
    }
    message.push_str(&json_text(task));
    message
}

/// Take a submission.
///
/// # Errors
/// What is wrong with it, for the model.
pub(super) fn accept(input: Value, task_id: &str) -> Result<TaskResult, Vec<String>> {
    let mut result: TaskResult = parse(input).map_err(|faults| faults.iter().map(fault_text).collect::<Vec<_>>())?;
    result.task_id = task_id.to_owned();
    result.attempts.clear();
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_checks_to_try_the_prompt_does_not_speak_of_it() {
        let prompt = "# T\n\n- One\n  more of it.\n- Run `try_check {name}`\n  when you can.\n- Three\n\n1. A\n2. Then\n   `try_check`.\n\nEnd `try_check`.\n";
        assert_eq!(without_tries(prompt), "# T\n\n- One\n  more of it.\n- Three\n\n1. A\n\nEnd `try_check`.\n");
        let ours = include_str!("../../../prompts/implement.md");
        assert!(ours.contains("try_check") && !without_tries(ours).contains("try_check"));
        assert!(ours.len() - without_tries(ours).len() < 2_000, "nothing else is left out");
    }
}
