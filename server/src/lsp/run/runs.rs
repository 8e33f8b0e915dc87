//! Starts a run, shows it to the client until its end, and asks there whether to resume it. One run at a time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::MessageType;

use super::gate::{EditorGate, GateEvent};
use super::interrupted;
use super::outcome::{self, Question, RunOutcome};
use super::phase_feed::PhaseFeed;
use super::progress::Progress;
use super::save_notices::SaveNotices;
use super::start::Start;
use super::workers;
use crate::config::{self, ApprovalMode};
use crate::lsp::files::refused::Refused;
use crate::lsp::files::{Files, blocking, detached, editor_services, task_file};
use crate::lsp::folder::Folder;
use crate::lsp::folder::current_run::CurrentRun;
use crate::lsp::wire::window;
use crate::workflow::{
    self, Editor, Engine, EventPhase, EventStatus, Goal, IMPLEMENT, Notices, Outcome, PhaseEvent, Request, RunEnd,
    RunHandle, WayOn,
};

/// How often the progress shows the time while nothing else happens.
const TICK: Duration = Duration::from_secs(5);

/// Start a run and answer with its id.
///
/// # Errors
/// When one is active, or none can begin; nothing was changed then.
pub(crate) async fn start(folder: &Arc<Folder>, start: Start) -> Result<String, Refused> {
    let folder = folder.clone();
    // A client may cancel the command at any moment; a run that has begun is still watched.
    detached(async move { begin(folder, start).await }).await
}

/// Look for a workflow that was interrupted before this server started, and offer to resume it.
pub(crate) async fn offer_interrupted(folder: Arc<Folder>) {
    if let Some(question) = interrupted::find(&folder).await {
        ask(&folder, question);
    }
}

async fn begin(folder: Arc<Folder>, start: Start) -> Result<String, Refused> {
    let mut current = folder.current.lock().await;
    if let Some(current) = &*current {
        return Err(Refused::RunActive(current.run.clone()));
    }
    if start.goal.is_new() {
        folder.allowed().clear();
    }
    let mut files = folder.files().await?;
    folder.allowed().add_to(&mut files.settings);
    let (gate_events, gates) = mpsc::unbounded_channel();
    let path = folder.path.clone();
    let gate = EditorGate::new(&folder, files.clone(), gate_events);
    let editor = editor_services::editor(&folder.client, folder.capabilities, &folder.path);
    let (of_run, how) = (files.clone(), start.clone());
    let opened = blocking(move || open_engine(&path, of_run, gate, editor, how)).await;
    if let Err(Refused::NoTask(task)) = &opened {
        let message = format!("Baton: write the task to {}, save it, and start again.", task.display());
        window::open_or_show_message(&folder.client, folder.capabilities.show_document, task, None, message);
    }
    let Opened { mut engine, request, needs_workers } = opened?;
    let mut search = None;
    if needs_workers {
        // Meanwhile whatever asks for the current run goes on.
        drop(current);
        let found = workers::connect(&folder, &mut engine).await?;
        current = folder.current.lock().await;
        if let Some(current) = &*current {
            return Err(Refused::RunActive(current.run.clone()));
        }
        if found.stop.is_cancelled() {
            return Err(Refused::SearchStopped);
        }
        search = Some(found);
    }
    let handle = blocking(move || Ok(workflow::start(engine, request)?)).await?;
    let run = handle.run.clone();
    let over = CancellationToken::new();
    *current = Some(CurrentRun { run: run.clone(), cancel: handle.cancel.clone(), over: over.clone() });
    drop((current, search));
    folder.withdraw_question();
    tokio::spawn(watch(folder, handle, gates, files, start, over));
    Ok(run)
}

/// Show a run to the client until its end.
async fn watch(
    folder: Arc<Folder>,
    handle: RunHandle,
    mut gates: mpsc::UnboundedReceiver<GateEvent>,
    files: Files,
    start: Start,
    over: CancellationToken,
) {
    // Fired however this ends: `Folder::stop` waits for it.
    let _over = over.drop_guard();
    let RunHandle { run, cancel, mut events, mut end, notices } = handle;
    show_warnings(&folder, notices);
    let Folder { client, capabilities, .. } = &*folder;
    let mut progress = Progress::create(client, capabilities.progress, &run, files.phases.clone());
    let mut feed = PhaseFeed::new(client, &folder.path, capabilities.phase, capabilities.gate);
    let mut notices = SaveNotices::default();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ended = loop {
        tokio::select! {
            Some(event) = events.recv() => {
                let mut happened = vec![event];
                happened.extend(std::iter::from_fn(|| events.try_recv().ok()));
                feed.forward(&happened);
                show_events(&folder, &happened, &mut progress, &mut notices, &files).await;
            }
            Some(event) = gates.recv() => feed.gate(event),
            ended = &mut end => break ended,
            () = progress.accepted() => {}
            _ = ticks.tick() => {
                if progress.is_running() {
                    progress.repeat();
                }
            }
            () = client.gone(), if !cancel.is_cancelled() => cancel.cancel(),
        }
    };
    let last: Vec<PhaseEvent> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    feed.forward(&last);
    if !last.is_empty() {
        progress.report(&last);
    }
    folder.refresh_from(&files).await;
    // Before the end is reported, which may cause the next start.
    *folder.current.lock().await = None;
    let is_base_review = matches!(start.goal, Goal::ReviewAgainst { .. });
    let ended = run_outcome(ended, ways_on(&folder, is_base_review).await);
    feed.end(&run, &ended);
    progress.end(&ended.message).await;
    if let Some(question) = outcome::report(&folder, ended, start.resumed()) {
        ask(&folder, question);
    }
}

