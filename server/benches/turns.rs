//! Turns and billed input of workflows whose agents read what they need and were not given, and no more: with what is attached
//! to first messages, and without it. Both forms are counted in one run.
//!
//! `cargo bench --bench turns` prints them. The agents are scripted: each knows the lines it needs, asks in one turn for those
//! that do not stand in what it was sent, and then does its work and submits in one turn. Without attachments the same agents work
//! on the same requests, from which what is attached is taken out. Billed input is counted in bytes of requests: what a request
//! before had at the same place is read from the cache, at a tenth; all else is written to it, at five quarters. The shapes of
//! the small tasks (files, their lengths, what is needed of them) are those of real ones; their text is filler.

#![allow(clippy::disallowed_methods, reason = "a bench makes the files it measures with")]
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops at the first surprise")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton::models::{Block, Limits, TurnRequest};
use serde_json::{Value, json};
use support::{Scripted, approves, blocks, call, turn_of};

/// Tokens are told, for their order of magnitude, as so many bytes each.
const BYTES_A_TOKEN: f64 = 3.5;

/// Lines of a file that an agent needs: first and last, from 1.
type Lines = (&'static str, usize, usize);

/// A workflow: what there is, and what its agents need.
#[derive(Debug, Clone, Default)]
struct Shape {
    name: &'static str,
    /// Most turns it may take with attachments.
    aim: usize,
    /// Files with their numbers of lines.
    files: Vec<(String, usize)>,
    /// The turns of the context agent before it submits, each as what it reads.
    context: Vec<Vec<Lines>>,
    /// The ranges it names.
    ranges: Vec<Lines>,
    /// What the planner needs.
    plan: Vec<Lines>,
    tasks: Vec<TaskShape>,
    /// What the reviewer needs beside the diff.
    review: Vec<Lines>,
}

#[derive(Debug, Clone, Default)]
struct TaskShape {
    needs: Vec<(String, usize, usize)>,
    /// Files it changes, each at a line and by how many lines.
    edits: Vec<(String, usize, usize)>,
    /// Files it creates, with their lengths.
    creates: Vec<(String, usize)>,
    depends_on: Vec<usize>,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    println!("{:<34}{:>7}{:>7}{:>15}{:>15}{:>8}", "", "turns", "", "billed input", "(k tokens)", "");
    println!("{:<34}{:>7}{:>7}{:>15}{:>15}{:>8}", "", "before", "after", "before", "after", "ratio");
    for shape in shapes() {
        let before = runtime.block_on(count(&shape, false));
        let after = runtime.block_on(count(&shape, true));
        let all = |counted: &BTreeMap<String, Counted>| {
            counted.values().fold((0, 0.0), |(turns, billed), of| (turns + of.turns, billed + of.billed))
        };
        row(shape.name, all(&before), all(&after));
        for (phase, after) in &after {
            row(&format!("  {phase}"), before[phase].pair(), after.pair());
        }
        let ((_, billed_before), (turns, billed)) = (all(&before), all(&after));
        assert!(turns <= shape.aim, "{}: {turns} turns, and {} are the aim", shape.name, shape.aim);
        if shape.name.starts_with("8 tasks") {
            assert!(billed <= 0.8 * billed_before, "{billed} of {billed_before} bytes");
            assert_eq!((after["implement"].turns, after["review"].turns), (8, 1), "one turn each");
        }
    }
}

fn row(name: &str, before: (usize, f64), after: (usize, f64)) {
    let tokens = |bytes: f64| bytes / BYTES_A_TOKEN / 1e3;
    println!(
        "{name:<34}{:>7}{:>7}{:>15.1}{:>15.1}{:>7.0}%",
        before.0,
        after.0,
        tokens(before.1),
        tokens(after.1),
        100.0 * after.1 / before.1
    );
}

#[derive(Debug, Default, Clone, Copy)]
struct Counted {
    turns: usize,
    /// Bytes, weighted as they are billed.
    billed: f64,
}

impl Counted {
    fn pair(self) -> (usize, f64) {
        (self.turns, self.billed)
    }
}

/// By phase: turns and what they are billed.
async fn count(shape: &Shape, is_attached: bool) -> BTreeMap<String, Counted> {
    let requests = requests(shape, is_attached).await;
    let phase = |request: &TurnRequest| request.agent.split('/').next().unwrap_or_default().to_owned();
    let mut counted: BTreeMap<String, Counted> = BTreeMap::new();
    for (index, request) in requests.iter().enumerate() {
        let prefix = |request: &TurnRequest| json!([request.system, request.tools]).to_string();
        let earlier = &requests[..index];
        let is_held = earlier.iter().any(|other| prefix(other) == prefix(request));
        let mut held = if is_held { prefix(request).len() } else { 0 };
        let sent = prefix(request).len() + blocks(request).iter().map(String::len).sum::<usize>();
        if let Some(before) = earlier.iter().rev().find(|other| other.agent == request.agent) {
            let before = blocks(before);
            assert!(blocks(request).starts_with(&before), "{}: a request does not extend the last one", request.agent);
            held += before.iter().map(String::len).sum::<usize>();
        }
        let of_phase = counted.entry(phase(request)).or_default();
        of_phase.turns += 1;
        of_phase.billed += 1.25 * (sent - held) as f64 + 0.1 * held as f64;
    }
    counted
}

/// Every request of one workflow, as the agents were shown it, in the order in which they were sent.
async fn requests(shape: &Shape, is_attached: bool) -> Vec<TurnRequest> {
    let folder = tempfile::tempdir().unwrap();
    for (file, lines) in &shape.files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, (1..=*lines).map(|n| line(file, n)).collect::<String>()).unwrap();
    }
    let shape = shape.clone();
    let answer = move |request: &mut TurnRequest| {
        if !is_attached {
            *request = without_attachments(request);
        }
        calls(&shape, request)
    };
    let limits = Limits { window: Some(200_000), ..Limits::default() };
    let model = Arc::new(Scripted { limits, turn: Duration::ZERO, answer, requests: Mutex::default() });
    support::run(folder.path(), 8, "Do what the issue says", model.clone()).await;
    model.requests.lock().unwrap().clone()
}

