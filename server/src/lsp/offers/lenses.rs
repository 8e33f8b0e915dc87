//! Code lenses: offers for the plan and its tasks in plan.json, for the user's notes in plan.md, and for the review and its
//! issues in review.json.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_lsp::lsp_types::{CodeLens, Position, Range};

use super::offer::Offer;
use super::snapshot::Snapshot;
use crate::contracts::{
    BaseReview, Issue, JsonText, PlanNote, PlanOutput, RepoPath, ReviewOutput, RoundKind, Task, over_limit, plan_notes,
};
use crate::lsp::text::position::Text;
use crate::text::{count, revealed, short_line};
use crate::workflow::{IMPLEMENT, Next, WaitingChecks};

/// An offer above a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lens {
    /// The line, from 0.
    pub(crate) line: usize,
    /// The offer.
    pub(crate) offer: Offer,
}

impl Lens {
    /// The protocol's type, complete with its command.
    pub(crate) fn to_proto(&self) -> CodeLens {
        let start = Position { line: u32::try_from(self.line).unwrap_or(u32::MAX), character: 0 };
        let command = self.offer.command(self.offer.title.clone());
        CodeLens { range: Range { start, end: start }, command: Some(command), data: None }
    }
}

/// The lenses of a document, a file relative to the workspace root; none but on plan.json, plan.md and review.json.
///
/// What cannot be done now has no lens: a lens cannot be disabled.
pub(crate) fn lenses(snapshot: &Snapshot, file: &RepoPath, text: &Text) -> Vec<Lens> {
    if snapshot.is_plan(file) {
        of_plan(snapshot, text)
    } else if snapshot.is_review(file) || snapshot.is_handoff::<BaseReview>(file) {
        of_review(snapshot, text)
    } else if snapshot.is_plan_markdown(file) {
        of_notes(snapshot, text)
    } else {
        Vec::new()
    }
}

fn of_plan(snapshot: &Snapshot, text: &Text) -> Vec<Lens> {
    let Some(loaded) = &snapshot.memory.plan else { return Vec::new() };
    // An answer is for the saved plan, not for an unsaved text.
    if handoff::<PlanOutput>(text).as_ref() != Some(&loaded.plan) {
        return Vec::new();
    }
    let plan = &loaded.plan;
    let whole = |title: String, command| Offer::new(snapshot, title, command, Value::Null);
    // The answer names this plan: there may be another one by the time it is given.
    let approve = |title: String| Offer::new(snapshot, title, "baton.approve", json!({ "planSha256": loaded.sha256 }));
    let mut on_top = Vec::new();
    match snapshot.next {
        Next::Gate => {
            on_top.push(approve(format!("Approve plan ({})", after_approval(snapshot, plan))));
            let with_checks = snapshot.checks.approval(&loaded.sha256);
            on_top.extend(with_checks.map(|(title, answer)| {
                Offer::new(snapshot, with_commands(title, &snapshot.checks), "baton.approve", answer)
            }));
            on_top.push(whole("Reject plan".to_owned(), "baton.reject"));
        }
        Next::Rejected if snapshot.active_run.is_none() => {
            let tasks = count(plan.tasks.len(), "task");
            on_top.push(approve(format!("Approve the rejected plan ({tasks})")));
        }
        _ if snapshot.active_run.is_none() => {
            on_top.extend(remaining_work(snapshot, plan).map(|rest| whole(format!("Go on: {rest}"), "baton.workflow")));
        }
        _ => {}
    }
    let mut lenses: Vec<Lens> = on_top.into_iter().map(|offer| Lens { line: 0, offer }).collect();
    let json = JsonText::new(text.as_str());
    for (index, task) in plan.tasks.iter().enumerate() {
        let line = text.line_of(json.locate(&format!("/tasks/{index}/id")).start);
        lenses.extend(run_alone(snapshot, task, &loaded.sha256).map(|offer| Lens { line, offer }));
    }
    lenses
}

