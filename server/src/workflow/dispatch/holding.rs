//! One conversation that a worker holds, as its coordinator follows it.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::coordinator::AtWorkers;
use super::job::{Entry, Job, PROTOCOL, ReturnedFile, Signal, Submission, Work};
use super::log_state::{Change, LogState};
use crate::agents::{Activity, AgentError, Judge, PortableBrief, PortableError, Report, Slice};
use crate::bus::{AppendFault, Broker, BrokerFault, Follow, JobLog, Read, Signals};
use crate::memory::{Told, TranscriptLine};
use crate::models::{ModelError, ModelErrorKind};
use crate::text::{safe_line, short_line};
use crate::workflow::run::dispatch::Conversation;
use crate::workflow::run::events::EventStatus;
use crate::workflow::run::phase::Run;
use crate::workspace::{Returned, Staging, TakeOver, sha256};

/// How often the coordinator looks for what is to be told.
const TICK: Duration = Duration::from_millis(500);
/// How often it says that it is there.
const FOLLOWING: Duration = Duration::from_secs(5);
/// How long nobody takes a job before the person is told.
const UNTAKEN: Duration = Duration::from_secs(15);
/// How long the broker may be away before the run ends.
const LONGEST_AWAY: Duration = Duration::from_secs(600);
/// How long it is away before the person is told.
const AWAY_TOLD: Duration = Duration::from_secs(3);
/// How long the last word to a worker may take, once the run is cancelled.
const FAREWELL: Duration = Duration::from_millis(500);
/// Characters of what a worker says that are shown.
const SHOWN: usize = 300;

/// A conversation that a worker holds.
pub(super) struct Holding<'a> {
    at: &'a AtWorkers,
    run: &'a Run,
    conversation: &'a Conversation<'a>,
    judge: &'a dyn Judge<()>,
    report: Report<'a>,
    brief: &'a PortableBrief,
    id: String,
    log: JobLog,
    follow: Follow,
    state: LogState,
    /// What entries changed that were read and not yet looked at.
    changes: VecDeque<Change>,
    slice: Option<Slice<'a>>,
    /// Turns that are known from elsewhere.
    carried: &'a [TranscriptLine],
    /// What the task had read when the conversation began.
    initial: Option<Staging>,
    /// Lines of the log that the transcript has.
    recorded: usize,
    /// Whether a line of this run holds the conversation from its beginning.
    is_begun: bool,
    /// When the worker was last heard of, or the job offered.
    seen: Instant,
    followed: Instant,
    /// Since when the broker is away.
    away: Option<Instant>,
    told: HashSet<String>,
    noticed: HashSet<String>,
}

/// How a conversation was held.
pub(super) enum Held {
    /// Something was taken.
    Taken,
    /// The broker lost what it had. These lines of the conversation are known here.
    Lost(Vec<TranscriptLine>),
}

/// What ends the holding.
enum Stop {
    /// The broker lost the log, or what belongs to it.
    Lost,
    Agent(AgentError),
}

impl From<AgentError> for Stop {
    fn from(error: AgentError) -> Self {
        Self::Agent(error)
    }
}

impl<'a> Holding<'a> {
    pub(super) fn new(
        at: &'a AtWorkers,
        run: &'a Run,
        (conversation, judge, report): (&'a Conversation<'a>, &'a dyn Judge<()>, Report<'a>),
        brief: &'a PortableBrief,
        id: String,
        carried: &'a [TranscriptLine],
    ) -> Self {
        let log = at.broker.log(run.bus.workflow(), &id);
        let staging = conversation.brief.toolbox.shared_staging();
        let initial = staging.map(|staging| staging.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone());
        Self {
            at,
            run,
            conversation,
            judge,
            report,
            brief,
            id,
            follow: log.follow(0),
            log,
            state: LogState::default(),
            changes: VecDeque::new(),
            slice: None,
            carried,
            initial,
            recorded: 0,
            is_begun: false,
            seen: Instant::now(),
            followed: Instant::now(),
            away: None,
            told: HashSet::new(),
            noticed: HashSet::new(),
        }
    }

