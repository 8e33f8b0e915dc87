//! A memory folder that came with a clone or an archive, or was removed: no command hangs, memory use is bounded, and
//! no file of others is lost.
#![cfg(unix)]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};

use crate::support::greeting::GREETING;
use crate::support::messages_api::{Fault, MessagesApi};
use crate::support::replies::{goes_well, own, workspace};
use crate::support::session::{Done, Session};

/// Kibibytes of address space in which every command must do: what one takes by itself, and some.
const ROOM: u32 = 1_500_000;

fn one_task() -> MessagesApi {
    MessagesApi::start(goes_well(&[&[own("T1")]]))
}

/// A workspace whose workflow is finished.
fn finished() -> Session {
    let session = Session::new(&workspace(1));
    session.run(&one_task(), ["--task", "Do it", "--auto-approve"]).expect(0);
    session
}

/// The program in little memory. It ends, without a panic, or the test fails.
fn in_little_room(session: &Session, args: &[&str]) -> Done {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -v {ROOM} && exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_baton")]).args(args);
    shell.current_dir(session.root()).env_clear().envs(session.environment());
    let done = Session::adopt(shell).run();
    assert!(!done.stderr.contains("panicked") && done.code.is_some(), "{args:?}: {done:?}");
    assert!(!done.stderr.contains("memory allocation"), "{args:?}: {}", done.stderr);
    done
}

/// What may stand in a file's place.
#[derive(Debug, Clone, Copy)]
enum InPlace {
    Pipe,
    Socket,
    Folder,
    Endless,
    Dangling,
}

impl InPlace {
    const ALL: [Self; 5] = [Self::Pipe, Self::Socket, Self::Folder, Self::Endless, Self::Dangling];

    fn put(self, path: &Path) {
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path).unwrap();
        } else if path.symlink_metadata().is_ok() {
            fs::remove_file(path).unwrap();
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        match self {
            Self::Pipe => mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap(),
            // The path of a socket is short; the socket goes to its place.
            Self::Socket => {
                let folder = tempfile::tempdir_in("/tmp").unwrap();
                let _socket = UnixListener::bind(folder.path().join("s")).unwrap();
                fs::rename(folder.path().join("s"), path).unwrap();
            }
            Self::Folder => fs::create_dir(path).unwrap(),
            Self::Endless => symlink("/dev/zero", path).unwrap(),
            Self::Dangling => symlink("nowhere", path).unwrap(),
        }
    }
}

/// Every command that looks at the memory folder, and then the one that sets it aside.
const COMMANDS: [&[&str]; 8] = [
    &["status", "--json"],
    &["doctor"],
    &["diff"],
    &["approve"],
    &["reject"],
    &["rollback", "--dry-run"],
    &["clean"],
    &["run", "--provider", "ollama"],
];

#[test]
fn run_ids_that_no_clock_gave_are_passed_over() {
    let session = Session::in_git(&workspace(1));
    let planted = ["99991231-235959-ffff", "99981231-235959-ffff", "20991301-000000-0000", "20990101-000000-0000"];
    for run in planted {
        session.write(&session.memory(&format!("runs/{run}/events.jsonl")), "{}\n");
    }
    for entry in ["4294967295-reset", "4000000000-finished"] {
        session.write(&session.memory(&format!("history/{entry}/runs.json")), "[]");
    }
    let before = session.text("src/t1.rs");
    session.run(&one_task(), ["--task", "Do it", "--auto-approve"]).expect(0);
    let runs = session.runs();
    let own: Vec<&String> = runs.iter().filter(|run| !planted.contains(&run.as_str())).collect();
    assert_eq!(own.len(), 1, "{runs:?}");
    let status = session.baton(["status", "--json"]).run().expect(0).json();
    assert_eq!((status["run"].as_str(), status["outcome"].as_str()), (Some(own[0].as_str()), Some("merged")));
    let doctor = session.baton(["doctor"]).run();
    assert!(doctor.stdout.contains(planted[3]) && doctor.stdout.contains("4294967295-reset"), "{}", doctor.stdout);

    session.write("baton.toml", "keep_runs = 1\n");
    session.write("src/t1.rs", &before);
    session.run(&one_task(), ["--task", "Do it again", "--reset", "--auto-approve"]).expect(0);
    assert_eq!(session.history().into_iter().filter(|entry| entry.starts_with("000")).count(), 1);
    session.baton(["clean"]).run().expect(0);
    assert_eq!(session.runs().len(), planted.len() + 1, "only ours are kept by number");
}

