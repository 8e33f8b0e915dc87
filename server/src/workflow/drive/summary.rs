//! What an outcome means, in one or two sentences for people, from the memory alone. They name no command: each face adds
//! the ways on in its own words.

use std::collections::BTreeSet;

use crate::contracts::{
    BaseState, CheckState, CriteriaCount, CriterionState, ImplReport, Issue, OfferedCheck, PhaseName, RoundKind,
    TaskResult, TaskStatus,
};
use crate::memory::Memory;
use crate::text::{self, count};
use crate::workflow::checks::changed_since::since_words;
use crate::workflow::checks::words::{named, skipped_because};
use crate::workflow::decide::accept::accepted_words;
use crate::workflow::run::events::EventPhase;
use crate::workflow::run::phase_names::IMPLEMENT;

/// Of a workflow whose agents' work is undone as a whole.
pub(crate) const UNDONE: &str = "All that the workflow wrote is undone.";

/// Of a workflow that the review approved, or whose work the user accepted. `written` is the number of files that stand as
/// its agents left them, `changed_since` how many are not what the checks saw, `offered` what the workspace shows it is checked
/// by, where no checks are set.
pub(crate) fn merged(memory: &Memory, written: usize, changed_since: usize, offered: &[OfferedCheck]) -> String {
    // Foreign work is in no journal; only the report knows of it.
    let has_reported_changes =
        memory.report.iter().flat_map(|report| &report.results).any(|result| !result.changes.is_empty());
    let has_changes = has_reported_changes || memory.report.is_none() || written > 0;
    let checks = ChecksWords { changed_since, ..checks_words(memory) };
    let mut message = match accepted_words(memory) {
        None => format!("Approved{}.", checks.after_approved()),
        Some(accepted) => format!("{accepted}. {}.", checks.sentence()),
    };
    if let Some(shown) = shown_words(offered).filter(|_| checks.is_none()) {
        message.push_str(&format!(" This workspace shows {shown}."));
    }
    message.push_str(match has_changes {
        true => " Changes are in your working tree; nothing was committed.",
        false => " No file was changed: everything is as it was.",
    });
    if let (Some(plan), Some(approval)) = (&memory.plan, &memory.approval) {
        let rest: Vec<&str> = plan.plan.task_ids().filter(|id| !approval.covers(id)).collect();
        if !rest.is_empty() {
            message.push_str(&format!(" Not approved and so not done: {}.", rest.join(", ")));
        }
    }
    for result in memory.report.iter().flat_map(|report| &report.results) {
        message.extend(result.attempts_words().map(|words| format!(" {words}.")));
    }
    for told in told_of_passed(memory) {
        message.push_str(&format!(" {told}"));
    }
    let (refuted, left): (Vec<&Issue>, Vec<&Issue>) = memory.open_issues().partition(|issue| issue.refuted.is_some());
    match left.len() {
        0 => {}
        1 => message.push_str(" 1 issue is left."),
        issues => message.push_str(&format!(" {issues} issues are left.")),
    }
    match refuted.len() {
        0 => {}
        1 => message.push_str(" 1 finding of the review was refuted."),
        findings => message.push_str(&format!(" {findings} findings of the review were refuted.")),
    }
    if let Some(criteria) = criteria_words(memory).filter(|_| accepted_words(memory).is_none()) {
        message.push_str(&format!(" {criteria}."));
    }
    message
}

/// "one: `cargo test`", "some: `npm test`, `npm run lint`": commands that could be checks; `None` where there is none.
pub(crate) fn shown_words(offered: &[OfferedCheck]) -> Option<String> {
    const LONGEST: usize = 200;
    let command = |offer: &OfferedCheck| format!("`{}`", text::cut(&text::revealed(&offer.command), LONGEST));
    let commands: Vec<String> = offered.iter().map(command).collect();
    let number = if commands.len() == 1 { "one" } else { "some" };
    (!commands.is_empty()).then(|| format!("{number}: {}", commands.join(", ")))
}

