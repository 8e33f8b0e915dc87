use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use tokio::sync::{OnceCell, Semaphore};

use crate::workspace::Sandbox;

/// What the checks of a run share.
#[derive(Debug)]
pub(crate) struct CheckState {
    /// Where they run, once that was looked for.
    pub(crate) sandbox: OnceCell<Sandbox>,
    /// A slot for each check that may be at work, given in the order of asking.
    pub(crate) slots: Arc<Semaphore>,
    /// How many were begun.
    pub(crate) begun: AtomicU32,
}

impl Default for CheckState {
    fn default() -> Self {
        // A check is a build or a test, which takes several cores by itself.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let slots = Arc::new(Semaphore::new((cores / 4).max(1)));
        Self { sandbox: OnceCell::new(), slots, begun: AtomicU32::new(0) }
    }
}
