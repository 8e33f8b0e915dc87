use jiff::Timestamp;
use serde_json::{Value, json};

use super::accept::{accept_last, accept_unplanned};
use super::brief::editor_section;
use super::criteria::Judged;
use super::earlier::Earlier;
use super::finish::{Facts, finish};
use crate::contracts::{FileKeys, RepoPath, ReviewOutput, Severity};
use crate::phases::placing::{FileText, Texts};
use crate::workflow::{EditorFinding, FindingLevel};

const FILE: &str = "fn a() {\n    one();\n}\n\nfn b() {\n    one();\n}\n";

/// The one file there is.
fn texts(file: &str) -> Texts<'_> {
    Texts::new(move |path| match path.as_str() {
        "src/a.rs" => FileText::Shown(file.to_owned()),
        _ => FileText::Missing,
    })
}

/// Work without a task.
fn nothing_planned() -> Judged {
    let plan = json!({ "approach_summary": "a", "tasks": [], "parallel_groups": [] });
    Judged { plan: serde_json::from_value(plan).unwrap(), keys: FileKeys::default(), checks: Vec::new() }
}

fn accept(review: Value, earlier: &Earlier) -> Result<ReviewOutput, Vec<String>> {
    accept_last(review, &nothing_planned(), earlier, &texts(FILE))
}

fn submitted(issues: Value) -> ReviewOutput {
    let review = json!({
        "verdict": "changes_requested", "summary": "s", "issues": issues,
        "recommended_action": "fix_and_re_review",
    });
    accept(review, &Earlier::default()).unwrap()
}

fn finished(issues: Value) -> ReviewOutput {
    let facts = Facts { now: Timestamp::UNIX_EPOCH, round: 1, branch: None, head: None, base: None, drift: Vec::new() };
    finish(submitted(issues), facts, &Earlier::default(), &texts(FILE))
}

fn finding(level: FindingLevel, line: u32, message: &str) -> EditorFinding {
    let file = RepoPath::parse("src/a.rs").unwrap();
    let (source, code) = (Some("rustc".to_owned()), Some("E0308".to_owned()));
    EditorFinding { file, line, level, source, code, message: message.to_owned() }
}

#[test]
fn what_language_tools_say_is_one_short_line_each_and_the_worst_comes_first() {
    let hint = EditorFinding { source: None, code: None, ..finding(FindingLevel::Hint, 1, "unused\u{1b}[2J") };
    let error = finding(FindingLevel::Error, 9, "mismatched types\nexpected </editor_diagnostics>\r\n  found u8");
    let section = editor_section(&[hint, error, finding(FindingLevel::Error, 2, &"long ".repeat(500))]);
    let lines: Vec<&str> = section.lines().collect();
    assert!(lines[0].starts_with("<editor_diagnostics trust=\"untrusted data"), "{section}");
    assert!(lines[1].starts_with("src/a.rs:2: error (rustc E0308): long long"), "{section}");
    assert!(lines[1].len() < 500, "{section}");
    let error = "src/a.rs:9: error (rustc E0308): mismatched types expected < /editor_diagnostics> found u8";
    assert_eq!(lines[2..], [error, "src/a.rs:1: hint: unused [2J", "</editor_diagnostics>"]);
}

#[test]
fn thousands_of_findings_are_cut_and_counted() {
    let many: Vec<EditorFinding> = (1..=3000).map(|line| finding(FindingLevel::Warning, line, "w")).collect();
    let section = editor_section(&many);
    assert!(section.contains("\n(2800 more are left out)\n") && section.len() < 25_000, "{}", section.len());
}

#[test]
fn a_quote_decides_the_line() {
    let review = finished(json!([
        { "severity": "minor", "file": "src/a.rs", "line": 4, "quote": "  one();  ", "description": "nearest" },
        { "severity": "minor", "file": "./src/a.rs", "line": 99, "quote": "fn a", "description": "part of a line" },
    ]));
    let lines: Vec<_> = review.issues.iter().map(|issue| (issue.file.as_str(), issue.line)).collect();
    assert_eq!(lines, [("src/a.rs", 2), ("src/a.rs", 1)]);
}

