//! Times in a log.

use std::time::Duration;

use jiff::Timestamp;

use crate::text;

/// When a run began: times in its log count from there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock(pub(super) Timestamp);

impl Clock {
    /// `1 m 12 s`; none when the clock was set back.
    pub(super) fn since(self, at: Timestamp) -> String {
        text::whole_seconds(Duration::try_from(at.duration_since(self.0)).unwrap_or_default())
    }
}
