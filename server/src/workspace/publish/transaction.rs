//! One publish: the new bytes and before-images, the journal, then each file in place, or everything undone.

use std::io;

use cap_std::fs::Dir;

use super::place::{check_all, check_saved, missing_folders, note_modes, place, state_of, sync_parents, undo};
use super::record::{FinishedTask, PublishRecord, PublishState, PublishedFile, is_already_published, next_order};
use super::reversal::Reversal;
use super::steps::{Halt, PublishError, Step, Steps, Stopped, names};
use crate::contracts::{RepoPath, is_task_id};
use crate::text;
use crate::workspace::durable::{sync_folder, write_new, write_unsynced};
use crate::workspace::path_state::PathState;
use crate::workspace::{StagedChange, Workspace, beneath, sha256};

/// A task's published changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The journal.
    pub record: PublishRecord,
}

/// Puts a task's changes into the working tree, all or nothing.
///
/// `run_dir` is the run's folder, for the journal, the staged files and the before-images. `signer` computes the MAC of
/// the journal. Returns when everything is durable. Blocks, and cannot be cancelled.
///
/// # Errors
/// [`PublishError::Conflict`] when a file is not what the task read. The working tree is unchanged after every error
/// but [`PublishError::Stuck`].
pub fn publish(
    workspace: &Workspace,
    run_dir: &Dir,
    work: &FinishedTask<'_>,
    changes: &[StagedChange],
    signer: &dyn Fn(&[u8]) -> String,
) -> Result<Published, PublishError> {
    match publish_in_steps(workspace, run_dir, work, changes, signer, &mut |_| Ok(())) {
        Ok(record) => Ok(Published { record }),
        Err(Stopped::Refused(error)) => Err(error),
        #[cfg(test)]
        Err(Stopped::Killed) => unreachable!("only a test's hook kills"),
    }
}

pub(super) fn publish_in_steps(
    workspace: &Workspace,
    run_dir: &Dir,
    work: &FinishedTask<'_>,
    changes: &[StagedChange],
    signer: &dyn Fn(&[u8]) -> String,
    steps: Steps<'_>,
) -> Result<PublishRecord, Stopped> {
    if !is_task_id(work.task) {
        return Err(Stopped::Refused(PublishError::TaskId(work.task.to_owned())));
    }
    let mut record = PublishRecord::new(work);
    if is_already_published(run_dir, &record).map_err(Halt::failed("cannot read the publish journal"))? {
        return Err(Stopped::Refused(PublishError::Again { task: work.task.to_owned(), round: work.round }));
    }
    if changes.is_empty() {
        record.state = PublishState::Done;
        return Ok(record);
    }
    run_transaction(workspace, run_dir, record, changes, Modes::OfDisk, signer, steps)
}

/// Reverts something: a [`publish`](publish()) of the old content, journaled in a run of its own, with the permission
/// bits of the changes. It is journaled even without changes.
///
/// # Errors
/// As [`publish`](publish()).
pub fn publish_reversal(
    workspace: &Workspace,
    run_dir: &Dir,
    reversal: Reversal,
    changes: &[StagedChange],
    signer: &dyn Fn(&[u8]) -> String,
) -> Result<Published, PublishError> {
    let record = PublishRecord::of_reversal(reversal);
    match run_transaction(workspace, run_dir, record, changes, Modes::AsGiven, signer, &mut |_| Ok(())) {
        Ok(record) => Ok(Published { record }),
        Err(Stopped::Refused(error)) => Err(error),
        #[cfg(test)]
        Err(Stopped::Killed) => unreachable!("only a test's hook kills"),
    }
}

/// Where the permission bits and owner of an existing file come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Modes {
    /// From the file: agents change content only, and the user may have changed the bits since the file was read.
    OfDisk,
    /// From the change.
    AsGiven,
}

