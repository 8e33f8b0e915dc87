//! The events of a run.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::mpsc;

use super::outcome::Outcome;
use crate::contracts::{PhaseName, Usage};
use crate::memory::EventLog;
use crate::text::safe_line;

/// One thing that happened. The faces, the journal and any broker hear the same events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseEvent {
    /// The run it belongs to.
    pub run: String,
    /// Number within the run, from 1, without gaps.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The workflow it belongs to, by the id of its first run; empty in journals of before.
    #[serde(default)]
    pub workflow: String,
    /// What it is about.
    pub phase: EventPhase,
    /// What happened to it.
    pub status: EventStatus,
    /// The task, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// One line for people, without control characters.
    pub message: String,
    /// The files that the task waits for to be saved, with `waiting`, relative to the workspace root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// What went wrong, with `failed`; with `progress`, why a turn waits for the network, until the next event of the same
    /// phase and task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<EventError>,
    /// What the run has used so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How the run ended, on its last event.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventPhase {
    /// A phase; the gate counts to the plan.
    Phase(PhaseName),
    /// The run as a whole.
    Workflow,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventStatus {
    /// It began.
    Started,
    /// It goes on.
    Progress,
    /// A person is asked.
    Waiting,
    /// It ended well.
    Done,
    /// It ended badly.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventError {
    /// Where to look.
    pub kind: EventErrorKind,
    /// What happened and what to do.
    pub message: String,
    /// What a person can do something about, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<FailureCause>,
}

/// What keeps a model from answering, as far as a person can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCause {
    /// The key is missing, wrong or not allowed.
    Key,
    /// The account's money or quota is used up.
    Quota,
    /// The network, or the provider: overloaded or out of order.
    Network,
}

impl EventError {
    /// An error of this kind, about which nothing more is known.
    pub fn new(kind: EventErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), cause: None }
    }
}

/// Where to look for what went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventErrorKind {
    /// Model, network or quota.
    Model,
    /// A handoff that breaks its contract.
    Contract,
    /// The files, the disk, git.
    Workspace,
    /// Settings.
    Config,
    /// The budget is spent.
    Budget,
    /// The user stopped it.
    Cancelled,
    /// The time that the user gave it is over.
    Timeout,
}

/// The word of the run as a whole; no phase may be called so.
pub const WORKFLOW: &str = "workflow";

impl EventPhase {
    /// The word used in the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phase(name) => name.as_str(),
            Self::Workflow => WORKFLOW,
        }
    }
}

impl From<PhaseName> for EventPhase {
    fn from(name: PhaseName) -> Self {
        Self::Phase(name)
    }
}

impl Serialize for EventPhase {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for EventPhase {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        match word.as_str() {
            WORKFLOW => Ok(Self::Workflow),
            name => PhaseName::read(name).map(Self::Phase).map_err(serde::de::Error::custom),
        }
    }
}

impl fmt::Display for EventStatus {
    /// The word used in the JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Numbers the events of a run and sends them to the journal first, then to the subscribers.
pub(crate) struct Bus {
    run: String,
    workflow: String,
    state: Mutex<BusState>,
    journal: EventLog,
}

#[derive(Default)]
struct BusState {
    seq: u64,
    /// Whether the last event was told: the one with the outcome.
    has_ended: bool,
    subscribers: Vec<mpsc::UnboundedSender<PhaseEvent>>,
}

/// What an event says, before it gets its number and time.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    pub(crate) phase: EventPhase,
    pub(crate) status: EventStatus,
    pub(crate) task: Option<String>,
    pub(crate) message: String,
    pub(crate) error: Option<EventError>,
    pub(crate) usage: Option<Usage>,
    pub(crate) files: Vec<String>,
    pub(crate) outcome: Option<Outcome>,
}

impl NewEvent {
    /// An event with nothing but a message.
    pub(crate) fn new(phase: impl Into<EventPhase>, status: EventStatus, message: impl Into<String>) -> Self {
        let (phase, message) = (phase.into(), message.into());
        Self { phase, status, task: None, message, error: None, usage: None, files: Vec::new(), outcome: None }
    }
}

impl Bus {
    /// The id of the workflow.
    #[cfg(feature = "nats")]
    pub(crate) fn workflow(&self) -> &str {
        &self.workflow
    }

    /// The bus of a run, whose every event is journaled.
    pub(crate) fn new(run: String, workflow: String, journal: EventLog) -> Self {
        Self { run, workflow, state: Mutex::default(), journal }
    }

    /// Receive every event from here on. The queue is unbounded, so a slow reader loses none.
    pub(crate) fn subscribe(&self) -> mpsc::UnboundedReceiver<PhaseEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.state().subscribers.push(sender);
        receiver
    }

    /// Number an event, journal it and send it to all subscribers. All see the same order.
    pub(crate) fn emit(&self, event: NewEvent) {
        self.number(&mut self.state(), event);
    }

    /// The same, unless the run has told its end: then nothing follows. Answers whether it was told.
    pub(crate) fn emit_before_end(&self, event: NewEvent) -> bool {
        let mut state = self.state();
        if !state.has_ended {
            self.number(&mut state, event);
            return true;
        }
        false
    }

    fn number(&self, state: &mut BusState, event: NewEvent) {
        state.seq += 1;
        state.has_ended |= event.outcome.is_some();
        let event = PhaseEvent {
            run: self.run.clone(),
            seq: state.seq,
            at: Timestamp::now(),
            workflow: self.workflow.clone(),
            phase: event.phase,
            status: event.status,
            task: event.task,
            message: safe_line(&event.message),
            error: event.error.map(|error| EventError { message: safe_line(&error.message), ..error }),
            usage: event.usage,
            files: event.files,
            outcome: event.outcome,
        };
        if let Err(error) = self.journal.append(&event) {
            tracing::error!(%error, "cannot write events.jsonl");
        }
        state.subscribers.retain(|subscriber| subscriber.send(event.clone()).is_ok());
    }

    /// A poisoned lock only means that a thread panicked between two events.
    fn state(&self) -> MutexGuard<'_, BusState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::run::phase_names::IMPLEMENT;

    fn event(task: Option<&str>, status: EventStatus, files: &[&str]) -> PhaseEvent {
        PhaseEvent {
            run: "r".to_owned(),
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            workflow: String::new(),
            phase: EventPhase::Phase(IMPLEMENT),
            status,
            task: task.map(str::to_owned),
            message: String::new(),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            outcome: None,
            error: None,
            usage: None,
        }
    }

    #[test]
    fn the_files_are_in_the_event_only_where_there_are_some() {
        let waiting = serde_json::to_value(event(Some("T1"), EventStatus::Waiting, &["a.rs"])).unwrap();
        assert_eq!(waiting["files"], serde_json::json!(["a.rs"]));
        let other = serde_json::to_value(event(Some("T1"), EventStatus::Progress, &[])).unwrap();
        assert!(other.get("files").is_none(), "{other}");
        let before: PhaseEvent = serde_json::from_value(other).unwrap();
        assert!(before.files.is_empty(), "journals of before have none");
    }
}
