use serde_json::{Value, json};

use super::super::accept::{accept, accept_last, submit, submit_unplanned};
use super::*;
use crate::phases::placing::FileText;

const TEST: &str = "#[test]\nfn it_adds() {\n    assert_eq!(add(1, 2), 3);\n}\n\n#[test]\nfn it_asserts_nothing() {}\n";

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
        criteria[at] = answer;
    } else {
        criteria.push(answer);
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
        quote("tests/add.rs", "0123456789 % 9876543210;"),
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
fn a_quote_that_is_not_copied_well_goes_back_and_shows_nothing_in_the_end() {
    let quote = |quote: &str| json!({ "file": "tests/add.rs", "line": 3, "quote": quote });
    let near = |state: &str| with(proven(), 2, answer("T1", 2, state, quote("    assert_ne!(add(1, 2), 3);")));
    let fault = "/criteria/2/evidence/quote: this text stands nowhere in tests/add.rs; the most like it is line 3: \
                 \"assert_eq!(add(1, 2), 3);\". Copy the line as it stands.";
    assert_eq!(faults_of(near("met")), [fault]);
    assert_eq!(states(near("met")), ["met", "unproven", "met"], "on the last try");
    assert!(accept(near("unproven"), &judged(), &Earlier::default(), &texts()).is_ok(), "it need not show anything");
    let mut with_check = near("met");
    with_check["criteria"][2]["evidence"]["check"] = json!("test");
    assert!(accept(with_check, &judged(), &Earlier::default(), &texts()).is_ok(), "the check shows it");
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
            (issue.severity, issue.file.as_str(), issue.task_id.as_deref(), issue.placed, issue.description.as_str())
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
        (Severity::Major, "plan.json", Some("T2"), Some(false), "Acceptance criterion 1 of T2 is not met: it is told"),
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
