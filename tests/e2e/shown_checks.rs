//! What the checks said and what the review made of the criteria, in every face.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use serde_json::{Value, json};

use crate::support::lsp_client::LspClient;
use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{but, own, with, workspace};
use crate::support::session::Session;
use crate::support::terminal::Terminal;

const PLAN: &str = ".agent_memory/plan.json";
const PLAN_MD: &str = ".agent_memory/plan.md";
const TASK: &str = ".agent_memory/task.md";
const REPORT: &str = ".agent_memory/impl_report.json";
const REVIEW: &str = ".agent_memory/review.json";

/// T1 with two criteria.
fn t1() -> Value {
    with(
        own("T1"),
        json!({ "acceptance_criteria": ["It answers one.", "Whoever calls it is told what it answers now."] }),
    )
}

/// An approval with a line for each criterion; of T1's second nothing shows that it is met.
fn proves_all_but_one() -> Reply {
    let line = |file: &str| json!({ "file": file, "line": 2, "quote": "    1" });
    let result = |task: &str, criterion: u32, evidence: Value, state: &str| json!({ "task_id": task, "criterion": criterion, "evidence": evidence, "state": state });
    Reply::tool(
        "submit_review",
        json!({
            "issues": [],
            "criteria": [
                result("T1", 1, line("src/t1.rs"), "met"),
                result("T1", 2, Value::Null, "unproven"),
                result("T2", 1, line("src/t2.rs"), "met"),
            ],
            "drift_details": "", "plan_drift_detected": false, "summary": "It reads well.",
            "verdict": "approved", "recommended_action": "merge",
        }),
    )
}

fn server() -> MessagesApi {
    MessagesApi::start(but(Script::new().on("review", [proves_all_but_one()]), &[&[t1(), own("T2")]]))
}

/// A workflow that was approved.
fn approved() -> Session {
    let session = Session::new(&workspace(2));
    session.baton(["run", "--task", "Do it", "--auto-approve"]).api(&server()).run().expect(0);
    session
}

/// Of three checks one passes, one fails, and one is about files that nobody changed.
const CHECKS: &str = "sandbox = \"off\"\nmax_repair_rounds = 0\n\
                      [[checks]]\nname = \"test\"\ncommand = \"true\"\n\
                      [[checks]]\nname = \"lint\"\ncommand = \"echo 2 warnings; exit 2\"\n\
                      [[checks]]\nname = \"e2e\"\ncommand = \"true\"\npaths = [\"never/**\"]\n";

/// The same with checks, and the path of the failing one's log from the memory folder.
fn checked() -> (Session, String) {
    let session = Session::new(&workspace(2));
    session.write_user_config(CHECKS);
    session.baton(["run", "--task", "Do it", "--auto-approve"]).api(&server()).run().expect(0);
    let log = session.handoff("impl_report.json")["checks"][1]["log"].as_str().unwrap().to_owned();
    assert!(session.text(&session.memory(&log)).contains("2 warnings"));
    (session, log)
}

/// An editor without a plugin that shows messages and diagnostics, and no more.
fn open(session: &Session) -> LspClient {
    let mut command = session.baton(["lsp"]).into_command();
    let mut client = LspClient::start(&mut command, session.root());
    let mut params = session.initialize_params();
    params["capabilities"] = json!({});
    params["initializationOptions"] = Value::Null;
    client.initialize(params);
    client
}

fn status(session: &Session) -> Value {
    session.baton(["status", "--json"]).run().expect(0).json()
}

#[test]
fn the_end_of_a_run_names_what_is_not_proven_and_counts_the_rest_for_machines() {
    let session = Session::new(&workspace(2));
    let run = ["run", "--task", "Do it", "--auto-approve", "--json"];
    let last = session.baton(run).api(&server()).run().expect(0).outcome();
    assert_eq!(last["criteria"], json!({ "met": 2, "unmet": 0, "unproven": 1 }));
    assert_eq!((&last["checks"], &last["error"], &last["exit_code"]), (&json!([]), &Value::Null, &json!(0)));
    assert_eq!(last["workflow"], last["run"]);
    let said = session.baton(["run"]).run().expect(0).stdout;
    let named = "? T1: unproven: Whoever calls it is told what it answers now.";
    assert_eq!(said.lines().filter(|line| *line == named).count(), 1, "{said}");
    assert!(!said.contains("It answers one."), "what is met is not named: {said}");
}

#[test]
fn the_last_line_has_every_field_also_where_nothing_began() {
    let session = Session::new(&workspace(1));
    session.write("baton.toml", "max_parallel_tasks = \"many\"\n");
    let fields =
        ["outcome", "exit_code", "error", "run", "workflow", "review", "checks", "criteria", "usage", "run_usage"];
    for args in [&["run", "--task", "Do it", "--json"][..], &["review", "--base", "HEAD", "--json"]] {
        let done = session.baton(args.iter().copied()).run().expect(2);
        let last = done.outcome();
        let names: Vec<&str> = last.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(fields.iter().all(|field| names.contains(field)) && names.len() == fields.len(), "{last}");
        assert_eq!((&last["outcome"], &last["exit_code"]), (&json!("failed"), &json!(2)));
        assert_eq!(last["error"]["kind"], "config");
        assert!(last["error"]["message"].as_str().unwrap().contains("max_parallel_tasks"), "{last}");
        assert_eq!(last["criteria"], json!({ "met": 0, "unmet": 0, "unproven": 0 }));
        assert_eq!((&last["checks"], &last["run"]), (&json!([]), &Value::Null));
    }
}

