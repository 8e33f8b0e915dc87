//! What an editor has and the disk has not.

use serde_json::json;

use super::editor;
use crate::support::greeting::{GREETING, TASK, script};
use crate::support::lsp_client::message_text;
use crate::support::messages_api::{Reply, Script};
use crate::support::session::Session;
use crate::workers::Lab;

const FILE: &str = "src/lib.rs";

/// What the agent's first call was answered.
fn first_answer(lab: &Lab, agent: &str) -> String {
    let requests = lab.api.requests_of(agent);
    requests[1].last_message()[0]["content"].to_string()
}

#[test]
fn unsaved_text_is_what_the_worker_s_model_reads_and_edits_and_its_save_is_waited_for() {
    let looks = Reply::tool("read_file", json!({ "path": FILE }));
    let first = script();
    let script = Script::new().by(move |request| {
        // The task looks at the file before it does what the script says.
        let mut later = request.clone();
        if request.agent == "implement/T1" {
            let Some(turn) = request.turn.checked_sub(1) else { return Some(looks.clone()) };
            later.turn = turn;
        }
        first.reply(&later)
    });
    let Some(lab) = Lab::new(Session::new(GREETING), script, 1) else { return };
    let session = &lab.coordinator.session;
    let saved = session.text(FILE);
    let typed = format!("//! Mine.\n{saved}");
    let mut client = editor(&lab);
    client.open_file(FILE);
    client.replace_document(FILE, &typed);
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    let waits = client.wait_for_message();
    assert_eq!(message_text(&waits), format!("Baton: T1 waits for you to save {FILE}, and goes on then."));
    assert_eq!(session.text(FILE), saved, "nothing is written under what is being typed");
    for agent in ["context", "implement/T1"] {
        let read = first_answer(&lab, agent);
        assert!(read.contains("//! Mine."), "{agent}: {read}");
    }
    session.write(FILE, &typed);
    client.save_document(FILE);
    let shown = client.wait_for_run_end(&run);
    assert_eq!(shown.last_message["type"], 3, "{}", shown.last_message);
    let done = session.text(FILE);
    assert!(done.starts_with("//! Mine.\npub fn greet(name: &str)"), "{done}");
    assert_eq!(lab.api.requests_of("implement/T1").len(), 3, "saved as it was read, it is what the task built on");
    assert_eq!(client.execute("baton.status", &[]).expect("a status")["outcome"], "merged");
    assert_eq!(client.quit(), Some(0));
    assert!(lab.unused.requests().is_empty(), "the server asks no model of its own");
}
