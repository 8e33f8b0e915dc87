//! `baton events` and `baton status --watch`: a run, and where a workflow stands, seen from another process.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::io::{BufRead, BufReader};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::greeting::{GREETING, TASK, script};
use crate::support::messages_api::{MessagesApi, Script};
use crate::support::session::Session;
use crate::support::terminal::Terminal;
use crate::support::wait::wait_for_exit;

/// How long something is waited for that must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A workspace, and models of which the implementer answers once it is let.
fn held() -> (Session, MessagesApi, Sender<()>) {
    let (open, opens) = channel::<()>();
    let opens = Arc::new(Mutex::new(opens));
    let script = script();
    let held = Script::new().by(move |request| {
        if request.agent == "implement/T1" && request.turn == 0 {
            // It ends as well when the test has dropped the other end.
            let _let = opens.lock().unwrap().recv_timeout(PATIENCE);
        }
        script.reply(request)
    });
    (Session::new(GREETING), MessagesApi::start(held), open)
}

const RUN: [&str; 3] = ["--task", TASK, "--auto-approve"];

fn next(lines: &Receiver<String>) -> Value {
    let line = lines.recv_timeout(PATIENCE).expect("a line");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

#[test]
fn the_events_of_a_run_at_work_are_followed_to_its_end() {
    let (session, api, open) = held();
    let running = session.start(&api, RUN);
    api.wait_for_request("implement/T1");
    let mut following = session.baton(["events", "--follow", "--json"]).start();
    let lines = following.lines();
    let mut seen = vec![next(&lines)];
    while seen.last().unwrap()["task"] != "T1" {
        seen.push(next(&lines));
    }
    assert_eq!(seen[0]["seq"], 1, "from the beginning");
    open.send(()).unwrap();
    running.wait().expect(0);
    following.wait().expect(0);
    seen.extend(lines.iter().map(|line| serde_json::from_str::<Value>(&line).unwrap()));
    let run = &session.runs()[0];
    let journaled = numbers(&session.events_of(run));
    assert_eq!(numbers(&seen), journaled);
    let last = session.baton(["events", "--json", &run[..12]]).run().expect(0);
    let all: Vec<Value> = last.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(numbers(&all), journaled);
    assert_eq!(all.last().unwrap()["outcome"], "merged");
    // One that has ended is printed, and there is nothing to wait for.
    let told = session.baton(["events", "--follow", run]).run().expect(0);
    let words = told.stdout.lines().next().unwrap_or_default().to_owned();
    assert!(words.starts_with(&format!("Run {run}, begun ")) && words.ends_with("times count from there"), "{words}");
    told.prints("  implement T1 started: Greet by name\n").prints("  workflow     finished: ");
}

fn numbers(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

#[test]
fn who_follows_before_there_is_a_run_waits_for_it() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    session.baton(["events"]).run().expect(2).reports("nothing has been run here yet");
    session.baton(["events", "--follow", "2026"]).run().expect(2).reports("nothing has been run here yet");
    let mut terminal = Terminal::of_columns(60);
    let following = terminal.start(session.baton(["events", "--follow"]));
    terminal.wait_for("No run is at work here: waiting for the next one");
    session.run(&api, RUN).expect(0);
    terminal.wait_for("implement T1 started: Greet by name");
    terminal.wait_for("finished: ");
    following.wait().expect(0);
    let shown = console::strip_ansi_codes(&String::from_utf8_lossy(&terminal.shown_at_end())).replace('\r', "");
    let widest = shown.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(60), "{shown}");
}

#[test]
fn a_killed_run_a_reader_who_leaves_and_ctrl_c_end_it_quietly() {
    let (session, api, _open) = held();
    let running = session.start(&api, RUN);
    api.wait_for_request("implement/T1");
    let follow = || session.baton(["events", "--follow", "--json"]);
    // The reader reads one line.
    let mut left = follow().into_command().spawn().expect("it starts");
    let mut out = BufReader::new(left.stdout.take().expect("a pipe"));
    out.read_line(&mut String::new()).expect("a line");
    drop(out);
    assert_eq!(wait_for_exit(&mut left, PATIENCE).and_then(|status| status.code()), Some(0));
    // Ctrl-C.
    let mut stopped = follow().start();
    let lines = stopped.lines();
    next(&lines);
    stopped.signal(Signal::INT);
    let done = stopped.wait().expect(130);
    assert_eq!(done.stderr, "");
    // A kill.
    let mut following = follow().start();
    let lines = following.lines();
    next(&lines);
    running.kill();
    following.wait().expect(0).reports("The run came to no end");
    drop(lines);
    let ids = session.baton(["events", "nope"]).run().expect(2);
    ids.reports("no run's id begins with nope; the last ones are").reports(&session.runs()[0]);
}

#[test]
fn each_new_status_is_one_line_of_json_or_a_block() {
    let (session, api, open) = held();
    let mut watching = session.baton(["status", "--watch", "--json"]).start();
    let lines = watching.lines();
    assert_eq!(next(&lines), Value::Null, "nothing has been run");
    let mut blocks = session.baton(["status", "--watch"]).start();
    let block_lines = blocks.lines();
    assert!(block_lines.recv_timeout(PATIENCE).unwrap().starts_with("--- 20"));
    assert!(block_lines.recv_timeout(PATIENCE).unwrap().starts_with("Nothing has been run here yet."));
    let running = session.start(&api, RUN);
    let is_at_work = |status: &Value| status["phases"][2]["status"] == "running";
    let mut seen = vec![next(&lines)];
    while !is_at_work(seen.last().unwrap()) {
        seen.push(next(&lines));
    }
    open.send(()).unwrap();
    running.wait().expect(0);
    let is_over = |status: &Value| status["outcome"] == "merged" && status["ways_on"][0]["id"] == "show_changes";
    while !is_over(seen.last().unwrap()) {
        seen.push(next(&lines));
    }
    for status in &mut seen {
        for phase in status["phases"].as_array_mut().unwrap() {
            phase["elapsed_ms"] = Value::Null;
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "each is a new one");
    watching.signal(Signal::INT);
    watching.wait().expect(130);
    while !block_lines.recv_timeout(PATIENCE).unwrap().contains("nothing was committed") {}
    blocks.signal(Signal::INT);
    blocks.wait().expect(130);
}

#[test]
fn a_terminal_shows_the_status_in_place_and_keeps_it_at_the_end() {
    let session = Session::new(GREETING);
    let api = MessagesApi::start(script());
    let mut terminal = Terminal::of_columns(40);
    let watching = terminal.start(session.baton(["status", "--watch"]));
    terminal.wait_for("Nothing has been run here yet.");
    terminal.wait_for("(Ctrl-C leaves)");
    session.run(&api, RUN).expect(0);
    terminal.wait_for("baton rollback");
    watching.signal(Signal::INT);
    watching.wait().expect(130);
    let shown = String::from_utf8_lossy(&terminal.shown_at_end()).into_owned();
    let (on_screen, after) = shown.rsplit_once("\u{1b}[?25h\u{1b}[?1049l").expect("the screen is given back");
    assert!(on_screen.starts_with("\u{1b}[?1049h\u{1b}[?25l"), "{on_screen:?}");
    assert!(!shown.contains("\u{1b}[2J"), "nothing is cleared before it is drawn anew");
    assert!(after.contains("Greet by name") && after.contains("baton rollback"), "{after}");
}
