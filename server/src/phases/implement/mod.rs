//! The implement phase: the approved tasks, in parallel, under a locked plan.

mod brief;
mod schedule;
mod task;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::schedule::Schedule;
use self::task::{Assignment, TaskEnd, TaskNews};
use crate::agents::AgentError;
use crate::contracts::{
    Approval, ApprovedBy, FileKeys, Handoff, HandoffFile, ImplReport, Issue, PhaseName, PlanOutput, RepoPath, Round,
    RoundKind, Task, TaskResult, TaskStatus,
};
use crate::memory::{Memory, PlanLock, SetAside};
use crate::text::count;
use crate::workflow::{
    Changes, Costs, EventStatus, IMPLEMENT, Phase, PhaseEnd, PhaseError, Policy, Publish, Run, TierRule, Titles,
    ToolSet, close_agent, current_or_first_round, empty_report, git_folders, publish_journal, standing_publishes,
    task_agent,
};
use crate::workspace::Writable;

/// The row of the implement phase.
pub(super) struct Implement;

#[async_trait]
impl Phase for Implement {
    fn name(&self) -> PhaseName {
        IMPLEMENT
    }

    fn titles(&self) -> Titles {
        Titles { help: "Write the code; asks you first", subject: "The implementation" }
    }

    fn prompt(&self) -> &'static str {
        include_str!("../../../../prompts/implement.md")
    }

    fn files(&self) -> &'static [HandoffFile] {
        const { &[HandoffFile::of::<Round>(), HandoffFile::of::<ImplReport>()] }
    }

    fn handoff(&self) -> &'static str {
        ImplReport::FILE
    }

    fn tools(&self) -> ToolSet {
        ToolSet::Write
    }

    fn tier(&self) -> TierRule {
        TierRule::ByComplexity
    }

    fn weight(&self) -> u32 {
        55
    }

    fn is_written(&self, memory: &Memory) -> bool {
        memory.report.is_some()
    }

    fn is_due(&self, memory: &Memory, _policy: &Policy, _now: Timestamp) -> bool {
        memory.report.as_ref().is_none_or(|report| !report.pending(memory.approved_tasks()).is_empty())
    }

    fn lacks(&self, memory: &Memory) -> Option<&'static str> {
        memory.plan.is_none().then_some("a plan: run --phase plan first")
    }

    fn changes_files(&self) -> bool {
        true
    }

    fn has_checkpoint(&self) -> bool {
        true
    }

    fn add_costs(&self, costs: &mut Costs<'_>) {
        costs.add_tasks(self);
    }

    /// Do the approved tasks that have no result yet.
    async fn run(&self, run: &Arc<Run>, memory: &Memory) -> Result<PhaseEnd, PhaseError> {
        let (Some(plan), Some(approval)) = (&memory.plan, &memory.approval) else {
            return Err(PhaseError::Internal("implementation was due without an approved plan".to_owned()));
        };
        if memory.review.is_some() || !memory.findings.is_empty() {
            // More was approved after them: they do not judge what is done now.
            run.store.set_aside(SetAside::Phase, &run.store.handoffs().after_file(ImplReport::FILE))?;
        }
        let round = current_or_first_round(run, memory)?;
        let plan_lock = Arc::new(run.store.lock_plan(&plan.sha256)?);
        let mut report = memory.report.clone().unwrap_or_else(|| empty_report(round.n, &plan.plan, &plan.sha256));
        adopt_published(run, &plan.plan, &round, &mut report)?;
        let todo = report.pending(approval.task_ids(&plan.plan));
        if todo.is_empty() {
            // Without a report the phase would be due for ever.
            run.store.write(&report)?;
        }
        run.say(IMPLEMENT, EventStatus::Started, format!("Implementing {}", count(todo.len(), "task")));
        let issues = round_issues(run, &round);
        let named = plan.plan.tasks.iter().flat_map(Task::files).chain(issues.iter().map(|issue| issue.file.as_str()));
        let keys = run.workspace.file_keys_of(named);
        let mut work = Work {
            run,
            plan: &plan.plan,
            approval,
            round: &round,
            plan_lock,
            system: vec![
                run.prompts.of(IMPLEMENT),
                brief::shared(&memory.task_text(), memory.context.as_ref(), &plan.plan),
            ],
            issues,
            schedule: Schedule::new(&plan.plan, &keys, &todo),
            keys,
            report,
            unasked: HashSet::new(),
            opening: HashSet::new(),
            opened: HashSet::new(),
            waiting: Arc::default(),
        };
        let stopped = work.all_tasks().await;
        let changes = Changes::load(&run.store, &run.workspace)?;
        changes.write_diff(run)?;
        match stopped {
            Some(error) => Err(error),
            None => Ok(work.end()),
        }
    }
}