#[test]
fn plan_md_carries_what_became_of_each_criterion_and_the_approval_stands() {
    let session = approved();
    let plan = session.text(PLAN_MD);
    assert!(plan.contains("- ✓ It answers one. — `src/t1.rs:2` `1`\n"), "{plan}");
    assert!(plan.contains("- ? **unproven**: Whoever calls it is told what it answers now.\n"), "{plan}");
    assert!(!plan.contains("## Checks"), "{plan}");
    let now = status(&session);
    assert_eq!((&now["outcome"], &now["tasks"][0]["criteria"][1]["state"]), (&json!("merged"), &json!("unproven")));
    // What the checks said later is there as soon as the plan is looked at.
    let (session, log) = checked();
    let mut editor = open(&session);
    editor.execute("baton.openPlan", &[]).unwrap();
    editor.wait_for_message();
    assert_eq!(editor.quit(), Some(0));
    let plan = session.text(PLAN_MD);
    let (_, checks) = plan.split_once("\n## Checks\n\n").unwrap();
    let expected =
        ["- ✓ `test` passed", "- ✗ `lint` failed: exit code 2", "- – `e2e` skipped: no file of its paths was changed"];
    for line in expected {
        assert!(checks.lines().any(|shown| shown.starts_with(line)), "{line} is not in:\n{checks}");
    }
    assert_eq!(checks.matches("  - log ").count(), 1, "{checks}");
    assert!(checks.contains(&format!("  - log `{log}`\n")), "{checks}");
    assert_eq!(status(&session)["outcome"], "merged");
}

#[test]
fn the_status_has_checks_and_criteria_for_terminals_of_every_width() {
    let (session, log) = checked();
    let told = status(&session);
    let check = |n: usize, field: &str| told["checks"][n][field].clone();
    assert_eq!((check(1, "state"), check(1, "exit_code")), (json!("failed"), json!(2)));
    let words = check(1, "words").as_str().unwrap().to_owned();
    let details = words.strip_prefix("failed: ").unwrap();
    assert!(details.starts_with("exit code 2"), "{words}");
    assert_eq!(check(1, "file"), session.memory(&log));
    assert_eq!((check(0, "words"), check(2, "reason")), (json!("passed"), json!("paths")));
    let sandbox = told["sandbox"].as_str().unwrap();
    assert!(sandbox.starts_with("none"), "{sandbox}");
    assert_eq!(told["tasks"][1]["criteria"], json!([{ "n": 1, "text": "T2 is done", "state": "met" }]));
    let path = format!("  log: {}", session.memory(&log));
    for columns in [40, 120] {
        let mut terminal = Terminal::of_columns(columns);
        terminal.start(session.baton(["status"])).wait().expect(0);
        // The last line.
        let shown = terminal.wait_for("start");
        let joined = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in [
            "✓ test passed",
            "✗ lint failed",
            details,
            "skipped: e2e (no file of its paths was changed)",
            // Why is said above.
            "– e2e skipped Sandbox",
            "Sandbox: none",
            "? unproven: Whoever calls it is told what it answers now.",
            "✓ its criterion is met",
        ] {
            assert!(joined.contains(words), "{columns}: {words:?} is not in:\n{shown}");
        }
        assert!(shown.lines().any(|line| line == path), "{columns}: {shown}");
        let is_long = |line: &&str| line.chars().count() > columns.into() && **line != path && !line.contains("baton ");
        assert_eq!(shown.lines().find(is_long), None, "{columns}");
    }
}

/// Each as `severity code: message`.
fn findings(shown: &Value) -> Vec<String> {
    let of_ours = |code: &str| code.starts_with("criterion.") || code.starts_with("check.");
    let shown =
        shown["diagnostics"].as_array().unwrap().iter().filter(|found| of_ours(found["code"].as_str().unwrap()));
    let line = |found: &Value| {
        let text = |field: &str| found[field].as_str().unwrap().to_owned();
        format!("{} {}: {}", found["severity"], text("code"), text("message"))
    };
    shown.map(line).collect()
}

fn wait_for_findings(editor: &mut LspClient, session: &Session, file: &str, expected: &[&str]) -> Value {
    let wrapped = |shown: &[Value]| findings(&json!({ "diagnostics": shown }));
    editor.wait_for_diagnostics(&session.uri(file), |shown| wrapped(shown) == expected)
}

