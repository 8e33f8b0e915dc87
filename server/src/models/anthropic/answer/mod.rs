//! The answer, put together from the events of its stream.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::super::message::{Block, StopReason};
use super::super::prices;
use super::super::turn::Turn;
use super::prices::PRICES;
use crate::contracts::Usage;

/// An answer that is coming in.
#[derive(Debug)]
pub(super) struct Answer {
    /// The model that was asked, until the answer names itself.
    model: String,
    blocks: BTreeMap<u64, Growing>,
    stop_reason: Option<StopReason>,
    usage: Tokens,
    characters: usize,
    is_started: bool,
    news: u64,
    /// Bytes taken in of what is JSON and not text, which takes many times as many to hold.
    structured: usize,
}

/// What a piece of a block brought.
#[derive(Debug, Default, Clone, Copy)]
struct Grown {
    /// Characters of text and tool input.
    characters: usize,
    /// Whether it was anything at all.
    is_news: bool,
    /// Bytes of JSON.
    structured: usize,
}

/// One content block that is coming in.
#[derive(Debug, Default)]
struct Growing {
    block: Map<String, Value>,
    /// The pieces of a tool's input, joined.
    input: String,
}

/// Whether more is to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    More,
    Done,
}

/// An answer that broke off, and what it cost as far as the server reported.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) fault: Fault,
    pub(super) usage: Usage,
}

/// What is wrong with an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("the connection broke: {0}")]
    Connection(String),
    /// Bytes may have come, with nothing of the answer in them.
    #[error("nothing of it came for {}", humantime::format_duration(*.0))]
    Idle(Duration),
    #[error("the answer ended in the middle")]
    Cut,
    #[error("the answer has no end")]
    TooLong,
    #[error("the answer is no event stream: {0}")]
    NoEvents(String),
    #[error("the input of a tool call is no JSON object, or far too deep a one")]
    Input,
    /// The server's own `event: error`.
    #[error("{message} ({kind})")]
    Reported { kind: String, message: String },
}

/// Token counts as the server last reported them.
#[derive(Debug, Default, Clone, Copy)]
struct Tokens {
    input: Option<u64>,
    cache_write: Option<u64>,
    cache_read: Option<u64>,
    output: Option<u64>,
}

/// Levels of a tool's input, far more than any tool has. Readers of JSON bound its depth, and the input goes on into
/// requests and journals, where it stands deeper.
const MOST_NESTED: usize = 64;
/// Content blocks, far more than any answer has.
const MOST_BLOCKS: usize = 4096;
/// Bytes of tool inputs, block starts and the like in one answer, and of one event: far more than a model writes in a turn.
/// As values they take up to forty times as many.
const MOST_STRUCTURED: usize = 8 << 20;
/// More than any request has; what a server says beyond it is nonsense that must not overflow a sum.
const MOST_TOKENS: u64 = 1_000_000_000;

impl Answer {
    /// An answer of the model with this name.
    pub(super) fn of(asked: &str) -> Self {
        Self {
            model: asked.to_owned(),
            blocks: BTreeMap::new(),
            stop_reason: None,
            usage: Tokens::default(),
            characters: 0,
            is_started: false,
            news: 0,
            structured: 0,
        }
    }

    /// Apply one event. `name` is the event's own; its data may name it too. Unknown events are passed over: new
    /// kinds may come at any time.
    pub(super) fn take(&mut self, name: Option<&str>, data: &str) -> Result<Step, Fault> {
        const KNOWN: [&str; 7] = [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
            "error",
        ];
        if name.is_some_and(|name| !KNOWN.contains(&name) && name != "message") {
            return Ok(Step::More);
        }
        if data.trim().is_empty() {
            return Ok(Step::More);
        }
        if data.len() > MOST_STRUCTURED {
            return Err(Fault::TooLong);
        }
        let event: Value = serde_json::from_str(data).map_err(|error| Fault::NoEvents(error.to_string()))?;
        match event.get("type").and_then(Value::as_str).or(name).unwrap_or_default() {
            "message_start" => self.start(&event["message"]),
            "content_block_start" => {
                self.structured += data.len();
                self.start_block(&event);
            }
            "content_block_delta" => self.grow_block(&event, data.len()),
            "message_delta" => self.message_delta(&event),
            "message_stop" => return Ok(Step::Done),
            "error" => return Err(reported(&event)),
            _ => {}
        }
        if self.structured > MOST_STRUCTURED || self.blocks.len() > MOST_BLOCKS {
            return Err(Fault::TooLong);
        }
        Ok(Step::More)
    }

