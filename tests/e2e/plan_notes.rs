//! The user's notes in plan.md: shown, kept, sent and discarded, on the command line and in an editor without a plugin.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::time::Duration;

use serde_json::json;

use crate::support::messages_api::{MessagesApi, Script};
use crate::support::plain_editor::PlainEditor;
use crate::support::replies::{but, own, plan, workspace};
use crate::support::session::Session;
use crate::support::terminal::Terminal;

const PLAN_MD: &str = ".agent_memory/plan.md";
const PROMPT: &str = "then Enter > ";

/// A plan of T1 and T2; the one after it has T2 alone.
fn two_plans() -> MessagesApi {
    let script = Script::new().rounds("plan", [vec![plan(&[&[own("T1"), own("T2")]])], vec![plan(&[&[own("T2")]])]]);
    MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]))
}

/// Write a note into plan.md below the line that begins so; answers its line, from 1.
fn write_note(session: &Session, below: &str, note: &str) -> usize {
    let text = session.text(PLAN_MD);
    let mut lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| line.starts_with(below)).expect(below) + 1;
    lines.insert(at, note);
    session.write(PLAN_MD, lines.join("\n"));
    at + 1
}

fn feedback_to_planner(api: &MessagesApi) -> String {
    let asked = api.requests_of("plan").pop().expect("a second request").first_message();
    let from = asked.find("<feedback>").expect("feedback");
    asked[from..asked.find("</feedback>").expect("its end")].to_owned()
}

#[test]
fn notes_written_between_runs_are_counted_kept_and_sent() {
    let session = Session::new(&workspace(2));
    let api = two_plans();
    session.run(&api, ["--task", "Do it"]).expect(3);
    session.baton(["plan", "--notes"]).api(&api).run().expect(2).reports("there are no notes to send");
    let line = write_note(&session, "### T1", "> Leave t1.rs alone,\n>   please");
    write_note(&session, "## Order", "> first things first");

    // A plan that a person edits is rendered anew, and the notes are still there.
    let edited = session.text(".agent_memory/plan.json").replace("The title of T2", "A better title");
    session.write(".agent_memory/plan.json", edited);
    let status = session.baton(["status", "--json"]).api(&api).run().expect(0);
    let notes = status.json()["notes"].clone();
    assert_eq!(notes[0], json!({ "line": line, "task": "T1", "text": "Leave t1.rs alone,\n  please" }));
    assert_eq!((&notes[1]["task"], &notes[1]["text"]), (&json!(null), &json!("first things first")));
    let approved = session.baton(["approve"]).api(&api).run().expect(0);
    approved.reports("2 notes in plan.md were not sent to the planner.");
    let text = session.text(PLAN_MD);
    assert!(text.contains("A better title") && text.contains("> Leave t1.rs alone,\n>   please\n"), "{text}");

    session.baton(["plan", "--notes"]).api(&api).run().expect(3);
    let feedback = feedback_to_planner(&api);
    assert!(feedback.contains("On T1 (The title of T1):\n> Leave t1.rs alone,\n>   please\n"), "{feedback}");
    assert!(feedback.contains("On “Order”:\n> first things first"), "{feedback}");
    let sent = session.text(".agent_memory/history/0001-revise/feedback.md");
    assert!(sent.starts_with("Notes on the plan:\n\nOn T1"), "{sent}");
    assert!(session.text(".agent_memory/history/0001-revise/plan.md").contains("> Leave t1.rs alone,"));
    let text = session.text(PLAN_MD);
    assert!(!text.contains("\n>"), "sent notes are gone: {text}");
    let changed = "# Plan, version 2\n\n```\nDo it\n```\n\n## Changed since version 1\n\n- ";
    assert!(text.starts_with(changed) && text.contains("- gone: **T1** · The title of T1\n"), "{text}");
    let status = session.baton(["status", "--json"]).api(&api).run().expect(0).json();
    assert_eq!(status["notes"], json!([]));
    let previous = json!({ "plan_version": 1, "plan_md": ".agent_memory/history/0001-revise/plan.md" });
    assert_eq!(status["gate"]["previous"], previous);
}

