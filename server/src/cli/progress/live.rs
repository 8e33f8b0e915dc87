//! A run on a terminal: spinners for what runs, lines for what is done.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle, TermLike};
use jiff::Timestamp;

use super::event::{is_lasting, marked_status, message_of, outcome_words, time_between};
use super::keyboard::Unechoed;
use crate::cli::color::{DIM, GREEN, Look, RED, YELLOW};
use crate::cli::output::{NARROWEST, WIDEST};
use crate::contracts::PhaseName;
use crate::text;
use crate::workflow::{EventPhase, EventStatus, PhaseEvent};

/// Columns of a phase's name: those of `implement`.
const NAME_WIDTH: usize = 9;

/// The same at most: a longer name is cut, or a narrow terminal had no room for what the phase says.
const LONGEST_NAME: usize = 16;

/// Columns of a time; the longest usual one is `10 m 10 s`.
const TIME_WIDTH: usize = 9;

/// A terminal of fewer columns has what does not fit beside a name below it.
const NARROW: usize = 60;

/// What stands before that.
const BELOW: &str = "    ";

/// Drawings a second at most.
const HERTZ: u8 = 20;

/// The clock for what still runs.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The columns of the terminal now; `None` where they are not known.
pub(super) type Columns = Arc<dyn Fn() -> Option<usize> + Send + Sync>;

/// Makes the terminal that is drawn on.
pub(super) type Target = Box<dyn Fn() -> Box<dyn TermLike> + Send>;

/// Lines for what is done, spinners below for what runs, and the run's usage at the bottom.
pub(super) struct Live {
    bars: MultiProgress,
    target: Target,
    clock: Clock,
    columns: Columns,
    tick: Option<Duration>,
    look: Look,
    name_width: usize,
    /// Begins not to show what is typed.
    silence: fn() -> Option<Unechoed>,
    /// Held while there are rows that keys would stand among.
    silent: Option<Unechoed>,
    phase: Option<(EventPhase, Row)>,
    tasks: BTreeMap<String, Task>,
    footer: Option<ProgressBar>,
}

struct Task {
    row: Row,
    title: String,
}

/// The row, or the two rows, of a spinner.
struct Row {
    bar: ProgressBar,
    /// Columns before it.
    indent: usize,
    name_width: usize,
    at: Timestamp,
    took: Duration,
}

impl Live {
    /// A view on what `target` gives, without colours. Without `tick` spinners move only when something happens.
    pub(super) fn new(target: Target, clock: Clock, columns: Columns, tick: Option<Duration>) -> Self {
        Self {
            bars: MultiProgress::with_draw_target(draw_target(&target)),
            target,
            clock,
            columns,
            tick,
            look: Look::Plain,
            name_width: NAME_WIDTH,
            silence: || None,
            silent: None,
            phase: None,
            tasks: BTreeMap::new(),
            footer: None,
        }
    }

    /// The same in colours and weights.
    pub(super) fn with_look(self, look: Look) -> Self {
        Self { look, ..self }
    }

    /// The same at a terminal with a keyboard.
    pub(super) fn with_keyboard(mut self, silence: fn() -> Option<Unechoed>) -> Self {
        self.silence = silence;
        self.silent = silence();
        self
    }

    /// Columns of a line; many where they are not known.
    fn width(&self) -> usize {
        (self.columns)().unwrap_or(WIDEST).max(NARROWEST)
    }

    /// Say what a spinner's phase or task does: beside its name, or below it where that has no room.
    fn say(&self, row: &Row, message: &str) {
        // The spinner, the name, the time, and what is between.
        let before = row.indent + 2 + row.name_width + 1 + TIME_WIDTH + 2;
        let width = self.width();
        let room = width.saturating_sub(before);
        let is_below = width < NARROW && text::columns_of(message) > room;
        row.bar.set_style(self.style(row, is_below));
        let room = if is_below { width.saturating_sub(row.indent + BELOW.len()) } else { room };
        row.bar.set_message(text::fitted(message, room));
    }

    fn style(&self, row: &Row, is_below: bool) -> ProgressStyle {
        let (at, took, clock) = (row.at, row.took, self.clock.clone());
        let time = move |_: &ProgressState, out: &mut dyn Write| {
            // A column that cannot be written is left empty.
            let _ = write!(out, "{:>TIME_WIDTH$}", text::whole_seconds(took + time_between(at, clock())));
        };
        let indent = " ".repeat(row.indent);
        let spinner = if self.look == Look::Color { "{spinner:.cyan}" } else { "{spinner}" };
        let message = if is_below { format!("\n{indent}{BELOW}{{wide_msg}}") } else { "  {wide_msg}".to_owned() };
        style(&format!("{indent}{spinner} {{prefix:.bold}} {{took:.dim}}{message}")).with_key("took", time)
    }