/// A line of a file, which no other file has.
fn line(file: &str, n: usize) -> String {
    format!("    let value_{n} = of({file:?}, {n});\n")
}

/// The request without what is attached to it.
fn without_attachments(request: &TurnRequest) -> TurnRequest {
    let mut bare = request.clone();
    bare.system = bare.system.iter().map(|part| bare_text(part)).filter(|part| !part.is_empty()).collect();
    for block in bare.messages.iter_mut().take(1).flat_map(|message| &mut message.content) {
        if let Some(text) = block.as_text().map(bare_text) {
            *block = Block::text(text);
        }
    }
    bare
}

fn bare_text(text: &str) -> String {
    let mut text = text.to_owned();
    for section in ["named_ranges", "own_files", "issue_lines", "own_diff", "file_texts", "diff"] {
        let (begin, end) = (format!("<{section} trust="), format!("</{section}>\n"));
        if let Some(start) = text.find(&begin)
            && let Some(length) = text[start..].find(&end)
        {
            text.replace_range(start..start + length + end.len(), "");
        }
    }
    text
}

/// What the agent calls, by what stands in its request.
fn calls(shape: &Shape, request: &TurnRequest) -> Vec<Value> {
    let turn = turn_of(request);
    let blocks = request.messages.iter().flat_map(|message| &message.content);
    let said = blocks.map(|block| block.as_text().or(block.0["content"].as_str()).unwrap_or_default());
    let seen: String = request.system.iter().map(String::as_str).chain(said).collect();
    // The first and the last of the lines, with their numbers.
    let has = |file: &str, n: usize| seen.contains(&format!("\t{}", line(file, n)));
    let missing = |needs: &mut dyn Iterator<Item = (&str, usize, usize)>| -> Vec<Value> {
        // They ask once: what was edited since has moved.
        let missing = needs.filter(|(file, first, last)| turn == 0 && (!has(file, *first) || !has(file, *last)));
        missing.map(|(file, first, last)| reads(file, first, last)).collect()
    };
    let (mut calls, submit) = match request.agent.as_str() {
        "context" => {
            let is_seen = |(file, first, last): &Lines| has(file, *first) && has(file, *last);
            let left = shape.context.iter().map(|turn| turn.iter().filter(|lines| !is_seen(lines)));
            let next: Vec<&Lines> =
                left.map(Iterator::collect).find(|left: &Vec<&Lines>| !left.is_empty()).unwrap_or_default();
            assert!(turn < 5, "{}: what was read is not in the request", shape.name);
            let calls = next.into_iter().map(|(file, first, last)| reads(file, *first, *last)).collect();
            (calls, vec![call("submit_context", context(shape))])
        }
        "plan" => (missing(&mut shape.plan.iter().copied()), vec![call("submit_plan", plan(&shape.tasks))]),
        "review" => {
            let mut calls = missing(&mut shape.review.iter().copied());
            if turn == 0 && !seen.contains("<diff trust=") {
                calls.push(call("read_diff", json!({})));
            }
            (calls, vec![call("submit_review", approves(shape.tasks.len(), 2, WORDS))])
        }
        task => {
            let number: usize = task.trim_start_matches("implement/T").parse().unwrap();
            let task = &shape.tasks[number];
            let needs = &mut task.needs.iter().map(|(file, first, last)| (file.as_str(), *first, *last));
            (missing(needs), work(task))
        }
    };
    if calls.is_empty() {
        calls = submit;
    }
    calls
}

