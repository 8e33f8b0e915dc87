//! Editors that know nothing of Baton: what they ask unasked, and what is asked there before something is taken away.
#![cfg(unix)]

use std::io::{Read, Write};
use std::process::Stdio;

use crate::support::greeting::{GREETING, TASK, script};
use crate::support::lsp_client::{LspClient, button_titles, message_text};
use crate::support::messages_api::MessagesApi;
use crate::support::session::Session;
use serde_json::{Value, json};

const FILE: &str = "src/lib.rs";

/// An editor without a plugin after a workflow that was merged.
fn merged(session: &Session, api: &MessagesApi) -> LspClient {
    let mut client = session.lsp_client_with(api, &Value::Null);
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    client.wait_for_run_end(&run);
    client
}

#[test]
fn a_rollback_asks_first_and_names_the_files() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let before = session.text(FILE);
    let mut client = merged(&session, &api);
    let after = session.text(FILE);
    for answer in [json!({ "title": "Cancel" }), Value::Null] {
        let done = client.execute("baton.rollback", &[]).expect("an answer");
        assert_eq!((&done["dry_run"], &done["files"][0]["outcome"]), (&json!(true), &json!("restored")));
        assert!(done["message"].as_str().is_some_and(|text| text.starts_with("Nothing was written.")), "{done}");
        let question = client.wait_for_question();
        let text = "Baton: undo what the workflow did to 1 file?\nsrc/lib.rs: restored, as it was before";
        assert_eq!((message_text(&question), button_titles(&question)), (text, vec!["Cancel", "Undo"]));
        client.answer(&question, answer.clone());
        if answer.is_null() {
            let said = client.wait_for_message();
            assert!(message_text(&said).contains("nothing was undone"), "{said}");
        }
        assert_eq!(session.text(FILE), after);
    }
    // An editor that cannot ask says so, and its user learns how to do it.
    client.execute("baton.rollback", &[]).expect("an answer");
    let question = client.wait_for_question();
    client.refuse(&question, json!({ "code": -32601, "message": "not found" }));
    let said = client.wait_for_message();
    assert!(message_text(&said).contains("{\"dryRun\": false}"), "{said}");
    assert_eq!(session.text(FILE), after);

    client.execute("baton.rollback", &[]).expect("an answer");
    let question = client.wait_for_question();
    client.answer(&question, json!({ "title": "Undo" }));
    let said = client.wait_for_message();
    assert!(message_text(&said).starts_with("Baton: Rolled back: 1 file."), "{said}");
    assert_eq!(session.text(FILE), before);

    client.execute("baton.rollback", &[json!({ "undo": true })]).expect("an answer");
    let question = client.wait_for_question();
    assert_eq!(button_titles(&question), ["Cancel", "Bring It Back"]);
    client.answer(&question, json!({ "title": "Bring It Back" }));
    let said = client.wait_for_message();
    assert!(message_text(&said).starts_with("Baton: The rollback was undone: 1 file."), "{said}");
    assert_eq!(session.text(FILE), after);

    // Said not to be a dry run, it is none, and nobody is asked.
    let done = client.execute("baton.rollback", &[json!({ "dryRun": false })]).expect("it is rolled back");
    assert_eq!((&done["dry_run"], session.text(FILE)), (&json!(false), before));
    client.wait_for_message();
    // What would change no file is no question.
    let done = client.execute("baton.rollback", &[]);
    assert!(done.as_ref().is_err() || done.as_ref().is_ok_and(|done| done["dry_run"] == true), "{done:?}");
    client.shut_down();
}

#[test]
fn a_reset_asks_before_a_plan_is_gone() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = merged(&session, &api);
    assert_eq!(client.execute("baton.reset", &[]), Ok(json!({ "moved": null })));
    let question = client.wait_for_question();
    assert_eq!(button_titles(&question), ["Cancel", "Start Over"]);
    assert!(message_text(&question).contains(TASK), "{question}");
    client.refuse(&question, json!({ "code": -32601, "message": "not found" }));
    let said = client.wait_for_message();
    assert!(message_text(&said).contains("was not set aside"), "{said}");
    assert!(session.exists(".agent_memory/plan.json"));

    client.execute("baton.reset", &[]).expect("an answer");
    let question = client.wait_for_question();
    client.answer(&question, json!({ "title": "Start Over" }));
    let said = client.wait_for_message();
    assert!(message_text(&said).contains("was set aside, to .agent_memory/history/"), "{said}");
    assert!(!session.exists(".agent_memory/plan.json"));
    // With nothing there to be lost, nobody is asked.
    assert_eq!(client.execute("baton.reset", &[]), Ok(json!({ "moved": null })));
    client.shut_down();
}

