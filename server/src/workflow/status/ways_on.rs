//! The ways on from a situation: what a person can do now, in the order in which most will want it, each with the very
//! command of the language server and of the command line.

use serde::Serialize;
use serde_json::{Value, json};

use super::situation::{Facts, Situation};
use crate::contracts::{CheckResult, Issue, RepoPath};
use crate::memory::FileFaults;
use crate::workflow::decide::next::Next;
use crate::workflow::gate::skipped::{check_finished, skipped};
use crate::workflow::run::events::FailureCause;

/// One way on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WayOn {
    /// What it is.
    pub id: WayOnId,
    /// The words of a button.
    pub title: &'static str,
    /// The command of the language server; null where it is the client's own affair.
    pub command: Option<&'static str>,
    /// The command's argument, where it has one.
    pub arguments: Option<Value>,
    /// The command line, where there is one.
    pub cli: Option<String>,
}

/// What a way on is, in the words of `status --json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WayOnId {
    /// Begin a workflow.
    Start,
    /// Approve the plan.
    Approve,
    /// Have the plan changed.
    Revise,
    /// Edit the plan, or the file that breaks its contract.
    Edit,
    /// Reject the plan.
    Reject,
    /// Stop the run.
    Cancel,
    /// Continue from where it stands.
    Resume,
    /// Try again what failed.
    Retry,
    /// Fix the open issues.
    Fix,
    /// Have another plan made.
    RePlan,
    /// Take the work as it is.
    Accept,
    /// Show what was changed.
    ShowChanges,
    /// Undo what was changed.
    Undo,
    /// Undo the last undo.
    BringBack,
    /// Set another key.
    SetKey,
    /// Allow more than the budget.
    AllowMore,
    /// Let the checks run, or take over what was sealed before the project was moved.
    Trust,
    /// Save files.
    Save,
    /// Set the workflow aside.
    Reset,
}

use WayOnId as Id;

impl WayOnId {
    fn way(self, title: &'static str, command: Option<&'static str>, cli: Option<&str>) -> WayOn {
        WayOn { id: self, title, command, arguments: None, cli: cli.map(str::to_owned) }
    }
}

impl WayOn {
    fn with(self, arguments: Value) -> Self {
        Self { arguments: Some(arguments), ..self }
    }
}

