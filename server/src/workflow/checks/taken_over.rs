//! What a check changed in the files of the project, such as a formatter does: published like a task's edits.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;

use super::words::named;
use crate::config::Check;
use crate::contracts::{ChangeType, RepoPath};
use crate::memory::PUBLISH;
use crate::workflow::changes::publishes::journal;
use crate::workflow::run::error::PhaseError;
use crate::workflow::run::events::EventStatus;
use crate::workflow::run::phase::Run;
use crate::workflow::run::phase_names::IMPLEMENT;
use crate::workspace::{
    self, Committed, FinishedTask, Protection, PublishError, StagedChange, ViewEdit, in_git_folder, is_secret,
    is_secret_text, protection, read_exact,
};

/// How the names begin that stand for checks in the journal.
const OF_CHECK: &str = "check-";

/// What came back from a check.
pub(super) struct CameBack {
    /// Its number among the checks of the run, which makes its publish one of its own.
    pub(super) number: u32,
    /// Whether it passed: what a failing check leaves behind is no work of a formatter.
    pub(super) has_passed: bool,
    /// The files it changed.
    pub(super) changed: Vec<ViewEdit>,
    /// The files that are no regular files any more.
    pub(super) replaced: Vec<RepoPath>,
    /// When it began: what was written since is not what it saw.
    pub(super) since: SystemTime,
}

/// What became of the changes of a check.
#[derive(Default)]
pub(super) struct TakenOver {
    /// The files that were changed, each with the hash of what it is now.
    pub(super) taken: BTreeMap<RepoPath, Option<String>>,
    /// What people are told of it.
    pub(super) words: Vec<String>,
}

/// Publish what a check changed, but for what is off limits or was changed by others meanwhile; that is named. Nothing of
/// a check that did not pass is taken over.
///
/// # Errors
/// When a file or a journal cannot be read or written.
pub(super) async fn take_over(
    run: &Arc<Run>,
    check: &Check,
    round: u32,
    back: CameBack,
) -> Result<TakenOver, PhaseError> {
    let mut over = TakenOver::default();
    if back.changed.is_empty() && back.replaced.is_empty() {
        return Ok(over);
    }
    let tell = |over: &mut TakenOver, message: String| {
        run.emit(IMPLEMENT, EventStatus::Progress, format!("check {}: {message}", named(&check.name)));
        over.words.push(message);
    };
    if !back.has_passed {
        let mut paths: Vec<RepoPath> = back.changed.into_iter().map(|edit| edit.path).chain(back.replaced).collect();
        paths.sort();
        tell(&mut over, format!("what it changed was not taken over, as it did not pass: {}", names(&paths)));
        return Ok(over);
    }
    let (working, name) = (run.clone(), publish_name(back.number, check));
    let published = tokio::task::spawn_blocking(move || publish(&working, &name, round, &back));
    let (taken, left) =
        published.await.map_err(|error| PhaseError::Internal(format!("publishing broke off: {error}")))??;
    if !taken.is_empty() {
        tell(&mut over, format!("changed {}", names(&taken.keys().cloned().collect::<Vec<_>>())));
    }
    for (path, why) in left {
        tell(&mut over, format!("its change to {path} was left out: {why}"));
    }
    over.taken = taken;
    Ok(over)
}

/// What stands for a task in the journal: an id that no file system changes.
fn publish_name(number: u32, check: &Check) -> String {
    const LONGEST: usize = 40;
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = check.name.chars().take(LONGEST).map(plain).collect();
    format!("{OF_CHECK}{number}-{name}")
}

/// The files that agents touched. What only checks changed is no agent's.
fn touched_by_agents(run: &Run) -> Result<HashSet<RepoPath>, PhaseError> {
    let of_tasks = journal(&run.store)?.into_iter().filter(|publish| !publish.record.task.starts_with(OF_CHECK));
    Ok(of_tasks.flat_map(|publish| publish.record.files).map(|file| file.path).collect())
}

type Left = Vec<(RepoPath, String)>;
type Taken = BTreeMap<RepoPath, Option<String>>;

