//! What becomes of the acceptance criteria: each is answered once, and is met only where something shows it.

use std::collections::HashSet;

use super::earlier::Earlier;
use super::finish::still_open;
use crate::contracts::{
    CheckResult, CheckState, CriterionResult, CriterionState, Evidence, FileKeys, Handoff, Issue, PlanOutput,
    Recommended, RecommendedAction, ReviewOutput, Severity, Task, Verdict, issue_id,
};
use crate::phases::placing::{Texts, place_quote};
use crate::text::short_line;

/// Criteria that are named in one fault.
const MOST_NAMED: usize = 20;

/// The work whose criteria are answered.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// The approved part of the plan.
    pub(super) plan: PlanOutput,
    /// Which of its files are one.
    pub(super) keys: FileKeys,
    /// What the checks said after the round.
    pub(super) checks: Vec<CheckResult>,
}

impl Judged {
    /// Every criterion that is to be answered: its task, its number from 1, and its words.
    fn criteria(&self) -> impl Iterator<Item = (&Task, u32, &str)> {
        self.plan.tasks.iter().flat_map(|task| {
            (1..).zip(&task.acceptance_criteria).map(move |(number, words)| (task, number, words.as_str()))
        })
    }

    /// The tasks that issues belong to.
    fn tasks_of<'a>(&'a self, issues: impl Iterator<Item = &'a Issue>) -> HashSet<&'a str> {
        let approved: Vec<String> = self.plan.task_ids().map(str::to_owned).collect();
        issues.filter_map(|issue| Some(self.plan.task_of(issue, &self.keys, &approved)?.id.as_str())).collect()
    }
}

/// What is wrong with the answers, for the model.
pub(super) fn faults(review: &ReviewOutput, work: &Judged, earlier: &Earlier) -> Vec<String> {
    let mut faults = Vec::new();
    let mut answered: HashSet<(&str, u32)> = HashSet::new();
    for (index, result) in review.criteria.iter().enumerate() {
        let (id, number) = (result.task_id.as_str(), result.criterion);
        match work.plan.tasks.iter().find(|task| task.id == id) {
            None => {
                let known: Vec<&str> = work.plan.task_ids().collect();
                faults.push(format!(
                    "/criteria/{index}/task_id: no task {id:?} is reviewed; these are: {}",
                    known.join(", ")
                ));
            }
            Some(task) if number == 0 || number as usize > task.acceptance_criteria.len() => faults.push(format!(
                "/criteria/{index}/criterion: there is no criterion {number} of {id}, which has {}, counted from 1",
                task.acceptance_criteria.len()
            )),
            Some(_) if !answered.insert((id, number)) => {
                faults.push(format!("/criteria/{index}: criterion {number} of {id} is answered twice"));
            }
            Some(_) => {}
        }
    }
    let missing: Vec<String> = work
        .criteria()
        .filter(|(task, number, _)| !answered.contains(&(task.id.as_str(), *number)))
        .map(|(task, number, words)| format!("criterion {number} of {} ({})", task.id, short_line(words, 80)))
        .collect();
    if !missing.is_empty() {
        let named = missing[..missing.len().min(MOST_NAMED)].join("; ");
        let more = missing.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        faults.push(format!(
            "/criteria: every acceptance criterion of every reviewed task is to be answered; these are not: {named}{more}"
        ));
    }
    faults.extend(unmet_faults(review, work, earlier));
    faults
}

/// What follows from criteria that are not met, where the review says something else.
fn unmet_faults(review: &ReviewOutput, work: &Judged, earlier: &Earlier) -> Vec<String> {
    let mut faults = Vec::new();
    let issues = review.issues.iter().chain(still_open(&review.answers, earlier)).chain(&earlier.dismissed);
    let with_issue = work.tasks_of(issues);
    let unmet = |result: &&CriterionResult| result.state == CriterionState::Unmet;
    for CriterionResult { task_id, criterion, .. } in review.criteria.iter().filter(unmet) {
        if review.recommended_action == RecommendedAction::Merge {
            faults.push(format!(
                "/verdict: criterion {criterion} of {task_id} is unmet, and with it the work cannot be approved"
            ));
        }
        if work.plan.task(task_id).is_some() && !with_issue.contains(task_id.as_str()) {
            faults.push(format!(
                "/issues: criterion {criterion} of {task_id} is unmet, and no issue of {task_id} says what is to be mended; \
                 raise one, with task_id {task_id:?} where its file is not one of that task"
            ));
        }
    }
    faults
}

