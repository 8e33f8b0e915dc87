use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use cap_std::fs::{Dir, DirBuilder, DirBuilderExt};
use jiff::Timestamp;

use crate::contracts::{
    Approval, ApprovedBy, ContextOutput, Decision, Dismissed, Fault, FileKeys, Handoff, ImplReport, JsonText,
    MAX_HANDOFF_BYTES, MAX_MARKDOWN_BYTES, MAX_NOTE_BYTES, MAX_TEXT_BYTES, PlanOutput, Position, RepoPath,
    ReviewOutput, Round, Standing, Task, Usage, check_plan, issue_id, over_limit, read,
};
use crate::memory::answers::{Counted, LastAnswer};
use crate::memory::error::{FileFaults, MemoryError};
use crate::memory::folder::Folder;
use crate::memory::history::{self, SetAside};
use crate::memory::journal::{self, EventLog, RunHistory, Transcript, TranscriptLine};
use crate::memory::lock::{self, LockHolder, RunLock};
use crate::memory::plan_lock::{PlanLock, digest};
use crate::memory::run_id::RunId;
use crate::memory::seal::{PUBLISH, Seal};
use crate::memory::task_text::{self, tidied};
use crate::workspace::{self, ReadFault, Workspace, find_folder, open_regular, read_bounded, read_to_limit};

mod reseal;
mod rollback;
mod uncounted;

pub use reseal::Resealed;
pub use uncounted::{Origin, Uncounted, UncountedFrom};

const TASK: &str = "task.md";
/// What task.md holds until somebody writes a task there: a text that is no task.
const TASK_TEMPLATE: &str = "# Task\n\nWrite here, in your own words, what is to be done, and save this file.\n";
const PLAN_MD: &str = "plan.md";
/// In an entry of `history/`: what the user wants changed about the plan beside it. In the folder itself: where they
/// write it.
pub(super) const FEEDBACK: &str = "feedback.md";
/// What the latter holds until somebody writes there.
const FEEDBACK_TEMPLATE: &str = "# What should be different about the plan?\n\nWrite it here and save this file.\n";
pub(super) const RUNS: &str = "runs";
/// In the folder of a run that reviews against a commit: that commit.
const BASE: &str = "base";
const APPROVAL_KIND: &str = "approval";

/// Everything that says where a workflow stands, in the order the workflow writes it.
pub(super) const WORKFLOW_FILES: [&str; 9] = [
    TASK,
    ContextOutput::FILE,
    PlanOutput::FILE,
    PLAN_MD,
    Approval::FILE,
    Round::FILE,
    ImplReport::FILE,
    ReviewOutput::FILE,
    Dismissed::FILE,
];

/// Of [`WORKFLOW_FILES`], the plan and everything later.
const FROM_PLAN: std::ops::Range<usize> = 2..8;

/// The memory folder of one workspace.
#[derive(Clone)]
pub struct Store {
    workspace: Workspace,
    folder: Arc<Folder>,
    seal: Seal,
    /// Texts that stand for those of the files, by name.
    unsaved: Arc<BTreeMap<String, String>>,
}

/// What the memory folder says, read at one moment. From it alone follows what comes next.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// The task in the user's words.
    pub task: Option<String>,
    /// context.json.
    pub context: Option<ContextOutput>,
    /// plan.json.
    pub plan: Option<LoadedPlan>,
    /// plan.json, where it is there and breaks its contract; `plan` is `None` then.
    pub faulty_plan: Option<FaultyPlan>,
    /// approval.json, where it is genuine and answers the plan as it is now. A faulty plan can only be rejected.
    pub approval: Option<Approval>,
    /// approval.json, where it is genuine and answers another plan.
    pub voided: Option<Approval>,
    /// round.json.
    pub round: Option<Round>,
    /// impl_report.json.
    pub report: Option<ImplReport>,
    /// review.json.
    pub review: Option<ReviewOutput>,
    /// Ids of issues the user dismissed.
    pub dismissed: Vec<String>,
    /// Rounds of this workflow whose review was set aside.
    pub earlier_review_rounds: BTreeSet<u32>,
    /// The highest round of this workflow that was set aside; 0 for none.
    pub earlier_rounds: u32,
    /// What a plan that is to be made now must answer to.
    pub revision: Option<Revision>,
    /// Whether a run of this workflow has begun.
    pub begun: bool,
    /// Which of the files that plan and review name are one.
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
    /// SHA-256 of its bytes, in hex: what a rejection binds to. Where they are not read, of the reason.
    pub sha256: String,
    /// What is wrong with it, each fault at its place.
    pub faults: FileFaults,
}

/// The plan that was set aside last, and why.
#[derive(Debug, Clone)]
pub struct Revision {
    /// The plan; where it broke its contract, its text as it stood.
    pub plan: Result<PlanOutput, String>,
    /// Its version, as far as it says one.
    pub version: u32,
    /// The review that asked for a new one.
    pub review: Option<ReviewOutput>,
    /// What the user wants changed.
    pub feedback: Option<String>,
}

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
}

