//! The situations of the table, as memory folders and events that lead to them.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::contracts::{BaseState, FileKeys, GateCheck, JsonText, OfferedCheck};
use crate::memory::{FaultyPlan, FileFaults, LoadedPlan, Memory};
use crate::workflow::changes::written::Written;
use crate::workflow::gate::checks::WaitingChecks;
use crate::workflow::run::events::PhaseEvent;

pub(super) const RUN: &str = "20261127T120000-aaaa";
pub(super) const NOW: &str = "2026-11-27T12:00:00Z";

const STOPPED: [&str; 5] =
    ["context started", "context done", "plan started", "plan cancelled", "workflow cancelled: Stopped."];

fn from<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// One case of the table.
#[derive(Default)]
pub(super) struct Case {
    pub(super) memory: Memory,
    pub(super) events: Vec<Value>,
    pub(super) is_live: bool,
    pub(super) is_base_review: bool,
    pub(super) is_faulty: bool,
    pub(super) is_moved: bool,
    pub(super) checks: WaitingChecks,
    pub(super) written: Written,
    /// Files that are not what the checks saw.
    pub(super) changed_since: usize,
}

/// An event written as `"implement started T1: message"`, or as an object that adds to it.
pub(super) fn event_of(at: usize, event: &Value) -> PhaseEvent {
    let words = event.as_str().or_else(|| event["event"].as_str()).unwrap();
    let (head, message) = words.split_once(": ").unwrap_or((words, ""));
    let parts: Vec<&str> = head.split(' ').collect();
    let mut value = json!({
        "run": RUN, "seq": at + 1, "at": NOW, "phase": parts[0], "status": parts[1], "message": message,
    });
    if let Some(task) = parts.get(2) {
        value["task"] = json!(task);
    }
    for (name, field) in event.as_object().into_iter().flatten().filter(|(name, _)| *name != "event") {
        value[name] = field.clone();
    }
    from(value)
}

fn with_task() -> Memory {
    Memory { task: Some("do it".into()), keys: FileKeys::default(), ..Memory::default() }
}

fn with_context(at: &str) -> Memory {
    let context = json!({ "timestamp": at, "task_description": "do it", "relevant_files": [] });
    Memory { context: Some(from(context)), ..with_task() }
}

fn with_plan(version: u32) -> Memory {
    let task = |id: &str, file: &str| json!({ "id": id, "title": id, "description": id, "files_to_modify": [file], "estimated_complexity": "simple" });
    let plan = json!({
        "plan_version": version, "approach_summary": "a", "tasks": [task("T1", "a.rs"), task("T2", "b.rs")],
        "parallel_groups": [["T1", "T2"]],
    });
    Memory { plan: Some(LoadedPlan { plan: from(plan), sha256: "abc".into() }), ..with_context(NOW) }
}

fn answered(decision: &str) -> Memory {
    let approval = json!({ "plan_sha256": "abc", "decision": decision, "by": "person" });
    Memory { approval: Some(from(approval)), ..with_plan(1) }
}

fn with_report(results: &[(&str, &str)]) -> Memory {
    let change =
        json!({ "path": "a.rs", "change_type": "modified", "summary": "", "lines_added": 1, "lines_removed": 1 });
    let result = |(task, status): &(&str, &str)| json!({ "task_id": task, "status": status, "changes": [change], "notes": "", "blockers": ["no way"] });
    let report = json!({ "round": 1, "results": results.iter().map(result).collect::<Vec<_>>() });
    let round = json!({ "n": 1, "kind": "first", "tasks": ["T1", "T2"] });
    Memory { report: Some(from(report)), round: Some(from(round)), ..answered("approved") }
}

fn reviewed(action: &str, verdict: &str, issues: usize) -> Memory {
    let issue =
        |n: usize| json!({ "id": format!("i{n}"), "file": "a.rs", "line": 1, "severity": "minor", "description": "d" });
    let issues: Vec<Value> = (1..=issues).map(issue).collect();
    let review =
        json!({ "round": 1, "verdict": verdict, "summary": "sum", "issues": issues, "recommended_action": action });
    Memory { review: Some(from(review)), ..with_report(&[("T1", "completed"), ("T2", "completed")]) }
}

