//! The proof that a phase is a value: the table with one row more is given to everything that works with phases, and
//! each must know the phase. What forgets it keeps a list of its own: derive that from the table.

mod attached;
mod conversations;
mod lists;
mod scripted;
mod security;
mod windows;

use std::fs;
use std::sync::LazyLock;

use serde_json::json;

use self::scripted::{Script, Workflow, approved, fix, new_plan};
use self::security::{SECURITY, Security};
use super::TABLE;
use crate::workflow::{
    EventPhase, EventStatus, Goal, NextStep, Outcome, PhaseState, REVIEW, RollbackRequest, Table, reset, rollback,
};

/// The table of the program and one row more.
static TABLE_AND_ONE: LazyLock<Table> = LazyLock::new(|| {
    let mut rows = TABLE.rows.to_vec();
    let review = rows.iter().position(|row| row.name() == REVIEW).unwrap();
    rows.insert(review, &Security);
    Table { rows: rows.leak(), ..TABLE }
});

const ROUND: [&str; 3] = ["implement/T1", "security", "review"];

#[tokio::test]
async fn a_further_phase_takes_part_in_every_round_and_its_issues_reach_the_reviewer() {
    let workflow = Workflow::new();
    let script = Script::new([fix(), approved()]);
    let (end, events) = workflow.run(Goal::of_task("Change a.txt"), &script).await;
    assert_eq!(end.outcome, Outcome::Merged, "{}", end.message);
    assert_eq!(script.agents(), [&["context", "plan"][..], &ROUND, &ROUND].concat());
    assert!(script.first_message("review").contains("a hole"), "{}", script.first_message("review"));
    let said: Vec<EventStatus> =
        events.iter().filter(|event| event.phase == EventPhase::Phase(SECURITY)).map(|event| event.status).collect();
    let once = [EventStatus::Started, EventStatus::Progress, EventStatus::Done];
    assert_eq!(said, [once, once].concat());
    let memory = workflow.store.load().unwrap();
    assert_eq!(memory.findings[&SECURITY].round, 2);
    assert_eq!(workflow.history("security.json"), [1], "what it found in the first round is kept");
    let status = workflow.status();
    let phases: Vec<&str> = status.phases.iter().map(|phase| phase.phase.as_str()).collect();
    assert_eq!(phases, ["context", "plan", "implement", "security", "review"]);
    assert!(status.phases.iter().all(|phase| phase.status == PhaseState::Done), "{:?}", status.phases);
    assert_eq!(status.usage.total_tokens(), 9 * scripted::TOKENS, "each of its turns is counted");
}

#[tokio::test]
async fn a_new_plan_sets_what_it_found_aside() {
    let workflow = Workflow::new();
    let script = Script::new([new_plan(), approved()]);
    let (end, _) = workflow.run(Goal::of_task("Change a.txt"), &script).await;
    assert_eq!(end.outcome, Outcome::Merged, "{}", end.message);
    assert_eq!(script.agents(), [&["context", "plan"][..], &ROUND, &["plan"], &ROUND].concat());
    assert_eq!(workflow.history("security.json"), [1]);
    assert_eq!(workflow.store.load().unwrap().findings[&SECURITY].round, 2);
}

#[tokio::test]
async fn a_reset_sets_what_it_found_aside() {
    let workflow = Workflow::new();
    workflow.run(Goal::of_task("Change a.txt"), &Script::new([approved()])).await;
    assert!(workflow.file("security.json").exists());
    reset(&workflow.workspace, &workflow.store).unwrap();
    assert!(!workflow.file("security.json").exists());
    assert_eq!(workflow.history("security.json"), [1]);
}

#[tokio::test]
async fn a_rollback_takes_what_it_found_away_and_its_undo_brings_it_back() {
    let workflow = Workflow::new();
    workflow.run(Goal::of_task("Change a.txt"), &Script::new([approved()])).await;
    let before = fs::read(workflow.file("security.json")).unwrap();
    let state = |status: &crate::workflow::Status| status.phases[3].status;
    assert_eq!(state(&workflow.status()), PhaseState::Done);
    rollback(&workflow.store, &workflow.workspace, &RollbackRequest::default()).unwrap();
    assert!(!workflow.file("security.json").exists());
    assert_eq!(state(&workflow.status()), PhaseState::Pending);
    rollback(&workflow.store, &workflow.workspace, &RollbackRequest { undo: true, ..RollbackRequest::default() })
        .unwrap();
    assert_eq!(fs::read(workflow.file("security.json")).unwrap(), before);
    assert_eq!(state(&workflow.status()), PhaseState::Done);
}

#[tokio::test]
async fn asked_for_by_name_it_runs_again_and_what_comes_after_it_is_set_aside() {
    let workflow = Workflow::new();
    workflow.run(Goal::of_task("Change a.txt"), &Script::new([approved()])).await;
    let script = Script::new([approved()]);
    let named = || Goal::Phase { phase: SECURITY, task: None, reset: false };
    let (end, _) = workflow.run(named(), &script).await;
    assert_eq!((end.outcome, script.agents()), (Outcome::Done, vec!["security".to_owned()]), "{}", end.message);
    assert!(!workflow.file("review.json").exists(), "the review judged without knowing this");
    let (end, _) = workflow.run(Goal::default(), &script).await;
    assert_eq!((end.outcome, script.agents()[1..].join(", ")), (Outcome::Merged, "review".to_owned()));

    let fresh = Workflow::new();
    let refused = fresh.try_start(named(), &script).map(drop).unwrap_err().to_string();
    assert!(refused.contains("the security phase needs an implementation"), "{refused}");
}

#[test]
fn killed_at_work_it_is_interrupted_and_the_next_run_goes_on_with_it() {
    let workflow = Workflow::new();
    let script = Script::new([approved()]).hanging_at("security");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let handle = workflow.try_start(Goal::of_task("Change a.txt"), &script).unwrap();
        script.hangs().await;
        drop(handle);
    });
    // Nothing of the run ends in an orderly way.
    runtime.shutdown_background();
    workflow.wait_for_lock();
    let status = workflow.status();
    assert_eq!(status.phases[3].status, PhaseState::Interrupted);
    assert_eq!(json!(status.next), json!("security"));
    assert_eq!(status.next, NextStep::Phase(SECURITY));
    let script = Script::new([approved()]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (end, _) = runtime.block_on(workflow.run(Goal::default(), &script));
    assert_eq!((end.outcome, script.agents()), (Outcome::Merged, vec!["security".to_owned(), "review".to_owned()]));
}
