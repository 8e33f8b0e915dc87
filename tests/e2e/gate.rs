//! The gate on a terminal: what is shown, and each of the answers.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use crate::support::messages_api::{MessagesApi, Script};
use crate::support::programs::write_program;
use crate::support::replies::{but, own, plan, task, with, workspace};
use crate::support::session::{Baton, Session};
use crate::support::terminal::Terminal;

const PROMPT: &str = "then Enter > ";

/// A plan of three tasks, the last of which writes a file that runs when the project is built.
fn server() -> MessagesApi {
    let last = with(
        task("T3"),
        json!({
            "files_to_create": ["build.rs"], "depends_on": ["T1"], "estimated_complexity": "complex",
        }),
    );
    MessagesApi::start(but(Script::new(), &[&[own("T1"), own("T2")], &[last]]))
}

fn two_tasks() -> MessagesApi {
    MessagesApi::start(but(Script::new(), &[&[own("T1"), own("T2")]]))
}

fn run(session: &Session, api: &MessagesApi) -> Baton {
    session.baton(["run", "--task", "Do it"]).api(api)
}

#[test]
fn a_person_sees_everything_before_saying_yes() {
    let session = Session::new(&workspace(2));
    let api = server();
    let mut terminal = Terminal::new();
    let running = terminal.start(run(&session, &api));
    let shown = terminal.wait_for(PROMPT);
    for part in [
        "Anthropic API at 127.0.0.1",
        "Plan, version 1",
        "One small step after the other.",
        "it may be harder than it looks",
        "T1 [simple] The title of T1",
        "T3 [complex] The title of T3",
        "modify src/t1.rs",
        "create build.rs  Cargo runs what it holds or names when you build",
        "after  T1",
        "done when  - T3 is done",
        "1. T1, T2 at once",
        "2. T3",
        "! Cargo runs what it holds or names when you build: build.rs (T3).",
        ", at most $",
        "To implement and review: about $",
        "The plan in full: .agent_memory/plan.md",
    ] {
        assert!(shown.contains(part), "{part:?} is not in:\n{shown}");
    }
    assert!(session.text("src/t1.rs").contains('0'), "nothing is written yet");

    terminal.type_line("yes please");
    terminal.wait_for("Type a to approve");
    terminal.wait_for(PROMPT);
    terminal.type_line("v");
    terminal.wait_for("# Plan");
    terminal.wait_for(PROMPT);
    terminal.type_line("j");
    terminal.wait_for("\"approach_summary\": \"One small step after the other.\"");
    terminal.wait_for(PROMPT);
    terminal.type_line("a T3");
    terminal.wait_for("T3 needs T1");
    terminal.wait_for(PROMPT);
    terminal.type_line("a t2, T1");
    terminal.wait_for("Approved: T1, T2. Left out: T3.");
    terminal.wait_for("Approved by reading; no check ran.");
    terminal.wait_for("done: T3.");
    running.wait().expect(0);
    let approval = session.handoff("approval.json");
    assert_eq!((&approval["by"], &approval["tasks"]), (&json!("person"), &json!(["T1", "T2"])));
    assert!(session.text("src/t1.rs").contains('1') && session.text("src/t2.rs").contains('1'));
}

#[test]
fn a_plan_can_be_rejected() {
    let session = Session::new(&workspace(2));
    let api = two_tasks();
    let mut terminal = Terminal::new();
    let running = terminal.start(run(&session, &api));
    terminal.wait_for(PROMPT);
    terminal.type_line("R");
    terminal.wait_for("The plan was rejected; nothing was written.");
    running.wait().expect(4);
    assert_eq!(session.handoff("approval.json")["decision"], "rejected");
}