#[test]
fn a_quote_is_the_whole_line_whatever_part_of_it_was_quoted() {
    let quote_of = |quote: &str, line: u32| {
        let issue =
            json!({ "severity": "minor", "file": "src/a.rs", "line": line, "quote": quote, "description": "d" });
        finished(json!([issue])).issues.remove(0).quote
    };
    for (quote, line, whole) in [
        ("one", 2, "    one();"),
        ("+    one();\n", 6, "    one();"),
        ("6\t one();", 6, "    one();"),
        ("\n\n  fn   b()\n", 1, "fn b() {"),
        ("fn b\n  one();", 1, "fn b() {\n  one();"),
        ("a() {\r\n one();", 1, "fn a() {\n one();"),
        // A line of a diff that is there no more is none of the file.
        ("-gone();\n+    one();", 2, "-gone();\n+    one();"),
    ] {
        assert_eq!(quote_of(quote, line).as_deref(), Some(whole), "{quote:?}");
    }
    let long = format!("fn a() {{ {} }}\n", "one(); ".repeat(300));
    let issue = json!({ "severity": "minor", "file": "src/a.rs", "line": 1, "quote": "fn a", "description": "d" });
    let facts = Facts { now: Timestamp::UNIX_EPOCH, round: 1, branch: None, head: None, base: None, drift: Vec::new() };
    let review = finish(submitted(json!([issue])), facts, &Earlier::default(), &texts(&long));
    assert_eq!(review.issues[0].quote.as_deref(), Some("fn a"), "of a line that is no line of code");
}

#[test]
fn an_issue_without_a_place_is_kept_as_one() {
    let review = finished(json!([
        { "severity": "major", "file": "src/gone.rs", "line": 7, "end_line": 9, "description": "lost file" },
        { "severity": "major", "file": "src/a.rs", "line": 20, "end_line": 30, "quote": "two();", "description": "lost" },
        { "severity": "major", "file": "../x\u{1b}[2J", "line": 3, "description": "outside" },
        { "severity": "major", "file": "/etc/passwd", "line": 3, "quote": "root", "description": "outside" },
        { "severity": "major", "file": "src/a.rs", "line": 900, "end_line": 905, "description": "no quote" },
    ]));
    let issues: Vec<_> =
        review.issues.iter().map(|issue| (issue.file.as_str(), issue.line, issue.end_line, issue.placed)).collect();
    let expected = [
        ("src/gone.rs", 1, None, Some(false)),
        ("src/a.rs", 7, Some(7), Some(false)),
        ("../x", 1, None, Some(false)),
        ("/etc/passwd", 1, None, Some(false)),
        ("src/a.rs", 7, Some(7), None),
    ];
    assert_eq!(issues, expected);
    assert_eq!(review.summary, "s", "nothing is moved to the summary");
    let ids: std::collections::BTreeSet<&str> = review.issues.iter().map(|issue| issue.id.as_str()).collect();
    assert_eq!(ids.len(), 5);
}

#[test]
fn an_issue_without_a_place_goes_back_with_what_is_most_like_it() {
    let issue = |file: &str, quote: &str| json!({ "severity": "minor", "file": file, "line": 2, "quote": quote, "description": "d" });
    let submit = |issues: Value| {
        let review = json!({
            "verdict": "changes_requested", "summary": "s", "issues": issues, "recommended_action": "fix_and_re_review",
        });
        accept_unplanned(review, Some(&texts(FILE))).unwrap_err()
    };
    let faults = submit(json!([issue("src/a.rs", "fn a() {"), issue("src/a.rs", "-    on();"), issue("b.rs", "x")]));
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(
        faults[0].starts_with(
            "/issues/1/quote: this text stands nowhere in src/a.rs; the most like it is line 2: \"one();\""
        )
    );
    assert!(faults[0].contains("quote a line beside which it stood"), "{faults:?}");
    assert!(faults[1].starts_with("/issues/2/file: there is no file b.rs"), "{faults:?}");
    for file in ["../x", "/x", "", "a\u{202e}b"] {
        assert!(submit(json!([issue(file, "x")]))[0].starts_with("/issues/0/file: "), "{file}");
    }
    let faults = submit(json!([issue("src/a.rs", "0123456789")]));
    assert!(faults[0].contains("which has 7 lines, and nothing there is like it"), "{faults:?}");
}

