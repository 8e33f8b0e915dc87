//! Memory folders of version 0.1.0 at every stage: each is brought to its end without doing again what was done, and
//! everything can be undone. A conversation that a kill cut off starts over: its agent is asked otherwise now.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod fixture;
mod make;
mod seal;
mod takeover;

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::messages_api::{Reply, Script};
use crate::support::replies::{completed, context, edits, reads, with};
use crate::support::session::Session;
use fixture::{LastVersion, summary};
use make::{
    REPOSITORY, STAGES, TASK, another_plan, approver, base_reviewer, fixing, goes_well, issue, reviewer, t3, t3_fix,
};
use takeover::{
    Asked, CONTEXT, PLAN, REVIEW, T1, T2, T3, baton, before, is_merged, is_undone, merges, no_replies, open, status,
    tree, used_by, with_done,
};

#[test]
fn every_stage_has_its_fixture() {
    if let Some(program) = std::env::var_os("BATON_MAKE_FIXTURES") {
        make::make_all(Path::new(&program));
    }
    let mut stages = STAGES.map(|stage| stage.name.to_owned());
    stages.sort();
    assert_eq!(fixture::stages(), stages);
}

#[test]
fn of_every_stage_the_status_says_what_the_last_version_said() {
    for stage in STAGES.map(|stage| stage.name) {
        let LastVersion { session, reported } = open(stage);
        let (files, memory) = (session.tree(), session.memory_tree());
        let mut now = summary(&status(&session));
        // The last version left them out.
        now["issues"].as_array_mut().unwrap().retain(|issue| issue["state"] != "dismissed");
        // A review against a commit was the workflow's last run then; now it stands beside one, and there is none.
        let is_of_base = stage.starts_with("review") && stage.contains("against-a-commit");
        let expected = if is_of_base { without_a_run(&reported) } else { reported };
        let expected = told_truly(stage, &now, &expected);
        assert_eq!(now, expected, "{stage}");
        assert_eq!((session.tree(), session.memory_tree()), (files, memory), "{stage}: looking changes nothing");
    }
}

/// What was reported. The last version said of a workflow that can go on, since its plan was answered or its limits were
/// raised after the run had ended, that a person is needed: it has no outcome.
fn without_false_escalation(goes_on: bool, reported: &Value) -> Value {
    match goes_on && reported["outcome"] == "escalated" && reported["next"] != "none" {
        true => with(reported.clone(), json!({ "outcome": null })),
        false => reported.clone(),
    }
}

/// What was reported, without what the last version said falsely or had no word for: a plan at its gate waits, tasks that the
/// approval leaves out are no pending ones, and what was undone as a whole is rolled back.
fn told_truly(stage: &str, now: &Value, reported: &Value) -> Value {
    let mut reported = without_false_escalation(now["outcome"].is_null(), reported);
    if !reported["gate"].is_null() {
        reported["phases"][1]["status"] = json!("waiting");
    }
    if ["rolled-back", "rollback-killed"].contains(&stage) {
        reported["outcome"] = json!("rolled_back");
    }
    let tasks = reported["tasks"].as_array_mut().unwrap();
    for (task, now) in tasks.iter_mut().zip(now["tasks"].as_array().unwrap()) {
        if stage == "approved-in-part" && task["status"] == "pending" && now["status"] == "not_approved" {
            task["status"] = json!("not_approved");
        }
    }
    reported
}

/// What was reported, of a workflow that was not begun.
fn without_a_run(reported: &Value) -> Value {
    let mut reported = with(reported.clone(), json!({ "run": null, "outcome": null }));
    for phase in reported["phases"].as_array_mut().unwrap() {
        phase["status"] = json!("pending");
    }
    for (kind, used) in reported["usage"].as_object_mut().unwrap() {
        *used = if kind == "cost_usd" { json!(0.0) } else { json!(0) };
    }
    reported
}

#[test]
fn a_stage_of_context_or_plan_goes_on() {
    merges("task", goes_well(), &[&CONTEXT, &PLAN, &T1, &T2, &T3, &REVIEW], "123");
    merges("context-killed", goes_well(), &[&CONTEXT, &PLAN, &T1, &T2, &T3, &REVIEW], "123");
    merges("context-done", goes_well(), &[&PLAN, &T1, &T2, &T3, &REVIEW], "123");
    merges("plan-killed", goes_well(), &[&PLAN, &T1, &T2, &T3, &REVIEW], "123");
}

