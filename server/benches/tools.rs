//! How what a tool call costs grows with what it reads: ratios between sizes, measured in one process.
//!
//! `cargo bench --bench tools` prints them. Each size is ten times the one before, so a tool that is linear prints ratios
//! of about 10; fixed costs make them smaller. The shapes are the ones that are bad for each tool.

#![allow(clippy::disallowed_methods, reason = "a bench makes the files it measures with")]
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use baton::contracts::RepoPath;
use baton::tools::Toolbox;
use baton::workspace::{Interrupt, Staging, Workspace, Writable, counts, unified};
use serde_json::{Value, json};

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

/// A file of so many lines, the tool that is called on it, and with what.
type Case = (&'static str, fn(usize) -> String, &'static str, fn(usize) -> Value);

const CASES: [Case; 13] = [
    ("read_file, the end", even, "read_file", |n| json!({"path": "f", "start_line": n - 10})),
    ("search, no match", even, "search", |_| json!({"pattern": "[xyz]{3}nowhere"})),
    ("search, a heavy pattern", even, "search", |_| json!({"pattern": "[ab]*b[a-z ]{300}q"})),
    ("search, one long line", |n| "ab ".repeat(n), "search", |_| json!({"pattern": "[ab]*b[a-z ]{300}q"})),
    ("write_file, all new", even, "write_file", |n| json!({"path": "f", "content": lines("new", n)})),
    ("write_file, mixed line endings", mixed, "write_file", |n| json!({"path": "f", "content": lines("new", n)})),
    ("write_file, mixed, two kinds of lines", mixed_two, "write_file", |n| json!({"path": "f", "content": two(n, 5)})),
    ("edit_file, exact", even, "edit_file", |_| edit("the last one", "x")),
    ("edit_file, at too many places", |n| "}\n".repeat(n), "edit_file", |_| edit("}", "x")),
    ("edit_file, nowhere", even, "edit_file", |_| edit("line of another file", "x")),
    (
        "edit_file, nowhere, repeated lines",
        |n| "}\n".repeat(n),
        "edit_file",
        |n| edit(&format!("{}end", "}\n".repeat(n / 4)), "x"),
    ),
    ("edit_file, indented otherwise", uneven, "edit_file", |_| edit(&"  }\n".repeat(60), "x")),
    ("edit_file, typographic quotes", |n| "“a”\n".repeat(n), "edit_file", |_| edit("\"b\"", "x")),
];

fn main() {
    for (name, content, tool, input) in CASES {
        report(name, |n| {
            let content = content(n);
            let input = input(n);
            call(content.as_bytes(), tool, &input)
        });
    }
    report("counts, two kinds of lines", |n| {
        let (old, new) = (two(n, 3), two(n, 5));
        timed(|| assert_ne!(counts(Some(old.as_bytes()), Some(new.as_bytes())), (0, 0)))
    });
    report("unified, nothing in common", |n| {
        let (old, new) = (lines("old", n), lines("new", n));
        let path = RepoPath::parse("f").unwrap();
        timed(|| drop(unified(&path, Some(old.as_bytes()), Some(new.as_bytes()))))
    });
    stop();
}

fn report(name: &str, measure: impl Fn(usize) -> Duration) {
    let took: Vec<f64> = SIZES.iter().map(|n| measure(*n).as_secs_f64()).collect();
    println!(
        "{name}: {:.1}, {:.1}, {:.1} ms; ratios {:.1}, {:.1}",
        took[0] * 1e3,
        took[1] * 1e3,
        took[2] * 1e3,
        took[1] / took[0],
        took[2] / took[1]
    );
}

/// How long after a stop the longest of the calls still works.
fn stop() {
    let (content, input) = (mixed_two(1_000_000), json!({"path": "f", "content": two(1_000_000, 5)}));
    let interrupt = Interrupt::never();
    let told = interrupt.clone();
    let teller = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        told.stop();
        Instant::now()
    });
    let (_folder, toolbox) = toolbox(content.as_bytes());
    toolbox.call("read_file", &json!({"path": "f"}));
    let output = toolbox.until(interrupt).call("write_file", &input);
    let ended = Instant::now();
    let stopped = teller.join().unwrap();
    println!("stopped: {} ms after being told ({})", ended.saturating_duration_since(stopped).as_millis(), output.text);
}

fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn call(content: &[u8], tool: &str, input: &Value) -> Duration {
    let (_folder, toolbox) = toolbox(content);
    // A file is read before it is written.
    toolbox.call("read_file", &json!({"path": "f", "end_line": 1}));
    timed(|| drop(toolbox.call(tool, input)))
}

fn toolbox(content: &[u8]) -> (tempfile::TempDir, Toolbox) {
    let folder = tempfile::tempdir().unwrap();
    // What is larger is not read at all.
    fs::write(folder.path().join("f"), &content[..content.len().min(10 * 1024 * 1024)]).unwrap();
    let workspace = Workspace::open(folder.path()).unwrap();
    let memory = RepoPath::parse(".agent_memory").unwrap();
    let write = BTreeSet::from([RepoPath::parse("f").unwrap()]);
    let writable = Writable { write, ..Writable::default() };
    let staging = Arc::new(Mutex::new(Staging::new(workspace.clone(), "T1", writable, memory.clone())));
    (folder, Toolbox::implementer(workspace, memory, staging))
}

fn edit(old: &str, new: &str) -> Value {
    json!({"path": "f", "old_text": old, "new_text": new})
}

/// Short, so that a million lines are no more than a file may have.
fn lines(word: &str, n: usize) -> String {
    (0..n).map(|i| format!("{word}{}\n", i % 10_000)).collect()
}

fn even(n: usize) -> String {
    format!("{}the last one\n", lines("old", n - 1))
}

fn mixed(n: usize) -> String {
    format!("{}end\r\n", even(n))
}

/// Lines of two kinds, in no order: what comparing takes longest for.
fn two(n: usize, seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..n).map(|_| if random.bool() { "a\n" } else { "b\n" }).collect()
}

fn mixed_two(n: usize) -> String {
    format!("{}end\r\n", two(n, 3))
}

fn uneven(n: usize) -> String {
    (0..n).map(|i| if i % 50 == 0 { "\t}\n" } else { "}\n" }).collect()
}
