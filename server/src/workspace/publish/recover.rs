//! Finishing what a kill interrupted.

use std::collections::BTreeSet;
use std::io;

use cap_std::fs::Dir;

use super::place::{check_saved, has_staged_bytes, is_before, note_modes, place, state_of, sync_parents, undo};
use super::record::{PublishRecord, PublishState, records};
use super::steps::{Halt, Step, Steps, names};
use crate::contracts::RepoPath;
use crate::workspace::beneath::{self, Blocked};
use crate::workspace::{Workspace, sweep};

/// What recovery found and did.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Recovered {
    /// Half-published tasks that are now complete, except for their conflicts.
    pub rolled_forward: Vec<RecoveredTask>,
    /// Tasks of which nothing is in the working tree: they start again. Conflicts are files that the user had changed.
    pub dropped: Vec<RecoveredTask>,
    /// Names of journals that this user did not sign; they were left alone.
    pub untrusted: Vec<String>,
    /// Temporary files removed.
    pub swept: usize,
}

/// A task that was interrupted by a kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredTask {
    /// The task.
    pub task: String,
    /// Its round.
    pub round: u32,
    /// Its files, except those in conflict.
    pub paths: Vec<RepoPath>,
    /// Files that are neither as before nor as after: they were changed since and left alone.
    pub conflicts: Vec<RepoPath>,
}

/// Why an interrupted publish could not be finished. The next start tries again.
#[derive(Debug, thiserror::Error)]
#[error("cannot finish what an interrupted run left half done: {what}: {source}")]
pub struct RecoverError {
    what: String,
    source: io::Error,
}

/// Finishes what a kill interrupted in a run: half-published tasks are rolled forward, half-undone ones undone, and
/// leftover temporary and staged files removed. `signer` signs the journals; `verify` checks a MAC. Idempotent.
///
/// # Errors
/// When a file or journal cannot be read or written.
pub fn recover(
    workspace: &Workspace,
    run_dir: &Dir,
    signer: &dyn Fn(&[u8]) -> String,
    verify: &dyn Fn(&[u8], &str) -> bool,
) -> Result<Recovered, RecoverError> {
    recover_in_steps(workspace, run_dir, signer, verify, &mut |_| Ok(())).map_err(|halt| match halt {
        Halt::Failed { what, source } => RecoverError { what, source },
        Halt::Conflict(paths) => {
            RecoverError { what: names(&paths), source: io::Error::other("changed while it was put in place") }
        }
        Halt::Unsaved(paths) => RecoverError {
            what: names(&paths),
            source: io::Error::other(
                "open with unsaved changes; save them, or undo the changes there, and start again",
            ),
        },
        #[cfg(test)]
        Halt::Killed => RecoverError { what: "killed".to_owned(), source: io::Error::other("killed") },
    })
}

pub(super) fn recover_in_steps(
    workspace: &Workspace,
    run_dir: &Dir,
    signer: &dyn Fn(&[u8]) -> String,
    verify: &dyn Fn(&[u8], &str) -> bool,
    steps: Steps<'_>,
) -> Result<Recovered, Halt> {
    let mut recovered = Recovered::default();
    let (trusted, untrusted) = records(run_dir, verify).map_err(Halt::failed("cannot read the publish journals"))?;
    recovered.untrusted = untrusted;
    for mut record in trusted {
        match record.state {
            PublishState::Done | PublishState::Undone => continue,
            PublishState::Intent => roll_forward(workspace, run_dir, &mut record, &mut recovered, steps)?,
            PublishState::Undoing => {
                check_saved(workspace, record.paths())?;
                let left = undo(workspace, run_dir, &record);
                if !left.is_empty() {
                    let source = io::Error::other("could not be taken back");
                    return Err(Halt::Failed { what: names(&left), source });
                }
                record.state = PublishState::Undone;
                recovered.dropped.push(recovered_task(&record, Vec::new()));
            }
        }
        recovered.swept += sweep_beside_files(workspace, &record)?;
        sync_parents(workspace, &record)?;
        steps(Step::Synced)?;
        record.save(run_dir, signer).map_err(Halt::failed("cannot close the publish journal"))?;
    }
    recovered.swept += sweep_run(run_dir)?;
    Ok(recovered)
}

fn roll_forward(
    workspace: &Workspace,
    run_dir: &Dir,
    record: &mut PublishRecord,
    recovered: &mut Recovered,
    steps: Steps<'_>,
) -> Result<(), Halt> {
    let (mut in_place, mut open, mut conflicts) = (0, Vec::new(), Vec::new());
    for file in &record.files {
        if state_of(workspace, &file.path)?.has(file.sha256_after.as_deref()) {
            in_place += 1;
        } else if is_before(workspace, record, file)? && has_staged_bytes(run_dir, file) {
            open.push(file);
        } else {
            conflicts.push(file.path.clone());
        }
    }
    // If no file is in place and not all can be, the task starts again from the current text.
    if in_place == 0 && !conflicts.is_empty() {
        // No file is in place, but folders may have been created.
        undo(workspace, run_dir, record);
        recovered.dropped.push(recovered_task(record, conflicts));
        record.state = PublishState::Undone;
        return Ok(());
    }
    check_saved(workspace, open.iter().map(|file| &file.path))?;
    for (index, file) in open.into_iter().enumerate() {
        place(workspace, run_dir, record, file)?;
        steps(Step::Placed(index))?;
    }
    if let Some(reversal) = &mut record.reversal {
        reversal.except(&conflicts);
    }
    note_modes(workspace, record);
    recovered.rolled_forward.push(recovered_task(record, conflicts));
    record.state = PublishState::Done;
    Ok(())
}

fn recovered_task(record: &PublishRecord, conflicts: Vec<RepoPath>) -> RecoveredTask {
    let paths = record.paths().filter(|path| !conflicts.contains(path)).cloned().collect();
    RecoveredTask { task: record.task.clone(), round: record.round, paths, conflicts }
}

/// Removes temporary files beside the files of a publish.
fn sweep_beside_files(workspace: &Workspace, record: &PublishRecord) -> Result<usize, Halt> {
    let parents: BTreeSet<Option<RepoPath>> = record.paths().map(RepoPath::parent).collect();
    let mut swept = 0;
    for parent in parents {
        let components = parent.iter().flat_map(RepoPath::components);
        match beneath::open_folder(workspace.dir(), components) {
            Ok(folder) => swept += sweep(&folder).map_err(Halt::failed("cannot sweep temporary files"))?,
            Err(Blocked::NotAFolder) => {}
            Err(Blocked::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(blocked) => return Err(Halt::failed("cannot open a folder")(blocked.into_io())),
        }
    }
    Ok(swept)
}

/// Removes temporary files of the run's own folders, and staged files, which no journal needs any more.
fn sweep_run(run_dir: &Dir) -> Result<usize, Halt> {
    let fault = "cannot sweep the run's folder";
    let mut swept = sweep(run_dir).map_err(Halt::failed(fault))?;
    if let Ok(publish) = beneath::open_folder(run_dir, ["publish"].into_iter()) {
        swept += sweep(&publish).map_err(Halt::failed(fault))?;
    }
    if beneath::open_folder(run_dir, ["staged"].into_iter()).is_ok() {
        run_dir.remove_dir_all("staged").map_err(Halt::failed(fault))?;
    }
    Ok(swept)
}
