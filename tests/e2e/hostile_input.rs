//! Small inputs that could lose a file, reveal a secret, or block the process.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::replies::{
    approves, completed, context, edits, modifies, own, plan, plan_of, reads, task, with, workspace, writes,
};
use crate::support::session::Session;
use crate::support::wait::{PROMPTLY, wait_until};

/// The time that a process has worked, all its threads together; proc(5).
#[cfg(target_os = "linux")]
fn worked(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_the_process_soon_while_a_tool_call_is_in_a_long_piece() {
    let session = Session::new("//- /a.rs\nx\n");
    session.write("big.txt", "éa".repeat(3_000_000));
    // Word boundaries between letters beyond ASCII keep the engine from its fast ways, and no letter has to be there.
    let pattern = r"(?:[aé]{1,60}b?){1,60}\d\b";
    let script = Script::new()
        .on("context", [Reply::tool("search", json!({ "pattern": pattern })), context(&["a.rs"])])
        .on("plan", [plan(&[&[modifies("T1", "a.rs")]])]);
    let api = MessagesApi::start(script);
    let run = session.start(&api, ["--task", "Do it", "--auto-approve"]);
    api.wait_for_answer("context");
    let before = worked(run.pid());
    wait_until("the search to be at work", || worked(run.pid()) >= before + Duration::from_millis(500));
    run.signal(Signal::INT);
    let signalled = Instant::now();
    let done = run.wait();
    assert!(signalled.elapsed() < PROMPTLY, "it took {:?}", signalled.elapsed());
    assert_eq!(done.code, Some(130), "{}", done.stderr);
    assert_eq!(api.requests().len(), 1, "the search was under way");
}

#[test]
fn a_key_in_work_that_was_done_elsewhere_is_masked_for_the_reviewer() {
    let session = Session::in_git(&workspace(1));
    let line = |n: usize| format!("{n:02}fYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu\n");
    let key: String = (10..60).map(line).collect();
    let text = |key: &str| format!("k: |\n-----BEGIN PRIVATE KEY-----\n{key}-----END PRIVATE KEY-----\n");
    session.write("src/t1.rs", text(&key));
    session.git(&["commit", "-qam", "key"]);
    // A hunk that begins and ends within the key.
    session.write("src/t1.rs", text(&key.replace("30fYy", "99fYy")));
    let plan = with(plan_of(&[&[own("T1")]]), json!({ "plan_version": 1 }));
    let result = json!({ "task_id": "T1", "status": "completed", "changes": [], "notes": "", "blockers": [] });
    session.write(&session.memory("plan.json"), plan.to_string());
    let report = json!({ "round": 1, "plan_version": 1, "results": [result] });
    session.write(&session.memory("impl_report.json"), report.to_string());
    let api = MessagesApi::start(Script::new().on("review", [Reply::tool("read_diff", json!({})), approves()]));
    session.run(&api, ["--auto-approve"]).expect(0);
    let sent = api.requests().iter().map(|request| request.body.to_string()).collect::<String>();
    assert!(sent.contains("masked by Baton: private key") && sent.contains("@@ -"), "{sent}");
    assert!(!sent.contains("fYyjiWA4R4"), "{sent}");
}

fn bytes(session: &Session, path: &str) -> Vec<u8> {
    std::fs::read(session.path(path)).unwrap()
}

#[test]
fn stray_bytes_and_mixed_line_ends_survive_edits_a_rollback_and_its_undoing() {
    let session = Session::new(&workspace(1));
    let before = b"caf\xc3\xa9\r\nx \x99 y\n\ntab\r\nfine\xff\r\nlast".to_vec();
    let after = "caf\u{e9}\r\nx "
        .as_bytes()
        .iter()
        .copied()
        .chain(*b"\x99 z\n\nt\xc3\xa4b\r\nnew\r\nfine\xff\r\nlast")
        .collect::<Vec<u8>>();
    session.write("notes.txt", &before);
    let script = Script::new()
        .on("context", [context(&["notes.txt"])])
        .on("plan", [plan(&[&[modifies("T1", "notes.txt")]])])
        .on(
            "implement/T1",
            [
                reads("notes.txt"),
                edits("notes.txt", "x \u{fffd} y", "x \u{fffd} z"),
                edits("notes.txt", "tab\n", "täb\nnew\n"),
                completed(&["notes.txt"]),
            ],
        )
        .on("review", [Reply::tool("read_diff", json!({})), approves()]);
    let api = MessagesApi::start(script);
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert_eq!(bytes(&session, "notes.txt"), after);
    for _ in 0..2 {
        session.baton(["rollback"]).run().expect(0);
        assert_eq!(bytes(&session, "notes.txt"), before);
        session.baton(["rollback", "--undo"]).run().expect(0);
        assert_eq!(bytes(&session, "notes.txt"), after);
    }
    // A person's edit since, with a stray byte of its own.
    let edited = [&after[..after.len() - 4], b"la\x81st\r\n"].concat();
    session.write("notes.txt", &edited);
    session.baton(["rollback"]).run().expect(0);
    assert_eq!(bytes(&session, "notes.txt"), [&before[..before.len() - 4], b"la\x81st\r\n"].concat());
}

#[test]
fn a_file_and_a_folder_that_change_places_survive_a_kill_after_any_event() {
    let files = "//- /conf\nc0\n//- /dir/a\na0\n//- /dir/in/b\nb0\n";
    let deletes = |path: &str| Reply::tool("delete_file", json!({ "path": path }));
    let script = || {
        let t1 = with(task("T1"), json!({ "files_to_delete": ["conf", "dir/a"] }));
        let t2 = json!({
            "files_to_create": ["conf/main.cfg", "dir"], "files_to_delete": ["dir/in/b"], "depends_on": ["T1"],
        });
        Script::new()
            .on("context", [context(&["conf"])])
            .on("plan", [plan(&[&[t1], &[with(task("T2"), t2)]])])
            .on("implement/T1", [deletes("conf"), deletes("dir/a"), completed(&["conf"])])
            .on(
                "implement/T2",
                [deletes("dir/in/b"), writes("conf/main.cfg", "c1\n"), writes("dir", "d1\n"), completed(&["dir"])],
            )
            .on("review", [approves()])
    };
    let run = |session: &Session, n: Option<usize>| {
        let api = MessagesApi::start(script());
        let mut run = session.start(&api, ["--task", "Do it", "--auto-approve", "--json"]);
        let lines = run.lines();
        let Some(n) = n else {
            let count = lines.iter().count();
            run.wait().expect(0);
            return count;
        };
        for _ in 0..n {
            let _ended = lines.recv();
        }
        run.kill();
        let api = MessagesApi::start(script());
        let args: &[&str] = if session.exists(".agent_memory/task.md") { &[] } else { &["--task", "Do it"] };
        session.run(&api, ["--auto-approve"].into_iter().chain(args.iter().copied())).expect(0);
        n
    };
    let whole = Session::in_git(files);
    let before = whole.tree();
    let events = run(&whole, None);
    let after = whole.tree();
    assert_eq!(after.keys().collect::<Vec<_>>(), ["conf/main.cfg", "dir"]);
    for n in (1..events).rev().step_by(2) {
        let session = Session::in_git(files);
        run(&session, Some(n));
        assert_eq!(session.tree(), after, "killed after {n}");
        session.baton(["diff"]).run().expect(0);
        session.baton(["rollback"]).run().expect(0);
        assert_eq!(session.tree(), before, "killed after {n}");
        session.baton(["rollback", "--undo"]).run().expect(0);
        assert_eq!(session.tree(), after, "killed after {n}");
        session.baton(["reset"]).run().expect(0);
    }
}

#[test]
fn a_new_file_is_as_rules_and_umask_say_and_so_again_after_a_rollback_and_its_undoing() {
    let session = Session::in_git(&workspace(1));
    session.write(".gitattributes", "*.bat eol=crlf\n");
    session.write("sub/.editorconfig", "[*.txt]\ncharset = utf-16le\ninsert_final_newline = true\n");
    let new = ["run.bat", "sub/new/a.txt"];
    let script = Script::new()
        .on("context", [context(&["src/t1.rs"])])
        .on("plan", [plan(&[&[with(task("T1"), json!({ "files_to_create": new }))]])])
        .on("implement/T1", [writes("run.bat", "a\nb\n"), writes("sub/new/a.txt", "é"), completed(&new)])
        .on("review", [approves()]);
    let api = MessagesApi::start(script);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "umask 027; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_baton"), "run"]);
    command.args(["--task", "Do it", "--auto-approve"]).env_clear().envs(session.environment());
    Session::adopt(command).current_dir(session.root()).api(&api).run().expect(0);
    let check = || {
        assert_eq!((bytes(&session, "run.bat"), session.mode("run.bat")), (b"a\r\nb\r\n".to_vec(), 0o640));
        let text = b"\xff\xfe\xe9\x00\x0a\x00".to_vec();
        assert_eq!((bytes(&session, "sub/new/a.txt"), session.mode("sub/new/a.txt")), (text, 0o640));
    };
    check();
    session.baton(["rollback"]).run().expect(0);
    assert!(!session.exists("run.bat") && !session.exists("sub/new"));
    session.baton(["rollback", "--undo"]).run().expect(0);
    check();
}
