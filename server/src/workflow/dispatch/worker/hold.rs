//! Holds one conversation: the tree in place, the agent with its tools, and every turn in the log before it counts.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::checks::ChecksHere;
use super::machine::Worker;
use super::session::{Session, Stopped, lock};
use super::tree::{TreeFault, put_in_place};
use crate::agents::{Activity, AgentError, Budget, PortableError, RunContext, ask_once, converse};
use crate::bus::{BrokerFault, JobLog, Signals};
use crate::contracts::RepoPath;
use crate::contracts::Usage;
use crate::memory::{Tells, Told, Transcript, TranscriptLine};
use crate::models::TurnProgress;
use crate::tools::{CheckRunner, Toolbox};
use crate::workflow::dispatch::job::{Entry, Job, ReturnedFile, Signal, Work};
use crate::workflow::dispatch::log_state::LogState;
use crate::workspace::{JobFolder, Returned, TakeOver, Workspace};

/// How often at least the coordinator is told that this worker is at work, and how often at most what its agent does.
const WORKING: Duration = Duration::from_secs(5);
const DOING: Duration = Duration::from_millis(200);
/// When a job is offered again that this machine could not do.
const LATER: Duration = Duration::from_secs(5);
/// The same, of one that a machine of another kind may be able to do, once it has time.
const MUCH_LATER: Duration = Duration::from_secs(15);

/// What becomes of the job in the queue.
pub(super) enum Settled {
    /// It is out of the queue.
    Done,
    /// Somebody is to take it after this time.
    GivenBack(Duration),
    /// It comes again by itself, or is gone.
    Left,
}

/// Hold the conversation of a job that this worker has claimed. Answers with what becomes of the job, and how it ended, for people.
pub(super) async fn hold(
    worker: &Arc<Worker>,
    job: &Job,
    log: JobLog,
    state: LogState,
    claim: u64,
    ending: CancellationToken,
) -> (Settled, String) {
    let began = Instant::now();
    let prepared = prepare(worker, job, log.clone(), state, claim, &ending).await;
    let Prepared { session, work, context, toolbox, _folder } = match prepared {
        Ok(prepared) => prepared,
        Err(NotPrepared { log, state, fault }) => {
            if matches!(fault, Unprepared::Here(_)) {
                worker.is_unfit();
            }
            let words = fault.words();
            let (entry, settled) = fault.entry(claim);
            let appended = match serde_json::to_vec(&entry) {
                Ok(body) => log.append(state.last, &body).await.is_ok(),
                Err(_) => false,
            };
            // Where nobody was told, it comes again by itself.
            return (if appended { settled } else { Settled::Left }, words);
        }
    };
    let session = Arc::new(session);
    let following = tokio::spawn({
        let session = Arc::clone(&session);
        async move { session.follow().await }
    });
    // Before the coordinator is asked for leave: an answer that nobody hears is waited for.
    let signals = worker.broker.signals(&job.workflow, &job.job).await.ok();
    let talking = tokio::spawn(talk(Arc::clone(worker), job.clone(), Arc::clone(&session), signals));
    let ended = converse_here(worker, job, &work, context, toolbox, &session).await;
    let end = settle(worker, &session, ended).await;
    session.stop.cancel();
    following.abort();
    talking.abort();
    let took = crate::text::took(began.elapsed());
    (end.0, format!("{} after {took}", end.1))
}

/// A conversation that can begin.
struct Prepared {
    session: Session,
    work: Work,
    context: RunContext,
    toolbox: Toolbox,
    /// Removed with this.
    _folder: Arc<JobFolder>,
}

struct NotPrepared {
    log: JobLog,
    state: LogState,
    fault: Unprepared,
}

/// Why a conversation cannot begin.
enum Unprepared {
    /// This machine cannot hold it; another one may.
    Here(String),
    /// No machine of this kind can.
    Nowhere(String),
    /// What it needs is not at the broker, or is not what was sent.
    Lost(BrokerFault),
    /// The broker does not say for now.
    Broker(BrokerFault),
    /// A file of the task is no longer what its edits were made of.
    Changed(RepoPath),
}

