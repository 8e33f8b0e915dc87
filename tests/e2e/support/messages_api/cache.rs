//! The prompt cache, simulated: what a request finds in it, and what it leaves there.
//!
//! A prefix is in the cache from the first byte of the answer to a request that marked its end. A request reads the
//! longest such prefix that ends at one of its marks or at most 20 blocks before one. Tokens are characters by four.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::script::messages;

#[derive(Debug, Default)]
pub(super) struct PromptCache {
    warm: HashSet<u64>,
}

/// What one request found.
pub(super) struct Read {
    pub(super) usage: Value,
    marked: Vec<u64>,
}

/// How far before a mark an earlier entry is found.
const LOOK_BACK: usize = 20;

/// The prompt up to the end of a block.
struct Prefix {
    hash: u64,
    characters: usize,
    is_marked: bool,
}

impl PromptCache {
    pub(super) fn read(&self, body: &Value) -> Read {
        let prefixes = prefixes(body);
        let marks: Vec<usize> = (0..prefixes.len()).filter(|n| prefixes[*n].is_marked).collect();
        let found = marks
            .iter()
            .flat_map(|mark| mark.saturating_sub(LOOK_BACK)..=*mark)
            .filter(|n| self.warm.contains(&prefixes[*n].hash))
            .map(|n| prefixes[n].characters)
            .max()
            .unwrap_or(0);
        let last_mark = marks.last().map_or(0, |n| prefixes[*n].characters);
        let whole = prefixes.last().map_or(0, |prefix| prefix.characters);
        let usage = json!({
            "input_tokens": (whole - last_mark.max(found)) / 4,
            "cache_creation_input_tokens": last_mark.saturating_sub(found) / 4,
            "cache_read_input_tokens": found / 4,
        });
        Read { usage, marked: marks.into_iter().map(|n| prefixes[n].hash).collect() }
    }

    /// The first byte of the answer is sent.
    pub(super) fn warm(&mut self, read: &Read) {
        self.warm.extend(&read.marked);
    }
}

/// Tools, then the system prompt, then the messages: the order in which the API caches.
fn prefixes(body: &Value) -> Vec<Prefix> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut blocks = list(&body["tools"]);
    blocks.extend(list(&body["system"]));
    for message in messages(body) {
        blocks.push(json!(format!("role {}", message["role"])));
        blocks.extend(list(&message["content"]));
    }
    let mut hasher = DefaultHasher::new();
    body["model"].to_string().hash(&mut hasher);
    let mut characters = 0;
    let extend = |mut block: Value| {
        let is_marked = block.as_object_mut().is_some_and(|block| block.remove("cache_control").is_some());
        let text = block.to_string();
        characters += text.chars().count();
        text.hash(&mut hasher);
        Prefix { hash: hasher.finish(), characters, is_marked }
    };
    blocks.into_iter().map(extend).collect()
}
