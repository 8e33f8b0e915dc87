//! What a run costs beside its model time: ratios, measured in one process on one file system.
//!
//! `cargo bench --bench workflow` prints them. A model that answers at once leaves only the engine's own work, most of
//! which is making things durable; so the run is set against the same durable writes made bare.

#![allow(clippy::disallowed_methods, reason = "a bench makes the files it measures with")]
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints, and stops at the first surprise")]

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use baton::models::{Limits, TurnRequest};
use baton::workflow::{EventPhase, EventStatus, IMPLEMENT, PhaseEvent};
use serde_json::json;
use support::{Scripted, approves, call, one_file_each};

const TASKS: usize = 8;
const RUNS: usize = 9;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // The first run of a process pays for lazy statics and a cold disk.
    let _ = runtime.block_on(run(Duration::ZERO));
    let mut ratios = Vec::new();
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let folder = tempfile::tempdir().unwrap();
        let measured = runtime.block_on(run_in(folder.path(), Duration::ZERO));
        let writes = Writes::of(&folder.path().join(".agent_memory"));
        let raw = writes.repeat(folder.path());
        ratios.push(measured.whole.as_secs_f64() / raw.as_secs_f64());
        whole.push(measured.whole.as_secs_f64());
        bare.push(raw.as_secs_f64());
    }
    println!(
        "four phases, {TASKS} tasks, a model that answers at once: {:.1} ms; its durable writes alone: {:.1} ms; \
         ratio {:.2} (median of {RUNS}, {:.2} to {:.2})",
        median(&mut whole) * 1e3,
        median(&mut bare) * 1e3,
        median(&mut ratios),
        ratios[0],
        ratios[RUNS - 1],
    );
    let turn = Duration::from_millis(400);
    let mut phases: Vec<f64> =
        (0..5).map(|_| runtime.block_on(run(turn)).implement.as_secs_f64() / turn.as_secs_f64()).collect();
    println!(
        "{TASKS} tasks of 400 ms model time, {TASKS} at once: implement phase {:.0} ms; ratio to the ideal {:.2} \
         (median of 5, {:.2} to {:.2})",
        median(&mut phases) * 400.0,
        median(&mut phases),
        phases[0],
        phases[4],
    );
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

struct Measured {
    whole: Duration,
    implement: Duration,
}

async fn run(turn: Duration) -> Measured {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), turn).await
}

async fn run_in(folder: &Path, turn: Duration) -> Measured {
    for task in 0..TASKS {
        fs::write(folder.join(format!("f{task}.txt")), "before\n".repeat(50)).unwrap();
    }
    let answer = |request: &mut TurnRequest| match request.agent.as_str() {
        "context" => vec![call("submit_context", one_file_each::context(TASKS))],
        "plan" => vec![call("submit_plan", one_file_each::plan(TASKS))],
        "review" => vec![call("submit_review", approves(TASKS, 1, "Good"))],
        task => {
            let file = format!("f{}.txt", task.trim_start_matches("implement/T"));
            let edit = json!({ "path": file, "content": "after\n".repeat(50) });
            vec![
                call("read_file", json!({ "path": file })),
                call("write_file", edit),
                call("submit_result", json!({ "status": "completed" })),
            ]
        }
    };
    let model = Scripted { limits: Limits::default(), turn, answer, requests: Mutex::default() };
    let began = Instant::now();
    let events = support::run(folder, TASKS, "Change every file", Arc::new(model)).await;
    let whole = began.elapsed();
    let at = |status| {
        let of_phase = |event: &&PhaseEvent| event.phase == EventPhase::Phase(IMPLEMENT) && event.task.is_none();
        events.iter().filter(of_phase).find(|event| event.status == status).unwrap().at
    };
    let implement = at(EventStatus::Done).duration_since(at(EventStatus::Started));
    Measured { whole, implement: implement.unsigned_abs() }
}

/// The durable writes a run made, as its memory folder tells: how many of each kind, and how large.
struct Writes {
    /// Files replaced whole: temporary file, fsync, rename, fsync of the folder.
    replaced: Vec<usize>,
    /// Lines appended to the transcript, each with fdatasync.
    lines: Vec<usize>,
    /// Files written once with fsync: staged files and before-images.
    written: Vec<usize>,
    /// Files renamed into the working tree, with an fsync of their folder.
    placed: usize,
    /// Folders synced besides.
    folders: usize,
}

impl Writes {
    fn of(memory: &Path) -> Self {
        let size = |path: &Path| fs::metadata(path).unwrap().len() as usize;
        let run = fs::read_dir(memory.join("runs")).unwrap().next().unwrap().unwrap().path();
        let mut replaced: Vec<usize> = [
            ".gitignore",
            "task.md",
            "context.json",
            "plan.json",
            "plan.md",
            "approval.json",
            "round.json",
            "review.json",
        ]
        .iter()
        .map(|file| size(&memory.join(file)))
        .collect();
        // The report grows with every task.
        let report = size(&memory.join("impl_report.json"));
        replaced.extend((1..=TASKS).map(|task| report * task / TASKS));
        replaced.push(size(&run.join("changes.diff")));
        let transcript = fs::read_to_string(run.join("transcript.jsonl")).unwrap();
        let turn = |line: &&str| !line.contains("\"closed\"");
        let lines = transcript.lines().filter(turn).map(str::len).collect();
        let mut written = Vec::new();
        for journal in fs::read_dir(run.join("publish")).unwrap() {
            // Once with the intent, once when it is done.
            replaced.extend([size(&journal.unwrap().path()); 2]);
        }
        for task in 0..TASKS {
            written.push(size(&run.join(format!("before/T{task}-1/000-f{task}.txt"))));
            written.push(size(&memory.parent().unwrap().join(format!("f{task}.txt"))));
        }
        // Of each task: its staged and before folders and the parents they are made in; the run's folder and history.
        Self { replaced, lines, written, placed: TASKS, folders: TASKS * 4 + 4 }
    }

    /// Make the same writes bare, one after the other.
    fn repeat(&self, folder: &Path) -> Duration {
        let folder = folder.join("raw");
        fs::create_dir(&folder).unwrap();
        let dir = File::open(&folder).unwrap();
        let began = Instant::now();
        for (number, size) in self.replaced.iter().enumerate() {
            write_synced(&folder.join("temporary"), *size);
            fs::rename(folder.join("temporary"), folder.join(format!("r{number}"))).unwrap();
            dir.sync_all().unwrap();
        }
        let mut log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        for size in &self.lines {
            log.write_all(&vec![b'x'; *size]).unwrap();
            log.sync_data().unwrap();
        }
        for (number, size) in self.written.iter().enumerate() {
            write_synced(&folder.join(format!("w{number}")), *size);
        }
        for number in 0..self.placed {
            fs::rename(folder.join(format!("w{number}")), folder.join(format!("p{number}"))).unwrap();
            dir.sync_all().unwrap();
        }
        for number in 0..self.folders {
            // A folder nothing happened to costs nothing to sync.
            File::create(folder.join(format!("d{number}"))).unwrap();
            dir.sync_all().unwrap();
        }
        began.elapsed()
    }
}

fn write_synced(path: &Path, size: usize) {
    let mut file = File::create(path).unwrap();
    file.write_all(&vec![b'x'; size]).unwrap();
    file.sync_all().unwrap();
}
