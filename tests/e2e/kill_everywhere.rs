//! A workflow of eight tasks with a fix round, killed at every request, after every answer, and at random moments:
//! the next `baton run` brings it to the same end and buys no journaled answer again.
//!
//! `BATON_KILLS` sets the number of random moments, `BATON_SEED` chooses them.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot continue fails")]
#![expect(clippy::print_stdout, reason = "how many kills led to what is worth a line")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::env;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, RecordedRequest, Reply, RequestName, Script};
use crate::support::replies::{completed, context, edits, own, plan, reads, review, task, with, workspace, writes};
use crate::support::session::Session;

/// Workspaces that are worked in at once.
const SIDE_BY_SIDE: usize = 3;
/// Random moments where `BATON_KILLS` does not say.
const KILLS: usize = 12;
/// How long the model thinks.
const THINKING: Duration = Duration::from_millis(4);
const HANDOFFS: [&str; 6] =
    ["context.json", "plan.json", "approval.json", "round.json", "impl_report.json", "review.json"];

/// A file for each task, one that three of them share, one to delete, and one that no task owns.
fn repository() -> String {
    format!(
        "{}//- /src/shared.rs\npub const A: u32 = 0;\npub const B: u32 = 0;\npub const C: u32 = 0;\n\
         //- /src/old.rs\npub fn old() {{}}\n//- /README.md\n# Sample\n",
        workspace(8)
    )
}

fn shares(id: &str, depends_on: &[&str]) -> Value {
    let own = format!("src/{}.rs", id.to_lowercase());
    with(task(id), json!({ "files_to_modify": [own, "src/shared.rs"], "depends_on": depends_on }))
}

/// Eight tasks in three groups, and a review with issues in two of their files and in one that no task owns.
fn script() -> Script {
    let creates = with(own("T5"), json!({ "files_to_create": ["src/new/made.rs"], "depends_on": ["T1"] }));
    let deletes = with(own("T6"), json!({ "files_to_delete": ["src/old.rs"], "estimated_complexity": "complex" }));
    let last = with(shares("T8", &["T5", "T7"]), json!({ "estimated_complexity": "moderate" }));
    let groups: [&[Value]; 3] =
        [&[own("T1"), shares("T2", &[]), own("T3"), own("T4")], &[creates, deletes, shares("T7", &["T2"])], &[last]];
    let does = |id: &str| edits(&format!("src/{}.rs", id.to_lowercase()), "    0\n", "    1\n");
    let constant = |name: &str| {
        edits("src/shared.rs", &format!("pub const {name}: u32 = 0;"), &format!("pub const {name}: u32 = 1;"))
    };
    let plain = |id: &str| vec![does(id), completed(&[&format!("src/{}.rs", id.to_lowercase())])];
    let issue = |file: &str, quote: &str| json!({ "severity": "major", "file": file, "line": 1, "quote": quote, "description": format!("Wrong in {file}.") });
    let issues =
        [issue("src/t3.rs", "    1"), issue("src/shared.rs", "pub const C: u32 = 1;"), issue("README.md", "# Sample")];
    let fixed = |file: &str, old: &str, new: &str| vec![edits(file, old, new), completed(&[file])];
    let looks = Reply::tools([
        ("search", json!({ "pattern": "    [01]$" })),
        ("list_files", json!({})),
        ("read_file", json!({ "path": "src/shared.rs" })),
    ]);
    Script::new()
        .on("context", [reads("src/t1.rs"), context(&["src/t1.rs", "src/shared.rs"])])
        .on("plan", [reads("src/shared.rs"), plan(&groups)])
        .on("implement/T1", plain("T1"))
        .on("implement/T2", [reads("src/shared.rs"), constant("A"), does("T2"), completed(&["src/shared.rs"])])
        // What T1 and T2 do at the same time shows in what these two look at.
        .rounds("implement/T3", [[vec![looks], plain("T3")].concat(), fixed("src/t3.rs", "    1\n", "    3\n")])
        .on("implement/T4", [reads("src/t1.rs"), reads("src/t4.rs"), does("T4"), completed(&["src/t4.rs"])])
        .on(
            "implement/T5",
            [writes("src/new/made.rs", "pub fn made() {}\n"), does("T5"), completed(&["src/new/made.rs"])],
        )
        .on(
            "implement/T6",
            [
                Reply::tools([
                    ("delete_file", json!({ "path": "src/old.rs" })),
                    ("edit_file", json!({ "path": "src/t6.rs", "old_text": "    0\n", "new_text": "    1\n" })),
                ]),
                completed(&["src/old.rs"]),
            ],
        )
        .on("implement/T7", [constant("B"), does("T7"), completed(&["src/shared.rs"])])
        .rounds(
            "implement/T8",
            [
                vec![constant("C"), does("T8"), completed(&["src/shared.rs"])],
                fixed("src/shared.rs", "C: u32 = 1", "C: u32 = 3"),
            ],
        )
        .on("implement/FIX", fixed("README.md", "# Sample", "# A sample"))
        .rounds(
            "review",
            [
                vec![Reply::tool("read_diff", json!({})), review("changes_requested", "fix_and_re_review", &issues)],
                vec![Reply::tool("read_diff", json!({ "path": "README.md" })), review("approved", "merge", &[])],
            ],
        )
}