#[test]
fn an_old_context_is_gathered_again_where_there_is_no_plan() {
    let LastVersion { session, .. } = open("context-done");
    session.write_user_config("");
    let context = session.handoff("context.json");
    let gathered = context["timestamp"].as_str().unwrap();
    let text = session.text(".agent_memory/context.json").replace(gathered, "2020-01-01T00:00:00Z");
    session.write(".agent_memory/context.json", text);
    let server = Asked::of(goes_well());
    session.run(&server.api, []).expect(3);
    server.is(&[&CONTEXT, &PLAN]);
}

#[test]
fn a_plan_that_waits_is_asked_about_and_its_answer_counts() {
    for stage in ["gate", "gate-killed"] {
        let LastVersion { session, reported } = open(stage);
        let server = Asked::of(goes_well());
        let plan = session.text(".agent_memory/plan.json");
        baton(&session, &server.api, &["run"]).expect(3).prints("The plan (version 1, 3 tasks) waits for your answer.");
        session.baton(["approve"]).run().expect(0);
        server.is(&[]);
        baton(&session, &server.api, &["run"]).expect(0);
        server.is(&[&T1, &T2, &T3, &REVIEW]);
        assert_eq!(session.text(".agent_memory/plan.json"), plan);
        is_merged(&session, &reported, &server.api, "123");
    }
}

#[test]
fn an_approval_counts() {
    let LastVersion { session, reported } = open("approved");
    let server = Asked::of(goes_well());
    let approval = session.text(".agent_memory/approval.json");
    baton(&session, &server.api, &["run"]).expect(0);
    server.is(&[&T1, &T2, &T3, &REVIEW]);
    assert_eq!(session.text(".agent_memory/approval.json"), approval, "nobody was asked again");
    is_merged(&session, &reported, &server.api, "123");
}

#[test]
fn an_approval_counts_for_no_other_plan_place_or_user() {
    let waits = |session: &Session| {
        let server = no_replies();
        session.run(&server.api, []).expect(3).prints("waits for your answer");
        server.is(&[]);
        assert_eq!(tree(session), before());
    };
    let LastVersion { session, .. } = open("approved");
    let plan = session.text(".agent_memory/plan.json");
    session.write(".agent_memory/plan.json", plan.replace("The title of T1", "Another title"));
    waits(&session);
    let LastVersion { session, .. } = open("approved-in-part");
    let approval = session.text(".agent_memory/approval.json");
    assert!(approval.contains("\"T1\""));
    session.write(".agent_memory/approval.json", approval.replace("\"T1\"", "\"T3\""));
    waits(&session);
    let LastVersion { session, .. } = open("approved");
    fs::write(session.state().join("key"), [7; 32]).unwrap();
    waits(&session);
    let LastVersion { session, .. } = open("approved");
    let elsewhere = session.clone_workspace("elsewhere");
    let server = no_replies();
    session.baton(["run"]).api(&server.api).current_dir(&elsewhere).run().expect(3).prints("waits for your answer");
}

#[test]
fn an_approval_of_some_tasks_counts_for_those() {
    let LastVersion { session, reported } = open("approved-in-part");
    let server = Asked::of(goes_well());
    baton(&session, &server.api, &["run"]).expect(0).prints("Not approved and so not done: T3, T2");
    server.is(&[&T1, &REVIEW]);
    assert_eq!(tree(&session), with_done("1"));
    session.baton(["approve"]).run().expect(0);
    baton(&session, &server.api, &["run"]).expect(0);
    server.is(&[&T1, &REVIEW, &T2, &T3, &REVIEW]);
    is_merged(&session, &reported, &server.api, "123");
}

/// A plan of T3 alone, and what follows it.
fn another_way(t3: Vec<Reply>) -> Script {
    Script::new()
        .on("context", [reads("src/t3.rs"), context(&["src/t3.rs"])])
        .on("plan", [reads("src/t3.rs"), another_plan()])
        .on("implement/T3", t3)
        .on("review", reviewer("approved", "merge", &[]))
}

