//! The review against a commit, which stands beside the workflow: no workflow takes it along, and it takes nothing of one.

use serde_json::Value;

use super::handle::Store;
use super::load::Memory;
use crate::contracts::{BaseReview, Dismissed, Handoff, Issue, MAX_HANDOFF_BYTES, ReviewOutput, over_limit};
use crate::memory::error::MemoryError;
use crate::memory::history::{self, SetAside};
use crate::workspace;

/// What becomes of dismissed.json when a workflow is set aside.
pub(super) struct KeptDismissals {
    /// Its text now.
    pub(super) before: String,
    /// Its text without what only the workflow's issues need; `None` where that is the same.
    pub(super) after: Option<String>,
}

impl Store {
    /// Writes the review against a commit. The one before is copied to history first: the file is replaced at once, so that
    /// a kill in between loses neither.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_base_review(&self, review: &ReviewOutput) -> Result<(), MemoryError> {
        let copied = match self.read(BaseReview::FILE, MAX_HANDOFF_BYTES) {
            Ok(None) => Ok(None),
            Ok(Some(before)) => {
                let copy = [(BaseReview::FILE, before.as_slice())];
                history::set_aside(self.dir()?, SetAside::BaseReview, &[], &copy, &[])
            }
            // What cannot be read cannot be copied.
            Err(_) => history::set_aside(self.dir()?, SetAside::BaseReview, &[BaseReview::FILE], &[], &[]),
        };
        copied.map_err(|source| self.file_error("write", history::HISTORY, source))?;
        self.write_as(BaseReview::FILE, review)
    }

    /// Moves a review against a commit that the last version wrote to review.json to the file that it has now, or to
    /// history if there is a newer one. Under the run lock.
    ///
    /// # Errors
    /// When the file cannot be moved.
    pub fn adopt_base_review(&self) -> Result<(), MemoryError> {
        let is_of_base = |text: &str| read_review(text).is_some_and(|review| review.is_of_base());
        if !self.whole_text(ReviewOutput::FILE).is_some_and(|text| is_of_base(&text)) {
            return Ok(());
        }
        let dir = self.dir()?;
        let moved = match self.has(BaseReview::FILE) {
            true => history::set_aside(dir, SetAside::BaseReview, &[ReviewOutput::FILE], &[], &[]).map(drop),
            false => dir.rename(ReviewOutput::FILE, dir, BaseReview::FILE).and_then(|()| workspace::sync_folder(dir)),
        };
        moved.map_err(|source| self.file_error("move", ReviewOutput::FILE, source))
    }

    /// The issues of all reviews against a commit, newest first, each id once.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn base_issues(&self, memory: &Memory) -> Result<Vec<Issue>, MemoryError> {
        let mut all: Vec<Issue> = Vec::new();
        let mut add = |review: &ReviewOutput| {
            for issue in &review.issues {
                if all.iter().all(|known| known.id != issue.id) {
                    all.push(issue.clone());
                }
            }
        };
        memory.base_review.iter().for_each(&mut add);
        for entry in self.history_entries()?.iter().rev() {
            // The last version had them in review.json.
            for file in [BaseReview::FILE, ReviewOutput::FILE] {
                let review = self.whole_text(&format!("{entry}/{file}")).and_then(|text| read_review(&text));
                review.iter().filter(|review| review.is_of_base()).for_each(&mut add);
            }
        }
        Ok(all)
    }

    /// The review against a commit before the current one.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn base_review_before(&self) -> Result<Option<ReviewOutput>, MemoryError> {
        let entries = self.history_entries()?;
        let newest = entries.iter().rev().find(|entry| entry.ends_with(SetAside::BaseReview.as_str()));
        Ok(newest.and_then(|entry| {
            let text = |file| self.whole_text(&format!("{entry}/{file}"));
            read_review(&text(BaseReview::FILE).or_else(|| text(ReviewOutput::FILE))?)
        }))
    }

    /// What the user dismissed of reviews against a commit, which stays dismissed when a workflow is set aside; `None` if
    /// that is nothing. The entries stay as they are written.
    pub(super) fn kept_dismissals(&self) -> Result<Option<KeptDismissals>, MemoryError> {
        let Some(before) = self.whole_text(Dismissed::FILE) else { return Ok(None) };
        let text = before.trim_start_matches('\u{feff}');
        let parsed = || serde_json::from_str::<Value>(text).ok();
        let Some(Value::Array(entries)) = over_limit(text.as_bytes()).is_none().then(parsed).flatten() else {
            return Ok(None);
        };
        let (memory, faults) = self.inspect()?;
        let is_readable = faults.iter().all(|faulty| self.stops_workflow(faulty));
        let issues = self.base_issues(&memory)?;
        let is_kept = |entry: &&Value| {
            let id = entry.as_str().or_else(|| entry["id"].as_str());
            // While base_review.json cannot be read, any of them may be about it.
            !is_readable || issues.iter().any(|issue| Some(issue.id.as_str()) == id)
        };
        let kept: Vec<&Value> = entries.iter().filter(is_kept).collect();
        if kept.is_empty() {
            return Ok(None);
        }
        let is_all = kept.len() == entries.len();
        let after = (!is_all).then(|| serde_json::to_string_pretty(&kept).unwrap_or_default() + "\n");
        Ok(Some(KeptDismissals { before, after }))
    }

    /// All entries of the history, of all workflows, oldest first, below the memory folder.
    fn history_entries(&self) -> Result<Vec<String>, MemoryError> {
        let Some(dir) = self.folder.existing() else { return Ok(Vec::new()) };
        history::all(dir).map_err(|source| self.file_error("read", history::HISTORY, source))
    }
}

/// A review, with the ids of its issues; `None` for an unreadable one.
fn read_review(text: &str) -> Option<ReviewOutput> {
    let mut review: ReviewOutput = crate::contracts::read(text).ok()?;
    super::issue_ids::fill_ids(&mut review.issues);
    Some(review)
}
