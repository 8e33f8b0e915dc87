//! The answer, put together from the chunks of its stream.

mod calls;
mod usage;

use std::sync::Arc;

use serde_json::{Value, json};

use super::super::catalog::Catalog;
use super::super::http::{Fault, Incoming, Length, Step, join_surrogates, parse_json};
use super::super::message::{Block, StopReason};
use super::super::turn::Turn;
use super::reasoning;
use crate::contracts::Usage;
use calls::Calls;
use usage::Counted;

/// An answer that is coming in.
#[derive(Debug)]
pub(super) struct Answer {
    /// The model that was asked.
    asked: String,
    /// The one that answered, where it says so.
    model: String,
    catalog: Arc<Catalog>,
    text: String,
    /// What the model thought, by the place of its field in [`reasoning::FIELDS`].
    thought: [String; 3],
    details: Vec<Value>,
    /// What the parts of its content held that are no answer.
    thought_parts: String,
    extra: Option<Value>,
    refusal: String,
    calls: Calls,
    finish: Option<String>,
    counted: Counted,
    characters: usize,
    length: Length,
    news: u64,
    /// Bytes taken in of what is JSON and not text.
    structured: usize,
}

/// Tool calls, far more than any answer has.
const MOST_CALLS: usize = 4096;
/// Bytes of one chunk, and of tool calls and the like in one answer: far more than a model writes in a turn.
const MOST_STRUCTURED: usize = 8 << 20;

impl Answer {
    /// An answer of the model with this name.
    pub(super) fn of(asked: &str, catalog: Arc<Catalog>) -> Self {
        Self {
            asked: asked.to_owned(),
            model: String::new(),
            catalog,
            text: String::new(),
            thought: Default::default(),
            details: Vec::new(),
            thought_parts: String::new(),
            extra: None,
            refusal: String::new(),
            calls: Calls::default(),
            finish: None,
            counted: Counted::default(),
            characters: 0,
            length: Length::default(),
            news: 0,
            structured: 0,
        }
    }

    /// The whole answer. A tool call that was cut off is left out: the stop reason says that something is missing.
    pub(super) fn finish(self) -> Turn {
        let usage = self.priced(self.counted.tokens.usage(self.length));
        let reason = self.stop_reason();
        let mut content = self.thoughts();
        let is_refusal = reason == StopReason::Refusal && self.text.trim().is_empty();
        let text = join_surrogates(if is_refusal { self.refusal } else { self.text });
        if !text.trim().is_empty() {
            content.push(Block::text(text));
        }
        let is_cut =
            matches!(reason, StopReason::MaxTokens | StopReason::ModelContextWindowExceeded | StopReason::Refusal);
        let calls = self.calls.blocks(is_cut);
        let calls_tools = !calls.is_empty();
        content.extend(calls);
        // Whether it calls tools is seen better than said: many say `stop` with calls, and some `tool_calls` without.
        let stop_reason = match reason {
            StopReason::EndTurn | StopReason::ToolUse if calls_tools => StopReason::ToolUse,
            StopReason::ToolUse => StopReason::EndTurn,
            reason => reason,
        };
        let model = if self.model.is_empty() { self.asked } else { self.model };
        Turn { content, stop_reason, model, usage }
    }

    /// What the model thought, as it is sent back: of fields that say the same, the one that says the most.
    fn thoughts(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let field = |at: usize| {
            let value = if at == 0 { json!(self.details) } else { json!(join_surrogates(self.thought[at].clone())) };
            (!self.thought[at].is_empty() || (at == 0 && !self.details.is_empty())).then_some((at, value))
        };
        if let Some((at, value)) = (0..reasoning::FIELDS.len()).find_map(field) {
            blocks.push(reasoning::block(reasoning::FIELDS[at], value));
        }
        if !self.thought_parts.is_empty() {
            let text = json!({ "type": "text", "text": join_surrogates(self.thought_parts.clone()) });
            let parts = json!([{ "type": "thinking", "thinking": [text] }]);
            blocks.push(reasoning::block(reasoning::PARTS, parts));
        }
        if let Some(extra) = &self.extra {
            blocks.push(reasoning::block(reasoning::EXTRA, extra.clone()));
        }
        blocks
    }