#[test]
fn a_run_made_while_the_clock_was_ahead_is_not_lost() {
    let session = finished();
    let run = session.runs().pop().unwrap();
    // As it would be called, had the clock been years ahead then. No journal holds the name of its folder.
    let ahead = "20980102-030405-0000";
    fs::rename(
        session.path(&session.memory(&format!("runs/{run}"))),
        session.path(&session.memory(&format!("runs/{ahead}"))),
    )
    .unwrap();
    session.baton(["diff"]).run().expect(0).prints("+    1");
    session.run(&one_task(), ["--phase", "review"]).expect(0);
    let newest = session.runs().pop().unwrap();
    assert!(newest.starts_with("20980102-030406-"), "the next one follows it: {newest}");
    session.baton(["rollback"]).run().expect(0);
    assert!(session.text("src/t1.rs").contains("    0\n"));
}

#[test]
fn nothing_that_stands_in_a_files_place_stops_a_command() {
    let files = [
        "task.md",
        "context.json",
        "plan.json",
        "plan.md",
        "approval.json",
        "round.json",
        "impl_report.json",
        "review.json",
        "dismissed.json",
        "feedback.md",
        "lock",
        ".gitignore",
        "runs",
        "history",
    ];
    for kind in InPlace::ALL {
        for file in files {
            let session = Session::new("//- /src/t1.rs\n0\n");
            for (name, text) in [("task.md", "Do it\n"), ("plan.json", PLAN)] {
                session.write(&session.memory(name), text);
            }
            kind.put(&session.path(&session.memory(file)));
            let context = format!("{kind:?} as {file}");
            for command in COMMANDS {
                let done = in_little_room(&session, command);
                assert_ne!(done.code, Some(101), "{context}, {command:?}: {}", done.stderr);
            }
            if ["plan.json", "task.md", "review.json"].contains(&file) && !matches!(kind, InPlace::Socket) {
                let said = in_little_room(&session, &["status"]).expect(0);
                assert!(said.stdout.contains(&format!(".agent_memory/{file}:1:1: ")), "{context}: {}", said.stdout);
                assert!(said.stdout.contains("move it away"), "{context}: {}", said.stdout);
            }
            if !["lock", "runs", "history", ".gitignore"].contains(&file) {
                in_little_room(&session, &["reset"]).expect(0);
                in_little_room(&session, &["status"]).expect(0);
            }
        }
    }
}

const PLAN: &str = r#"{"plan_version": 1, "approach_summary": "a", "risks": [], "tasks": [{"id": "T1", "title": "t",
"description": "d", "files_to_modify": ["src/t1.rs"], "files_to_create": [], "depends_on": [],
"acceptance_criteria": ["c"], "estimated_complexity": "simple"}], "parallel_groups": [["T1"]]}"#;

