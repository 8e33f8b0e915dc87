//! Whether Ollama read the whole prompt.
//!
//! Ollama reports as `prompt_eval_count` what it read, which for a prompt that it cut is less than what was sent. The count
//! may be missing, or leave out what its cache held (before 2024, and in 0.30); so it counts only where what was sent cannot
//! have fitted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::super::message::{Block, Role};
use super::super::turn::TurnRequest;

/// Bytes a token where nothing better is known. Higher than dense code has, for a prompt must not be called cut that was not.
const USUAL_BYTES_A_TOKEN: f64 = 4.0;
/// Bytes a token of the densest code: a prompt that fits at so few fits for certain.
const LEAST_BYTES_A_TOKEN: f64 = 2.0;
/// Bytes a token where a prompt is to fit, in the middle of what models take.
const PLANNED_BYTES_A_TOKEN: f64 = 3.2;
/// Bytes by which a conversation has grown so much that its count grows, whatever a template leaves out.
const MUCH: usize = 256;
/// A whole prompt is counted as more than this part of its estimate.
const LEAST_PART: f64 = 0.6;

/// The last prompt of each conversation.
#[derive(Debug, Default)]
pub(super) struct CutPrompts {
    last: Mutex<HashMap<(String, String, String), Last>>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    messages: usize,
    /// Tokens a byte, of the conversation's first prompt.
    density: Option<f64>,
    /// The last prompt that was counted.
    counted: Option<Counted>,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    tokens: u64,
    bytes: usize,
}

/// A prompt that was cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cut {
    /// Tokens that it has, estimated.
    pub(super) sent: u64,
    /// Tokens that were read.
    pub(super) read: u64,
}

impl CutPrompts {
    /// Whether the prompt of this request was cut to fit a context of so many tokens, of which `count` were read.
    pub(super) fn look(&self, model: &str, request: &TurnRequest, count: Option<u64>, context: u64) -> Option<Cut> {
        let (size, messages) = (size(request), request.messages.len());
        let bytes = size as f64;
        let key = (request.run.clone(), request.agent.clone(), model.to_owned());
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Fewer messages, or as many: another conversation.
        let before = last.get(&key).copied().filter(|before| before.messages < messages);
        let density = before.and_then(|before| before.density);
        let first = || count.filter(|_| messages == 1).map(|count| count as f64 / bytes.max(1.0));
        let counted_before = before.and_then(|before| before.counted);
        let counted = count.map(|tokens| Counted { tokens, bytes: size }).or(counted_before);
        last.insert(key, Last { messages, density: density.or_else(first), counted });
        drop(last);

        let read = count?;
        let estimate = density.map_or(bytes / USUAL_BYTES_A_TOKEN, |density| bytes * density);
        let is_short = (read as f64) < LEAST_PART * estimate;
        // Templates leave out earlier thinking once a person says something, and so a prompt may become shorter.
        let is_shorter = !thinks(request) && counted_before.is_some_and(|last| read < last.tokens);
        // One that is always cut to the same length counts the same, however much is added. A count of what was new alone may
        // be the same by chance, and is no larger than that.
        let grown = counted_before.map_or(0, |last| size.saturating_sub(last.bytes));
        let stands_still = counted_before.is_some_and(|last| read == last.tokens)
            && grown >= MUCH
            && read as f64 > grown as f64 / LEAST_BYTES_A_TOKEN;
        let may_be_longer = bytes / LEAST_BYTES_A_TOKEN > context as f64;
        // One that is cut in the middle of a message fills the context to its last token, and leaves no room to answer.
        let is_cut = read == context
            || (estimate > context as f64 && (is_short || is_shorter))
            || (may_be_longer && stands_still);
        let added = if stands_still { (grown as f64 / USUAL_BYTES_A_TOKEN) as u64 } else { 0 };
        is_cut.then_some(Cut { sent: (estimate as u64).max(read + added), read })
    }
}

/// Tokens of a prompt, estimated as where it is to fit.
pub(super) fn estimated(request: &TurnRequest) -> u64 {
    (size(request) as f64 / PLANNED_BYTES_A_TOKEN) as u64
}

/// Bytes of what becomes the prompt: without thinking, which templates leave out in parts.
fn size(request: &TurnRequest) -> usize {
    let system: usize = request.system.iter().map(String::len).sum();
    let of_tool = |tool: &super::super::message::ToolSpec| {
        tool.name.len() + tool.description.len() + tool.input_schema.to_string().len()
    };
    let tools: usize = request.tools.iter().map(of_tool).sum();
    let blocks = request.messages.iter().flat_map(|message| &message.content);
    system + tools + blocks.map(bytes_of).sum::<usize>()
}

fn bytes_of(block: &Block) -> usize {
    let text = |field: &str| block.0[field].as_str().map_or_else(|| block.0[field].to_string().len(), str::len);
    match block.kind() {
        "text" => text("text"),
        "tool_use" => text("name") + text("input"),
        "tool_result" => text("content"),
        _ => 0,
    }
}

