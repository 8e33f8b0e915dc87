//! The tasks at work: which starts when, how many at once, and what becomes of their results.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::assignment::Assignment;
use super::schedule::Schedule;
use super::task::{self, TaskEnd};
use super::unpublished::reason;
use super::waiting::TaskNews;
use crate::agents::AgentError;
use crate::contracts::{
    Approval, ApprovedBy, FileKeys, ImplReport, Issue, PlanOutput, RepoPath, Round, Task, TaskResult, TaskStatus,
};
use crate::memory::PlanLock;
use crate::text::count;
use crate::workflow::{EventStatus, IMPLEMENT, PhaseError, Run, TierRule, Tries, close_agent, git_folders, task_agent};
use crate::workspace::Writable;

pub(super) struct Workers<'a> {
    pub(super) run: &'a Arc<Run>,
    pub(super) plan: &'a PlanOutput,
    pub(super) approval: &'a Approval,
    pub(super) round: &'a Round,
    pub(super) plan_lock: Arc<PlanLock>,
    pub(super) system: Vec<String>,
    pub(super) issues: Vec<Issue>,
    /// Which of the files that plan and issues name are one.
    pub(super) keys: FileKeys,
    pub(super) schedule: Schedule,
    pub(super) report: ImplReport,
    pub(super) tier: TierRule,
    /// Most tokens that one answer may have.
    pub(super) max_tokens: u32,
    /// Tasks that failed because their model could not be asked.
    pub(super) unasked: HashSet<String>,
    /// Why tasks failed whose conversations did not fit the window of their model.
    pub(super) too_long: HashMap<String, AgentError>,
    /// Models whose cache a task is opening, and those whose cache is open.
    pub(super) opening: HashSet<String>,
    pub(super) opened: HashSet<String>,
    /// How many tasks wait for a person to save a file, or for a check; others take their places.
    pub(super) waiting: Arc<AtomicUsize>,
    /// What failing checks said, in a round that repairs them.
    pub(super) failing: Option<Arc<str>>,
    /// The checks that tasks may try.
    pub(super) tries: Option<Arc<Tries>>,
}