fn reads(file: &str, first: usize, last: usize) -> Value {
    call("read_file", json!({ "path": file, "start_line": first, "end_line": last }))
}

/// All edits of a task and its submission, in one turn.
fn work(task: &TaskShape) -> Vec<Value> {
    let added = |lines: usize| (0..lines).map(|n| format!("    added(line_{n}, of_the_work);\n")).collect::<String>();
    let edits = task.edits.iter().map(|(file, at, lines)| {
        let old = line(file, *at);
        call("edit_file", json!({ "path": file, "old_text": old, "new_text": format!("{old}{}", added(*lines)) }))
    });
    let creates = task.creates.iter().map(|(file, lines)| {
        let text: String = (1..=*lines).map(|n| line(file, n)).collect();
        call("write_file", json!({ "path": file, "content": text }))
    });
    let submit = json!({ "changes": [], "notes": "As planned.", "blockers": [], "status": "completed" });
    edits.chain(creates).chain([call("submit_result", submit)]).collect()
}

const WORDS: &str =
    "What is done today, what is to be done, which names and signatures it goes by, and where it is seen. ";

fn context(shape: &Shape) -> Value {
    let mut ranges: BTreeMap<&str, Vec<[usize; 2]>> = BTreeMap::new();
    for (file, first, last) in &shape.ranges {
        ranges.entry(file).or_default().push([*first, *last]);
    }
    let file = |(path, ranges): (&&str, &Vec<[usize; 2]>)| json!({ "path": path, "summary": WORDS, "relevance": "high", "ranges": ranges });
    json!({
        "task_description": WORDS.repeat(3), "relevant_files": ranges.iter().map(file).collect::<Vec<_>>(),
        "existing_patterns": [WORDS, WORDS], "constraints": [WORDS],
    })
}

fn plan(tasks: &[TaskShape]) -> Value {
    let one = |(number, task): (usize, &TaskShape)| {
        let modify: Vec<&str> = task.edits.iter().map(|(file, ..)| file.as_str()).collect();
        let create: Vec<&str> = task.creates.iter().map(|(file, _)| file.as_str()).collect();
        let depends_on: Vec<String> = task.depends_on.iter().map(|other| format!("T{other}")).collect();
        json!({
            "id": format!("T{number}"), "title": "Do a part of it", "description": WORDS.repeat(4),
            "files_to_modify": modify, "files_to_create": create, "depends_on": depends_on,
            "acceptance_criteria": [WORDS, WORDS], "estimated_complexity": "simple",
        })
    };
    let mut groups: Vec<Vec<String>> = Vec::new();
    for (number, task) in tasks.iter().enumerate() {
        let group = task.depends_on.len();
        groups.resize(groups.len().max(group + 1), Vec::new());
        groups[group].push(format!("T{number}"));
    }
    json!({
        "approach_summary": WORDS.repeat(3), "risks": [WORDS], "parallel_groups": groups,
        "tasks": tasks.iter().enumerate().map(one).collect::<Vec<_>>(),
    })
}

