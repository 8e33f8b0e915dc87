//! Rollback: exactly the files that agents changed, with everything the user did since kept.
#![cfg(unix)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{
    approves, blocked, but, completed, context, edits, goes_well, modifies, own, plan, reads, task, with, workspace,
    writes,
};
use crate::support::session::{Done, Session};
use crate::support::wait::wait_until;

const REPOSITORY: &str = "
//- /README.md
# Sample
//- /src/lib.rs
pub fn one() -> u32 {
    0
}

// between

pub fn two() -> u32 {
    0
}

// after
//- /src/old.rs
pub fn old() {}
";

const LIB_AFTER: &str =
    "pub fn one() -> u32 {\n    1\n}\n\n// between\n\npub fn two() -> u32 {\n    2\n}\n\n// after\n";

/// Four tasks: two that change one file one after the other, one that creates, one that deletes.
fn four_tasks() -> Script {
    let tasks = [
        modifies("T1", "src/lib.rs"),
        with(modifies("T2", "src/lib.rs"), json!({ "depends_on": ["T1"] })),
        with(task("T3"), json!({ "files_to_create": ["src/new/deep/made.rs"] })),
        with(task("T4"), json!({ "files_to_delete": ["src/old.rs"] })),
    ];
    let [t1, t2, t3, t4] = tasks;
    Script::new()
        .on("context", [context(&["src/lib.rs"])])
        .on("plan", [plan(&[&[t1, t3, t4], &[t2]])])
        .on(
            "implement/T1",
            [edits("src/lib.rs", "one() -> u32 {\n    0", "one() -> u32 {\n    1"), completed(&["src/lib.rs"])],
        )
        .on(
            "implement/T2",
            [edits("src/lib.rs", "two() -> u32 {\n    0", "two() -> u32 {\n    2"), completed(&["src/lib.rs"])],
        )
        .on(
            "implement/T3",
            [writes("src/new/deep/made.rs", "pub fn made() {}\n"), completed(&["src/new/deep/made.rs"])],
        )
        .on("implement/T4", [deletes("src/old.rs"), completed(&["src/old.rs"])])
        .on("review", [approves()])
}

fn deletes(path: &str) -> Reply {
    Reply::tool("delete_file", json!({ "path": path }))
}

/// A session in which the four tasks have been done, and what there was before.
struct Done4 {
    session: Session,
    api: MessagesApi,
    before: BTreeMap<String, Vec<u8>>,
    after: BTreeMap<String, Vec<u8>>,
}

fn done() -> Done4 {
    let session = Session::in_git(REPOSITORY);
    session.set_mode("src/old.rs", 0o755);
    session.set_mode("src/lib.rs", 0o640);
    session.write("mine.txt", "untracked, and nobody's business\n");
    let before = session.tree();
    let api = MessagesApi::start(four_tasks());
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let after = session.tree();
    assert_eq!(session.text("src/lib.rs"), LIB_AFTER);
    assert!(!session.exists("src/old.rs") && session.exists("src/new/deep/made.rs"));
    Done4 { session, api, before, after }
}

fn rollback<'a>(session: &Session, args: impl IntoIterator<Item = &'a str>) -> Done {
    session.baton(std::iter::once("rollback").chain(args)).run()
}

fn status(session: &Session) -> Value {
    session.baton(["status", "--json"]).run().expect(0).json()
}

/// The current handoffs, without fields about the past.
fn handoffs(session: &Session) -> BTreeMap<String, String> {
    let mut files = session.memory_tree();
    files.retain(|path, _| path != "lock" && !path.starts_with("runs/") && !path.starts_with("history/"));
    files.into_iter().map(|(path, bytes)| (path, String::from_utf8(bytes).unwrap())).collect()
}

/// The line that was printed about a file.
fn reported<'a>(done: &'a Done, path: &str) -> &'a str {
    done.stdout.lines().find(|line| line.contains(path)).unwrap_or_else(|| panic!("{path} is not in {}", done.stdout))
}

