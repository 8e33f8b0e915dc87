//! New plans, by a review or by feedback, decisions by a person, and plans that are rejected.

use expect_test::expect;
use serde_json::json;

use super::{issue, list, wants_fixes};
use crate::support::check::{check, check_commands};
use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{approves, blocked, but, fixes, own, plan, review, with, workspace};
use crate::support::session::Session;
use crate::support::terminal::Terminal;

#[test]
fn a_new_plan_answers_to_the_review_and_keeps_what_was_changed() {
    let session = Session::new(&workspace(2));
    let wrong = issue("src/t1.rs", "1", "The wrong file.");
    let script = Script::new()
        .rounds("plan", [vec![plan(&[&[own("T1")]])], vec![plan(&[&[with(own("T2"), json!({ "id": "T1" }))]])]])
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T2", 0, 1)])
        .rounds("review", [vec![review("rejected", "re_plan", &[wrong])], vec![approves()]]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it"]).expect(3);
    session.baton(["approve"]).run().expect(0);
    let done = session.run(&api, []).expect(3);
    done.reports("The review wants a new plan").prints("The plan (version 2, 1 task) waits for your answer.");

    assert_eq!(session.history(), ["0001-re-plan"]);
    let kept = session.names(".agent_memory/history/0001-re-plan");
    assert_eq!(kept, ["approval.json", "impl_report.json", "plan.json", "plan.md", "review.json", "round.json"]);
    let asked = api.first_message("plan", 1);
    assert!(asked.contains("The title of T1") && asked.contains("The wrong file."), "{asked}");
    assert!(session.text("src/t1.rs").contains('1'), "what was changed stays");
    for gone in ["approval.json", "impl_report.json", "review.json", "round.json"] {
        assert!(!session.exists(&session.memory(gone)), "{gone}");
    }

    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(0);
    let review = session.handoff("review.json");
    assert_eq!((&review["round"], &session.handoff("round.json")["n"]), (&json!(2), &json!(2)));
    assert_eq!(review["plan_drift_detected"], false, "the first plan was approved too: {}", review["drift_details"]);
    let reviewed = api.first_message("review", 1);
    assert!(reviewed.contains("src/t1.rs: modified") && reviewed.contains("\"path\":\"src/t2.rs\""), "{reviewed}");
    // The new T1 did not write what the old one wrote.
    assert_eq!(list(&session.handoff("impl_report.json")["results"][0]["changes"], "path"), ["src/t2.rs"]);
    assert!(session.text("src/t1.rs").contains('1') && session.text("src/t2.rs").contains('1'));
}

#[test]
fn a_change_that_no_approved_plan_names_is_drift() {
    let session = Session::new(&workspace(2));
    let script = Script::new().rounds("review", [vec![review("rejected", "escalate_to_human", &[])], vec![approves()]]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3);
    // The user takes T2 out of the plan after it was done.
    let mut plan = session.handoff("plan.json");
    plan["tasks"].as_array_mut().unwrap().pop();
    plan["parallel_groups"] = json!([["T1"]]);
    session.write(".agent_memory/plan.json", plan.to_string());
    session.run(&api, ["--phase", "review"]).expect(0);
    let review = session.handoff("review.json");
    assert_eq!(review["plan_drift_detected"], true);
    assert_eq!(review["drift_details"], "src/t2.rs was changed and stands in no task of the plan.");
}

#[test]
fn what_a_person_must_decide_goes_on_when_they_do() {
    let escalated = |ways: Vec<Reply>| {
        let session = Session::new(&workspace(2));
        let script = Script::new()
            .rounds("plan", [vec![plan(&[&[own("T1")]])], vec![plan(&[&[own("T2")]])]])
            .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
            .on("implement/T2", fixes("T2", 0, 1))
            .rounds("review", [vec![review("rejected", "escalate_to_human", &[])], ways]);
        let api = MessagesApi::start(but(script, &[&[own("T1")]]));
        session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3).prints("A person is needed");
        for _ in 0..2 {
            session.run(&api, []).expect(3).prints("A person is needed: The verdict is rejected.");
        }
        (session, api)
    };

    // Feedback: a new plan with the review in hand, and the gate.
    let (session, api) = escalated(vec![approves()]);
    session.baton(["plan", "--feedback", "Use the other file."]).api(&api).run().expect(3);
    assert_eq!(session.handoff("plan.json")["plan_version"], 2);
    let asked = api.first_message("plan", 1);
    assert!(asked.contains("Use the other file.") && asked.contains("The verdict is rejected."), "{asked}");
    assert_eq!(session.history(), ["0001-revise"]);
    session.run(&api, []).expect(3).prints("version 2");
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(0);
    assert_eq!(session.handoff("round.json")["n"], 2);

    // A named phase.
    let (session, api) = escalated(vec![approves()]);
    session.run(&api, ["--phase", "implement"]).expect(0);
    session.run(&api, []).expect(0);
    assert!(session.text("src/t1.rs").contains('2'));
    assert_eq!(session.handoff("review.json")["round"], 2);
    let (session, _) = escalated(vec![]);
    let api = MessagesApi::start(Script::new().on("review", [approves()]));
    session.run(&api, ["--phase", "review"]).expect(0);
    session.run(&api, []).expect(0).prints("Approved by reading; no check ran. Changes are in your working tree");

    // A reset.
    let (session, api) = escalated(vec![approves()]);
    session.baton(["reset"]).run().expect(0);
    session.run(&api, ["--task", "Do it"]).expect(3).prints("baton approve");
}

