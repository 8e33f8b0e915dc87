//! The events that belong into a log: what the conversations themselves do not tell.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::blocks::LogBlock;
use super::clock::Clock;
use crate::text;
use crate::workflow::run::events::{EventPhase, EventStatus, PhaseEvent};

/// What an event, or a conversation, is about: the phase and the task.
pub(super) type About = (String, Option<String>);

/// Progress that stands in a log, by its first words: it happens once, and no conversation tells of it.
const NEWS: [&str; 7] = ["wrote", "refused", "check ", "second attempt", "no second attempt", "not taken", "running "];

/// The events of a run that are still to be shown, oldest first.
pub(super) struct Events<'a> {
    of: BTreeMap<About, VecDeque<&'a PhaseEvent>>,
}

impl<'a> Events<'a> {
    pub(super) fn of(events: &'a [PhaseEvent]) -> Self {
        let mut of: BTreeMap<About, VecDeque<&PhaseEvent>> = BTreeMap::new();
        // A wait of many seconds is one, though it is reported every second.
        let mut waiting: BTreeMap<About, String> = BTreeMap::new();
        for event in events {
            let about = (event.phase.as_str().to_owned(), event.task.clone());
            let wait = event.error.as_ref().filter(|_| event.status == EventStatus::Progress).map(|_| wait_of(event));
            let repeats = wait.is_some() && waiting.get(&about) == wait.as_ref();
            match wait {
                Some(wait) => drop(waiting.insert(about.clone(), wait)),
                None => drop(waiting.remove(&about)),
            }
            if is_shown(event) && !repeats {
                of.entry(about).or_default().push_back(event);
            }
        }
        Self { of }
    }

    /// Those about this that came until then.
    pub(super) fn until(&mut self, about: &About, at: Timestamp) -> Vec<&'a PhaseEvent> {
        let Some(queue) = self.of.get_mut(about) else { return Vec::new() };
        let count = queue.iter().take_while(|event| event.at <= at).count();
        queue.drain(..count).collect()
    }

    /// All that are left, with what they are about.
    pub(super) fn rest(self) -> impl Iterator<Item = (About, &'a PhaseEvent)> {
        self.of.into_iter().flat_map(|(about, queue)| queue.into_iter().map(move |event| (about.clone(), event)))
    }
}

/// What a model is waited for, without the seconds that are left.
pub(super) fn wait_of(event: &PhaseEvent) -> String {
    let (why, rest) = event.message.split_once("; waiting").unwrap_or((&event.message, ""));
    let try_number = rest.split_once("try ").map_or("", |(_, number)| number);
    format!("{why} {try_number}")
}

fn is_shown(event: &PhaseEvent) -> bool {
    match event.status {
        EventStatus::Progress => {
            event.error.is_some()
                || event.phase == EventPhase::Workflow
                || NEWS.iter().any(|first| event.message.to_lowercase().starts_with(first))
        }
        _ => event.outcome.is_none(),
    }
}

/// An event in a line; `named` says what it is about, where its place does not.
pub(super) fn event_step(event: &PhaseEvent, clock: Clock, named: bool) -> LogBlock {
    let about = match (named, &event.task) {
        (false, _) => String::new(),
        (true, _) if event.phase == EventPhase::Workflow => String::new(),
        (true, None) => format!("{} ", event.phase.as_str()),
        (true, Some(task)) => format!("{} {task} ", event.phase.as_str()),
    };
    let status = match event.status {
        EventStatus::Progress => String::new(),
        EventStatus::Started if event.phase == EventPhase::Workflow => String::new(),
        status => status.to_string(),
    };
    let about = format!("{about}{status}");
    let message = text::safe_line(&event.message);
    let error = event.error.as_ref().map(|error| text::safe_line(&error.message));
    let error =
        error.filter(|error| !message.contains(error.as_str())).map(|error| format!(": {error}")).unwrap_or_default();
    let between = if about.trim().is_empty() || message.is_empty() { "" } else { ": " };
    LogBlock::Event(format!("{} · {}{between}{message}{error}", clock.since(event.at), about.trim()))
}
