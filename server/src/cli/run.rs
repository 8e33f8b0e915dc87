//! `baton run`: take a task through the workflow, and tell how it goes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Runtime;

use super::args::{self, RunArgs};
use super::failure::{CANCELLED, FAILED, Failure, NO_CONCLUSION, PERSON, REJECTED, USAGE};
use super::gate;
use super::progress::{Progress, Style};
use super::session::Session;
use super::{print, render, tell};
use crate::config::Overrides;
use crate::workflow::{self, Engine, EventErrorKind, NO_PLAN, Outcome, Phase, PhaseEvent, Request, RunEnd, RunHandle};

/// Run, and end with the code its outcome has.
pub(super) fn run(folder: Option<&Path>, args: RunArgs) -> Result<u8, Failure> {
    let flags = Overrides { provider: args.provider.clone(), ..Overrides::default() };
    let session = Session::open(folder, flags)?;
    let progress = (!args.json).then(|| Arc::new(Progress::new(Style::for_stderr())));
    let approver = gate::approver(session.workspace.root(), progress.clone());
    let request = Request {
        task: args.task,
        phase: args.phase.map(phase),
        only: args.only,
        feedback: None,
        fix: args.fix,
        base: None,
        reset: args.reset,
        auto_approve: args.auto_approve,
    };
    let engine = session.engine(approver)?;
    let place = Place::of(&engine);
    let end = runtime()?.block_on(drive(engine, request, args.timeout, progress))?;
    if args.json {
        print(&render::json(&last_line(&end).to_string()))?;
    } else {
        place.tell(&end)?;
        ways_on(&end.1)?;
    }
    Ok(exit_code(&end.1))
}

/// `baton plan --feedback`: the Revise answer of a gate that waits; where none does, the plan phase once more.
pub(super) fn plan_again(folder: Option<&Path>, feedback: String) -> Result<u8, Failure> {
    let session = Session::open(folder, Overrides::default())?;
    let Some(store) = session.memory()? else { return Err(Failure::usage(NO_PLAN)) };
    if workflow::revise_waiting_plan(&store, &feedback)? {
        print("The waiting run plans again.")?;
        return Ok(0);
    }
    let request = Request { phase: Some(Phase::Plan), feedback: Some(feedback), ..Request::default() };
    let progress = Arc::new(Progress::new(Style::for_stderr()));
    let engine = session.engine(Arc::new(gate::NonInteractiveApprover))?;
    let place = Place::of(&engine);
    let end = runtime()?.block_on(drive(engine, request, None, Some(progress)))?;
    place.tell(&end)?;
    ways_on(&end.1)?;
    Ok(exit_code(&end.1))
}

/// The runtime a run works on.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(|error| Failure::failed(format!("cannot start: {error}")))
}

/// Start a run and show it until it ends. Answers with its id and its end.
pub(super) async fn drive(
    engine: Engine,
    request: Request,
    timeout: Option<Duration>,
    progress: Option<Arc<Progress>>,
) -> Result<(String, RunEnd), Failure> {
    let RunHandle { run, cancel, mut events, mut end } = workflow::start(engine, request)?;
    let show = |event: &PhaseEvent| match &progress {
        Some(progress) => progress.on(event),
        // A reader that went away does not stop the run; what it does stands in events.jsonl.
        None => drop(print(&render::json(&json!(event).to_string()))),
    };
    let mut stops = Stops::new()?;
    let timed_out = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(timed_out);
    let mut timer_runs = true;
    let ended = loop {
        tokio::select! {
            Some(event) = events.recv() => show(&event),
            ended = &mut end => break ended,
            () = stops.next() => {
                if cancel.is_cancelled() {
                    std::process::exit(i32::from(CANCELLED));
                }
                cancel.cancel();
                if let Some(progress) = &progress {
                    progress.suspend(|| tell("Stopping… (Ctrl-C again kills)"));
                }
            }
            () = &mut timed_out, if timer_runs => {
                timer_runs = false;
                cancel.cancel();
            }
        }
    };
    while let Ok(event) = events.try_recv() {
        show(&event);
    }
    if let Some(progress) = &progress {
        progress.finish();
    }
    let ended = ended.map_err(|error| Failure::failed(format!("the run broke off: {error}; `baton run` goes on")))?;
    Ok((run, ended))
}

/// The signals by which people and systems ask a process to stop.
struct Stops {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Stops {
    #[cfg(unix)]
    fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Where a run works, for what is told at its end.
pub(super) struct Place {
    memory: String,
}

impl Place {
    /// The place of an engine.
    pub(super) fn of(engine: &Engine) -> Self {
        Self { memory: engine.settings.memory_dir.clone() }
    }

    /// Tell how a run ended: the issues, the sums, where the files are.
    pub(super) fn tell(&self, (run, end): &(String, RunEnd)) -> Result<(), Failure> {
        let mut lines = Vec::new();
        let judged = matches!(end.outcome, Outcome::Merged | Outcome::Escalated | Outcome::Done);
        if let Some(review) = end.review.as_ref().filter(|_| judged) {
            lines.extend(review.summary.trim().lines().map(|line| render::paragraph("", line, 100)));
            lines.push(String::new());
            lines.extend(review.issues.iter().map(render::issue_line));
            if !review.issues.is_empty() {
                lines.push(String::new());
            }
        }
        lines.push(render::plain_lines(&end.message));
        lines.push(format!("{}   {}/runs/{run}", render::usage(&end.usage), self.memory));
        print(&lines.join("\n"))?;
        Ok(())
    }
}

/// After a run that came to no good end: how to see what it changed, undo that, and go on.
fn ways_on(end: &RunEnd) -> Result<(), Failure> {
    if !matches!(end.outcome, Outcome::Cancelled | Outcome::Failed) {
        return Ok(());
    }
    let changed = match end.changed_files {
        0 => "",
        _ => "Show changes: baton diff · Undo: baton rollback · ",
    };
    Ok(print(&format!("{changed}Resume: baton run"))?)
}

/// The last line of `--json`.
pub(super) fn last_line((run, end): &(String, RunEnd)) -> serde_json::Value {
    json!({ "outcome": end.outcome, "run": run, "review": end.review, "usage": end.usage })
}

/// The code a process ends with; design: "Command line".
pub(super) fn exit_code(end: &RunEnd) -> u8 {
    match end.outcome {
        Outcome::Merged | Outcome::Done => 0,
        Outcome::Escalated | Outcome::Waiting => PERSON,
        Outcome::Rejected => REJECTED,
        Outcome::Cancelled => CANCELLED,
        Outcome::Failed if end.no_conclusion => NO_CONCLUSION,
        Outcome::Failed => match end.error.as_ref().map(|error| error.kind) {
            Some(EventErrorKind::Config) => USAGE,
            Some(EventErrorKind::Model) => NO_CONCLUSION,
            _ => FAILED,
        },
    }
}

fn phase(phase: args::Phase) -> Phase {
    match phase {
        args::Phase::Context => Phase::Context,
        args::Phase::Plan => Phase::Plan,
        args::Phase::Implement => Phase::Implement,
        args::Phase::Review => Phase::Review,
    }
}
