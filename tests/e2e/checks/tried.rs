//! Checks that a task tries on its edits before they are published.

use std::fs;
use std::sync::mpsc;
use std::time::Instant;

use notify::event::{EventKind, ModifyKind};
use notify::{RecursiveMode, Watcher};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{check, has_view, results, run, set_checks, told};
use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{but, completed, does, edits, fixes, own, with, workspace};
use crate::support::session::Session;
use crate::support::wait::PROMPTLY;

fn tries(name: &str) -> Reply {
    Reply::tool("try_check", json!({ "name": name }))
}

fn session(tasks: usize, checks: &[Value]) -> Session {
    let session = Session::new(&workspace(tasks));
    set_checks(&session, "auto", checks);
    session
}

/// The answers to an agent's calls of `try_check`, in the order of its turns.
fn answers(api: &MessagesApi, agent: &str) -> Vec<String> {
    let last = api.requests_of(agent).pop().expect("a request");
    let blocks = last.body["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .flat_map(|message| message["content"].as_array().cloned().unwrap_or_default());
    let blocks: Vec<Value> = blocks.collect();
    let tried = blocks.iter().filter(|block| block["name"] == "try_check").map(|block| &block["id"]);
    let answer = |id: &Value| {
        let block = blocks.iter().find(|block| block["tool_use_id"] == *id)?;
        Some(block["content"].as_str().map_or_else(|| block["content"].to_string(), str::to_owned))
    };
    tried.filter_map(answer).collect()
}

#[test]
fn what_breaks_a_check_is_mended_before_anybody_sees_it() {
    if !has_view() {
        return;
    }
    let session = session(1, &[check("test", "! grep -q ' 1$' src/t1.rs || { echo one is wrong; exit 4; }")]);
    let script = Script::new().on(
        "implement/T1",
        [
            edits("src/t1.rs", "    0\n", "    1\n"),
            tries("test"),
            edits("src/t1.rs", "    1\n", "    2\n"),
            tries("test"),
            completed(&["src/t1.rs"]),
        ],
    );
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    let (sender, seen) = mpsc::channel();
    let mut watcher = notify::recommended_watcher(sender).unwrap();
    watcher.watch(&session.path("src"), RecursiveMode::Recursive).unwrap();
    run(&session, &api).run().expect(0).prints("Approved; checks passed: test.");
    drop(watcher);
    let written: Vec<EventKind> = seen
        .iter()
        .flatten()
        .filter(|event| event.paths.iter().any(|path| path.ends_with("src/t1.rs")))
        .map(|event| event.kind)
        .filter(|kind| !matches!(kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_))))
        .collect();
    assert!(!written.is_empty(), "the watch sees writes");
    assert!(
        written.iter().all(|kind| matches!(kind, EventKind::Modify(ModifyKind::Name(_)))),
        "the file was only ever put in place whole, once: {written:?}"
    );
    let put = written
        .iter()
        .filter(|kind| matches!(kind, EventKind::Modify(ModifyKind::Name(notify::event::RenameMode::To))));
    assert_eq!(put.count(), 1, "{written:?}");
    assert!(session.text("src/t1.rs").contains("    2\n"));

    let answers = answers(&api, "implement/T1");
    assert_eq!(answers.len(), 2);
    assert!(answers[0].contains("failed (exit 4)") && answers[0].contains("\none is wrong\n"), "{}", answers[0]);
    assert!(answers[0].contains("5 tries left.") && !answers[0].contains(".agent_memory"), "{}", answers[0]);
    assert!(answers[1].contains(" passed after ") && answers[1].contains("4 tries left."), "{}", answers[1]);
    let system = api.requests_of("implement/T1")[0].system();
    assert!(system.contains("<checks>\n[{\"name\":\"test\",\"command\":\"! grep"), "{system}");
    assert!(system.contains("\"timeout_s\":300}]"), "a try has a limit of its own");
    assert!(api.requests_of("implement/T1")[0].tools().contains(&"try_check"));
    assert!(!api.requests_of("review")[0].tools().contains(&"try_check"));
    let told = told(&session);
    assert_eq!(told[0], "check test: trying");
    assert!(told[1].starts_with("check test: failed (exit 4), "), "{told:?}");
    // A link of what a try left behind would be in the workspace or the memory folder.
    assert_eq!(session.tree().len(), 1);
}

