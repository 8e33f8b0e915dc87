//! A reply as a stream of server-sent events, and the stream in odd pieces.

use serde_json::{Value, json};

use super::script::{Piece, RecordedRequest, Reply};

/// The events of a reply, each with its name, data and blank line.
pub(super) fn of(reply: &Reply, request: &RecordedRequest, model: &str, counted: &Value) -> Vec<String> {
    let usage = reply.usage.as_ref().unwrap_or(counted);
    let mut at_start = usage.clone();
    at_start["output_tokens"] = json!(1);
    let id = format!("msg_{}_{}_{}", request.agent.replace('/', "_"), request.conversation, request.turn);
    let message = json!({
        "id": id, "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": at_start,
    });
    let mut events = vec![event("message_start", &json!({ "type": "message_start", "message": message }))];
    if reply.is_noisy {
        events.push(event("ping", &json!({ "type": "ping" })));
        events.push(event("weather_report", &json!({ "type": "weather_report", "sky": "☁ \u{1F327}" })));
    }
    let mut characters = 0;
    for (index, piece) in reply.pieces.iter().enumerate() {
        let (start, deltas) = block(piece, &format!("toolu_{id}_{index}"));
        events.push(event(
            "content_block_start",
            &json!({ "type": "content_block_start", "index": index, "content_block": start }),
        ));
        for delta in deltas {
            characters += delta.to_string().len();
            events.push(event(
                "content_block_delta",
                &json!({ "type": "content_block_delta", "index": index, "delta": delta }),
            ));
        }
        if reply.is_noisy {
            events.push(": a comment\n\n".to_owned());
        }
        events.push(event("content_block_stop", &json!({ "type": "content_block_stop", "index": index })));
    }
    let usual = if reply.calls_tools() { "tool_use" } else { "end_turn" };
    let stop_reason = reply.stop_reason.as_deref().unwrap_or(usual);
    let output = usage.get("output_tokens").cloned().unwrap_or_else(|| json!(characters / 4 + 1));
    events.push(event(
        "message_delta",
        &json!({
            "type": "message_delta", "delta": { "stop_reason": stop_reason, "stop_sequence": null },
            "usage": { "output_tokens": output },
        }),
    ));
    events.push(event("message_stop", &json!({ "type": "message_stop" })));
    events
}

/// One event.
pub(super) fn event(name: &str, data: &Value) -> String {
    format!("event: {name}\ndata: {data}\n\n")
}

/// The block as its start event has it, and the deltas that make it whole.
fn block(piece: &Piece, id: &str) -> (Value, Vec<Value>) {
    let mut start = match piece {
        Piece::RawCall { name, input } => {
            let start = json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
            return (start, input_deltas(input));
        }
        Piece::Block(block) => block.clone(),
    };
    let taken = |start: &mut Value, field: &str| start[field].as_str().unwrap_or_default().to_owned();
    let kind = taken(&mut start, "type");
    match kind.as_str() {
        "text" => {
            let text = taken(&mut start, "text");
            start["text"] = json!("");
            (start, pieces_of(&text).map(|text| json!({ "type": "text_delta", "text": text })).collect())
        }
        "thinking" => {
            let (thinking, signature) = (taken(&mut start, "thinking"), taken(&mut start, "signature"));
            start["thinking"] = json!("");
            start["signature"] = json!("");
            let mut deltas: Vec<Value> =
                pieces_of(&thinking).map(|piece| json!({ "type": "thinking_delta", "thinking": piece })).collect();
            deltas.push(json!({ "type": "signature_delta", "signature": signature }));
            (start, deltas)
        }
        "tool_use" => {
            let input = std::mem::replace(&mut start["input"], json!({}));
            if start.get("id").is_none() {
                start["id"] = json!(id);
            }
            let is_empty = input.as_object().is_some_and(serde_json::Map::is_empty);
            (start, if is_empty { Vec::new() } else { input_deltas(&input.to_string()) })
        }
        // Of an unknown kind, it comes whole.
        _ => (start, Vec::new()),
    }
}

fn input_deltas(input: &str) -> Vec<Value> {
    pieces_of(input).map(|piece| json!({ "type": "input_json_delta", "partial_json": piece })).collect()
}

/// Longer texts in longer pieces, so that a whole file is still a few dozen events.
fn pieces_of(text: &str) -> impl Iterator<Item = String> {
    let characters: Vec<char> = text.chars().collect();
    let length = 11.max(characters.len() / 24);
    let pieces: Vec<String> = characters.chunks(length).map(|piece| piece.iter().collect()).collect();
    pieces.into_iter()
}

/// The bytes in pieces of odd lengths, always the same ones for a seed: split inside every multi-byte character and
/// inside every other blank line, and elsewhere by chance.
pub(super) fn odd_pieces(bytes: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut chance = seed | 1;
    let mut next = |below: u64| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance % below
    };
    let longest = 61.max(bytes.len() as u64 / 64);
    let mut pieces = Vec::new();
    let (mut start, mut chosen) = (0, 1 + next(longest) as usize);
    for at in 1..bytes.len() {
        let inside_character = bytes[at - 1] >= 0xC0;
        let inside_blank_line = bytes[at - 1] == b'\n' && bytes[at] == b'\n' && next(2) == 0;
        if inside_character || inside_blank_line || at - start >= chosen {
            pieces.push(&bytes[start..at]);
            start = at;
            chosen = 1 + next(longest) as usize;
        }
    }
    pieces.push(&bytes[start..]);
    pieces
}
