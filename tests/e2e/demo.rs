//! The demo: without a key or a network, within seconds, and with true output; on a terminal, and in an editor.
#![cfg(unix)]
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::lsp_client::{LspClient, button_titles, file_uri, message_text};
use crate::support::session::Session;
use crate::support::terminal::Terminal;

/// A few seconds, and as much again for a build that is not optimised on a busy machine.
const A_FEW_SECONDS: Duration = Duration::from_secs(20);

#[test]
fn the_demo_plays_a_whole_run_on_a_sample_and_what_it_says_is_there() {
    let session = Session::new("");
    let began = Instant::now();
    let done = session.baton(["demo"]).run().expect(0);
    assert!(began.elapsed() < A_FEW_SECONDS, "it took {:?}", began.elapsed());
    for phase in ["context", "plan", "implement", "review"] {
        assert!(done.stderr.contains(&format!("{phase} done")), "{phase}: {}", done.stderr);
    }
    let done = done
        .reports("Plan, version 1")
        .reports("The demo approves.")
        // What it costs is said in one way: it was paid once, and is not now.
        .reports(", as recorded. To implement and review:")
        .prints(", as recorded   .agent_memory")
        .prints("diff --git")
        .prints("nothing was committed");
    assert!(done.stdout.contains(" tokens · $"), "{}", done.stdout);
    assert!(session.names("").is_empty(), "the folder it was started in is left alone");

    let cd = done.stdout.lines().find_map(|line| line.split_once("cd ")).expect("it says where the files are");
    let folder = PathBuf::from(cd.1.trim());
    assert!(folder.join("Cargo.toml").is_file() && folder.starts_with(session.root().parent().unwrap()));
    let hint = done.stdout.lines().find(|line| line.contains("cargo test ·")).unwrap_or_default();
    assert!(hint.contains("baton diff") && !done.stdout.contains("git diff"), "{hint}");
    status_says_what_was_played(&session, &folder);
    issues_stand_where_it_says(&done.stdout, &folder);
    handoffs_keep_their_schemas(&session, &folder);
    git_shows_what_was_planned(&folder);
}

/// The same as the end of the run: nothing was billed now. And no phase took no time.
fn status_says_what_was_played(session: &Session, folder: &std::path::Path) {
    let status = session.baton(["status"]).current_dir(folder).run().expect(0).stdout;
    let used =
        status.lines().find(|line| line.starts_with("Used ")).unwrap_or_else(|| panic!("nothing was used: {status}"));
    assert!(used.ends_with(", as recorded"), "{used}");
    let took = |phase: &&str| phase.split_whitespace().any(|word| word == "0");
    let phases = status
        .lines()
        .filter(|line| ["context ", "plan ", "implement ", "review "].iter().any(|name| line.starts_with(name)));
    assert_eq!(phases.clone().count(), 4, "{status}");
    assert_eq!(phases.clone().find(took), None, "{status}");
    // What was created is untracked, and `git diff` would not show it.
    let diff = session.baton(["diff"]).current_dir(folder).run().expect(0).stdout;
    assert!(diff.contains("new file mode"), "{diff}");
}

/// `file:line: severity: text`, and the file has that line.
fn issues_stand_where_it_says(stdout: &str, folder: &std::path::Path) {
    let mut issues = 0;
    for line in stdout.lines() {
        let mut parts = line.splitn(4, ':');
        let (Some(file), Some(number), Some(severity), Some(text)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (Ok(number), true) =
            (number.parse::<usize>(), ["critical", "major", "minor", "suggestion"].contains(&severity.trim()))
        else {
            continue;
        };
        let content = fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!((1..=content.lines().count()).contains(&number), "{line}");
        assert!(text.trim().len() > 20, "{line} says nothing");
        issues += 1;
    }
    assert!((2..=8).contains(&issues), "{issues} findings:\n{stdout}");
    let review: Value =
        serde_json::from_str(&fs::read_to_string(folder.join(".agent_memory/review.json")).unwrap()).unwrap();
    assert_eq!(review["issues"].as_array().unwrap().len(), issues, "every finding is shown");
    let criteria = review["criteria"].as_array().unwrap();
    assert_eq!(criteria.len(), 15, "every criterion of the plan is answered");
    let unproven: Vec<&Value> = criteria.iter().filter(|criterion| criterion["state"] != "met").collect();
    assert!(unproven.is_empty(), "what the reviewer quotes as proof is there: {unproven:?}");
}

fn handoffs_keep_their_schemas(session: &Session, folder: &std::path::Path) {
    for (file, name) in [
        ("context.json", "context"),
        ("plan.json", "plan"),
        ("approval.json", "approval"),
        ("round.json", "round"),
        ("impl_report.json", "impl_report"),
        ("review.json", "review"),
    ] {
        let schema = session.baton(["schema", name]).run().expect(0).json();
        let text = fs::read_to_string(folder.join(".agent_memory").join(file))
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        let handoff: Value = serde_json::from_str(&text).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let faults: Vec<String> = validator.iter_errors(&handoff).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{file}: {faults:?}");
    }
}

fn git_shows_what_was_planned(folder: &std::path::Path) {
    let git = |args: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(folder).args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        String::from_utf8(git.output().unwrap().stdout).unwrap()
    };
    assert_eq!(git(&["rev-list", "--count", "HEAD"]), "1\n", "nothing is committed beside the sample itself");
    let changed: BTreeSet<String> =
        git(&["status", "--porcelain", "-uall"]).lines().map(|line| line[3..].to_owned()).collect();
    let plan: Value =
        serde_json::from_str(&fs::read_to_string(folder.join(".agent_memory/plan.json")).unwrap()).unwrap();
    let planned: BTreeSet<String> = (plan["tasks"].as_array().unwrap().iter())
        .flat_map(|task| {
            ["files_to_modify", "files_to_create"].map(|list| task[list].as_array().cloned().unwrap_or_default())
        })
        .flatten()
        .map(|file| file.as_str().unwrap().to_owned())
        .collect();
    assert!(!changed.is_empty() && changed.is_subset(&planned), "changed {changed:?}, planned {planned:?}");
}

