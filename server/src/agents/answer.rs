//! What a model answered, made into what a conversation can go on with: every call has an id of its own and an object as
//! its input, and a call that was written as text is one.
//!
//! Invariant: an answer that went through here goes through again unchanged, so that a recorded conversation stays the same
//! when it is resumed.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::written_call::written_calls;
use crate::models::{Block, Message, StopReason, Turn};
use crate::text::head;
use crate::tools::encoded_object;

/// The one field of an input that stands for what was no object. A conversation with any other input than an object is refused
/// by providers. It says what was wrong with it, so that the answer to the call can be told from the call alone; an empty
/// object would be taken for a call when a recorded conversation is resumed.
const INVALID: &str = "invalid_json";
/// Characters shown of an input that is no object.
const SHOWN: usize = 200;
/// Levels of an input, far more than any tool has.
const MOST_NESTED: usize = 64;

/// Told to a model that wrote a call as text, once.
pub(super) const WRITTEN_CALL: &str = "You wrote a tool call as text, and it was not carried out. Make the call again \
                                       through the tool interface of this conversation, not in the text of your answer.";

/// Settle an answer that follows these messages.
pub(super) fn settle(turn: &mut Turn, messages: &[Message], has_tool: &dyn Fn(&str) -> bool) {
    if is_told(messages)
        && ends_of_own_accord(&turn.stop_reason)
        && let Some(calls) = written_calls(&turn.content, has_tool)
    {
        take_for_calls(turn, calls);
    }
    let mut ids = Ids::of(messages);
    for block in turn.content.iter_mut().filter(|block| block.kind() == "tool_use") {
        if let Some(block) = block.0.as_object_mut() {
            settle_call(block, &mut ids);
        }
    }
}

/// Whether an answer is a call that was written as text, of which the model is to be told.
pub(super) fn is_written_call(turn: &Turn, messages: &[Message], has_tool: &dyn Fn(&str) -> bool) -> bool {
    ends_of_own_accord(&turn.stop_reason) && !is_told(messages) && written_calls(&turn.content, has_tool).is_some()
}

/// What is wrong with a call whose input is no object, as the model is told it.
pub(super) fn fault_of(input: &Value) -> Option<String> {
    let fields = input.as_object().filter(|fields| fields.len() == 1)?;
    let fault = fields.get(INVALID)?.as_str()?;
    Some(format!("The input is no JSON object: {fault}\nMake the call again, with one JSON object as its input."))
}

fn is_told(messages: &[Message]) -> bool {
    messages.iter().flat_map(|message| &message.content).any(|block| block.as_text() == Some(WRITTEN_CALL))
}

fn ends_of_own_accord(reason: &StopReason) -> bool {
    matches!(reason, StopReason::EndTurn | StopReason::ToolUse | StopReason::StopSequence | StopReason::Other(_))
}

/// Put calls where the text stood in which they were written.
fn take_for_calls(turn: &mut Turn, calls: Vec<(String, Value)>) {
    let at = turn.content.iter().position(|block| block.kind() == "text").unwrap_or(0);
    turn.content.retain(|block| block.kind() != "text");
    let calls = calls.into_iter().map(|(name, input)| Block::tool_use("", &name, input));
    turn.content.splice(at..at, calls);
    turn.stop_reason = StopReason::ToolUse;
}

fn settle_call(block: &mut Map<String, Value>, ids: &mut Ids) {
    if !block.get("name").is_some_and(Value::is_string) {
        block.insert("name".to_owned(), "unnamed".into());
    }
    let input = match block.get("input") {
        None | Some(Value::Null) => Some(json!({})),
        Some(Value::String(text)) if text.trim().is_empty() => Some(json!({})),
        Some(Value::String(text)) => Some(read(text).unwrap_or_else(|fault| invalid(&fault, text))),
        Some(input) if !input.is_object() => Some(invalid(&format!("it is {}", kind_of(input)), &input.to_string())),
        Some(input) if is_deeper(input, MOST_NESTED) => Some(invalid(TOO_DEEP, &input.to_string())),
        Some(_) => None,
    };
    if let Some(input) = input {
        block.insert("input".to_owned(), input);
    }
    let given = block.get("id").and_then(Value::as_str).unwrap_or_default();
    let own = ids.own(given);
    if own != given {
        block.insert("id".to_owned(), own.into());
    }
}

const TOO_DEEP: &str = "it is nested far too deeply";

/// The object that a text holds.
///
/// # Errors
/// Why it holds none.
fn read(text: &str) -> Result<Value, String> {
    match encoded_object(text) {
        Some(input) if is_deeper(&input, MOST_NESTED) => Err(TOO_DEEP.to_owned()),
        Some(input) => Ok(input),
        None => Err(match serde_json::from_str::<Value>(text) {
            Ok(other) => format!("it is {}", kind_of(&other)),
            Err(error) if error.to_string().starts_with("recursion limit") => TOO_DEEP.to_owned(),
            Err(error) => error.to_string(),
        }),
    }
}

