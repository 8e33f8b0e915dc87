//! `baton status --watch`: the newest status, in place on a terminal, and one below the other elsewhere.

use std::time::Instant;

use jiff::Timestamp;
use serde_json::Value;

use super::failure::{CANCELLED, Failure};
use super::output::{columns, print, print_bytes, terminal_columns};
use super::runtime::block_on;
use super::session::{Session, Start};
use super::status::{status_json, status_or_nothing};
use super::watching::{Wake, Watching, stop_self};
use crate::config::{self, Overrides};
use crate::memory::Store;
use crate::text;
use crate::workflow::{PhaseState, Status, StatusReader};

/// Another screen, which the shell does not scroll, without a cursor.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";
/// What stands between these is drawn at once, where a terminal can do that.
const BEGIN: &str = "\u{1b}[?2026h\u{1b}[H";
const END: &str = "\u{1b}[J\u{1b}[?2026l";
/// Clears what was in the line before, and begins the next one.
const NEXT_LINE: &str = "\u{1b}[K\r\n";

/// Show the status until the user ends it, or the reader leaves.
pub(super) fn watch(start: &Start<'_>, json: bool) -> Result<u8, Failure> {
    let session = Session::open(start, Overrides::default())?;
    block_on(follow(session, View::new(json)?))?
}

async fn follow(mut session: Session, mut view: View) -> Result<u8, Failure> {
    let mut watching = Watching::new()?;
    let mut reader = StatusReader::default();
    loop {
        let store = session.memory()?;
        let run = store.as_ref().map(Store::runs).transpose()?.and_then(|runs| runs.last().map(ToString::to_string));
        // Watched before it is read: what comes in between is told of afterwards.
        watching.memory(&session, store.as_ref(), run.as_deref());
        let (now, models) = (Timestamp::now(), session.models());
        let read = |store| reader.status(store, &session.settings, models.as_ref(), &session.phases, now);
        let status = store.as_ref().map(read).transpose()?;
        let seen = Seen { status, at: Instant::now() };
        view.show(&seen)?;
        loop {
            match watching.next(seen.is_running()).await {
                Wake::Changed => break,
                Wake::Tick if seen.is_running() && store.as_ref().is_none_or(|store| store.holder().is_none()) => break,
                Wake::Tick | Wake::Resized => view.redraw(&seen)?,
                Wake::Suspended => view.suspend(&seen)?,
                Wake::ReaderLeft => return Ok(0),
                Wake::Stopped => {
                    view.close(&seen)?;
                    return Ok(CANCELLED);
                }
            }
        }
        // Settings that are faulty for a moment, while they are edited, change nothing.
        let root = session.workspace.root();
        if let Ok(loaded) = config::load_from_disk(root, config::environment(), Overrides::default()) {
            session.settings = loaded.settings;
        }
    }
}

/// A status, and when it was read; `None` where nothing has been run.
struct Seen {
    status: Option<Status>,
    at: Instant,
}

impl Seen {
    fn is_running(&self) -> bool {
        let is_running = |status: &Status| status.phases.iter().any(|phase| phase.status == PhaseState::Running);
        self.status.as_ref().is_some_and(is_running)
    }

    /// The text for so many columns: what runs has gone on since it was read.
    fn text(&self, columns: usize) -> String {
        let since = u64::try_from(self.at.elapsed().as_millis()).unwrap_or_default();
        let mut status = self.status.clone();
        let phases = status.iter_mut().flat_map(|status| &mut status.phases);
        for phase in phases.filter(|phase| phase.status == PhaseState::Running) {
            phase.elapsed_ms = phase.elapsed_ms.map(|ms| ms.saturating_add(since));
        }
        status_or_nothing(status.as_ref(), columns)
    }

    fn json(&self) -> Result<Value, Failure> {
        self.status.as_ref().map_or(Ok(Value::Null), status_json)
    }
}

/// How it is shown.
enum View {
    /// In place.
    Screen(Screen),
    /// Each new status below the last one, as JSON or for people.
    Below { json: bool, last: Option<Value> },
}

impl View {
    fn new(json: bool) -> Result<Self, Failure> {
        let is_dumb = config::variable("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        match json || is_dumb || terminal_columns().is_none() {
            true => Ok(Self::Below { json, last: None }),
            false => Ok(Self::Screen(Screen::enter()?)),
        }
    }

