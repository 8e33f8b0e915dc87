use serde_json::{Value, json};

/// A chat request as one of the Messages API, by which scripts know it.
pub(super) fn messages_request(body: &Value) -> Value {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let tools: Vec<Value> = list(&body["tools"])
        .iter()
        .map(|tool| {
            let function = &tool["function"];
            json!({ "name": function["name"], "input_schema": function["parameters"] })
        })
        .collect();
    let mut system = Vec::new();
    let mut messages = Vec::new();
    for message in list(&body["messages"]) {
        match message["role"].as_str() {
            Some("system") => system.push(json!({ "type": "text", "text": message["content"] })),
            Some("assistant") => messages.push(json!({ "role": "assistant", "content": [] })),
            _ => messages.push(json!({ "role": "user", "content": [{ "type": "text", "text": message["content"] }] })),
        }
    }
    json!({ "model": body["model"], "system": system, "tools": tools, "messages": messages })
}
