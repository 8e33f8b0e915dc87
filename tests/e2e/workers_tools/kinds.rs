//! What is not the plain workflow: quick, a review against a base, and a phase of the user's own. At workers each comes to the
//! end that it has here.

use serde_json::{Value, json};

use crate::support::broker::BUS_KEY;
use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{approves, but, context, does, findings, own, plan_of, reads, review, workspace};
use crate::support::session::{Done, Session};
use crate::workers::Lab;

/// What came of a command: its exit code, the files, where the phases stand, the issues, and what each agent was asked.
type Left = (Option<i32>, Vec<(String, String)>, Value, Vec<String>, Vec<(String, String)>);

fn left(session: &Session, api: &MessagesApi, done: &Done) -> Left {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let files = session.tree().into_iter().map(|(path, bytes)| (path, text(bytes))).collect();
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    let word = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let rows = |name: &str| status[name].as_array().cloned().unwrap_or_default();
    let phases = rows("phases").iter().map(|row| json!([row["phase"], row["status"], row["message"]])).collect();
    let issues = rows("issues")
        .iter()
        .map(|row| format!("{}:{} {}", word(row, "file"), row["line"], word(row, "description")))
        .collect();
    let asked =
        api.requests().iter().map(|request| (request.name().to_string(), without_times(&request.body))).collect();
    (done.code, files, phases, issues, asked)
}

/// What a model is asked, without what differs from one run to the next: the times, and what has them in it.
fn without_times(body: &Value) -> String {
    let text = body["messages"].to_string();
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{64}").expect("a pattern");
    time.replace_all(&text, "…").into_owned()
}

/// The same command here and at a worker, in the same workspace; what came of the two is the same.
fn same_as_here(session: impl Fn() -> Session, script: impl Fn() -> Script, args: &[&str]) -> Option<(Lab, Done)> {
    let (here, api) = (session(), MessagesApi::start(script()));
    let done = here.baton(args.iter().copied()).api(&api).run();
    let expected = left(&here, &api, &done);
    let lab = Lab::new(session(), script(), 1)?;
    let url = lab.coordinator.link.url();
    let elsewhere = &lab.coordinator.session;
    let baton = elsewhere.baton(args.iter().copied().chain(["--dispatch", url.as_str()])).api(&lab.unused);
    let done = baton.env("BATON_BUS_KEY", BUS_KEY).env("BATON_ACK_WAIT", "2s").run();
    let found = left(elsewhere, &lab.api, &done);
    assert_eq!(found, expected, "{}\n{}", done.stderr, lab.worker_log(0));
    assert!(lab.unused.requests().is_empty(), "the run asks no model of its own");
    Some((lab, done))
}

#[test]
fn a_quick_run_is_held_by_workers() {
    let script = || {
        let context = context(&["src/t1.rs"]).content()[0]["input"].clone();
        let quick = json!({ "context": context, "plan": plan_of(&[&[own("T1")]]) });
        let script = Script::new().on("quick", [reads("src/t1.rs"), Reply::tool("submit_quick", quick)]);
        script.on("implement/T1", does("T1")).on("review", [approves()])
    };
    let args = ["run", "--quick", "--task", "Do it", "--auto-approve"];
    let Some((lab, done)) = same_as_here(|| Session::new(&workspace(1)), script, &args) else { return };
    done.expect(0);
    assert!(lab.worker_log(0).contains("context: done"), "{}", lab.worker_log(0));
    assert!(lab.coordinator.session.text("src/t1.rs").contains("    1\n"));
}

#[test]
fn a_review_against_a_base_is_held_by_workers() {
    let session = || {
        let session = Session::in_git(&workspace(2));
        session.write("src/t1.rs", session.text("src/t1.rs").replace("    0\n", "    7\n"));
        session.write(".env", "KEY=secret-value\n");
        session
    };
    let script = || {
        let issue = json!({
            "severity": "major", "file": "src/t1.rs", "line": 1, "quote": "    7", "description": "It is seven.",
        });
        let looks = Reply::tool("read_diff", json!({}));
        let asks = review("changes_requested", "fix_and_re_review", &[issue]);
        Script::new().on("review", [looks, reads("src/t2.rs"), asks])
    };
    let Some((lab, done)) = same_as_here(session, script, &["review", "--base", "HEAD"]) else { return };
    let done = done.expect(6).prints("src/t1.rs:2: major: It is seven.");
    assert!(!done.stdout.contains("secret-value"));
    let diff = super::answers(&lab.api, "review", "read_diff");
    assert!(diff[0].contains("-    0\n") && diff[0].contains("7\n"), "{}", diff[0]);
    assert!(lab.worker_log(0).contains("review: done"), "{}", lab.worker_log(0));
}

#[test]
fn a_phase_of_the_user_s_own_is_held_by_workers_which_need_know_nothing_of_it() {
    let session = || {
        let session = Session::new(&workspace(1));
        session.add_phase("security", "after = \"implement\"\ntier = \"fast\"");
        session
    };
    let script = || {
        let issue = json!({
            "severity": "minor", "file": "src/t1.rs", "line": 1, "quote": "    1",
            "description": "The number is not checked.", "suggested_fix": "Check it.",
        });
        let phase = [reads("src/t1.rs"), Reply::tool("read_diff", json!({})), findings("One is open.", &[issue])];
        but(Script::new().on("further/security", phase), &[&[own("T1")]])
    };
    let args = ["run", "--task", "Do it", "--auto-approve"];
    let Some((lab, done)) = same_as_here(session, script, &args) else { return };
    done.expect(0);
    let asked = &lab.api.requests_of("further/security")[0];
    assert_eq!(asked.system(), "security\nLook at it.\n");
    assert_eq!(asked.body["model"], "claude-haiku-5-5");
    let found = lab.coordinator.session.handoff("security.json");
    assert_eq!((&found["issues"][0]["line"], &found["summary"]), (&json!(2), &json!("One is open.")));
    assert!(lab.api.first_message("review", 0).contains("The number is not checked."));
}