    /// A number that rises whenever an event brought something new of the answer. Pings, empty pieces and what was reported
    /// before are nothing new.
    pub(super) fn news(&self) -> u64 {
        self.news
    }

    /// Characters of text and tool input so far.
    pub(super) fn characters(&self) -> usize {
        self.characters
    }

    /// The whole answer.
    ///
    /// A tool call that was cut off (by `max_tokens` and the like) is left out: the stop reason says that something is
    /// missing. So is blank text, which the API would refuse in the next request. Where no usage was reported, none is
    /// priced.
    pub(super) fn finish(self) -> Result<Turn, Broken> {
        let cut = self.stop_reason.as_ref().is_some_and(|reason| !is_of_own_accord(reason));
        let last = self.blocks.keys().next_back();
        let mut content = Vec::new();
        for (index, growing) in &self.blocks {
            match growing.whole() {
                Some(_) if cut && Some(index) == last && growing.is_bare_call() => {}
                Some(block) if is_blank(&block) => {}
                Some(block) => content.push(Block(block)),
                None if cut => {}
                None => return Err(self.broken(Fault::Input)),
            }
        }
        let calls_tools = content.iter().any(|block| block.kind() == "tool_use");
        let default_reason = if calls_tools { StopReason::ToolUse } else { StopReason::EndTurn };
        let usage = self.usage.priced(&self.model);
        Ok(Turn { content, stop_reason: self.stop_reason.unwrap_or(default_reason), model: self.model, usage })
    }

    /// The error of an answer that broke off, with the cost reported so far.
    pub(super) fn broken(self, fault: Fault) -> Broken {
        let usage = if self.usage.is_reported() { self.usage.priced(&self.model) } else { Usage::default() };
        Broken { fault, usage }
    }

    fn start(&mut self, message: &Value) {
        self.news += u64::from(!std::mem::replace(&mut self.is_started, true));
        if let Some(model) = message.get("model").and_then(Value::as_str).filter(|model| !model.is_empty()) {
            self.model = model.to_owned();
        }
        self.usage.update(&message["usage"]);
    }

    fn start_block(&mut self, event: &Value) {
        let next = self.blocks.keys().next_back().map_or(0, |last| last.saturating_add(1));
        let index = event.get("index").and_then(Value::as_u64).unwrap_or(next);
        if let Some(block) = event.get("content_block").and_then(Value::as_object) {
            let before = self.blocks.insert(index, Growing { block: block.clone(), input: String::new() });
            self.news += u64::from(before.is_none());
        }
    }

    fn grow_block(&mut self, event: &Value, bytes: usize) {
        let index = event.get("index").and_then(Value::as_u64).or_else(|| self.blocks.keys().next_back().copied());
        let Some(growing) = index.and_then(|index| self.blocks.get_mut(&index)) else { return };
        if let Some(delta) = event.get("delta").and_then(Value::as_object) {
            let grown = growing.grow(delta, bytes);
            self.characters += grown.characters;
            self.news += u64::from(grown.is_news);
            self.structured += grown.structured;
        }
    }

    fn message_delta(&mut self, event: &Value) {
        if let Some(Ok(reason)) = event["delta"].get("stop_reason").map(StopReason::deserialize) {
            self.news += u64::from(self.stop_reason.is_none());
            self.stop_reason = Some(reason);
        }
        self.usage.update(&event["usage"]);
    }
}

impl Growing {
    /// Apply a delta from an event of so many bytes.
    fn grow(&mut self, delta: &Map<String, Value>, bytes: usize) -> Grown {
        let text = |field: &str| delta.get(field).and_then(Value::as_str).unwrap_or_default();
        match text("type") {
            "input_json_delta" => {
                let piece = text("partial_json");
                self.input.push_str(piece);
                Grown { characters: piece.chars().count(), is_news: !piece.is_empty(), structured: piece.len() }
            }
            "signature_delta" => {
                let before = self.block.insert("signature".to_owned(), text("signature").into());
                let is_first = before.is_none_or(|before| before.as_str().is_none_or(str::is_empty));
                Grown { is_news: is_first && !text("signature").is_empty(), ..Grown::default() }
            }
            "citations_delta" => {
                let citation = delta.get("citation");
                if let Some(citation) = citation {
                    join(&mut self.block, "citations", &json!([citation]));
                }
                Grown { is_news: citation.is_some(), structured: bytes, ..Grown::default() }
            }
            kind => {
                // Text, thinking and kinds to come bring a piece of the block's field of the same name.
                let mut grown = Grown::default();
                for (field, piece) in delta.iter().filter(|(field, _)| *field != "type") {
                    let added = join(&mut self.block, field, piece);
                    grown.is_news |= added;
                    if !piece.is_string() || !added {
                        grown.structured = bytes;
                    }
                }
                if kind == "text_delta" {
                    grown.characters = text("text").chars().count();
                }
                grown
            }
        }
    }

