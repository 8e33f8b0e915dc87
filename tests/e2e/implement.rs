//! The implement phase: what each agent is sent, the order of tasks, which files may be written, and changes by
//! others meanwhile.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::support::check::check;
use crate::support::messages_api::{Fault, MessagesApi, RecordedRequest, Reply, Script};
use crate::support::replies::{but, completed, does, edits, goes_well, own, reads, with, workspace, writes};
use crate::support::session::Session;

/// How long something is waited for that must come; long, since it matters only when the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Far more than a request needs to come that is not held back.
const WELL_BEYOND: Duration = Duration::from_millis(400);

/// Requests that have arrived, for others to wait for.
///
/// A handler of the server cannot fail a test, so it notes what is wrong and the test looks at that.
#[derive(Default)]
struct Arrivals {
    seen: Mutex<Vec<String>>,
    news: Condvar,
    faults: Mutex<Vec<String>>,
}

impl Arrivals {
    fn note(&self, request: &RecordedRequest) {
        self.seen.lock().unwrap().push(format!("{} {}", request.agent, request.turn));
        self.news.notify_all();
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Wait until all of these have arrived.
    fn wait_for(&self, wanted: &[&str]) {
        let missing = |seen: &mut Vec<String>| !wanted.iter().all(|wanted| seen.iter().any(|seen| seen == wanted));
        let timed_out =
            self.news.wait_timeout_while(self.seen.lock().unwrap(), PATIENCE, missing).unwrap().1.timed_out();
        self.check(!timed_out, || format!("of {wanted:?} some did not come"));
    }

    fn check(&self, is_right: bool, fault: impl FnOnce() -> String) {
        if !is_right {
            self.faults.lock().unwrap().push(fault());
        }
    }

    #[track_caller]
    fn expect_no_faults(&self) {
        let faults = self.faults.lock().unwrap();
        assert!(faults.is_empty(), "{faults:#?}");
    }
}

fn is(request: &RecordedRequest, agent: &str, turn: usize) -> bool {
    request.agent == agent && request.turn == turn
}

#[test]
fn each_agent_is_sent_its_own_task_and_served_by_the_model_for_it() {
    let session = Session::new(&workspace(3));
    let tasks = [
        own("T1"),
        with(own("T2"), json!({ "estimated_complexity": "moderate" })),
        with(own("T3"), json!({ "estimated_complexity": "complex" })),
    ];
    let api = MessagesApi::start(goes_well(&[&tasks]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);

    let first = |agent: &str| api.requests_of(agent).remove(0);
    let (one, two, three) = (first("implement/T1"), first("implement/T2"), first("implement/T3"));
    assert_eq!(one.body["system"].to_string(), two.body["system"].to_string());
    assert_eq!(one.body["system"].to_string(), three.body["system"].to_string());
    assert_eq!(one.body["tools"].to_string(), two.body["tools"].to_string());
    assert!(
        one.system().contains("The title of T2") && one.system().contains("Do it"),
        "the plan is in the shared part"
    );

    let message = two.first_message();
    let begins = message.rfind("{\"id\"").expect("a task");
    let sent: Value = serde_json::from_str(&message[begins..]).expect("the message ends with the task as JSON");
    assert_eq!(sent, session.handoff("plan.json")["tasks"][1]);
    for other in ["T1", "T3", "src/t1.rs", "src/t3.rs"] {
        assert!(!message.contains(other), "{other} is none of T2's business: {message}");
    }
    assert_eq!(
        one.tools(),
        [
            "list_files",
            "search",
            "read_file",
            "outline",
            "log",
            "edit_file",
            "write_file",
            "delete_file",
            "move_file",
            "submit_result"
        ]
    );
    assert_eq!(
        first("review").tools(),
        ["list_files", "search", "read_file", "outline", "log", "read_diff", "submit_review"]
    );

    let model = |agent: &str| first(agent).body["model"].as_str().unwrap().to_owned();
    let served = ["context", "plan", "implement/T1", "implement/T2", "implement/T3", "review"].map(model);
    let [haiku, sonnet, opus] = ["claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"];
    assert_eq!(served, [haiku, opus, haiku, sonnet, sonnet, opus]);

    let named =
        session.baton(["run", "--phase", "context"]).api(&api).env("BATON_MODELS_FAST", "anthropic:claude-haiku-4-5");
    named.run().expect(0);
    assert_eq!(api.requests().last().unwrap().body["model"], "claude-haiku-4-5");
}

#[test]
fn the_first_task_opens_the_cache_and_then_as_many_run_as_may() {
    let session = Session::new(&workspace(5));
    let tasks = ["T1", "T2", "T3", "T4", "T5"].map(own);
    let arrivals = Arc::new(Arrivals::default());
    let watch = arrivals.clone();
    let early = Arc::new(Mutex::new(Vec::new()));
    let early_ones = early.clone();
    let script = Script::new().by(move |request| {
        watch.note(request);
        if is(request, "implement/T1", 0) {
            // Until the first byte of this answer, no other task may send a request.
            std::thread::sleep(WELL_BEYOND);
            early_ones.lock().unwrap().extend(watch.seen().into_iter().filter(|seen| seen.starts_with("implement")));
        } else if is(request, "implement/T2", 0) || is(request, "implement/T3", 0) {
            // Each waits for the other: they go on only if they run side by side.
            watch.wait_for(&["implement/T2 0", "implement/T3 0"]);
        }
        None
    });
    let api = MessagesApi::start(but(script, &[&tasks]));
    let run =
        session.baton(["run", "--task", "Do it", "--auto-approve"]).api(&api).env("BATON_MAX_PARALLEL_TASKS", "3");
    run.run().expect(0);
    arrivals.expect_no_faults();
    assert_eq!(*early.lock().unwrap(), ["implement/T1 0"]);
    assert!((2..=3).contains(&api.most_at_once()), "{} at once", api.most_at_once());
    let usage = session.of_last_run("events.jsonl");
    let last: Value = serde_json::from_str(usage.lines().last().unwrap()).unwrap();
    assert!(last["usage"]["cache_read_tokens"].as_u64() > Some(0), "the prefix is read from the cache: {last}");
}

#[test]
fn a_task_starts_when_what_it_needs_is_done_and_groups_are_no_barriers() {
    let session = Session::new(&workspace(4));
    let third = with(own("T3"), json!({ "depends_on": ["T1"] }));
    // T4 shares a file with T1 and stands in a later group.
    let fourth = with(own("T4"), json!({ "files_to_modify": ["src/t4.rs", "src/t1.rs"] }));
    let arrivals = Arc::new(Arrivals::default());
    let watch = arrivals.clone();
    let root = session.root().to_owned();
    let script = Script::new().by(move |request| {
        watch.note(request);
        if is(request, "implement/T2", 0) {
            // Of the group before T3 and T4, and still at work when they are: it waits for both of them.
            watch.wait_for(&["implement/T3 0", "implement/T4 0"]);
        }
        if is(request, "implement/T3", 0) || is(request, "implement/T4", 0) {
            let text = fs::read_to_string(root.join("src/t1.rs")).unwrap_or_default();
            watch.check(text.contains("    1\n"), || format!("{} starts before what T1 did is on disk", request.agent));
        }
        None
    });
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")], &[third, fourth]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    arrivals.expect_no_faults();
    let seen = arrivals.seen();
    let at = |wanted: &str| seen.iter().position(|seen| seen == wanted).unwrap();
    assert!(at("implement/T1 1") < at("implement/T3 0") && at("implement/T1 1") < at("implement/T4 0"), "{seen:?}");
}

#[test]
fn a_failed_task_keeps_back_only_what_depends_on_it() {
    let third = with(own("T3"), json!({ "depends_on": ["T1"] }));
    let talk = || Reply::text("I would rather talk.");
    let script = but(Script::new().on("implement/T1", [talk(), talk(), talk()]), &[&[own("T1"), own("T2")], &[third]]);
    let (session, _) = check(
        &workspace(3),
        script,
        expect![[r#"
            $ run --task 'Do it' --auto-approve
            exit 1
              T1 failed: the implement/T1 agent answered 3 times without using a tool; a stronger model may do better (models.*). Not started, because they depend on it: T3. Run again to retry; what is done stays done.
                baton run                  try again
                baton diff                 show changes
                baton rollback             undo
                baton plan --feedback "…"  plan again
                baton reset                start over
            asked: context, plan, implement/T1, implement/T2
            modified src/t2.rs
              -    0
              +    1
            T1 failed
            T2 completed
            T3 pending
            next: implement
        "#]],
    );
    let failed = |event: &Value| event["task"] == "T1" && event["status"] == "failed";
    assert!(session.events_of(&session.runs()[0]).iter().any(failed));
    assert_eq!(session.mode(".agent_memory/plan.json"), 0o644);
}

#[test]
fn writes_elsewhere_are_refused_and_reported() {
    let session = Session::new(&workspace(2));
    session.git(&["init", "-q"]);
    let attempts = [
        "src/t2.rs",
        "src/T2.RS",
        ".git/config",
        ".agent_memory/plan.json",
        "../escaped.txt",
        "/etc/passwd",
        ".vscode/tasks.json",
    ];
    let calls: Vec<(&str, Value)> =
        attempts.iter().map(|path| ("write_file", json!({ "path": path, "content": "mine now\n" }))).collect();
    let [edit, submit] = does("T1");
    let script = Script::new().on(
        "implement/T1",
        [Reply::tools(calls), Reply::tool("delete_file", json!({ "path": "src/t2.rs" })), edit, submit],
    );
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    let config = session.text(".git/config");
    let before = session.text("src/t2.rs");
    let done = session.run(&api, ["--task", "Do it", "--auto-approve", "--json"]).expect(0);
    assert_eq!((session.text("src/t2.rs"), session.text(".git/config")), (before, config));
    assert!(!session.root().parent().unwrap().join("escaped.txt").exists() && !session.exists(".vscode"));

    let refused = api.requests_of("implement/T1").remove(1);
    let results = refused.last_message().as_array().unwrap().clone();
    assert!(results.iter().all(|result| result["is_error"] == true), "{results:#?}");
    let result = &session.handoff("impl_report.json")["results"][0];
    assert_eq!(result["status"], "completed", "the status stays as submitted");
    let blockers = result["blockers"].to_string();
    for path in ["src/t2.rs", ".git/config", ".agent_memory/plan.json", ".vscode/tasks.json"] {
        assert!(blockers.contains(path), "{path} is not among {blockers}");
    }
    let messages: String = done.events().iter().map(|event| event["message"].to_string()).collect();
    assert!(messages.contains("refused: src/t2.rs is not among the files of this task"), "{messages}");
}

#[test]
fn line_endings_byte_order_mark_encoding_and_mode_survive() {
    let session = Session::new(&workspace(3));
    session.write("src/t1.rs", b"\xef\xbb\xbfone\r\n    0\r\nthree");
    session.set_mode("src/t1.rs", 0o755);
    let utf16 = |text: &str| -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    session.write("src/t2.rs", utf16("eins\r\n    0\r\n"));
    session.set_mode("src/t2.rs", 0o600);
    let script = Script::new()
        .on("implement/T1", [edits("src/t1.rs", "one\n    0\n", "one\n    1\n    2\n"), completed(&["src/t1.rs"])])
        .on("implement/T2", [reads("src/t2.rs"), writes("src/t2.rs", "eins\n    1\n"), completed(&["src/t2.rs"])]);
    let third = with(own("T3"), json!({ "files_to_modify": [], "files_to_create": ["bin/new"] }));
    let script = script.on("implement/T3", [writes("bin/new", "#!/bin/sh\n"), completed(&["bin/new"])]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2"), third]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let bytes = |path: &str| fs::read(session.path(path)).unwrap();
    assert_eq!(bytes("src/t1.rs"), b"\xef\xbb\xbfone\r\n    1\r\n    2\r\nthree");
    assert_eq!(bytes("src/t2.rs"), utf16("eins\r\n    1\r\n"));
    assert_eq!((session.mode("src/t1.rs"), session.mode("src/t2.rs"), session.mode("bin/new")), (0o755, 0o600, 0o644));
    let report = session.handoff("impl_report.json");
    let change = &report["results"][0]["changes"][0];
    assert_eq!((&change["lines_added"], &change["lines_removed"]), (&json!(2), &json!(1)));
}

/// A user who saves `src/t1.rs` each time the task is about to submit, for so many times.
fn user_saves(session: &Session, times: usize) -> Script {
    let file = session.path("src/t1.rs");
    let saved = Mutex::new(0);
    Script::new().by(move |request| {
        let mut saved = saved.lock().unwrap();
        if is(request, "implement/T1", 1) && *saved < times {
            *saved += 1;
            fs::write(&file, format!("// saved {saved}\npub fn t1() -> u32 {{\n    0\n}}\n")).unwrap();
        }
        None
    })
}

#[test]
fn a_task_is_done_once_more_on_a_file_that_changed_under_it() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(but(user_saves(&session, 1), &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert_eq!(session.text("src/t1.rs"), "// saved 1\npub fn t1() -> u32 {\n    1\n}\n", "both edits stand");
    let asked = api.requests_of("implement/T1");
    assert_eq!(asked.len(), 4);
    let again = asked[2].first_message();
    assert!(again.contains("src/t1.rs changed on disk") && again.trim_end().ends_with('}'), "{again}");
    let change = &session.handoff("impl_report.json")["results"][0]["changes"][0];
    assert_eq!(
        (&change["lines_added"], &change["lines_removed"]),
        (&json!(1), &json!(1)),
        "the user's line is no agent's"
    );
}

#[test]
fn a_file_that_keeps_changing_blocks_its_task_and_stays_the_user_s() {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(but(user_saves(&session, 2), &[&[own("T1"), own("T2")]]));
    let done = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(1);
    done.prints("T1 blocked: src/t1.rs changed on disk twice");
    assert_eq!(session.text("src/t1.rs"), "// saved 2\npub fn t1() -> u32 {\n    0\n}\n");
    assert!(session.text("src/t2.rs").contains('1'), "the other task is done");
    session.run(&api, ["--auto-approve"]).expect(0);
    assert_eq!(session.text("src/t1.rs"), "// saved 2\npub fn t1() -> u32 {\n    1\n}\n");
}

#[test]
fn the_plan_is_read_only_exactly_while_it_is_implemented() {
    let session = Session::new(&workspace(2));
    let plan = session.path(".agent_memory/plan.json");
    let modes = Arc::new(Mutex::new(Vec::new()));
    let watched = modes.clone();
    let script = Script::new().fault("implement/T2", [Fault::status(403, "permission_error", "not for you")]).by(
        move |request| {
            if let Ok(metadata) = fs::metadata(&plan) {
                watched.lock().unwrap().push((request.agent.clone(), metadata.permissions().mode() & 0o777));
            }
            None
        },
    );
    let second = with(own("T2"), json!({ "depends_on": ["T1"] }));
    let api = MessagesApi::start(but(script, &[&[own("T1")], &[second]]));
    session.run(&api, ["--task", "Do it"]).expect(3);
    assert_eq!(session.mode(".agent_memory/plan.json"), 0o644, "at the gate the user may edit it");
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(5).reports("not for you");
    assert_eq!(session.mode(".agent_memory/plan.json"), 0o644, "after an error");
    assert_eq!(ids(&session), ["T1"], "what was done is kept");
    session.run(&api, []).expect(0);
    assert_eq!(session.mode(".agent_memory/plan.json"), 0o644, "after success");
    assert_eq!(api.requests_of("implement/T1").len(), 2);
    for (agent, mode) in modes.lock().unwrap().iter() {
        assert_eq!(*mode, if agent.starts_with("implement") { 0o444 } else { 0o644 }, "{agent}");
    }
}

fn ids(session: &Session) -> Vec<String> {
    let report = session.handoff("impl_report.json");
    report["results"].as_array().unwrap().iter().map(|result| result["task_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_plan_changed_while_it_is_implemented_stops_the_phase() {
    let session = Session::new(&workspace(2));
    let plan = session.path(".agent_memory/plan.json");
    let edited = Mutex::new(None);
    let script = Script::new().by(move |request| {
        if is(request, "implement/T1", 1) && edited.lock().unwrap().is_none() {
            let text = fs::read_to_string(&plan).unwrap().replace("One small step", "One giant leap");
            // As editors save: a new file in its place.
            let new = plan.with_extension("new");
            fs::write(&new, &text).unwrap();
            fs::rename(&new, &plan).unwrap();
            *edited.lock().unwrap() = Some(text);
        }
        None
    });
    let second = with(own("T2"), json!({ "depends_on": ["T1"] }));
    let api = MessagesApi::start(but(script, &[&[own("T1")], &[second]]));
    let before = session.tree();
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(1).prints(".agent_memory/plan.json changed");
    assert_eq!(session.tree(), before, "nothing of a plan nobody approved is published");
    assert!(api.requests_of("implement/T2").is_empty());
    assert!(session.text(".agent_memory/plan.json").contains("One giant leap"), "the user's edit stands");
    assert_eq!(session.mode(".agent_memory/plan.json"), 0o644);
    session.run(&api, []).expect(3).prints("baton approve");
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(0);
    assert!(session.text("src/t1.rs").contains('1') && session.text("src/t2.rs").contains('1'));
}

#[test]
fn a_full_context_window_is_taken_up_once_in_a_fresh_conversation() {
    let session = Session::new(&workspace(1));
    let full = || Reply::text("").stop_reason("model_context_window_exceeded");
    let [edit, submit] = does("T1");
    let script = Script::new().rounds("implement/T1", [vec![edit, full()], vec![submit]]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let again = api.requests_of("implement/T1").remove(2).first_message();
    assert!(again.contains("already edited src/t1.rs"), "{again}");
    assert!(session.text("src/t1.rs").contains('1'), "what was staged is kept");
}
