//! What a rollback does to the memory folder, and the removal of runs.

use std::collections::BTreeMap;
use std::io;

use cap_std::fs::Dir;

use super::handle::Store;
use crate::contracts::{Approval, Handoff, ImplReport, MAX_HANDOFF_BYTES, MAX_NOTE_BYTES, Round, read};
use crate::memory::error::MemoryError;
use crate::memory::history::{self, SetAside};
use crate::memory::run_id::RunId;
use crate::workspace::{self, find_folder, read_bounded};

/// In an entry of `history/`: the run of the rollback that made it.
const MARK: &str = "rollback.json";
/// In a run's folder: marks that the memory reflects the rollback.
const SETTLED: &str = "settled";

impl Store {
    /// Sets aside what the files no longer correspond to. After a whole rollback (no `rest`) these are the report and
    /// its round, the review and the answer to the plan; otherwise all of the report but `rest`, and the review and the
    /// answer unless `keeps_review`; the answer also stays with `keeps_answer`.
    ///
    /// # Errors
    /// When files cannot be moved.
    pub fn set_aside_for_rollback(
        &self,
        run: &RunId,
        rest: Option<&ImplReport>,
        keeps_review: bool,
        keeps_answer: bool,
    ) -> Result<(), MemoryError> {
        let fault = |source| self.file_error("write", "history", source);
        let mut files = Vec::new();
        if !keeps_review {
            files.extend((!keeps_answer).then_some(Approval::FILE));
            files.extend(self.handoffs.after_file(ImplReport::FILE));
            if rest.is_none() {
                files.extend([ImplReport::FILE, Round::FILE]);
            }
        }
        let left = self.left_findings(&files);
        files.extend(left.iter().map(String::as_str));
        let mark = serde_json::json!({ "run": run.as_str() }).to_string();
        let mut extra = vec![(MARK, mark.as_bytes())];
        let old = match rest {
            Some(_) => self.read(ImplReport::FILE, MAX_HANDOFF_BYTES).map_err(|read| fault(read.into()))?,
            None => None,
        };
        extra.extend(old.as_ref().map(|old| (ImplReport::FILE, old.as_slice())));
        if extra.len() == 1 && !files.iter().any(|file| self.has(file)) {
            return Ok(());
        }
        history::set_aside(self.dir()?, SetAside::Rollback, &files, &extra, &[]).map_err(fault)?;
        match rest {
            Some(rest) => self.write(rest),
            None => Ok(()),
        }
    }

    /// Restores what the rollback of this run set aside, and returns whether it did. It does not if the plan has
    /// changed since, as the report is about another plan's tasks.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn restore_rolled_back(&self, run: &RunId) -> Result<bool, MemoryError> {
        let fault = |source| self.file_error("read", "history", source);
        let past = self.past()?;
        let dir = self.dir()?;
        let (mut files, mut entries) = (BTreeMap::new(), Vec::new());
        for name in past.entries {
            let Some(entry) = find_folder(dir, &name).map_err(|read| fault(read.into()))? else { continue };
            if is_made_by(&entry, run) {
                // A rollback that was interrupted made two entries; the first one is complete.
                for (file, bytes) in content(&entry).map_err(fault)? {
                    files.entry(file).or_insert(bytes);
                }
                entries.push(name);
            }
        }
        files.remove(MARK);
        let report =
            files.get(ImplReport::FILE).and_then(|bytes| read::<ImplReport>(&String::from_utf8_lossy(bytes)).ok());
        let plan = self.plan_sha256().unwrap_or_default();
        if report.is_some_and(|report| report.plan_sha256 != plan) {
            return Ok(false);
        }
        for (file, bytes) in &files {
            // Do not overwrite an answer that was given since.
            if file == ImplReport::FILE || !self.has(file) {
                workspace::replace(dir, file, bytes, 0o644).map_err(|source| self.file_error("write", file, source))?;
            }
        }
        for name in entries {
            history::drop_entry(dir, &name).map_err(|source| self.file_error("remove", &name, source))?;
        }
        Ok(true)
    }

    /// Whether the memory reflects the rollback of this run.
    ///
    /// # Errors
    /// When the run's folder is not there.
    pub fn is_settled(&self, run: &RunId) -> Result<bool, MemoryError> {
        Ok(self.run_folder(run)?.symlink_metadata(SETTLED).is_ok())
    }

    /// Marks that the memory reflects the rollback of this run.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub fn settle(&self, run: &RunId) -> Result<(), MemoryError> {
        let folder = self.run_folder(run)?;
        workspace::replace(&folder, SETTLED, b"", 0o600).map_err(|source| self.file_error("write", SETTLED, source))
    }

    /// Removes a run's folder with all its journals.
    ///
    /// # Errors
    /// When something of it cannot be removed; a later call removes the rest.
    pub fn remove_run(&self, run: &RunId) -> Result<(), MemoryError> {
        let name = format!("runs/{run}");
        self.dir()?.remove_dir_all(&name).map_err(|source| self.file_error("remove", &name, source))
    }
}

fn is_made_by(entry: &Dir, run: &RunId) -> bool {
    let mark = read_bounded(entry, MARK, MAX_NOTE_BYTES).ok().flatten();
    let mark = mark.and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
    mark.is_some_and(|mark| mark["run"] == run.as_str())
}

fn content(entry: &Dir) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for file in entry.entries()? {
        if let Ok(name) = file?.file_name().into_string() {
            // Anything else there was not set aside.
            if let Ok(Some(bytes)) = read_bounded(entry, &name, MAX_HANDOFF_BYTES) {
                files.push((name, bytes));
            }
        }
    }
    Ok(files)
}
