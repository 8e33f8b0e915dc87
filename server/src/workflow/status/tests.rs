//! The table: each situation a workflow can be in × what is said of it × the ways on from it.

use std::fmt::Write as _;

use expect_test::expect;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::report::Status;
use super::rows::{phase_rows, task_rows};
use super::situation::{Facts, Live, Situation};
use super::states::{NextStep, PhaseState};
use super::ways_on::{WayOnId, ways_on};
use super::words::Telling;
use crate::contracts::{FileKeys, JsonText, Usage};
use crate::memory::{FaultyPlan, FileFaults, LoadedPlan, Memory};
use crate::workflow::changes::written::Written;
use crate::workflow::decide::next::next_phase;
use crate::workflow::run::events::PhaseEvent;
use crate::workflow::run::phase::Policy;
use crate::workflow::{Phases, fixture};

const RUN: &str = "20261127T120000-aaaa";
const NOW: &str = "2026-11-27T12:00:00Z";

fn from<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// One case of the table.
#[derive(Default)]
struct Case {
    memory: Memory,
    events: Vec<Value>,
    is_live: bool,
    is_base_review: bool,
    is_faulty: bool,
    is_moved: bool,
    written: Written,
}

/// What came of a case: as text, and as a face is given it.
struct Told {
    text: String,
    status: Status,
}

impl Case {
    fn tell(&self) -> Told {
        let phases: Phases = fixture::phases();
        let policy = Policy {
            phases: phases.clone(),
            context_staleness: jiff::SignedDuration::from_hours(4),
            max_review_cycles: 3,
        };
        let next = next_phase(&self.memory, &policy, now());
        let events: Vec<PhaseEvent> = self.events.iter().enumerate().map(|(at, event)| event_of(at, event)).collect();
        let events: Vec<&PhaseEvent> = events.iter().collect();
        let live = self.is_live.then(|| Live { run: RUN, events: events.clone(), is_base_review: self.is_base_review });
        let of_workflow = if self.is_base_review { Vec::new() } else { events };
        let facts = Facts {
            memory: &self.memory,
            is_faulty: self.is_faulty,
            next: &next,
            events: &of_workflow,
            live,
            written: self.written,
            is_moved: self.is_moved,
        };
        let situation = Situation::of(&facts);
        let tasks = task_rows(&facts);
        let telling = Telling {
            phases: &phases,
            gate: None,
            tasks: (tasks.iter().filter(|task| task.status.to_string() == "completed").count(), tasks.len()),
            staleness_hours: 4.0,
            fault: (self.is_faulty || self.memory.faulty_plan.is_some())
                .then(|| "plan.json:3:5: it is wrong".to_owned()),
        };
        let headline = situation.headline(&facts, &telling);
        assert!(headline.chars().count() <= 40, "{headline}");
        let mut text = String::new();
        let outcome = situation.outcome(&facts).map_or("-".to_owned(), |outcome| outcome.to_string());
        writeln!(text, "{} | {outcome} | {headline}", situation.word()).unwrap();
        writeln!(text, "{}", situation.summary(&facts, &telling)).unwrap();
        let rows: Vec<super::rows::PhaseStatus> = phase_rows(&phases, &situation, &facts, now());
        let begun = rows.iter().filter(|row| row.status != PhaseState::Pending);
        let of_phase = |row: &super::rows::PhaseStatus| {
            let tone = serde_json::to_value(row.tone).unwrap();
            format!("{} {} ({})", row.phase, row.status, tone.as_str().unwrap())
        };
        writeln!(text, "{}", begun.map(of_phase).collect::<Vec<_>>().join(", ")).unwrap();
        let ways = ways_on(&situation, &facts);
        let status = Status {
            run: (!self.events.is_empty()).then(|| RUN.to_owned()),
            workflow: None,
            task: self.memory.task.clone(),
            state: situation.word(),
            headline,
            summary: situation.summary(&facts, &telling),
            outcome: situation.outcome(&facts),
            phases: rows,
            tasks,
            issues: Vec::new(),
            gate: None,
            notes: Vec::new(),
            checks: Vec::new(),
            sandbox: None,
            faults: Vec::new(),
            usage: Usage::default(),
            run_usage: Usage::default(),
            next: NextStep::from(&next),
            ways_on: ways.clone(),
            warnings: Vec::new(),
        };
        for way in ways {
            let id = serde_json::to_value(way.id).unwrap();
            let arguments = way.arguments.map(|arguments| format!(" {arguments}")).unwrap_or_default();
            let command = way.command.unwrap_or("-");
            let cli = way.cli.unwrap_or_else(|| "-".to_owned());
            writeln!(text, "  {}: {command}{arguments} | {cli}", id.as_str().unwrap()).unwrap();
        }
        Told { text, status }
    }
}

