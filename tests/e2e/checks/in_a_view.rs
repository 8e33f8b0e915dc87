//! What the end of a round can know and keep where there is a view: how a check ended before, and what it changed.

use serde_json::json;

use super::{api, check, has_view, results, run, set_checks, told};
use crate::support::messages_api::{MessagesApi, Script};
use crate::support::replies::{but, does, fixes, own, workspace};
use crate::support::session::Session;
use crate::support::wait::wait_until;

fn session(fixture: &str, checks: &[serde_json::Value]) -> Session {
    let session = Session::in_git(fixture);
    set_checks(&session, "auto", checks);
    session
}

#[test]
fn what_failed_before_the_workflow_is_said_and_not_repaired() {
    if !has_view() {
        return;
    }
    let session = session(&workspace(1), &[check("old", "exit 9"), check("new", "! grep -q ' 1$' src/t1.rs")]);
    let rounds = [does("T1").to_vec(), fixes("T1", 1, 2)];
    let api = api(Script::new().rounds("implement/T1", rounds), &["T1"]);
    run(&session, &api).run().expect(0).prints("Approved, though `old` fails, as before; checks passed: new.");
    assert_eq!(results(&session), ["old: failed, 9, null, failed", "new: passed, 0, null, null"]);
    assert_eq!(session.history(), ["0001-repair"]);
    let before = session.handoff("history/0001-repair/impl_report.json");
    assert_eq!(before["checks"][1]["base"], "passed");
    let message = api.first_message("implement/T1", 1);
    assert!(message.contains("it passed before the workflow") && !message.contains("exit 9"), "{message}");
    assert!(api.first_message("review", 0).contains("it failed before the workflow too"));
    // Once at the end of each round, and once more to find out: the second round knows.
    let logs = session
        .runs()
        .iter()
        .flat_map(|run| session.names(&session.memory(&format!("runs/{run}/checks"))))
        .collect::<Vec<_>>();
    assert_eq!(logs.iter().filter(|log| log.ends_with("-old.log")).count(), 3, "{logs:?}");
}

#[test]
fn what_a_formatter_changes_is_published_and_can_be_undone() {
    if !has_view() {
        return;
    }
    let session = session(
        &workspace(2),
        &[check("fmt", "sed -i 's/^    /\\t/' src/*.rs; echo x > made.txt"), check("test", "grep -q '\t1' src/t1.rs")],
    );
    let before = session.tree();
    let api = api(Script::new(), &["T1"]);
    run(&session, &api).run().expect(0).prints("Approved; checks passed: fmt, test.");
    assert!(session.text("src/t1.rs").contains("\t1\n") && session.text("src/t2.rs").contains("\t0\n"));
    assert!(!session.exists("made.txt"), "what is neither tracked nor an agent's is not kept");
    assert!(told(&session).contains(&"check fmt: changed src/t1.rs, src/t2.rs".to_owned()), "{:?}", told(&session));
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(session.tree(), before);
}

#[test]
fn what_the_user_changed_while_a_check_ran_is_left_alone_and_named() {
    if !has_view() {
        return;
    }
    let fixture = format!("{}//- /.gitignore\ntarget/\n//- /target/x\n\n", workspace(2));
    let command = "sed -i 's/^    /\\t/' src/*.rs; touch target/at-work; until test -e target/go; do sleep 0.05; done";
    let session = session(&fixture, &[check("fmt", command)]);
    let api = api(Script::new(), &["T1"]);
    let running = run(&session, &api).start();
    wait_until("the check is at work", || session.exists("target/at-work"));
    session.write("src/t2.rs", "mine\n");
    session.write("target/go", "");
    running.wait().expect(0).reports("check fmt: its change to src/t2.rs was left out: it was changed meanwhile");
    assert_eq!(session.text("src/t2.rs"), "mine\n");
    assert!(session.text("src/t1.rs").contains("\t1\n"));
}