#[test]
fn reviews_without_a_merge_are_counted_over_every_kind_of_round() {
    let again = with(own("T1"), json!({ "title": "Again" }));
    let reviews = [
        vec![review("rejected", "re_plan", &[])],
        wants_fixes(&[issue("src/t1.rs", "2", "Wrong.")]),
        wants_fixes(&[issue("src/t1.rs", "3", "Wrong still.")]),
    ];
    let script = Script::new()
        .rounds("plan", [vec![plan(&[&[own("T1")]])], vec![plan(&[&[again]])]])
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2), fixes("T1", 2, 3)])
        .rounds("review", reviews);
    let (session, _) = check(
        &workspace(1),
        but(script, &[&[own("T1")]]),
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 3
              src/t1.rs:2: major: Wrong still. [{Wrong still.}]
              A person is needed: 3 reviews without an approval (max_review_cycles is 3); the last one says: The verdict is changes_requested.
                baton accept                  accept as is
                baton run --fix {Wrong still.}  fix the issue
                baton plan --feedback "…"     plan again
                baton diff                    show changes
                baton rollback                undo
                baton reset                   start over
            asked: context, plan, implement/T1, review, plan, implement/T1, review, implement/T1, review
            modified src/t1.rs
              -    0
              +    3
            T1 completed
            fixed src/t1.rs: Wrong.
            new src/t1.rs: Wrong still.
            history: 0001-re-plan, 0002-fix
            next: none
        "#]],
    );
    assert_eq!(session.handoff("review.json")["round"], 3);
}

#[test]
fn a_plan_is_changed_by_words_with_a_run_waiting_and_with_none() {
    let script = || {
        let second = with(own("T2"), json!({ "description": "As was asked for." }));
        let script = Script::new().rounds("plan", [vec![plan(&[&[own("T1")]])], vec![plan(&[&[second]])]]);
        MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]))
    };
    let session = Session::new(&workspace(2));
    session.baton(["plan", "--feedback", "x"]).run().expect(2).reports("there is no plan");

    let api = script();
    session.run(&api, ["--task", "Do it"]).expect(3);
    session.baton(["plan", "--feedback", "  "]).api(&api).run().expect(2).reports("empty");
    session.baton(["plan", "--feedback", "The other file, please."]).api(&api).run().expect(3);
    let asked = api.first_message("plan", 1);
    assert!(asked.contains("The other file, please.") && asked.contains("The title of T1"), "{asked}");
    assert_eq!(
        (session.handoff("plan.json")["plan_version"].clone(), session.history()),
        (json!(2), vec!["0001-revise".to_owned()])
    );
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(0);
    assert!(session.text("src/t1.rs").contains('0') && session.text("src/t2.rs").contains('1'));

    let session = Session::new(&workspace(2));
    let api = script();
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["run", "--task", "Do it"]).api(&api));
    terminal.wait_for("[a]pprove");
    let answer = session.baton(["plan", "--feedback", "The other file, please."]).api(&api).run();
    answer.expect(0).prints("The waiting run plans again.");
    terminal.wait_for("Plan, version 2");
    assert!(api.first_message("plan", 1).contains("The other file, please."));
    terminal.wait_for("[a]pprove");
    session.baton(["approve"]).run().expect(0);
    terminal.wait_for("Approved by reading; no check ran.");
    running.wait().expect(0);
    assert_eq!(session.runs().len(), 1);
}

