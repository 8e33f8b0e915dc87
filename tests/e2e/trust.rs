//! What a clone, a plan or a killed run could do to its user, and what a workspace may not decide: how much is spent,
//! and where a key goes.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::json;

use crate::support::messages_api::{KEY, MessagesApi, Reply, Script};
use crate::support::replies::{
    approves, blocked, but, completed, context, edits, goes_well, own, plan, task, with, workspace, writes,
};
use crate::support::session::{Baton, Session};

/// The same command in an address space of so many kilobytes.
fn within(kilobytes: u64, baton: Baton) -> Command {
    let command = baton.into_command();
    let mut bounded = Command::new("sh");
    bounded.args(["-c", &format!("ulimit -v {kilobytes}; exec \"$0\" \"$@\"")]);
    bounded.arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        bounded.current_dir(folder);
    }
    bounded.env_clear();
    bounded.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bounded
}

#[test]
fn ignore_files_without_an_end_cost_nothing() {
    let session = Session::in_git(&workspace(1));
    for place in [".gitignore", "src/.gitignore", ".git/info/exclude"] {
        let _ = fs::remove_file(session.path(place));
        symlink("/dev/zero", session.path(place)).expect("a link");
    }
    let script = Script::new().on("context", [Reply::tools([("list_files", json!({}))]), context(&["src/t1.rs"])]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    let run = session.baton(["run", "--task", "Do it", "--auto-approve"]).api(&api);
    let done = within(3_000_000, run).output().expect("sh runs");
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(session.text("src/t1.rs").contains('1'));
}

#[test]
fn a_plan_that_plants_a_repository_writes_nothing_of_it() {
    let session = Session::new(&workspace(1));
    // Its parts come from two tasks, neither of which makes a repository by itself.
    let first = with(own("T1"), json!({ "files_to_create": ["x/HEAD", "x/config"] }));
    let second = with(task("T2"), json!({ "files_to_create": ["x/objects/a", "x/refs/b"], "depends_on": ["T1"] }));
    let config = "[core]\n\trepositoryformatversion = 0\n\tworktree = ..\n\tfsmonitor = touch /tmp/never\n";
    let script = Script::new()
        .on("context", [context(&["src/t1.rs"])])
        .on("plan", [plan(&[&[first], &[second]])])
        .on(
            "implement/T1",
            [
                writes("x/HEAD", "ref: refs/heads/main\n"),
                writes("x/config", config),
                edits("src/t1.rs", "    0\n", "    1\n"),
                completed(&["src/t1.rs"]),
            ],
        )
        .on("implement/T2", [writes("x/objects/a", "x"), writes("x/refs/b", "x"), blocked("it was refused")])
        .on("review", [approves()]);
    let api = MessagesApi::start(script);
    let waits = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3);
    for file in ["x/HEAD", "x/config", "x/objects/a", "x/refs/b"] {
        assert!(waits.stdout.contains(file), "{waits:?}");
    }
    // A person's yes changes nothing.
    session.baton(["approve"]).run().expect(0);
    session.run(&api, []).expect(1);
    assert!(!session.exists("x"));
    assert!(session.text("src/t1.rs").contains('1'), "the rest of the task is done");
    let report = session.handoff("impl_report.json");
    let blockers = report["results"][0]["blockers"].to_string();
    assert!(blockers.contains("x/HEAD lies in a folder that is, or with the plan's files would be"), "{report}");
    assert!(!session.of_last_run("events.jsonl").contains("internal error"));
}

