//! Has the conversations of a run held by workers.

use async_trait::async_trait;

use super::at_workers::AtWorkers;
use super::holding::{Held, Holding};
use super::job::job_id;
use crate::agents::{AgentError, Judge, Report};
use crate::workflow::run::phase::{Conversation, Dispatcher, Run};

/// Logs that a conversation may have one after the other.
const MOST_LOGS: u32 = 20;

#[async_trait]
impl Dispatcher for AtWorkers {
    fn place(&self) -> Option<String> {
        Some(format!("workers at {}", self.shown))
    }

    async fn hold(
        &self,
        run: &Run,
        conversation: &Conversation<'_>,
        judge: &dyn Judge<()>,
        report: Report<'_>,
    ) -> Result<(), AgentError> {
        let (brief, transcript) = (conversation.brief, &run.context.transcript);
        run.context.tells.begin(&brief.agent);
        let portable = brief.portable();
        let ended = transcript.closed(&brief.agent);
        let mut carried = transcript.left_open(&brief.agent);
        let (mut number, mut last_since) = (0, String::new());
        loop {
            let since = self.incarnation(run).await?;
            if since != last_since {
                number = 0;
            }
            let id = job_id(run.bus.workflow(), &portable, &since, ended, number);
            last_since = since;
            let holding = Holding::new(self, run, (conversation, judge, report), &portable, id, &carried);
            match holding.hold().await? {
                Held::Taken => return Ok(()),
                Held::Lost(lines) => {
                    carried.extend(lines);
                    number += 1;
                    if number > MOST_LOGS {
                        let message =
                            format!("{}: {MOST_LOGS} logs of one conversation were lost or refused", self.shown);
                        return Err(AgentError::Elsewhere(message));
                    }
                }
            }
        }
    }
}
