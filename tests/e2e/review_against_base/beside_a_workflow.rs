//! A review against a commit stands beside a workflow, whatever state that is in, and takes nothing of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{BASE_REVIEW, against, reviewer};
use crate::support::messages_api::{MessagesApi, Reply, Script, agents};
use crate::support::replies::{approves, blocked, but, goes_well, own, review, with, workspace};
use crate::support::session::Session;

/// One issue in T1's file, which says 0 before the workflow and 1 after it.
fn raises(description: &str) -> MessagesApi {
    let issue = |file: &str| json!({ "severity": "minor", "file": file, "line": 1, "description": description });
    reviewer([review("changes_requested", "fix_and_re_review", &[issue("src/t1.rs")])])
}

/// A repository in which something differs from its commit already.
fn repository() -> Session {
    let session = Session::in_git(&format!("{}//- /by_hand.txt\nold\n", workspace(2)));
    session.write("by_hand.txt", "new\n");
    session
}

fn two_tasks() -> Script {
    goes_well(&[&[own("T1"), own("T2")]])
}

/// The memory folder without what belongs to reviews against a commit; the lock names the run that had it last.
fn of_workflow(session: &Session) -> BTreeMap<String, Vec<u8>> {
    let of_base: Vec<String> = session.runs().into_iter().filter(|run| is_base(session, run)).collect();
    let mut tree = session.memory_tree();
    tree.retain(|path, _| {
        let is_of_base = path == BASE_REVIEW || path.contains("-base-review/");
        path != "lock" && !is_of_base && !of_base.iter().any(|run| path.starts_with(&format!("runs/{run}/")))
    });
    tree
}

fn is_base(session: &Session, run: &str) -> bool {
    session.exists(&session.memory(&format!("runs/{run}/base")))
}

/// What the status says of the workflow.
fn status_of_workflow(session: &Session) -> Value {
    let mut status = session.baton(["status", "--json"]).run().expect(0).json();
    let issues = status["issues"].as_array_mut().unwrap();
    issues.retain(|issue| issue.get("base").is_none());
    status.as_object_mut().unwrap().remove("base_review");
    status
}

/// Review against a commit, and compare everything of the workflow before and after.
#[track_caller]
fn takes_nothing(session: &Session) {
    let before = (of_workflow(session), status_of_workflow(session), session.tree());
    let api = raises("Beside.");
    against(session, &api, "HEAD", &[]).expect(0).prints("src/t1.rs:1: minor: Beside.");
    assert_eq!(api.requests().len(), 1);
    let after = (of_workflow(session), status_of_workflow(session), session.tree());
    assert_eq!(after.0.keys().collect::<Vec<_>>(), before.0.keys().collect::<Vec<_>>());
    assert_eq!(after, before);
    assert!(session.handoff(BASE_REVIEW)["base"].is_string());
}