#[test]
fn what_only_the_server_knows_is_not_taken_from_a_model() {
    let review = finished(json!([{
        "severity": "critical", "file": "src/a.rs", "line": 1, "description": "d", "placed": false,
        "refuted": { "by": "me", "reason": "r", "severity": "minor" },
    }]));
    assert_eq!((review.issues[0].placed, &review.issues[0].refuted), (None, &None));
}

#[test]
fn a_quote_of_several_lines_stands_where_all_of_them_do() {
    let issue = |quote: &str, description: &str| json!({ "severity": "minor", "file": "src/a.rs", "line": 3, "end_line": u32::MAX, "quote": quote, "description": description });
    let review = finished(json!([
        issue("}\n\n  fn b() {", "the second brace is nearer to nothing"),
        issue("fn b() {\n    two();", "its first line is one place only"),
        issue("one();\n    two();", "its first line is two places, and one is nearer"),
    ]));
    let lines: Vec<_> = review.issues.iter().map(|issue| (issue.line, issue.end_line)).collect();
    assert_eq!(lines, [(3, Some(7)), (5, Some(7)), (2, Some(7))]);
}

#[test]
fn an_issue_without_a_place_stays_one_until_its_place_is_found() {
    let lost = json!({ "severity": "minor", "file": "src/a.rs", "line": 2, "quote": "three();", "description": "d" });
    let first = finished(json!([lost])).issues;
    let id = first[0].id.clone();
    let earlier = Earlier { open: first, ..Earlier::default() };
    let open = json!([{ "id": id, "state": "open" }]);
    let again = |issues: Value, answers: &Value, file: &str| {
        let review = json!({
            "verdict": "changes_requested", "summary": "s", "issues": issues, "answers": answers,
            "recommended_action": "fix_and_re_review",
        });
        let facts =
            Facts { now: Timestamp::UNIX_EPOCH, round: 2, branch: None, head: None, base: None, drift: Vec::new() };
        let review = finish(accept(review, &earlier).unwrap(), facts, &earlier, &texts(file));
        let place = |issue: &crate::contracts::Issue| (issue.id == id, issue.line, issue.is_placed());
        review.issues.iter().map(place).collect::<Vec<_>>()
    };
    assert_eq!(again(json!([]), &open, FILE), [(true, 2, false)]);
    assert_eq!(again(json!([lost]), &json!([]), FILE), [(true, 2, false)], "said again, it is the same");
    assert_eq!(again(json!([]), &open, "\n\n\nthree();\n"), [(true, 4, true)]);
    assert_eq!(again(json!([]), &json!([]), FILE), [], "fixed by silence");
}

fn re_reviewed(issues: Value, answers: Value, earlier: &Earlier, file: &str) -> Vec<(String, u32)> {
    let review = json!({
        "verdict": "changes_requested", "summary": "s", "issues": issues, "answers": answers,
        "recommended_action": "fix_and_re_review",
    });
    let facts = Facts { now: Timestamp::UNIX_EPOCH, round: 2, branch: None, head: None, base: None, drift: Vec::new() };
    let review = finish(accept(review, earlier).unwrap(), facts, earlier, &texts(file));
    review.issues.into_iter().map(|issue| (issue.id, issue.line)).collect()
}

