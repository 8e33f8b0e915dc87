//! Faults of the network and the provider in every phase: the run recovers, or ends with code 5 and a message that
//! names the next step; nothing is written twice, and no answer is bought twice.
#![cfg(unix)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::{BTreeMap, VecDeque};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::messages_api::{Fault, MessagesApi, Reply, Script};
use crate::support::replies::{approves, completed, context, does, edits, own, plan, reads, workspace};
use crate::support::session::{Done, Session};
use crate::support::wait::PROMPTLY;

/// The phases, and in each the agent that meets the fault.
const PHASES: [(&str, &str); 4] =
    [("context", "context"), ("plan", "plan"), ("implement", "implement/T2"), ("review", "review")];
/// Requests of a run without faults: two of each of five agents.
const REQUESTS: usize = 10;
/// Rows that are run side by side: most of their time is waiting.
const SIDE_BY_SIDE: usize = 6;

/// A fault, and what comes of it in every phase.
struct Row {
    name: &'static str,
    faults: Box<dyn Fn() -> Vec<Fault> + Send>,
    outcome: Outcome,
    /// Requests that it costs in each phase.
    requests: usize,
    /// Seconds that the context phase must wait for it, at least.
    waits: f64,
    env: Vec<(&'static str, &'static str)>,
}

#[derive(Debug, Clone, Copy)]
enum Outcome {
    Recovers,
    /// With code 5, and these words.
    Fails(&'static str),
}

/// What a row came to: a cell for each phase.
struct Cells {
    name: String,
    cells: Vec<String>,
}

fn row(name: &'static str, faults: impl Fn() -> Vec<Fault> + Send + 'static, outcome: Outcome) -> Row {
    let requests = faults().len();
    Row { name, faults: Box::new(faults), outcome, requests, waits: 0.0, env: Vec::new() }
}

impl Row {
    fn requests(self, requests: usize) -> Self {
        Self { requests, ..self }
    }

    fn waits(self, waits: f64) -> Self {
        Self { waits, ..self }
    }

    fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }
}

/// No fault: the request is answered.
fn none() -> Fault {
    Fault::SlowHeaders(Duration::ZERO)
}

fn status(code: u16, kind: &'static str, message: &'static str) -> impl Fn() -> Vec<Fault> + Send + 'static {
    move || vec![Fault::status(code, kind, message)]
}

fn limited(name: &'static str, value: &'static str) -> impl Fn() -> Vec<Fault> + Send + 'static {
    move || vec![Fault::status(429, "rate_limit_error", "slow down").header(name, value)]
}

fn five_times(fault: Fault) -> impl Fn() -> Vec<Fault> + Send + 'static {
    move || vec![fault.clone(); 5]
}

