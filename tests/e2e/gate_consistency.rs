//! One gate in every face: the plan that is shown is the plan that is approved, and a plan that cannot be shown waits
//! until it is repaired.
#![cfg(unix)]

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::greeting::{GREETING, TASK};
use crate::support::lsp_client::{LspClient, message_text};
use crate::support::messages_api::{Fault, MessagesApi, Script};
use crate::support::replies::{but, context, goes_well, own, plan, task, with, workspace};
use crate::support::session::Session;
use crate::support::terminal::Terminal;

const PLAN: &str = ".agent_memory/plan.json";
const PROMPT: &str = "then Enter > ";

/// Two good tasks, and one that writes a protected file and one that runs when the project is built.
fn delicate() -> Script {
    let files = json!({ "files_to_create": [".npmrc", "build.rs"] });
    Script::new()
        .on("context", [context(&["src/lib.rs"])])
        .on("plan", [plan(&[&[with(task("T1"), files)]])])
        .on("implement/T1", [])
}

fn at_the_gate() -> (Session, MessagesApi) {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(goes_well(&[&[own("T1"), own("T2")]]));
    session.run(&api, ["--task", "Do it"]).expect(3);
    (session, api)
}

fn status(session: &Session) -> Value {
    session.baton(["status", "--json"]).run().expect(0).json()
}

/// Texts that are no plan: what somebody may leave behind at the gate.
fn broken(good: &str) -> [Vec<u8>; 5] {
    [
        good.replacen("\"simple\"", "\"bogus\"", 1).into(),
        good[..good.len() / 2].into(),
        Vec::new(),
        b"caf\xe9".to_vec(),
        good.replacen("\"T2\"", "\"T1\"", 1).into(),
    ]
}

#[test]
fn a_broken_plan_can_be_viewed_rejected_and_planned_again_and_not_approved() {
    let (session, api) = at_the_gate();
    let good = session.text(PLAN);
    for text in broken(&good) {
        session.write(PLAN, &text);
        let reported = status(&session);
        assert_eq!(
            (&reported["gate"], &reported["next"], &reported["outcome"]),
            (&Value::Null, &json!("gate"), &json!("waiting"))
        );
        let fault = &reported["faults"][0];
        assert_eq!(fault["file"], PLAN);
        let place = format!("{PLAN}:{}:{}: ", fault["line"], fault["column"]);
        session.baton(["status"]).run().expect(0).prints(&place).prints("until that is fixed.");
        session.baton(["approve"]).run().expect(1).reports(&place);
        session.run(&api, []).expect(3).prints(&place);
        assert!(!session.exists(".agent_memory/approval.json"));
        session.baton(["reject"]).run().expect(0).prints("Rejected plan; nothing was written.");
        assert_eq!(status(&session)["outcome"], "rejected");
        session.run(&api, []).expect(4);
        // The rejection is of these bytes alone.
        session.write(PLAN, &good);
        assert_eq!(status(&session)["next"], "gate");
        fs::remove_file(session.path(".agent_memory/approval.json")).expect("a rejection");
        assert_eq!(fs::read(session.path(PLAN)).expect("a plan"), good.as_bytes());
    }
    session.write(PLAN, &broken(&good)[0]);
    let asked = api.requests_of("plan").len();
    session.baton(["plan", "--feedback", "Keep it small"]).api(&api).run();
    let reported = api.requests_of("plan")[asked].first_message();
    assert!(reported.contains("Keep it small") && reported.contains("bogus"), "{reported}");
    assert_eq!(session.handoff("plan.json")["plan_version"], 2);
    assert!(session.text(".agent_memory/history/0001-revise/plan.json").contains("bogus"), "nothing is lost");
}

#[test]
fn the_status_of_an_answered_plan_does_not_say_that_it_waits() {
    let (session, _api) = at_the_gate();
    for (answer, message) in [("approve", "Approved"), ("reject", "Rejected")] {
        session.baton([answer]).run().expect(0);
        let phase = &status(&session)["phases"][1];
        assert_eq!((&phase["status"], &phase["message"]), (&json!("done"), &json!(message)));
    }
}

