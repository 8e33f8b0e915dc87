//! One task, done by one agent: converse over a staging, then publish all or nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::assignment::Assignment;
use super::brief::{self, About};
use super::claims::{Claims, SharedStaging};
use super::escalation::{Submitted, escalation};
use super::own_files::{Beside, own_files};
use super::tries::TaskTries;
use super::unpublished;
use super::waiting::{TaskNews, Waiting};
use crate::agents::{Activity, AgentError, Brief, Opening};
use crate::contracts::{Attempt, ChangeType, Issue, RepoPath, Task, TaskResult, TaskStatus};
use crate::memory::PUBLISH;
use crate::models::{Model, Tier};
use crate::phases::attached;
use crate::phases::passage::named_lines;
use crate::phases::run_one::about as map_of;
use crate::phases::undone::{FOR_IMPLEMENTERS, undone};
use crate::tools::{CheckRunner, Toolbox};
use crate::workflow::{
    Changes, Conversation, EventStatus, IMPLEMENT, PhaseError, Run, hold, real_changes, report_activity, task_agent,
};
use crate::workspace::{self, FinishedTask, PublishError, Staging, Writable};

/// How a task ended. (What stops the whole phase is an error.)
pub(super) enum TaskEnd {
    /// The agent submitted. Its edits are published, if its task is completed or partly done.
    Submitted(TaskResult),
    /// The conversation failed; nothing was written.
    Failed {
        error: AgentError,
        /// What became of its edits, if there were any.
        kept_edits: String,
        /// The attempts, where there was more than one.
        attempts: Vec<Attempt>,
    },
}

/// Do a task: once, and once more on the new text when a file changed on disk meanwhile.
pub(super) async fn run_task(
    run: &Arc<Run>,
    assignment: Assignment,
    news: mpsc::UnboundedSender<TaskNews>,
) -> Result<TaskEnd, PhaseError> {
    let mut note = None;
    loop {
        assignment.plan_lock.check()?;
        let staging = empty_staging(run, &assignment)?;
        let first = attempt(run, &assignment, &By::first(&assignment, note.as_deref()), &news, &staging).await?;
        let (submitted, attempts) = match escalation(run, &assignment, first, &staging).await? {
            Err(first) => (first, Vec::new()),
            Ok(escalation) => {
                let by = By { model: &escalation.model, tier: escalation.tier, note: Some(&escalation.note) };
                let second = attempt(run, &assignment, &by, &news, &staging).await?;
                escalation.settle(run, &assignment, second, &staging)
            }
        };
        let result = match submitted {
            Ok(result) => TaskResult { attempts, ..result },
            Err(AgentError::Changed(files)) if note.is_none() => {
                note = Some(changed_meanwhile(&files));
                continue;
            }
            Err(AgentError::Changed(files)) => return Ok(TaskEnd::Submitted(blocked(&assignment.task, &files))),
            // With no model, money or memory no task can go on.
            Err(error) if !error.ends_conversation() => return Err(error.into()),
            Err(error) => {
                let kept_edits = unpublished::keep(run, &assignment.task.id, &staging);
                return Ok(TaskEnd::Failed { error, kept_edits, attempts });
            }
        };
        if result.status.has_failed() {
            let result = unpublished::with_kept_edits(run, with_refusals(result, &staging), &staging);
            return Ok(TaskEnd::Submitted(with_real_changes(run, &assignment.task, result)?));
        }
        match publish(run, &assignment, &result, &staging, &news).await? {
            Ok(()) => {
                return Ok(TaskEnd::Submitted(with_real_changes(
                    run,
                    &assignment.task,
                    with_refusals(result, &staging),
                )?));
            }
            Err(conflict) if note.is_none() => {
                note = Some(changed_meanwhile(&conflict));
            }
            Err(conflict) => {
                let result = blocked(&assignment.task, &conflict);
                return Ok(TaskEnd::Submitted(unpublished::with_kept_edits(run, result, &staging)));
            }
        }
    }
}

fn empty_staging(run: &Run, assignment: &Assignment) -> Result<SharedStaging, PhaseError> {
    let Assignment { task, writable, .. } = assignment;
    let writable = Writable { created: created(run, task, &writable.write)?, ..writable.clone() };
    let memory = run.store.path().clone();
    let staging = Staging::new(run.workspace.clone(), task.id.clone(), writable, memory);
    Ok(Arc::new(Mutex::new(staging.beside(assignment.git_folders.clone()))))
}

