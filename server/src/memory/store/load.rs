//! Reads everything that the next step depends on into `Memory`, with the faults of files that cannot be read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::file_io::not_utf8;
use super::handle::Store;
use super::issue_ids::fill_ids;
use crate::contracts::{
    Acceptance, Approval, BaseReview, ContextOutput, Decision, Dismissal, Dismissed, Fault, FileKeys, Findings,
    Handoff, HandoffJson, ImplReport, JsonText, MAX_HANDOFF_BYTES, MAX_TEXT_BYTES, PhaseName, PlanNote, PlanOutput,
    PlanStage, RepoPath, ReviewOutput, Round, Task, check_plan, json_value, read,
};
use crate::memory::error::{FileFaults, MemoryError};
use crate::memory::files::{FEEDBACK, PLAN_MARKDOWN, QUICK_MARK};
use crate::memory::history;
use crate::memory::plan_lock::digest;

/// A snapshot of the memory folder. The next step follows from it alone.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// The task in the user's words.
    pub task: Option<String>,
    /// context.json.
    pub context: Option<ContextOutput>,
    /// plan.json.
    pub plan: Option<LoadedPlan>,
    /// plan.json if it breaks its contract; `plan` is `None` then.
    pub faulty_plan: Option<FaultyPlan>,
    /// approval.json if it is genuine and answers the current plan. A faulty plan can only be rejected.
    pub approval: Option<Approval>,
    /// approval.json if it is genuine and answers a different plan.
    pub voided: Option<Approval>,
    /// round.json.
    pub round: Option<Round>,
    /// impl_report.json.
    pub report: Option<ImplReport>,
    /// review.json: the review of the workflow.
    pub review: Option<ReviewOutput>,
    /// base_review.json: the review against a commit, which drives no workflow.
    pub base_review: Option<ReviewOutput>,
    /// What further reviewing phases found, by their names.
    pub findings: BTreeMap<PhaseName, Findings>,
    /// The issues the user dismissed.
    pub dismissed: Vec<Dismissal>,
    /// accepted.json if it is genuine and about the review at hand.
    pub acceptance: Option<Acceptance>,
    /// Rounds of this workflow whose review was set aside.
    pub earlier_review_rounds: BTreeSet<u32>,
    /// The highest round of this workflow that was set aside; 0 for none.
    pub earlier_rounds: u32,
    /// Repair rounds in a row that were begun last.
    pub repair_rounds: u32,
    /// What the next plan has to answer to.
    pub revision: Option<Revision>,
    /// The plan before the one at hand, which that one replaced.
    pub previous_plan: Option<PreviousPlan>,
    /// The user's notes in plan.md that were not sent.
    pub notes: Vec<PlanNote>,
    /// Whether it began as a quick workflow: its context and plan are made in one conversation.
    pub quick: bool,
    /// Whether a run of this workflow has begun.
    pub begun: bool,
    /// Which of the paths in plan and review name the same file.
    pub keys: FileKeys,
}

/// A plan with the hash that an approval binds to.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedPlan {
    /// The plan.
    pub plan: PlanOutput,
    /// SHA-256 of plan.json's bytes, in hex.
    pub sha256: String,
}

/// A plan.json that breaks its contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultyPlan {
    /// SHA-256 of its bytes in hex, which a rejection is bound to; if it cannot be read, of the reason.
    pub sha256: String,
    /// Its faults, with their positions.
    pub faults: FileFaults,
}

/// The plan that was set aside last to be changed, and why.
#[derive(Debug, Clone)]
pub struct Revision {
    /// The plan; its text if it breaks its contract.
    pub plan: Result<PlanOutput, String>,
    /// Its version; 1 if it has none that can be read.
    pub version: u32,
    /// The review that asked for a new one.
    pub review: Option<ReviewOutput>,
    /// What the user wants changed.
    pub feedback: Option<String>,
}

/// A plan that another one replaced.
#[derive(Debug, Clone)]
pub struct PreviousPlan {
    /// The plan.
    pub plan: PlanOutput,
    /// Its plan.md as it stood then, relative to the workspace root, where it is there.
    pub plan_md: Option<String>,
}

impl Store {
    /// Reads everything. `Err` holds all faults of all files of the workflow; nothing is changed.
    ///
    /// # Errors
    /// Files that break their contract, or cannot be read.
    pub fn load(&self) -> Result<Memory, MemoryError> {
        let (memory, mut faults) = self.inspect()?;
        faults.retain(|faulty| self.stops_workflow(faulty));
        if faults.is_empty() { Ok(memory) } else { Err(MemoryError::Faulty(faults)) }
    }