#[test]
fn other_broken_files_do_not_hide_where_the_workflow_stands() {
    let (session, _api) = at_the_gate();
    session.write(".agent_memory/context.json", "{");
    let reported = status(&session);
    assert_eq!(
        (&reported["next"], &reported["faults"][0]["file"]),
        (&json!("none"), &json!(".agent_memory/context.json"))
    );
    assert_eq!(reported["task"], "Do it");
    session.baton(["status"]).run().expect(0).prints(".agent_memory/context.json:1:");
}

#[test]
fn a_gate_whose_plan_is_broken_by_another_program_shows_it_and_opens_when_it_is_repaired() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(goes_well(&[&[own("T1"), own("T2")]]));
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["run", "--task", "Do it"]).api(&api));
    terminal.wait_for(PROMPT);
    let good = session.text(PLAN);
    for text in broken(&good) {
        session.write(PLAN, text);
        terminal.wait_for(&format!("{PLAN}:"));
        terminal.wait_for(PROMPT);
    }
    // A new plan would cost, so none is made without being asked for.
    fs::remove_file(session.path(PLAN)).expect("a plan");
    terminal.wait_for(&format!("{PLAN} is gone"));
    session.write(PLAN, good.replace("The title of T2", "A better title"));
    terminal.wait_for("A better title");
    terminal.wait_for(PROMPT);
    assert_eq!(api.requests_of("plan").len(), 1, "it is not planned again");
    session.write(PLAN, "[]");
    terminal.wait_for("cannot be shown before that is fixed");
    session.baton(["reject"]).run().expect(0);
    terminal.wait_for("The plan was rejected");
    running.wait().expect(4);
}

#[test]
fn a_plan_that_became_a_pipe_a_folder_or_too_large_waits_for_what_it_is_and_can_be_rejected() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(goes_well(&[&[own("T1"), own("T2")]]));
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["run", "--task", "Do it"]).api(&api));
    terminal.wait_for(PROMPT);
    let good = session.text(PLAN);
    let path = session.path(PLAN);
    fs::remove_file(&path).expect("a plan");
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).expect("a pipe");
    terminal.wait_for(&format!("{PLAN}:1:1"));
    terminal.wait_for(PROMPT);
    fs::remove_file(&path).expect("a pipe");
    fs::create_dir(&path).expect("a folder");
    terminal.wait_for(&format!("{PLAN}:1:1"));
    terminal.wait_for(PROMPT);
    fs::remove_dir(&path).expect("a folder");
    session.write(PLAN, &good);
    terminal.wait_for("The title of T2");
    terminal.wait_for(PROMPT);
    fs::File::create(&path).and_then(|file| file.set_len(100 << 20)).expect("a large file");
    terminal.wait_for(&format!("{PLAN}:1:1"));
    terminal.wait_for(PROMPT);
    session.baton(["reject"]).run().expect(0);
    terminal.wait_for("The plan was rejected; nothing was written.");
    running.wait().expect(4);
}

#[test]
fn a_file_that_a_plan_missed_repairs_it_by_appearing() {
    let (session, api) = at_the_gate();
    fs::rename(session.path("src/t2.rs"), session.path("elsewhere")).expect("a file");
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["run"]).api(&api));
    terminal.wait_for("src/t2.rs does not exist");
    terminal.wait_for(PROMPT);
    fs::rename(session.path("elsewhere"), session.path("src/t2.rs")).expect("a file");
    terminal.wait_for("The title of T2");
    terminal.wait_for(PROMPT);
    terminal.type_line("a");
    running.wait().expect(0);
}

#[test]
fn an_approval_names_the_plan_it_is_for() {
    let (session, api) = at_the_gate();
    let shown = status(&session)["gate"]["plan_sha256"].as_str().expect("a hash").to_owned();
    session.baton(["status"]).run().expect(0).prints(&shown);
    let good = session.text(PLAN);
    session.write(PLAN, good.replace("The title of T2", "Another title"));
    session.baton(["approve", "--plan", &shown]).run().expect(2).reports("plan.json changed since that plan was shown");
    assert!(!session.exists(".agent_memory/approval.json"));
    session.baton(["approve", "--plan", "abc"]).run().expect(2).reports("64 hex digits");
    session.write(PLAN, &good);
    session.baton(["approve", "--plan", &shown.to_uppercase()]).run().expect(0).prints("Approved plan version 1");
    session.run(&api, []).expect(0);
}