fn untrusted(count: usize) -> WaitingChecks {
    let check = |n: usize| GateCheck { id: format!("c{n}"), ..GateCheck::default() };
    let trusted = GateCheck { trusted: true, ..check(0) };
    WaitingChecks { set: (1..=count).map(check).chain([trusted]).collect(), offered: Vec::new() }
}

fn offered() -> WaitingChecks {
    let (name, command, reason) = ("test".into(), "cargo test".into(), "Cargo.toml".into());
    WaitingChecks { set: Vec::new(), offered: vec![OfferedCheck { id: "o1".into(), name, command, reason }] }
}

fn written(files: usize) -> Written {
    Written { files, ..Written::default() }
}

const ROLLED_BACK: Written = Written { files: 0, can_bring_back: true, ends_with_rollback: true };

fn events(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| json!(text)).collect()
}

fn live(memory: Memory, texts: &[&str]) -> Case {
    Case { memory, events: events(texts), is_live: true, ..Case::default() }
}

fn merged_and(written: Written) -> Case {
    Case { memory: reviewed("merge", "approved", 0), written, ..Case::default() }
}

/// The events of a plan that was asked about when its run was stopped.
fn at_gate() -> Vec<Value> {
    events(&["plan started", "plan waiting: The plan waits", "workflow cancelled: Stopped."])
}

fn implementing(last: Value) -> Vec<Value> {
    let begin = ["implement started", "implement started T1: T1", "implement started T2: T2"];
    [events(&begin), vec![last]].concat()
}

fn failed(cause: &str) -> Case {
    let error = json!({ "kind": "model", "message": "it failed", "cause": cause });
    let events = vec![
        json!("context started"),
        json!({ "event": "context failed: it failed", "error": error }),
        json!({ "event": "workflow failed: it failed", "error": error, "outcome": "failed" }),
    ];
    Case { memory: with_task(), events, ..Case::default() }
}

fn budget_spent() -> Case {
    let budget = json!({ "kind": "budget", "message": "the budget is spent" });
    let events = vec![
        json!("plan started"),
        json!({ "event": "plan failed: the budget is spent", "error": budget }),
        json!({ "event": "workflow waiting: the budget is spent", "error": budget, "outcome": "escalated" }),
    ];
    Case { memory: with_context(NOW), events, ..Case::default() }
}

fn faulty_plan() -> FaultyPlan {
    let fault = JsonText::new("{\n\n    \"a\": 1\n}").fault("schema", "/a".to_owned(), "it is wrong");
    let faults = FileFaults { file: ".agent_memory/plan.json".into(), faults: vec![fault] };
    FaultyPlan { sha256: "00".into(), faults }
}

pub(super) fn broken_review() -> FileFaults {
    let fault = JsonText::new("{\n    \"issues\": 1\n}").fault("schema", "/issues".to_owned(), "it is wrong");
    FileFaults { file: ".agent_memory/review.json".into(), faults: vec![fault] }
}

/// A review of tasks with two criteria each, with checks that ran before it.
fn proven(action: &str, verdict: &str, issues: usize, states: [&str; 4]) -> Memory {
    let mut memory = reviewed(action, verdict, issues);
    let check = |name: &str, rest: Value| {
        let mut check = json!({ "name": name, "command": format!("make {name}"), "sandbox": "view" });
        check.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        check
    };
    let checks = json!([
        check(
            "test",
            json!({ "state": "passed", "exit_code": 0, "elapsed_ms": 3200, "log": format!("runs/{RUN}/checks/test.log") })
        ),
        check(
            "lint",
            json!({ "state": "failed", "exit_code": 2, "base": "failed", "elapsed_ms": 400, "log": format!("runs/{RUN}/checks/lint.log") })
        ),
        check("e2e", json!({ "state": "skipped", "reason": "untrusted", "sandbox": "none" })),
    ]);
    let results = [("T1", 1, "test"), ("T1", 2, ""), ("T2", 1, ""), ("T2", 2, "")].iter().zip(states);
    let result = |((task, criterion, check), state): (&(&str, u32, &str), &str)| {
        let evidence = if check.is_empty() { Value::Null } else { json!({ "check": check }) };
        json!({ "task_id": task, "criterion": criterion, "state": state, "evidence": evidence })
    };
    let criteria: Vec<Value> = results.map(result).collect();
    if let Some(report) = &mut memory.report {
        report.checks = from(checks);
    }
    if let Some(review) = &mut memory.review {
        review.criteria = from(json!(criteria));
    }
    for task in memory.plan.iter_mut().flat_map(|loaded| &mut loaded.plan.tasks) {
        task.acceptance_criteria =
            vec!["It greets whoever is named on the command line.".to_owned(), "Nothing else changes.".to_owned()];
    }
    memory
}

