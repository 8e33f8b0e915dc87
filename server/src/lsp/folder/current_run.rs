//! The run at work in a folder, as those see it who did not start it.

use tokio_util::sync::CancellationToken;

/// The run at work.
#[derive(Clone)]
pub(crate) struct CurrentRun {
    /// Its id.
    pub(crate) run: String,
    /// Stops it.
    pub(crate) cancel: CancellationToken,
    /// Fired when everything about the run was said.
    pub(crate) over: CancellationToken,
}