/// Those of the files that a task may write which it created itself, in an earlier round of the workflow.
fn created(run: &Run, task: &Task, write: &BTreeSet<RepoPath>) -> Result<BTreeSet<RepoPath>, PhaseError> {
    let changes = Changes::of_task(&run.store, &run.workspace, &task.id)?;
    let made: Vec<&RepoPath> =
        changes.files().filter(|file| file.change_type() == ChangeType::Created).map(|file| &file.path).collect();
    let keys = run.workspace.file_keys(write.iter().chain(made.iter().copied()));
    let is_made = |path: &&RepoPath| made.iter().any(|made| keys.key(made) == keys.key(path));
    Ok(write.iter().filter(is_made).cloned().collect())
}

/// Who does one attempt, and what they are told besides.
struct By<'a> {
    model: &'a Arc<dyn Model>,
    tier: Tier,
    note: Option<&'a str>,
}

impl<'a> By<'a> {
    /// The model that the task's complexity asks for.
    fn first(assignment: &'a Assignment, note: Option<&'a str>) -> Self {
        Self { model: &assignment.model, tier: assignment.tier, note }
    }
}

/// One conversation. `Ok(Err(_))` is its own failure.
async fn attempt(
    run: &Arc<Run>,
    assignment: &Assignment,
    by: &By<'_>,
    news: &mpsc::UnboundedSender<TaskNews>,
    staging: &SharedStaging,
) -> Result<Submitted, PhaseError> {
    let Assignment { task, system, issues, .. } = assignment;
    let By { model, tier, note } = *by;
    let about = assignment.failing.as_deref().map_or(About::Issues(issues), About::Checks);
    let toolbox = Toolbox::implementer(run.workspace.clone(), run.store.path().clone(), staging.clone());
    let given = match given(run, assignment, about, &toolbox, staging).await? {
        Ok(given) => given,
        Err(error) => return Ok(Err(error)),
    };
    let brief = Brief {
        agent: task_agent(&task.id),
        model: model.clone(),
        tier,
        system: system.clone(),
        first_message: brief::first_message(task, given, about, note),
        toolbox: toolbox
            .with_checks(checks(run, assignment, news))
            .about(map_of(run, &format!("{}\n{}", task.title, task.description))),
        submit: brief::submit(),
        max_tokens: assignment.max_tokens,
    };
    let claims = Claims::new(run, task, staging.clone())?;
    let accept = move |input, submit_try| claims.accept(input, submit_try);
    let emit_activity = report_activity(run, IMPLEMENT, Some(&task.id));
    let model = model.id().to_owned();
    let report = |activity: Activity| {
        if matches!(activity, Activity::CacheOpened | Activity::Turn) {
            // The phase may have ended already; then nobody waits for the cache.
            let _ = news.send(TaskNews::CacheOpened(model.clone()));
        }
        emit_activity(activity);
    };
    let conversation = Conversation {
        phase: IMPLEMENT,
        task: Some(&task.id),
        round: Some(assignment.round),
        plan_sha256: Some(assignment.plan_lock.sha256().to_owned()),
        is_asked_once: false,
        beside: run.settings.max_parallel_tasks,
        brief: &brief,
    };
    let result = hold(run, &conversation, &accept, &report).await;
    if result.is_ok() && run.context.cancel.is_cancelled() {
        return Ok(Err(AgentError::Cancelled));
    }
    Ok(result)
}

/// What the task has changed so far, where it was done before, and its files. `Ok(Err(_))` is a cancel.
async fn given(
    run: &Run,
    assignment: &Assignment,
    about: About<'_>,
    toolbox: &Toolbox,
    staging: &SharedStaging,
) -> Result<Result<Opening, AgentError>, PhaseError> {
    let Assignment { task, system, writable, .. } = assignment;
    let places = places(task, about);
    let beside = Beside { system, places: places.as_deref() };
    let diffs = match places {
        Some(_) => Changes::of_task(&run.store, &run.workspace, &task.id)?.as_open(&run.workspace).diffs(),
        None => Vec::new(),
    };
    let keys = run.workspace.file_keys(writable.write.iter());
    let is_own = |path: &RepoPath| writable.write.iter().any(|own| own == path || keys.key(own) == keys.key(path));
    let undone = match undone(run, is_own, FOR_IMPLEMENTERS).await? {
        Ok(undone) => undone,
        Err(error) => return Ok(Err(error)),
    };
    let given = async {
        let what = ("own_diff", "what this task changed so far");
        let mut given = attached::further_diff(run, diffs, what, (MOST_OF_OWN_DIFF, true)).await?;
        given.append(undone);
        given.append(own_files(toolbox, &run.workspace, task, beside, staging, &run.context.cancel).await?);
        Ok(given)
    };
    Ok(given.await)
}