/// Send all notes, above each of them, and discard it.
fn of_notes(snapshot: &Snapshot, text: &Text) -> Vec<Lens> {
    // While a plan is being implemented it is not planned anew.
    if snapshot.active_run.is_some() && snapshot.next != Next::Gate {
        return Vec::new();
    }
    let notes = plan_notes(text.as_str(), snapshot.memory.plan.as_ref().map(|loaded| &loaded.plan));
    let all = notes.len();
    let send = match all {
        1 => "Send note to the planner".to_owned(),
        all => format!("Send all {all} notes to the planner"),
    };
    let of_note = |note: &PlanNote| {
        let send = Offer::new(snapshot, send.clone(), "baton.sendNotes", Value::Null);
        let discard = Offer::new(snapshot, "Discard note", "baton.discardNotes", json!({ "lines": [note.line] }));
        [send, discard].map(|offer| Lens { line: note.line as usize - 1, offer })
    };
    notes.iter().flat_map(of_note).collect()
}

/// `Approve and trust the check (cargo test)`
fn with_commands(title: &str, checks: &WaitingChecks) -> String {
    let untrusted = checks.untrusted().map(|check| &check.command);
    let commands = untrusted.chain(checks.offered.iter().map(|offer| &offer.command));
    let commands: Vec<String> = commands.map(|command| short_line(&revealed(command), 40)).collect();
    let (first, rest) = title.split_at(title.len().min(1));
    format!("{first}{} ({})", rest.to_lowercase(), commands.join(", "))
}

/// What is done after an approval.
fn after_approval(snapshot: &Snapshot, plan: &PlanOutput) -> String {
    match snapshot.memory.round.as_ref().filter(|round| round.kind == RoundKind::Fix) {
        Some(round) => format!("fix {}", count(round.issues.len(), "issue")),
        None => count(plan.tasks.len(), "task"),
    }
}

/// What is left to do of an approved plan when its run was stopped.
fn remaining_work(snapshot: &Snapshot, plan: &PlanOutput) -> Option<String> {
    match &snapshot.next {
        Next::Phase(IMPLEMENT) => {
            let approval = snapshot.memory.approval.as_ref()?;
            let is_left = |id: &&str| approval.covers(id) && !snapshot.memory.is_done(id);
            Some(format!("implement {}", count(plan.task_ids().filter(is_left).count(), "task")))
        }
        Next::Failed { tasks } => Some(format!("try {} again", tasks.join(", "))),
        // What judges the tasks follows on its own.
        Next::Phase(name) if snapshot.memory.approval.is_some() => Some(name.to_string()),
        _ => None,
    }
}

/// Run one task alone, when what it depends on is done.
fn run_alone(snapshot: &Snapshot, task: &Task, plan_sha256: &str) -> Option<Offer> {
    if !task.depends_on.iter().all(|needed| snapshot.memory.is_done(needed)) {
        return None;
    }
    let id = &task.id;
    match snapshot.next {
        Next::Gate if !snapshot.memory.is_done(id) => {
            let title = format!("Approve and run {id} only");
            let answer = json!({ "tasks": [id], "planSha256": plan_sha256 });
            Some(Offer::new(snapshot, title, "baton.approve", answer))
        }
        Next::Gate | Next::Rejected => None,
        _ if snapshot.active_run.is_some() => None,
        _ => {
            let title = if snapshot.memory.is_done(id) { format!("Run {id} again") } else { format!("Run {id} only") };
            Some(Offer::new(snapshot, title, "baton.implement", json!({ "only": [id] })))
        }
    }
}

