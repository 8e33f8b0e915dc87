//! What a person does with the issues of a review against a commit, on the command line and in an editor.

use serde_json::{Value, json};

use super::{BASE_REVIEW, against, reviewer};
use crate::support::messages_api::{MessagesApi, Script};
use crate::support::plain_editor::PlainEditor;
use crate::support::replies::{approves, but, goes_well, own, review, workspace};
use crate::support::session::Session;

const ANSWER: &str = "    0";

fn found(file: &str, description: &str) -> Value {
    json!({
        "severity": "minor", "file": file, "line": 2, "quote": ANSWER, "description": description,
        "suggested_fix": "Answer 1."
    })
}

/// A repository whose three files were reviewed against a commit.
fn reviewed() -> Session {
    let session = Session::in_git(&workspace(3));
    session.write("by_hand.txt", "new\n");
    let issues = [found("src/t1.rs", "One answers 0."), found("src/t2.rs", "Two answers 0.")];
    against(&session, &reviewer([review("changes_requested", "fix_and_re_review", &issues)]), "HEAD", &[]).expect(0);
    session
}

fn id(session: &Session, file: &str, at: usize) -> String {
    session.handoff(file)["issues"][at]["id"].as_str().unwrap().to_owned()
}

fn one_task() -> MessagesApi {
    MessagesApi::start(goes_well(&[&[own("T1")]]))
}

#[test]
fn an_issue_is_fixed_by_a_workflow_whose_task_it_is() {
    let session = reviewed();
    let commit = session.git(&["rev-parse", "HEAD"])[..10].to_owned();
    let api = one_task();
    let one = id(&session, BASE_REVIEW, 0);
    session.run(&api, ["--fix", one.as_str(), "--auto-approve"]).expect(0).prints("Approved by reading");
    let task = format!(
        "Fix this issue, found by a review of the working tree against {commit}.\n\n\
         src/t1.rs:2 (minor): One answers 0.\nSuggested fix: Answer 1.\n"
    );
    assert_eq!(session.text(".agent_memory/task.md"), task);
    assert!(api.first_message("context", 0).contains("One answers 0."));
    assert!(session.text("src/t1.rs").contains('1'));
    assert!(session.exists(".agent_memory/base_review.json") && session.history().is_empty());

    // Where a workflow is finished, the next one begins anew, and the review stays.
    let before = session.text(".agent_memory/base_review.json");
    let both = format!("{},{}", id(&session, BASE_REVIEW, 0), id(&session, BASE_REVIEW, 1));
    session.run(&one_task(), ["--fix", both.as_str()]).expect(3);
    let task = session.text(".agent_memory/task.md");
    assert!(task.starts_with("Fix these 2 issues,") && task.contains("\n\n2. src/t2.rs:2 (minor): Two"), "{task}");
    assert_eq!(session.history(), ["0001-finished"]);
    assert_eq!(session.text(".agent_memory/base_review.json"), before);

    // While that is unfinished, another is refused and the same goes on.
    let two = id(&session, BASE_REVIEW, 1);
    let refused = session.run(&one_task(), ["--fix", two.as_str()]).expect(2);
    refused.reports("another task is unfinished here").reports("`baton run`").reports("`baton reset`");
    let api = one_task();
    session.run(&api, ["--fix", both.as_str()]).expect(3);
    assert!(api.requests().is_empty(), "it waits at its gate as before");
}

#[test]
fn what_cannot_be_fixed_is_told_with_what_there_is() {
    let session = reviewed();
    let (one, two) = (id(&session, BASE_REVIEW, 0), id(&session, BASE_REVIEW, 1));
    let api = MessagesApi::start(Script::new());
    let refused = |ids: &str, words: &str| {
        let before = session.memory_tree();
        session.run(&api, ["--fix", ids]).expect(2).reports(words);
        let mut after = session.memory_tree();
        after.insert("lock".to_owned(), before["lock"].clone());
        assert_eq!(after, before);
    };
    refused(
        "nothing",
        &format!("\"nothing\" is no issue of a review; open are {one} (src/t1.rs:2), {two} (src/t2.rs:2)"),
    );
    refused(&format!("{one},nothing"), "\"nothing\" is no issue of the review against ");
    session.write(".agent_memory/dismissed.json", json!([one]).to_string());
    refused(&one, &format!("issue {one} is dismissed; restore it first"));
    let text = session.text(".agent_memory/base_review.json").replace("src/t2.rs", "../t2.rs");
    session.write(".agent_memory/base_review.json", text);
    refused(&two, "\"../t2.rs\", which is no file of the workspace");
}