    /// Have the conversation held until something is taken.
    pub(super) async fn hold(mut self) -> Result<Held, AgentError> {
        match self.try_hold().await {
            Ok(()) => Ok(Held::Taken),
            Err(Stop::Lost) => {
                self.notice("the broker has lost what it had; the work goes on from what is known here".to_owned());
                match self.patiently(|broker| async move { broker.prepare().await }).await {
                    Ok(()) | Err(Stop::Lost) => {
                        Ok(Held::Lost(self.state.lines.into_iter().map(|(_, line)| line).collect()))
                    }
                    Err(Stop::Agent(error)) => Err(error),
                }
            }
            Err(Stop::Agent(error)) => {
                if self.state.attempt() > 0 && !self.state.is_over() {
                    // Who is at work finds out by the log, or else when its next turn is refused.
                    let _ = timeout(FAREWELL, self.append_once(&Entry::Cancelled)).await;
                }
                Err(error)
            }
        }
    }

    async fn try_hold(&mut self) -> Result<(), Stop> {
        for read in self.read().await? {
            self.take(read);
        }
        self.follow = self.log.follow(self.state.last);
        // What was done before this process: the turns are taken over, the rest shows in the state.
        self.changes.clear();
        self.record_lines()?;
        self.slice = Some(self.run.context.budget.slice(self.conversation.beside).await?);
        if self.state.work.is_none() {
            self.append(Entry::Opened { work: Box::new(self.work().await?) }).await?;
        }
        if let Some(submission) = self.state.taken.clone() {
            // The coordinator was killed before it had written down what it took.
            return match self.verdict(&submission).await? {
                faults if faults.is_empty() => Ok(()),
                _ => Err(Stop::Lost),
            };
        }
        if self.state.pending.is_some() && self.judge_pending().await? {
            return Ok(());
        }
        let is_resumable = |error: &PortableError| !AgentError::from(error.clone()).ends_conversation();
        match &self.state.ended {
            Some(error) if !is_resumable(error) => return Err(Stop::Agent(error.clone().into())),
            Some(_) => self.offer_next().await?,
            None if self.state.attempt() == 0 || self.state.is_cancelled || self.state.given_back.is_some() => {
                self.offer_next().await?;
            }
            None => self.put_in_queue().await?,
        }
        self.follow_to_the_end().await
    }

    async fn follow_to_the_end(&mut self) -> Result<(), Stop> {
        let mut signals = self.signals().await?;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let cancel = self.run.context.cancel.clone();
        self.signal(&Signal::Following).await;
        loop {
            while let Some(change) = self.changes.pop_front() {
                if self.handle(change).await? {
                    return Ok(());
                }
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(AgentError::Cancelled.into()),
                read = self.follow.next() => match read {
                    Ok(read) => self.take(read),
                    Err(fault) => self.faulted(&fault).await?,
                },
                signal = signals.next() => match signal {
                    Some(body) => self.hear(&body),
                    None => signals = self.signals().await?,
                },
                _ = ticks.tick() => self.tick().await?,
            }
        }
    }

    /// Take in what was read of the log.
    fn take(&mut self, read: Read) {
        let change = match read {
            Read::Entry(entry) if entry.seq <= self.state.last => return,
            Read::Entry(entry) => match serde_json::from_slice::<Entry>(&entry.body) {
                Ok(parsed) => self.state.take(entry.seq, parsed),
                Err(error) => {
                    tracing::warn!(%error, "an entry of a job's log cannot be read");
                    self.state.skip(entry.seq);
                    Change::PassedOver
                }
            },
            Read::Unsealed { seq } if seq <= self.state.last => return,
            Read::Unsealed { seq } => {
                self.state.skip(seq);
                self.notice_once("a message that is not sealed with BATON_BUS_KEY was refused");
                return;
            }
        };
        self.changes.push_back(change);
    }