    /// Why it stopped, as the server says it.
    fn stop_reason(&self) -> StopReason {
        if !self.refusal.trim().is_empty() && self.calls.is_empty() {
            return StopReason::Refusal;
        }
        match self.finish.as_deref() {
            None
            | Some("stop" | "eos" | "end_turn" | "stop_sequence" | "tool_calls" | "function_call" | "tool_use") => {
                StopReason::EndTurn
            }
            Some("length" | "max_tokens") => StopReason::MaxTokens,
            Some("model_length") => StopReason::ModelContextWindowExceeded,
            Some(filter) if filter.starts_with("content_filter") => StopReason::Refusal,
            Some(other) => StopReason::Other(other.to_owned()),
        }
    }

    /// What it has cost: what the server says, else by what is known of the model's price.
    fn priced(&self, mut usage: Usage) -> Usage {
        usage.cost_usd = self.counted.cost_usd;
        if usage.total_tokens() == 0 || usage.cost_usd.is_some() {
            return usage;
        }
        let names = [&self.asked, &self.model].map(|name| format!("openai:{name}"));
        usage.cost_usd = names.iter().find_map(|name| self.catalog.cost(name, &usage));
        usage
    }

    /// Take in one choice, of which there is only one.
    fn take_choice(&mut self, choice: &Value) -> Result<(), Fault> {
        if choice["error"].is_object() {
            return Err(Fault::Reported(json!({ "error": choice["error"] }).to_string()));
        }
        let delta = &choice["delta"];
        // Some send the whole message once more at the end, others only that.
        let has_nothing = self.text.is_empty() && self.calls.is_empty();
        if delta.is_object() {
            self.take_message(delta);
        } else if has_nothing {
            self.take_message(&choice["message"]);
        }
        if let Some(reason) = choice["finish_reason"].as_str().filter(|reason| !reason.is_empty()) {
            self.news += u64::from(self.finish.is_none());
            self.finish = Some(reason.to_owned());
        }
        Ok(())
    }

    fn take_message(&mut self, message: &Value) {
        match &message["content"] {
            Value::String(text) => self.add_text(text),
            Value::Array(parts) => parts.iter().for_each(|part| self.take_part(part)),
            _ => {}
        }
        for (at, field) in reasoning::FIELDS.iter().enumerate() {
            match &message[*field] {
                Value::String(text) => {
                    self.news += u64::from(!text.is_empty());
                    // Of fields that say the same, one counts.
                    let before = self.thought.iter().map(String::len).max().unwrap_or(0);
                    self.thought[at].push_str(text);
                    self.length.written += self.thought[at].len().saturating_sub(before);
                }
                Value::Array(list) => {
                    self.news += u64::from(!list.is_empty());
                    list.iter().for_each(|piece| reasoning::join_details(&mut self.details, piece));
                }
                _ => {}
            }
        }
        if let Some(extra) = message.get(reasoning::EXTRA).filter(|extra| extra.is_object()) {
            self.news += u64::from(self.extra.is_none());
            self.extra = Some(extra.clone());
        }
        if let Some(text) = message["refusal"].as_str() {
            self.news += u64::from(!text.is_empty());
            self.refusal.push_str(text);
        }
        let calls = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        // How a call was told before there were several.
        let call = Some(&message["function_call"]).filter(|call| call.is_object());
        for piece in calls.iter().chain(call) {
            let grown = self.calls.take(piece);
            self.length.written += grown.bytes;
            self.characters += grown.characters;
            self.news += u64::from(grown.is_news);
        }
    }

    fn add_text(&mut self, text: &str) {
        self.characters += text.chars().count();
        self.length.written += text.len();
        self.news += u64::from(!text.is_empty());
        self.text.push_str(text);
    }