#[test]
fn a_whole_rollback_gives_back_every_file_and_can_be_undone() {
    let Done4 { session, before, after, .. } = done();
    let memory = handoffs(&session);
    let done = rollback(&session, []).expect(0).prints("Undone: 3 files.").prints("--undo");
    assert!(reported(&done, "src/lib.rs").starts_with("restored"));
    assert!(reported(&done, "src/old.rs").starts_with("restored"));
    assert!(reported(&done, "src/new/deep/made.rs").starts_with("deleted"));
    assert_eq!(session.tree(), before);
    assert_eq!((session.mode("src/old.rs"), session.mode("src/lib.rs")), (0o755, 0o640));
    assert!(!session.exists("src/new"), "folders that were made for it go with it");
    assert_eq!(session.baton(["diff"]).run().expect(0).stdout, "");

    rollback(&session, ["--undo"]).expect(0).prints("Brought back: 3 files.");
    assert_eq!(session.tree(), after);
    assert_eq!(session.mode("src/lib.rs"), 0o640);
    assert_eq!(handoffs(&session), memory, "the workflow stands where it stood");
    assert_eq!(status(&session)["outcome"], "merged");
    rollback(&session, ["--undo"]).expect(2).reports("nothing to bring back");

    rollback(&session, []).expect(0);
    assert_eq!(session.tree(), before, "and so on");
    rollback(&session, ["--undo"]).expect(0);
    assert_eq!(session.tree(), after);
}

#[test]
fn after_a_rollback_the_plan_waits_and_can_be_done_again() {
    let Done4 { session, api, before, after } = done();
    rollback(&session, []).expect(0);
    let reported = status(&session);
    assert_eq!((reported["outcome"].as_str(), reported["next"].as_str()), (Some("rolled_back"), Some("gate")));
    for file in ["impl_report.json", "review.json", "approval.json", "round.json"] {
        assert!(!session.exists(&session.memory(file)), "{file} went to history");
    }
    let history = session.history().pop().unwrap();
    assert!(
        history.ends_with("-rollback") && session.exists(&session.memory(&format!("history/{history}/review.json")))
    );
    session.run(&api, ["--json"]).expect(3);
    assert_eq!(session.tree(), before, "nothing is written before an answer");
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(session.tree(), after);
    assert_eq!(session.handoff("impl_report.json")["round"], 2);
    rollback(&session, ["--undo"]).expect(2).reports("agents have written since");
    rollback(&session, []).expect(0);
    assert_eq!(session.tree(), before, "what was done the second time is undone too");
}

#[test]
fn edits_made_since_are_kept() {
    let Done4 { session, .. } = done();
    session.write("src/lib.rs", LIB_AFTER.replace("// after", "// my own words"));
    session.set_mode("src/lib.rs", 0o600);
    let merged = rollback(&session, []).expect(0);
    assert!(reported(&merged, "src/lib.rs").starts_with("merged"));
    let original = LIB_AFTER.replace("    1\n", "    0\n").replace("    2\n", "    0\n");
    assert_eq!(session.text("src/lib.rs"), original.replace("// after", "// my own words"));
    assert_eq!(session.mode("src/lib.rs"), 0o600, "the mode is an edit as well");
    rollback(&session, ["--undo"]).expect(0);
    assert_eq!(session.text("src/lib.rs"), LIB_AFTER.replace("// after", "// my own words"));
}

#[test]
fn what_cannot_be_distinguished_is_left_alone_and_named() {
    let Done4 { session, before, .. } = done();
    let mine = LIB_AFTER.replace("    1\n", "    111\n");
    session.write("src/lib.rs", &mine);
    session.write("src/new/deep/made.rs", "pub fn made_mine() {}\n");
    session.write("src/old.rs", "made anew\n");
    let done = rollback(&session, []).expect(3).prints("0 files, 3 files left alone");
    for (file, why) in
        [("src/lib.rs", "same lines"), ("made.rs", "since it was created"), ("src/old.rs", "made it again")]
    {
        assert!(
            reported(&done, file).starts_with("left alone") && reported(&done, file).contains(why),
            "{}",
            done.stdout
        );
    }
    let image = reported(&done, "src/lib.rs").split_whitespace().last().unwrap().to_owned();
    assert_eq!(session.text(&image).into_bytes(), before["src/lib.rs"]);
    assert_eq!(session.text("src/lib.rs"), mine);
    assert_eq!(status(&session)["outcome"], "merged", "nothing was rolled back, so nothing else is different");

    // One of them is put right by hand; then the rest of the world is as before.
    session.write("src/lib.rs", LIB_AFTER);
    fs::remove_file(session.path("src/old.rs")).unwrap();
    let done = rollback(&session, []).expect(3).prints("2 files, 1 file left alone");
    assert!(reported(&done, "made.rs").starts_with("left alone"));
    assert_eq!(session.text("src/lib.rs").into_bytes(), before["src/lib.rs"]);
    assert!(session.exists("src/old.rs"));
}

