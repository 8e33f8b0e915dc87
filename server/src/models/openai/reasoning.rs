//! What a model thought, as it is kept in a conversation and sent back.

use serde_json::{Map, Value, json};

use super::super::message::Block;

/// The kind of our block: `{"type": "openai_reasoning", "field": "reasoning_content", "value": …}`. It is written into
/// transcripts and read again by a resumed run.
const KIND: &str = "openai_reasoning";

/// The fields of a message in which servers send it, those first that say the most. Where several came, the first goes
/// back: the others say the same.
///
/// Source: OpenRouter, "Reasoning tokens" (`reasoning_details`, `reasoning`); DeepSeek, "Thinking mode"
/// (`reasoning_content`), which vLLM, llama.cpp and LM Studio follow.
pub(super) const FIELDS: [&str; 3] = ["reasoning_details", "reasoning_content", "reasoning"];

/// Google's field, of a message and of a tool call: a signature of what was thought, to be sent back where it came.
///
/// Source: Gemini API, "OpenAI compatibility" and "Thought signatures".
pub(super) const EXTRA: &str = "extra_content";

/// The parts of a message's content that are no answer: Mistral's `{"type": "thinking"}`.
pub(super) const PARTS: &str = "content";

/// A block that keeps what came in a field.
pub(super) fn block(field: &str, value: Value) -> Block {
    Block(json!({ "type": KIND, "field": field, "value": value }))
}

/// The field and the value that a block keeps.
pub(super) fn kept(block: &Block) -> Option<(&str, &Value)> {
    if block.kind() != KIND {
        return None;
    }
    Some((block.0.get("field")?.as_str()?, block.0.get("value")?))
}

/// Joins a piece of a list of reasoning details to those before: what has the same index and kind is one entry, whose
/// texts grow.
pub(super) fn join_details(details: &mut Vec<Value>, piece: &Value) {
    let Some(entry) = piece.as_object() else { return };
    let continues = |last: &Map<String, Value>| {
        let same = |field: &str| last.get(field) == entry.get(field);
        entry.contains_key("index") && same("index") && same("type")
    };
    let last = details.last_mut().and_then(Value::as_object_mut).filter(|last| continues(last));
    let Some(last) = last else {
        details.push(piece.clone());
        return;
    };
    for (field, value) in entry {
        match (last.get_mut(field), value) {
            (_, Value::Null) => {}
            (Some(Value::String(text)), Value::String(more)) if is_text(field) => text.push_str(more),
            _ => {
                last.insert(field.clone(), value.clone());
            }
        }
    }
}

/// Fields that come in pieces; others, such as ids, come whole with each of them.
fn is_text(field: &str) -> bool {
    matches!(field, "text" | "summary" | "data" | "signature")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_one_detail_are_one_again_and_others_stay_apart() {
        let mut details = Vec::new();
        for piece in [
            json!({ "type": "reasoning.text", "index": 0, "id": "r1", "format": "f", "text": "let " }),
            json!({ "type": "reasoning.text", "index": 0, "id": "r1", "format": "f", "text": "me" }),
            json!({ "type": "reasoning.text", "index": 0, "signature": "sig", "text": null }),
            json!({ "type": "reasoning.encrypted", "index": 0, "data": "xx" }),
            json!({ "type": "reasoning.text", "index": 1, "text": "b" }),
            json!({ "type": "reasoning.text", "text": "no index" }),
            json!({ "type": "reasoning.text", "text": "again" }),
            json!("no object"),
        ] {
            join_details(&mut details, &piece);
        }
        assert_eq!(
            json!(details),
            json!([
                { "type": "reasoning.text", "index": 0, "id": "r1", "format": "f", "text": "let me", "signature": "sig" },
                { "type": "reasoning.encrypted", "index": 0, "data": "xx" },
                { "type": "reasoning.text", "index": 1, "text": "b" },
                { "type": "reasoning.text", "text": "no index" },
                { "type": "reasoning.text", "text": "again" },
            ])
        );
    }
}
