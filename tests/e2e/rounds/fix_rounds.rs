//! Rounds that fix the issues of a review: who runs, what each is sent, and the state of each issue.

use std::path::Path;
use std::sync::{Arc, Mutex};

use expect_test::expect;
use serde_json::{Value, json};

use super::{fixes_readme, id_of, issue, list, pairs, read, run_until, sorted, states, wants_fixes, with_readme};
use crate::support::check::{check, check_commands};
use crate::support::messages_api::{MessagesApi, Reply, Script, agents};
use crate::support::replies::{
    approves, blocked, but, completed, edits, fixes, own, plan, reads, review, with, workspace, writes,
};
use crate::support::session::Session;

#[test]
fn the_owners_of_files_with_issues_run_again_each_with_its_own_issues() {
    let session = Session::new(&workspace(3));
    let root = session.root().to_owned();
    let seen = Arc::new(Mutex::new(Value::Null));
    let saw = seen.clone();
    let script = Script::new()
        .by(move |request| {
            if request.agent == "implement/T1" && request.conversation == 1 && request.turn == 0 {
                *saw.lock().unwrap() = json!({
                    "round": read(&root, "round.json"), "report": read(&root, "impl_report.json"),
                    "review": root.join(".agent_memory/review.json").exists(),
                });
            }
            None
        })
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
        .rounds("implement/T2", [fixes("T2", 0, 1), fixes("T2", 1, 2)])
        .rounds(
            "review",
            [
                wants_fixes(&[issue("src/t1.rs", "1", "One is wrong."), issue("src/t2.rs", "    1", "Two is wrong.")]),
                vec![approves()],
            ],
        );
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2"), own("T3")]]));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    done.reports("The review wants 2 issues fixed: T1, T2")
        .prints("Approved by reading; no check ran. Changes are in your working tree");

    let order = agents(&api.requests());
    let (first, second) = order.split_at(6);
    assert_eq!(sorted(first), ["context", "implement/T1", "implement/T2", "implement/T3", "plan", "review"]);
    assert_eq!(sorted(second), ["implement/T1", "implement/T2", "review"]);
    let (one, two) = (api.first_message("implement/T1", 1), api.first_message("implement/T2", 1));
    assert!(one.contains("One is wrong.") && !one.contains("Two is wrong."), "{one}");
    assert!(two.contains("Two is wrong.") && !two.contains("One is wrong."), "{two}");
    assert!(!api.first_message("implement/T1", 0).contains("review_issues"));

    let old = read(session.root(), "history/0001-fix/review.json");
    let ids = [id_of(&old, "One is wrong."), id_of(&old, "Two is wrong.")];
    let round = json!({ "n": 2, "kind": "fix", "tasks": ["T1", "T2"], "issues": ids });
    let seen = seen.lock().unwrap().clone();
    assert_eq!((&seen["round"], &seen["review"]), (&round, &json!(false)));
    assert_eq!((&seen["report"]["round"], list(&seen["report"]["results"], "task_id")), (&json!(2), vec!["T3"]));

    let before = read(session.root(), "history/0001-fix/impl_report.json");
    let after = session.handoff("impl_report.json");
    assert_eq!((&before["round"], &old["round"]), (&json!(1), &json!(1)));
    assert_eq!((&after["round"], &session.handoff("review.json")["round"]), (&json!(2), &json!(2)));
    assert_eq!(list(&after["results"], "task_id"), ["T1", "T2", "T3"]);
    assert_eq!(after["results"][2], before["results"][2]);
    // From 0 to 1 and from 1 to 2 is, since the workflow began, from 0 to 2.
    let change = &after["results"][0]["changes"][0];
    assert_eq!((&change["lines_added"], &change["lines_removed"]), (&json!(1), &json!(1)));
    assert!(session.of_last_run("changes.diff").contains("-    0\n+    2\n"));
    assert_eq!(session.history(), ["0001-fix"]);
    assert_eq!(session.runs().len(), 1);
}

/// The second reviewer: A is fixed, B is open, of C not a word, and D is new.
fn answers(root: &Path) -> Reply {
    let old = read(root, "history/0001-fix/review.json");
    let answer = |description: &str, state: &str| json!({ "id": id_of(&old, description), "state": state });
    Reply::tool(
        "submit_review",
        json!({
            "verdict": "changes_requested", "summary": "Half of it.", "recommended_action": "fix_and_re_review",
            "issues": [issue("src/t1.rs", "2", "D")], "answers": [answer("A", "fixed"), answer("B", "open")],
            "plan_drift_detected": false, "drift_details": "",
        }),
    )
}