/// Answer every criterion once, in the order of the plan. Where several answers are given the worst counts, and one that is
/// missing is unproven; so is one that is called met and that nothing shows.
pub(super) fn complete(review: &mut ReviewOutput, work: &Judged, texts: &Texts<'_>) {
    let given = std::mem::take(&mut review.criteria);
    let answer = |(task, number, _): (&Task, u32, &str)| {
        let of_it = given.iter().filter(|result| result.task_id == task.id && result.criterion == number);
        let worst = of_it.min_by_key(|result| match result.state {
            CriterionState::Unmet => 0,
            CriterionState::Unproven => 1,
            CriterionState::Met => 2,
        });
        let state = worst.map_or(CriterionState::Unproven, |result| result.state);
        let said = worst.and_then(|result| result.evidence.as_ref());
        let evidence = said.and_then(|evidence| held(evidence, state, work, texts));
        let state = match (state, &evidence) {
            (CriterionState::Met, None) => CriterionState::Unproven,
            (state, _) => state,
        };
        CriterionResult { task_id: task.id.clone(), criterion: number, evidence, state }
    };
    review.criteria = work.criteria().map(answer).collect();
}

/// What of the evidence holds: a check that ran and says so, and a quote at the line where it stands.
fn held(evidence: &Evidence, state: CriterionState, work: &Judged, texts: &Texts<'_>) -> Option<Evidence> {
    let says_so = |check: &&CheckResult| match state {
        CriterionState::Met => check.state == CheckState::Passed,
        CriterionState::Unmet => check.has_failed(),
        CriterionState::Unproven => false,
    };
    let named = evidence.check.as_deref().map(str::trim);
    let check = named.and_then(|name| work.checks.iter().filter(says_so).find(|check| check.name == name));
    let quote = evidence.quote.as_deref().filter(|quote| quote.contains(char::is_alphanumeric));
    let quoted = quote.filter(|_| state != CriterionState::Unproven).zip(evidence.file.as_deref());
    let place = quoted.and_then(|(quote, file)| place_quote(file, quote, evidence.line.unwrap_or(1), texts).ok());
    (check.is_some() || place.is_some()).then(|| Evidence {
        check: check.map(|check| check.name.clone()),
        file: place.as_ref().map(|(path, ..)| path.to_string()),
        line: place.as_ref().map(|(_, line, _)| *line),
        quote: place.as_ref().and(quote).map(str::to_owned),
    })
}

/// Raise an issue from every criterion that is not met while no issue is of its task, and take back an approval that a
/// criterion stands against. Only a reviewer that mends nothing any more leaves this to do.
pub(super) fn raise_unmet(review: &mut ReviewOutput, work: &Judged, earlier: &Earlier) {
    let with_issue = work.tasks_of(review.issues.iter().chain(&earlier.dismissed));
    let is_unmet = |task: &Task, number: u32| {
        let of_it = |result: &&CriterionResult| result.task_id == task.id && result.criterion == number;
        review.criteria.iter().find(of_it).is_some_and(|result| result.state == CriterionState::Unmet)
    };
    let unmet: Vec<(&Task, u32, &str)> = work.criteria().filter(|(task, number, _)| is_unmet(task, *number)).collect();
    let lacking = unmet.iter().filter(|(task, ..)| !with_issue.contains(task.id.as_str()));
    let raised: Vec<Issue> = lacking.map(|(task, number, words)| issue_of(task, *number, words)).collect();
    review.issues.extend(raised);
    if !unmet.is_empty() && review.recommended_action == RecommendedAction::Merge {
        review.recommended = Some(Recommended { verdict: review.verdict, action: review.recommended_action });
        review.verdict = Verdict::ChangesRequested;
        review.recommended_action = RecommendedAction::FixAndReReview;
    }
}

