//! A test as a small workspace, a script and an outcome: commands of a user in a workspace, and what came of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::Expect;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::messages_api::{MessagesApi, RecordedRequest, Script, VALIDATE};
use super::session::{Baton, Done, Session};

/// Run the workflow to its end without a question, in a workspace with these files, and compare what came of it.
#[track_caller]
pub fn check(fixture: &str, script: Script, expected: Expect) -> (Session, MessagesApi) {
    check_commands(fixture, script, &["run --task 'Do it' --auto-approve"], expected)
}

/// The same for these commands, one after the other.
///
/// Words are separated by spaces, and `'` holds some together. A command may begin with variables, as in a shell, and
/// `{A}` stands for the id of the issue whose description is `A`; so it does in the outcome.
#[track_caller]
pub fn check_commands(fixture: &str, script: Script, commands: &[&str], expected: Expect) -> (Session, MessagesApi) {
    let (session, api) = (Session::new(fixture), MessagesApi::start(script));
    let before = session.tree();
    let mut issues = Issues::default();
    let mut outcome = String::new();
    for command in commands {
        let count = api.requests().len();
        let done = baton(&session, &issues.with_ids(command)).api(&api).run();
        issues.learn(&session);
        writeln!(outcome, "$ {command}").expect("a string");
        write_end(&mut outcome, &done, &issues, &session.runs());
        write_asked(&mut outcome, &api.requests()[count..]);
    }
    write_changes(&mut outcome, &before, &session.tree());
    write_status(&mut outcome, &session);
    expected.assert_eq(&outcome);
    (session, api)
}

/// The ids of all issues that were raised, with their descriptions.
#[derive(Default)]
struct Issues(BTreeMap<String, String>);

impl Issues {
    fn learn(&mut self, session: &Session) {
        let Ok(text) = std::fs::read_to_string(session.path(&session.memory("review.json"))) else { return };
        let review: Value = serde_json::from_str(&text).expect("a review is JSON");
        for issue in review["issues"].as_array().into_iter().flatten() {
            let field = |name: &str| issue[name].as_str().expect("a text").to_owned();
            self.0.insert(field("id"), field("description"));
        }
    }

    fn with_ids(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (id, name)| text.replace(&format!("{{{name}}}"), id))
    }

    fn with_names(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id, &format!("{{{name}}}")))
    }
}

fn baton(session: &Session, command: &str) -> Baton {
    let mut words: Vec<String> = Vec::new();
    for (n, part) in command.split('\'').enumerate() {
        if n % 2 == 0 {
            words.extend(part.split_whitespace().map(str::to_owned));
        } else {
            words.push(part.to_owned());
        }
    }
    let is_variable = |word: &&String| word.starts_with("BATON_") && word.contains('=');
    let variables = words.iter().take_while(is_variable).count();
    let arguments = words.split_off(variables);
    words.iter().fold(session.baton(arguments.iter().map(String::as_str)), |baton, variable| {
        let (name, value) = variable.split_once('=').expect("a variable");
        baton.env(name, value)
    })
}

fn write_end(outcome: &mut String, done: &Done, issues: &Issues, runs: &[String]) {
    let code = done.code.map_or("a signal".to_owned(), |code| code.to_string());
    writeln!(outcome, "exit {code}").expect("a string");
    let text = if done.stdout.is_empty() { &done.stderr } else { &done.stdout };
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
    // What was used, and the run's id, differ from run to run.
    let text = runs.iter().fold(issues.with_names(text), |text, run| text.replace(run, "{run}"));
    for line in text.lines().filter(|line| !line.is_empty() && !line.contains(" tokens · ")) {
        writeln!(outcome, "  {line}").expect("a string");
    }
}

/// The conversations that were begun or resumed, in order; without the checks of a review's findings. Tasks side by side ask
/// in any order, and are sorted.
fn write_asked(outcome: &mut String, requests: &[RecordedRequest]) {
    let mut asked: Vec<Vec<&str>> = Vec::new();
    let mut last = BTreeMap::new();
    for request in requests.iter().filter(|request| request.agent != VALIDATE) {
        let conversation = (request.agent.as_str(), request.conversation);
        if last.insert(conversation, ()).is_some() {
            continue;
        }
        match asked.last_mut() {
            Some(group) if is_task(group[0]) && is_task(&request.agent) => group.push(&request.agent),
            _ => asked.push(vec![&request.agent]),
        }
    }
    for group in &mut asked {
        group.sort_unstable();
    }
    if !asked.is_empty() {
        writeln!(outcome, "asked: {}", asked.concat().join(", ")).expect("a string");
    }
}

fn is_task(agent: &str) -> bool {
    agent.starts_with("implement/")
}

/// The files that differ, each with the lines that went and came.
fn write_changes(outcome: &mut String, before: &BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>) {
    let paths: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for path in paths.into_iter().filter(|path| before.get(*path) != after.get(*path)) {
        let kind = match (before.contains_key(path), after.contains_key(path)) {
            (true, true) => "modified",
            (true, false) => "deleted",
            _ => "created",
        };
        writeln!(outcome, "{kind} {path}").expect("a string");
        let text = |tree: &BTreeMap<String, Vec<u8>>| {
            String::from_utf8_lossy(tree.get(path).map(Vec::as_slice).unwrap_or_default()).into_owned()
        };
        let (old, new) = (text(before), text(after));
        for change in TextDiff::from_lines(&old, &new).iter_all_changes() {
            let sign = match change.tag() {
                ChangeTag::Equal => continue,
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            writeln!(outcome, "  {sign}{}", change.to_string().trim_end_matches('\n')).expect("a string");
        }
    }
}

/// Tasks, issues, history and the next phase.
fn write_status(outcome: &mut String, session: &Session) {
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    let list = |name: &str| status[name].as_array().cloned().unwrap_or_default();
    let word = |value: &Value, name: &str| value[name].as_str().unwrap_or("-").to_owned();
    for task in list("tasks") {
        writeln!(outcome, "{} {}", word(&task, "id"), word(&task, "status")).expect("a string");
    }
    let mut issues: Vec<String> = list("issues")
        .iter()
        .map(|issue| format!("{} {}: {}", word(issue, "state"), word(issue, "file"), word(issue, "description")))
        .collect();
    issues.sort();
    for issue in issues {
        writeln!(outcome, "{issue}").expect("a string");
    }
    let history = session.history();
    if !history.is_empty() {
        writeln!(outcome, "history: {}", history.join(", ")).expect("a string");
    }
    writeln!(outcome, "next: {}", word(&status, "next")).expect("a string");
}
