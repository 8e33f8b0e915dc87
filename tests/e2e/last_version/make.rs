//! How the fixtures came to be: version 0.1.0, driven to each stage against the scripted model.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::fixture::{Snapshot, start_repository};
use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{blocked, completed, context, edits, modifies, plan, plan_of, reads, review, task, with};
use crate::support::session::Session;
use crate::support::terminal::Terminal;
use crate::support::wait::wait_until;

/// A stage of a workflow, or of what may come after it.
pub(super) struct Stage {
    pub(super) name: &'static str,
    /// The stage it began from.
    from: Option<&'static str>,
    /// Whether the workspace is a git repository.
    pub(super) in_git: bool,
    /// What leads there. Whether it came to it is for the maker to say; where it didn't, it is tried again.
    make: fn(&Session) -> bool,
}

pub(super) const TASK: &str = "Count from one";

/// The workspace before anything is done.
pub(super) const REPOSITORY: &str = "\
//- /README.md
# Sample
//- /src/t1.rs
pub fn one() -> u32 {
    0
}

// between

pub fn two() -> u32 {
    0
}
//- /src/t2.rs
pub fn t2() -> u32 {
    0
}
//- /src/t3.rs
pub fn t3() -> u32 {
    0
}
//- /src/old/a.rs
pub fn a() {}
//- /src/old/b.rs
pub fn b() {}
";

/// T1 and T2 share a file, T2 has many, T3 is on its own.
pub(super) fn tasks() -> [Value; 3] {
    [
        with(modifies("T1", "src/t1.rs"), json!({ "files_to_create": ["src/new/made.rs"] })),
        with(
            task("T2"),
            json!({
                "files_to_modify": ["src/t1.rs", "src/t2.rs"], "files_to_create": ["src/new/more.rs"],
                "files_to_delete": ["src/old/a.rs", "src/old/b.rs"], "depends_on": ["T1"],
                "estimated_complexity": "moderate",
            }),
        ),
        modifies("T3", "src/t3.rs"),
    ]
}

fn two_groups() -> Reply {
    let [t1, t2, t3] = tasks();
    plan(&[&[t1, t3], &[t2]])
}

fn edit(path: &str, old: &str, new: &str) -> (&'static str, Value) {
    ("edit_file", json!({ "path": path, "old_text": old, "new_text": new }))
}

pub(super) fn t1() -> Vec<Reply> {
    let made = ("write_file", json!({ "path": "src/new/made.rs", "content": "pub fn made() {}\n" }));
    let one = edit("src/t1.rs", "one() -> u32 {\n    0", "one() -> u32 {\n    1");
    vec![Reply::tools([one, made]), completed(&["src/t1.rs", "src/new/made.rs"])]
}

pub(super) fn t2() -> Vec<Reply> {
    let delete = |path: &str| ("delete_file", json!({ "path": path }));
    let edits = [
        edit("src/t1.rs", "two() -> u32 {\n    0", "two() -> u32 {\n    2"),
        edit("src/t2.rs", "    0", "    1"),
        ("write_file", json!({ "path": "src/new/more.rs", "content": "pub fn more() {}\n" })),
        delete("src/old/a.rs"),
        delete("src/old/b.rs"),
    ];
    vec![reads("src/t2.rs"), Reply::tools(edits), completed(&["src/t1.rs", "src/t2.rs"])]
}

pub(super) fn t3() -> Vec<Reply> {
    // What T1 and T2 do at the same time shows in what these look at.
    let looks = Reply::tools([
        ("search", json!({ "pattern": "    [0-9]$" })),
        ("list_files", json!({})),
        ("read_file", json!({ "path": "src/t3.rs" })),
    ]);
    vec![looks, edits("src/t3.rs", "    0\n", "    1\n"), completed(&["src/t3.rs"])]
}

/// What reviews, after a look at the diff.
pub(super) fn reviewer(verdict: &str, action: &str, issues: &[Value]) -> Vec<Reply> {
    vec![Reply::tool("read_diff", json!({})), review(verdict, action, issues)]
}

pub(super) fn approver() -> Vec<Reply> {
    reviewer("approved", "merge", &[issue("minor", "src/new/made.rs", "pub fn made() {}", "It does nothing.")])
}