    /// Reads everything, for callers that can deal with a faulty plan: it is no error and is in
    /// [`Memory::faulty_plan`].
    ///
    /// # Errors
    /// Other files that break their contract, or cannot be read.
    pub fn load_for_repair(&self) -> Result<Memory, MemoryError> {
        let (memory, mut faults) = self.inspect()?;
        faults.retain(|faulty| self.stops_workflow(faulty));
        let plan = self.name(PlanOutput::FILE);
        if faults.iter().all(|faulty| faulty.file == plan) {
            return Ok(memory);
        }
        // Report the plan's faults last, so that all can be repaired at once.
        faults.sort_by_key(|faulty| faulty.file == plan);
        Err(MemoryError::Faulty(faults))
    }

    /// Whether the faults of a file keep a workflow from going on: those of a review that stands beside it do not.
    pub fn stops_workflow(&self, faulty: &FileFaults) -> bool {
        faulty.file != self.name(BaseReview::FILE)
    }

    /// Reads everything that can be read, with the faults of the rest: files that break their contract, are too large,
    /// or are not regular files.
    ///
    /// # Errors
    /// When the folder is gone, or its runs or its history cannot be read.
    pub fn inspect(&self) -> Result<(Memory, Vec<FileFaults>), MemoryError> {
        if self.folder.is_gone() {
            return Err(MemoryError::Gone { folder: self.path().to_string() });
        }
        let mut faults = Vec::new();
        let mut memory = Memory {
            task: self.task(&mut faults),
            context: self.handoff(&mut faults, |context: &mut ContextOutput, at| {
                context.timestamp.get_or_insert(at);
            }),
            round: self.handoff(&mut faults, |_: &mut Round, _| ()),
            report: self.report(&mut faults),
            review: self.handoff(&mut faults, fill_review),
            base_review: self
                .handoff(&mut faults, |BaseReview(review): &mut BaseReview, at| fill_review(review, at))
                .map(|BaseReview(review)| review),
            dismissed: self
                .handoff(&mut faults, |Dismissed(all): &mut Dismissed, at| {
                    for dismissal in all {
                        dismissal.at.get_or_insert(at);
                    }
                })
                .map(|Dismissed(all)| all)
                .unwrap_or_default(),
            acceptance: self.acceptance().filter(|acceptance| self.is_genuine_acceptance(acceptance)),
            ..Memory::default()
        };
        if let Some(of_base) = memory.review.take_if(|review| review.is_of_base()) {
            // The last version wrote a review against a commit to review.json.
            memory.base_review = memory.base_review.or_else(|| Some(of_base).filter(|_| !self.has(BaseReview::FILE)));
        }
        if let (Some(review), Some(report)) = (&mut memory.review, &memory.report)
            && !self.names_round(ReviewOutput::FILE)
        {
            // A review by another tool knows no rounds: it is about the current report.
            review.round = report.round;
        }
        memory.findings = self.findings(memory.report.as_ref(), &mut faults);
        let past = self.past()?;
        let begun = memory.round.is_some()
            || memory.report.is_some()
            || memory.review.is_some()
            || past.is_implemented(|entry, file| self.has(&format!("{entry}/{file}")));
        // An approval that cannot be read is no approval.
        let approval: Option<Approval> = self.handoff(&mut Vec::new(), |_: &mut Approval, _| ());
        let is_last = |approval: &Approval| self.is_last_answer(approval);
        match self.plan(begun, approval.as_ref().filter(|approval| is_last(approval))) {
            Some(Ok(plan)) => memory.plan = Some(plan),
            Some(Err(faulty)) => {
                faults.push(faulty.faults.clone());
                memory.faulty_plan = Some(faulty);
            }
            None => {}
        }
        let answers = |approval: &Approval| match (&memory.plan, &memory.faulty_plan) {
            (Some(plan), _) => plan.sha256 == approval.plan_sha256,
            (None, Some(faulty)) => approval.decision == Decision::Rejected && faulty.sha256 == approval.plan_sha256,
            (None, None) => false,
        };
        match approval.filter(is_last) {
            Some(approval) if answers(&approval) => memory.approval = Some(approval),
            voided => memory.voided = voided,
        }
        self.read_history(&past, &mut memory);
        memory.notes = self.plan_notes(memory.plan.as_ref().map(|loaded| &loaded.plan));
        memory.quick = self.has(QUICK_MARK);
        memory.begun = !self.workflow_runs()?.is_empty();
        memory.keys = self.file_keys(&memory);
        Ok((memory, faults))
    }