/// The ways on from a situation.
pub(crate) fn ways_on(situation: &Situation, facts: &Facts<'_>) -> Vec<WayOn> {
    let mut ways = match situation {
        Situation::Fresh => vec![start()],
        Situation::Ready => vec![Id::Start.way("Start", Some("baton.workflow"), Some("baton run"))],
        // The answer to a plan needs no run.
        Situation::Running { is_base_review: true, .. } if *facts.next == Next::Gate => {
            let answers = gate_answers(facts).into_iter().filter(|way| way.id != Id::Revise);
            answers.chain([cancel()]).collect()
        }
        Situation::Running { .. } | Situation::WaitingForNetwork { .. } => vec![cancel()],
        Situation::WaitingForSave { files, .. } => {
            let save = Id::Save.way("Save", None, None).with(json!({ "files": files }));
            vec![save, cancel()]
        }
        Situation::Gate => gate(facts),
        Situation::FaultyPlan => faulty_plan(facts),
        Situation::Faulty => {
            let edit = Id::Edit.way("Open the File", None, None);
            let edit = facts.faulty.map_or_else(|| edit.clone(), |faulty| edit.clone().with(place(faulty)));
            [vec![edit], changes(facts), vec![reset()]].concat()
        }
        Situation::Paused | Situation::Interrupted { .. } | Situation::Cancelled { .. } => {
            let resume = Id::Resume.way("Resume", Some("baton.workflow"), Some("baton run"));
            let is_reviewed = matches!(facts.next, Next::Fix(_) | Next::RePlan);
            let accept = is_reviewed.then(accept).into_iter().collect();
            [vec![resume], accept, changes(facts), vec![reset()]].concat()
        }
        Situation::Failed { cause, .. } => {
            let key = (*cause == Some(FailureCause::Key)).then(|| Id::SetKey.way("Set API Key", None, None));
            key.into_iter().chain([retry()]).chain(changes(facts)).chain([reset()]).collect()
        }
        Situation::TasksFailed { .. } => [vec![retry()], changes(facts), vec![re_plan(), reset()]].concat(),
        Situation::BudgetSpent { .. } => {
            let cli = if facts.has_token_budget { ALLOW_MORE_OF_BOTH } else { ALLOW_MORE };
            let more = Id::AllowMore.way("Allow More", Some("baton.workflow"), Some(cli));
            let more = more.with(json!({ "allowMore": true }));
            [vec![more], changes(facts), vec![reset()]].concat()
        }
        Situation::Escalated { .. } => {
            [vec![accept()], fix(facts.memory.fixable_issues()), vec![re_plan()], changes(facts), vec![reset()]]
                .concat()
        }
        Situation::Merged => [changes(facts), fix(facts.memory.fixable_issues()), vec![start()]].concat(),
        Situation::RolledBack => {
            let again = if *facts.next == Next::Gate { gate_answers(facts) } else { Vec::new() };
            [vec![bring_back()], again, vec![start_over_or_anew(facts)]].concat()
        }
        Situation::Rejected => {
            [vec![re_plan()], changes(facts), fix(facts.memory.fixable_issues()), vec![start()]].concat()
        }
    };
    if facts.written.can_bring_back && facts.live.is_none() && ways.iter().all(|way| way.id != Id::BringBack) {
        ways.push(bring_back());
    }
    let is_asked = ways.iter().any(|way| way.id == Id::Trust);
    if facts.live.is_none() && !is_asked {
        ways.extend(trust(facts).or_else(|| remember(situation, facts)));
    }
    if facts.is_moved && facts.live.is_none() {
        ways.push(Id::Trust.way("Take Over After the Move", None, Some("baton trust --moved")));
    }
    ways
}

/// How more is allowed on the command line; a budget in tokens is a setting alone.
const ALLOW_MORE: &str = "baton run --budget …";
const ALLOW_MORE_OF_BOTH: &str = "BATON_BUDGET_TOKENS=… baton run --budget …";

fn start() -> WayOn {
    Id::Start.way("Start", Some("baton.workflow"), Some("baton run \"…\""))
}

fn start_over_or_anew(facts: &Facts<'_>) -> WayOn {
    if *facts.next == Next::Merged { start() } else { reset() }
}

fn cancel() -> WayOn {
    Id::Cancel.way("Cancel", Some("baton.cancel"), Some("Ctrl-C where it runs"))
}

fn retry() -> WayOn {
    Id::Retry.way("Try Again", Some("baton.workflow"), Some("baton run"))
}

fn reset() -> WayOn {
    Id::Reset.way("Start Over", Some("baton.reset"), Some("baton reset"))
}

fn bring_back() -> WayOn {
    Id::BringBack
        .way("Bring It Back", Some("baton.rollback"), Some("baton rollback --undo"))
        .with(json!({ "undo": true }))
}

fn accept() -> WayOn {
    Id::Accept.way("Accept as Is", Some("baton.accept"), Some("baton accept"))
}

fn re_plan() -> WayOn {
    Id::RePlan.way("Plan Again", Some("baton.plan"), Some("baton plan --feedback \"…\""))
}

/// What can be done about what agents wrote; nothing where nothing of it stands.
fn changes(facts: &Facts<'_>) -> Vec<WayOn> {
    if facts.written.files == 0 {
        return Vec::new();
    }
    vec![
        Id::ShowChanges.way("Show Changes", Some("baton.diff"), Some("baton diff")),
        Id::Undo.way("Undo", Some("baton.rollback"), Some("baton rollback")),
    ]
}

