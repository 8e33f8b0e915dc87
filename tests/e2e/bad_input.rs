//! Mistakes of a person, a file, a repository or a model: each is reported, nothing is lost, nothing panics.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::support::messages_api::{Fault, MessagesApi, Reply, Script};
use crate::support::replies::{but, context, goes_well, own, plan_of, with, workspace};
use crate::support::session::Session;

/// A server for a run that goes well, with one task.
fn one_task() -> MessagesApi {
    MessagesApi::start(goes_well(&[&[own("T1")]]))
}

/// A workspace whose plan waits at the gate, and its server.
fn at_the_gate() -> (Session, MessagesApi) {
    let session = Session::new(&workspace(2));
    let api = MessagesApi::start(goes_well(&[&[own("T1"), own("T2")]]));
    session.run(&api, ["--task", "Do it"]).expect(3);
    (session, api)
}

#[test]
fn without_a_task_a_key_or_a_folder_nothing_begins() {
    let session = Session::new(&workspace(1));
    let api = one_task();
    for task in ["", " \n "] {
        session.run(&api, ["--task", task]).expect(2).reports("the task is empty");
    }
    let keyless = || session.baton(["run", "--task", "Do it"]);
    keyless().run().expect(2).reports("Set ANTHROPIC_API_KEY").reports("baton demo");
    keyless().env("ANTHROPIC_API_KEY", " ").run().expect(2).reports("Set ANTHROPIC_API_KEY");
    keyless().api(&api).env("ANTHROPIC_BASE_URL", "nowhere").run().expect(2).reports("ANTHROPIC_BASE_URL");
    assert!(session.runs().is_empty() && !session.exists(".agent_memory/task.md"), "nothing was begun");
    let here = |folder: &str| session.run(&api, ["--task", "Do it", "--workspace", folder]);
    here("src/t1.rs").expect(2).reports("is not a folder");
    here("gone").expect(2).reports("does not exist");
    session.run(&api, ["--frobnicate"]).expect(2);
    session.run(&api, ["--phase", "deploy"]).expect(2).reports("implement");
    session.baton(["schema", "nothing"]).run().expect(2).reports("review");
    session.baton(["approve"]).run().expect(2).reports("there is no plan");
    session.baton(["status"]).run().expect(0).prints("Nothing has been run here yet");
    assert!(api.requests().is_empty());
}

#[test]
fn a_wrong_key_fails_at_once_and_names_its_variable() {
    let session = Session::new(&workspace(1));
    let api = one_task();
    let wrong = "sk-ant-wrong-and-secret";
    for (variable, other) in [("ANTHROPIC_API_KEY", ""), ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY")] {
        let asked = api.requests().len();
        let mut run = session.baton(["run", "--task", "Do it", "--json"]).api(&api);
        if !other.is_empty() {
            run = run.env(other, "");
        }
        let done = run.env(variable, wrong).run().expect(5);
        assert_eq!(api.requests().len(), asked + 1, "it is not tried again");
        let end = done.events().pop().unwrap();
        assert!(end["message"].as_str().unwrap().contains(&format!("Set {variable} anew")), "{end}");
        assert!(!done.stdout.contains(wrong) && !done.stderr.contains(wrong));
    }
    for (path, bytes) in session.memory_tree() {
        assert!(!String::from_utf8_lossy(&bytes).contains(wrong), "{path} holds the key");
    }
    session.run(&api, ["--auto-approve"]).expect(0);
}

#[test]
fn a_workspace_that_cannot_be_written_is_said_to_be_so() {
    let session = Session::new(&workspace(1));
    let api = one_task();
    let sealed = if rustix::process::geteuid().is_root() {
        // To the superuser no folder is read-only but those of the system's own.
        "/sys".to_owned()
    } else {
        session.set_mode("", 0o555);
        session.root().display().to_string()
    };
    let done = session.run(&api, ["--task", "Do it", "--workspace", &sealed]).no_panic();
    session.set_mode("", 0o755);
    done.expect(1).reports("error: ").reports(".agent_memory");

    session.write(".agent_memory", "in the way");
    session.run(&api, ["--task", "Do it"]).no_panic().expect(1).reports(".agent_memory is not a folder");
    assert_eq!(session.text(".agent_memory"), "in the way");
    assert!(api.requests().is_empty());
}

