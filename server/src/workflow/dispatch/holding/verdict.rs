//! What is submitted: its edits are taken over, and it is judged.

use std::sync::PoisonError;

use super::Holding;
use crate::agents::AgentError;
use crate::bus::{AppendFault, Broker, BrokerFault};
use crate::workflow::dispatch::job::{Entry, ReturnedFile, Submission};
use crate::workflow::dispatch::patience::Stop;
use crate::workspace::{Returned, Staging, TakeOver};

/// Bytes of all files of a submission together.
const MOST_RETURNED: usize = 64 << 20;

impl Holding<'_> {
    /// Judge what was submitted. Answers whether it was taken.
    pub(super) async fn judge_pending(&mut self) -> Result<bool, Stop> {
        let mut away = None;
        let mut own = None;
        while let Some((seq, submission)) = self.state.pending.clone() {
            let faults = self.verdict(&submission).await?;
            let is_taken = faults.is_empty();
            own = Some((seq, is_taken));
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
        match own {
            // The verdict stands in the log, though nobody said that it arrived.
            Some((_, true)) if self.is_taken() => Ok(true),
            Some((_, false)) if self.is_taken() => Err(Stop::Forged),
            _ => Ok(false),
        }
    }

    /// The log says that something was taken, and this process did not say it: it is judged. Answers whether it is taken.
    pub(super) async fn judge_taken(&mut self) -> Result<bool, Stop> {
        let Some(submission) = self.state.taken.clone() else { return Ok(false) };
        match self.verdict(&submission).await? {
            faults if faults.is_empty() => Ok(true),
            _ => Err(Stop::Forged),
        }
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
        let mut most = MOST_RETURNED;
        for file in &submission.files {
            let after = match &file.after {
                Some(name) => match self.returned(name, most).await? {
                    Ok(bytes) => {
                        most -= bytes.len().min(most);
                        Some(bytes)
                    }
                    Err(why) => return Ok(Err(format!("the change of {} is refused: {why}", file.path))),
                },
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

    /// The content of a file that came back, of at most so many bytes. Inside: why it is not used.
    async fn returned(&mut self, name: &str, most: usize) -> Result<Result<Vec<u8>, String>, Stop> {
        if !is_sha256(name) {
            return Ok(Err("its content has no name".to_owned()));
        }
        let file = |broker: Broker| async move {
            match broker.file_within(name, most).await {
                Ok(bytes) => Ok(Ok(bytes)),
                Err(fault @ (BrokerFault::TooLarge { .. } | BrokerFault::Unsealed { .. })) => Ok(Err(fault)),
                Err(fault) => Err(fault),
            }
        };
        Ok(match self.patiently(file).await? {
            Ok(bytes) => Ok(bytes),
            Err(BrokerFault::Unsealed { .. }) => {
                self.notice_once("a file at the broker is not what it was sent as, and was refused");
                Err("its content was altered at the broker".to_owned())
            }
            Err(_) => Err("all that came back is too large".to_owned()),
        })
    }
}

/// Whether a text is a SHA-256, in hex.
fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}
