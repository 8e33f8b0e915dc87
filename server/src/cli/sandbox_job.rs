//! `baton __sandbox job`: one job in the sandbox, from JSON on standard input to a line of JSON on standard output. Hidden:
//! it is how the sandbox is tried out, tested and measured by itself.

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::signals::Stops;
use crate::contracts::RepoPath;
use crate::workspace::{Ended, Job, Place, Sandbox, SandboxWish, ViewEdit, Workspace};

/// The arguments.
pub(super) const WORDS: [&str; 2] = ["__sandbox", "job"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    workspace: PathBuf,
    #[serde(default)]
    wish: String,
    command: String,
    timeout_ms: Option<u64>,
    #[serde(default)]
    network: bool,
    #[serde(default)]
    secrets: bool,
    /// The edits of a try. With neither this nor `end` it is a try without edits.
    r#try: Option<Vec<AskedEdit>>,
    /// The touched files of an end of a round.
    end: Option<Vec<RepoPath>>,
    log: Option<PathBuf>,
    /// How often it is run; the answer's `total_ms` holds them all.
    times: Option<u32>,
}

#[derive(Deserialize)]
struct AskedEdit {
    path: RepoPath,
    content: Option<String>,
    mode: Option<u32>,
}

/// Runs the job and prints what came of it.
pub(super) fn sandbox_job() -> ExitCode {
    let (code, line) = match read_and_run() {
        Ok(value) => (ExitCode::SUCCESS, value),
        Err(message) => (ExitCode::FAILURE, json!({ "error": message })),
    };
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn read_and_run() -> Result<Value, String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|error| error.to_string())?;
    let asked = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    runtime.block_on(run(asked))
}

async fn run(asked: Asked) -> Result<Value, String> {
    let workspace = Workspace::open(&asked.workspace).map_err(|error| error.to_string())?;
    let wish = match asked.wish.as_str() {
        "off" => SandboxWish::Off,
        "require" => SandboxWish::Require,
        _ => SandboxWish::Auto,
    };
    let cancel = CancellationToken::new();
    let mut signals = Stops::new().map_err(|failure| failure.message)?;
    let cancelled = cancel.clone();
    tokio::spawn(async move {
        signals.next().await;
        cancelled.cancel();
    });
    let place = match asked.end {
        Some(touched) => Place::End { touched },
        None => {
            let edits = asked.r#try.unwrap_or_default().into_iter().map(edit).collect();
            Place::Try { edits, touched: Some(Vec::new()) }
        }
    };
    let job = Job {
        command: asked.command,
        timeout: Duration::from_millis(asked.timeout_ms.unwrap_or(600_000)),
        network: asked.network,
        secrets: asked.secrets,
        place,
    };
    let started = Instant::now();
    let sandbox = Sandbox::find(&workspace, wish, &cancel).await;
    let found = started.elapsed();
    let mut total = Vec::new();
    let mut last = None;
    for _ in 0..asked.times.unwrap_or(1).max(1) {
        let log = open_log(asked.log.as_deref().unwrap_or_else(|| "/dev/null".as_ref()))?;
        let started = Instant::now();
        last = Some(sandbox.run(&job, log, &cancel).await);
        total.push(milliseconds(started.elapsed()));
    }
    let ran = last.ok_or("nothing ran")?;
    let changed = ran.changed.iter().map(|edit| {
        let content = edit.content.as_ref().map(|content| String::from_utf8_lossy(content));
        json!({ "path": edit.path, "content": content, "mode": edit.mode })
    });
    Ok(json!({
        "level": sandbox.level(),
        "words": sandbox.words(),
        "explanation": sandbox.explanation(),
        "can_try": sandbox.can_try(),
        "ended": ended(&ran.ended),
        "elapsed_ms": milliseconds(ran.elapsed),
        "find_ms": milliseconds(found),
        "total_ms": total,
        "output": ran.output,
        "changed": changed.collect::<Vec<_>>(),
        "replaced": ran.replaced,
        "hints": ran.hints,
        "traces": ran.traces.map(|traces| json!({ "is_clean": traces.is_clean, "written": traces.written })),
    }))
}

fn edit(asked: AskedEdit) -> ViewEdit {
    ViewEdit { path: asked.path, content: asked.content.map(String::into_bytes), mode: asked.mode }
}

#[expect(clippy::disallowed_methods, reason = "the log of a job that no run has is where its caller wants it")]
fn open_log(path: &std::path::Path) -> Result<std::fs::File, String> {
    let opened = OpenOptions::new().write(true).create(true).truncate(true).open(path);
    opened.map_err(|error| format!("{}: {error}", path.display()))
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn ended(ended: &Ended) -> String {
    match ended {
        Ended::Exited(code) => format!("exited {code}"),
        Ended::Signal(signal) => format!("signal {signal}"),
        Ended::TimedOut => "timed out".to_owned(),
        Ended::Cancelled => "cancelled".to_owned(),
        Ended::NotRun(reason) => format!("not run: {reason}"),
    }
}