#[test]
fn a_merged_workflow_keeps_its_undo_its_changes_its_issues_and_its_status() {
    let session = repository();
    let own_issue = json!({ "severity": "minor", "file": "src/t1.rs", "line": 1, "description": "Its own." });
    let script = Script::new().on("review", [review("approved", "merge", &[own_issue])]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let diff = session.baton(["diff"]).run().expect(0).stdout;
    takes_nothing(&session);
    let count = api.requests().len();
    session.run(&api, []).expect(0).prints("Approved by reading; no check ran. Changes are in your working tree");
    assert_eq!(api.requests().len(), count, "it is merged as before");
    assert_eq!(session.baton(["diff"]).run().expect(0).stdout, diff);
    session.baton(["status"]).run().expect(0).prints("Its own.").prints("Beside.");

    session.baton(["rollback"]).run().expect(0);
    assert!(session.text("src/t1.rs").contains('0') && session.text("src/t2.rs").contains('0'));
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert!(session.text("src/t1.rs").contains('1'));
}

#[test]
fn a_gate_that_waits_still_waits_and_a_rejected_plan_stays_rejected() {
    let session = repository();
    let api = MessagesApi::start(two_tasks());
    session.run(&api, ["--task", "Do it"]).expect(3);
    takes_nothing(&session);
    assert_eq!(status_of_workflow(&session)["next"], "gate");
    session.baton(["reject"]).run().expect(0);
    takes_nothing(&session);
    session.run(&api, []).expect(4);
    session.baton(["approve"]).run().expect(0);
    takes_nothing(&session);
    let count = api.requests().len();
    session.run(&api, []).expect(0);
    let mut asked = agents(&api.requests()[count..]);
    asked.sort();
    assert_eq!(asked, ["implement/T1", "implement/T2", "review"]);
}

#[test]
fn an_interrupted_workflow_resumes_without_paying_twice() {
    let session = repository();
    // The second publishes nothing while the first is at work.
    let after_t1 = with(own("T2"), json!({ "depends_on": ["T1"] }));
    let script = || goes_well(&[&[own("T1")], std::slice::from_ref(&after_t1)]);
    let stalls = MessagesApi::start(script().stall_once(&("implement/T1", 1).into()));
    let run = session.start(&stalls, ["--task", "Do it", "--auto-approve"]);
    stalls.wait_for_request(("implement/T1", 1));
    run.kill();
    takes_nothing(&session);
    let api = MessagesApi::start(script());
    session.run(&api, ["--auto-approve"]).expect(0);
    let requests = api.requests();
    assert!(requests.iter().all(|request| request.agent.starts_with("implement") || request.agent == "review"));
    assert!(requests.iter().all(|request| (request.agent.as_str(), request.turn) != ("implement/T1", 0)), "paid for");
    assert!(session.text("src/t1.rs").contains('1'));
}

#[test]
fn failed_and_escalated_ones_stay_so() {
    let failed = repository();
    let script = Script::new().on("implement/T1", [blocked("No way.")]);
    failed.run(&MessagesApi::start(but(script, &[&[own("T1")]])), ["--task", "Do it", "--auto-approve"]).expect(1);
    takes_nothing(&failed);
    let escalated = repository();
    let script = Script::new().on("review", [review("rejected", "escalate_to_human", &[])]);
    escalated.run(&MessagesApi::start(but(script, &[&[own("T1")]])), ["--task", "Do it", "--auto-approve"]).expect(3);
    takes_nothing(&escalated);
    assert_eq!(status_of_workflow(&escalated)["outcome"], "escalated");
}

#[test]
fn faults_of_the_workflows_files_do_not_stand_in_the_way_but_what_was_dismissed_must_be_known() {
    let session = repository();
    session.write(".agent_memory/.gitignore", "*\n");
    session.write(".agent_memory/context.json", "{");
    takes_nothing(&session);
    session.run(&reviewer([]), ["--task", "Do it"]).reports(".agent_memory/context.json:1:1");
    session.write(".agent_memory/dismissed.json", "{");
    let api = reviewer([]);
    against(&session, &api, "HEAD", &[]).reports(".agent_memory/dismissed.json:1:1");
    assert!(api.requests().is_empty());
}

#[test]
fn while_a_run_is_at_work_it_is_refused() {
    let session = repository();
    let api = MessagesApi::start(two_tasks().stall_once(&("context", 0).into()));
    let run = session.start(&api, ["--task", "Do it", "--auto-approve"]);
    api.wait_for_request(("context", 0));
    let reviews = reviewer([]);
    let refused = against(&session, &reviews, "HEAD", &[]);
    assert_ne!(refused.code, Some(0));
    refused.reports("another run is working here");
    assert!(reviews.requests().is_empty() && !session.exists(".agent_memory/base_review.json"));
    run.kill();
}

#[test]
fn a_second_one_replaces_it_and_the_old_goes_to_history_without_ending_a_workflow() {
    let session = repository();
    let api = MessagesApi::start(two_tasks());
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    against(&session, &raises("First."), "HEAD", &[]).expect(0);
    let first = session.text(".agent_memory/base_review.json");
    against(&session, &raises("Second."), "HEAD", &[]).expect(0);
    assert_eq!(session.history(), ["0001-base-review"]);
    assert_eq!(session.text(".agent_memory/history/0001-base-review/base_review.json"), first);
    assert_eq!(session.names(".agent_memory/history/0001-base-review"), ["base_review.json"]);
    assert_eq!(session.handoff(BASE_REVIEW)["issues"][0]["description"], "Second.");
    let status = status_of_workflow(&session);
    assert_eq!((&status["outcome"], &status["task"]), (&json!("merged"), &json!("Do it")));
    session.baton(["rollback"]).run().expect(0);
    assert!(session.text("src/t1.rs").contains('0'));
    // What both found is not new.
    against(&session, &raises("Second."), "HEAD", &[]).expect(0);
    let issues = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!(issues["issues"][0]["state"], "open", "{issues}");
}

#[test]
fn it_and_what_was_dismissed_of_it_outlive_the_workflow() {
    let session = repository();
    let own_issue = json!({ "severity": "minor", "file": "src/t2.rs", "line": 1, "description": "Its own." });
    let script = Script::new().on("review", [review("approved", "merge", &[own_issue])]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    against(&session, &raises("Beside."), "HEAD", &[]).expect(0);
    let id = |file: &str| session.handoff(file)["issues"][0]["id"].as_str().unwrap().to_owned();
    let (of_workflow, of_base) = (id("review.json"), id(BASE_REVIEW));
    session.write(".agent_memory/dismissed.json", json!([of_workflow, of_base]).to_string());
    let states = || {
        let status = session.baton(["status", "--json"]).run().expect(0).json();
        status["issues"].as_array().unwrap().iter().map(|issue| issue["state"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(states(), ["dismissed", "dismissed"]);

    let both = session.text(".agent_memory/dismissed.json");
    session.baton(["reset"]).run().expect(0);
    assert_eq!(
        session.names(".agent_memory"),
        [".gitignore", "base_review.json", "dismissed.json", "history", "lock", "runs"]
    );
    assert_eq!(session.handoff("dismissed.json"), json!([of_base]));
    assert_eq!(session.text(".agent_memory/history/0001-reset/dismissed.json"), both);
    let again = raises("Beside.");
    let done = against(&session, &again, "HEAD", &[]).expect(0);
    assert!(!done.stdout.contains("Beside."), "{}", done.stdout);
    assert!(again.requests()[0].first_message().contains(&of_base));
    // With nothing else there is nothing to set aside.
    session.baton(["reset"]).run().expect(0);
    assert_eq!(session.history(), ["0001-reset", "0002-base-review"]);
    assert_eq!(session.handoff("dismissed.json"), json!([of_base]));
}

#[test]
fn a_broken_one_keeps_no_workflow_from_going_on_and_the_next_one_replaces_it() {
    let session = repository();
    session.write(".agent_memory/base_review.json", "{ \"verdict\": 7 }");
    let api = MessagesApi::start(two_tasks());
    session.run(&api, ["--task", "Do it"]).expect(3);
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!((&status["next"], status.get("faults")), (&json!("gate"), None));
    let warning = status["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with(".agent_memory/base_review.json:1:"), "{warning}");
    assert!(warning.contains("The workflow goes on without this review"), "{warning}");
    let mut client = session.lsp_client(&reviewer([]));
    client.wait_for_code(".agent_memory/base_review.json", "schema");
    client.disconnect();
    session.run(&api, ["--auto-approve"]).expect(0);
    against(&session, &reviewer([approves()]), "HEAD", &[]).expect(0);
    assert_eq!(session.text(".agent_memory/history/0001-base-review/base_review.json"), "{ \"verdict\": 7 }");
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!((&status["warnings"], &status["outcome"]), (&json!([]), &json!("merged")));
    // Also one that is no file.
    std::fs::remove_file(session.path(".agent_memory/base_review.json")).unwrap();
    std::fs::create_dir(session.path(".agent_memory/base_review.json")).unwrap();
    session.run(&api, []).expect(0);
    against(&session, &reviewer([approves()]), "HEAD", &[]).expect(0);
    assert_eq!(session.handoff(BASE_REVIEW)["verdict"], "approved");
}

#[test]
fn one_that_the_last_version_wrote_to_review_json_is_read_as_it() {
    let old = |session: &Session| {
        let issue = json!({ "severity": "minor", "file": "src/t1.rs", "line": 1, "description": "Old.", "id": "old" });
        let review = json!({
            "timestamp": "2026-01-01T00:00:00Z", "round": 1, "verdict": "changes_requested", "summary": "s",
            "issues": [issue], "recommended_action": "fix_and_re_review", "base": "0123456789abcdef"
        });
        session.write(".agent_memory/review.json", review.to_string());
        review.to_string()
    };
    let session = repository();
    let text = old(&session);
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!((&status["issues"][0]["base"], &status["next"]), (&json!("0123456789abcdef"), &json!("task")));
    // A workflow is begun beside it, and its own review takes nothing away.
    let api = MessagesApi::start(two_tasks());
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert_eq!(session.text(".agent_memory/base_review.json"), text);
    assert_eq!((session.handoff("review.json").get("base"), session.history().is_empty()), (None, true));

    // The next review against a commit sets it into history under its new name.
    let session = repository();
    let text = old(&session);
    against(&session, &raises("New."), "HEAD", &[]).expect(0);
    assert!(!session.exists(".agent_memory/review.json"));
    assert_eq!(session.text(".agent_memory/history/0001-base-review/base_review.json"), text);
    assert_eq!(session.handoff(BASE_REVIEW)["issues"][0]["description"], "New.");

    // A reset keeps it.
    let session = repository();
    let text = old(&session);
    session.baton(["reset"]).run().expect(0);
    assert_eq!(session.text(".agent_memory/base_review.json"), text);
}

#[test]
fn a_task_that_was_not_begun_stays_and_can_be_begun_afterwards() {
    let session = repository();
    session.write(".agent_memory/task.md", "Do it\n");
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    against(&session, &api, "HEAD", &[]).expect(0);
    assert_eq!(session.text(".agent_memory/task.md"), "Do it\n");
    session.run(&api, ["--auto-approve"]).expect(0);
    assert!(session.text("src/t1.rs").contains('1') && session.history().is_empty());
    assert_eq!(session.text(".agent_memory/task.md"), "Do it\n");
}

#[test]
fn a_killed_one_goes_on_after_the_workflow_did() {
    let session = repository();
    let looks = || Reply::tool("read_diff", json!({}));
    session.run(&MessagesApi::start(two_tasks()), ["--task", "Do it"]).expect(3);
    let api = reviewer([looks(), approves()]);
    let stalls =
        MessagesApi::start(Script::new().on("review", [looks(), approves()]).stall_once(&("review", 1).into()));
    let run = session.baton(["review", "--base", "HEAD"]).api(&stalls).start();
    stalls.wait_for_request(("review", 1));
    run.kill();
    assert!(!session.exists(".agent_memory/base_review.json"));
    assert_eq!(status_of_workflow(&session)["next"], "gate");
    // The workflow goes by, and changes no file.
    session.run(&reviewer([]), []).expect(3);
    against(&session, &api, "HEAD", &[]).expect(0);
    assert_eq!(api.requests().iter().map(|request| request.turn).collect::<Vec<_>>(), [1]);
}
