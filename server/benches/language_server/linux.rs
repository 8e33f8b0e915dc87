//! The measurements, which read a process's memory from `/proc`.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::messages_api::{MessagesApi, Reply, Script};
use crate::support::plain_editor::PlainEditor;
use crate::support::replies::{but, completed, edits, file_of, own, workspace};
use crate::support::session::Session;

const STARTS: usize = 40;
const TASKS: usize = 16;
const QUESTIONS: usize = 2000;
const ISSUES: usize = 2000;
const KEYSTROKES: usize = 200;
/// How long a task's model thinks before it looks at the next thing.
const THINKING: Duration = Duration::from_millis(400);

pub(crate) fn measure() {
    let own = env!("CARGO_BIN_EXE_baton");
    let empty = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("BATON_BENCH_FOLDER").map_or_else(|| empty.path().to_owned(), PathBuf::from);
    let mut servers = vec![Measured::new(vec![own.to_owned(), "lsp".to_owned()])];
    if let Ok(other) = std::env::var("BATON_BENCH_OTHER") {
        servers.push(Measured::new(other.split_whitespace().map(str::to_owned).collect()));
    }
    // The first start of each reads its binary from the disk.
    for n in 0..=STARTS {
        for server in &mut servers {
            let (started, memory) = start(&server.command, &folder);
            if n > 0 {
                server.started.push(started.as_secs_f64() * 1e3);
                server.memory.push(memory);
            }
        }
    }
    for server in &mut servers {
        server.print();
    }
    status_at_work();
    actions_among_many_issues();
    typing_among_issues(0);
    typing_among_issues(ISSUES);
}

struct Measured {
    command: Vec<String>,
    /// Milliseconds.
    started: Vec<f64>,
    /// Resident and, of that, not shared with any file, in MiB.
    memory: Vec<(f64, f64)>,
}

impl Measured {
    fn new(command: Vec<String>) -> Self {
        Self { command, started: Vec::new(), memory: Vec::new() }
    }

    fn print(&mut self) {
        let name = Path::new(&self.command[0]).file_name().unwrap_or_default().to_string_lossy();
        let (mut resident, mut anonymous): (Vec<f64>, Vec<f64>) = self.memory.iter().copied().unzip();
        println!(
            "{name}: initialize answered {:.1} ms after the start (median of {STARTS}; best {:.1}); idle it has {:.1} MiB \
             resident, {:.1} of them its own",
            percentile(&mut self.started, 50),
            percentile(&mut self.started, 0),
            percentile(&mut resident, 50),
            percentile(&mut anonymous, 50),
        );
    }
}

/// Start a server on a folder, as an editor does, and look at it once it rests.
fn start(command: &[String], folder: &Path) -> (Duration, (f64, f64)) {
    let uri = format!("file://{}", folder.display());
    let begun = Instant::now();
    let mut server = Wire::start(Command::new(&command[0]).args(&command[1..]).current_dir(folder));
    server.send(&json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "processId": null, "rootUri": uri, "capabilities": {},
            "workspaceFolders": [{ "uri": uri, "name": "folder" }]
        }
    }));
    while server.next()["id"] != 1 {}
    let started = begun.elapsed();
    server.send(&json!({ "jsonrpc": "2.0", "method": "initialized", "params": {} }));
    let memory = server.memory_at_rest();
    server.send(&json!({ "jsonrpc": "2.0", "id": 2, "method": "shutdown" }));
    while server.next()["id"] != 2 {}
    server.send(&json!({ "jsonrpc": "2.0", "method": "exit" }));
    server.child.wait().unwrap();
    (started, memory)
}

/// How long `baton.status` takes while all tasks of a plan are at work.
fn status_at_work() {
    let ids: Vec<String> = (1..=TASKS).map(|n| format!("T{n}")).collect();
    let plan: Vec<Value> = ids.iter().map(|id| own(id)).collect();
    let mut script = Script::new();
    for id in &ids {
        let file = file_of(id);
        // Each reads and thinks for longer than the questions take, and never the same twice: that would be a loop.
        let look = |n| Reply::tool("read_file", json!({ "path": file, "start_line": 1, "end_line": n + 3 }));
        let mut replies: Vec<_> = (0..90).map(|n| look(n).after(THINKING)).collect();
        replies.extend([edits(&file, "    0\n", "    1\n"), completed(&[&file])]);
        script = script.on(&format!("implement/{id}"), replies);
    }
    let session = Session::new(&workspace(TASKS));
    session.write("baton.toml", format!("max_parallel_tasks = {TASKS}\n"));
    let api = MessagesApi::start(but(script, &[&plan]));
    let mut editor = PlainEditor::open(&session, &api);
    let arguments = json!({ "task": "Answer 1", "approval": "auto" });
    let started = editor.execute("baton.workflow", &[arguments]).unwrap();
    let running = |status: &Value| -> usize {
        status["tasks"].as_array().unwrap().iter().filter(|task| task["status"] == "running").count()
    };
    while running(&editor.execute("baton.status", &[]).unwrap()) < TASKS {
        thread::sleep(Duration::from_millis(20));
        editor.catch_up();
    }
    let mut took = Vec::new();
    while took.len() < QUESTIONS {
        let asked = Instant::now();
        let status = editor.execute("baton.status", &[]).unwrap();
        let answered = asked.elapsed();
        if running(&status) < TASKS {
            break;
        }
        took.push(answered.as_secs_f64() * 1e3);
        editor.catch_up();
        // An editor does not ask without a pause.
        thread::sleep(Duration::from_millis(1));
    }
    println!(
        "baton.status while {TASKS} tasks run: p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms of {}",
        percentile(&mut took, 50),
        percentile(&mut took, 99),
        percentile(&mut took, 100),
        took.len(),
    );
    // It may have come to its end by itself.
    drop(editor.execute("baton.cancel", &[]));
    editor.until_the_end(&started);
    editor.quit();
}