#[test]
fn an_editor_shows_them_at_their_lines_for_as_long_as_they_are_true() {
    let (session, log) = checked();
    let mut editor = open(&session);
    let unproven = "3 criterion.unproven: Criterion 2 of T1 is unproven, nothing shows whether it is met: Whoever calls it is \
                    told what it answers now.";
    let shown = wait_for_findings(&mut editor, &session, PLAN, &[unproven]);
    let is_it = |found: &&Value| found["code"] == "criterion.unproven";
    let found = shown["diagnostics"].as_array().unwrap().iter().find(is_it).unwrap().clone();
    let line = found["range"]["start"]["line"].as_u64().unwrap() as usize;
    assert!(session.text(PLAN).lines().nth(line).unwrap().contains("Whoever calls it"), "{found}");
    let words = status(&session)["checks"][1]["words"].as_str().unwrap().to_owned();
    let of_task = format!("2 check.failed: The check lint {}. Its output: {}", words, session.memory(&log));
    let shown = wait_for_findings(&mut editor, &session, TASK, &[&of_task]);
    assert!(shown["diagnostics"].as_array().unwrap().iter().all(|found| found["source"] == "baton"));
    // Hover on the task.
    let hover = json!({ "textDocument": { "uri": session.uri(PLAN) }, "position": { "line": line, "character": 12 } });
    let id = editor.request("textDocument/hover", hover);
    let told = editor.response(id).unwrap();
    let told = told["contents"]["value"].as_str().unwrap();
    assert!(told.starts_with("Task T1: completed") && told.contains("? unproven: Whoever calls it"), "{told}");
    // An unmet one is a warning, and goes once every issue of its task is dismissed.
    let mut review = session.handoff("review.json");
    review["criteria"][1]["state"] = json!("unmet");
    review["criteria"][2]["state"] = json!("unproven");
    review["issues"] =
        json!([{ "id": "i1", "severity": "major", "file": "src/t1.rs", "line": 1, "description": "Not told." }]);
    session.write(REVIEW, review.to_string());
    let unmet = "2 criterion.unmet: Criterion 2 of T1 is not met: Whoever calls it is told what it answers now.";
    let of_t2 = "3 criterion.unproven: Criterion 1 of T2 is unproven, nothing shows whether it is met: T2 is done";
    wait_for_findings(&mut editor, &session, PLAN, &[unmet, of_t2]);
    session.write(".agent_memory/dismissed.json", "[\"i1\"]");
    wait_for_findings(&mut editor, &session, PLAN, &[of_t2]);
    // Work that is taken as it is has nothing left to prove.
    review["verdict"] = json!("changes_requested");
    review["recommended_action"] = json!("fix_and_re_review");
    session.write(REVIEW, review.to_string());
    wait_for_findings(&mut editor, &session, PLAN, &[]);
    wait_for_findings(&mut editor, &session, TASK, &[]);
    std::fs::remove_file(session.path(".agent_memory/dismissed.json")).unwrap();
    wait_for_findings(&mut editor, &session, PLAN, &[unmet, of_t2]);
    wait_for_findings(&mut editor, &session, TASK, &[&of_task]);
    // Gone from the report.
    let mut report = session.handoff("impl_report.json");
    report["checks"].as_array_mut().unwrap().remove(1);
    session.write(REPORT, report.to_string());
    wait_for_findings(&mut editor, &session, TASK, &[]);
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn a_result_that_no_server_saw_is_shown_nowhere() {
    let (session, log) = checked();
    let report = session.handoff("impl_report.json");
    let names = |session: &Session| -> Vec<Value> {
        status(session)["checks"].as_array().unwrap().iter().map(|check| check["name"].clone()).collect()
    };
    assert_eq!(names(&session), ["test", "lint", "e2e"]);
    let others = ["../secret.log", "/etc/hostname", "runs/../../secret.log", "plan.json", "runs", ""];
    let forged = others.map(|log| ("log", json!(log))).into_iter().chain([("state", json!("passed"))]);
    for (field, value) in forged {
        let mut forged = report.clone();
        forged["checks"][1][field] = value.clone();
        session.write(REPORT, forged.to_string());
        assert_eq!(names(&session), ["test", "e2e"], "{field}: {value}");
        let last = session.baton(["run", "--json"]).run().expect(0).outcome();
        assert_eq!(last["checks"].as_array().unwrap().len(), 2, "{field}: {value}");
    }
    session.write(REPORT, report.to_string());
    std::fs::remove_file(session.path(&session.memory(&log))).unwrap();
    assert_eq!((names(&session).len(), &status(&session)["checks"][1]["file"]), (3, &Value::Null), "its log is gone");
}

#[test]
fn work_taken_as_it_is_names_the_criteria_that_are_unmet() {
    let (session, _) = checked();
    let mut review = session.handoff("review.json");
    review["criteria"][1]["state"] = json!("unmet");
    review["verdict"] = json!("changes_requested");
    review["recommended_action"] = json!("escalate_to_human");
    review["issues"] =
        json!([{ "id": "i1", "severity": "major", "file": "src/t1.rs", "line": 1, "description": "Not told." }]);
    session.write(REVIEW, review.to_string());
    let words = "Accepted by you; 1 issue dismissed, 1 criterion unmet.";
    session.baton(["accept"]).run().expect(0).prints(words);
    assert!(status(&session)["summary"].as_str().unwrap().starts_with(words));
}