/// What the checks said, in a sentence.
pub(crate) fn checks(memory: &Memory) -> String {
    format!("{}.", checks_words(memory).sentence())
}

/// "Check fmt: changed src/a.rs.": what there is to say of the checks that passed.
fn told_of_passed(memory: &Memory) -> impl Iterator<Item = String> + '_ {
    let passed = memory.report.iter().flat_map(|report| &report.checks);
    passed.filter(|check| check.state == CheckState::Passed).filter_map(|check| {
        let reason = text::safe_line(check.reason.as_deref()?);
        Some(format!("Check {}: {}.", named(&check.name), reason.trim_end_matches('.')))
    })
}

/// `1 criterion unmet, 2 criteria unproven`: what the review did not find met; `None` where it found everything met.
pub(crate) fn criteria_words(memory: &Memory) -> Option<String> {
    let review = memory.review.as_ref()?;
    let CriteriaCount { unmet, unproven, .. } = CriteriaCount::of(&review.criteria);
    let words = |(number, state): (usize, CriterionState)| {
        let noun = if number == 1 { "criterion" } else { "criteria" };
        (number > 0).then(|| format!("{number} {noun} {}", state.as_str()))
    };
    let counted = [(unmet, CriterionState::Unmet), (unproven, CriterionState::Unproven)];
    let words: Vec<String> = counted.into_iter().filter_map(words).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

/// What the user's checks said of the work at hand, and nothing that is not known.
#[derive(Default)]
struct ChecksWords {
    /// "`lint` fails", "`test` timed out".
    broken: Vec<String>,
    /// The same of those that failed before the workflow.
    as_before: Vec<String>,
    /// Names.
    passed: Vec<String>,
    /// "e2e (it was not trusted)".
    skipped: Vec<String>,
    /// Files that are not what the checks saw.
    changed_since: usize,
}

fn checks_words(memory: &Memory) -> ChecksWords {
    let mut words = ChecksWords::default();
    for check in memory.report.iter().flat_map(|report| &report.checks) {
        let name = text::safe_line(&check.name);
        let how = match check.state {
            CheckState::Passed => {
                words.passed.push(named(&check.name));
                continue;
            }
            CheckState::Skipped => {
                words.skipped.push(format!("{} ({})", named(&check.name), skipped_because(check)));
                continue;
            }
            CheckState::Failed => "fails",
            CheckState::TimedOut => "timed out",
            CheckState::Killed => "was killed",
            CheckState::NotFound => "was not found",
        };
        let failing = if check.base == Some(BaseState::Failed) { &mut words.as_before } else { &mut words.broken };
        failing.push(format!("`{name}` {how}"));
    }
    words
}

impl ChecksWords {
    /// Whether there is no result of any check.
    fn is_none(&self) -> bool {
        let Self { broken, as_before, passed, skipped, .. } = self;
        [broken, as_before, passed, skipped].iter().all(|results| results.is_empty())
    }

    /// "; checks passed: test, lint", ", though `lint` fails", " by reading; no check ran".
    fn after_approved(&self) -> String {
        let mut words = match (self.failing(), self.passed.is_empty()) {
            (None, true) => " by reading; no check ran".to_owned(),
            (None, false) => String::new(),
            (Some(failing), _) => format!(", though {failing}"),
        };
        words.push_str(&self.rest("checks passed: "));
        words
    }

    /// The same as a sentence of its own, without its full stop.
    fn sentence(&self) -> String {
        match (self.failing(), self.passed.is_empty()) {
            (None, true) => format!("No check ran{}", self.rest("")),
            (None, false) => self.rest("Checks passed: ").trim_start_matches("; ").to_owned(),
            (Some(failing), _) => format!("{failing}{}", self.rest("checks passed: ")),
        }
    }

    /// "`lint` fails and `test` timed out", "`lint` fails, as before"; `None` where none fails.
    fn failing(&self) -> Option<String> {
        let (broken, as_before) = (self.broken.join(" and "), self.as_before.join(" and "));
        match (broken.is_empty(), as_before.is_empty()) {
            (true, true) => None,
            (false, true) => Some(broken),
            (true, false) => Some(format!("{as_before}, as before")),
            (false, false) => Some(format!("{broken}; as before, {as_before}")),
        }
    }

    fn rest(&self, passed: &str) -> String {
        let mut rest = String::new();
        if !self.passed.is_empty() {
            rest.push_str(&format!("; {passed}{}", self.passed.join(", ")));
        }
        if let Some(since) = since_words(self.changed_since) {
            rest.push_str(&format!("; {since}"));
        }
        if !self.skipped.is_empty() {
            rest.push_str(&format!("; skipped: {}", self.skipped.join(", ")));
        }
        rest
    }
}

/// Of a rejected plan: files that an earlier round wrote stay as they are.
pub(crate) fn rejected(written: usize) -> String {
    match written {
        0 => "The plan was rejected; nothing was written.".to_owned(),
        1 => "The plan was rejected. 1 file that was changed before stands.".to_owned(),
        files => format!("The plan was rejected. {files} files that were changed before stand."),
    }
}

/// Of a workflow that a person must decide about.
pub(crate) fn escalated(reason: &str) -> String {
    format!("A person is needed: {}", text::safe_line(reason))
}

/// Of tasks that failed or are blocked, with the reason of the first.
pub(crate) fn failed_tasks(memory: &Memory, tasks: &[String]) -> String {
    let result = |id: &String| memory.report.as_ref()?.result_of(id);
    let verb = |id: &String| match result(id).map(|result| result.status) {
        Some(TaskStatus::Blocked) => "is blocked",
        _ => "failed",
    };
    let why = |id: &String| {
        let result = result(id)?;
        let blockers = result.blockers.iter().map(String::as_str);
        blockers.chain([result.notes.as_str()]).map(str::trim).find(|text| !text.is_empty())
    };
    let lines = tasks.iter().take(3).map(|id| match why(id) {
        Some(why) => format!("{id} {}: {}", verb(id), ended(&text::cut(&text::safe_line(why), 300))),
        None => format!("{id} {}.", verb(id)),
    });
    let attempts = |id: &String| result(id).and_then(TaskResult::attempts_words).map(|words| format!("{words}."));
    let lines = lines.zip(tasks).flat_map(|(line, id)| [Some(line), attempts(id)]).flatten();
    let mut message = lines.collect::<Vec<_>>().join(" ");
    if let more @ 1.. = tasks.len().saturating_sub(3) {
        message.push_str(&format!(" And {} more.", count(more, "task")));
    }
    message
}

/// Of a stopped run: which tasks were written and which were not.
pub(crate) fn stopped(phase: Option<PhaseName>, memory: &Memory) -> String {
    if memory.has_plan() && memory.approval.is_none() {
        return "Stopped. The plan waits for your answer.".to_owned();
    }
    let place = phase.map_or_else(|| "Stopped.".to_owned(), |name| format!("Stopped in {name}."));
    format!("{place} {} Your edits are intact.", stands(phase, memory))
}

/// Of a run that was killed.
pub(crate) fn interrupted(phase: Option<PhaseName>, memory: &Memory) -> String {
    let place = phase
        .map_or_else(|| "The run was interrupted.".to_owned(), |name| format!("The run was interrupted in {name}."));
    format!("{place} {}", stands(phase, memory))
}

/// With a full stop, unless a sentence ends already.
fn ended(text: &str) -> String {
    let is_ended = text.ends_with(['.', '!', '?', '…', ':']);
    if is_ended { text.to_owned() } else { format!("{text}.") }
}

fn stands(phase: Option<PhaseName>, memory: &Memory) -> String {
    let written = memory.report.as_ref().map(written).unwrap_or_default();
    let ids: Vec<&str> = written.iter().map(|(id, _)| id.as_str()).collect();
    let files = written.iter().flat_map(|(_, files)| files).collect::<BTreeSet<_>>().len();
    // A later round is of some tasks only, and the report of the one before is in the history.
    let later = memory.round.as_ref().filter(|round| round.n > 1);
    let is_due = |id: &str| {
        later.is_none_or(|round| round.kind == RoundKind::First || round.tasks.iter().any(|task| task == id))
    };
    let untouched: Vec<&str> = match (&memory.plan, phase) {
        (Some(plan), Some(IMPLEMENT)) => plan.plan.task_ids().filter(|id| !ids.contains(id) && is_due(id)).collect(),
        _ => Vec::new(),
    };
    let noun = text::plural(files, "file");
    match (ids.is_empty(), untouched.is_empty()) {
        (true, _) if later.is_some() => {
            "No file was written in this round; what was written before it stands.".to_owned()
        }
        (true, _) => "No file was written.".to_owned(),
        (false, true) => format!("{} written ({files} {noun}).", ids.join(", ")),
        (false, false) => {
            format!("{} written ({files} {noun}); {} touched nothing.", ids.join(", "), untouched.join(", "))
        }
    }
}

/// Tasks that wrote something, each with the files.
fn written(report: &ImplReport) -> Vec<(String, Vec<&str>)> {
    report
        .results
        .iter()
        .filter(|result| result.status != TaskStatus::Failed && !result.changes.is_empty())
        .map(|result| (result.task_id.clone(), result.changes.iter().map(|change| change.path.as_str()).collect()))
        .collect()
}

/// The phase that an event is about; `None` for the run as a whole.
pub(crate) fn phase_of(phase: EventPhase) -> Option<PhaseName> {
    match phase {
        EventPhase::Workflow => None,
        EventPhase::Phase(name) => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_later_round_that_is_stopped_takes_nothing_back_of_what_was_written_before() {
        let round = json!({ "n": 2, "kind": "fix", "tasks": ["T1"], "issues": [] });
        let memory = Memory { round: Some(serde_json::from_value(round).unwrap()), ..Memory::default() };
        assert_eq!(
            stopped(Some(IMPLEMENT), &memory),
            "Stopped in implement. No file was written in this round; what was written before it stands. Your edits are \
             intact."
        );
        let first = stopped(Some(IMPLEMENT), &Memory::default());
        assert_eq!(first, "Stopped in implement. No file was written. Your edits are intact.");
    }

    #[test]
    fn an_approval_says_of_the_checks_what_is_known_and_no_more() {
        let check = |name: &str, fields: Value| {
            let mut check = json!({ "name": name, "command": name, "state": "passed", "exit_code": 0 });
            check.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            check
        };
        let passed = |name| check(name, json!({}));
        let failed = |name| check(name, json!({ "state": "failed", "exit_code": 1 }));
        let cases = [
            json!([]),
            json!([passed("test"), passed("lint")]),
            json!([passed("test"), failed("lint")]),
            json!([failed("lint"), check("test", json!({ "state": "timed_out", "base": "failed" }))]),
            json!([check("test", json!({ "state": "killed" })), check("lint", json!({ "state": "not_found" }))]),
            json!([check("e2e", json!({ "state": "skipped", "reason": "untrusted" }))]),
            json!([passed("test"), check("web", json!({ "state": "skipped", "reason": "paths" }))]),
            json!([passed("test"), check("web", json!({ "state": "skipped", "reason": "cancelled" }))]),
        ];
        let mut said = String::new();
        for checks in cases {
            let report = json!({ "results": [], "checks": checks });
            let memory = Memory { report: Some(serde_json::from_value(report).unwrap()), ..Memory::default() };
            let words = checks_words(&memory);
            said.push_str(&format!("Approved{}.\n{}.\n", words.after_approved(), words.sentence()));
        }
        expect![[r#"
            Approved by reading; no check ran.
            No check ran.
            Approved; checks passed: test, lint.
            Checks passed: test, lint.
            Approved, though `lint` fails; checks passed: test.
            `lint` fails; checks passed: test.
            Approved, though `lint` fails; as before, `test` timed out.
            `lint` fails; as before, `test` timed out.
            Approved, though `test` was killed and `lint` was not found.
            `test` was killed and `lint` was not found.
            Approved by reading; no check ran; skipped: e2e (it was not trusted).
            No check ran; skipped: e2e (it was not trusted).
            Approved; checks passed: test; skipped: web (no file of its paths was changed).
            Checks passed: test; skipped: web (no file of its paths was changed).
            Approved; checks passed: test; skipped: web (it had not ended when the run was stopped).
            Checks passed: test; skipped: web (it had not ended when the run was stopped).
        "#]]
        .assert_eq(&said);
    }

    #[test]
    fn an_approval_without_any_check_says_what_the_workspace_shows() {
        let offered = |commands: &[&str]| {
            let offer = |command: &&str| OfferedCheck {
                id: "1".to_owned(),
                name: "test".to_owned(),
                command: (*command).to_owned(),
                reason: "Cargo.toml".to_owned(),
            };
            commands.iter().map(offer).collect::<Vec<_>>()
        };
        let said = |checks: Value, commands: &[&str]| {
            let report = json!({ "results": [], "checks": checks });
            let memory = Memory { report: Some(serde_json::from_value(report).unwrap()), ..Memory::default() };
            merged(&memory, 1, 0, &offered(commands))
        };
        let rest = "Changes are in your working tree; nothing was committed.";
        let by_reading = "Approved by reading; no check ran.";
        assert_eq!(said(json!([]), &[]), format!("{by_reading} {rest}"));
        assert_eq!(
            said(json!([]), &["cargo test"]),
            format!("{by_reading} This workspace shows one: `cargo test`. {rest}")
        );
        assert_eq!(
            said(json!([]), &["npm test", "npm run lint"]),
            format!("{by_reading} This workspace shows some: `npm test`, `npm run lint`. {rest}")
        );
        let passed = json!({ "name": "test", "command": "t", "state": "passed", "exit_code": 0 });
        assert_eq!(said(json!([passed]), &["cargo test"]), format!("Approved; checks passed: test. {rest}"));
    }

    #[test]
    fn files_that_are_not_what_the_checks_saw_are_counted() {
        let words = |checks: Value, changed_since| {
            let report = json!({ "results": [], "checks": checks });
            let memory = Memory { report: Some(serde_json::from_value(report).unwrap()), ..Memory::default() };
            let words = ChecksWords { changed_since, ..checks_words(&memory) };
            (words.after_approved(), words.sentence())
        };
        let passed = json!({ "name": "test", "command": "t", "state": "passed", "exit_code": 0 });
        let failed = json!({ "name": "lint", "command": "l", "state": "failed", "exit_code": 1 });
        let (after, sentence) = words(json!([passed]), 2);
        assert_eq!(after, "; checks passed: test; 2 files changed since");
        assert_eq!(sentence, "Checks passed: test; 2 files changed since");
        assert_eq!(words(json!([failed]), 1).0, ", though `lint` fails; 1 file changed since");
    }

    #[test]
    fn criteria_that_are_not_met_are_counted() {
        let words = |states: &[&str]| {
            let criterion = |(n, state): (usize, &&str)| json!({ "task_id": "T1", "criterion": n + 1, "state": state });
            let review = json!({
                "verdict": "approved", "summary": "s", "recommended_action": "merge",
                "criteria": states.iter().enumerate().map(criterion).collect::<Vec<_>>(),
            });
            let memory = Memory { review: serde_json::from_value(review).unwrap(), ..Memory::default() };
            (criteria_words(&memory), merged(&memory, 1, 0, &[]))
        };
        for (states, expected) in [
            (&[][..], None),
            (&["met", "met"], None),
            (&["met", "unproven"], Some("1 criterion unproven")),
            (&["unproven", "unmet", "unproven"], Some("1 criterion unmet, 2 criteria unproven")),
        ] {
            let (words, end) = words(states);
            assert_eq!(words.as_deref(), expected);
            assert!(
                end.ends_with(&expected.map_or("nothing was committed.".to_owned(), |words| format!(" {words}."))),
                "{end}"
            );
        }
        assert_eq!(criteria_words(&Memory::default()), None, "without a review");
    }
}