fn run_transaction(
    workspace: &Workspace,
    run_dir: &Dir,
    mut record: PublishRecord,
    changes: &[StagedChange],
    modes: Modes,
    signer: &dyn Fn(&[u8]) -> String,
    steps: Steps<'_>,
) -> Result<PublishRecord, Stopped> {
    let changes = &ordered(changes)[..];
    record.files = changes.iter().map(|change| file_record(workspace, change, modes)).collect::<Result<_, Halt>>()?;
    record.order = next_order(run_dir).map_err(Halt::failed("cannot read the publish journals"))?;
    check_all(workspace, &record)?;
    record.created_folders = missing_folders(workspace, &record.files)?;
    save(run_dir, &mut record, changes, steps)?;
    if let Err(error) = record.save(run_dir, signer) {
        // The journal may exist with only its sync failed; the next start must not roll it forward.
        record.discard(run_dir);
        return Err(Halt::failed("cannot write the publish journal")(error).into());
    }
    steps(Step::Journaled)?;
    match put_in_place(workspace, run_dir, &record, steps) {
        Ok(()) => {}
        #[cfg(test)]
        Err(Halt::Killed) => return Err(Stopped::Killed),
        Err(halt) => return Err(undo_after_failure(workspace, run_dir, record, signer, halt, steps)),
    }
    note_modes(workspace, &mut record);
    record.state = PublishState::Done;
    record.save(run_dir, signer).map_err(|source| {
        // Everything is in place; the next start closes the journal.
        Stopped::Refused(PublishError::Stuck {
            what: "cannot close the publish journal".to_owned(),
            source,
            left: record.files.iter().map(|file| file.path.clone()).collect(),
        })
    })?;
    Ok(record)
}

/// The changes in the order in which they can be applied: removals before what takes their place.
fn ordered(changes: &[StagedChange]) -> Vec<&StagedChange> {
    let overlaps = |gone: &StagedChange, come: &StagedChange| {
        let (gone, come) = (gone.path.key(), come.path.key());
        let is_below = |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
        gone == come || is_below(&gone, &come) || is_below(&come, &gone)
    };
    let is_created = |change: &&StagedChange| change.after.is_some();
    let goes_first = |change: &StagedChange| {
        change.after.is_none() && changes.iter().filter(is_created).any(|come| overlaps(change, come))
    };
    let (first, then): (Vec<_>, Vec<_>) = changes.iter().partition(|change| goes_first(change));
    first.into_iter().chain(then).collect()
}

/// A change as recorded in the journal.
fn file_record(workspace: &Workspace, change: &StagedChange, modes: Modes) -> Result<PublishedFile, Halt> {
    let now = match state_of(workspace, change.moved_from.as_ref().unwrap_or(&change.path))? {
        PathState::File(state) => Some((state.mode, state.owner)),
        _ => None,
    };
    let before = change.before.as_ref();
    let was = before.map(|state| now.unwrap_or((state.mode, state.owner)));
    let is_new = before.is_none() && change.moved_from.is_none();
    let (mode, owner) = now.filter(|_| !is_new && modes == Modes::OfDisk).unwrap_or((change.mode, change.owner));
    Ok(PublishedFile {
        path: change.path.clone(),
        change_type: change.change_type,
        sha256_before: before.map(|state| state.sha256.clone()),
        sha256_after: change.after.as_deref().map(sha256),
        staged: None,
        before_image: None,
        after_image: None,
        mode,
        mode_before: was.map(|(mode, _)| mode),
        fresh: is_new && modes == Modes::OfDisk,
        owner,
        owner_before: was.and_then(|(_, owner)| owner),
    })
}

/// Writes the new bytes and the before-images durably, and adds them to the record.
fn save(run_dir: &Dir, record: &mut PublishRecord, changes: &[&StagedChange], steps: Steps<'_>) -> Result<(), Halt> {
    let (staged_name, before_name) = (record.staged_folder(), record.before_folder());
    let mut folders = Vec::new();
    for (index, change) in changes.iter().enumerate() {
        let name = stored_name(index, &change.path);
        if let Some(after) = &change.after {
            let folder = empty_folder(run_dir, &staged_name, &mut folders)?;
            write_new(folder, &name, after, 0o600)
                .map_err(Halt::failed(format!("cannot keep the new {}", change.path)))?;
            record.files[index].staged = Some(format!("{staged_name}/{name}"));
            record.files[index].after_image = keep_after_image(run_dir, record, &name, after);
        }
        steps(Step::Staged(index))?;
        if let Some(before) = &change.before {
            let folder = empty_folder(run_dir, &before_name, &mut folders)?;
            write_new(folder, &name, &before.bytes, 0o600)
                .map_err(Halt::failed(format!("cannot keep the old {}", change.path)))?;
            record.files[index].before_image = Some(format!("{before_name}/{name}"));
        }
        steps(Step::BeforeSaved(index))?;
    }
    // New folders are durable already; their content is made so here.
    for (name, folder) in &folders {
        sync_folder(folder).map_err(Halt::failed(format!("cannot sync {name}")))?;
    }
    steps(Step::Prepared)
}

