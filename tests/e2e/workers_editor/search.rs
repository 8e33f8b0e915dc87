//! A start that finds no worker at once looks for one; meanwhile no run is there that could be stopped.

use serde_json::{Value, json};

use super::{editor_without_worker, wait_for_worker};
use crate::support::greeting::{GREETING, TASK, script};
use crate::support::lsp_client::{LspClient, message_text};
use crate::support::session::Session;
use crate::workers::Lab;
use crate::workers_tools::add_worker;

fn lab() -> Option<Lab> {
    Lab::new(Session::new(GREETING), script(), 0)
}

/// Start the workflow where no worker is: the request, which is not answered yet.
fn looks_for_a_worker(client: &mut LspClient) -> i64 {
    let arguments = json!([{ "task": TASK, "approval": "auto" }]);
    let id = client.request("workspace/executeCommand", json!({ "command": "baton.workflow", "arguments": arguments }));
    let told = client.wait_for_message();
    assert!(message_text(&told).starts_with("Baton: waits for a worker at nats://127.0.0.1:"), "{told}");
    id
}

fn words(refused: &Value) -> &str {
    refused["message"].as_str().unwrap_or_default()
}

#[test]
fn a_cancel_stops_the_search_and_the_next_start_finds_who_is_there_by_then() {
    let Some(mut lab) = lab() else { return };
    let mut client = editor_without_worker(&lab);
    let id = looks_for_a_worker(&mut client);
    let second = client.execute("baton.workflow", &[json!({ "task": TASK })]).expect_err("one start at a time");
    assert!(words(&second).contains("looks for workers"), "{second}");
    assert_eq!(client.execute("baton.cancel", &[]), Ok(json!({ "run": null })));
    let refused = client.response(id).expect_err("it was stopped");
    assert_eq!(words(&refused), "stopped before a worker was found; nothing was begun");
    let over = client.execute("baton.cancel", &[]).expect_err("nothing is to be stopped");
    assert_eq!(words(&over), "nothing runs here");
    assert!(!lab.coordinator.session.exists(".agent_memory"));

    add_worker(&mut lab, "", |_| {});
    wait_for_worker(&lab.coordinator.session);
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    let shown = client.wait_for_run_end(&run);
    assert_eq!(shown.last_message["type"], 3, "{}", shown.last_message);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn in_a_folder_that_was_closed_meanwhile_no_run_begins() {
    let Some(mut lab) = lab() else { return };
    let mut client = editor_without_worker(&lab);
    let id = looks_for_a_worker(&mut client);
    let folder = json!({ "uri": lab.coordinator.session.uri(""), "name": "work" });
    let removed = json!({ "event": { "added": [], "removed": [folder] } });
    client.notify("workspace/didChangeWorkspaceFolders", removed);
    // One who comes now is too late.
    add_worker(&mut lab, "", |_| {});
    let refused = client.response(id).expect_err("the folder is closed");
    assert_eq!(words(&refused), "stopped before a worker was found; nothing was begun");
    assert!(!lab.coordinator.session.exists(".agent_memory"));
    assert!(lab.api.requests().is_empty());
    assert_eq!(client.quit(), Some(0));
}