/// Show what becomes of the commands that the user's `notify` runs, also after the end of the run, and what is said of sinks, which
/// the next event of the run would take out of the progress at once.
fn show_warnings(folder: &Arc<Folder>, notices: Notices) {
    let client = folder.client.clone();
    let Notices { mut warnings, mut of_sinks, .. } = notices;
    tokio::spawn(async move {
        loop {
            let warning = tokio::select! {
                Some(warning) = warnings.recv() => warning,
                Some(warning) = of_sinks.recv() => warning,
                else => break,
            };
            window::show_message(&client, MessageType::WARNING, format!("Baton: {warning}"));
        }
    });
}

/// What can be done now that a run has ended.
async fn ways_on(folder: &Arc<Folder>, is_base_review: bool) -> Vec<WayOn> {
    let of = folder.clone();
    let status = folder.with_files(move |files| Ok(of.status(files)?.map(|(status, _)| status)));
    match status.await {
        Ok(Some(status)) if is_base_review => status.ways_on_of_base_review(),
        Ok(status) => status.map(|status| status.ways_on).unwrap_or_default(),
        Err(error) => {
            tracing::warn!(%error, "what can be done after the run is not known");
            Vec::new()
        }
    }
}

/// Ask what to do now, until it is answered or withdrawn, and start what the answer says.
fn ask(folder: &Arc<Folder>, question: Question) {
    let asked = folder.clone();
    folder.ask(async move {
        if let Some(next) = question.ask(&asked).await {
            outcome::show_error(&asked, start(&asked, next).await.map(drop));
        }
    });
}

/// Show what happened in a run: its progress, and what it changed of diagnostics and lenses.
async fn show_events(
    folder: &Folder,
    happened: &[PhaseEvent],
    progress: &mut Progress,
    notices: &mut SaveNotices,
    files: &Files,
) {
    let is = |phase, status| {
        move |event: &PhaseEvent| event.phase == phase && event.status == status && event.task.is_none()
    };
    if happened.iter().any(is(EventPhase::Phase(IMPLEMENT), EventStatus::Started)) {
        progress.expect_tasks(planned_tasks(files.clone()).await);
    }
    progress.report(happened);
    // Progress alone is soon overwritten by other tasks.
    for message in happened.iter().filter_map(|event| notices.message(event)) {
        if !folder.capabilities.outcome {
            window::show_message(&folder.client, MessageType::WARNING, message);
        }
    }
    // Issues appear when the phase that found them is done, and go to the history before a phase they ask for begins.
    let changes_issues =
        |event: &PhaseEvent| matches!(event.status, EventStatus::Started | EventStatus::Done) && event.task.is_none();
    if happened.iter().any(changes_issues) {
        folder.refresh_from(files).await;
    }
    // What can be done changes with the phases, at the gate, and with what a task has published.
    let changes_offers = |event: &PhaseEvent| {
        event.status == EventStatus::Done || event.status != EventStatus::Progress && event.task.is_none()
    };
    if happened.iter().any(changes_offers) {
        folder.refresh_offers(files).await;
    }
}

async fn planned_tasks(files: Files) -> usize {
    let tasks = blocking(move || {
        let plan = files.memory()?.map(|store| store.inspect()).transpose()?.and_then(|(memory, _)| memory.plan);
        Ok(plan.map_or(0, |plan| plan.plan.tasks.len()))
    });
    tasks.await.unwrap_or_default()
}

/// What a run is started with.
struct Opened {
    engine: Engine,
    request: Request,
    needs_workers: bool,
}

fn open_engine(path: &Path, files: Files, gate: EditorGate, editor: Editor, start: Start) -> Result<Opened, Refused> {
    let Start { goal, approval } = start;
    if goal.task().is_some_and(|task| task.trim().is_empty()) {
        return Err(Refused::EmptyTask);
    }
    if goal.task().is_none() && goal.begins_with_task() && task_file::is_needed(&files)? {
        let task = task_file::make(&files)?;
        return Err(Refused::NoTask(path.join(task)));
    }
    let Files { workspace, mut settings, table, .. } = files;
    if approval == Some(ApprovalMode::Ask) {
        settings.approval = ApprovalMode::Ask;
    }
    let request = Request { goal, auto_approve: approval == Some(ApprovalMode::Auto) };
    let engine = workflow::open(workspace, settings, &config::variable, Arc::new(gate), editor, table)?;
    let needs_workers = workers::are_needed(&engine, &request.goal)?;
    Ok(Opened { engine, request, needs_workers })
}

fn run_outcome(ended: Result<RunEnd, JoinError>, ways_on: Vec<WayOn>) -> RunOutcome {
    match ended {
        Ok(end) => RunOutcome { outcome: end.outcome, message: end.message, ways_on },
        Err(error) => RunOutcome {
            outcome: Outcome::Failed,
            message: format!("The run broke off: {error}. Start it again to go on; please report this."),
            ways_on,
        },
    }
}