impl Unprepared {
    fn words(&self) -> String {
        match self {
            Self::Here(why) | Self::Nowhere(why) => format!("given back: {why}"),
            Self::Lost(fault) | Self::Broker(fault) => format!("given back: {}", not_had(fault)),
            Self::Changed(path) => format!("ended: {path} is not what the task's edits were made of"),
        }
    }

    /// What is told to the coordinator, and what becomes of the job then.
    fn entry(self, claim: u64) -> (Entry, Settled) {
        let given_back = |why, tree_is_lost| Entry::GivenBack { claim, why, tree_is_lost };
        match self {
            Self::Here(why) => (given_back(why, false), Settled::GivenBack(Duration::ZERO)),
            Self::Nowhere(why) => (given_back(why, false), Settled::GivenBack(MUCH_LATER)),
            Self::Broker(fault) => (given_back(not_had(&fault), false), Settled::GivenBack(LATER)),
            // The coordinator offers it anew, with all that belongs to it.
            Self::Lost(fault) => (given_back(not_had(&fault), true), Settled::Done),
            Self::Changed(path) => {
                (Entry::Ended { claim, error: PortableError::Changed { path: path.to_string() } }, Settled::Done)
            }
        }
    }
}

fn not_had(fault: &BrokerFault) -> String {
    format!("its files cannot be had: {fault}")
}

impl From<BrokerFault> for Unprepared {
    fn from(fault: BrokerFault) -> Self {
        match fault {
            BrokerFault::Lost { .. } | BrokerFault::Unsealed { .. } => Self::Lost(fault),
            fault => Self::Broker(fault),
        }
    }
}

impl From<TreeFault> for Unprepared {
    fn from(fault: TreeFault) -> Self {
        match fault {
            TreeFault::Broker(fault) => fault.into(),
            TreeFault::Here(why) => Self::Here(why),
            TreeFault::Nowhere(why) => Self::Nowhere(why),
        }
    }
}

async fn prepare(
    worker: &Arc<Worker>,
    job: &Job,
    log: JobLog,
    mut state: LogState,
    claim: u64,
    ending: &CancellationToken,
) -> Result<Prepared, NotPrepared> {
    let here = Unprepared::Here;
    let Some(work) = state.work.take() else {
        return Err(NotPrepared { log, state, fault: here("its log is not there".to_owned()) });
    };
    let folder = match worker.folder() {
        Ok(folder) => Arc::new(folder),
        Err(error) => {
            return Err(NotPrepared { log, state, fault: here(format!("no folder for it can be made: {error}")) });
        }
    };
    let workspace = match put_in_place(&worker.broker, job.tree.as_deref(), &folder, &worker.blobs).await {
        Ok(workspace) => workspace,
        Err(fault) => return Err(NotPrepared { log, state, fault: fault.into() }),
    };
    let stop = CancellationToken::new();
    let tried: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
    let toolbox = toolbox(worker, &work, &workspace, &folder, &stop, &tried);
    if let Err(fault) = as_it_was(worker, &work, &toolbox).await {
        return Err(NotPrepared { log, state, fault });
    }
    let context = match context(worker, job, &work, &state, &folder, &stop) {
        Ok(context) => context,
        Err(error) => {
            return Err(NotPrepared { log, state, fault: here(format!("its journal cannot be opened: {error}")) });
        }
    };
    let about = (work.brief.agent.clone(), Arc::clone(&context.tells));
    let session = Session::new(
        (worker.broker.clone(), job.workflow.clone(), job.job.clone()),
        log,
        claim,
        state,
        (stop, ending.clone()),
        about,
        toolbox.clone(),
        Arc::clone(&tried),
    );
    session.tell_all();
    Ok(Prepared { session, work, context, toolbox, _folder: folder })
}

