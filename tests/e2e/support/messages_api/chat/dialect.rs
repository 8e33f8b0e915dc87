//! How each server speaks.
//!
//! Source: OpenAI's API reference (Chat Completions, streaming); OpenRouter's "Streaming", "Reasoning tokens", "Usage
//! accounting" and "Errors"; vLLM's and llama.cpp's servers; LM Studio's "OpenAI compatibility"; DeepSeek's "Thinking mode"
//! and "Context caching"; Google's "OpenAI compatibility" and "Thought signatures"; Mistral's "Chat completion".

use serde_json::{Map, Value, json};

use super::super::script::{Piece, RecordedRequest, Reply};
use super::MODEL;

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    OpenAi,
    OpenRouter,
    Vllm,
    /// Before 0.10.
    OldVllm,
    LlamaCpp,
    LmStudio,
    DeepSeek,
    Google,
    Mistral,
}

use Dialect::{DeepSeek, Google, LlamaCpp, LmStudio, Mistral, OldVllm, OpenAi, OpenRouter, Vllm};

impl Dialect {
    pub const ALL: [Self; 9] = [OpenAi, OpenRouter, Vllm, OldVllm, LlamaCpp, LmStudio, DeepSeek, Google, Mistral];

    /// The path of its address.
    pub fn path(self) -> &'static str {
        match self {
            OpenRouter => "/api/v1",
            Google => "/v1beta/openai",
            DeepSeek => "/beta",
            _ => "/v1",
        }
    }

    /// The body of an error.
    pub fn error(self, code: u16, message: &str) -> Value {
        match self {
            OpenAi | DeepSeek => {
                json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": null } })
            }
            OpenRouter => json!({ "error": { "message": message, "code": code } }),
            Vllm => json!({ "error": { "message": message, "type": "BadRequestError", "param": null, "code": code } }),
            OldVllm => {
                json!({ "object": "error", "message": message, "type": "BadRequestError", "param": null, "code": code })
            }
            LlamaCpp => json!({ "error": { "code": code, "message": message, "type": "invalid_request_error" } }),
            LmStudio => json!({ "error": message }),
            Google => json!([{ "error": { "code": code, "message": message, "status": "INVALID_ARGUMENT" } }]),
            Mistral => json!({ "object": "error", "message": message, "type": "invalid_request_error", "param": null,
                "code": "1500" }),
        }
    }

    /// The refusal of a parameter that it does not take.
    pub(super) fn refuses(self, body: &Value) -> Option<Value> {
        let has = |field: &str| body.get(field).is_some();
        match self {
            OpenAi if has("max_tokens") => Some(json!({ "error": {
                "message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
                            'max_completion_tokens' instead.",
                "type": "invalid_request_error", "param": "max_tokens", "code": "unsupported_parameter" } })),
            OpenAi if has("tools") && body["reasoning_effort"] != "none" => Some(self.error(
                400,
                "Function tools with reasoning_effort are not supported for some-model in /v1/chat/completions. To use \
                 function tools, use /v1/responses or set reasoning_effort to 'none'.",
            )),
            Mistral if has("stream_options") => {
                let detail = json!([{ "type": "extra_forbidden", "loc": ["body", "stream_options"],
                    "msg": "Extra inputs are not permitted" }]);
                Some(json!({ "object": "error", "message": { "detail": detail }, "type": "invalid_request_error",
                    "param": null, "code": null }))
            }
            OldVllm if has("reasoning_effort") => {
                Some(self.error(400, "[{'type': 'extra_forbidden', 'loc': ('body', 'reasoning_effort')}]"))
            }
            _ => None,
        }
    }

    /// What was thought and has to come back on this message, and does not.
    pub(super) fn wants_back(self, message: &Value) -> Option<&'static str> {
        let calls = message["tool_calls"].as_array()?;
        let is_signed = || calls.iter().all(|call| call["extra_content"]["google"]["thought_signature"] == "signed");
        match self {
            DeepSeek if message["reasoning_content"] != "I think." => Some("reasoning_content"),
            OpenRouter if message["reasoning_details"][0]["signature"] != "signed" => Some("reasoning_details"),
            OpenRouter if message["reasoning_details"][0]["text"] != "I think." => Some("reasoning_details"),
            Google if !is_signed() => Some("thought_signature"),
            Mistral if message["content"][0]["thinking"][0]["text"] != "I think." => Some("thinking"),
            _ => None,
        }
    }

    /// What it answers of its models at this path.
    pub(super) fn about_models(self, path: &str) -> Option<Value> {
        let entry = match self {
            OpenAi => json!({ "id": MODEL, "object": "model", "owned_by": "openai" }),
            OpenRouter => {
                json!({ "id": MODEL, "context_length": 200_000, "top_provider": { "context_length": 100_000 } })
            }
            Vllm | OldVllm => json!({ "id": MODEL, "owned_by": "vllm", "max_model_len": 32_768 }),
            LlamaCpp => json!({ "id": "/models/x.gguf", "owned_by": "llamacpp", "meta": { "n_ctx_train": 32_768 } }),
            LmStudio => json!({ "id": MODEL, "owned_by": "organization_owner" }),
            DeepSeek => json!({ "id": MODEL, "owned_by": "deepseek" }),
            Google => json!({ "id": format!("models/{MODEL}"), "owned_by": "google" }),
            Mistral => json!({ "id": MODEL, "owned_by": "mistralai", "max_context_length": 131_072 }),
        };
        if path == format!("{}/models", self.path()) {
            let other = json!({ "id": "other", "owned_by": entry["owned_by"] });
            // llama.cpp has the one that it was started with.
            let listed = if self == LlamaCpp { vec![entry] } else { vec![entry, other] };
            return Some(json!({ "object": "list", "data": listed }));
        }
        match (self, path) {
            (LlamaCpp, "/props") => Some(json!({ "default_generation_settings": { "n_ctx": 16_384 } })),
            (LmStudio, "/api/v0/models") => Some(json!({ "data": [
                { "id": MODEL, "state": "loaded", "max_context_length": 32_768, "loaded_context_length": 16_384 },
            ] })),
            _ => None,
        }
    }

    /// A reply as this server streams it.
    pub(super) fn events(self, reply: &Reply, request: &RecordedRequest) -> Vec<String> {
        let mut events = Vec::new();
        if matches!(self, OpenRouter | DeepSeek) {
            events.push(": PROCESSING\n\n".to_owned());
        }
        let mut delta = |delta: Value| events.push(self.event(&chunk(delta, None)));
        delta(json!({ "role": "assistant", "content": if self == OpenAi { Value::Null } else { json!("") } }));
        for thought in self.thoughts() {
            delta(thought);
        }
        let mut at = 0;
        for piece in &reply.pieces {
            let (name, arguments) = match piece {
                Piece::Block(block) if block["type"] == "text" => {
                    let text = block["text"].as_str().unwrap_or_default();
                    pieces_of(text).into_iter().for_each(|text| delta(json!({ "content": text })));
                    continue;
                }
                Piece::Block(block) if block["type"] == "tool_use" => {
                    (block["name"].as_str().unwrap_or_default().to_owned(), block["input"].to_string())
                }
                Piece::RawCall { name, input } => (name.clone(), input.clone()),
                Piece::Block(_) => continue,
            };
            let id = format!("c{}{}{at:03}", request.conversation, request.turn % 10);
            let id = format!("{id:0<9}").chars().take(9).collect::<String>();
            for call in self.call(at, &id, &name, &arguments) {
                delta(json!({ "tool_calls": [call] }));
            }
            at += 1;
        }
        let says_stop = matches!(self, Google | OldVllm) || at == 0;
        let usual = if says_stop { "stop" } else { "tool_calls" };
        let reason = match reply.stop_reason.as_deref() {
            Some("max_tokens") => "length",
            Some("refusal") => "content_filter",
            _ => usual,
        };
        let mut last = chunk(json!({}), Some(reason));
        let usage = self.usage();
        match self {
            OpenAi | Vllm | DeepSeek | LlamaCpp => {
                events.push(self.event(&last));
                events.push(self.event(&json!({ "model": MODEL, "choices": [], "usage": usage })));
            }
            LmStudio => events.push(self.event(&last)),
            _ => {
                last["usage"] = usage;
                events.push(self.event(&last));
            }
        }
        if self != Google {
            events.push("data: [DONE]\n\n".to_owned());
        }
        events
    }

    fn event(self, data: &Value) -> String {
        match self {
            LmStudio => format!("data:{data}\n\n"),
            Google => format!("data: {data}\r\n\r\n"),
            _ => format!("data: {data}\n\n"),
        }
    }

    fn thoughts(self) -> Vec<Value> {
        let pieces = ["I ", "think."];
        let each = |of: fn(&str) -> Value| pieces.iter().map(|text| of(text)).collect::<Vec<_>>();
        match self {
            OpenRouter => {
                let mut thoughts = each(|text| {
                    json!({ "content": "", "reasoning": text,
                        "reasoning_details": [{ "type": "reasoning.text", "index": 0, "text": text }] })
                });
                thoughts.push(json!({ "reasoning_details": [
                    { "type": "reasoning.text", "index": 0, "signature": "signed" } ] }));
                thoughts
            }
            DeepSeek | OldVllm | LlamaCpp => each(|text| json!({ "content": null, "reasoning_content": text })),
            Vllm | LmStudio => each(|text| json!({ "reasoning": text })),
            Mistral => each(
                |text| json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": text }] }] }),
            ),
            OpenAi | Google => Vec::new(),
        }
    }

    /// A call as the entries of `tool_calls` in which it comes.
    fn call(self, at: usize, id: &str, name: &str, arguments: &str) -> Vec<Value> {
        let whole = |index: Value, arguments: Value| {
            let function = json!({ "name": name, "arguments": arguments });
            json!({ "index": index, "id": id, "type": "function", "function": function })
        };
        match self {
            Google => {
                let mut call = whole(json!(0), json!(arguments));
                call["extra_content"] = json!({ "google": { "thought_signature": "signed" } });
                vec![call]
            }
            Mistral => vec![whole(json!(at), json!(arguments))],
            // Object where it can be read, and no place.
            LmStudio => {
                let object = serde_json::from_str(arguments).unwrap_or_else(|_| json!(arguments));
                let mut call = whole(Value::Null, object);
                call.as_object_mut().map(|call: &mut Map<String, Value>| call.shift_remove("index"));
                vec![call]
            }
            _ => {
                let mut calls = vec![whole(json!(at), json!(""))];
                let name = if self == OldVllm { json!(name) } else { Value::Null };
                calls.extend(pieces_of(arguments).into_iter().map(|piece| {
                    json!({ "index": at, "id": if self == OldVllm { json!(id) } else { Value::Null },
                        "function": { "name": name, "arguments": piece } })
                }));
                calls
            }
        }
    }

    fn usage(self) -> Value {
        match self {
            OpenRouter => json!({ "prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050, "cost": 0.002,
                "prompt_tokens_details": { "cached_tokens": 600 } }),
            DeepSeek => json!({ "prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050,
                "prompt_cache_hit_tokens": 600, "prompt_cache_miss_tokens": 400 }),
            // What was thought stands in the total alone.
            Google => json!({ "prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1050 }),
            _ => json!({ "prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050,
                "prompt_tokens_details": { "cached_tokens": 600 } }),
        }
    }
}

fn chunk(delta: Value, finish: Option<&str>) -> Value {
    json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
        "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
}

/// Longer texts in longer pieces.
fn pieces_of(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(11.max(characters.len() / 24)).map(|piece| piece.iter().collect()).collect()
}