#[test]
fn on_a_terminal_it_is_live() {
    let session = Session::new("");
    let mut terminal = Terminal::new();
    let running = terminal.start(session.baton(["demo"]));
    terminal.wait_for("A sample repository, in ");
    terminal.wait_for("Plan, version 1");
    terminal.wait_for("diff --git");
    terminal.wait_for("Approved by reading; no check ran.");
    terminal.wait_for("Your turn:");
    running.wait().expect(0);
}

/// An editor with the plugin of ours, whose answers to questions the test gives, at this folder; null for none.
fn editor(session: &Session, folder: Option<&Path>) -> LspClient {
    let mut client = LspClient::start(&mut session.baton(["lsp"]).into_command(), session.root());
    let mut params = session.initialize_params();
    let open = folder.map(|folder| json!([{ "uri": file_uri(folder, ""), "name": "demo" }]));
    params["workspaceFolders"] = open.unwrap_or(Value::Null);
    client.initialize(params);
    client
}

fn make_sample(session: &Session) -> PathBuf {
    let mut client = editor(session, None);
    let made = client.execute("baton.demo", &[]).unwrap();
    let folder = PathBuf::from(made["folder"].as_str().unwrap());
    assert_eq!(made["uri"], file_uri(&folder, "").trim_end_matches('/'));
    assert_eq!(client.quit(), Some(0));
    folder
}