impl Store {
    /// Open a workspace's memory folder. It is made when something is first written: to look at it, or to fail before
    /// anything begins, leaves no trace.
    ///
    /// # Errors
    /// When the folder is a link, or files of something else live in it.
    pub fn open(workspace: &Workspace, memory_dir: &RepoPath, seal: Seal) -> Result<Self, MemoryError> {
        let folder = Folder::open(workspace, memory_dir)?;
        let store = Self { workspace: workspace.clone(), folder: folder.into(), seal, unsaved: Arc::default() };
        if store.has(RUNS) {
            store.seal.answers().note_folder();
        }
        Ok(store)
    }

    /// Whether there is a memory folder.
    pub fn exists(&self) -> bool {
        self.folder.existing().is_some()
    }

    /// The same folder, read as if these files had these texts. To look at, not to run on.
    pub fn with_unsaved(&self, unsaved: BTreeMap<String, String>) -> Self {
        Self { unsaved: unsaved.into(), ..self.clone() }
    }

    /// Take the workspace for a run. From here on nobody else writes its memory but the user and the gate.
    ///
    /// What a killed run left behind is put right: leftover temporary files go, plan.json is writable again.
    ///
    /// # Errors
    /// [`MemoryError::Locked`] with the holder when another run is at work.
    pub fn lock(&self, now: Timestamp) -> Result<(RunLock, RunId), MemoryError> {
        let id = RunId::new(now, self.runs_until(now)?.last());
        let holder = LockHolder { pid: std::process::id(), run: id.to_string() };
        let dir = self.dir()?;
        let lock = RunLock::take(dir, &self.name(lock::FILE), &holder)?;
        self.seal.answers().note_folder();
        PlanLock::release(dir);
        workspace::sweep(dir).map_err(|source| self.io("tidy", "", source))?;
        history::sweep(dir).map_err(|source| self.io("tidy", history::HISTORY, source))?;
        Ok((lock, id))
    }

    /// Who is at work here now.
    pub fn holder(&self) -> Option<LockHolder> {
        RunLock::holder(self.folder.existing()?)
    }

    /// Make the folder of a new run and open its journals.
    ///
    /// # Errors
    /// When the folder cannot be made or the earlier runs' transcripts cannot be read.
    pub fn begin_run(&self, id: &RunId) -> Result<RunDir, MemoryError> {
        self.open_run(id, &self.workflow_runs()?, None)
    }

