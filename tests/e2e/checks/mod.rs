//! The user's own checks: run at the end of a round, repaired, and tried on edits before they are published.
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod end_of_round;
mod in_a_view;
mod skipped;
mod stopped;
mod tried;

use std::io::Write as _;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Script};
use crate::support::replies::{but, own, workspace};
use crate::support::session::{Baton, Session};

/// A workspace with so many tasks, whose user has set these checks in a file of their own. They run without a sandbox, where
/// every system has the same results.
fn session(tasks: usize, checks: &[Value]) -> Session {
    let session = Session::new(&workspace(tasks));
    set_checks(&session, "off", checks);
    session
}

/// Have the user set these checks in a file of their own, for this kind of sandbox.
pub(crate) fn set_checks(session: &Session, sandbox: &str, checks: &[Value]) {
    let mut settings = format!("sandbox = \"{sandbox}\"\n");
    for check in checks {
        settings.push_str("[[checks]]\n");
        for (name, value) in check.as_object().expect("a table") {
            // A JSON text, number, truth value or list is written the same way.
            settings.push_str(&format!("{name} = {value}\n"));
        }
    }
    session.write_user_config(&settings);
}

pub(crate) fn check(name: &str, command: &str) -> Value {
    json!({ "name": name, "command": command })
}

/// A run of these tasks of [`workspace`] that goes well but for the replies of a script.
fn api(script: Script, tasks: &[&str]) -> MessagesApi {
    let tasks: Vec<Value> = tasks.iter().map(|id| own(id)).collect();
    MessagesApi::start(but(script, &[&tasks]))
}

fn run(session: &Session, api: &MessagesApi) -> Baton {
    session.baton(["run", "--task", "Do it", "--auto-approve"]).api(api)
}

/// The checks of the report, each as `name: state, exit code, reason, base`.
fn results(session: &Session) -> Vec<String> {
    let report = session.handoff("impl_report.json");
    let of = |check: &Value| {
        let [state, code, reason, base] = ["state", "exit_code", "reason", "base"].map(|name| check[name].to_string());
        format!("{}: {state}, {code}, {reason}, {base}", check["name"].as_str().unwrap()).replace('"', "")
    };
    report["checks"].as_array().map(|checks| checks.iter().map(of).collect()).unwrap_or_default()
}

/// The messages of all runs about checks, in their order.
fn told(session: &Session) -> Vec<String> {
    let events = session.runs().into_iter().flat_map(|run| session.events_of(&run));
    let messages = events.map(|event| event["message"].as_str().unwrap_or_default().to_owned());
    messages.filter(|message| message.starts_with("check ")).collect()
}

/// Whether checks have a view here. Where they have none, what needs it is skipped, and that is said.
pub(crate) fn has_view() -> bool {
    static FOUND: OnceLock<String> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let session = Session::new(&workspace(1));
        set_checks(&session, "auto", &[check("test", "true")]);
        let api = api(Script::new(), &["T1"]);
        run(&session, &api).run().expect(0);
        let events = session.events_of(&session.runs()[0]);
        let mut words =
            events.iter().filter_map(|event| event["message"].as_str()?.strip_prefix("sandbox of the checks: "));
        words.next_back().expect("the first lines of a run say it").to_owned()
    });
    if !found.starts_with("view") {
        writeln!(std::io::stderr(), "skipped: checks have no view here ({found})").expect("standard error");
    }
    found.starts_with("view")
}