#[test]
fn one_task_of_two_on_a_file_is_undone_alone() {
    let Done4 { session, api, before, after } = done();
    let memory = handoffs(&session);
    let done = rollback(&session, ["--task", "T1"]).expect(0).prints("T2 builds on T1");
    assert!(reported(&done, "src/lib.rs").starts_with("merged"));
    assert_eq!(session.text("src/lib.rs"), LIB_AFTER.replace("    1\n", "    0\n"));
    assert!(session.exists("src/new/deep/made.rs"), "of the other tasks nothing is touched");
    let diff = session.baton(["diff"]).run().expect(0).stdout;
    assert!(diff.contains("+    2") && !diff.contains("    1\n"), "{diff}");
    let results: Vec<Value> = session.handoff("impl_report.json")["results"].as_array().unwrap().clone();
    assert_eq!(results.iter().map(|result| result["task_id"].clone()).collect::<Vec<_>>(), ["T3", "T4", "T2"]);
    assert_eq!(status(&session)["next"], "gate");
    rollback(&session, ["--task", "T1"]).expect(2).reports("nothing of T1");

    // The others, one after the other, down to the start; and all the way back.
    for id in ["T2", "T3", "T4"] {
        rollback(&session, ["--task", id]).expect(0);
    }
    assert_eq!(session.tree(), before);
    for _ in 0..4 {
        rollback(&session, ["--undo"]).expect(0);
    }
    assert_eq!(session.tree(), after);
    assert_eq!(handoffs(&session), memory);

    // Done again on its own, it takes its place again.
    rollback(&session, ["--task", "T1"]).expect(0);
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(session.tree(), after);
}

#[test]
fn the_later_of_two_tasks_on_a_file_is_undone_exactly() {
    let Done4 { session, .. } = done();
    let done = rollback(&session, ["--task", "T2"]).expect(0);
    assert!(reported(&done, "src/lib.rs").starts_with("restored"), "T1 left it so: {}", done.stdout);
    assert_eq!(session.text("src/lib.rs"), LIB_AFTER.replace("    2\n", "    0\n"));
}

#[test]
fn one_file_is_undone_and_the_workflow_stands() {
    let Done4 { session, before, .. } = done();
    let absolute = session.path("src/lib.rs");
    rollback(&session, ["--file", absolute.to_str().unwrap()]).expect(0).prints("Undone: 1 file.");
    assert_eq!(session.text("src/lib.rs").into_bytes(), before["src/lib.rs"]);
    assert!(session.exists("src/new/deep/made.rs"));
    assert_eq!(status(&session)["outcome"], "merged");
    let report = session.handoff("impl_report.json");
    assert_eq!(report["results"][0]["changes"], json!([]), "the report tells of the files as they are");
    rollback(&session, ["--file", "src/lib.rs"]).expect(2).reports("changed: src/new/deep/made.rs, src/old.rs");
    rollback(&session, ["--file", "mine.txt"]).expect(2).reports("not changed by any agent");
    rollback(&session, ["--undo"]).expect(0);
    assert_eq!(session.text("src/lib.rs"), LIB_AFTER);
    assert_eq!(session.handoff("impl_report.json")["results"][0]["changes"][0]["path"], "src/lib.rs");
    rollback(&session, ["--task", "T1", "--file", "src/lib.rs"]).expect(0);
    assert_eq!(session.text("src/lib.rs"), LIB_AFTER.replace("    1\n", "    0\n"));
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let Done4 { session, after, .. } = done();
    session.write("src/new/deep/made.rs", "mine\n");
    let (tree, mut memory) = (session.tree(), session.memory_tree());
    let done = rollback(&session, ["--dry-run"]).expect(3).prints("Nothing was written.");
    assert!(reported(&done, "src/lib.rs").starts_with("restored"));
    assert!(reported(&done, "made.rs").starts_with("left alone"));
    let mut now = session.memory_tree();
    for files in [&mut memory, &mut now] {
        files.remove("lock");
    }
    assert_eq!((session.tree(), now), (tree, memory));
    assert_ne!(session.tree(), after);
}

