//! An editor that is closed, or loses its server, while a worker holds a task.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::editor;
use crate::support::lsp_client::{LspClient, button_titles};
use crate::support::messages_api::Script;
use crate::support::replies::{but, completed, edits, own, reads, workspace};
use crate::support::session::Session;
use crate::workers::Lab;

/// One task of three turns, the second of which takes so long.
fn lab(thinking: Duration) -> Option<Lab> {
    let edit = edits("src/t1.rs", "    0\n", "    1\n").after(thinking);
    let turns = [reads("src/t1.rs"), edit, completed(&["src/t1.rs"])];
    Lab::new(Session::new(&workspace(1)), but(Script::new().on("implement/T1", turns), &[&[own("T1")]]), 1)
}

/// Start the workflow, and wait for the turn in whose midst the server is to end.
fn at_work(lab: &Lab) -> LspClient {
    let mut client = editor(lab);
    client.start_workflow(json!({ "task": "Do it", "approval": "auto" }));
    lab.api.wait_for_request(("implement/T1", 1));
    client
}

/// Open the workspace again, and go on when that is offered.
fn goes_on(lab: &Lab) {
    let mut client = editor(lab);
    let offered = client.wait_for_question();
    assert_eq!(button_titles(&offered), ["Later", "Resume"]);
    client.answer(&offered, json!({ "title": "Resume" }));
    let run = client.wait_for_run();
    let shown = client.wait_for_run_end(&run);
    assert_eq!(shown.last_message["type"], 3, "{}", shown.last_message);
    let status = client.execute("baton.status", &[]).expect("a status");
    assert_eq!((&status["run"], &status["outcome"]), (&json!(run), &json!("merged")));
    assert_eq!(client.quit(), Some(0));
    assert!(lab.coordinator.session.text("src/t1.rs").contains("    1\n"));
    assert!(lab.unused.requests().is_empty(), "the server asks no model of its own");
}

/// The turns that each agent was asked for.
fn asked(lab: &Lab) -> Vec<(&'static str, Vec<usize>)> {
    let turns = |agent: &str| lab.api.requests_of(agent).iter().map(|request| request.turn).collect();
    ["context", "plan", "implement/T1", "review"].map(|agent| (agent, turns(agent))).into()
}

#[test]
fn after_a_kill_of_the_server_the_next_one_takes_up_what_the_worker_did_meanwhile() {
    let Some(lab) = lab(Duration::from_secs(2)) else { return };
    let mut client = at_work(&lab);
    assert_eq!(client.signal(Signal::KILL), None);
    drop(client);
    // The worker goes on without a run.
    lab.api.wait_for_answer(("implement/T1", 1));
    goes_on(&lab);
    let once = [("context", vec![0]), ("plan", vec![0]), ("implement/T1", vec![0, 1, 2]), ("review", vec![0])];
    assert_eq!(asked(&lab), once);
}

#[test]
fn after_the_editor_was_closed_the_next_one_pays_again_for_the_turn_under_way_alone() {
    // Long enough to close the editor in the midst of it.
    let Some(lab) = lab(Duration::from_secs(10)) else { return };
    let mut client = at_work(&lab);
    let run = client.execute("baton.status", &[]).expect("a status")["run"].as_str().expect("an id").to_owned();
    let id = client.request("shutdown", json!(null));
    client.wait_for_run_end(&run);
    assert_eq!(client.response(id), Ok(json!(null)));
    client.notify("exit", json!(null));
    assert_eq!(client.wait_for_exit(), Some(0));
    drop(client);
    goes_on(&lab);
    let again = [("context", vec![0]), ("plan", vec![0]), ("implement/T1", vec![0, 1, 1, 2]), ("review", vec![0])];
    assert_eq!(asked(&lab), again);
}