/// The same where what fails passed without the work.
fn breaking(mut memory: Memory) -> Memory {
    let checks = memory.report.iter_mut().flat_map(|report| &mut report.checks);
    for check in checks.filter(|check| check.base.is_some()) {
        check.base = Some(BaseState::Passed);
    }
    memory
}

fn accepted() -> Memory {
    let memory = reviewed("escalate_to_human", "changes_requested", 1);
    Memory { dismissed: vec!["i1".into()], ..memory }
}

fn accepted_unmet() -> Case {
    let memory = proven("fix_and_re_review", "changes_requested", 1, ["met", "unmet", "met", "met"]);
    Case { memory: Memory { dismissed: vec!["i1".into()], ..memory }, written: written(1), ..Case::default() }
}

fn approved_under_another_home() -> Memory {
    Memory { voided: answered("approved").approval, ..with_plan(1) }
}

/// All of them, by name.
pub(super) fn cases() -> Vec<(&'static str, Case)> {
    [before_writing(), at_work(), ended(), after_review()].into_iter().flatten().collect()
}

fn before_writing() -> Vec<(&'static str, Case)> {
    vec![
        ("fresh", Case::default()),
        ("a task", Case { memory: with_task(), ..Case::default() }),
        ("context stale", Case { memory: with_context("2026-11-27T07:59:59Z"), ..Case::default() }),
        ("gate", Case { memory: with_plan(1), events: at_gate(), ..Case::default() }),
        ("gate after feedback", Case { memory: with_plan(2), written: written(3), ..Case::default() }),
        ("gate, live", live(with_plan(1), &["plan started", "plan waiting: The plan waits"])),
    ]
}

fn at_work() -> Vec<(&'static str, Case)> {
    vec![
        ("running context", live(with_task(), &["workflow started", "context started"])),
        ("running plan", live(with_context(NOW), &["context done", "plan started"])),
        ("running implement", live(answered("approved"), &["implement started", "implement started T1: T1"])),
        (
            "running review",
            live(
                with_report(&[("T1", "completed"), ("T2", "completed")]),
                &["implement started", "implement done", "review started"],
            ),
        ),
        (
            "running a check",
            live(
                with_report(&[("T1", "completed"), ("T2", "completed")]),
                &[
                    "implement started",
                    "implement done T1: T1",
                    "workflow progress: sandbox of the checks: view",
                    "implement progress: check test: running",
                ],
            ),
        ),
        (
            "waiting for a save",
            Case {
                events: implementing(
                    json!({ "event": "implement waiting T1: waits for you to save a.rs", "files": ["a.rs"] }),
                ),
                ..live(answered("approved"), &[])
            },
        ),
        (
            "waiting for the network",
            Case {
                events: implementing(json!({
                    "event": "implement progress T1: rate limit", "error": { "kind": "model", "message": "rate limit (429)" }
                })),
                ..live(answered("approved"), &[])
            },
        ),
    ]
}