#[test]
fn a_re_review_tells_fixed_open_and_new_apart() {
    let session = Session::new(&workspace(3));
    let root = session.root().to_owned();
    let first = [issue("src/t1.rs", "1", "A"), issue("src/t2.rs", "    1", "B"), issue("src/t3.rs", "1", "C")];
    let script = Script::new()
        .by(move |request| (request.agent == "review" && request.conversation == 1).then(|| answers(&root)))
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2), fixes("T1", 2, 3)])
        .rounds("implement/T2", [fixes("T2", 0, 1), fixes("T2", 1, 2), fixes("T2", 2, 3)])
        .rounds("implement/T3", [fixes("T3", 0, 1), fixes("T3", 1, 2)])
        .rounds("review", [wants_fixes(&first), vec![], vec![approves()]]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2"), own("T3")]]));
    let done = run_until(&session, &api, 2, &["--task", "Do it", "--auto-approve"]).expect(3);
    done.prints("2 reviews without an approval (max_review_cycles is 2); the last one says: Half of it.");

    let old = read(session.root(), "history/0001-fix/review.json");
    let asked = api.first_message("review", 1);
    for description in ["A", "B", "C"] {
        assert!(asked.contains(&id_of(&old, description)), "{description} is to be answered by its id: {asked}");
    }
    assert!(!api.first_message("review", 0).contains("open_issues"));
    let now = session.handoff("review.json");
    assert_eq!(list(&now["issues"], "description"), ["B", "D"]);
    assert_eq!(id_of(&now, "B"), id_of(&old, "B"));
    assert!(now.get("answers").is_none(), "{now}");
    assert_eq!(states(&session), pairs(&[("A", "fixed"), ("B", "open"), ("C", "fixed"), ("D", "new")]));
    let status = session.baton(["status"]).run().expect(0);
    status
        .prints("fixed     src/t1.rs:2: major: A")
        .prints("open      src/t2.rs:2: major: B")
        .prints("new       src/t1.rs:2: major: D");

    // The same again, without a request, until the limit is raised.
    let count = api.requests().len();
    run_until(&session, &api, 2, &[]).expect(3).prints("max_review_cycles is 2");
    assert_eq!(api.requests().len(), count);
    run_until(&session, &api, 3, &[]).expect(0);
    assert_eq!(sorted(&agents(&api.requests()[count..])), ["implement/T1", "implement/T2", "review"]);
    let (one, two) = (api.first_message("implement/T1", 2), api.first_message("implement/T2", 2));
    assert!(one.contains("\"D\"") && !one.contains("\"A\"") && two.contains("\"B\""), "{one}\n{two}");
    assert_eq!(session.handoff("round.json")["n"], 3);
    assert_eq!(states(&session), pairs(&[("B", "fixed"), ("D", "fixed")]));
    assert_eq!(session.history(), ["0001-fix", "0002-fix"]);
}

#[test]
fn while_issues_are_being_fixed_they_are_open() {
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), vec![blocked("no idea")]])
        .on("review", wants_fixes(&[issue("src/t1.rs", "1", "A")]));
    check(
        &workspace(1),
        but(script, &[&[own("T1")]]),
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 1
              T1 blocked: no idea. Run again to retry; what is done stays done.
                baton run                  try again
                baton diff                 show changes
                baton rollback             undo
                baton plan --feedback "…"  plan again
                baton reset                start over
            asked: context, plan, implement/T1, review, implement/T1
            modified src/t1.rs
              -    0
              +    1
            T1 blocked
            open src/t1.rs: A
            history: 0001-fix
            next: implement
        "#]],
    );
}

