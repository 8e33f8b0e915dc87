//! A run on a terminal: spinners for what runs, lines for what is done.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use console::Style as Paint;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use jiff::Timestamp;

use super::event::{is_lasting, message_of, outcome_words, time_between};
use crate::contracts::PhaseName;
use crate::text;
use crate::workflow::{EventPhase, EventStatus, Outcome, PhaseEvent};

/// Columns of a phase's name: those of `implement`.
const NAME_WIDTH: usize = 9;

/// The same at most: a longer name is cut, or a narrow terminal had no room for what the phase says.
const LONGEST_NAME: usize = 16;

/// Columns of a time; the longest usual one is `10 m 10 s`.
const TIME_WIDTH: usize = 9;

/// The clock for what still runs.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// The columns of the terminal now; `None` where they are not known.
pub(super) type Columns = Arc<dyn Fn() -> Option<usize> + Send + Sync>;

/// Makes the target that is drawn on.
pub(super) type Target = Box<dyn Fn() -> ProgressDrawTarget + Send>;

/// Lines for what is done, spinners below for what runs, and the run's usage at the bottom.
pub(super) struct Live {
    bars: MultiProgress,
    target: Target,
    clock: Clock,
    columns: Columns,
    tick: Option<Duration>,
    name_width: usize,
    phase: Option<(EventPhase, ProgressBar)>,
    tasks: BTreeMap<String, Task>,
    footer: Option<ProgressBar>,
}

struct Task {
    bar: ProgressBar,
    title: String,
}

impl Live {
    /// A view on what `target` gives. Without `tick` spinners move only when something happens.
    pub(super) fn new(target: Target, clock: Clock, columns: Columns, tick: Option<Duration>) -> Self {
        let (bars, tasks) = (MultiProgress::with_draw_target(target()), BTreeMap::new());
        Self { bars, target, clock, columns, tick, name_width: NAME_WIDTH, phase: None, tasks, footer: None }
    }

    /// What there is room for of a message on the line of a spinner with such a name, `indent` columns to the right.
    fn fitting(&self, message: &str, indent: usize, name_width: usize) -> String {
        // The spinner, the name, the time, and what is between.
        let before = indent + 2 + name_width + 1 + TIME_WIDTH + 2;
        let Some(room) = (self.columns)().and_then(|columns| columns.checked_sub(before)) else {
            return message.to_owned();
        };
        if message.chars().count() <= room {
            message.to_owned()
        } else {
            text::cut(message, room.saturating_sub(1)).into_owned()
        }
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
    }

