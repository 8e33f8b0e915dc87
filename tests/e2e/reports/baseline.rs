//! A later review tells what is new.

use serde_json::{Value, json};

use super::{FIRST, SECOND, against_main, changed, finds, issue, json_of, rdjson_lines, results};
use crate::support::replies::with;

fn states(log: &Value) -> Vec<&str> {
    results(log).iter().map(|result| result["baselineState"].as_str().unwrap_or_default()).collect()
}

fn first_words() -> Vec<Value> {
    vec![
        issue("critical", FIRST, "    one();", "The first call is wrong."),
        issue("major", FIRST, "two();", "Two is never defined."),
        with(issue("minor", FIRST, "one();", "And it blocks."), json!({ "line": 2 })),
        issue("major", SECOND, "uno", "Uno is no word of ours."),
        with(issue("minor", SECOND, "uno();\ndue();", "Both lines are unneeded."), json!({ "end_line": 2 })),
        json!({ "severity": "suggestion", "file": SECOND, "line": 2, "description": "Say why." }),
    ]
}

/// The same, by a model that says everything otherwise: other words, severities and lines, other parts of the lines quoted,
/// another order.
fn other_words() -> Vec<Value> {
    vec![
        json!({ "severity": "minor", "file": SECOND, "line": 1, "description": "The reason is missing here." }),
        with(
            issue("major", SECOND, "+uno()\n+due", "Drop these."),
            json!({ "line": 2, "suggested_fix": "Drop them." }),
        ),
        with(issue("critical", FIRST, "one()", "Waits for ever."), json!({ "line": 3 })),
        issue("minor", SECOND, "1\tuno();", "In Italian."),
        issue("suggestion", FIRST, "+    two();", "An unknown name."),
        with(issue("major", &format!("./{FIRST}"), "one", "It calls what it must not."), json!({ "line": 2 })),
    ]
}

#[test]
fn the_same_diff_reviewed_in_other_words_has_nothing_new() {
    let session = changed();
    let done = against_main(&session, &finds(&first_words()), &["--sarif", "first.sarif"]).expect(6);
    assert!(!done.stdout.contains("unchanged"), "{}", done.stdout);
    // With the last review here, and with the file of it, which may come from another machine.
    let done = against_main(&session, &finds(&other_words()), &["--new-only", "--sarif", "second.sarif"]).expect(0);
    done.prints(" 0 new, 6 unchanged.");
    assert_eq!(states(&json_of(&session, "second.sarif")), ["unchanged"; 6]);
    std::fs::remove_dir_all(session.path(".agent_memory")).unwrap();
    let flags = ["--baseline", "first.sarif", "--sarif", "third.sarif", "--fail-on", "minor"];
    against_main(&session, &finds(&other_words()), &flags).expect(0).prints(" 0 new, 6 unchanged.");
    assert_eq!(states(&json_of(&session, "third.sarif")), ["unchanged"; 6]);
    // And back again, so that it holds for either wording.
    let flags = ["--baseline", "third.sarif", "--fail-on", "minor"];
    against_main(&session, &finds(&first_words()), &flags).expect(0).prints(" 0 new, 6 unchanged.");
}

#[test]
fn only_new_issues_count_and_are_shown_where_that_is_asked_for() {
    let session = changed();
    let (old, new) = (issue("critical", FIRST, "one();", "Old."), issue("major", SECOND, "due", "New."));
    against_main(&session, &finds(std::slice::from_ref(&old)), &["--sarif", "base.sarif"]).expect(6);
    let both = [old.clone(), new];
    let flags = ["--baseline", "base.sarif", "--sarif", "base.sarif", "--rdjsonl", "out.rdjsonl", "--annotations"];
    let done = against_main(&session, &finds(&both), &flags).expect(6);
    done.prints("1 new, 1 unchanged.").prints("title=Baton%3A critical%2C unchanged::Old.").prints("critical: Old.");
    assert_eq!(states(&json_of(&session, "base.sarif")), ["unchanged", "new"], "the file may be its own baseline");
    assert_eq!(session.text("out.rdjsonl").lines().count(), 2);

    against_main(&session, &finds(std::slice::from_ref(&old)), &[]).expect(6);
    let flags =
        ["--new-only", "--sarif", "out.sarif", "--rdjsonl", "out.rdjsonl", "--annotations", "--fail-on", "critical"];
    let done =
        against_main(&session, &finds(&both), &flags).expect(0).prints("1 new, 1 unchanged.").prints("major: New.");
    assert!(!done.stdout.contains("Old."), "{}", done.stdout);
    assert_eq!(states(&json_of(&session, "out.sarif")), ["unchanged", "new"], "SARIF says of all what they are");
    let lines = rdjson_lines(&session.text("out.rdjsonl"));
    assert_eq!(lines.iter().map(|line| &line["message"]).collect::<Vec<_>>(), [&json!("New.")]);
}

#[test]
fn without_an_earlier_review_all_issues_are_new() {
    let session = changed();
    let done = against_main(&session, &finds(&first_words()), &["--new-only", "--json"]).expect(6);
    assert_eq!(done.outcome()["review"]["issues"].as_array().unwrap().len(), 6);
    std::fs::remove_dir_all(session.path(".agent_memory")).unwrap();
    against_main(&session, &finds(&first_words()), &["--new-only"]).expect(6).prints(" 6 new, 0 unchanged.");
}

#[test]
fn a_dismissed_issue_is_known_and_counts_as_neither() {
    let session = changed();
    let all = first_words();
    against_main(&session, &finds(&all), &[]).expect(6);
    let id = session.handoff("base_review.json")["issues"][0]["id"].as_str().unwrap().to_owned();
    session.baton(["dismiss", &id]).run().expect(0);
    against_main(&session, &finds(&all), &["--new-only", "--sarif", "a.sarif"])
        .expect(0)
        .prints(" 0 new, 5 unchanged.");
    assert_eq!(states(&json_of(&session, "a.sarif")), ["unchanged"; 6]);
}

#[test]
fn a_baseline_that_cannot_be_read_is_told_at_its_line_before_a_model_is_asked() {
    let session = changed();
    let api = finds(&[]);
    session.write("bad.sarif", "{\n  \"version\": \"2.1.0\",\n  \"runs\": 7\n}\n");
    let done = against_main(&session, &api, &["--baseline", "bad.sarif", "--json"]).expect(2);
    let error = done.outcome()["error"].clone();
    assert_eq!((&error["kind"], &error["file"], &error["line"]), (&json!("config"), &json!("bad.sarif"), &json!(3)));
    done.reports("error: bad.sarif:3: this is no SARIF log: ");
    against_main(&session, &api, &["--baseline", "none.sarif"])
        .expect(2)
        .reports("none.sarif: the baseline cannot be read");
    session.write(".agent_memory/base_review.json", "{\n  \"verdict\": 5\n}\n");
    let done = against_main(&session, &api, &["--new-only", "--json"]).expect(2);
    let error = done.outcome()["error"].clone();
    assert_eq!(error["file"], ".agent_memory/base_review.json");
    assert!(error["line"].is_u64(), "{error}");
    assert!(api.requests().is_empty());
}
