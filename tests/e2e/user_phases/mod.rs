//! A phase that the user's configuration adds with `[[phases]]`: a review for security, in the real binary.
#![cfg(unix)]

mod editor;
mod memory;
mod run;
mod settings;

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{but, findings, own, reads, review, workspace};
use crate::support::session::Session;

const AGENT: &str = "further/security";

/// A workspace of a user with the phase `security`.
fn session(tasks: usize) -> Session {
    let session = Session::new(&workspace(tasks));
    session.add_phase("security", "after = \"implement\"\ntier = \"fast\"");
    session
}

/// An issue at the line with this quote; the line that the model names is another one.
fn issue(severity: &str, quote: &str, description: &str) -> Value {
    json!({
        "severity": severity, "file": "src/t1.rs", "line": 1, "quote": quote, "description": description,
        "suggested_fix": "Check it.",
    })
}

/// The issue that the phase finds.
fn unchecked() -> Value {
    issue("major", "    1", "The number is not checked.")
}

/// What the phase does: it looks at a file, and finds these.
fn finds(summary: &str, issues: &[Value]) -> Vec<Reply> {
    vec![reads("src/t1.rs"), findings(summary, issues)]
}

/// One task that goes well, in which the phase finds an issue and the review approves.
fn script() -> Script {
    but(Script::new().on(AGENT, finds("One is open.", &[unchecked()])), &[&[own("T1")]])
}

/// The same with a first review that wants its issue fixed, and a second one that approves.
fn two_rounds() -> Script {
    use crate::support::replies::{approves, fixes};
    let wrong = issue("minor", "    1", "It is too low.");
    let script = Script::new()
        .rounds("implement/T1", [fixes("T1", 0, 1), fixes("T1", 1, 2)])
        .rounds(AGENT, [finds("One is open.", &[unchecked()]), finds("It is checked now.", &[])])
        .rounds("review", [vec![review("changes_requested", "fix_and_re_review", &[wrong])], vec![approves()]]);
    but(script, &[&[own("T1")]])
}

/// The workflow, to its end.
fn merged(session: &Session, script: Script) -> MessagesApi {
    let api = MessagesApi::start(script);
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    api
}

/// Where the phases stand, in their order: `security done: 1 issue`.
fn standing(session: &Session) -> Vec<String> {
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    let line = |phase: &Value| {
        let word = |name: &str| phase[name].as_str().unwrap_or_default().to_owned();
        format!("{} {}: {}", word("phase"), word("status"), word("message"))
    };
    status["phases"].as_array().into_iter().flatten().map(line).collect()
}

/// The entries of the history that hold `security.json`.
fn set_aside(session: &Session) -> Vec<String> {
    let holds = |entry: &String| session.exists(&session.memory(&format!("history/{entry}/security.json")));
    session.history().into_iter().filter(holds).collect()
}