    /// Show the view again, below what was written meanwhile.
    pub(super) fn unhide(&mut self) {
        self.bars.set_draw_target((self.target)());
        self.all_bars().for_each(ProgressBar::tick);
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
                self.print(&Paint::new().for_stderr().dim().apply_to(message));
            }
            _ => {
                self.clear();
                // A plan that was rejected, or a run for one phase, is no success to be ticked.
                let status =
                    if event.outcome == Some(Outcome::Rejected) { EventStatus::Cancelled } else { event.status };
                let words = outcome_words(event).map_or(message, str::to_owned);
                self.print(&finished(status, "baton", took, &words));
            }
        }
    }

    /// A line that stays above what runs, which goes on as it was.
    fn lasting(&self, event: &PhaseEvent) {
        let message = message_of(event);
        let line = match &event.task {
            // It names the task.
            Some(_) if message.starts_with("told ") => format!("  {message}"),
            Some(task) => format!("  {}: {message}", text::safe_line(task)),
            None => message,
        };
        self.print(&Paint::new().for_stderr().dim().apply_to(line));
    }

    fn phase(&mut self, event: &PhaseEvent, took: Duration) {
        let message = message_of(event);
        match event.status {
            EventStatus::Started | EventStatus::Progress => {
                if self.phase.as_ref().is_none_or(|(phase, _)| *phase != event.phase) {
                    self.end_phase();
                    let style = "{spinner:.cyan} {prefix:.bold} {took:.dim}  {wide_msg}";
                    let bar = self.spinner(style, self.name(event.phase), event.at, took);
                    self.phase = Some((event.phase, bar));
                }
                if let Some((_, bar)) = &self.phase {
                    bar.set_message(self.fitting(&message, 0, self.name_width));
                }
            }
            EventStatus::Waiting | EventStatus::Done | EventStatus::Failed | EventStatus::Cancelled => {
                self.end_phase();
                self.print(&finished(event.status, &self.name(event.phase), took, &message));
            }
        }
    }

    fn task(&mut self, id: &str, event: &PhaseEvent, took: Duration) {
        let message = message_of(event);
        let shown = text::safe_line(id);
        let width = shown.chars().count();
        match event.status {
            EventStatus::Started | EventStatus::Progress | EventStatus::Waiting => {
                let begins = event.status == EventStatus::Started;
                if !self.tasks.contains_key(id) {
                    let bar =
                        self.spinner("  {spinner:.cyan} {prefix:.bold} {took:.dim}  {wide_msg}", shown, event.at, took);
                    let title = if begins { message.clone() } else { String::new() };
                    self.tasks.insert(id.to_owned(), Task { bar, title });
                }
                if let Some(Task { bar, title }) = self.tasks.get(id) {
                    let message = if begins { message } else { titled(title, &message) };
                    bar.set_message(self.fitting(&message, 2, width));
                }
            }
            EventStatus::Done | EventStatus::Failed | EventStatus::Cancelled => {
                let mut message = message;
                if let Some(Task { bar, title }) = self.tasks.remove(id) {
                    self.remove(&bar);
                    message = titled(&title, &message);
                }
                self.print(&format!("  {}", finished(event.status, &shown, took, &message)));
            }
        }
    }

    fn end_phase(&mut self) {
        let ended = self.phase.take().map(|(_, bar)| bar);
        let tasks = std::mem::take(&mut self.tasks).into_values().map(|task| task.bar);
        for bar in ended.into_iter().chain(tasks) {
            self.remove(&bar);
        }
    }

    fn footer(&mut self, text: String) {
        let bar = self.footer.get_or_insert_with(|| {
            let bar = ProgressBar::no_length().with_style(style("  {msg:.dim}"));
            self.bars.add(bar)
        });
        bar.set_message(text);
    }

    /// A spinner for something that, at `at`, has been running for `took`.
    fn spinner(&self, template: &str, prefix: String, at: Timestamp, took: Duration) -> ProgressBar {
        let clock = self.clock.clone();
        let time = move |_: &ProgressState, out: &mut dyn Write| {
            // A column that cannot be written is left empty.
            let _ = write!(out, "{:>TIME_WIDTH$}", text::whole_seconds(took + time_between(at, clock())));
        };
        let bar = ProgressBar::no_length().with_style(style(template).with_key("took", time)).with_prefix(prefix);
        let bar = match &self.footer {
            Some(footer) => self.bars.insert_before(footer, bar),
            None => self.bars.add(bar),
        };
        if let Some(tick) = self.tick {
            bar.enable_steady_tick(tick);
        }
        bar
    }

    fn remove(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.bars.remove(bar);
    }

    pub(super) fn all_bars(&self) -> impl Iterator<Item = &ProgressBar> {
        let phase = self.phase.iter().map(|(_, bar)| bar);
        phase.chain(self.tasks.values().map(|task| &task.bar)).chain(&self.footer)
    }

    fn print(&self, line: &dyn std::fmt::Display) {
        // A terminal that is gone shows nothing anyway.
        let _ = self.bars.println(line.to_string());
    }
}

/// The line of a phase or task that ended, or waits.
fn finished(status: EventStatus, name: &str, took: Duration, message: &str) -> String {
    let (mark, paint) = match status {
        EventStatus::Done => ("✓", Paint::new().green()),
        EventStatus::Failed => ("✗", Paint::new().red()),
        EventStatus::Waiting => ("?", Paint::new().yellow()),
        _ => ("–", Paint::new().yellow()),
    };
    let mark = paint.for_stderr().apply_to(mark);
    let took = Paint::new().for_stderr().dim().apply_to(format!("{:>TIME_WIDTH$}", text::elapsed(took)));
    format!("{mark} {name} {took}  {message}").trim_end().to_owned()
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