#[test]
fn changes_asked_for_in_words_lead_to_a_new_plan_and_the_gate_again() {
    let session = Session::new(&workspace(2));
    let script = Script::new().rounds("plan", [vec![plan(&[&[own("T1"), own("T2")]])], vec![plan(&[&[own("T2")]])]]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
    let mut terminal = Terminal::new();
    let running = terminal.start(run(&session, &api));
    terminal.wait_for(PROMPT);
    terminal.type_line("c");
    terminal.wait_for("What should be different?");
    terminal.type_line("");
    terminal.wait_for(PROMPT);
    terminal.type_line("c");
    terminal.wait_for("What should be different?");
    terminal.type_line("Leave t1.rs alone, s'il vous plaît");
    let shown = terminal.wait_for(PROMPT);
    assert!(shown.contains("Plan, version 2") && !shown.contains("The title of T1"), "{shown}");
    let asked = api.requests_of("plan").pop().expect("a second request").first_message();
    assert!(asked.contains("Leave t1.rs alone, s'il vous plaît") && asked.contains("The title of T1"), "{asked}");
    assert_eq!(session.history(), ["0001-revise"]);
    assert_eq!(session.text(".agent_memory/history/0001-revise/feedback.md"), "Leave t1.rs alone, s'il vous plaît");
    terminal.type_line("a");
    terminal.wait_for("Approved by reading; no check ran.");
    running.wait().expect(0);
    assert_eq!(session.handoff("plan.json")["plan_version"], 2);
    assert!(session.text("src/t1.rs").contains('0') && session.text("src/t2.rs").contains('1'));
}

/// An editor: a script that is given the plan's path.
fn editor(session: &Session, script: &str) -> String {
    let path = session.root().parent().expect("a home").join("my editor");
    write_program(&path, &format!("#!/bin/sh\n{script}\n"));
    format!("'{}' --wait", path.display())
}

#[test]
fn the_plan_can_be_edited_at_the_gate() {
    let session = Session::new(&workspace(2));
    let api = two_tasks();
    let editor = editor(
        &session,
        "[ \"$1\" = --wait ] || exit 1\nsed 's/The title of T2/A better title/' \"$2\" > \"$2.new\" && mv \"$2.new\" \"$2\"\necho edited",
    );
    let mut terminal = Terminal::new();
    let running = terminal.start(run(&session, &api).env("EDITOR", editor));
    terminal.wait_for(PROMPT);
    terminal.type_line("e");
    let shown = terminal.wait_for(PROMPT);
    assert!(shown.contains("edited") && shown.contains("A better title"), "{shown}");
    assert!(session.text(".agent_memory/plan.md").contains("A better title"));
    terminal.type_line("approve");
    terminal.wait_for("Approved by reading; no check ran.");
    running.wait().expect(0);
    let prompt = api.requests_of("implement/T2").remove(0).first_message();
    assert!(prompt.contains("A better title"), "{prompt}");
}

#[test]
fn a_plan_edited_into_nonsense_at_the_gate_is_shown_its_place_and_asked_about_again() {
    let session = Session::new(&workspace(2));
    let api = two_tasks();
    let failing = editor(&session, "exit 7");
    let mut terminal = Terminal::new();
    let running = terminal.start(run(&session, &api).env("EDITOR", failing));
    terminal.wait_for(PROMPT);
    terminal.type_line("e");
    terminal.wait_for("ended with exit status: 7; the plan is as it was asked about.");
    terminal.wait_for(PROMPT);
    editor(&session, "cp \"$2\" \"$2.before\"; sed 's/\"simple\"/\"bogus\"/' \"$2.before\" > \"$2\"");
    let line = session.text(".agent_memory/plan.json").lines().position(|line| line.contains("\"simple\""));
    let line = line.expect("a complexity") + 1;
    terminal.type_line("e");
    terminal.wait_for(&format!(".agent_memory/plan.json:{line}:"));
    terminal.wait_for("The plan cannot be shown before that is fixed.");
    terminal.wait_for(PROMPT);
    terminal.type_line("a");
    terminal.wait_for("It cannot be approved with these faults");
    terminal.wait_for(PROMPT);
    editor(&session, "echo nonsense > \"$2\"");
    terminal.type_line("e");
    terminal.wait_for(".agent_memory/plan.json:1:2: not valid JSON");
    terminal.wait_for(PROMPT);
    editor(&session, "mv \"$2.before\" \"$2\"");
    terminal.type_line("e");
    terminal.wait_for("The title of T2");
    terminal.wait_for(PROMPT);
    assert!(!session.exists(".agent_memory/approval.json"));
    terminal.type_line("a");
    terminal.wait_for("Approved by reading; no check ran.");
    running.wait().expect(0);
    assert_eq!(api.requests_of("plan").len(), 1, "it is not planned again");
}

#[test]
fn an_answer_from_another_process_releases_the_gate() {
    for (answer, code, prompt) in [
        ("approve", 0, "Approved by reading; no check ran. Changes are in your working tree"),
        ("reject", 4, "The plan was rejected; nothing was written."),
    ] {
        let session = Session::new(&workspace(2));
        let api = two_tasks();
        let mut terminal = Terminal::new();
        let running = terminal.start(run(&session, &api));
        terminal.wait_for(PROMPT);
        session.baton([answer]).run().expect(0);
        terminal.wait_for("No answer is needed any more.");
        terminal.wait_for(prompt);
        running.wait().expect(code);
    }
}

#[test]
fn a_gate_without_an_answer_leaves_the_plan_waiting() {
    let session = Session::new(&workspace(2));
    let api = two_tasks();
    let mut terminal = Terminal::new();
    let running = terminal.start(run(&session, &api));
    terminal.wait_for(PROMPT);
    // The end of input, as Ctrl-D makes it.
    terminal.press(4);
    terminal.wait_for("No answer.");
    running.wait().expect(3);

    let mut terminal = Terminal::new();
    let running = terminal.start(run(&session, &api));
    terminal.wait_for(PROMPT);
    running.signal(Signal::INT);
    terminal.wait_for("Stopped by Ctrl-C. The plan waits for your answer.");
    running.wait().expect(130);
    assert_eq!(api.requests().len(), 2, "the plan is kept");
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(0);
}

#[test]
fn an_editor_that_takes_the_plan_away_while_it_saves_costs_no_new_plan() {
    let session = Session::new(&workspace(2));
    let api = two_tasks();
    let mut terminal = Terminal::new();
    let running = terminal.start(run(&session, &api));
    terminal.wait_for(PROMPT);
    let file = session.memory("plan.json");
    let edited = session.text(&file).replace("The title of T2", "A better title");
    fs::remove_file(session.path(&file)).expect("a plan");
    // A slow disk: longer than it takes to notice that the plan is gone.
    std::thread::sleep(std::time::Duration::from_millis(400));
    session.write(&file, "");
    session.write(&file, edited);
    terminal.wait_for("A better title");
    terminal.wait_for(PROMPT);
    terminal.type_line("a");
    running.wait().expect(0);
    assert_eq!(api.requests_of("plan").len(), 1, "it is not planned again");
    assert!(session.text(&session.memory("plan.md")).contains("A better title"));
}