#[test]
fn issues_of_both_reviews_are_not_fixed_in_one_go() {
    let session = reviewed();
    let script = Script::new().on("review", [review("approved", "merge", &[found("src/t3.rs", "Three answers 0.")])]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let (own, of_base) = (id(&session, "review.json", 0), id(&session, BASE_REVIEW, 1));
    let both = format!("{own},{of_base}");
    let commit = session.git(&["rev-parse", "HEAD"])[..10].to_owned();
    let refused = session.run(&api, ["--fix", both.as_str()]).expect(2);
    refused.reports(&format!(
        "issue {own} is of the workflow's review and {of_base} of the review against {commit}; fix those of one review \
         at a time"
    ));
    assert!(session.history().is_empty());
}

/// Titles of the actions at a place, of which each is for one of the issues.
fn titles(actions: &[Value]) -> Vec<String> {
    actions.iter().map(|action| action["title"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_editor_shows_both_reviews_at_one_line_and_fixes_and_dismisses_each_by_itself() {
    let session = Session::in_git(&workspace(2));
    let own_issue =
        json!({ "severity": "major", "file": "src/t1.rs", "line": 2, "quote": "    1", "description": "Its own." });
    let beside = |file: &str, quote: &str| json!({ "severity": "minor", "file": file, "line": 2, "quote": quote, "description": format!("Beside {file}.") });
    let issues = [beside("src/t1.rs", "    1"), beside("src/t2.rs", "    0")];
    let rounds = [
        vec![review("approved", "merge", &[own_issue])],
        vec![review("changes_requested", "fix_and_re_review", &issues)],
        vec![approves()],
    ];
    let api = MessagesApi::start(but(Script::new().rounds("review", rounds), &[&[own("T1")]]));
    let mut editor = PlainEditor::open(&session, &api);
    let started = editor.execute("baton.workflow", &[json!({ "task": "Do it", "approval": "auto" })]).unwrap();
    editor.until_the_end(&started);
    let started = editor.execute("baton.review", &[json!({ "base": "HEAD" })]).unwrap();
    let last = editor.until_the_end(&started);
    assert!(last.contains("Reviewed 1 file against HEAD"), "{last}");
    assert_eq!(editor.issues("src/t1.rs"), ["1: Its own.", "1: Beside src/t1.rs."]);
    let commit = session.git(&["rev-parse", "HEAD"]).trim().to_owned();

    let actions = editor.actions("src/t1.rs", (1, 4), (1, 4));
    let expected = [
        "Baton: fix this issue (Its own.)".to_owned(),
        "Baton: fix all issues in this file".to_owned(),
        format!("Baton: fix all issues in this file (review against {})", &commit[..10]),
        "Baton: dismiss this issue (Its own.)".to_owned(),
        "Baton: open its task (Its own.)".to_owned(),
        "Baton: fix this issue (Beside src/t1.rs.)".to_owned(),
        "Baton: dismiss this issue (Beside src/t1.rs.)".to_owned(),
        "Baton: keep this change".to_owned(),
        "Baton: undo this change".to_owned(),
        "Baton: why (T1)".to_owned(),
    ];
    assert_eq!(titles(&actions), expected);
    let of_base = &actions[5]["diagnostics"][0];
    assert_eq!((&of_base["code"], &of_base["data"]["base"]), (&json!("review.minor"), &json!(commit)));
    assert_eq!(actions[0]["diagnostics"][0]["data"].get("base"), None);
    let own_ids = json!([session.handoff("review.json")["issues"][0]["id"]]);
    assert_eq!(actions[1]["command"]["arguments"][0]["ids"], own_ids);

    // It is dismissed and restored like any other.
    let one = id(&session, BASE_REVIEW, 0);
    editor.execute("baton.dismissIssue", &[json!(one)]).unwrap();
    editor.until("it to go", |editor| editor.issues("src/t1.rs") == ["1: Its own."]);
    editor.execute("baton.restoreIssue", &[json!(one)]).unwrap();
    editor.until("it to return", |editor| editor.issues("src/t1.rs").len() == 2);

    // A fix of it is a workflow of its own; the other's issues go with its workflow.
    let started = editor.execute("baton.fixIssue", &[json!({ "ids": [id(&session, BASE_REVIEW, 1)] })]).unwrap();
    assert!(started["run"].is_string(), "{started}");
    editor.until("the new task", |_| session.history() == ["0001-finished"]);
    editor.until("the first workflow's issue to go", |editor| editor.issues("src/t1.rs") == ["1: Beside src/t1.rs."]);
    assert!(session.text(".agent_memory/task.md").contains("src/t2.rs:2 (minor): Beside src/t2.rs."));
    editor.quit();
}

#[test]
fn what_was_reviewed_on_another_branch_is_withheld_by_itself() {
    let session = Session::in_git(&workspace(1));
    session.write(".agent_memory/task.md", "Do it\n");
    let write = |file: &str, branch: &str, description: &str, base: Option<&str>| {
        let review = json!({
            "verdict": "changes_requested", "summary": "s", "recommended_action": "escalate_to_human", "base": base,
            "branch": branch, "timestamp": "2026-01-01T00:00:00Z", "issues": [found("src/t1.rs", description)],
        });
        session.write(&session.memory(file), review.to_string());
    };
    write("review.json", "main", "Its own.", None);
    write(BASE_REVIEW, "feature", "Beside.", Some("0123456789abcdef"));
    let mut client = session.lsp_client(&MessagesApi::start(Script::new()));
    client.wait_for_lines("src/t1.rs", &["1: review.minor: Its own."]);
    let note = client.wait_for_code(".agent_memory/task.md", "review.branch");
    assert_eq!(
        note["message"],
        "The review against 0123456789 was made on the branch feature, which is not checked out now. Its 1 issue is \
         shown again once it is."
    );
    session.git(&["checkout", "-q", "-b", "feature"]);
    client.wait_for_lines("src/t1.rs", &["1: review.minor: Beside."]);
    client.disconnect();
}
