//! The issues of a review: fixing chosen ones, dismissing and restoring.
#![cfg(unix)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::time::Duration;

use baton::contracts::RepoPath;
use baton::memory::{Seal, Store};
use baton::workflow::{dismiss_issues, restore_issues};
use baton::workspace::Workspace;
use expect_test::expect;
use serde_json::{Value, json};

use crate::support::check::check_commands;
use crate::support::messages_api::{MessagesApi, RecordedRequest, Reply, RequestName, Script, agents};
use crate::support::replies::{approves, blocked, but, completed, edits, fixes, own, review, with, workspace};
use crate::support::session::{Done, Session};

fn issue(file: &str, quote: &str, description: &str) -> Value {
    json!({ "severity": "minor", "file": file, "line": 1, "quote": quote, "description": description })
}

/// A and B stand in the files of T1 and T2.
fn a_and_b() -> Vec<Value> {
    vec![issue("src/t1.rs", "    1", "A"), issue("src/t2.rs", "    1", "B")]
}

/// Two tasks that are done once and fixed once, and these reviews.
fn two_tasks(reviews: impl IntoIterator<Item = Reply>) -> Script {
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
        .rounds("implement/T2", [fixes("T2", 0, 1), fixes("T2", 1, 2)])
        .rounds("review", reviews.into_iter().map(|review| vec![review]));
    but(script, &[&[own("T1"), own("T2")]])
}

/// Ids of the review's issues, by description.
fn id(session: &Session, description: &str) -> String {
    let review = session.handoff("review.json");
    let issue = review["issues"].as_array().unwrap().iter().find(|issue| issue["description"] == description);
    issue.unwrap_or_else(|| panic!("no issue {description:?} in {review}"))["id"].as_str().unwrap().to_owned()
}

/// Each issue with its state, sorted, and what comes next.
fn stands(session: &Session) -> (Vec<String>, String) {
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    let mut issues: Vec<String> = (status["issues"].as_array().unwrap().iter())
        .map(|issue| format!("{} {}", issue["description"].as_str().unwrap(), issue["state"].as_str().unwrap()))
        .collect();
    issues.sort();
    (issues, status["next"].as_str().unwrap().to_owned())
}

fn next(issues: &[&str], next: &str) -> (Vec<String>, String) {
    (issues.iter().map(|issue| (*issue).to_owned()).collect(), next.to_owned())
}

fn fix(session: &Session, api: &MessagesApi, ids: &[&str]) -> Done {
    session.run(api, ["--fix", ids.join(",").as_str()])
}

