use std::sync::Arc;

use etcetera::BaseStrategy;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::approval::{NO_PLAN, check_subset};
use super::checkpoints::{self, Checkpoints, remove_old_runs};
use super::drive::drive;
use super::editor::Editor;
use super::error::StartError;
use super::events::{Bus, PhaseEvent};
use super::gate::Approver;
use super::next::{FixScope, Next, Policy, next_phase};
use super::outcome::RunEnd;
use super::activity::task_agent;
use super::phase::{IMPLEMENT, Phases, Table};
use super::prompts::Prompts;
use super::recover::recover;
use super::run::Run;
use super::{base_review, issues, rounds};
use crate::agents::{Budget, Desk, Limits};
use crate::config::{ModelChoice, Settings};
use crate::contracts::{
    Approval, ContextOutput, Handoff, ImplReport, MAX_TEXT_BYTES, PlanOutput, RepoPath, ReviewOutput, Round,
};
use crate::memory::{Memory, MemoryError, Seal, SetAside, Store, is_same_task, tidied};
use crate::models::{self, ModelError, Models, Wanted};
use crate::workspace::{Base, Workspace};

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
    let state = etcetera::choose_base_strategy().ok().and_then(|base| base.state_dir());
    let kept = state.map(|state| Seal::open(&state.join("baton"), workspace.root()));
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
pub(super) fn load_prompts(phases: &Phases) -> Result<Prompts, String> {
    match etcetera::choose_base_strategy() {
        Ok(base) => Prompts::load(phases, &base.config_dir().join("baton")),
        Err(_) => Ok(Prompts::built_in(phases)),
    }
}

