//! A task that waits gives its place to others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::mpsc;

/// What running tasks report to the phase.
pub(super) enum TaskNews {
    /// The prompt shared by all tasks of this model is in its cache.
    CacheOpened(String),
    /// A task waits for a person to save a file, or for a check: its place is free.
    Waits,
}

/// A task that waits, until this is dropped.
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// Count the task, and let the phase know that its place is free.
    pub(super) fn begin(waiting: &Arc<AtomicUsize>, news: &mpsc::UnboundedSender<TaskNews>) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        // The phase may have ended already; then nobody wants the place.
        drop(news.send(TaskNews::Waits));
        Self(waiting.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
