//! Counts the requests that a scripted server is answering at once.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many requests are being answered, and the most there were.
#[derive(Default)]
pub struct Requests {
    now: AtomicUsize,
    most: AtomicUsize,
}

/// A request that is being answered. It ends before the last bytes of its answer are sent: the client that has got them may
/// already have sent the next.
pub struct UnderWay<'a> {
    requests: &'a Requests,
    /// How many there were with this one as it began.
    pub at_once: usize,
    ended: bool,
}

impl Requests {
    /// One more begins.
    pub fn begin(&self) -> UnderWay<'_> {
        let at_once = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(at_once, Ordering::SeqCst);
        UnderWay { requests: self, at_once, ended: false }
    }

    /// The most there were at once so far.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

impl UnderWay<'_> {
    /// It ends; a second time changes nothing.
    pub fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.requests.now.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
