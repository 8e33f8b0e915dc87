//! A turn's request as the Messages API wants it.

use serde_json::{Map, Value, json};

use super::super::message::{Block, Message, Role};
use super::super::turn::TurnRequest;
use super::described::Thinking;

/// The request's body. No sampling parameters and no forced tool choice: current models refuse both with a 400.
pub(super) fn body(model: &str, request: &TurnRequest, max_tokens: u32, thinking: Thinking) -> String {
    let mut body = Map::new();
    body.insert("model".to_owned(), model.into());
    body.insert("max_tokens".to_owned(), max_tokens.max(1).into());
    body.insert("stream".to_owned(), true.into());
    if thinking.is_adaptive {
        body.insert("thinking".to_owned(), json!({ "type": "adaptive" }));
    }
    if let Some(effort) = thinking.effort {
        body.insert("output_config".to_owned(), json!({ "effort": effort.as_str() }));
    }
    let system = system(&request.system);
    let mut tools = tools(request);
    if let (true, Some(last)) = (system.is_empty(), tools.last_mut()) {
        mark(last);
    }
    if !tools.is_empty() {
        body.insert("tools".to_owned(), tools.into());
        body.insert("tool_choice".to_owned(), json!({ "type": "auto" }));
    }
    if !system.is_empty() {
        body.insert("system".to_owned(), system.into());
    }
    body.insert("messages".to_owned(), messages(&request.messages).into());
    Value::Object(body).to_string()
}

/// Tools stand before the system prompt in the cached prefix, so a mark at the end of the system prompt holds both. The last of
/// three parts or more may be another one in the next round; the mark before it holds what stays.
fn system(parts: &[String]) -> Vec<Value> {
    // The API refuses empty text.
    let mut system: Vec<Value> = parts.iter().filter(|part| !part.trim().is_empty()).map(|part| text(part)).collect();
    let marked = if system.len() > 2 { 2 } else { 1 };
    for part in system.iter_mut().rev().take(marked) {
        mark(part);
    }
    system
}

fn tools(request: &TurnRequest) -> Vec<Value> {
    // `ToolSpec` is written in the API's own form.
    request.tools.iter().map(|tool| json!(tool)).collect()
}

/// The messages, verbatim but for the cache marks: one at the end of the conversation, so that its next request reads
/// all of it from the cache, and one where the request before this one ended. The API looks for an earlier entry only
/// so many blocks before a mark, and one turn with many tool calls may be longer.
fn messages(messages: &[Message]) -> Vec<Value> {
    let mut marks: Vec<usize> = (0..messages.len()).filter(|n| messages[*n].role == Role::User).rev().take(2).collect();
    marks.retain(|n| !messages[*n].content.is_empty());
    let with_marks = |(n, message): (usize, &Message)| {
        let mut content: Vec<Value> = message.content.iter().map(|Block(block)| block.clone()).collect();
        if marks.contains(&n)
            && let Some(block) = content.iter_mut().rev().find(|block| may_be_marked(block))
        {
            mark(block);
        }
        json!({ "role": message.role, "content": content })
    };
    messages.iter().enumerate().map(with_marks).collect()
}

/// Thinking and empty text may carry no mark; kinds that this crate does not know are not marked either.
fn may_be_marked(block: &Value) -> bool {
    match block.get("type").and_then(Value::as_str) {
        Some("text") => block.get("text").and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty()),
        Some("tool_result" | "tool_use" | "image" | "document") => true,
        _ => false,
    }
}

