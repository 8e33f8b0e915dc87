//! A job at work, as its log has it: everything that the worker does goes there first.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::agents::{AgentError, Judge, SubmitTry, TurnRelay};
use crate::bus::{AppendFault, Broker, BrokerFault, JobLog, Read};
use crate::memory::{Tells, Told, TranscriptLine};
use crate::tools::Toolbox;
use crate::workflow::dispatch::job::{Entry, ReturnedFile, Signal, Submission};
use crate::workflow::dispatch::log_state::{Change, LogState};
use crate::workspace::{Returned, sha256};

/// How long somebody waits for a verdict of a coordinator that says nothing.
const ORPHANED: Duration = Duration::from_secs(120);
/// How long a last word is tried.
const LAST_WORD: Duration = Duration::from_secs(10);
/// How long the coordinator has to say whether the model may be asked, and how often it may say nothing.
const ANSWER: Duration = Duration::from_secs(1);
const SILENT_ANSWERS: u32 = 3;
/// Time between two tries.
const AGAIN: Duration = Duration::from_millis(500);

/// Why a conversation is not gone on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stopped {
    /// The coordinator cancelled it.
    Cancelled,
    /// It is over, or somebody else has it.
    Late,
    /// The broker lost the log.
    Lost,
    /// The worker is to end.
    Ending,
    /// Nobody judges what was submitted.
    Orphaned,
    /// The machine failed, or the broker refuses.
    Failed(String),
}

/// A job at work.
pub(super) struct Session {
    pub(super) broker: Broker,
    workflow: String,
    job: String,
    log: JobLog,
    /// The sequence of the entry by which this worker has it.
    claim: u64,
    agent: String,
    state: Mutex<LogState>,
    /// The state has changed.
    changed: Notify,
    /// Fires when the conversation is not to go on.
    pub(super) stop: CancellationToken,
    why: Mutex<Option<Stopped>>,
    /// Fires when the worker is to hand back what it has.
    ending: CancellationToken,
    /// Submissions that were sent back before, and were gone through again.
    replayed: AtomicUsize,
    /// Turns that this worker wanted to ask for, and the last one that it was allowed.
    turns: AtomicU64,
    allowed: AtomicU64,
    /// The coordinator has answered.
    answered: Notify,
    /// When the coordinator was last heard of.
    heard: Mutex<Instant>,
    pub(super) tells: Arc<Tells>,
    toolbox: Toolbox,
    tried: Arc<Mutex<Vec<(String, bool)>>>,
}

impl Session {
    #[expect(clippy::too_many_arguments, reason = "it is made in one place, of what that place has")]
    pub(super) fn new(
        (broker, workflow, job): (Broker, String, String),
        log: JobLog,
        claim: u64,
        state: LogState,
        (stop, ending): (CancellationToken, CancellationToken),
        (agent, tells): (String, Arc<Tells>),
        toolbox: Toolbox,
        tried: Arc<Mutex<Vec<(String, bool)>>>,
    ) -> Self {
        Self {
            broker,
            workflow,
            job,
            log,
            claim,
            agent,
            state: Mutex::new(state),
            changed: Notify::new(),
            stop,
            why: Mutex::default(),
            ending,
            replayed: AtomicUsize::new(0),
            turns: AtomicU64::new(0),
            allowed: AtomicU64::new(0),
            answered: Notify::new(),
            heard: Mutex::new(Instant::now()),
            tells,
            toolbox,
            tried,
        }
    }

    /// Read on in the log, until the conversation is not to go on.
    pub(super) async fn follow(&self) {
        let mut follow = self.log.follow(self.state().last);
        loop {
            let read = tokio::select! {
                () = self.stop.cancelled() => return,
                read = follow.next() => read,
            };
            match read {
                Ok(read) => self.take(read),
                Err(BrokerFault::Lost { .. }) => return self.end(Stopped::Lost),
                Err(fault) if fault.may_pass() => sleep(AGAIN).await,
                Err(fault) => return self.end(Stopped::Failed(fault.to_string())),
            }
        }
    }

    fn take(&self, read: Read) {
        let mut state = self.state();
        let Some(change) = state.read(&read) else { return };
        if change == Change::Told {
            self.tell(&state);
        }
        let stopped = match change {
            Change::Cancelled => Some(Stopped::Cancelled),
            _ if state.claim.as_ref().map(|claim| claim.seq) != Some(self.claim) => Some(Stopped::Late),
            _ => None,
        };
        drop(state);
        if let Some(stopped) = stopped {
            self.end(stopped);
        }
        self.changed.notify_waiters();
    }

