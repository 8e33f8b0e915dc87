//! The gate: what it shows, how it asks, and how it is answered.

pub(crate) mod answer;
pub(crate) mod ask;
pub(crate) mod content;
pub(crate) mod watch;
