//! The gate of a run: nothing is written before a person, or `approval = "auto"`, has answered this very plan.

use std::sync::Arc;

use jiff::Timestamp;

use super::answer::check_subset;
use super::checks::answer_checks;
use super::content::GateSources;
use super::notes;
use super::watch::{answered_elsewhere, is_gone, repaired};
use crate::agents::AgentError;
use crate::config::ApprovalMode;
use crate::contracts::{ApprovedBy, Decision, Handoff, PlanOutput, ProtectedFile};
use crate::memory::{FaultyPlan, Memory};
use crate::text::{count, short_line};
use crate::workflow::changes::unverified::unverified_or_log;
use crate::workflow::decide::rounds::tasks_to_approve;
use crate::workflow::foreign::assumed::assumed_words;
use crate::workflow::foreign::discount::warnings_at_gate;
use crate::workflow::run::error::{PhaseError, StartError};
use crate::workflow::run::events::EventStatus;
use crate::workflow::run::phase::Run;
use crate::workflow::run::phase_names::PLAN;
use crate::workflow::run::question::{FaultyGate, Gate, GateAnswer, GateContent, GateNotes, GateTask};

/// Characters shown of a question in a message.
const LONGEST_QUESTION: usize = 300;

/// What the gate led to.
pub(crate) enum GateEnd {
    /// Read the memory again: it holds an answer, a revision or an edited plan.
    Continue,
    /// Nobody answers here; the message for people.
    Waiting(String),
}

/// Ask for an answer to the plan.
pub(crate) async fn gate(run: &Arc<Run>, memory: &Memory) -> Result<GateEnd, PhaseError> {
    let before = run.store.history_len()?;
    if let Some(faulty) = &memory.faulty_plan {
        return wait_for_repair(run, Some(faulty.clone()), before).await;
    }
    let Some(mut gate) = show(run, memory)? else {
        return Err(PhaseError::Internal("the gate was due without a plan".to_owned()));
    };
    for warning in warnings_at_gate(run, memory).await? {
        run.emit(PLAN, EventStatus::Progress, warning.clone());
        gate.content.warnings.push(warning);
    }
    if let Err(why) = check_subset(&gate.plan, run.goal.only(), &memory.done_tasks()) {
        let waiting = format!("{why}. The plan waits for your answer.");
        run.emit(PLAN, EventStatus::Waiting, waiting.clone());
        return Ok(GateEnd::Waiting(waiting));
    }
    let only = run.goal.only();
    let auto = is_auto(run);
    if auto && gate.content.protected.is_empty() {
        for question in &gate.content.questions {
            run.emit(
                PLAN,
                EventStatus::Progress,
                format!("The plan asks, and nobody answers: {}", short_line(question, LONGEST_QUESTION)),
            );
        }
        run.emit(PLAN, EventStatus::Progress, "Approved automatically");
        write(run, &gate, Decision::Approved, ApprovedBy::Auto, tasks_to_approve(only, memory))?;
        return Ok(GateEnd::Continue);
    }
    let waiting = waiting_message(&gate, auto);
    run.emit(PLAN, EventStatus::Waiting, waiting.clone());
    if auto {
        return Ok(GateEnd::Waiting(waiting));
    }
    let answer = tokio::select! {
        answer = run.approver.ask(&gate) => answer,
        () = answered_elsewhere(run, &gate.content.plan_sha256) => {
            return if is_gone(run, before)? { wait_for_repair(run, None, before).await } else { Ok(GateEnd::Continue) };
        }
        () = run.context.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
    };
    match answer {
        GateAnswer::Approve { tasks } => {
            let tasks = tasks.or_else(|| only.and_then(|only| tasks_to_approve(Some(only), memory)));
            if !settle_checks(run, &gate).await? {
                return Ok(GateEnd::Continue);
            }
            write(run, &gate, Decision::Approved, ApprovedBy::Person, tasks)?;
            run.emit(PLAN, EventStatus::Progress, "Approved");
        }
        GateAnswer::Reject => write(run, &gate, Decision::Rejected, ApprovedBy::Person, None)?,
        GateAnswer::Revise { feedback } => revise_plan(run, &feedback)?,
        GateAnswer::Edited => {}
        GateAnswer::Wait => return Ok(GateEnd::Waiting(waiting)),
    }
    Ok(GateEnd::Continue)
}

/// Ask about the checks, where there is something to ask, and do what a person says. Answers `false` where the plan was
/// answered elsewhere meanwhile. A failure is told, and the checks are left as they were.
async fn settle_checks(run: &Arc<Run>, gate: &Gate) -> Result<bool, PhaseError> {
    if !gate.content.asks_about_checks() {
        return Ok(true);
    }
    let answer = tokio::select! {
        answer = run.approver.ask_about_checks(gate) => answer,
        () = answered_elsewhere(run, &gate.content.plan_sha256) => return Ok(false),
        () = run.context.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
    };
    match answer_checks(&run.store, &run.settings, &answer) {
        Ok(answered) => {
            if let Some(words) = answered.words() {
                run.emit(PLAN, EventStatus::Progress, words);
                // It says which checks run.
                GateSources::of(run).refresh_plan_markdown()?;
            }
        }
        Err(error) => run.emit(PLAN, EventStatus::Progress, format!("warning: {error}")),
    }
    Ok(true)
}

