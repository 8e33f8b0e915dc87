//! A project that was moved, copied or opened under another home: it is reported, a person takes it over, and only
//! the last answer at the gate counts.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Script};
use crate::support::plain_editor::PlainEditor;
use crate::support::replies::{but, goes_well, own, workspace};
use crate::support::session::{Baton, Done, Session};
use crate::support::terminal::Terminal;

fn server() -> MessagesApi {
    MessagesApi::start(goes_well(&[&[own("T1"), own("T2")]]))
}

fn two_at_once() -> MessagesApi {
    MessagesApi::start(but(Script::new(), &[&[own("T1"), own("T2")]]))
}

/// A finished workflow that changed two files.
fn merged() -> (Session, MessagesApi) {
    let (session, api) = (Session::new(&workspace(2)), server());
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    (session, api)
}

/// Move the project away, as `mv` does.
fn moved(session: &Session, name: &str) -> PathBuf {
    let to = session.root().parent().unwrap().join(name);
    fs::rename(session.root(), &to).unwrap();
    to
}

fn at<'a>(session: &Session, folder: &Path, args: impl IntoIterator<Item = &'a str>) -> Baton {
    session.baton(args).current_dir(folder)
}

fn status(session: &Session, folder: &Path) -> Value {
    at(session, folder, ["status", "--json"]).run().expect(0).json()
}

/// `baton trust --moved` at a terminal, and this answer.
fn trust(session: &Session, folder: &Path, answer: &str) -> (String, Done) {
    let mut terminal = Terminal::new();
    let running = terminal.start(at(session, folder, ["trust", "--moved"]));
    let shown = terminal.wait_for("[y/N] ");
    terminal.type_line(answer);
    (shown, running.wait())
}

fn journals(folder: &Path) -> Vec<PathBuf> {
    let runs = fs::read_dir(folder.join(".agent_memory/runs")).unwrap();
    let mut found = Vec::new();
    for run in runs {
        let publish = run.unwrap().path().join("publish");
        found.extend(fs::read_dir(publish).into_iter().flatten().map(|entry| entry.unwrap().path()));
    }
    found.sort();
    found
}