#[test]
fn nothing_is_rolled_back_where_there_is_nothing() {
    let session = Session::new(&workspace(1));
    rollback(&session, []).expect(2).reports("nothing has been run here yet");
    assert!(!session.exists(".agent_memory"));
    assert_eq!(session.baton(["diff"]).run().expect(0).stdout, "");
    session.baton(["clean"]).run().expect(0).prints("nothing to remove");
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--phase", "context"]).expect(0);
    rollback(&session, []).expect(2).reports("nothing to undo");
    rollback(&session, ["--undo"]).expect(2).reports("nothing to bring back");
    session.run(&api, ["--auto-approve"]).expect(0);
    rollback(&session, ["--task", "T9"]).expect(2).reports("written by T1");
    session.baton(["diff", "--task", "T9"]).run().expect(2).reports("no task of the plan");
    rollback(&session, ["--file", "../x"]).expect(2);
}

#[test]
fn a_run_at_work_is_not_pulled_the_ground_from_under() {
    let session = Session::new(&workspace(2));
    let second = with(own("T2"), json!({ "depends_on": ["T1"] }));
    let slow = Script::new().on("implement/T2", [reads("src/t2.rs").after(Duration::from_secs(30))]);
    let api = MessagesApi::start(but(slow, &[&[own("T1")], &[second]]));
    let running = session.start(&api, ["--task", "Do it", "--auto-approve"]);
    let pid = running.pid();
    wait_until("T1 to be written", || session.text("src/t1.rs").contains("    1"));
    rollback(&session, []).expect(1).reports(&format!("pid {pid}"));
    session.baton(["clean"]).run().expect(1).reports(&format!("pid {pid}"));
    running.kill();
    rollback(&session, []).expect(0).prints("Undone: 1 file.");
    assert!(session.text("src/t1.rs").contains("    0"));
}

#[test]
fn all_runs_of_a_workflow_are_rolled_back_and_no_other() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&api, ["--task", "An earlier workflow", "--auto-approve"]).expect(0);
    let before = session.tree();

    let second = |answer: u32| modifies_again(answer);
    let first_try = Script::new().on("implement/T2", [blocked("not now")]);
    let api = MessagesApi::start(but(first_try, &[&[task_of_t1()], &[own("T2")]]).by(second(2)));
    session.run(&api, ["--task", "The one at hand", "--auto-approve"]).expect(1);
    let api = MessagesApi::start(but(Script::new(), &[&[task_of_t1()], &[own("T2")]]).by(second(2)));
    session.run(&api, ["--auto-approve"]).expect(0);
    assert!(session.text("src/t1.rs").contains("    2\n") && session.text("src/t2.rs").contains("    1\n"));
    rollback(&session, []).expect(0).prints("Undone: 2 files.");
    assert_eq!(session.tree(), before, "the earlier workflow's work stands");
}

fn task_of_t1() -> Value {
    own("T1")
}

/// T1 of the second workflow finds what the first one made of the file.
fn modifies_again(answer: u32) -> impl Fn(&crate::support::messages_api::RecordedRequest) -> Option<Reply> {
    move |request| match (request.agent.as_str(), request.turn) {
        ("implement/T1", 0) => Some(edits("src/t1.rs", "    1\n", &format!("    {answer}\n"))),
        _ => None,
    }
}

#[test]
fn edits_between_two_runs_survive_the_rollback_of_both() {
    let session = Session::new(REPOSITORY);
    let api = MessagesApi::start(four_tasks());
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    // The user goes on editing, and asks for the implementation once more.
    session.write(
        "src/lib.rs",
        LIB_AFTER.replace("// after", "// mine").replace("    1\n", "    0\n").replace("    2\n", "    0\n"),
    );
    session.write("src/old.rs", "pub fn old() {}\n");
    fs::remove_dir_all(session.path("src/new")).unwrap();
    session.run(&api, ["--phase", "implement", "--auto-approve"]).expect(0);
    assert_eq!(session.text("src/lib.rs"), LIB_AFTER.replace("// after", "// mine"));
    rollback(&session, []).expect(0);
    let expected = LIB_AFTER.replace("// after", "// mine").replace("    1\n", "    0\n").replace("    2\n", "    0\n");
    assert_eq!(session.text("src/lib.rs"), expected);
    assert!(session.exists("src/old.rs") && !session.exists("src/new"));
}

