//! A run as plain lines.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::time::Duration;

use super::super::workflow_commands::disarmed;
use super::event::{is_lasting, message_of, outcome_words};
use crate::text;
use crate::workflow::{EventPhase, EventStatus, PhaseEvent};

/// After this long without a line, any progress of a phase or a task gets one.
const QUIET: Duration = Duration::from_secs(15);

/// Plain lines: one for each start, end and wait, and for notable progress.
pub(super) struct Log {
    out: Box<dyn Write + Send>,
    /// The columns that lines are wrapped to now.
    columns: fn() -> Option<usize>,
    last: HashMap<(EventPhase, Option<String>), Duration>,
    /// What waits for the network: a wait gets one line, not one a second.
    waiting: HashSet<(EventPhase, Option<String>)>,
}

impl Log {
    pub(super) fn new(out: Box<dyn Write + Send>) -> Self {
        Self { out, columns: || None, last: HashMap::new(), waiting: HashSet::new() }
    }

    /// The same for a terminal of so many columns.
    pub(super) fn with_columns(self, columns: fn() -> Option<usize>) -> Self {
        Self { columns, ..self }
    }

    /// Show an event that came this long after the run began.
    pub(super) fn on(&mut self, event: &PhaseEvent, since: Duration) {
        let key = (event.phase, event.task.clone());
        let silent = self.last.get(&key).is_none_or(|last| since.saturating_sub(*last) >= QUIET);
        let begins_to_wait = match event.error {
            Some(_) => self.waiting.insert(key.clone()),
            None => {
                self.waiting.remove(&key);
                false
            }
        };
        if event.status == EventStatus::Progress && !silent && !begins_to_wait && !is_news(event) {
            return;
        }
        self.last.insert(key, since);
        // There is nowhere left to report that standard error cannot be written.
        let line = line(event, since);
        let line = (self.columns)().map_or_else(|| line.clone(), |columns| text::hanging("", "    ", &line, columns));
        let _ = writeln!(self.out, "{}", disarmed(&line)).and_then(|()| self.out.flush());
    }
}

fn line(event: &PhaseEvent, since: Duration) -> String {
    let mut line = format!("[{:>8}] {}", text::whole_seconds(since), event.phase.as_str());
    if let Some(task) = &event.task {
        line = format!("{line} {}", text::safe_line(task));
    }
    let outcome = event.outcome.map(outcome_words);
    if let Some(outcome) = outcome {
        line = format!("{line} {outcome}");
    } else if event.status != EventStatus::Progress {
        line = format!("{line} {}", event.status);
    }
    let message = message_of(event);
    if !message.is_empty() && outcome.is_none() {
        line = format!("{line}: {message}");
    }
    match &event.usage {
        Some(usage) if event.task.is_none() && event.status == EventStatus::Done && usage.total_tokens() > 0 => {
            format!("{line} ({})", usage.words())
        }
        _ => line,
    }
}

/// Whether progress always gets its line: it concerns the whole run, a check, or a file written.
fn is_news(event: &PhaseEvent) -> bool {
    let message = event.message.to_lowercase();
    event.phase == EventPhase::Workflow
        || is_lasting(event)
        || ["wrote", "refused", "check "].iter().any(|first| message.starts_with(first))
}