impl Workers<'_> {
    /// Run tasks until none is left or one of them says that none can go on. The error, if any, comes after every
    /// task under way has ended.
    ///
    /// A task that the budget has no room for keeps no other back, which may cost less: what is done under a budget does not
    /// depend on which task comes first.
    pub(super) async fn all_tasks(&mut self) -> Option<PhaseError> {
        let (news_in, mut news) = mpsc::unbounded_channel();
        let mut running: JoinSet<(usize, Result<TaskEnd, PhaseError>)> = JoinSet::new();
        let (mut stopped, mut short) = (None, None);
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
                let short = short.map(|shortage| AgentError::Budget(self.run.context.budget.told_now(shortage)));
                return stopped.or(short.map(PhaseError::Agent));
            }
            tokio::select! {
                Some(joined) = running.join_next() => {
                    let ended = match joined {
                        Ok((task, Err(PhaseError::Agent(AgentError::Budget(shortage))))) => {
                            self.leave(task);
                            short = Some(shortage);
                            Ok(())
                        }
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
        let tier = self.tier.tier(task.estimated_complexity);
        Ok(self.run.model(tier)?.id().to_owned())
    }

    fn launch(
        &mut self,
        index: usize,
        running: &mut JoinSet<(usize, Result<TaskEnd, PhaseError>)>,
        news: mpsc::UnboundedSender<TaskNews>,
    ) -> Result<(), PhaseError> {
        let task = &self.plan.tasks[index];
        let tier = self.tier.tier(task.estimated_complexity);
        let model = self.run.model(tier)?;
        self.opening.insert(model.id().to_owned());
        self.schedule.start(index);
        let assignment = Assignment {
            task: task.clone(),
            round: self.round.n,
            model,
            tier,
            max_tokens: self.max_tokens,
            system: self.system.clone(),
            issues: self.issues_of(task),
            writable: writable(task, self.approval),
            git_folders: git_folders(&self.run.workspace, self.plan),
            plan_lock: self.plan_lock.clone(),
            waiting: self.waiting.clone(),
            failing: self.failing.clone(),
            tries: self.tries.clone(),
            used_tries: Arc::new(AtomicU32::new(0)),
            last_tries: Arc::default(),
        };
        let run = self.run.clone();
        run.emit_for_task(IMPLEMENT, EventStatus::Started, Some(&task.id), task.title.clone());
        running.spawn(async move { (index, task::run_task(&run, assignment, news).await) });
        Ok(())
    }

    /// Leave a task as it is, for a run with a larger budget.
    fn leave(&mut self, index: usize) {
        self.open_no_more(index);
        let task = self.plan.tasks[index].id.as_str();
        let message = format!("the budget has too little left for {task}");
        self.run.emit_for_task(IMPLEMENT, EventStatus::Cancelled, Some(task), message);
    }

    /// The next task must not wait for an opener that has ended.
    fn open_no_more(&mut self, index: usize) {
        if let Ok(model) = self.model_of(&self.plan.tasks[index]) {
            self.opening.remove(&model);
        }
    }

    /// Add the result of a task to the report. An error means that no further task should start.
    fn take(&mut self, index: usize, end: Result<TaskEnd, PhaseError>) -> Result<(), PhaseError> {
        self.open_no_more(index);
        let task = &self.plan.tasks[index];
        let result = match end? {
            TaskEnd::Submitted(result) => result,
            TaskEnd::Failed { error, kept_edits, attempts } => {
                if matches!(error, AgentError::Model(_)) {
                    self.unasked.insert(task.id.clone());
                }
                let result = TaskResult { attempts, ..failed_result(&task.id, &error, kept_edits) };
                if matches!(error, AgentError::Window { .. }) {
                    self.too_long.insert(task.id.clone(), error);
                }
                result
            }
        };
        let (status, message) = task_event(&result);
        self.report.results.push(result);
        // What they said was not about this.
        self.report.checks.clear();
        self.write_report()?;
        close_agent(self.run, &task_agent(&task.id))?;
        self.run.emit_for_task(IMPLEMENT, status, Some(&task.id), message);
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

    /// How the tasks ended, with the report.
    pub(super) fn end(mut self) -> (ImplReport, TasksEnd) {
        let bad: Vec<&TaskResult> = self.report.failed().collect();
        let Some(first) = bad.first() else { return (self.report, TasksEnd::Done) };
        if bad.iter().all(|result| self.too_long.contains_key(&result.task_id))
            && let Some(error) = self.too_long.remove(&first.task_id)
        {
            return (self.report, TasksEnd::TooLong(error));
        }
        let no_conclusion = bad.iter().all(|result| self.unasked.contains(&result.task_id));
        let mut message = String::new();
        for result in bad {
            message.push_str(&format!("{} {}: {}. ", result.task_id, result.status.as_str(), reason(result)));
            message.extend(result.attempts_words().map(|words| format!("{words}. ")));
        }
        let kept_back = self.schedule.never_started();
        if !kept_back.is_empty() {
            message.push_str(&format!("Not started, because they depend on it: {}. ", kept_back.join(", ")));
        }
        message.push_str("Run again to retry; what is done stays done.");
        (self.report, TasksEnd::Failed { message, no_conclusion })
    }
}

/// How the tasks of a round ended.
pub(super) enum TasksEnd {
    /// Every one has a result that others can build on.
    Done,
    /// Some have not, all of them because the model's window is too small for their conversations; this is the first.
    TooLong(AgentError),
    /// Some have not.
    Failed { message: String, no_conclusion: bool },
}

/// How many files these results changed.
pub(super) fn changed_files(report: &ImplReport) -> usize {
    let changes = report.results.iter().flat_map(|result| &result.changes);
    changes.map(|change| change.path.as_str()).collect::<HashSet<_>>().len()
}

/// The files a task may write, as frozen when the plan was approved. What it has created so far is looked up by the task.
fn writable(task: &Task, approval: &Approval) -> Writable {
    let paths = |list: &[String]| list.iter().filter_map(|file| RepoPath::parse(file).ok()).collect::<Vec<_>>();
    Writable {
        write: paths(&task.files_to_modify).into_iter().chain(paths(&task.files_to_create)).collect(),
        delete: paths(&task.files_to_delete).into_iter().collect(),
        approved_protected: approval.by == ApprovedBy::Person,
        ..Writable::default()
    }
}

/// Tasks end in any order; a report has them as the plan does.
pub(super) fn in_plan_order(plan: &PlanOutput, report: &mut ImplReport) {
    report.results.sort_by_key(|result| plan.tasks.iter().position(|task| task.id == result.task_id));
}

fn failed_result(task: &str, error: &AgentError, kept_edits: String) -> TaskResult {
    TaskResult {
        task_id: task.to_owned(),
        changes: Vec::new(),
        notes: kept_edits,
        blockers: vec![error.to_string()],
        status: TaskStatus::Failed,
        attempts: Vec::new(),
    }
}

fn task_event(result: &TaskResult) -> (EventStatus, String) {
    let (added, removed) = result
        .changes
        .iter()
        .fold((0, 0), |(added, removed), change| (added + change.lines_added, removed + change.lines_removed));
    let files = result.changes.len();
    let by = match result.attempts.as_slice() {
        [.., last] if last.status == result.status => format!(", by {} in a second attempt", last.model),
        _ => String::new(),
    };
    let wrote = match files {
        0 => "changed nothing".to_owned(),
        files => format!("{}, +{added} -{removed}", count(files, "file")),
    };
    match result.status {
        TaskStatus::Completed => (EventStatus::Done, format!("{wrote}{by}")),
        TaskStatus::Partial => (EventStatus::Done, format!("partly done: {wrote}{by}")),
        TaskStatus::Blocked | TaskStatus::Failed => {
            (EventStatus::Failed, format!("{}: {}", result.status.as_str(), reason(result)))
        }
    }
}