#[test]
fn a_rejected_plan_stays_rejected_until_it_is_revised() {
    let LastVersion { session, reported } = open("rejected");
    let server = Asked::of(another_way(t3()));
    for args in [&["run"][..], &["run", "--auto-approve"]] {
        baton(&session, &server.api, args).expect(4).prints("The plan was rejected");
    }
    server.is(&[]);
    baton(&session, &server.api, &["plan", "--feedback", "Only T3."]);
    server.is(&[&PLAN]);
    assert_eq!(session.handoff("plan.json")["plan_version"], 2);
    assert!(server.api.requests()[0].first_message().contains("Only T3."));
    session.baton(["approve"]).run().expect(0);
    baton(&session, &server.api, &["run"]).expect(0);
    server.is(&[&PLAN, &T3, &REVIEW]);
    is_merged(&session, &reported, &server.api, "3");
}

#[test]
fn a_revised_plan_waits_and_a_killed_revision_goes_on() {
    for (stage, asked) in [("revised", &[][..]), ("revise-killed", &PLAN[..])] {
        let LastVersion { session, reported } = open(stage);
        let server = Asked::of(another_way(t3()));
        baton(&session, &server.api, &["run"]).expect(3).prints("The plan (version 2, 1 task");
        server.is(&[asked]);
        assert_eq!(session.handoff("plan.json")["plan_version"], 2);
        session.baton(["approve"]).run().expect(0);
        baton(&session, &server.api, &["run"]).expect(0);
        server.is(&[asked, &T3, &REVIEW]);
        is_merged(&session, &reported, &server.api, "3");
    }
}

