//! A run that is killed is resumed by the next start: the same files in the end, and no answer paid for twice. A run
//! that is stopped reports what was written.
#![cfg(unix)]
#![expect(clippy::panic, reason = "a test that cannot continue fails")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::messages_api::{Fault, MessagesApi, RecordedRequest, Reply, RequestName, Script};
use crate::support::replies::{approves, but, completed, context, edits, own, plan, reads, task, with, workspace};
use crate::support::session::Session;
use crate::support::wait::PROMPTLY;

/// Three tasks that read, edit, create and delete, and agents that take several turns.
fn script() -> Script {
    let second = with(
        task("T2"),
        json!({
            "files_to_modify": ["src/t2.rs"], "files_to_create": ["src/new/a.rs"], "depends_on": ["T1"],
        }),
    );
    let third = with(task("T3"), json!({ "files_to_delete": ["src/t3.rs"] }));
    let two_files = Reply::tools([
        ("write_file", json!({ "path": "src/new/a.rs", "content": "pub fn a() {}\n" })),
        ("edit_file", json!({ "path": "src/t2.rs", "old_text": "    0\n", "new_text": "    2\n" })),
    ]);
    Script::new()
        .on("context", [reads("src/t1.rs"), names(&["src/t1.rs", "src/t2.rs"])])
        .on("plan", [reads("src/t2.rs"), plan(&[&[own("T1"), third], &[second]])])
        .on("implement/T1", [reads("src/t1.rs"), edits("src/t1.rs", "    0\n", "    1\n"), completed(&["src/t1.rs"])])
        .on("implement/T2", [two_files, completed(&["src/t2.rs", "src/new/a.rs"])])
        .on("implement/T3", [Reply::tool("delete_file", json!({ "path": "src/t3.rs" })), completed(&["src/t3.rs"])])
        .on("review", [Reply::tool("read_diff", json!({})), approves()])
}

/// A context that names the first two lines of these files. T1 changes one of them before T2 begins.
fn names(files: &[&str]) -> Reply {
    let file = |path: &&str| json!({ "path": path, "summary": "s", "relevance": "high", "ranges": [[1, 2]] });
    let files: Vec<Value> = files.iter().map(file).collect();
    Reply::tool("submit_context", json!({ "task_description": "Do what was asked.", "relevant_files": files }))
}

/// What a run leaves that does not depend on when it ran.
fn result(session: &Session) -> (BTreeMap<String, String>, Value, String) {
    let report = session.handoff("impl_report.json");
    let diffs = session.runs().into_iter().rev().map(|run| session.memory(&format!("runs/{run}/changes.diff")));
    let diff = diffs.into_iter().find(|diff| session.exists(diff)).map(|diff| session.text(&diff));
    let text = |(path, bytes): (String, Vec<u8>)| (path, String::from_utf8_lossy(&bytes).into_owned());
    (session.tree().into_iter().map(text).collect(), report["results"].clone(), diff.unwrap_or_default())
}

struct Undisturbed {
    result: (BTreeMap<String, String>, Value, String),
    /// In the order they came, with one task at a time.
    requests: Vec<RequestName>,
    events: usize,
}

fn undisturbed() -> Undisturbed {
    let session = Session::new(&workspace(3));
    let api = MessagesApi::start(script());
    let run = session.baton(["run", "--task", "Do it", "--auto-approve", "--json"]).api(&api);
    let done = run.env("BATON_MAX_PARALLEL_TASKS", "1").run().expect(0);
    let requests = api.requests().iter().map(RecordedRequest::name).collect();
    Undisturbed { result: result(&session), requests, events: done.events().len() }
}

/// Start again after a kill; everything must be as if there had been none.
fn goes_on(session: &Session, api: &MessagesApi, undisturbed: &Undisturbed, killed: &str) {
    // Killed before anything was begun, there is no task yet: it is given again, as a person would.
    let task: &[&str] = if session.exists(".agent_memory/task.md") { &[] } else { &["--task", "Do it"] };
    let done = session.run(api, ["--auto-approve", "--json"].into_iter().chain(task.iter().copied()));
    assert_eq!(done.code, Some(0), "{killed}: {}\n{}", done.stdout, done.stderr);
    assert_eq!(result(session), undisturbed.result, "{killed}");
    assert_eq!(session.mode(".agent_memory/plan.json"), 0o644, "{killed}");
    let leftovers: Vec<String> = session.memory_tree().into_keys().filter(|path| path.ends_with(".tmp")).collect();
    assert!(leftovers.is_empty(), "{killed}: {leftovers:?}");
    // Every event journal is gapless, the killed one too.
    for run in session.runs() {
        let events = session.text(&session.memory(&format!("runs/{run}/events.jsonl")));
        for (line, n) in events.lines().zip(1u64..) {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{killed}: {error}: {line}"));
            assert_eq!(event["seq"], n, "{killed}");
        }
    }
}