#[test]
fn a_moved_project_says_what_counts_as_absent_and_a_person_takes_it_over() {
    let (session, api) = merged();
    let old = session.root().to_owned();
    let diff = session.baton(["diff"]).run().expect(0).stdout;
    let spent = status(&session, &old)["usage"].clone();
    let new = moved(&session, "moved");
    let notice = format!("This project was moved here from {}.", old.display());

    let status_before = status(&session, &new);
    assert_eq!(status_before["next"], "gate");
    assert_ne!(status_before["usage"], spent);
    let warning = status_before["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with(&notice), "{warning}");
    assert!(warning.contains("The approval of the plan, 2 publish journals and the transcript of a run"), "{warning}");
    assert!(warning.contains("`baton trust --moved`"), "{warning}");
    at(&session, &new, ["status"]).run().expect(0).prints("baton trust --moved");
    at(&session, &new, ["diff"]).run().expect(0).reports(&notice).reports("The workflow has changed no file.");
    at(&session, &new, ["rollback"]).run().expect(2).reports("nothing to undo").reports(&notice);
    at(&session, &new, ["run"]).api(&api).run().expect(3).reports("baton trust --moved");
    assert!(fs::read_to_string(new.join("src/t1.rs")).unwrap().contains('1'));

    // Only a person may, and a no leaves everything as it is.
    let before = fs::read(new.join(".agent_memory/approval.json")).unwrap();
    at(&session, &new, ["trust", "--moved"]).run().expect(3).reports(&notice).reports("Only a person");
    let (shown, done) = trust(&session, &new, "n");
    assert_eq!(done.code, Some(3));
    for part in ["the approval of the plan given automatically", "2 publish journals", "the transcripts of 1 run"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
    assert_eq!(fs::read(new.join(".agent_memory/approval.json")).unwrap(), before);

    let (_, done) = trust(&session, &new, "y");
    assert_eq!(done.code, Some(0));
    let after = status(&session, &new);
    assert_eq!((&after["outcome"], &after["warnings"]), (&json!("merged"), &json!([])));
    assert_eq!(after["usage"], spent, "what was spent is known again");
    assert_eq!(at(&session, &new, ["diff"]).run().expect(0).stdout, diff);
    at(&session, &new, ["trust", "--moved"]).run().expect(3).reports("There is nothing to take over");
    at(&session, &new, ["rollback"]).run().expect(0).prints("Undone: 2 files.");
    assert!(fs::read_to_string(new.join("src/t1.rs")).unwrap().contains('0'));
}

#[test]
fn what_is_kept_is_taken_over_too() {
    let (session, _api) = merged();
    session.baton(["keep", "src/t1.rs"]).run().expect(0);
    let new = moved(&session, "moved");
    assert_eq!(trust(&session, &new, "y").1.code, Some(0));
    at(&session, &new, ["rollback"]).run().expect(0).prints("What you keep stays as it is: 1 change in src/t1.rs.");
    assert!(fs::read_to_string(new.join("src/t1.rs")).unwrap().contains('1'));
    assert!(fs::read_to_string(new.join("src/t2.rs")).unwrap().contains('0'));
}

#[test]
fn an_interrupted_workflow_goes_on_where_it_was_moved_without_asking_or_paying_again() {
    let (session, api) = (Session::new(&workspace(2)), two_at_once());
    session.run(&api, ["--task", "Do it"]).expect(3);
    session.baton(["approve"]).run().expect(0);
    let new = moved(&session, "moved");
    let asked = api.requests().len();
    at(&session, &new, ["run"]).api(&api).run().expect(3);
    assert_eq!(api.requests().len(), asked);
    assert_eq!(trust(&session, &new, "yes").1.code, Some(0));
    at(&session, &new, ["run"]).api(&api).run().expect(0);
    assert_eq!(api.requests_of("plan").len(), 1);
}

#[test]
fn a_takeover_that_is_killed_is_repeated() {
    let (session, _api) = merged();
    let new = moved(&session, "moved");
    let answer = fs::read(new.join(".agent_memory/approval.json")).unwrap();
    let journals = journals(&new);
    let journal = fs::read(&journals[1]).unwrap();
    assert_eq!(trust(&session, &new, "y").1.code, Some(0));
    // As a kill between two files leaves it: one of them as it was. The number was counted by then.
    fs::write(&journals[1], journal).unwrap();
    let warning = status(&session, &new)["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.contains("1 publish journal sealed there"), "{warning}");
    assert_eq!(trust(&session, &new, "y").1.code, Some(0));
    at(&session, &new, ["rollback", "--dry-run"]).run().expect(0).prints("2 files");
    // What is put back from before was taken over once, and is no answer any more.
    fs::write(new.join(".agent_memory/approval.json"), answer).unwrap();
    assert_eq!(status(&session, &new)["next"], "gate");
}

#[test]
fn a_copy_is_not_taken_for_a_move_and_is_reported_as_one() {
    let (session, api) = merged();
    let copy = session.clone_workspace("copy");
    let notice = format!("This folder is a copy of {}, which is still there.", session.root().display());
    at(&session, &copy, ["run"]).api(&api).run().expect(3).reports(&notice);
    at(&session, &copy, ["trust", "--moved"]).run().expect(3).reports("There is nothing to take over").reports(&notice);
    let mut terminal = Terminal::new();
    let running = terminal.start(at(&session, &copy, ["trust", "--moved"]));
    terminal.wait_for("There is nothing to take over");
    assert_eq!(running.wait().code, Some(0), "nobody is asked");
    assert_eq!(status(&session, &copy)["next"], "gate");
    assert_eq!(status(&session, session.root())["warnings"], json!([]));
}

#[test]
fn a_folder_above_that_is_renamed_and_another_project_at_the_old_place_are_moves_too() {
    let (session, _api) = merged();
    let new = moved(&session, "moved");
    // Another project is now where this one was, and is worked in.
    fs::create_dir_all(session.root().join(".agent_memory/runs")).unwrap();
    session.baton(["status"]).run().expect(0);
    let warning = status(&session, &new)["warnings"][0].as_str().unwrap().to_owned();
    assert!(warning.starts_with("This project was moved here from"), "{warning}");
    assert_eq!(trust(&session, &new, "y").1.code, Some(0));
    assert_eq!(status(&session, &new)["outcome"], "merged");
}

#[test]
fn a_project_restored_at_its_path_counts_as_before() {
    let (session, _api) = merged();
    let aside = moved(&session, "backup");
    copy_all(&aside, session.root());
    let status = status(&session, session.root());
    assert_eq!((&status["outcome"], &status["warnings"]), (&json!("merged"), &json!([])));
    session.baton(["rollback"]).run().expect(0).prints("2 files");
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn what_was_sealed_under_another_home_is_said_to_count_as_absent() {
    let (session, api) = merged();
    let stranger = session.root().parent().unwrap().join("stranger");
    let done = session.baton(["status"]).env("XDG_STATE_HOME", &stranger).run().expect(0);
    done.prints("under another HOME").prints("Read the plan, then answer it here");
    session.baton(["run"]).api(&api).env("XDG_STATE_HOME", &stranger).run().expect(3).reports("under another HOME");
    session.baton(["rollback"]).env("XDG_STATE_HOME", &stranger).run().expect(2).reports("under another HOME");
    assert_eq!(status(&session, session.root())["warnings"], json!([]));
}

#[test]
fn the_editor_is_shown_what_counts_as_absent() {
    let (session, api) = merged();
    let stranger = session.root().parent().unwrap().join("state");
    fs::rename(&stranger, stranger.with_file_name("gone")).unwrap();
    let mut editor = PlainEditor::open(&session, &api);
    editor.until("the warning on task.md", |editor| {
        let shown = editor.diagnostics.get(&editor.uri(".agent_memory/task.md")).into_iter().flatten();
        let is_it = |shown: &Value| {
            shown["code"] == "memory.uncounted" && shown["message"].as_str().unwrap().contains("under another HOME")
        };
        shown.into_iter().any(is_it)
    });
    editor.quit();
}

#[test]
fn an_answer_that_is_put_back_is_void() {
    let (session, api) = (Session::new(&workspace(2)), two_at_once());
    session.run(&api, ["--task", "Do it"]).expect(3);
    session.baton(["approve"]).run().expect(0);
    let approved = session.text(".agent_memory/approval.json");
    assert_eq!(session.handoff("approval.json")["n"], 1);

    session.baton(["reject"]).run().expect(0);
    session.write(".agent_memory/approval.json", &approved);
    let now = status(&session, session.root());
    assert_eq!(now["next"], "gate");
    let warning = now["warnings"][0].as_str().unwrap();
    assert!(warning.contains("holds answer 1") && warning.contains("answer 2 was given after it"), "{warning}");
    session.run(&api, []).expect(3).reports("not the last one given");
    assert!(session.text("src/t1.rs").contains('0'));

    // After a reset, with the plan put back too; and after a revision.
    let plan = session.text(".agent_memory/plan.json");
    session.baton(["approve"]).run().expect(0);
    let approved = session.text(".agent_memory/approval.json");
    session.baton(["reset"]).run().expect(0);
    session.write(".agent_memory/plan.json", &plan);
    session.write(".agent_memory/approval.json", &approved);
    assert_eq!(status(&session, session.root())["next"], "gate");
    session.run(&api, []).expect(3);

    session.baton(["approve"]).run().expect(0);
    let approved = session.text(".agent_memory/approval.json");
    session.baton(["plan", "--feedback", "Other names"]).api(&api).run();
    session.write(".agent_memory/plan.json", &plan);
    session.write(".agent_memory/approval.json", &approved);
    assert_eq!(status(&session, session.root())["next"], "gate");
    // A fresh one counts.
    session.baton(["approve"]).run().expect(0);
    assert_eq!(status(&session, session.root())["next"], "implement");
}

#[test]
fn an_answer_from_before_answers_were_numbered_counts_until_one_is() {
    let (session, api) = (Session::new(&workspace(2)), two_at_once());
    session.run(&api, ["--task", "Do it"]).expect(3);
    session.baton(["approve"]).run().expect(0);
    // As the version before wrote it: no number, and nothing kept of the workspace.
    let state = session.root().parent().unwrap().join("state/baton");
    let key: [u8; 32] = fs::read(state.join("key")).unwrap().try_into().unwrap();
    let mut approval = session.handoff("approval.json");
    approval.as_object_mut().unwrap().remove("n");
    approval["mac"] = json!(old_seal(&key, session.root(), &approval));
    session.write(".agent_memory/approval.json", approval.to_string());
    assert_eq!(status(&session, session.root())["next"], "gate", "an answer was numbered already");
    fs::remove_dir_all(state.join("workspaces")).unwrap();
    assert_eq!(status(&session, session.root())["next"], "implement");
    session.run(&api, []).expect(0);
}

/// The code of an approval as it was before answers were numbered.
fn old_seal(key: &[u8; 32], root: &Path, approval: &Value) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let content =
        json!([approval["plan_sha256"], approval["decision"], approval["by"], approval["tasks"], approval["at"]])
            .to_string();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).unwrap();
    for part in [root.as_os_str().as_encoded_bytes(), b"approval", content.as_bytes()] {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn where_no_key_can_be_kept_that_is_said_and_an_answer_from_outside_is_none() {
    let (session, api) = (Session::new(&workspace(2)), two_at_once());
    // Not even root can make a folder below a file.
    session.write("file", "");
    let state = session.path("file/state");
    let run = |args: &[&'static str]| session.baton(args.iter().copied()).api(&api).env("XDG_STATE_HOME", &state).run();
    run(&["run", "--task", "Do it"]).expect(3).reports("hold for this process only");
    run(&["approve"]).expect(1).reports("holds for this process only");
    run(&["status"]).expect(0).prints("hold for this process only");
    // Where it is given in the run itself it counts, and so does what follows.
    run(&["run", "--auto-approve"]).expect(0).prints("Approved by reading");
    assert!(session.text("src/t1.rs").contains('1'));
}

#[test]
fn there_is_nothing_to_trust_where_nothing_was_moved() {
    let session = Session::new(&workspace(1));
    session.baton(["trust"]).run().expect(0).prints("There is nothing to trust here: no checks are set.");
    session.baton(["trust", "--moved"]).run().expect(3).reports("There is nothing to take over");
    assert!(!session.exists(".agent_memory"));
}