fn matrix() -> Vec<Row> {
    use Outcome::{Fails, Recovers};
    let one = |fault: Fault| move || vec![fault.clone()];
    let too_long = || vec![Fault::status(413, "request_too_large", "Request exceeds the maximum size"); 2];
    // Cut to whole seconds, and counted from before the run starts.
    let in_seconds = || {
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(6));
        vec![Fault::status(429, "rate_limit_error", "slow down").header("retry-after", &date)]
    };
    let refused = Fault::status(400, "invalid_request_error", "odd request");
    let broken = Fault::status(500, "api_error", "Internal server error");
    let page = Fault::Status { code: 503, headers: Vec::new(), body: "<html>busy</html>".to_owned() };
    vec![
        row("400", one(refused.clone()), Fails("What is done so far is kept; another model (models.*)")),
        row("400, x-should-retry: true", one(refused.header("x-should-retry", "true")), Recovers),
        row("401", status(401, "authentication_error", "invalid x-api-key"), Fails("Set ANTHROPIC_API_KEY anew")),
        row("402", status(402, "billing_error", "pay first"), Fails("Add credit or raise the limit, then start again")),
        row("403", status(403, "permission_error", "not you"), Fails("Set another one, or choose another model")),
        row(
            "404, no such model",
            status(404, "not_found_error", "model: x"),
            Fails("Set models.fast, models.balanced"),
        ),
        row("408", status(408, "timeout_error", "late"), Recovers),
        row("409", status(409, "conflict_error", "again"), Recovers),
        // A fresh conversation reads once more what the first one read.
        row("413", status(413, "request_too_large", "too large"), Recovers).requests(2),
        // A conversation that failed is not resumed: its first turn is requested again.
        row("413, twice", too_long, Fails("a model with a larger window (models.*)")).requests(3),
        row("429, retry-after: 1", limited("retry-after", "1"), Recovers).waits(1.0),
        row("429, retry-after-ms: 300", limited("retry-after-ms", "300"), Recovers).waits(0.3),
        row("429, retry-after: a date", in_seconds, Recovers).waits(1.0),
        row("429, retry-after: 3600", limited("retry-after", "3600"), Fails("It asks to wait 1h")),
        row(
            "429, spend limit",
            status(429, "rate_limit_error", "You have reached your specified API usage limits"),
            Fails("has reached its spend limit"),
        ),
        row("500", one(broken.clone()), Recovers),
        row(
            "500, five times",
            five_times(broken.clone()),
            Fails("Gave up after 5 attempts; what is done so far is kept"),
        ),
        row("500, x-should-retry: false", one(broken.header("x-should-retry", "false")), Fails("start again later")),
        row("502", status(502, "api_error", "bad gateway"), Recovers),
        row("503, a web page", one(page), Recovers),
        row("504", status(504, "timeout_error", "gateway timeout"), Recovers),
        row("529", one(Fault::overloaded()), Recovers),
        row("529, six times", || vec![Fault::overloaded(); 6], Recovers),
        row("reset", one(Fault::Reset), Recovers),
        row("reset, five times", five_times(Fault::Reset), Fails("Check the network and ANTHROPIC_BASE_URL")),
        row("slow headers", one(Fault::SlowHeaders(Duration::from_millis(300))), Recovers).requests(0).waits(0.3),
        row("no headers", one(Fault::Silence), Recovers).waits(3.0).env("BATON_ANSWER_TIMEOUT", "3s"),
        row("idle stream", one(Fault::IdleAfter(3)), Recovers).waits(3.0).env("BATON_IDLE_TIMEOUT", "3s"),
        row("endless pings", one(Fault::TrickleAfter(3, "event: ping\ndata: {\"type\": \"ping\"}\n\n")), Recovers)
            .waits(3.0)
            .env("BATON_IDLE_TIMEOUT", "3s"),
        row("event: error, overloaded", one(Fault::ErrorEvent("overloaded_error")), Recovers),
        row("event: error, api_error", one(Fault::ErrorEvent("api_error")), Recovers),
        row(
            "event: error, invalid request",
            one(Fault::ErrorEvent("invalid_request_error")),
            Fails("What is done so far is kept"),
        ),
        row("HTML with 200", one(Fault::Html200), Recovers),
        row("HTML with 200, five times", five_times(Fault::Html200), Fails("Check the network and ANTHROPIC_BASE_URL")),
        row("garbage in a data line", one(Fault::GarbageData), Recovers),
        row(
            "garbage in a data line, five times",
            five_times(Fault::GarbageData),
            Fails("Check the network and ANTHROPIC_BASE_URL"),
        ),
    ]
}

