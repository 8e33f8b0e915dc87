//! A turn's request as Chat Completions want it.

use serde_json::{Map, Value, json};

use super::super::effort::Effort;
use super::super::message::{Block, Message, Role};
use super::super::turn::TurnRequest;
use super::learned::{ANSWER_LIMIT, AnswerLimit, Learned, STREAM, effort};
use super::reasoning;

/// Who is asked, and how.
pub(super) struct Asked<'a> {
    pub(super) host: &'a str,
    pub(super) model: &'a str,
    pub(super) effort: Option<Effort>,
    pub(super) learned: &'a Learned,
    /// Most tokens of this answer, where the server said what still fits.
    pub(super) fits: Option<u32>,
}

/// The request's body. No sampling parameters, no tool choice and no strict tools: many servers refuse them, or take them
/// and do otherwise. Parallel calls are what servers do unless told otherwise.
pub(super) fn body(asked: &Asked<'_>, request: &TurnRequest) -> String {
    let learned = asked.learned;
    let mut body = Map::new();
    body.insert("model".to_owned(), asked.model.into());
    let is_sent = |parameter: &str| !learned.left_out.contains(parameter);
    if is_sent(ANSWER_LIMIT) {
        body.insert(asked.limit().as_str().to_owned(), asked.most_output(request).into());
    }
    if let Some(effort) = effort(asked.effort, learned) {
        body.insert("reasoning_effort".to_owned(), effort.into());
    }
    if is_sent(STREAM) {
        body.insert(STREAM.to_owned(), true.into());
    }
    if is_sent(STREAM) && is_sent("stream_options") {
        body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    }
    let tools: Vec<Value> = request
        .tools
        .iter()
        .map(|tool| {
            json!({ "type": "function", "function": {
            "name": tool.name, "description": tool.description, "parameters": tool.input_schema,
        } })
        })
        .collect();
    if !tools.is_empty() {
        body.insert("tools".to_owned(), tools.into());
    }
    body.insert("messages".to_owned(), messages(asked, request).into());
    Value::Object(body).to_string()
}

impl Asked<'_> {
    /// The name of the parameter that bounds the answer.
    pub(super) fn limit(&self) -> AnswerLimit {
        self.learned.answer_limit.unwrap_or_else(|| AnswerLimit::usual(self.host, self.model))
    }

    fn most_output(&self, request: &TurnRequest) -> u32 {
        let bounds = [self.learned.most_output, self.fits];
        bounds.into_iter().flatten().fold(request.max_tokens, u32::min).max(1)
    }

    /// Mistral refuses a user's message after a tool's.
    fn joins_texts_to_results(&self) -> bool {
        self.host == "mistral.ai" || self.host.ends_with(".mistral.ai")
    }
}

fn messages(asked: &Asked<'_>, request: &TurnRequest) -> Vec<Value> {
    let system: Vec<&str> = request.system.iter().map(String::as_str).filter(|part| !part.trim().is_empty()).collect();
    let mut messages = Vec::new();
    if !system.is_empty() {
        messages.push(json!({ "role": "system", "content": system.join("\n\n") }));
    }
    for message in &request.messages {
        match message.role {
            Role::Assistant => messages.extend(assistant(message, asked.learned)),
            Role::User => {
                for said in user(message, asked.joins_texts_to_results()) {
                    push_user(&mut messages, said);
                }
            }
        }
    }
    messages
}

/// After an answer that held nothing to send back, what is said next joins what was said before: many chat templates want
/// the two to take turns.
fn push_user(messages: &mut Vec<Value>, said: Value) {
    match messages.last_mut() {
        Some(before) if before["role"] == "user" && said["role"] == "user" => {
            let text = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
            before["content"] = format!("{}\n\n{}", text(before), text(&said)).into();
        }
        _ => messages.push(said),
    }
}

/// What the tools answered, a message each in the order of the calls, then what else is said.
fn user(message: &Message, joins_texts: bool) -> Vec<Value> {
    let mut messages: Vec<Value> = message.content.iter().filter_map(result).collect();
    let mut said = texts(&message.content);
    if let (true, false, Some(last)) = (joins_texts, said.is_empty(), messages.last_mut()) {
        let result = last["content"].as_str().unwrap_or_default();
        last["content"] = format!("{result}\n\n{said}").into();
        said.clear();
    }
    if !said.is_empty() {
        messages.push(json!({ "role": "user", "content": said }));
    }
    messages
}

