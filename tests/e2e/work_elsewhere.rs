//! Results without a journal here: work done by another tool is reviewed by the real diff and marked as such, what
//! the diff does not show is done here, and no file alone makes a task done.
#![cfg(unix)]

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, RecordedRequest, Script, agents};
use crate::support::replies::{approves, but, completed, edits, goes_well, own, partial, plan_of, with, workspace};
use crate::support::session::Session;
use crate::support::terminal::Terminal;

fn server() -> MessagesApi {
    MessagesApi::start(goes_well(&[&[own("T1"), own("T2")]]))
}

fn report(tasks: &[&str]) -> Value {
    let result = |id: &&str| {
        let file = format!("src/{}.rs", id.to_lowercase());
        json!({
            "task_id": id, "status": "completed", "notes": "done", "blockers": [],
            "changes": [{ "path": file, "change_type": "modified", "summary": "it", "lines_added": 1, "lines_removed": 1 }],
        })
    };
    json!({ "round": 1, "plan_version": 1, "results": tasks.iter().map(result).collect::<Vec<_>>() })
}

fn merge() -> Value {
    json!({ "verdict": "approved", "summary": "All is well.", "issues": [], "recommended_action": "merge" })
}

/// A plan of T1 and T2 in the memory folder, with these handoffs beside it.
fn with_handoffs(session: &Session, handoffs: &[(&str, Value)]) {
    let plan = with(plan_of(&[&[own("T1"), own("T2")]]), json!({ "plan_version": 1 }));
    for (file, value) in [("plan.json", plan)].iter().chain(handoffs) {
        session.write(&session.memory(file), value.to_string());
    }
}

fn does_elsewhere(session: &Session, file: &str) {
    session.write(file, session.text(file).replace("    0\n", "    1\n"));
}

/// The agents of these requests; tasks side by side ask in any order.
fn sorted_agents(requests: &[RecordedRequest]) -> Vec<String> {
    let mut agents = agents(requests);
    agents.sort();
    agents
}

#[test]
fn a_report_and_a_review_that_came_with_a_clone_do_not_make_anything_done() {
    let handoffs = [("impl_report.json", report(&["T1", "T2"])), ("review.json", merge())];
    for in_git in [true, false] {
        for handoffs in [&handoffs[..1], &handoffs[..], &handoffs[1..]] {
            let files = workspace(2);
            let session = if in_git { Session::in_git(&files) } else { Session::new(&files) };
            with_handoffs(&session, handoffs);
            let api = server();
            session.baton(["status"]).run().expect(0).prints("nothing bears it out");
            session.baton(["approve"]).run().expect(0);
            let status = session.baton(["status", "--json"]).run().expect(0).json();
            assert_eq!((&status["next"], &status["outcome"]), (&json!("implement"), &Value::Null), "{status}");
            let states =
                (&status["tasks"][0]["status"], &status["phases"][2]["status"], &status["phases"][3]["status"]);
            assert_eq!(states, (&json!("pending"), &json!("pending"), &json!("pending")), "{status}");
            let done = session.run(&api, []).expect(0);
            assert!(done.stderr.contains("There is nothing to review"), "{}", done.stderr);
            assert!(!done.stdout.contains("elsewhere"), "{}", done.stdout);
            assert_eq!(sorted_agents(&api.requests()), ["implement/T1", "implement/T2", "review"]);
            assert!(session.text("src/t1.rs").contains('1') && session.text("src/t2.rs").contains('1'));
            session.baton(["rollback"]).run().expect(0).prints("2 files");
        }
    }
}

#[test]
fn work_that_was_done_elsewhere_is_reviewed_by_its_diff_beside_ours() {
    let session = Session::in_git(&format!("{}//- /notes.txt\nmine\n", workspace(2)));
    with_handoffs(&session, &[("impl_report.json", report(&["T1"]))]);
    does_elsewhere(&session, "src/t1.rs");
    session.write("notes.txt", "mine, edited\n");
    let api = server();
    // The status before a run, and after a reload of the editor, is the same.
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    let warning = status["gate"]["warnings"][0].as_str().unwrap_or_default();
    assert!(warning.starts_with("The report tells of work that no journal of Baton bears out here: T1."), "{status}");
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["run"]).api(&api));
    let shown = terminal.wait_for("then Enter > ");
    assert!(shown.contains("! The report tells of work that no journal of Baton bears out here: T1."), "{shown}");
    terminal.type_line("a");
    let shown = terminal.wait_for("an undo does not take that back.");
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(shown.contains("T1 was done elsewhere, not by Baton, reviewed by the diff"), "{shown}");
    assert_eq!(running.wait().code, Some(0));
    assert_eq!(sorted_agents(&api.requests()), ["implement/T2", "review"]);

    let asked = api.requests_of("review")[0].first_message();
    assert!(asked.contains("src/t1.rs: modified, +1 -1 (T1, done elsewhere; against HEAD)"), "{asked}");
    assert!(!asked.contains("src/t2.rs: modified"), "the report tells of what was done here: {asked}");
    assert!(asked.contains("may be the user's own edits: notes.txt."), "{asked}");
    assert_eq!(session.handoff("review.json")["plan_drift_detected"], false);
    // Only what is ours is undone.
    session.baton(["rollback"]).run().expect(0).prints("1 file");
    assert!(session.text("src/t1.rs").contains('1') && session.text("src/t2.rs").contains('0'));
}