struct Work<'a> {
    run: &'a Arc<Run>,
    plan: &'a PlanOutput,
    approval: &'a Approval,
    round: &'a Round,
    plan_lock: Arc<PlanLock>,
    system: Vec<String>,
    issues: Vec<Issue>,
    /// Which of the files that plan and issues name are one.
    keys: FileKeys,
    schedule: Schedule,
    report: ImplReport,
    /// Tasks that failed because their model could not be asked.
    unasked: HashSet<String>,
    /// Models whose cache a task is opening, and those whose cache is open.
    opening: HashSet<String>,
    opened: HashSet<String>,
    /// How many tasks wait for a person to save a file; others take their places.
    waiting: Arc<AtomicUsize>,
}

impl Work<'_> {
    /// Run tasks until none is left or one of them says that none can go on. The error, if any, comes after every
    /// task under way has ended.
    async fn all_tasks(&mut self) -> Option<PhaseError> {
        let (news_in, mut news) = mpsc::unbounded_channel();
        let mut running: JoinSet<(usize, Result<TaskEnd, PhaseError>)> = JoinSet::new();
        let mut stopped = None;
        loop {
            while stopped.is_none() && self.at_work(&running) < self.run.settings.max_parallel_tasks {
                match self.next_startable() {
                    Ok(Some(task)) => match self.launch(task, &mut running, news_in.clone()) {
                        Ok(()) => {}
                        Err(error) => stopped = Some(error),
                    },
                    Ok(None) => break,
                    Err(error) => stopped = Some(error),
                }
            }
            if running.is_empty() {
                return stopped;
            }
            tokio::select! {
                Some(joined) = running.join_next() => {
                    let ended = match joined {
                        Ok((task, end)) => self.take(task, end),
                        Err(error) => Err(PhaseError::Internal(format!("a task's agent broke off: {error}"))),
                    };
                    if let Err(error) = ended {
                        stopped = Some(stopped.unwrap_or(error));
                    }
                }
                Some(news) = news.recv() => match news {
                    TaskNews::CacheOpened(model) => drop(self.opened.insert(model)),
                    TaskNews::Waits => {}
                },
            }
        }
    }

    /// Tasks that take up a place.
    fn at_work<T: 'static>(&self, running: &JoinSet<T>) -> usize {
        running.len().saturating_sub(self.waiting.load(Ordering::Relaxed))
    }

    /// The most urgent ready task whose model's cache is open, or that may open it: the first such in plan order.
    fn next_startable(&self) -> Result<Option<usize>, PhaseError> {
        let ready = self.schedule.ready();
        let mut openers: Vec<usize> = Vec::new();
        for task in &ready {
            let model = self.model_of(&self.plan.tasks[*task])?;
            if self.opened.contains(&model) {
                return Ok(Some(*task));
            }
            if !self.opening.contains(&model) {
                openers.push(*task);
            }
        }
        Ok(openers.into_iter().min())
    }

    fn model_of(&self, task: &Task) -> Result<String, PhaseError> {
        let tier = Implement.tier().tier(task.estimated_complexity);
        Ok(self.run.model(tier)?.id().to_owned())
    }

    fn launch(
        &mut self,
        index: usize,
        running: &mut JoinSet<(usize, Result<TaskEnd, PhaseError>)>,
        news: mpsc::UnboundedSender<TaskNews>,
    ) -> Result<(), PhaseError> {
        let task = &self.plan.tasks[index];
        let tier = Implement.tier().tier(task.estimated_complexity);
        let model = self.run.model(tier)?;
        self.opening.insert(model.id().to_owned());
        self.schedule.start(index);
        let assignment = Assignment {
            task: task.clone(),
            round: self.round.n,
            model,
            tier,
            system: self.system.clone(),
            issues: self.issues_of(task),
            writable: writable(task, self.approval),
            git_folders: git_folders(&self.run.workspace, self.plan),
            plan_lock: self.plan_lock.clone(),
            waiting: self.waiting.clone(),
        };
        let run = self.run.clone();
        run.tell(IMPLEMENT, EventStatus::Started, Some(&task.id), task.title.clone());
        running.spawn(async move { (index, task::run_task(&run, assignment, news).await) });
        Ok(())
    }

    /// Take what a task led to into the report. An error means that no further task should start.
    fn take(&mut self, index: usize, end: Result<TaskEnd, PhaseError>) -> Result<(), PhaseError> {
        let task = &self.plan.tasks[index];
        // Whatever became of the opener, the next task must not wait for it.
        if let Ok(model) = self.model_of(task) {
            self.opening.remove(&model);
        }
        let result = match end? {
            TaskEnd::Submitted(result) => result,
            TaskEnd::Failed(error) => {
                if matches!(error, AgentError::Model(_)) {
                    self.unasked.insert(task.id.clone());
                }
                failed_result(&task.id, &error)
            }
        };
        let (status, message) = task_event(&result);
        self.report.results.push(result);
        self.write_report()?;
        close_agent(self.run, &task_agent(&task.id))?;
        self.run.tell(IMPLEMENT, status, Some(&task.id), message);
        if status == EventStatus::Done {
            self.schedule.done(index);
        }
        Ok(())
    }

    fn write_report(&mut self) -> Result<(), PhaseError> {
        in_plan_order(self.plan, &mut self.report);
        self.report.timestamp = Some(Timestamp::now());
        Ok(self.run.store.write(&self.report)?)
    }

    /// The issues of the round that fall to a task: those of the files it owns.
    fn issues_of(&self, task: &Task) -> Vec<Issue> {
        let approved = self.approval.task_ids(self.plan);
        let is_its =
            |issue: &&Issue| self.plan.task_of(issue, &self.keys, &approved).is_some_and(|owner| owner.id == task.id);
        self.issues.iter().filter(is_its).cloned().collect()
    }

    fn end(&self) -> PhaseEnd {
        let bad: Vec<&TaskResult> = self.report.failed().collect();
        if bad.is_empty() {
            let changed: HashSet<&str> = self
                .report
                .results
                .iter()
                .flat_map(|result| &result.changes)
                .map(|change| change.path.as_str())
                .collect();
            let message = format!("{} changed", count(changed.len(), "file"));
            self.run.say(IMPLEMENT, EventStatus::Done, message);
            return PhaseEnd::Done;
        }
        let no_conclusion = bad.iter().all(|result| self.unasked.contains(&result.task_id));
        let mut message = String::new();
        for result in bad {
            let why = result.blockers.first().map_or(result.notes.as_str(), String::as_str);
            let why = why.trim_end().trim_end_matches('.');
            message.push_str(&format!("{} {}: {why}. ", result.task_id, result.status.as_str()));
        }
        let kept_back = self.schedule.never_started();
        if !kept_back.is_empty() {
            message.push_str(&format!("Not started, because they depend on it: {}. ", kept_back.join(", ")));
        }
        message.push_str("Run again to retry; what is done stays done.");
        self.run.say(IMPLEMENT, EventStatus::Failed, message.clone());
        PhaseEnd::Failed { message, no_conclusion }
    }
}