    /// What other tools wrote otherwise than its schema wants it and was taken all the same: each file with the places, in
    /// the order of the handoffs. What is no text, or breaks its contract, is left out.
    pub fn assumed(&self) -> Vec<FileFaults> {
        let assumed_in = |(file, json): (&str, HandoffJson)| {
            let found = (json.assumed)(&self.json(file, &mut Vec::new())?.0);
            (!found.is_empty()).then(|| self.faults(file, found))
        };
        self.handoffs.json().filter_map(assumed_in).collect()
    }

    /// SHA-256 of the current plan.json in hex, as in [`LoadedPlan`] and [`FaultyPlan`]; `None` if there is none.
    pub fn plan_sha256(&self) -> Option<String> {
        match self.read(PlanOutput::FILE, MAX_HANDOFF_BYTES) {
            Ok(bytes) => bytes.map(|bytes| digest(&bytes)),
            Err(fault) => Some(hash_of_unreadable(&fault.to_string())),
        }
    }

    fn handoff<T: Handoff>(&self, faults: &mut Vec<FileFaults>, fill: impl FnOnce(&mut T, Timestamp)) -> Option<T> {
        let (text, modified) = self.json(T::FILE, faults)?;
        match read::<T>(&text) {
            Ok(mut handoff) => {
                fill(&mut handoff, modified);
                Some(handoff)
            }
            Err(found) => {
                faults.push(self.faults(T::FILE, found));
                None
            }
        }
    }

    /// A report, unless one of its results names no task: that one could belong to any.
    fn report(&self, faults: &mut Vec<FileFaults>) -> Option<ImplReport> {
        let report: Option<ImplReport> = self.handoff(faults, |report: &mut ImplReport, at| {
            report.timestamp.get_or_insert(at);
        });
        let nameless = |report: &ImplReport| {
            let results = report.results.iter().enumerate();
            results.filter(|(_, result)| result.task_id.is_empty()).map(|(index, _)| index).collect::<Vec<_>>()
        };
        let nameless = report.as_ref().map(nameless).unwrap_or_default();
        if nameless.is_empty() {
            return report;
        }
        let (text, _) = self.json(ImplReport::FILE, faults)?;
        let json = JsonText::new(text.trim_start_matches('\u{feff}'));
        let fault =
            |index| json.fault("schema", format!("/results/{index}"), "\"task_id\" is missing: a task of plan.json");
        faults.push(self.faults(ImplReport::FILE, nameless.into_iter().map(fault).collect()));
        None
    }

    /// What further reviewing phases found.
    fn findings(&self, report: Option<&ImplReport>, faults: &mut Vec<FileFaults>) -> BTreeMap<PhaseName, Findings> {
        let mut all = BTreeMap::new();
        for (phase, file, read) in self.handoffs.reviewing() {
            let Some((text, modified)) = self.json(file, faults) else { continue };
            match read(&text) {
                Ok(mut found) => {
                    found.timestamp.get_or_insert(modified);
                    fill_ids(&mut found.issues);
                    if let Some(report) = report.filter(|_| !self.names_round(file)) {
                        found.round = report.round;
                    }
                    all.insert(phase, found);
                }
                Err(wrong) => faults.push(self.faults(file, wrong)),
            }
        }
        all
    }

    /// Whether a handoff has a round.
    fn names_round(&self, file: &str) -> bool {
        let Some((text, _)) = self.json(file, &mut Vec::new()) else { return false };
        json_value(&text).is_some_and(|value| !value["round"].is_null())
    }

    /// Whether files exist is checked only before implementation starts: the tasks create and delete them.
    fn plan(&self, begun: bool, answer: Option<&Approval>) -> Option<Result<LoadedPlan, FaultyPlan>> {
        let bytes = match self.bytes(PlanOutput::FILE, MAX_HANDOFF_BYTES) {
            Ok(read) => read?.0,
            Err(fault) => {
                let sha256 = hash_of_unreadable(&fault.message);
                return Some(Err(FaultyPlan { sha256, faults: self.faults(PlanOutput::FILE, vec![fault]) }));
            }
        };
        let sha256 = digest(&bytes);
        let path_kind = |path: &RepoPath| self.workspace.path_kind(path);
        let approves = |answer: &Approval| answer.decision == Decision::Approved && answer.plan_sha256 == sha256;
        let stage = match answer {
            _ if begun => PlanStage::Begun,
            Some(answer) if approves(answer) => PlanStage::Approved(&path_kind),
            _ => PlanStage::Proposed(&path_kind),
        };
        let checked = |text: &str| -> Result<PlanOutput, Vec<Fault>> {
            let plan: PlanOutput = read(text)?;
            let keys = self.workspace.file_keys_of(plan.tasks.iter().flat_map(Task::files));
            let found = check_plan(&plan, text.trim_start_matches('\u{feff}'), &keys, stage);
            if found.is_empty() { Ok(plan) } else { Err(found) }
        };
        let text = String::from_utf8(bytes);
        let plan = match &text {
            Ok(text) => checked(text),
            Err(error) => Err(vec![not_utf8(error)]),
        };
        Some(match plan {
            Ok(plan) => Ok(LoadedPlan { plan, sha256 }),
            Err(found) => Err(FaultyPlan { sha256, faults: self.faults(PlanOutput::FILE, found) }),
        })
    }