    /// A tool call of whose input nothing came.
    fn is_bare_call(&self) -> bool {
        self.block.get("type").is_some_and(|kind| kind == "tool_use") && self.input.trim().is_empty()
    }

    /// The block in full; `None` when its tool input is cut off or was never JSON.
    fn whole(&self) -> Option<Value> {
        let mut block = self.block.clone();
        let kind = block.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !self.input.trim().is_empty() {
            let input: Value = serde_json::from_str(&self.input).ok()?;
            let input = match &input {
                // Some models encode the input twice; sent back so, the API would refuse it.
                Value::String(text) => serde_json::from_str(text).unwrap_or(input),
                _ => input,
            };
            block.insert("input".to_owned(), input);
        }
        if kind == "tool_use" {
            let input = block.entry("input").or_insert_with(|| json!({}));
            if input.is_null() {
                *input = json!({});
            }
            if !input.is_object() || is_deeper(input, MOST_NESTED) {
                return None;
            }
            if block.get("id").and_then(Value::as_str).is_none_or(str::is_empty) {
                // Its result must name it, and no two of a conversation may be called the same.
                block.insert("id".to_owned(), format!("toolu_{:016x}", fastrand::u64(..)).into());
            }
        }
        Some(Value::Object(block))
    }
}

/// Appends text to text and list to list, and replaces anything else. Returns whether there is more than before.
fn join(block: &mut Map<String, Value>, field: &str, piece: &Value) -> bool {
    match (block.get_mut(field), piece) {
        (Some(Value::String(text)), Value::String(more)) => {
            text.push_str(more);
            !more.is_empty()
        }
        (Some(Value::Array(list)), Value::Array(more)) => {
            list.extend(more.iter().cloned());
            !more.is_empty()
        }
        _ => {
            let before = block.insert(field.to_owned(), piece.clone());
            let has_content = !matches!(piece, Value::Null) && piece.as_str() != Some("");
            has_content && before.is_none_or(|before| before.is_null())
        }
    }
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(inner) = levels.checked_sub(1) else { return value.is_array() || value.is_object() };
    match value {
        Value::Array(list) => list.iter().any(|value| is_deeper(value, inner)),
        Value::Object(object) => object.values().any(|value| is_deeper(value, inner)),
        _ => false,
    }
}

fn is_blank(block: &Value) -> bool {
    block["type"] == "text" && block["text"].as_str().unwrap_or_default().trim().is_empty()
}

fn reported(event: &Value) -> Fault {
    let field = |name: &str| event["error"].get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Fault::Reported { kind: field("type"), message: field("message") }
}

/// Whether the model stopped on its own.
fn is_of_own_accord(reason: &StopReason) -> bool {
    matches!(reason, StopReason::EndTurn | StopReason::ToolUse | StopReason::StopSequence | StopReason::Other(_))
}

impl Tokens {
    /// The last report counts.
    fn update(&mut self, counts: &Value) {
        let read = |name: &str, before: Option<u64>| {
            counts.get(name).and_then(Value::as_u64).map(|tokens| tokens.min(MOST_TOKENS)).or(before)
        };
        *self = Self {
            input: read("input_tokens", self.input),
            cache_write: read("cache_creation_input_tokens", self.cache_write),
            cache_read: read("cache_read_input_tokens", self.cache_read),
            output: read("output_tokens", self.output),
        };
    }

    fn is_reported(&self) -> bool {
        self.input.or(self.cache_write).or(self.cache_read).or(self.output).is_some()
    }

    fn priced(self, model: &str) -> Usage {
        let mut usage = Usage {
            input_tokens: self.input.unwrap_or(0),
            cache_write_tokens: self.cache_write.unwrap_or(0),
            cache_read_tokens: self.cache_read.unwrap_or(0),
            output_tokens: self.output.unwrap_or(0),
            cost_usd: None,
        };
        if self.is_reported() {
            usage.cost_usd = prices::cost(PRICES, model, &usage);
        }
        usage
    }
}

#[cfg(test)]
mod tests;
