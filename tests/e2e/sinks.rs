//! Events leave for the user's sinks: all of them, in order, and nothing of a run waits for one that is slow, down or refuses.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::support::greeting::{GREETING, TASK, script};
use crate::support::lsp_client::message_text;
use crate::support::messages_api::MessagesApi;
use crate::support::ports::free_port;
use crate::support::session::{Baton, Session};
use crate::support::wait::wait_until;
use crate::support::web_hook::{Answer, WebHook};

/// A run of the greeting to its end, which sends to this sink.
fn run_to(session: &Session, api: &MessagesApi, sink: &str) -> Baton {
    let run = session.baton(["run", "--task", TASK, "--auto-approve", "--json"]).api(api);
    run.env("BATON_SINKS", sink).env("BATON_RETRY_BASE", "20ms")
}

fn flush(session: &Session, sink: &str) -> Baton {
    session.baton(["events", "--flush"]).env("BATON_SINKS", sink)
}

/// The events of all runs, oldest first.
fn all_events(session: &Session) -> Vec<Value> {
    session.runs().iter().flat_map(|run| session.events_of(run)).collect()
}

/// The events without those that came before, by their ids.
fn deduplicated(events: Vec<Value>) -> Vec<Value> {
    let mut seen = BTreeSet::new();
    events.into_iter().filter(|event| seen.insert(format!("{}:{}", event["run"], event["seq"]))).collect()
}

fn notices(session: &Session, words: &str) -> usize {
    all_events(session)
        .iter()
        .filter(|event| event["message"].as_str().is_some_and(|text| text.contains(words)))
        .count()
}

