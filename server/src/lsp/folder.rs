//! One workspace folder: its run, and what the editor is shown of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tower_lsp::lsp_types::notification::{PublishDiagnostics, ShowMessage};
use tower_lsp::lsp_types::{PublishDiagnosticsParams, ShowMessageParams};

use super::capabilities::Capabilities;
use super::client::Client;
use super::commands::WorkflowArguments;
use super::diagnostics::{self, Diagnostics, Place};
use super::gate::Asker;
use super::progress::Progress;
use super::to_proto;
use crate::config::{self, ApprovalMode, ConfigErrors, Overrides, Settings};
use crate::contracts::RepoPath;
use crate::memory::{MemoryError, Store};
use crate::workflow::{self, EventPhase, EventStatus, Outcome, PhaseEvent, Request, RunEnd, RunHandle, StartError};
use crate::workspace::{Workspace, WorkspaceError};

/// How long a run may take to stop when the editor leaves. It stops within a second; the rest is for a busy machine.
const STOPPING: Duration = Duration::from_secs(3);

/// A folder that the client has open.
pub(super) struct Folder {
    path: PathBuf,
    client: Client,
    capabilities: Capabilities,
    /// Held while a run starts, so that there is never a second one.
    current: Mutex<Option<Current>>,
    /// What the client shows. Held while a review is read and published, so that the newest comes last.
    published: Mutex<Diagnostics>,
}

/// The run at work.
#[derive(Clone)]
struct Current {
    run: String,
    cancel: CancellationToken,
    /// Fired when everything about the run was said.
    over: CancellationToken,
}

/// Why a folder does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// A run is at work.
    #[error("run {0} is at work here; wait for its end, or stop it by baton.cancel")]
    AtWork(String),
    /// No run is at work.
    #[error("nothing runs here")]
    NothingRuns,
    /// The task has no words.
    #[error("the task is empty; say what is to be done, for example {{\"task\": \"Add a --json flag\"}}")]
    EmptyTask,
    /// There is no task at all.
    #[error("there is no task; give one, for example {{\"task\": \"Add a --json flag\"}}, or write it to {}", .0.display())]
    NoTask(PathBuf),
    /// The folder cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The settings are wrong.
    #[error(transparent)]
    Settings(#[from] ConfigErrors),
    /// The run cannot begin.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A part of this program failed.
    #[error("internal error: {0}; please report it")]
    Internal(String),
}

impl From<MemoryError> for Refused {
    fn from(error: MemoryError) -> Self {
        StartError::from(error).into()
    }
}

impl Folder {
    /// A folder by the path the client has for it.
    pub(super) fn new(path: PathBuf, client: Client, capabilities: Capabilities) -> Arc<Self> {
        let (current, published) = (Mutex::default(), Mutex::default());
        Arc::new(Self { path, client, capabilities, current, published })
    }

    /// The path the client has for it.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether a run is at work.
    pub(super) async fn is_at_work(&self) -> bool {
        self.current.lock().await.is_some()
    }

    /// Start a run and answer with its id.
    ///
    /// # Errors
    /// When one is at work, or none can begin; nothing was changed then.
    pub(super) async fn start(self: &Arc<Self>, arguments: WorkflowArguments) -> Result<String, Refused> {
        let folder = self.clone();
        // A client may take the command back at any moment; a run that has begun is watched all the same.
        off_the_handler(async move { folder.begin(arguments).await }).await
    }

    async fn begin(self: Arc<Self>, arguments: WorkflowArguments) -> Result<String, Refused> {
        let mut current = self.current.lock().await;
        if let Some(current) = &*current {
            return Err(Refused::AtWork(current.run.clone()));
        }
        let (path, asker) = (self.path.clone(), Asker::new(self.client.clone(), self.path.clone()));
        let (handle, view) = blocking(move || start_run(&path, asker, arguments)).await?;
        let run = handle.run.clone();
        let begun = Current { run: run.clone(), cancel: handle.cancel.clone(), over: CancellationToken::new() };
        *current = Some(begun.clone());
        drop(current);
        tokio::spawn(self.watch(handle, view, begun.over));
        Ok(run)
    }