    /// Show a status that was read.
    fn show(&mut self, seen: &Seen) -> Result<(), Failure> {
        match self {
            Self::Screen(_) => self.redraw(seen),
            Self::Below { json, last } => {
                let now = without_time(seen.json()?);
                if last.as_ref() == Some(&now) {
                    return Ok(());
                }
                *last = Some(now);
                match json {
                    true => print(&text::safe_json(&seen.json()?.to_string())),
                    false => {
                        let time = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S");
                        print(&format!("--- {time} UTC\n{}", seen.text(columns())))
                    }
                }
            }
        }
    }

    /// Draw the same status again: the size, or the time, is another one.
    fn redraw(&mut self, seen: &Seen) -> Result<(), Failure> {
        match self {
            Self::Screen(screen) => screen.draw(&seen.text(columns())),
            Self::Below { .. } => Ok(()),
        }
    }

    /// Give the terminal back while this process is stopped.
    fn suspend(&mut self, seen: &Seen) -> Result<(), Failure> {
        let is_screen = matches!(self, Self::Screen(_));
        if is_screen {
            print_bytes(LEAVE.as_bytes())?;
        }
        stop_self();
        if is_screen {
            print_bytes(ENTER.as_bytes())?;
        }
        self.redraw(seen)
    }

    /// Leave; a terminal keeps the last status.
    fn close(self, seen: &Seen) -> Result<(), Failure> {
        let Self::Screen(screen) = self else { return Ok(()) };
        drop(screen);
        print(&seen.text(columns()))
    }
}

/// The screen of the terminal, which is given back when this is dropped.
struct Screen;

impl Screen {
    fn enter() -> Result<Self, Failure> {
        print_bytes(ENTER.as_bytes())?;
        Ok(Self)
    }

    fn draw(&self, text: &str) -> Result<(), Failure> {
        let size = console::Term::stdout().size_checked().unwrap_or((24, 80));
        print_bytes(frame(text, usize::from(size.0), usize::from(size.1)).as_bytes())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nowhere left to report that it cannot be written.
        let _ = print_bytes(LEAVE.as_bytes());
    }
}

/// What draws a text over the one before, without a moment in which nothing is there. What has no room is counted.
fn frame(text: &str, rows: usize, columns: usize) -> String {
    const HINT: &str = "(Ctrl-C leaves)";
    let mut lines: Vec<String> =
        text.lines().map(|line| console::truncate_str(line, columns, "…").into_owned()).collect();
    if lines.len() > rows {
        let left_out = text::count(lines.len() - rows.saturating_sub(1), "more line");
        lines.truncate(rows.saturating_sub(1));
        lines.push(
            console::truncate_str(&format!("… {left_out}; Ctrl-C leaves and prints all"), columns, "…").into_owned(),
        );
    } else if lines.len() + 2 <= rows && columns > HINT.len() {
        lines.extend([String::new(), HINT.to_owned()]);
    }
    format!("{BEGIN}{}\u{1b}[K{END}", lines.join(NEXT_LINE))
}

/// A status without how long things took, which changes all the time.
fn without_time(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(name, _)| name != "elapsed_ms");
            Value::Object(fields.map(|(name, value)| (name, without_time(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(without_time).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_the_rows_and_columns_of_its_terminal() {
        let text = "one\ntwo is a longer line\nthree\nfour";
        let drawn = console::strip_ansi_codes(&frame(text, 10, 12)).into_owned();
        assert_eq!(drawn, "one\r\ntwo is a lo…\r\nthree\r\nfour", "no room for the hint");
        let drawn = console::strip_ansi_codes(&frame(text, 10, 40)).into_owned();
        assert_eq!(drawn, "one\r\ntwo is a longer line\r\nthree\r\nfour\r\n\r\n(Ctrl-C leaves)");
        let drawn = console::strip_ansi_codes(&frame(text, 3, 60)).into_owned();
        assert_eq!(drawn, "one\r\ntwo is a longer line\r\n… 2 more lines; Ctrl-C leaves and prints all");
        assert_eq!(frame(text, 3, 60).matches("\u{1b}[K").count(), 3, "each line clears what was there");
    }

    #[test]
    fn time_alone_is_no_new_status() {
        let status = |ms: u64, state: &str| serde_json::json!({ "phases": [{ "status": state, "elapsed_ms": ms }] });
        assert_eq!(without_time(status(1, "running")), without_time(status(2, "running")));
        assert_ne!(without_time(status(1, "running")), without_time(status(1, "done")));
    }
}
