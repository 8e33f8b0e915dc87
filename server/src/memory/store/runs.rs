//! Run folders with their journals, and what runs have used.

use std::collections::BTreeSet;
use std::io;

use cap_std::fs::Dir;
use jiff::Timestamp;

use super::handle::Store;
use crate::contracts::{MAX_NOTE_BYTES, RepoPath, Usage};
use crate::memory::error::MemoryError;
use crate::memory::files::{BASE, CANCEL, ROLLS_BACK, RUNS};
use crate::memory::history;
use crate::memory::journal::{self, EventLog, RunHistory, TranscriptLine, TranscriptRead};
use crate::memory::kept;
use crate::memory::platform::private_folder;
use crate::memory::run_id::RunId;
use crate::memory::seal::PUBLISH;
use crate::memory::tells::{self, Tells};
use crate::memory::transcript::Transcript;
use crate::workspace::{self, find_folder};

/// The folder and journals of one run.
pub struct RunDir {
    /// The run.
    pub id: RunId,
    /// `runs/<run>/`.
    pub dir: Dir,
    /// `events.jsonl`.
    pub events: EventLog,
    /// `transcript.jsonl`.
    pub transcript: Transcript,
    /// `tell.jsonl`.
    pub tells: Tells,
}

impl Store {
    /// Creates the folder of a new run and opens its journals.
    ///
    /// # Errors
    /// When the folder cannot be created or the earlier runs' transcripts cannot be read.
    pub fn begin_run(&self, id: &RunId) -> Result<RunDir, MemoryError> {
        self.open_run(id, &self.workflow_runs()?, None)
    }

    /// Begins a run that reviews against a commit, which belongs to no workflow. An interrupted review of the same
    /// commit is resumed, whatever was run since.
    ///
    /// # Errors
    /// When the folder cannot be created or the earlier runs' transcripts cannot be read.
    pub fn begin_base_review(&self, id: &RunId, commit: &str) -> Result<RunDir, MemoryError> {
        let mut before = self.runs()?;
        before.retain(|run| self.base_commit(run).is_some_and(|base| base == commit));
        self.open_run(id, &before, Some((BASE, commit)))
    }