#[test]
fn a_rejection_says_that_what_earlier_rounds_wrote_stands() {
    let script = Script::new()
        .rounds("plan", [vec![plan(&[&[own("T1")]])], vec![plan(&[&[with(own("T2"), json!({ "id": "T1" }))]])]])
        .rounds("implement/T1", [fixes("T1", 0, 1)])
        .rounds("review", [vec![review("rejected", "re_plan", &[])]]);
    let commands = ["run --task 'Do it'", "approve", "run", "reject", "run"];
    check_commands(
        &workspace(2),
        but(script, &[&[own("T1")]]),
        &commands,
        expect![[r#"
            $ run --task 'Do it'
            exit 3
              The plan (version 1, 1 task) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
            asked: context, plan
            $ approve
            exit 0
              Approved plan version 1 (1 task). `baton run` goes on with it.
            $ run
            exit 3
              The plan (version 2, 1 task) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
                baton diff                 show changes
                baton rollback             undo
            asked: implement/T1, review, plan
            $ reject
            exit 0
              Rejected plan version 2. 1 file that was changed before stands.
                baton plan --feedback "…"  plan again
                baton diff                 show changes
                baton rollback             undo
                baton run "…"              start
            $ run
            exit 4
              The plan was rejected. 1 file that was changed before stands.
                baton plan --feedback "…"  plan again
                baton diff                 show changes
                baton rollback             undo
                baton run "…"              start
            modified src/t1.rs
              -    0
              +    1
            T1 pending
            history: 0001-re-plan
            next: none
        "#]],
    );
}

#[test]
fn a_plan_that_is_partly_done_can_be_rejected_while_no_run_is_at_work() {
    let script = Script::new().on("implement/T2", [blocked("It cannot be done.")]);
    let commands = ["run --task 'Do it'", "approve", "run", "reject", "run"];
    check_commands(
        &workspace(2),
        but(script, &[&[own("T1")], &[own("T2")]]),
        &commands,
        expect![[r#"
            $ run --task 'Do it'
            exit 3
              The plan (version 1, 2 tasks) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
            asked: context, plan
            $ approve
            exit 0
              Approved plan version 1 (2 tasks). `baton run` goes on with it.
            $ run
            exit 1
              T2 blocked: It cannot be done. Run again to retry; what is done stays done.
                baton run                  try again
                baton diff                 show changes
                baton rollback             undo
                baton plan --feedback "…"  plan again
                baton reset                start over
            asked: implement/T1, implement/T2
            $ reject
            exit 0
              Rejected plan version 1. 1 file that was changed before stands.
                baton plan --feedback "…"  plan again
                baton diff                 show changes
                baton rollback             undo
                baton run "…"              start
            $ run
            exit 4
              The plan was rejected. 1 file that was changed before stands.
                baton plan --feedback "…"  plan again
                baton diff                 show changes
                baton rollback             undo
                baton run "…"              start
            modified src/t1.rs
              -    0
              +    1
            T1 completed
            T2 blocked
            next: none
        "#]],
    );
}

#[test]
fn a_rejected_plan_stays_rejected_until_it_is_changed_or_reset() {
    let script = Script::new().rounds("plan", [vec![plan(&[&[own("T1")]])], vec![plan(&[&[own("T2")]])]]);
    let commands = [
        "run --task 'Do it'",
        "reject",
        "run --auto-approve",
        "run --auto-approve",
        "plan --feedback 'The other file.'",
        "run",
        "approve",
        "run",
    ];
    check_commands(
        &workspace(2),
        but(script, &[&[own("T1"), own("T2")]]),
        &commands,
        expect![[r#"
            $ run --task 'Do it'
            exit 3
              The plan (version 1, 1 task) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
            asked: context, plan
            $ reject
            exit 0
              Rejected plan version 1; nothing was written.
                baton plan --feedback "…"  plan again
                baton run "…"              start
            $ run --auto-approve
            exit 4
              The plan was rejected; nothing was written.
                baton plan --feedback "…"  plan again
                baton run "…"              start
            $ run --auto-approve
            exit 4
              The plan was rejected; nothing was written.
                baton plan --feedback "…"  plan again
                baton run "…"              start
            $ plan --feedback 'The other file.'
            exit 3
              The new plan waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
            asked: plan
            $ run
            exit 3
              The plan (version 2, 1 task) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
            $ approve
            exit 0
              Approved plan version 2 (1 task). `baton run` goes on with it.
            $ run
            exit 0
              The verdict is approved.
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed.
                baton diff      show changes
                baton rollback  undo
                baton run "…"   start
            asked: implement/T2, review
            modified src/t2.rs
              -    0
              +    1
            T2 completed
            history: 0001-revise
            next: none
        "#]],
    );
}