#[test]
fn a_lock_that_a_killed_checkpoint_left_is_swept() {
    let session = Session::in_git(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let first = session.runs()[0].clone();
    let lock = format!(".git/refs/baton/{first}/1-plan.lock");
    let foreign = ".git/refs/baton/20200101-000000-abcd/1-plan.lock";
    session.write(&lock, "");
    session.write(foreign, "");
    session.write(".git/refs/heads/mine.lock", "");
    session.baton(["clean"]).run().expect(0).prints("nothing to remove");
    assert!(!session.exists(&lock), "it was of a run of ours, and none is at work");
    assert!(session.exists(foreign), "another working tree may be at work");
    assert!(session.exists(".git/refs/heads/mine.lock"), "no affair of ours");
    fs::remove_file(session.path(foreign)).expect("a file");
    session.git(&["pack-refs", "--all"]);
    // A start sweeps too.
    session.write(&lock, "");
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.write("src/t1.rs", "pub fn t1() -> u32 {\n    0\n}\n");
    session.run(&api, ["--task", "Do it again", "--auto-approve"]).expect(0);
    assert!(!session.exists(&lock));
}

#[test]
fn an_old_run_that_cannot_be_removed_keeps_none_of_the_others() {
    let session = Session::in_git(&workspace(1));
    let once = |task: &str| {
        session.write("src/t1.rs", "pub fn t1() -> u32 {\n    0\n}\n");
        let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
        session.run(&api, ["--task", task, "--auto-approve"]).expect(0);
    };
    for task in ["one", "two", "three"] {
        once(task);
    }
    let runs = session.runs();
    // A file that is not a lock of ours is kept.
    fs::create_dir_all(session.path(&format!(".git/refs/baton/{}/1-plan.lock", runs[0]))).expect("a folder");
    session.write("baton.toml", "keep_runs = 1\n");
    let done = session.baton(["clean"]).run().expect(1);
    done.prints("Removed 1 run, up to").prints(&format!("Run {} is still there: its checkpoints", runs[0]));
    assert_eq!(session.runs(), [runs[0].clone(), runs[2].clone()]);
    fs::remove_dir(session.path(&format!(".git/refs/baton/{}/1-plan.lock", runs[0]))).expect("a folder");
    session.baton(["clean"]).run().expect(0).prints("Removed 1 run");
}

#[test]
fn the_change_of_a_tracked_secret_goes_into_no_checkpoint() {
    let session =
        Session::in_git(&format!("{}//- /.npmrc\nold=1\n//- /keys/id_rsa.bak\nold\n//- /notes.txt\nx\n", workspace(1)));
    for (file, text) in [(".npmrc", "needle-one\n"), ("keys/id_rsa.bak", "needle-two\n")] {
        session.write(file, text);
    }
    fs::remove_file(session.path("notes.txt")).expect("a file");
    fs::hard_link(session.path(".npmrc"), session.path("notes.txt")).expect("a link");
    session.write("staged.env", "needle-three\n");
    session.git(&["add", "staged.env"]);
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    let refs = session.git(&["for-each-ref", "--format=%(refname)", "refs/baton"]);
    assert_eq!(refs.lines().count(), 2, "{refs}");
    for name in refs.lines() {
        let tree = session.git(&["ls-tree", "-r", name]);
        let head = session.git(&["ls-tree", "-r", "HEAD"]);
        for line in head.lines().filter(|line| !line.ends_with("src/t1.rs")) {
            assert!(tree.contains(line), "{line} is not in {tree}");
        }
        assert!(!tree.contains("staged.env"), "{tree}");
    }
    let objects = session.git(&["cat-file", "--batch-all-objects", "--batch-check"]);
    for file in [".npmrc", "keys/id_rsa.bak"] {
        let id = session.git(&["hash-object", file]);
        assert!(!objects.contains(id.trim()), "{file} was copied");
    }
}

#[test]
fn a_token_in_an_innocent_file_is_neither_sent_nor_written_over() {
    let token = format!("ghp_{}", "aB3dE5gH7jK9".repeat(3));
    let session =
        Session::new(&format!("//- /src/t1.rs\nconst T: &str = \"{token}\";\npub fn t1() -> u32 {{\n    0\n}}\n"));
    let script = Script::new()
        .on(
            "context",
            [
                Reply::tools([
                    ("read_file", json!({ "path": "src/t1.rs" })),
                    ("search", json!({ "pattern": "const T" })),
                ]),
                context(&["src/t1.rs"]),
            ],
        )
        .on("review", [Reply::tools([("read_diff", json!({}))]), approves()]);
    let api = MessagesApi::start(but(script, &[&[own("T1")]]));
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert!(session.text("src/t1.rs").starts_with(&format!("const T: &str = \"{token}\";\n")));
    assert!(session.text("src/t1.rs").contains("    1\n"));
    for request in api.requests() {
        assert!(!request.body.to_string().contains(&token));
    }
    assert!(api.requests().iter().any(|request| request.body.to_string().contains("<masked by Baton: GitHub token>")));
    assert!(!session.of_last_run("transcript.jsonl").contains(&token));
}

#[test]
fn a_workspace_that_would_spend_more_is_warned_and_may_spend_less() {
    let session = Session::new(&workspace(1));
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    session.write("baton.toml", "budget_usd = 1e308\n");
    let warning =
        "warning: baton.toml:1:14: budget_usd is 1e308, and a workspace may lower this limit but not raise it: 5 holds";
    session.baton(["status"]).run().expect(0).reports(warning);
    session.baton(["doctor"]).api(&api).run().expect(0).prints("budget_usd is 1e308");
    session.write_user_config("budget_usd = 0.001\n");
    let run = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3);
    run.reports("0.001 holds").prints("$0.00 of <$0.01 used").prints("Raise budget_usd");
    assert!(api.requests().is_empty(), "nothing is spent beyond what the user allows");
    let allowed = session.baton(["run", "--auto-approve"]).api(&api).env("BATON_BUDGET_USD", "2").run().expect(0);
    assert!(!allowed.stderr.contains("warning"), "{}", allowed.stderr);

    let session = Session::new(&workspace(1));
    session.write("baton.toml", "budget_usd = 0.001\n");
    session.write_user_config("budget_usd = 50\n");
    let run = session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(3);
    assert!(!run.stderr.contains("warning"), "{}", run.stderr);
}

