//! The turn that a worker is at, as the throttle counts it.

use tokio::task::JoinHandle;

use crate::models::Slot;

/// The turn that the worker is at.
#[derive(Default)]
pub(super) struct TurnAtWork {
    /// Its number among those that the worker asked for.
    pub(super) number: u64,
    /// A line of the log behind this entry answers it.
    pub(super) behind: u64,
    /// The right to have it under way.
    pub(super) slot: Option<Slot>,
    /// Waits for that.
    pub(super) entering: Option<JoinHandle<Option<Slot>>>,
    /// Whether the person was told that it waits.
    pub(super) is_held_back: bool,
}

impl TurnAtWork {
    /// Waits for the right to have the turn under way; for ever where nobody waits for it.
    pub(super) async fn entered(&mut self) -> Option<Slot> {
        match &mut self.entering {
            Some(entering) => entering.await.unwrap_or_default(),
            None => std::future::pending().await,
        }
    }
}
