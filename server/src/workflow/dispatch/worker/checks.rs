//! The checks that an agent tries on a worker: the coordinator's commands, in the worker's own sandbox.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;

use super::session::lock;
use crate::config::Check;
use crate::contracts::CheckState;
use crate::tools::{CheckRunner, OfferedCheck};
use crate::workflow::checks::tried_words;
use crate::workflow::checks::tries::{Tried, view_edit};
use crate::workflow::checks::words::state_of;
use crate::workspace::{Ended, Job, JobFolder, Place, Sandbox, SandboxWish, StagedChange, Workspace};

/// Runs the checks of one conversation.
pub(super) struct ChecksHere {
    pub(super) workspace: Workspace,
    pub(super) wish: SandboxWish,
    pub(super) sandbox: OnceCell<Sandbox>,
    pub(super) checks: Vec<OfferedCheck>,
    /// How many tries there are.
    pub(super) most: u32,
    pub(super) used: AtomicU32,
    /// How they ended.
    pub(super) tried: Arc<Mutex<Vec<(String, bool)>>>,
    /// Shared by all conversations of the worker: a check takes several cores by itself.
    pub(super) slots: Arc<Semaphore>,
    pub(super) cancel: CancellationToken,
    /// For logs.
    pub(super) folder: Arc<JobFolder>,
    pub(super) runtime: Handle,
}

impl fmt::Debug for ChecksHere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChecksHere").field("checks", &self.checks).finish_non_exhaustive()
    }
}

impl CheckRunner for ChecksHere {
    fn try_check(&self, name: &str, changes: Vec<StagedChange>) -> Result<String, String> {
        let Some(check) = self.checks.iter().find(|check| check.name == name.trim()) else {
            let names: Vec<&str> = self.checks.iter().map(|check| check.name.as_str()).collect();
            return Err(format!("There is no check {:?} to try; there are: {}.", name.trim(), names.join(", ")));
        };
        if check.secrets {
            return Err(format!(
                "The check {} was not run: it needs secrets, which stay on the user's machine. It runs there once the work is \
                 done.",
                check.name
            ));
        }
        let used = self.used.fetch_add(1, Ordering::Relaxed);
        if used >= self.most {
            return Err("Not run: your task has had its tries of this round. Submit what you have; where a check fails that your \
                        edits broke, `partial` with the output in `notes`."
                .to_owned());
        }
        let tried = self.runtime.block_on(self.run(check, changes, used));
        let tried = tried.map_err(|why| {
            self.used.fetch_sub(1, Ordering::Relaxed);
            format!("The check did not run: {why}. This was not counted as a try.")
        })?;
        let has_failed = tried.state != CheckState::Passed;
        lock(&self.tried).push((check.name.clone(), has_failed));
        let answer = tried_words::answer(&tried, self.most.saturating_sub(used + 1));
        if has_failed { Err(answer) } else { Ok(answer) }
    }
}

impl ChecksHere {
    async fn run(&self, check: &OfferedCheck, changes: Vec<StagedChange>, number: u32) -> Result<Tried, String> {
        let find = || Sandbox::find(&self.workspace, self.wish, &self.cancel);
        let sandbox = self.sandbox.get_or_init(find).await;
        let _slot = self.slots.acquire().await.map_err(|error| error.to_string())?;
        let log = self.folder.check_log(number).map_err(|error| error.to_string())?;
        let job = Job {
            command: check.command.clone(),
            timeout: Duration::from_secs(check.timeout_s),
            network: check.network,
            secrets: false,
            place: Place::Try { edits: changes.into_iter().map(view_edit).collect(), touched: None },
        };
        let ran = sandbox.run(&job, log, &self.cancel).await;
        if let Ended::NotRun(why) = &ran.ended {
            return Err(why.clone());
        }
        if ran.ended == Ended::Cancelled {
            return Err("it was cancelled".to_owned());
        }
        let (state, exit_code) = state_of(&ran.ended);
        Ok(Tried {
            check: Check::of_workspace(&check.name, &check.command),
            state,
            exit_code,
            ran,
            not_run: None,
            fails_without: None,
            failed_before: false,
            is_tree_changed: false,
        })
    }
}