#[test]
fn one_issue_of_an_approved_review_is_fixed_alone_and_the_other_stays_open() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(two_tasks([review("approved", "merge", &a_and_b()), approves()]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let (a, b) = (id(&session, "A"), id(&session, "B"));
    session.baton(["status"]).run().expect(0).prints(&format!("A [{a}]"));
    let count = api.requests().len();

    let done = fix(&session, &api, &[&a]).expect(0);
    done.reports(&format!("Fixing 1 chosen issue: {a}"))
        .prints("Approved by reading; no check ran. Changes are in your working tree");
    assert_eq!(agents(&api.requests()[count..]), ["implement/T1", "review"]);
    let asked = api.first_message("implement/T1", 1);
    assert!(asked.contains("\"A\"") && !asked.contains("\"B\""), "{asked}");
    let asked = api.first_message("review", 1);
    assert!(asked.contains(&format!("stay open unless you answer that they are fixed: {b}. ")), "{asked}");
    assert!(session.text("src/t1.rs").contains('2') && session.text("src/t2.rs").contains('1'));
    let round = json!({ "n": 2, "kind": "fix", "tasks": ["T1"], "issues": [a] });
    assert_eq!(session.handoff("round.json"), round);
    assert_eq!((session.handoff("review.json")["round"].clone(), id(&session, "B")), (json!(2), b));
    assert_eq!(stands(&session), next(&["A fixed", "B open"], "none"));
    assert_eq!(session.history(), ["0001-fix"]);

    // It is undone like any other round.
    let task = session.baton(["rollback", "--task", "T1"]).run().expect(0);
    task.prints("src/t1.rs");
    assert!(session.text("src/t1.rs").contains('0') && session.text("src/t2.rs").contains('1'));
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert!(session.text("src/t1.rs").contains('2'));
}

#[test]
fn a_run_for_chosen_issues_ends_with_its_review_also_where_others_are_to_be_fixed() {
    let session = Session::new(&workspace(2));
    let wants = || review("changes_requested", "fix_and_re_review", &a_and_b());
    let unanswered = || review("changes_requested", "fix_and_re_review", &[]);
    let api = MessagesApi::start(two_tasks([wants(), unanswered(), approves()]));
    let first = session.baton(["run", "--task", "Do it", "--auto-approve"]).api(&api);
    first.env("BATON_MAX_REVIEW_CYCLES", "1").run().expect(3).prints("max_review_cycles is 1");
    let (a, b) = (id(&session, "A"), id(&session, "B"));
    let count = api.requests().len();

    let done = session.run(&api, ["--json", "--fix", &a]).expect(0);
    assert_eq!(agents(&api.requests()[count..]), ["implement/T1", "review"]);
    assert_eq!(done.outcome()["outcome"], "done");
    let last = done.events().pop().unwrap();
    assert_eq!(last["message"], "The round is done; 1 issue is open.");
    assert_eq!(stands(&session), next(&["A fixed", "B open"], "fix"));

    let count = api.requests().len();
    session.run(&api, []).expect(0);
    assert_eq!(agents(&api.requests()[count..]), ["implement/T2", "review"]);
    assert_eq!(session.handoff("round.json"), json!({ "n": 3, "kind": "fix", "tasks": ["T2"], "issues": [b] }));
    assert_eq!(stands(&session), next(&["B fixed"], "none"));
}

#[test]
fn several_chosen_issues_are_one_round() {
    let script = two_tasks([review("rejected", "escalate_to_human", &a_and_b()), approves()]);
    let commands = ["run --task 'Do it' --auto-approve", "run --fix {B},{A}"];
    let (session, _) = check_commands(
        &workspace(2),
        script,
        &commands,
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 3
              src/t1.rs:2: minor: A [{A}]
              src/t2.rs:2: minor: B [{B}]
              A person is needed: The verdict is rejected.
                baton accept               accept as is
                baton run --fix {A},{B}
                                           fix the issues
                baton plan --feedback "…"  plan again
                baton diff                 show changes
                baton rollback             undo
                baton reset                start over
            asked: context, plan, implement/T1, implement/T2, review
            $ run --fix {B},{A}
            exit 0
              The verdict is approved.
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed.
                baton diff      show changes
                baton rollback  undo
                baton run "…"   start
            asked: implement/T1, implement/T2, review
            modified src/t1.rs
              -    0
              +    2
            modified src/t2.rs
              -    0
              +    2
            T1 completed
            T2 completed
            fixed src/t1.rs: A
            fixed src/t2.rs: B
            history: 0001-fix
            next: none
        "#]],
    );
    assert_eq!(session.handoff("round.json")["tasks"], json!(["T1", "T2"]));
}

#[test]
fn a_review_that_wants_a_new_plan_leaves_it_to_the_user() {
    let script = two_tasks([review("approved", "merge", &a_and_b()), review("rejected", "re_plan", &[])]);
    let commands = ["run --task 'Do it' --auto-approve", "run --fix {A}"];
    check_commands(
        &workspace(2),
        script,
        &commands,
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 0
              The verdict is approved.
              src/t1.rs:2: minor: A [{A}]
              src/t2.rs:2: minor: B [{B}]
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed. 2 issues are left.
                baton diff      show changes
                baton rollback  undo
                baton run --fix {A},{B}
                                fix the issues
                baton run "…"   start
            asked: context, plan, implement/T1, implement/T2, review
            $ run --fix {A}
            exit 0
              src/t2.rs:2: minor: B [{B}]
              The round is done, and its review wants a new plan: The verdict is rejected.
                baton run       resume
                baton accept    accept as is
                baton diff      show changes
                baton rollback  undo
                baton reset     start over
            asked: implement/T1, review
            modified src/t1.rs
              -    0
              +    2
            modified src/t2.rs
              -    0
              +    1
            T1 completed
            T2 completed
            fixed src/t1.rs: A
            open src/t2.rs: B
            history: 0001-fix
            next: re_plan
        "#]],
    );
}

/// A file that no task owns beside that of T1.
fn unowned_files() -> String {
    format!("{}//- /README.md\n# Sample\n", workspace(1))
}

/// A plan of T1 alone, and a review with A in its file and R in the other.
fn unowned_script() -> Script {
    let issues = [a_and_b().remove(0), issue("README.md", "# Sample", "R")];
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
        .on("implement/FIX", [edits("README.md", "# Sample", "# A sample"), completed(&["README.md"])])
        .rounds("review", [vec![review("approved", "merge", &issues)], vec![approves()]]);
    but(script, &[&[own("T1")]])
}

#[test]
fn a_chosen_issue_in_an_unowned_file_opens_the_gate_and_another_joins_it_there() {
    let commands = ["run --task 'Do it' --auto-approve", "run --fix {R}", "run --fix {A}", "approve", "run"];
    let (session, _) = check_commands(
        &unowned_files(),
        unowned_script(),
        &commands,
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 0
              The verdict is approved.
              src/t1.rs:2: minor: A [{A}]
              README.md:1: minor: R [{R}]
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed. 2 issues are left.
                baton diff      show changes
                baton rollback  undo
                baton run --fix {A},{R}
                                fix the issues
                baton run "…"   start
            asked: context, plan, implement/T1, review
            $ run --fix {R}
            exit 3
              The plan (version 1, 2 tasks) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
                baton diff                 show changes
                baton rollback             undo
            $ run --fix {A}
            exit 3
              The plan (version 1, 2 tasks) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
                baton diff                 show changes
                baton rollback             undo
            $ approve
            exit 0
              Approved plan version 1 (2 tasks). `baton run` goes on with it.
            $ run
            exit 0
              The verdict is approved.
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed.
                baton diff      show changes
                baton rollback  undo
                baton run "…"   start
            asked: implement/FIX, implement/T1, review
            modified README.md
              -# Sample
              +# A sample
            modified src/t1.rs
              -    0
              +    2
            T1 completed
            FIX completed
            fixed README.md: R
            fixed src/t1.rs: A
            history: 0001-fix
            next: none
        "#]],
    );
    let plan = session.handoff("plan.json");
    assert_eq!(plan["tasks"][1]["files_to_modify"], json!(["README.md"]));
    assert_eq!(plan["parallel_groups"], json!([["T1"], ["FIX"]]));
    let round = session.handoff("round.json");
    assert_eq!((&round["n"], &round["kind"], &round["tasks"]), (&json!(2), &json!("fix"), &json!(["T1", "FIX"])));
    assert_eq!(round["issues"].as_array().map(Vec::len), Some(2));
}

#[test]
#[expect(clippy::too_many_lines, reason = "the outcome of six commands, whole")]
fn what_was_rejected_at_the_gate_can_be_chosen_again() {
    let commands = [
        "run --task 'Do it' --auto-approve",
        "run --fix {R}",
        "reject",
        "run",
        "run --fix {R}",
        "run --fix {R} --auto-approve",
    ];
    check_commands(
        &unowned_files(),
        unowned_script(),
        &commands,
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 0
              The verdict is approved.
              src/t1.rs:2: minor: A [{A}]
              README.md:1: minor: R [{R}]
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed. 2 issues are left.
                baton diff      show changes
                baton rollback  undo
                baton run --fix {A},{R}
                                fix the issues
                baton run "…"   start
            asked: context, plan, implement/T1, review
            $ run --fix {R}
            exit 3
              The plan (version 1, 2 tasks) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
                baton diff                 show changes
                baton rollback             undo
            $ reject
            exit 0
              Rejected plan version 1. 1 file that was changed before stands.
                baton plan --feedback "…"  plan again
                baton diff                 show changes
                baton rollback             undo
                baton run --fix {A},{R}
                                           fix the issues
                baton run "…"              start
            $ run
            exit 4
              The plan was rejected. 1 file that was changed before stands.
                baton plan --feedback "…"  plan again
                baton diff                 show changes
                baton rollback             undo
                baton run --fix {A},{R}
                                           fix the issues
                baton run "…"              start
            $ run --fix {R}
            exit 3
              The plan (version 1, 2 tasks) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
                baton diff                 show changes
                baton rollback             undo
            $ run --fix {R} --auto-approve
            exit 0
              The verdict is approved.
              src/t1.rs:2: minor: A [{A}]
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed. 1 issue is left.
                baton diff                    show changes
                baton rollback                undo
                baton run --fix {A}  fix the issue
                baton run "…"                 start
            asked: implement/FIX, review
            modified README.md
              -# Sample
              +# A sample
            modified src/t1.rs
              -    0
              +    1
            T1 completed
            FIX completed
            fixed README.md: R
            open src/t1.rs: A
            history: 0001-phase, 0002-fix
            next: none
        "#]],
    );
}

#[test]
fn what_cannot_be_fixed_is_reported_with_what_to_do() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(two_tasks([review("approved", "merge", &a_and_b()), approves()]));
    fix(&session, &api, &["x"]).expect(2).reports("there is no plan, so no task can fix an issue");
    session.run(&api, ["--task", "Do it"]).expect(3);
    fix(&session, &api, &["x"]).expect(2).reports("there is no review yet");
    session.run(&api, ["--auto-approve"]).expect(0);
    let (a, b) = (id(&session, "A"), id(&session, "B"));
    let before = session.memory_tree();
    let open = format!("open are {a} (src/t1.rs:2), {b} (src/t2.rs:2)");
    fix(&session, &api, &["x"]).expect(2).reports(&format!("\"x\" is no issue of the review; {open}"));
    fix(&session, &api, &[&a, "x"]).expect(2).reports("\"x\" is no issue");
    session.run(&api, ["--fix", &a, "--reset"]).expect(2).reports("cannot be used with");
    session.run(&api, ["--fix", ""]).expect(2).reports("an issue has an id");
    assert_eq!(session.memory_tree(), before, "nothing was changed");

    session.write(".agent_memory/dismissed.json", json!([b]).to_string());
    fix(&session, &api, &[&b]).expect(2).reports(&format!("issue {b} is dismissed; restore it first"));
    fix(&session, &api, &[&a]).expect(0);
    fix(&session, &api, &[&a])
        .expect(2)
        .reports(&format!("issue {a} is fixed already, says the last review; none is open"));
}