fn toolbox(
    worker: &Arc<Worker>,
    work: &Work,
    workspace: &Workspace,
    folder: &Arc<JobFolder>,
    stop: &CancellationToken,
    tried: &Arc<Mutex<Vec<(String, bool)>>>,
) -> Toolbox {
    let (checks, most) = work.brief.tools.checks();
    let runner = (!checks.is_empty()).then(|| -> Arc<dyn CheckRunner> {
        Arc::new(ChecksHere {
            workspace: workspace.clone(),
            wish: worker.sandbox,
            sandbox: OnceCell::new(),
            checks: checks.to_vec(),
            most,
            used: AtomicU32::new(0),
            tried: Arc::clone(tried),
            slots: Arc::clone(&worker.check_slots),
            cancel: stop.clone(),
            folder: Arc::clone(folder),
            runtime: Handle::current(),
        })
    });
    work.brief.tools.toolbox(workspace.clone(), work.memory_dir.clone(), runner)
}

/// Have the agent's work be as it was when the conversation began.
async fn as_it_was(worker: &Worker, work: &Work, toolbox: &Toolbox) -> Result<(), Unprepared> {
    let Some(staging) = toolbox.shared_staging() else { return Ok(()) };
    let mut returned = Vec::new();
    for ReturnedFile { path, base, after, moved_from } in work.edits.clone() {
        let after = match after {
            Some(name) => Some(worker.broker.file(&name).await?),
            None => None,
        };
        returned.push(Returned { path, base, after, moved_from });
    }
    let mut staging = lock(&staging);
    staging.take_over_all(returned).map_err(|error| match error {
        TakeOver::Changed(path) => Unprepared::Changed(path),
        error => Unprepared::Nowhere(error.to_string()),
    })?;
    for path in &work.read {
        // What is gone meanwhile is not counted as read: the agent finds out when it wants to edit it.
        let _ = staging.read(path);
    }
    Ok(())
}

fn context(
    worker: &Worker,
    job: &Job,
    work: &Work,
    state: &LogState,
    folder: &JobFolder,
    stop: &CancellationToken,
) -> std::io::Result<RunContext> {
    let dir = folder.dir()?;
    let lines = work.recorded.iter().chain(state.lines.iter().map(|(_, line)| line)).cloned();
    // What was spent of this attempt's part before this worker took it over.
    let spent: Vec<Usage> =
        state.lines.iter().skip(state.lines_before).filter_map(|(_, line)| usage_of(line)).collect();
    let budget = Budget::new(job.budget, &spent, Arc::clone(&worker.models.catalog));
    let tells = Tells::elsewhere(&dir, &work.run)?;
    for (id, text) in &state.told {
        tells.add(&work.brief.agent, Told { id: id.clone(), text: text.clone() });
    }
    Ok(RunContext {
        run: work.run.clone(),
        transcript: Arc::new(Transcript::elsewhere(&dir, lines)?),
        tells: Arc::new(tells),
        budget: Arc::new(budget),
        cancel: stop.clone(),
        relay: None,
    })
}

fn usage_of(line: &TranscriptLine) -> Option<Usage> {
    match line {
        TranscriptLine::Turn { turn, .. } => Some(turn.response.usage),
        TranscriptLine::Lost { usage, .. } => Some(*usage),
        TranscriptLine::Closed { .. } => None,
    }
}