#[test]
fn a_question_is_withdrawn_by_a_run_that_starts() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut client = merged(&session, &api);
    client.execute("baton.rollback", &[]).expect("an answer");
    let question = client.wait_for_question();
    let started = client.execute("baton.review", &[]).expect("it starts");
    client.wait_for_withdrawal(&question);
    client.follow_to_end(&started);
    client.answer(&question, json!({ "title": "Undo" }));
    client.execute("baton.doctor", &[]).expect("an answer");
    client.wait_for_message();
    assert!(session.text(FILE).contains("greet(name: &str)"), "a late answer undoes nothing");
    client.shut_down();
}

/// What editors send to every server, whatever it advertises. Kate asks for symbols, eglot tells that it will save.
#[test]
fn what_an_editor_asks_unasked_is_answered_with_nothing_and_leaves_no_line_in_its_log() {
    let session = Session::new(GREETING);
    let document = json!({ "textDocument": { "uri": session.uri(FILE) } });
    let request = |id: u64, method: &str, params: &Value| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
    let tell = |method: &str, params: &Value| json!({ "jsonrpc": "2.0", "method": method, "params": params });
    let at = json!({ "textDocument": { "uri": session.uri(FILE) }, "position": { "line": 0, "character": 0 } });
    let messages = [
        request(1, "initialize", &json!({ "capabilities": {}, "rootUri": session.uri("") })),
        tell("initialized", &json!({})),
        request(2, "textDocument/documentSymbol", &document),
        request(3, "textDocument/documentHighlight", &at),
        request(4, "workspace/symbol", &json!({ "query": "" })),
        request(5, "textDocument/unheardOf", &document),
        tell("textDocument/willSave", &json!({ "textDocument": { "uri": session.uri(FILE) }, "reason": 1 })),
        tell("workspace/didChangeWatchedFiles", &json!({ "changes": [] })),
        tell("$/setTrace", &json!({ "value": "off" })),
        request(6, "shutdown", &Value::Null),
    ];
    let frame = |message: &Value| {
        let body = message.to_string();
        format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
    };
    let framed: Vec<u8> = messages.iter().flat_map(frame).collect();
    let mut command = session.baton(["lsp"]).into_command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut server = command.spawn().expect("the server starts");
    let (mut stdin, mut stdout) = (server.stdin.take().expect("a pipe"), server.stdout.take().expect("a pipe"));
    stdin.write_all(&framed).expect("it is read");
    // What is not answered yet when it is told to exit may never be.
    let (mut answers, mut some) = (Vec::new(), [0; 4096]);
    while (1..=6).any(|id| memchr::memmem::find(&answers, format!("\"id\":{id}").as_bytes()).is_none()) {
        let length = stdout.read(&mut some).expect("answers");
        assert_ne!(length, 0, "it ended: {}", String::from_utf8_lossy(&answers));
        answers.extend_from_slice(&some[..length]);
    }
    stdin.write_all(&frame(&tell("exit", &Value::Null))).expect("it is read");
    stdout.read_to_end(&mut answers).expect("its output");
    let output = server.wait_with_output().expect("its output");
    let (answers, log) = (String::from_utf8_lossy(&answers), String::from_utf8_lossy(&output.stderr));
    assert_eq!(log, "", "an editor shows this to its user");
    assert!(!answers.contains("window/logMessage") && !answers.contains("window/showMessage"), "{answers}");
    for id in 2..=4 {
        let nothing = [format!("\"id\":{id},\"result\":null"), format!("\"result\":null,\"id\":{id}")];
        assert!(nothing.iter().any(|nothing| answers.contains(nothing)), "{id}: {answers}");
    }
    assert!(answers.contains("-32601"), "what is no request of the protocol is refused: {answers}");
    assert_eq!(output.status.code(), Some(0));
}
