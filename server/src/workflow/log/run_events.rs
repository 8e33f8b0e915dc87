//! The events of one run, as they come.

use jiff::Timestamp;

use super::clock::Clock;
use super::events::wait_of;
use super::which::{newest_or_at_work, which};
use crate::memory::{RunHistory, RunId, Store};
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::{EventStatus, PhaseEvent};

/// Reads the events of a run, and later those that were added.
#[derive(Debug)]
pub struct RunEvents {
    run: RunId,
    history: RunHistory<PhaseEvent>,
    start: Option<Timestamp>,
    has_ended: bool,
}

impl RunEvents {
    /// Those of the run whose id begins with `run`; without one of the run at work, else of the last one.
    ///
    /// # Errors
    /// When there is no such run, several begin so, or the memory folder cannot be read.
    pub fn of(store: &Store, run: Option<&str>) -> Result<Self, StartError> {
        match run {
            Some(_) => which(store, run).map(Self::of_run),
            None => newest_or_at_work(store).map(Self::of_run),
        }
    }

    /// Those of the run at work, where there is one.
    ///
    /// # Errors
    /// When the memory folder cannot be read.
    pub fn at_work(store: &Store) -> Result<Option<Self>, StartError> {
        let Some(run) = store.holder().and_then(|holder| RunId::parse(&holder.run)) else { return Ok(None) };
        // Between taking the lock and making its folder a run has no journals.
        Ok(store.runs()?.contains(&run).then(|| Self::of_run(run)))
    }

    fn of_run(run: RunId) -> Self {
        let start = run.started();
        Self { run, history: RunHistory::default(), start, has_ended: false }
    }

    /// The run's id.
    pub fn run(&self) -> &str {
        self.run.as_str()
    }

    /// Read the events that were added since the last call; the first call reads all. Of very many the oldest are left out.
    ///
    /// # Errors
    /// When the run's folder is gone, or its journal cannot be read.
    pub fn read_on(&mut self, store: &Store) -> Result<Vec<PhaseEvent>, StartError> {
        store.read_events_on(&self.run, &mut self.history)?;
        let events = self.history.take_events();
        self.has_ended |= events.iter().any(|event| event.outcome.is_some());
        if let Some(first) = events.first().filter(|event| event.seq == 1) {
            self.start = Some(first.at);
        }
        Ok(events)
    }

    /// Whether the last event of the run was read.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether a process is at this run.
    pub fn is_at_work(&self, store: &Store) -> bool {
        store.holder().is_some_and(|holder| holder.run == self.run.as_str())
    }

    /// When the run began.
    pub fn start(&self) -> Timestamp {
        self.start.unwrap_or_default()
    }

    /// How long after the beginning of the run this was, in words.
    pub fn since(&self, at: Timestamp) -> String {
        Clock(self.start()).since(at)
    }
}

/// What an event waits for, where it tells of a wait for a model: those of one wait, which come every second, say the same.
pub fn waits_for(event: &PhaseEvent) -> Option<String> {
    event.error.as_ref().filter(|_| event.status == EventStatus::Progress).map(|_| wait_of(event))
}