#[test]
fn a_memory_folder_never_leads_out_of_the_workspace() {
    let session = Session::new(&workspace(1));
    let api = one_task();
    let outside = session.root().parent().unwrap().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, session.path(".agent_memory")).unwrap();
    session.run(&api, ["--task", "Do it"]).no_panic().expect(1).reports(".agent_memory").reports("symbolic link");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "nothing is written through the link");
    fs::remove_file(session.path(".agent_memory")).unwrap();

    session.write("baton.toml", "memory_dir = \"../outside\"\n");
    session.run(&api, ["--task", "Do it"]).expect(2).reports("baton.toml:1:14: memory_dir");
    session.write("baton.toml", "memory_dir = \".git\"\n");
    session.run(&api, ["--task", "Do it"]).expect(2).reports("baton.toml:1:14: memory_dir");
    session.write("baton.toml", "memory_dir = \"notes/memory\"\n");
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0).prints("notes/memory/runs/");
    assert!(session.exists("notes/memory/review.json") && !session.exists(".agent_memory"));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_wrong_setting_is_named_with_its_place() {
    let session = Session::new(&workspace(1));
    let api = one_task();
    let with_file = |text: &str| {
        session.write("baton.toml", text);
        session.run(&api, ["--task", "Do it"]).no_panic().expect(2)
    };
    with_file("max_parallel_tasks = 0\n").reports("baton.toml:1:22: max_parallel_tasks");
    with_file("\n[models]\nfast = \"haiku\"\n").reports("baton.toml:3:8: models.fast");
    with_file("max_paralel_tasks = 3\n")
        .reports("baton.toml:1:1: max_paralel_tasks is not a setting")
        .reports("max_parallel_tasks");
    with_file("keep_runs = 20\nbudget_usd = \n").reports("baton.toml:2:").reports("not TOML");
    with_file("budget_usd = \"lots\"\ncheckpoint = \"maybe\"\n")
        .reports("baton.toml:1:14: ")
        .reports("baton.toml:2:14: ");
    with_file("anthropic_api_key = \"sk-secret\"\n").reports("baton.toml:1:1: ").reports("environment");
    assert!(!with_file("anthropic_api_key = \"sk-secret\"\n").stderr.contains("sk-secret"));
    with_file("base_url = \"http://evil.example\"\n").reports("baton.toml:1:1: ").reports("ANTHROPIC_BASE_URL");
    // What only the user may decide, a workspace may not, and the reason is given.
    with_file("# trust me\napproval = \"auto\"\n")
        .reports("baton.toml:2:12: approval may not be \"auto\" here")
        .reports("comes with the workspace");
    assert!(session.runs().is_empty() && api.requests().is_empty());

    session.write("baton.toml", "max_parallel_tasks = 2\napproval = \"ask\"\n");
    let run = |name: &str, value: &str| session.baton(["run", "--task", "Do it"]).api(&api).env(name, value).run();
    run("BATON_MAX_PARALLEL_TASKS", "many").expect(2).reports("BATON_MAX_PARALLEL_TASKS");
    run("BATON_MAX_PARALEL_TASKS", "3").expect(3).reports("warning: BATON_MAX_PARALEL_TASKS is not a setting");
    // The user's own file may: the gate then answers itself.
    session.write_user_config("approval = \"auto\"\n");
    session.run(&api, []).expect(0);
    assert_eq!(session.handoff("approval.json")["by"], "auto");
}