#[test]
fn what_a_check_changes_in_protected_files_and_secrets_is_left_out() {
    if !has_view() {
        return;
    }
    let fixture = format!("{}//- /.github/workflows/ci.yml\na\n//- /.env\nA=1\n//- /AGENTS.md\na\n", workspace(1));
    let session = session(
        &fixture,
        &[check(
            "fmt",
            "echo b >> .github/workflows/ci.yml; echo b >> AGENTS.md; echo B=2 >> .env; echo c >> .git/config",
        )],
    );
    let config = session.text(".git/config");
    let api = api(Script::new(), &["T1"]);
    run(&session, &api).run().expect(0).prints("checks passed: fmt");
    for (file, text) in [(".github/workflows/ci.yml", "a\n"), (".env", "A=1\n"), ("AGENTS.md", "a\n")] {
        assert_eq!(session.text(file), text);
    }
    assert_eq!(session.text(".git/config"), config);
}

#[test]
fn a_kill_after_what_a_formatter_changed_was_published_loses_nothing() {
    if !has_view() {
        return;
    }
    let fixture = format!("{}//- /.gitignore\ntarget/\n//- /target/x\n\n", workspace(1));
    let second = "test -e target/go || { touch target/at-work; sleep 60; }";
    let session = session(&fixture, &[check("fmt", "sed -i 's/^    /\\t/' src/t1.rs"), check("slow", second)]);
    let before = session.tree();
    let api = MessagesApi::start(but(Script::new(), &[&[own("T1")]]));
    let running = run(&session, &api).start();
    wait_until("the second check is at work", || session.exists("target/at-work"));
    running.kill();
    assert!(session.text("src/t1.rs").contains("\t1\n"));
    session.write("target/go", "");
    session.run(&api, ["--auto-approve"]).expect(0).prints("Approved; checks passed: fmt, slow.");
    let changes = &session.handoff("impl_report.json")["results"][0]["changes"];
    assert_eq!(changes[0]["path"], json!("src/t1.rs"), "{changes}");
    session.baton(["rollback"]).run().expect(0);
    let after = session.tree();
    assert_eq!(after["src/t1.rs"], before["src/t1.rs"]);
}

/// A workspace with a file of the user's that differs from what git has.
fn with_uncommitted(tasks: usize, checks: &[serde_json::Value]) -> Session {
    let session = session(&format!("{}//- /user.txt\nold\n//- /other.txt\nother\n", workspace(tasks)), checks);
    session.write("user.txt", "mine\n");
    session
}

#[test]
fn nothing_that_a_failing_check_changed_is_taken_over() {
    if !has_view() {
        return;
    }
    let session = with_uncommitted(1, &[check("test", "git stash >/dev/null; echo x > user.txt; exit 1")]);
    let api = api(Script::new(), &["T1"]);
    run(&session, &api)
        .env("BATON_MAX_REPAIR_ROUNDS", "0")
        .run()
        .expect(0)
        .reports("check test: what it changed was not taken over, as it did not pass: ");
    assert_eq!(session.text("user.txt"), "mine\n");
    assert!(session.text("src/t1.rs").contains(" 1\n"));
    let [result] = &results(&session)[..] else { panic!("one check") };
    assert!(result.contains("as it did not pass: ") && result.contains("user.txt"), "{result}");
}

#[test]
fn a_check_deletes_no_file_that_no_agent_touched() {
    if !has_view() {
        return;
    }
    let session = with_uncommitted(1, &[check("clean", "rm user.txt src/t1.rs")]);
    let api = api(Script::new(), &["T1"]);
    let done = run(&session, &api).run().expect(0);
    let left = "its change to user.txt was left out: it would be deleted, and no agent touched it";
    done.prints(&format!("Check clean: changed src/t1.rs; {left}.")).reports(&format!("check clean: {left}"));
    assert_eq!(session.text("user.txt"), "mine\n");
    assert!(!session.exists("src/t1.rs"), "what agents wrote may be removed");
    assert_eq!(results(&session), [format!("clean: passed, 0, changed src/t1.rs; {left}, null")]);
}

