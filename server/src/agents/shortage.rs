//! What a budget has no room for.

use std::fmt;

use crate::contracts::Usage;
use crate::models::Price;

/// What a budget has no room for, and why.
#[derive(Debug, Clone)]
pub struct Shortage {
    /// Behind "the budget is", with the setting to raise at its end.
    pub(super) reason: String,
    /// What was refused, where the reason tells what was used by then.
    pub(super) refused: Option<Box<Refused>>,
}

/// What there was no room for.
#[derive(Debug, Clone)]
pub(super) enum Refused {
    /// A turn of a model with this price, whose prompt has so many tokens, about.
    Turn { price: Price, prompt: u64 },
    /// One more attempt of a turn of such a model, of which the attempts so far have used so much that is not charged yet.
    Attempt { price: Price, lost: Usage },
    /// A part to be spent elsewhere, by this agent where it is told.
    Slice { agent: Option<String> },
}

impl Shortage {
    /// Of a reason that tells no sum of what was used, or one that is known only elsewhere.
    pub(super) fn other(reason: String) -> Self {
        Self { reason, refused: None }
    }

    pub(super) fn into_reason(self) -> String {
        self.reason
    }
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}
