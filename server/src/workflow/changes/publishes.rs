//! What agents published in the current workflow, and how much of it was not rolled back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::contracts::RepoPath;
use crate::memory::{MemoryError, PUBLISH, RunId, Store};
use crate::workspace::{self, Dir, PublishRecord, PublishState, PublishedFile, TakenBack, Workspace};

/// One publish, with the folder that holds its images.
#[derive(Debug, Clone)]
pub(crate) struct Publish {
    pub(crate) run: RunId,
    pub(crate) folder: Arc<Dir>,
    pub(crate) record: PublishRecord,
}

/// Every publish of the workflow that is in the working tree or was, oldest first, rollbacks among them. Journals
/// that are not the user's own do not count.
pub(crate) fn journal(store: &Store) -> Result<Vec<Publish>, MemoryError> {
    journal_of(store, &store.workflow_runs()?, &[PublishState::Done])
}

/// The same with those that a kill interrupted, as if they had been finished.
pub(crate) fn journal_with_unfinished(store: &Store) -> Result<Vec<Publish>, MemoryError> {
    journal_of(store, &store.workflow_runs()?, &[PublishState::Done, PublishState::Intent])
}

/// The tasks' publishes that have not been rolled back, oldest first, each with the files that have not.
pub(crate) fn in_effect(journal: Vec<Publish>) -> Vec<Publish> {
    let gone = taken_back(&journal);
    let mut standing: Vec<Publish> = journal.into_iter().filter(|publish| publish.record.reversal.is_none()).collect();
    for publish in &mut standing {
        let Publish { run, record: PublishRecord { task, round, files, .. }, .. } = publish;
        files.retain(|file| !gone.contains(&id(run.as_str(), task, *round, &file.path)));
    }
    standing.retain(|publish| !publish.record.files.is_empty());
    standing
}

/// The publish whose before-image is the content of a file before `publish`, without what was rolled back since: the
/// before-image of `publish` itself may hold another task's work that is gone by now.
pub(crate) fn without_taken_back<'a>(
    journal: &'a [Publish],
    publish: &'a Publish,
    file: &'a PublishedFile,
) -> (&'a Publish, &'a PublishedFile) {
    let gone = taken_back(journal);
    let is_it = |other: &&Publish| {
        let (one, other) = (&publish.record, (&other.run, &other.record));
        publish.run == *other.0 && one.task == other.1.task && one.round == other.1.round
    };
    let mut found = (publish, file);
    for earlier in journal.iter().rev().skip_while(|other| !is_it(other)).skip(1) {
        let PublishRecord { task, round, files, reversal: None, .. } = &earlier.record else { continue };
        let leads_here = |other: &&PublishedFile| {
            other.path == file.path
                && other.sha256_after == found.1.sha256_before
                && gone.contains(&id(earlier.run.as_str(), task, *round, &other.path))
        };
        if let Some(other) = files.iter().find(leads_here) {
            found = (earlier, other);
        }
    }
    found
}

/// The files for which a rollback has not been undone.
pub(crate) fn paths_in_effect(journal: &[Publish], rollback: &Publish) -> Vec<RepoPath> {
    let gone = taken_back(journal);
    let PublishRecord { task, round, reversal, .. } = &rollback.record;
    let stands = |path: &&RepoPath| !gone.contains(&id(rollback.run.as_str(), task, *round, path));
    let mut paths: Vec<RepoPath> = Vec::new();
    let whole = reversal.iter().flat_map(|reversal| &reversal.of).flat_map(|publish| &publish.paths);
    let in_part = reversal.iter().flat_map(|reversal| &reversal.hunks).map(|hunk| &hunk.path);
    for path in whole.chain(in_part).filter(stands) {
        if !paths.contains(path) {
            paths.push(path.clone());
        }
    }
    paths
}

type FileId = (String, String, u32, RepoPath);

fn id(run: &str, task: &str, round: u32, path: &RepoPath) -> FileId {
    (run.to_owned(), task.to_owned(), round, path.clone())
}

/// The files that were rolled back. A rollback names only older publishes, so that from the newest to the oldest it is known
/// of each whether it was undone itself.
fn taken_back(journal: &[Publish]) -> HashSet<FileId> {
    let mut gone = HashSet::new();
    for publish in journal.iter().rev() {
        let PublishRecord { task, round, reversal: Some(reversal), .. } = &publish.record else { continue };
        for TakenBack { run, task: of_task, round: of_round, paths } in &reversal.of {
            for path in paths {
                if !gone.contains(&id(publish.run.as_str(), task, *round, path)) {
                    gone.insert(id(run, of_task, *of_round, path));
                }
            }
        }
    }
    gone
}

/// The publishes of these runs that are in one of these states, oldest first.
pub(crate) fn journal_of(store: &Store, runs: &[RunId], states: &[PublishState]) -> Result<Vec<Publish>, MemoryError> {
    let seal = store.seal();
    let mut journal = Vec::new();
    for run in runs {
        let folder = Arc::new(store.run_folder(run)?);
        let (records, _) = workspace::records(&folder, &|content, mac| seal.verify(PUBLISH, content, mac))
            .map_err(|source| store.file_error("read", "the publish journal", source))?;
        let wanted = records.into_iter().filter(|record| states.contains(&record.state));
        journal.extend(wanted.map(|record| Publish { run: run.clone(), folder: folder.clone(), record }));
    }
    by_disk_names(&mut journal, store.workspace());
    Ok(journal)
}

/// Replace each path by the name that the file has on disk, so that equal paths are one file: a journal may spell it as
/// the plan did, and a person may have changed the case since. A file that was moved to its own name in another case has
/// both names in the journal, and they stay two.
fn by_disk_names(journal: &mut [Publish], workspace: &Workspace) {
    let mut other_names = workspace.other_names(journal.iter().flat_map(|publish| publish.record.paths()));
    let is_move = |from: &RepoPath, to: &RepoPath| {
        let has = |record: &PublishRecord, name: &RepoPath| record.paths().any(|path| path == name);
        journal.iter().any(|publish| has(&publish.record, from) && has(&publish.record, to))
    };
    other_names.retain(|asked, real| !is_move(asked, real));
    if other_names.is_empty() {
        return;
    }
    let rename = |path: &mut RepoPath, names: &HashMap<RepoPath, RepoPath>| {
        if let Some(real) = names.get(path) {
            path.clone_from(real);
        }
    };
    for PublishRecord { files, reversal, .. } in journal.iter_mut().map(|publish| &mut publish.record) {
        files.iter_mut().for_each(|file| rename(&mut file.path, &other_names));
        let taken_back = reversal.iter_mut().flat_map(|reversal| &mut reversal.of);
        taken_back.flat_map(|publish| &mut publish.paths).for_each(|path| rename(path, &other_names));
        let in_part = reversal.iter_mut().flat_map(|reversal| &mut reversal.hunks);
        in_part.for_each(|hunk| rename(&mut hunk.path, &other_names));
    }
}