#[test]
fn a_web_server_gets_every_event_once_in_order_and_signed() {
    let (session, api, hook) = (Session::new(GREETING), MessagesApi::start(script()), WebHook::start([]));
    session.write_user_config(&format!("[[sinks]]\nurl = \"{}\"\n", hook.url()));
    let run = session.baton(["run", "--task", TASK, "--auto-approve", "--json"]).api(&api);
    run.env("BATON_SINK_KEY", "bus-secret").run().expect(0);
    let events = session.events_of(&session.runs()[0]);
    assert_eq!(hook.taken(), events);
    assert_eq!(events.last().unwrap()["outcome"], "merged", "the end is among them");
    assert!(events.iter().all(|event| event["workflow"] == json!(session.runs()[0])));
    for (posted, event) in hook.posted().iter().zip(&events) {
        assert_eq!(posted.headers["baton-event-id"], format!("{}:{}", session.runs()[0], event["seq"]));
        assert_eq!(posted.headers["content-type"], "application/json");
        let mut mac = Hmac::<Sha256>::new_from_slice(b"bus-secret").unwrap();
        mac.update(posted.body.as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(posted.headers["baton-signature"], format!("sha256={hex}"));
    }
    let done = session.baton(["events", "--flush"]).run().expect(0);
    done.prints("has everything already");
}

#[test]
fn what_fails_for_a_while_comes_later_in_the_same_order() {
    use Answer::{Close, Status};
    let answers = [Status(500), Status(200), Close, Status(429), Status(200), Status(503), Status(408), Status(425)];
    let (session, api, hook) = (Session::new(GREETING), MessagesApi::start(script()), WebHook::start(answers));
    run_to(&session, &api, &hook.url()).run().expect(0);
    assert_eq!(hook.taken(), all_events(&session));
    assert_eq!(hook.posted().len(), hook.taken().len() + 6);
    assert_eq!(notices(&session, &format!("Events do not reach {}: it answers 500", hook.shown())), 1);
}

#[test]
fn a_refusal_is_told_once_stops_the_sink_for_the_run_and_loses_nothing() {
    let (session, api, hook) = (Session::new(GREETING), MessagesApi::start(script()), WebHook::start([]));
    hook.then(Answer::Status(401));
    let sink = hook.url().replace("127.0.0.1", "me:user-secret@127.0.0.1");
    let done = run_to(&session, &api, &sink).run().expect(0);
    assert_eq!(hook.posted().len(), 1, "nothing more is sent");
    assert_eq!(notices(&session, "takes no events: it answers 401 Unauthorized; look at its credentials"), 1);
    for text in [&done.stdout, &done.stderr, &all_events(&session).iter().map(Value::to_string).collect()] {
        assert!(!text.contains("user-secret") && !text.contains("path-secret"), "{text}");
    }
    let done = flush(&session, &sink).run().expect(5);
    done.reports("takes none: it answers 401");
    hook.then(Answer::Status(200));
    flush(&session, &sink).run().expect(0).prints(&format!(
        "{}: took {} events",
        hook.shown(),
        all_events(&session).len()
    ));
    assert_eq!(hook.taken(), all_events(&session));
}

#[test]
fn a_sink_that_is_down_delays_nothing_and_is_caught_up_with_by_the_next_run() {
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let port = free_port();
    let sink = format!("http://127.0.0.1:{port}/hook/path-secret");
    let (run, began) = (run_to(&session, &api, &sink).env("BATON_RETRY_BASE", "1h"), Instant::now());
    run.run().expect(0);
    // Its next attempt is an hour away.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(notices(&session, "Events do not reach"), 1);
    session.baton(["reset"]).run().expect(0);
    session.write("src/lib.rs", GREETING.trim_start_matches("//- /src/lib.rs\n"));
    let hook = WebHook::on(port, []);
    run_to(&session, &api, &sink).run().expect(0);
    assert_eq!(session.runs().len(), 2);
    assert_eq!(hook.taken(), all_events(&session), "the first run's come first");
}

#[test]
fn a_slow_sink_delays_the_end_by_seconds_at_most_and_the_rest_is_left_for_a_flush() {
    let (session, api, hook) = (Session::new(GREETING), MessagesApi::start(script()), WebHook::start([]));
    hook.then(Answer::After(Duration::from_secs(20)));
    let began = Instant::now();
    let done = run_to(&session, &api, &hook.url()).run().expect(0);
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    done.reports(&format!("have not reached {} yet: it was too slow", hook.shown()));
    hook.then(Answer::Status(200));
    flush(&session, &hook.url()).run().expect(0);
    assert_eq!(deduplicated(hook.taken()), all_events(&session));
}

#[test]
fn after_a_kill_nothing_is_lost_and_what_comes_twice_has_the_same_id() {
    let api = MessagesApi::start(script().stall_once(&("plan", 0).into()));
    let (session, hook) = (Session::new(GREETING), WebHook::start([]));
    let running = run_to(&session, &api, &hook.url()).start();
    api.wait_for_request("plan");
    wait_until("an event to be taken", || !hook.taken().is_empty());
    running.kill();
    run_to(&session, &api, &hook.url()).run().expect(0);
    assert_eq!(session.runs().len(), 2);
    let events = all_events(&session);
    assert_eq!(deduplicated(hook.taken()), events);
    let workflow = &events[0]["run"];
    assert!(events.iter().all(|event| event["workflow"] == *workflow), "both runs are of one workflow");
}

#[test]
fn a_command_reads_events_as_lines_and_has_no_keys() {
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let told = session.path("../told.jsonl");
    let env = session.path("../env");
    let command = format!("cat >> {}; env > {}", told.display(), env.display());
    session.write_user_config(&format!("[[sinks]]\nurl = \"exec: {command}\"\n"));
    let run = session.baton(["run", "--task", TASK, "--auto-approve"]).api(&api);
    run.env("BATON_SINK_KEY", "bus-secret").run().expect(0);
    let lines: Vec<Value> =
        session.text("../told.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, all_events(&session));
    let env = session.text("../env");
    assert!(env.contains("PATH=") && !env.contains("bus-secret") && !env.contains("_API_KEY"), "{env}");
}

#[test]
fn a_workspace_names_no_sink_and_a_run_without_one_leaves_no_trace() {
    let session = Session::new(GREETING);
    session.write("baton.toml", "# ours\n[[sinks]]\nurl = \"http://evil.example/hunter2\"\n");
    let api = MessagesApi::start(script());
    let done = session.baton(["run", "--task", TASK, "--auto-approve"]).api(&api).run().expect(2);
    let done = done.reports("baton.toml:2:1: sinks cannot be set here: this file comes with the workspace");
    assert!(!done.stderr.contains("evil.example"), "{}", done.stderr);
    session.write("baton.toml", "");
    let done = run_to(&session, &api, "http://events.example.org/hunter2 exec:a exec").run().expect(2);
    let done = done.reports("BATON_SINKS: sinks.url holds something that is no address of a sink");
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    let done = run_to(&session, &api, "http://me:hunter2@events.example.org/hunter2").run().expect(2);
    let done = done.reports("sinks has http://events.example.org/…, where anyone on the way could read");
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    session.baton(["run", "--task", TASK, "--auto-approve"]).api(&api).run().expect(0);
    assert!(!session.exists(".agent_memory/sinks"));
    session.baton(["events", "--flush"]).run().expect(2).reports("no sinks are set");
}

#[test]
fn doctor_names_sinks_without_their_secrets_and_says_whether_they_answer() {
    let (session, api, hook) = (Session::new(GREETING), MessagesApi::start(script()), WebHook::start([]));
    let down = free_port();
    let sinks = format!("{} http://me:user-secret@127.0.0.1:{down}/x exec:/bin/true", hook.url());
    let done = session.baton(["doctor"]).api(&api).env("BATON_SINKS", sinks).run().expect(0);
    let done = done.prints(&format!("{} answers", hook.shown())).prints("exec:/bin/true is run when there are events");
    let done = done.prints(&format!("http://127.0.0.1:{down}/…"));
    assert!(!done.stdout.contains("secret"), "{}", done.stdout);
    assert!(done.stdout.contains("does not answer"), "{}", done.stdout);
}

#[cfg(not(feature = "nats"))]
#[test]
fn without_nats_an_address_of_it_is_refused_before_anything_begins() {
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    let sink = "nats://me:user-secret@127.0.0.1:4222";
    let done = run_to(&session, &api, sink).run().expect(2);
    let done = done.reports("names a NATS server, and this baton was built without NATS; releases have it");
    assert!(!done.stderr.contains("user-secret"), "{}", done.stderr);
}

#[test]
fn in_an_editor_a_sink_that_is_down_is_a_message_and_delays_nothing() {
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    session.write_user_config("[[sinks]]\nurl = \"http://127.0.0.1:1/path-secret\"\n");
    let mut client = session.lsp_client(&api);
    let began = Instant::now();
    let run = client.start_workflow(json!({ "task": TASK, "approval": "auto" }));
    let message = client.wait_for_message();
    let expected = "Baton: Events do not reach http://127.0.0.1:1/…: Connection refused";
    assert!(message_text(&message).starts_with(expected), "{message}");
    assert_eq!(message["params"]["type"], 2);
    let end = client.wait_for_run_end(&run);
    assert!(end.last_text().starts_with("Baton: Approved by reading"), "{}", end.last_text());
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(notices(&session, "Events do not reach"), 1, "it is said once");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn in_an_editor_a_sink_that_is_silent_delays_only_the_end_and_for_seconds() {
    let (session, api) = (Session::new(GREETING), MessagesApi::start(script()));
    // Connections are made, and nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let shown = format!("http://{}", silent.local_addr().unwrap());
    session.write_user_config(&format!("[[sinks]]\nurl = \"{shown}\"\n"));
    let mut client = session.lsp_client(&api);
    let began = Instant::now();
    let (run, question) = client.run_to_gate(TASK);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let approved = Instant::now();
    client.answer(&question, json!({ "title": "Approve" }));
    let message = client.wait_for_message();
    let text = message_text(&message);
    assert!(text.contains(&format!("have not reached {shown} yet: it was too slow for the end of the run")), "{text}");
    client.wait_for_run_end(&run);
    assert!(approved.elapsed() < Duration::from_secs(20), "{:?}", approved.elapsed());
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn a_run_with_events_that_were_not_taken_stays_for_a_week() {
    let (session, api, hook) = (Session::new(GREETING), MessagesApi::start(script()), WebHook::start([]));
    hook.then(Answer::Status(403));
    for _ in 0..2 {
        run_to(&session, &api, &hook.url()).env("BATON_KEEP_RUNS", "1").run().expect(0);
        session.baton(["reset"]).run().expect(0);
        session.write("src/lib.rs", GREETING.trim_start_matches("//- /src/lib.rs\n"));
    }
    let first = session.runs()[0].clone();
    let clean = || session.baton(["clean"]).env("BATON_KEEP_RUNS", "1").run().expect(0);
    clean().prints(&format!("1 run stays, up to {first}: a sink has not taken all their events yet"));
    hook.then(Answer::Status(200));
    flush(&session, &hook.url()).run().expect(0);
    clean().prints(&format!("Removed 1 run, up to {first}"));
}