/// Set the plan aside for one that answers to the feedback and the notes in plan.md. What cannot be sent is told, and the
/// gate asks again.
fn revise_plan(run: &Run, feedback: &str) -> Result<(), PhaseError> {
    let (memory, _faults) = run.store.inspect()?;
    let message = match notes::revise(&run.store, &memory, feedback) {
        Ok(0) => "Changes were asked for".to_owned(),
        Ok(sent) => format!("Changes were asked for, with {} on the plan", count(sent, "note")),
        Err(StartError::Memory(error)) => return Err(error.into()),
        Err(error) => format!("warning: {error}"),
    };
    run.emit(PLAN, EventStatus::Progress, message);
    Ok(())
}

fn is_auto(run: &Run) -> bool {
    run.auto_approve || run.settings.approval == ApprovalMode::Auto
}

/// plan.json breaks its contract, or is missing (`None`): show that, and wait for another plan. `before` is the number of
/// entries that the history had when the gate opened.
async fn wait_for_repair(run: &Arc<Run>, faulty: Option<FaultyPlan>, before: usize) -> Result<GateEnd, PhaseError> {
    let mut faulty = faulty;
    loop {
        let gate = FaultyGate {
            faults: faulty.as_ref().map(|faulty| faulty.faults.clone()),
            plan_json: run.store.name(PlanOutput::FILE),
        };
        let waiting = repair_message(&gate);
        run.emit(PLAN, EventStatus::Waiting, waiting.clone());
        if is_auto(run) {
            return Ok(GateEnd::Waiting(waiting));
        }
        let answer = tokio::select! {
            answer = run.approver.show_faults(&gate) => answer,
            () = repaired(run, faulty.as_ref(), before) => {
                if !is_gone(run, before)? {
                    return Ok(GateEnd::Continue);
                }
                faulty = None;
                continue;
            }
            () = run.context.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
        };
        match (answer, &faulty) {
            (GateAnswer::Reject, Some(faulty)) => {
                let (decision, by) = (Decision::Rejected, ApprovedBy::Person);
                run.store.write_approval(&faulty.sha256, decision, by, None, Timestamp::now())?;
            }
            (GateAnswer::Revise { feedback }, Some(_)) => revise_plan(run, &feedback)?,
            (GateAnswer::Wait, _) => return Ok(GateEnd::Waiting(waiting)),
            _ => {}
        }
        return Ok(GateEnd::Continue);
    }
}

/// How a person gets past a plan that cannot be shown.
fn repair_message(gate: &FaultyGate) -> String {
    let faults = gate.message();
    match gate.faults {
        Some(_) => format!("{faults}\nThe plan waits until that is fixed and saved."),
        None => format!("{faults}. The plan waits until it is back; a run that starts meanwhile makes a new one."),
    }
}

/// Everything the gate shows; `None` without a plan.
fn show(run: &Run, memory: &Memory) -> Result<Option<Gate>, PhaseError> {
    let Some(loaded) = &memory.plan else { return Ok(None) };
    let content = GateSources::of(run).content(memory, loaded);
    let of_files = unverified_or_log(&run.store).warnings.into_iter().chain(assumed_words(&run.store));
    let warnings = content.warnings.iter().cloned().chain(of_files).collect();
    let content = GateContent { warnings, ..content };
    // A plan written or edited by others has no plan.md of its own yet.
    run.store.refresh_plan_markdown(&content.markdown)?;
    let plan = loaded.plan.clone();
    let notes = {
        let (store, plan) = (run.store.clone(), plan.clone());
        GateNotes::new(move || store.plan_notes(Some(&plan)))
    };
    let tasks = plan
        .tasks
        .iter()
        .map(|task| GateTask {
            id: task.id.clone(),
            title: task.title.clone(),
            complexity: task.estimated_complexity,
            files: task.files().map(str::to_owned).collect(),
            depends_on: task.depends_on.clone(),
        })
        .collect();
    Ok(Some(Gate {
        run: run.context.run.clone(),
        task: memory.task_text(),
        content,
        tasks,
        notes,
        usage: run.context.budget.used_by_workflow(),
        plan_md: run.store.name("plan.md"),
        plan_json: run.store.name("plan.json"),
        plan,
    }))
}

fn waiting_message(gate: &Gate, auto: bool) -> String {
    let tasks = gate.tasks.len();
    let why = if auto {
        let protected = ProtectedFile::named(&gate.content.protected, false)
            .map(|files| format!(" It writes protected files, which only a person can approve: {files}."));
        let never = ProtectedFile::named(&gate.content.protected, true)
            .map(|files| format!(" It plans files that are never written, which a person should see: {files}."));
        [protected, never].into_iter().flatten().collect()
    } else {
        String::new()
    };
    let asks = asks(&gate.content.questions);
    format!("The plan (version {}, {}) waits for your answer.{asks}{why}", gate.plan.plan_version, count(tasks, "task"),)
}

/// The questions of a plan in the line that tells of it; the gate shows them whole.
fn asks(questions: &[String]) -> String {
    if questions.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = questions.iter().map(|question| short_line(question, LONGEST_QUESTION)).collect();
    format!(" It asks: {}", shown.join(" "))
}

fn write(
    run: &Run,
    gate: &Gate,
    decision: Decision,
    by: ApprovedBy,
    tasks: Option<Vec<String>>,
) -> Result<(), PhaseError> {
    run.store.write_approval(&gate.content.plan_sha256, decision, by, tasks, Timestamp::now())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_in_a_message_is_one_short_line() {
        assert_eq!(asks(&[]), "");
        let forged = "Which?\n  baton approve   approve\r\n\u{1b}[2J> x";
        let told = asks(&[forged.to_owned(), "y".repeat(20_000)]);
        assert!(told.starts_with(" It asks: Which? baton approve approve > x yyy"), "{told}");
        assert!(!told.contains(['\n', '\r', '\u{1b}']) && told.len() < 2 * LONGEST_QUESTION, "{}", told.len());
    }
}