    fn take_part(&mut self, part: &Value) {
        match &part["thinking"] {
            Value::Array(thoughts) => {
                for text in thoughts.iter().filter_map(|thought| thought["text"].as_str()) {
                    self.news += u64::from(!text.is_empty());
                    self.length.written += text.len();
                    self.thought_parts.push_str(text);
                }
            }
            _ => self.add_text(part["text"].as_str().unwrap_or_default()),
        }
    }

    fn take_event(&mut self, event: &Value) -> Result<(), Fault> {
        let is_error = event["error"].is_object() || event["error"].is_string() || event["object"] == "error";
        if is_error {
            self.counted.take(&event["usage"]);
            return Err(Fault::Reported(event.to_string()));
        }
        if let Some(model) = event["model"].as_str().filter(|model| !model.is_empty()) {
            self.model = model.to_owned();
        }
        self.counted.take(&event["usage"]);
        if let Some(choice) = event["choices"].as_array().and_then(|choices| choices.first()) {
            self.take_choice(choice)?;
        }
        if let Some("error" | "insufficient_system_resource") = self.finish.as_deref() {
            let reason = self.finish.take().unwrap_or_default();
            let message = format!("the answer broke off with finish_reason {reason}");
            return Err(Fault::Reported(json!({ "error": { "message": message } }).to_string()));
        }
        Ok(())
    }
}

impl Incoming for Answer {
    fn sent(&mut self, bytes: usize) {
        self.length.sent = bytes;
    }

    fn take(&mut self, name: Option<&str>, data: &str) -> Result<Step, Fault> {
        let data = data.trim();
        if data == "[DONE]" {
            // Something came, or it is no answer.
            return if self.news > 0 { Ok(Step::Done) } else { Err(Fault::Cut) };
        }
        if data.is_empty() {
            return Ok(Step::More);
        }
        if data.len() > MOST_STRUCTURED {
            return Err(Fault::TooLong);
        }
        let event = parse_json(data).map_err(|error| Fault::Form(format!("no event stream: {error}")))?;
        if name == Some("error") {
            return Err(Fault::Reported(data.to_owned()));
        }
        let before = self.text.len();
        self.take_event(&event)?;
        let is_text_alone = self.text.len() > before && event["choices"][0]["delta"]["tool_calls"].is_null();
        if !is_text_alone {
            // As values, calls and details take many times the bytes in which they came; bare chunks count little.
            self.structured += structured_bytes(&event);
        }
        if self.structured > MOST_STRUCTURED || self.calls.len() > MOST_CALLS {
            return Err(Fault::TooLong);
        }
        Ok(Step::More)
    }

    fn take_whole(&mut self, body: &str) -> Result<(), Fault> {
        let whole = parse_json(body).map_err(|error| Fault::Form(format!("no JSON: {error}")))?;
        if !whole["choices"].is_array() {
            return Err(Fault::Form("JSON without choices".to_owned()));
        }
        self.take_event(&whole)?;
        self.end()
    }

    /// Some servers just close the stream, once they have said why the model stopped.
    fn end(&mut self) -> Result<(), Fault> {
        if self.finish.is_some() { Ok(()) } else { Err(Fault::Cut) }
    }

    fn news(&self) -> u64 {
        self.news
    }

    fn characters(&self) -> usize {
        self.characters
    }

    fn usage(&self) -> Usage {
        if self.news == 0 && !self.counted.tokens.is_reported() {
            return Usage::default();
        }
        self.priced(self.counted.tokens.usage_so_far(self.length))
    }
}

/// Bytes of what a chunk holds beside text.
fn structured_bytes(event: &Value) -> usize {
    let delta = &event["choices"][0]["delta"];
    let fields = ["tool_calls", "function_call", reasoning::FIELDS[0], reasoning::EXTRA];
    let held = fields.iter().map(|field| &delta[*field]).filter(|value| !value.is_null());
    held.map(|value| value.to_string().len()).sum()
}

#[cfg(test)]
mod tests;