/// The same, with a delay before each answer.
fn thinking() -> Script {
    let script = script();
    Script::new().by(move |request| script.reply(request).map(|reply| reply.after(THINKING)))
}

/// What a workflow leaves that does not depend on when it ran.
#[derive(Debug, PartialEq)]
struct Left {
    tree: BTreeMap<String, String>,
    results: Value,
    issues: Value,
    plan_version: Value,
    round: Value,
}

fn left(session: &Session) -> Left {
    let text = |(path, bytes): (String, Vec<u8>)| (path, String::from_utf8_lossy(&bytes).into_owned());
    Left {
        tree: session.tree().into_iter().map(text).collect(),
        results: session.handoff("impl_report.json")["results"].clone(),
        issues: session.handoff("review.json")["issues"].clone(),
        plan_version: session.handoff("plan.json")["plan_version"].clone(),
        round: session.handoff("round.json"),
    }
}

struct Undisturbed {
    left: Left,
    requests: Vec<RequestName>,
    took: Duration,
}

fn undisturbed() -> Undisturbed {
    let one = || {
        let session = Session::new(&repository());
        let api = MessagesApi::start(thinking());
        let began = Instant::now();
        session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
        let requests = api.requests().iter().map(RecordedRequest::name).collect();
        Undisturbed { left: left(&session), requests, took: began.elapsed() }
    };
    // As many at once as there will be, so that it takes as long.
    let all: Vec<Undisturbed> = thread::scope(|scope| {
        let runs: Vec<_> = (0..SIDE_BY_SIDE).map(|_| scope.spawn(one)).collect();
        runs.into_iter().map(|run| run.join().expect("a run")).collect()
    });
    let slowest = all.into_iter().max_by_key(|run| run.took).expect("a run");
    let left = &slowest.left;
    assert_eq!(left.round["n"], 2);
    assert!(left.tree["README.md"].contains("# A sample") && left.tree["src/t3.rs"].contains('3'));
    assert!(!left.tree.contains_key("src/old.rs") && left.tree.contains_key("src/new/made.rs"));
    assert_eq!(left.tree["src/shared.rs"], "pub const A: u32 = 1;\npub const B: u32 = 1;\npub const C: u32 = 3;\n");
    slowest
}

/// The turns whose answers the journals hold. Those of one agent follow each other, so that the n-th answer of an
/// agent belongs to the n-th turn it asked for.
fn journaled(session: &Session, api: &MessagesApi) -> BTreeSet<RequestName> {
    let mut answers: HashMap<String, usize> = HashMap::new();
    for run in session.runs() {
        let transcript = session.memory(&format!("runs/{run}/transcript.jsonl"));
        if !session.exists(&transcript) {
            continue;
        }
        for line in session.text(&transcript).lines() {
            // The last line of a killed run may be cut: it holds no answer then.
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            if line["response"].is_object() {
                *answers.entry(line["agent"].as_str().expect("an agent").to_owned()).or_default() += 1;
            }
        }
    }
    let mut journaled = BTreeSet::new();
    for request in api.requests() {
        let turn = request.name();
        let left = answers.entry(turn.agent.clone()).or_default();
        if *left > 0 && journaled.insert(turn) {
            *left -= 1;
        }
    }
    journaled
}

/// What kills led to.
#[derive(Debug, Default)]
struct Counts {
    kills: usize,
    in_phase: BTreeMap<String, usize>,
    handoffs_parsed: usize,
    journaled: usize,
    asked_again: usize,
    bought_twice: usize,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.kills += other.kills;
        self.handoffs_parsed += other.handoffs_parsed;
        self.journaled += other.journaled;
        self.asked_again += other.asked_again;
        self.bought_twice += other.bought_twice;
        for (phase, kills) in other.in_phase {
            *self.in_phase.entry(phase).or_default() += kills;
        }
    }
}

/// Every handoff that is there, those in history too, is whole.
fn whole_handoffs(session: &Session, killed: &str) -> usize {
    let mut whole = 0;
    // Killed at once, it has not even made the folder.
    let tree = if session.exists(".agent_memory") { session.memory_tree() } else { BTreeMap::new() };
    for (path, bytes) in tree {
        let name = path.rsplit('/').next().expect("a name");
        if HANDOFFS.contains(&name) {
            let parsed: Result<Value, _> = serde_json::from_slice(&bytes);
            assert!(parsed.is_ok(), "{killed}: {path} is half-written: {}", String::from_utf8_lossy(&bytes));
            whole += 1;
        }
    }
    whole
}