#[test]
fn a_task_has_six_tries_and_names_checks_only() {
    if !has_view() {
        return;
    }
    let session = session(1, &[check("test", "true"), json!({ "name": "slow", "command": "true", "try": false })]);
    let mut replies = vec![edits("src/t1.rs", "    0\n", "    1\n"), tries("true; touch /tmp/x"), tries("slow")];
    replies.extend((0..7).map(|_| tries("test")));
    replies.push(completed(&["src/t1.rs"]));
    let api = MessagesApi::start(but(Script::new().on("implement/T1", replies), &[&[own("T1")]]));
    run(&session, &api).run().expect(0).prints("checks passed: test, slow");
    let answers = answers(&api, "implement/T1");
    assert_eq!(answers[0], "There is no check \"true; touch /tmp/x\" to try; there are: test.");
    assert_eq!(answers[1], "There is no check \"slow\" to try; there are: test.");
    assert!(answers[7].contains("0 tries left"), "{}", answers[7]);
    assert!(answers[8].starts_with("Not run: your task has had its 6 tries of this round."), "{}", answers[8]);
}

#[test]
fn a_task_hears_whether_a_check_fails_without_its_edits_too() {
    if !has_view() {
        return;
    }
    let session =
        session(2, &[check("theirs", "! grep -q ' 1$' src/t1.rs"), check("own", "! grep -q ' 1$' src/t2.rs")]);
    let second = with(own("T2"), json!({ "depends_on": ["T1"] }));
    let script = Script::new().rounds("implement/T1", [does("T1").to_vec(), fixes("T1", 1, 2)]).rounds(
        "implement/T2",
        [
            vec![
                edits("src/t2.rs", "    0\n", "    1\n"),
                tries("theirs"),
                tries("own"),
                edits("src/t2.rs", "    1\n", "    2\n"),
                tries("own"),
                completed(&["src/t2.rs"]),
            ],
            vec![completed(&[])],
        ],
    );
    let api = MessagesApi::start(but(script, &[&[own("T1")], &[second]]));
    run(&session, &api).run().expect(0).prints("checks passed: theirs, own");
    let conversation: Vec<_> =
        api.requests_of("implement/T2").into_iter().filter(|request| request.conversation == 0).collect();
    let last = conversation.last().unwrap().body["messages"].to_string();
    assert_eq!(last.matches("it fails without your edits too").count(), 1, "{last}");
    assert_eq!(last.matches("without your edits it passes on what they published").count(), 1, "{last}");
}

/// An edit of T1's file, a try, and the result, in one turn.
fn all_in_one(old: &str, new: &str) -> Reply {
    let edit = json!({ "path": "src/t1.rs", "old_text": old, "new_text": new });
    let result = json!({
        "status": "completed", "notes": "", "blockers": [], "changes": [{ "path": "src/t1.rs", "summary": "changed" }],
    });
    Reply::tools([("edit_file", edit), ("try_check", json!({ "name": "test" })), ("submit_result", result)])
}