#[test]
fn a_half_published_task_is_rolled_forward_and_the_others_go_on() {
    let LastVersion { session, .. } = open("implement-killed");
    let half = tree(&session);
    assert!(half != with_done("1") && half != with_done("12"), "it is half-published: {half:?}");
    assert_eq!(
        (session.mode(".agent_memory/plan.json"), session.text(".agent_memory/lock").is_empty()),
        (0o444, false)
    );
    merges("implement-killed", goes_well(), &[&T3, &REVIEW], "123");
    let session = merges("implement-killed-unpublished", goes_well(), &[&T2, &T3, &REVIEW], "123");
    let report = session.handoff("impl_report.json");
    let ids: Vec<&str> =
        (report["results"].as_array().unwrap().iter()).map(|result| result["task_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["T1", "T3", "T2"]);
}

#[test]
fn what_was_half_published_can_be_taken_back_at_once() {
    let LastVersion { session, .. } = open("implement-killed");
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(tree(&session), before());
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!(tree(&session), with_done("12"));
}

#[test]
fn a_journal_of_another_key_is_not_rolled_forward() {
    let LastVersion { session, .. } = open("implement-killed");
    let half = tree(&session);
    fs::write(session.state().join("key"), [7; 32]).unwrap();
    let server = no_replies();
    session.run(&server.api, []).expect(3).prints("waits for your answer");
    assert_eq!(tree(&session), half);
}

#[test]
fn a_failed_task_is_tried_again() {
    let session = merges("failed", goes_well(), &[&T2, &REVIEW], "123");
    assert_eq!(session.history(), ["0001-retry"]);
}

#[test]
fn a_missing_or_killed_review_is_made() {
    merges("review-missing", goes_well(), &[&REVIEW], "123");
    merges("review-killed", goes_well(), &[&REVIEW], "123");
}

#[test]
fn a_fix_round_is_entered_resumed_and_reviewed() {
    merges("fix-wanted", fixing(), &[&T2, &T3, &REVIEW], "123fF");
    merges("fix-entered", fixing(), &[&T2, &T3, &REVIEW], "123fF");
    merges("fix-killed", fixing(), &[&T2, &REVIEW], "123fF");
    let session = merges("fix-review-killed", fixing(), &[&REVIEW], "123fF");
    assert_eq!((&session.handoff("round.json")["n"], session.history().len()), (&json!(2), 1));
    assert_eq!(session.handoff("review.json")["round"], 2);
}

#[test]
fn the_issues_of_a_review_keep_their_ids_and_states() {
    let LastVersion { session, reported } = open("fix-wanted");
    let server = Asked::of(fixing());
    let old: Vec<Value> = reported["issues"].as_array().unwrap().iter().map(|issue| issue["id"].clone()).collect();
    baton(&session, &server.api, &["run"]).expect(0);
    assert_eq!(session.handoff("round.json")["issues"], json!(old));
    let asked = server.api.requests_of("review")[0].first_message();
    assert!(old.iter().all(|id| asked.contains(id.as_str().unwrap())), "{asked}");
    let now = status(&session);
    let state = |id: &Value| {
        let issue = now["issues"].as_array().unwrap().iter().find(|issue| issue["id"] == *id);
        issue.map(|issue| issue["state"].clone())
    };
    assert_eq!(old.iter().map(state).collect::<Vec<_>>(), [Some(json!("fixed")), Some(json!("fixed"))]);
}

#[test]
fn a_dismissed_issue_is_not_fixed() {
    let session = merges("dismissed", fixing(), &[&T3, &REVIEW], "123F");
    assert_eq!(session.handoff("dismissed.json").as_array().unwrap().len(), 1);
}

#[test]
fn only_the_issue_that_is_named_is_fixed() {
    let LastVersion { session, reported } = open("fix-wanted");
    let server = Asked::of(fixing());
    baton(&session, &server.api, &["run", "--fix", reported["issues"][0]["id"].as_str().unwrap()]).expect(0);
    server.is(&[&T2, &REVIEW]);
    is_merged(&session, &reported, &server.api, "123f");
}

#[test]
fn a_fix_of_an_unowned_file_waits_at_its_gate() {
    let LastVersion { session, reported } = open("fix-at-the-gate");
    let fix = [edits("README.md", "# Sample", "# A sample"), completed(&["README.md"])];
    let server = Asked::of(Script::new().on("implement/FIX", fix).on("review", approver()));
    baton(&session, &server.api, &["run"]).expect(3).prints("The plan (version 1, 4 tasks) waits for your answer.");
    session.baton(["approve"]).run().expect(0);
    server.is(&[]);
    baton(&session, &server.api, &["run"]).expect(0);
    server.is(&[&["implement/FIX 0", "implement/FIX 1"], &REVIEW]);
    assert_eq!(session.text("README.md"), "# A sample\n");
    session.baton(["rollback", "--file", "README.md"]).run().expect(0);
    assert_eq!(tree(&session), with_done("123"));
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(tree(&session), before());
    assert_eq!(reported["next"], "gate");
}

#[test]
fn a_new_plan_that_a_review_wants_is_made_and_waits() {
    for (stage, asked) in [("re-plan-wanted", &PLAN[..]), ("re-plan-killed", &PLAN[..])] {
        let LastVersion { session, reported } = open(stage);
        let server = Asked::of(another_way(t3_fix()));
        baton(&session, &server.api, &["run"]).expect(3).prints("The plan (version 2, 1 task");
        server.is(&[asked]);
        session.baton(["approve"]).run().expect(0);
        baton(&session, &server.api, &["run"]).expect(0);
        server.is(&[asked, &T3, &REVIEW]);
        assert_eq!(session.handoff("review.json")["plan_drift_detected"], false, "the first plan was approved too");
        is_merged(&session, &reported, &server.api, "123F");
    }
}

#[test]
fn what_needs_a_person_says_so_again_until_a_phase_is_asked_for() {
    let LastVersion { session, reported } = open("escalated");
    let server = Asked::of(goes_well());
    for _ in 0..2 {
        baton(&session, &server.api, &["run"]).expect(3).prints("A person is needed");
    }
    server.is(&[]);
    baton(&session, &server.api, &["run", "--phase", "review"]).expect(0);
    server.is(&[&REVIEW]);
    is_merged(&session, &reported, &server.api, "123");
}

#[test]
fn a_merged_workflow_stands_can_be_undone_and_gives_way_to_the_next() {
    let LastVersion { session, reported } = open("merged");
    is_merged(&session, &reported, &no_replies().api, "123");
    let after = tree(&session);
    let server = Asked::of(another_way(t3_fix()));
    baton(&session, &server.api, &["run", "--task", "The next one", "--auto-approve"]).expect(0);
    assert_eq!(tree(&session), with_done("123F"));
    let entry = session.history().pop().unwrap();
    assert!(entry.ends_with("-finished"), "{entry}");
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(tree(&session), after, "the last version's work is another workflow's");
}

#[test]
fn what_was_reset_is_history_and_no_part_of_the_next_workflow() {
    let LastVersion { session, .. } = open("reset");
    let left = tree(&session);
    assert_eq!(left, with_done("123"), "files stay as they are");
    session.baton(["rollback"]).run().expect(2).reports("nothing to undo");
    assert_eq!(session.baton(["diff"]).run().expect(0).stdout, "");
    let server = Asked::of(another_way(t3_fix()));
    baton(&session, &server.api, &["run"]).expect(2).reports("there is no task");
    server.is(&[]);
    baton(&session, &server.api, &["run", "--task", TASK, "--auto-approve"]).expect(0);
    server.is(&[&CONTEXT, &PLAN, &T3, &REVIEW]);
    let now = status(&session);
    assert_eq!(now["usage"]["output_tokens"], used_by(&session, &session.runs()[session.runs().len() - 2]));
    is_undone(&session, &left, &with_done("123F"));
}

#[test]
fn a_rollback_is_undone_or_followed_by_another_try() {
    let LastVersion { session, .. } = open("rolled-back");
    assert_eq!(tree(&session), before());
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!((tree(&session), &status(&session)["outcome"]), (with_done("123"), &json!("merged")));
    session.baton(["rollback", "--undo"]).run().expect(2).reports("nothing to bring back");
    is_undone(&session, &before(), &with_done("123"));

    let session = merges("rolled-back", goes_well(), &[&T1, &T2, &T3, &REVIEW], "123");
    assert_eq!(session.handoff("impl_report.json")["round"], 2);
}

#[test]
fn a_rollback_of_a_task_and_of_a_file_are_undone_one_after_the_other() {
    let LastVersion { session, .. } = open("rolled-back-in-part");
    let mut without_t1 = with_done("123");
    without_t1.remove("src/new/made.rs");
    let text = without_t1["src/t1.rs"].replacen("    1\n", "    0\n", 1);
    without_t1.insert("src/t1.rs".to_owned(), text);
    let mut neither = without_t1.clone();
    neither.insert("src/t2.rs".to_owned(), before()["src/t2.rs"].clone());
    assert_eq!(tree(&session), neither);
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!(tree(&session), without_t1);
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!((tree(&session), &status(&session)["outcome"]), (with_done("123"), &json!("merged")));
    is_undone(&session, &before(), &with_done("123"));

    // The rest is taken back too, and all of it brought again.
    let LastVersion { session, .. } = open("rolled-back-in-part");
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(tree(&session), before());
    for _ in 0..3 {
        session.baton(["rollback", "--undo"]).run().expect(0);
    }
    assert_eq!((tree(&session), &status(&session)["outcome"]), (with_done("123"), &json!("merged")));
}

#[test]
fn a_killed_rollback_is_finished_by_the_next_command() {
    let LastVersion { session, .. } = open("rollback-killed");
    assert!(tree(&session) != before() && tree(&session) != with_done("123"), "it is half-way");
    let server = no_replies();
    baton(&session, &server.api, &["run"]).expect(3).prints("waits for your answer");
    assert_eq!((tree(&session), &status(&session)["next"]), (before(), &json!("gate")));
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!((tree(&session), &status(&session)["outcome"]), (with_done("123"), &json!("merged")));

    let LastVersion { session, .. } = open("rollback-killed");
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!((tree(&session), &status(&session)["outcome"]), (with_done("123"), &json!("merged")));
}

#[test]
fn checkpoints_of_old_runs_go_with_them() {
    let LastVersion { session, reported } = open("merged-in-git");
    let refs = || session.git(&["for-each-ref", "--format=%(refname)", "refs/baton"]);
    let run = session.runs().pop().unwrap();
    assert_eq!(refs(), format!("refs/baton/{run}/1-plan\nrefs/baton/{run}/2-implement\n"));
    assert_eq!(session.handoff("review.json")["head"], session.git(&["rev-parse", "HEAD"]).trim());
    is_merged(&session, &reported, &no_replies().api, "123");
    let server = Asked::of(another_way(t3_fix()));
    session.write("baton.toml", "keep_runs = 1\n");
    baton(&session, &server.api, &["run", "--task", "The next one", "--auto-approve"]).expect(0);
    session.baton(["clean"]).run().expect(0);
    assert!(!session.runs().contains(&run) && !refs().contains(&run), "{}", refs());
    assert!(refs().contains(session.runs().last().unwrap()));
}

#[test]
fn a_review_against_a_commit_is_read_and_resumed() {
    let against = |session: &Session, server: &Asked| baton(session, &server.api, &["review", "--base", "main"]);
    let LastVersion { session, .. } = open("review-against-a-commit-killed");
    let left = tree(&session);
    let server = Asked::of(Script::new().on("review", base_reviewer()));
    against(&session, &server).expect(6).prints("src/t2.rs:2: major: Seven is wrong.");
    server.is(&[&REVIEW]);
    assert_eq!(tree(&session), left);

    let LastVersion { session, reported } = open("reviewed-against-a-commit");
    assert_eq!(status(&session)["issues"][0]["id"], reported["issues"][0]["id"]);
    // It drives no workflow and has ended: the next one is requested again.
    let server = Asked::of(Script::new().on("review", base_reviewer()));
    session.run(&server.api, []).expect(2).reports("there is no task");
    session.baton(["rollback"]).run().expect(2);
    against(&session, &server).expect(6);
    server.is(&[&REVIEW]);
    assert_eq!(status(&session)["issues"][0]["id"], reported["issues"][0]["id"]);
    // A workflow can be begun beside it.
    let server = Asked::of(another_way(t3()));
    baton(&session, &server.api, &["run", "--task", TASK, "--auto-approve"]).expect(0);
    server.is(&[&CONTEXT, &PLAN, &T3, &REVIEW]);
    assert_eq!(session.handoff("base_review.json")["issues"][0]["id"], reported["issues"][0]["id"]);
    assert_eq!(session.handoff("review.json").get("base"), None);
    assert_eq!(session.history(), ["0001-base-review"]);

    // Its issue is fixed, dismissed and shown as if it had been written now.
    let LastVersion { session, reported } = open("reviewed-against-a-commit");
    let before = session.text(".agent_memory/review.json");
    let id = reported["issues"][0]["id"].as_str().unwrap();
    let mut client = session.lsp_client(&no_replies().api);
    let shown = client.wait_for_diagnostics(&session.uri("src/t2.rs"), |shown| !shown.is_empty());
    let base = json!(session.git(&["rev-parse", "HEAD"]).trim());
    assert_eq!(shown["diagnostics"][0]["data"], json!({ "id": id, "base": base }));
    client.execute("baton.dismissIssue", &[json!(id)]).expect("it is dismissed");
    client.wait_for_diagnostics(&session.uri("src/t2.rs"), <[Value]>::is_empty);
    client.execute("baton.restoreIssue", &[json!(id)]).expect("it is restored");
    client.disconnect();
    let server = Asked::of(another_way(t3()));
    baton(&session, &server.api, &["run", "--fix", id]).expect(3).prints("waits for your answer");
    assert!(session.text(".agent_memory/task.md").contains("src/t2.rs:2 (major): Seven is wrong."));
    assert_eq!(session.text(".agent_memory/base_review.json"), before);
}

#[test]
fn a_workflow_of_the_last_version_is_no_hindrance_to_a_run_that_is_killed_once_more() {
    let LastVersion { session, reported } = open("implement-killed");
    let script = goes_well();
    let late = Script::new().by(move |request| {
        let reply = script.reply(request);
        if request.agent == "review" { reply.map(|reply| reply.after(Duration::from_secs(600))) } else { reply }
    });
    let first = Asked::of(late);
    let run = session.start(&first.api, []);
    first.api.wait_for_request("review");
    run.kill();
    first.is(&[&T3, &REVIEW[..1]]);
    let second = Asked::of(goes_well());
    baton(&session, &second.api, &["run"]).expect(0);
    second.is(&[&REVIEW]);
    is_merged(&session, &reported, &second.api, "123");
}

#[test]
fn a_line_that_the_kill_cut_spoils_no_other() {
    let LastVersion { session, reported } = open("implement-killed-unpublished");
    let run = reported["run"].as_str().unwrap();
    let transcript = session.memory(&format!("runs/{run}/transcript.jsonl"));
    let text = session.text(&transcript);
    let last = text.lines().last().unwrap();
    session.write(&transcript, format!("{text}{}", &last[..last.len() / 2]));
    let server = Asked::of(goes_well());
    baton(&session, &server.api, &["run"]).expect(0);
    server.is(&[&T2, &T3, &REVIEW]);
    assert_eq!(tree(&session), with_done("123"));
}

#[test]
fn a_transcript_of_the_last_version_is_a_recording() {
    let recorded = open("merged-in-git").session;
    let transcript = recorded.path(&recorded.memory(&format!("runs/{}/transcript.jsonl", recorded.runs()[0])));
    let session = Session::new(REPOSITORY);
    let replay = session.baton(["run", "--provider", "replay", "--task", TASK, "--auto-approve"]);
    replay.env("BATON_REPLAY", transcript).run().expect(0).prints("Approved by reading; no check ran.");
    assert_eq!(tree(&session), with_done("123"));
    is_undone(&session, &before(), &with_done("123"));
}

#[test]
fn an_editor_shows_what_the_last_version_left() {
    let LastVersion { session, reported } = open("fix-wanted");
    let server = no_replies();
    let mut client = session.lsp_client(&server.api);
    for issue in reported["issues"].as_array().unwrap() {
        let shown =
            client.wait_for_diagnostics(&session.uri(issue["file"].as_str().unwrap()), |shown| !shown.is_empty());
        let diagnostic = &shown["diagnostics"][0];
        assert_eq!((&diagnostic["code"], &diagnostic["source"]), (&json!("review.major"), &json!("baton")));
        assert_eq!(diagnostic["range"]["start"]["line"].as_u64().map(|line| line + 1), issue["line"].as_u64());
    }
    let now = summary(&client.execute("baton.status", &[]).expect("a status"));
    assert_eq!(now, without_false_escalation(true, &reported));
    client.disconnect();
    server.is(&[]);
}

/// Every setting of version 0.1.0, with values that a workspace may choose by any later rule.
const SETTINGS: &str = include_str!("../../fixtures/settings-0.1.0.toml");

#[test]
fn a_settings_file_with_every_setting_of_the_last_version_holds() {
    for in_workspace in [true, false] {
        let session = Session::in_git(REPOSITORY);
        if in_workspace {
            session.write("baton.toml", SETTINGS);
        } else {
            let folder = session.config_home().join("baton");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("config.toml"), SETTINGS.replace("\"ask\"", "\"auto\"")).unwrap();
        }
        let wants = reviewer("changes_requested", "fix_and_re_review", &[issue("major", "src/t3.rs", "    1", "No.")]);
        let server = Asked::of(Script::new().by(move |request| {
            let is_review = request.agent == "review";
            is_review.then(|| wants.get(request.turn).cloned().unwrap()).or_else(|| goes_well().reply(request))
        }));
        let answer: &[&str] = if in_workspace { &["--auto-approve"] } else { &[] };
        let args = ["run", "--task", TASK].iter().chain(answer).copied();
        let done = session.baton(args).api(&server.api).run().expect(3);
        done.prints("max_review_cycles is 1");
        assert!(!session.exists(".agent_memory") && session.exists("notes/memory/review.json"));
        assert_eq!((server.api.most_at_once(), session.git(&["for-each-ref", "refs/baton"])), (1, String::new()));
        for request in server.api.requests() {
            let model = match request.agent.as_str() {
                "context" | "implement/T1" | "implement/T3" => "claude-sonnet-5-5",
                "implement/T2" | "validate" => "claude-opus-5-5",
                "plan" | "review" => "claude-haiku-5-5",
                other => panic!("{other}"),
            };
            assert_eq!(request.body["model"], model, "{}", request.agent);
        }
        let reported = session.baton(["doctor"]).api(&server.api).run();
        for setting in ["context_staleness_hours", "max_repair_rounds", "budget_usd", "budget_tokens", "keep_runs"] {
            assert!(SETTINGS.contains(setting) && reported.stdout.contains(setting), "{setting}: {}", reported.stdout);
        }
        assert!(!reported.stdout.contains("error") && !reported.stderr.contains("error"), "{reported:?}");
    }
}
