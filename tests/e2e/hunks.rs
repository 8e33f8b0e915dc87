//! Hunks: what a workflow changed, listed, kept and undone one by one.
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{
    approves, but, completed, context, does, edits, fixes, modifies, own, plan, review, task, with, workspace, writes,
};
use crate::support::session::Session;
use crate::support::terminal::Terminal;

fn finished() -> (Session, MessagesApi) {
    let session = Session::in_git(&workspace(2));
    let api = MessagesApi::start(but(Script::new(), &[&[own("T1"), own("T2")]]));
    session.run(&api, ["--auto-approve", "--task", "Do it"]).expect(0);
    (session, api)
}

/// Each hunk as `path task kept`, and the ids.
fn hunks(session: &Session) -> (Vec<String>, Vec<String>) {
    let listed: Value = serde_json::from_str(&session.baton(["diff", "--json"]).run().expect(0).stdout).unwrap();
    let (mut lines, mut ids) = (Vec::new(), Vec::new());
    for file in listed["files"].as_array().unwrap() {
        for hunk in file["hunks"].as_array().unwrap() {
            let path = file["path"].as_str().unwrap();
            lines.push(format!("{path} {} {}", hunk["task"], hunk["kept"]));
            ids.push(hunk["id"].as_str().unwrap().to_owned());
        }
    }
    (lines, ids)
}

#[test]
fn one_hunk_is_undone_and_comes_back_and_edits_since_stay() {
    let (session, _api) = finished();
    let mine = session.text("src/t1.rs") + "\n\n// mine\n";
    session.write("src/t1.rs", &mine);
    let (lines, ids) = hunks(&session);
    assert_eq!(
        lines,
        ["src/t1.rs \"T1\" false", "src/t1.rs null false", "src/t2.rs \"T2\" false"],
        "a user's own change has no task"
    );
    let done = session.baton(["rollback", "--hunk", &ids[0]]).run().expect(0);
    let done = done.prints("undone      src/t1.rs: 1 hunk (the rest stays)");
    assert!(done.stdout.contains("baton rollback --undo"), "{}", done.stdout);
    assert_eq!(session.text("src/t1.rs"), "pub fn t1() -> u32 {\n    0\n}\n\n\n// mine\n");
    assert_eq!(hunks(&session).1, ids[1..]);
    session.baton(["rollback", "--hunk", &ids[0]]).run().expect(2).reports(&format!("{} (src/t1.rs:4)", ids[1]));
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!(session.text("src/t1.rs"), mine);
    assert_eq!(hunks(&session), (lines, ids));
}

#[test]
fn a_dry_run_writes_nothing_and_what_does_not_go_together_is_refused() {
    let (session, _api) = finished();
    let (before, ids) = (session.tree(), hunks(&session).1);
    session.baton(["rollback", "--hunk", &ids[0], "--dry-run"]).run().expect(0).prints("Nothing was written");
    assert_eq!(session.tree(), before);
    session.baton(["rollback", "--hunk", &ids[0], "--task", "T1"]).run().expect(2);
    session.baton(["rollback", "--hunk", &ids[0], "--undo"]).run().expect(2);
    session.baton(["rollback", "--hunk", &ids[0], "--file", "src/t2.rs"]).run().expect(2).reports(&ids[1]);
    session.baton(["keep", "src/t1.rs", "--hunk", &ids[1]]).run().expect(2).reports(&ids[0]);
    session.baton(["keep", "README.md"]).run().expect(2).reports("src/t1.rs, src/t2.rs");
    assert_eq!(session.tree(), before);
}

#[test]
fn what_is_kept_is_passed_over_by_a_rollback_that_does_not_name_it() {
    let (session, _api) = finished();
    let changed = session.text("src/t1.rs");
    let (_, ids) = hunks(&session);
    session.baton(["keep", "src/t1.rs"]).run().expect(0).prints("1 hunk of src/t1.rs");
    for scope in [&["rollback"][..], &["rollback", "--task", "T1"], &["rollback", "--file", "src/t1.rs"]] {
        let done = session.baton(scope.iter().copied()).run().expect(0);
        done.prints("What you keep stays as it is: 1 change in src/t1.rs.");
        assert_eq!(session.text("src/t1.rs"), changed, "{scope:?}");
    }
    assert_eq!(hunks(&session).0, ["src/t1.rs \"T1\" true"], "the other file is as it was");
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!(hunks(&session).0, ["src/t1.rs \"T1\" true", "src/t2.rs \"T2\" false"]);
    session.baton(["rollback", "--hunk", &ids[0]]).run().expect(0);
    assert_ne!(session.text("src/t1.rs"), changed, "naming it undoes it");
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!(hunks(&session).0[0], "src/t1.rs \"T1\" true", "and it is kept on when it is back");
}