fn publish(run: &Run, name: &str, round: u32, back: &CameBack) -> Result<(Taken, Left), PhaseError> {
    let committed = Committed::of(&run.workspace);
    // A formatter leaves no file as it was before it was edited; `git stash` and the like do.
    let is_put_back = |change: &StagedChange| {
        committed.as_ref().is_some_and(|all| all.is_same(&change.path, change.after.as_deref()))
    };
    let (ours, touched) = (published_hashes(run)?, touched_by_agents(run)?);
    let (mut changes, mut left) = (Vec::new(), Left::new());
    for path in &back.replaced {
        // What is a link in the working tree as well is no loss.
        if matches!(read_exact(&run.workspace, path), Ok(Some(_))) {
            left.push((path.clone(), "it is no regular file any more".to_owned()));
        }
    }
    for edit in &back.changed {
        match change(run, edit, back.since, &ours) {
            Ok(Some(change)) if change.after.is_none() && !touched.contains(&change.path) => {
                left.push((change.path, "it would be deleted, and no agent touched it".to_owned()));
            }
            Ok(Some(change)) if is_put_back(&change) => {
                left.push((change.path, "it would be as in the last commit, without what was edited since".to_owned()));
            }
            Ok(Some(change)) => changes.push(change),
            Ok(None) => {}
            Err(why) => left.push((edit.path.clone(), why)),
        }
    }
    let sign = |content: &[u8]| run.store.seal().sign(PUBLISH, content);
    let work = FinishedTask { task: name, round, submission: &Value::Null };
    while !changes.is_empty() {
        let (paths, why) = match workspace::publish(&run.workspace, &run.folder, &work, &changes, &sign) {
            Ok(_) => break,
            Err(PublishError::Conflict { paths }) => (paths, "it was changed meanwhile"),
            Err(PublishError::Unsaved { paths }) => (paths, "it is open with unsaved changes"),
            Err(error) => return Err(error.into()),
        };
        let before = changes.len();
        changes.retain(|change| !paths.contains(&change.path));
        if changes.len() == before {
            return Err(PublishError::Conflict { paths }.into());
        }
        left.extend(paths.into_iter().map(|path| (path, why.to_owned())));
    }
    let hashed = |change: StagedChange| (change.path, change.after.as_deref().map(workspace::sha256));
    Ok((changes.into_iter().map(hashed).collect(), left))
}

/// The hash that each file had after agents wrote it last.
fn published_hashes(run: &Run) -> Result<HashMap<RepoPath, Option<String>>, PhaseError> {
    let files = journal(&run.store)?.into_iter().flat_map(|publish| publish.record.files);
    Ok(files.map(|file| (file.path, file.sha256_after)).collect())
}

/// The change as it is published; `None` where the file is so already.
///
/// # Errors
/// Why it is left out.
fn change(
    run: &Run,
    edit: &ViewEdit,
    since: SystemTime,
    ours: &HashMap<RepoPath, Option<String>>,
) -> Result<Option<StagedChange>, String> {
    let ViewEdit { path, content, .. } = edit;
    if protection(path, run.store.path()) != Protection::None || in_git_folder(&run.workspace, path) {
        return Err("it is protected".to_owned());
    }
    let before = read_exact(&run.workspace, path).map_err(|error| error.to_string())?;
    let texts = before.iter().map(|state| state.bytes.as_slice()).chain(content.as_deref());
    if is_secret(path) || run.workspace.is_secret_by_link(path) || { texts }.any(is_secret_text) {
        return Err("it may hold secrets".to_owned());
    }
    if before.as_ref().map(|state| &state.bytes) == content.as_ref() {
        return Ok(None);
    }
    // A file as agents left it was changed by nobody, whatever the clock of the file system says.
    let hash = before.as_ref().map(|state| state.sha256.clone());
    if ours.get(path) != Some(&hash) && run.workspace.is_written_since(path, since) {
        return Err("it was changed meanwhile".to_owned());
    }
    let change_type = match (&before, content) {
        (None, _) => ChangeType::Created,
        (_, None) => ChangeType::Deleted,
        _ => ChangeType::Modified,
    };
    Ok(Some(StagedChange {
        path: path.clone(),
        change_type,
        mode: before.as_ref().map_or(0o644, |state| state.mode),
        owner: before.as_ref().and_then(|state| state.owner),
        before,
        after: content.clone(),
        moved_from: None,
    }))
}

fn names(paths: &[RepoPath]) -> String {
    const SHOWN: usize = 5;
    let mut names: Vec<&str> = paths.iter().take(SHOWN).map(RepoPath::as_str).collect();
    let more = format!("{} more", paths.len().saturating_sub(SHOWN));
    if paths.len() > SHOWN {
        names.push(&more);
    }
    names.join(", ")
}