#[test]
fn killed_at_any_request_it_goes_on_and_asks_nothing_twice() {
    let undisturbed = undisturbed();
    for name in &undisturbed.requests {
        let session = Session::new(&workspace(3));
        // This request gets no answer before the kill; all others do.
        let api = MessagesApi::start(script().stall_once(name));
        let run = session
            .baton(["run", "--task", "Do it", "--auto-approve"])
            .api(&api)
            .env("BATON_MAX_PARALLEL_TASKS", "1")
            .start();
        api.wait_for_request(name);
        run.kill();
        let killed = format!("killed at {name}");
        if name.agent.starts_with("implement") {
            assert_eq!(session.mode(".agent_memory/plan.json"), 0o444, "{killed}: nobody could unlock it");
        }
        goes_on(&session, &api, &undisturbed, &killed);
        assert_eq!(api.requests().len(), undisturbed.requests.len() + 1, "{killed}: only that one is asked again");
        let twice: Vec<_> = api.turns().into_iter().filter(|turn| turn.asked.len() > 1).collect();
        assert!(matches!(&twice[..], [turn] if turn.name == *name && turn.paid() == 1), "{killed}: {twice:?}");
        assert_eq!(session.of_last_run("events.jsonl").matches("\"status\":\"cancelled\"").count(), 0, "{killed}");
    }
}

#[test]
fn killed_after_any_event_it_goes_on_too() {
    let undisturbed = undisturbed();
    let mut n = 1;
    while n <= undisturbed.events {
        let session = Session::new(&workspace(3));
        let api = MessagesApi::start(script());
        let mut run = session.start(&api, ["--task", "Do it", "--auto-approve", "--json"]);
        let lines = run.lines();
        for _ in 0..n {
            // One that is faster than we are has ended, which is a moment like others.
            let _ended = lines.recv();
        }
        run.kill();
        let killed = format!("killed after event {n}");
        goes_on(&session, &api, &undisturbed, &killed);
        // Tasks run side by side: as many answers as were on their way may not have been journaled.
        let asked = api.requests().len();
        assert!(asked <= undisturbed.requests.len() + 3, "{killed}: {asked} requests");
        n += 3;
    }
}

#[test]
fn killed_again_and_again_it_still_comes_to_its_end() {
    let undisturbed = undisturbed();
    let session = Session::new(&workspace(3));
    let api = MessagesApi::start(script());
    for n in 1..=8 {
        let task: &[&str] = if n == 1 { &["--task", "Do it"] } else { &[] };
        let mut run = session.start(&api, ["--auto-approve", "--json"].into_iter().chain(task.iter().copied()));
        let lines = run.lines();
        for _ in 0..3 * n {
            let _ended = lines.recv();
        }
        run.kill();
    }
    goes_on(&session, &api, &undisturbed, "killed eight times");
}

#[test]
fn an_answer_that_had_little_room_is_not_paid_twice_either() {
    // Turns of which the budget makes the first shorter than the others; the last is the one that is killed.
    let small = || json!({ "input_tokens": 20, "output_tokens": 20 });
    let read = |n: usize| reads(&format!("src/t{n}.rs")).usage(small());
    let script = |last: Reply| Script::new().on("context", [read(1), read(2), last]);
    let session = Session::new(&workspace(3));
    let api = MessagesApi::start(script(context(&["src/t1.rs"])));
    session.run(&api, ["--phase", "context", "--task", "Do it"]).expect(0);
    // As a prompt is estimated before anything was counted: two bytes a token.
    let prompt = api.requests()[0].body.to_string().len() / 2;

    let session = Session::new(&workspace(3));
    let run = |api: &MessagesApi| {
        let run = session.baton(["run", "--phase", "context", "--task", "Do it"]).api(api);
        run.env("BATON_BUDGET_TOKENS", (prompt + 2_000).to_string()).start()
    };
    let api = MessagesApi::start(script(context(&["src/t1.rs"]).after(Duration::from_secs(5))));
    let running = run(&api);
    api.wait_for_request(("context", 2));
    running.kill();
    let room: Vec<u64> =
        api.requests().iter().map(|request| request.body["max_tokens"].as_u64().unwrap_or_default()).collect();
    assert!(room[0] < room[1], "the first turn had less room: {room:?}");
    let api = MessagesApi::start(script(context(&["src/t1.rs"])));
    run(&api).wait().expect(0);
    assert_eq!(api.requests().len(), 1, "only the last turn is asked for");
}