/// A client of Baton's own.
fn client_with_gate(session: &Session, api: &MessagesApi) -> LspClient {
    session.lsp_client_with(api, &json!({ "baton": { "phase": true, "gate": true } }))
}

fn reject_and_leave(client: &mut LspClient, session: &Session) {
    session.baton(["reject"]).run().expect(0);
    client.wait_for_outcome("rejected");
    client.wait_for_message();
    client.disconnect();
}

#[test]
fn the_status_shows_what_the_live_gate_shows_also_after_a_restart() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(delicate());
    let mut client = client_with_gate(&session, &api);
    client.start_workflow(json!({ "task": TASK }));
    let live = client.wait_for_phase("plan", "waiting")["gate"].take();
    assert_eq!(live["protected"], json!([{ "path": ".npmrc", "task": "T1", "never": false }]));
    let flagged =
        json!([{ "path": "build.rs", "task": "T1", "reason": "Cargo runs what it holds or names when you build" }]);
    assert!(live["flagged"].as_array().expect("a list").contains(&flagged[0]), "{live}");
    let ceiling = live["estimate"]["ceiling"]["usd"].as_f64().expect("dollars");
    let high = live["estimate"]["high"]["usd"].as_f64().expect("dollars");
    assert!(high > 0.0 && ceiling > 4.0 && ceiling < 5.0, "{}", live["estimate"]);
    assert_eq!((&live["questions"], &live["checks"]), (&json!([]), &json!([])));
    assert_eq!(live["models"][2]["tier"], "powerful");
    let markdown = live["markdown"].as_str().expect("a text");
    for words in ["**protected**", "`.npmrc` (T1)", "`build.rs` (T1)", "to implement and review: about $"] {
        assert!(markdown.contains(words), "{words}: {markdown}");
    }
    assert_eq!(session.text(".agent_memory/plan.md"), markdown);
    let same = |status: &Value| {
        for (field, shown) in status["gate"].as_object().expect("a gate") {
            assert_eq!(*shown, live[field], "{field}");
        }
        assert_eq!(status["usage"], live["usage"]);
    };
    same(&client.execute("baton.status", &[]).expect("a status"));
    client.disconnect();
    let mut client = client_with_gate(&session, &api);
    client.wait_for_message();
    same(&client.execute("baton.status", &[]).expect("a status"));
    fs::remove_file(session.path(".agent_memory/plan.md")).expect("a file");
    client.execute("baton.openPlan", &[]).expect("it is opened");
    let opened = client.wait_for("window/showDocument");
    client.answer(&opened, json!({ "success": true }));
    assert_eq!(session.text(".agent_memory/plan.md"), markdown);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn another_plan_than_the_shown_one_is_not_approved_nor_one_with_unsaved_changes() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(delicate());
    let mut client = client_with_gate(&session, &api);
    client.start_workflow(json!({ "task": TASK }));
    let shown = client.wait_for_phase("plan", "waiting")["gate"]["plan_sha256"].clone();
    let uri = session.uri(PLAN);
    let refused = |error: Value, kind: &str| {
        assert_eq!((&error["code"], &error["data"]), (&json!(-32803), &json!({ "kind": kind, "uri": uri })), "{error}");
        assert!(!session.exists(".agent_memory/approval.json"));
    };
    let good = session.text(PLAN);
    client.open_file(PLAN);
    let edited = good.replace("The title of T1", "Another title");
    client.replace_document(PLAN, &edited);
    let approve = json!({ "planSha256": shown });
    refused(client.execute("baton.approve", std::slice::from_ref(&approve)).expect_err("it is not saved"), "unsaved");
    refused(client.execute("baton.approve", &[]).expect_err("it is not saved"), "unsaved");
    session.write(PLAN, edited);
    client.save_document(PLAN);
    refused(client.execute("baton.approve", &[approve]).expect_err("it is another plan"), "stale_plan");
    // The waiting event comes again, with the plan as it is now.
    let now = client.wait_for_phase("plan", "waiting")["gate"].take();
    assert!(now["markdown"].as_str().is_some_and(|text| text.contains("Another title")));
    assert_ne!(now["plan_sha256"], shown);
    let lenses = client.request("textDocument/codeLens", json!({ "textDocument": { "uri": uri } }));
    let lenses = client.response(lenses).expect("lenses");
    assert_eq!(lenses[0]["command"]["arguments"], json!([{ "planSha256": now["plan_sha256"] }]));
    reject_and_leave(&mut client, &session);
}