/// After a kill: go on to the end, and hold that against the undisturbed run.
fn goes_on(session: &Session, api: &MessagesApi, undisturbed: &Undisturbed, killed: &str) -> Counts {
    let mut counts = Counts { kills: 1, handoffs_parsed: whole_handoffs(session, killed), ..Counts::default() };
    let before = api.requests();
    let had = journaled(session, api);
    counts.journaled = had.len();
    let phase = before.last().map_or("start", |request| request.agent.split('/').next().expect("a phase"));
    counts.in_phase.insert(phase.to_owned(), 1);

    // Killed before anything was begun, there is no task yet: it is given again, as a person would.
    let task: &[&str] = if session.exists(&session.memory("task.md")) { &[] } else { &["--task", "Do it"] };
    let done = session.run(api, ["--auto-approve"].into_iter().chain(task.iter().copied()));
    assert_eq!(done.code, Some(0), "{killed}: {}\n{}", done.stdout, done.stderr);
    assert_eq!(left(session), undisturbed.left, "{killed}");
    assert_eq!(session.mode(&session.memory("plan.json")), 0o644, "{killed}: the plan is not writable again");
    let leftovers: Vec<String> = (session.memory_tree().into_keys())
        .chain(session.tree().into_keys())
        .filter(|path| path.contains(".tmp") || path.contains(".draft"))
        .collect();
    assert!(leftovers.is_empty(), "{killed}: {leftovers:?}");

    let asked: BTreeSet<RequestName> = before.iter().map(RecordedRequest::name).collect();
    for request in &api.requests()[before.len()..] {
        let turn = request.name();
        counts.asked_again += usize::from(asked.contains(&turn));
        if had.contains(&turn) {
            counts.bought_twice += 1;
        }
    }
    assert_eq!(counts.bought_twice, 0, "{killed}: answers in the journal were asked for again");
    let under_way = asked.len() - had.len();
    assert!(counts.asked_again <= under_way, "{killed}: {} asked again of {under_way}", counts.asked_again);
    counts
}

/// Do each of these in a few threads side by side, and sum up what they led to.
fn side_by_side<T: Send>(work: Vec<T>, each: impl Fn(T) -> Counts + Sync) -> Counts {
    let work = Mutex::new(work);
    let total = Mutex::new(Counts::default());
    thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let Some(item) = work.lock().unwrap().pop() else { return };
                    let counts = each(item);
                    total.lock().unwrap().add(counts);
                }
            });
        }
    });
    total.into_inner().unwrap()
}

#[test]
fn killed_at_any_request_it_comes_to_the_same_end() {
    let undisturbed = undisturbed();
    let counts = side_by_side(undisturbed.requests.clone(), |name| {
        let session = Session::new(&repository());
        // This request gets no answer before the kill.
        let api = MessagesApi::start(thinking().stall_once(&name));
        let run = session.start(&api, ["--task", "Do it", "--auto-approve"]);
        api.wait_for_request(&name);
        run.kill();
        goes_on(&session, &api, &undisturbed, &format!("killed at {name}"))
    });
    println!("killed at each of {} requests: {counts:?}", undisturbed.requests.len());
    assert_eq!(counts.kills, undisturbed.requests.len());
}

#[test]
fn killed_after_any_answer_it_comes_to_the_same_end() {
    let undisturbed = undisturbed();
    let counts = side_by_side(undisturbed.requests.clone(), |name| {
        let session = Session::new(&repository());
        let api = MessagesApi::start(thinking());
        let run = session.start(&api, ["--task", "Do it", "--auto-approve"]);
        api.wait_for_answer(&name);
        run.kill();
        goes_on(&session, &api, &undisturbed, &format!("killed after the answer to {name}"))
    });
    println!("killed after each of {} answers: {counts:?}", undisturbed.requests.len());
    assert_eq!(counts.kills, undisturbed.requests.len());
}

#[test]
fn killed_at_random_moments_it_comes_to_the_same_end() {
    let number = |name: &str| env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let kills = number("BATON_KILLS").map_or(KILLS, |kills| usize::try_from(kills).expect("not so many"));
    let seed = number("BATON_SEED").unwrap_or(20_261_021);
    let undisturbed = undisturbed();
    let mut random = fastrand::Rng::with_seed(seed);
    // Spread over the run: one moment in each part of it.
    let moments = (0..kills).map(|n| undisturbed.took.mul_f64((n as f64 + random.f64()) / kills as f64)).collect();
    let counts = side_by_side(moments, |moment: Duration| {
        let session = Session::new(&repository());
        let api = MessagesApi::start(thinking());
        let run = session.start(&api, ["--task", "Do it", "--auto-approve"]);
        thread::sleep(moment);
        run.kill();
        goes_on(&session, &api, &undisturbed, &format!("killed after {moment:?} (seed {seed})"))
    });
    println!("killed at {kills} random moments of a run of {:?}, seed {seed}: {counts:?}", undisturbed.took);
    assert_eq!(counts.kills, kills);
}