async fn converse_here(
    worker: &Arc<Worker>,
    job: &Job,
    work: &Work,
    context: RunContext,
    toolbox: Toolbox,
    session: &Arc<Session>,
) -> Result<(), AgentError> {
    let context = RunContext { relay: Some(Arc::clone(session) as _), ..context };
    let model = Arc::clone(worker.models.for_tier(work.brief.tier));
    let brief = work.brief.clone().brief(model, toolbox);
    let (doing, mut done) = tokio::sync::mpsc::unbounded_channel::<Activity>();
    let report = |activity: Activity| drop(doing.send(activity));
    let sending = async {
        let mut last = Instant::now().checked_sub(DOING);
        while let Some(activity) = done.recv().await {
            // Of what comes all the time, now and then is enough.
            let is_frequent =
                matches!(&activity, Activity::Model(TurnProgress::Output { .. } | TurnProgress::Unanswered { .. }));
            if is_frequent && last.is_some_and(|last| last.elapsed() < DOING) {
                continue;
            }
            last = Some(Instant::now());
            let signal = Signal::Doing { claim: session.claim(), activity: Box::new(activity) };
            if let Ok(body) = serde_json::to_vec(&signal) {
                worker.broker.signal(&job.workflow, &job.job, &body).await;
            }
        }
        std::future::pending::<()>().await;
    };
    let judge: &dyn crate::agents::Judge<()> = session.as_ref();
    let conversing = async {
        match work.is_asked_once {
            true => ask_once(&context, &brief, judge, &report).await,
            false => converse(&context, &brief, judge, &report).await,
        }
    };
    tokio::select! {
        ended = conversing => ended,
        () = sending => Err(AgentError::Cancelled),
        // Whatever it is in the middle of is not acted on.
        () = session.stop.cancelled() => Err(AgentError::Cancelled),
    }
}

/// What becomes of the job.
async fn settle(worker: &Worker, session: &Session, ended: Result<(), AgentError>) -> (Settled, String) {
    let error = match ended {
        Ok(()) => {
            worker.is_fit();
            return (Settled::Done, "done".to_owned());
        }
        Err(error) => error,
    };
    let give_back = async |why: String, after: Duration| {
        let entry = Entry::GivenBack { claim: session.claim(), why: why.clone(), tree_is_lost: false };
        let _ = session.append_last(entry).await;
        (Settled::GivenBack(after), format!("given back: {why}"))
    };
    match session.stopped() {
        Some(Stopped::Cancelled) => return (Settled::Done, "cancelled by its coordinator".to_owned()),
        // What another delivery of this very job has is not to leave the queue.
        Some(Stopped::Late) => return (Settled::Left, "given up: it is over, or another worker has it".to_owned()),
        Some(Stopped::Lost) => return (Settled::Left, "given up: the broker has lost its log".to_owned()),
        Some(Stopped::Failed(why)) => return (Settled::GivenBack(LATER), format!("given back: {why}")),
        Some(Stopped::Orphaned) => {
            let why = "its coordinator does not answer".to_owned();
            let entry = Entry::GivenBack { claim: session.claim(), why, tree_is_lost: false };
            let _ = session.append_last(entry).await;
            return (
                Settled::Done,
                "put aside: its coordinator does not answer; it takes the work up when it resumes".to_owned(),
            );
        }
        Some(Stopped::Ending) => {
            return give_back("the worker ends".to_owned(), Duration::ZERO).await;
        }
        None => {}
    }
    let words = error.to_string();
    match PortableError::try_from(error) {
        Ok(error) => {
            let entry = Entry::Ended { claim: session.claim(), error };
            match session.append(entry).await {
                Ok(_) => (Settled::Done, format!("ended: {words}")),
                Err(_) => (Settled::Left, format!("ended, and nobody could be told: {words}")),
            }
        }
        Err(error) => {
            worker.is_unfit();
            give_back(error.to_string(), Duration::ZERO).await
        }
    }
}

/// Say now and then that the worker is at work, and hear whether the coordinator is.
async fn talk(worker: Arc<Worker>, job: Job, session: Arc<Session>, mut signals: Option<Signals>) {
    // Several times before it is taken for lost.
    let often = WORKING.min(worker.times.ack_wait / 3);
    let working = async {
        loop {
            if let Ok(body) = serde_json::to_vec(&Signal::Working { claim: session.claim() }) {
                worker.broker.signal(&job.workflow, &job.job, &body).await;
            }
            tokio::time::sleep(often).await;
        }
    };
    let hearing = async {
        loop {
            if let Some(signals) = &mut signals {
                while let Some(body) = signals.next().await {
                    session.hear(&body);
                }
            }
            tokio::time::sleep(WORKING).await;
            signals = worker.broker.signals(&job.workflow, &job.job).await.ok();
        }
    };
    tokio::join!(working, hearing);
}