pub(super) fn issue(severity: &str, file: &str, quote: &str, description: &str) -> Value {
    json!({ "severity": severity, "file": file, "line": 1, "quote": quote, "description": description })
}

/// What is done about an issue in a file that is T2's.
pub(super) fn t2_fix() -> Vec<Reply> {
    vec![reads("src/t1.rs"), edits("src/t1.rs", "    2\n", "    22\n"), completed(&["src/t1.rs"])]
}

pub(super) fn t3_fix() -> Vec<Reply> {
    vec![reads("src/t3.rs"), edits("src/t3.rs", "    1\n", "    11\n"), completed(&["src/t3.rs"])]
}

/// Everything but the review.
fn up_to_review() -> Script {
    Script::new()
        .on("context", [reads("src/t1.rs"), context(&["src/t1.rs"])])
        .on("plan", [reads("src/t2.rs"), two_groups()])
        .on("implement/T1", t1())
        .on("implement/T2", t2())
        .on("implement/T3", t3())
}

/// The plan that follows a first one: T3 alone.
pub(super) fn another_plan() -> Reply {
    let [_, _, t3] = tasks();
    Reply::tool("submit_plan", with(plan_of(&[&[t3]]), json!({ "approach_summary": "Only what is left." })))
}

pub(super) fn goes_well() -> Script {
    up_to_review().on("review", approver())
}

/// The second round, in which two issues are fixed.
pub(super) fn fixing() -> Script {
    Script::new().on("implement/T2", t2_fix()).on("implement/T3", t3_fix()).on("review", approver())
}

/// A review that goes so; the rest is done.
fn reviewed(verdict: &str, action: &str, issues: &[Value]) -> MessagesApi {
    MessagesApi::start(Script::new().on("review", reviewer(verdict, action, issues)))
}

/// Which answers never come: those to this agent at this turn.
type At = &'static [(&'static str, usize)];

/// A run, killed once these agents have asked at these turns, which are never answered, and this is so as well.
fn killed_at(session: &Session, script: Script, args: &[&str], at: At, and: impl Fn() -> bool) {
    let silent = Script::new().by(move |request| {
        let reply = script.reply(request);
        let is_last = at.contains(&(request.agent.as_str(), request.turn));
        if is_last { reply.map(|reply| reply.after(Duration::from_secs(600))) } else { reply }
    });
    let api = MessagesApi::start(silent);
    let run = session.baton(args.iter().copied()).api(&api).start();
    for name in at {
        api.wait_for_request(*name);
    }
    wait_until("what stands beside the requests", and);
    run.kill();
}

/// The state of a publish journal of the newest run.
fn journal(session: &Session, name: &str) -> Option<String> {
    let run = session.runs().pop()?;
    let text = std::fs::read(session.path(&session.memory(&format!("runs/{run}/publish/{name}.json")))).ok()?;
    let journal: Value = serde_json::from_slice(&text).ok()?;
    Some(journal["state"].as_str()?.to_owned())
}

/// The plan that is asked for at the gate, in words.
fn replanning() -> Script {
    Script::new().on("plan", [reads("src/t3.rs"), another_plan()])
}

/// A change that no workflow made, to be reviewed against the first commit.
fn changed_by_hand(session: &Session) {
    session.write("src/t2.rs", "pub fn t2() -> u32 {\n    7\n}\n");
    session.write("notes.txt", "not committed\n");
}

pub(super) fn base_reviewer() -> Vec<Reply> {
    reviewer("changes_requested", "fix_and_re_review", &[issue("major", "src/t2.rs", "    7", "Seven is wrong.")])
}

const fn stage(name: &'static str, from: Option<&'static str>, make: fn(&Session) -> bool) -> Stage {
    Stage { name, from, in_git: false, make }
}

const fn in_git(name: &'static str, make: fn(&Session) -> bool) -> Stage {
    Stage { name, from: None, in_git: true, make }
}

const CONTEXT: Option<&str> = Some("context-done");
const GATE: Option<&str> = Some("gate");
const APPROVED: Option<&str> = Some("approved");
const IMPLEMENTED: Option<&str> = Some("review-missing");
const WANTED: Option<&str> = Some("fix-wanted");
const MERGED: Option<&str> = Some("merged");