    /// The same for a review against a commit, which belongs to no workflow; one of the same commit that was
    /// interrupted is gone on with.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn begin_base_review(&self, id: &RunId, commit: &str) -> Result<RunDir, MemoryError> {
        let before = self.runs()?.pop().filter(|run| self.reviews_against(run).is_some_and(|base| base == commit));
        self.open_run(id, before.as_slice(), Some(commit))
    }

    fn open_run(&self, id: &RunId, earlier: &[RunId], base: Option<&str>) -> Result<RunDir, MemoryError> {
        let name = format!("{RUNS}/{id}");
        let memory = self.dir()?;
        let open = || -> io::Result<RunDir> {
            if find_folder(memory, RUNS)?.is_none() {
                memory.create_dir(RUNS)?;
            }
            memory.create_dir_with(&name, DirBuilder::new().mode(0o700))?;
            let dir = memory.open_dir(&name)?;
            if let Some(commit) = base {
                workspace::replace(&dir, BASE, commit.as_bytes(), 0o600)?;
            }
            let earlier = earlier.iter().map(|run| {
                let folder = find_folder(memory, &format!("{RUNS}/{run}"))?;
                folder.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("run {run} is gone")))
            });
            let events = EventLog::open(&dir)?;
            let transcript = Transcript::open(&dir, earlier, self.seal.clone())?;
            Ok(RunDir { id: id.clone(), dir, events, transcript })
        };
        open().map_err(|source| self.io("open", &name, source))
    }

    /// Read everything. `Err` holds all faults of all files; nothing is changed.
    ///
    /// # Errors
    /// Files that break their contract, or cannot be read.
    pub fn load(&self) -> Result<Memory, MemoryError> {
        let (memory, faults) = self.inspect()?;
        if faults.is_empty() { Ok(memory) } else { Err(MemoryError::Faulty(faults)) }
    }

    /// The same, for whoever can do something about a faulty plan: that one is no error, and
    /// [`Memory::faulty_plan`] tells of it.
    ///
    /// # Errors
    /// Other files that break their contract, or cannot be read.
    pub fn load_to_mend(&self) -> Result<Memory, MemoryError> {
        let (memory, mut faults) = self.inspect()?;
        let plan = self.name(PlanOutput::FILE);
        if faults.iter().all(|faulty| faulty.file == plan) {
            return Ok(memory);
        }
        // Whoever mends the others should know of this one too.
        faults.sort_by_key(|faulty| faulty.file == plan);
        Err(MemoryError::Faulty(faults))
    }

    /// Read everything that can be read, and the faults of the rest: of files that break their contract, are larger than
    /// any of ours, or are no files.
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
            review: self.handoff(&mut faults, |review: &mut ReviewOutput, at| {
                review.timestamp.get_or_insert(at);
                fill_ids(review);
            }),
            dismissed: self
                .handoff(&mut faults, |_: &mut Dismissed, _| ())
                .map(|Dismissed(ids)| ids)
                .unwrap_or_default(),
            ..Memory::default()
        };
        if let (Some(review), Some(report)) = (&mut memory.review, &memory.report)
            && !self.names_round(ReviewOutput::FILE)
        {
            // Whoever reviews elsewhere knows of no rounds: it is the work at hand that is judged.
            review.round = report.round;
        }
        let past = self.past()?;
        let begun = memory.round.is_some()
            || memory.report.is_some()
            || memory.review.is_some()
            || past.is_implemented(|entry, file| self.has(&format!("{entry}/{file}")));
        match self.plan(begun) {
            Some(Ok(plan)) => memory.plan = Some(plan),
            Some(Err(faulty)) => {
                faults.push(faulty.faults.clone());
                memory.faulty_plan = Some(faulty);
            }
            None => {}
        }
        // An approval that cannot be read is no approval.
        let approval: Option<Approval> = self.handoff(&mut Vec::new(), |_: &mut Approval, _| ());
        let answers = |approval: &Approval| match (&memory.plan, &memory.faulty_plan) {
            (Some(plan), _) => plan.sha256 == approval.plan_sha256,
            (None, Some(faulty)) => approval.decision == Decision::Rejected && faulty.sha256 == approval.plan_sha256,
            (None, None) => false,
        };
        match approval.filter(|approval| self.counts(approval)) {
            Some(approval) if answers(&approval) => memory.approval = Some(approval),
            voided => memory.voided = voided,
        }
        self.recollect(&past, &mut memory);
        memory.begun = !self.workflow_runs()?.is_empty();
        memory.keys = self.file_keys(&memory);
        Ok((memory, faults))
    }

    /// Write a handoff.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write<T: Handoff>(&self, handoff: &T) -> Result<(), MemoryError> {
        self.replace(T::FILE, &pretty(handoff), 0o644)
    }

    /// Write the plan. Returns the hash an approval binds to. plan.md is made of it by whoever knows what else it shows.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_plan(&self, plan: &PlanOutput) -> Result<String, MemoryError> {
        let bytes = pretty(plan);
        self.replace(PlanOutput::FILE, &bytes, 0o644)?;
        Ok(digest(&bytes))
    }

    /// Record an answer to a plan.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_approval(
        &self,
        plan_sha256: &str,
        decision: Decision,
        by: ApprovedBy,
        tasks: Option<Vec<String>>,
        at: Timestamp,
    ) -> Result<Approval, MemoryError> {
        let counted = self.count_answer()?;
        let (n, mac) = (Some(counted.n), String::new());
        let mut approval = Approval { plan_sha256: plan_sha256.to_owned(), decision, by, tasks, at: Some(at), n, mac };
        self.sign_approval(&self.seal, &mut approval);
        self.write(&approval)?;
        Ok(approval)
    }

    /// Bring plan.md up to date with a plan that others wrote.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn refresh_plan_markdown(&self, markdown: &str) -> Result<(), MemoryError> {
        match self.read(PLAN_MD, MAX_MARKDOWN_BYTES) {
            Ok(Some(bytes)) if bytes == markdown.as_bytes() => Ok(()),
            _ => self.replace(PLAN_MD, markdown.as_bytes(), 0o644),
        }
    }

    /// How many entries the workflow's history has: one more means that a plan was set aside meanwhile.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn history_len(&self) -> Result<usize, MemoryError> {
        Ok(self.past()?.entries.len())
    }

    /// SHA-256 of plan.json as it is now, in hex, as [`LoadedPlan`] and [`FaultyPlan`] have it; `None` where there is none.
    pub fn plan_sha256(&self) -> Option<String> {
        match self.read(PlanOutput::FILE, MAX_HANDOFF_BYTES) {
            Ok(bytes) => bytes.map(|bytes| digest(&bytes)),
            Err(fault) => Some(unread(&fault.to_string())),
        }
    }

    /// Whether the plan with this hash has a genuine answer, or is no more the plan.
    pub fn is_answered(&self, plan_sha256: &str) -> bool {
        self.plan_sha256().is_none_or(|sha256| sha256 != plan_sha256) || self.answer_to(plan_sha256).is_some()
    }

    /// The genuine answer to the plan with this hash.
    pub fn answer_to(&self, plan_sha256: &str) -> Option<Decision> {
        let approval = self.whole_text(Approval::FILE).and_then(|text| read::<Approval>(&text).ok())?;
        (approval.plan_sha256 == plan_sha256 && self.counts(&approval)).then_some(approval.decision)
    }

    /// The reviews of this workflow that were set aside, oldest first.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub fn earlier_reviews(&self) -> Result<Vec<ReviewOutput>, MemoryError> {
        let past = self.past()?;
        Ok(past.entries.iter().filter_map(|entry| self.set_aside_review(entry)).collect())
    }

    /// The plans of this workflow that were approved and gave way to others, oldest first.
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

    /// Whether an agent's last conversation of a run came to its end and what it led to was taken, in that run or in a
    /// later one.
    ///
    /// # Errors
    /// When a transcript cannot be read.
    pub fn is_closed(&self, run: &RunId, agent: &str) -> Result<bool, MemoryError> {
        let mut is_closed = false;
        for later in self.workflow_runs()?.iter().filter(|later| *later >= run) {
            let read = journal::each(&self.run_folder(later)?, &self.seal, |line| match line {
                TranscriptLine::Closed { closed, .. } if closed == agent => is_closed = true,
                // A run may hold a task's conversations of several rounds.
                TranscriptLine::Turn { turn, .. } if later == run && turn.agent == agent => is_closed = false,
                _ => {}
            });
            read.map_err(|source| self.in_run(later, journal::TRANSCRIPT, source))?;
        }
        Ok(is_closed)
    }

    /// The error of a file of the memory folder.
    pub fn file_error(&self, action: &'static str, file: &str, source: io::Error) -> MemoryError {
        self.io(action, file, source)
    }

    /// Write the task in the user's words.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_task(&self, task: &str) -> Result<(), MemoryError> {
        self.replace(TASK, format!("{}\n", tidied(task)).as_bytes(), 0o644)
    }

    /// Have a task.md to write in: where it is missing or blank, it is made from a template, which counts as no task.
    /// Answers with its path, relative to the workspace root.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn offer_task_file(&self) -> Result<String, MemoryError> {
        if self.text(TASK)?.is_none_or(|text| tidied(&text).is_empty()) {
            self.replace(TASK, TASK_TEMPLATE.as_bytes(), 0o644)?;
        }
        Ok(self.name(TASK))
    }

    /// Have a feedback.md to write in, as [`Self::offer_task_file`] does a task.md.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn offer_feedback_file(&self) -> Result<String, MemoryError> {
        if self.text(FEEDBACK)?.is_none_or(|text| tidied(&text).is_empty()) {
            self.replace(FEEDBACK, FEEDBACK_TEMPLATE.as_bytes(), 0o644)?;
        }
        Ok(self.name(FEEDBACK))
    }

    /// What somebody wrote to feedback.md.
    ///
    /// # Errors
    /// When the file cannot be read, or is no text.
    pub fn feedback(&self) -> Result<Option<String>, MemoryError> {
        let words = self.words(FEEDBACK, FEEDBACK_TEMPLATE);
        words.map_err(|fault| MemoryError::Faulty(vec![self.faults(FEEDBACK, vec![fault])]))
    }

    /// feedback.md has been taken: the next feedback begins anew.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn remove_feedback_file(&self) -> Result<(), MemoryError> {
        let Some(dir) = self.folder.existing() else { return Ok(()) };
        match dir.remove_file(FEEDBACK) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(self.io("remove", FEEDBACK, source)),
            _ => Ok(()),
        }
    }

    /// plan.md, relative to the workspace root, where there is one.
    pub fn plan_markdown_file(&self) -> Option<String> {
        self.has(PLAN_MD).then(|| self.name(PLAN_MD))
    }

    /// Move files to `history/`; those that are missing are passed over.
    ///
    /// # Errors
    /// When they cannot be moved.
    pub fn set_aside(&self, why: SetAside, files: &[&str]) -> Result<Option<String>, MemoryError> {
        let runs = self.runs()?;
        if !self.exists() {
            return Ok(None);
        }
        history::set_aside(self.dir()?, why, files, &[], &runs).map_err(|source| self.io("write", "history", source))
    }

    /// Move the plan and everything later to `history/`.
    ///
    /// # Errors
    /// When they cannot be moved.
    pub fn set_plan_aside(&self, why: SetAside) -> Result<Option<String>, MemoryError> {
        self.set_aside(why, &WORKFLOW_FILES[FROM_PLAN])
    }

    /// The same, with what the user wants changed about the plan: the next one answers to it.
    ///
    /// # Errors
    /// When they cannot be moved.
    pub fn revise_plan(&self, feedback: &str) -> Result<(), MemoryError> {
        let extra = [(FEEDBACK, feedback.as_bytes())];
        let moved = history::set_aside(self.dir()?, SetAside::Revise, &WORKFLOW_FILES[FROM_PLAN], &extra, &[]);
        moved.map_err(|source| self.io("write", "history", source))?;
        self.count_answer().map(|_| ())
    }

    /// Copy a report and its review to `history/` and begin the report of the next round with these results. The
    /// review goes last: until then the round is not entered.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn turn_round(&self, why: SetAside, report: &ImplReport) -> Result<(), MemoryError> {
        let mut copies: Vec<(&str, Vec<u8>)> = Vec::new();
        for file in [ImplReport::FILE, ReviewOutput::FILE] {
            let bytes = self.read(file, MAX_HANDOFF_BYTES).map_err(|fault| self.io("read", file, fault.into()))?;
            copies.extend(bytes.map(|bytes| (file, bytes)));
        }
        let extra: Vec<(&str, &[u8])> = copies.iter().map(|(file, bytes)| (*file, bytes.as_slice())).collect();
        let dir = self.dir()?;
        history::set_aside(dir, why, &[], &extra, &[]).map_err(|source| self.io("write", "history", source))?;
        self.write(report)?;
        match dir.remove_file(ReviewOutput::FILE) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(self.io("remove", ReviewOutput::FILE, source))
            }
            _ => Ok(()),
        }
    }

    /// Move the whole workflow to `history/`, so that a new one can begin. Files of the workspace stay.
    ///
    /// # Errors
    /// When the files cannot be moved.
    pub fn set_workflow_aside(&self, why: SetAside) -> Result<Option<String>, MemoryError> {
        let moved = self.set_aside(why, &WORKFLOW_FILES)?;
        self.count_answer()?;
        Ok(moved)
    }

    /// The runs of the workflow at hand, oldest first.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn workflow_runs(&self) -> Result<Vec<RunId>, MemoryError> {
        let past = self.past()?;
        let closed = |run: &RunId| past.closed_runs.contains(run.as_str());
        let runs = self.runs()?.into_iter();
        Ok(runs.filter(|run| !closed(run) && self.reviews_against(run).is_none()).collect())
    }

    /// The runs that tell where things stand: those of the workflow at hand, and a review against a commit where that is
    /// what was run last.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn latest_runs(&self) -> Result<Vec<RunId>, MemoryError> {
        let mut runs = self.workflow_runs()?;
        runs.extend(self.runs()?.pop().filter(|run| self.reviews_against(run).is_some()));
        Ok(runs)
    }

    /// The commit that a run reviews against; `None` for a run of a workflow.
    fn reviews_against(&self, run: &RunId) -> Option<String> {
        let bytes = self.read(&format!("{RUNS}/{run}/{BASE}"), MAX_NOTE_BYTES).ok()??;
        String::from_utf8(bytes).ok()
    }

    /// The folder of a run.
    ///
    /// # Errors
    /// When it is not there.
    pub fn run_folder(&self, run: &RunId) -> Result<Dir, MemoryError> {
        let name = format!("{RUNS}/{run}");
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let dir = self.folder.existing().ok_or_else(|| self.io("open", &name, missing()))?;
        let found = find_folder(dir, &name).map_err(io::Error::from).and_then(|folder| folder.ok_or_else(missing));
        found.map_err(|source| self.io("open", &name, source))
    }

    /// The events of a run.
    ///
    /// # Errors
    /// When its folder is not there.
    pub fn events<T: serde::de::DeserializeOwned>(&self, run: &RunId) -> Result<Vec<T>, MemoryError> {
        journal::read_events(&self.run_folder(run)?).map_err(|source| self.io("read", &format!("{RUNS}/{run}"), source))
    }

    /// Read on in a run's journals from where `history` stopped.
    ///
    /// # Errors
    /// When its folder is not there, or a journal cannot be read.
    pub fn read_on<T: serde::de::DeserializeOwned>(
        &self,
        run: &RunId,
        history: &mut RunHistory<T>,
    ) -> Result<(), MemoryError> {
        let read = history.read_on(&self.run_folder(run)?, &self.seal);
        read.map_err(|source| self.io("read", &format!("{RUNS}/{run}"), source))
    }

    /// What each turn of the workflow at hand has used, in all its runs.
    ///
    /// # Errors
    /// When a transcript cannot be read.
    pub fn workflow_spending(&self) -> Result<Vec<Usage>, MemoryError> {
        self.spending(self.workflow_runs()?)
    }

    fn spending(&self, runs: Vec<RunId>) -> Result<Vec<Usage>, MemoryError> {
        let mut spending = Vec::new();
        for run in runs {
            let dir = self.run_folder(&run)?;
            let spent = journal::spending(&dir, &self.seal);
            spending.extend(spent.map_err(|source| self.in_run(&run, journal::TRANSCRIPT, source))?);
        }
        Ok(spending)
    }

    /// What these runs have used together.
    ///
    /// # Errors
    /// When a transcript cannot be read.
    pub fn usage_of(&self, runs: Vec<RunId>) -> Result<Usage, MemoryError> {
        Ok(self.spending(runs)?.into_iter().sum())
    }

    /// Hold plan.json still while it is implemented.
    ///
    /// # Errors
    /// When plan.json has another hash by now.
    pub fn lock_plan(&self, sha256: &str) -> Result<PlanLock, MemoryError> {
        PlanLock::engage(self.dir()?, self.name(PlanOutput::FILE), sha256)
    }

    /// The seal under which journals count.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// The workspace whose memory this is.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The memory folder, relative to the workspace root.
    pub fn path(&self) -> &RepoPath {
        self.folder.path()
    }

    /// The handle on the memory folder to write to it, which makes it.
    pub(super) fn dir(&self) -> Result<&Dir, MemoryError> {
        self.folder.make()
    }

    /// Read a file whole, by its path from the memory folder; `None` where there is none.
    pub(super) fn read(&self, file: &str, limit: u64) -> Result<Option<Vec<u8>>, ReadFault> {
        self.folder.existing().map_or(Ok(None), |dir| read_bounded(dir, file, limit))
    }

    /// Whether something is there.
    pub(super) fn has(&self, file: &str) -> bool {
        self.folder.existing().is_some_and(|dir| dir.symlink_metadata(file).is_ok())
    }

    /// What the history tells of the workflow at hand.
    pub(super) fn past(&self) -> Result<history::Past, MemoryError> {
        let Some(dir) = self.folder.existing() else { return Ok(history::Past::default()) };
        history::past(dir).map_err(|source| self.io("read", history::HISTORY, source))
    }

    /// A file of the memory folder, relative to the workspace root.
    pub fn name(&self, file: &str) -> String {
        format!("{}/{file}", self.path()).trim_end_matches('/').to_owned()
    }

    /// All runs, of this and of earlier workflows, oldest first. A run well ahead of the clock is one only if a journal of
    /// ours says so: a clone may hold any name, and a clock may have been wrong when the run was made.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn runs(&self) -> Result<Vec<RunId>, MemoryError> {
        self.runs_until(Timestamp::now())
    }

    fn runs_until(&self, now: Timestamp) -> Result<Vec<RunId>, MemoryError> {
        Ok(self.list_runs(now)?.0)
    }

    /// What stands among the runs and the entries of the history and is none of them, by its path from the workspace
    /// root: names that nobody can have given by our clock or by counting.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn ignored(&self, now: Timestamp) -> Result<Vec<String>, MemoryError> {
        let Some(dir) = self.folder.existing() else { return Ok(Vec::new()) };
        let entries = history::ignored(dir).map_err(|source| self.io("read", history::HISTORY, source))?;
        let entries = entries.iter().map(|entry| self.name(&format!("{}/{entry}", history::HISTORY)));
        let runs = self.list_runs(now)?.1;
        Ok(runs.iter().map(|run| self.name(&format!("{RUNS}/{run}"))).chain(entries).collect())
    }

    /// The runs, oldest first, and the names of folders beside them that are none.
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
                    // Nobody takes another name for a run.
                    _ if name.starts_with(|first: char| first.is_ascii_digit()) => ignored.push(name),
                    _ => {}
                }
            }
            Ok(())
        };
        list().map_err(|source| self.io("read", RUNS, source))?;
        runs.sort();
        ignored.sort();
        Ok((runs, ignored))
    }

    /// Whether a run's folder holds a journal under our seal.
    fn is_own(&self, runs: &Dir, run: &str) -> bool {
        let Ok(Some(folder)) = find_folder(runs, run) else { return false };
        journal::is_own(&folder, &self.seal) || {
            let records = workspace::records(&folder, &|content, mac| self.seal.verify(PUBLISH, content, mac));
            records.is_ok_and(|(own, _)| !own.is_empty())
        }
    }

    /// The task; `None`, with a fault, where task.md is no text or cannot be read.
    fn task(&self, faults: &mut Vec<FileFaults>) -> Option<String> {
        self.words(TASK, TASK_TEMPLATE).unwrap_or_else(|fault| {
            faults.push(self.faults(TASK, vec![fault]));
            None
        })
    }

    /// What a person wrote to a file that may hold a template; nothing where that is all there is.
    fn words(&self, file: &str, template: &str) -> Result<Option<String>, Fault> {
        let Some((bytes, _)) = self.bytes(file, MAX_TEXT_BYTES)? else { return Ok(None) };
        let text = task_text::decode(&bytes)?;
        let words = beside_template(&text, template);
        Ok((!words.is_empty()).then(|| words.to_owned()))
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

    /// A result that names no task could be anybody's.
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

    /// Whether a handoff says which round it is about.
    fn names_round(&self, file: &str) -> bool {
        let Some((text, _)) = self.json(file, &mut Vec::new()) else { return false };
        let text = text.trim_start_matches('\u{feff}');
        let parsed = || serde_json::from_str::<serde_json::Value>(text).unwrap_or_default();
        over_limit(text.as_bytes()).is_none() && !parsed()["round"].is_null()
    }

    /// Whether files exist is asked only until implementation starts: from then on the tasks create and delete them.
    fn plan(&self, begun: bool) -> Option<Result<LoadedPlan, FaultyPlan>> {
        let bytes = match self.bytes(PlanOutput::FILE, MAX_HANDOFF_BYTES) {
            Ok(read) => read?.0,
            Err(fault) => {
                let sha256 = unread(&fault.message);
                return Some(Err(FaultyPlan { sha256, faults: self.faults(PlanOutput::FILE, vec![fault]) }));
            }
        };
        let sha256 = digest(&bytes);
        let stands = |path: &RepoPath| self.workspace.standing(path);
        let stands: Option<&dyn Fn(&RepoPath) -> Standing> = if begun { None } else { Some(&stands) };
        let checked = |text: &str| -> Result<PlanOutput, Vec<Fault>> {
            let plan: PlanOutput = read(text)?;
            let keys = self.workspace.file_keys_of(plan.tasks.iter().flat_map(Task::files));
            let found = check_plan(&plan, text.trim_start_matches('\u{feff}'), &keys, stands);
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
        let issues = memory.review.iter().flat_map(|review| &review.issues).map(|issue| issue.file.as_str());
        // Many issues stand in few files.
        self.workspace.file_keys_of(planned.chain(issues).collect::<BTreeSet<_>>())
    }

    /// What the workflow's own entries of `history/` still say.
    fn recollect(&self, past: &history::Past, memory: &mut Memory) {
        for entry in &past.entries {
            if let Some(review) = self.set_aside_review(entry) {
                memory.earlier_review_rounds.insert(review.round);
                memory.earlier_rounds = memory.earlier_rounds.max(review.round);
            }
            let round: Option<Round> = self.set_aside_handoff(entry, Round::FILE);
            memory.earlier_rounds = memory.earlier_rounds.max(round.map_or(0, |round| round.n));
            if history::is_whole_rollback(entry, |file| self.has(file)) {
                // What those reviews were about is gone: the cycles begin anew.
                memory.earlier_review_rounds.clear();
            }
        }
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
            // Of a plan that breaks its contract this may still be right.
            Err(text) => {
                let bounded = over_limit(text.as_bytes()).is_none();
                let value = bounded.then(|| serde_json::from_str::<serde_json::Value>(text).ok()).flatten();
                let version = value.unwrap_or_default()["plan_version"].as_u64();
                version.and_then(|version| u32::try_from(version).ok()).unwrap_or(1)
            }
        };
        let feedback = read_text(FEEDBACK, MAX_TEXT_BYTES);
        let feedback = feedback.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        memory.revision = Some(Revision { plan, version, review: self.set_aside_review(entry), feedback });
    }

    /// A handoff that was set aside; one that cannot be read any more counts as absent.
    pub(super) fn set_aside_handoff<T: Handoff>(&self, entry: &str, file: &str) -> Option<T> {
        read(&self.whole_text(&format!("{entry}/{file}"))?).ok()
    }

    fn set_aside_review(&self, entry: &str) -> Option<ReviewOutput> {
        let mut review: ReviewOutput = self.set_aside_handoff(entry, ReviewOutput::FILE)?;
        fill_ids(&mut review);
        // One against a commit is no part of a workflow.
        Some(review).filter(|review| review.base.is_none())
    }

    /// Whether this user gave this answer here: the last one, or one of those before.
    pub(super) fn is_genuine(&self, approval: &Approval) -> bool {
        self.is_sealed_by(&self.seal, approval)
    }

    /// Whether this is the last answer that this user gave here.
    pub(super) fn counts(&self, approval: &Approval) -> bool {
        let last = approval.n.map_or(LastAnswer::Uncounted, LastAnswer::Number);
        self.is_genuine(approval) && self.seal.answers().last() == last
    }

    pub(super) fn is_sealed_by(&self, seal: &Seal, approval: &Approval) -> bool {
        seal.verify(APPROVAL_KIND, &sealed(approval), &approval.mac)
    }

    pub(super) fn sign_approval(&self, seal: &Seal, approval: &mut Approval) {
        approval.mac = seal.sign(APPROVAL_KIND, &sealed(approval));
    }

    /// Count an answer: no earlier one holds from here on.
    fn count_answer(&self) -> Result<Counted, MemoryError> {
        let answers = self.seal.answers();
        let file = || answers.file().display().to_string();
        answers.count().map_err(|source| MemoryError::Io { action: "count the answer in", file: file(), source })
    }

    /// The text of a handoff; `None`, with a fault, for one that cannot be read, or is in no encoding JSON may have.
    fn json(&self, file: &str, faults: &mut Vec<FileFaults>) -> Option<(String, Timestamp)> {
        let read = self.bytes(file, MAX_HANDOFF_BYTES).map(|read| {
            read.map(|(bytes, modified)| match String::from_utf8(bytes) {
                Ok(text) => Ok((text, modified)),
                Err(error) => Err(not_utf8(&error)),
            })
        });
        match read.and_then(Option::transpose) {
            Ok(read) => read,
            Err(fault) => {
                faults.push(self.faults(file, vec![fault]));
                None
            }
        }
    }

    /// A file's text; what is no UTF-8 in it is replaced.
    fn text(&self, file: &str) -> Result<Option<String>, MemoryError> {
        let read = self.bytes(file, MAX_TEXT_BYTES);
        let read = read.map_err(|fault| MemoryError::Faulty(vec![self.faults(file, vec![fault])]))?;
        Ok(read.map(|(bytes, _)| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The text of a handoff as it is on disk; `None` for one that cannot be read.
    fn whole_text(&self, file: &str) -> Option<String> {
        String::from_utf8(self.read(file, MAX_HANDOFF_BYTES).ok()??).ok()
    }

    /// A file's bytes and when it was last written; of one that is there and is not read, the fault, at its start.
    fn bytes(&self, file: &str, limit: u64) -> Result<Option<(Vec<u8>, Timestamp)>, Fault> {
        if let Some(text) = self.unsaved.get(file) {
            return Ok(Some((text.clone().into_bytes(), Timestamp::UNIX_EPOCH)));
        }
        let Some(dir) = self.folder.existing() else { return Ok(None) };
        let read = || -> Result<Option<(Vec<u8>, Timestamp)>, ReadFault> {
            let Some((opened, metadata)) = open_regular(dir, file)? else { return Ok(None) };
            let bytes = read_to_limit(opened, metadata.len(), limit)?;
            let modified = metadata.modified().map_or_else(|_| SystemTime::now(), cap_std::time::SystemTime::into_std);
            Ok(Some((bytes, Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH))))
        };
        read().map_err(|fault| Fault::at("", 0, fault.to_string()))
    }

    fn replace(&self, file: &str, bytes: &[u8], mode: u32) -> Result<(), MemoryError> {
        workspace::replace(self.dir()?, file, bytes, mode).map_err(|source| self.io("write", file, source))
    }

    fn faults(&self, file: &str, faults: Vec<Fault>) -> FileFaults {
        FileFaults { file: self.name(file), faults }
    }

    pub(super) fn io(&self, action: &'static str, file: &str, source: io::Error) -> MemoryError {
        self.folder.error(action, self.name(file), source)
    }

    fn in_run(&self, run: &RunId, file: &str, source: io::Error) -> MemoryError {
        self.io("read", &format!("{RUNS}/{run}/{file}"), source)
    }
}

/// What somebody wrote into a file that began as a template: all of it, without the template where that still stands.
fn beside_template<'a>(text: &'a str, template: &str) -> &'a str {
    let mut rest = text.trim_start_matches('\u{feff}').trim();
    for line in template.lines().filter(|line| !line.is_empty()) {
        match rest.strip_prefix(line) {
            Some(after) if after.is_empty() || after.starts_with(['\n', '\r']) => rest = after.trim(),
            // Somebody wrote over the template; its heading is a heading then.
            _ if rest.is_empty() => break,
            _ => return text.trim(),
        }
    }
    rest
}

