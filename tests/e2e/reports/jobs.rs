//! In a job of GitHub Actions: annotations, and text of models that must not be taken for commands.

use serde_json::json;

use super::{FIRST, SECOND, against_main, changed, finds, issue};
use crate::support::messages_api::{MessagesApi, Script};
use crate::support::replies::{but, own, review, with, workspace};
use crate::support::session::Session;

#[test]
fn annotations_are_escaped_and_come_worst_first() {
    let session = changed();
    let issues = [
        with(issue("minor", SECOND, "due", "50%: a, b\n::error::x"), json!({ "suggested_fix": "Do:\nit" })),
        with(issue("major", FIRST, "one();\ntwo();", "Both."), json!({ "line": 2, "end_line": 3 })),
        issue("critical", "../gone.rs", "x", "Nowhere."),
    ];
    let done = against_main(&session, &finds(&issues), &["--annotations"]).expect(6);
    let lines: Vec<&str> = done.stdout.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(
        lines,
        [
            "::error title=Baton%3A critical::Nowhere. (at ../gone.rs; no place in the code was found)",
            "::warning file=src/über uns/näch #1.rs,line=2,endLine=3,title=Baton%3A major::Both.",
            "::notice file=src/日本 50%25.rs,line=2,title=Baton%3A minor::50%25: a, b%0A::error::x%0A%0ASuggested fix: \
             Do:%0Ait",
        ]
    );
}

#[test]
fn annotations_name_files_from_the_checkout() {
    let session = changed();
    let api = finds(&[issue("minor", "日本 50%.rs", "due", "Two.")]);
    let run = session.baton(["review", "--base", "main", "--annotations", "--workspace", "src"]).api(&api);
    let run = run.env("GITHUB_ACTIONS", "true").env("GITHUB_WORKSPACE", session.root());
    run.run().expect(0).prints("::notice file=src/日本 50%25.rs,line=2,title=Baton%3A minor::Two.\n");
}

#[test]
fn no_text_of_a_model_is_a_command_in_a_job() {
    let said = "::add-mask::a ##[add-mask]b";
    let session = Session::new(&workspace(1));
    let script = || {
        let issues = [issue("minor", "src/t1.rs", "    1", said)];
        let judged = review("changes_requested", "escalate_to_human", &issues);
        MessagesApi::start(but(Script::new().on("review", [judged]), &[&[own("T1")]]))
    };
    let is_command = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
    let task = format!("{said}\n{said}");
    let args = |more: &'static [&'static str]| {
        ["run", "--auto-approve", "--task", &task].into_iter().chain(more.iter().copied())
    };
    let api = script();
    let done = session.baton(args(&[])).api(&api).env("GITHUB_ACTIONS", "true").run().expect(3);
    assert!(done.stdout.contains("add-mask"), "{}", done.stdout);
    for line in done.stdout.lines().chain(done.stderr.lines()) {
        assert!(!is_command(line), "{line}");
    }
    // JSON says the same as elsewhere.
    let other = Session::new(&workspace(1));
    let api = script();
    let done = other.baton(args(&["--json"])).api(&api).env("GITHUB_ACTIONS", "true").run().expect(3);
    assert!(!done.stdout.lines().any(is_command), "{}", done.stdout);
    assert_eq!(done.outcome()["review"]["issues"][0]["description"], said);
    let elsewhere = Session::new(&workspace(1));
    let api = script();
    let done = elsewhere.baton(args(&[])).api(&api).run().expect(3);
    assert!(done.stdout.contains("::add-mask::a ##[add-mask]b"), "nothing changes elsewhere: {}", done.stdout);
}
