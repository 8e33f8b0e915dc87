use std::collections::HashMap;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OnceCell, Semaphore};

use crate::config::Check;
use crate::workspace::{Sandbox, TreeState, ViewEdit};

/// What the checks of a run share.
#[derive(Debug)]
pub(crate) struct CheckState {
    /// Where they run, once that was looked for.
    pub(crate) sandbox: OnceCell<Sandbox>,
    /// A slot for each check that may be at work, given in the order of asking.
    pub(crate) slots: Arc<Semaphore>,
    /// How many were begun.
    pub(crate) begun: AtomicU32,
    /// By the name of a check, the last try, if it passed and left the files as they were.
    pub(crate) passed: Mutex<HashMap<String, PassedTry>>,
}

/// A check that passed on the edits of a task.
#[derive(Debug)]
pub(crate) struct PassedTry {
    /// With its settings then.
    pub(crate) check: Check,
    /// The edits.
    pub(crate) edits: Vec<ViewEdit>,
    /// All other files then.
    pub(crate) tree: TreeState,
    /// How long it ran.
    pub(crate) elapsed: Duration,
    /// The beginning and the end of what it printed.
    pub(crate) output: String,
    /// Its log, by its path from the memory folder.
    pub(crate) log: String,
}

impl Default for CheckState {
    fn default() -> Self {
        // A check is a build or a test, which takes several cores by itself.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let slots = Arc::new(Semaphore::new((cores / 4).max(1)));
        Self { sandbox: OnceCell::new(), slots, begun: AtomicU32::new(0), passed: Mutex::default() }
    }
}
