//! What a person tells agents at work: it is part of their next request, also after a kill, and never said to be taken when it
//! was not.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::greeting::{GREETING, TASK, script};
use crate::support::messages_api::{MessagesApi, RecordedRequest, Script};
use crate::support::replies::{but, completed, edits, own, reads, workspace};
use crate::support::session::Session;

/// How long something is waited for that must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Holds answers back until it is opened.
#[derive(Clone, Default)]
struct Held(Arc<(Mutex<bool>, Condvar)>);

impl Held {
    /// The script, with the answer to this request held back.
    fn back(&self, agent: &'static str, turn: usize, script: Script) -> Script {
        let held = self.clone();
        Script::new().by(move |request| {
            if request.agent == agent && request.turn == turn {
                let (is_open, news) = &*held.0;
                drop(news.wait_timeout_while(is_open.lock().unwrap(), PATIENCE, |is_open| !*is_open).unwrap());
            }
            script.reply(request)
        })
    }

    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

/// T1 reads, edits and submits, each in a turn.
fn one_task() -> Script {
    let turns = [reads("src/t1.rs"), edits("src/t1.rs", "    0\n", "    1\n"), completed(&["src/t1.rs"])];
    but(Script::new().on("implement/T1", turns), &[&[own("T1")]])
}

fn run() -> [&'static str; 3] {
    ["--task", "Do it", "--auto-approve"]
}

/// The blocks of the last message of a request: their kinds, and the texts of those that are texts.
fn last_message(request: &RecordedRequest) -> Vec<(String, String)> {
    let blocks = request.last_message().as_array().expect("blocks").clone();
    let text = |block: &Value, field: &str| block[field].as_str().unwrap_or_default().to_owned();
    blocks.iter().map(|block| (text(block, "type"), text(block, "text"))).collect()
}

const FRAME: &str = "The user, who watches you at work, tells you:\n";

#[test]
fn a_running_task_takes_what_it_is_told_with_its_next_request_and_a_resume_repeats_it() {
    let session = Session::new(&workspace(1));
    let held = Held::default();
    let stalled = one_task().stall_once(&("implement/T1", 2).into());
    let api = MessagesApi::start(held.back("implement/T1", 0, stalled));
    let running = session.start(&api, run());
    api.wait_for_request("implement/T1");
    session.baton(["tell", "Use tabs,\nnot spaces."]).run().expect(0).prints("Told T1: taken with the next request.");
    session.baton(["tell", "--task", "T1", "- and no comments"]).run().expect(0);
    held.open();
    api.wait_for_request(("implement/T1", 2));
    let told = last_message(&api.requests_of("implement/T1")[1]);
    let expected = [
        ("tool_result", String::new()),
        ("text", format!("{FRAME}Use tabs,\nnot spaces.")),
        ("text", format!("{FRAME}- and no comments")),
    ];
    assert_eq!(told, expected.map(|(kind, text)| (kind.to_owned(), text)));
    running.kill();
    let events = session.events_of(&session.runs()[0]);
    let said = |text: &str| events.iter().any(|event| event["task"] == "T1" && event["message"] == text);
    assert!(said("told T1: Use tabs, not spaces.") && said("told T1: - and no comments"), "{events:#?}");
    assert!(session.of_last_run("transcript.jsonl").contains("\"told\":[\""));

    let before = api.requests().len();
    session.baton(["run"]).api(&api).run().expect(0);
    let resumed: Vec<RecordedRequest> = api.requests_of("implement/T1");
    let (first, again) = (&resumed[2], &resumed[3]);
    assert_eq!(resumed.len(), 4, "no turn is paid for twice");
    assert_eq!(again.body["messages"], first.body["messages"], "the resume repeats the same bytes");
    assert_eq!(api.requests()[before].agent, "implement/T1");
    assert!(api.violations().is_empty(), "{:?}", api.violations());
}

#[test]
fn what_a_killed_run_had_not_taken_is_taken_by_the_next_one() {
    let session = Session::new(&workspace(1));
    let stalled = one_task().stall_once(&("implement/T1", 1).into());
    let api = MessagesApi::start(stalled);
    let running = session.start(&api, run());
    api.wait_for_request(("implement/T1", 1));
    session.baton(["tell", "Use tabs."]).run().expect(0);
    running.kill();
    session.baton(["run"]).api(&api).run().expect(0);
    let again = &api.requests_of("implement/T1")[2];
    assert_eq!(again.turn, 1);
    assert_eq!(last_message(again)[1].1, format!("{FRAME}Use tabs."));
}

#[test]
fn what_no_request_takes_any_more_is_said_at_the_end() {
    let session = Session::new(&workspace(1));
    let held = Held::default();
    let api = MessagesApi::start(held.back("implement/T1", 2, one_task()));
    let running = session.start(&api, run());
    api.wait_for_request(("implement/T1", 2));
    session.baton(["tell", "Too late."]).run().expect(0);
    held.open();
    let done = running.wait().expect(0);
    done.prints("You told agents what no answer of theirs took up any more (T1: \"Too late.\").");
    let events = session.events_of(&session.runs()[0]);
    assert!(events.iter().any(|event| event["message"] == "not taken by T1: Too late."), "{events:#?}");
    assert!(!events.iter().any(|event| event["message"].as_str().is_some_and(|text| text.starts_with("told "))));
    let asked = api.requests().iter().any(|request| request.body.to_string().contains("Too late."));
    assert!(!asked, "no agent has read it");
}

#[test]
fn the_conversation_of_a_phase_is_told_too_and_nobody_else_reads_it() {
    let session = Session::new(&workspace(1));
    let held = Held::default();
    let plan = Script::new().on("plan", [reads("src/t1.rs"), crate::support::replies::plan(&[&[own("T1")]])]);
    let api = MessagesApi::start(held.back("plan", 0, but(plan, &[&[own("T1")]])));
    let running = session.start(&api, run());
    api.wait_for_request("plan");
    session.baton(["tell", "Keep it small."]).run().expect(0).prints("Told plan");
    held.open();
    running.wait().expect(0);
    let told = |request: &&RecordedRequest| request.body["messages"].to_string().contains("Keep it small.");
    let all = api.requests();
    let who: Vec<String> = all.iter().filter(told).map(|request| request.name().to_string()).collect();
    assert_eq!(who.len(), 1, "{who:?}");
    assert_eq!(last_message(&api.requests_of("plan")[1])[1].1, format!("{FRAME}Keep it small."));
}

#[test]
fn where_nobody_can_take_it_it_is_refused() {
    let session = Session::new(&workspace(2));
    session.baton(["tell", "Hello"]).run().expect(2).reports("nothing runs here");
    let held = Held::default();
    let tasks = [own("T1"), own("T2")];
    let api = MessagesApi::start(held.back("implement/T1", 0, but(Script::new(), &[&tasks])));
    session.run(&api, ["--task", "Do it"]).expect(3);
    session.baton(["tell", "Hello"]).run().expect(2).reports("nothing runs here");
    session.baton(["approve"]).run().expect(0);
    let running = session.start(&api, []);
    api.wait_for_request("implement/T1");
    for (args, said) in [
        (vec!["tell", "--task", "T9", "Hello"], "\"T9\" is no task of the plan"),
        (vec!["tell", "--task", "T2", "Hello"], "T2 is not at work; T1 is at work"),
        (vec!["tell", "  "], "the text is empty"),
        (vec!["tell", &"x".repeat(16_385)], "has 16385 bytes, and may have 16384"),
    ] {
        session.baton(args).run().expect(2).reports(said);
    }
    session.baton(["tell", &"x".repeat(16_384)]).run().expect(0);
    held.open();
    running.wait().expect(0);
    session.baton(["tell", "Hello"]).run().expect(2).reports("nothing runs here");
}

#[test]
fn an_editor_tells_its_own_run_and_is_refused_at_the_gate() {
    let session = Session::new(GREETING);
    let held = Held::default();
    let api = MessagesApi::start(held.back("context", 0, script()));
    let mut client = session.lsp_client(&api);
    let nothing = client.execute("baton.tell", &[json!("Hello")]).expect_err("nothing runs");
    assert!(nothing["message"].as_str().is_some_and(|text| text.contains("nothing runs here")), "{nothing}");
    let run = client.start_workflow(json!(TASK));
    api.wait_for_request("context");
    let told = client.execute("baton.tell", &[json!({ "text": "Be brief." })]);
    assert_eq!(told, Ok(json!({ "run": run, "told": ["context"] })));
    held.open();
    let question = client.wait_for_question();
    let gate = client.execute("baton.tell", &[json!("Hello")]).expect_err("it is the gate");
    let text = gate["message"].as_str().expect("a message");
    assert!(text.contains("Revise") && text.contains("baton.plan with feedback") && !text.contains('`'), "{text}");
    client.answer(&question, Value::Null);
    client.shut_down();
    client.disconnect();
}

#[test]
fn right_after_an_approval_the_agents_that_begin_are_waited_for() {
    let session = Session::new(&workspace(1));
    let held = Held::default();
    let api = MessagesApi::start(held.back("implement/T1", 0, one_task()));
    let mut client = session.lsp_client(&api);
    let (run, question) = client.run_to_gate("Do it");
    client.execute("baton.approve", &[]).expect("it is approved");
    let told = client.execute("baton.tell", &[json!({ "text": "Use tabs." })]);
    assert_eq!(told, Ok(json!({ "run": run, "told": ["T1"] })));
    held.open();
    client.wait_for_withdrawal(&question);
    client.wait_for_run_end(&run);
    // With the request that was on its way, or with the first that was not.
    let requests = api.requests_of("implement/T1");
    let is_told = |request: &&RecordedRequest| request.body["messages"].to_string().contains("Use tabs.");
    let first = requests.iter().find(is_told).expect("it is told");
    assert!(first.turn <= 1, "{}", first.turn);
    assert_eq!(last_message(first).last().expect("blocks").1, format!("{FRAME}Use tabs."));
    assert_eq!(requests.iter().filter(is_told).count(), requests.len() - first.turn, "and never taken back");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn keys_that_are_told_reach_no_model_and_no_event_and_several_tell_at_once() {
    let session = Session::new(&workspace(1));
    let held = Held::default();
    let api = MessagesApi::start(held.back("implement/T1", 0, one_task()));
    let running = session.start(&api, run());
    api.wait_for_request("implement/T1");
    let key = api.requests()[0].headers["x-api-key"].clone();
    std::thread::scope(|scope| {
        for text in [format!("The key is {key}."), "\u{1b}[31mRed\u{1b}[0m and \u{202e}back".to_owned()] {
            let session = &session;
            scope.spawn(move || session.baton(["tell", &text]).run().expect(0));
        }
    });
    session.baton(["tell", "\u{1b}[0m \u{200b}"]).run().expect(2).reports("the text is empty");
    held.open();
    running.wait().expect(0);
    let sent = api.requests_of("implement/T1")[1].body.to_string();
    assert!(sent.contains("The key is <masked by Baton: ") && !sent.contains(&key), "{sent}");
    let events = session.of_last_run("events.jsonl");
    assert!(events.contains("told T1: The key is <masked by Baton: ") && !events.contains(&key), "{events}");
    assert!(events.contains("told T1: Red and back"), "{events}");
    assert!(!session.of_last_run("transcript.jsonl").contains(&key));
}
