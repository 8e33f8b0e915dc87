//! Taking over a stage, and everything that holds at the end of it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::fixture::LastVersion;
use super::make::{REPOSITORY, STAGES};
use crate::support::messages_api::{MessagesApi, Script, VALIDATE};
use crate::support::session::{Done, Session};

pub(super) type Tree = BTreeMap<String, String>;

/// What is asked for from the start to the end.
pub(super) const CONTEXT: [&str; 2] = ["context 0", "context 1"];
pub(super) const PLAN: [&str; 2] = ["plan 0", "plan 1"];
pub(super) const T1: [&str; 2] = ["implement/T1 0", "implement/T1 1"];
pub(super) const T2: [&str; 3] = ["implement/T2 0", "implement/T2 1", "implement/T2 2"];
pub(super) const T3: [&str; 3] = ["implement/T3 0", "implement/T3 1", "implement/T3 2"];
pub(super) const REVIEW: [&str; 2] = ["review 0", "review 1"];

pub(super) fn open(stage: &str) -> LastVersion {
    let known = STAGES.iter().find(|known| known.name == stage).expect("a stage");
    LastVersion::open(stage, known.in_git.then_some(REPOSITORY))
}

pub(super) fn tree(session: &Session) -> Tree {
    session.tree().into_iter().map(|(path, bytes)| (path, String::from_utf8(bytes).expect("UTF-8"))).collect()
}

pub(super) fn before() -> Tree {
    tree(&Session::new(REPOSITORY))
}

/// The working tree with these tasks done: `1` is T1, `f` is T2's fix, `F` is T3's.
pub(super) fn with_done(done: &str) -> Tree {
    let mut tree = before();
    let mut edit = |path: &str, old: &str, new: &str| {
        let text = tree.get_mut(path).expect("a file");
        assert!(text.contains(old), "{path} holds no {old:?}: {text}");
        *text = text.replacen(old, new, 1);
    };
    for task in done.chars() {
        match task {
            '1' => edit("src/t1.rs", "one() -> u32 {\n    0", "one() -> u32 {\n    1"),
            '2' => {
                edit("src/t1.rs", "two() -> u32 {\n    0", "two() -> u32 {\n    2");
                edit("src/t2.rs", "    0", "    1");
            }
            '3' => edit("src/t3.rs", "    0", "    1"),
            'f' => edit("src/t1.rs", "    2\n", "    22\n"),
            'F' => edit("src/t3.rs", "    1\n", "    11\n"),
            other => panic!("no task {other}"),
        }
    }
    if done.contains('1') {
        tree.insert("src/new/made.rs".to_owned(), "pub fn made() {}\n".to_owned());
    }
    if done.contains('2') {
        tree.insert("src/new/more.rs".to_owned(), "pub fn more() {}\n".to_owned());
        tree.remove("src/old/a.rs");
        tree.remove("src/old/b.rs");
    }
    tree
}

pub(super) fn status(session: &Session) -> Value {
    session.baton(["status", "--json"]).run().expect(0).json()
}

/// Run the program; contexts do not grow stale, however old the fixtures are.
pub(super) fn baton(session: &Session, api: &MessagesApi, args: &[&str]) -> Done {
    let baton = session.baton(args.iter().copied()).api(api);
    let done = baton.env("BATON_CONTEXT_STALENESS_HOURS", "1000000").run();
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    done
}

/// The script's server, and what it has been asked for: agents and turns, sorted.
pub(super) struct Asked {
    pub(super) api: MessagesApi,
}

impl Asked {
    pub(super) fn of(script: Script) -> Self {
        Self { api: MessagesApi::start(script) }
    }

    /// Asserts what was asked for, but for the checks of a review's findings.
    #[track_caller]
    pub(super) fn is(&self, expected: &[&[&str]]) {
        let requests = self.api.requests();
        let asked = requests.iter().filter(|request| request.agent != VALIDATE);
        let mut asked: Vec<String> = asked.map(|request| format!("{} {}", request.agent, request.turn)).collect();
        asked.sort();
        let mut expected = expected.concat();
        expected.sort_unstable();
        assert_eq!(asked, expected);
    }
}

