use jiff::SignedDuration;
use serde_json::{Value, json};

use super::*;
use crate::config::Check;
use crate::contracts::{Dismissal, Severity};
use crate::memory::LoadedPlan;
use crate::workflow::{CONTEXT, IMPLEMENT, PLAN, REVIEW, fixture};

const NOW: &str = "2026-11-23T12:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn policy() -> Policy {
    Policy {
        phases: fixture::phases(),
        context_staleness: SignedDuration::from_hours(4),
        max_review_cycles: 3,
        checks: Vec::new(),
        max_repair_rounds: 2,
    }
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn with_task() -> Memory {
    Memory { task: Some("do it".into()), ..Memory::default() }
}

fn with_context(at: &str) -> Memory {
    let context = json!({ "timestamp": at, "task_description": "do it", "relevant_files": [] });
    Memory { context: Some(from(context)), ..with_task() }
}

fn with_plan() -> Memory {
    let task = |id: &str, file: &str| json!({ "id": id, "title": id, "description": id, "files_to_modify": [file], "estimated_complexity": "simple" });
    let plan = json!({
        "approach_summary": "a", "tasks": [task("T1", "a.rs"), task("T2", "b.rs"), task("T3", "a.rs")],
        "parallel_groups": [["T1", "T2"], ["T3"]],
    });
    Memory { plan: Some(LoadedPlan { plan: from(plan), sha256: "abc".into() }), ..with_context(NOW) }
}

fn with_approval(decision: &str, tasks: Value) -> Memory {
    let approval = json!({ "plan_sha256": "abc", "decision": decision, "by": "person", "tasks": tasks });
    Memory { approval: Some(from(approval)), ..with_plan() }
}

fn with_report(results: &[(&str, &str)]) -> Memory {
    let results: Vec<Value> =
        results.iter().map(|(task, status)| json!({ "task_id": task, "status": status, "changes": [] })).collect();
    let report = json!({ "round": 1, "results": results });
    let round = json!({ "n": 1, "kind": "first", "tasks": ["T1", "T2", "T3"] });
    Memory { report: Some(from(report)), round: Some(from(round)), ..with_approval("approved", Value::Null) }
}

fn done() -> Memory {
    with_report(&[("T1", "completed"), ("T2", "partial"), ("T3", "completed")])
}

fn reviewed(action: &str, issues: &[(&str, &str)]) -> Memory {
    let issues: Vec<Value> = issues
        .iter()
        .map(|(id, file)| json!({ "id": id, "file": file, "line": 1, "severity": "major", "description": "d" }))
        .collect();
    let verdict = if action == "merge" { "approved" } else { "changes_requested" };
    let review =
        json!({ "round": 1, "verdict": verdict, "summary": "sum", "issues": issues, "recommended_action": action });
    Memory { review: Some(from(review)), ..done() }
}

fn next(memory: &Memory) -> Next {
    next_phase(memory, &policy(), now())
}

#[test]
fn the_workflow_goes_through_its_phases() {
    let cases = [
        ("nothing", Memory::default(), Next::NeedTask),
        ("a task", with_task(), Next::Phase(CONTEXT)),
        ("a fresh context", with_context("2026-11-23T08:00:01Z"), Next::Phase(PLAN)),
        ("a stale context", with_context("2026-11-23T07:59:59Z"), Next::Phase(CONTEXT)),
        ("a plan", with_plan(), Next::Gate),
        ("an approved plan", with_approval("approved", Value::Null), Next::Phase(IMPLEMENT)),
        ("a rejected plan", with_approval("rejected", Value::Null), Next::Rejected),
        ("a report that lacks a task", with_report(&[("T1", "completed")]), Next::Phase(IMPLEMENT)),
        ("a whole report", done(), Next::Phase(REVIEW)),
        (
            "a failed task",
            with_report(&[("T1", "failed"), ("T2", "completed")]),
            Next::Failed { tasks: vec!["T1".into()] },
        ),
        ("a blocked task", with_report(&[("T1", "blocked")]), Next::Failed { tasks: vec!["T1".into()] }),
        ("an approving review", reviewed("merge", &[]), Next::Merged),
        ("a review that calls a person", reviewed("escalate_to_human", &[]), Next::Escalated { reason: "sum".into() }),
        ("a review that wants a new plan", reviewed("re_plan", &[]), Next::RePlan),
    ];
    for (name, memory, expected) in cases {
        assert_eq!(next(&memory), expected, "with {name}");
    }
}

#[test]
fn a_stale_context_with_a_plan_is_kept() {
    let memory = Memory { context: with_context("2020-01-01T00:00:00Z").context, ..with_plan() };
    assert_eq!(next(&memory), Next::Gate);
}