fn result(Block(block): &Block) -> Option<Value> {
    if block["type"] != "tool_result" {
        return None;
    }
    let text = match &block["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n\n"),
        _ => String::new(),
    };
    Some(json!({ "role": "tool", "tool_call_id": block["tool_use_id"], "content": text }))
}

/// What the model said. Blocks of other kinds, such as what another provider's model thought, are left out, and with
/// nothing else so is the message.
fn assistant(message: &Message, learned: &Learned) -> Option<Value> {
    let calls: Vec<Value> = message.content.iter().filter_map(|block| call(block, learned)).collect();
    let text = texts(&message.content);
    if calls.is_empty() && text.is_empty() {
        return None;
    }
    let mut sent = Map::new();
    sent.insert("role".to_owned(), "assistant".into());
    // With calls alone there is no text; some servers want the field all the same.
    let has_text = !text.is_empty();
    sent.insert("content".to_owned(), if has_text { text.into() } else { Value::Null });
    if !calls.is_empty() {
        for (field, value) in message.content.iter().filter_map(reasoning::kept) {
            let is_refused = learned.left_out.iter().any(|left_out| *left_out == field);
            match field {
                _ if is_refused => {}
                reasoning::PARTS => {
                    let mut parts = value.as_array().cloned().unwrap_or_default();
                    parts.extend(has_text.then(|| json!({ "type": "text", "text": sent["content"] })));
                    sent.insert("content".to_owned(), parts.into());
                }
                field => {
                    sent.insert(field.to_owned(), value.clone());
                }
            }
        }
        sent.insert("tool_calls".to_owned(), calls.into());
    }
    Some(Value::Object(sent))
}

fn call(block: &Block, learned: &Learned) -> Option<Value> {
    let (id, name, input) = block.as_tool_use()?;
    // Servers read the arguments as JSON; what the model wrote that is none stands in it as a text.
    let arguments = if input.is_object() { input.to_string() } else { json!({ "input": input }).to_string() };
    let mut call = json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } });
    let extra = block.0.get(reasoning::EXTRA).filter(|_| !learned.left_out.contains(reasoning::EXTRA));
    if let Some(extra) = extra {
        call[reasoning::EXTRA] = extra.clone();
    }
    Some(call)
}