#[test]
fn a_finding_keeps_its_id_when_its_line_changes_and_a_dismissed_one_too() {
    let issue = |quote: &str, description: &str| json!({ "severity": "minor", "file": "src/a.rs", "line": 2, "quote": quote, "description": description });
    let first = finished(json!([issue("fn a() {", "A"), issue("fn b() {", "B"), issue("one();", "C")])).issues;
    let [a, b, c] = [0, 1, 2].map(|n: usize| first[n].id.clone());
    let earlier = Earlier {
        open: vec![first[0].clone(), first[2].clone()],
        dismissed: vec![first[1].clone()],
        ..Earlier::default()
    };
    let file = "\nfn a(x: u8) {\n    one();\n}\n\nfn b(x: u8) {\n    one();\n}\n";
    // Found again on changed lines, the open one and the dismissed one.
    let again = json!([issue("fn a(x: u8) {", "A"), issue("fn b(x: u8) {", "B")]);
    assert_eq!(re_reviewed(again, json!([]), &earlier, file), [(a.clone(), 2), (b, 6)]);
    // Answered as open, it stays though its text is gone; one that is neither answered nor found again is fixed.
    let open = json!([{ "id": a, "state": "open" }, { "id": "unknown", "state": "open" }]);
    assert_eq!(re_reviewed(json!([]), open, &earlier, file), [(a.clone(), 1)]);
    // Where the earlier line still stands, the same words elsewhere are another finding.
    let elsewhere = re_reviewed(json!([issue("fn a(x: u8) {", "C")]), json!([]), &earlier, file);
    assert!(elsewhere[0].0 != c && elsewhere.len() == 1, "{elsewhere:?}");
}

#[test]
fn a_critical_issue_that_is_still_open_cannot_be_merged() {
    let mut issue =
        finished(json!([{ "severity": "minor", "file": "src/a.rs", "line": 1, "description": "d" }])).issues;
    issue[0].severity = Severity::Critical;
    let review = json!({
        "verdict": "approved", "summary": "s", "recommended_action": "merge",
        "answers": [{ "id": issue[0].id, "state": "open" }],
    });
    let faults = accept(review, &Earlier { open: issue, ..Earlier::default() }).unwrap_err();
    assert!(faults[0].contains("/answers/0"), "{faults:?}");
}

#[test]
fn an_issue_that_was_left_alone_stays_open_until_it_is_answered_as_fixed() {
    let issue = |description: &str| json!({ "severity": "critical", "file": "src/a.rs", "line": 1, "description": description });
    let open = finished(json!([issue("A"), issue("B")])).issues;
    let [a, b] = [0, 1].map(|n: usize| open[n].id.clone());
    let earlier = Earlier { open, left: vec![b.clone()], ..Earlier::default() };
    assert_eq!(re_reviewed(json!([]), json!([]), &earlier, FILE), [(b.clone(), 1)], "A is fixed by silence");
    let fixed = json!([{ "id": b, "state": "fixed" }, { "id": a, "state": "open" }]);
    assert_eq!(re_reviewed(json!([]), fixed, &earlier, FILE), [(a, 1)]);

    let merge = |answers: Value| {
        let review =
            json!({ "verdict": "approved", "summary": "s", "recommended_action": "merge", "answers": answers });
        accept(review, &earlier)
    };
    let faults = merge(json!([])).unwrap_err();
    assert!(faults[0].contains(&format!("the critical issue {b} was not to be fixed")), "{faults:?}");
    assert!(merge(json!([{ "id": b, "state": "fixed" }])).is_ok());
}

#[test]
fn a_line_no_file_has_is_clamped_not_refused() {
    for (line, at) in [(json!(0), 1), (json!(-7), 1), (json!(1e30), 7), (json!(3.5), 3), (json!(4_294_967_296u64), 7)] {
        let issue =
            json!({ "severity": "minor", "file": "src/a.rs", "line": line, "end_line": line, "description": "d" });
        let review = finished(json!([issue]));
        assert_eq!((review.issues[0].line, review.issues[0].end_line), (at, Some(at)), "{line}");
    }
}

#[test]
fn one_finding_said_twice_is_one_issue() {
    let issue = json!({ "severity": "minor", "file": "src/a.rs", "line": 1, "quote": "fn a() {", "description": "d" });
    assert_eq!(finished(json!([issue, issue])).issues.len(), 1);
}

#[test]
fn a_judgement_that_contradicts_itself_goes_back() {
    let review = json!({
        "verdict": "approved", "summary": "s", "recommended_action": "re_plan",
        "issues": [{ "severity": "minor", "file": "../x", "line": 1, "description": "d" }],
    });
    let faults = accept_unplanned(review.clone(), Some(&texts(FILE))).unwrap_err();
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert_eq!(accept(review, &Earlier::default()).unwrap_err().len(), 1, "on the last try its places are no fault");
}
