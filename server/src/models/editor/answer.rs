//! Reads what an editor answers, which is untrusted and may be any JSON.

use std::collections::HashSet;

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use super::super::estimate::estimated_tokens;
use super::super::http::tool_input_of;
use super::super::message::{Block, StopReason};
use super::super::turn::{Turn, TurnRequest};
use crate::contracts::Usage;

/// An answer that cannot be used, and what it cost.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub(super) fault: String,
    pub(super) usage: Usage,
}

/// Levels of a tool's input, far more than any tool has: the input goes on into requests and journals, whose readers
/// bound the depth.
const MOST_NESTED: usize = 64;
/// More than any request has; what an editor says beyond it must not overflow a sum.
const MOST_TOKENS: f64 = 1e9;

/// Read one answer. `body` is the request as it was sent, `asked` the model it was sent to.
pub(super) fn read(answer: &Value, request: &TurnRequest, body: &Value, asked: &str) -> Result<Turn, Unreadable> {
    let usage = usage(answer, body);
    let unreadable = |fault: String| Unreadable { fault, usage };
    if !answer.is_object() {
        return Err(unreadable(format!("it is {}, not an object", kind_of(answer))));
    }
    let content = content(&answer["content"], request).map_err(unreadable)?;
    let calls_tools = content.iter().any(|block| block.kind() == "tool_use");
    let default_reason = if calls_tools { StopReason::ToolUse } else { StopReason::EndTurn };
    let stop_reason = match &answer["stop_reason"] {
        Value::String(reason) if !reason.is_empty() => {
            StopReason::deserialize(Value::String(reason.clone())).unwrap_or(default_reason)
        }
        _ => default_reason,
    };
    let model = answer["model"].as_str().map(str::trim).filter(|model| !model.is_empty()).unwrap_or(asked);
    Ok(Turn { content, stop_reason, model: model.to_owned(), usage })
}

fn content(content: &Value, request: &TurnRequest) -> Result<Vec<Block>, String> {
    let blocks = match content {
        // The Messages API, too, takes a text where blocks are meant.
        Value::String(text) => vec![json!({ "type": "text", "text": text })],
        Value::Array(blocks) => blocks.clone(),
        Value::Null => return Err("it has no content".to_owned()),
        other => return Err(format!("its content is {}, not a list of blocks", kind_of(other))),
    };
    let mut ids: HashSet<String> = ids(request);
    let mut read = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.into_iter().enumerate() {
        let Value::Object(block) = block else {
            return Err(format!("content[{index}] is {}, not a block", kind_of(&block)));
        };
        match block.get("type").and_then(Value::as_str) {
            Some("text") => match block.get("text") {
                // An empty text is none.
                Some(Value::String(text)) if text.trim().is_empty() => {}
                Some(Value::String(_)) => read.push(Block(Value::Object(block))),
                _ => return Err(format!("content[{index}] is a text block without text")),
            },
            Some("tool_use") => read.push(call(block, &mut ids).map_err(|fault| format!("content[{index}] {fault}"))?),
            Some("tool_result") => return Err(format!("content[{index}] is a tool's result, which no model gives")),
            // Of kinds that are not known here the editor knows what they are: they go back to it verbatim.
            Some(_) if depth(&Value::Object(block.clone())) <= MOST_NESTED => read.push(Block(Value::Object(block))),
            Some(kind) => return Err(format!("content[{index}] ({kind:.20}) is nested too deeply")),
            None => return Err(format!("content[{index}] has no type")),
        }
    }
    Ok(read)
}

/// A tool call with an id of its own.
fn call(mut block: Map<String, Value>, ids: &mut HashSet<String>) -> Result<Block, String> {
    if block.get("name").and_then(Value::as_str).is_none_or(|name| name.trim().is_empty()) {
        return Err("is a tool call without the tool's name".to_owned());
    }
    // What is no object, or too deep a one, stays the text that the model wrote: whoever carries out the call says so.
    let input = tool_input_of(block.get("input").unwrap_or(&Value::Null));
    block.insert("input".to_owned(), input);
    // Results are matched to calls by id, so that each needs one, and one of its own.
    let given = block.get("id").and_then(Value::as_str).filter(|id| !id.is_empty() && !ids.contains(*id));
    let id = given.map_or_else(|| unused(ids), str::to_owned);
    ids.insert(id.clone());
    block.insert("id".to_owned(), Value::String(id));
    Ok(Block(Value::Object(block)))
}

/// The ids of the conversation's calls.
fn ids(request: &TurnRequest) -> HashSet<String> {
    let blocks = request.messages.iter().flat_map(|message| &message.content);
    blocks.filter_map(Block::as_tool_use).map(|(id, ..)| id.to_owned()).collect()
}

fn unused(ids: &HashSet<String>) -> String {
    // Of one more number than there are ids, one is free.
    let free = (1..=ids.len() + 1).map(|n| format!("call_{n}")).find(|id| !ids.contains(id));
    free.unwrap_or_else(|| format!("call_{}", ids.len() + 2))
}

/// What a turn used: as the editor counted, or an estimate where it did not. Never a price: the editor's plan pays.
fn usage(answer: &Value, body: &Value) -> Usage {
    let usage = &answer["usage"];
    let count = |name: &str| {
        let number = usage.get(name).and_then(Value::as_f64).filter(|number| number.is_finite() && *number > 0.0)?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and what u64 holds")]
        let whole = number.min(MOST_TOKENS) as u64;
        Some(whole)
    };
    let (input, output) = (count("input_tokens"), count("output_tokens"));
    let (write, read) = (count("cache_creation_input_tokens"), count("cache_read_input_tokens"));
    let estimate = |value: &Value| estimated_tokens(value.to_string().len());
    let is_reported = input.or(write).or(read).is_some();
    Usage {
        input_tokens: if is_reported { input.unwrap_or_default() } else { estimate(body) },
        cache_write_tokens: write.unwrap_or_default(),
        cache_read_tokens: read.unwrap_or_default(),
        output_tokens: output.unwrap_or_else(|| estimate(&answer["content"])),
        cost_usd: None,
        estimated: !is_reported || output.is_none(),
        ..Usage::default()
    }
}

/// Levels of lists and objects in a value.
fn depth(value: &Value) -> usize {
    let mut deepest = 0;
    let mut open = vec![(value, 1)];
    while let Some((value, level)) = open.pop() {
        deepest = deepest.max(level);
        match value {
            Value::Array(items) => open.extend(items.iter().map(|item| (item, level + 1))),
            Value::Object(fields) => open.extend(fields.values().map(|field| (field, level + 1))),
            _ => {}
        }
    }
    deepest
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