/// The fault of a text that is not UTF-8, at the first byte that is not.
fn not_utf8(error: &std::string::FromUtf8Error) -> Fault {
    let at = error.utf8_error().valid_up_to();
    let before = String::from_utf8_lossy(&error.as_bytes()[..at]);
    Fault {
        code: "schema",
        message: "not UTF-8 text, as JSON must be; save it in that encoding".to_owned(),
        pointer: String::new(),
        span: at..at,
        position: Position::of(&before, at),
    }
}

/// What stands for the hash of a plan.json that is there and is not read, such as a pipe: no file of ours has these bytes.
fn unread(fault: &str) -> String {
    digest(format!("not read: {fault}").as_bytes())
}

/// Reviews from elsewhere have no ids. What is filled depends on the review alone, so that it is the same at every
/// reading.
fn fill_ids(review: &mut ReviewOutput) {
    let mut taken: HashSet<String> = review.issues.iter().map(|issue| issue.id.clone()).collect();
    for issue in &mut review.issues {
        if !issue.id.is_empty() {
            continue;
        }
        let file = RepoPath::parse(&issue.file).map_or_else(|_| issue.file.clone(), |path| path.to_string());
        let quoted = issue.quote.as_deref().unwrap_or_default().trim().lines().next().unwrap_or_default();
        let mut id = issue_id(&file, quoted, &issue.description);
        if taken.contains(&id) {
            id = issue_id(&file, &format!("{}: {quoted}", issue.line), &issue.description);
        }
        taken.insert(id.clone());
        issue.id = id;
    }
}