fn texts(content: &[Block]) -> String {
    let texts = content.iter().filter_map(Block::as_text).filter(|text| !text.trim().is_empty());
    texts.collect::<Vec<_>>().join("\n\n")
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
                name: "submit_plan".to_owned(),
                description: "Hand on the plan.".to_owned(),
                input_schema: json!({ "type": "object", "properties": {} }),
                strict: true,
            }],
            messages,
            max_tokens: 1000,
        }
    }

    fn sent(learned: &Learned, request: &TurnRequest) -> Value {
        let asked = Asked { host: "localhost:8000", model: "m", effort: Some(Effort::High), learned, fits: None };
        serde_json::from_str(&body(&asked, request)).expect("a body is JSON")
    }

    fn conversation() -> Vec<Message> {
        let call = |extra: Value| {
            let mut call = Block::tool_use("a", "read_file", json!({ "path": "x" }));
            call.0["extra_content"] = extra;
            call
        };
        let assistant = |content| Message { role: Role::Assistant, content };
        vec![
            Message::user("go"),
            assistant(vec![
                reasoning::block("reasoning_content", json!("hm")),
                Block::text("I look."),
                call(json!({ "google": { "thought_signature": "s" } })),
                Block::tool_use("b", "read_file", json!("not JSON")),
            ]),
            Message {
                role: Role::User,
                content: vec![
                    Block::text("Hurry."),
                    Block::tool_result("a", "text of x", false),
                    Block(json!({ "type": "tool_result", "tool_use_id": "b", "is_error": true,
                        "content": [{ "type": "text", "text": "no " }, { "type": "text", "text": "JSON" }] })),
                ],
            },
            assistant(vec![Block(json!({ "type": "thinking", "thinking": "of another", "signature": "s" }))]),
            Message::user("Go on."),
            assistant(vec![reasoning::block("reasoning", json!("hm")), Block::text("Done.")]),
            Message::user("Call a tool."),
        ]
    }

    #[test]
    fn a_conversation_is_translated_and_keeps_its_order() {
        let body = sent(&Learned::default(), &request(conversation()));
        assert_eq!(
            body["messages"],
            json!([
                { "role": "system", "content": "prompt\n\nhandoffs" },
                { "role": "user", "content": "go" },
                { "role": "assistant", "content": "I look.", "reasoning_content": "hm", "tool_calls": [
                    { "id": "a", "type": "function", "function": { "name": "read_file", "arguments": "{\"path\":\"x\"}" },
                      "extra_content": { "google": { "thought_signature": "s" } } },
                    { "id": "b", "type": "function", "function": {
                        "name": "read_file", "arguments": "{\"input\":\"not JSON\"}" } },
                ] },
                { "role": "tool", "tool_call_id": "a", "content": "text of x" },
                { "role": "tool", "tool_call_id": "b", "content": "no \n\nJSON" },
                { "role": "user", "content": "Hurry.\n\nGo on." },
                { "role": "assistant", "content": "Done." },
                { "role": "user", "content": "Call a tool." },
            ])
        );
    }

    #[test]
    fn only_what_every_server_knows_is_sent() {
        let body = sent(&Learned::default(), &request(vec![Message::user("go")]));
        let keys: Vec<_> = body.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["model", "max_tokens", "reasoning_effort", "stream", "stream_options", "tools", "messages"]);
        assert_eq!(body["tools"][0]["function"].as_object().expect("an object").len(), 3);
        assert_eq!(body["reasoning_effort"], "high");
        let mut bare = request(vec![Message::user("go")]);
        (bare.tools, bare.system) = (Vec::new(), Vec::new());
        let body = sent(&Learned::default(), &bare);
        assert_eq!(body.get("tools"), None);
        assert_eq!(body["messages"].as_array().expect("a list").len(), 1);
    }

    #[test]
    fn what_was_refused_is_not_sent_again() {
        let learned = Learned {
            answer_limit: Some(AnswerLimit::MaxCompletionTokens),
            most_output: Some(100),
            effort: Some(Some("none".to_owned())),
            left_out: ["stream_options", "reasoning_content", "extra_content"].into(),
            ..Learned::default()
        };
        let body = sent(&learned, &request(conversation()));
        assert_eq!((&body["max_completion_tokens"], &body["reasoning_effort"]), (&json!(100), &json!("none")));
        assert_eq!((body.get("max_tokens"), body.get("stream_options")), (None, None));
        assert!(!body.to_string().contains("reasoning_content") && !body.to_string().contains("extra_content"));
        let learned = Learned { effort: Some(None), ..learned };
        assert_eq!(sent(&learned, &request(conversation())).get("reasoning_effort"), None);
        let learned = Learned { left_out: [ANSWER_LIMIT, STREAM].into(), ..Learned::default() };
        let body = sent(&learned, &request(vec![Message::user("go")]));
        let keys: Vec<_> = body.as_object().expect("an object").keys().collect();
        assert_eq!(keys, ["model", "reasoning_effort", "tools", "messages"], "what goes with a stream goes too");
    }

    #[test]
    fn parts_that_mistral_thought_go_back_as_parts_and_texts_with_the_last_result() {
        let thought = json!([{ "type": "thinking", "thinking": [{ "type": "text", "text": "hm" }] }]);
        let mut messages = conversation();
        messages[1].content[0] = reasoning::block("content", thought.clone());
        let learned = Learned::default();
        let asked = Asked { host: "api.mistral.ai", model: "m", effort: None, learned: &learned, fits: Some(7) };
        let body: Value = serde_json::from_str(&body(&asked, &request(messages))).expect("JSON");
        assert_eq!(body["messages"][2]["content"], json!([thought[0], { "type": "text", "text": "I look." }]));
        assert_eq!(body["messages"][4]["content"], "no \n\nJSON\n\nHurry.");
        assert_eq!(body["messages"][5], json!({ "role": "user", "content": "Go on." }));
        assert_eq!((&body["max_tokens"], body.get("reasoning_effort")), (&json!(7), None));
    }
}