#[test]
fn an_earlier_workflow_is_undone_without_what_is_kept_of_it() {
    let (session, _api) = finished();
    let ids = hunks(&session).1;
    session.baton(["keep", "src/t1.rs"]).run().expect(0);
    session.baton(["reset"]).run().expect(0);
    assert_eq!(hunks(&session).1, Vec::<String>::new(), "there are no hunks of a workflow that was set aside");
    session.baton(["keep", "src/t1.rs"]).run().expect(2);
    let listed = session.baton(["history", "--json"]).run().expect(0).json();
    let id = listed["workflows"][0]["workflow"].as_str().unwrap().to_owned();
    session.baton(["rollback", "--workflow", &id, "--hunk", &ids[0]]).run().expect(2);
    let done = session.baton(["rollback", "--workflow", &id]).run().expect(0);
    done.prints("What you keep stays as it is: 1 change in src/t1.rs.");
    assert!(session.text("src/t1.rs").contains('1') && session.text("src/t2.rs").contains("    0\n"));
}

#[test]
fn a_forged_line_keeps_nothing() {
    let (session, _api) = finished();
    let ids = hunks(&session).1;
    session.baton(["keep", "src/t1.rs"]).run().expect(0);
    let kept = session.memory(&format!("runs/{}/kept.jsonl", session.runs().pop().unwrap()));
    let forged = session.text(&kept).replace("src/t1.rs", "src/t2.rs").replace(&ids[0], &ids[1]);
    session.write(&kept, session.text(&kept) + &forged);
    assert_eq!(hunks(&session).0, ["src/t1.rs \"T1\" true", "src/t2.rs \"T2\" false"]);
    session.write(&kept, "nothing of ours\n");
    assert_eq!(hunks(&session).0, ["src/t1.rs \"T1\" false", "src/t2.rs \"T2\" false"]);
}

const LONG: &str = "//- /src/t1.rs\none\n2\n3\n4\nfive\n6\n7\n8\nnine\n//- /src/u/old.rs\nold\n";

/// Two tasks in one file, in three places of it, one file created and one deleted.
fn three_places() -> (Session, MessagesApi) {
    let session = Session::in_git(LONG);
    let later = with(modifies("T2", "src/t1.rs"), json!({ "depends_on": ["T1"] }));
    let tasks = with(
        modifies("T1", "src/t1.rs"),
        json!({ "files_to_create": ["src/u/new.rs"], "files_to_delete": ["src/u/old.rs"] }),
    );
    let first = [
        edits("src/t1.rs", "one\n", "ONE\n"),
        edits("src/t1.rs", "nine\n", "NINE\nTEN\n"),
        writes("src/u/new.rs", "new\n"),
        Reply::tool("delete_file", json!({ "path": "src/u/old.rs" })),
        completed(&["src/t1.rs", "src/u/new.rs", "src/u/old.rs"]),
    ];
    let second = [edits("src/t1.rs", "4\nfive\n", "4\n"), completed(&["src/t1.rs"])];
    let script = Script::new().on("implement/T1", first).on("implement/T2", second);
    let api = MessagesApi::start(but(script, &[&[tasks], &[later]]));
    session.run(&api, ["--auto-approve", "--task", "Do it"]).expect(0);
    (session, api)
}