    /// The same with a column that holds the names of these phases.
    pub(super) fn with_room_for(self, phases: impl Iterator<Item = PhaseName>) -> Self {
        let longest = phases.map(|phase| phase.as_str().len()).fold(NAME_WIDTH, usize::max);
        Self { name_width: longest.min(LONGEST_NAME), ..self }
    }

    fn name(&self, phase: EventPhase) -> String {
        let name = phase.as_str();
        let name = if name.len() > LONGEST_NAME { text::cut(name, LONGEST_NAME - 1) } else { name.into() };
        format!("{name:width$}", width = self.name_width)
    }

    /// Show an event of a phase or task that has been running for `took`.
    pub(super) fn on(&mut self, event: &PhaseEvent, took: Duration) {
        if let Some(silent) = &self.silent {
            // A shell that had stopped the run has set the terminal.
            silent.again();
        }
        match (&event.task, event.phase) {
            _ if is_lasting(event) => self.lasting(event),
            (Some(task), _) => self.task(task, event, took),
            (None, EventPhase::Workflow) => self.workflow(event, took),
            (None, _) => self.phase(event, took),
        }
        let over = event.phase == EventPhase::Workflow
            && matches!(event.status, EventStatus::Done | EventStatus::Failed | EventStatus::Cancelled);
        if let Some(usage) = event.usage.filter(|usage| usage.total_tokens() > 0 && !over) {
            self.footer(usage.words());
        }
    }

    /// Leave the terminal to something else.
    pub(super) fn hide(&mut self) {
        // A terminal that is gone shows nothing anyway.
        let _ = self.bars.clear();
        self.bars.set_draw_target(ProgressDrawTarget::hidden());
        self.silent = None;
    }

    /// Show the view again, below what was written meanwhile.
    pub(super) fn unhide(&mut self) {
        self.silent = (self.silence)();
        self.bars.set_draw_target(draw_target(&self.target));
        self.all_bars().for_each(ProgressBar::tick);
    }

    /// Remove all spinners, for good.
    pub(super) fn end(&mut self) {
        self.clear();
        self.silence = || None;
        self.silent = None;
    }

    /// Remove all spinners.
    pub(super) fn clear(&mut self) {
        let bars: Vec<_> = self.all_bars().cloned().collect();
        bars.iter().for_each(|bar| self.remove(bar));
        self.phase = None;
        self.tasks.clear();
        self.footer = None;
    }

    fn workflow(&mut self, event: &PhaseEvent, took: Duration) {
        let message = message_of(event);
        match event.status {
            EventStatus::Started | EventStatus::Progress if message.is_empty() => {}
            EventStatus::Started | EventStatus::Progress => {
                self.print(&self.look.paint(DIM, &text::paragraph("", &message, self.width())));
            }
            _ => {
                self.clear();
                let words = event.outcome.map(outcome_words).map_or(message, str::to_owned);
                self.print(&self.finished("", marked_status(event), "baton", took, &words));
            }
        }
    }

    /// A line that stays above what runs, which goes on as it was.
    fn lasting(&self, event: &PhaseEvent) {
        let message = message_of(event);
        let (indent, line) = match &event.task {
            // It names the task.
            Some(_) if message.starts_with("told ") => ("  ", message),
            Some(task) => ("  ", format!("{}: {message}", text::safe_line(task))),
            None => ("", message),
        };
        self.print(&self.look.paint(DIM, &text::paragraph(indent, &line, self.width())));
    }

    fn phase(&mut self, event: &PhaseEvent, took: Duration) {
        let message = message_of(event);
        match event.status {
            EventStatus::Started | EventStatus::Progress => {
                if self.phase.as_ref().is_none_or(|(phase, _)| *phase != event.phase) {
                    self.end_phase();
                    self.phase = Some((event.phase, self.spinner(0, self.name(event.phase), event.at, took)));
                }
                if let Some((_, row)) = &self.phase {
                    self.say(row, &message);
                }
            }
            EventStatus::Waiting | EventStatus::Done | EventStatus::Failed | EventStatus::Cancelled => {
                self.end_phase();
                // Why a phase failed is what the run ends with, and stands there.
                let is_told_later = event.status == EventStatus::Failed && event.error.is_some();
                let message = if is_told_later { "failed".to_owned() } else { message };
                self.print(&self.finished("", marked_status(event), &self.name(event.phase), took, &message));
            }
        }
    }

