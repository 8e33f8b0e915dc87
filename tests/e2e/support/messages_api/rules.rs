//! What the real Messages API refuses with a 400.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value};

use super::script::messages;

/// A prefilled answer; only a turn that the model paused is continued so.
pub(super) const NOT_ENDED: &str = "the conversation must end with a user message";
const TOP_LEVEL: [&str; 14] = [
    "model",
    "max_tokens",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "stream",
    "stop_sequences",
    "metadata",
    "thinking",
    "output_config",
    "service_tier",
    "context_management",
    "cache_control",
];
const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];
const BOUNDS: [&str; 11] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];
const FORMATS: [&str; 9] = ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "uuid"];
const MOST_MARKS: usize = 4;

/// Everything about the request that breaks a rule.
pub(super) fn broken(headers: &BTreeMap<String, String>, body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if headers.get("anthropic-version").map(String::as_str) != Some("2026-10-21") {
        faults.push("anthropic-version: header is required".to_owned());
    }
    if headers.get("content-type").map(String::as_str) != Some("application/json") {
        faults.push("content-type must be application/json".to_owned());
    }
    let Some(top) = body.as_object() else {
        faults.push("the request body is not valid JSON".to_owned());
        return faults;
    };
    top_level(top, &mut faults);
    tools(body, &mut faults);
    system(&body["system"], &mut faults);
    conversation(messages(body), &mut faults);
    let marks = marks(body);
    if marks > MOST_MARKS {
        faults.push(format!("a maximum of {MOST_MARKS} blocks with cache_control may be provided, found {marks}"));
    }
    faults
}

/// How thinking is signed, so that the server can tell when it comes back changed.
pub(super) fn signature(thinking: &str) -> String {
    let mut hasher = DefaultHasher::new();
    thinking.hash(&mut hasher);
    format!("sig_{:016x}", hasher.finish())
}

fn top_level(top: &Map<String, Value>, faults: &mut Vec<String>) {
    for name in top.keys() {
        if SAMPLING.contains(&name.as_str()) {
            faults.push(format!("{name} is not supported on this model"));
        } else if !TOP_LEVEL.contains(&name.as_str()) {
            faults.push(format!("{name}: extra inputs are not permitted"));
        }
    }
    let is_missing = |name: &str| top.get(name).is_none_or(Value::is_null);
    for name in ["model", "max_tokens", "messages"] {
        if is_missing(name) {
            faults.push(format!("{name}: field required"));
        }
    }
    if !is_missing("max_tokens") && top["max_tokens"].as_u64().is_none_or(|tokens| tokens == 0) {
        faults.push("max_tokens: must be a whole number above 0".to_owned());
    }
    if top.get("stream") != Some(&Value::Bool(true)) {
        faults.push("stream: must be true for long answers".to_owned());
    }
}

fn tools(body: &Value, faults: &mut Vec<String>) {
    let tools = body["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    let model = body["model"].as_str().unwrap_or_default();
    if let Some(choice) = body.get("tool_choice") {
        let forced = matches!(choice["type"].as_str(), Some("any" | "tool"));
        if forced && (model.contains("opus") || model.contains("sonnet")) {
            faults.push(format!("tool_choice: forced tool use is not supported on {model}"));
        }
        if tools.is_empty() {
            faults.push("tool_choice may only be specified while providing tools".to_owned());
        }
    }
    let mut names = BTreeSet::new();
    for (n, tool) in tools.iter().enumerate() {
        let name = tool["name"].as_str().unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > 128 || !name.chars().all(is_plain) {
            faults.push(format!("tools.{n}.name: {name:?} is no tool name"));
        }
        if !names.insert(name) {
            faults.push(format!("tools: names must be unique, {name} is not"));
        }
        only(
            tool,
            &["name", "description", "input_schema", "strict", "cache_control", "type"],
            &format!("tools.{n}"),
            faults,
        );
        if tool["input_schema"]["type"] != "object" {
            faults.push(format!("tools.{n}.input_schema.type: must be object"));
        }
        if ["oneOf", "allOf", "anyOf"].iter().any(|union| tool["input_schema"].get(union).is_some()) {
            faults.push(format!("tools.{n}.input_schema: oneOf, allOf and anyOf are not supported at the top level"));
        }
        if tool["strict"] == true {
            let mut schema = StrictSchema { root: &tool["input_schema"], open: Vec::new(), faults };
            schema.check(&tool["input_schema"], &format!("tools.{n}.input_schema"));
        }
    }
}

/// The walk over a strict tool's schema.
struct StrictSchema<'a> {
    root: &'a Value,
    /// References being followed.
    open: Vec<String>,
    faults: &'a mut Vec<String>,
}