/// Keeps a copy of the new bytes. Only a three-way merge with later edits needs it, so it is not synced, and a failure
/// is ignored.
fn keep_after_image(run_dir: &Dir, record: &PublishRecord, name: &str, bytes: &[u8]) -> Option<String> {
    let folder = record.after_folder();
    let stored_at = format!("{folder}/{name}");
    match run_dir.create_dir_all(&folder).and_then(|()| write_unsynced(&run_dir.open_dir(&folder)?, name, bytes)) {
        Ok(()) => Some(stored_at),
        Err(error) => {
            tracing::warn!(%error, stored_at, "no copy of a published file could be kept");
            None
        }
    }
}

/// A folder of the run, emptied on first use of what an earlier attempt left.
fn empty_folder<'a>(run_dir: &Dir, name: &str, open: &'a mut Vec<(String, Dir)>) -> Result<&'a Dir, Halt> {
    let known = open.iter().position(|(opened, _)| opened == name);
    let index = match known {
        Some(index) => index,
        None => {
            let fault = |source| Halt::Failed { what: format!("cannot make {name}"), source };
            let folder =
                beneath::create_folder(run_dir, name.split('/')).map_err(|blocked| fault(blocked.into_io()))?;
            for entry in folder.entries().map_err(fault)? {
                folder.remove_file(entry.map_err(fault)?.file_name()).map_err(fault)?;
            }
            open.push((name.to_owned(), folder));
            open.len() - 1
        }
    };
    Ok(&open[index].1)
}

/// A recognisable name that is valid on every file system.
fn stored_name(index: usize, path: &RepoPath) -> String {
    const LONGEST: usize = 200;
    format!("{index:03}-{}", text::head_bytes(path.file_name(), LONGEST))
}

fn put_in_place(workspace: &Workspace, run_dir: &Dir, record: &PublishRecord, steps: Steps<'_>) -> Result<(), Halt> {
    check_all(workspace, record)?;
    for (index, file) in record.files.iter().enumerate() {
        steps(Step::Placing(index))?;
        check_saved(workspace, [&file.path])?;
        place(workspace, run_dir, record, file)?;
        steps(Step::Placed(index))?;
    }
    sync_parents(workspace, record)?;
    steps(Step::Synced)
}

fn undo_after_failure(
    workspace: &Workspace,
    run_dir: &Dir,
    mut record: PublishRecord,
    signer: &dyn Fn(&[u8]) -> String,
    halt: Halt,
    steps: Steps<'_>,
) -> Stopped {
    let left = match undo_in_steps(workspace, run_dir, &mut record, signer, steps) {
        Ok(left) => left,
        #[cfg(test)]
        Err(Halt::Killed) => return Stopped::Killed,
        Err(_) => record.files.iter().map(|file| file.path.clone()).collect(),
    };
    match halt {
        _ if left.is_empty() => halt.into(),
        Halt::Failed { what, source } => Stopped::Refused(PublishError::Stuck { what, source, left }),
        Halt::Conflict(paths) | Halt::Unsaved(paths) => Stopped::Refused(PublishError::Stuck {
            what: format!("changed on disk while it was published: {}", names(&paths)),
            source: io::Error::other("the files before it could not be taken back"),
            left,
        }),
        #[cfg(test)]
        Halt::Killed => Stopped::Killed,
    }
}

/// Restores the files in place and returns those that could not be restored. The journal records the direction first,
/// so that after a kill recovery continues in the same one.
fn undo_in_steps(
    workspace: &Workspace,
    run_dir: &Dir,
    record: &mut PublishRecord,
    signer: &dyn Fn(&[u8]) -> String,
    steps: Steps<'_>,
) -> Result<Vec<RepoPath>, Halt> {
    record.state = PublishState::Undoing;
    record.save(run_dir, signer).map_err(Halt::failed("cannot write the publish journal"))?;
    steps(Step::Undoing)?;
    let left = undo(workspace, run_dir, record);
    if left.is_empty() {
        sync_parents(workspace, record)?;
        steps(Step::Undone)?;
        record.state = PublishState::Undone;
        record.save(run_dir, signer).map_err(Halt::failed("cannot close the publish journal"))?;
    }
    Ok(left)
}