fn of_review(snapshot: &Snapshot, text: &Text) -> Vec<Lens> {
    let Some(in_text) = handoff::<ReviewOutput>(text) else { return Vec::new() };
    // What was written against a commit drives no workflow, also where the last version wrote it to review.json.
    let (review, on_top, cannot_fix) = match in_text.is_of_base() {
        true => (&snapshot.memory.base_review, None, cannot_fix_of_base(snapshot)),
        false => (&snapshot.memory.review, continue_from_review(snapshot), cannot_fix(snapshot)),
    };
    let Some(review) = review else { return Vec::new() };
    let mut lenses: Vec<Lens> = on_top.into_iter().map(|offer| Lens { line: 0, offer }).collect();
    if !in_text.is_of_base() {
        lenses.extend(accept_as_is(snapshot).map(|offer| Lens { line: 0, offer }));
    }
    let json = JsonText::new(text.as_str());
    for (index, issue) in in_text.issues.iter().enumerate() {
        let Some(id) = id_of(issue, index, &in_text, review) else { continue };
        let line = text.line_of(json.locate(&format!("/issues/{index}")).start);
        let on_issue = |title: &str, command| Offer::new(snapshot, title, command, json!({ "id": id }));
        let mut offer = |offer: Offer| lenses.push(Lens { line, offer });
        if snapshot.memory.is_dismissed(id) {
            offer(on_issue("Restore issue", "baton.restoreIssue"));
            continue;
        }
        let can_be_fixed = || {
            let is_it = |fixable: &Issue| fixable.id == id;
            in_text.is_of_base() || issue.is_placed() || snapshot.memory.fixable_issues().any(is_it)
        };
        if cannot_fix.is_none() && can_be_fixed() {
            offer(on_issue("Fix issue", "baton.fixIssue"));
        }
        offer(on_issue("Dismiss issue", "baton.dismissIssue"));
    }
    lenses
}

/// Why no issue of the workflow's review can be fixed now.
pub(crate) fn cannot_fix(snapshot: &Snapshot) -> Option<String> {
    let no_plan = || snapshot.memory.plan.is_none().then(|| "there is no plan, so no task can fix it".to_owned());
    snapshot.busy().or_else(no_plan)
}

/// Why no issue of the review against a commit can be fixed now: that is a workflow of its own.
pub(crate) fn cannot_fix_of_base(snapshot: &Snapshot) -> Option<String> {
    let is_unfinished = snapshot.memory.is_begun() && !matches!(snapshot.next, Next::Merged | Next::Rejected);
    let unfinished = "a fix of this is a task of its own, and another task is unfinished; finish that, or start over";
    snapshot.busy().or_else(|| is_unfinished.then(|| unfinished.to_owned()))
}

/// Continue from the review: fix its open issues, or plan again where it asks for that.
fn continue_from_review(snapshot: &Snapshot) -> Option<Offer> {
    if cannot_fix(snapshot).is_some() {
        return None;
    }
    let ids: Vec<&str> = snapshot.memory.fixable_issues().map(|issue| issue.id.as_str()).collect();
    let fix = |issues: usize| format!("Fix {} and re-review", count(issues, "issue"));
    let workflow = |title: String| Some(Offer::new(snapshot, title, "baton.workflow", Value::Null));
    match &snapshot.next {
        Next::Fix(scope) => workflow(fix(scope.issues.len())),
        Next::EnterRound => workflow(fix(snapshot.memory.round.as_ref()?.issues.len())),
        Next::RePlan => workflow("Plan again, as the review asks".to_owned()),
        // The plan must be answered first.
        Next::Gate => None,
        _ if ids.is_empty() => None,
        _ => Some(Offer::new(snapshot, fix(ids.len()), "baton.fixIssue", json!({ "ids": ids }))),
    }
}

/// Take the work as it is, where its review asks for something.
fn accept_as_is(snapshot: &Snapshot) -> Option<Offer> {
    let is_asked = matches!(snapshot.next, Next::Fix(_) | Next::RePlan | Next::Escalated { .. });
    let is_reviewed = is_asked && snapshot.active_run.is_none() && snapshot.memory.review.is_some();
    is_reviewed.then(|| Offer::new(snapshot, "Accept as is", "baton.accept", Value::Null))
}