/// An event written as `"implement started T1: message"`, or as an object that adds to it.
fn event_of(at: usize, event: &Value) -> PhaseEvent {
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

fn written(files: usize) -> Written {
    Written { files, ..Written::default() }
}

const ROLLED_BACK: Written = Written { files: 0, can_bring_back: true, ends_with_rollback: true };

fn events(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| json!(text)).collect()
}

fn cases() -> Vec<(&'static str, Case)> {
    let at_gate = || events(&["plan started", "plan waiting: The plan waits", "workflow cancelled: Stopped."]);
    let failed = |cause: Value| {
        let error = json!({ "kind": "model", "message": "it failed", "cause": cause });
        vec![
            json!("context started"),
            json!({ "event": "context failed: it failed", "error": error }),
            json!({ "event": "workflow failed: it failed", "error": error, "outcome": "failed" }),
        ]
    };
    let budget = json!({ "kind": "budget", "message": "the budget is spent" });
    let faulty = || FaultyPlan {
        sha256: "00".into(),
        faults: FileFaults {
            file: ".agent_memory/plan.json".into(),
            faults: vec![JsonText::new("{\n\n    \"a\": 1\n}").fault("schema", "/a".to_owned(), "it is wrong")],
        },
    };
    let stopped = || {
        events(&["context started", "context done", "plan started", "plan cancelled", "workflow cancelled: Stopped."])
    };
    let implementing = |last: &[Value]| {
        let begin = ["implement started", "implement started T1: T1", "implement started T2: T2"];
        [events(&begin), last.to_vec()].concat()
    };
    let merged_and = |written: Written| Case { memory: reviewed("merge", "approved", 0), written, ..Case::default() };
    let live =
        |memory: Memory, texts: &[&str]| Case { memory, events: events(texts), is_live: true, ..Case::default() };
    vec![
        ("fresh", Case::default()),
        ("a task", Case { memory: with_task(), ..Case::default() }),
        ("context stale", Case { memory: with_context("2026-11-27T07:59:59Z"), ..Case::default() }),
        ("gate", Case { memory: with_plan(1), events: at_gate(), ..Case::default() }),
        ("gate after feedback", Case { memory: with_plan(2), written: written(3), ..Case::default() }),
        ("gate, live", live(with_plan(1), &["plan started", "plan waiting: The plan waits"])),
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
            "waiting for a save",
            Case {
                events: implementing(&[
                    json!({ "event": "implement waiting T1: waits for you to save a.rs", "files": ["a.rs"] }),
                ]),
                ..live(answered("approved"), &[])
            },
        ),
        (
            "waiting for the network",
            Case {
                events: implementing(&[json!({
                    "event": "implement progress T1: rate limit", "error": { "kind": "model", "message": "rate limit (429)" }
                })]),
                ..live(answered("approved"), &[])
            },
        ),
        (
            "interrupted",
            Case { memory: with_context(NOW), events: events(&["context done", "plan started"]), ..Case::default() },
        ),
        ("cancelled", Case { memory: with_context(NOW), events: stopped(), ..Case::default() }),
        (
            "cancelled in implement",
            Case {
                memory: with_report(&[("T1", "completed")]),
                events: events(&["implement started", "implement cancelled", "workflow cancelled: Stopped."]),
                written: written(1),
                ..Case::default()
            },
        ),
        ("failed by the model", Case { memory: with_task(), events: failed(json!("network")), ..Case::default() }),
        ("failed by the key", Case { memory: with_task(), events: failed(json!("key")), ..Case::default() }),
        (
            "failed by a task",
            Case {
                memory: with_report(&[("T1", "completed"), ("T2", "blocked")]),
                written: written(1),
                ..Case::default()
            },
        ),
        (
            "failed by budget",
            Case {
                memory: with_context(NOW),
                events: vec![
                    json!("plan started"),
                    json!({ "event": "plan failed: the budget is spent", "error": budget }),
                    json!({
                        "event": "workflow waiting: the budget is spent", "error": budget, "outcome": "escalated"
                    }),
                ],
                ..Case::default()
            },
        ),
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
        ("merged", merged_and(written(1))),
        (
            "merged, with an issue",
            Case { memory: reviewed("merge", "approved", 1), written: written(1), ..Case::default() },
        ),
        ("merged, wholly rolled back file by file", merged_and(ROLLED_BACK)),
        ("merged, partly rolled back", merged_and(Written { can_bring_back: true, ..written(1) })),
        ("wholly rolled back", Case { memory: with_plan(1), written: ROLLED_BACK, ..Case::default() }),
        ("rejected", Case { memory: answered("rejected"), events: at_gate(), ..Case::default() }),
        ("rejected after a round", Case { memory: answered("rejected"), written: written(2), ..Case::default() }),
        (
            "broken plan",
            Case { memory: Memory { faulty_plan: Some(faulty()), ..with_context(NOW) }, ..Case::default() },
        ),
        ("another broken file", Case { memory: with_plan(1), is_faulty: true, ..Case::default() }),
        ("moved project", Case { memory: with_plan(1), is_moved: true, ..Case::default() }),
        (
            "a review against a base at work beside a merged workflow",
            Case { is_live: true, is_base_review: true, events: events(&["review started"]), ..merged_and(written(1)) },
        ),
    ]
}

