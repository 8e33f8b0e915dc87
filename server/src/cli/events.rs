//! `baton events`: what happened in a run, event by event, also while it goes on.

use std::collections::HashMap;

use serde_json::json;

use super::args::EventsArgs;
use super::failure::{CANCELLED, Failure};
use super::output::{message_lines, print, row, tell, terminal_columns};
use super::progress::outcome_words;
use super::runtime::block_on;
use super::session::{Session, Start};
use super::watching::{Wake, Watching, stop_self};
use crate::config::Overrides;
use crate::memory::Store;
use crate::text;
use crate::workflow::{EventPhase, EventStatus, PhaseEvent, RunEvents, waits_for};

const NOTHING: &str = "nothing has been run here yet, so there are no events; `baton events --follow` waits for a run";

/// Print the events of a run.
pub(super) fn events(start: &Start<'_>, args: &EventsArgs) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    let mut printing = Printing { json: args.json, waits: HashMap::new() };
    if args.follow {
        return block_on(follow(&session, args, printing))?;
    }
    let Some(store) = session.memory()? else { return Err(Failure::usage(NOTHING)) };
    let mut events = RunEvents::of(&store, args.run.as_deref())?;
    let read = events.read_on(&store)?;
    printing.title(&events)?;
    printing.events(&events, &read)?;
    Ok(0)
}

/// Print the events of a run as they come, until it ends.
async fn follow(session: &Session, args: &EventsArgs, mut printing: Printing) -> Result<u8, Failure> {
    let mut watching = Watching::new()?;
    let mut followed: Option<RunEvents> = None;
    let mut waits = false;
    loop {
        let store = session.memory()?;
        let run = followed.as_ref().map(|events| events.run().to_owned());
        // Watched before it is read: what comes in between is told of afterwards.
        watching.memory(session, store.as_ref(), run.as_deref());
        if followed.is_none() {
            followed = begin(store.as_ref(), args.run.as_deref())?;
            match &followed {
                Some(events) => {
                    watching.memory(session, store.as_ref(), Some(events.run()));
                    printing.title(events)?;
                }
                None if !waits => {
                    waits = true;
                    let words = "No run is at work here: waiting for the next one (Ctrl-C ends this)";
                    tell(&message_lines(words).join("\n"));
                }
                None => {}
            }
        }
        if let (Some(events), Some(store)) = (&mut followed, &store) {
            let is_at_work = events.is_at_work(store);
            let read = events.read_on(store)?;
            printing.events(events, &read)?;
            if events.has_ended() {
                return Ok(0);
            }
            if !is_at_work {
                tell("The run came to no end: no process is at it any more");
                return Ok(0);
            }
        }
        loop {
            match watching.next(followed.is_some()).await {
                Wake::Stopped => return Ok(CANCELLED),
                Wake::ReaderLeft => return Ok(0),
                Wake::Resized => {}
                Wake::Suspended => stop_self(),
                Wake::Tick if is_held(followed.as_ref(), store.as_ref()) => {}
                Wake::Changed | Wake::Tick => break,
            }
        }
    }
}

/// The run to follow: the one that was named, or the one at work.
fn begin(store: Option<&Store>, named: Option<&str>) -> Result<Option<RunEvents>, Failure> {
    match (store, named) {
        (None, Some(_)) => Err(Failure::usage("nothing has been run here yet, so there is no such run")),
        (None, None) => Ok(None),
        (Some(store), Some(_)) => Ok(Some(RunEvents::of(store, named)?)),
        (Some(store), None) => Ok(RunEvents::at_work(store)?),
    }
}

fn is_held(events: Option<&RunEvents>, store: Option<&Store>) -> bool {
    events.zip(store).is_some_and(|(events, store)| events.is_at_work(store))
}

/// Prints events, as JSON or for people.
struct Printing {
    json: bool,
    /// What each phase and task waits for: a wait that is told every second gets one line.
    waits: HashMap<(EventPhase, Option<String>), String>,
}

impl Printing {
    /// Which run follows.
    fn title(&self, events: &RunEvents) -> Result<(), Failure> {
        if self.json {
            return Ok(());
        }
        let began = events.start().strftime("%Y-%m-%d %H:%M:%S");
        let title = format!("Run {}, begun {began} UTC; times count from there", text::safe_line(events.run()));
        print(&message_lines(&title).join("\n"))
    }

