//! A rollback that had to leave files alone: it is said why, nothing is lost, and the next one does the rest.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Script};
use crate::support::replies::{blocked, but, completed, edits, task, with, workspace};
use crate::support::session::{Done, Session};

const FILES: [&str; 2] = ["src/t1.rs", "src/t2.rs"];

/// T1 changes both files, T2 a third one.
fn script(t2: Script) -> Script {
    let both = with(task("T1"), json!({ "files_to_modify": FILES }));
    let t1 = [edits(FILES[0], "    0\n", "    1\n"), edits(FILES[1], "    0\n", "    1\n"), completed(&FILES)];
    let last = with(task("T2"), json!({ "files_to_modify": ["src/t3.rs"], "depends_on": ["T1"] }));
    but(t2.on("implement/T1", t1), &[&[both], &[last]])
}

struct Worked {
    session: Session,
    api: MessagesApi,
    before: BTreeMap<String, Vec<u8>>,
    after: BTreeMap<String, Vec<u8>>,
    memory: BTreeMap<String, String>,
}

fn worked(t2: Script, exit: i32) -> Worked {
    let session = Session::in_git(&workspace(3));
    let before = session.tree();
    let api = MessagesApi::start(script(t2));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(exit);
    let (after, memory) = (session.tree(), handoffs(&session));
    Worked { session, api, before, after, memory }
}

fn t2_goes_well() -> Script {
    Script::new().on("implement/T2", [edits("src/t3.rs", "    0\n", "    1\n"), completed(&["src/t3.rs"])])
}

fn rollback<'a>(session: &Session, args: impl IntoIterator<Item = &'a str>) -> Done {
    session.baton(std::iter::once("rollback").chain(args)).run()
}

fn status(session: &Session) -> Value {
    session.baton(["status", "--json"]).run().expect(0).json()
}

fn diff(session: &Session) -> String {
    session.baton(["diff"]).run().expect(0).stdout
}

/// The current handoffs, without fields about the past.
fn handoffs(session: &Session) -> BTreeMap<String, String> {
    let mut files = session.memory_tree();
    files.retain(|path, _| path != "lock" && !path.starts_with("runs/") && !path.starts_with("history/"));
    files.into_iter().map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())).collect()
}

/// The paths that the report says a task changed.
fn reported(session: &Session, task: &str) -> Option<Vec<String>> {
    let report = session.handoff("impl_report.json");
    let result = report["results"].as_array().unwrap().iter().find(|result| result["task_id"] == task)?;
    let changes = result["changes"].as_array().unwrap();
    Some(changes.iter().map(|change| change["path"].as_str().unwrap().to_owned()).collect())
}

/// An edit of the user's in the lines that T1 wrote.
fn conflict(session: &Session) {
    session.write(FILES[1], session.text(FILES[1]).replace("    1\n", "    111\n"));
}

fn resolve(session: &Session) {
    session.write(FILES[1], session.text(FILES[1]).replace("    111\n", "    1\n"));
}