/// What a run is asked to do.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The task in the user's words; without one the workflow at hand goes on.
    pub task: Option<String>,
    /// Only this phase, even if its output exists.
    pub phase: Option<PhaseName>,
    /// Implement only these tasks; with the implement phase they are done again, and the others' results stay.
    pub only: Option<Vec<String>>,
    /// Plan again, answering to these words.
    pub feedback: Option<String>,
    /// Fix exactly these issues of the review, by id, in a round of their own, and end with its review: also when the
    /// workflow is finished or waits for a person.
    pub fix: Option<Vec<String>>,
    /// Review the working tree against this commit, with no plan and no edits. Refused while a workflow is unfinished.
    pub base: Option<String>,
    /// Set the workflow at hand aside first.
    pub reset: bool,
    /// Answer every gate of this run with yes, except for plans with protected files.
    pub auto_approve: bool,
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
pub fn start(engine: Engine, request: Request) -> Result<RunHandle, StartError> {
    let now = Timestamp::now();
    let Engine { workspace, store, settings, models, phases, prompts, approver, editor } = engine;
    let policy = policy(&settings, &phases);
    let asked = |memory: &Memory| asked(&workspace, &store, memory, &request, &policy, now);
    if !store.exists() {
        // What cannot begin leaves no folder behind.
        let (_, beginning) = asked(&Memory::default())?;
        if beginning.needs_model {
            models.clone()?;
        }
    }
    let (lock, id) = store.lock(now)?;
    checkpoints::sweep(&store, &workspace);
    recover(&workspace, &store)?;
    let memory = match store.load_for_repair() {
        // Whoever starts over need not mend what is set aside.
        Err(MemoryError::Faulty(_)) if request.reset => Memory { begun: true, ..store.inspect()?.0 },
        loaded => loaded?,
    };
    if let (Some(faulty), Some(_)) = (&memory.faulty_plan, &request.fix) {
        return Err(MemoryError::Faulty(vec![faulty.faults.clone()]).into());
    }
    let (base, beginning) = asked(&memory)?;
    if beginning.needs_model {
        models.clone()?;
    }
    beginning.apply(&store, &workspace, &memory)?;
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
    let desk = Desk {
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
        phase: request.phase,
        auto_approve: request.auto_approve,
        only: request.only,
        fix: request.fix,
        base,
    });
    let end = tokio::spawn(async move {
        let end = drive(&run).await;
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

/// What a run begins with, or why it cannot begin as asked.
fn asked(
    workspace: &Workspace,
    store: &Store,
    memory: &Memory,
    request: &Request,
    policy: &Policy,
    now: Timestamp,
) -> Result<(Option<Base>, Beginning), StartError> {
    let base = request.base.as_deref();
    let base = base.map(|base| base_review::begin(workspace, memory, request, policy, base)).transpose()?;
    let beginning = match (&base, &request.fix) {
        (Some(_), _) => Beginning::plain(),
        (None, Some(ids)) => Beginning::fix(memory, issues::chosen(store, memory, request, ids)?),
        (None, None) => beginning(memory, request, policy, now)?,
    };
    Ok((base, beginning))
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

/// What is done to the memory folder before the first step.
struct Beginning {
    whole: Option<SetAside>,
    files: Vec<&'static str>,
    task: Option<String>,
    feedback: Option<String>,
    /// Tasks to be done again, among others whose results stay.
    again: Option<Vec<String>>,
    /// Of the approved tasks, those to be done.
    only: Option<Vec<String>>,
    /// The round for the issues that were chosen.
    fix: Option<FixScope>,
    needs_model: bool,
}

impl Beginning {
    /// A run that changes nothing of the memory folder, and needs a model.
    fn plain() -> Self {
        Self {
            whole: None,
            files: Vec::new(),
            task: None,
            feedback: None,
            again: None,
            only: None,
            fix: None,
            needs_model: true,
        }
    }

    /// A round for chosen issues. Where a plan was rejected they are a new question, and the gate opens again.
    fn fix(memory: &Memory, scope: Option<FixScope>) -> Self {
        Self { files: if memory.is_rejected() { &[Approval::FILE] } else { &[] }, fix: scope, ..Self::plain() }
    }

    fn apply(self, store: &Store, workspace: &Workspace, memory: &Memory) -> Result<(), StartError> {
        if let Some(why) = self.whole {
            store.set_workflow_aside(why)?;
        }
        if let Some(feedback) = self.feedback {
            store.revise_plan(&feedback)?;
        }
        if let Some(again) = self.again {
            rounds::do_again(store, memory, &again)?;
        }
        if let Some(only) = self.only {
            rounds::do_only(store, memory, &only)?;
        }
        if let Some(scope) = self.fix {
            rounds::begin_fix(store, workspace, memory, &scope)?;
        }
        store.set_aside(SetAside::Phase, &self.files)?;
        if let Some(task) = self.task {
            store.write_task(&task)?;
        }
        Ok(())
    }
}

fn beginning(memory: &Memory, request: &Request, policy: &Policy, now: Timestamp) -> Result<Beginning, StartError> {
    let usage = |message: &str| Err(StartError::Usage(message.to_owned()));
    let asked = request.task.as_deref().map(tidied);
    match asked.as_deref() {
        Some("") => {
            return usage("the task is empty; say what is to be done, for example --task \"Add a --json flag\"");
        }
        Some(task) if task.len() as u64 > MAX_TEXT_BYTES => {
            return usage(&format!(
                "the task has {} bytes, and may have {MAX_TEXT_BYTES}; put what is long into files and name them: agents \
                 read files",
                task.len()
            ));
        }
        _ => {}
    }
    let asked = asked.as_deref();
    let unfinished = memory.is_begun();
    let next = next_phase(memory, policy, now);
    let finished = matches!(next, Next::Merged | Next::Rejected);
    let other = asked.is_some_and(|asked| memory.task.as_deref().is_none_or(|task| !is_same_task(asked, task)));
    let mut beginning = Beginning::plain();
    // A review against a commit is no part of what begins now.
    let has_other_review = memory.review.as_ref().is_some_and(|review| review.is_of_base()) && !unfinished;

    if request.reset {
        if asked.or(memory.task.as_deref()).is_none() {
            return usage("there is no task; say what is to be done with --task");
        }
        beginning.whole = Some(SetAside::Reset);
        beginning.task = asked.map(str::to_owned).or_else(|| memory.task.clone());
    } else if asked.is_some() && finished && request.phase.is_none() {
        beginning.whole = Some(SetAside::Finished);
        beginning.task = asked.map(str::to_owned);
    } else if other && unfinished && memory.task.is_some() {
        return Err(StartError::Usage(format!(
            "another task is unfinished here: {:?}. Go on with it by `baton run`, or set it aside with --reset",
            memory.task.as_deref().map(shortened).unwrap_or_default()
        )));
    } else if other {
        // A task somebody wrote by hand and never started is kept all the same.
        beginning.whole = (!unfinished && (memory.task.is_some() || has_other_review)).then_some(SetAside::Reset);
        beginning.task = asked.map(str::to_owned);
    } else if has_other_review && memory.task.is_some() {
        beginning.whole = Some(SetAside::Reset);
        beginning.task = memory.task.clone();
    }
    if let Some(only) = &request.only
        && let Some(plan) = memory.plan.as_ref().filter(|_| beginning.whole.is_none())
    {
        check_subset(&plan.plan, Some(only), &memory.done_tasks()).map_err(StartError::Usage)?;
        beginning.only = (request.phase.is_none() && request.feedback.is_none()).then(|| only.clone());
    }
    if let Some(feedback) = &request.feedback {
        if !memory.has_plan() {
            return usage(NO_PLAN);
        }
        beginning.feedback = Some(tidied(feedback));
    } else if let (Some(IMPLEMENT), Some(only), Some(_)) = (request.phase, &request.only, &memory.plan) {
        beginning.again = Some(only.clone());
    } else if let Some(phase) = request.phase {
        let fresh = beginning.whole.is_some();
        let needs_plan = policy.phases.after_plan().iter().any(|row| row.name() == phase);
        if let (Some(faulty), false, true) = (&memory.faulty_plan, fresh, needs_plan) {
            return Err(MemoryError::Faulty(vec![faulty.faults.clone()]).into());
        }
        beginning.files = named(&policy.phases, phase, memory, fresh, beginning.task.as_ref())?;
    } else if beginning.task.is_none() {
        if next == Next::NeedTask {
            return usage(
                "there is no task; say what is to be done with --task, or write it to task.md in the memory folder",
            );
        }
        beginning.needs_model = !finished && !matches!(next, Next::Escalated { .. } | Next::Gate);
    }
    Ok(beginning)
}

/// What a phase asked for by name sets aside: its own output and the later ones'. `fresh` is a workflow that begins, of
/// which there is the task alone.
fn named(
    phases: &Phases,
    name: PhaseName,
    memory: &Memory,
    fresh: bool,
    task: Option<&String>,
) -> Result<Vec<&'static str>, StartError> {
    let task = task.or(memory.task.as_ref()).cloned();
    let seen = if fresh { Memory { task, ..Memory::default() } } else { Memory { task, ..memory.clone() } };
    let lacking = match phases.get(name) {
        Some(phase) => phase.lacks(&seen),
        None => Some("a row in the table of phases"),
    };
    match lacking {
        Some(needs) => Err(StartError::Usage(format!("the {name} phase needs {needs}"))),
        None => Ok(phases.handoffs().from_phase(name)),
    }
}

fn shortened(task: &str) -> String {
    let line = task.lines().next().unwrap_or_default().trim_end();
    let cut: String = line.chars().take(80).collect();
    if cut.len() < task.trim().len() { format!("{cut}…") } else { cut }
}
