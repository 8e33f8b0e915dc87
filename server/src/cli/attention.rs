//! The bell, and a notification of the terminal, when a run waits for a person or has ended after a while.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use jiff::Timestamp;

use crate::config::{self, Settings};
use crate::text;
use crate::workflow::{EventPhase, EventStatus, Outcome, PhaseEvent};

/// A run that ends sooner has its person still looking.
const SOON: Duration = Duration::from_secs(10);
/// Longest text, in characters.
const WIDEST: usize = 120;

/// Calls the person to the terminal.
pub(super) struct Attention {
    /// Whether the terminal is known to show texts of its own.
    shows_text: bool,
    began: Option<Timestamp>,
    /// Whether the wait that is told last is that of the gate.
    at_gate: bool,
}

impl Attention {
    /// For standard error; `None` where it is no terminal that can ring, or the user wants no bell.
    pub(super) fn of_stderr(settings: &Settings) -> Option<Self> {
        let set = |name: &str| config::variable(name).filter(|value| !value.is_empty());
        let term = set("TERM")?;
        let is_ci = set("CI").is_some_and(|ci| ci != "false" && ci != "0");
        if !settings.bell || is_ci || term == "dumb" || !io::stderr().is_terminal() {
            return None;
        }
        // The console of Linux would print it.
        Some(Self { shows_text: term != "linux", began: None, at_gate: false })
    }

    /// What is to be written to the terminal at this event, where it calls for the person.
    pub(super) fn call(&mut self, event: &PhaseEvent) -> Option<String> {
        let began = *self.began.get_or_insert(event.at);
        let took = Duration::try_from(event.at.duration_since(began)).unwrap_or_default();
        let words = match (event.outcome, event.status) {
            (Some(Outcome::Cancelled), _) => None,
            (Some(Outcome::Waiting), _) if self.at_gate => None,
            (Some(outcome), _) => (took > SOON).then(|| format!("{}. {}", end_words(outcome), event.message)),
            (None, EventStatus::Waiting) => Some(event.message.clone()),
            (None, _) => None,
        };
        if event.outcome.is_none() && event.status != EventStatus::Progress {
            self.at_gate =
                event.status == EventStatus::Waiting && event.task.is_none() && event.phase != EventPhase::Workflow;
        }
        words.map(|words| self.sequence(&words))
    }

    /// BEL, and OSC 9: a notification of the desktop in iTerm2, WezTerm, kitty, Ghostty, Windows Terminal and others. Behind `9;`
    /// comes a word, for a number has another meaning to some.
    fn sequence(&self, words: &str) -> String {
        let bell = '\u{7}';
        match self.shows_text {
            true => format!("\u{1b}]9;Baton: {}\u{7}{bell}", text::short_line(words, WIDEST)),
            false => bell.to_string(),
        }
    }
}

fn end_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Merged | Outcome::Done => "done",
        Outcome::Escalated => "it needs you",
        Outcome::Rejected => "the plan is rejected",
        Outcome::Waiting => "the plan waits",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "stopped",
        Outcome::RolledBack => "undone",
    }
}

/// Write it to standard error.
pub(super) fn write(sequence: &str) {
    // There is nowhere left to report that it cannot be written.
    let mut stderr = io::stderr();
    let _ = stderr.write_all(sequence.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::PLAN;

    fn event(second: i64, status: EventStatus, outcome: Option<Outcome>) -> PhaseEvent {
        PhaseEvent {
            run: "r".to_owned(),
            seq: 1,
            at: Timestamp::from_second(second).unwrap(),
            workflow: String::new(),
            phase: if outcome.is_some() { EventPhase::Workflow } else { PLAN.into() },
            status,
            task: None,
            message: "The plan\u{7}\u{1b}]0;title\u{7} waits".to_owned(),
            files: Vec::new(),
            error: None,
            usage: None,
            outcome,
        }
    }

    #[test]
    fn it_rings_at_a_wait_and_at_the_end_of_what_took_a_while() {
        let attention = || Attention { shows_text: true, began: None, at_gate: false };
        let mut one = attention();
        assert_eq!(one.call(&event(0, EventStatus::Started, None)), None);
        let waits = one.call(&event(1, EventStatus::Waiting, None));
        assert_eq!(waits.as_deref(), Some("\u{1b}]9;Baton: The plan waits\u{7}\u{7}"));
        assert_eq!(one.call(&event(60, EventStatus::Waiting, Some(Outcome::Waiting))), None, "it rang for that");
        for (second, outcome, rings) in [
            (10, Outcome::Merged, false),
            (11, Outcome::Merged, true),
            (11, Outcome::Failed, true),
            (11, Outcome::Waiting, true),
            (99, Outcome::Cancelled, false),
        ] {
            let mut one = attention();
            one.call(&event(0, EventStatus::Started, None));
            let called = one.call(&event(second, EventStatus::Done, Some(outcome)));
            assert_eq!(called.is_some(), rings, "{outcome} after {second} s");
        }
        let mut console = Attention { shows_text: false, ..attention() };
        assert_eq!(console.call(&event(1, EventStatus::Waiting, None)).as_deref(), Some("\u{7}"));
        let long = Attention { shows_text: true, began: None, at_gate: false }.sequence(&"x".repeat(900));
        assert!(long.chars().count() < 150 && long.matches(char::is_control).count() == 3, "{long:?}");
    }
}
