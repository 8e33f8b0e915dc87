//! What phases that review beside the reviewer share: what their agent is told, and what is taken from it. Where issues
//! stand is in `placing`.

use serde_json::Value;

use super::placing::{Texts, faults};
use super::work_done::{WorkDone, approved_part, dismissed_issues, implemented, report_told};
use super::{context, review};
use crate::agents::{Opening, fault_text, json_text, section};
use crate::contracts::{Handoff, Issue, parse};
use crate::memory::Memory;
use crate::workflow::{PhaseError, Run};

/// The first message of an agent that reviews beside the reviewer. `submit` is the tool it submits with.
///
/// # Errors
/// When nothing is implemented, or the history cannot be read.
pub(super) fn first_message(run: &Run, memory: &Memory, done: &WorkDone, submit: &str) -> Result<Opening, PhaseError> {
    let (plan, report) = implemented(memory)?;
    let dismissed = dismissed_issues(run, memory, &run.store.earlier_reviews()?)?;
    let mut message = Opening::from(section("task", &memory.task_text()));
    if let Some(context) = &memory.context {
        context::attach(context, &mut message);
    }
    message.push_str(&section("plan", &json_text(&approved_part(plan, memory))));
    message.push_str(&section("report", &json_text(&report_told(report, &done.foreign))));
    if report.round > 1 {
        message.push_str(context::BEFORE_THE_WORK);
    }
    review::attach_changed(&done.summaries, done.diff.clone(), &mut message);
    message.append(done.ranges.clone());
    let foreign = done.foreign.reviewer_note();
    if !foreign.is_empty() {
        message.push_str(&section("done_elsewhere", &foreign));
    }
    review::attach_editor(&done.editor, &mut message);
    review::attach_guidance(&review::guidance_section(&run.workspace), &mut message);
    message.push_str(&review::dismissed_section(&dismissed, &memory.dismissed));
    message.push_str(&format!(
        "Look at this work as your instructions say, and hand what you found on with {submit}: each issue at its place, \
         with the exact text of its line as its quote. Another agent judges the work as a whole and is given what you \
         found; you change nothing."
    ));
    Ok(message)
}

/// Take a submission: its shape, and that its issues have a place in a file.
///
/// # Errors
/// What is wrong with it, for the model.
pub(super) fn accept<T: Handoff>(run: &Run, input: Value, issues: impl Fn(&T) -> &[Issue]) -> Result<T, Vec<String>> {
    let found = accept_last(input)?;
    let faults = faults(issues(&found), &Texts::of(run));
    if faults.is_empty() { Ok(found) } else { Err(faults) }
}

/// Take the last submission that the agent can make: issues without a place are kept.
///
/// # Errors
/// What is wrong with its shape.
pub(super) fn accept_last<T: Handoff>(mut input: Value) -> Result<T, Vec<String>> {
    review::clean_issues(&mut input);
    parse(input).map_err(|faults| faults.iter().map(fault_text).collect::<Vec<_>>())
}