    fn events(&mut self, of: &RunEvents, events: &[PhaseEvent]) -> Result<(), Failure> {
        for event in events {
            if self.json {
                print(&text::safe_json(&json!(event).to_string()))?;
            } else if !self.repeats(event) {
                print(&line(event, &of.since(event.at), terminal_columns().map(usize::from)))?;
            }
        }
        Ok(())
    }

    /// Whether an event tells of the same wait as the last one of its phase and task.
    fn repeats(&mut self, event: &PhaseEvent) -> bool {
        let key = (event.phase, event.task.clone());
        match waits_for(event) {
            Some(wait) => self.waits.insert(key, wait.clone()) == Some(wait),
            None => {
                self.waits.remove(&key);
                false
            }
        }
    }
}

/// An event for people: when, what it is about, and what happened; wrapped where a terminal has so many columns.
fn line(event: &PhaseEvent, since: &str, columns: Option<usize>) -> String {
    let task = event.task.as_ref().map(|task| format!(" {}", text::safe_line(task))).unwrap_or_default();
    let head = format!("{since:>9}  {:<12} ", format!("{}{task}", event.phase.as_str()));
    let words = words(event);
    match columns {
        Some(columns) => row(&head, &words, columns.max(20)),
        None => format!("{head}{}", text::safe_line(&words)).trim_end().to_owned(),
    }
}

/// What happened: the status, but for progress, and the message with the error.
fn words(event: &PhaseEvent) -> String {
    let status = match (event.outcome, event.status) {
        (Some(outcome), _) => outcome_words(outcome).to_owned(),
        (None, EventStatus::Progress) => String::new(),
        (None, status) => status.to_string(),
    };
    let error = event.error.as_ref().map(|error| error.message.as_str());
    let error = error.filter(|error| !event.message.contains(error)).unwrap_or_default();
    [status.as_str(), event.message.as_str(), error]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::workflow::{EventError, EventErrorKind, IMPLEMENT};

    fn event(status: EventStatus, message: &str, error: Option<&str>) -> PhaseEvent {
        PhaseEvent {
            run: "r".to_owned(),
            workflow: "r".to_owned(),
            seq: 1,
            at: Timestamp::UNIX_EPOCH,
            phase: IMPLEMENT.into(),
            status,
            task: Some("T1".to_owned()),
            message: message.to_owned(),
            files: Vec::new(),
            error: error.map(|error| EventError::new(EventErrorKind::Model, error)),
            usage: None,
            outcome: None,
        }
    }

    #[test]
    fn an_event_is_a_line_that_a_terminal_wraps() {
        let failed = event(EventStatus::Failed, "the provider is overloaded\u{1b}[2J", Some("529 overloaded"));
        assert_eq!(
            line(&failed, "1 m 12 s", None),
            " 1 m 12 s  implement T1 failed: the provider is overloaded: 529 overloaded"
        );
        for columns in [40, 60] {
            let wrapped = line(&failed, "1 m 12 s", Some(columns));
            assert!(wrapped.lines().all(|line| line.chars().count() <= columns), "{wrapped}");
            assert!(!wrapped.contains('\u{1b}'));
        }
        let progress = event(EventStatus::Progress, "reading src/a.rs", None);
        assert_eq!(line(&progress, "2 s", None), "      2 s  implement T1 reading src/a.rs");
    }

    #[test]
    fn a_wait_of_many_seconds_is_one_line() {
        let mut printing = Printing { json: false, waits: HashMap::new() };
        let wait = |left: u32, n: u32| {
            let message = format!("rate limited; waiting {left} s (try {n} of 5)");
            event(EventStatus::Progress, &message, Some("rate limited"))
        };
        assert!(!printing.repeats(&wait(3, 2)));
        assert!(printing.repeats(&wait(2, 2)));
        assert!(!printing.repeats(&wait(3, 3)), "another try");
        assert!(!printing.repeats(&event(EventStatus::Progress, "reading", None)));
        assert!(!printing.repeats(&wait(2, 3)), "a new wait");
    }
}
