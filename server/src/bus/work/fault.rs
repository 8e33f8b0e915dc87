//! Why a broker did not do what it was asked.

/// Why a broker did not do what it was asked. What is said holds no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerFault {
    /// Nobody answers, for now.
    #[error("the broker cannot be reached: {why}")]
    Unreachable {
        /// What happened, for people.
        why: String,
    },
    /// It refuses, however often it is asked: credentials or permissions are missing, or JetStream is off.
    #[error("the broker refuses: {why}")]
    Refused {
        /// What happened, for people.
        why: String,
    },
    /// A stream, a bucket or an object is gone, or was made anew.
    #[error("the broker no longer has {what}")]
    Lost {
        /// What is gone.
        what: String,
    },
    /// It is larger than what is sent or taken.
    #[error("{what} is too large for the broker")]
    TooLarge {
        /// What is too large.
        what: String,
    },
    /// It is not sealed with the key, or not what it was sealed as.
    #[error("{what} is not sealed with the key of this bus: check that all have the same key")]
    Unsealed {
        /// What is not sealed.
        what: String,
    },
    /// Anything else.
    #[error("the broker failed: {why}")]
    Other {
        /// What happened, for people.
        why: String,
    },
}

impl BrokerFault {
    /// Whether the same may succeed later: at once, or after [`Broker::prepare`](super::Broker::prepare) where something is lost.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost { .. } | Self::Other { .. } => true,
            Self::Refused { .. } | Self::TooLarge { .. } | Self::Unsealed { .. } => false,
        }
    }

    pub(super) fn lost(what: &str) -> Self {
        Self::Lost { what: what.to_owned() }
    }

    pub(super) fn unreachable(why: impl Into<String>) -> Self {
        Self::Unreachable { why: why.into() }
    }

    pub(super) fn other(why: impl Into<String>) -> Self {
        Self::Other { why: why.into() }
    }
}
