//! A run that is stopped by somebody else than who started it: another editor, or an editor for a terminal's.
#![cfg(unix)]
#![expect(clippy::expect_used, reason = "a test that cannot continue fails")]

use std::time::Instant;

use crate::support::greeting::{GREETING, TASK, script};
use crate::support::lsp_client::{LspClient, message_text};
use crate::support::messages_api::{Fault, MessagesApi};
use crate::support::session::Session;
use crate::support::wait::PROMPTLY;
use serde_json::{Value, json};

/// Where a request to stop a run lies.
fn request(run: &str) -> String {
    format!(".agent_memory/runs/{run}/cancel")
}

/// Quit; what a server says of a run that it has found interrupted when it started is not read.
fn leave(mut client: LspClient) {
    client.shut_down();
    assert_eq!(client.disconnect(), Some(0));
}

/// How the status of the phase has it.
fn status_of(client: &mut LspClient, phase: usize) -> Value {
    client.execute("baton.status", &[]).expect("a status")["phases"][phase]["status"].clone()
}

#[test]
fn a_second_editor_stops_the_run_of_the_first_at_once() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
    let mut first = session.lsp_client(&api);
    let run = first.start_workflow(json!(TASK));
    api.wait_for_request("context");
    let mut second = session.lsp_client_with(&api, &Value::Null);
    let status = second.execute("baton.status", &[]).expect("a status");
    assert_eq!((&status["run"], &status["phases"][0]["status"]), (&json!(run), &json!("running")));
    second.wait_for_message();

    let asked = Instant::now();
    assert_eq!(second.execute("baton.cancel", &[]), Ok(json!({ "run": run })));
    let end = first.wait_for_run_end(&run);
    assert!(asked.elapsed() < PROMPTLY, "{:?}", asked.elapsed());
    assert!(end.last_text().contains("Stopped in context."), "{}", end.last_text());
    let said = second.wait_for_message();
    assert_eq!(message_text(&said), format!("Baton: run {run} of another process was stopped."));
    assert!(session.of_last_run("events.jsonl").contains("Stopping: another process in this workspace asked for it"));
    assert!(!session.exists(&request(&run)), "it is gone with the run");

    // It is over: nothing is left to be stopped.
    for client in [&mut first, &mut second] {
        let over = client.execute("baton.cancel", &[]).expect_err("it is over");
        assert_eq!(over["message"], format!("nothing runs here: run {run} is over"));
    }
    assert_eq!(status_of(&mut first, 0), "cancelled");
    leave(first);
    leave(second);
}

#[test]
fn an_editor_stops_the_run_of_a_terminal_also_at_the_gate() {
    for at_gate in [false, true] {
        let session = Session::new(GREETING);
        let silent = script().fault("context", [Fault::Silence]);
        let api = MessagesApi::start(if at_gate { script() } else { silent });
        let run = if at_gate {
            let mut other = session.lsp_client(&api);
            let (run, question) = other.run_to_gate(TASK);
            let mut editor = session.lsp_client(&api);
            assert_eq!(editor.execute("baton.cancel", &[]), Ok(json!({ "run": run })));
            other.wait_for_withdrawal(&question);
            other.wait_for_run_end(&run);
            leave(editor);
            leave(other);
            run
        } else {
            let terminal = session.baton(["run", "--task", TASK]).api(&api).start();
            api.wait_for_request("context");
            let mut editor = session.lsp_client(&api);
            let run = editor.execute("baton.cancel", &[]).expect("it is stopped")["run"].clone();
            let done = terminal.wait().no_panic().expect(130);
            done.reports("another process in this workspace asked for it");
            leave(editor);
            run.as_str().expect("an id").to_owned()
        };
        assert!(session.of_last_run("events.jsonl").contains("\"status\":\"cancelled\""));
        assert!(!session.exists(&request(&run)));
    }
}

#[test]
fn a_request_that_is_old_or_forged_stops_no_other_run() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
    // Its holder was killed before it saw the request.
    let killed = session.baton(["run", "--task", TASK]).api(&api).start();
    api.wait_for_request("context");
    killed.kill();
    let old = session.runs().pop().expect("a run");
    session.write(&request(&old), "");
    let mut editor = session.lsp_client(&api);
    let over = editor.execute("baton.cancel", &[]).expect_err("nothing runs");
    assert_eq!(over["message"], format!("nothing runs here: run {old} is over"));
    let question = editor.wait_for_question();
    editor.answer(&question, Value::Null);
    assert_eq!(editor.quit(), Some(0));

    let api = MessagesApi::start(script());
    let mut editor = session.lsp_client(&api);
    let question = editor.wait_for_question();
    editor.answer(&question, Value::Null);
    // A folder of that name is no request.
    let run = editor.start_workflow(json!({ "approval": "auto" }));
    assert!(!session.exists(&request(&old)), "the next run removes it");
    std::fs::create_dir_all(session.path(&request(&run))).expect("a folder");
    let end = editor.wait_for_run_end(&run);
    assert!(end.last_text().starts_with("Baton: Approved by reading; no check ran."), "{}", end.last_text());
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn of_several_folders_the_one_in_which_something_runs_is_meant() {
    let (session, idle) = (Session::new(GREETING), Session::new(GREETING));
    let api = MessagesApi::start(script().fault("context", [Fault::Silence]));
    let mut first = session.lsp_client(&api);
    let run = first.start_workflow(json!(TASK));
    api.wait_for_request("context");
    let mut second = idle.language_server(&api);
    let mut params = idle.initialize_params();
    params["workspaceFolders"] =
        json!([{ "uri": idle.uri(""), "name": "idle" }, { "uri": session.uri(""), "name": "work" }]);
    second.initialize(params);
    assert_eq!(second.execute("baton.cancel", &[]), Ok(json!({ "run": run })));
    first.wait_for_run_end(&run);
    let which = second.execute("baton.cancel", &[]).expect_err("nothing runs in any of them");
    assert!(which["message"].as_str().is_some_and(|text| text.contains("several folders are open")), "{which}");
    leave(first);
    leave(second);
}