/// What happens while a new plan is made that answers to a note and to words.
fn while_planning_again(do_this: impl FnOnce(&Session)) -> (Session, MessagesApi, String) {
    let second = plan(&[&[own("T2")]]).after(Duration::from_secs(2));
    let script = Script::new().rounds("plan", [vec![plan(&[&[own("T1"), own("T2")]])], vec![second]]);
    let (session, api) = (Session::new(&workspace(2)), MessagesApi::start(but(script, &[&[own("T2")]])));
    session.run(&api, ["--task", "Do it"]).expect(3);
    write_note(&session, "### T1", "> Leave t1.rs alone");
    let again = session.baton(["plan", "--feedback", "Smaller."]).api(&api).start();
    api.wait_for_request(("plan", 1, 0));
    do_this(&session);
    let done = again.wait().expect(3);
    (session, api, done.stderr)
}

#[test]
fn a_note_that_was_saved_after_the_others_were_sent_is_on_the_next_plan() {
    let late = |session: &Session| {
        let kept = ".agent_memory/history/0001-revise/plan.md";
        let with_late = session.text(kept).replace("> Leave t1.rs alone", "> Leave t1.rs alone\n\n> And be quick");
        session.write(kept, with_late);
    };
    let (session, api, _) = while_planning_again(late);
    assert!(feedback_to_planner(&api).contains("> Leave t1.rs alone"));
    let text = session.text(PLAN_MD);
    assert!(text.contains("> And be quick") && !text.contains("> Leave t1.rs alone"), "{text}");
}

#[test]
fn a_plan_that_somebody_writes_while_another_is_made_is_kept() {
    let (session, _, told) = while_planning_again(|session| session.write(".agent_memory/plan.json", "mine"));
    assert!(session.text(PLAN_MD).contains("version 2"));
    assert_eq!(session.text(".agent_memory/history/0002-phase/plan.json"), "mine");
    let kept = "that one is kept in .agent_memory/history/0002-phase/plan.json";
    assert!(told.contains(kept), "{told}");
}

#[test]
fn notes_go_along_with_feedback_in_words_and_too_many_are_refused() {
    let session = Session::new(&workspace(2));
    let api = two_plans();
    session.run(&api, ["--task", "Do it"]).expect(3);
    write_note(&session, "### T1", &format!("> {}", "x".repeat(64 * 1024)));
    write_note(&session, "### T1", "> y");
    session.baton(["plan", "--notes"]).api(&api).run().expect(2).reports("have 65 KB and 64 at most are sent");
    assert_eq!(session.history(), Vec::<String>::new(), "nothing was set aside");
    session.baton(["run"]).api(&api).run().expect(3);
    let kept: String =
        session.text(PLAN_MD).lines().filter(|line| !line.starts_with("> xx")).collect::<Vec<_>>().join("\n");
    session.write(PLAN_MD, kept);
    session.baton(["plan", "--feedback", "Smaller."]).api(&api).run().expect(3);
    let feedback = feedback_to_planner(&api);
    assert!(feedback.contains("Smaller.\n\nNotes on the plan:\n\nOn T1 (The title of T1):\n> y"), "{feedback}");
}

#[test]
fn the_terminal_asks_what_becomes_of_notes_before_it_approves() {
    let session = Session::new(&workspace(2));
    let api = two_plans();
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["run", "--task", "Do it"]).api(&api));
    terminal.wait_for(PROMPT);
    write_note(&session, "### T1", "> Leave t1.rs alone");
    terminal.type_line("a");
    terminal.wait_for("goes back >");
    terminal.type_line("");
    terminal.wait_for(PROMPT);
    assert!(!session.exists(".agent_memory/approval.json"));
    terminal.type_line("c");
    terminal.wait_for("1 note in plan.md will be sent.");
    terminal.type_line("-");
    terminal.wait_for(PROMPT);
    terminal.type_line("c");
    terminal.wait_for("1 note in plan.md will be sent.");
    terminal.type_line("And be quick");
    let shown = terminal.wait_for(PROMPT);
    assert!(shown.contains("Plan, version 2") && shown.contains("with 1 note on the plan"), "{shown}");
    let feedback = feedback_to_planner(&api);
    assert!(feedback.contains("And be quick\n\nNotes on the plan:") && feedback.contains("> Leave t1.rs alone"));
    write_note(&session, "### T2", "> Never mind");
    terminal.type_line("a");
    terminal.wait_for("goes back >");
    terminal.type_line("a");
    terminal.wait_for("Approved by reading; no check ran.");
    running.wait().expect(0);
    assert!(session.text("src/t1.rs").contains('0') && session.text("src/t2.rs").contains('1'));
    assert!(session.text(PLAN_MD).contains("> Never mind"), "it is kept");
}

