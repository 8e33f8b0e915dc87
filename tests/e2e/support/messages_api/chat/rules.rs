//! What servers refuse, all of them or one.

use serde_json::Value;

use super::dialect::Dialect;

const KNOWN: [&str; 8] = [
    "model",
    "max_tokens",
    "max_completion_tokens",
    "reasoning_effort",
    "stream",
    "stream_options",
    "tools",
    "messages",
];

/// The first thing about a request that breaks a rule.
pub(super) fn broken(dialect: Dialect, body: &Value) -> Option<String> {
    let fields = body.as_object()?;
    if let Some(odd) = fields.keys().find(|field| !KNOWN.contains(&field.as_str())) {
        return Some(format!("Unrecognized request argument supplied: {odd}"));
    }
    let messages = body["messages"].as_array()?;
    let mut open: Vec<&str> = Vec::new();
    let mut before = "";
    for (at, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        match role {
            "system" if at > 0 => return Some("system must come first".to_owned()),
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                // In the order of the calls, each once.
                if open.is_empty() || open.remove(0) != id {
                    return Some(format!("messages.{at}: {id:?} answers no call"));
                }
            }
            "user" | "assistant" if !open.is_empty() => {
                return Some(format!("messages.{at}: calls without an answer: {open:?}"));
            }
            "user" if before == "tool" && dialect == Dialect::Mistral => {
                return Some("Unexpected role 'user' after role 'tool'".to_owned());
            }
            _ => {}
        }
        if message["content"].as_str().is_some_and(str::is_empty) && role == "user" {
            return Some(format!("messages.{at}: empty content"));
        }
        for call in message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let id = call["id"].as_str().unwrap_or_default();
            let arguments = call["function"]["arguments"].as_str().unwrap_or_default();
            if !serde_json::from_str::<Value>(arguments).is_ok_and(|value| value.is_object()) {
                return Some(format!("messages.{at}: arguments are no JSON object: {arguments:?}"));
            }
            let is_mistrals = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
            if dialect == Dialect::Mistral && !is_mistrals {
                return Some(format!("Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9."));
            }
            open.push(id);
        }
        if let Some(wanted) = dialect.wants_back(message) {
            return Some(format!("messages.{at}: {wanted} must be passed back"));
        }
        before = role;
    }
    let ends_well = matches!(before, "user" | "tool") && open.is_empty();
    (!ends_well).then(|| "the conversation must end with a user's or a tool's message".to_owned())
}