#[test]
fn encodings_and_line_endings_survive_a_merge() {
    let session = Session::new(&workspace(1));
    session.write("src/t1.rs", "a\r\nb\r\n    0\r\nc\r\nd\r\n");
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert_eq!(session.text("src/t1.rs"), "a\r\nb\r\n    1\r\nc\r\nd\r\n");
    session.write("src/t1.rs", "mine\r\na\r\nb\r\n    1\r\nc\r\nd\r\n");
    rollback(&session, []).expect(0);
    assert_eq!(session.text("src/t1.rs"), "mine\r\na\r\nb\r\n    0\r\nc\r\nd\r\n");
}

#[test]
#[expect(clippy::print_stdout, reason = "where the kills struck is worth knowing")]
fn a_rollback_killed_anywhere_is_whole_in_the_end() {
    const FILES: usize = 24;
    let fixture: String = (0..FILES).map(|n| format!("//- /src/f{n}.rs\nold {n}\n")).collect();
    let files: Vec<String> = (0..FILES).map(|n| format!("src/f{n}.rs")).collect();
    let edits = files.iter().enumerate().map(|(n, file)| {
        ("edit_file", json!({ "path": file, "old_text": format!("old {n}"), "new_text": format!("new {n}") }))
    });
    let script = Script::new()
        .on("context", [context(&["src/f0.rs"])])
        .on("plan", [plan(&[&[with(task("T1"), json!({ "files_to_modify": files }))]])])
        .on("implement/T1", [Reply::tools(edits), completed(&["src/f0.rs"])])
        .on("review", [approves()]);
    let api = MessagesApi::start(script);
    let session = Session::new(&fixture);
    let before = session.tree();
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let after = session.tree();

    let started = Instant::now();
    rollback(&session, []).expect(0);
    let whole = started.elapsed();
    rollback(&session, ["--undo"]).expect(0);
    assert_eq!(session.tree(), after);
    const KILLS: u32 = 12;
    let (mut untouched, mut half) = (0, 0);
    for n in 0..KILLS {
        let runs = session.runs();
        let running = session.baton(["rollback"]).start();
        if n < 3 {
            thread::sleep(whole * n / 3);
        } else {
            // Files are put in place right after the journal names them.
            let journal =
                || session.runs().into_iter().find(|run| !runs.contains(run)).map(|run| format!("runs/{run}/publish"));
            wait_until("the journal of the rollback", || {
                journal().is_some_and(|folder| session.exists(&session.memory(&format!("{folder}/ROLLBACK-0.json"))))
            });
            thread::sleep(Duration::from_micros(700) * (n - 3));
        }
        running.kill();
        match session.tree() {
            tree if tree == after => untouched += 1,
            tree if tree != before => half += 1,
            _ => {}
        }
        // The next command finishes it, be it another rollback or a run; either way the memory and the files agree.
        if n % 2 == 0 {
            let again = rollback(&session, []);
            assert!(matches!(again.code, Some(0 | 2)), "{again:?}");
        } else {
            let code = session.run(&api, ["--json"]).code;
            let rolled_back = session.tree() == before;
            assert_eq!(code, Some(if rolled_back { 3 } else { 0 }), "the plan waits, or it is merged still");
            if !rolled_back {
                rollback(&session, []).expect(0);
            }
        }
        assert_eq!(session.tree(), before, "killed at {n}/{KILLS}");
        assert_eq!(status(&session)["next"], "gate");
        rollback(&session, ["--undo"]).expect(0);
        assert_eq!(session.tree(), after);
        assert_eq!(status(&session)["outcome"], "merged", "killed at {n}/{KILLS}");
    }
    println!("{KILLS} kills in {whole:?}: {untouched} before anything was written, {half} half way");
}

