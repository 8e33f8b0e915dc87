//! Some tasks of a plan: approved, run, repeated or retried without the others.

use expect_test::expect;
use serde_json::json;

use super::{issue, list, run_until, sorted, wants_fixes};
use crate::support::check::check_commands;
use crate::support::messages_api::{MessagesApi, Reply, Script, agents};
use crate::support::replies::{approves, blocked, but, completed, edits, fixes, own, task, with, workspace};
use crate::support::session::Session;

#[test]
fn what_was_left_out_is_done_and_reviewed_once_it_is_approved() {
    let dependent = with(own("T3"), json!({ "depends_on": ["T1"] }));
    // T1 is done by the second approval, so that T3 can be approved without it being named.
    let commands = ["run --task 'Do it'", "approve --only T1", "run", "approve --only T3", "approve", "run"];
    let script = but(Script::new(), &[&[own("T1"), own("T2")], &[dependent]]);
    let (session, api) = check_commands(
        &workspace(3),
        script,
        &commands,
        expect![[r#"
            $ run --task 'Do it'
            exit 3
              The plan (version 1, 3 tasks) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
            asked: context, plan
            $ approve --only T1
            exit 0
              Approved plan version 1 (T1). `baton run` goes on with it.
            $ run
            exit 0
              The verdict is approved.
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed. Not approved and so not done: T2, T3.
                baton diff      show changes
                baton rollback  undo
                baton run "…"   start
            asked: implement/T1, review
            $ approve --only T3
            exit 0
              Approved plan version 1 (T3). `baton run` goes on with it.
            $ approve
            exit 0
              Approved plan version 1 (3 tasks). `baton run` goes on with it.
            $ run
            exit 0
              The verdict is approved.
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed.
                baton diff      show changes
                baton rollback  undo
                baton run "…"   start
            asked: implement/T2, implement/T3, review
            modified src/t1.rs
              -    0
              +    1
            modified src/t2.rs
              -    0
              +    1
            modified src/t3.rs
              -    0
              +    1
            T1 completed
            T2 completed
            T3 completed
            history: 0001-phase
            next: none
        "#]],
    );
    assert_eq!(list(&session.handoff("impl_report.json")["results"], "task_id"), ["T1", "T2", "T3"]);
    assert_eq!(session.handoff("round.json")["tasks"], json!(["T1", "T2", "T3"]));
    let reviews = api.requests_of("review");
    let again = reviews.iter().find(|request| request.conversation == 1).unwrap();
    assert!(again.system().contains("The title of T3"));
}

#[test]
#[expect(clippy::too_many_lines, reason = "the outcomes of four commands, whole")]
fn only_some_tasks_are_run() {
    let script = || but(Script::new(), &[&[own("T1"), own("T2"), own("T3")]]);
    let commands = ["run --task 'Do it' --auto-approve --only T9", "run --only T9"];
    let (session, _) = check_commands(
        &workspace(3),
        script(),
        &commands,
        expect![[r#"
            $ run --task 'Do it' --auto-approve --only T9
            exit 3
              "T9" is no task of the plan; there are T1, T2, T3. The plan waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
            asked: context, plan
            $ run --only T9
            exit 2
              error: "T9" is no task of the plan; there are T1, T2, T3
            T1 pending
            T2 pending
            T3 pending
            next: gate
        "#]],
    );
    assert!(!session.exists(".agent_memory/approval.json"));

    // Beside an approval of all, only those named. One more goes beyond what is approved by then; what is done stays
    // among what is reviewed.
    let commands = ["run --task 'Do it'", "approve", "run --only T2", "run --only T3", "run --only T3 --auto-approve"];
    let (session, _) = check_commands(
        &workspace(3),
        script(),
        &commands,
        expect![[r#"
            $ run --task 'Do it'
            exit 3
              The plan (version 1, 3 tasks) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
            asked: context, plan
            $ approve
            exit 0
              Approved plan version 1 (3 tasks). `baton run` goes on with it.
            $ run --only T2
            exit 0
              The verdict is approved.
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed. Not approved and so not done: T1, T3.
                baton diff      show changes
                baton rollback  undo
                baton run "…"   start
            asked: implement/T2, review
            $ run --only T3
            exit 3
              The plan (version 1, 3 tasks) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
                baton diff                 show changes
                baton rollback             undo
            $ run --only T3 --auto-approve
            exit 0
              The verdict is approved.
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed. Not approved and so not done: T1.
                baton diff      show changes
                baton rollback  undo
                baton run "…"   start
            asked: implement/T3, review
            modified src/t2.rs
              -    0
              +    1
            modified src/t3.rs
              -    0
              +    1
            T1 not_approved
            T2 completed
            T3 completed
            history: 0001-phase, 0002-phase
            next: none
        "#]],
    );
    assert_eq!(list(&session.handoff("impl_report.json")["results"], "task_id"), ["T2", "T3"]);
}

#[test]
fn one_task_is_done_again_and_the_others_results_stay() {
    let session = Session::new(&workspace(3));
    let script = Script::new().on("implement/T3", fixes("T3", 0, 1));
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2"), own("T3")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let before = session.handoff("impl_report.json");
    let again = MessagesApi::start(Script::new().on("implement/T3", fixes("T3", 1, 2)).on("review", [approves()]));
    session.run(&again, ["--phase", "implement", "--only", "T3"]).expect(0);
    assert_eq!(agents(&again.requests()), ["implement/T3"]);
    let after = session.handoff("impl_report.json");
    assert_eq!(after["results"].as_array().unwrap()[..2], before["results"].as_array().unwrap()[..2]);
    assert_eq!(list(&after["results"], "task_id"), ["T1", "T2", "T3"]);
    assert!(session.text("src/t3.rs").contains('2') && !session.exists(".agent_memory/review.json"));
    session.run(&again, []).expect(0);
    assert_eq!(agents(&again.requests()), ["implement/T3", "review"]);
}

#[test]
fn a_plan_that_deletes_can_be_implemented_again() {
    let session = Session::new(&format!("{}//- /src/old.rs\nold\n", workspace(1)));
    let deletes = with(own("T1"), json!({ "files_to_delete": ["src/old.rs"] }));
    let both = [
        Reply::tool("delete_file", json!({ "path": "src/old.rs" })),
        edits("src/t1.rs", "    0\n", "    1\n"),
        completed(&["src/t1.rs"]),
    ];
    let script = Script::new().rounds("implement/T1", [both.to_vec()]);
    let api = MessagesApi::start(but(script, &[&[deletes]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert!(!session.exists("src/old.rs"));
    let again = MessagesApi::start(Script::new().on("implement/T1", fixes("T1", 1, 2)).on("review", [approves()]));
    session.run(&again, ["--phase", "implement"]).expect(0);
    session.run(&again, []).expect(0);
    let changes = &session.handoff("impl_report.json")["results"][0]["changes"];
    assert_eq!(list(changes, "path"), ["src/old.rs", "src/t1.rs"]);
    assert_eq!(list(changes, "change_type"), ["deleted", "modified"]);
}

#[test]
fn a_task_that_failed_with_half_of_it_edited_is_tried_again_and_again() {
    let session = Session::new(&workspace(2));
    let half = || vec![edits("src/t2.rs", "    0\n", "    1\n"), blocked("the other half")];
    let ran = |replies: Vec<Reply>, code: i32| {
        let script = Script::new().on("implement/T2", replies);
        let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
        session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(code);
        agents(&api.requests())
    };
    assert_eq!(sorted(&ran(half(), 1)), ["context", "implement/T1", "implement/T2", "plan"]);
    let changes = |session: &Session| session.handoff("impl_report.json")["results"][1]["changes"].clone();
    assert_eq!((changes(&session), session.text("src/t2.rs").contains('1')), (json!([]), false));
    assert_eq!(ran(half(), 1), ["implement/T2"]);
    assert_eq!(ran(fixes("T2", 0, 3), 0), ["implement/T2", "review"]);
    assert_eq!(session.history(), ["0001-retry", "0002-retry"]);
    let change = &changes(&session)[0];
    assert_eq!((&change["lines_added"], &change["lines_removed"]), (&json!(1), &json!(1)));
    assert!(session.of_last_run("changes.diff").contains("-    0\n+    3\n"));
}

#[test]
fn an_edited_plan_is_asked_about_before_it_is_resumed() {
    let session = Session::new(&workspace(2));
    let script = Script::new().rounds("review", [wants_fixes(&[issue("src/t1.rs", "1", "A")]), vec![approves()]]);
    let script = script.rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    run_until(&session, &api, 1, &["--task", "Do it", "--auto-approve"]).expect(3);
    let mut plan = session.handoff("plan.json");
    plan["tasks"].as_array_mut().unwrap().push(with(task("T2"), json!({ "files_to_modify": ["src/t2.rs"] })));
    plan["parallel_groups"] = json!([["T1"], ["T2"]]);
    session.write(".agent_memory/plan.json", serde_json::to_string_pretty(&plan).unwrap());
    session.run(&api, []).expect(3).prints("The plan (version 1, 2 tasks) waits for your answer.");
    assert!(session.text(".agent_memory/plan.md").contains("### T2"));
}