/// The id of an issue in a text; an issue without one got it when the file was read.
fn id_of<'a>(issue: &'a Issue, index: usize, in_text: &ReviewOutput, review: &'a ReviewOutput) -> Option<&'a str> {
    if !issue.id.is_empty() {
        return Some(&issue.id);
    }
    let same = in_text.issues.len() == review.issues.len();
    review.issues.get(index).filter(|_| same).map(|issue| issue.id.as_str())
}

/// The handoff in a text; `None` for a faulty one. Faults are not looked for: that takes many times as long as reading, and
/// lenses are requested at every pause in typing.
fn handoff<T: DeserializeOwned>(text: &Text) -> Option<T> {
    let text = text.as_str().trim_start_matches('\u{feff}');
    if over_limit(text.as_bytes()).is_some() { None } else { serde_json::from_str(text).ok() }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::snapshot::fixture::{approve, issue, plan, plan_text, report, review, snapshot};
    use super::*;
    use crate::contracts::Round;
    use crate::lsp::commands::table;
    use crate::workflow::FixScope;
    use crate::workflow::REVIEW;

    fn lens_lines(snapshot: &Snapshot, file: &str, text: &str) -> Vec<String> {
        let lenses = lenses(snapshot, &RepoPath::parse(file).unwrap(), &Text::new(text));
        let line = |lens: &Lens| {
            let proto = lens.to_proto();
            let command = proto.command.expect("resolved");
            let arguments = command.arguments.unwrap_or_default();
            table::parse(&command.command, arguments.clone(), &crate::workflow::fixture::phases)
                .expect("a call the server takes");
            let argument = arguments.first().map(Value::to_string).unwrap_or_default();
            format!("{}: {} -> {} {argument}", proto.range.start.line, command.title, command.command)
        };
        lenses.iter().map(line).collect()
    }

    fn on_plan(snapshot: &Snapshot) -> Vec<String> {
        lens_lines(snapshot, ".agent_memory/plan.json", &plan_text())
    }

    fn on_review(snapshot: &Snapshot) -> Vec<String> {
        let text = serde_json::to_string_pretty(snapshot.memory.review.as_ref().unwrap()).unwrap();
        lens_lines(snapshot, ".agent_memory/review.json", &text)
    }

    #[test]
    fn a_plan_at_its_gate_is_answered_whole_or_in_part() {
        let gate = snapshot(Next::Gate, |_| ());
        let expected = [
            "0: Approve plan (2 tasks) -> baton.approve {\"planSha256\":\"00\"}",
            "0: Reject plan -> baton.reject ",
            "7: Approve and run T1 only -> baton.approve {\"tasks\":[\"T1\"],\"planSha256\":\"00\"}",
        ];
        assert_eq!(on_plan(&gate), expected);
        let waiting = Snapshot { active_run: Some("r1".to_owned()), ..gate };
        assert_eq!(on_plan(&waiting), expected, "a run that waits is answered the same way");
        let part = snapshot(Next::Gate, |memory| report(memory, &["T1"]));
        let rest = "21: Approve and run T2 only -> baton.approve {\"tasks\":[\"T2\"],\"planSha256\":\"00\"}";
        assert_eq!(on_plan(&part)[2], rest);
        let fixing = snapshot(Next::Gate, |memory| {
            let issues = vec!["a".to_owned(), "b".to_owned()];
            memory.round = Some(Round { n: 2, kind: RoundKind::Fix, tasks: vec!["FIX".to_owned()], issues });
        });
        assert_eq!(on_plan(&fixing)[0], "0: Approve plan (fix 2 issues) -> baton.approve {\"planSha256\":\"00\"}");
    }

    #[test]
    fn approved_tasks_run_alone_while_nothing_else_does() {
        let mut idle = snapshot(Next::Merged, |memory| {
            approve(memory);
            report(memory, &["T1"]);
        });
        let again = "7: Run T1 again -> baton.implement {\"only\":[\"T1\"]}";
        let only = "21: Run T2 only -> baton.implement {\"only\":[\"T2\"]}";
        assert_eq!(on_plan(&idle), [again, only]);
        idle.active_run = Some("r1".to_owned());
        assert_eq!(on_plan(&idle), Vec::<String>::new());
        let rejected = snapshot(Next::Rejected, |_| ());
        assert_eq!(
            on_plan(&rejected),
            ["0: Approve the rejected plan (2 tasks) -> baton.approve {\"planSha256\":\"00\"}"]
        );
    }

    #[test]
    fn a_plan_that_was_stopped_on_the_way_goes_on() {
        let mut stopped = snapshot(Next::Phase(IMPLEMENT), |memory| {
            approve(memory);
            report(memory, &["T1"]);
        });
        let on_top = |snapshot: &Snapshot| on_plan(snapshot).swap_remove(0);
        assert_eq!(on_top(&stopped), "0: Go on: implement 1 task -> baton.workflow ");
        stopped.next = Next::Failed { tasks: vec!["T2".to_owned()] };
        assert_eq!(on_top(&stopped), "0: Go on: try T2 again -> baton.workflow ");
        stopped.next = Next::Phase(REVIEW);
        assert_eq!(on_top(&stopped), "0: Go on: review -> baton.workflow ");
        stopped.active_run = Some("r1".to_owned());
        assert_eq!(on_plan(&stopped), Vec::<String>::new());
    }

    #[test]
    fn another_text_than_the_saved_one_has_no_answer() {
        let gate = snapshot(Next::Gate, |_| ());
        let mut edited = plan();
        edited.tasks[0].title = "Something else".to_owned();
        let file = ".agent_memory/plan.json";
        assert_eq!(lens_lines(&gate, file, &serde_json::to_string(&edited).unwrap()), Vec::<String>::new());
        assert_eq!(lens_lines(&gate, file, "{"), Vec::<String>::new());
        assert_eq!(lens_lines(&gate, "plan.json", &plan_text()), Vec::<String>::new());
        // White space is no other plan.
        assert_eq!(lens_lines(&gate, file, &serde_json::to_string(&plan()).unwrap()).len(), 3);
    }

    fn fix_scope() -> FixScope {
        FixScope { tasks: vec!["T1".to_owned()], unowned: Vec::new(), issues: vec!["i1".to_owned()] }
    }

    #[test]
    fn a_review_goes_on_and_each_issue_is_fixed_dismissed_or_restored() {
        let mut snapshot = snapshot(Next::Fix(fix_scope()), |memory| {
            approve(memory);
            let issues = vec![issue("i1", "src/lib.rs", 1), issue("i2", "src/lib.rs", 2)];
            review(memory, "fix_and_re_review", issues);
            memory.dismissed = vec!["i2".into()];
        });
        let on_issues = [
            "4: Fix issue -> baton.fixIssue {\"id\":\"i1\"}",
            "4: Dismiss issue -> baton.dismissIssue {\"id\":\"i1\"}",
            "11: Restore issue -> baton.restoreIssue {\"id\":\"i2\"}",
        ];
        assert_eq!(on_review(&snapshot)[0], "0: Fix 1 issue and re-review -> baton.workflow ");
        let accept = "0: Accept as is -> baton.accept ";
        assert_eq!(on_review(&snapshot)[1], accept);
        assert_eq!(on_review(&snapshot)[2..], on_issues);
        snapshot.next = Next::Escalated { reason: "s".to_owned() };
        assert_eq!(
            on_review(&snapshot)[..2],
            ["0: Fix 1 issue and re-review -> baton.fixIssue {\"ids\":[\"i1\"]}", accept]
        );
        // A workflow that has ended takes the issues one by one.
        snapshot.next = Next::Merged;
        assert_eq!(on_review(&snapshot)[0], "0: Fix 1 issue and re-review -> baton.fixIssue {\"ids\":[\"i1\"]}");
        snapshot.next = Next::RePlan;
        assert_eq!(on_review(&snapshot)[..2], ["0: Plan again, as the review asks -> baton.workflow ", accept]);
        snapshot.next = Next::Gate;
        assert_eq!(on_review(&snapshot), on_issues);
        // While a run is active nothing can be started.
        snapshot.active_run = Some("r1".to_owned());
        assert_eq!(on_review(&snapshot), on_issues[1..]);
    }

    #[test]
    fn issues_without_ids_have_those_they_were_given() {
        let snapshot = snapshot(Next::Merged, |memory| {
            review(memory, "fix_and_re_review", vec![issue("given", "src/lib.rs", 1)]);
        });
        let text = r#"{ "verdict": "approved", "summary": "s", "recommended_action": "merge",
            "issues": [{ "severity": "minor", "file": "src/lib.rs", "description": "d" }] }"#;
        let file = ".agent_memory/review.json";
        assert_eq!(lens_lines(&snapshot, file, text)[1], "1: Fix issue -> baton.fixIssue {\"id\":\"given\"}");
    }

    #[test]
    fn an_issue_without_a_place_is_fixed_only_by_the_task_it_names() {
        let unplaced = |id: &str, task: Option<&str>| Issue {
            placed: Some(false),
            task_id: task.map(str::to_owned),
            ..issue(id, "src/lib.rs", 1)
        };
        let snapshot = snapshot(Next::Merged, |memory| {
            approve(memory);
            review(memory, "merge", vec![unplaced("named", Some("T1")), unplaced("unnamed", None)]);
        });
        let text = serde_json::to_string(snapshot.memory.review.as_ref().unwrap()).unwrap();
        let lenses = lens_lines(&snapshot, ".agent_memory/review.json", &text);
        let fixes: Vec<&String> = lenses.iter().filter(|lens| lens.contains("baton.fixIssue")).collect();
        let expected = [
            "0: Fix 1 issue and re-review -> baton.fixIssue {\"ids\":[\"named\"]}",
            "0: Fix issue -> baton.fixIssue {\"id\":\"named\"}",
        ];
        assert_eq!(fixes, expected);
        assert_eq!(lenses.iter().filter(|lens| lens.contains("baton.dismissIssue")).count(), 2);
    }

    #[test]
    fn an_issue_of_a_review_against_a_commit_is_fixed_where_no_other_task_is_unfinished() {
        let mut snapshot = snapshot(Next::Merged, |memory| {
            approve(memory);
            review(memory, "fix_and_re_review", vec![issue("i1", "src/lib.rs", 1)]);
            let mut against = memory.review.clone().unwrap();
            against.base = Some("abc".to_owned());
            against.issues[0].id = "b1".to_owned();
            memory.base_review = Some(against);
        });
        let text = serde_json::to_string(snapshot.memory.base_review.as_ref().unwrap()).unwrap();
        let fix = "0: Fix issue -> baton.fixIssue {\"id\":\"b1\"}";
        let dismiss = "0: Dismiss issue -> baton.dismissIssue {\"id\":\"b1\"}";
        // The last version wrote it to review.json.
        for file in [".agent_memory/base_review.json", ".agent_memory/review.json"] {
            assert_eq!(lens_lines(&snapshot, file, &text), [fix, dismiss]);
        }
        snapshot.next = Next::Gate;
        assert_eq!(lens_lines(&snapshot, ".agent_memory/base_review.json", &text), [dismiss]);
        snapshot.memory.dismissed = vec!["b1".into()];
        let restore = "0: Restore issue -> baton.restoreIssue {\"id\":\"b1\"}";
        assert_eq!(lens_lines(&snapshot, ".agent_memory/base_review.json", &text), [restore]);
    }
}