/// The issue that a criterion is not met. It is about no line, and its task mends it.
fn issue_of(task: &Task, number: u32, words: &str) -> Issue {
    let file = task.files().next().unwrap_or(PlanOutput::FILE).to_owned();
    let description = format!("Acceptance criterion {number} of {} is not met: {}", task.id, words.trim());
    Issue {
        id: issue_id(&file, words, &description),
        severity: Severity::Major,
        file,
        line: 1,
        end_line: None,
        quote: None,
        description,
        suggested_fix: None,
        task_id: Some(task.id.clone()),
        placed: Some(false),
        refuted: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::accept::{accept, accept_last, submit, submit_unplanned};
    use super::*;
    use crate::phases::placing::FileText;

    const TEST: &str =
        "#[test]\nfn it_adds() {\n    assert_eq!(add(1, 2), 3);\n}\n\n#[test]\nfn it_asserts_nothing() {}\n";

    fn texts() -> Texts<'static> {
        Texts::new(|path| match path.as_str() {
            "tests/add.rs" => FileText::Shown(TEST.to_owned()),
            ".env" => FileText::Hidden(3),
            _ => FileText::Missing,
        })
    }

    /// T1 owns `src/add.rs` and has two criteria, T2 owns nothing and has one; `test` passed and `lint` failed.
    fn judged() -> Judged {
        let task = |id: &str, files: Value, criteria: Value| {
            json!({
                "id": id, "title": id, "description": id, "files_to_modify": files, "acceptance_criteria": criteria,
                "estimated_complexity": "simple",
            })
        };
        let plan = json!({
            "approach_summary": "a", "parallel_groups": [["T1", "T2"]],
            "tasks": [task("T1", json!(["src/add.rs"]), json!(["it adds", "it never fails"])), task("T2", json!([]), json!(["it is told"]))],
        });
        let check = |name: &str, state: &str| json!({ "name": name, "command": name, "state": state });
        let checks = json!([check("test", "passed"), check("lint", "failed"), check("slow", "skipped")]);
        let (plan, checks) = (serde_json::from_value(plan).unwrap(), serde_json::from_value(checks).unwrap());
        Judged { plan, keys: FileKeys::default(), checks }
    }

    fn answer(task: &str, criterion: u32, state: &str, evidence: Value) -> Value {
        json!({ "task_id": task, "criterion": criterion, "evidence": evidence, "state": state })
    }

    /// An approval that proves everything.
    fn proven() -> Value {
        let quoted = json!({ "file": "tests/add.rs", "line": 1, "quote": "+    assert_eq!(add(1,  2), 3);" });
        json!({
            "verdict": "approved", "summary": "s", "recommended_action": "merge",
            "criteria": [
                answer("T2", 1, "met", json!({ "check": "test" })),
                answer("T1", 1, "met", quoted),
                answer("T1", 2, "met", json!({ "check": "test" })),
            ],
        })
    }

    fn with(mut review: Value, at: usize, answer: Value) -> Value {
        let criteria = review["criteria"].as_array_mut().unwrap();
        criteria.truncate(at.max(3));
        if at < criteria.len() {
            criteria[at] = answer
        } else {
            criteria.push(answer)
        }
        review
    }

    fn faults_of(review: Value) -> Vec<String> {
        accept(review, &judged(), &Earlier::default(), &texts()).unwrap_err()
    }

    /// The states of T1's two criteria and of T2's, as they are taken.
    fn states(review: Value) -> Vec<&'static str> {
        let review = accept_last(review, &judged(), &Earlier::default(), &texts()).unwrap();
        let places: Vec<_> = review.criteria.iter().map(|result| (result.task_id.as_str(), result.criterion)).collect();
        assert_eq!(places, [("T1", 1), ("T1", 2), ("T2", 1)]);
        review.criteria.iter().map(|result| result.state.as_str()).collect()
    }

    #[test]
    fn every_criterion_is_answered_in_the_order_of_the_plan_and_its_quote_has_its_line() {
        let review = accept(proven(), &judged(), &Earlier::default(), &texts()).unwrap();
        let evidence = |at: usize| review.criteria[at].evidence.clone().unwrap();
        assert_eq!((evidence(0).file.as_deref(), evidence(0).line), (Some("tests/add.rs"), Some(3)));
        assert_eq!((evidence(1).check.as_deref(), evidence(1).file), (Some("test"), None));
        assert_eq!(states(proven()), ["met", "met", "met"]);
    }

    #[test]
    fn what_is_missing_twice_or_unknown_goes_back() {
        let mut none = proven();
        none.as_object_mut().unwrap().shift_remove("criteria");
        let missing = "/criteria: every acceptance criterion of every reviewed task is to be answered; these are not: \
                       criterion 1 of T1 (it adds); criterion 2 of T1 (it never fails); criterion 1 of T2 (it is told)";
        assert_eq!(faults_of(none.clone()), [missing]);
        assert_eq!(states(none), ["unproven"; 3]);

        for (number, task) in [(3, "T1"), (0, "T1"), (1, "T9")] {
            let faults = faults_of(with(proven(), 2, answer(task, number, "met", json!({ "check": "test" }))));
            let place = if task == "T1" {
                "/criteria/2/criterion: there is no criterion"
            } else {
                "/criteria/2/task_id: no task \"T9\""
            };
            assert!(faults[0].starts_with(place), "{faults:?}");
            assert!(faults[1].ends_with("these are not: criterion 2 of T1 (it never fails)"), "{faults:?}");
        }
        let twice = with(proven(), 3, answer("T2", 1, "unproven", Value::Null));
        assert_eq!(faults_of(twice.clone()), ["/criteria/3: criterion 1 of T2 is answered twice"]);
        assert_eq!(states(twice), ["met", "met", "unproven"], "the worse answer counts");
    }

    #[test]
    fn what_nothing_shows_is_unproven_however_sure_the_reviewer_is() {
        let quote = |file: &str, quote: &str| json!({ "file": file, "line": 3, "quote": quote });
        for evidence in [
            Value::Null,
            json!({}),
            json!({ "check": "lint" }),
            json!({ "check": "slow" }),
            json!({ "check": "other" }),
            quote("tests/add.rs", "assert!(never_fails());"),
            quote("tests/add.rs", " }"),
            quote("tests/gone.rs", "assert_eq!(add(1, 2), 3);"),
            quote("../add.rs", "assert_eq!(add(1, 2), 3);"),
            quote(".env", "KEY"),
            json!({ "file": "tests/add.rs", "line": 3 }),
            json!({ "quote": "assert_eq!(add(1, 2), 3);" }),
        ] {
            let review = with(proven(), 2, answer("T1", 2, "met", evidence.clone()));
            let review = accept(review, &judged(), &Earlier::default(), &texts()).unwrap();
            let result = &review.criteria[1];
            assert_eq!((result.state, &result.evidence), (CriterionState::Unproven, &None), "{evidence}");
        }
        // What holds of it is kept.
        let half = json!({ "check": "test", "file": "tests/gone.rs", "line": -3, "quote": "x" });
        let review = with(proven(), 2, answer("T1", 2, "met", half));
        let review = accept(review, &judged(), &Earlier::default(), &texts()).unwrap();
        let held = Evidence { check: Some("test".to_owned()), ..Evidence::default() };
        assert_eq!((review.criteria[1].state, &review.criteria[1].evidence), (CriterionState::Met, &Some(held)));
    }

    #[test]
    fn a_failing_check_shows_that_a_criterion_is_not_met() {
        for (check, shows) in [("lint", true), ("test", false), ("slow", false)] {
            let review = with(proven(), 2, answer("T1", 2, "unmet", json!({ "check": check })));
            let review = accept_last(review, &judged(), &Earlier::default(), &texts()).unwrap();
            assert_eq!(review.criteria[1].evidence.is_some(), shows, "{check}");
            assert_eq!(review.criteria[1].state, CriterionState::Unmet);
        }
    }

    #[test]
    fn work_with_an_unmet_criterion_is_not_approved_and_an_issue_says_what_to_mend() {
        let unmet = with(proven(), 2, answer("T1", 2, "unmet", Value::Null));
        let faults = faults_of(unmet.clone());
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].starts_with("/verdict: criterion 2 of T1 is unmet"), "{faults:?}");
        assert!(faults[1].starts_with("/issues: criterion 2 of T1 is unmet, and no issue of T1"), "{faults:?}");

        let asks = |issue: Value| {
            let mut review = unmet.clone();
            review["verdict"] = json!("changes_requested");
            review["recommended_action"] = json!("fix_and_re_review");
            review["issues"] = json!([issue]);
            accept(review, &judged(), &Earlier::default(), &texts())
        };
        let issue = |file: &str, task: Value| json!({ "severity": "major", "file": file, "line": 1, "description": "d", "task_id": task });
        assert!(asks(issue("tests/add.rs", json!("T1"))).is_ok(), "by its task");
        let of_another = asks(issue("tests/add.rs", json!("T2"))).unwrap_err();
        assert!(of_another.len() == 1 && of_another[0].starts_with("/issues: criterion 2 of T1"), "{of_another:?}");

        // An issue that stands, or one that the user wants none of, says it as well.
        let own: Issue = serde_json::from_value(issue("src/add.rs", Value::Null)).unwrap();
        let own = Issue { id: "i1".to_owned(), ..own };
        let mut answered = unmet.clone();
        answered["verdict"] = json!("changes_requested");
        answered["recommended_action"] = json!("fix_and_re_review");
        let dismissed = Earlier { dismissed: vec![own.clone()], ..Earlier::default() };
        assert!(accept(answered.clone(), &judged(), &dismissed, &texts()).is_ok());
        let open = Earlier { open: vec![own], ..Earlier::default() };
        assert!(accept(answered.clone(), &judged(), &open, &texts()).is_err(), "it is fixed by silence");
        answered["answers"] = json!([{ "id": "i1", "state": "open" }]);
        assert!(accept(answered, &judged(), &open, &texts()).is_ok());
    }

    #[test]
    fn on_the_last_try_the_server_takes_back_the_approval_and_raises_the_issue() {
        let unmet =
            with(with(proven(), 2, answer("T1", 2, "unmet", Value::Null)), 0, answer("T2", 1, "unmet", Value::Null));
        let mut review = accept_last(unmet, &judged(), &Earlier::default(), &texts()).unwrap();
        raise_unmet(&mut review, &judged(), &Earlier::default());
        let own = Recommended { verdict: Verdict::Approved, action: RecommendedAction::Merge };
        let now = (review.verdict, review.recommended_action, review.recommended);
        assert_eq!(now, (Verdict::ChangesRequested, RecommendedAction::FixAndReReview, Some(own)));
        let raised: Vec<_> = review
            .issues
            .iter()
            .map(|issue| {
                (
                    issue.severity,
                    issue.file.as_str(),
                    issue.task_id.as_deref(),
                    issue.placed,
                    issue.description.as_str(),
                )
            })
            .collect();
        let expected = [
            (
                Severity::Major,
                "src/add.rs",
                Some("T1"),
                Some(false),
                "Acceptance criterion 2 of T1 is not met: it never fails",
            ),
            (
                Severity::Major,
                "plan.json",
                Some("T2"),
                Some(false),
                "Acceptance criterion 1 of T2 is not met: it is told",
            ),
        ];
        assert_eq!(raised, expected);
        let before = review.clone();
        raise_unmet(&mut review, &judged(), &Earlier::default());
        assert_eq!(review, before, "once");

        // A rejection stays one.
        let mut rejected = with(proven(), 2, answer("T1", 2, "unmet", Value::Null));
        rejected["verdict"] = json!("rejected");
        rejected["recommended_action"] = json!("re_plan");
        let mut review = accept_last(rejected, &judged(), &Earlier::default(), &texts()).unwrap();
        raise_unmet(&mut review, &judged(), &Earlier::default());
        assert_eq!((review.recommended_action, review.issues.len()), (RecommendedAction::RePlan, 1));
        assert_eq!(review.recommended, None);
    }

    #[test]
    fn a_reviewer_is_asked_for_criteria_only_where_there_is_a_plan() {
        let offers = |tool: crate::models::ToolSpec| {
            let required = tool.input_schema["required"].as_array().unwrap().iter().any(|name| name == "criteria");
            (tool.input_schema["properties"].get("criteria").is_some(), required)
        };
        assert_eq!(offers(submit()), (true, true));
        assert_eq!(offers(submit_unplanned()), (false, false));
    }
}
