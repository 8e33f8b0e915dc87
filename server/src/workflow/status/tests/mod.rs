//! The table: each situation a workflow can be in × what is said of it × the ways on from it.

mod cases;

use std::fmt::Write as _;

use expect_test::expect_file;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::proof::{CheckRow, CriterionStatus, sandbox};
use super::report::Status;
use super::rows::{PhaseStatus, TaskStanding, phase_rows, task_rows};
use super::situation::{Facts, Live, Situation};
use super::states::{NextStep, PhaseState};
use super::ways_on::{WayOnId, ways_on};
use super::words::Telling;
use crate::contracts::{CheckResult, CriterionState, RepoPath, Usage};
use crate::memory::Memory;
use crate::workflow::decide::next::next_phase;
use crate::workflow::run::events::PhaseEvent;
use crate::workflow::run::phase::Policy;
use crate::workflow::{Phases, fixture};
use cases::{Case, NOW, RUN, broken_review, cases, event_of};

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn policy() -> Policy {
    let context_staleness = jiff::SignedDuration::from_hours(4);
    Policy {
        phases: fixture::phases(),
        context_staleness,
        max_review_cycles: 3,
        checks: Vec::new(),
        max_repair_rounds: 2,
    }
}

/// What came of a case: as text, and as a face is given it.
struct Told {
    text: String,
    status: Status,
}

impl Case {
    fn tell(&self) -> Told {
        let phases: Phases = fixture::phases();
        let next = next_phase(&self.memory, &policy(), now());
        let events: Vec<PhaseEvent> = self.events.iter().enumerate().map(|(at, event)| event_of(at, event)).collect();
        let events: Vec<&PhaseEvent> = events.iter().collect();
        let live = self.is_live.then(|| Live { run: RUN, events: events.clone(), is_base_review: self.is_base_review });
        let broken = broken_review();
        let of_workflow = if self.is_base_review { Vec::new() } else { events.clone() };
        let criteria = self.memory.criteria();
        let facts = Facts {
            memory: &self.memory,
            changed_since: self.changed_since,
            criteria,
            faulty: self.is_faulty.then_some(&broken),
            next: &next,
            events: &of_workflow,
            live,
            written: self.written,
            has_token_budget: false,
            is_moved: self.is_moved,
            checks: &self.checks,
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
        writeln!(text, "{} | {outcome} | {headline}", situation.state()).unwrap();
        writeln!(text, "{}", situation.summary(&facts, &telling)).unwrap();
        let rows: Vec<PhaseStatus> = phase_rows(&phases, &situation, &facts, now());
        writeln!(text, "{}", phase_line(&rows)).unwrap();
        let checks = checks_of(&self.memory, self.changed_since);
        text.push_str(&proof_lines(&checks, &tasks));
        let ways = ways_on(&situation, &facts);
        let status = Status {
            run: (!self.events.is_empty()).then(|| RUN.to_owned()),
            workflow: None,
            task: self.memory.task.clone(),
            state: situation.state(),
            headline,
            summary: situation.summary(&facts, &telling),
            outcome: situation.outcome(&facts),
            phases: rows,
            tasks,
            issues: Vec::new(),
            base_review: None,
            gate: None,
            notes: Vec::new(),
            checks,
            sandbox: sandbox(&self.memory, &events),
            review: None,
            faults: Vec::new(),
            usage: Usage::default(),
            run_usage: Usage::default(),
            is_recorded: false,
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

/// The phases that have begun.
fn phase_line(rows: &[PhaseStatus]) -> String {
    let begun = rows.iter().filter(|row| row.status != PhaseState::Pending);
    let of_phase = |row: &PhaseStatus| {
        let tone = serde_json::to_value(row.tone).unwrap();
        format!("{} {} ({})", row.phase, row.status, tone.as_str().unwrap())
    };
    begun.map(of_phase).collect::<Vec<_>>().join(", ")
}

/// The checks, with the log of each that has one.
fn checks_of(memory: &Memory, changed_since: usize) -> Vec<CheckRow> {
    let log = |log: &str| (!log.is_empty()).then(|| format!(".agent_memory/{log}"));
    let checks = memory.report.iter().flat_map(|report| &report.checks);
    let files = |check: &CheckResult| if check.is_skipped() { 0 } else { changed_since };
    let changed = |check| (1..=files(check)).map(|n| RepoPath::parse(&format!("src/{n}.rs")).unwrap()).collect();
    checks.map(|check| CheckRow::new(check.clone(), changed(check), log(&check.log))).collect()
}

fn proof_lines(checks: &[CheckRow], tasks: &[TaskStanding]) -> String {
    let of_checks = checks.iter().map(|row| format!("  check {}: {}\n", row.check.name, row.words));
    let of_task = |task: &TaskStanding| {
        let line = |criterion: &CriterionStatus| {
            let state = criterion.state.map_or("-", CriterionState::as_str);
            format!("  criterion {}.{}: {state}\n", task.id, criterion.n)
        };
        task.criteria.iter().map(line).collect::<String>()
    };
    of_checks.chain(tasks.iter().map(of_task)).collect()
}

/// The status in each situation, for the tests of the faces, which draw each of them.
pub(crate) fn situations() -> Vec<(&'static str, Status)> {
    cases().into_iter().map(|(name, case)| (name, case.tell().status)).collect()
}

#[test]
fn the_table_of_situations() {
    let table: String = cases().iter().map(|(name, case)| format!("## {name}\n{}\n", case.tell().text)).collect();
    expect_file!["situations.txt"].assert_eq(&table);
}

/// The same table for the tests of the editors' clients, which draw each of its rows.
#[test]
fn the_table_as_the_clients_are_given_it() {
    let rows: Vec<Value> =
        situations().iter().map(|(name, status)| json!({ "name": name, "status": status })).collect();
    let text = format!("{}\n", serde_json::to_string_pretty(&rows).unwrap());
    expect_file!["../../../../../tests/fixtures/situations.json"].assert_eq(&text);
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