#[test]
fn a_rollback_killed_before_the_memory_followed_is_followed_up() {
    let Done4 { session, api, before, after } = done();
    let memory = handoffs(&session);
    rollback(&session, []).expect(0);
    // As a kill between the two leaves it: the files are back, the memory says merged.
    let run = session.runs().pop().unwrap();
    fs::remove_file(session.path(&session.memory(&format!("runs/{run}/settled")))).unwrap();
    let history = session.history().pop().unwrap();
    fs::remove_dir_all(session.path(&session.memory(&format!("history/{history}")))).unwrap();
    for (file, bytes) in &memory {
        session.write(&session.memory(file), bytes);
    }
    assert_eq!(status(&session)["outcome"], "rolled_back", "the journals say so, whatever the memory does");
    session.run(&api, ["--json"]).expect(3);
    assert_eq!(session.tree(), before);
    assert_eq!(status(&session)["next"], "gate");
    rollback(&session, ["--undo"]).expect(0);
    assert_eq!(session.tree(), after);
    assert_eq!(status(&session)["outcome"], "merged");
}

#[test]
fn before_images_that_were_tampered_with_are_not_put_back() {
    let Done4 { session, .. } = done();
    let run = session.runs()[0].clone();
    let folder = session.memory(&format!("runs/{run}/before/T4-1"));
    let image = format!("{folder}/{}", session.names(&folder)[0]);
    session.write(&image, "evil\n");
    let done = rollback(&session, []).expect(3);
    assert!(reported(&done, "src/old.rs").starts_with("left alone"), "{}", done.stdout);
    assert!(!session.exists("src/old.rs"));
    let journal = session.memory(&format!("runs/{run}/publish/T3-1.json"));
    session.write(&journal, session.text(&journal).replace("made.rs", "mine.rs"));
    rollback(&session, ["--undo"]).expect(0);
    let done = rollback(&session, []).expect(3);
    assert!(!done.stdout.contains("mine.rs"), "a journal of somebody else does not count: {}", done.stdout);
}

#[test]
fn the_diff_can_be_applied_backwards() {
    let Done4 { session, before, .. } = done();
    let diff = session.baton(["diff"]).run().expect(0).stdout;
    session.write("all.diff", &diff);
    session.git(&["apply", "-R", "all.diff"]);
    fs::remove_file(session.path("all.diff")).unwrap();
    assert_eq!(session.tree(), before);
    let Done4 { session, .. } = done();
    let of_t3 = session.baton(["diff", "--task", "T3"]).run().expect(0).stdout;
    assert!(of_t3.contains("made.rs") && !of_t3.contains("lib.rs"), "{of_t3}");
}

#[test]
fn old_runs_go_with_their_checkpoints_and_the_workflow_at_hand_stays() {
    let session = Session::in_git(&workspace(1));
    session.write("baton.toml", "keep_runs = 2\n");
    for n in 0..4 {
        let edit = move |request: &crate::support::messages_api::RecordedRequest| {
            let (old, new) = (format!("    {n}\n"), format!("    {}\n", n + 1));
            (request.agent == "implement/T1" && request.turn == 0).then(|| edits("src/t1.rs", &old, &new))
        };
        let api = MessagesApi::start(goes_well(&[&[own("T1")]]).by(edit));
        session.run(&api, ["--task", &format!("Task {n}"), "--auto-approve"]).expect(0);
    }
    let runs = session.runs();
    assert_eq!(runs.len(), 2, "{runs:?}");
    let refs = session.git(&["for-each-ref", "--format=%(refname)", "refs/baton"]);
    let expected: String = runs
        .iter()
        .flat_map(|run| [format!("refs/baton/{run}/1-plan\n"), format!("refs/baton/{run}/2-implement\n")])
        .collect();
    assert_eq!(refs, expected);
    session.baton(["clean"]).run().expect(0).prints("nothing to remove");

    // Six runs of one workflow, of which keep_runs would keep one.
    session.write("baton.toml", "keep_runs = 1\n");
    for _ in 0..3 {
        rollback(&session, []).expect(0);
        rollback(&session, ["--undo"]).expect(0);
    }
    session.baton(["clean"]).run().expect(0).prints("Removed 1 run, up to").prints(&runs[0]);
    assert_eq!(session.runs().len(), 7);
    assert!(!session.git(&["for-each-ref", "refs/baton"]).contains(&runs[0]));
    rollback(&session, []).expect(0);
    assert!(session.text("src/t1.rs").contains("    3\n"));
}