/// Bytes shown of what a task changed in the rounds before.
const MOST_OF_OWN_DIFF: usize = 16 * 1024;
/// Lines that failing checks name of a task's files and that are looked at.
const MOST_PLACES: usize = 50;

/// The lines that a round which mends is about: those of its issues, or those of the task's files that failing checks name.
fn places(task: &Task, about: About<'_>) -> Option<Vec<(RepoPath, u32)>> {
    match about {
        About::Issues([]) => None,
        About::Issues(issues) => {
            let of_issue = |issue: &Issue| {
                let path = RepoPath::parse(&issue.file).ok().filter(|_| issue.is_placed());
                let lines = [issue.line, issue.end_line.unwrap_or(issue.line)];
                path.into_iter().flat_map(move |path| lines.map(|line| (path.clone(), line))).collect::<Vec<_>>()
            };
            Some(issues.iter().flat_map(of_issue).collect())
        }
        About::Checks(failing) => {
            let is_own = |(path, _): &(RepoPath, u32)| task.files().any(|file| file == path.as_str());
            Some(named_lines(failing).into_iter().filter(is_own).take(MOST_PLACES).collect())
        }
    }
}

/// What runs the checks that the task may try.
fn checks(
    run: &Arc<Run>,
    assignment: &Assignment,
    news: &mpsc::UnboundedSender<TaskNews>,
) -> Option<Arc<dyn CheckRunner>> {
    let tries = TaskTries {
        run: run.clone(),
        tries: assignment.tries.clone()?,
        task: assignment.task.id.clone(),
        used: assignment.used_tries.clone(),
        last: assignment.last_tries.clone(),
        waiting: assignment.waiting.clone(),
        news: news.clone(),
        runtime: Handle::current(),
    };
    Some(Arc::new(tries))
}