fn shapes() -> Vec<Shape> {
    let exercises = [
        ("exercise: python sgf-parsing", ("sgf_parsing.py", 18), ("sgf_parsing_test.py", 120), 90, 90),
        ("exercise: rust forth", ("src/lib.rs", 24), ("tests/forth.rs", 330), 30, 180),
        ("exercise: go paasio", ("paasio.go", 60), ("paasio_test.go", 390), 40, 90),
        ("exercise: javascript react", ("react.js", 30), ("react.spec.js", 220), 20, 90),
    ];
    let mut shapes = vec![eight_tasks()];
    shapes.extend(
        exercises.map(|(name, stub, tests, instructions, written)| exercise(name, stub, tests, instructions, written)),
    );
    shapes.extend([format_feature(), single_fix()]);
    shapes
}

/// Tasks that each change a file of their own, use two files that none changes, and look at a test for its style.
fn eight_tasks() -> Shape {
    const API: Lines = ("src/api.rs", 40, 120);
    const ERRORS: Lines = ("src/errors.rs", 1, 60);
    const TEST: Lines = ("tests/part.rs", 1, 80);
    let file = |n: usize| format!("src/part_{n}.rs");
    let shared = || [API, ERRORS, TEST].map(|(file, first, last)| (file.to_owned(), first, last));
    let task = |n: usize| TaskShape {
        needs: [(file(n), 1, 180)].into_iter().chain(shared()).collect(),
        edits: vec![(file(n), 90, 12)],
        ..TaskShape::default()
    };
    let files = [("src/api.rs".to_owned(), 400), ("src/errors.rs".to_owned(), 90), ("tests/part.rs".to_owned(), 80)];
    Shape {
        name: "8 tasks",
        aim: 12,
        files: (0..8).map(|n| (file(n), 180)).chain(files).collect(),
        context: vec![vec![("src/api.rs", 1, 400), ("src/errors.rs", 1, 90), ("src/part_0.rs", 1, 180), TEST]],
        ranges: vec![API, ERRORS, TEST, ("src/part_0.rs", 1, 60)],
        plan: vec![API, ERRORS, TEST, ("src/part_0.rs", 1, 60)],
        tasks: (0..8).map(task).collect(),
        review: Vec::new(),
    }
}

