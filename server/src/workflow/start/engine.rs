use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::beginning::{Beginning, Start};
use crate::agents::{Budget, Limits, RunContext};
use crate::config::{self, ModelChoice, Settings};
use crate::contracts::RepoPath;
use crate::memory::{Memory, MemoryError, Seal, SetAside, Store};
use crate::models::{self, ModelError, Models, Wanted};
use crate::workflow::changes::checkpoints::{self, Checkpoints, remove_old_runs};
use crate::workflow::changes::recover::recover;
use crate::workflow::decide::next::Policy;
use crate::workflow::decide::phase::{Phases, Table};
use crate::workflow::drive::steps::drive;
use crate::workflow::run::activity::task_agent;
use crate::workflow::run::editor::Editor;
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::{Bus, PhaseEvent};
use crate::workflow::run::goal::Request;
use crate::workflow::run::outcome::RunEnd;
use crate::workflow::run::prompts::Prompts;
use crate::workflow::run::question::Approver;
use crate::workflow::run::shared::Run;
use crate::workspace::Workspace;

/// Everything a run works with. Faces make one and [`start`] a run on it.
#[derive(Clone)]
pub struct Engine {
    /// The files.
    pub workspace: Workspace,
    /// The memory folder.
    pub store: Store,
    /// The settings in force.
    pub settings: Settings,
    /// The models, or why there are none: a run that needs none goes without.
    pub models: Result<Models, ModelError>,
    /// The phases.
    pub phases: Phases,
    /// The system prompts.
    pub prompts: Prompts,
    /// Asks a person.
    pub approver: Arc<dyn Approver>,
    /// What the editor lends, where there is one.
    pub editor: Editor,
}

/// Open a workspace's memory, its models and its prompts. `env` reads the environment; `editor` is what the editor
/// lends, [`Editor::default`] where there is none.
///
/// # Errors
/// When the memory folder or the user's prompts cannot be read. Missing models are no error yet.
pub fn open(
    workspace: Workspace,
    settings: Settings,
    env: &dyn Fn(&str) -> Option<String>,
    approver: Arc<dyn Approver>,
    editor: Editor,
    table: &Table,
) -> Result<Engine, StartError> {
    let phases = table.with(&settings.phases);
    let store = open_store(&workspace, &settings, &phases)?;
    let models = models(&settings, env, &editor);
    let prompts = load_prompts(&phases).map_err(StartError::Usage)?;
    Ok(Engine { workspace, store, settings, models, phases, prompts, approver, editor })
}

/// Open a workspace's memory folder, which is made by the first write, under the user's own key.
///
/// # Errors
/// When the folder is a link, or none of ours.
pub fn open_store(workspace: &Workspace, settings: &Settings, phases: &Phases) -> Result<Store, StartError> {
    let memory_dir =
        RepoPath::parse(&settings.memory_dir).map_err(|error| StartError::Usage(format!("memory_dir: {error}")))?;
    let kept = config::state_folder().map(|state| Seal::open(&state, workspace.root()));
    let seal = match kept {
        Some(Ok(seal)) => seal,
        unkept => {
            let why =
                unkept.and_then(Result::err).map_or_else(|| "no home folder".to_owned(), |error| error.to_string());
            tracing::warn!(why, "cannot keep a key of your own: approvals hold for this process only");
            Seal::ephemeral(workspace.root())
                .map_err(|error| StartError::Usage(format!("this system gives no random numbers: {error}")))?
        }
    };
    Ok(Store::open(workspace, &memory_dir, seal, phases.handoffs())?)
}

/// The models that serve a run, or why there are none. No network is used.
///
/// # Errors
/// When none is set up, or the settings name one that is not there.
pub fn models(
    settings: &Settings,
    env: &dyn Fn(&str) -> Option<String>,
    editor: &Editor,
) -> Result<Models, ModelError> {
    let ModelChoice { fast, balanced, powerful, provider } = settings.models.clone();
    let allow_http_hosts = settings.allow_http_hosts.clone();
    models::resolve(&Wanted { fast, balanced, powerful, provider, allow_http_hosts }, env, editor.models.as_ref())
}

/// The prompts, with the user's own in the place of the built-in ones.
pub(crate) fn load_prompts(phases: &Phases) -> Result<Prompts, String> {
    match config::user_folder() {
        Some(folder) => Prompts::load(phases, &folder),
        None => Ok(Prompts::built_in(phases)),
    }
}

/// A run under way.
pub struct RunHandle {
    /// Its id.
    pub run: String,
    /// Fire it to stop the run: within a second nothing more is sent, written or run.
    pub cancel: CancellationToken,
    /// Everything that happens in it, from the first event on.
    pub events: mpsc::UnboundedReceiver<PhaseEvent>,
    /// Its end.
    pub end: JoinHandle<RunEnd>,
}