/// How long code actions, which editors ask for at every move of the cursor, take in a file with very many issues.
fn actions_among_many_issues() {
    let session = Session::new("");
    write_lines(&session);
    write_review(&session, ISSUES);
    let api = MessagesApi::start(Script::new());
    let mut editor = PlainEditor::open(&session, &api);
    editor.until("the issues", |editor| editor.issues("src/big.rs").len() == ISSUES);
    editor.open_file("src/big.rs");
    for (what, file) in [("code actions", "src/big.rs"), ("code lenses", ".agent_memory/review.json")] {
        let mut took = Vec::new();
        for n in 0..200 {
            let asked = Instant::now();
            let found = match what {
                "code actions" => editor.actions_without_context(file, n * 7).len(),
                _ => editor.lenses(file).len(),
            };
            took.push(asked.elapsed().as_secs_f64() * 1e3);
            assert!(found > 0, "{what}");
            editor.catch_up();
        }
        let (p50, p99) = (percentile(&mut took, 50), percentile(&mut took, 99));
        println!("{what} with {ISSUES} issues in review.json: p50 {p50:.1} ms, p99 {p99:.1} ms");
    }
    editor.quit();
}

/// How soon a review that is written is shown, and how long a keystroke at the top of a file keeps the server from the next
/// request while so many issues move along.
fn typing_among_issues(count: usize) {
    let session = Session::new("");
    write_lines(&session);
    let api = MessagesApi::start(Script::new());
    let mut editor = PlainEditor::open(&session, &api);
    editor.open_file("src/big.rs");
    if count > 0 {
        let written = Instant::now();
        write_review(&session, count);
        editor.until("the issues", |editor| editor.issues("src/big.rs").len() == count);
        println!(
            "{count} issues in review.json: shown {:.0} ms after it was written",
            written.elapsed().as_secs_f64() * 1e3
        );
    }
    let (mut taken_in, mut shown) = (Vec::new(), Vec::new());
    for typed in 1..=KEYSTROKES {
        let begun = Instant::now();
        editor.insert("src/big.rs", 0, "\n");
        // Answered at once, and not before the keystroke was taken in.
        editor.execute("baton.nothing", &[]).unwrap_err();
        taken_in.push(begun.elapsed().as_secs_f64() * 1e3);
        if count > 0 {
            let last = format!("{}: ", count - 1 + typed);
            editor.until("the moved issues", |editor| {
                editor.issues("src/big.rs").last().is_some_and(|issue| issue.starts_with(&last))
            });
            shown.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        editor.catch_up();
    }
    let print = |what: &str, took: &mut Vec<f64>| {
        let (p50, p99, longest) = (percentile(took, 50), percentile(took, 99), percentile(took, 100));
        println!("a keystroke above {count} issues, {what}: p50 {p50:.2} ms, p99 {p99:.2} ms, longest {longest:.2} ms");
    };
    print("with a request after it answered", &mut taken_in);
    if count > 0 {
        print("until all of them are shown on their new lines", &mut shown);
    }
    editor.quit();
}

fn write_lines(session: &Session) {
    let lines: String = (0..ISSUES).map(|n| format!("line {n}\n")).collect();
    session.write("src/big.rs", lines);
}

fn write_review(session: &Session, count: usize) {
    let issue = |n| {
        json!({
            "severity": "minor", "file": "src/big.rs", "line": n + 1, "quote": format!("line {n}"), "id": format!("i{n}"),
            "description": format!("The {n}th thing that is wrong here, told in a sentence or two as reviewers do.")
        })
    };
    let issues: Vec<Value> = (0..count).map(issue).collect();
    let review = json!({
        "round": 1, "verdict": "approved", "summary": "s", "issues": issues, "recommended_action": "merge"
    });
    session.write(".agent_memory/review.json", serde_json::to_string_pretty(&review).unwrap());
}

fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) * percent / 100]
}

/// A server's two streams; what it says unasked is passed over.
struct Wire {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Wire {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout }
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.stdin, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        self.stdin.flush().unwrap();
    }

    fn next(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "the server left");
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stdout.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    /// Once it has not changed for a while: resident, and of that anonymous, in MiB.
    fn memory_at_rest(&self) -> (f64, f64) {
        let mut last = self.memory();
        let mut quiet = 0;
        while quiet < 10 {
            thread::sleep(Duration::from_millis(20));
            let now = self.memory();
            quiet = if now == last { quiet + 1 } else { 0 };
            last = now;
        }
        last
    }

    fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let field = |name: &str| -> f64 {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
        };
        (field("VmRSS:"), field("RssAnon:"))
    }
}
