//! Cancellation and time limits of long computations.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Checked between pieces of work: whether it was cancelled or the time is up. Clones are stopped together.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    stopped: Arc<AtomicBool>,
    deadline: Option<(Instant, Duration)>,
}

/// Why work stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// It was cancelled.
    #[error("stopped")]
    Stopped,
    /// The time limit was exceeded.
    #[error("it took longer than {} s and was stopped; nothing was changed, ask for less at once", .0.as_secs())]
    TimedOut(Duration),
}

impl Interrupt {
    /// Never interrupts by itself.
    pub fn never() -> Self {
        Self::default()
    }

    /// Interrupts after this time.
    pub fn after(time: Duration) -> Self {
        Self { stopped: Arc::default(), deadline: Instant::now().checked_add(time).map(|at| (at, time)) }
    }

    /// Cancels the work of all clones.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Checks whether to continue. Cheap but not free: call it every few thousand lines.
    ///
    /// # Errors
    /// When the work has to stop.
    pub fn check(&self) -> Result<(), Interrupted> {
        if self.stopped.load(Ordering::Relaxed) {
            return Err(Interrupted::Stopped);
        }
        match self.deadline {
            Some((at, time)) if Instant::now() >= at => Err(Interrupted::TimedOut(time)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interrupts_on_request_or_when_the_time_is_over() {
        let interrupt = Interrupt::after(Duration::from_secs(3600));
        assert_eq!(interrupt.check(), Ok(()));
        interrupt.clone().stop();
        assert_eq!(interrupt.check(), Err(Interrupted::Stopped));
        assert_eq!(Interrupt::after(Duration::ZERO).check(), Err(Interrupted::TimedOut(Duration::ZERO)));
        assert_eq!(Interrupt::after(Duration::MAX).check(), Ok(()));
    }
}
