//! What a worker is sent: the work, the tree, and the attempt in the queue.

use std::time::{Duration, Instant};

use super::Holding;
use super::turn::TurnAtWork;
use crate::agents::{AgentError, Limits, Slice};
use crate::bus::Broker;
use crate::contracts::RepoPath;
use crate::workflow::dispatch::at_workers::TreeFault;
use crate::workflow::dispatch::job::{Entry, Job, PROTOCOL, ReturnedFile, Work};
use crate::workflow::dispatch::patience::Stop;
use crate::workflow::run::phase::Conversation;
use crate::workspace::{Returned, Staging, sha256};

/// How often an untaken job is looked for in the queue.
const LOOK: Duration = Duration::from_secs(5);

impl Holding<'_> {
    /// All that a worker needs.
    pub(super) async fn work(&self) -> Result<Work, Stop> {
        let read = self.initial.as_ref().map(Staging::read_files).unwrap_or_default();
        let edits = self.put_edits(false).await?;
        Ok(Work {
            run: self.run.context.run.clone(),
            memory_dir: self.run.store.path().clone(),
            brief: self.brief.clone(),
            is_asked_once: self.conversation.is_asked_once,
            read,
            edits,
            recorded: self.carried.to_vec(),
        })
    }

    /// Have the edits that were made before the conversation be at the broker; `again`: whatever it seems to have of them.
    pub(super) async fn put_edits(&self, again: bool) -> Result<Vec<ReturnedFile>, Stop> {
        let mut edits = Vec::new();
        let before = self.initial.as_ref().map(Staging::returned_as_sent).unwrap_or_default();
        for Returned { path, base, after, moved_from } in before {
            let after = match after {
                Some(bytes) => {
                    let name = sha256(&bytes);
                    let put = |_| self.at.put(&name, bytes.clone(), again);
                    self.patiently(put).await?;
                    Some(name)
                }
                None => None,
            };
            edits.push(ReturnedFile { path, base, after, moved_from });
        }
        Ok(edits)
    }

    /// Offer the next attempt.
    pub(super) async fn offer_next(&mut self) -> Result<(), Stop> {
        // Nobody is at a turn of it now, and those who could take it may wait for the place that the turn had.
        self.turn = TurnAtWork::default();
        let tree = match self.brief.tools.needs_files() {
            true => Some(self.tree().await?),
            false => None,
        };
        let budget = self.slice.as_ref().map(Slice::limits);
        let Conversation { phase, task, round, plan_sha256, .. } = self.conversation;
        let job = Job {
            protocol: PROTOCOL,
            workflow: self.run.bus.workflow().to_owned(),
            job: self.id.clone(),
            round: *round,
            phase: phase.to_string(),
            task: task.map(str::to_owned),
            attempt: self.state.attempt().checked_add(1).ok_or(Stop::Forged)?,
            plan_sha256: plan_sha256.clone(),
            tree,
            budget: budget.unwrap_or(Limits { usd: 0.0, tokens: None }),
        };
        self.append(Entry::Offered { job }).await?;
        self.put_in_queue().await
    }

    /// Put the attempt in the queue. One that is there already is known by its name, or by its claim.
    pub(super) async fn put_in_queue(&mut self) -> Result<(), Stop> {
        self.seen = Instant::now();
        let Some(job) = &self.state.job else { return Ok(()) };
        let name = format!("{}:{}", self.id, job.attempt);
        let body = serde_json::to_vec(job).map_err(|error| AgentError::Journal(error.into()))?;
        let offer = |broker: Broker| {
            let (tag, name, body) = (self.at.tag.clone(), name.clone(), body.clone());
            async move { broker.offer(tag.as_deref(), &name, &body).await }
        };
        self.queued = Some((self.patiently(offer).await?, Instant::now()));
        Ok(())
    }

    /// Offer the job again where it is no longer in the queue, and nobody has it: a worker with another key threw it away, say,
    /// or one put it aside because nobody answered.
    pub(super) async fn look_in_queue(&mut self) -> Result<(), Stop> {
        let Some((seq, looked)) = self.queued.filter(|(_, looked)| looked.elapsed() > LOOK) else { return Ok(()) };
        let is_queued = |broker: Broker| async move { broker.is_queued(seq).await };
        if self.patiently(is_queued).await? {
            self.queued = Some((seq, looked.max(Instant::now())));
            return Ok(());
        }
        // Who has it may have said so meanwhile.
        self.read_on().await?;
        if self.state.claim.is_some() || self.state.is_over() {
            return Ok(());
        }
        self.notice(
            "it is no longer in the queue, and no worker has it: is there one with another BATON_BUS_KEY? Offered again".to_owned(),
        );
        self.offer_next().await
    }

    /// Send the tree as it is now. Answers with its name.
    pub(super) async fn tree(&self) -> Result<String, Stop> {
        let mut away = None;
        let own: Vec<RepoPath> =
            self.initial.as_ref().map(|initial| initial.own_files().cloned().collect()).unwrap_or_default();
        loop {
            match self.at.send_tree(self.run, own.clone()).await {
                Ok(name) => return Ok(name),
                Err(TreeFault::Broker(fault)) => self.wait_after(&fault, &mut away).await?,
                Err(TreeFault::Agent(error)) => return Err(error.into()),
            }
        }
    }
}