#[test]
#[expect(clippy::print_stdout, reason = "the table is there to be read")]
fn every_fault_in_every_phase_is_recovered_from_or_reported() {
    let began = Instant::now();
    let mut work: VecDeque<Box<dyn FnOnce() -> Cells + Send>> = VecDeque::new();
    for row in matrix() {
        work.push_back(Box::new(move || row.run()));
    }
    for (name, base_url) in [("connection refused", "http://127.0.0.1:1"), ("no such host", "https://nowhere.invalid")]
    {
        work.push_front(Box::new(move || unreachable_in_every_phase(name, base_url)));
    }
    work.push_front(Box::new(|| cut_anywhere("stream cut at an event's end", &Fault::CutAfterEvents)));
    work.push_front(Box::new(|| cut_anywhere("stream cut inside an event", &Fault::CutInsideEvent)));

    let rows = work.len();
    let (work, retries) = (Mutex::new(work), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some(row) = { work.lock().unwrap().pop_front() } {
                    // One that fails has printed why; the others still run.
                    if let Ok(cells) = catch_unwind(AssertUnwindSafe(row)) {
                        retries.lock().unwrap().push(cells);
                    }
                }
            });
        }
    });
    let retries = retries.into_inner().unwrap();
    println!("{}", table(retries.iter()));
    println!("{rows} faults x {} phases in {:.0} s", PHASES.len(), began.elapsed().as_secs_f64());
    assert_eq!(retries.len(), rows, "rows that failed are missing in the table and told above");
}

fn table<'a>(rows: impl Iterator<Item = &'a Cells>) -> String {
    let mut rows: Vec<String> = rows.map(|row| format!("| {} | {} |", row.name, row.cells.join(" | "))).collect();
    rows.sort();
    let head = format!("| fault | {} |\n|---|---|---|---|---|", PHASES.map(|(phase, _)| phase).join(" | "));
    format!("{head}\n{}", rows.join("\n"))
}

/// A run that goes well: two turns of every agent.
fn goes_well() -> Script {
    Script::new()
        .on("context", [reads("src/t1.rs"), context(&["src/t1.rs"])])
        .on("plan", [reads("src/t1.rs"), plan(&[&[own("T1"), own("T2")]])])
        .on("implement/T1", does("T1"))
        .on("implement/T2", does("T2"))
        .on("review", [reads("src/t1.rs"), approves()])
}

/// The same, with these faults where each phase's agent hands on: one turn is journaled already then.
fn faulty(faults: &[Fault]) -> Script {
    PHASES.iter().fold(goes_well(), |script, (_, agent)| {
        script.fault(agent, std::iter::once(none()).chain(faults.iter().cloned()))
    })
}

impl Row {
    fn run(&self) -> Cells {
        let api = MessagesApi::start(faulty(&(self.faults)()));
        let session = Session::new(&workspace(2));
        let mut env = vec![("BATON_RETRY_BASE", "5ms")];
        env.extend(&self.env);
        let cells = match self.outcome {
            Outcome::Recovers => {
                let done = start(&session, &api, &env);
                assert_eq!(done.code, Some(0), "{}: {}\n{}", self.name, done.stdout, done.stderr);
                let took = PHASES.map(|(phase, _)| seconds(&done, phase));
                assert!(took[0] >= self.waits, "{}: {} s", self.name, took[0]);
                took.map(|took| format!("recovers, {took:.2} s")).to_vec()
            }
            Outcome::Fails(words) => self.fails_in_each_phase(&session, &api, &env, words),
        };
        ended_well(self.name, &session);
        assert_eq!(
            api.requests().len(),
            REQUESTS + PHASES.len() * self.requests,
            "{}: no turn is bought twice",
            self.name
        );
        Cells { name: self.name.to_owned(), cells }
    }

    /// It fails in one phase after the other, and each start resumes where the one before it failed.
    fn fails_in_each_phase(&self, session: &Session, api: &MessagesApi, env: &Env, words: &str) -> Vec<String> {
        let mut cells = Vec::new();
        let mut written = BTreeMap::new();
        for (phase, agent) in PHASES {
            let done = start(session, api, env);
            failed_in(self.name, &done, phase, words);
            stands_still(self.name, session, &written);
            written = stamps(session, phase);
            let asked = api.requests_of(agent).len();
            assert!(asked >= 2, "{}: {agent} was asked {asked} times", self.name);
            cells.push(format!("exit 5, {:.2} s", seconds(&done, phase)));
        }
        let done = start(session, api, env);
        assert_eq!(done.code, Some(0), "{}: {}\n{}", self.name, done.stdout, done.stderr);
        stands_still(self.name, session, &written);
        cells
    }
}

type Env = [(&'static str, &'static str)];