#[test]
fn each_hunk_has_its_task_and_lines_and_all_of_them_undone_give_what_was_there() {
    let (session, _api) = three_places();
    let listed = session.baton(["diff", "--json"]).run().expect(0).json();
    let shown: Vec<Value> = listed["files"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|file| {
            let of = |hunk: &Value| json!([file["path"], hunk["task"], hunk["first"], hunk["last"], hunk["kept"]]);
            file["hunks"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
        })
        .collect();
    let expected = [
        json!(["src/t1.rs", "T1", 1, 1, false]),
        // A deletion stands on the line behind it.
        json!(["src/t1.rs", "T2", 5, 5, false]),
        json!(["src/t1.rs", "T1", 8, 9, false]),
        json!(["src/u/new.rs", "T1", 1, 1, false]),
        json!(["src/u/old.rs", "T1", 1, 1, false]),
    ];
    assert_eq!(shown, expected);
    let own = session.baton(["diff", "--json", "--task", "T2"]).run().expect(0).json();
    assert_eq!(own["files"][0]["hunks"].as_array().unwrap().len(), 1, "{own}");
    let after = session.tree();
    let ids = hunks(&session).1;
    for (done, id) in [&ids[2], &ids[4], &ids[1], &ids[3], &ids[0]].into_iter().enumerate() {
        session.baton(["rollback", "--hunk", id]).run().expect(0);
        assert_eq!(hunks(&session).1.len(), ids.len() - done - 1);
    }
    assert_eq!(session.text("src/t1.rs"), "one\n2\n3\n4\nfive\n6\n7\n8\nnine\n");
    assert!(!session.exists("src/u/new.rs") && session.text("src/u/old.rs") == "old\n");
    assert_eq!(session.baton(["diff"]).run().expect(0).stdout, "");
    for _ in &ids {
        session.baton(["rollback", "--undo"]).run().expect(0);
    }
    assert_eq!((session.tree(), hunks(&session).1), (after, ids), "and all of them can be brought back");
}

#[test]
fn several_hunks_go_together_and_a_rollback_takes_the_rest() {
    let (session, _api) = three_places();
    let ids = hunks(&session).1;
    session.baton(["rollback", "--hunk", &ids[0], "--hunk", &ids[2], "--hunk", &ids[3]]).run().expect(0);
    assert_eq!(session.text("src/t1.rs"), "one\n2\n3\n4\n6\n7\n8\nnine\n");
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!(status["outcome"], "merged", "what was judged stands, as when one file is undone");
    session.baton(["keep", "src/t1.rs", "--hunk", &ids[1]]).run().expect(0);
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(session.text("src/t1.rs"), "one\n2\n3\n4\n6\n7\n8\nnine\n", "what is kept is all that is left");
    assert!(!session.exists("src/u/new.rs") && session.exists("src/u/old.rs"));
}

#[test]
fn hunks_that_are_undone_before_the_review_leave_the_answer_to_the_plan() {
    let session = Session::in_git(&workspace(2));
    let script = Script::new()
        .on("context", [context(&["src/t1.rs"])])
        .on("plan", [plan(&[&[own("T1"), own("T2")]])])
        .on("implement/T1", does("T1"))
        .on("implement/T2", does("T2"));
    let api = MessagesApi::start(script);
    session.run(&api, ["--task", "Do it"]).expect(3);
    session.baton(["approve"]).run().expect(0);
    session.run(&api, ["--phase", "implement"]).expect(0);
    let ids = hunks(&session).1;
    session.baton(["rollback", "--hunk", &ids[0], "--hunk", &ids[1]]).run().expect(0);
    assert_eq!(session.text("src/t1.rs"), "pub fn t1() -> u32 {\n    0\n}\n");
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert!(session.exists(&session.memory("approval.json")), "{status}");
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!(session.baton(["status", "--json"]).run().expect(0).json()["next"], "review");
    assert_eq!(hunks(&session).1, ids);
}

#[test]
fn of_equal_hunks_the_one_that_is_kept_stays_kept_when_another_goes() {
    let session = Session::in_git("//- /src/t1.rs\na\n1\n2\n3\na\n");
    let script = Script::new().on("implement/T1", [writes("src/t1.rs", "b\n1\n2\n3\nb\n"), completed(&["src/t1.rs"])]);
    let api = MessagesApi::start(but(script, &[&[modifies("T1", "src/t1.rs")]]));
    session.run(&api, ["--auto-approve", "--task", "Do it"]).expect(0);
    let ids = hunks(&session).1;
    session.baton(["keep", "src/t1.rs", "--hunk", &ids[1]]).run().expect(0);
    session.baton(["rollback", "--hunk", &ids[0]]).run().expect(0);
    assert_eq!(session.text("src/t1.rs"), "a\n1\n2\n3\nb\n");
    assert_eq!(hunks(&session).0, ["src/t1.rs \"T1\" true"]);
}

#[test]
fn an_unknown_hunk_is_answered_with_ten_and_how_many_more() {
    let text = |word: &str| (0..12).map(|n| format!("{word}{n}\n-\n-\n")).collect::<String>();
    let session = Session::in_git(&format!("//- /src/t1.rs\n{}", text("old")));
    let script = Script::new().on("implement/T1", [writes("src/t1.rs", &text("new")), completed(&["src/t1.rs"])]);
    let api = MessagesApi::start(but(script, &[&[modifies("T1", "src/t1.rs")]]));
    session.run(&api, ["--auto-approve", "--task", "Do it"]).expect(0);
    let ids = hunks(&session).1;
    assert_eq!(ids.len(), 12);
    let done = session.baton(["rollback", "--hunk", "0123456789ab"]).run().expect(2).reports("and 2 more");
    let named = ids.iter().filter(|id| done.stderr.contains(id.as_str())).count();
    assert_eq!(named, 10, "{}", done.stderr);
}

#[test]
fn binary_and_large_files_have_no_hunks_and_line_ends_come_back_as_they_were() {
    let session = Session::in_git("//- /src/t1.rs\na\n");
    session.write("src/t1.rs", "a\r\nb\r\nc");
    session.git(&["commit", "-qam", "ends"]);
    let script = Script::new().on(
        "implement/T1",
        [
            writes("src/t1.rs", "A\r\nb\r\nC"),
            writes("src/big.txt", &"0123456789abcde\n".repeat(70_000)),
            completed(&["src/t1.rs"]),
        ],
    );
    let made = with(task("T1"), json!({ "files_to_modify": ["src/t1.rs"], "files_to_create": ["src/big.txt"] }));
    let api = MessagesApi::start(but(script, &[&[made]]));
    session.run(&api, ["--auto-approve", "--task", "Do it"]).expect(0);
    let listed = session.baton(["diff", "--json"]).run().expect(0).json();
    assert_eq!(listed["files"][0]["path"], "src/big.txt");
    assert_eq!(listed["files"][0]["hunks"], json!([]));
    let ids = hunks(&session).1;
    assert_eq!(ids.len(), 2);
    session.baton(["rollback", "--hunk", &ids[1]]).run().expect(0);
    assert_eq!(session.text("src/t1.rs"), "A\r\nb\r\nc");
    session.baton(["rollback", "--hunk", &ids[0]]).run().expect(0);
    assert_eq!(session.text("src/t1.rs"), "a\r\nb\r\nc");
}

#[test]
fn the_next_round_is_told_what_the_user_undid() {
    let session = Session::in_git(LONG);
    let script = Script::new()
        .rounds(
            "implement/T1",
            [
                vec![
                    edits("src/t1.rs", "one\n", "ONE\n"),
                    edits("src/t1.rs", "nine\n", "NINE\n"),
                    completed(&["src/t1.rs"]),
                ],
                vec![edits("src/t1.rs", "NINE\n", "TEN\n"), completed(&["src/t1.rs"])],
            ],
        )
        .rounds("implement/T2", [fixes("T2", 0, 1)])
        .rounds(
            "review",
            [
                vec![review(
                    "changes_requested",
                    "fix_and_re_review",
                    &[json!({ "severity": "major", "file": "src/t1.rs", "line": 9, "quote": "NINE", "description": "more" })],
                )],
                vec![approves()],
            ],
        );
    session.write("src/t2.rs", "pub fn t2() -> u32 {\n    0\n}\n");
    let api = MessagesApi::start(but(script, &[&[modifies("T1", "src/t1.rs"), own("T2")]]));
    let run = session.baton(["run", "--auto-approve", "--task", "Do it"]).api(&api);
    run.env("BATON_MAX_REVIEW_CYCLES", "1").run().expect(3);
    let ids = hunks(&session).1;
    session.baton(["rollback", "--hunk", &ids[0]]).run().expect(0);
    session.baton(["run", "--auto-approve"]).api(&api).env("BATON_MAX_REVIEW_CYCLES", "2").run().expect(0);
    assert!(!api.first_message("implement/T1", 0).contains("undone_by_user"));
    for (agent, words) in
        [("implement/T1", "unless your task or an issue asks"), ("review", "unless a criterion needs")]
    {
        let told = api.first_message(agent, 1);
        assert!(told.contains("<undone_by_user") && told.contains("ONE") && told.contains(words), "{agent}: {told}");
        assert!(
            !told.split("</undone_by_user>").next().unwrap().rsplit("<undone_by_user").next().unwrap().contains("TEN")
        );
    }
    assert_eq!(session.text("src/t1.rs"), "one\n2\n3\n4\nfive\n6\n7\n8\nTEN\n");
}

#[cfg(unix)]
#[test]
fn a_terminal_shows_each_hunk_with_its_task() {
    let (session, _api) = finished();
    let ids = hunks(&session).1;
    session.baton(["keep", "src/t2.rs"]).run().expect(0);
    let mut terminal = Terminal::new();
    let shown = terminal.start(session.baton(["diff"]));
    terminal.wait_for(&format!("[{} T1]", ids[0]));
    terminal.wait_for(&format!("[{} T2 kept]", ids[1]));
    shown.wait();
}