/// What an approval's code covers: everything that decides.
fn sealed(approval: &Approval) -> Vec<u8> {
    let Approval { plan_sha256, decision, by, tasks, at, n, mac: _ } = approval;
    match n {
        // As it was before answers were numbered.
        None => serde_json::json!([plan_sha256, decision, by, tasks, at]),
        Some(n) => serde_json::json!([plan_sha256, decision, by, tasks, at, n]),
    }
    .to_string()
    .into_bytes()
}

fn pretty<T: Handoff>(handoff: &T) -> Vec<u8> {
    // A handoff is made of strings, numbers and lists; none of them can fail to serialise.
    let mut bytes = serde_json::to_vec_pretty(handoff).unwrap_or_default();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_of_task_md_is_no_task() {
        let windows = TASK_TEMPLATE.replace('\n', "\r\n");
        for (text, task) in [
            (TASK_TEMPLATE, ""),
            (windows.as_str(), ""),
            ("# Task\n", ""),
            ("", ""),
            ("  \n", ""),
            (&format!("{TASK_TEMPLATE}\nAdd a flag.\n"), "Add a flag."),
            (&format!("{windows}Add a flag."), "Add a flag."),
            ("# Task\n\nAdd a flag.\n", "# Task\n\nAdd a flag."),
            ("Add a flag.\n", "Add a flag."),
            ("# Tasks of today\n", "# Tasks of today"),
        ] {
            assert_eq!(beside_template(text, TASK_TEMPLATE), task, "{text:?}");
        }
    }
}