#[test]
fn a_round_that_failed_goes_on_when_its_issues_are_chosen_again_and_no_others_are() {
    let session = Session::new(&workspace(2));
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), vec![blocked("no idea")]])
        .rounds("review", [vec![review("approved", "merge", &a_and_b())], vec![approves()]]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let (a, b) = (id(&session, "A"), id(&session, "B"));
    fix(&session, &api, &[&a]).expect(1).prints("T1 blocked: no idea");
    assert_eq!(stands(&session), next(&["A open", "B open"], "implement"));
    fix(&session, &api, &[&b]).expect(2).reports("a round that fixes issues is unfinished (T1)");
    let better = MessagesApi::start(
        two_tasks([approves()])
            .by(|request| (request.agent == "implement/T1").then(|| fixes("T1", 1, 2)[request.turn].clone())),
    );
    fix(&session, &better, &[&a]).expect(0);
    assert_eq!(agents(&better.requests()), ["implement/T1", "review"]);
    assert_eq!(stands(&session), next(&["A fixed", "B open"], "none"));
}

#[test]
fn a_fix_that_is_killed_is_resumed_and_nothing_of_it_is_done_twice() {
    let fixing = |killed_at: Option<&RequestName>| {
        let session = Session::new(&workspace(2));
        let script = two_tasks([review("approved", "merge", &a_and_b()), approves()]);
        let api = MessagesApi::start(match killed_at {
            Some(name) => script.stall_once(name),
            None => script,
        });
        session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
        let a = id(&session, "A");
        let count = api.requests().len();
        if let Some(name) = killed_at {
            let run = session.start(&api, ["--fix", &a]);
            api.wait_for_request(name);
            run.kill();
        }
        // The issue is chosen again, or the run resumed; after the round's work that is the same.
        match killed_at {
            Some(name) if name.agent == "review" => session.run(&api, []).expect(0),
            _ => fix(&session, &api, &[&a]).expect(0),
        };
        let mut review = session.handoff("review.json");
        review["timestamp"] = Value::Null;
        let report = session.handoff("impl_report.json")["results"].clone();
        let asked: Vec<RequestName> = api.requests()[count..].iter().map(RecordedRequest::name).collect();
        ((session.tree(), review, report, session.handoff("round.json"), stands(&session)), asked)
    };
    let (undisturbed, requests) = fixing(None);
    assert_eq!(requests, [("implement/T1", 1, 0), ("implement/T1", 1, 1), ("review", 1, 0)].map(RequestName::from));
    for name in &requests {
        let (killed, asked) = fixing(Some(name));
        assert_eq!(killed, undisturbed, "killed at {name}");
        assert_eq!(asked.len(), requests.len() + 1, "killed at {name}: only that one is asked again");
    }
}

