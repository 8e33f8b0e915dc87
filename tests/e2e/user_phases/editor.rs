//! The phase in an editor: its command, its progress, its issues, and what is wrong with its file.

use std::time::Duration;

use serde_json::{Value, json};

use super::{AGENT, finds, merged, script, session, unchecked};
use crate::support::messages_api::{MessagesApi, Script, agents};
use crate::support::replies::{but, own};

const TASK: &str = ".agent_memory/task.md";

#[test]
fn a_run_passes_through_it_and_its_issues_stand_at_their_lines() {
    let session = session(1);
    // Of phases that pass at once, a reader who is slow is told of the last alone: each takes its time.
    let script = but(Script::new().on(AGENT, finds("One is open.", &[unchecked()])), &[&[own("T1")]]);
    let api = MessagesApi::start(
        Script::new().by(move |request| Some(script.reply(request)?.after(Duration::from_millis(1500)))),
    );
    let mut editor = session.lsp_client(&api);
    let run = editor.start_workflow(json!({ "task": "Do it", "approval": "auto" }));
    let end = editor.wait_for_run_end(&run);
    let at = |words: &str| {
        let says = |value: &&Value| value["message"].as_str().is_some_and(|message| message.contains(words));
        let found = end.progress.iter().find(says).unwrap_or_else(|| panic!("{words}: {:#?}", end.progress));
        found["percentage"].as_u64().expect("a number")
    };
    let (implement, security, review) = (at("implement"), at("security"), at("review"));
    assert!(implement < security && security < review, "{:#?}", end.progress);
    editor.wait_for_lines("src/t1.rs", &["1: security.major: The number is not checked."]);
    let phase = editor.wait_for_code(TASK, "phase.security");
    assert_eq!(phase["message"], "The security phase is done. 1 issue");
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn its_command_is_advertised_and_runs_it_again() {
    let session = session(1);
    merged(&session, script());
    let again = Script::new().on(AGENT, finds("Nothing is open.", &[]));
    let api = MessagesApi::start(but(again, &[&[own("T1")]]));
    let mut editor = session.language_server(&api);
    let capabilities = editor.initialize(session.initialize_params());
    let commands = capabilities["executeCommandProvider"]["commands"].as_array().expect("commands").clone();
    assert!(commands.contains(&json!("baton.security")), "{commands:?}");
    editor.wait_for_lines("src/t1.rs", &["1: security.major: The number is not checked."]);
    let started = editor.execute("baton.security", &[]).expect("it starts");
    editor.follow_to_end(&started);
    assert_eq!(agents(&api.requests()), [AGENT]);
    editor.wait_for_lines("src/t1.rs", &[]);
    let status = editor.execute("baton.status", &[]).expect("a status");
    assert_eq!(status["phases"][3]["phase"], "security");
    let refused = editor.execute("baton.security", &[json!({ "task": "x" })]).expect_err("it takes nothing");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("it takes nothing")), "{refused}");
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn an_issue_of_it_is_dismissed_and_restored() {
    let session = session(1);
    let api = merged(&session, script());
    let mut editor = session.lsp_client(&api);
    let shown = editor.wait_for_lines("src/t1.rs", &["1: security.major: The number is not checked."]);
    let shown = &shown["diagnostics"][0];
    let params = json!({
        "textDocument": { "uri": editor.uri("src/t1.rs") }, "range": shown["range"],
        "context": { "diagnostics": [shown] },
    });
    editor.open_file("src/t1.rs");
    let id = editor.request("textDocument/codeAction", params);
    let offered = editor.response(id).expect("actions");
    let titles: Vec<&str> =
        offered.as_array().expect("a list").iter().filter_map(|one| one["title"].as_str()).collect();
    let of_change = ["Baton: keep this change", "Baton: undo this change", "Baton: why (T1)"];
    let of_issue = ["Baton: dismiss this issue", "Baton: open its task", "Baton: plan this"];
    assert_eq!(titles, [of_issue, of_change].concat());

    let id = shown["data"]["id"].clone();
    editor.execute("baton.dismissIssue", &[json!({ "id": id })]).expect("it is dismissed");
    editor.wait_for_lines("src/t1.rs", &[]);
    assert_eq!(session.handoff("dismissed.json")[0]["id"], id);
    editor.execute("baton.restoreIssue", &[json!({ "id": id })]).expect("it is restored");
    editor.wait_for_lines("src/t1.rs", &["1: security.major: The number is not checked."]);

    let missing = editor.execute("baton.dismissIssue", &[json!({ "id": "none" })]).expect_err("there is none");
    let text = missing["message"].as_str().expect("a text");
    let there_is = format!(
        "\"none\" is no issue of the review or of security; open are {} (src/t1.rs:2, found by security)",
        id.as_str().expect("an id")
    );
    assert_eq!(text, there_is);
    let fix = editor.execute("baton.fixIssue", &[json!({ "id": id })]).expect_err("only the review's are fixed");
    assert!(fix["message"].as_str().is_some_and(|text| text.contains("security")), "{fix}");
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn a_faulty_file_of_it_is_marked_at_its_place() {
    let session = session(1);
    let api = merged(&session, script());
    let file = ".agent_memory/security.json";
    let mut editor = session.lsp_client(&api);
    editor.wait_for_code(TASK, "phase.security");
    session.write(file, "{\n  \"summary\": \"s\",\n  \"issues\": [{ \"severity\": \"grave\" }]\n}\n");
    let is_there = |shown: &Value| shown["code"] == "schema" && shown["range"]["start"]["line"] == 2;
    editor.wait_for_diagnostics(&editor.uri(file), |shown| shown.iter().any(is_there));
    session.write(file, "{\n  \"summary\": \"s\"\n}\n");
    editor.wait_for_diagnostics(&editor.uri(file), <[Value]>::is_empty);
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn added_while_the_server_runs_it_is_there_without_a_restart() {
    let session = crate::support::session::Session::new(&crate::support::replies::workspace(1));
    let api = MessagesApi::start(script());
    let mut editor = session.lsp_client(&api);
    session.add_phase("security", "after = \"implement\"");
    let run = editor.start_workflow(json!({ "task": "Do it", "approval": "auto" }));
    editor.wait_for_run_end(&run);
    assert!(agents(&api.requests()).contains(&AGENT.to_owned()));
    editor.wait_for_lines("src/t1.rs", &["1: security.major: The number is not checked."]);
    assert_eq!(editor.quit(), Some(0));
}