/// Every stage, after the one it begins from.
pub(super) const STAGES: [Stage; 33] = [
    stage("task", None, |session| {
        session.write(".agent_memory/task.md", format!("{TASK}\n"));
        // Looked at, so that there is a key.
        session.baton(["status"]).run().expect(0);
        true
    }),
    stage("context-killed", None, |session| {
        killed_at(session, goes_well(), &["run", "--task", TASK], &[("context", 1)], || true);
        true
    }),
    stage("context-done", None, |session| {
        session.run(&MessagesApi::start(goes_well()), ["--task", TASK, "--phase", "context"]).expect(0);
        true
    }),
    stage("plan-killed", CONTEXT, |session| {
        killed_at(session, goes_well(), &["run"], &[("plan", 1)], || true);
        true
    }),
    stage("gate", CONTEXT, |session| {
        session.run(&MessagesApi::start(goes_well()), []).expect(3);
        true
    }),
    stage("gate-killed", CONTEXT, |session| {
        let api = MessagesApi::start(goes_well());
        let mut terminal = Terminal::new();
        let run = terminal.start(session.baton(["run"]).api(&api));
        terminal.wait_for("then Enter > ");
        run.kill();
        true
    }),
    stage("approved", GATE, |session| {
        session.baton(["approve"]).run().expect(0);
        true
    }),
    stage("approved-in-part", GATE, |session| {
        session.baton(["approve", "--only", "T1"]).run().expect(0);
        true
    }),
    stage("rejected", GATE, |session| {
        session.baton(["reject"]).run().expect(0);
        true
    }),
    stage("revised", GATE, |session| {
        session.baton(["plan", "--feedback", "Only T3."]).api(&MessagesApi::start(replanning())).run().expect(0);
        true
    }),
    stage("revise-killed", GATE, |session| {
        killed_at(session, replanning(), &["plan", "--feedback", "Only T3."], &[("plan", 1)], || true);
        true
    }),
    // T1 is published, some files of T2 are in place, and T3 waits for its second answer.
    stage("implement-killed", APPROVED, |session| {
        let in_between = || journal(session, "T2-1").is_some();
        killed_at(session, goes_well(), &["run"], &[("implement/T3", 1)], in_between);
        let half = session.exists("src/new/more.rs") && session.text("src/t2.rs").contains("    0\n");
        let states = ["T1-1", "T2-1"].map(|name| journal(session, name).unwrap_or_default());
        half && states == ["done", "intent"]
    }),
    // T1 is published, T2 has one answer and T3 two.
    stage("implement-killed-unpublished", APPROVED, |session| {
        killed_at(session, goes_well(), &["run"], &[("implement/T2", 1), ("implement/T3", 2)], || true);
        true
    }),
    stage("failed", APPROVED, |session| {
        let fails = Script::new().on("implement/T2", [reads("src/t2.rs"), blocked("no idea")]);
        let script = fails.on("implement/T1", t1()).on("implement/T3", t3());
        session.run(&MessagesApi::start(script), []).expect(1);
        true
    }),
    stage("review-missing", APPROVED, |session| {
        killed_at(session, goes_well(), &["run"], &[("review", 0)], || true);
        true
    }),
    stage("review-killed", IMPLEMENTED, |session| {
        killed_at(session, goes_well(), &["run"], &[("review", 1)], || true);
        true
    }),
    // Stopped by the number of reviews there may be, so that the second round is not entered.
    stage("fix-wanted", IMPLEMENTED, |session| {
        let issues =
            [issue("major", "src/t1.rs", "    2", "Two is wrong."), issue("major", "src/t3.rs", "    1", "So is T3.")];
        let api = reviewed("changes_requested", "fix_and_re_review", &issues);
        session.baton(["run"]).api(&api).env("BATON_MAX_REVIEW_CYCLES", "1").run().expect(3);
        true
    }),
    stage("dismissed", WANTED, |session| {
        let review = session.handoff("review.json");
        session.write(".agent_memory/dismissed.json", json!([review["issues"][0]["id"]]).to_string());
        true
    }),
    stage("fix-entered", WANTED, |session| {
        killed_at(session, fixing(), &["run"], &[("implement/T2", 0), ("implement/T3", 0)], || true);
        true
    }),
    // T3 is fixed, T2 has one answer.
    stage("fix-killed", WANTED, |session| {
        let published = || journal(session, "T3-2").as_deref() == Some("done");
        killed_at(session, fixing(), &["run"], &[("implement/T2", 1)], published);
        true
    }),
    stage("fix-review-killed", WANTED, |session| {
        killed_at(session, fixing(), &["run"], &[("review", 1)], || true);
        true
    }),
    stage("fix-at-the-gate", IMPLEMENTED, |session| {
        let nobodys = issue("major", "README.md", "# Sample", "No article.");
        let api = reviewed("changes_requested", "fix_and_re_review", &[nobodys]);
        session.run(&api, []).expect(3).prints("4 tasks");
        true
    }),
    stage("re-plan-wanted", IMPLEMENTED, |session| {
        let api = reviewed("rejected", "re_plan", &[]);
        session.baton(["run"]).api(&api).env("BATON_MAX_REVIEW_CYCLES", "1").run().expect(3);
        true
    }),
    stage("re-plan-killed", Some("re-plan-wanted"), |session| {
        killed_at(session, replanning(), &["run"], &[("plan", 1)], || true);
        true
    }),
    stage("escalated", IMPLEMENTED, |session| {
        session.run(&reviewed("rejected", "escalate_to_human", &[]), []).expect(3);
        true
    }),
    stage("merged", IMPLEMENTED, |session| {
        session.run(&MessagesApi::start(goes_well()), []).expect(0);
        true
    }),
    stage("reset", MERGED, |session| {
        session.baton(["reset"]).run().expect(0);
        true
    }),
    stage("rolled-back", MERGED, |session| {
        session.baton(["rollback"]).run().expect(0);
        true
    }),
    stage("rolled-back-in-part", MERGED, |session| {
        session.baton(["rollback", "--task", "T1"]).run().expect(0);
        session.baton(["rollback", "--file", "src/t2.rs"]).run().expect(0);
        true
    }),
    stage("rollback-killed", MERGED, |session| {
        let run = session.baton(["rollback"]).start();
        wait_until("the journal of the rollback", || journal(session, "ROLLBACK-0").is_some());
        run.kill();
        let is_begun = !session.exists("src/new/made.rs");
        let is_over = session.text("src/t3.rs").contains("    0\n");
        is_begun && !is_over && journal(session, "ROLLBACK-0").as_deref() == Some("intent")
    }),
    in_git("merged-in-git", |session| {
        session.run(&MessagesApi::start(goes_well()), ["--task", TASK, "--auto-approve"]).expect(0);
        true
    }),
    in_git("reviewed-against-a-commit", |session| {
        changed_by_hand(session);
        let api = MessagesApi::start(Script::new().on("review", base_reviewer()));
        session.baton(["review", "--base", "main"]).api(&api).run().expect(6);
        true
    }),
    in_git("review-against-a-commit-killed", |session| {
        changed_by_hand(session);
        let script = Script::new().on("review", base_reviewer());
        killed_at(session, script, &["review", "--base", "main"], &[("review", 1)], || true);
        true
    }),
];

/// Make every fixture again with this build of version 0.1.0.
pub(super) fn make_all(program: &Path) {
    const TRIES: u32 = 200;
    let mut made: BTreeMap<&str, Snapshot> = BTreeMap::new();
    let mut texts = BTreeMap::new();
    for Stage { name, from, in_git, make } in &STAGES {
        let from = from.map(|from| (from, made.get(from).expect("a stage before")));
        let try_once = || {
            // A name of no one's machine; the codes are made over it.
            let folder = tempfile::Builder::new().prefix("baton-0.1.0").rand_bytes(0).tempdir_in("/tmp");
            let session = Session::in_folder(folder.expect("/tmp/baton-0.1.0 is free"), "").with_program(program);
            if *in_git {
                start_repository(&session, REPOSITORY);
            }
            match from {
                Some((_, snapshot)) => snapshot.put_back(&session),
                None => Session::new(REPOSITORY).tree().iter().for_each(|(path, bytes)| session.write(path, bytes)),
            }
            make(&session).then(|| Snapshot::of(&session))
        };
        let snapshot = (0..TRIES).find_map(|_| try_once()).unwrap_or_else(|| panic!("{name} was never come to"));
        snapshot.save(name, from, &mut texts);
        made.insert(name, snapshot);
    }
}
