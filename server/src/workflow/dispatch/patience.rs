//! Waiting for a broker that does not answer for a while.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::at_workers::AtWorkers;
use crate::agents::AgentError;
use crate::bus::{Broker, BrokerFault};
use crate::models::{ModelError, ModelErrorKind};
use crate::workflow::run::phase::Run;

/// How long the broker may be away before the run ends.
const LONGEST_AWAY: Duration = Duration::from_secs(600);
/// Time between two tries.
const AGAIN: Duration = Duration::from_millis(500);

/// What ends the holding of a conversation, as far as one of its logs goes.
pub(super) enum Stop {
    /// The broker lost the log, or what belongs to it.
    Lost,
    /// The log says of this run what is not so.
    Forged,
    /// More is known here than stands in the log.
    Behind,
    Agent(AgentError),
}

impl From<AgentError> for Stop {
    fn from(error: AgentError) -> Self {
        Self::Agent(error)
    }
}

impl AtWorkers {
    /// Do something until the broker does it.
    pub(super) async fn patiently<T, F>(&self, run: &Run, done: impl Fn(Broker) -> F + Send) -> Result<T, Stop>
    where
        F: Future<Output = Result<T, BrokerFault>> + Send,
    {
        let mut away = None;
        loop {
            let result = tokio::select! {
                biased;
                () = run.context.cancel.cancelled() => return Err(AgentError::Cancelled.into()),
                result = done(self.broker.clone()) => result,
            };
            match result {
                Ok(done) => {
                    self.answers_again(run);
                    return Ok(done);
                }
                Err(fault) => self.wait_after(run, &fault, &mut away).await?,
            }
        }
    }

    /// Wait a moment after a fault that may pass. `away` is since when there are faults.
    pub(super) async fn wait_after(
        &self,
        run: &Run,
        fault: &BrokerFault,
        away: &mut Option<Instant>,
    ) -> Result<(), Stop> {
        if matches!(fault, BrokerFault::Lost { .. }) {
            return Err(Stop::Lost);
        }
        let since = *away.get_or_insert_with(Instant::now);
        if !fault.may_pass() || since.elapsed() > LONGEST_AWAY {
            let message = format!("{}: {fault}", self.shown);
            return Err(AgentError::Model(ModelError::new(ModelErrorKind::Unavailable, message)).into());
        }
        self.notice_fault(run, fault);
        tokio::select! {
            () = run.context.cancel.cancelled() => Err(AgentError::Cancelled.into()),
            () = sleep(AGAIN) => Ok(()),
        }
    }

    /// Since when the broker has its logs: another one once it has lost them.
    pub(super) async fn incarnation(&self, run: &Run) -> Result<String, AgentError> {
        loop {
            match self.patiently(run, |broker| async move { broker.logs_since().await }).await {
                Ok(since) => return Ok(since),
                Err(Stop::Lost | Stop::Forged | Stop::Behind) => {
                    let prepared = self.patiently(run, |broker| async move { broker.prepare().await }).await;
                    if let Err(Stop::Agent(error)) = prepared {
                        return Err(error);
                    }
                }
                Err(Stop::Agent(error)) => return Err(error),
            }
        }
    }
}