#[test]
fn a_key_goes_to_no_other_host_over_plain_http_unless_the_user_names_it() {
    // A name of the loopback that is not known to be one, where the server does listen.
    let api = MessagesApi::start(goes_well(&[&[own("T1")]]));
    let port = api.url().rsplit_once(':').expect("a port").1.to_owned();
    let session = Session::new(&workspace(1));
    let there = format!("http://0.0.0.0:{port}");
    let to = |args: &[&str]| session.baton(args.iter().copied()).api(&api).env("ANTHROPIC_BASE_URL", there.clone());
    let done = to(&["run", "--task", "Do it", "--auto-approve"]).run().expect(2);
    done.reports("ANTHROPIC_BASE_URL is plain http").reports("allow_http_hosts = [\"0.0.0.0\"]");
    to(&["doctor"]).run().expect(2).prints("ANTHROPIC_BASE_URL is plain http").prints("Set it to an https address");
    session.write("baton.toml", "allow_http_hosts = [\"0.0.0.0\"]\n");
    to(&["run", "--task", "Do it"]).run().expect(2).reports("baton.toml:1:20: allow_http_hosts cannot be set here");
    session.write("baton.toml", "");
    to(&["run", "--task", "Do it"])
        .env("BATON_ALLOW_HTTP_HOSTS", "0.0.0.0")
        .run()
        .expect(2)
        .reports("your own baton/config.toml");
    assert!(api.requests().is_empty() && api.asked_for_models().is_empty(), "nothing was sent");

    session.write_user_config("allow_http_hosts = [\"0.0.0.0\"]\n");
    // A proxy would be one more host that reads the key: this one, were it asked, does not even exist.
    let run = to(&["run", "--task", "Do it", "--auto-approve"]).env("HTTP_PROXY", "http://127.0.0.1:9");
    let done = run.env("ALL_PROXY", "http://127.0.0.1:9").run().expect(0);
    done.reports(&format!("Anthropic API at 0.0.0.0:{port} over plain http, key from ANTHROPIC_API_KEY"));
    for (path, bytes) in session.memory_tree() {
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY), "{path} holds the key");
    }
}
