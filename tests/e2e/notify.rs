//! `notify` and the bell: a person who looks elsewhere learns that a run waits for them, or has ended.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::greeting::{GREETING, TASK, script};
use crate::support::lsp_client::message_text;
use crate::support::messages_api::MessagesApi;
use crate::support::session::Session;
use crate::support::terminal::Terminal;
use crate::support::wait::wait_until;

/// A command that appends what it is told to `told.jsonl`, and its variables to `env`, in the folder beside the workspace.
fn recording(session: &Session) -> String {
    let folder = session.path("..").canonicalize().unwrap();
    let folder = folder.to_str().expect("UTF-8");
    format!(
        "cat >> {folder}/told.jsonl; printf '%s\\\\t%s\\\\t%s\\\\t%s\\\\t%s\\\\n' \\\"$BATON_RUN\\\" \\\"$BATON_STATUS\\\" \
         \\\"$BATON_WORKSPACE\\\" \\\"${{ANTHROPIC_API_KEY-no key}}\\\" \\\"${{KEPT-}}\\\" >> {folder}/env"
    )
}

fn told(session: &Session) -> Vec<Value> {
    let text = if session.exists("../told.jsonl") { session.text("../told.jsonl") } else { String::new() };
    text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
}

#[test]
fn the_users_command_is_told_of_the_gate_and_of_the_end_as_an_event() {
    let session = Session::new(GREETING);
    session.write_user_config(&format!("notify = \"{}\"\n", recording(&session)));
    let api = MessagesApi::start(script());
    let hostile = "Greet; $(touch /tmp/never) `id`";
    let start =
        |args: &[&'static str]| session.baton(["run"].iter().chain(args).copied()).api(&api).env("KEPT", "kept").run();
    start(&["--task", hostile]).expect(3);
    let events = told(&session);
    assert_eq!(events.len(), 1, "that the run ended waiting is no news: {events:?}");
    assert_eq!((&events[0]["phase"], &events[0]["status"]), (&json!("plan"), &json!("waiting")));
    let run = session.runs()[0].clone();
    assert_eq!(events[0], session.events_of(&run)[events[0]["seq"].as_u64().unwrap() as usize - 1]);
    start(&["--auto-approve"]).expect(0);
    let events = told(&session);
    assert_eq!((events.len(), &events[1]["outcome"]), (2, &json!("merged")));
    let root = session.root().canonicalize().unwrap();
    let lines = [(&run, "waiting"), (&session.runs()[1], "done")];
    let expected: String =
        lines.iter().map(|(run, status)| format!("{run}\t{status}\t{}\tno key\tkept\n", root.display())).collect();
    assert_eq!(session.text("../env"), expected);
}

#[test]
fn a_command_that_fails_or_hangs_is_a_warning_and_the_run_goes_its_way() {
    let session = Session::new(GREETING);
    session.write_user_config("notify = \"echo no server >&2; exit 7\"\n");
    let api = MessagesApi::start(script());
    let done = session.run(&api, ["--task", TASK, "--auto-approve"]).expect(0);
    done.reports("warning: the command of `notify` ended with code 7: no server");

    session.baton(["reset"]).run().expect(0);
    let pid = session.path("../pid");
    session.write_user_config(&format!("notify = \"sleep 600 & echo $! > {}; wait\"\n", pid.display()));
    session.write("src/lib.rs", GREETING.trim_start_matches("//- /src/lib.rs\n"));
    let began = Instant::now();
    let mut running = session.start(&api, ["--task", TASK, "--auto-approve", "--json"]);
    let lines = running.lines();
    let mut last = String::new();
    while let Ok(line) = lines.recv_timeout(Duration::from_secs(60)) {
        if line.contains("\"exit_code\"") {
            last = line;
            break;
        }
    }
    assert!(last.contains("merged"), "{last}");
    assert!(began.elapsed() < Duration::from_secs(60));
    running.wait().expect(0).reports("warning: the command of `notify` was ended after 10 s");
    let pid: i32 = std::fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    wait_until("the command's child to end", || rustix::process::test_kill_process(pid).is_err());
}

#[test]
fn a_workspace_names_no_command_and_is_worked_in_all_the_same() {
    let session = Session::new(GREETING);
    session.write("baton.toml", "# ours\nnotify = \"touch evil\"\n");
    let api = MessagesApi::start(script());
    let done =
        session.baton(["run", "--task", TASK, "--auto-approve"]).api(&api).env("BATON_NOTIFY", "touch evil").run();
    let done = done.expect(0).reports("warning: baton.toml:2:10: notify is ignored here: it is about your own machine");
    done.reports("warning: BATON_NOTIFY: notify is ignored here");
    assert!(!session.exists("evil"));
    let mut client = session.lsp_client(&api);
    let diagnostics = client.wait_for_diagnostics(&session.uri("baton.toml"), |found| !found.is_empty());
    let found = diagnostics.to_string();
    assert!(found.contains("notify is ignored here") && found.contains("\"severity\":2"), "{found}");
}

#[test]
fn a_cancelled_run_tells_nothing() {
    let session = Session::new(GREETING);
    session.write_user_config(&format!("notify = \"{}\"\n", recording(&session)));
    let api = MessagesApi::start(script().stall_once(&("plan", 0).into()));
    let running = session.start(&api, ["--task", TASK]);
    api.wait_for_request("plan");
    running.signal(rustix::process::Signal::INT);
    running.wait().expect(130);
    assert!(told(&session).is_empty());
}

#[test]
fn in_an_editor_it_is_the_same_and_a_failure_is_a_message() {
    let session = Session::new(GREETING);
    let command = "test $BATON_STATUS = done || { echo no server >&2; exit 7; }";
    session.write_user_config(&format!("notify = \"{command}\"\n"));
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client(&api);
    let run = client.start_workflow(json!({ "task": TASK }));
    let message = client.wait_for_message();
    let expected = "Baton: the command of `notify` ended with code 7: no server";
    assert_eq!((message_text(&message), &message["params"]["type"]), (expected, &json!(2)));
    // The next one does what it is run for.
    let gate = client.wait_for_gate();
    client.answer(&gate, json!({ "title": "Reject" }));
    client.wait_for_run_end(&run);
}

/// What rang: a notification and the bell.
fn calls(shown: &[u8]) -> usize {
    let call = b"\x1b]9;Baton: ";
    shown.windows(call.len()).filter(|bytes| bytes == call).count()
}

#[test]
fn a_terminal_rings_when_the_plan_waits_unless_the_user_wants_none() {
    for (name, value, rings) in [("KEPT", "", 1), ("BATON_BELL", "off", 0), ("CI", "true", 0)] {
        let session = Session::new(GREETING);
        let api = MessagesApi::start(script());
        let mut terminal = Terminal::new();
        let running = terminal.start(session.baton(["run", "--task", TASK]).api(&api).env(name, value));
        terminal.wait_for("then Enter > ");
        terminal.type_line("r");
        running.wait().expect(4);
        assert_eq!(calls(&terminal.shown_at_end()), rings, "{name}");
    }
}
