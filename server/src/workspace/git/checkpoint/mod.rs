//! Checkpoints in git: the working tree as a commit under `refs/baton/`; nothing else of the repository is changed.
//!
//! The tree is built in an in-memory index. The user's index, HEAD, branches, stash and configuration are never
//! written; no hook, filter or signing program runs.

mod locks;
mod repository;
mod tracked;

use std::collections::BTreeMap;

use git2::{ErrorCode, Index, IndexEntry, IndexTime, Oid, Repository, Signature};

use crate::contracts::RepoPath;
use crate::workspace::root::Workspace;
use repository::{REFS, Recorded, head_commit, open};
use tracked::Tracked;

pub use locks::sweep_locks;
pub use repository::CheckpointError;

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// `refs/baton/<run>/<n>-<phase>`.
    pub ref_name: String,
    /// Its commit, in hex.
    pub commit: String,
}

/// Commits HEAD's tree with all changes of tracked files, and the files that agents `touched`, to
/// `refs/baton/<run>/<n>-<phase>`. `None` if there is no repository.
///
/// A changed file is recorded with its bytes on disk, without filters; an unchanged one keeps its index entry. Files
/// outside a sparse checkout stay as in the index, submodules are the commit that is checked out, files in conflict are
/// what is on disk. Untracked files are recorded only if touched, and never if they are secrets; tracked secrets stay
/// as committed. `stopped` is checked between files.
///
/// # Errors
/// When the repository cannot be opened, or something cannot be read or written.
pub fn checkpoint(
    workspace: &Workspace,
    run: &str,
    n: u32,
    phase: &str,
    touched: &[RepoPath],
    memory_dir: &RepoPath,
    stopped: &dyn Fn() -> bool,
) -> Result<Option<Checkpoint>, CheckpointError> {
    let Some(repository) = open(workspace)? else { return Ok(None) };
    let tracked = Tracked::open(&repository, workspace, memory_dir)?;
    let mut files = tracked.files(stopped)?;
    for path in touched {
        record_touched(&tracked, path, &mut files)?;
    }
    let parent = head_commit(&repository)?;
    let tree = write_tree(&repository, parent.as_ref(), &files)?;
    let tree = repository.find_tree(tree)?;
    if stopped() {
        return Err(CheckpointError::Stopped);
    }
    let baton = Signature::now("Baton", "baton@localhost")?;
    let message = format!("Checkpoint {n} of run {run}: after {phase}\n");
    let parents: Vec<_> = parent.iter().collect();
    let commit = repository.commit(None, &baton, &baton, &message, &tree, &parents)?;
    let ref_name = format!("{REFS}/{run}/{n}-{phase}");
    repository.reference(&ref_name, commit, true, message.trim_end())?;
    Ok(Some(Checkpoint { ref_name, commit: commit.to_string() }))
}

/// Removes the checkpoints of a run and returns their number.
///
/// # Errors
/// When the repository cannot be opened or a reference cannot be removed.
pub fn remove_checkpoints(workspace: &Workspace, run: &str) -> Result<usize, CheckpointError> {
    let Some(repository) = open(workspace)? else { return Ok(0) };
    let mut removed = 0;
    for reference in repository.references_glob(&format!("{REFS}/{run}/*"))? {
        let mut reference = reference?;
        let name = reference.name().map(str::to_owned).unwrap_or_default();
        reference.delete().map_err(|error| match error.code() {
            ErrorCode::Locked => CheckpointError::Locked(repository.commondir().join(format!("{name}.lock"))),
            _ => error.into(),
        })?;
        removed += 1;
    }
    Ok(removed)
}

fn record_touched(
    tracked: &Tracked<'_>,
    path: &RepoPath,
    files: &mut BTreeMap<Vec<u8>, Recorded>,
) -> Result<(), CheckpointError> {
    let name = tracked.name_of(path);
    let in_submodule =
        ancestors(&name).any(|folder| files.get(folder).is_some_and(|(_, mode)| *mode == tracked::GITLINK));
    if in_submodule || tracked.is_memory(&name) || tracked.is_secret(&name) {
        return Ok(());
    }
    match tracked.record_from_disk(&name)? {
        Some(recorded) => files.insert(name, recorded),
        None => files.remove(&name),
    };
    Ok(())
}

/// The folders that a path is in: `a/b` and `a` for `a/b/c`.
fn ancestors(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = name.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| &name[..at])
}

/// Writes these files as a tree, starting from the parent's, so that unchanged folders are not written again.
fn write_tree(
    repository: &Repository,
    parent: Option<&git2::Commit<'_>>,
    files: &BTreeMap<Vec<u8>, Recorded>,
) -> Result<Oid, CheckpointError> {
    let mut index = Index::new()?;
    if let Some(parent) = parent {
        index.read_tree(&parent.tree()?)?;
    }
    let mut same = BTreeMap::new();
    let mut gone = Vec::new();
    for entry in index.iter() {
        match files.get(&entry.path) {
            Some(recorded) if *recorded == (entry.id, entry.mode) => drop(same.insert(entry.path, ())),
            Some(_) => {}
            None => gone.push(entry.path),
        }
    }
    for name in gone {
        index.remove(&tracked::path_of(&name)?, 0)?;
    }
    for (name, (id, mode)) in files {
        if !same.contains_key(name) {
            index.add(&entry(name, *id, *mode))?;
        }
    }
    Ok(index.write_tree_to(repository)?)
}

fn entry(name: &[u8], id: Oid, mode: u32) -> IndexEntry {
    IndexEntry {
        ctime: IndexTime::new(0, 0),
        mtime: IndexTime::new(0, 0),
        dev: 0,
        ino: 0,
        mode,
        uid: 0,
        gid: 0,
        file_size: 0,
        id,
        flags: 0,
        flags_extended: 0,
        path: name.to_vec(),
    }
}
