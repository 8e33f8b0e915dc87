//! What follows a review (fix rounds, new plans, a decision by a person) and an answer at the gate that is not a
//! plain yes.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod fix_rounds;
mod new_plans;
mod selected_tasks;

use std::path::Path;

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply};
use crate::support::replies::{completed, edits, review, workspace};
use crate::support::session::{Done, Session};

/// An issue of a file in which [`does`](crate::support::replies::does) was done.
pub(super) fn issue(file: &str, quote: &str, description: &str) -> Value {
    json!({ "severity": "major", "file": file, "line": 1, "quote": quote, "description": description })
}

pub(super) fn wants_fixes(issues: &[Value]) -> Vec<Reply> {
    vec![review("changes_requested", "fix_and_re_review", issues)]
}

/// [`workspace`] with a file that no task owns.
pub(super) fn with_readme(tasks: usize) -> String {
    format!("{}//- /README.md\n# Sample\n", workspace(tasks))
}

/// What fixes that file.
pub(super) fn fixes_readme() -> Vec<Reply> {
    vec![edits("README.md", "# Sample", "# A sample"), completed(&["README.md"])]
}

/// Tasks side by side ask in whatever order.
pub(super) fn sorted(agents: &[String]) -> Vec<&str> {
    let mut agents: Vec<&str> = agents.iter().map(String::as_str).collect();
    agents.sort_unstable();
    agents
}

pub(super) fn read(root: &Path, file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(root.join(".agent_memory").join(file)).unwrap()).unwrap()
}

pub(super) fn list<'a>(array: &'a Value, field: &str) -> Vec<&'a str> {
    array.as_array().expect("a list").iter().map(|item| item[field].as_str().expect(field)).collect()
}

/// Ids of a review's issues, by description.
pub(super) fn id_of(review: &Value, description: &str) -> String {
    let issue = review["issues"].as_array().unwrap().iter().find(|issue| issue["description"] == description);
    issue.unwrap_or_else(|| panic!("no issue {description:?} in {review}"))["id"].as_str().unwrap().to_owned()
}

/// Each issue of `status --json` with its state, sorted.
pub(super) fn states(session: &Session) -> Vec<(String, String)> {
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let mut states: Vec<_> = (status["issues"].as_array().unwrap().iter())
        .map(|issue| (word(&issue["description"]), word(&issue["state"])))
        .collect();
    states.sort();
    states
}

pub(super) fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// `baton run` that stops at this many reviews.
pub(super) fn run_until(session: &Session, api: &MessagesApi, reviews: u32, args: &[&str]) -> Done {
    let run = session.baton(["run"].into_iter().chain(args.iter().copied())).api(api);
    run.env("BATON_MAX_REVIEW_CYCLES", reviews.to_string()).run()
}