/// Publish what was staged, once none of its files is open with unsaved changes. `Ok(Err(_))` names the files that
/// changed on disk; nothing was written then.
async fn publish(
    run: &Arc<Run>,
    assignment: &Assignment,
    result: &TaskResult,
    staging: &SharedStaging,
    news: &mpsc::UnboundedSender<TaskNews>,
) -> Result<Result<(), String>, PhaseError> {
    let paths: Vec<RepoPath> = {
        let staging = staging.lock().unwrap_or_else(PoisonError::into_inner);
        staging.changes().into_iter().map(|change| change.path).collect()
    };
    if paths.is_empty() {
        return Ok(Ok(()));
    }
    loop {
        if saved(run, assignment, &paths, news).await? == Saved::AfterAWait {
            let followed = staging.lock().unwrap_or_else(PoisonError::into_inner).follow_saved();
            if let Err(error) = followed {
                // The publish then says which file is not what it was.
                tracing::warn!(%error, "what was saved cannot be followed");
            }
        }
        assignment.plan_lock.check()?;
        match publish_once(run, assignment, result, staging).await? {
            Ok(()) => return Ok(Ok(())),
            Err(PublishError::Conflict { paths }) => return Ok(Err(names(&paths))),
            // A document was edited between the check and the write, which was undone.
            Err(PublishError::Unsaved { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

async fn publish_once(
    run: &Arc<Run>,
    assignment: &Assignment,
    result: &TaskResult,
    staging: &SharedStaging,
) -> Result<Result<(), PublishError>, PhaseError> {
    let changes = staging.lock().unwrap_or_else(PoisonError::into_inner).changes();
    let submission = serde_json::to_value(with_refusals(result.clone(), staging)).unwrap_or_default();
    let (run, task, round) = (run.clone(), assignment.task.id.clone(), assignment.round);
    let published = tokio::task::spawn_blocking(move || {
        let sign = |content: &[u8]| run.store.seal().sign(PUBLISH, content);
        let work = FinishedTask { task: &task, round, submission: &submission };
        workspace::publish(&run.workspace, &run.folder, &work, &changes, &sign)
    });
    let published = published.await.map_err(|error| PhaseError::Internal(format!("publishing broke off: {error}")))?;
    Ok(published.map(|_| ()))
}

/// Whether files had to be waited for.
#[derive(Debug, PartialEq, Eq)]
enum Saved {
    AtOnce,
    AfterAWait,
}

/// Interval of the checks: an editor need not report that it saved a file.
const CHECK_SAVED_EVERY: Duration = Duration::from_secs(1);

/// Wait until none of these files is open with unsaved changes; events name those that have to be saved.
async fn saved(
    run: &Run,
    assignment: &Assignment,
    paths: &[RepoPath],
    news: &mpsc::UnboundedSender<TaskNews>,
) -> Result<Saved, AgentError> {
    let task = assignment.task.id.as_str();
    let mut waiting = None;
    let Some(mut changes) = run.workspace.buffer_changes() else { return Ok(Saved::AtOnce) };
    let mut waiting_for = String::new();
    loop {
        if run.context.cancel.is_cancelled() {
            return Err(AgentError::Cancelled);
        }
        // Marked before the check, so that no change in between is missed.
        changes.mark_unchanged();
        let unsaved = run.workspace.unsaved(paths);
        if unsaved.is_empty() {
            break;
        }
        let names = names(&unsaved);
        if names != waiting_for {
            let message = format!("waits for you to save {names}");
            let files = unsaved.iter().map(ToString::to_string).collect();
            run.emit_waiting_for_save(task, files, message);
            waiting_for = names;
            waiting.get_or_insert_with(|| Waiting::begin(&assignment.waiting, news));
        }
        tokio::select! {
            () = run.context.cancel.cancelled() => {}
            () = tokio::time::sleep(CHECK_SAVED_EVERY) => {}
            // The editor left; the cancel that follows is on its way.
            Ok(()) = changes.changed() => {}
        }
    }
    if waiting.is_none() {
        return Ok(Saved::AtOnce);
    }
    run.emit_for_task(IMPLEMENT, EventStatus::Progress, Some(task), format!("{waiting_for} saved"));
    Ok(Saved::AfterAWait)
}

fn names(paths: &[RepoPath]) -> String {
    paths.iter().map(RepoPath::as_str).collect::<Vec<_>>().join(", ")
}

/// A refused write is listed in the blockers; the status stays as submitted.
fn with_refusals(mut result: TaskResult, staging: &SharedStaging) -> TaskResult {
    let staging = staging.lock().unwrap_or_else(PoisonError::into_inner);
    for refused in staging.refusals() {
        let text = refused.to_string();
        if !result.blockers.contains(&text) {
            result.blockers.push(text);
        }
    }
    result
}

/// The result with changes from the real diff since the workflow began; only the summaries are the agent's.
///
/// A task of this id in an earlier plan may have written other files, which are none of this one's.
pub(super) fn with_real_changes(run: &Run, task: &Task, mut result: TaskResult) -> Result<TaskResult, PhaseError> {
    result.changes = real_changes(&run.store, &run.workspace, &result.task_id, &result.changes)?;
    let changed: Vec<String> = result.changes.iter().map(|change| change.path.clone()).collect();
    let keys = run.workspace.file_keys_of(task.files().chain(changed.iter().map(String::as_str)));
    let own: Vec<String> = task.files().filter_map(|file| keys.key_of(file)).collect();
    result.changes.retain(|change| keys.key_of(&change.path).is_some_and(|key| own.contains(&key)));
    Ok(result)
}

/// What the agent is told that does a task once more.
fn changed_meanwhile(files: &str) -> String {
    format!(
        "You did this task before, but {files} changed on disk while you were at work, so nothing of it was written. Look at \
         the files as they are now and do the task on top of them."
    )
}

fn blocked(task: &Task, files: &str) -> TaskResult {
    TaskResult {
        task_id: task.id.clone(),
        status: TaskStatus::Blocked,
        changes: Vec::new(),
        notes: String::new(),
        blockers: vec![format!(
            "{files} changed on disk twice while the task was at work; nothing was written. Run again when it is at rest."
        )],
        attempts: Vec::new(),
    }
}
