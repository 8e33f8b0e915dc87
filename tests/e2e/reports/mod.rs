//! What other programs are told at the end of a run: SARIF, reviewdog's format, annotations, a summary, and the last line of
//! `--json`.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod baseline;
mod formats;
mod jobs;
mod last_line;
mod places;

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::review;
use crate::support::session::{Done, Session};

/// Names with a blank, a sign that means something in a URI, and letters of other alphabets.
const FIRST: &str = "src/über uns/näch #1.rs";
const SECOND: &str = "src/日本 50%.rs";

/// A working tree in which two files differ from `main`.
fn changed() -> Session {
    let session = Session::in_git(&format!("//- /{FIRST}\none\n//- /{SECOND}\nuno\n"));
    session.write(FIRST, "fn one() {\n    one();\n    two();\n}\n");
    session.write(SECOND, "uno();\ndue();\n");
    session
}

fn issue(severity: &str, file: &str, quote: &str, description: &str) -> Value {
    json!({ "severity": severity, "file": file, "line": 1, "quote": quote, "description": description })
}

/// A reviewer that finds these, and says so however often it is asked.
fn finds(issues: &[Value]) -> MessagesApi {
    let replies = (0..4).map(|_| review("changes_requested", "fix_and_re_review", issues));
    reviewer(replies)
}

fn reviewer(replies: impl IntoIterator<Item = Reply>) -> MessagesApi {
    MessagesApi::start(Script::new().on("review", replies))
}

fn against_main(session: &Session, api: &MessagesApi, more: &[&str]) -> Done {
    session.baton(["review", "--base", "main"].into_iter().chain(more.iter().copied())).api(api).run()
}

fn json_of(session: &Session, file: &str) -> Value {
    let text = session.text(file);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}: {text}"))
}

/// The results of a SARIF log.
fn results(log: &Value) -> &Vec<Value> {
    log["runs"][0]["results"].as_array().expect("results")
}

fn rdjson_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}
