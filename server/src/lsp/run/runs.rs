//! The runs of a folder: started, watched to their end, stopped. One at a time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::MessageType;

use super::gate::{Asked, Asker};
use super::phase_feed::PhaseFeed;
use super::progress::Progress;
use super::way_out::{self, Ended};
use crate::config::{self, ApprovalMode};
use crate::lsp::files::lent;
use crate::lsp::files::refused::Refused;
use crate::lsp::files::task_file;
use crate::lsp::files::{Files, blocking, off_the_handler};
use crate::lsp::folder::Folder;
use crate::lsp::wire::to_proto;
use crate::lsp::wire::window;
use crate::workflow::{
    self, Editor, EventPhase, EventStatus, Goal, IMPLEMENT, Outcome, PhaseEvent, REVIEW, Request, RunEnd, RunHandle,
};

/// How long a run may take to stop when the editor leaves. It stops within a second; the rest is for a busy machine.
const STOPPING: Duration = Duration::from_secs(3);

/// How often the progress shows the time while nothing else happens.
const TICK: Duration = Duration::from_secs(5);

/// The run at work.
#[derive(Clone)]
pub(crate) struct Current {
    pub(crate) run: String,
    cancel: CancellationToken,
    /// Fired when everything about the run was said.
    over: CancellationToken,
}

/// What a run is to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Start {
    /// What the engine is asked for.
    pub(crate) goal: Goal,
    /// Who answers the gate of this run; the settings say it otherwise.
    pub(crate) approval: Option<ApprovalMode>,
}

impl Start {
    /// What goes on with a run that began so and did not come to its end.
    pub(crate) fn resumed(&self) -> Self {
        Self { goal: self.goal.resumed(), approval: self.approval }
    }
}

impl From<Goal> for Start {
    fn from(goal: Goal) -> Self {
        Self { goal, approval: None }
    }
}

impl Folder {
    /// The run at work.
    pub(crate) async fn at_work(&self) -> Option<String> {
        self.current.lock().await.as_ref().map(|current| current.run.clone())
    }

    /// Start a run and answer with its id.
    ///
    /// # Errors
    /// When one is at work, or none can begin; nothing was changed then.
    pub(crate) async fn start(self: &Arc<Self>, start: Start) -> Result<String, Refused> {
        let folder = self.clone();
        // A client may take the command back at any moment; a run that has begun is watched all the same.
        off_the_handler(async move { folder.begin(start).await }).await
    }

    async fn begin(self: Arc<Self>, start: Start) -> Result<String, Refused> {
        let mut current = self.current.lock().await;
        if let Some(current) = &*current {
            return Err(Refused::AtWork(current.run.clone()));
        }
        if start.goal.is_new() {
            self.allowed().clear();
        }
        let mut files = self.files().await?;
        self.allowed().add_to(&mut files.settings);
        let (asked, gates) = mpsc::unbounded_channel();
        let path = self.path.clone();
        let asker = Asker::new(&self, files.clone(), asked);
        let editor = lent::editor(&self.client, self.capabilities, &self.path);
        let (of_run, how) = (files.clone(), start.clone());
        let handle = blocking(move || start_run(&path, of_run, asker, editor, how)).await;
        if let Err(Refused::NoTask(task)) = &handle {
            let message = format!("Baton: write the task to {}, save it, and start again.", task.display());
            window::open_or_tell(&self.client, self.capabilities.show_document, task, None, message);
        }
        let handle = handle?;
        let run = handle.run.clone();
        let begun = Current { run: run.clone(), cancel: handle.cancel.clone(), over: CancellationToken::new() };
        *current = Some(begun.clone());
        drop(current);
        self.withdraw_offer();
        tokio::spawn(self.watch(handle, gates, files, start, begun.over));
        Ok(run)
    }

    /// Stop the run and answer with its id. Its end is told like every other.
    ///
    /// # Errors
    /// When none is at work.
    pub(crate) async fn cancel(&self) -> Result<String, Refused> {
        let current = self.current.lock().await;
        let current = current.as_ref().ok_or(Refused::NothingRuns)?;
        current.cancel.cancel();
        Ok(current.run.clone())
    }

    /// Stop the run if it is this one.
    pub(crate) async fn cancel_run(&self, run: &str) {
        if let Some(current) = self.current.lock().await.as_ref().filter(|current| current.run == run) {
            current.cancel.cancel();
        }
    }

    /// Stop the run, if there is one, and wait for its end. Nothing is asked any more.
    pub(crate) async fn stop(&self) {
        self.closing.cancel();
        self.withdraw_offer();
        let Some(current) = self.current.lock().await.clone() else { return };
        current.cancel.cancel();
        if tokio::time::timeout(STOPPING, current.over.cancelled()).await.is_err() {
            tracing::error!(run = current.run, "the run did not stop in time");
        }
    }

