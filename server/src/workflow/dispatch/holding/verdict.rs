//! What is submitted: its edits are taken over, and it is judged.

use std::sync::PoisonError;

use super::{Holding, Stop};
use crate::agents::AgentError;
use crate::bus::{AppendFault, Broker, BrokerFault};
use crate::workflow::dispatch::job::{Entry, ReturnedFile, Submission};
use crate::workspace::{Returned, Staging, TakeOver};

impl Holding<'_> {
    /// Judge what was submitted. Answers whether it was taken.
    pub(super) async fn judge_pending(&mut self) -> Result<bool, Stop> {
        let mut away = None;
        while let Some((_, submission)) = self.state.pending.clone() {
            let faults = self.verdict(&submission).await?;
            let is_taken = faults.is_empty();
            match self.append_once(&Entry::Judged { faults }).await {
                Ok(()) => return Ok(is_taken),
                // It is taken here, and that counts.
                Err(AppendFault::Fault(BrokerFault::Lost { .. })) if is_taken => return Ok(true),
                // Another worker may have submitted meanwhile.
                Err(AppendFault::Behind) => self.read_on().await?,
                Err(AppendFault::Fault(fault)) => {
                    self.wait_after(&fault, &mut away).await?;
                    self.read_on().await?;
                }
            }
        }
        Ok(false)
    }

    /// What is wrong with a submission, for the model; nothing: it is taken, and its edits are in the task's staging.
    pub(super) async fn verdict(&mut self, submission: &Submission) -> Result<Vec<String>, Stop> {
        if let Err(why) = self.take_over_files(submission).await? {
            return Ok(vec![why]);
        }
        let judged = self.judge.judge(submission.input.clone(), submission.submit_try).await?;
        let faults = match judged {
            Ok(()) => {
                self.conversation.brief.toolbox.note_tries(&submission.tries);
                Vec::new()
            }
            Err(faults) if faults.is_empty() => vec!["not valid".to_owned()],
            Err(faults) => faults,
        };
        Ok(faults)
    }

    /// Have the edits of a submission be those of the task. Inside: why they are not, for the model.
    pub(super) async fn take_over_files(&mut self, submission: &Submission) -> Result<Result<(), String>, Stop> {
        let Some(staging) = self.conversation.brief.toolbox.shared_staging() else { return Ok(Ok(())) };
        let mut returned = Vec::new();
        for file in &submission.files {
            let after = match &file.after {
                Some(name) => {
                    let file = |broker: Broker| {
                        let name = name.clone();
                        async move { broker.file(&name).await }
                    };
                    Some(self.patiently(file).await?)
                }
                None => None,
            };
            let ReturnedFile { path, base, moved_from, .. } = file.clone();
            returned.push(Returned { path, base, after, moved_from });
        }
        let Some(mut own) = self.initial.as_ref().map(Staging::without_edits) else { return Ok(Ok(())) };
        for path in &submission.refused {
            own.refuse_again(path);
        }
        let taken = own.take_over_all(returned);
        *staging.lock().unwrap_or_else(PoisonError::into_inner) = own;
        match taken {
            Ok(()) => Ok(Ok(())),
            Err(TakeOver::Changed(path)) => Err(AgentError::Changed(path.to_string()).into()),
            Err(error) => Ok(Err(error.to_string())),
        }
    }
}
