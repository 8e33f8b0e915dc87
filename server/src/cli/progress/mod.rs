//! The live view of a run: its events as spinners on a terminal, and as plain lines anywhere else.

mod event;
mod keyboard;
mod live;
mod log;
mod screen;

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::color::{Look, draws};
use super::output::stderr_columns;
use crate::workflow::{EventPhase, EventStatus, PhaseEvent, Phases};
pub(super) use event::outcome_words;
use event::time_between;
use keyboard::Unechoed;
use live::{Live, Target};
use log::Log;
use screen::Screen;

/// How a run is shown on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Spinners and colours, on a terminal.
    Live,
    /// A line for each notable event.
    Plain,
}

/// Shows a run as it goes.
///
/// Times come from the events, and for what is still running from the clock. Text of events is made safe for the
/// terminal. What cannot be written to standard error is dropped: that does not end a run.
pub struct Progress {
    inner: Arc<Mutex<Inner>>,
}

/// Hides the view while something else uses the terminal; events meanwhile are shown afterwards.
#[must_use = "the view comes back when this is dropped"]
pub struct Pause {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    view: View,
    started: Started,
    pauses: usize,
    held: Vec<PhaseEvent>,
}

enum View {
    Live(Live),
    Plain(Log),
}

/// When the run, each phase and each task began.
#[derive(Default)]
struct Started {
    run: Option<Timestamp>,
    phases: HashMap<(EventPhase, Option<String>), Timestamp>,
}

impl Style {
    /// Live when standard error is a terminal that draws: `TERM` is set, and not to `dumb`. Whether there are colours is
    /// another question.
    pub fn for_stderr() -> Self {
        if io::stderr().is_terminal() && draws() { Self::Live } else { Self::Plain }
    }
}

impl Progress {
    /// A view on standard error of a run that may have these phases.
    pub fn new(style: Style, phases: &Phases) -> Self {
        match style {
            Style::Live => {
                let continued = continued();
                let target: Target =
                    Box::new(move || Box::new(Screen::new(console::Term::stderr(), continued.clone())));
                // Smooth enough to see, slow enough for a remote terminal.
                let columns = || console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns));
                let tick = Some(Duration::from_millis(120));
                let live = Live::new(target, Arc::new(Timestamp::now), Arc::new(columns), tick);
                let live = live.with_look(Look::of_stderr()).with_keyboard(Unechoed::new);
                Self::with(View::Live(live.with_room_for(phases.names())))
            }
            Style::Plain => Self::with(View::Plain(Log::new(Box::new(io::stderr())).with_columns(stderr_columns))),
        }
    }

    /// Plain lines to any writer.
    pub fn to(out: impl Write + Send + 'static) -> Self {
        Self::with(View::Plain(Log::new(Box::new(out))))
    }

    fn with(view: View) -> Self {
        let inner = Inner { view, started: Started::default(), pauses: 0, held: Vec::new() };
        Self { inner: Arc::new(Mutex::new(inner)) }
    }

    /// Show what happened.
    pub fn on(&self, event: &PhaseEvent) {
        let mut inner = lock(&self.inner);
        if inner.pauses == 0 {
            inner.show(event);
        } else if event.status != EventStatus::Waiting {
            // The run waits for the holder of the terminal; after the pause that is out of date.
            inner.held.push(event.clone());
        }
    }

    /// Run `f` with the terminal to itself.
    pub fn suspend<R>(&self, f: impl FnOnce() -> R) -> R {
        let _pause = self.pause();
        f()
    }

    /// Hide the view until the guard is dropped.
    pub fn pause(&self) -> Pause {
        let mut inner = lock(&self.inner);
        inner.pauses += 1;
        let first = inner.pauses == 1;
        if let View::Live(live) = &mut inner.view
            && first
        {
            live.hide();
        }
        Pause { inner: Arc::clone(&self.inner) }
    }

    /// Remove the spinners. Lines already written stay.
    pub fn finish(&self) {
        if let View::Live(live) = &mut lock(&self.inner).view {
            live.end();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        let mut inner = lock(&self.inner);
        inner.pauses -= 1;
        if inner.pauses > 0 {
            return;
        }
        if let View::Live(live) = &mut inner.view {
            live.unhide();
        }
        for event in std::mem::take(&mut inner.held) {
            inner.show(&event);
        }
    }
}

impl Inner {
    fn show(&mut self, event: &PhaseEvent) {
        let took = self.started.took(event);
        match &mut self.view {
            View::Live(live) => live.on(event, took),
            View::Plain(log) => log.on(event, self.started.since_run(event.at)),
        }
    }
}

impl Started {
    /// Records when phases and tasks begin; returns how long this event's has been running.
    fn took(&mut self, event: &PhaseEvent) -> Duration {
        self.run.get_or_insert(event.at);
        let key = (event.phase, event.task.clone());
        if event.status == EventStatus::Started {
            self.phases.insert(key, event.at);
            return Duration::ZERO;
        }
        if event.phase == EventPhase::Workflow {
            return self.since_run(event.at);
        }
        time_between(*self.phases.entry(key).or_insert(event.at), event.at)
    }

    fn since_run(&self, at: Timestamp) -> Duration {
        self.run.map_or(Duration::ZERO, |start| time_between(start, at))
    }
}

/// Set when the process goes on after it was stopped.
fn continued() -> Arc<AtomicBool> {
    let continued = Arc::new(AtomicBool::new(false));
    #[cfg(unix)]
    if let Err(error) = signal_hook::flag::register(signal_hook::consts::SIGCONT, continued.clone()) {
        tracing::debug!("it will not be known that the process was stopped: {error}");
    }
    continued
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    // A panic while drawing leaves nothing worse than a wrong picture.
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