#[test]
fn in_an_editor_it_goes_from_its_sample_over_the_gate_to_issues_that_can_be_fixed_and_undone() {
    let session = Session::new("");
    // Whose own models would cost something, and whose key is set.
    session.write_user_config("[models]\nfast = \"anthropic:claude-haiku-5-5\"\n");
    let folder = make_sample(&session);
    let before = fs::read_to_string(folder.join("src/link.rs")).unwrap();

    let mut client = editor(&session, Some(&folder));
    let _ = client.start_workflow(json!({}));
    let question = client.wait_for_gate();
    assert!(button_titles(&question).contains(&"Approve"), "{question}");
    let gate = client.execute("baton.status", &[]).unwrap()["gate"].take();
    for model in gate["models"].as_array().unwrap() {
        assert_eq!(model["account"], "recorded answers of the demo; costs nothing");
    }
    assert_eq!(gate["models"].as_array().unwrap().len(), 3);
    let nothing = json!({ "usd": 0.0, "tokens": 0 });
    assert_eq!(gate["estimate"], json!({ "low": nothing, "high": nothing, "ceiling": nothing }));
    assert_eq!(fs::read_to_string(folder.join("src/link.rs")).unwrap(), before, "nothing is written before the answer");

    // The window is loaded anew at the gate.
    client.answer(&question, Value::Null);
    let waiting = client.wait_for_message();
    assert!(message_text(&waiting).contains("plan.md"), "{waiting}");
    client.disconnect();
    let mut client = editor(&session, Some(&folder));
    client.wait_for_message();
    let started = client.execute("baton.approve", &[json!({ "planSha256": gate["plan_sha256"] })]).unwrap();
    let end = client.follow_to_end(&started);
    assert!(end.last_text().contains("3 issues are left"), "{}", end.last_text());
    let link = end.published(&file_uri(&folder, "src/link.rs")).unwrap();
    assert_eq!(
        (&link["diagnostics"][0]["code"], &link["diagnostics"][0]["severity"]),
        (&json!("review.minor"), &json!(3))
    );

    let status = client.execute("baton.status", &[]).unwrap();
    assert_eq!((&status["outcome"], &status["usage"]["cost_usd"]), (&json!("merged"), &json!(0.0)));
    let issues: Vec<Value> = status["issues"].as_array().unwrap().iter().map(|issue| issue["id"].clone()).collect();
    let fixed = client.execute("baton.fixIssue", &[json!({ "ids": [issues[0]] })]).unwrap();
    let end = client.follow_to_end(&fixed);
    assert!(end.last_text().contains("2 issues are left"), "{}", end.last_text());
    assert!(fs::read_to_string(folder.join("src/link.rs")).unwrap().contains("then(|| percent_decode(fragment))"));

    client.execute("baton.rollback", &[]).unwrap();
    assert_eq!(fs::read_to_string(folder.join("src/link.rs")).unwrap(), before);
    assert!(!folder.join("src/heading.rs").exists());
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn what_its_recording_cannot_do_is_said_and_is_tried_once() {
    let session = Session::new("");
    let folder = make_sample(&session);
    let here = |args: &[&'static str]| session.baton(args.iter().copied()).current_dir(&folder).run();
    let words = "The demo's answers are recorded: they know its own task and plan only";
    let done = here(&["run", "--task", "Add a --json flag", "--json"]);
    let last = done.outcome();
    assert_eq!((&last["outcome"], &last["error"]["kind"]), (&json!("failed"), &json!("config")));
    assert!(last["error"]["message"].as_str().unwrap().starts_with(words), "{last}");
    let tried =
        done.events().iter().filter(|event| event["phase"] == "context" && event["status"] == "progress").count();
    assert_eq!(tried, 0, "nothing is tried again");

    // Its own task, and a plan that a person wants otherwise: the same, and it says why.
    here(&["reset"]).expect(0);
    fs::write(folder.join(".agent_memory/task.md"), include_str!("../../server/demo/task.md")).unwrap();
    here(&["run"]).expect(3);
    here(&["plan", "--feedback", "Make one task of it"]).expect(3);
    let plan = fs::read_to_string(folder.join(".agent_memory/plan.md")).unwrap();
    assert!(plan.contains("cannot take up what you ask for") && plan.starts_with("# Plan, version 2"), "{plan}");
    here(&["approve", "--only", "T2"]).expect(0);
    here(&["run"]).reports(words);
}

#[test]
fn undone_and_run_again_it_finds_the_same() {
    let session = Session::new("");
    let folder = make_sample(&session);
    let here = |args: &[&'static str]| session.baton(args.iter().copied()).current_dir(&folder).run();
    here(&["run", "--auto-approve"]).expect(0).prints("3 issues are left");
    here(&["rollback"]).expect(0);
    here(&["run", "--auto-approve"]).expect(0).prints("3 issues are left");
    here(&["rollback"]).expect(0);
    here(&["reset"]).expect(0);
    fs::write(folder.join(".agent_memory/task.md"), include_str!("../../server/demo/task.md")).unwrap();
    here(&["run", "--auto-approve"]).expect(0).prints("3 issues are left");
}

#[test]
fn a_sample_is_made_where_nothing_is_and_printed() {
    let session = Session::new("");
    session.write("mine/notes.txt", "mine");
    session.baton(["demo", "--prepare", "mine"]).run().expect(2).reports("mine is there and is no empty folder");
    assert_eq!(session.names("mine"), ["notes.txt"]);
    let done = session.baton(["demo", "--prepare", "new"]).run().expect(0);
    assert_eq!(done.stdout.trim_end(), session.path("new").canonicalize().unwrap().to_str().unwrap());
    assert!(session.exists("new/.agent_memory/task.md") && session.exists("new/baton.toml"));
    let mut client = editor(&session, None);
    for (dir, why) in [(session.path("mine").to_str().unwrap(), "no empty folder"), ("new", "the whole path")] {
        let refused = client.execute("baton.demo", &[json!({ "dir": dir })]).unwrap_err();
        assert!(refused["message"].as_str().unwrap().contains(why), "{refused}");
    }
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn an_editor_without_a_plugin_is_shown_its_task_and_told_what_to_do() {
    let session = Session::new("");
    let mut client = LspClient::start(&mut session.baton(["lsp"]).into_command(), session.root());
    let mut params = session.initialize_params();
    params["initializationOptions"] = Value::Null;
    client.initialize(params);
    let made = client.execute("baton.demo", &[]).unwrap();
    let folder = PathBuf::from(made["folder"].as_str().unwrap());
    let told = client.wait_for_message();
    let text = message_text(&told);
    assert!(text.contains(folder.to_str().unwrap()) && text.contains("baton.workflow"), "{text}");
    client.wait_for_document(&file_uri(&folder, ".agent_memory/task.md"));
    assert_eq!(client.quit(), Some(0));
}