    /// Have the agent be told what the user told it.
    pub(super) fn tell_all(&self) {
        self.tell(&self.state());
    }

    fn tell(&self, state: &LogState) {
        for (id, text) in &state.told {
            self.tells.add(&self.agent, Told { id: id.clone(), text: text.clone() });
        }
    }

    /// The conversation is not to go on. The first reason counts.
    pub(super) fn end(&self, why: Stopped) {
        lock(&self.why).get_or_insert(why);
        self.stop.cancel();
        self.changed.notify_waiters();
    }

    /// Why the conversation is not to go on, where it is not.
    pub(super) fn stopped(&self) -> Option<Stopped> {
        lock(&self.why).clone()
    }

    /// The claim, as signals name it.
    pub(super) fn claim(&self) -> u64 {
        self.claim
    }

    /// The coordinator said that it is there.
    pub(super) fn hear(&self, body: &[u8]) {
        match serde_json::from_slice(body) {
            Ok(Signal::Following) => {}
            Ok(Signal::Ask { turn }) => {
                self.allowed.fetch_max(turn, Ordering::Relaxed);
                self.answered.notify_waiters();
            }
            Ok(Signal::Wait { .. }) => self.answered.notify_waiters(),
            // What this worker itself says.
            _ => return,
        }
        *lock(&self.heard) = Instant::now();
    }

    /// Append an entry, as long as this worker has the job.
    ///
    /// # Errors
    /// When it has it no more: nothing was appended.
    pub(super) async fn append(&self, entry: Entry) -> Result<u64, AgentError> {
        self.append_unless(entry, || lock(&self.why).is_some()).await
    }

    /// Append the last entry, though the conversation is not to go on.
    ///
    /// # Errors
    /// When this worker has the job no more.
    pub(super) async fn append_last(&self, entry: Entry) -> Result<u64, AgentError> {
        let began = Instant::now();
        let has_it = || self.state().claim.as_ref().is_some_and(|claim| claim.seq == self.claim);
        self.append_unless(entry, || !has_it() || began.elapsed() > LAST_WORD).await
    }

    async fn append_unless(&self, entry: Entry, is_over: impl Fn() -> bool + Send + Sync) -> Result<u64, AgentError> {
        let body = serde_json::to_vec(&entry).map_err(|error| AgentError::Journal(error.into()))?;
        loop {
            if is_over() {
                return Err(AgentError::Cancelled);
            }
            let after = self.state().last;
            match self.log.append(after, &body).await {
                Ok(seq) => {
                    let mut state = self.state();
                    if seq > state.last {
                        state.take(seq, entry);
                    }
                    return Ok(seq);
                }
                Err(AppendFault::Behind) => self.read_on().await,
                Err(AppendFault::Fault(BrokerFault::Lost { .. })) => {
                    self.end(Stopped::Lost);
                    return Err(AgentError::Cancelled);
                }
                Err(AppendFault::Fault(fault)) if fault.may_pass() => {
                    sleep(AGAIN).await;
                    self.read_on().await;
                }
                Err(AppendFault::Fault(fault)) => {
                    self.end(Stopped::Failed(fault.to_string()));
                    return Err(AgentError::Cancelled);
                }
            }
        }
    }

    /// Take in what stands behind what was read; where that cannot be had, wait for a moment.
    async fn read_on(&self) {
        let last = self.state().last;
        self.take_all(self.log.read_behind(last).await).await;
    }

    /// The same, until this worker knows for sure whether it has the job at this moment.
    async fn know_claim(&self) {
        while self.stopped().is_none() {
            let last = self.state().last;
            if self.take_all(self.log.read_behind_for_sure(last).await).await {
                return;
            }
        }
    }

    /// Take in what was read. Whether anything was.
    async fn take_all(&self, read: Result<Vec<Read>, BrokerFault>) -> bool {
        match read {
            Ok(all) => all.into_iter().for_each(|read| self.take(read)),
            Err(BrokerFault::Lost { .. }) => self.end(Stopped::Lost),
            Err(fault) => {
                tracing::debug!(%fault, "a job's log cannot be read");
                sleep(AGAIN).await;
                return false;
            }
        }
        true
    }

    /// What was done, with its files at the broker.
    async fn submission(&self, input: Value, submit_try: SubmitTry) -> Result<Submission, AgentError> {
        let (returned, refused) = match self.toolbox.shared_staging() {
            Some(staging) => {
                let staging = lock(&staging);
                let refused = staging.refusals().iter().filter_map(|refused| refused.path().cloned()).collect();
                (staging.returned(), refused)
            }
            None => (Vec::new(), Vec::new()),
        };
        let mut files = Vec::new();
        for Returned { path, base, after, moved_from } in returned {
            let after = match after {
                Some(bytes) => Some(self.put(bytes).await?),
                None => None,
            };
            files.push(ReturnedFile { path, base, after, moved_from });
        }
        Ok(Submission { input, submit_try, files, refused, tries: lock(&self.tried).clone() })
    }

