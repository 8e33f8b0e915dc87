//! The diagnostics of a workspace: issues at their lines, phases, tasks, and faults of memory files, after changes in
//! open documents and on the disk.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::slice;

use serde_json::{Value, json};

use crate::support::lsp_client::LspClient;
use crate::support::messages_api::{Fault, MessagesApi, Script};
use crate::support::replies::{but, goes_well, modifies, own, plan_of, review, task, with, workspace};
use crate::support::session::Session;

const PLAN: &str = ".agent_memory/plan.json";
const REVIEW: &str = ".agent_memory/review.json";
const TASK: &str = ".agent_memory/task.md";

const WARNING: u64 = 2;
const INFORMATION: u64 = 3;
const HINT: u64 = 4;

/// A client with a session's workspace open that counts columns in this encoding.
fn open(session: &Session, encodings: &[&str]) -> LspClient {
    let mut command = session.baton(["lsp"]).into_command();
    let mut client = LspClient::start(&mut command, session.root());
    let mut params = session.initialize_params();
    params["capabilities"] = json!({ "general": { "positionEncodings": encodings } });
    params["initializationOptions"] = Value::Null;
    let capabilities = client.initialize(params);
    let agreed = encodings.first().copied().unwrap_or("utf-16");
    assert_eq!(capabilities["positionEncoding"], agreed);
    let sync = json!({ "openClose": true, "change": 2, "save": { "includeText": false } });
    assert_eq!(capabilities["textDocumentSync"], sync);
    client
}

fn issue(file: &str, line: u64, quote: &str, description: &str) -> Value {
    json!({ "severity": "major", "file": file, "line": line, "quote": quote, "description": description })
}

fn write_review(session: &Session, branch: Option<&str>, issues: &[Value]) {
    let review = json!({
        "verdict": "changes_requested", "summary": "s", "recommended_action": "escalate_to_human", "issues": issues,
        "branch": branch, "timestamp": "2026-01-01T00:00:00Z"
    });
    session.write(REVIEW, serde_json::to_string_pretty(&review).unwrap());
}

#[test]
fn issues_move_with_edits_in_every_encoding_and_are_marked_once_their_line_is_edited() {
    let text = "// é🦀 one\nfn a() {}\nlet é = \"🦀\"; end\n";
    for (encoding, after_crab, end) in [("utf-8", 9, 22), ("utf-16", 6, 19), ("utf-32", 5, 18)] {
        let session = Session::new(&format!("//- /src/a.rs\n{text}"));
        write_review(&session, None, &[issue("src/a.rs", 1, "let é = \"🦀\"; end", "Ends.")]);
        let mut editor = open(&session, &[encoding]);
        let shown = editor.wait_for_lines("src/a.rs", &["2: review.major: Ends."]);
        assert_eq!(shown["diagnostics"][0]["range"]["end"], json!({ "line": 2, "character": end - 2 }), "{encoding}");
        assert!(shown.get("version").is_none_or(Value::is_null), "not open");
        editor.open_file("src/a.rs");
        editor.insert("src/a.rs", (0, after_crab), "\n\n");
        let shown = editor.wait_for_lines("src/a.rs", &["4: review.major: Ends."]);
        assert_eq!(shown["version"], 2);
        editor.insert("src/a.rs", (4, end - 2), "!!");
        let shown = editor.wait_for_lines("src/a.rs", &["4: review.major: Ends. (edited since review)"]);
        assert_eq!(shown["diagnostics"][0]["range"]["end"], json!({ "line": 4, "character": end }), "{encoding}");
        assert_eq!(editor.quit(), Some(0));
    }
}