    /// Show a run until its end.
    async fn watch(
        self: Arc<Self>,
        handle: RunHandle,
        mut gates: mpsc::UnboundedReceiver<Asked>,
        files: Files,
        start: Start,
        over: CancellationToken,
    ) {
        // Fired however this ends: whoever stops the run waits for it.
        let _over = over.drop_guard();
        let RunHandle { run, cancel, mut events, mut end } = handle;
        let mut progress = Progress::create(&self.client, self.capabilities.progress, &run);
        let mut feed = PhaseFeed::new(&self.client, &self.path, self.capabilities.phase, self.capabilities.gate);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = loop {
            tokio::select! {
                Some(event) = events.recv() => {
                    let mut happened = vec![event];
                    happened.extend(std::iter::from_fn(|| events.try_recv().ok()));
                    feed.hear(&happened);
                    self.hear(&happened, &mut progress, &files).await;
                }
                Some(asked) = gates.recv() => feed.asked(asked),
                ended = &mut end => break ended,
                () = progress.accepted() => {}
                _ = ticks.tick() => {
                    if progress.is_running() {
                        progress.repeat();
                    }
                }
                () = self.client.gone(), if !cancel.is_cancelled() => cancel.cancel(),
            }
        };
        let last: Vec<PhaseEvent> = std::iter::from_fn(|| events.try_recv().ok()).collect();
        feed.hear(&last);
        if !last.is_empty() {
            progress.report(&last);
        }
        self.show_files(&files).await;
        // Whoever hears of the end may start the next run.
        *self.current.lock().await = None;
        let ended = ended_so(ended);
        feed.end(&run, ended.outcome, &ended.message);
        progress.end(&ended.message).await;
        way_out::tell(&self, ended, &start);
    }

    async fn hear(&self, happened: &[PhaseEvent], progress: &mut Progress, files: &Files) {
        let is = |phase, status| {
            move |event: &&PhaseEvent| event.phase == phase && event.status == status && event.task.is_none()
        };
        if happened.iter().find(is(EventPhase::Phase(IMPLEMENT), EventStatus::Started)).is_some() {
            progress.expect_tasks(planned_tasks(files.clone()).await);
        }
        progress.report(happened);
        for event in happened.iter().filter(|event| event.status == EventStatus::Waiting) {
            // A task that waits for a file to be saved; progress alone is soon written over by other tasks.
            if let Some(task) = &event.task {
                let message = format!("Baton: {task} is {}", to_proto::plain(&event.message, 1000));
                window::tell(&self.client, MessageType::WARNING, message);
            }
        }
        // A review appears when it is done, and goes to the history before a phase it asks for begins.
        let begun = |event: &PhaseEvent| event.status == EventStatus::Started && event.task.is_none();
        if happened.iter().any(begun) || happened.iter().find(is(EventPhase::Phase(REVIEW), EventStatus::Done)).is_some() {
            self.show_files(files).await;
        }
        // What can be done changes with the phases, and at the gate.
        if happened.iter().any(|event| event.status != EventStatus::Progress && event.task.is_none()) {
            self.lenses.look(files).await;
        }
    }
}

async fn planned_tasks(files: Files) -> usize {
    let tasks = blocking(move || {
        let plan = files.memory()?.map(|store| store.inspect()).transpose()?.and_then(|(memory, _)| memory.plan);
        Ok(plan.map_or(0, |plan| plan.plan.tasks.len()))
    });
    tasks.await.unwrap_or_default()
}

fn start_run(path: &Path, files: Files, asker: Asker, editor: Editor, start: Start) -> Result<RunHandle, Refused> {
    let Start { goal, approval } = start;
    if goal.task().is_some_and(|task| task.trim().is_empty()) {
        return Err(Refused::EmptyTask);
    }
    if goal.task().is_none() && goal.begins_with_task() && task_file::is_wanted(&files)? {
        let task = task_file::make(&files)?;
        return Err(Refused::NoTask(path.join(task)));
    }
    let Files { workspace, mut settings } = files;
    if approval == Some(ApprovalMode::Ask) {
        settings.approval = ApprovalMode::Ask;
    }
    let request = Request { goal, auto_approve: approval == Some(ApprovalMode::Auto) };
    let engine = workflow::open(workspace, settings, &config::variable, Arc::new(asker), editor)?;
    Ok(workflow::start(engine, request)?)
}

fn ended_so(ended: Result<RunEnd, JoinError>) -> Ended {
    match ended {
        Ok(end) => Ended { outcome: end.outcome, message: end.message, error: end.error.map(|error| error.kind) },
        Err(error) => Ended {
            outcome: Outcome::Failed,
            message: format!("The run broke off: {error}. Start it again to go on; please report this."),
            error: None,
        },
    }
}