#[test]
fn a_plan_edited_into_nonsense_is_reported_with_line_and_column_and_left_alone() {
    let (session, api) = at_the_gate();
    let good = session.text(".agent_memory/plan.json");
    let asked = api.requests().len();
    let refused = |text: &str, places: &[&str]| {
        session.write(".agent_memory/plan.json", text);
        for (args, code) in [(&["run"][..], 3), (&["approve"], 1), (&["status"], 0)] {
            let done = session.baton(args.iter().copied()).api(&api).run().no_panic().expect(code);
            let output = done.stdout + &done.stderr;
            for place in places {
                assert!(output.contains(&format!(".agent_memory/plan.json:{place}")), "{place}: {output}");
            }
        }
        assert_eq!(session.text(".agent_memory/plan.json"), text, "it is left as it is");
    };
    let line = |needle: &str| good.lines().position(|line| line.contains(needle)).expect("a line") + 1;

    refused(&good.replacen("  \"risks\"", "  \"risks", 1), &[&format!("{}:", line("\"risks\""))]);
    refused("", &["1:1: not valid JSON"]);
    refused(
        &good.replacen("\"simple\"", "\"trivial\"", 1),
        &[&format!("{}:31: \"trivial\" is not one of \"simple\"", line("\"simple\""))],
    );
    refused("[]\n", &["1:1: "]);
    // Every fault, not only the first.
    let faulty = good
        .replace("\"id\": \"T2\"", "\"id\": \"T1\"")
        .replace("\"src/t1.rs\"", "\"../t1.rs\"")
        .replace("\"src/t2.rs\"", "\"src/none.rs\"");
    let places = [
        format!("{}:", line("\"src/t1.rs\"")),
        format!("{}:13: two tasks are called \"T1\"", line("\"id\": \"T2\"")),
        format!("{}:", line("\"src/t2.rs\"")),
    ];
    refused(&faulty, &places.each_ref().map(String::as_str));
    let error = session.baton(["run"]).api(&api).run().stdout;
    for code in ["plan.path", "plan.duplicate-id", "plan.missing-file", "plan.unknown-task"] {
        assert!(error.contains(&format!("[{code}]")), "{code}: {error}");
    }
    assert_eq!(api.requests().len(), asked, "no model is asked about it");

    // Repaired, it is resumed; a reset needs no repair.
    session.write(".agent_memory/plan.json", &good);
    session.run(&api, []).expect(3);
    session.write(".agent_memory/plan.json", "nonsense");
    session.run(&api, ["--reset", "--auto-approve"]).expect(0);
    assert_eq!(session.text(".agent_memory/history/0001-reset/plan.json"), "nonsense");
}

#[test]
fn an_approval_holds_for_the_very_bytes_of_the_plan() {
    let (session, api) = at_the_gate();
    session.baton(["approve"]).run().expect(0);
    let plan = session.text(".agent_memory/plan.json");
    session.write(".agent_memory/plan.json", plan.replace("The title of T2", "Something else"));
    session.run(&api, []).expect(3);
    assert!(session.text(".agent_memory/plan.md").contains("Something else"), "plan.md follows the JSON");
    // A hash alone, as any program could write it, is no approval.
    let approval = session.text(".agent_memory/approval.json");
    let sha = session.baton(["status", "--json"]).run().json()["gate"]["plan_sha256"].as_str().unwrap().to_owned();
    let old = session.handoff("approval.json")["plan_sha256"].as_str().unwrap().to_owned();
    session.write(".agent_memory/approval.json", approval.replace(&old, &sha));
    session.run(&api, []).expect(3);
    session.write(".agent_memory/approval.json", "{}");
    session.run(&api, []).expect(3);
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(0);
}

#[test]
fn a_memory_folder_that_came_with_a_clone_approves_nothing() {
    let (session, api) = at_the_gate();
    session.baton(["approve"]).run().expect(0);
    let clone = session.clone_workspace("clone");
    let asked = api.requests().len();
    let elsewhere = || session.baton(["run"]).api(&api).current_dir(&clone);
    elsewhere().run().expect(3).prints("baton approve");
    assert!(fs::read_to_string(clone.join("src/t1.rs")).unwrap().contains('0'));
    // Another user's home at the same place: their approvals are not mine.
    let stranger = session.root().parent().unwrap().join("stranger");
    session.baton(["run"]).api(&api).env("XDG_STATE_HOME", &stranger).run().expect(3);
    assert_eq!(api.requests().len(), asked);
    session.baton(["approve"]).current_dir(&clone).run().expect(0);
    elsewhere().run().expect(0);
    assert!(fs::read_to_string(clone.join("src/t1.rs")).unwrap().contains('1'));
    session.run(&api, []).expect(0);
}