/// A stub that is to be written so that the tests beside it pass. The reviewer reads the tests.
fn exercise(
    name: &'static str,
    stub: (&'static str, usize),
    tests: (&'static str, usize),
    instructions: usize,
    written: usize,
) -> Shape {
    const INSTRUCTIONS: &str = "instructions.md";
    let all = vec![(stub.0, 1, stub.1), (tests.0, 1, tests.1), (INSTRUCTIONS, 1, instructions)];
    let needs = all.iter().map(|(file, first, last)| ((*file).to_owned(), *first, *last)).collect();
    Shape {
        name,
        aim: 6,
        files: [stub, tests, (INSTRUCTIONS, instructions)].map(|(file, lines)| (file.to_owned(), lines)).to_vec(),
        context: vec![all.clone()],
        ranges: all.clone(),
        plan: all,
        tasks: vec![TaskShape { needs, edits: vec![(stub.0.to_owned(), stub.1, written)], ..TaskShape::default() }],
        review: vec![(tests.0, 1, tests.1)],
    }
}

fn owned(lines: &[Lines]) -> Vec<(String, usize, usize)> {
    lines.iter().map(|(file, first, last)| ((*file).to_owned(), *first, *last)).collect()
}

/// fd's `--format`: the templates of `--exec` become a module of their own, an option uses it for printing, and tests, manual
/// and changelog follow.
fn format_feature() -> Shape {
    const EXEC: Lines = ("src/exec/mod.rs", 1, 300);
    const TOKEN: Lines = ("src/exec/token.rs", 1, 30);
    const CLI: Lines = ("src/cli.rs", 440, 560);
    const CONFIG: Lines = ("src/config.rs", 60, 140);
    const MAIN: Lines = ("src/main.rs", 200, 330);
    const OUTPUT: Lines = ("src/output.rs", 1, 110);
    const TESTS: Lines = ("tests/tests.rs", 2480, 2600);
    const MANUAL: Lines = ("doc/fd.1", 300, 420);
    const CHANGES: Lines = ("CHANGELOG.md", 1, 40);
    let ranges = vec![EXEC, TOKEN, CLI, CONFIG, MAIN, OUTPUT, TESTS, MANUAL, CHANGES];
    let edits = |edits: &[(&str, usize, usize)]| edits.iter().map(|(f, at, n)| ((*f).to_owned(), *at, *n)).collect();
    Shape {
        name: "feature: fd --format",
        aim: 12,
        files: [
            ("src/exec/mod.rs", 300),
            ("src/exec/token.rs", 30),
            ("src/exec/input.rs", 90),
            ("src/cli.rs", 880),
            ("src/config.rs", 140),
            ("src/main.rs", 560),
            ("src/output.rs", 200),
            ("src/walk.rs", 700),
            ("tests/tests.rs", 2_600),
            ("doc/fd.1", 560),
            ("CHANGELOG.md", 900),
        ]
        .map(|(file, lines)| (file.to_owned(), lines))
        .to_vec(),
        context: vec![vec![EXEC, TOKEN, OUTPUT, CHANGES], vec![CLI, CONFIG, MAIN, TESTS, MANUAL]],
        plan: [&ranges[..], &[("src/exec/input.rs", 1, 90)]].concat(),
        ranges,
        tasks: vec![
            TaskShape {
                needs: owned(&[EXEC, TOKEN, ("src/exec/input.rs", 1, 90)]),
                edits: edits(&[
                    ("src/exec/mod.rs", 150, 30),
                    ("src/exec/token.rs", 20, 2),
                    ("src/exec/input.rs", 40, 3),
                ]),
                creates: vec![("src/fmt/mod.rs".to_owned(), 280)],
                depends_on: vec![],
            },
            TaskShape {
                // What the task before it really wrote is among them.
                needs: owned(&[CLI, CONFIG, MAIN, OUTPUT, ("src/fmt/mod.rs", 1, 280)]),
                edits: edits(&[
                    ("src/cli.rs", 500, 20),
                    ("src/config.rs", 100, 4),
                    ("src/main.rs", 250, 8),
                    ("src/output.rs", 60, 25),
                ]),
                depends_on: vec![0],
                ..TaskShape::default()
            },
            TaskShape {
                needs: owned(&[TESTS, MANUAL, CHANGES]),
                edits: edits(&[("tests/tests.rs", 2_590, 45), ("doc/fd.1", 350, 20), ("CHANGELOG.md", 5, 2)]),
                ..TaskShape::default()
            },
        ],
        review: vec![("src/main.rs", 200, 330), ("src/walk.rs", 400, 520)],
    }
}

/// click's #3403: a fix in a very long file, with its test and a line in the list of changes.
fn single_fix() -> Shape {
    const CORE: Lines = ("src/click/core.py", 2_640, 2_800);
    const TYPE: Lines = ("src/click/core.py", 2_260, 2_330);
    const TESTS: Lines = ("tests/test_options.py", 2_050, 2_200);
    const CHANGES: Lines = ("CHANGES.rst", 1, 50);
    let needs = vec![CORE, TYPE, TESTS, CHANGES];
    Shape {
        name: "fix: click #3403",
        aim: 9,
        files: [
            ("src/click/core.py", 3_350),
            ("src/click/parser.py", 530),
            ("tests/test_options.py", 2_200),
            ("CHANGES.rst", 1_500),
        ]
        .map(|(file, lines)| (file.to_owned(), lines))
        .to_vec(),
        context: vec![vec![CORE, CHANGES], vec![TYPE, TESTS]],
        ranges: needs.clone(),
        plan: needs.clone(),
        tasks: vec![TaskShape {
            needs: owned(&needs),
            edits: vec![
                ("src/click/core.py".to_owned(), 2_700, 12),
                ("tests/test_options.py".to_owned(), 2_190, 40),
                ("CHANGES.rst".to_owned(), 10, 3),
            ],
            ..TaskShape::default()
        }],
        review: vec![("src/click/parser.py", 200, 300)],
    }
}