fn invalid(fault: &str, text: &str) -> Value {
    json!({ INVALID: format!("{fault}, in: {}", head(text, SHOWN)) })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn is_deeper(value: &Value, levels: usize) -> bool {
    let Some(inner) = levels.checked_sub(1) else { return value.is_array() || value.is_object() };
    match value {
        Value::Array(items) => items.iter().any(|value| is_deeper(value, inner)),
        Value::Object(fields) => fields.values().any(|value| is_deeper(value, inner)),
        _ => false,
    }
}

/// The ids of a conversation's calls: results name calls by them.
struct Ids(HashSet<String>);

impl Ids {
    fn of(messages: &[Message]) -> Self {
        let blocks = messages.iter().flat_map(|message| &message.content);
        Self(blocks.filter_map(Block::as_tool_use).map(|(id, ..)| id.to_owned()).collect())
    }

    /// The id if no call has it yet, else one like it.
    fn own(&mut self, given: &str) -> String {
        let stem = if given.is_empty() { "call" } else { given };
        let first = (!given.is_empty()).then(|| given.to_owned());
        let numbered = (1..).map(|number| format!("{stem}_{number}"));
        let own = first.into_iter().chain(numbered).find(|id| !self.0.contains(id)).unwrap_or_default();
        self.0.insert(own.clone());
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::Usage;
    use crate::models::Role;

    fn turn(content: Vec<Value>) -> Turn {
        Turn {
            content: content.into_iter().map(Block).collect(),
            stop_reason: StopReason::EndTurn,
            model: String::new(),
            usage: Usage::default(),
        }
    }

    fn settled(content: Vec<Value>, messages: &[Message]) -> Vec<Value> {
        let mut turn = turn(content);
        let has_tool = |name: &str| name == "read_file";
        settle(&mut turn, messages, &has_tool);
        let once = turn.clone();
        settle(&mut turn, messages, &has_tool);
        assert_eq!(turn, once, "settling it again changes nothing");
        turn.content.into_iter().map(|block| block.0).collect()
    }

    fn call(id: &str, input: impl Into<Value>) -> Value {
        json!({ "type": "tool_use", "id": id, "name": "read_file", "input": input.into() })
    }

    fn input(input: impl Into<Value>) -> Value {
        settled(vec![call("a", input)], &[])[0]["input"].clone()
    }

    #[test]
    fn calls_of_one_id_are_told_apart_in_a_turn_and_in_a_conversation() {
        let earlier = Message { role: Role::Assistant, content: vec![Block(call("a", json!({})))] };
        let no_id = json!({ "type": "tool_use", "name": "read_file", "input": {} });
        let calls = settled(
            vec![
                call("b", json!({})),
                call("a", json!({})),
                call("b", json!({})),
                no_id.clone(),
                no_id,
                call("", json!({})),
            ],
            &[Message::user("go"), earlier],
        );
        let ids: Vec<&str> = calls.iter().map(|call| call["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["b", "a_1", "b_1", "call_1", "call_2", "call_3"]);
        assert!(calls.iter().all(|call| call["name"] == "read_file" && call["input"] == json!({})));
    }

    #[test]
    fn an_object_that_came_as_a_text_is_one() {
        let expected = json!({ "path": "a.rs" });
        assert_eq!(input(expected.to_string()), expected);
        assert_eq!(input(json!(expected.to_string()).to_string()), expected, "encoded twice");
        assert_eq!((input(""), input(Value::Null)), (json!({}), json!({})));
        let without = settled(vec![json!({ "type": "tool_use", "id": "a", "name": "x" })], &[]);
        assert_eq!(without[0]["input"], json!({}));
    }

    #[test]
    fn what_is_no_object_becomes_one_that_says_what_is_wrong() {
        let nested = |levels: usize| format!("{{\"path\": {}{}}}", "[".repeat(levels), "]".repeat(levels));
        let long = format!("[{}", "1, ".repeat(1_000));
        for (raw, fault) in [
            (json!("{'path': 'a.rs'}"), "key must be a string at line 1 column 2, in: {'path': 'a.rs'}"),
            (json!("{\"path\": "), "EOF while parsing a value at line 1 column 9, in: {\"path\": "),
            (json!("[1]"), "it is a list, in: [1]"),
            (json!([1]), "it is a list, in: [1]"),
            (json!(7), "it is a number, in: 7"),
            (json!("\"x\""), "it is a string, in: \"x\""),
            (json!(nested(70)), "it is nested far too deeply, in: {\"path\": [["),
            (json!(nested(100_000)), "it is nested far too deeply, in: {\"path\": [["),
            (json!(long), "in: [1, 1, "),
        ] {
            let input = input(raw);
            let said = fault_of(&input).unwrap();
            assert!(said.starts_with("The input is no JSON object: ") && said.contains(fault), "{said}");
            assert!(said.ends_with("\nMake the call again, with one JSON object as its input."), "{said}");
            assert!(said.len() < 400 && input.as_object().unwrap().len() == 1, "{said}");
        }
        assert_eq!(fault_of(&json!({ "path": "a" })), None);
    }

    #[test]
    fn a_call_written_as_text_is_one_after_the_model_was_told() {
        let text = "```json\n{\"name\": \"read_file\", \"arguments\": {\"path\": \"a.rs\"}}\n```";
        let blocks = || vec![json!({ "type": "thinking", "thinking": "hm" }), json!({ "type": "text", "text": text })];
        let has_tool = |name: &str| name == "read_file";
        let fresh = [Message::user("go")];
        assert_eq!(settled(blocks(), &fresh), blocks(), "it is told first");
        assert!(is_written_call(&turn(blocks()), &fresh, &has_tool));
        let told = [Message::user("go"), Message::user(WRITTEN_CALL)];
        assert!(!is_written_call(&turn(blocks()), &told, &has_tool));
        let taken = settled(blocks(), &told);
        assert_eq!(taken, [blocks()[0].clone(), call("call_1", json!({ "path": "a.rs" }))]);
        let mut cut = turn(blocks());
        cut.stop_reason = StopReason::MaxTokens;
        settle(&mut cut, &told, &has_tool);
        assert_eq!(cut.content[1].as_text(), Some(text), "what was cut is no whole call");
    }
}