#[test]
fn edits_a_try_and_the_result_may_come_in_one_turn_and_a_failing_check_keeps_the_result_back() {
    if !has_view() {
        return;
    }
    let session = session(1, &[check("test", "! grep -q ' 1$' src/t1.rs || { echo one is wrong; exit 4; }")]);
    let script = Script::new().on("implement/T1", [all_in_one("    0\n", "    1\n"), all_in_one("    1\n", "    2\n")]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    run(&session, &api).run().expect(0).prints("Approved; checks passed: test.");
    let requests = api.requests_of("implement/T1");
    assert_eq!(requests.len(), 2, "two turns");
    let answers = requests[1].body["messages"].as_array().unwrap().last().unwrap()["content"].to_string();
    assert!(answers.contains("failed (exit 4)") && answers.contains("one is wrong"), "{answers}");
    assert!(answers.contains("not taken: a call before it in this turn failed"), "{answers}");
    assert!(session.text("src/t1.rs").contains("    2\n"));
    assert_eq!(told(&session).last().unwrap(), "check test: passed, as tried");
}

#[test]
fn a_check_that_fails_without_the_edits_too_keeps_no_result_back() {
    if !has_view() {
        return;
    }
    let session = session(2, &[check("test", "! grep -q ' 1$' src/t1.rs")]);
    let second = with(own("T2"), json!({ "depends_on": ["T1"] }));
    let result = json!({
        "status": "completed", "notes": "", "blockers": [], "changes": [{ "path": "src/t2.rs", "summary": "changed" }],
    });
    let edit = json!({ "path": "src/t2.rs", "old_text": "    0\n", "new_text": "    1\n" });
    let turn = Reply::tools([("edit_file", edit), ("try_check", json!({ "name": "test" })), ("submit_result", result)]);
    let script = Script::new()
        .rounds("implement/T1", [does("T1").to_vec(), fixes("T1", 1, 2)])
        .rounds("implement/T2", [vec![turn], vec![completed(&[])]]);
    let api = MessagesApi::start(but(script, &[&[own("T1")], &[second]]));
    run(&session, &api).run().expect(0).prints("checks passed: test");
    let first: Vec<_> =
        api.requests_of("implement/T2").into_iter().filter(|request| request.conversation == 0).collect();
    assert_eq!(first.len(), 1, "one turn");
}

#[test]
fn what_passed_on_the_very_files_is_not_run_once_more() {
    if !has_view() {
        return;
    }
    let session = session(1, &[check("test", "echo '1 passed, 55 ignored'; grep -q ' 1$' src/t1.rs")]);
    let script = Script::new()
        .on("implement/T1", [edits("src/t1.rs", "    0\n", "    1\n"), tries("test"), completed(&["src/t1.rs"])]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    run(&session, &api).run().expect(0).prints("Approved; checks passed: test.");
    let told = told(&session);
    assert_eq!((told.len(), told[0].as_str()), (3, "check test: trying"), "{told:?}");
    assert!(told[1].starts_with("check test: passed, "), "{told:?}");
    assert_eq!(told[2], "check test: passed, as tried");
    assert_eq!(results(&session), ["test: passed, 0, null, null"]);
    let review = api.requests_of("review")[0].body["messages"].to_string();
    assert!(review.contains("passed: test.") && review.contains("\\n1 passed, 55 ignored\\n"), "{review}");
    // What was kept of the try says on which files it was.
    session.write("src/t1.rs", "pub fn t1() {}\n");
    session.baton(["status"]).run().expect(0).prints("1 file changed since");
}

#[test]
fn what_may_differ_from_what_was_tried_is_run() {
    if !has_view() {
        return;
    }
    let edit = || edits("src/t1.rs", "    0\n", "    1\n");
    let done = || completed(&["src/t1.rs"]);
    let more = || edits("src/t1.rs", "    1\n", "    2\n");
    let plain = check("test", "true");
    let network = json!({ "name": "test", "command": "true", "network": true });
    let formatter = check("test", "grep -q formatted src/t1.rs || echo '// formatted' >> src/t1.rs");
    let puts_back = check("test", "git checkout -q . || true");
    let cases = [
        ("an edit after the try", plain, vec![edit(), tries("test"), more(), done()]),
        ("the network", network, vec![edit(), tries("test"), done()]),
        ("a check that changes files", formatter, vec![edit(), tries("test"), done()]),
        ("a check that puts the edits back", puts_back, vec![edit(), tries("test"), done()]),
    ];
    for (what, check, replies) in cases {
        let session = Session::in_git(&workspace(1));
        set_checks(&session, "auto", &[check]);
        let api = MessagesApi::start(but(Script::new().on("implement/T1", replies), &[&[own("T1")]]));
        run(&session, &api).run().expect(0).prints("checks passed: test");
        let told = told(&session);
        assert!(told.iter().any(|message| message == "check test: running"), "{what}: {told:?}");
        assert!(!told.iter().any(|message| message.ends_with("as tried")), "{what}: {told:?}");
    }
}

#[test]
fn what_was_tried_before_others_wrote_is_run() {
    if !has_view() {
        return;
    }
    let session = session(2, &[check("test", "true")]);
    let second = with(own("T2"), json!({ "depends_on": ["T1"] }));
    let script = Script::new()
        .on("implement/T1", [edits("src/t1.rs", "    0\n", "    1\n"), tries("test"), completed(&["src/t1.rs"])]);
    let api = MessagesApi::start(but(script, &[&[own("T1")], &[second]]));
    run(&session, &api).run().expect(0).prints("checks passed: test");
    let told = told(&session);
    assert!(told.iter().any(|message| message == "check test: running"), "{told:?}");
}

#[test]
fn a_task_that_waits_for_a_check_gives_its_place_to_another() {
    if !has_view() {
        return;
    }
    let session = session(2, &[check("test", "while ! grep -q yes go.txt; do sleep 0.05; done")]);
    session.write("go.txt", "no ");
    let script = Script::new()
        .on("implement/T1", [edits("src/t1.rs", "    0\n", "    1\n"), tries("test"), completed(&["src/t1.rs"])]);
    let api = MessagesApi::start(but(script, &[&[own("T1"), own("T2")]]));
    let running = run(&session, &api).env("BATON_MAX_PARALLEL_TASKS", "1").start();
    // T1 is at its check, which ends only when T2 was asked.
    api.wait_for_answer(("implement/T2", 1));
    session.write("go.txt", "yes");
    running.wait().expect(0).prints("checks passed: test");
    let answers = answers(&api, "implement/T1");
    assert!(answers[0].contains("The working tree changed while this ran"), "{}", answers[0]);
}

#[test]
fn a_run_that_is_stopped_in_a_try_ends_soon_and_leaves_nothing() {
    if !has_view() {
        return;
    }
    let session = session(1, &[check("test", "sleep 61.5")]);
    let script = Script::new().on("implement/T1", [edits("src/t1.rs", "    0\n", "    1\n"), tries("test")]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    let mut running = session.baton(["run", "--task", "Do it", "--auto-approve", "--json"]).api(&api).start();
    let lines = running.lines();
    lines.iter().find(|line| line.contains("check test: trying")).expect("a try");
    let stopped = Instant::now();
    running.signal(Signal::INT);
    running.wait().expect(130);
    assert!(stopped.elapsed() < PROMPTLY, "{:?}", stopped.elapsed());
    assert!(session.text("src/t1.rs").contains("    0\n"), "nothing was published");
    let processes =
        fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    assert!({ processes }.all(|line| line != b"sleep\x0061.5\0"), "the command still runs");
}

#[test]
fn where_there_is_no_view_there_is_no_such_tool() {
    let session = Session::new(&workspace(1));
    set_checks(&session, "off", &[check("test", "true")]);
    let api = MessagesApi::start(but(Script::new(), &[&[own("T1")]]));
    run(&session, &api).run().expect(0);
    let first = api.requests_of("implement/T1").remove(0);
    assert!(!first.tools().contains(&"try_check") && !first.system().contains("<checks>"));
    assert_eq!(results(&session), ["test: passed, 0, null, null"]);
}