/// The memory folder of a session, as another process has it open.
fn store(session: &Session) -> Store {
    let workspace = Workspace::open(session.root()).unwrap();
    let seal = Seal::ephemeral(workspace.root()).unwrap();
    Store::open(&workspace, &RepoPath::parse(".agent_memory").unwrap(), seal, baton::phases::TABLE.with(&[]).handoffs())
        .unwrap()
}

#[test]
fn an_issue_is_dismissed_and_restored_while_a_run_is_at_work() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(two_tasks([
        review("approved", "merge", &a_and_b()),
        approves().after(Duration::from_millis(1500)),
    ]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let (a, b) = (id(&session, "A"), id(&session, "B"));
    let store = store(&session);
    let one = |id: &str| [id.to_owned()];
    let dismissed = || -> Vec<Value> {
        session.handoff("dismissed.json").as_array().unwrap().iter().map(|entry| entry["id"].clone()).collect()
    };
    let refused = |result: Result<(), baton::workflow::StartError>| result.unwrap_err().to_string();
    let unknown = refused(dismiss_issues(&store, &one("x"), None));
    assert_eq!(unknown, format!("\"x\" is no issue of the review; open are {a} (src/t1.rs:2), {b} (src/t2.rs:2)"));
    assert_eq!(refused(restore_issues(&store, &one(&b))), format!("issue {b:?} is not dismissed; none is"));
    assert!(!session.exists(".agent_memory/dismissed.json"));

    let run = session.start(&api, ["--fix", &a]);
    api.wait_for_request(("review", 1, 0));
    // By now there is no review.json: the one whose issues are being fixed counts.
    for _ in 0..2 {
        dismiss_issues(&store, &one(&b), None).unwrap();
    }
    assert_eq!(dismissed(), [b.as_str()]);
    run.wait().expect(0);
    assert_eq!(stands(&session), next(&["A fixed", "B dismissed"], "none"));
    restore_issues(&store, &one(&b)).unwrap();
    assert_eq!((dismissed(), stands(&session)), (Vec::new(), next(&["A fixed", "B open"], "none")));

    // Two at once do not write over each other.
    std::thread::scope(|scope| {
        for id in [&a, &b] {
            scope.spawn(|| dismiss_issues(&store, &one(id), None).unwrap());
        }
    });
    assert_eq!(dismissed().len(), 2);

    // What others wrote wrong is not written over; a plan that is wrong does not matter.
    session.write(".agent_memory/plan.json", "{");
    restore_issues(&store, &one(&a)).unwrap();
    session.write(".agent_memory/dismissed.json", "{");
    let error = refused(restore_issues(&store, &one(&b)));
    assert!(error.contains(".agent_memory/dismissed.json:1:"), "{error}");
    assert_eq!(session.text(".agent_memory/dismissed.json"), "{");
}

#[test]
fn a_plan_that_changed_since_is_asked_about_before_a_chosen_issue_is_fixed() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(two_tasks([review("approved", "merge", &a_and_b()), approves()]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let mut changed = session.handoff("plan.json");
    changed["tasks"][0] = with(changed["tasks"][0].clone(), json!({ "title": "Another title" }));
    session.write(".agent_memory/plan.json", serde_json::to_string_pretty(&changed).unwrap());
    fix(&session, &api, &[&id(&session, "A")]).expect(3).prints("waits for your answer");
    assert_eq!(session.handoff("round.json")["n"], 2);
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(0);
    assert!(session.text("src/t1.rs").contains('2'));
}

#[test]
fn issues_are_dismissed_and_restored_by_command_all_of_them_or_none() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(two_tasks([review("approved", "merge", &a_and_b())]));
    session.baton(["dismiss", "a1"]).run().expect(2).reports("there is no review here, and so no issue");
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let (a, b) = (id(&session, "A"), id(&session, "B"));
    // Written by the last version.
    session.write(".agent_memory/dismissed.json", json!([b]).to_string());

    let unknown = session.baton(["dismiss", &a, "x"]).run().expect(2);
    unknown.reports(&format!("\"x\" is no issue of the review; open are {a} (src/t1.rs:2)\n"));
    assert_eq!(session.handoff("dismissed.json"), json!([b]), "none was");
    let done = session.baton(["dismiss", &format!("{a},{b}"), "--because", "As agreed."]).run().expect(0);
    done.prints(&format!("Dismissed 2 issues ({a}, {b}). `baton restore {a} {b}` takes this back."));
    let entries = session.handoff("dismissed.json");
    for (entry, id) in entries.as_array().unwrap().iter().zip([&b, &a]) {
        assert_eq!((&entry["id"], &entry["because"]), (&json!(id), &json!("As agreed.")));
        assert!(entry["at"].as_str().is_some_and(|at| at.starts_with("20")), "{entry}");
    }
    // A reason stays until there is another.
    session.baton(["dismiss", &a]).run().expect(0);
    assert_eq!(session.handoff("dismissed.json"), entries);
    assert_eq!(stands(&session), next(&["A dismissed", "B dismissed"], "none"));

    let long = "x".repeat(2049);
    let refused = session.baton(["dismiss", &a, "--because", &long]).run().expect(2);
    refused.reports("the reason has 2049 bytes, and may have 2048");
    session.baton(["restore", &a, "x"]).run().expect(2).reports(&format!("dismissed are {b}, {a}"));
    assert_eq!(session.handoff("dismissed.json"), entries, "none was");
    session.baton(["restore", &a, &b]).run().expect(0).prints(&format!("Restored 2 issues ({a}, {b})."));
    assert_eq!(stands(&session), next(&["A new", "B new"], "none"));
}