#[test]
fn what_puts_back_the_last_commit_is_left_out_and_named() {
    if !has_view() {
        return;
    }
    let session = with_uncommitted(1, &[check("undo", "git checkout -q -- . && echo tidy > other.txt")]);
    let api = api(Script::new(), &["T1"]);
    let mut done = run(&session, &api).run().expect(0);
    for path in ["user.txt", "src/t1.rs"] {
        let why = "it would be as in the last commit, without what was edited since";
        done = done.reports(&format!("check undo: its change to {path} was left out: {why}"));
    }
    assert_eq!((session.text("user.txt"), session.text("other.txt")), ("mine\n".to_owned(), "tidy\n".to_owned()));
    assert!(session.text("src/t1.rs").contains(" 1\n"), "nor is what agents wrote undone");
}

#[test]
fn what_a_check_formatted_before_is_no_agents_file() {
    if !has_view() {
        return;
    }
    let checks = [check("fmt", "echo tidy > user.txt"), check("clean", "rm user.txt")];
    let session = with_uncommitted(1, &checks);
    let api = api(Script::new(), &["T1"]);
    run(&session, &api).run().expect(0).prints("no agent touched it");
    assert_eq!(session.text("user.txt"), "tidy\n");
}

#[test]
fn what_a_check_makes_of_a_file_that_is_no_file_is_left_alone_and_named() {
    if !has_view() {
        return;
    }
    let command = "rm user.txt src/t1.rs other.txt; mkfifo user.txt; ln -s /etc/passwd src/t1.rs; mkdir other.txt";
    let session = with_uncommitted(1, &[check("odd", command)]);
    let api = api(Script::new(), &["T1"]);
    run(&session, &api).run().expect(0);
    for path in ["user.txt", "src/t1.rs", "other.txt"] {
        let left = format!("check odd: its change to {path} was left out: it is no regular file any more");
        assert!(told(&session).contains(&left), "{path}: {:?}", told(&session));
    }
    assert_eq!((session.text("user.txt"), session.text("other.txt")), ("mine\n".to_owned(), "other\n".to_owned()));
    assert!(session.text("src/t1.rs").contains(" 1\n"));
}

#[test]
fn what_passed_before_a_formatter_changed_files_runs_again() {
    if !has_view() {
        return;
    }
    // It fails on what the formatter leaves.
    let checks = [check("test", "! grep -q '\t' src/t1.rs"), check("fmt", "sed -i 's/^    /\\t/' src/t1.rs")];
    let session = with_uncommitted(1, &checks);
    let api = api(Script::new(), &["T1"]);
    let done = run(&session, &api).env("BATON_MAX_REPAIR_ROUNDS", "0").run().expect(0);
    done.prints("Approved, though `test` fails; checks passed: fmt.").prints("Check fmt: changed src/t1.rs.");
    assert_eq!(results(&session), ["test: failed, 1, null, passed", "fmt: passed, 0, changed src/t1.rs, null"]);
    let count = |message: &str| told(&session).iter().filter(|told| *told == message).count();
    assert_eq!((count("check test: running"), count("check fmt: running")), (2, 1));
}

#[test]
fn what_always_changes_files_is_run_once_more_at_most() {
    if !has_view() {
        return;
    }
    let checks = [check("one", "echo >> user.txt"), check("two", "echo >> user.txt"), check("test", "true")];
    let session = with_uncommitted(1, &checks);
    let api = api(Script::new(), &["T1"]);
    let done = run(&session, &api).run().expect(0);
    done.prints("Check two: changed user.txt; its result is of the files as they were before check one changed some.");
    let running = |name: &str| told(&session).iter().filter(|told| **told == format!("check {name}: running")).count();
    assert!(running("one") <= 2 && running("two") <= 2 && running("test") <= 2, "{:?}", told(&session));
}
