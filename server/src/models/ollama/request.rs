//! A turn's request as `/api/chat` wants it.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::super::message::{Block, Message, Role};
use super::super::turn::TurnRequest;

/// The request's body, for a context of so many tokens. `think` is left out where there is nothing to say of it.
pub(super) fn body(model: &str, request: &TurnRequest, context: u64, think: Option<Value>) -> String {
    let mut body = Map::new();
    body.insert("model".to_owned(), model.into());
    body.insert("messages".to_owned(), messages(request).into());
    if !request.tools.is_empty() {
        body.insert("tools".to_owned(), tools(request).into());
    }
    if let Some(think) = think {
        body.insert("think".to_owned(), think);
    }
    body.insert("stream".to_owned(), true.into());
    // Rather a refusal than an answer to a part of the prompt. Versions that do not know these pass over them.
    body.insert("truncate".to_owned(), false.into());
    body.insert("shift".to_owned(), false.into());
    let output = u64::from(request.max_tokens.max(1)).min(context);
    body.insert("options".to_owned(), json!({ "num_ctx": context, "num_predict": output }));
    Value::Object(body).to_string()
}

fn tools(request: &TurnRequest) -> Vec<Value> {
    let function = |tool: &super::super::message::ToolSpec| {
        let function = json!({ "name": tool.name, "description": tool.description, "parameters": tool.input_schema });
        json!({ "type": "function", "function": function })
    };
    request.tools.iter().map(function).collect()
}

/// One system message, for many templates have room for one alone; then the conversation.
fn messages(request: &TurnRequest) -> Vec<Value> {
    let system: Vec<&str> = request.system.iter().map(String::as_str).filter(|part| !part.trim().is_empty()).collect();
    let mut messages = Vec::new();
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system.join("\n\n") }));
    }
    let mut called = HashMap::new();
    for message in &request.messages {
        match message.role {
            Role::Assistant => messages.push(assistant(message, &mut called)),
            Role::User => messages.extend(message.content.iter().filter_map(|block| user(block, &called))),
        }
    }
    messages
}

/// What the model said. Its thinking goes back, verbatim, where it led to tool calls.
fn assistant(message: &Message, called: &mut HashMap<String, String>) -> Value {
    let joined = |field: &str| -> String {
        let blocks = message.content.iter().filter(|block| block.kind() == field);
        blocks.filter_map(|block| block.0[field].as_str()).collect()
    };
    let call = |(id, name, input): (&str, &str, &Value)| {
        called.insert(id.to_owned(), name.to_owned());
        // The API takes an object alone; what the model wrote instead is said to it in the call's result.
        let arguments = if input.is_object() { input.clone() } else { json!({}) };
        json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
    };
    let calls: Vec<Value> = message.content.iter().filter_map(Block::as_tool_use).map(call).collect();
    let mut said = json!({ "role": "assistant", "content": joined("text") });
    if !calls.is_empty() {
        let thinking = joined("thinking");
        if !thinking.is_empty() {
            said["thinking"] = thinking.into();
        }
        said["tool_calls"] = calls.into();
    }
    said
}

/// A text, or the result of a tool call under the tool's name.
fn user(block: &Block, called: &HashMap<String, String>) -> Option<Value> {
    match block.kind() {
        "text" => Some(json!({ "role": "user", "content": block.as_text()? })),
        "tool_result" => {
            let id = block.0["tool_use_id"].as_str().unwrap_or_default();
            let name = called.get(id).map(String::as_str).unwrap_or_default();
            let content = match &block.0["content"] {
                Value::String(text) => text.clone(),
                Value::Array(blocks) => blocks.iter().filter_map(|block| block["text"].as_str()).collect(),
                _ => String::new(),
            };
            Some(json!({ "role": "tool", "tool_name": name, "tool_call_id": id, "content": content }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::message::ToolSpec;
    use super::super::super::turn::Tier;
    use super::*;

    fn request(messages: Vec<Message>) -> TurnRequest {
        TurnRequest {
            run: "r".to_owned(),
            agent: "plan".to_owned(),
            tier: Tier::Powerful,
            system: ["prompt", " ", "handoffs"].map(str::to_owned).to_vec(),
            tools: vec![ToolSpec {
                name: "read_file".to_owned(),
                description: "Read it.".to_owned(),
                input_schema: json!({ "type": "object", "properties": { "path": { "type": "string" } } }),
                strict: true,
            }],
            messages,
            max_tokens: 1000,
        }
    }

    fn parsed(messages: Vec<Message>) -> Value {
        serde_json::from_str(&body("qwen3", &request(messages), 8192, None)).expect("a body is JSON")
    }

    #[test]
    fn each_request_says_how_large_the_context_is_and_that_nothing_may_be_cut() {
        let sent = parsed(vec![Message::user("go")]);
        let keys: Vec<_> = sent.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["model", "messages", "tools", "stream", "truncate", "shift", "options"]);
        assert_eq!(sent["options"], json!({ "num_ctx": 8192, "num_predict": 1000 }));
        assert_eq!((&sent["truncate"], &sent["shift"]), (&json!(false), &json!(false)));
        let body = body("qwen3", &request(Vec::new()), 512, Some(json!("low")));
        let sent: Value = serde_json::from_str(&body).expect("a body is JSON");
        assert_eq!((&sent["think"], &sent["options"]["num_predict"]), (&json!("low"), &json!(512)));
    }

    #[test]
    fn a_conversation_is_said_in_ollamas_roles() {
        let assistant = |content| Message { role: Role::Assistant, content };
        let thinking = || Block(json!({ "type": "thinking", "thinking": " hm\n" }));
        let sent = parsed(vec![
            Message::user("go"),
            assistant(vec![
                thinking(),
                Block::text("I look."),
                Block::tool_use("a", "read_file", json!({ "path": "x" })),
                Block::tool_use("b", "search", json!("{\"path\":")),
            ]),
            Message {
                role: Role::User,
                content: vec![
                    Block::tool_result("a", "text of x", false),
                    Block::tool_result("b", "no JSON", true),
                    Block::text("Go on."),
                ],
            },
            assistant(vec![thinking(), Block::text("done")]),
            Message::user("more"),
        ]);
        assert_eq!(
            sent["messages"],
            json!([
                { "role": "system", "content": "prompt\n\nhandoffs" },
                { "role": "user", "content": "go" },
                {
                    "role": "assistant", "content": "I look.", "thinking": " hm\n",
                    "tool_calls": [
                        { "id": "a", "type": "function", "function": { "name": "read_file", "arguments": { "path": "x" } } },
                        { "id": "b", "type": "function", "function": { "name": "search", "arguments": {} } },
                    ],
                },
                { "role": "tool", "tool_name": "read_file", "tool_call_id": "a", "content": "text of x" },
                { "role": "tool", "tool_name": "search", "tool_call_id": "b", "content": "no JSON" },
                { "role": "user", "content": "Go on." },
                { "role": "assistant", "content": "done" },
                { "role": "user", "content": "more" },
            ])
        );
        assert_eq!(sent["tools"][0]["function"]["parameters"]["type"], "object");
    }
}
