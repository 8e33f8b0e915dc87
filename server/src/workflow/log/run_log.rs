//! The log of a run, put together: its conversations in the order in which they began, and its events between them.

use std::collections::HashMap;

use jiff::Timestamp;

use super::blocks::{LogBlock, log_markdown};
use super::clock::Clock;
use super::conversation::{Conversation, about_agent};
use super::events::{About, Events, event_step};
use super::which::which;
use crate::contracts::Usage;
use crate::memory::{RunId, Store, TranscriptLine, TranscriptRead};
use crate::text;
use crate::workflow::run::error::StartError;
use crate::workflow::run::events::PhaseEvent;

/// What happened in a run, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLog {
    /// The run's id.
    pub run: String,
    /// Its parts, from the title on.
    pub blocks: Vec<LogBlock>,
}

impl RunLog {
    /// The log as Markdown that is safe to show.
    pub fn markdown(&self) -> String {
        log_markdown(&self.blocks)
    }
}

/// The log of the run whose id begins with `run`; without one that of the run at work, else of the last one. It reads the
/// transcript a line at a time. Blocks.
///
/// # Errors
/// When there is no such run, several begin so, or its journals cannot be read.
pub fn run_log(store: &Store, run: Option<&str>) -> Result<RunLog, StartError> {
    let run = which(store, run)?;
    let events: Vec<PhaseEvent> = store.events(&run)?;
    let start = events.first().map(|event| event.at).or_else(|| run.started()).unwrap_or_default();
    let mut reading = Reading::new(Clock(start), &events);
    store.read_transcript(&run, &mut |read| reading.take(read))?;
    let is_at_work = store.holder().is_some_and(|holder| holder.run == run.as_str());
    let Reading { parts, left_out, .. } = reading.end();
    let mut blocks = head(&run, start, &parts, &events, is_at_work);
    blocks.extend(left_out.notes());
    blocks.extend(body(parts));
    blocks.extend(end(&events));
    Ok(RunLog { run: run.to_string(), blocks })
}

/// A part of a log with the moment by which it is ordered.
enum Part {
    Conversation(Box<Conversation>),
    /// An event that belongs to no conversation.
    Event(Timestamp, LogBlock),
}

impl Part {
    fn at(&self) -> Timestamp {
        match self {
            Self::Conversation(conversation) => conversation.begun,
            Self::Event(at, _) => *at,
        }
    }
}

/// Lines of the transcript that are not shown.
#[derive(Default)]
struct LeftOut {
    unverified: usize,
    unknown: usize,
    too_long: usize,
}

impl LeftOut {
    fn notes(&self) -> Vec<LogBlock> {
        let note = |count: usize, verb: (&str, &str), why: &str| {
            let verb = if count == 1 { verb.0 } else { verb.1 };
            let said = format!("{} of the transcript {verb} left out: {why}.", text::count(count, "line"));
            (count > 0).then_some(LogBlock::Note(said))
        };
        let is = ("is", "are");
        let all = [
            note(self.unverified, is, "not sealed by you for this folder, so it may say anything"),
            note(self.unknown, is, "of a kind that this version does not know"),
            note(self.too_long, is, "longer than any of ours"),
        ];
        all.into_iter().flatten().collect()
    }
}

/// A log while the transcript is read.
struct Reading<'a> {
    clock: Clock,
    events: Events<'a>,
    parts: Vec<Part>,
    /// The last conversation of each agent, and of what it is about, among the parts.
    last: HashMap<String, usize>,
    last_about: HashMap<About, usize>,
    left_out: LeftOut,
}

impl<'a> Reading<'a> {
    fn new(clock: Clock, events: &'a [PhaseEvent]) -> Self {
        let (last, last_about) = (HashMap::new(), HashMap::new());
        Self { clock, events: Events::of(events), parts: Vec::new(), last, last_about, left_out: LeftOut::default() }
    }

    fn take(&mut self, read: TranscriptRead) {
        match read {
            TranscriptRead::Line(line) => self.line(*line),
            TranscriptRead::Unverified => self.left_out.unverified += 1,
            TranscriptRead::Unknown => self.left_out.unknown += 1,
            TranscriptRead::TooLong => self.left_out.too_long += 1,
        }
    }