#[test]
fn an_editor_shows_notes_where_they_stand_and_sends_or_discards_them() {
    let session = Session::new(&workspace(2));
    let api = two_plans();
    let mut editor = PlainEditor::open(&session, &api);
    let started = editor.execute("baton.workflow", &[json!({ "task": "Do it" })]).unwrap();
    editor.until("the plan", |_| session.exists(PLAN_MD) && session.exists(".agent_memory/plan.json"));
    editor.open_file(PLAN_MD);
    let line = session.text(PLAN_MD).lines().position(|line| line.starts_with("### T1")).expect("T1") as u64 + 1;
    editor.insert(PLAN_MD, line, "\n> Leave t1.rs alone\n");
    let shown = "Note on T1 (The title of T1), not sent yet: Leave t1.rs alone";
    let expected = format!("{}: {shown}", line + 1);
    editor.until("the note", |editor| editor.notes(PLAN_MD) == [expected.clone()]);
    let lenses = [format!("{}: Send note to the planner", line + 1), format!("{}: Discard note", line + 1)];
    assert_eq!(editor.shown_lenses(PLAN_MD), lenses);

    let error = editor.execute("baton.sendNotes", &[]).expect_err("it is not saved");
    assert_eq!(error["data"]["kind"], "unsaved", "{error}");
    write_note(&session, "### T1", "\n> Leave t1.rs alone");
    editor.close_file(PLAN_MD);
    editor.open_file(PLAN_MD);
    editor.press_lens(PLAN_MD, "Discard note");
    editor.close_file(PLAN_MD);
    editor.until("the note to go", |editor| editor.notes(PLAN_MD).is_empty());
    assert!(!session.text(PLAN_MD).contains('>'), "{}", session.text(PLAN_MD));
    let error = editor.execute("baton.sendNotes", &[]).expect_err("there is none");
    assert!(error["message"].as_str().unwrap().contains("there are no notes to send"), "{error}");

    write_note(&session, "### T1", "\n> Leave it\n\n> really");
    editor.open_file(PLAN_MD);
    let answer =
        editor.execute("baton.sendNotes", &[json!({ "notes": [{ "task": "T2", "text": "Well done" }] })]).unwrap();
    assert_eq!((&answer["run"], &answer["notes"]), (&started["run"], &json!(2)), "{answer}");
    // The first one may be taken away in between.
    let shown = || std::fs::read_to_string(session.path(PLAN_MD)).unwrap_or_default();
    editor.until("version 2", |_| shown().contains("version 2"));
    let feedback = feedback_to_planner(&api);
    assert!(feedback.contains("On T2: Well done") && feedback.contains("> Leave it") && feedback.contains("> really"));
    editor.execute("baton.reject", &[]).unwrap();
    editor.until_the_end(&started);
    editor.quit();
}

#[test]
fn an_editor_without_a_gate_of_its_own_asks_before_it_approves_without_notes() {
    let session = Session::new(&workspace(2));
    let api = two_plans();
    let mut editor = PlainEditor::open(&session, &api);
    let started = editor.execute("baton.workflow", &[json!({ "task": "Do it" })]).unwrap();
    editor.until("the plan", |_| session.exists(PLAN_MD) && session.exists(".agent_memory/plan.json"));
    write_note(&session, "### T1", "> Leave t1.rs alone");
    editor.answer("Approve");
    editor.answer("Not Yet");
    editor.answer("Approve");
    editor.answer("Send");
    // The first one may be taken away in between.
    let shown = || std::fs::read_to_string(session.path(PLAN_MD)).unwrap_or_default();
    editor.until("version 2", |_| shown().contains("version 2"));
    assert!(feedback_to_planner(&api).contains("> Leave t1.rs alone"));
    editor.answer("Approve");
    editor.until_the_end(&started);
    assert!(session.text("src/t1.rs").contains('0') && session.text("src/t2.rs").contains('1'));
    editor.quit();
}