#[test]
fn of_two_tasks_said_to_be_done_the_one_that_nothing_shows_is_done_here() {
    let session = Session::in_git(&workspace(2));
    with_handoffs(&session, &[("impl_report.json", report(&["T1", "T2"])), ("review.json", merge())]);
    does_elsewhere(&session, "src/t1.rs");
    let api = server();
    let done = session.run(&api, ["--auto-approve"]).expect(0);
    done.reports("T2: said to be done, and nothing bears it out")
        .prints("T1 was done elsewhere, not by Baton, reviewed by");
    assert_eq!(sorted_agents(&api.requests()), ["implement/T2", "review"]);
    let again = session.run(&api, []).expect(0);
    again.prints("T1 was done elsewhere");
    assert_eq!(sorted_agents(&api.requests()).len(), 2, "nothing is done again");
}

#[test]
fn a_merge_from_elsewhere_is_marked_as_from_there() {
    let session = Session::in_git(&workspace(2));
    with_handoffs(&session, &[("impl_report.json", report(&["T1", "T2"])), ("review.json", merge())]);
    does_elsewhere(&session, "src/t1.rs");
    does_elsewhere(&session, "src/t2.rs");
    let api = server();
    session
        .run(&api, ["--auto-approve"])
        .expect(0)
        .prints("T1, T2 were done elsewhere, not by Baton, and so was the review;");
    assert!(api.requests().is_empty());

    // Over work of our own, too.
    let session = Session::in_git(&workspace(2));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    session.write(".agent_memory/review.json", merge().to_string());
    let done = session.run(&api, []).expect(0);
    assert!(!done.stdout.contains("T1"), "{}", done.stdout);
}

#[test]
fn our_own_work_is_ours_without_its_review_and_also_where_it_changed_nothing() {
    let session = Session::new(&workspace(2));
    // T2 finds its work done already.
    does_elsewhere(&session, "src/t2.rs");
    let script = Script::new().on("implement/T2", [partial("It was done.")]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    std::fs::remove_file(session.path(".agent_memory/review.json")).expect("a review");
    let api = server();
    let done = session.run(&api, []).expect(0);
    assert_eq!(sorted_agents(&api.requests()), ["review"]);
    assert!(!done.stdout.contains("elsewhere") && !done.stderr.contains("bears it out"), "{}", done.stdout);
    let asked = api.requests_of("review")[0].first_message();
    assert!(!asked.contains("done_elsewhere"), "{asked}");
}

#[test]
fn what_agents_here_found_nothing_to_do_for_is_not_marked_as_done_elsewhere() {
    for in_git in [true, false] {
        let files = workspace(2);
        let session = if in_git { Session::in_git(&files) } else { Session::new(&files) };
        with_handoffs(&session, &[("impl_report.json", report(&["T1", "T2"])), ("review.json", merge())]);
        let script = Script::new().on("implement/T1", [partial("It was done.")]);
        let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
        let done = session.run(&api, ["--auto-approve"]).expect(0);
        assert_eq!(sorted_agents(&api.requests()), ["implement/T1", "implement/T2", "review"]);
        assert!(!done.stdout.contains("elsewhere"), "{}", done.stdout);
        let asked = api.requests_of("review")[0].first_message();
        assert!(!asked.contains("done_elsewhere"), "{asked}");
    }
}

#[test]
fn what_is_fixed_here_of_work_from_elsewhere_does_not_make_the_rest_ours() {
    let session = Session::in_git(&workspace(2));
    let issue = json!({ "severity": "major", "file": "src/t1.rs", "line": 2, "description": "Not enough." });
    let review = json!({
        "verdict": "changes_requested", "summary": "Nearly.", "issues": [issue], "recommended_action": "fix_and_re_review",
    });
    with_handoffs(&session, &[("impl_report.json", report(&["T1", "T2"])), ("review.json", review)]);
    does_elsewhere(&session, "src/t1.rs");
    does_elsewhere(&session, "src/t2.rs");
    let fix = [edits("src/t1.rs", "    1\n", "    1 // enough\n"), completed(&["src/t1.rs"])];
    let api = MessagesApi::start(Script::new().on("implement/T1", fix).on("review", [approves()]));
    let done = session.run(&api, ["--auto-approve"]).expect(0);
    done.prints("T1, T2 were done elsewhere, not by Baton, reviewed by the diff against HEAD");
    let asked = api.requests_of("review")[0].first_message();
    assert!(asked.contains("src/t1.rs: modified, +1 -1 (T1, done elsewhere; against HEAD)"), "{asked}");
    // Undone is what was fixed here.
    session.baton(["rollback"]).run().expect(0).prints("1 file");
    assert!(session.text("src/t1.rs").contains("    1\n"));
}
