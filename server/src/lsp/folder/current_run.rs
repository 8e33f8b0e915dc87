//! The handle of the active run: enough to name it, cancel it and wait for its end.

use tokio_util::sync::CancellationToken;

/// The active run.
#[derive(Clone)]
pub(crate) struct CurrentRun {
    /// Its id.
    pub(crate) run: String,
    /// Cancels it.
    pub(crate) cancel: CancellationToken,
    /// Fired when the run has ended and its end was reported.
    pub(crate) over: CancellationToken,
}
