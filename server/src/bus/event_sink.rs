//! A place where events are sent, whatever is there.

use std::time::Duration;

use async_trait::async_trait;

/// An event on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// `run:seq`: the same however often it is sent.
    pub id: String,
    /// The id of its workflow; empty where that is not known.
    pub workflow: String,
    /// What it is about.
    pub phase: String,
    /// What happened.
    pub status: String,
    /// The event as one line of JSON.
    pub json: String,
}

/// Why events were not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkFault {
    /// They may be taken later.
    Later {
        /// What happened, for people; without an address.
        why: String,
        /// How long the sink wants to be left alone, where it says so.
        wait: Option<Duration>,
        /// Whether something is there that answers.
        answers: bool,
    },
    /// They are not taken, however often they are sent: an address or a credential is wrong, say.
    Refused {
        /// What happened, for people; without an address.
        why: String,
    },
}

impl SinkFault {
    /// That nothing is there that answers, for now.
    pub(super) fn later(why: impl Into<String>) -> Self {
        Self::Later { why: why.into(), wait: None, answers: false }
    }

    /// What happened, for people.
    pub fn why(&self) -> &str {
        match self {
            Self::Later { why, .. } | Self::Refused { why } => why,
        }
    }
}

/// A place where events are sent.
#[async_trait]
pub trait EventSink: Send {
    /// How many events it takes at once, at most.
    fn most(&self) -> usize;

    /// Sends events, which it takes all or not at all. A sink that fails may have taken them nonetheless: they come again, with the
    /// same ids. May be dropped at any point.
    ///
    /// # Errors
    /// When they are not known to be taken.
    async fn send(&mut self, events: &[Outgoing]) -> Result<(), SinkFault>;

    /// Looks whether it answers, without sending an event. Answers what was found, in a few words.
    ///
    /// # Errors
    /// When it does not answer, or refuses.
    async fn probe(&mut self) -> Result<String, SinkFault>;
}