/// A script without any reply: a request to it fails the test.
pub(super) fn no_replies() -> Asked {
    Asked::of(Script::new())
}

/// Take over a stage by one run, to its end: this is asked for and nothing else, and this is done.
#[track_caller]
pub(super) fn merges(stage: &str, script: Script, asked: &[&[&str]], done: &str) -> Session {
    let LastVersion { session, reported } = open(stage);
    let server = Asked::of(script);
    baton(&session, &server.api, &["run", "--auto-approve"])
        .expect(0)
        .prints("Approved by reading; no check ran. Changes are in your working tree");
    server.is(asked);
    is_merged(&session, &reported, &server.api, done);
    session
}

/// Everything that holds of a workflow that came to its end.
#[track_caller]
pub(super) fn is_merged(session: &Session, reported: &Value, api: &MessagesApi, done: &str) {
    let after = with_done(done);
    assert_eq!(tree(session), after);
    let now = status(session);
    assert_eq!((&now["outcome"], &now["next"]), (&json!("merged"), &json!("none")), "{now}");
    let words = |list: &str| -> Vec<&str> {
        now[list].as_array().unwrap().iter().map(|item| item["status"].as_str().unwrap()).collect()
    };
    assert_eq!(words("phases"), ["done"; 4], "{now}");
    assert!(words("tasks").iter().all(|status| *status == "completed"), "{now}");
    // What the last version paid for is counted, and so is what came to it, once.
    let output = |usage: &Value| usage["output_tokens"].as_u64().expect("a count");
    let since = used_by(session, reported["run"].as_str().unwrap_or_default());
    assert_eq!(output(&now["usage"]), output(&reported["usage"]) + since);
    assert_eq!(session.mode(".agent_memory/plan.json"), 0o644, "the plan is writable again");
    let leftover = |path: &String| path.contains(".tmp") || path.contains(".draft");
    assert!(!session.memory_tree().keys().chain(tree(session).keys()).any(leftover));

    // The same again, without a request.
    let count = api.requests().len();
    session.run(api, []).expect(0);
    assert_eq!(api.requests().len(), count);
    is_undone(session, &before(), &after);
}

/// Output tokens of the runs after this one, as their transcripts say.
pub(super) fn used_by(session: &Session, last: &str) -> u64 {
    let mut used = 0;
    for run in session.runs().iter().filter(|run| run.as_str() > last) {
        let path = session.memory(&format!("runs/{run}/transcript.jsonl"));
        let text = if session.exists(&path) { session.text(&path) } else { String::new() };
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("a line");
            used += line["response"]["usage"]["output_tokens"].as_u64().unwrap_or_default();
        }
    }
    used
}

/// `diff` holds exactly what was done, `rollback` takes all of it back, `--undo` brings it again.
#[track_caller]
pub(super) fn is_undone(session: &Session, before: &Tree, after: &Tree) {
    let diff = session.baton(["diff"]).run().expect(0).stdout;
    let copy = session.clone_workspace("copy");
    fs::write(copy.join("../all.diff"), diff).unwrap();
    let mut git = Command::new("git");
    git.current_dir(&copy).args(["apply", "-R", "../all.diff"]).env("GIT_CEILING_DIRECTORIES", copy.parent().unwrap());
    assert!(git.status().unwrap().success());
    for (path, text) in before {
        assert_eq!(fs::read_to_string(copy.join(path)).unwrap(), *text, "{path}");
    }
    for path in after.keys().filter(|path| !before.contains_key(*path)) {
        assert!(!copy.join(path).exists(), "{path}");
    }
    let is_merged = status(session)["outcome"] == "merged";
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(tree(session), *before);
    assert_eq!(session.baton(["diff"]).run().expect(0).stdout, "");
    assert_eq!(status(session)["next"], "gate");
    session.baton(["rollback", "--undo"]).run().expect(0);
    assert_eq!(tree(session), *after);
    assert_eq!(status(session)["outcome"] == "merged", is_merged);
}