/// Start or go on.
fn start(session: &Session, api: &MessagesApi, env: &Env) -> Done {
    let begun = session.exists(".agent_memory/task.md");
    let task: &[&str] = if begun { &[] } else { &["--task", "Do it"] };
    let args = ["run", "--auto-approve", "--json"].into_iter().chain(task.iter().copied());
    env.iter().fold(session.baton(args).api(api), |run, (name, value)| run.env(name, *value)).run()
}

fn failed_in(name: &str, done: &Done, phase: &str, words: &str) {
    assert_eq!(done.code, Some(5), "{name} in {phase}: {}\n{}", done.stdout, done.stderr);
    assert!(!done.stderr.contains("panicked"), "{name} in {phase}: {}", done.stderr);
    let events = done.events();
    let failed: Vec<&Value> =
        events.iter().filter(|event| event["status"] == "failed" && event["task"].is_null()).collect();
    let [at_phase, at_end] = failed[..] else { panic!("{name} in {phase}: {failed:#?}") };
    assert_eq!((&at_phase["phase"], &at_end["phase"]), (&json!(phase), &json!("workflow")), "{name}");
    for event in failed {
        let message = event["message"].as_str().unwrap();
        assert!(message.contains(words), "{name} in {phase}: {words:?} is not in {message:?}");
        // A task that failed by itself is reported by its result.
        let kind = event["error"]["kind"].as_str().unwrap_or("model");
        assert!(["model", "config"].contains(&kind), "{name}: {event}");
    }
    assert_eq!(done.outcome()["outcome"], "failed", "{name} in {phase}");
}

/// Seconds from the beginning of a phase to its end, as its events tell.
fn seconds(done: &Done, phase: &str) -> f64 {
    let events = done.events();
    let at = |wanted: &[&str]| -> Timestamp {
        let is_wanted = |event: &&Value| {
            event["phase"] == phase && event["task"].is_null() && wanted.contains(&event["status"].as_str().unwrap())
        };
        let event = events.iter().find(is_wanted).unwrap_or_else(|| panic!("{phase} {wanted:?}: {events:#?}"));
        event["at"].as_str().unwrap().parse().unwrap()
    };
    at(&["done", "failed"]).duration_since(at(&["started"])).as_secs_f64()
}

/// Which file is which, and when it was written.
type Stamps = BTreeMap<String, (u64, i64, i64, Vec<u8>)>;

/// What stands written for good when a phase has failed.
fn stamps(session: &Session, failed: &str) -> Stamps {
    let finished: &[&str] = match failed {
        "context" => &[],
        "plan" => &["context.json"],
        "implement" => &["context.json", "plan.json", "plan.md", "approval.json", "round.json"],
        _ => &["context.json", "plan.json", "plan.md", "approval.json", "round.json", "impl_report.json"],
    };
    let sources: &[&str] = match failed {
        "context" | "plan" => &[],
        "implement" => &["src/t1.rs"],
        _ => &["src/t1.rs", "src/t2.rs"],
    };
    // plan.md shows what follows the plan as well: checks and criteria.
    let finished = finished.iter().filter(|file| **file != "plan.md");
    let mut paths: Vec<String> = finished.map(|file| session.memory(file)).collect();
    paths.extend(sources.iter().map(ToString::to_string));
    for path in sources {
        assert!(session.text(path).contains("    1\n"), "{path} is written");
    }
    paths.into_iter().map(|path| (path.clone(), stamp(session, &path))).collect()
}

fn stamp(session: &Session, path: &str) -> (u64, i64, i64, Vec<u8>) {
    let meta = session.path(path).metadata().unwrap_or_else(|error| panic!("{path}: {error}"));
    (meta.ino(), meta.mtime(), meta.mtime_nsec(), session.text(path).into_bytes())
}

fn stands_still(name: &str, session: &Session, written: &Stamps) {
    for (path, before) in written {
        assert!(*before == stamp(session, path), "{name}: {path} was written twice");
    }
}

