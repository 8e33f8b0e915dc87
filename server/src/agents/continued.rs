//! What the user tells an agent at work stands in its conversation, and whether a recorded conversation is the one that is
//! resumed.

use std::collections::HashMap;

use serde_json::Value;

use crate::models::{Block, Message, Role};

/// What stands before the words that a user tells an agent at work.
const TOLD: &str = "The user, who watches you at work, tells you:\n";

/// What a user tells an agent, as a part of its next request.
pub(super) fn told_block(text: &str) -> Block {
    Block::text(format!("{TOLD}{text}"))
}

/// The words of a user that a part of a request tells an agent; `None` for any other part.
pub fn told_text(block: &Block) -> Option<&str> {
    block.as_text()?.strip_prefix(TOLD)
}

fn is_told(block: &Block) -> bool {
    told_text(block).is_some()
}

/// Whether two conversations differ only in the results of calls (tool, input) that read what others may change, and in what the
/// user told the agent in the recorded one.
pub(super) fn is_continued(recorded: &[Message], now: &[Message], reads_others: &dyn Fn(&str, &Value) -> bool) -> bool {
    let calls: HashMap<&str, (&str, &Value)> = (now.iter().flat_map(|message| &message.content))
        .filter_map(Block::as_tool_use)
        .map(|(id, name, input)| (id, (name, input)))
        .collect();
    let is_other_read = |id: &str| calls.get(id).is_some_and(|(name, input)| reads_others(name, input));
    let is_same = |(recorded, now): (&Block, &Block)| {
        let id = now.0["tool_use_id"].as_str().filter(|id| recorded.0["tool_use_id"].as_str() == Some(id));
        recorded == now || id.is_some_and(is_other_read)
    };
    let is_same_message = |(recorded, now): (&Message, &Message)| {
        let mut content = recorded.content.as_slice();
        while now.role == Role::User && content.len() > now.content.len() && content.last().is_some_and(is_told) {
            content = &content[..content.len() - 1];
        }
        recorded.role == now.role && content.len() == now.content.len() && content.iter().zip(&now.content).all(is_same)
    };
    recorded.len() == now.len() && recorded.iter().zip(now).all(is_same_message)
}