    /// What an entry changed. Answers whether something was taken.
    async fn handle(&mut self, change: Change) -> Result<bool, Stop> {
        self.record_lines()?;
        match change {
            Change::Claimed(claim) => {
                self.seen = Instant::now();
                self.notice(format!("at worker {}", safe_line(&claim.worker)));
            }
            Change::Line => self.seen = Instant::now(),
            Change::Submitted => {
                self.seen = Instant::now();
                return self.judge_pending().await;
            }
            Change::Ended => return self.ended().await.map(|()| false),
            Change::GivenBack { worker, why } => {
                self.seen = Instant::now();
                let (worker, why) = (safe_line(&worker), short_line(&why, SHOWN));
                self.notice(format!("worker {worker} gave it back: {why}"));
            }
            Change::Refused { worker, why } => {
                let (worker, why) = (safe_line(&worker), short_line(&why, SHOWN));
                self.notice_once(&format!("worker {worker} refused it: {why}"));
            }
            Change::PassedOver => {
                self.notice_once("a message came late, of a worker that no longer has the work, and was refused");
            }
            Change::Nothing | Change::Judged | Change::Told | Change::Cancelled => {}
        }
        Ok(false)
    }

    /// The attempt came to an end of its own.
    async fn ended(&mut self) -> Result<(), Stop> {
        match self.state.ended.clone() {
            Some(PortableError::Budget { .. }) => {
                if let Some(slice) = self.slice.take() {
                    let agent = &self.conversation.brief.agent;
                    self.slice = Some(self.run.context.budget.larger_slice(slice, agent).await?);
                }
                self.offer_next().await
            }
            Some(error) => {
                let worker = self.state.claim.as_ref().map(|claim| safe_line(&claim.worker)).unwrap_or_default();
                Err(Stop::Agent(match AgentError::from(error) {
                    AgentError::Model(ModelError { kind, message, usage }) => {
                        let message = format!("worker {worker}: {message}");
                        AgentError::Model(ModelError::new(kind, message).with_usage(usage))
                    }
                    error => error,
                }))
            }
            None => Ok(()),
        }
    }

    /// Bring the transcript up to the log. Each turn is charged once.
    fn record_lines(&mut self) -> Result<(), Stop> {
        let transcript = &self.run.context.transcript;
        while let Some((_, line)) = self.state.lines.get(self.recorded) {
            let number = self.recorded;
            self.recorded += 1;
            let (TranscriptLine::Turn { .. } | TranscriptLine::Lost { .. }) = line else { continue };
            let json = serde_json::to_vec(line).map_err(|error| AgentError::Journal(error.into()))?;
            let place = Some(format!("{}:{}", self.id, &sha256(&json)[..16]));
            if place.as_ref().is_some_and(|place| transcript.has_taken_over(place)) {
                continue;
            }
            let mut line = line.clone();
            match &mut line {
                TranscriptLine::Turn { from, begins, messages, turn, told, .. } => {
                    if turn.agent != self.brief.agent {
                        continue;
                    }
                    *from = place;
                    if !*begins && !self.is_begun {
                        (*messages, *begins) = (self.state.conversation_before(number), true);
                    }
                    self.is_begun = true;
                    let words = told.iter().filter_map(|id| self.state.told.iter().find(|(told, _)| told == id));
                    let told: Vec<Told> = words.map(|(id, text)| Told { id: id.clone(), text: text.clone() }).collect();
                    self.run.context.tells.take(&self.brief.agent, &told);
                    self.charge(Charge::Turn, turn.response.usage);
                }
                TranscriptLine::Lost { from, usage, lost, .. } => {
                    if *lost != self.brief.agent {
                        continue;
                    }
                    *from = place;
                    self.charge(Charge::Loss, *usage);
                }
                TranscriptLine::Closed { .. } => continue,
            }
            transcript.record(&line).map_err(AgentError::Journal)?;
            (self.report)(Activity::Turn);
        }
        Ok(())
    }

    fn charge(&self, what: Charge, usage: crate::contracts::Usage) {
        match (what, &self.slice) {
            (Charge::Turn, Some(slice)) => slice.charge_turn(usage),
            (Charge::Loss, Some(slice)) => slice.charge(usage),
            (Charge::Turn, None) => self.run.context.budget.charge_turn(usage),
            (Charge::Loss, None) => self.run.context.budget.charge(usage),
        }
    }