    fn line(&mut self, line: TranscriptLine) {
        match line {
            TranscriptLine::Turn { at, messages, begins, system, turn, .. } => {
                let known = self.last.get(&turn.agent).copied().filter(|_| !begins);
                if let Some(conversation) = known.and_then(|place| self.conversation(place)) {
                    conversation.answers(&messages);
                    let about = conversation.about.clone();
                    self.events_until(&about, at, known);
                } else {
                    let mut conversation = Conversation::begin(self.clock, at, &turn);
                    let (about, begun) = (conversation.about.clone(), conversation.begun);
                    let before = self.last_about.get(&about).copied();
                    self.events_until(&about, begun, before);
                    conversation.opening(&turn.model, system.as_deref(), &messages);
                    let place = self.parts.len();
                    self.parts.push(Part::Conversation(Box::new(conversation)));
                    self.last.insert(turn.agent.clone(), place);
                    self.last_about.insert(about.clone(), place);
                    self.events_until(&about, at, Some(place));
                }
                let place = self.last.get(&turn.agent).copied();
                if let Some(conversation) = place.and_then(|place| self.conversation(place)) {
                    conversation.turn(at, &turn);
                }
            }
            TranscriptLine::Lost { at, lost, usage, .. } => {
                let words =
                    format!("{} · a request failed after all tries, and used {}", self.clock.since(at), usage.words());
                let step = LogBlock::Event(words);
                let place = self.last_about.get(&about_agent(&lost)).copied();
                self.put(place, at, step);
            }
            TranscriptLine::Closed { .. } => {}
        }
    }

    fn conversation(&mut self, place: usize) -> Option<&mut Conversation> {
        match self.parts.get_mut(place) {
            Some(Part::Conversation(conversation)) => Some(conversation),
            _ => None,
        }
    }

    /// Put the events about this that came until then into the conversation at this place, else beside all.
    fn events_until(&mut self, about: &About, at: Timestamp, place: Option<usize>) {
        for event in self.events.until(about, at) {
            let step = event_step(event, self.clock, place.is_none());
            self.put(place, event.at, step);
        }
    }

    fn put(&mut self, place: Option<usize>, at: Timestamp, step: LogBlock) {
        match place.and_then(|place| self.conversation(place)) {
            Some(conversation) => conversation.blocks.push(step),
            None => self.parts.push(Part::Event(at, step)),
        }
    }

    /// What is left of the events.
    fn end(mut self) -> Self {
        let events = std::mem::replace(&mut self.events, Events::of(&[]));
        for (about, event) in events.rest() {
            // A phase goes on after a conversation of its own; its tasks have theirs.
            let place = self.last_about.get(&about).copied();
            let step = event_step(event, self.clock, place.is_none());
            self.put(place, event.at, step);
        }
        self.parts.sort_by_key(Part::at);
        self
    }
}

fn head(run: &RunId, start: Timestamp, parts: &[Part], events: &[PhaseEvent], is_at_work: bool) -> Vec<LogBlock> {
    let conversations = || {
        parts.iter().filter_map(|part| match part {
            Part::Conversation(conversation) => Some(conversation),
            Part::Event(..) => None,
        })
    };
    let usage: Usage = conversations().map(|conversation| conversation.usage).sum();
    let turns = conversations().map(|conversation| conversation.turns).sum();
    let has_ended = events.iter().any(|event| event.outcome.is_some());
    let state = match (is_at_work, has_ended) {
        (true, _) => "It is at work: this is what there is so far.",
        (false, true) => "",
        (false, false) => "It came to no end.",
    };
    let used = match turns {
        0 => "No model was asked.".to_owned(),
        turns => format!(
            "{} in {}, {}.",
            text::count(turns, "turn"),
            text::count(conversations().count(), "conversation"),
            usage.words()
        ),
    };
    let note = format!("Began {} UTC; times count from there. {used} {state}", start.strftime("%Y-%m-%d %H:%M:%S"));
    vec![LogBlock::Heading { level: 1, text: format!("Run {run}") }, LogBlock::Note(note.trim_end().to_owned())]
}