#[test]
fn of_two_runs_the_second_reports_who_is_at_work() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(but(Script::new().fault("context", [Fault::Silence]), &[&[own("T1")]]));
    let first = session.start(&api, ["--task", "Do it"]);
    api.wait_for_request("context");
    let who = format!("pid {}, run {}", first.pid(), session.runs()[0]);
    session.run(&api, []).expect(1).reports(&who);
    // The lock is looked at before the task.
    session.run(&api, ["--task", "Something else"]).expect(1).reports(&who);
    session.baton(["reset"]).run().expect(1).reports(&who);
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!((&status["outcome"], &status["phases"][0]["status"]), (&Value::Null, &json!("running")));
    assert_eq!(session.runs().len(), 1, "the second left nothing behind");
    assert_eq!(session.text(".agent_memory/task.md"), "Do it\n");
    first.kill();
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!(status["phases"][0]["status"], "interrupted");
    session.run(&api, ["--auto-approve"]).expect(0);
}

#[test]
fn a_model_that_makes_mistakes_is_corrected_and_recovers() {
    let session = Session::new(&workspace(1));
    let good = plan_of(&[&[own("T1")]]);
    let blunders = [
        Reply::text("Let me think about this first."),
        Reply::tool("rm_rf", json!({ "path": "/" })),
        Reply::tool("read_file", json!({ "path": ["src"], "start_line": "soon" })),
        Reply::tool("search", json!({ "pattern": "fn (" })),
        Reply::tool("read_file", json!({ "path": "src/t1.rs\u{0}" })),
        Reply::tools([("read_file", json!({ "path": "../../etc/passwd" })), ("list_files", json!({ "path": "/etc" }))]),
        Reply::tool("submit_context", json!({ "task_description": 7, "relevant_files": "all of them" })),
        context(&["src/t9.rs"]),
        Reply::tool(
            "submit_context",
            json!({ "task_description": "Do it", "relevant_files": [], "dependencies": null, "colour": "blue" }),
        ),
    ];
    let mess = [
        Reply::tool("submit_plan", with(good.clone(), json!({ "tasks": [], "parallel_groups": [["T1"]] }))),
        Reply::text("I was about to").stop_reason("max_tokens"),
        Reply::tool("submit_plan", good),
    ];
    let script = Script::new().on("context", blunders).on("plan", mess);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0).no_panic();

    let answers: Vec<String> =
        api.requests_of("context").iter().skip(1).map(|request| request.last_message().to_string()).collect();
    for (answer, word) in answers.iter().zip([
        "submit_context",
        "There is no tool",
        "path must be a string",
        "no valid regular expression",
        "is_error",
        "is_error",
        "task_description",
        "src/t9.rs is not a file",
    ]) {
        assert!(answer.contains(word), "{word:?} is not in {answer}");
    }
    assert!(!answers.concat().contains("root:"), "nothing outside is read");
}

#[test]
fn a_model_that_declines_or_talks_on_ends_without_a_conclusion() {
    let session = Session::new(&workspace(1));
    let talk = || Reply::text("As I said, I would rather talk.");
    let script = Script::new().rounds("context", [vec![talk(), talk(), talk()]]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    let done = session.run(&api, ["--task", "Do it"]).expect(5);
    done.reports("answered 3 times without using a tool");

    let declines = Reply::text("I can't help with that.").stop_reason("refusal");
    let api = MessagesApi::start(but(Script::new().on("context", [declines]), &[&[own("T1")]]));
    session.run(&api, []).expect(5).reports("the model declined the context agent's work: I can't help with that.");
    session.run(&one_task(), ["--auto-approve"]).expect(0);
}

#[test]
fn what_models_and_people_write_drives_no_terminal() {
    let session = Session::new(&workspace(1));
    let evil = "clear \u{1b}[2J\u{7}\u{202e}me";
    let work = json!({ "status": "partial", "changes": [], "notes": evil, "blockers": [evil] });
    let script = Script::new().on("implement/T1", [Reply::tool("submit_result", work)]);
    let task = with(own("T1"), json!({ "title": evil, "description": evil }));
    let api = MessagesApi::start(but(script, &[&[task]]));
    let done = session.run(&api, ["--task", "Do \u{1b}[31mit\u{1b}[0m,\nin two lines", "--auto-approve"]).expect(0);
    let status = session.baton(["status"]).run().expect(0);
    for text in [&done.stdout, &done.stderr, &status.stdout] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}') && !text.contains('\u{202e}'), "{text:?}");
    }
}