fn ended() -> Vec<(&'static str, Case)> {
    vec![
        (
            "interrupted",
            Case { memory: with_context(NOW), events: events(&["context done", "plan started"]), ..Case::default() },
        ),
        ("cancelled", Case { memory: with_context(NOW), events: events(&STOPPED), ..Case::default() }),
        (
            "cancelled in implement",
            Case {
                memory: with_report(&[("T1", "completed")]),
                events: events(&["implement started", "implement cancelled", "workflow cancelled: Stopped."]),
                written: written(1),
                ..Case::default()
            },
        ),
        ("failed by the model", failed("network")),
        ("failed by the key", failed("key")),
        (
            "failed by a task",
            Case {
                memory: with_report(&[("T1", "completed"), ("T2", "blocked")]),
                written: written(1),
                ..Case::default()
            },
        ),
        ("failed by budget", budget_spent()),
        (
            "escalated by review",
            Case {
                memory: reviewed("escalate_to_human", "changes_requested", 2),
                written: written(1),
                ..Case::default()
            },
        ),
        (
            "escalated by cycles",
            Case {
                memory: Memory {
                    earlier_review_rounds: [7, 8].into(),
                    ..reviewed("fix_and_re_review", "changes_requested", 1)
                },
                written: written(1),
                ..Case::default()
            },
        ),
        ("a fix comes next", Case { memory: reviewed("fix_and_re_review", "rejected", 1), ..Case::default() }),
    ]
}

fn after_review() -> Vec<(&'static str, Case)> {
    vec![
        ("merged", merged_and(written(1))),
        (
            "merged, with an issue",
            Case { memory: reviewed("merge", "approved", 1), written: written(1), ..Case::default() },
        ),
        (
            "merged, with files changed since the checks",
            Case {
                memory: proven("merge", "approved", 0, ["met", "met", "met", "met"]),
                written: written(2),
                changed_since: 2,
                ..Case::default()
            },
        ),
        ("merged, wholly rolled back file by file", merged_and(ROLLED_BACK)),
        ("merged, partly rolled back", merged_and(Written { can_bring_back: true, ..written(1) })),
        ("wholly rolled back", Case { memory: with_plan(1), written: ROLLED_BACK, ..Case::default() }),
        ("rejected", Case { memory: answered("rejected"), events: at_gate(), ..Case::default() }),
        ("rejected after a round", Case { memory: answered("rejected"), written: written(2), ..Case::default() }),
        (
            "broken plan",
            Case { memory: Memory { faulty_plan: Some(faulty_plan()), ..with_context(NOW) }, ..Case::default() },
        ),
        ("another broken file", Case { memory: with_plan(1), is_faulty: true, ..Case::default() }),
        ("accepted by the user", Case { memory: accepted(), written: written(1), ..Case::default() }),
        (
            "merged, all proven",
            Case {
                memory: proven("merge", "approved", 0, ["met"; 4]),
                events: events(&["workflow progress: sandbox of the checks: none: namespaces are refused here"]),
                written: written(1),
                ..Case::default()
            },
        ),
        (
            "merged, though a check fails",
            Case {
                memory: breaking(proven("merge", "approved", 1, ["met"; 4])),
                written: written(1),
                ..Case::default()
            },
        ),
        (
            "merged, not all proven",
            Case {
                memory: proven("merge", "approved", 0, ["met", "met", "unproven", "met"]),
                written: written(1),
                ..Case::default()
            },
        ),
        (
            "a criterion is unmet",
            Case {
                memory: proven("fix_and_re_review", "changes_requested", 1, ["met", "unmet", "met", "unproven"]),
                written: written(1),
                ..Case::default()
            },
        ),
        ("accepted by the user with a criterion unmet", accepted_unmet()),
        ("another HOME's approval", Case { memory: approved_under_another_home(), ..Case::default() }),
        ("untrusted checks at the gate", Case { memory: with_plan(1), checks: untrusted(2), ..Case::default() }),
        ("untrusted check of a merged workflow", Case { checks: untrusted(1), ..merged_and(written(1)) }),
        ("offered check at the gate", Case { memory: with_plan(1), checks: offered(), ..Case::default() }),
        ("offered check of a merged workflow", Case { checks: offered(), ..merged_and(written(1)) }),
        ("moved project", Case { memory: with_plan(1), is_moved: true, ..Case::default() }),
        (
            "a review against a base at work beside a merged workflow",
            Case { is_live: true, is_base_review: true, events: events(&["review started"]), ..merged_and(written(1)) },
        ),
    ]
}
