//! The answer, put together from the events of its stream.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::super::catalog::Catalog;
use super::super::http::{
    Fault, Incoming, Length, Step, Tokens, join_surrogates_in, parse_json, tool_input, tool_input_of,
};
use super::super::message::{Block, StopReason};
use super::super::turn::Turn;
use crate::contracts::Usage;

/// An answer that is coming in.
#[derive(Debug)]
pub(super) struct Answer {
    /// The model that was asked, until the answer names itself.
    model: String,
    catalog: Arc<Catalog>,
    blocks: BTreeMap<u64, Growing>,
    stop_reason: Option<StopReason>,
    usage: Tokens,
    characters: usize,
    length: Length,
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
    /// Bytes of these and of what the model thought.
    written: usize,
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

/// Content blocks, far more than any answer has.
const MOST_BLOCKS: usize = 4096;
/// Bytes of tool inputs, block starts and the like in one answer, and of one event: far more than a model writes in a turn.
/// As values they take up to forty times as many.
const MOST_STRUCTURED: usize = 8 << 20;
impl Answer {
    /// An answer of the model with this name, priced by what is known of models.
    pub(super) fn of(asked: &str, catalog: Arc<Catalog>) -> Self {
        Self {
            model: asked.to_owned(),
            catalog,
            blocks: BTreeMap::new(),
            stop_reason: None,
            usage: Tokens::default(),
            characters: 0,
            length: Length::default(),
            is_started: false,
            news: 0,
            structured: 0,
        }
    }

    /// The whole answer.
    ///
    /// A tool call that was cut off (by `max_tokens` and the like) is left out: the stop reason says that something is
    /// missing. So is blank text, which the API would refuse in the next request.
    pub(super) fn finish(self) -> Turn {
        let cut = self.stop_reason.as_ref().is_some_and(|reason| !is_of_own_accord(reason));
        let last = self.blocks.keys().next_back();
        let mut content = Vec::new();
        for (index, growing) in &self.blocks {
            let block = growing.whole();
            let is_half = cut && Some(index) == last && (growing.is_bare_call() || block["input"].is_string());
            if !is_half && !is_blank(&block) {
                content.push(Block(block));
            }
        }
        let calls_tools = content.iter().any(|block| block.kind() == "tool_use");
        let default_reason = if calls_tools { StopReason::ToolUse } else { StopReason::EndTurn };
        let usage = self.priced(self.usage.usage(self.length));
        Turn { content, stop_reason: self.stop_reason.unwrap_or(default_reason), model: self.model, usage }
    }

    /// What it has cost.
    fn priced(&self, mut usage: Usage) -> Usage {
        if usage.total_tokens() > 0 {
            usage.cost_usd = self.catalog.cost(&format!("anthropic:{}", self.model), &usage);
        }
        usage
    }

    fn start(&mut self, message: &Value) {
        self.news += u64::from(!std::mem::replace(&mut self.is_started, true));
        if let Some(model) = message.get("model").and_then(Value::as_str).filter(|model| !model.is_empty()) {
            self.model = model.to_owned();
        }
        update(&mut self.usage, &message["usage"]);
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
            self.length.written += grown.written;
            self.news += u64::from(grown.is_news);
            self.structured += grown.structured;
        }
    }

    fn message_delta(&mut self, event: &Value) {
        if let Some(Ok(reason)) = event["delta"].get("stop_reason").map(StopReason::deserialize) {
            self.news += u64::from(self.stop_reason.is_none());
            self.stop_reason = Some(reason);
        }
        update(&mut self.usage, &event["usage"]);
    }
}

impl Incoming for Answer {
    fn sent(&mut self, bytes: usize) {
        self.length.sent = bytes;
    }

    /// The data of an event may name its kind too. Unknown events are passed over: new kinds may come at any time.
    fn take(&mut self, name: Option<&str>, data: &str) -> Result<Step, Fault> {
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
        let event = parse_json(data).map_err(|error| Fault::Form(format!("no event stream: {error}")))?;
        match event.get("type").and_then(Value::as_str).or(name).unwrap_or_default() {
            "message_start" => self.start(&event["message"]),
            "content_block_start" => {
                self.structured += data.len();
                self.start_block(&event);
            }
            "content_block_delta" => self.grow_block(&event, data.len()),
            "message_delta" => self.message_delta(&event),
            "message_stop" => return Ok(Step::Done),
            "error" => return Err(Fault::Reported(data.to_owned())),
            _ => {}
        }
        if self.structured > MOST_STRUCTURED || self.blocks.len() > MOST_BLOCKS {
            return Err(Fault::TooLong);
        }
        Ok(Step::More)
    }

    fn news(&self) -> u64 {
        self.news
    }

    fn characters(&self) -> usize {
        self.characters
    }

    fn usage(&self) -> Usage {
        if self.news == 0 && !self.usage.is_reported() {
            return Usage::default();
        }
        self.priced(self.usage.usage_so_far(self.length))
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
                Grown {
                    characters: piece.chars().count(),
                    written: piece.len(),
                    is_news: !piece.is_empty(),
                    structured: piece.len(),
                }
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
                    grown.written += piece.as_str().map_or(0, str::len);
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

    /// The block in full. The input of a tool call that is no object stays the text that the model wrote.
    fn whole(&self) -> Value {
        let mut block = self.block.clone();
        block.values_mut().for_each(join_surrogates_in);
        if block.get("type").is_some_and(|kind| kind == "tool_use") {
            let begun = block.get("input").unwrap_or(&Value::Null);
            let input = if self.input.trim().is_empty() { tool_input_of(begun) } else { tool_input(&self.input) };
            block.insert("input".to_owned(), input);
            if block.get("id").and_then(Value::as_str).is_none_or(str::is_empty) {
                // Its result must name it, and no two of a conversation may be called the same.
                block.insert("id".to_owned(), format!("toolu_{:016x}", fastrand::u64(..)).into());
            }
        } else if !self.input.trim().is_empty() {
            block.insert("input".to_owned(), tool_input(&self.input));
        }
        Value::Object(block)
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

fn is_blank(block: &Value) -> bool {
    block["type"] == "text" && block["text"].as_str().unwrap_or_default().trim().is_empty()
}

/// Whether the model stopped on its own.
fn is_of_own_accord(reason: &StopReason) -> bool {
    matches!(reason, StopReason::EndTurn | StopReason::ToolUse | StopReason::StopSequence | StopReason::Other(_))
}

/// The last report of each count holds.
fn update(tokens: &mut Tokens, counts: &Value) {
    let read = |name: &str, before: Option<u64>| Tokens::count(counts, name).or(before);
    *tokens = Tokens {
        input: read("input_tokens", tokens.input),
        cache_write: read("cache_creation_input_tokens", tokens.cache_write),
        cache_read: read("cache_read_input_tokens", tokens.cache_read),
        output: read("output_tokens", tokens.output),
    };
}

#[cfg(test)]
mod tests;
