//! `baton review --base`: a review of a diff without a plan.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod beside_a_workflow;
mod fixes;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{approves, review, with};
use crate::support::session::{Done, Session};

const BASE_REVIEW: &str = "base_review.json";

const REPOSITORY: &str = "\
//- /.gitignore
*.log
//- /src/kept.rs
kept
//- /src/changed.rs
one
two
//- /src/gone.rs
gone
//- /src/other.rs
other
";

fn issue(severity: &str, quote: &str, description: &str) -> Value {
    let issue = json!({ "file": "src/changed.rs", "line": 1, "quote": quote, "description": description });
    with(issue, json!({ "severity": severity }))
}

fn reviewer(replies: impl IntoIterator<Item = Reply>) -> MessagesApi {
    MessagesApi::start(Script::new().on("review", replies))
}

fn against(session: &Session, api: &MessagesApi, base: &str, more: &[&str]) -> Done {
    let args = ["review", "--base", base].into_iter().chain(more.iter().copied());
    session.baton(args).api(api).run()
}

fn commit(session: &Session, message: &str) -> String {
    session.git(&["add", "-A"]);
    session.git(&["commit", "-q", "-m", message]);
    session.git(&["rev-parse", "HEAD"]).trim().to_owned()
}

/// A branch with a commit of its own and work that is not committed, while main went on.
fn branched() -> (Session, String) {
    let session = Session::in_git(REPOSITORY);
    let base = session.git(&["rev-parse", "HEAD"]).trim().to_owned();
    session.git(&["checkout", "-q", "-b", "feature"]);
    session.write("src/committed.rs", "committed\n");
    commit(&session, "Add what is committed\n\nAnd say why.");
    session.git(&["checkout", "-q", "main"]);
    session.write("src/other.rs", "main went on\n");
    commit(&session, "Go on");
    session.git(&["checkout", "-q", "feature"]);
    session.write("src/changed.rs", "one\n2\n");
    session.write("src/staged.rs", "staged\n");
    session.git(&["add", "src/staged.rs"]);
    session.write("src/new/untracked.rs", "untracked\n");
    session.write("noise.log", "ignored\n");
    session.write(".env", "KEY=secret-value\n");
    fs::remove_file(session.path("src/gone.rs")).unwrap();
    std::os::unix::fs::symlink("kept.rs", session.path("src/link.rs")).unwrap();
    (session, base)
}