    fn file_keys(&self, memory: &Memory) -> FileKeys {
        let planned = memory.plan.iter().flat_map(|plan| &plan.plan.tasks).flat_map(Task::files);
        let found = memory.findings.values().flat_map(|found| &found.issues);
        let issues = memory.review.iter().flat_map(|review| &review.issues).chain(found);
        let issues = issues.map(|issue| issue.file.as_str());
        // Many issues are in few files.
        self.workspace.file_keys_of(planned.chain(issues).collect::<BTreeSet<_>>())
    }

    /// Adds what the current workflow's entries of `history/` say.
    fn read_history(&self, past: &history::Past, memory: &mut Memory) {
        memory.repair_rounds = past.repair_rounds();
        for entry in &past.entries {
            if let Some(review) = self.set_aside_review(entry) {
                memory.earlier_review_rounds.insert(review.round);
                memory.earlier_rounds = memory.earlier_rounds.max(review.round);
            }
            let round: Option<Round> = self.set_aside_handoff(entry, Round::FILE);
            memory.earlier_rounds = memory.earlier_rounds.max(round.map_or(0, |round| round.n));
            if history::is_whole_rollback(entry, |file| self.has(file)) {
                // The reviewed work is rolled back: the count of cycles starts over.
                memory.earlier_review_rounds.clear();
            }
        }
        memory.previous_plan = memory.plan.as_ref().and_then(|loaded| self.previous_plan(past, &loaded.plan));
        if memory.plan.is_some() || memory.faulty_plan.is_some() {
            return;
        }
        let has_plan = |entry: &str| self.has(&format!("{entry}/{}", PlanOutput::FILE));
        let Some(entry) = past.plan_to_change(has_plan) else { return };
        let read_text = |file: &str, limit| self.read(&format!("{entry}/{file}"), limit).ok().flatten();
        let Some(text) = read_text(PlanOutput::FILE, MAX_HANDOFF_BYTES) else { return };
        let text = String::from_utf8_lossy(&text);
        let plan: Result<PlanOutput, String> = read(&text).map_err(|_| text.clone().into_owned());
        let version = match &plan {
            Ok(plan) => plan.plan_version,
            // The version may be readable even if the plan breaks its contract.
            Err(text) => {
                let version = json_value(text).unwrap_or_default()["plan_version"].as_u64();
                version.and_then(|version| u32::try_from(version).ok()).unwrap_or(1)
            }
        };
        let feedback = read_text(FEEDBACK, MAX_TEXT_BYTES);
        let feedback = feedback.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        memory.revision = Some(Revision { plan, version, review: self.set_aside_review(entry), feedback });
    }

    /// The plan that this one replaced: the last of an earlier version.
    fn previous_plan(&self, past: &history::Past, plan: &PlanOutput) -> Option<PreviousPlan> {
        let entry = past.entries.iter().rev().find(|entry| self.has(&format!("{entry}/{}", PlanOutput::FILE)))?;
        let before: PlanOutput = self.set_aside_handoff(entry, PlanOutput::FILE)?;
        let plan_md = format!("{entry}/{PLAN_MARKDOWN}");
        let plan_md = self.has(&plan_md).then(|| self.name(&plan_md));
        (before.plan_version < plan.plan_version).then_some(PreviousPlan { plan: before, plan_md })
    }
}

/// Fills what a review of another tool lacks.
fn fill_review(review: &mut ReviewOutput, at: Timestamp) {
    review.timestamp.get_or_insert(at);
    fill_ids(&mut review.issues);
}

/// The hash used for a plan.json that exists and cannot be read, such as a pipe; no file of ours has it.
fn hash_of_unreadable(fault: &str) -> String {
    digest(format!("not read: {fault}").as_bytes())
}
