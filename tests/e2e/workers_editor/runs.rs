//! A workflow from its start in the editor to its end.

use std::time::Duration;

use serde_json::json;

use super::editor;
use crate::support::greeting::{GREETING, TASK, script};
use crate::support::messages_api::Script;
use crate::support::session::Session;
use crate::support::wait::wait_until;
use crate::workers::Lab;

/// The greeting, each turn of which takes a moment: of what passes at once, a reader is told of the last alone.
fn slowly() -> Script {
    let script = script();
    Script::new().by(move |request| Some(script.reply(request)?.after(Duration::from_millis(1500))))
}

#[test]
fn a_task_goes_from_the_editor_through_workers_to_its_review() {
    let Some(lab) = Lab::new(Session::new(GREETING), slowly(), 1) else { return };
    let session = &lab.coordinator.session;
    let mut client = editor(&lab);
    let (run, gate) = client.run_to_gate(TASK);
    assert!(session.text("src/lib.rs").contains("greet()"), "nothing is written before the answer");
    client.answer(&gate, json!({ "title": "Approve" }));
    let shown = client.wait_for_run_end(&run);

    assert_eq!(shown.last_message["type"], 3, "{}", shown.last_message);
    assert!(shown.last_text().starts_with("Baton: Approved by reading; no check ran."), "{}", shown.last_text());
    assert!(session.text("src/lib.rs").contains("greet(name: &str)"));
    let said: Vec<&str> = shown.progress.iter().filter_map(|value| value["message"].as_str()).collect();
    let is_told = |phase: &str| said.iter().any(|said| said.starts_with(phase) && said.contains("at worker "));
    for phase in ["implement T1: ", "review: "] {
        assert!(is_told(phase), "{phase}{said:#?}");
    }
    let published = shown.published(&session.uri("src/lib.rs")).expect("the review is shown");
    let issue = &published["diagnostics"][0];
    let range = json!({ "start": { "line": 1, "character": 4 }, "end": { "line": 1, "character": 27 } });
    assert_eq!((&issue["code"], &issue["range"]), (&json!("review.minor"), &range), "the quote decides the line");
    let status = client.execute("baton.status", &[]).expect("a status");
    assert_eq!((&status["run"], &status["outcome"]), (&json!(run), &json!("merged")));
    assert_eq!(client.quit(), Some(0));

    assert!(lab.unused.requests().is_empty(), "the server asks no model of its own");
    assert_eq!(lab.api.requests().len(), 6, "each turn once");
}

/// Stopped in the editor, the worker stops too, and the next run goes on.
#[test]
fn a_cancel_in_the_editor_reaches_the_worker() {
    let thinking = Duration::from_secs(2);
    let script = script();
    let slow = Script::new().by(move |request| {
        let reply = script.reply(request)?;
        Some(if request.agent == "plan" { reply.after(thinking) } else { reply })
    });
    let Some(lab) = Lab::new(Session::new(GREETING), slow, 1) else { return };
    let mut client = editor(&lab);
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    lab.api.wait_for_request("plan");
    assert_eq!(client.execute("baton.cancel", &[]), Ok(json!({ "run": run })));
    let shown = client.wait_for_run_end(&run);
    assert!(shown.last_text().starts_with("Baton: Stopped in plan."), "{}", shown.last_text());
    wait_until("the worker to say so", || lab.worker_log(0).contains("plan: cancelled by its coordinator"));
    let run = client.start_workflow(json!({ "approval": "auto" }));
    let shown = client.wait_for_run_end(&run);
    assert_eq!(shown.last_message["type"], 3, "{}", shown.last_message);
    let turns: Vec<usize> = lab.api.requests_of("context").iter().map(|request| request.turn).collect();
    assert_eq!(turns, [0, 1], "what was done is not done again");
    assert_eq!(client.execute("baton.status", &[]).expect("a status")["outcome"], "merged");
    assert_eq!(client.quit(), Some(0));
}
