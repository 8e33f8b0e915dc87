//! One conversation that a worker holds, as its coordinator follows it.

mod broker;
mod followed;
mod offering;
mod recording;
mod throttling;
mod turn;
mod verdict;

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, timeout};

use self::followed::Followed;
use self::turn::TurnAtWork;
use crate::agents::{Activity, AgentError, Judge, PortableBrief, PortableError, Report, Slice};
use crate::bus::{AppendFault, BrokerFault, JobLog, Read, Signals};
use crate::memory::{Told, TranscriptLine};
use crate::models::ModelError;
use crate::text::{safe_line, short_line};
use crate::workflow::dispatch::at_workers::AtWorkers;
use crate::workflow::dispatch::job::{Entry, Signal};
use crate::workflow::dispatch::log_state::{Change, LogState};
use crate::workflow::dispatch::patience::Stop;
use crate::workflow::run::events::EventStatus;
use crate::workflow::run::phase::{Conversation, Run};
use crate::workspace::{Staging, sha256};

/// How often the coordinator looks for what is to be told.
const TICK: Duration = Duration::from_millis(500);
/// How often it says that it is there.
const FOLLOWING: Duration = Duration::from_secs(5);
/// How long nobody takes a job before the person is told.
const UNTAKEN: Duration = Duration::from_secs(15);
/// How long it is away before the person is told.
const AWAY_TOLD: Duration = Duration::from_secs(3);
/// How long the last word to a worker may take, once the run is cancelled.
const FAREWELL: Duration = Duration::from_millis(900);
/// How often in a row workers may give the work back without a turn: then it is for the person to see why.
const MOST_GIVEN_BACK: u32 = 20;
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
    /// Since when the log cannot be followed, though it is there.
    faulty: Option<Instant>,
    turn: TurnAtWork,
    /// SHA-256 of each entry that this process has appended, or tried to.
    sent: HashSet<String>,
    /// Where the job lies in the queue, and when it was last looked for there.
    queued: Option<(u64, Instant)>,
    told: HashSet<String>,
    /// How often it was given back since the last turn.
    given_back: u32,
    noticed: HashSet<String>,
}