fn ended_well(name: &str, session: &Session) {
    for file in ["src/t1.rs", "src/t2.rs"] {
        assert!(session.text(file).contains("    1\n"), "{name}: {file}");
    }
    let mut published: Vec<String> = session
        .memory_tree()
        .into_keys()
        .filter(|path| path.contains("/publish/") && path.ends_with(".json"))
        .collect();
    published.retain(|path| path.starts_with("runs/"));
    assert_eq!(published.len(), 2, "{name}: each task is published once: {published:?}");
    let events =
        session.runs().into_iter().map(|run| session.text(&session.memory(&format!("runs/{run}/events.jsonl"))));
    let events: String = events.collect();
    for (phase, _) in PHASES {
        let done = |line: &&str| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["phase"] == phase && event["status"] == "done" && event["task"].is_null()
        };
        assert_eq!(events.lines().filter(done).count(), 1, "{name}: {phase} ends well once");
    }
    assert_eq!(session.handoff("review.json")["verdict"], "approved", "{name}");
    assert_eq!(session.mode(".agent_memory/plan.json"), 0o644, "{name}");
}

/// Each phase is first tried without a server, then with the server, which lets it pass and stops the next.
fn unreachable_in_every_phase(name: &'static str, base_url: &'static str) -> Cells {
    let no = || Fault::status(403, "permission_error", "not yet");
    let script = PHASES[1..].iter().fold(goes_well(), |script, (_, agent)| script.fault(agent, [no()]));
    let api = MessagesApi::start(script);
    let session = Session::new(&workspace(2));
    let env = [("BATON_RETRY_BASE", "5ms")];
    let nobody = [("BATON_RETRY_BASE", "5ms"), ("ANTHROPIC_BASE_URL", base_url)];
    let mut cells = Vec::new();
    let mut written = Stamps::new();
    for (index, (phase, _)) in PHASES.into_iter().enumerate() {
        let asked = api.requests().len();
        let done = start(&session, &api, &nobody);
        failed_in(name, &done, phase, "cannot be reached: ");
        failed_in(name, &done, phase, "Check the network and ANTHROPIC_BASE_URL. Gave up after 5 attempts");
        cells.push(format!("exit 5, {:.2} s", seconds(&done, phase)));
        assert_eq!(api.requests().len(), asked);
        stands_still(name, &session, &written);
        let done = start(&session, &api, &env);
        stands_still(name, &session, &written);
        match PHASES.get(index + 1) {
            Some((next, _)) => {
                failed_in(name, &done, next, "not yet");
                written = stamps(&session, next);
            }
            None => assert_eq!(done.code, Some(0), "{name}: {}\n{}", done.stdout, done.stderr),
        }
    }
    ended_well(name, &session);
    assert_eq!(api.requests().len(), REQUESTS + 3, "{name}");
    Cells { name: name.to_owned(), cells }
}

/// The answer in which each phase hands on is cut after, or inside, each of its events: four cuts a run, after which it
/// comes whole.
fn cut_anywhere(name: &'static str, cut: &dyn Fn(usize) -> Fault) -> Cells {
    const CUTS: usize = 4;
    let (mut cuts, mut took) = ([0; 4], [0.0; 4]);
    let mut first = 0;
    loop {
        let faults: Vec<Fault> = (first..first + CUTS).map(cut).collect();
        let api = MessagesApi::start(faulty(&faults));
        let session = Session::new(&workspace(2));
        let done = start(&session, &api, &[("BATON_RETRY_BASE", "2ms")]);
        assert_eq!(done.code, Some(0), "{name} from {first}: {}\n{}", done.stdout, done.stderr);
        ended_well(name, &session);
        let mut in_this_run = 0;
        for (index, (phase, agent)) in PHASES.into_iter().enumerate() {
            // One request more than its two turns for every cut; where the answer has no such event, none was cut.
            let lost = api.requests_of(agent).len() - 2;
            cuts[index] += lost;
            in_this_run += lost;
            took[index] += seconds(&done, phase);
        }
        if in_this_run == 0 {
            break;
        }
        first += CUTS;
    }
    assert!(cuts.iter().all(|cuts| *cuts > 10), "{name}: {cuts:?}");
    let cells = cuts.iter().zip(took).map(|(cuts, took)| format!("recovers from each of {cuts}, {took:.2} s in all"));
    Cells { name: name.to_owned(), cells: cells.collect() }
}