impl StrictSchema<'_> {
    fn check(&mut self, schema: &Value, place: &str) {
        let Some(keywords) = schema.as_object() else { return };
        let is_object = schema["type"] == "object"
            || schema["type"].as_array().is_some_and(|types| types.iter().any(|kind| kind == "object"))
            || keywords.contains_key("properties");
        if is_object && schema["additionalProperties"] != false {
            self.faults
                .push(format!("{place}: for 'object' type, 'additionalProperties' must be explicitly set to false"));
        }
        for (keyword, value) in keywords {
            let place = format!("{place}.{keyword}");
            match keyword.as_str() {
                "minItems" if value.as_u64().is_some_and(|least| least < 2) => {}
                "format" if value.as_str().is_some_and(|format| FORMATS.contains(&format)) => {}
                "minItems" | "format" => self.faults.push(format!("{place}: {value} is not supported")),
                bound if BOUNDS.contains(&bound) => self.faults.push(format!("{place}: property is not supported")),
                "$ref" => self.follow(value.as_str().unwrap_or_default(), &place),
                "properties" => {
                    for (name, property) in value.as_object().into_iter().flatten() {
                        self.check(property, &format!("{place}.{name}"));
                    }
                }
                "items" => self.check(value, &place),
                "anyOf" | "allOf" | "oneOf" => {
                    for (n, branch) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(branch, &format!("{place}.{n}"));
                    }
                }
                _ => {}
            }
        }
    }

    fn follow(&mut self, target: &str, place: &str) {
        if self.open.iter().any(|open| open == target) || target == "#" {
            self.faults.push(format!("{place}: recursive schemas are not supported"));
            return;
        }
        let root = self.root;
        match target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)) {
            Some(schema) => {
                self.open.push(target.to_owned());
                self.check(schema, place);
                self.open.pop();
            }
            None => self.faults.push(format!("{place}: {target} leads nowhere")),
        }
    }
}

fn system(system: &Value, faults: &mut Vec<String>) {
    match system {
        Value::Null => {}
        Value::String(text) if !text.is_empty() => {}
        Value::Array(blocks) => {
            for (n, block) in blocks.iter().enumerate() {
                text_block(block, &format!("system.{n}"), faults);
            }
        }
        _ => faults.push("system: must be text blocks".to_owned()),
    }
}

fn conversation(messages: &[Value], faults: &mut Vec<String>) {
    let mut ids = BTreeSet::new();
    for (n, message) in messages.iter().enumerate() {
        let place = format!("messages.{n}");
        let wanted = if n % 2 == 0 { "user" } else { "assistant" };
        if message["role"] != wanted {
            faults.push(format!("{place}: roles must alternate, starting with \"user\""));
        }
        only(message, &["role", "content"], &place, faults);
        let before = n.checked_sub(1).map(|before| blocks(&messages[before])).unwrap_or_default();
        answers(before, blocks(message), &place, faults);
        if blocks(message).is_empty() && message["content"].as_str().is_none_or(str::is_empty) {
            faults.push(format!("{place}: messages must have non-empty content"));
        }
        for (b, block) in blocks(message).iter().enumerate() {
            let place = format!("{place}.content.{b}");
            content_block(block, message["role"] == "user", &place, faults);
            if let (Some("tool_use"), Some(id)) = (block["type"].as_str(), block["id"].as_str())
                && !ids.insert(id)
            {
                faults.push(format!("{place}: tool_use ids must be unique"));
            }
        }
    }
    if messages.last().is_some_and(|message| message["role"] != "user") {
        faults.push(NOT_ENDED.to_owned());
    }
}