/// Everything below a folder.
fn bytes_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(bytes_below(&path));
        } else {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn what_a_branch_and_the_working_tree_have_beyond_the_merge_base_is_reviewed_and_nothing_is_touched() {
    let (session, base) = branched();
    let head = session.git(&["rev-parse", "HEAD"]).trim().to_owned();
    let (git, tree) = (bytes_below(&session.path(".git")), session.tree());
    let issues = [issue("major", "2", "Not a word."), issue("minor", "one", "Taste.")];
    let api =
        reviewer([Reply::tool("read_diff", json!({})), review("changes_requested", "fix_and_re_review", &issues)]);
    let done = against(&session, &api, "main", &[]).expect(6);
    done.reports("Reviewing against main (since ")
        .prints("src/changed.rs:2: major: Not a word.")
        .prints("1 issue is major or worse; exit 6.")
        .prints("Reviewed 5 files against main");
    assert_eq!((bytes_below(&session.path(".git")), session.tree()), (git, tree));

    let asked = api.requests()[0].first_message();
    for expected in [
        "The working tree, on branch feature, with main (since ",
        "<commits>\nAdd what is committed\n</commits>",
        "src/changed.rs: modified, +1 -1\nsrc/committed.rs: created, +1 -0\nsrc/gone.rs: deleted, +0 -1\n\
         src/new/untracked.rs: created, +1 -0\nsrc/staged.rs: created, +1 -0\n</changed_files>",
        "src/link.rs: a link\n1 that may hold secrets\n</not_shown>",
        "Nobody planned these changes",
    ] {
        assert!(asked.contains(expected), "{expected:?} is not in:\n{asked}");
    }
    for not_told in ["<task>", "<plan>", "<report>", "<context>", ".agent_memory", "noise.log", "src/other.rs", ".env"]
    {
        assert!(!asked.contains(not_told), "{not_told:?} is in:\n{asked}");
    }
    let diff = api.requests()[1].last_message().to_string();
    assert!(diff.contains("-two\\n    2\\t+2\\n"), "{diff}");
    assert!(diff.contains("+untracked") && diff.contains("-gone") && !diff.contains("secret-value"), "{diff}");

    let found = session.handoff(BASE_REVIEW);
    assert_eq!((&found["base"], &found["head"], &found["branch"]), (&json!(base), &json!(head), &json!("feature")));
    assert_eq!((&found["round"], &found["plan_drift_detected"]), (&json!(1), &json!(false)));
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    // It is no workflow's: there is none.
    assert_eq!((&status["run"], &status["outcome"], &status["next"]), (&Value::Null, &Value::Null, &json!("task")));
    assert_eq!((&status["phases"][3]["status"], &status["usage"]["output_tokens"]), (&json!("pending"), &json!(0)));
    let issues: Vec<_> = status["issues"].as_array().unwrap().iter().map(|i| (&i["state"], &i["base"])).collect();
    assert_eq!(issues, [(&json!("new"), &json!(base)), (&json!("new"), &json!(base))]);
    let told = &status["base_review"];
    assert_eq!((&told["base"], &told["verdict"]), (&json!(base), &json!("changes_requested")));
    assert_eq!(told["summary"], found["summary"]);
    session.baton(["status"]).run().expect(0).prints(&format!("(review against {})", &base[..10]));
    assert_eq!(session.names(".agent_memory"), [".gitignore", "base_review.json", "lock", "runs"]);
    session.baton(["reset"]).run().expect(0);
    assert!(
        session.exists(".agent_memory/base_review.json") && session.history().is_empty(),
        "no workflow to set aside"
    );
}

#[test]
fn fail_on_decides_the_exit_code_and_json_ends_with_the_outcome() {
    let (session, _) = branched();
    let run = |severity: Option<&str>, fail_on: &[&str], code: i32| {
        let issues: Vec<Value> = severity.map(|severity| issue(severity, "2", "It.")).into_iter().collect();
        let api = reviewer([review("changes_requested", "fix_and_re_review", &issues)]);
        against(&session, &api, "main", fail_on).expect(code)
    };
    run(Some("major"), &[], 6);
    run(Some("minor"), &[], 0);
    run(Some("suggestion"), &["--fail-on", "minor"], 0);
    run(Some("minor"), &["--fail-on", "minor"], 6);
    run(Some("major"), &["--fail-on", "critical"], 0);
    run(Some("critical"), &["--fail-on", "never"], 0);
    run(None, &[], 0);
    let done = run(Some("critical"), &["--json", "--fail-on", "critical"], 6);
    assert_eq!(done.outcome()["outcome"], "done");
    assert_eq!(done.outcome()["review"]["issues"][0]["severity"], "critical");
    assert_eq!(done.events()[0]["phase"], "workflow");
    session.baton(["review"]).run().expect(2).reports("--base");
    session.baton(["review", "--base", "main"]).run().expect(2).reports("ANTHROPIC_API_KEY");
}

#[test]
fn what_cannot_be_compared_is_reported_with_what_to_do() {
    let api = reviewer([]);
    let refused = |session: &Session, base: &str, words: &str| {
        against(session, &api, base, &[]).expect(2).reports(words);
        assert!(!session.exists(".agent_memory/base_review.json") && session.runs().is_empty());
    };
    refused(&Session::new(REPOSITORY), "main", "there is no git repository here");
    let session = Session::new(REPOSITORY);
    session.git(&["init", "-q", "-b", "main"]);
    refused(&session, "main", "there is no commit yet to compare with");

    let (session, _) = branched();
    refused(
        &session,
        "nowhere",
        "\"nowhere\" names no commit here; name a branch, a tag or a commit, such as origin/main",
    );
    refused(&session, " ", "name the commit to compare with");
    session.git(&["remote", "add", "origin", "file:///nowhere"]);
    refused(&session, "origin/next", "get it by `git fetch origin next`");
    session.git(&["update-ref", "refs/remotes/origin/next", "main"]);
    refused(&session, "next", "did you mean origin/next?");
    session.git(&["checkout", "-q", "--orphan", "alone"]);
    session.git(&["commit", "-q", "-m", "alone"]);
    refused(&session, "main", "\"main\" and HEAD have no commit in common");

    let (origin, _) = branched();
    let clone = Session::new("");
    let url = format!("file://{}", origin.root().display());
    clone.git(&["clone", "-q", "--depth", "1", "--no-single-branch", "--branch", "feature", &url, "."]);
    refused(&clone, "origin/main", "this is a shallow clone, and its history ends before the commit");
    refused(&clone, "v1", "this is a shallow clone, which has few commits and branches");
}

#[test]
fn where_nothing_differs_no_model_is_asked() {
    let session = Session::in_git(REPOSITORY);
    let api = reviewer([]);
    against(&session, &api, "main", &[]).expect(0).prints("There is nothing to review: nothing differs from main");
    assert!(api.requests().is_empty());
    assert_eq!(session.handoff(BASE_REVIEW)["verdict"], "approved");
}

#[test]
fn what_was_dismissed_is_not_raised_by_the_next_review() {
    let (session, _) = branched();
    let raises = || reviewer([review("changes_requested", "fix_and_re_review", &[issue("major", "2", "Taste.")])]);
    against(&session, &raises(), "main", &[]).expect(6);
    let id = session.handoff(BASE_REVIEW)["issues"][0]["id"].clone();
    session.write(".agent_memory/dismissed.json", json!([id]).to_string());
    let api = raises();
    let done = against(&session, &api, "main", &[]).expect(0);
    assert!(!done.stdout.contains("Taste."), "{}", done.stdout);
    let asked = api.requests()[0].first_message();
    assert!(asked.contains("<dismissed_issues ") && asked.contains(id.as_str().unwrap()), "{asked}");
    assert_eq!(session.handoff("dismissed.json"), json!([id]));

    // Also by one that follows a review which did not raise it.
    against(&session, &reviewer([approves()]), "main", &[]).expect(0);
    let api = raises();
    against(&session, &api, "main", &[]).expect(0);
    assert!(api.requests()[0].first_message().contains(id.as_str().unwrap()));
}

#[test]
fn a_review_that_is_killed_goes_on_without_paying_twice() {
    let (session, _) = branched();
    let looks = || Reply::tool("read_diff", json!({}));
    let api = reviewer([looks(), approves().after(Duration::from_secs(20))]);
    let run = session.baton(["review", "--base", "main"]).api(&api).start();
    api.wait_for_request(("review", 1));
    run.kill();
    assert!(!session.exists(".agent_memory/base_review.json"));
    let again = reviewer([looks(), approves()]);
    against(&session, &again, "main", &[]).expect(0);
    assert_eq!(again.requests().iter().map(|request| request.turn).collect::<Vec<_>>(), [1]);
    // Killed twice, with another review in between: still nothing is paid for twice.
    session.write("src/kept.rs", "kept no more\n");
    for replies in
        [vec![looks().after(Duration::from_secs(20))], vec![looks(), approves().after(Duration::from_secs(20))]]
    {
        let turn = replies.len() - 1;
        let api = reviewer(replies);
        let run = session.baton(["review", "--base", "main"]).api(&api).start();
        api.wait_for_request(("review", turn));
        run.kill();
        against(&session, &reviewer([approves()]), "HEAD", &[]).expect(0);
    }
    let again = reviewer([looks(), approves()]);
    against(&session, &again, "main", &[]).expect(0);
    assert_eq!(again.requests().iter().map(|request| request.turn).collect::<Vec<_>>(), [1]);
    // It ended: the next one is requested again.
    let anew = reviewer([approves()]);
    against(&session, &anew, "main", &[]).expect(0);
    assert_eq!(anew.requests().len(), 1);
}

#[test]
fn a_new_plan_is_not_what_such_a_review_can_ask_for() {
    let (session, _) = branched();
    let api = reviewer([review("rejected", "re_plan", &[]), review("rejected", "escalate_to_human", &[])]);
    against(&session, &api, "main", &[]).expect(0);
    let expected = api.requests()[1].last_message().to_string();
    assert!(expected.contains("there is no plan to make again"), "{expected}");
    assert_eq!(session.handoff(BASE_REVIEW)["recommended_action"], "escalate_to_human");
}

#[test]
fn a_folder_of_a_repository_sees_only_what_lies_in_it() {
    let (session, _) = branched();
    session.write("outside.rs", "outside\n");
    let api = reviewer([approves()]);
    session.baton(["review", "--base", "main", "--workspace", "src"]).api(&api).run().expect(0);
    let asked = api.requests()[0].first_message();
    assert!(asked.contains("\nchanged.rs: modified") || asked.contains(">\nchanged.rs: modified"), "{asked}");
    assert!(asked.contains("new/untracked.rs: created") && !asked.contains("outside.rs"), "{asked}");
    assert!(session.exists("src/.agent_memory/base_review.json"));
}

#[test]
fn files_outside_a_sparse_checkout_and_turned_line_endings_are_no_changes() {
    let session = Session::in_git(&format!("{REPOSITORY}//- /.gitattributes\n*.txt text eol=crlf\n//- /a.txt\na\nb\n"));
    session.git(&["sparse-checkout", "set", "--no-cone", "/*", "!/src/"]);
    assert!(!session.exists("src/kept.rs"));
    session.write("a.txt", "a\r\nc\r\n");
    let api = reviewer([Reply::tool("read_diff", json!({})), approves()]);
    against(&session, &api, "main", &[]).expect(0);
    let asked = api.requests()[0].first_message();
    assert!(asked.contains("<changed_files>\na.txt: modified, +1 -1\n</changed_files>"), "{asked}");
}

#[test]
fn a_review_that_is_stopped_says_that_nothing_was_changed() {
    let (session, _) = branched();
    let api = reviewer([approves().after(Duration::from_secs(20))]);
    let run = session.baton(["review", "--base", "main"]).api(&api).start();
    api.wait_for_request("review");
    run.signal(rustix::process::Signal::INT);
    run.wait().expect(130).prints("Stopped by Ctrl-C in review. Nothing was changed.");
    let told =
        session.baton(["review", "--base", "main", "--json"]).api(&api).env("BATON_BUDGET_USD", "0.000001").run();
    assert_eq!((&told.outcome()["outcome"], &told.outcome()["review"]), (&json!("escalated"), &Value::Null));
    let error = session.baton(["review", "--base", "main"]).api(&api).env("BATON_BUDGET_USD", "0.000001").run();
    error.expect(3).prints("the budget is too small");
    assert!(!session.exists(".agent_memory/base_review.json"), "nothing came of either");
}