#[test]
fn a_long_wait_counts_down_and_a_cancel_ends_it() {
    let session = Session::new(&workspace(2));
    let limit = Fault::status(429, "rate_limit_error", "slow down").header("retry-after", "30");
    let api = MessagesApi::start(goes_well().fault("context", [limit]));
    let mut run = session.start(&api, ["--task", "Do it", "--json"]);
    let lines = run.lines();
    let waiting: Vec<Value> = (lines.iter())
        .map(|line| serde_json::from_str::<Value>(&line).unwrap())
        .filter(|event| event["status"] == "progress")
        .take(3)
        .collect();
    let provider = format!("Anthropic API at {}", api.url().replace("http://", ""));
    let left = |event: &Value| {
        let message = event["message"].as_str().unwrap();
        message.split("waiting ").nth(1)?.split(' ').next()?.parse::<u32>().ok()
    };
    let seconds: Vec<u32> = waiting.iter().filter_map(left).collect();
    // On a busy machine a second may be left out.
    assert!(seconds.len() == 3 && seconds[0] == 30 && seconds.is_sorted_by(|a, b| a > b), "{seconds:?}");
    for (event, left) in waiting.iter().zip(seconds) {
        let message = json!(format!("{provider}: rate limit (429); waiting {left} s, try 2"));
        assert_eq!((&event["phase"], &event["message"]), (&json!("context"), &message));
        assert_eq!(event["error"], json!({ "kind": "model", "message": message }));
    }
    run.signal(Signal::INT);
    let signalled = Instant::now();
    let done = run.wait();
    assert!(signalled.elapsed() < PROMPTLY, "it took {:?}", signalled.elapsed());
    assert_eq!(done.code, Some(130), "{}", done.stderr);
    assert_eq!(api.requests().len(), 1, "nothing more is sent");
    drop(lines);
    session.run(&api, ["--auto-approve"]).expect(0);
}

#[test]
fn a_turn_that_waits_for_the_network_is_told_from_one_that_is_at_work() {
    let session = Session::new(&workspace(2));
    let busy = Fault::status(503, "api_error", "busy");
    let api = MessagesApi::start(goes_well().fault("context", [none(), busy]).fault("implement/T2", [Fault::Reset]));
    let done = session.baton(["run", "--task", "Do it", "--auto-approve", "--json"]).api(&api).run().expect(0);
    let events = done.events();
    let provider = format!("Anthropic API at {}", api.url().replace("http://", ""));
    for (phase, task, happened) in
        [("context", Value::Null, "server error (503)"), ("implement", json!("T2"), "no connection (")]
    {
        let own: Vec<&Value> = events.iter().filter(|event| event["phase"] == phase && event["task"] == task).collect();
        let waits = own.iter().position(|event| event["error"].is_object()).unwrap();
        let message = own[waits]["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{provider}: {happened}")), "{message}");
        assert!(message.ends_with("; waiting 1 s, try 2 of 5"), "{message}");
        assert_eq!(own[waits]["error"]["kind"], "model");
        assert_eq!(own[waits + 1]["message"], json!(format!("asking {provider} again, try 2 of 5")));
        assert!(own[waits + 1..].iter().all(|event| event["error"].is_null()), "the next event takes it back");
    }
}