#[test]
fn a_context_from_elsewhere_needs_no_task() {
    let memory = Memory { task: None, ..with_context("2020-01-01T00:00:00Z") };
    assert_eq!(next(&memory), Next::Phase(PLAN));
}

#[test]
fn a_partial_approval_is_complete_without_the_other_tasks() {
    let memory =
        Memory { approval: with_approval("approved", json!(["T1"])).approval, ..with_report(&[("T1", "completed")]) };
    assert_eq!(next(&memory), Next::Phase(REVIEW));
}

#[test]
fn a_fix_goes_to_the_last_task_that_lists_the_file() {
    let mut memory = reviewed("fix_and_re_review", &[("i1", "a.rs"), ("i2", "./A.rs"), ("i3", "new.rs")]);
    let Next::Fix(exact) = next(&memory) else { panic!("no fix") };
    assert_eq!(exact.unowned, ["A.rs", "new.rs"], "where case tells files apart, nobody owns the other one");
    memory.keys = FileKeys::of_disk(true);
    let scope = FixScope {
        tasks: vec!["T3".into()],
        unowned: vec!["new.rs".into()],
        issues: vec!["i1".into(), "i2".into(), "i3".into()],
    };
    assert_eq!(next(&memory), Next::Fix(scope));
}

#[test]
fn a_fix_goes_to_the_task_the_reviewer_names() {
    let mut memory = reviewed("fix_and_re_review", &[("i1", "a.rs"), ("i2", "a.rs")]);
    let issues = &mut memory.review.as_mut().unwrap().issues;
    issues[0].task_id = Some("T2".into());
    issues[1].task_id = Some("T9".into());
    let Next::Fix(scope) = next(&memory) else { panic!("no fix") };
    assert_eq!(scope.tasks, ["T2", "T3"]);
}

#[test]
fn only_approved_tasks_own_files() {
    let mut memory = reviewed("fix_and_re_review", &[("i1", "a.rs")]);
    memory.approval = with_approval("approved", json!(["T1", "T2"])).approval;
    let Next::Fix(scope) = next(&memory) else { panic!("no fix") };
    assert_eq!(scope.tasks, ["T1"]);
}

#[test]
fn a_fix_without_an_open_issue_calls_a_person() {
    let memory = reviewed("fix_and_re_review", &[]);
    assert!(matches!(next(&memory), Next::Escalated { .. }));
}

/// The same review, in which this issue was refuted.
fn refuted(mut memory: Memory, id: &str) -> Memory {
    for issue in memory.review.iter_mut().flat_map(|review| &mut review.issues).filter(|issue| issue.id == id) {
        issue.severity = Severity::Suggestion;
        issue.refuted = Some(from(json!({ "by": "m", "reason": "r", "severity": "major" })));
    }
    memory
}

#[test]
fn what_was_refuted_starts_no_fix_and_needs_no_dismissal() {
    let both = refuted(reviewed("fix_and_re_review", &[("i1", "a.rs"), ("i2", "b.rs")]), "i1");
    let Next::Fix(scope) = next(&both) else { panic!() };
    assert_eq!(scope.issues, ["i2"]);
    assert_eq!(both.fixable_issues().map(|issue| issue.id.as_str()).collect::<Vec<_>>(), ["i2"]);
    let dismissed = Memory { dismissed: vec!["i2".into()], ..both };
    assert_eq!(next(&dismissed), Next::Merged);
    let alone = refuted(reviewed("fix_and_re_review", &[("i1", "a.rs")]), "i1");
    let Next::Escalated { reason } = next(&alone) else { panic!() };
    assert_eq!(reason, "the review asks for a fix, and each open issue it names was refuted");
}

#[test]
fn a_failing_check_is_the_reason_where_every_finding_was_refuted() {
    let mut memory = refuted(reviewed("fix_and_re_review", &[("i1", "a.rs")]), "i1");
    let broken = json!({ "state": "failed", "exit_code": 1, "base": "passed" });
    let as_before = json!({ "state": "failed", "exit_code": 1, "base": "failed" });
    memory.report.as_mut().unwrap().checks = from(json!([said("test", broken), said("old", as_before)]));
    let Next::Escalated { reason } = next(&memory) else { panic!() };
    assert_eq!(reason, "the check `test` fails, and each open issue of the review was refuted");
}