#[test]
fn a_workflow_that_is_half_undone_stands_until_the_rest_is_undone_too() {
    let Worked { session, api, before, after, memory } = worked(t2_goes_well(), 0);
    conflict(&session);
    let mine = session.text(FILES[1]);
    let half = rollback(&session, []).expect(3).prints("Undone: 2 files, 1 file left alone.");
    let half = half.prints("left alone  src/t2.rs: your edits since touch the same lines");
    let half = half.prints("`baton rollback` again handles it").prints("baton rollback --undo");
    assert!(!half.stdout.contains("waits for your answer"), "{}", half.stdout);
    assert_eq!(session.text(FILES[1]), mine);
    assert_eq!(status(&session)["outcome"], "merged", "what was judged stands until it is gone");
    assert_eq!(reported(&session, "T1").unwrap(), [FILES[1]], "the report tells of what is left");
    assert_eq!(reported(&session, "T2").unwrap(), [""; 0]);
    let left = diff(&session);
    assert!(left.contains(FILES[1]) && !left.contains(FILES[0]) && !left.contains("src/t3.rs"), "{left}");

    // Nothing is lost by trying again too early.
    rollback(&session, []).expect(3).prints("Undone: 0 files, 1 file left alone.").prints("again handles it");
    assert_eq!((session.text(FILES[1]), status(&session)["outcome"].clone()), (mine, json!("merged")));

    resolve(&session);
    rollback(&session, []).expect(0).prints("Undone: 1 file.").prints("The plan waits for your answer again");
    assert_eq!(session.tree(), before);
    for file in ["impl_report.json", "review.json", "approval.json", "round.json"] {
        assert!(!session.exists(&session.memory(file)), "{file} goes with the last of the files");
    }
    assert_eq!(diff(&session), "");
    rollback(&session, []).expect(2).reports("everything is undone already");

    // Each step is taken back by itself, the last one first.
    rollback(&session, ["--undo"]).expect(0).prints("Brought back: 1 file.");
    assert_eq!(reported(&session, "T1").unwrap(), [FILES[1]]);
    assert_eq!(status(&session)["outcome"], "merged");
    rollback(&session, ["--undo"]).expect(0).prints("Brought back: 2 files.");
    assert_eq!((session.tree(), handoffs(&session)), (after.clone(), memory));
    rollback(&session, ["--undo"]).expect(2).reports("nothing to bring back");

    // It can be done again afterwards.
    rollback(&session, []).expect(0);
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(session.tree(), after);
}

#[test]
fn the_half_that_was_undone_comes_back_beside_what_the_user_made_of_the_other() {
    let Worked { session, after, memory, .. } = worked(t2_goes_well(), 0);
    conflict(&session);
    rollback(&session, []).expect(3);
    rollback(&session, ["--undo"]).expect(0).prints("Brought back: 2 files.");
    resolve(&session);
    assert_eq!((session.tree(), handoffs(&session)), (after, memory));
}

#[test]
fn an_undo_that_leaves_a_file_alone_is_finished_by_the_next() {
    let Worked { session, after, before, .. } = worked(t2_goes_well(), 0);
    rollback(&session, []).expect(0);
    let mine = session.text(FILES[1]).replace("    0\n", "    7\n");
    session.write(FILES[1], &mine);
    let half = rollback(&session, ["--undo"]).expect(3).prints("Brought back: 2 files, 1 file left alone.");
    half.prints("`baton rollback --undo` again handles it");
    assert_eq!(session.text(FILES[1]), mine);
    session.write(FILES[1], &before[FILES[1]]);
    rollback(&session, ["--undo"]).expect(0).prints("Brought back: 1 file.");
    assert_eq!(session.tree(), after);
}

#[test]
fn a_task_that_is_half_undone_is_undone_by_the_next_rollback_of_it() {
    let Worked { session, before, .. } = worked(t2_goes_well(), 0);
    conflict(&session);
    let half = rollback(&session, ["--task", "T1"]).expect(3).prints("Undone: 1 file, 1 file left alone.");
    half.prints("again handles it");
    assert_eq!(reported(&session, "T1"), None, "it is to be done again");
    resolve(&session);
    rollback(&session, ["--task", "T1"]).expect(0).prints("Undone: 1 file.");
    assert_eq!(session.text(FILES[1]).into_bytes(), before[FILES[1]]);
    assert!(session.text("src/t3.rs").contains("    1\n"), "the other task's file stands");
    assert_eq!(status(&session)["next"], "gate");
}

#[test]
fn a_file_that_was_left_alone_can_be_undone_by_its_name() {
    let Worked { session, before, .. } = worked(t2_goes_well(), 0);
    conflict(&session);
    rollback(&session, []).expect(3);
    rollback(&session, ["--file", FILES[0]]).expect(2).reports("changed: src/t2.rs");
    resolve(&session);
    rollback(&session, ["--file", FILES[1]]).expect(0);
    assert_eq!(session.tree(), before);
}

