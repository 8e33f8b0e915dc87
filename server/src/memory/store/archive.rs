//! Moves files to `history/`, and reads what its entries say about the current workflow.

use std::io;

use super::handle::Store;
use super::issue_ids::fill_ids;
use crate::contracts::{
    Approval, Decision, Dismissed, Findings, Handoff, ImplReport, MAX_HANDOFF_BYTES, PhaseName, PlanOutput,
    ReviewOutput, read,
};
use crate::memory::error::MemoryError;
use crate::memory::files::{FEEDBACK, TASK};
use crate::memory::history::{self, SetAside};
use crate::memory::plan_lock::digest;

impl Store {
    /// Moves files to `history/`; missing ones are skipped.
    ///
    /// # Errors
    /// When they cannot be moved.
    pub fn set_aside(&self, why: SetAside, files: &[&str]) -> Result<Option<String>, MemoryError> {
        self.set_aside_with(why, files, &[])
    }

    /// Moves files to `history/`, with copies beside them.
    fn set_aside_with(
        &self,
        why: SetAside,
        files: &[&str],
        copies: &[(&str, &[u8])],
    ) -> Result<Option<String>, MemoryError> {
        let runs = self.runs_of_workflows()?;
        if !self.exists() {
            return Ok(None);
        }
        let left = self.left_findings(files);
        let files: Vec<&str> = left.iter().map(String::as_str).chain(files.iter().copied()).collect();
        history::set_aside(self.dir()?, why, &files, copies, &runs)
            .map_err(|source| self.file_error("write", "history", source))
    }

    /// Moves the plan and everything later to `history/`.
    ///
    /// # Errors
    /// When they cannot be moved.
    pub fn set_plan_aside(&self, why: SetAside) -> Result<Option<String>, MemoryError> {
        self.set_aside(why, &self.handoffs.from_file(PlanOutput::FILE))
    }

    /// Moves the plan and everything later to `history/`, with the user's feedback, which the next plan answers to.
    ///
    /// # Errors
    /// When they cannot be moved.
    pub fn revise_plan(&self, feedback: &str) -> Result<(), MemoryError> {
        let extra = [(FEEDBACK, feedback.as_bytes())];
        let mut files = self.handoffs.from_file(PlanOutput::FILE);
        let left = self.left_findings(&files);
        files.extend(left.iter().map(String::as_str));
        let moved = history::set_aside(self.dir()?, SetAside::Revise, &files, &extra, &[]);
        moved.map_err(|source| self.file_error("write", "history", source))?;
        // What was written in a file is kept until it goes to the planner, and so is what was written there since.
        if self.feedback().is_ok_and(|written| written.is_some_and(|written| feedback.contains(&written))) {
            self.remove_feedback_file()?;
        }
        self.count_answer().map(|_| ())
    }

