//! The checks that one task may try on its edits, and what its agent is told of a try.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::waiting::{TaskNews, Waiting};
use crate::config::Check;
use crate::contracts::CheckState;
use crate::text::elapsed;
use crate::tools::{CheckRunner, OfferedCheck};
use crate::workflow::{EventStatus, IMPLEMENT, Run, Tries, check_words, tried_words};
use crate::workspace::StagedChange;

/// Tries of one task in a round, all its attempts together.
pub(super) const MOST: u32 = 6;

/// Whether the last try of each check failed that a task made.
pub(super) type LastTries = Arc<Mutex<BTreeMap<String, bool>>>;

/// Runs checks for one task.
pub(super) struct TaskTries {
    pub(super) run: Arc<Run>,
    pub(super) tries: Arc<Tries>,
    pub(super) task: String,
    /// Tries that were made.
    pub(super) used: Arc<AtomicU32>,
    /// How the last ones ended.
    pub(super) last: LastTries,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) news: mpsc::UnboundedSender<TaskNews>,
    /// Where checks run, while the call that waits for them blocks a thread.
    pub(super) runtime: Handle,
}

impl fmt::Debug for TaskTries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskTries").field("task", &self.task).finish_non_exhaustive()
    }
}

impl CheckRunner for TaskTries {
    fn try_check(&self, name: &str, changes: Vec<StagedChange>) -> Result<String, String> {
        let checks = &self.tries.checks;
        let Some(check) = checks.iter().find(|check| check.name == name.trim()) else {
            let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
            return Err(format!("There is no check {:?} to try; there are: {}.", name.trim(), names.join(", ")));
        };
        let name = check.name.as_str();
        let used = self.used.fetch_add(1, Ordering::Relaxed);
        if used >= MOST {
            return Err(format!(
                "Not run: your task has had its {MOST} tries of this round. Submit what you have; where a check fails that your \
                 edits broke, `partial` with the output in `notes`."
            ));
        }
        self.emit(format!("check {name}: trying"));
        let waiting = Waiting::begin(&self.waiting, &self.news);
        let tried = self.runtime.block_on(self.tries.run(&self.run, check, &self.task, changes));
        drop(waiting);
        let tried = tried.map_err(|error| {
            self.used.fetch_sub(1, Ordering::Relaxed);
            format!("The check did not run: {error}. This was not counted as a try.")
        })?;
        if let Some(why) = &tried.not_run {
            self.used.fetch_sub(1, Ordering::Relaxed);
            self.emit(format!("check {name}: did not run"));
            return Err(format!("The check did not run: {why}. This was not counted as a try."));
        }
        let ended = check_words::ended(tried.state, tried.exit_code);
        self.emit(format!("check {name}: {ended}, {}", elapsed(tried.ran.elapsed)));
        let has_failed = tried.state != CheckState::Passed;
        self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), has_failed);
        let answer = tried_words::answer(&tried, MOST.saturating_sub(used + 1));
        // What the task cannot mend does not keep it from handing on in the same turn.
        if !has_failed || tried.fails_without == Some(true) { Ok(answer) } else { Err(answer) }
    }

    fn offered(&self) -> (Vec<OfferedCheck>, u32) {
        let checks = self.tries.checks.iter().map(Self::offered_check).collect();
        (checks, MOST.saturating_sub(self.used.load(Ordering::Relaxed)))
    }

    fn note_tries(&self, tries: &[(String, bool)]) {
        let used = u32::try_from(tries.len()).unwrap_or(MOST);
        self.used.fetch_add(used, Ordering::Relaxed);
        self.last.lock().unwrap_or_else(PoisonError::into_inner).extend(tries.iter().cloned());
    }
}

impl TaskTries {
    fn offered_check(check: &Check) -> OfferedCheck {
        let Check { name, command, network, secrets, .. } = check.clone();
        OfferedCheck { name, command, network, secrets, timeout_s: Tries::limit(check).as_secs() }
    }

    fn emit(&self, message: String) {
        self.run.emit_for_task(IMPLEMENT, EventStatus::Progress, Some(&self.task), message);
    }
}
