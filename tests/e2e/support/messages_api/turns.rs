//! How often each turn was asked for and answered: an answer that was sent to its end is paid.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Instant;

use serde_json::json;

use super::script::Piece;
use super::{MessagesApi, Reply, RequestName};

/// An answer that was sent to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// Of the request, among all.
    pub(super) number: usize,
    pub(super) at: Instant,
}

/// One request for a turn.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its place among all requests that the server got.
    pub number: usize,
    /// When it came.
    pub at: Instant,
    /// When its answer was sent to the end; `None` when it was not.
    pub answered: Option<Instant>,
    /// The same for two requests with the same body.
    pub body: u64,
}

/// A turn of one of an agent's conversations, with every request for it, oldest first.
#[derive(Debug, Clone)]
pub struct AskedTurn {
    pub name: RequestName,
    pub asked: Vec<Asked>,
}

impl AskedTurn {
    /// The requests for it that were answered, each of which is paid.
    pub fn paid(&self) -> usize {
        self.asked.iter().filter(|asked| asked.answered.is_some()).count()
    }

    /// The answers to requests with a body that was answered before.
    pub fn paid_again_with_the_same_body(&self) -> usize {
        let mut bodies: BTreeMap<u64, usize> = BTreeMap::new();
        for asked in self.asked.iter().filter(|asked| asked.answered.is_some()) {
            *bodies.entry(asked.body).or_default() += 1;
        }
        bodies.values().map(|paid| paid - 1).sum()
    }
}

impl MessagesApi {
    /// Every turn that was asked for, by agent, conversation and turn.
    pub fn turns(&self) -> Vec<AskedTurn> {
        let seen = self.shared.seen();
        let answered: BTreeMap<usize, Instant> =
            seen.answered.iter().map(|answer| (answer.number, answer.at)).collect();
        let mut turns: BTreeMap<RequestName, Vec<Asked>> = BTreeMap::new();
        for request in &seen.requests {
            let mut hasher = DefaultHasher::new();
            request.body.to_string().hash(&mut hasher);
            let asked = Asked {
                number: request.number,
                at: request.at,
                answered: answered.get(&request.number).copied(),
                body: hasher.finish(),
            };
            turns.entry(request.name()).or_default().push(asked);
        }
        turns.into_iter().map(|(name, asked)| AskedTurn { name, asked }).collect()
    }

    /// How many requests have come, refused ones included.
    pub fn requested(&self) -> usize {
        self.shared.seen().requests.len()
    }

    /// How many answers were sent to their end.
    pub fn answered(&self) -> usize {
        self.shared.seen().answered.len()
    }
}

impl Reply {
    /// Its tool calls have this id: the first as it is, others with their place behind it.
    pub fn ids(mut self, id: &str) -> Self {
        let mut count = 0;
        for piece in &mut self.pieces {
            if let Piece::Block(block) = piece
                && block["type"] == "tool_use"
            {
                block["id"] = if count == 0 { json!(id) } else { json!(format!("{id}x{count}")) };
                count += 1;
            }
        }
        self
    }
}