#[test]
fn a_plan_broken_at_the_live_gate_is_a_diagnostic_and_asked_about_once_it_is_repaired() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(delicate());
    let mut client = client_with_gate(&session, &api);
    let run = client.start_workflow(json!({ "task": TASK }));
    client.wait_for_phase("plan", "waiting");
    let good = session.text(PLAN);
    session.write(PLAN, good.replacen("\"simple\"", "\"bogus\"", 1));
    let event = client.wait_for_phase("plan", "waiting");
    assert!(
        event.get("gate").is_none() && event["message"].as_str().is_some_and(|text| text.contains("bogus")),
        "{event}"
    );
    let message = client.wait_for_message();
    assert!(message_text(&message).contains("\"bogus\""), "{message}");
    let shown =
        client.wait_for_diagnostics(&session.uri(PLAN), |shown| shown.iter().any(|fault| fault["code"] == "schema"));
    assert!(shown["diagnostics"].to_string().contains("bogus"), "{shown}");
    let status = client.execute("baton.status", &[]).expect("a status");
    assert_eq!((&status["run"], &status["gate"], &status["outcome"]), (&json!(run), &Value::Null, &Value::Null));
    assert_eq!((&status["phases"][1]["status"], &status["faults"][0]["code"]), (&json!("waiting"), &json!("schema")));
    let refused = client.execute("baton.approve", &[]).expect_err("it is faulty");
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("bogus")), "{refused}");
    session.write(PLAN, &good);
    assert!(client.wait_for_phase("plan", "waiting")["gate"].is_object());
    assert_eq!(api.requests_of("plan").len(), 1);
    reject_and_leave(&mut client, &session);
}

#[test]
fn a_plan_broken_at_the_live_gate_is_rejected_by_command() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(but(delicate(), &[]));
    let mut client = session.lsp_client(&api);
    let (run, question) = client.run_to_gate(TASK);
    session.write(PLAN, "{");
    client.wait_for_withdrawal(&question);
    client.wait_for_message();
    client.answer(&question, json!({ "title": "Approve" }));
    assert_eq!(client.execute("baton.reject", &[]), Ok(json!({ "plan_version": null })));
    client.wait_for_run_end(&run);
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_server_ends_soon_after_its_editor_though_something_holds_the_connection() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(delicate().fault("context", [Fault::Silence]));
    let mut editor = Command::new("sleep").arg("600").stdout(Stdio::null()).spawn().expect("a process");
    let mut client = session.language_server(&api);
    let mut params = session.initialize_params();
    params["processId"] = json!(editor.id());
    client.initialize(params);
    let run = client.start_workflow(json!({ "task": TASK }));
    api.wait_for_request("context");
    // It is not waited for: a zombie counts as ended.
    editor.kill().expect("a child of ours");
    let killed = Instant::now();
    assert_eq!(client.wait_for_exit(), Some(1));
    assert!(killed.elapsed() < Duration::from_secs(10), "{:?}", killed.elapsed());
    client.disconnect();
    editor.wait().expect("a child of ours");
    let events = session.events_of(&run);
    let last = events.last().expect("events");
    assert_eq!((&last["phase"], &last["status"]), (&json!("workflow"), &json!("cancelled")));
}

#[test]
fn a_process_that_cannot_be_seen_from_here_ends_no_server() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(delicate());
    // No system of ours gives such a number.
    for pid in [json!(i32::MAX), json!(0), Value::Null] {
        let mut client = session.language_server(&api);
        let mut params = session.initialize_params();
        params["processId"] = pid;
        client.initialize(params);
        std::thread::sleep(Duration::from_millis(1500));
        let id = client.request("workspace/executeCommand", json!({ "command": "baton.status", "arguments": null }));
        assert_eq!(client.response(id), Ok(Value::Null), "no arguments, as some clients write it");
        assert_eq!(client.quit(), Some(0));
    }
}