#[test]
fn half_undone_work_that_nobody_judged_waits_at_its_gate_and_is_done_again() {
    let fails = Script::new().on("implement/T2", [blocked("not now")]);
    let Worked { session, before, .. } = worked(fails, 1);
    conflict(&session);
    rollback(&session, []).expect(3).prints("Undone: 1 file, 1 file left alone.").prints("waits for your answer");
    assert_eq!(status(&session)["next"], "gate");
    assert_eq!(reported(&session, "T1"), None, "a task that lost a file does not count as done");
    let left = diff(&session);
    assert!(left.contains(FILES[1]) && !left.contains(FILES[0]), "{left}");
    resolve(&session);
    rollback(&session, []).expect(0).prints("Undone: 1 file.");
    assert_eq!(session.tree(), before);
    assert!(!session.exists(&session.memory("impl_report.json")));
}

#[test]
fn a_dry_run_says_what_would_be_left_and_asks_for_nothing() {
    let Worked { session, .. } = worked(t2_goes_well(), 0);
    conflict(&session);
    let dry = rollback(&session, ["--dry-run"]).expect(3).prints("It would come to 2 files, 1 file left alone.");
    assert!(!dry.stdout.contains("again handles it"), "{}", dry.stdout);
}

#[test]
fn a_file_with_unsaved_changes_in_the_editor_keeps_the_rest_of_an_undo_possible() {
    let Worked { session, before, api, .. } = worked(t2_goes_well(), 0);
    let mut client = session.lsp_client(&api);
    let written = session.text(FILES[1]);
    client.open_document(FILES[1], &written);
    let typed = format!("// Mine.\n{written}");
    client.replace_document(FILES[1], &typed);
    let half = client.execute("baton.rollback", &[]).unwrap();
    let outcomes = |report: &Value| {
        let files = report["files"].as_array().unwrap().iter();
        files.map(|file| format!("{} {}", file["path"], file["outcome"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(&half), ["src/t1.rs restored", "src/t2.rs left_alone", "src/t3.rs restored"]);
    assert_eq!(half["files"][1]["message"].as_str().unwrap().split(';').next().unwrap(), UNSAVED, "{half:#}");
    let message = half["message"].as_str().unwrap();
    assert_eq!(message, "Rolled back: 2 files, 1 file left alone. Put right what keeps the rest, then undo again.");
    assert_eq!(session.text(FILES[1]), written);
    let stands = client.execute("baton.status", &[]).unwrap();
    assert_eq!(stands["outcome"], "merged");
    assert_eq!(client.execute("baton.diff", &[]).unwrap()["files"][0]["path"], FILES[1]);

    session.write(FILES[1], &typed);
    client.save_document(FILES[1]);
    let whole = client.execute("baton.rollback", &[]).unwrap();
    assert_eq!(outcomes(&whole), ["src/t2.rs merged"]);
    let original = String::from_utf8(before[FILES[1]].clone()).unwrap();
    assert_eq!(session.text(FILES[1]), format!("// Mine.\n{original}"), "what the user typed is kept");
    assert_eq!(client.execute("baton.status", &[]).unwrap()["next"], "gate");
    while !client.has_read_everything() {
        client.next_message("what was sent");
    }
    assert_eq!(client.quit(), Some(0));
}

const UNSAVED: &str = "it is open with unsaved changes";

#[test]
fn an_editor_without_a_plugin_is_told_its_own_commands() {
    let Worked { session, api, .. } = worked(t2_goes_well(), 0);
    conflict(&session);
    let mut client = session.lsp_client_with(&api, &Value::Null);
    client.execute("baton.rollback", &[json!({ "dryRun": false })]).unwrap();
    let message = client.wait_for_message().to_string();
    assert!(message.contains("src/t2.rs: left alone") && message.contains("the same command handles it"), "{message}");
    assert!(!message.contains("`baton "), "no command of a terminal: {message}");
    while !client.has_read_everything() {
        client.next_message("what was sent");
    }
    assert_eq!(client.quit(), Some(0));
}