/// Work on all of these issues that can be fixed.
pub(super) fn fix<'a>(open: impl Iterator<Item = &'a Issue>) -> Vec<WayOn> {
    let can_be_fixed =
        |issue: &Issue| RepoPath::parse(&issue.file).is_ok() || !issue.is_placed() && issue.task_id.is_some();
    let ids: Vec<&str> =
        open.filter(|issue| can_be_fixed(issue) && !issue.id.is_empty()).map(|issue| issue.id.as_str()).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let title = if ids.len() == 1 { "Fix the Issue" } else { "Fix the Issues" };
    let cli = format!("baton run --fix {}", ids.join(","));
    vec![Id::Fix.way(title, Some("baton.fixIssue"), Some(&cli)).with(json!({ "ids": ids }))]
}

fn gate(facts: &Facts<'_>) -> Vec<WayOn> {
    [gate_answers(facts), changes(facts)].concat()
}

/// The answers to the plan at hand; an approval names it.
fn gate_answers(facts: &Facts<'_>) -> Vec<WayOn> {
    let Some(plan) = &facts.memory.plan else { return Vec::new() };
    let approve = Id::Approve.way("Approve", Some("baton.approve"), Some("baton approve"));
    let first = plan.plan.task_ids().next().map(|id| json!({ "task": id }));
    let edit = Id::Edit.way("Edit Plan", Some("baton.openTask"), None);
    let first_answer = approve.with(json!({ "planSha256": plan.sha256 }));
    let rest = [
        Id::Revise.way("Ask for Changes", Some("baton.plan"), Some("baton plan --feedback \"…\"")),
        WayOn { arguments: first, ..edit },
        Id::Reject.way("Reject", Some("baton.reject"), Some("baton reject")),
    ];
    [first_answer].into_iter().chain(facts.checks.approval(&plan.sha256).map(approve_with_checks)).chain(rest).collect()
}

/// Approve, and say yes to the checks.
fn approve_with_checks((title, arguments): (&'static str, Value)) -> WayOn {
    Id::Trust.way(title, Some("baton.approve"), Some("baton trust && baton approve")).with(arguments)
}

/// Say yes to the checks outside of a gate, or run those that were skipped for want of it.
fn trust(facts: &Facts<'_>) -> Option<WayOn> {
    let is_trusted = |skipped: &CheckResult| {
        facts.checks.set.iter().any(|set| set.trusted && set.name == skipped.name && set.command == skipped.command)
    };
    let title = match facts.checks.untrusted().count() {
        0 if check_finished(facts.memory).is_ok() && skipped(facts.memory).any(is_trusted) => "Run the Checks",
        0 => return None,
        1 => "Trust the Check…",
        _ => "Trust the Checks…",
    };
    Some(Id::Trust.way(title, Some("baton.trust"), Some("baton trust")))
}

/// Have what the workspace shows remembered as checks, once work was approved without any.
fn remember(situation: &Situation, facts: &Facts<'_>) -> Option<WayOn> {
    let has_results = facts.memory.report.iter().any(|report| !report.checks.is_empty());
    let title = match facts.checks.offered.len() {
        _ if *situation != Situation::Merged || has_results => return None,
        0 => return None,
        1 => "Remember the Check…",
        _ => "Remember the Checks…",
    };
    Some(Id::Trust.way(title, Some("baton.trust"), Some("baton trust")))
}

/// Where a file breaks its contract first.
fn place(faulty: &FileFaults) -> Value {
    let first = faulty.faults.first().map(|fault| fault.position);
    let (line, column) = first.map_or((1, 1), |position| (position.line, position.column));
    json!({ "file": faulty.file, "line": line, "column": column })
}

fn faulty_plan(facts: &Facts<'_>) -> Vec<WayOn> {
    let mut edit = Id::Edit.way("Edit Plan", None, None);
    if let Some(faulty) = &facts.memory.faulty_plan {
        edit = edit.with(place(&faulty.faults));
    }
    let revise = Id::Revise.way("Ask for Changes", Some("baton.plan"), Some("baton plan --feedback \"…\""));
    let reject = Id::Reject.way("Reject", Some("baton.reject"), Some("baton reject"));
    [vec![edit, revise, reject], changes(facts), vec![reset()]].concat()
}