fn body(parts: Vec<Part>) -> Vec<LogBlock> {
    let mut blocks = Vec::new();
    let mut times: HashMap<About, usize> = HashMap::new();
    for part in parts {
        match part {
            Part::Event(_, step) => blocks.push(step),
            Part::Conversation(conversation) => {
                let nth = times.entry(conversation.about.clone()).or_default();
                *nth += 1;
                let (phase, task) = &conversation.about;
                let task = task.as_ref().map(|task| format!(" {task}")).unwrap_or_default();
                let again = if *nth > 1 { format!(", conversation {nth}") } else { String::new() };
                blocks.push(LogBlock::Heading { level: 2, text: format!("{phase}{task}{again}") });
                blocks.extend(conversation.blocks);
            }
        }
    }
    blocks
}

/// How the run ended.
fn end(events: &[PhaseEvent]) -> Vec<LogBlock> {
    let last = events.iter().rev().find_map(|event| Some((event, event.outcome?)));
    let Some((event, outcome)) = last else { return Vec::new() };
    let title = LogBlock::Heading { level: 2, text: format!("End: {}", outcome.to_string().replace('_', " ")) };
    let error = event.error.as_ref().filter(|error| !event.message.contains(&error.message));
    let error = error.map(|error| LogBlock::Note(error.message.clone()));
    let said = LogBlock::Note(event.message.clone());
    [Some(title), Some(said), error].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contracts::RepoPath;
    use crate::memory::{RunDir, Seal};
    use crate::models::{Block, Message, RecordedTurn, Role, StopReason, Tier, Turn, TurnRequest};
    use crate::workflow::fixture::phases;
    use crate::workspace::Workspace;

    /// The log of a conversation of so many turns, each of which reads a file of so many bytes.
    fn log_of(turns: usize, bytes: usize) -> String {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::open(folder.path()).unwrap();
        let seal = Seal::ephemeral(workspace.root()).unwrap();
        let memory = RepoPath::parse(".agent_memory").unwrap();
        let store = Store::open(&workspace, &memory, seal, phases().handoffs()).unwrap();
        let (_lock, id) = store.lock(Timestamp::now()).unwrap();
        let RunDir { transcript, .. } = store.begin_run(&id).unwrap();
        let mut request = TurnRequest {
            run: id.to_string(),
            agent: "plan".to_owned(),
            tier: Tier::Powerful,
            system: vec!["Plan.".to_owned()],
            tools: Vec::new(),
            messages: vec![Message::user("<task>\nDo it\n</task>\n")],
            max_tokens: 1,
        };
        for n in 0..turns {
            let call = Block::tool_use(&format!("c{n}"), "read_file", json!({ "path": format!("src/{n}.rs") }));
            let response = Turn {
                content: vec![call],
                stop_reason: StopReason::ToolUse,
                model: "m".to_owned(),
                usage: Usage::default(),
            };
            let (agent, model) = ("plan".to_owned(), "anthropic:m".to_owned());
            let turn = RecordedTurn {
                agent,
                model,
                request_sha256: String::new(),
                response,
                elapsed_ms: 5,
                cut_by_budget: false,
            };
            let added = request.messages.split_off(0);
            let first = usize::from(n > 0);
            // What begins a conversation is the whole of it: any other request has more than what was added.
            request.messages = vec![Message::user(""); first + added.len()];
            let line = transcript.turn(Timestamp::now(), &request, &added, Vec::new(), turn).unwrap();
            transcript.record(&line).unwrap();
            let text = "a line of a file\n".repeat(bytes / 17);
            let content = vec![Block::tool_result(&format!("c{n}"), text, false)];
            request.messages = vec![Message { role: Role::User, content }];
        }
        run_log(&store, None).unwrap().markdown()
    }

    #[test]
    fn a_log_holds_what_is_shown_of_a_transcript_and_not_what_was_read() {
        let log = log_of(40, 100_000);
        assert!(log.len() < 8_000, "{}", log.len());
        assert!(log.contains("- `read_file src/38.rs`: 5882 lines, 100.0 KB\n\n### Turn 40 · "), "{log}");
        assert_eq!(log.matches("\n## plan").count(), 1);
    }
}