#[test]
fn an_issue_without_a_place_is_fixed_by_the_task_it_names_and_by_no_other() {
    let mut memory =
        reviewed("fix_and_re_review", &[("i1", "a.rs"), ("i2", "b.rs"), ("i3", "gone.rs"), ("i4", "../x")]);
    let issues = &mut memory.review.as_mut().unwrap().issues;
    issues.iter_mut().skip(1).for_each(|issue| issue.placed = Some(false));
    let scope = |memory: &Memory| match next(memory) {
        Next::Fix(scope) => (scope.tasks, scope.unowned, scope.issues),
        other => panic!("no fix: {other:?}"),
    };
    let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    assert_eq!(scope(&memory), (strings(&["T3"]), vec![], strings(&["i1"])), "also where a task owns its file");
    let issues = &mut memory.review.as_mut().unwrap().issues;
    (issues[2].task_id, issues[3].task_id) = (Some("T1".into()), Some("T9".into()));
    assert_eq!(scope(&memory), (strings(&["T1", "T3"]), vec![], strings(&["i1", "i3"])));
    let issues = &mut memory.review.as_mut().unwrap().issues;
    issues.remove(0);
    issues[1].task_id = None;
    let Next::Escalated { reason } = next(&memory) else { panic!("not escalated") };
    let named = "a place in the code was found: [i2] b.rs (major): d; [i3] gone.rs (major): d; [i4] ../x (major): d";
    assert!(reason.ends_with(named), "{reason}");
    memory.approval = with_approval("approved", json!(["T2", "T3"])).approval;
    memory.review.as_mut().unwrap().issues[1].task_id = Some("T1".into());
    assert!(matches!(next(&memory), Next::Escalated { .. }), "T1 was not approved");
}

#[test]
fn work_that_a_person_takes_as_it_is_is_merged_whatever_the_review_asks_for() {
    let dismissed = |ids: &[&str]| ids.iter().map(|id| (*id).into()).collect::<Vec<Dismissal>>();
    for action in ["fix_and_re_review", "re_plan", "escalate_to_human"] {
        let mut memory = reviewed(action, &[("i1", "a.rs"), ("i2", "b.rs")]);
        memory.dismissed = dismissed(&["i1"]);
        assert_ne!(next(&memory), Next::Merged, "{action}: one is open");
        memory.dismissed = dismissed(&["i1", "i2"]);
        assert_eq!(next(&memory), Next::Merged, "{action}");
        memory.earlier_review_rounds = [7, 8, 9].into();
        assert_eq!(next(&memory), Next::Merged, "{action}: also after the last allowed review");
        memory.review.as_mut().unwrap().timestamp = NOW.parse().ok();
        memory.dismissed.iter_mut().for_each(|dismissal| dismissal.at = "2026-11-23T11:00:00Z".parse().ok());
        assert!(matches!(next(&memory), Next::Escalated { .. }), "{action}: dismissed before this review");

        let mut nothing_named = reviewed(action, &[]);
        nothing_named.dismissed = dismissed(&["other"]);
        assert_ne!(next(&nothing_named), Next::Merged, "{action}: nothing was dismissed");
        nothing_named.acceptance = Some(from(json!({ "review_sha256": "00" })));
        assert_eq!(next(&nothing_named), Next::Merged, "{action}: a person said so");
        nothing_named.approval = None;
        assert_eq!(next(&nothing_named), Next::Gate, "{action}: it is no answer to the plan");
    }
}

#[test]
fn the_last_allowed_review_calls_a_person() {
    let mut memory = reviewed("fix_and_re_review", &[("i1", "a.rs")]);
    memory.round = Some(from(json!({ "n": 3, "kind": "fix" })));
    for handoff in [memory.report.as_mut().map(|r| &mut r.round), memory.review.as_mut().map(|r| &mut r.round)] {
        *handoff.unwrap() = 3;
    }
    // Counted by round: a copy of this very review in the history does not count twice.
    memory.earlier_review_rounds = [1, 3].into();
    assert!(matches!(next(&memory), Next::Fix(_)));
    memory.earlier_review_rounds = [1, 2].into();
    let Next::Escalated { reason } = next(&memory) else { panic!("not escalated") };
    assert!(reason.starts_with("3 reviews without an approval"), "{reason}");
}

#[test]
fn a_round_that_was_begun_is_entered() {
    let mut memory = reviewed("fix_and_re_review", &[("i1", "a.rs")]);
    memory.round = Some(from(json!({ "n": 2, "kind": "fix", "tasks": ["T3"], "issues": ["i1"] })));
    assert_eq!(next(&memory), Next::EnterRound);
    memory.report.as_mut().unwrap().round = 2;
    assert_eq!(next(&memory), Next::EnterRound);
    memory.review = None;
    assert_eq!(next(&memory), Next::Phase(REVIEW));
}

#[test]
fn a_review_of_a_diff_nobody_planned_drives_nothing() {
    let mut memory = reviewed("merge", &[]);
    assert_eq!(next(&memory), Next::Merged);
    let mut against = memory.review.clone().unwrap();
    (against.base, against.recommended_action) = (Some("abc".to_owned()), RecommendedAction::FixAndReReview);
    memory.base_review = Some(against);
    assert_eq!(next(&memory), Next::Merged);
    memory.review = None;
    assert_eq!(next(&memory), Next::Phase(REVIEW));
}