    /// Copies a report and the handoffs of the phases after it to `history/`, and starts the report of the next round with
    /// these results. The later handoffs are removed, the review last: until then the next round has not started.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn start_next_round(&self, why: SetAside, report: &ImplReport) -> Result<(), MemoryError> {
        let mut copies: Vec<(&str, Vec<u8>)> = Vec::new();
        let judged = self.handoffs.after_file(ImplReport::FILE);
        let left = self.left_findings(&judged);
        let judged: Vec<&str> = left.iter().map(String::as_str).chain(judged).collect();
        for file in [ImplReport::FILE].into_iter().chain(judged.iter().copied()) {
            let bytes =
                self.read(file, MAX_HANDOFF_BYTES).map_err(|fault| self.file_error("read", file, fault.into()))?;
            copies.extend(bytes.map(|bytes| (file, bytes)));
        }
        let extra: Vec<(&str, &[u8])> = copies.iter().map(|(file, bytes)| (*file, bytes.as_slice())).collect();
        let dir = self.dir()?;
        history::set_aside(dir, why, &[], &extra, &[]).map_err(|source| self.file_error("write", "history", source))?;
        self.write(report)?;
        for file in judged {
            match dir.remove_file(file) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(self.file_error("remove", file, source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Moves the whole workflow to `history/`, so that a new one can begin. Files of the workspace stay, and so do the
    /// review against a commit and what was dismissed of it.
    ///
    /// # Errors
    /// When the files cannot be moved.
    pub fn set_workflow_aside(&self, why: SetAside) -> Result<Option<String>, MemoryError> {
        self.adopt_base_review()?;
        let kept = self.kept_dismissals()?;
        let files = [TASK].into_iter().chain(self.handoffs.of_workflow().map(|file| file.file));
        let files: Vec<&str> = files.filter(|file| kept.is_none() || *file != Dismissed::FILE).collect();
        let copied = kept.as_ref().filter(|kept| kept.after.is_some());
        let copy = copied.map(|kept| (Dismissed::FILE, kept.before.as_bytes()));
        let moved = self.set_aside_with(why, &files, copy.as_slice())?;
        if let Some(after) = kept.and_then(|kept| kept.after) {
            self.replace(Dismissed::FILE, after.as_bytes(), 0o644)?;
        }
        self.count_answer()?;
        Ok(moved)
    }

    /// The files with what phases found that the configuration no longer has. They go where the review goes, or a phase
    /// that is added again would take them for what it found in later work.
    pub(super) fn left_findings(&self, files: &[&str]) -> Vec<String> {
        if !files.contains(&ReviewOutput::FILE) {
            return Vec::new();
        }
        let entries = self.folder.existing().and_then(|dir| dir.entries().ok()).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut left: Vec<String> = names.filter(|name| self.is_left_findings(name)).collect();
        left.sort();
        left
    }

    fn is_left_findings(&self, file: &str) -> bool {
        let found = || read::<Findings>(&self.whole_text(file)?).ok();
        self.handoffs.all().all(|own| own.file != file)
            && file.strip_suffix(".json").is_some_and(|name| PhaseName::read(name).is_ok())
            && found().is_some_and(|found| found.timestamp.is_some())
    }

    /// How many entries the workflow's history has: one more means that a plan was set aside in the meantime.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn history_len(&self) -> Result<usize, MemoryError> {
        Ok(self.past()?.entries.len())
    }

    /// The reviews of this workflow that were set aside, oldest first.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn earlier_reviews(&self) -> Result<Vec<ReviewOutput>, MemoryError> {
        let past = self.past()?;
        Ok(past.entries.iter().filter_map(|entry| self.set_aside_review(entry)).collect())
    }

    /// What further phases found in this workflow and was set aside, oldest first.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn earlier_findings(&self) -> Result<Vec<Findings>, MemoryError> {
        let past = self.past()?;
        let mut all = Vec::new();
        for entry in &past.entries {
            for (_, file, read) in self.handoffs.reviewing() {
                let found = self.whole_text(&format!("{entry}/{file}")).and_then(|text| read(&text).ok());
                all.extend(found);
            }
        }
        for found in &mut all {
            fill_ids(&mut found.issues);
        }
        Ok(all)
    }

    /// The plans of this workflow that were approved and later replaced, oldest first.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn earlier_approved_plans(&self) -> Result<Vec<PlanOutput>, MemoryError> {
        let past = self.past()?;
        let approved = |entry: &String| -> Option<PlanOutput> {
            let approval: Approval = self.set_aside_handoff(entry, Approval::FILE)?;
            let text = self.whole_text(&format!("{entry}/{}", PlanOutput::FILE))?;
            let answers = approval.plan_sha256 == digest(text.as_bytes()) && self.is_genuine(&approval);
            read(&text).ok().filter(|_| answers && approval.decision == Decision::Approved)
        };
        Ok(past.entries.iter().filter_map(approved).collect())
    }

    /// The last review of this workflow before a round.
    pub fn review_before(&self, round: u32) -> Option<ReviewOutput> {
        self.earlier_reviews().ok()?.into_iter().rev().find(|review| review.round < round)
    }

    /// What the history says about the current workflow.
    pub(super) fn past(&self) -> Result<history::Past, MemoryError> {
        let Some(dir) = self.folder.existing() else { return Ok(history::Past::default()) };
        history::past(dir).map_err(|source| self.file_error("read", history::HISTORY, source))
    }

    /// A handoff that was set aside; an unreadable one counts as absent.
    pub(super) fn set_aside_handoff<T: Handoff>(&self, entry: &str, file: &str) -> Option<T> {
        read(&self.whole_text(&format!("{entry}/{file}"))?).ok()
    }

    pub(super) fn set_aside_review(&self, entry: &str) -> Option<ReviewOutput> {
        let mut review: ReviewOutput = self.set_aside_handoff(entry, ReviewOutput::FILE)?;
        fill_ids(&mut review.issues);
        // A review against a commit belongs to no workflow.
        Some(review).filter(|review| review.base.is_none())
    }
}