#[test]
fn what_stays_wrong_is_named_with_its_provider() {
    let limit = Fault::status(429, "rate_limit_error", "slow down").header("retry-after", "3600");
    let wrong_key = Fault::status(401, "authentication_error", "invalid x-api-key");
    let not_allowed = Fault::status(403, "permission_error", "not you");
    for (fault, words) in [
        (limit, "rate limit reached (429): \"slow down\". It asks to wait 1h"),
        (wrong_key, "refused the key in ANTHROPIC_API_KEY (401)"),
        (not_allowed, "the key in ANTHROPIC_API_KEY may not use"),
    ] {
        let session = Session::new(&workspace(1));
        let api = MessagesApi::start(Script::new().fault("context", [fault]));
        let done = session.run(&api, ["--task", "Do it", "--json"]).expect(5);
        let events = done.events();
        let failed: Vec<&Value> = events.iter().filter(|event| event["status"] == "failed").collect();
        assert!(!failed.is_empty());
        for event in failed {
            let message = event["message"].as_str().unwrap();
            let provider = format!("Anthropic API at {}", api.url().replace("http://", ""));
            assert!(message.contains(&provider) && message.contains(words), "{message}");
        }
    }
}

#[test]
fn a_burst_of_overloads_slows_all_tasks_down_together_and_none_dies() {
    const TASKS: usize = 8;
    const LOOKS: usize = 8;
    let session = Session::new(&workspace(TASKS));
    let ids: Vec<String> = (1..=TASKS).map(|n| format!("T{n}")).collect();
    let tasks: Vec<Value> = ids.iter().map(|id| own(id)).collect();
    // Long enough for all tasks to be under way together on a busy machine too.
    let slowly = |reply: Reply| reply.after(Duration::from_millis(150));
    let first = |reply: Reply| reply.after(Duration::from_millis(600));
    let mut script = Script::new()
        .on("context", [context(&["src/t1.rs"])])
        .on("plan", [plan(&[&tasks])])
        .on("review", [approves()])
        // The tasks' first turns pass, then all that are under way are refused, and their first retries.
        .fault("implement", (0..TASKS).map(|_| none()).chain((0..TASKS).map(|_| Fault::rate_limited(20))));
    for id in &ids {
        let file = format!("src/{}.rs", id.to_lowercase());
        let look = |n| Reply::tool("read_file", json!({ "path": file, "start_line": 1, "end_line": n }));
        let mut replies: Vec<Reply> =
            (1..=LOOKS).map(|n| if n == 1 { first(look(n)) } else { slowly(look(n)) }).collect();
        replies.extend([slowly(edits(&file, "    0\n", "    1\n")), slowly(completed(&[&file]))]);
        script = script.on(&format!("implement/{id}"), replies);
    }
    let api = MessagesApi::start(script);
    let run = session.baton(["run", "--task", "Do it", "--auto-approve", "--json"]).api(&api);
    let done = run.env("BATON_MAX_PARALLEL_TASKS", TASKS.to_string()).env("BATON_RETRY_BASE", "5ms").run().expect(0);

    for id in &ids {
        assert!(session.text(&format!("src/{}.rs", id.to_lowercase())).contains("    1\n"), "{id} is done");
    }
    assert!(done.events().iter().all(|event| event["status"] != "failed"));
    let requests: Vec<_> =
        api.requests().into_iter().filter(|request| request.agent.starts_with("implement")).collect();
    let refused =
        |request: &crate::support::messages_api::RecordedRequest| matches!(request.fault, Some(Fault::Status { .. }));
    assert_eq!(requests.iter().filter(|request| refused(request)).count(), TASKS);
    assert_eq!(requests.len(), TASKS * (LOOKS + 2) + TASKS, "every refused request is made once more");
    let last = requests.iter().rposition(refused).unwrap();
    let (before, after) = requests.split_at(last + 1);
    let most = |requests: &[crate::support::messages_api::RecordedRequest]| {
        requests.iter().map(|request| request.at_once).max()
    };
    assert!(most(before) > Some(TASKS / 2), "at once before: {:?}", most(before));
    assert!(
        most(&after[..TASKS]) <= Some(TASKS / 2),
        "halved: {:?}",
        after.iter().map(|r| r.at_once).collect::<Vec<_>>()
    );
    assert!(most(after) > Some(TASKS / 2), "grown back: {:?}", after.iter().map(|r| r.at_once).collect::<Vec<_>>());
}