    /// Where the workflow stands, from the files alone; null where there never was one.
    ///
    /// # Errors
    /// When the files cannot be read or break their contract.
    pub(super) async fn status(&self) -> Result<Value, Refused> {
        let path = self.path.clone();
        blocking(move || {
            let (workspace, settings) = open(&path)?;
            let Some(store) = memory(&workspace, &settings)? else { return Ok(Value::Null) };
            let status = workflow::status(&store, &settings, Timestamp::now())?;
            serde_json::to_value(status).map_err(|error| Refused::Internal(error.to_string()))
        })
        .await
    }

    /// Stop the run and answer with its id. Its end is told like every other.
    ///
    /// # Errors
    /// When none is at work.
    pub(super) async fn cancel(&self) -> Result<String, Refused> {
        let current = self.current.lock().await;
        let current = current.as_ref().ok_or(Refused::NothingRuns)?;
        current.cancel.cancel();
        Ok(current.run.clone())
    }

    /// Stop the run if it is this one.
    pub(super) async fn cancel_run(&self, run: &str) {
        if let Some(current) = self.current.lock().await.as_ref().filter(|current| current.run == run) {
            current.cancel.cancel();
        }
    }

    /// Stop the run, if there is one, and wait for its end.
    pub(super) async fn stop(&self) {
        let Some(current) = self.current.lock().await.clone() else { return };
        current.cancel.cancel();
        if tokio::time::timeout(STOPPING, current.over.cancelled()).await.is_err() {
            tracing::error!(run = current.run, "the run did not stop in time");
        }
    }

    /// The client closed the folder: stop its run and show nothing more of it.
    pub(super) async fn close(&self) {
        self.stop().await;
        self.publish(&mut *self.published.lock().await, Diagnostics::new());
    }

    /// Show the issues of the review that is there now, and no others.
    pub(super) async fn show_review(&self) {
        let path = self.path.clone();
        let opened = blocking(move || {
            let (workspace, settings) = open(&path)?;
            Ok(memory(&workspace, &settings)?.map(|store| View { workspace, store }))
        });
        match opened.await {
            Ok(Some(view)) => self.show(view).await,
            Ok(None) => {}
            // What starts a run says it again, where somebody has asked.
            Err(error) => tracing::warn!(%error, "no review is shown"),
        }
    }

    async fn show(&self, view: View) {
        let (folder, with_task) = (self.path.clone(), self.capabilities.related_information);
        let mut published = self.published.lock().await;
        let found = blocking(move || {
            // A faulty review has no lines to point at; the rest of the memory does not matter here.
            let (memory, _faults) = view.store.inspect()?;
            let place = Place { folder: &folder, with_task };
            Ok(diagnostics::of_review(&memory, &view.store, &view.workspace, place))
        });
        match found.await {
            Ok(found) => self.publish(&mut published, found),
            Err(error) => tracing::warn!(%error, "the review cannot be shown"),
        }
    }

    /// Send what differs from what the client shows.
    fn publish(&self, published: &mut Diagnostics, found: Diagnostics) {
        let cleared = published.keys().filter(|uri| !found.contains_key(uri)).map(|uri| (uri, Vec::new()));
        let changed = found.iter().filter(|(uri, diagnostics)| published.get(uri) != Some(diagnostics));
        for (uri, diagnostics) in cleared.chain(changed.map(|(uri, diagnostics)| (uri, diagnostics.clone()))) {
            let uri = uri.clone();
            self.client.notify::<PublishDiagnostics>(PublishDiagnosticsParams { uri, diagnostics, version: None });
        }
        *published = found;
    }

    /// Show a run until its end.
    async fn watch(self: Arc<Self>, handle: RunHandle, view: View, over: CancellationToken) {
        // Fired however this ends: whoever stops the run waits for it.
        let _over = over.drop_guard();
        let RunHandle { run, cancel, mut events, mut end } = handle;
        let mut progress = Progress::create(&self.client, self.capabilities.progress, &run);
        let ended = loop {
            tokio::select! {
                Some(event) = events.recv() => {
                    let mut happened = vec![event];
                    happened.extend(std::iter::from_fn(|| events.try_recv().ok()));
                    self.hear(&happened, &mut progress, &view).await;
                }
                ended = &mut end => break ended,
                () = progress.accepted() => {}
                () = self.client.gone(), if !cancel.is_cancelled() => cancel.cancel(),
            }
        };
        let last: Vec<PhaseEvent> = std::iter::from_fn(|| events.try_recv().ok()).collect();
        if !last.is_empty() {
            progress.report(&last);
        }
        self.show(view).await;
        // Whoever hears of the end may start the next run.
        *self.current.lock().await = None;
        let ShowMessageParams { typ, message } = last_message(ended.map_err(|error| error.to_string()));
        progress.end(&message).await;
        self.client.notify::<ShowMessage>(ShowMessageParams { typ, message });
    }