/// Start a run. It goes on in the background, on the current tokio runtime, until its end.
///
/// # Errors
/// When it cannot begin; nothing was changed then.
#[expect(clippy::too_many_lines, reason = "the steps of a start in their order")]
pub fn start(engine: Engine, request: Request) -> Result<RunHandle, StartError> {
    let now = Timestamp::now();
    let Engine { workspace, store, settings, models, phases, prompts, approver, editor } = engine;
    let policy = policy(&settings, &phases);
    let Request { goal, auto_approve } = request;
    let begin =
        |memory: &Memory| Beginning::of(&goal, &Start { workspace: &workspace, store: &store, memory }, &policy, now);
    if !store.exists() {
        // What cannot begin leaves no folder behind.
        if begin(&Memory::default())?.needs_model {
            models.clone()?;
        }
    }
    let (lock, id) = store.lock(now)?;
    checkpoints::sweep(&store, &workspace);
    recover(&workspace, &store)?;
    let memory = match store.load_for_repair() {
        // Whoever starts over need not mend what is set aside.
        Err(MemoryError::Faulty(_)) if goal.resets() => Memory { begun: true, ..store.inspect()?.0 },
        loaded => loaded?,
    };
    let Beginning { steps, base, needs_model } = begin(&memory)?;
    if needs_model {
        models.clone()?;
    }
    for step in steps {
        step.take(&store, &workspace, &memory)?;
    }
    let (spent_before, dir) = match &base {
        Some(base) => (Vec::new(), store.begin_base_review(&id, &base.commit)?),
        None => (store.workflow_spending()?, store.begin_run(&id)?),
    };
    let settled = if base.is_some() { Vec::new() } else { settled(&phases, &memory) };
    for agent in settled {
        let closed = dir.transcript.close_left_open(now, &agent);
        closed.map_err(|source| store.file_error("write", "transcript.jsonl", source))?;
    }
    let cancel = CancellationToken::new();
    let log = dir.events;
    let bus = Bus::new(
        id.to_string(),
        Arc::new(move |event: &PhaseEvent| {
            if let Err(error) = log.append(event) {
                tracing::error!(%error, "cannot write events.jsonl");
            }
        }),
    );
    let events = bus.subscribe();
    let limits = Limits { usd: settings.budget_usd, tokens: settings.budget_tokens };
    let desk = RunContext {
        run: id.to_string(),
        transcript: Arc::new(dir.transcript),
        budget: Arc::new(Budget::new(limits, &spent_before)),
        cancel: cancel.clone(),
    };
    let run = Arc::new(Run {
        folder: dir.dir,
        workspace,
        store,
        settings,
        models,
        prompts,
        approver,
        editor,
        policy,
        desk,
        bus,
        checkpoints: Checkpoints::default(),
        goal,
        auto_approve,
    });
    let end = tokio::spawn(async move {
        let end = drive(&run, base.as_ref()).await;
        match remove_old_runs(&run.store, &run.workspace, run.settings.keep_runs) {
            Ok(cleaned) => {
                for (run, why) in cleaned.failed {
                    tracing::warn!(run, why, "an old run could not be removed");
                }
            }
            Err(error) => tracing::warn!(%error, "old runs could not be removed"),
        }
        drop(lock);
        end
    });
    Ok(RunHandle { run: id.to_string(), cancel, events, end })
}

/// The agents whose handoff stands, so that what led to it is not to be played again: a run can be killed after it
/// wrote a handoff and before it noted so.
fn settled(phases: &Phases, memory: &Memory) -> Vec<String> {
    let one_agent = phases.all().iter().filter(|phase| !phase.changes_files() && phase.is_written(memory));
    let results = memory.report.iter().flat_map(|report| &report.results);
    let tasks = results.map(|result| task_agent(&result.task_id));
    one_agent.map(|phase| phase.name().to_string()).chain(tasks).collect()
}

/// Move the workflow at hand to history; the files of the workspace stay, and what a killed run was publishing is
/// finished first. Answers with the entry's path below the memory folder, or `None` when there was nothing to move.
///
/// # Errors
/// When a run is at work, or files cannot be moved.
pub fn reset(workspace: &Workspace, store: &Store) -> Result<Option<String>, StartError> {
    // Held while the files move, so that no run begins on half of them.
    let (lock, _) = store.lock(Timestamp::now())?;
    recover(workspace, store)?;
    let moved = store.set_workflow_aside(SetAside::Reset)?;
    drop(lock);
    Ok(moved)
}

/// The part of the settings that decides what comes next.
pub fn policy(settings: &Settings, phases: &Phases) -> Policy {
    let staleness = (settings.context_staleness_hours * 3600.0).clamp(0.0, 1e12);
    Policy {
        phases: phases.clone(),
        context_staleness: SignedDuration::from_secs(staleness as i64),
        max_review_cycles: settings.max_review_cycles,
    }
}