    fn task(&mut self, id: &str, event: &PhaseEvent, took: Duration) {
        let message = message_of(event);
        let shown = text::safe_line(id);
        match event.status {
            EventStatus::Started | EventStatus::Progress | EventStatus::Waiting => {
                let begins = event.status == EventStatus::Started;
                if !self.tasks.contains_key(id) {
                    let row = self.spinner(2, shown, event.at, took);
                    let title = if begins { message.clone() } else { String::new() };
                    self.tasks.insert(id.to_owned(), Task { row, title });
                }
                if let Some(Task { row, title }) = self.tasks.get(id) {
                    // Why it waits is more than what it is about, where there is no room for both.
                    let is_said = begins || (event.error.is_some() && self.width() < NARROW);
                    self.say(row, &if is_said { message } else { titled(title, &message) });
                }
            }
            EventStatus::Done | EventStatus::Failed | EventStatus::Cancelled => {
                let mut message = message;
                if let Some(Task { row, title }) = self.tasks.remove(id) {
                    self.remove(&row.bar);
                    message = titled(&title, &message);
                }
                self.print(&self.finished("  ", event.status, &shown, took, &message));
            }
        }
    }

    fn end_phase(&mut self) {
        let ended = self.phase.take().map(|(_, row)| row.bar);
        let tasks = std::mem::take(&mut self.tasks).into_values().map(|task| task.row.bar);
        for bar in ended.into_iter().chain(tasks) {
            self.remove(&bar);
        }
    }

    fn footer(&mut self, text: String) {
        let bar = self.footer.get_or_insert_with(|| {
            let bar = ProgressBar::no_length().with_style(style("  {wide_msg:.dim}"));
            self.bars.add(bar)
        });
        bar.set_message(text);
    }

    /// A spinner for something that, at `at`, has been running for `took`.
    fn spinner(&self, indent: usize, name: String, at: Timestamp, took: Duration) -> Row {
        let name_width = text::columns_of(&name);
        let row = Row { bar: ProgressBar::no_length().with_prefix(name), indent, name_width, at, took };
        row.bar.set_style(self.style(&row, false));
        let bar = row.bar.clone();
        let bar = match &self.footer {
            Some(footer) => self.bars.insert_before(footer, bar),
            None => self.bars.add(bar),
        };
        if let Some(tick) = self.tick {
            bar.enable_steady_tick(tick);
        }
        Row { bar, ..row }
    }

    fn remove(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.bars.remove(bar);
    }

    pub(super) fn all_bars(&self) -> impl Iterator<Item = &ProgressBar> {
        let phase = self.phase.iter().map(|(_, row)| &row.bar);
        phase.chain(self.tasks.values().map(|task| &task.row.bar)).chain(&self.footer)
    }

    /// Print lines above the spinners.
    fn print(&self, lines: &str) {
        self.bars.suspend(|| {
            let terminal = (self.target)();
            // A terminal that is gone shows nothing anyway.
            let _ = lines.lines().try_for_each(|line| terminal.write_line(line)).and_then(|()| terminal.flush());
        });
    }

    /// The line of a phase or task that ended, or waits; what it says is wrapped beside its name, or below it where that has
    /// no room.
    fn finished(&self, indent: &str, status: EventStatus, name: &str, took: Duration, message: &str) -> String {
        const LEAST: usize = 24;
        let (mark, paint) = match status {
            EventStatus::Done => ("✓", GREEN),
            EventStatus::Failed => ("✗", RED),
            EventStatus::Waiting => ("?", YELLOW),
            _ => ("–", YELLOW),
        };
        let time = format!("{:>TIME_WIDTH$}", text::elapsed(took));
        let first = format!("{indent}{} {name} {}  ", self.look.paint(paint, mark), self.look.paint(DIM, &time));
        if message.is_empty() {
            return first.trim_end().to_owned();
        }
        let (hang, width) = (text::columns_of(&first), self.width());
        let rest = if hang + LEAST <= width { hang } else { indent.len() + BELOW.len() };
        text::hanging(&first, &" ".repeat(rest), message, width).trim_end().to_owned()
    }
}

fn draw_target(target: &Target) -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(target(), HERTZ)
}

/// A task's title and its message.
fn titled(title: &str, message: &str) -> String {
    match (title, message) {
        ("", text) | (text, "") => text.to_owned(),
        _ => format!("{title} · {message}"),
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are constants: one that does not parse fails every test of this view.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}