#[test]
fn a_file_that_no_task_owns_goes_to_a_task_of_its_own_and_the_gate_opens_again() {
    let session = Session::new(&format!("{}//- /README.md\n# Sample\n//- /notes.txt\nnone\n", workspace(2)));
    let fix = |file: &str, old: &str, new: &str| vec![edits(file, old, new), completed(&[file])];
    let script = Script::new()
        .rounds("implement/FIX", [fix("README.md", "# Sample", "# A sample"), fix("notes.txt", "none", "some")])
        .rounds(
            "review",
            [
                wants_fixes(&[issue("README.md", "# Sample", "No article.")]),
                wants_fixes(&[issue("notes.txt", "none", "No notes.")]),
                vec![approves()],
            ],
        );
    let api = MessagesApi::start(but(script, &[&[own("T1")], &[own("T2")]]));
    session.run(&api, ["--task", "Do it"]).expect(3);
    let before = session.handoff("plan.json");
    session.baton(["approve"]).run().expect(0);
    let done = session.run(&api, []).expect(3);
    done.reports("The review wants 1 issue fixed: FIX").prints("The plan (version 1, 3 tasks) waits for your answer.");

    let plan = session.handoff("plan.json");
    assert_eq!(plan["tasks"].as_array().unwrap()[..2], before["tasks"].as_array().unwrap()[..]);
    let fix_task = &plan["tasks"][2];
    assert_eq!((&fix_task["id"], &fix_task["files_to_modify"]), (&json!("FIX"), &json!(["README.md"])));
    assert_eq!(plan["parallel_groups"], json!([["T1"], ["T2"], ["FIX"]]));
    assert_eq!(plan["plan_version"], before["plan_version"]);
    assert!(session.text(".agent_memory/plan.md").contains("### FIX"));
    assert_eq!(session.handoff("round.json")["tasks"], json!(["FIX"]));
    assert!(session.exists(".agent_memory/review.json"), "the round begins with the answer");
    assert_eq!(session.baton(["status", "--json"]).run().expect(0).json()["next"], "gate");

    let count = api.requests().len();
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(3);
    assert_eq!(agents(&api.requests()[count..]), ["implement/FIX", "review"]);
    assert!(api.first_message("implement/FIX", 0).contains("No article."));
    let report = session.handoff("impl_report.json");
    assert_eq!(list(&report["results"], "task_id"), ["T1", "T2", "FIX"]);

    // A second file that no task owns goes to the same task.
    let plan = session.handoff("plan.json");
    assert_eq!(plan["tasks"][2]["files_to_modify"], json!(["README.md", "notes.txt"]));
    assert_eq!(plan["parallel_groups"], json!([["T1"], ["T2"], ["FIX"]]));
    let count = api.requests().len();
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(0);
    assert_eq!(agents(&api.requests()[count..]), ["implement/FIX", "review"]);
    let second = api.first_message("implement/FIX", 1);
    assert!(second.contains("No notes.") && !second.contains("No article."), "{second}");
    let report = session.handoff("impl_report.json");
    let changes = &report["results"][2]["changes"];
    assert_eq!(list(changes, "path"), ["README.md", "notes.txt"], "in the order of their bytes");
    assert_eq!((session.text("README.md").as_str(), session.text("notes.txt").as_str()), ("# A sample\n", "some\n"));
    assert_eq!(session.handoff("review.json")["plan_drift_detected"], false);
}

#[test]
fn automatic_approval_answers_the_gate_of_a_fix_round_too() {
    let issues = [issue("README.md", "# Sample", "No article."), issue("src/t1.rs", "1", "Too small.")];
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
        .on("implement/FIX", fixes_readme())
        .rounds("review", [wants_fixes(&issues), vec![approves()]]);
    let (session, api) = check(
        &with_readme(1),
        but(script, &[&[own("T1")]]),
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 0
              The verdict is approved.
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed.
                baton diff      show changes
                baton rollback  undo
                baton run "…"   start
            asked: context, plan, implement/T1, review, implement/FIX, implement/T1, review
            modified README.md
              -# Sample
              +# A sample
            modified src/t1.rs
              -    0
              +    2
            T1 completed
            FIX completed
            fixed README.md: No article.
            fixed src/t1.rs: Too small.
            history: 0001-fix
            next: none
        "#]],
    );
    assert!(!api.first_message("implement/FIX", 0).contains("Too small."));
    assert_eq!(session.handoff("approval.json")["by"], "auto");
}