    /// Begins a run that rolls an earlier workflow back, and so belongs to that one.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn begin_rollback_of(&self, id: &RunId, workflow: &RunId) -> Result<RunDir, MemoryError> {
        self.open_run(id, &[], Some((ROLLS_BACK, workflow.as_str())))
    }

    /// `note` is a file with its content: what the run is where it is none of the workflow at hand.
    fn open_run(&self, id: &RunId, earlier: &[RunId], note: Option<(&str, &str)>) -> Result<RunDir, MemoryError> {
        let name = format!("{RUNS}/{id}");
        let memory = self.dir()?;
        let open = || -> io::Result<RunDir> {
            if find_folder(memory, RUNS)?.is_none() {
                memory.create_dir(RUNS)?;
            }
            memory.create_dir_with(&name, &private_folder())?;
            let dir = memory.open_dir(&name)?;
            if let Some((file, content)) = note {
                workspace::replace(&dir, file, content.as_bytes(), 0o600)?;
            }
            let folder_of = |run: &RunId| {
                let folder = find_folder(memory, &format!("{RUNS}/{run}"))?;
                folder.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("run {run} is gone")))
            };
            let earlier_run = match earlier.last() {
                Some(run) => Some((run.clone(), folder_of(run)?)),
                None => None,
            };
            let earlier = earlier.iter().map(folder_of);
            let before = match earlier_run {
                Some(before) if !has_ended(&before.1) => Some(before),
                _ => None,
            };
            let broken_off = before.as_ref().map(|(id, dir)| (dir, id.as_str()));
            let tells = Tells::open(&dir, self.seal.clone(), id.as_str(), broken_off)?;
            let events = EventLog::open(&dir)?;
            let transcript = Transcript::open(&dir, earlier, self.seal.clone())?;
            Ok(RunDir { id: id.clone(), dir, events, transcript, tells })
        };
        open().map_err(|source| self.file_error("open", &name, source))
    }

    /// All runs, of this and of earlier workflows, oldest first. A run with a time well ahead of the clock counts only
    /// if a journal verifies: a clone may hold any name, and the clock may have been wrong when the run was made.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn runs(&self) -> Result<Vec<RunId>, MemoryError> {
        self.runs_until(Timestamp::now())
    }

    /// The runs of the current workflow, oldest first.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn workflow_runs(&self) -> Result<Vec<RunId>, MemoryError> {
        let past = self.past()?;
        let mut runs = self.runs_of_workflows()?;
        runs.retain(|run| !past.closed_runs.contains(run.as_str()));
        Ok(runs)
    }

    /// The runs of this and of earlier workflows, oldest first: all but reviews against a commit, and what was rolled back of an
    /// earlier workflow once it was set aside.
    pub(super) fn runs_of_workflows(&self) -> Result<Vec<RunId>, MemoryError> {
        let mut runs = self.runs()?;
        runs.retain(|run| self.base_commit(run).is_none() && self.rolls_back(run).is_none());
        Ok(runs)
    }

    /// Entries of `runs/` and `history/` that are ignored because no clock and no counting can have given their names;
    /// by their paths from the workspace root.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn ignored(&self, now: Timestamp) -> Result<Vec<String>, MemoryError> {
        let Some(dir) = self.folder.existing() else { return Ok(Vec::new()) };
        let entries = history::ignored(dir).map_err(|source| self.file_error("read", history::HISTORY, source))?;
        let entries = entries.iter().map(|entry| self.name(&format!("{}/{entry}", history::HISTORY)));
        let runs = self.list_runs(now)?.1;
        Ok(runs.iter().map(|run| self.name(&format!("{RUNS}/{run}"))).chain(entries).collect())
    }

    pub(super) fn runs_until(&self, now: Timestamp) -> Result<Vec<RunId>, MemoryError> {
        Ok(self.list_runs(now)?.0)
    }

    /// The runs, oldest first, and the names of folders that are ignored.
    fn list_runs(&self, now: Timestamp) -> Result<(Vec<RunId>, Vec<String>), MemoryError> {
        let (mut runs, mut ignored) = (Vec::new(), Vec::new());
        let Some(dir) = self.folder.existing() else { return Ok((runs, ignored)) };
        let mut list = || -> io::Result<()> {
            let Some(folder) = find_folder(dir, RUNS)? else { return Ok(()) };
            for entry in folder.entries()? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_folder = entry.file_type()?.is_dir();
                match RunId::parse(&name) {
                    Some(run) if is_folder && (!run.is_ahead_of(now) || self.is_own(&folder, &name)) => runs.push(run),
                    // Other names cannot be mistaken for a run.
                    _ if name.starts_with(|first: char| first.is_ascii_digit()) => ignored.push(name),
                    _ => {}
                }
            }
            Ok(())
        };
        list().map_err(|source| self.file_error("read", RUNS, source))?;
        runs.sort();
        ignored.sort();
        Ok((runs, ignored))
    }

    /// Whether a run's folder holds a journal that verifies.
    fn is_own(&self, runs: &Dir, run: &str) -> bool {
        let Ok(Some(folder)) = find_folder(runs, run) else { return false };
        journal::is_own(&folder, &self.seal) || {
            let records = workspace::records(&folder, &|content, mac| self.seal.verify(PUBLISH, content, mac));
            records.is_ok_and(|(own, _)| !own.is_empty())
        }
    }

    /// Whether a run reviews against a commit, and so belongs to no workflow.
    pub fn is_base_review(&self, run: &RunId) -> bool {
        self.base_commit(run).is_some()
    }

    /// The commit that a run reviews against; `None` for a run of a workflow.
    pub fn base_commit(&self, run: &RunId) -> Option<String> {
        String::from_utf8(self.run_note(run, BASE)?).ok()
    }

    /// A short file in the folder of a run.
    pub(super) fn run_note(&self, run: &RunId, file: &str) -> Option<Vec<u8>> {
        self.read(&format!("{RUNS}/{run}/{file}"), MAX_NOTE_BYTES).ok()?
    }

    /// The folder of a run.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn run_folder(&self, run: &RunId) -> Result<Dir, MemoryError> {
        let name = format!("{RUNS}/{run}");
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let dir = self.folder.existing().ok_or_else(|| self.file_error("open", &name, missing()))?;
        let found = find_folder(dir, &name).map_err(io::Error::from).and_then(|folder| folder.ok_or_else(missing));
        found.map_err(|source| self.file_error("open", &name, source))
    }

    /// Writes a file for people, such as `changes.diff`, to the folder of a run. Returns its path from the workspace
    /// root.
    ///
    /// # Errors
    /// When the run's folder is not there, or the file cannot be written.
    pub fn write_run_file(&self, run: &RunId, name: &str, bytes: &[u8]) -> Result<String, MemoryError> {
        let path = format!("{RUNS}/{run}/{name}");
        workspace::replace(&self.run_folder(run)?, name, bytes, 0o600)
            .map_err(|source| self.file_error("write", &path, source))?;
        Ok(self.name(&path))
    }

    /// The path of a check's log from the workspace root, by its path in a report, which anyone may have written; `None`
    /// unless it is a file of a run.
    pub fn check_log(&self, log: &str) -> Option<String> {
        let path = RepoPath::parse(&self.name(log)).ok()?;
        let is_of_run = path.as_str().starts_with(&format!("{}/", self.name(RUNS)));
        (is_of_run && self.workspace.is_file(&path)).then(|| path.to_string())
    }

    /// Asks the process that holds a run to stop it. Which run is meant is said by where the request lies, so that an old
    /// or a forged one stops no other.
    ///
    /// # Errors
    /// When the run's folder is not there, or the request cannot be written.
    pub fn request_cancel(&self, run: &RunId) -> Result<(), MemoryError> {
        self.write_run_file(run, CANCEL, b"").map(drop)
    }

    /// Tells agents of a run something, by their labels: each takes it with its next request, where one comes. Answers whether
    /// the run knows of it: after its end nobody does.
    ///
    /// # Errors
    /// When the run's folder is not there, or the line cannot be written.
    pub fn tell(&self, run: &RunId, agents: &[String], text: &str) -> Result<bool, MemoryError> {
        let told = tells::append(&self.run_folder(run)?, &self.seal, run.as_str(), agents, text);
        told.map_err(|source| self.file_error("write", &format!("{RUNS}/{run}/tell.jsonl"), source))
    }

    /// Notes durably in a run's folder that a person keeps hunks of a file, by their ids.
    ///
    /// # Errors
    /// When the run's folder is not there, or the lines cannot be written.
    pub fn keep_hunks(&self, run: &RunId, path: &RepoPath, hunks: &[String]) -> Result<(), MemoryError> {
        kept::append(&self.run_folder(run)?, &self.seal, run.as_str(), path, hunks)
            .map_err(|source| self.file_error("write", &format!("{RUNS}/{run}/{}", kept::KEPT), source))
    }

    /// The hunks that a person keeps by the lines in the folders of these runs, each with its file. Lines that are not the
    /// user's own count as absent.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn kept_hunks(&self, runs: &[RunId]) -> Result<BTreeSet<(RepoPath, String)>, MemoryError> {
        let mut all = BTreeSet::new();
        for run in runs {
            let kept = kept::read(&self.run_folder(run)?, &self.seal, run.as_str());
            all.extend(
                kept.map_err(|source| self.file_error("read", &format!("{RUNS}/{run}/{}", kept::KEPT), source))?,
            );
        }
        Ok(all)
    }

    /// Whether someone asked to stop a run.
    pub fn is_cancel_requested(&self, run: &RunId) -> bool {
        let request = self.run_folder(run).and_then(|folder| {
            folder.symlink_metadata(CANCEL).map_err(|source| self.file_error("read", CANCEL, source))
        });
        request.is_ok_and(|request| request.is_file())
    }

    /// Removes the requests to stop runs. Called under the lock: none of them is at work any more.
    ///
    /// # Errors
    /// When the runs cannot be listed, or a request cannot be removed.
    pub fn sweep_cancel_requests(&self) -> Result<(), MemoryError> {
        for run in self.runs()?.iter().filter(|run| self.is_cancel_requested(run)) {
            let removed = self.run_folder(run)?.remove_file(CANCEL);
            removed.map_err(|source| self.in_run(run, CANCEL, source))?;
        }
        Ok(())
    }

    /// The events of a run.
    ///
    /// # Errors
    /// When its folder is not there.
    pub fn events<T: serde::de::DeserializeOwned>(&self, run: &RunId) -> Result<Vec<T>, MemoryError> {
        journal::read_events(&self.run_folder(run)?)
            .map_err(|source| self.file_error("read", &format!("{RUNS}/{run}"), source))
    }

    /// Whether a run asked a model anything.
    pub fn has_turns(&self, run: &RunId) -> bool {
        self.run_folder(run).is_ok_and(|folder| journal::has_lines(&folder))
    }

    /// Calls `take` for each line of a run's transcript, oldest first; only one is held at a time.
    ///
    /// # Errors
    /// When its folder is not there, or the transcript cannot be read.
    pub fn read_transcript(&self, run: &RunId, take: &mut dyn FnMut(TranscriptRead)) -> Result<(), MemoryError> {
        journal::read_all(&self.run_folder(run)?, &self.seal, take)
            .map_err(|source| self.in_run(run, journal::TRANSCRIPT, source))
    }

    /// Reads what was added to a run's journals since `history` was read.
    ///
    /// # Errors
    /// When its folder is not there, or a journal cannot be read.
    pub fn read_on<T: serde::de::DeserializeOwned>(
        &self,
        run: &RunId,
        history: &mut RunHistory<T>,
    ) -> Result<(), MemoryError> {
        let read = history.read_on(&self.run_folder(run)?, &self.seal);
        read.map_err(|source| self.file_error("read", &format!("{RUNS}/{run}"), source))
    }

    /// Reads what was added to a run's events since `history` was read, and nothing of its transcript.
    ///
    /// # Errors
    /// When its folder is not there, or the events cannot be read.
    pub fn read_events_on<T: serde::de::DeserializeOwned>(
        &self,
        run: &RunId,
        history: &mut RunHistory<T>,
    ) -> Result<(), MemoryError> {
        let read = history.read_events(&self.run_folder(run)?);
        read.map_err(|source| self.file_error("read", &format!("{RUNS}/{run}"), source))
    }

    /// Whether an agent's last conversation of a run ended and its result was used, in that run or in a later one.
    ///
    /// # Errors
    /// When a transcript cannot be read.
    pub fn is_closed(&self, run: &RunId, agent: &str) -> Result<bool, MemoryError> {
        let mut is_closed = false;
        for later in self.workflow_runs()?.iter().filter(|later| *later >= run) {
            let read = journal::each(&self.run_folder(later)?, &self.seal, |line| match line {
                TranscriptLine::Closed { closed, .. } if closed == agent => is_closed = true,
                // A run may hold conversations of one task for several rounds.
                TranscriptLine::Turn { turn, .. } if later == run && turn.agent == agent => is_closed = false,
                _ => {}
            });
            read.map_err(|source| self.in_run(later, journal::TRANSCRIPT, source))?;
        }
        Ok(is_closed)
    }

    /// The usage of each turn of the current workflow, in all its runs.
    ///
    /// # Errors
    /// When a transcript cannot be read.
    pub fn workflow_spending(&self) -> Result<Vec<Usage>, MemoryError> {
        Ok(self.spending(self.workflow_runs()?)?.0)
    }

    /// The same, with how many of its turns were answered.
    ///
    /// # Errors
    /// When a transcript cannot be read.
    pub fn workflow_turns(&self) -> Result<(Vec<Usage>, u64), MemoryError> {
        self.spending(self.workflow_runs()?)
    }

    /// The total usage of these runs.
    ///
    /// # Errors
    /// When a transcript cannot be read.
    pub fn usage_of(&self, runs: Vec<RunId>) -> Result<Usage, MemoryError> {
        Ok(self.spending(runs)?.0.into_iter().sum())
    }

    fn spending(&self, runs: Vec<RunId>) -> Result<(Vec<Usage>, u64), MemoryError> {
        let (mut spending, mut turns) = (Vec::new(), 0);
        for run in runs {
            let dir = self.run_folder(&run)?;
            let spent = journal::spending(&dir, &self.seal);
            let (spent, of_run) = spent.map_err(|source| self.in_run(&run, journal::TRANSCRIPT, source))?;
            spending.extend(spent);
            turns += of_run;
        }
        Ok((spending, turns))
    }

    fn in_run(&self, run: &RunId, file: &str, source: io::Error) -> MemoryError {
        self.file_error("read", &format!("{RUNS}/{run}/{file}"), source)
    }
}

/// Whether a run came to its end and said so: one that was killed did not.
fn has_ended(dir: &Dir) -> bool {
    let events = journal::read_events::<serde_json::Value>(dir);
    events.is_ok_and(|events| events.last().is_some_and(|event| !event["outcome"].is_null()))
}