#[test]
fn issues_are_where_they_were_after_saving_closing_and_a_restart() {
    let session = Session::new("//- /src/a.rs\none();\ntwo();\n");
    write_review(&session, None, &[issue("src/a.rs", 2, "two();", "Two.")]);
    let mut editor = open(&session, &[]);
    editor.wait_for_lines("src/a.rs", &["1: review.major: Two."]);
    editor.open_file("src/a.rs");
    editor.insert("src/a.rs", (0, 0), "zero();\n");
    editor.wait_for_lines("src/a.rs", &["2: review.major: Two."]);
    session.write("src/a.rs", "zero();\none();\ntwo();\n");
    editor.save_document("src/a.rs");
    editor.close_document("src/a.rs");
    // Another program changes the file that is open nowhere.
    session.write("src/a.rs", "zero();\nhalf();\none();\ntwo();\n");
    editor.wait_for_lines("src/a.rs", &["3: review.major: Two."]);
    assert_eq!(editor.quit(), Some(0));
    let mut editor = open(&session, &[]);
    let shown = editor.wait_for_lines("src/a.rs", &["3: review.major: Two."]);
    assert_eq!(shown["diagnostics"][0]["severity"], 2);
    // Not saved, and given up.
    editor.open_file("src/a.rs");
    editor.insert("src/a.rs", (3, 0), "// ");
    editor.wait_for_lines("src/a.rs", &["3: review.major: Two. (edited since review)"]);
    editor.close_document("src/a.rs");
    editor.wait_for_lines("src/a.rs", &["3: review.major: Two."]);
    // A line that is not found any more is never outside of the file.
    session.write("src/a.rs", "one();\n");
    editor.wait_for_lines("src/a.rs", &["0: review.major: Two. (edited since review)"]);
    std::fs::remove_file(session.path("src/a.rs")).unwrap();
    editor.wait_for_lines("src/a.rs", &[]);
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn what_another_process_does_is_shown_as_it_happens() {
    let session = Session::new(&workspace(2));
    let groups: &[&[Value]] = &[&[own("T1"), own("T2")]];
    let mut editor = open(&session, &[]);
    assert!(!session.exists(".agent_memory"), "to look leaves no trace");
    // The run creates the folder. Its gate has no one to ask.
    let api = MessagesApi::start(goes_well(groups));
    session.run(&api, ["--task", "Answer"]).expect(3);
    editor.wait_for_severity(TASK, "phase.plan", WARNING);
    editor.wait_for_severity(TASK, "phase.context", HINT);
    assert_eq!(editor.wait_for_code(PLAN, "task.pending")["data"], json!({ "task": "T1" }));
    drop(api);

    let silent = MessagesApi::start(goes_well(groups).fault("review", [Fault::Silence]));
    session.baton(["approve"]).run().expect(0);
    let running = session.start(&silent, []);
    editor.wait_for_severity(TASK, "phase.plan", HINT);
    let shown = editor.wait_for_severity(TASK, "phase.review", INFORMATION);
    assert_eq!(shown["message"], "The review is at work.");
    let done = |shown: &[Value]| shown.len() == 2 && shown.iter().all(|task| task["code"] == "task.completed");
    let tasks = editor.wait_for_diagnostics(&session.uri(PLAN), done);
    let line = tasks["diagnostics"][1]["range"]["start"]["line"].as_u64().unwrap() as usize;
    assert!(session.text(PLAN).lines().nth(line).unwrap().contains("\"id\": \"T2\""));
    // Killed, it sends nothing more.
    running.kill();
    let interrupted =
        |shown: &[Value]| shown.iter().any(|phase| phase["message"].as_str().unwrap().contains("interrupted"));
    editor.wait_for_diagnostics(&session.uri(TASK), interrupted);

    let finding = issue("src/t1.rs", 9, "pub fn t1() -> u32 {", "Name it.");
    let api = MessagesApi::start(but(Script::new().on("review", [review("approved", "merge", &[finding])]), groups));
    session.run(&api, []).expect(0);
    let shown = editor.wait_for_lines("src/t1.rs", &["0: review.major: Name it."]);
    let id = shown["diagnostics"][0]["data"]["id"].as_str().unwrap();
    editor.wait_for_severity(TASK, "phase.review", HINT);
    // Dismissed by hand.
    session.write(".agent_memory/dismissed.json", json!([id]).to_string());
    editor.wait_for_lines("src/t1.rs", &[]);
    std::fs::remove_file(session.path(".agent_memory/dismissed.json")).unwrap();
    editor.wait_for_lines("src/t1.rs", &["0: review.major: Name it."]);
    session.baton(["reset"]).run().expect(0);
    for file in ["src/t1.rs", TASK, PLAN] {
        editor.wait_for_lines(file, &[]);
    }
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn issues_are_withheld_while_another_branch_is_checked_out() {
    let session = Session::in_git("//- /src/a.rs\none();\ntwo();\n");
    session.write(TASK, "Do it.\n");
    write_review(&session, Some("main"), &[issue("src/a.rs", 2, "two();", "Two.")]);
    let mut editor = open(&session, &[]);
    editor.wait_for_lines("src/a.rs", &["1: review.major: Two."]);
    session.git(&["checkout", "-q", "-b", "other"]);
    editor.wait_for_lines("src/a.rs", &[]);
    let note = editor.wait_for_code(TASK, "review.branch");
    assert!(note["message"].as_str().unwrap().contains("main"), "{note}");
    session.git(&["checkout", "-q", "--detach"]);
    session.git(&["checkout", "-q", "main"]);
    editor.wait_for_lines("src/a.rs", &["1: review.major: Two."]);
    editor.wait_for_diagnostics(&session.uri(TASK), |shown| shown.iter().all(|shown| shown["code"] != "review.branch"));
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn faults_of_a_plan_are_shown_from_the_unsaved_text_at_their_place() {
    let session = Session::new(&workspace(2));
    let (t1, t2) = (modifies("T1", "src/t1.rs"), modifies("T2", "src/t2.rs"));
    let pretty = |plan: &Value| serde_json::to_string_pretty(plan).unwrap();
    let good = plan_of(&[slice::from_ref(&t1), slice::from_ref(&t2)]);
    session.write(PLAN, pretty(&good));
    let mut editor = open(&session, &["utf-8"]);
    // A message on opening a folder: a plan waits for an answer.
    editor.wait_for_message();
    editor.open_file(PLAN);
    editor.wait_for_code(PLAN, "task.pending");
    let depends = |task: &Value, on: &str| with(task.clone(), json!({ "depends_on": [on] }));
    for (code, plan, at) in [
        ("plan.duplicate-id", plan_of(&[&[t1.clone(), with(t2.clone(), json!({ "id": "T1" }))]]), "\"T1\""),
        ("plan.unknown-task", plan_of(&[slice::from_ref(&t1), &[depends(&t2, "T9")]]), "\"T9\""),
        ("plan.cycle", plan_of(&[&[depends(&t1, "T2")], &[depends(&t2, "T1")]]), "\"T2\""),
        ("plan.order", plan_of(&[&[t1.clone(), depends(&t2, "T1")]]), "\"T1\""),
        ("plan.ungrouped", with(good.clone(), json!({ "parallel_groups": [["T1"]] })), "\"T2\""),
        ("plan.overlap", plan_of(&[&[t1.clone(), modifies("T2", "src/t1.rs")]]), "\"src/t1.rs\""),
        ("plan.missing-file", plan_of(&[&[modifies("T1", "src/none.rs")]]), "\"src/none.rs\""),
        ("plan.path", plan_of(&[&[modifies("T1", "../out.rs")]]), "\"../out.rs\""),
        ("schema", with(good.clone(), json!({ "risks": 3 })), "3"),
    ] {
        let text = pretty(&plan);
        editor.change_document(PLAN, json!([{ "text": text }]));
        let shown = editor.wait_for_code(PLAN, code);
        let (start, end) = (&shown["range"]["start"], &shown["range"]["end"]);
        let line = text.lines().nth(start["line"].as_u64().unwrap() as usize).unwrap();
        let (from, to) = (start["character"].as_u64().unwrap() as usize, end["character"].as_u64().unwrap() as usize);
        assert_eq!((&line[from..to], start["line"] == end["line"]), (at, true), "{code}: {shown}");
        assert_eq!((&shown["severity"], &shown["source"]), (&json!(1), &json!("baton")));
    }
    editor.change_document(PLAN, json!([{ "text": "{\n  \"tasks\": [,]\n}\n" }]));
    let is_no_json =
        |shown: &[Value]| shown.iter().any(|shown| shown["message"].as_str().unwrap().contains("not valid JSON"));
    let shown = editor.wait_for_diagnostics(&session.uri(PLAN), is_no_json);
    assert_eq!(shown["version"], editor.version(PLAN));
    assert_eq!(shown["diagnostics"][0]["range"]["start"], json!({ "line": 1, "character": 12 }));
    // Given up, the text on the disk counts, and it is good.
    editor.close_document(PLAN);
    let codes = |shown: &[Value]| shown.iter().map(|shown| shown["code"].clone()).collect::<Vec<_>>();
    editor.wait_for_diagnostics(&session.uri(PLAN), |shown| codes(shown) == ["task.pending", "task.pending"]);
    for file in ["context.json", "review.json", "impl_report.json", "approval.json", "round.json", "dismissed.json"] {
        session.write(&session.memory(file), "{ \"a\": ");
        editor.wait_for_code(&session.memory(file), "schema");
        std::fs::remove_file(session.path(&session.memory(file))).unwrap();
        editor.wait_for_lines(&session.memory(file), &[]);
    }
    session.write("baton.toml", "max_parallel_tasks = 0\n");
    assert_eq!(editor.wait_for_code("baton.toml", "settings")["range"]["start"]["line"], 0);
    session.write("baton.toml", "max_parallel_tasks = 2\n");
    editor.wait_for_lines("baton.toml", &[]);
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn of_two_thousand_rapid_edits_none_is_lost_and_each_comes_in_its_turn() {
    const LINES: usize = 200;
    let mut model: Vec<String> = (0..LINES).map(|line| format!("line {line}")).collect();
    let session = Session::new(&format!("//- /src/a.txt\n{}\n", model.join("\n")));
    let issues: Vec<Value> = (0..LINES)
        .map(|line| issue("src/a.txt", line as u64 + 1, &format!("line {line}"), &format!("#{line}#")))
        .collect();
    write_review(&session, None, &issues);
    let mut editor = open(&session, &[]);
    editor.wait_for_diagnostics(&session.uri("src/a.txt"), |shown| shown.len() == LINES);
    editor.open_file("src/a.txt");
    // Each depends on the ones before: where a line stands, and how long it is.
    let mut random: u64 = 7;
    for _ in 0..2000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let line = (random >> 33) as usize % model.len();
        match (random >> 20) % 4 {
            0 => {
                editor.insert("src/a.txt", (line as u64, 0), "new\n");
                model.insert(line, "new".to_owned());
            }
            _ => {
                let end = model[line].len() as u64;
                editor.insert("src/a.txt", (line as u64, end), "x");
                model[line].push('x');
            }
        }
    }
    // The last one changes a line that an issue is on: diagnostics of before it are not right.
    let last = model.iter().position(|text| text.trim_end_matches('x') == "line 0").unwrap();
    editor.insert("src/a.txt", (last as u64, model[last].len() as u64), "x");
    model[last].push('x');
    let is_right = |shown: &[Value]| {
        let all = shown.iter().all(|shown| {
            let message = shown["message"].as_str().unwrap();
            let of = format!("line {}", message.split('#').nth(1).unwrap());
            let is_its = |text: &String| text.trim_end_matches('x') == of;
            let line = model.iter().position(is_its).unwrap();
            let end = json!({ "line": line, "character": model[line].len() });
            shown["range"]["end"] == end && message.contains("edited") == (model[line] != of)
        });
        all && shown.len() == LINES
    };
    let shown = editor.wait_for_diagnostics(&session.uri("src/a.txt"), is_right);
    assert_eq!(shown["version"], 2002);
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn each_folder_has_a_board_of_its_own_and_one_that_is_closed_is_cleared() {
    let (first, second) = (Session::new("//- /a.rs\none();\n"), Session::new("//- /a.rs\none();\n"));
    for session in [&first, &second] {
        write_review(session, None, &[issue("a.rs", 1, "one();", "One.")]);
        session.write(TASK, "Do it.\n");
    }
    let mut editor = open(&first, &[]);
    let folder = |session: &Session| json!([{ "uri": session.uri(""), "name": "folder" }]);
    let changed = |added: Value, removed: Value| json!({ "event": { "added": added, "removed": removed } });
    editor.notify("workspace/didChangeWorkspaceFolders", changed(folder(&second), json!([])));
    editor.wait_for_lines("a.rs", &["0: review.major: One."]);
    let there = |shown: &[Value]| !shown.is_empty();
    editor.wait_for_diagnostics(&second.uri("a.rs"), there);
    write_review(&second, None, &[]);
    editor.wait_for_diagnostics(&second.uri("a.rs"), <[Value]>::is_empty);
    editor.notify("workspace/didChangeWorkspaceFolders", changed(json!([]), folder(&first)));
    editor.wait_for_lines("a.rs", &[]);
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn a_task_that_is_blocked_says_why_at_its_id() {
    let session = Session::new(&workspace(1));
    session.write(PLAN, serde_json::to_string_pretty(&plan_of(&[&[own("T1"), task("T2")]])).unwrap());
    let result = json!({ "task_id": "T1", "status": "blocked", "notes": "", "blockers": ["src/t1.rs is read-only"] });
    session.write(&session.memory("impl_report.json"), json!({ "results": [result] }).to_string());
    let mut editor = open(&session, &[]);
    let blocked = editor.wait_for_code(PLAN, "task.blocked");
    assert_eq!(
        (&blocked["message"], &blocked["severity"]),
        (&json!("T1 is blocked. src/t1.rs is read-only"), &json!(2))
    );
    // A message on opening a folder: a plan waits for an answer.
    editor.wait_for_message();
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn what_a_phase_found_goes_with_the_phase_from_the_users_configuration() {
    let session = Session::new(&workspace(1));
    session.add_phase("security", "after = \"implement\"");
    write_review(&session, None, &[]);
    let found = json!({
        "timestamp": "2026-01-01T00:00:00Z", "round": 1, "summary": "s",
        "issues": [{ "severity": "major", "file": "src/t1.rs", "line": 2, "description": "Not checked.", "id": "i" }]
    });
    session.write(".agent_memory/security.json", found.to_string());
    let mut editor = open(&session, &[]);
    editor.wait_for_lines("src/t1.rs", &["1: security.major: Not checked."]);
    // Nothing in the workspace changes.
    let settings = session.config_home().join("baton/config.toml");
    std::fs::write(&settings, "").unwrap();
    editor.wait_for_lines("src/t1.rs", &[]);
    session.add_phase("security", "after = \"implement\"");
    editor.wait_for_lines("src/t1.rs", &["1: security.major: Not checked."]);
    // A file that is taken away counts as an empty one.
    std::fs::remove_file(settings).unwrap();
    editor.wait_for_lines("src/t1.rs", &[]);
    assert_eq!(editor.quit(), Some(0));
}

#[test]
fn a_client_that_shows_the_states_itself_is_sent_none_as_diagnostics() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    for own in [false, true] {
        let mut editor =
            session.lsp_client_with(&api, &json!({ "baton": { "statusDiagnostics": !own, "phase": false } }));
        if own {
            // The issue comes after the states in every reading.
            write_review(&session, None, &[issue("src/t1.rs", 2, "    1", "It is one.")]);
            editor.wait_for_lines("src/t1.rs", &["1: review.major: It is one."]);
            for file in [TASK, PLAN] {
                editor.wait_for_diagnostics(&session.uri(file), <[Value]>::is_empty);
            }
        } else {
            let run = editor.start_workflow(json!({ "task": "Do it", "approval": "auto" }));
            editor.wait_for_run_end(&run);
            editor.wait_for_code(TASK, "phase.plan");
            editor.wait_for_code(PLAN, "task.completed");
        }
        assert_eq!(editor.quit(), Some(0));
    }
}