#[test]
fn nothing_that_stands_in_a_journals_place_stops_a_command() {
    let session = finished();
    let run = session.runs().pop().unwrap();
    session.run(&one_task(), ["--phase", "review"]).expect(0);
    let entry = session.history().pop().unwrap();
    let memory = session.path(".agent_memory");
    let kept = session.root().parent().unwrap().join("kept");
    copy(&memory, &kept);
    for kind in [InPlace::Pipe, InPlace::Folder, InPlace::Endless] {
        for file in [
            format!("runs/{run}/events.jsonl"),
            format!("runs/{run}/transcript.jsonl"),
            format!("runs/{run}/base"),
            format!("runs/{run}/settled"),
            format!("runs/{run}/publish"),
            format!("runs/{run}/publish/T1-1.json"),
            format!("runs/{run}/before"),
            format!("runs/{run}/staged"),
            format!("runs/{run}"),
            format!("history/{entry}/review.json"),
            format!("history/{entry}/plan.json"),
            format!("history/{entry}/round.json"),
            format!("history/{entry}/feedback.md"),
            format!("history/{entry}/rollback.json"),
            format!("history/{entry}"),
            "history/0002-reset".to_owned(),
            "history/0002-reset/runs.json".to_owned(),
            "history/0003-fix.draft".to_owned(),
        ] {
            kind.put(&memory.join(&file));
            for command in COMMANDS {
                let done = in_little_room(&session, command);
                assert_ne!(done.code, Some(101), "{kind:?} as {file}, {command:?}: {}", done.stderr);
            }
            fs::remove_dir_all(&memory).unwrap();
            copy(&kept, &memory);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

#[test]
fn a_server_over_a_pipe_answers_and_ends() {
    let session = Session::new(GREETING);
    let memory = session.path(".agent_memory");
    fs::create_dir(&memory).unwrap();
    fs::write(memory.join("task.md"), "Do it\n").unwrap();
    for file in ["plan.json", "review.json", "lock"] {
        InPlace::Pipe.put(&memory.join(file));
    }
    let api = one_task();
    let mut client = session.lsp_client(&api);
    let uri = session.uri(".agent_memory/plan.json");
    let shown = client.wait_for_diagnostics(&uri, |shown| !shown.is_empty());
    let fault = &shown["diagnostics"][0];
    assert_eq!((&fault["code"], &fault["range"]["start"]["line"]), (&json!("schema"), &json!(0)));
    assert!(fault["message"].as_str().unwrap().contains("a named pipe stands here"), "{fault}");
    let status = client.execute("baton.status", &[]).expect("a status");
    let faulty: Vec<&str> =
        status["faults"].as_array().expect("faults").iter().filter_map(|fault| fault["file"].as_str()).collect();
    assert_eq!(faulty, [".agent_memory/review.json", ".agent_memory/plan.json"], "{status}");
    for command in ["baton.workflow", "baton.approve", "baton.cancel", "baton.reset"] {
        let answer = client.execute(command, &[]);
        assert!(answer.is_err(), "{command}: {answer:?}");
    }
    fs::remove_file(memory.join("lock")).unwrap();
    client.execute("baton.reset", &[]).expect("set aside");
    client.execute("baton.status", &[]).expect("a status");
    assert_eq!(client.quit(), Some(0));
}

#[test]
fn texts_that_would_take_gigabytes_are_faults_at_their_files() {
    let session = Session::new(&workspace(1));
    let many = |n: usize| format!("[{}0]", "0,".repeat(n));
    let too_many_bytes = "bytes, and no more than";
    for (file, text, said) in [
        ("plan.json", many(50_000_000), too_many_bytes),
        ("plan.json", many(4_000_000), "more than 200000 values"),
        ("plan.json", "[".repeat(1_000_000), "more than 64 levels"),
        ("plan.json", plan_of_many(8000), "8000 tasks, and a plan has 500 at most"),
        ("context.json", many(50_000_000), too_many_bytes),
        ("review.json", format!("{{\"summary\": \"{}\"}}", "x".repeat(9_000_000)), too_many_bytes),
        ("impl_report.json", many(300_000), "more than 200000 values"),
        ("dismissed.json", many(300_000), "more than 200000 values"),
        ("round.json", many(300_000), "more than 200000 values"),
        ("task.md", "word ".repeat(20_000_000), too_many_bytes),
    ] {
        session.write(&session.memory(file), text);
        let done = in_little_room(&session, &["status"]).expect(0);
        let done = done.prints(&format!(".agent_memory/{file}:1:")).prints(said);
        assert!(done.stdout.len() < 2000, "{} bytes are said of {file}", done.stdout.len());
        in_little_room(&session, &["reset"]).expect(0);
        in_little_room(&session, &["status"]).expect(0);
    }
    session.write(&session.memory("approval.json"), many(50_000_000));
    in_little_room(&session, &["status"]).expect(0);
    let api = one_task();
    let task = "word ".repeat(400_000);
    session.write("long.txt", &task);
    let run = session.baton(["run", "--task-file", "long.txt"]).api(&api).run();
    run.expect(2).reports("long.txt is too long for a task, which may have 1048576 bytes");
}

fn plan_of_many(tasks: usize) -> String {
    let task = |n: usize| {
        let before: Vec<String> = if n == 1 { Vec::new() } else { vec![format!("T{}", n - 1)] };
        json!({
            "id": format!("T{n}"), "title": "t", "description": "d", "files_to_modify": [],
            "files_to_create": [format!("f{n}")], "depends_on": before, "acceptance_criteria": ["c"],
            "estimated_complexity": "simple",
        })
    };
    let tasks: Vec<Value> = (1..=tasks).map(task).collect();
    let groups: Vec<Value> = tasks.iter().map(|task| json!([task["id"]])).collect();
    json!({ "plan_version": 1, "approach_summary": "a", "risks": [], "tasks": tasks, "parallel_groups": groups })
        .to_string()
}

#[test]
fn journals_are_read_line_by_line() {
    let session = finished();
    let run = session.runs().pop().unwrap();
    let before = session.baton(["status", "--json"]).run().expect(0).json();
    for journal in ["events.jsonl", "transcript.jsonl"] {
        let path = session.memory(&format!("runs/{run}/{journal}"));
        let own = session.text(&path);
        let line = format!("[{}0]\n", "0,".repeat(100_000_000));
        session.write(&path, [line.as_bytes(), own.as_bytes()].concat());
        let status = in_little_room(&session, &["status", "--json"]).expect(0).json();
        assert_eq!((&status["phases"], &status["usage"]), (&before["phases"], &before["usage"]), "{journal}");
        // Many of them, before ours.
        let event = own.lines().next().filter(|_| journal == "events.jsonl").unwrap_or("{\"mac\":\"\"}");
        session.write(&path, format!("{}{own}", format!("{event}\n").repeat(200_000)));
        let status = in_little_room(&session, &["status", "--json"]).expect(0).json();
        assert_eq!(status["outcome"], "merged");
        session.write(&path, own);
    }
}

#[test]
fn a_folder_with_many_runs_and_entries_is_gone_through_once() {
    let session = Session::new(&workspace(1));
    for n in 0..1_500 {
        let run = session.path(&session.memory(&format!(
            "runs/20200101-{:02}{:02}{:02}-0000",
            n / 3600,
            n / 60 % 60,
            n % 60
        )));
        fs::create_dir_all(run).unwrap();
        fs::create_dir_all(session.path(&session.memory(&format!("history/{:04}-fix", n + 1)))).unwrap();
    }
    // More folders than a process may have open.
    session.run(&one_task(), ["--task", "Do it", "--auto-approve"]).expect(0);
    session.baton(["reset"]).run().expect(0);
    session.baton(["clean"]).run().expect(0);
    assert_eq!(session.runs().len(), 20);
}

#[test]
fn a_folder_of_something_else_is_no_memory_folder() {
    let session = Session::new(&workspace(1));
    let api = one_task();
    session.write("src/lock", "pub mod lock;\n");
    session.write("baton.toml", "budget_usd = 1\nmemory_dir = \"src\"\n");
    for command in [&["run", "--task", "Do it"][..], &["status"], &["reset"], &["doctor"], &["approve"], &["clean"]] {
        let done = session.baton(command.iter().copied()).api(&api).run().expect(2);
        let said = done.stdout + &done.stderr;
        assert!(said.contains("baton.toml:2:14: memory_dir: src holds \"t1.rs\""), "{command:?}: {said}");
    }
    assert_eq!(session.names("src"), ["lock", "t1.rs"], "nothing is made there");
    assert_eq!(session.text("src/lock"), "pub mod lock;\n");

    // One that is a link, or a file, or has nothing but a file of the lock's name.
    symlink("src", session.path("linked")).unwrap();
    session.write("baton.toml", "memory_dir = \"linked\"\n");
    session
        .run(&api, ["--task", "Do it"])
        .expect(2)
        .reports("baton.toml:1:14: memory_dir: linked lies behind a symbolic link");
    session.write("baton.toml", "memory_dir = \"src/t1.rs\"\n");
    session.run(&api, ["--task", "Do it"]).expect(2).reports("baton.toml:1:14: memory_dir: src/t1.rs is not a folder");
    session.write("only/lock", "pub mod lock;\n");
    session.write("baton.toml", "memory_dir = \"only\"\n");
    session.run(&api, ["--task", "Do it"]).expect(1).reports("only/lock holds something else than Baton writes there");
    assert_eq!(session.text("only/lock"), "pub mod lock;\n");
    assert!(api.requests().is_empty());
}

#[test]
fn a_new_an_empty_and_our_own_folder_are_memory_folders() {
    let api = one_task();
    let files: [(&str, &[(&str, &str)]); 5] = [
        ("new/memory", &[]),
        ("empty", &[("empty/", "")]),
        ("marked", &[("marked/.gitignore", "# ours\n*\n!plan.json\n"), ("marked/notes.txt", "mine\n")]),
        // As Copilot's agent mode writes it, in an editor that leaves files of its own.
        ("by_hand", &[("by_hand/task.md", "Do it\n"), ("by_hand/.plan.json.swp", "x"), ("by_hand/plan.json~", "x")]),
        (".agent_memory", &[(".agent_memory/notes.txt", "mine\n")]),
    ];
    for (folder, files) in files {
        let session = Session::new(&workspace(1));
        session.write("baton.toml", format!("memory_dir = \"{folder}\"\n"));
        for (path, text) in files {
            match path.strip_suffix('/') {
                Some(folder) => fs::create_dir(session.path(folder)).unwrap(),
                None => session.write(path, text),
            }
        }
        let before = session.text("src/t1.rs");
        session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
        assert!(session.exists(&format!("{folder}/review.json")), "{folder}");
        session.write("src/t1.rs", &before);
        session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
        for (path, text) in files.iter().filter(|(path, _)| !path.ends_with('/') && !path.ends_with("task.md")) {
            assert_eq!(session.text(path), *text);
        }
    }
}

#[test]
fn a_hard_link_to_a_file_of_the_workspace_is_not_emptied_as_the_lock() {
    let session = Session::new(&workspace(1));
    fs::create_dir(session.path(".agent_memory")).unwrap();
    fs::hard_link(session.path("src/t1.rs"), session.path(".agent_memory/lock")).unwrap();
    let before = session.text("src/t1.rs");
    session.run(&one_task(), ["--task", "Do it"]).expect(1).reports(".agent_memory/lock holds something else");
    assert_eq!(session.text("src/t1.rs"), before);
}

#[test]
fn what_cannot_begin_leaves_no_folder_behind() {
    let session = Session::new(&workspace(1));
    let api = one_task();
    let leaves_nothing = |args: &[&str], with_key: bool, code: i32| {
        let run = session.baton(args.iter().copied());
        let run = if with_key { run.api(&api) } else { run };
        run.run().expect(code);
        assert!(!session.exists(".agent_memory"), "{args:?}");
    };
    leaves_nothing(&["run", "--task", "Do it"], false, 2);
    leaves_nothing(&["run"], true, 2);
    leaves_nothing(&["run", "--task", " "], true, 2);
    leaves_nothing(&["run", "--phase", "plan"], true, 2);
    leaves_nothing(&["run", "--fix", "abc"], true, 2);
    leaves_nothing(&["review", "--base", "main"], true, 2);
    leaves_nothing(&["plan", "--feedback", "shorter"], true, 2);
    for command in ["status", "doctor", "diff", "approve", "reject", "rollback", "reset", "clean"] {
        session.baton([command]).run();
        assert!(!session.exists(".agent_memory"), "{command}");
    }
    session.write("baton.toml", "max_parallel_tasks = 0\n");
    leaves_nothing(&["run", "--task", "Do it"], true, 2);
    fs::remove_file(session.path("baton.toml")).unwrap();
    session.run(&api, ["--task", "Do it", "--auto-approve"]).expect(0);
    assert_eq!(session.text(".agent_memory/.gitignore"), "*\n");
}

#[test]
fn a_memory_folder_that_is_removed_while_a_run_is_at_work_is_reported() {
    for agent in ["plan", "implement/T1", "review"] {
        let session = Session::new(&workspace(1));
        let api = MessagesApi::start(goes_well(&[&[own("T1")]]).fault(agent, [Fault::Silence]));
        let running = session.baton(["run", "--task", "Do it", "--auto-approve", "--json"]).api(&api);
        let running = running.env("BATON_ANSWER_TIMEOUT", "4s").env("BATON_RETRY_BASE", "10ms").start();
        api.wait_for_request(agent);
        fs::remove_dir_all(session.path(".agent_memory")).unwrap();
        let done = running.wait();
        assert_eq!(done.code, Some(1), "{agent}: {done:?}");
        let end = done.events().pop().unwrap();
        let said = end["message"].as_str().unwrap();
        assert!(said.contains("the memory folder .agent_memory was removed"), "{agent}: {said}");
        assert!(!session.exists(".agent_memory"), "it is not half made again");
        session.run(&one_task(), ["--task", "Do it again"]).expect(3);
    }
}

#[test]
fn a_lock_without_a_holder_or_that_holds_nonsense_is_taken_or_reported() {
    let session = Session::new(&workspace(1));
    let before = session.text("src/t1.rs");
    for (text, code) in [("", 0), ("{\"pid\":1,\"ru", 0), ("{\"pid\":4294967295,\"run\":\"x\"}", 0), ("nonsense", 1)] {
        session.write(&session.memory("lock"), text);
        session.write("src/t1.rs", &before);
        let done = session.run(&one_task(), ["--task", "Do it", "--reset", "--auto-approve"]).expect(code);
        if code == 1 {
            done.reports(".agent_memory/lock holds something else than Baton writes there").reports("move it away");
            assert_eq!(session.text(&session.memory("lock")), text);
        }
    }
    assert_eq!(fs::metadata(session.path(&session.memory("lock"))).unwrap().nlink(), 1);
}

#[test]
fn a_context_that_is_stale_at_once_is_gathered_once_a_run() {
    for hours in ["0", "1e-300", "1e308", "18446744073709551615"] {
        let session = Session::new(&workspace(1));
        session.write("baton.toml", format!("context_staleness_hours = {hours}\n"));
        let api = one_task();
        session.run(&api, ["--task", "Do it"]).expect(3);
        assert_eq!(api.requests_of("context").len(), 1, "{hours}");
        session.run(&api, ["--auto-approve"]).expect(0);
    }
}