fn mark(block: &mut Value) {
    if let Some(block) = block.as_object_mut() {
        block.insert("cache_control".to_owned(), json!({ "type": "ephemeral" }));
    }
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

#[cfg(test)]
mod tests {
    use super::super::super::effort::Effort;
    use super::super::super::message::ToolSpec;
    use super::super::super::turn::Tier;
    use super::*;

    fn request(system: &[&str], messages: Vec<Message>) -> TurnRequest {
        TurnRequest {
            run: "r".to_owned(),
            agent: "plan".to_owned(),
            tier: Tier::Powerful,
            system: system.iter().map(|part| (*part).to_owned()).collect(),
            tools: vec![ToolSpec {
                name: "submit_plan".to_owned(),
                description: "Hand on the plan.".to_owned(),
                input_schema: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
                strict: true,
            }],
            messages,
            max_tokens: 1000,
        }
    }

    fn parsed(request: &TurnRequest) -> Value {
        serde_json::from_str(&body("m", request, 1000, Thinking::default())).expect("a body is JSON")
    }

    fn conversation() -> Vec<Message> {
        let assistant = |content| Message { role: Role::Assistant, content };
        vec![
            Message::user("go"),
            assistant(vec![
                Block(json!({ "type": "thinking", "thinking": "hm", "signature": "s" })),
                Block(json!({ "type": "redacted_thinking", "data": "opaque==" })),
                Block::tool_use("a", "read_file", json!({ "path": "x" })),
            ]),
            Message { role: Role::User, content: vec![Block::tool_result("a", "text", false)] },
            assistant(vec![Block(json!({ "type": "mystery", "deep": [1, { "é": null }] }))]),
            Message { role: Role::User, content: vec![Block::text("more"), Block(json!({ "type": "mystery" }))] },
        ]
    }

    #[test]
    fn the_prefix_ends_with_a_mark_and_so_do_this_request_and_the_one_before() {
        let body = parsed(&request(&["prompt", "", "handoffs"], conversation()));
        let mark = json!({ "type": "ephemeral" });
        assert_eq!(body.to_string().matches("cache_control").count(), 3);
        assert_eq!(body["system"][1]["cache_control"], mark);
        assert_eq!(body["system"][1]["text"], "handoffs", "the empty part is left out");
        assert_eq!(body["messages"][2]["content"][0]["cache_control"], mark);
        assert_eq!(body["messages"][4]["content"][0]["cache_control"], mark, "an unknown block is never marked");
    }

    #[test]
    fn what_stays_from_round_to_round_has_a_mark_of_its_own() {
        let body = parsed(&request(&["prompt", "handoffs", "lines"], conversation()));
        let marked: Vec<bool> = (0..3).map(|part| body["system"][part].get("cache_control").is_some()).collect();
        assert_eq!(marked, [false, true, true]);
        assert_eq!(body.to_string().matches("cache_control").count(), 4, "which is the most there may be");
    }

    #[test]
    fn without_a_system_prompt_the_last_tool_ends_the_prefix() {
        let body = parsed(&request(&[], vec![Message::user("go")]));
        assert_eq!(body["tools"][0]["cache_control"], json!({ "type": "ephemeral" }));
        assert_eq!(body.get("system"), None);
    }

    #[test]
    fn what_the_model_said_goes_back_verbatim() {
        let messages = conversation();
        let body = parsed(&request(&["prompt"], messages.clone()));
        for n in [1, 3] {
            assert_eq!(body["messages"][n]["content"], json!(messages[n].content));
        }
    }

    #[test]
    fn nothing_is_sent_that_current_models_refuse() {
        let body = parsed(&request(&["prompt"], conversation()));
        let keys: Vec<_> = body.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["model", "max_tokens", "stream", "tools", "tool_choice", "system", "messages"]);
        assert_eq!(body["tool_choice"], json!({ "type": "auto" }));
        assert_eq!(body["tools"][0]["strict"], json!(true));
        let thinking = Thinking { is_adaptive: true, effort: Some(Effort::Low) };
        let text = super::body("m", &request(&["prompt"], conversation()), 1000, thinking);
        let body: Value = serde_json::from_str(&text).expect("a body is JSON");
        assert_eq!(body["thinking"], json!({ "type": "adaptive" }));
        assert_eq!(body["output_config"], json!({ "effort": "low" }));
        let mut without_tools = request(&["prompt"], conversation());
        without_tools.tools.clear();
        assert_eq!(parsed(&without_tools).get("tool_choice"), None);
    }
}