    async fn put(&self, bytes: Vec<u8>) -> Result<String, AgentError> {
        let name = sha256(&bytes);
        loop {
            if lock(&self.why).is_some() {
                return Err(AgentError::Cancelled);
            }
            match self.broker.put_file(&name, bytes.clone()).await {
                Ok(()) => return Ok(name),
                Err(BrokerFault::Lost { .. }) => self.end(Stopped::Lost),
                Err(fault) if fault.may_pass() => sleep(AGAIN).await,
                Err(fault) => self.end(Stopped::Failed(fault.to_string())),
            }
        }
    }

    /// Wait until the coordinator lets the model be asked.
    async fn leave(&self) {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed) + 1;
        let behind = self.state().last;
        let mut silent = 0;
        // Where the coordinator says nothing, the worker's own throttle is what there is.
        while silent < SILENT_ANSWERS {
            let answered = self.answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable();
            if let Ok(body) = serde_json::to_vec(&Signal::MayAsk { claim: self.claim, turn, behind }) {
                self.broker.signal(&self.workflow, &self.job, &body).await;
            }
            match timeout(ANSWER, answered).await {
                Ok(()) if self.allowed.load(Ordering::Relaxed) >= turn => return,
                // It is to wait: leave comes by itself, and is asked for again in case it was lost.
                Ok(()) => {
                    silent = 0;
                    let allowed = async {
                        while self.allowed.load(Ordering::Relaxed) < turn {
                            self.answered.notified().await;
                        }
                    };
                    if timeout(ANSWER, allowed).await.is_ok() {
                        return;
                    }
                }
                Err(_) => silent += 1,
            }
        }
    }

    /// What was found wrong with this very submission by an earlier worker's coordinator.
    fn sent_back_before(&self, input: &Value) -> Option<Vec<String>> {
        let number = self.replayed.load(Ordering::Relaxed);
        let state = self.state();
        let (_, faults) = state.sent_back.get(number).filter(|(submission, _)| submission.input == *input)?;
        self.replayed.store(number + 1, Ordering::Relaxed);
        Some(faults.clone())
    }

    fn state(&self) -> MutexGuard<'_, LogState> {
        lock(&self.state)
    }
}

#[async_trait]
impl TurnRelay for Session {
    async fn admit(&self) {
        if self.ending.is_cancelled() {
            self.end(Stopped::Ending);
            std::future::pending::<()>().await;
        }
        self.leave().await;
        // Whoever waited long may have lost its claim meanwhile: that is looked at before a model is paid.
        self.know_claim().await;
        if self.stopped().is_some() {
            std::future::pending::<()>().await;
        }
    }

    async fn relay(&self, line: &TranscriptLine) -> Result<(), AgentError> {
        self.append(Entry::Turn { claim: self.claim, line: Box::new(line.clone()) }).await.map(drop)
    }
}

#[async_trait]
impl Judge<()> for Session {
    async fn judge(&self, input: Value, submit_try: SubmitTry) -> Result<Result<(), Vec<String>>, AgentError> {
        if let Some(faults) = self.sent_back_before(&input) {
            return Ok(Err(faults));
        }
        let judged = self.state().sent_back.len();
        let submission = self.submission(input, submit_try).await?;
        // What a worker before this one submitted waits still, or is judged in its place.
        let is_there = self.state().pending.as_ref().is_some_and(|(_, pending)| *pending == submission);
        if !is_there {
            self.append(Entry::Submitted { claim: self.claim, submission: Box::new(submission) }).await?;
        }
        self.replayed.store(judged + 1, Ordering::Relaxed);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let state = self.state();
                if state.taken.is_some() {
                    return Ok(Ok(()));
                }
                if let Some((_, faults)) = state.sent_back.get(judged) {
                    return Ok(Err(faults.clone()));
                }
            }
            if self.stop.is_cancelled() {
                return Err(AgentError::Cancelled);
            }
            if self.ending.is_cancelled() {
                self.end(Stopped::Ending);
                continue;
            }
            if lock(&self.heard).elapsed() > ORPHANED {
                self.end(Stopped::Orphaned);
                continue;
            }
            // Whether the coordinator is there shows without an entry.
            let _ = timeout(Duration::from_secs(1), changed).await;
        }
    }
}

/// A thread that panicked with one of these in hand left it whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
