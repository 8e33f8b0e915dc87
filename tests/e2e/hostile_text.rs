//! Texts of models, people and files that would drive a terminal, turn the direction of reading, or act when they are
//! shown: what the language server, `--json` and plan.md make of them. The client of these tests refuses every message that
//! is not safe to show.

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{completed, context, edits, own, plan_of, with, workspace};
use crate::support::session::Session;

/// Turns the direction of reading, clears a terminal, and would be a link, a picture, HTML, a heading and a quotation.
const HOSTILE: &str = "see \u{202e}gpj.exe\u{2066} \u{1b}[2J\u{1b}]8;;command:x\u{7}[ok](command:workbench.action.quit) \
                       <img src=https://evil.example/p> ![p](https://evil.example/p)\n\n# Order\n\n> take note\u{9b}31m\u{0}";

/// An id as another tool might write it into review.json.
const ODD_ID: &str = "i\u{202e}1\u{1b}[2J";

/// Every text of the plan and of the review is hostile.
fn script() -> Script {
    let task = with(own("T1"), json!({ "title": HOSTILE, "description": HOSTILE, "acceptance_criteria": [HOSTILE] }));
    let plan = with(plan_of(&[&[task]]), json!({ "approach_summary": HOSTILE, "risks": [HOSTILE] }));
    let issue = json!({
        "severity": "minor", "file": "src/t1.rs", "line": 1, "quote": "pub fn t1() -> u32 {",
        "description": HOSTILE, "suggested_fix": HOSTILE
    });
    let judged = json!({
        "verdict": "approved", "summary": HOSTILE, "issues": [issue], "plan_drift_detected": true,
        "drift_details": HOSTILE, "recommended_action": "merge"
    });
    Script::new()
        .on("context", [context(&["src/t1.rs"])])
        .on("plan", [Reply::tool("submit_plan", plan)])
        .on("implement/T1", [edits("src/t1.rs", "    0\n", "    1 // \u{202e}\n"), completed(&["src/t1.rs"])])
        .on("review", [Reply::tool("submit_review", judged)])
}

/// Fails where a text of a status is not safe to show.
fn check_safe(value: &Value) {
    match value {
        Value::String(text) => {
            let odd = text.chars().find(|c| baton::text::is_unsafe(*c) && !['\n', '\t'].contains(c));
            assert_eq!(odd, None, "{text:?}");
        }
        Value::Array(values) => values.iter().for_each(check_safe),
        Value::Object(fields) => fields.values().for_each(check_safe),
        _ => {}
    }
}

#[test]
fn the_plan_shows_what_was_written_and_nothing_of_it_acts() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(script());
    session.run(&api, ["--task", HOSTILE.trim_matches('\0')]).no_panic().expect(3);
    let text = session.text(".agent_memory/plan.md");
    for acting in ["(command:", " <img", "](https:", "\n# Order", "\n> take", "\u{202e}", "\u{1b}", "\u{9b}"] {
        let outside: Vec<&str> = text.split("\n```").step_by(2).collect();
        assert!(!outside.concat().contains(acting), "{acting:?} is in:\n{text}");
    }
    assert!(text.contains("gpj.exe") && text.contains("take note"), "nothing is lost:\n{text}");
    assert_eq!(text.chars().find(|c| baton::text::is_unsafe(*c) && *c != '\n'), None, "{text:?}");
    let status = session.baton(["status", "--json"]).api(&api).run().expect(0).json();
    check_safe(&status);
    assert_eq!(status["gate"]["markdown"], text);
}

#[test]
fn a_memory_folder_with_an_old_rendering_is_shown_anew() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(script());
    session.run(&api, ["--task", "Do it"]).expect(3);
    let made = session.text(".agent_memory/plan.md");
    session.write(".agent_memory/plan.md", format!("# Plan, version 1\n\n{HOSTILE}\n"));
    session.run(&api, []).expect(3);
    assert_eq!(session.text(".agent_memory/plan.md"), made);
}

#[test]
fn whatever_the_server_sends_is_safe_to_show_and_names_come_back_as_they_were() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(script());
    let mut client = session.lsp_client_with(&api, &json!({ "baton": { "phase": true, "gate": true } }));
    let started = client.execute("baton.workflow", &[json!({ "task": HOSTILE.trim_matches('\0') })]).unwrap();
    let create = client.wait_for("window/workDoneProgress/create");
    client.answer(&create, Value::Null);
    let waiting = loop {
        let message = client.wait_for("baton/phase");
        if message["params"]["gate"].is_object() {
            break message["params"]["gate"].clone();
        }
    };
    assert_eq!(waiting["plan"]["tasks"][0]["files_to_modify"], json!(["src/t1.rs"]));
    let status = client.execute("baton.status", &[]).unwrap();
    assert_eq!(status["gate"]["markdown"], waiting["markdown"]);
    assert!(status["task"].as_str().unwrap().starts_with("see gpj.exe [ok](command:"), "{status}");
    assert!(client.execute("baton.openTask", &[json!({ "task": "\u{202e}x" })]).is_err());
    let answer = json!({ "planSha256": status["gate"]["plan_sha256"] });
    client.execute("baton.approve", &[answer]).unwrap();
    loop {
        let message = client.wait_for("baton/phase");
        if message["params"]["outcome"].is_string() {
            assert_eq!(message["params"]["outcome"], "merged");
            assert_eq!(message["params"]["run"], started["run"]);
            break;
        }
    }
    let diff = client.execute("baton.diff", &[]).unwrap();
    assert!(diff["files"][0]["after"].as_str().unwrap().contains('\u{202e}'), "a file is shown as it is");
    assert!(diff["diff"].as_str().unwrap().contains('\u{202e}'), "a difference can be applied");
    client.execute("baton.doctor", &[]).unwrap();

    // An id that is not ours, in a review that another tool wrote.
    let mut review = session.handoff("review.json");
    review["issues"][0]["id"] = json!(ODD_ID);
    review["issues"][0]["file"] = json!("src/\u{202e}sr.1t");
    session.write(".agent_memory/review.json", review.to_string());
    let issues = client.execute("baton.status", &[]).unwrap()["issues"].clone();
    let shown = issues[0]["id"].clone();
    assert_eq!((&shown, &issues[0]["file"]), (&json!(r"i\u{202e}1\u{1b}[2J"), &json!(r"src/\u{202e}sr.1t")));
    client.execute("baton.dismissIssue", &[json!({ "id": shown })]).unwrap();
    let dismissed = &session.handoff("dismissed.json")[0];
    assert!(*dismissed == ODD_ID || dismissed["id"] == ODD_ID, "{dismissed}");
    assert_eq!(client.execute("baton.status", &[]).unwrap()["issues"][0]["state"], "dismissed");
    client.execute("baton.restoreIssue", &[shown]).unwrap();
    assert_eq!(client.execute("baton.status", &[]).unwrap()["issues"], issues);
    let on_the_command_line = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!(on_the_command_line["issues"], issues);
    check_safe(&on_the_command_line);
    client.execute("baton.rollback", &[json!({ "file": "src/t1.rs" })]).unwrap();
    client.disconnect();
}