/// The status in each situation, for the tests of the faces, which draw each of them.
pub(crate) fn situations() -> Vec<(&'static str, Status)> {
    cases().into_iter().map(|(name, case)| (name, case.tell().status)).collect()
}

#[test]
fn the_table_of_situations() {
    let table: String = cases().iter().map(|(name, case)| format!("## {name}\n{}\n", case.tell().text)).collect();
    expect![[r###"
        ## fresh
        fresh | - | no task yet
        There is no task yet.

          start: baton.workflow | baton run --task "…"

        ## a task
        ready | - | ready to start
        The task is written, and nothing has begun.

          start: baton.workflow | baton run

        ## context stale
        paused | - | can go on
        The context is older than 4 h, and is gathered anew first.
        context done (good)
          resume: baton.workflow | baton run
          reset: baton.reset | baton reset

        ## gate
        gate | waiting | plan waits for you
        The plan (version 1, 2 tasks) waits for your answer; nothing of it is written before.
        context done (good), plan waiting (warning)
          approve: baton.approve {"planSha256":"abc"} | baton approve
          revise: baton.plan | baton plan --feedback "…"
          edit: baton.openTask {"task":"T1"} | -
          reject: baton.reject | baton reject

        ## gate after feedback
        gate | waiting | plan waits for you
        The plan (version 2, 2 tasks) waits for your answer; nothing of it is written before. 3 files that were changed before stand.
        context done (good), plan waiting (warning)
          approve: baton.approve {"planSha256":"abc"} | baton approve
          revise: baton.plan | baton plan --feedback "…"
          edit: baton.openTask {"task":"T1"} | -
          reject: baton.reject | baton reject
          show_changes: baton.diff | baton diff
          undo: baton.rollback | baton rollback

        ## gate, live
        gate | - | plan waits for you
        The plan (version 1, 2 tasks) waits for your answer; nothing of it is written before.
        context done (good), plan waiting (warning)
          approve: baton.approve {"planSha256":"abc"} | baton approve
          revise: baton.plan | baton plan --feedback "…"
          edit: baton.openTask {"task":"T1"} | -
          reject: baton.reject | baton reject

        ## running context
        running | - | context
        Gathering context is at work.
        context running (neutral)
          cancel: baton.cancel | Ctrl-C where it runs

        ## running plan
        running | - | plan
        The plan is being made.
        context done (good), plan running (neutral)
          cancel: baton.cancel | Ctrl-C where it runs

        ## running implement
        running | - | implement 0/2
        The implementation is at work: 0 of 2 tasks done.
        context done (good), plan done (good), implement running (neutral)
          cancel: baton.cancel | Ctrl-C where it runs

        ## running review
        running | - | review
        The review is at work.
        context done (good), plan done (good), implement done (good), review running (neutral)
          cancel: baton.cancel | Ctrl-C where it runs

        ## waiting for a save
        waiting_for_save | - | waits for you to save a.rs
        T1 waits for you to save a.rs: what is there unsaved is never overwritten.
        context done (good), plan done (good), implement running (neutral)
          save: - {"files":["a.rs"]} | -
          cancel: baton.cancel | Ctrl-C where it runs

        ## waiting for the network
        waiting_for_network | - | waits for the model
        rate limit (429)
        context done (good), plan done (good), implement running (neutral)
          cancel: baton.cancel | Ctrl-C where it runs

        ## interrupted
        interrupted | - | interrupted
        The run was interrupted in plan. No file was written.
        context done (good), plan interrupted (warning)
          resume: baton.workflow | baton run
          reset: baton.reset | baton reset

        ## cancelled
        cancelled | cancelled | stopped
        Stopped in plan. No file was written. Your edits are intact.
        context done (good), plan cancelled (warning)
          resume: baton.workflow | baton run
          reset: baton.reset | baton reset

        ## cancelled in implement
        cancelled | cancelled | stopped
        Stopped in implement. T1 written (1 file); T2 touched nothing. Your edits are intact.
        context done (good), plan done (good), implement cancelled (warning)
          resume: baton.workflow | baton run
          show_changes: baton.diff | baton diff
          undo: baton.rollback | baton rollback
          reset: baton.reset | baton reset

        ## failed by the model
        failed | failed | failed: no answer from the model
        it failed
        context failed (error)
          retry: baton.workflow | baton run
          reset: baton.reset | baton reset

        ## failed by the key
        failed | failed | failed: the key is refused
        it failed
        context failed (error)
          set_key: - | -
          retry: baton.workflow | baton run
          reset: baton.reset | baton reset

        ## failed by a task
        failed | failed | T2 did not end well
        T2 is blocked: no way
        context done (good), plan done (good), implement done (good)
          retry: baton.workflow | baton run
          show_changes: baton.diff | baton diff
          undo: baton.rollback | baton rollback
          re_plan: baton.plan | baton plan --feedback "…"
          reset: baton.reset | baton reset

        ## failed by budget
        escalated | escalated | budget spent
        the budget is spent
        context done (good), plan interrupted (warning)
          allow_more: baton.workflow {"allowMore":true} | BATON_BUDGET_USD=… baton run
          reset: baton.reset | baton reset

        ## escalated by review
        escalated | escalated | needs you, 2 issues
        A person is needed: sum
        context done (good), plan done (good), implement done (good), review done (warning)
          accept: baton.accept | baton accept
          fix: baton.fixIssue {"ids":["i1","i2"]} | baton run --fix i1,i2
          re_plan: baton.plan | baton plan --feedback "…"
          show_changes: baton.diff | baton diff
          undo: baton.rollback | baton rollback
          reset: baton.reset | baton reset

        ## escalated by cycles
        escalated | escalated | needs you, 1 issue
        A person is needed: 3 reviews without an approval (max_review_cycles is 3); the last one says: sum
        context done (good), plan done (good), implement done (good), review done (warning)
          accept: baton.accept | baton accept
          fix: baton.fixIssue {"ids":["i1"]} | baton run --fix i1
          re_plan: baton.plan | baton plan --feedback "…"
          show_changes: baton.diff | baton diff
          undo: baton.rollback | baton rollback
          reset: baton.reset | baton reset

        ## a fix comes next
        paused | - | can go on
        A round that fixes 1 issue comes next.
        context done (good), plan done (good), implement done (good), review done (warning)
          resume: baton.workflow | baton run
          accept: baton.accept | baton accept
          reset: baton.reset | baton reset

        ## merged
        merged | merged | approved
        Approved. Changes are in your working tree; nothing was committed.
        context done (good), plan done (good), implement done (good), review done (good)
          show_changes: baton.diff | baton diff
          undo: baton.rollback | baton rollback
          start: baton.workflow | baton run --task "…"

        ## merged, with an issue
        merged | merged | approved, 1 issue
        Approved. Changes are in your working tree; nothing was committed. 1 issue is left.
        context done (good), plan done (good), implement done (good), review done (good)
          show_changes: baton.diff | baton diff
          undo: baton.rollback | baton rollback
          fix: baton.fixIssue {"ids":["i1"]} | baton run --fix i1
          start: baton.workflow | baton run --task "…"

        ## merged, wholly rolled back file by file
        rolled_back | rolled_back | undone
        All that the workflow wrote is undone.
        context done (good), plan done (good), implement done (good), review done (good)
          bring_back: baton.rollback {"undo":true} | baton rollback --undo
          start: baton.workflow | baton run --task "…"

        ## merged, partly rolled back
        merged | merged | approved
        Approved. Changes are in your working tree; nothing was committed.
        context done (good), plan done (good), implement done (good), review done (good)
          show_changes: baton.diff | baton diff
          undo: baton.rollback | baton rollback
          start: baton.workflow | baton run --task "…"
          bring_back: baton.rollback {"undo":true} | baton rollback --undo

        ## wholly rolled back
        rolled_back | rolled_back | undone
        All that the workflow wrote is undone. Its plan waits for your answer again.
        context done (good), plan waiting (warning)
          bring_back: baton.rollback {"undo":true} | baton rollback --undo
          approve: baton.approve {"planSha256":"abc"} | baton approve
          revise: baton.plan | baton plan --feedback "…"
          edit: baton.openTask {"task":"T1"} | -
          reject: baton.reject | baton reject
          reset: baton.reset | baton reset

        ## rejected
        rejected | rejected | plan rejected
        The plan was rejected; nothing was written.
        context done (good), plan done (warning)
          re_plan: baton.plan | baton plan --feedback "…"
          start: baton.workflow | baton run --task "…"

        ## rejected after a round
        rejected | rejected | plan rejected
        The plan was rejected. The 2 files that were changed before stand.
        context done (good), plan done (warning)
          re_plan: baton.plan | baton plan --feedback "…"
          show_changes: baton.diff | baton diff
          undo: baton.rollback | baton rollback
          start: baton.workflow | baton run --task "…"

        ## broken plan
        faulty | waiting | plan has faults
        plan.json:3:5: it is wrong. Nothing goes on until that is fixed.
        context done (good), plan waiting (warning)
          edit: - {"file":".agent_memory/plan.json","line":3,"column":10} | -
          revise: baton.plan | baton plan --feedback "…"
          reject: baton.reject | baton reject
          reset: baton.reset | baton reset

        ## another broken file
        faulty | - | a file has faults
        plan.json:3:5: it is wrong. Nothing goes on until that is fixed.
        context done (good), plan waiting (warning)
          edit: - | -
          reset: baton.reset | baton reset

        ## moved project
        gate | waiting | plan waits for you
        The plan (version 1, 2 tasks) waits for your answer; nothing of it is written before.
        context done (good), plan waiting (warning)
          approve: baton.approve {"planSha256":"abc"} | baton approve
          revise: baton.plan | baton plan --feedback "…"
          edit: baton.openTask {"task":"T1"} | -
          reject: baton.reject | baton reject
          trust: - | baton trust --moved

        ## a review against a base at work beside a merged workflow
        running | - | reviewing
        The working tree is being reviewed.
        context done (good), plan done (good), implement done (good), review done (good)
          cancel: baton.cancel | Ctrl-C where it runs

    "###]].assert_eq(&table);
}

/// The same table for the tests of the editors' clients, which draw each of its rows.
#[test]
fn the_table_as_the_clients_are_given_it() {
    let rows: Vec<Value> =
        situations().iter().map(|(name, status)| json!({ "name": name, "status": status })).collect();
    let text = format!("{}\n", serde_json::to_string_pretty(&rows).unwrap());
    expect_test::expect_file!["../../../../tests/fixtures/situations.json"].assert_eq(&text);
}

/// What every face relies on.
#[test]
fn the_ways_on_of_each_situation_are_distinct_and_lead_somewhere() {
    for (name, case) in cases() {
        let Status { ways_on: ways, summary, .. } = case.tell().status;
        let ids: Vec<WayOnId> = ways.iter().map(|way| way.id).collect();
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{name} has {id:?} twice");
        }
        let can_be_done = ways.iter().any(|way| way.command.is_some() || way.cli.is_some());
        assert!(can_be_done, "{name} is a dead end");
        let can_undo = ids.contains(&WayOnId::Undo);
        assert_eq!(can_undo, case.written.files > 0 && !case.is_live && !case.is_faulty, "{name}: {ids:?}");
        assert!(!summary.contains("`baton") && !summary.contains("baton."), "{name} names a command: {summary}");
    }
}