#[test]
fn interrupted_it_stops_at_once_and_says_what_stands() {
    let session = Session::new(&workspace(3));
    let second = with(own("T2"), json!({ "depends_on": ["T1"] }));
    let script = Script::new().fault("implement/T2", [Fault::Silence]);
    let api = MessagesApi::start(but(script, &[&[own("T1")], &[second, own("T3")]]));
    session.write("notes.txt", "mine");
    let mut run = session
        .baton(["run", "--task", "Do it", "--auto-approve", "--json"])
        .api(&api)
        .env("BATON_MAX_PARALLEL_TASKS", "1")
        .start();
    let lines = run.lines();
    api.wait_for_request("implement/T2");
    run.signal(Signal::INT);
    let signalled = Instant::now();
    let done = run.wait();
    assert!(signalled.elapsed() < PROMPTLY, "it took {:?}", signalled.elapsed());
    assert_eq!(done.code, Some(130), "{}", done.stderr);
    let events: Vec<Value> = lines.iter().map(|line| serde_json::from_str(&line).unwrap()).collect();
    let [.., stopped, end] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&end["outcome"], &stopped["status"]), (&json!("cancelled"), &json!("cancelled")));
    let message = stopped["message"].as_str().unwrap();
    assert!(message.starts_with("Stopped in implement. T1 written (1 file);"), "{message}");
    assert!(message.contains("T2, T3 touched nothing") && message.ends_with("Your edits are intact."), "{message}");
    assert_eq!(session.mode(".agent_memory/plan.json"), 0o644);
    assert_eq!((session.text("notes.txt").as_str(), session.text("src/t2.rs").contains('0')), ("mine", true));
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!((&status["outcome"], &status["next"]), (&json!("cancelled"), &json!("implement")));

    let asked = api.requests().len();
    session.run(&api, []).expect(0);
    assert_eq!(api.requests().len(), asked + 5, "two turns each of T2 and T3, and the review");
}

#[test]
fn what_was_written_before_it_stopped_can_be_seen_and_undone() {
    let session = Session::new(&workspace(2));
    let second = with(own("T2"), json!({ "depends_on": ["T1"] }));
    let script = Script::new().fault("implement/T2", [Fault::Silence]);
    let api = MessagesApi::start(but(script, &[&[own("T1")], &[second]]));
    let run = session.start(&api, ["--task", "Do it", "--auto-approve"]);
    api.wait_for_request("implement/T2");
    run.signal(Signal::INT);
    let done = run.wait().expect(130);
    for way_on in ["  baton run       resume", "  baton diff      show changes", "  baton rollback  undo"] {
        assert!(done.stdout.lines().any(|line| line == way_on), "{way_on}: {}", done.stdout);
    }
}

#[test]
fn every_way_to_stop_a_run_is_a_cancel() {
    for signal in [Some(Signal::INT), Some(Signal::TERM), None] {
        let session = Session::new(&workspace(1));
        let api = MessagesApi::start(but(Script::new().fault("context", [Fault::Silence]), &[&[own("T1")]]));
        let args: &[&str] =
            if signal.is_some() { &["--task", "Do it"] } else { &["--task", "Do it", "--timeout", "6s"] };
        let run = session.start(&api, args.iter().copied());
        api.wait_for_request("context");
        if let Some(signal) = signal {
            run.signal(signal);
        }
        let done = run
            .wait()
            .expect(130)
            .prints("Stopped by ")
            .prints(" in context. No file was written. Your edits are intact.");
        let by = if signal.is_none() { "Stopped by --timeout 6s in context." } else { "in context." };
        assert!(done.stdout.contains(by), "{}", done.stdout);
        assert!(done.stdout.contains("\n  baton run    resume\n  baton reset  start over\n"), "{}", done.stdout);
        assert!(!done.stdout.contains("baton rollback"), "there is nothing to undo: {}", done.stdout);
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
        assert_eq!(session.text(".agent_memory/lock"), "", "the lock is free");
    }
}