/// The files a task may write, as frozen when the plan was approved.
fn writable(task: &Task, approval: &Approval) -> Writable {
    let paths = |list: &[String]| list.iter().filter_map(|file| RepoPath::parse(file).ok()).collect::<Vec<_>>();
    Writable {
        write: paths(&task.files_to_modify).into_iter().chain(paths(&task.files_to_create)).collect(),
        delete: paths(&task.files_to_delete).into_iter().collect(),
        approved_protected: approval.by == ApprovedBy::Person,
    }
}

/// A task that was published before its result was written has its result in the publish journal.
fn adopt_published(run: &Run, plan: &PlanOutput, round: &Round, report: &mut ImplReport) -> Result<(), PhaseError> {
    for Publish { run: id, record, .. } in standing_publishes(publish_journal(&run.store)?) {
        let known = report.result_of(&record.task).is_some();
        let Some(task) = plan.task(&record.task).filter(|_| !known && record.round == round.n) else { continue };
        // A result that was taken and is gone again was taken out on purpose: its task is to be done once more.
        let agent = task_agent(&record.task);
        if run.store.is_closed(&id, &agent)? {
            continue;
        }
        let Ok(submitted) = serde_json::from_value::<TaskResult>(record.submission.clone()) else { continue };
        report.results.push(task::with_real_changes(run, task, submitted)?);
        in_plan_order(plan, report);
        run.store.write(report)?;
        close_agent(run, &agent)?;
    }
    Ok(())
}

/// Tasks end in any order; a report has them as the plan does.
fn in_plan_order(plan: &PlanOutput, report: &mut ImplReport) {
    report.results.sort_by_key(|result| plan.tasks.iter().position(|task| task.id == result.task_id));
}

fn round_issues(run: &Run, round: &Round) -> Vec<Issue> {
    if round.kind != RoundKind::Fix {
        return Vec::new();
    }
    let issues = run.store.review_before(round.n).map(|review| review.issues).unwrap_or_default();
    issues.into_iter().filter(|issue| round.issues.contains(&issue.id)).collect()
}

fn failed_result(task: &str, error: &AgentError) -> TaskResult {
    TaskResult {
        task_id: task.to_owned(),
        status: TaskStatus::Failed,
        changes: Vec::new(),
        notes: String::new(),
        blockers: vec![error.to_string()],
    }
}

fn task_event(result: &TaskResult) -> (EventStatus, String) {
    let (added, removed) = result
        .changes
        .iter()
        .fold((0, 0), |(added, removed), change| (added + change.lines_added, removed + change.lines_removed));
    let files = result.changes.len();
    let wrote = match files {
        0 => "changed nothing".to_owned(),
        files => format!("{}, +{added} -{removed}", count(files, "file")),
    };
    match result.status {
        TaskStatus::Completed => (EventStatus::Done, wrote),
        TaskStatus::Partial => (EventStatus::Done, format!("partly done: {wrote}")),
        TaskStatus::Blocked | TaskStatus::Failed => {
            let why = result.blockers.first().map_or(result.notes.as_str(), String::as_str);
            (EventStatus::Failed, format!("{}: {why}", result.status.as_str()))
        }
    }
}