    /// Judge what was submitted. Answers whether it was taken.
    async fn judge_pending(&mut self) -> Result<bool, Stop> {
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
    async fn verdict(&mut self, submission: &Submission) -> Result<Vec<String>, Stop> {
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
    async fn take_over_files(&mut self, submission: &Submission) -> Result<Result<(), String>, Stop> {
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
        *staging.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = own;
        match taken {
            Ok(()) => Ok(Ok(())),
            Err(TakeOver::Changed(path)) => Err(AgentError::Changed(path.to_string()).into()),
            Err(error) => Ok(Err(error.to_string())),
        }
    }

    /// All that a worker needs.
    async fn work(&self) -> Result<Work, Stop> {
        let (mut read, mut edits) = (Vec::new(), Vec::new());
        if let Some(initial) = &self.initial {
            read = initial.read_files();
            for Returned { path, base, after, moved_from } in initial.returned() {
                let after = match after {
                    Some(bytes) => {
                        let name = sha256(&bytes);
                        let put = |broker: Broker| {
                            let (name, bytes) = (name.clone(), bytes.clone());
                            async move { broker.put_file(&name, bytes).await }
                        };
                        self.patiently(put).await?;
                        Some(name)
                    }
                    None => None,
                };
                edits.push(ReturnedFile { path, base, after, moved_from });
            }
        }
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

    /// Offer the next attempt.
    async fn offer_next(&mut self) -> Result<(), Stop> {
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
            attempt: self.state.attempt() + 1,
            plan_sha256: plan_sha256.clone(),
            tree,
            budget: budget.unwrap_or(crate::agents::Limits { usd: 0.0, tokens: None }),
        };
        self.append(Entry::Offered { job }).await?;
        self.put_in_queue().await
    }

    /// Put the attempt in the queue. One that is there already is known by its name, or by its claim.
    async fn put_in_queue(&mut self) -> Result<(), Stop> {
        self.seen = Instant::now();
        let Some(job) = &self.state.job else { return Ok(()) };
        let name = format!("{}:{}", self.id, job.attempt);
        let body = serde_json::to_vec(job).map_err(|error| AgentError::Journal(error.into()))?;
        let offer = |broker: Broker| {
            let (tag, name, body) = (self.at.tag.clone(), name.clone(), body.clone());
            async move { broker.offer(tag.as_deref(), &name, &body).await }
        };
        self.patiently(offer).await
    }

    /// Send the tree as it is now. Answers with its name.
    async fn tree(&self) -> Result<String, Stop> {
        let mut away = None;
        loop {
            match self.at.send_tree(self.run).await {
                Ok(name) => return Ok(name),
                Err(super::coordinator::TreeFault::Broker(fault)) => self.wait_after(&fault, &mut away).await?,
                Err(super::coordinator::TreeFault::Agent(error)) => return Err(error.into()),
            }
        }
    }

    /// Append an entry behind all there are; what others appended meanwhile is taken in first.
    async fn append(&mut self, entry: Entry) -> Result<(), Stop> {
        let mut away = None;
        loop {
            match self.append_once(&entry).await {
                Ok(()) => return Ok(()),
                Err(AppendFault::Behind) => self.read_on().await?,
                Err(AppendFault::Fault(fault)) => {
                    self.wait_after(&fault, &mut away).await?;
                    self.read_on().await?;
                }
            }
        }
    }

    async fn append_once(&mut self, entry: &Entry) -> Result<(), AppendFault> {
        let body = serde_json::to_vec(entry).map_err(|error| BrokerFault::Other { why: error.to_string() })?;
        let seq = self.log.append(self.state.last, &body).await?;
        self.state.take(seq, entry.clone());
        Ok(())
    }

    async fn read_on(&mut self) -> Result<(), Stop> {
        for read in self.read().await? {
            self.take(read);
        }
        Ok(())
    }

    async fn read(&self) -> Result<Vec<Read>, Stop> {
        let read = |_| {
            let log = self.log.clone();
            async move { log.read().await }
        };
        self.patiently(read).await
    }

    async fn signals(&self) -> Result<Signals, Stop> {
        let signals = |broker: Broker| {
            let (workflow, id) = (self.run.bus.workflow().to_owned(), self.id.clone());
            async move { broker.signals(&workflow, &id).await }
        };
        self.patiently(signals).await
    }

    /// What the worker says in passing.
    fn hear(&mut self, body: &[u8]) {
        let claim = self.state.claim.as_ref().map(|claim| claim.seq);
        match serde_json::from_slice(body) {
            Ok(Signal::Working { claim: by }) if claim == Some(by) => self.seen = Instant::now(),
            Ok(Signal::Doing { claim: by, activity }) if claim == Some(by) => {
                self.seen = Instant::now();
                // A turn is told of by the log.
                if !matches!(*activity, Activity::Turn) {
                    (self.report)(*activity);
                }
            }
            _ => {}
        }
    }

    async fn tick(&mut self) -> Result<(), Stop> {
        if self.at.broker.is_connected().await {
            self.away = None;
        } else {
            let fault = BrokerFault::Unreachable { why: "the connection is lost".to_owned() };
            let since = *self.away.get_or_insert_with(Instant::now);
            // A connection that breaks for a moment is nobody's business.
            if since.elapsed() > AWAY_TOLD {
                let mut away = Some(since);
                return self.wait_after(&fault, &mut away).await;
            }
            return Ok(());
        }
        if self.followed.elapsed() >= FOLLOWING {
            self.followed = Instant::now();
            self.signal(&Signal::Following).await;
        }
        for Told { id, text } in self.run.context.tells.waiting_for(&self.brief.agent) {
            if self.told.insert(id.clone()) {
                self.append(Entry::Told { id, text }).await?;
            }
        }
        match &self.state.claim {
            Some(claim) if self.seen.elapsed() > self.at.silence => {
                let worker = safe_line(&claim.worker);
                self.notice(format!("nothing is heard of worker {worker}; offered again"));
                self.offer_next().await?;
            }
            None if self.seen.elapsed() > UNTAKEN && !self.state.is_over() => {
                let place = &self.at.shown;
                self.notice_once(&format!("no worker has taken it yet; start one: `baton worker --nats {place}`"));
            }
            _ => {}
        }
        Ok(())
    }

    async fn signal(&self, signal: &Signal) {
        if let Ok(body) = serde_json::to_vec(signal) {
            // Whoever does not hear it hears the next one.
            let _ = timeout(FAREWELL, self.at.broker.signal(self.run.bus.workflow(), &self.id, &body)).await;
        }
    }

    async fn faulted(&self, fault: &BrokerFault) -> Result<(), Stop> {
        self.wait_after(fault, &mut None).await
    }

    /// Do something until the broker does it.
    async fn patiently<T, F>(&self, done: impl Fn(Broker) -> F + Send) -> Result<T, Stop>
    where
        F: Future<Output = Result<T, BrokerFault>> + Send,
    {
        let cancel = &self.run.context.cancel;
        let mut away = None;
        loop {
            let result = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(AgentError::Cancelled.into()),
                result = done(self.at.broker.clone()) => result,
            };
            match result {
                Ok(done) => return Ok(done),
                Err(fault) => self.wait_after(&fault, &mut away).await?,
            }
        }
    }

    /// Wait a moment after a fault that may pass. `away` is since when there are faults.
    async fn wait_after(&self, fault: &BrokerFault, away: &mut Option<Instant>) -> Result<(), Stop> {
        if matches!(fault, BrokerFault::Lost { .. }) {
            return Err(Stop::Lost);
        }
        let since = *away.get_or_insert_with(Instant::now);
        if !fault.may_pass() || since.elapsed() > LONGEST_AWAY {
            let message = format!("{}: {fault}", self.at.shown);
            return Err(AgentError::Model(ModelError::new(ModelErrorKind::Unavailable, message)).into());
        }
        self.at.notice_fault(self.run, fault);
        tokio::select! {
            () = self.run.context.cancel.cancelled() => Err(AgentError::Cancelled.into()),
            () = sleep(Duration::from_millis(500)) => Ok(()),
        }
    }

    fn notice(&self, message: String) {
        self.run.emit_for_task(self.conversation.phase, EventStatus::Progress, self.conversation.task, message);
    }

    fn notice_once(&mut self, message: &str) {
        if self.noticed.insert(message.to_owned()) {
            self.notice(message.to_owned());
        }
    }
}

/// What was paid.
enum Charge {
    Turn,
    Loss,
}