/// How a conversation was held.
pub(super) enum Held {
    /// Something was taken.
    Taken,
    /// The log is lost, or of no use. These lines of the conversation are known here.
    Lost(Vec<TranscriptLine>),
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
            faulty: None,
            turn: TurnAtWork::default(),
            sent: HashSet::new(),
            queued: None,
            told: HashSet::new(),
            given_back: 0,
            noticed: HashSet::new(),
        }
    }

    /// Have the conversation held until something is taken.
    pub(super) async fn hold(mut self) -> Result<Held, AgentError> {
        match self.try_hold().await {
            Ok(()) => Ok(Held::Taken),
            Err(stop @ (Stop::Lost | Stop::Forged | Stop::Behind)) => {
                match stop {
                    Stop::Forged => self.notice(
                        "an entry of its log says that this run took what it did not take: it was refused, and the work goes on \
                         in a new log. Whoever wrote it has BATON_BUS_KEY: if that goes on, stop the worker and change the key"
                            .to_owned(),
                    ),
                    Stop::Lost => {
                        self.notice("the broker has lost what it had; the work goes on from what is known here".to_owned());
                    }
                    Stop::Behind | Stop::Agent(_) => {}
                }
                // Where the log is still there, nobody is to go on with it.
                if self.state.attempt() > 0 {
                    let _ = timeout(FAREWELL, self.farewell()).await;
                    // What was read by then stands in the transcript, and in the next log.
                    if let Err(Stop::Agent(error)) = self.record_lines() {
                        return Err(error);
                    }
                }
                self.restore_edits();
                match self.patiently(|broker| async move { broker.prepare().await }).await {
                    Ok(()) | Err(Stop::Lost | Stop::Forged | Stop::Behind) => {
                        Ok(Held::Lost(self.state.lines.into_iter().map(|(_, line)| line).collect()))
                    }
                    Err(Stop::Agent(error)) => Err(error),
                }
            }
            Err(Stop::Agent(error)) => {
                if self.state.attempt() > 0 && !self.state.is_over() {
                    // Who is at work finds out by the log, or else when its next turn is refused.
                    let _ = timeout(FAREWELL, self.farewell()).await;
                }
                Err(error)
            }
        }
    }

    /// Have nobody go on with the attempt.
    async fn farewell(&mut self) {
        while let Err(AppendFault::Behind) = self.append_once(&Entry::Cancelled).await {
            let Ok(all) = self.log.read_behind(self.state.last).await else { return };
            all.into_iter().for_each(|read| self.take(read));
            if self.state.is_over() {
                return;
            }
        }
    }

    /// Have the edits of the task be as they were when the conversation began.
    fn restore_edits(&self) {
        if let (Some(staging), Some(initial)) = (self.conversation.brief.toolbox.shared_staging(), &self.initial) {
            initial.clone_into(&mut staging.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        }
    }

    async fn try_hold(&mut self) -> Result<(), Stop> {
        for read in self.read().await? {
            self.take(read);
        }
        // What was done before this process: the turns are taken over, the rest shows in the state.
        self.changes.clear();
        self.record_lines()?;
        self.slice = Some(self.run.context.budget.slice(self.conversation.beside).await?);
        if self.state.work.is_none() {
            self.append(Entry::Opened { work: Box::new(self.work().await?) }).await?;
        }
        if self.is_taken() {
            // The coordinator was killed before it had written down what it took.
            return self.judge_taken().await.map(drop);
        }
        if self.state.pending.is_some() && self.judge_pending().await? {
            return Ok(());
        }
        if self.knows_more() {
            return Err(Stop::Behind);
        }
        // Before a worker can ask for leave.
        let signals = self.signals().await?;
        let is_resumable = |error: &PortableError| !AgentError::from(error.clone()).ends_conversation();
        match &self.state.ended {
            Some(error) if !is_resumable(error) => return Err(Stop::Agent(error.clone().into())),
            Some(_) => self.offer_next().await?,
            None if self.state.attempt() == 0 || self.state.is_cancelled || self.state.given_back.is_some() => {
                self.offer_next().await?;
            }
            None => self.put_in_queue().await?,
        }
        self.follow_to_the_end(signals).await
    }

    async fn follow_to_the_end(&mut self, mut signals: Signals) -> Result<(), Stop> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let cancel = self.run.context.cancel.clone();
        let mut followed = Followed::of(self.log.follow(self.state.last));
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
                read = followed.next() => match read {
                    Ok(read) => {
                        self.faulty = None;
                        self.take(read);
                    }
                    Err(fault) => {
                        let mut since = self.faulty.take();
                        self.wait_after(&fault, &mut since).await?;
                        self.faulty = since;
                    }
                },
                signal = signals.next() => match signal {
                    Some(body) => self.hear(&body).await,
                    None => signals = self.signals().await?,
                },
                slot = self.turn.entered() => self.entered(slot).await,
                _ = ticks.tick() => self.tick().await?,
            }
        }
    }

    /// Take in what was read of the log.
    fn take(&mut self, read: Read) {
        match self.state.read(&read) {
            None => {}
            Some(Change::Unsealed) => self.notice_once("a message that is not sealed with BATON_BUS_KEY was refused"),
            // What this process appended itself is no news.
            Some(_) if matches!(&read, Read::Entry(entry) if self.sent.contains(&sha256(&entry.body))) => {}
            Some(change) => self.changes.push_back(change),
        }
    }

    /// What an entry changed. Answers whether something was taken.
    async fn handle(&mut self, change: Change) -> Result<bool, Stop> {
        self.record_lines()?;
        match change {
            Change::Claimed(claim) => {
                self.seen = Instant::now();
                self.turn = TurnAtWork::default();
                self.at.note_taken();
                self.notice(format!("at worker {}", safe_line(&claim.worker)));
            }
            Change::Line => {
                self.seen = Instant::now();
                self.given_back = 0;
                self.turn_answered();
            }
            Change::Submitted => {
                self.seen = Instant::now();
                return self.judge_pending().await;
            }
            Change::Ended => return self.ended().await.map(|()| false),
            Change::GivenBack { worker, why, tree_is_lost } => {
                self.seen = Instant::now();
                self.turn = TurnAtWork::default();
                self.given_back += 1;
                let (worker, why) = (safe_line(&worker), short_line(&why, SHOWN));
                if self.given_back >= MOST_GIVEN_BACK {
                    let message =
                        format!("{MOST_GIVEN_BACK} times in a row it was given back; the last time by {worker}: {why}");
                    return Err(AgentError::Elsewhere(message).into());
                }
                self.notice(format!("worker {worker} gave it back: {why}"));
                if tree_is_lost {
                    self.at.send_again().await;
                    self.put_edits(true).await?;
                    self.offer_next().await?;
                }
            }
            Change::Refused { worker, why } => {
                let (worker, why) = (safe_line(&worker), short_line(&why, SHOWN));
                self.notice_once(&format!("worker {worker} refused it: {why}"));
            }
            Change::PassedOver => {
                self.notice_once("a message of a worker was refused: it came late, or is none that a worker may send");
            }
            // By this run before it was killed, or by somebody else who has the key.
            Change::Judged => return self.judge_taken().await,
            Change::Offered | Change::Cancelled if !self.is_taken() => self.offer_next().await?,
            Change::Nothing | Change::Told | Change::Offered | Change::Cancelled | Change::Unsealed => {}
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

    /// What the worker says in passing.
    async fn hear(&mut self, body: &[u8]) {
        let claim = self.state.claim.as_ref().map(|claim| claim.seq);
        match serde_json::from_slice(body) {
            Ok(Signal::Working { claim: by }) if claim == Some(by) => self.seen = Instant::now(),
            Ok(Signal::Doing { claim: by, activity }) if claim == Some(by) => {
                self.seen = Instant::now();
                self.note_load(&activity);
                // A turn is told of by the log.
                if !matches!(*activity, Activity::Turn) {
                    (self.report)(*activity);
                }
            }
            Ok(Signal::MayAsk { claim: by, turn, behind }) if claim == Some(by) => {
                self.seen = Instant::now();
                self.may_ask(turn, behind).await;
            }
            _ => {}
        }
    }

    async fn tick(&mut self) -> Result<(), Stop> {
        if self.at.broker.is_connected().await {
            if self.away.take().is_some() {
                self.at.answers_again(self.run);
            }
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
                let text = self.conversation.brief.model.masked(&text).into_owned();
                self.append(Entry::Told { id, text }).await?;
            }
        }
        match &self.state.claim {
            Some(claim) if self.seen.elapsed() > self.at.silence => {
                let worker = safe_line(&claim.worker);
                self.notice(format!("nothing is heard of worker {worker}; offered again"));
                self.offer_next().await?;
            }
            None if !self.state.is_over() => {
                if self.seen.elapsed() > UNTAKEN {
                    self.at.notice_untaken(self.run);
                }
                self.look_in_queue().await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether turns are known that the log does not hold: taken here, say, while the run went on without workers.
    fn knows_more(&self) -> bool {
        let turn_of = |line: &TranscriptLine| match line {
            TranscriptLine::Turn { turn, .. } => Some((turn.agent.clone(), turn.request_sha256.clone())),
            TranscriptLine::Lost { .. } | TranscriptLine::Closed { .. } => None,
        };
        let before = self.state.work.iter().flat_map(|work| &work.recorded);
        let known: HashSet<_> =
            before.chain(self.state.lines.iter().map(|(_, line)| line)).filter_map(turn_of).collect();
        self.carried.iter().filter_map(turn_of).any(|turn| !known.contains(&turn))
    }

    fn is_taken(&self) -> bool {
        self.state.taken.is_some()
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