    async fn hear(&self, happened: &[PhaseEvent], progress: &mut Progress, view: &View) {
        let is = |phase, status| {
            move |event: &&PhaseEvent| event.phase == phase && event.status == status && event.task.is_none()
        };
        if happened.iter().find(is(EventPhase::Implement, EventStatus::Started)).is_some() {
            let store = view.store.clone();
            let tasks = blocking(move || Ok(store.inspect()?.0.plan.map_or(0, |plan| plan.plan.tasks.len()))).await;
            progress.expect_tasks(tasks.unwrap_or_default());
        }
        progress.report(happened);
        // A review appears when it is done, and goes to the history before a phase it asks for begins.
        let begun = |event: &PhaseEvent| event.status == EventStatus::Started && event.task.is_none();
        if happened.iter().any(begun) || happened.iter().find(is(EventPhase::Review, EventStatus::Done)).is_some() {
            self.show(view.clone()).await;
        }
    }
}

/// What the review is read from.
#[derive(Clone)]
struct View {
    workspace: Workspace,
    store: Store,
}

fn start_run(path: &Path, asker: Asker, arguments: WorkflowArguments) -> Result<(RunHandle, View), Refused> {
    let WorkflowArguments { task, reset, approval } = arguments;
    if task.as_deref().is_some_and(|task| task.trim().is_empty()) {
        return Err(Refused::EmptyTask);
    }
    let (workspace, mut settings) = open(path)?;
    if approval == Some(ApprovalMode::Ask) {
        settings.approval = ApprovalMode::Ask;
    }
    if task.is_none() && no_task(&workspace, &settings)? {
        return Err(Refused::NoTask(path.join(&settings.memory_dir).join("task.md")));
    }
    let env = |name: &str| std::env::var(name).ok();
    let engine = workflow::open(workspace.clone(), settings, &env, Arc::new(asker))?;
    let view = View { workspace, store: engine.store.clone() };
    let auto_approve = approval == Some(ApprovalMode::Auto);
    let request = Request { task, reset: reset.unwrap_or_default(), auto_approve, ..Request::default() };
    Ok((workflow::start(engine, request)?, view))
}

fn open(path: &Path) -> Result<(Workspace, Settings), Refused> {
    let workspace = Workspace::open(path)?;
    let loaded = config::load_from_disk(workspace.root(), config::environment(), Overrides::default())?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok((workspace, loaded.settings))
}

/// The memory folder, where there is one: to look at a folder leaves no trace in it.
fn memory(workspace: &Workspace, settings: &Settings) -> Result<Option<Store>, Refused> {
    let there = RepoPath::parse(&settings.memory_dir).is_ok_and(|path| workspace.is_folder(&path));
    if there { Ok(Some(workflow::open_store(workspace, settings)?)) } else { Ok(None) }
}

fn no_task(workspace: &Workspace, settings: &Settings) -> Result<bool, Refused> {
    let Some(store) = memory(workspace, settings)? else { return Ok(true) };
    Ok(store.inspect()?.0.task.is_none())
}

/// What is said at the end of a run.
fn last_message(ended: Result<RunEnd, String>) -> ShowMessageParams {
    let end = match ended {
        Ok(end) => end,
        Err(error) => {
            let message = format!("Baton: the run broke off: {error}. Start it again to go on; please report this.");
            return ShowMessageParams { typ: to_proto::message_type(Outcome::Failed), message };
        }
    };
    let mut message = format!("Baton: {}", to_proto::plain(&end.message, 1000));
    if end.outcome == Outcome::Waiting {
        message.push_str(" Then start the workflow again, and it goes on.");
    }
    ShowMessageParams { typ: to_proto::message_type(end.outcome), message }
}

/// Run what reads and writes files where it stalls nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refused> + Send + 'static) -> Result<T, Refused> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Refused::Internal(error.to_string())))
}

/// Run to the end whatever becomes of the handler that waits for it.
async fn off_the_handler<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refused>> + Send + 'static,
) -> Result<T, Refused> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|error| Err(Refused::Internal(error.to_string())))
}