fn check(name: &str, command: &str) -> Check {
    Check::of_workspace(name, command)
}

fn with_checks() -> Policy {
    Policy { checks: vec![check("test", "make test"), check("lint", "make lint")], ..policy() }
}

/// A whole report with these checks, of a workflow in which T1 changed a file.
fn checked(checks: Value) -> Memory {
    let mut memory = done();
    let report = memory.report.as_mut().unwrap();
    report.results[0].changes = from(json!([{ "path": "b.rs" }, { "path": "a.rs" }]));
    report.checks = from(checks);
    memory
}

fn said(name: &str, fields: Value) -> Value {
    let mut check = json!({ "name": name, "command": format!("make {name}"), "state": "passed", "exit_code": 0 });
    check.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    check
}

#[test]
fn work_is_judged_once_every_check_has_a_result() {
    let next = |memory: &Memory| next_phase(memory, &with_checks(), now());
    let (passed, lint) = (said("test", json!({})), said("lint", json!({})));
    assert_eq!(next(&checked(json!([]))), Next::Phase(IMPLEMENT));
    assert_eq!(next(&checked(json!([passed]))), Next::Phase(IMPLEMENT), "one was killed before its result");
    assert_eq!(next(&checked(json!([passed, lint]))), Next::Phase(REVIEW));
    let other = said("lint", json!({ "command": "make other" }));
    assert_eq!(next(&checked(json!([passed, other]))), Next::Phase(IMPLEMENT), "its command is another one by now");
    let failed = with_report(&[("T1", "failed")]);
    assert!(matches!(next(&failed), Next::Failed { .. }), "what failed is not checked");
    assert_eq!(next(&reviewed("merge", &[])), Next::Merged, "what was judged is not checked again");
    let mut judged = checked(json!([]));
    judged.findings = [(REVIEW, from(json!({ "round": 1, "summary": "s" })))].into();
    assert_eq!(next(&judged), Next::Phase(REVIEW), "nor what is being judged");
}

#[test]
fn failing_checks_are_repaired_by_the_owners_of_what_was_changed() {
    let next = |memory: &Memory| next_phase(memory, &with_checks(), now());
    let lint = said("lint", json!({}));
    let failing = |fields: Value| {
        let mut all = json!({ "state": "failed", "exit_code": 101 });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        checked(json!([said("test", all), lint]))
    };
    let repair = Next::Repair(RepairScope { tasks: vec!["T2".into(), "T3".into()], checks: vec!["test".into()] });
    let cases = [
        ("failing", json!({}), true),
        ("failing, and not before", json!({ "base": "passed" }), true),
        ("failing, and nobody knows whether before", json!({ "base": "unknown" }), true),
        ("failing before", json!({ "base": "failed" }), false),
        ("out of time", json!({ "state": "timed_out", "exit_code": null }), true),
        ("killed", json!({ "state": "killed", "exit_code": null }), true),
        ("not found", json!({ "state": "not_found", "exit_code": 127, "base": "unknown" }), false),
        ("not found any more", json!({ "state": "not_found", "exit_code": 127, "base": "passed" }), true),
        ("skipped", json!({ "state": "skipped", "exit_code": null, "reason": "untrusted" }), false),
        ("not repaired by a round that changed nothing", json!({ "reason": "the repair changed nothing" }), false),
    ];
    for (name, fields, is_repaired) in cases {
        let expected = if is_repaired { repair.clone() } else { Next::Phase(REVIEW) };
        assert_eq!(next(&failing(fields)), expected, "{name}");
    }
    let mut again = failing(json!({}));
    for (rounds, expected) in [(1, repair.clone()), (2, Next::Phase(REVIEW)), (3, Next::Phase(REVIEW))] {
        again.repair_rounds = rounds;
        assert_eq!(next(&again), expected, "after {rounds}");
    }
    let mut unchanged = failing(json!({}));
    unchanged.report.as_mut().unwrap().results[0].changes.clear();
    assert_eq!(next(&unchanged), Next::Phase(REVIEW), "nobody changed anything");
    assert_eq!(next_phase(&failing(json!({})), &policy(), now()), Next::Phase(REVIEW), "the check is not set any more");
}

#[test]
fn a_repair_round_that_was_begun_is_entered_and_done() {
    let mut memory = checked(json!([said("test", json!({ "state": "failed" })), said("lint", json!({}))]));
    memory.round = Some(from(json!({ "n": 2, "kind": "repair", "tasks": ["T2"] })));
    assert_eq!(next_phase(&memory, &with_checks(), now()), Next::EnterRound);
    let report = memory.report.as_mut().unwrap();
    (report.round, report.checks) = (2, Vec::new());
    report.results.retain(|result| result.task_id != "T2");
    assert_eq!(next_phase(&memory, &with_checks(), now()), Next::Phase(IMPLEMENT));
}