fn thinks(request: &TurnRequest) -> bool {
    let of_model = request.messages.iter().filter(|message| message.role == Role::Assistant);
    of_model.flat_map(|message| &message.content).any(|block| block.kind() == "thinking")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::message::Message;
    use super::super::super::turn::Tier;
    use super::*;

    const CONTEXT: u64 = 1000;

    /// A conversation whose messages have so many bytes each.
    fn conversation(bytes: &[usize]) -> TurnRequest {
        TurnRequest {
            run: "r".to_owned(),
            agent: "plan".to_owned(),
            tier: Tier::Fast,
            system: Vec::new(),
            tools: Vec::new(),
            messages: bytes.iter().map(|bytes| Message::user("x".repeat(*bytes))).collect(),
            max_tokens: 100,
        }
    }

    fn look(prompts: &CutPrompts, bytes: &[usize], count: Option<u64>) -> Option<Cut> {
        prompts.look("m", &conversation(bytes), count, CONTEXT)
    }

    #[test]
    fn a_prompt_of_which_much_was_not_read_is_cut() {
        let prompts = CutPrompts::default();
        assert_eq!(look(&prompts, &[8000], Some(900)), Some(Cut { sent: 2000, read: 900 }));
        assert_eq!(look(&prompts, &[8000], Some(1000)).map(|cut| cut.read), Some(1000), "filled to the last token");
        assert_eq!(look(&prompts, &[3000], Some(1000)).map(|cut| cut.read), Some(1000), "of dense text too");
    }

    #[test]
    fn a_prompt_that_shrinks_though_it_grew_is_cut() {
        let prompts = CutPrompts::default();
        // Three bytes a token, as its first prompt has shown.
        assert_eq!(look(&prompts, &[1500], Some(500)), None);
        assert_eq!(look(&prompts, &[1500, 10, 1200], Some(903)), None);
        assert_eq!(look(&prompts, &[1500, 10, 1200, 10, 600], Some(800)), Some(Cut { sent: 1106, read: 800 }));
    }

    #[test]
    fn a_prompt_that_counts_the_same_though_much_was_added_is_cut() {
        let prompts = CutPrompts::default();
        // Dense text, cut to half of the context from the first turn on: by four bytes a token it seems to fit.
        assert_eq!(look(&prompts, &[2500], Some(502)), None);
        assert_eq!(look(&prompts, &[2500, 10, 400], Some(502)), Some(Cut { sent: 604, read: 502 }));
        assert_eq!(look(&prompts, &[2500, 10, 400, 10, 100], Some(502)), None, "hardly anything was added");
        // It also stands still after a turn without a count.
        let prompts = CutPrompts::default();
        assert_eq!(look(&prompts, &[2500], Some(502)), None);
        assert_eq!(look(&prompts, &[2500, 10, 400], None), None);
        assert_eq!(look(&prompts, &[2500, 10, 400, 10, 100], Some(502)).map(|cut| cut.read), Some(502));
    }

    #[test]
    fn a_count_that_stands_still_by_chance_is_no_cut() {
        // Of what was new alone, as some versions count: the same each time.
        let prompts = CutPrompts::default();
        assert_eq!(look(&prompts, &[2500], Some(130)), None);
        assert_eq!(look(&prompts, &[2500, 10, 400], Some(130)), None);
        assert_eq!(look(&prompts, &[2500, 10, 400, 10, 400], Some(130)), None);
        // Of a conversation that fits, however dense it is.
        let prompts = CutPrompts::default();
        assert_eq!(look(&prompts, &[1000], Some(300)), None);
        assert_eq!(look(&prompts, &[1000, 10, 400], Some(300)), None);
    }

    #[test]
    fn a_whole_prompt_is_not_called_cut() {
        let prompts = CutPrompts::default();
        // Text of few tokens: six bytes each.
        assert_eq!(look(&prompts, &[5000], Some(833)), None);
        assert_eq!(look(&prompts, &[5000, 10, 600], Some(935)), None);
        // Of which the cache held most, as some versions count; and all of it, so that there is no count.
        let prompts = CutPrompts::default();
        assert_eq!(look(&prompts, &[3000], Some(750)), None);
        assert_eq!(look(&prompts, &[3000, 10, 400], Some(100)), None);
        assert_eq!(look(&prompts, &[3000, 10, 400, 10, 400], None), None);
        assert_eq!(look(&prompts, &[8000], None), None);
        // Another conversation of the same agent, or of another.
        let prompts = CutPrompts::default();
        assert_eq!(look(&prompts, &[1000, 1000, 1700], Some(900)), None);
        assert_eq!(look(&prompts, &[1000], Some(250)), None);
    }

    #[test]
    fn a_first_prompt_that_was_read_from_the_cache_says_nothing_of_the_next() {
        let prompts = CutPrompts::default();
        assert_eq!(look(&prompts, &[3000], Some(3)), None);
        assert_eq!(look(&prompts, &[3000, 10, 1200], Some(2)), None);
    }

    #[test]
    fn thinking_that_a_template_leaves_out_makes_no_prompt_look_cut() {
        let prompts = CutPrompts::default();
        let thought = |bytes: usize| Message {
            role: Role::Assistant,
            content: vec![Block(json!({ "type": "thinking", "thinking": "x".repeat(bytes) }))],
        };
        let mut request = conversation(&[2900]);
        assert_eq!(prompts.look("m", &request, Some(950), CONTEXT), None);
        request.messages.extend([thought(3000), Message::user("x".repeat(200))]);
        assert_eq!(prompts.look("m", &request, Some(980), CONTEXT), None);
        request.messages.extend([thought(3000), Message::user("and?")]);
        assert_eq!(prompts.look("m", &request, Some(920), CONTEXT), None);
    }
}