/// Every tool call is answered in the very next message, by results that stand first, and nothing else is.
fn answers(before: &[Value], blocks: &[Value], place: &str, faults: &mut Vec<String>) {
    let ids = |blocks: &[Value], kind: &str, field: &str| -> BTreeSet<String> {
        let of_kind = blocks.iter().filter(|block| block["type"] == kind);
        of_kind.filter_map(|block| block[field].as_str().map(str::to_owned)).collect()
    };
    let called = ids(before, "tool_use", "id");
    let answered = ids(blocks, "tool_result", "tool_use_id");
    for id in called.difference(&answered) {
        faults.push(format!("{place}: tool_use ids were found without tool_result blocks immediately after: {id}"));
    }
    for id in answered.difference(&called) {
        faults.push(format!("{place}: unexpected tool_use_id found in tool_result blocks: {id}"));
    }
    let results = blocks.iter().filter(|block| block["type"] == "tool_result").count();
    if results > answered.len() {
        faults.push(format!("{place}: each tool_use must have a single result"));
    }
    if blocks.iter().take(results).any(|block| block["type"] != "tool_result") {
        faults.push(format!("{place}: tool_result blocks must come first"));
    }
}

fn content_block(block: &Value, is_user: bool, place: &str, faults: &mut Vec<String>) {
    match block["type"].as_str().unwrap_or_default() {
        "text" => text_block(block, place, faults),
        "tool_use" if !is_user => {
            only(block, &["type", "id", "name", "input", "cache_control", "caller"], place, faults);
            if !block["input"].is_object() {
                faults.push(format!("{place}.input: must be an object"));
            }
        }
        "tool_result" if is_user => {
            only(block, &["type", "tool_use_id", "content", "is_error", "cache_control"], place, faults);
            if let Some(content) = block["content"].as_array() {
                content.iter().for_each(|block| text_block(block, place, faults));
            }
        }
        "thinking" | "redacted_thinking" if !is_user => {
            if block.get("cache_control").is_some() {
                faults.push(format!("{place}: thinking blocks cannot have cache_control"));
            }
            let signed = block["signature"].as_str().filter(|signature| signature.starts_with("sig_"));
            if signed.is_some_and(|signed| signed != signature(block["thinking"].as_str().unwrap_or_default())) {
                faults.push(format!("{place}: thinking blocks cannot be modified"));
            }
        }
        "image" | "document" if is_user => {}
        kind if is_user || ["tool_result", ""].contains(&kind) => {
            faults.push(format!("{place}: a block of type {kind:?} cannot stand here"));
        }
        // A block of the model itself, of a kind this server does not know.
        _ => {}
    }
}

fn text_block(block: &Value, place: &str, faults: &mut Vec<String>) {
    only(block, &["type", "text", "cache_control", "citations"], place, faults);
    if block["type"] != "text" || block["text"].as_str().unwrap_or_default().trim().is_empty() {
        faults.push(format!("{place}: text content blocks must be non-empty"));
    }
}

fn only(object: &Value, known: &[&str], place: &str, faults: &mut Vec<String>) {
    for name in object.as_object().into_iter().flat_map(Map::keys) {
        if !known.contains(&name.as_str()) {
            faults.push(format!("{place}.{name}: extra inputs are not permitted"));
        }
    }
}

fn blocks(message: &Value) -> &[Value] {
    message["content"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn marks(body: &Value) -> usize {
    let list = |value: &Value| value.as_array().map_or(0, |blocks| marked(blocks));
    list(&body["tools"])
        + list(&body["system"])
        + messages(body).iter().map(|message| marked(blocks(message))).sum::<usize>()
}

fn marked(blocks: &[Value]) -> usize {
    let within = |block: &Value| block["content"].as_array().map_or(0, |blocks| marked(blocks));
    blocks.iter().map(|block| usize::from(block.get("cache_control").is_some()) + within(block)).sum()
}
