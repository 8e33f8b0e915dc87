//! One conversation of an agent, turn by turn.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::blocks::{LogBlock, size_words};
use super::calls::{call_line, edit_diff};
use super::clock::Clock;
use super::events::About;
use super::handed_on::handed_on;
use super::opening::opening_blocks;
use super::results::{Answer, answer, answered_call};
use crate::agents::told_text;
use crate::contracts::Usage;
use crate::models::{Block, Message, RecordedTurn, Role, StopReason};
use crate::text;

/// Most characters of what a model says in one turn, and of its thoughts.
const MOST_SAID: usize = 20_000;
const MOST_THOUGHT: usize = 600;

/// One conversation, as far as it was read.
pub(super) struct Conversation {
    pub(super) begun: Timestamp,
    pub(super) about: About,
    pub(super) blocks: Vec<LogBlock>,
    pub(super) turns: usize,
    pub(super) usage: Usage,
    clock: Clock,
    /// The calls that no answer came to yet, by their ids.
    open: HashMap<String, OpenCall>,
}

/// A call whose answer is to come.
struct OpenCall {
    tool: String,
    /// The places of its line, and of the lines below it.
    step: usize,
    lines: usize,
}

/// The phase and the task that an agent's label names: `implement/T1`.
pub(super) fn about_agent(agent: &str) -> About {
    match agent.split_once('/') {
        Some((phase, task)) => (phase.to_owned(), Some(task.to_owned())),
        None => (agent.to_owned(), None),
    }
}

impl Conversation {
    /// A conversation whose first turn took so long and came then.
    pub(super) fn begin(clock: Clock, at: Timestamp, turn: &RecordedTurn) -> Self {
        let took = jiff::SignedDuration::from_millis(i64::try_from(turn.elapsed_ms).unwrap_or_default());
        let begun = at.checked_sub(took).unwrap_or(at);
        let about = about_agent(&turn.agent);
        Self { begun, about, blocks: Vec::new(), turns: 0, usage: Usage::default(), clock, open: HashMap::new() }
    }

    /// What it began with.
    pub(super) fn opening(&mut self, model: &str, system: Option<&[String]>, messages: &[Message]) {
        self.blocks.push(LogBlock::Note(format!("Asked: {model}")));
        if let Some(system) = system {
            let result = size_words(&system.concat());
            self.blocks.push(LogBlock::Step { call: "system prompt".to_owned(), result });
        }
        let answers = messages.iter().filter(|message| message.role == Role::Assistant).count();
        let last_answer = messages.iter().rposition(|message| message.role == Role::Assistant);
        let Some(last_answer) = last_answer else {
            for block in messages.iter().flat_map(|message| &message.content) {
                match block.as_text() {
                    Some(text) => self.blocks.extend(opening_blocks(text)),
                    None => self.of_user(block),
                }
            }
            return;
        };
        let earlier = text::count(answers, "answer");
        self.blocks
            .push(LogBlock::Note(format!("Goes on with a conversation of an earlier run, which has {earlier}.")));
        let (asked, added) = messages.split_at(last_answer + 1);
        for block in asked.last().iter().flat_map(|message| &message.content) {
            self.of_model(block);
        }
        self.answers(added);
    }

    /// What was added since the turn before: the answers to its calls, and what else the model was told.
    pub(super) fn answers(&mut self, messages: &[Message]) {
        for block in messages.iter().filter(|message| message.role == Role::User).flat_map(|message| &message.content) {
            self.of_user(block);
        }
    }

    /// One answer of the model.
    pub(super) fn turn(&mut self, at: Timestamp, turn: &RecordedTurn) {
        self.turns += 1;
        self.usage += turn.response.usage;
        let took = text::elapsed(Duration::from_millis(turn.elapsed_ms));
        let (number, used) = (self.turns, turn.response.usage.words());
        let heading = format!("Turn {number} · {} · took {took} · {used}", self.clock.since(at));
        self.blocks.push(LogBlock::Heading { level: 3, text: heading });
        for block in &turn.response.content {
            self.of_model(block);
        }
        if let Some(why) = stopped_by(&turn.response.stop_reason) {
            self.blocks.push(LogBlock::Note(why));
        }
    }

    /// A block of the model's.
    fn of_model(&mut self, block: &Block) {
        if let Some(text) = block.as_text() {
            if !text.trim().is_empty() {
                self.blocks.push(LogBlock::Said(text::cut(text.trim(), MOST_SAID).into_owned()));
            }
        } else if let Some((id, name, input)) = block.as_tool_use() {
            let step = self.blocks.len();
            self.blocks.push(LogBlock::Step { call: call_line(name, input), result: String::new() });
            let diff = edit_diff(name, input).unwrap_or_default();
            self.blocks.push(LogBlock::Lines { language: "diff", text: diff });
            let lines = self.blocks.len();
            self.blocks.push(LogBlock::Lines { language: "", text: String::new() });
            if name.starts_with("submit_") {
                self.blocks.extend(handed_on(input));
            }
            self.open.insert(id.to_owned(), OpenCall { tool: name.to_owned(), step, lines });
        } else if let Some(thought) = block.0["thinking"].as_str().filter(|thought| !thought.trim().is_empty()) {
            self.blocks.push(LogBlock::Note(format!("Thinks: {}", text::short_line(thought, MOST_THOUGHT))));
        }
    }

    /// A block of a message to the model.
    fn of_user(&mut self, block: &Block) {
        if let Some(told) = told_text(block) {
            self.blocks.push(LogBlock::Note(format!("You told it: {told}")));
        } else if let Some(text) = block.as_text() {
            self.blocks.push(LogBlock::Note(format!("Sent back: {}", text::short_line(text, MOST_THOUGHT))));
        } else if let Some(open) = answered_call(block).and_then(|id| self.open.remove(id)) {
            let Answer { line, lines } = answer(&open.tool, block);
            if let Some(LogBlock::Step { result, .. }) = self.blocks.get_mut(open.step) {
                *result = line;
            }
            if let Some(LogBlock::Lines { text, .. }) = self.blocks.get_mut(open.lines) {
                *text = lines;
            }
        }
    }
}

/// Why a model stopped, where that is not its own doing.
fn stopped_by(reason: &StopReason) -> Option<String> {
    Some(match reason {
        StopReason::EndTurn | StopReason::ToolUse | StopReason::StopSequence => return None,
        StopReason::MaxTokens => "The answer was cut at its greatest length.".to_owned(),
        StopReason::Refusal => "The model declined.".to_owned(),
        StopReason::PauseTurn => "The model paused; it is asked to go on.".to_owned(),
        StopReason::ModelContextWindowExceeded => "The context window is full.".to_owned(),
        StopReason::Other(other) => format!("The model stopped: {other}"),
    })
}