#[test]
fn a_fix_round_widens_no_approval_but_by_its_own_task() {
    let script = || {
        let script = Script::new()
            .on("implement/FIX", fixes_readme())
            .rounds("review", [wants_fixes(&[issue("README.md", "# Sample", "No article.")]), vec![approves()]]);
        but(script, &[&[own("T1"), own("T2")]])
    };
    let commands = ["run --task 'Do it' --only T1 --auto-approve"];
    check_commands(
        &with_readme(2),
        script(),
        &commands,
        expect![[r#"
            $ run --task 'Do it' --only T1 --auto-approve
            exit 0
              The verdict is approved.
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed. Not approved and so not done: T2.
                baton diff      show changes
                baton rollback  undo
                baton run "…"   start
            asked: context, plan, implement/T1, review, implement/FIX, review
            modified README.md
              -# Sample
              +# A sample
            modified src/t1.rs
              -    0
              +    1
            T1 completed
            T2 not_approved
            FIX completed
            fixed README.md: No article.
            history: 0001-fix
            next: none
        "#]],
    );
    let commands = ["run --task 'Do it'", "approve --only T1", "run --auto-approve"];
    check_commands(
        &with_readme(2),
        script(),
        &commands,
        expect![[r#"
            $ run --task 'Do it'
            exit 3
              The plan (version 1, 2 tasks) waits for your answer.
                baton approve              approve
                baton plan --feedback "…"  ask for changes
                baton reject               reject
            asked: context, plan
            $ approve --only T1
            exit 0
              Approved plan version 1 (T1). `baton run` goes on with it.
            $ run --auto-approve
            exit 0
              The verdict is approved.
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed. Not approved and so not done: T2.
                baton diff      show changes
                baton rollback  undo
                baton run "…"   start
            asked: implement/T1, review, implement/FIX, review
            modified README.md
              -# Sample
              +# A sample
            modified src/t1.rs
              -    0
              +    1
            T1 completed
            T2 not_approved
            FIX completed
            fixed README.md: No article.
            history: 0001-fix
            next: none
        "#]],
    );
}

#[test]
fn a_plan_may_have_a_task_called_fix() {
    let first = with(own("T1"), json!({ "id": "fix" }));
    let second = with(own("T2"), json!({ "depends_on": ["fix"] }));
    let script = Script::new()
        .rounds("implement/fix", [fixes("T1", 0, 1), fixes_readme()])
        .rounds("review", [wants_fixes(&[issue("README.md", "# Sample", "No article.")]), vec![approves()]])
        .on("implement/T2", fixes("T2", 0, 1))
        .on("plan", [plan(&[&[first], &[second]])]);
    let (session, _) = check(
        &with_readme(2),
        but(script, &[]),
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 0
              The verdict is approved.
              Approved by reading; no check ran. Changes are in your working tree; nothing was committed.
                baton diff      show changes
                baton rollback  undo
                baton run "…"   start
            asked: context, plan, implement/T2, implement/fix, review, implement/fix, review
            modified README.md
              -# Sample
              +# A sample
            modified src/t1.rs
              -    0
              +    1
            modified src/t2.rs
              -    0
              +    1
            fix completed
            T2 completed
            fixed README.md: No article.
            history: 0001-fix
            next: none
        "#]],
    );
    assert_eq!(session.handoff("plan.json")["parallel_groups"], json!([["fix"], ["T2"]]));
}

#[test]
fn a_round_that_was_only_written_down_is_entered() {
    for (issue_file, quote, fixer) in [("src/t1.rs", "1", "T1"), ("README.md", "# Sample", "FIX")] {
        let session = Session::new(&with_readme(2));
        let script = Script::new()
            .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
            .on("implement/FIX", fixes_readme())
            .rounds("review", [wants_fixes(&[issue(issue_file, quote, "Wrong.")]), vec![approves()]]);
        let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
        run_until(&session, &api, 1, &["--task", "Do it", "--auto-approve"]).expect(3);
        // As a run leaves it that is killed after it wrote the round.
        let id = id_of(&session.handoff("review.json"), "Wrong.");
        let round = json!({ "n": 2, "kind": "fix", "tasks": [fixer], "issues": [id] });
        session.write(".agent_memory/round.json", round.to_string());
        let count = api.requests().len();
        session.run(&api, ["--auto-approve"]).expect(0);
        assert_eq!(agents(&api.requests()[count..]), [format!("implement/{fixer}"), "review".to_owned()]);
        assert_eq!(session.handoff("round.json"), round);
        assert!(api.first_message(&format!("implement/{fixer}"), usize::from(fixer == "T1")).contains("Wrong."));
    }
}

#[test]
fn a_fix_without_an_open_issue_needs_a_person() {
    let script = but(Script::new().on("review", wants_fixes(&[])), &[&[own("T1")]]);
    check_commands(
        &workspace(1),
        script,
        &["run --task 'Do it' --auto-approve", "run"],
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 3
              The verdict is changes_requested.
              A person is needed: the review asks for a fix and names no open issue
                baton accept               accept as is
                baton plan --feedback "…"  plan again
                baton diff                 show changes
                baton rollback             undo
                baton reset                start over
            asked: context, plan, implement/T1, review
            $ run
            exit 3
              The verdict is changes_requested.
              A person is needed: the review asks for a fix and names no open issue
                baton accept               accept as is
                baton plan --feedback "…"  plan again
                baton diff                 show changes
                baton rollback             undo
                baton reset                start over
            modified src/t1.rs
              -    0
              +    1
            T1 completed
            next: none
        "#]],
    );
}

#[test]
fn a_dismissed_issue_is_neither_fixed_nor_shown_nor_raised_again() {
    let session = Session::new(&workspace(2));
    let (first, second) = (issue("src/t1.rs", "1", "A matter of taste."), issue("src/t2.rs", "1", "Wrong."));
    let script = Script::new().rounds("implement/T2", [fixes("T2", 0, 1), fixes("T2", 1, 2)]).rounds(
        "review",
        [
            wants_fixes(&[first.clone(), second]),
            // It repeats the dismissed issue against its instructions, and finds nothing else.
            wants_fixes(std::slice::from_ref(&first)),
        ],
    );
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
    run_until(&session, &api, 1, &["--task", "Do it", "--auto-approve"]).expect(3).prints("A matter of taste.");
    let id = id_of(&session.handoff("review.json"), "A matter of taste.");
    session.write(".agent_memory/dismissed.json", json!([id]).to_string());
    assert_eq!(states(&session), pairs(&[("A matter of taste.", "dismissed"), ("Wrong.", "new")]));

    let count = api.requests().len();
    let done = session.run(&api, ["--json"]).expect(3);
    assert_eq!(agents(&api.requests()[count..]), ["implement/T2", "review"], "T1 has nothing to fix");
    assert_eq!(session.handoff("round.json")["tasks"], json!(["T2"]));
    let asked = api.first_message("review", 1);
    let (dismissed, open) = (asked.find("<dismissed_issues ").unwrap(), asked.find("<open_issues>").unwrap());
    assert!(asked[dismissed..open].contains(&id) && !asked[open..].contains(&id), "{asked}");
    assert_eq!(id_of(&session.handoff("review.json"), "A matter of taste."), id);
    assert_eq!(states(&session), pairs(&[("A matter of taste.", "dismissed"), ("Wrong.", "fixed")]));
    assert_eq!(done.outcome()["review"]["issues"], json!([]));
    let again = session.run(&api, []).expect(3).prints("names no open issue");
    assert!(!again.stdout.contains("A matter of taste."), "{}", again.stdout);
}

#[test]
fn an_issue_stands_where_its_quote_does_or_has_no_place() {
    let text = "fn a() {\n    same();\n}\n\nfn b() {\n    same();\n    other();\n}\n";
    let session = Session::new(&format!("//- /src/t1.rs\nold\n//- /src/t2.rs\n{text}"));
    let at = |line: u32, quote: Value, description: &str| {
        let issue = json!({ "severity": "minor", "file": "src/t2.rs", "line": line, "description": description });
        if quote.is_null() { issue } else { with(issue, json!({ "quote": quote })) }
    };
    let issues = [
        at(5, json!("same();"), "nearest"),
        at(1, json!("   other();   "), "moved"),
        at(2, json!("}\n\nfn b() {"), "several lines"),
        at(90, Value::Null, "clamped"),
        at(2, json!("never written"), "no such quote"),
        issue("src/none.rs", "x", "no such file"),
        with(at(3, json!("fn b() {"), "a range"), json!({ "end_line": u32::MAX })),
    ];
    let script = Script::new()
        .on("implement/T1", [reads("src/t1.rs"), writes("src/t1.rs", "new\n"), completed(&[])])
        .on("review", (0..3).map(|_| review("approved", "merge", &issues)));
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let found = session.handoff("review.json");
    let lines: Vec<(&str, u64)> = (found["issues"].as_array().unwrap().iter())
        .map(|issue| (issue["description"].as_str().unwrap(), issue["line"].as_u64().unwrap()))
        .collect();
    let placed = [("nearest", 6), ("moved", 7), ("several lines", 3), ("clamped", 8)];
    assert_eq!(lines, [&placed[..], &[("no such quote", 2), ("no such file", 1), ("a range", 5)]].concat());
    let unplaced = |at: usize| found["issues"][at]["placed"] == false;
    assert_eq!((0..7).filter(|at| unplaced(*at)).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(found["issues"][6]["end_line"], 8);
    assert_eq!(found["summary"], "The verdict is approved.");
    done.prints("src/t2.rs:7: minor: moved").prints("no such quote (no place in the code was found)");
}
