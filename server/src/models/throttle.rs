//! One throttle a provider: when the provider says it is overloaded, every task slows down, and none fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Limits how many requests are under way at once.
///
/// It starts wide open. An overload (429, 529) halves what is really under way; then each time as many requests
/// succeeded as are allowed, one more is. Requests that were already under way at an overload belong to the same
/// wave: their own overloads do not halve again.
#[derive(Debug)]
pub struct Throttle {
    slots: Arc<Semaphore>,
    widest: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests allowed at once.
    limit: usize,
    /// Slots that must still vanish, as requests over the limit end.
    owed: usize,
    under_way: usize,
    /// Counts the halvings.
    wave: u64,
    /// Since the limit last changed.
    successes: usize,
}

/// The right to have one request under way; given back when dropped.
#[derive(Debug)]
pub struct Slot {
    throttle: Arc<Throttle>,
    permit: Option<OwnedSemaphorePermit>,
    wave: u64,
}

impl Throttle {
    /// At most this many requests at once, and at least one.
    pub fn new(widest: usize) -> Arc<Self> {
        let widest = widest.clamp(1, Semaphore::MAX_PERMITS);
        Arc::new(Self {
            slots: Arc::new(Semaphore::new(widest)),
            widest,
            state: Mutex::new(State { limit: widest, owed: 0, under_way: 0, wave: 0, successes: 0 }),
        })
    }

    /// Wait for a slot, first come, first served. `None` when cancelled; `held_back` is called if there is a wait.
    pub async fn enter(self: &Arc<Self>, cancel: &CancellationToken, held_back: impl FnOnce()) -> Option<Slot> {
        if cancel.is_cancelled() {
            return None;
        }
        let permit = match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                held_back();
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => return None,
                    // The semaphore is never closed.
                    permit = Arc::clone(&self.slots).acquire_owned() => permit.ok()?,
                }
            }
        };
        let mut state = self.state();
        state.under_way += 1;
        Some(Slot { throttle: Arc::clone(self), permit: Some(permit), wave: state.wave })
    }

    /// How many requests may be under way at once now.
    pub fn limit(&self) -> usize {
        self.state().limit
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code can panic while it holds the lock in a half-done state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// The request got its answer.
    pub fn succeeded(self) {
        let throttle = &self.throttle;
        let mut state = throttle.state();
        if state.wave != self.wave || state.limit == throttle.widest {
            return;
        }
        state.successes += 1;
        if state.successes >= state.limit {
            state.successes = 0;
            state.limit += 1;
            match state.owed.checked_sub(1) {
                Some(owed) => state.owed = owed,
                None => throttle.slots.add_permits(1),
            }
        }
    }

    /// The provider said it is overloaded.
    pub fn overloaded(self) {
        let throttle = &self.throttle;
        let mut state = throttle.state();
        if state.wave != self.wave {
            return;
        }
        let narrower = (state.limit.min(state.under_way) / 2).max(1);
        let excess = state.limit - narrower;
        let idle = throttle.slots.forget_permits(excess);
        state.limit = narrower;
        state.owed += excess - idle;
        state.wave += 1;
        state.successes = 0;
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.throttle.state();
        state.under_way -= 1;
        if let Some(owed) = state.owed.checked_sub(1) {
            state.owed = owed;
            if let Some(permit) = self.permit.take() {
                permit.forget();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn enter(throttle: &Arc<Throttle>) -> Slot {
        throttle.enter(&CancellationToken::new(), || ()).await.expect("not cancelled")
    }

    async fn enter_all(throttle: &Arc<Throttle>, n: usize) -> Vec<Slot> {
        let mut slots = Vec::new();
        for _ in 0..n {
            slots.push(enter(throttle).await);
        }
        slots
    }

    fn is_full(throttle: &Arc<Throttle>) -> bool {
        throttle.slots.available_permits() == 0
    }

    #[tokio::test]
    async fn an_overload_halves_what_is_under_way_not_the_width() {
        let throttle = Throttle::new(64);
        let mut slots = enter_all(&throttle, 8).await;
        slots.pop().expect("a slot").overloaded();
        assert_eq!(throttle.limit(), 4);
        assert!(is_full(&throttle), "seven are under way, four are allowed");
        slots.truncate(4);
        assert!(is_full(&throttle), "the four that are allowed are under way");
        slots.truncate(3);
        assert!(!is_full(&throttle));
    }

    #[tokio::test]
    async fn a_burst_of_overloads_from_one_wave_counts_once() {
        let throttle = Throttle::new(64);
        for slot in enter_all(&throttle, 16).await {
            slot.overloaded();
        }
        assert_eq!(throttle.limit(), 8);
        for slot in enter_all(&throttle, 8).await {
            slot.overloaded();
        }
        assert_eq!(throttle.limit(), 4);
    }

    #[tokio::test]
    async fn it_never_closes_and_grows_back_to_its_width() {
        let throttle = Throttle::new(3);
        for _ in 0..5 {
            enter(&throttle).await.overloaded();
        }
        assert_eq!(throttle.limit(), 1);
        enter(&throttle).await.succeeded();
        assert_eq!(throttle.limit(), 2);
        for _ in 0..10 {
            enter(&throttle).await.succeeded();
        }
        assert_eq!(throttle.limit(), 3);
        let slots = enter_all(&throttle, 3).await;
        assert!(is_full(&throttle));
        drop(slots);
        assert_eq!(throttle.slots.available_permits(), 3);
    }

    #[tokio::test]
    async fn growing_pays_off_slots_that_were_still_owed() {
        let throttle = Throttle::new(4);
        let mut slots = enter_all(&throttle, 4).await;
        slots.pop().expect("a slot").overloaded();
        // Limit 2, three under way: one slot is owed. Successes of the old wave do not widen.
        slots.pop().expect("a slot").succeeded();
        assert_eq!(throttle.limit(), 2);
        slots.clear();
        assert_eq!(throttle.slots.available_permits(), 2);
    }

    #[tokio::test]
    async fn a_turn_held_back_is_reported_and_continues_when_a_slot_is_free() {
        let throttle = Throttle::new(1);
        let first = enter(&throttle).await;
        let (told, hears) = tokio::sync::oneshot::channel();
        let waiting = tokio::spawn({
            let throttle = Arc::clone(&throttle);
            async move { throttle.enter(&CancellationToken::new(), || told.send(()).expect("it is heard")).await.is_some() }
        });
        hears.await.expect("it waits");
        drop(first);
        assert!(waiting.await.expect("no panic"));
    }

    #[tokio::test]
    async fn a_cancelled_turn_does_not_wait_and_loses_no_slot() {
        let throttle = Throttle::new(1);
        let first = enter(&throttle).await;
        let cancel = CancellationToken::new();
        let (told, hears) = tokio::sync::oneshot::channel();
        let waiting = tokio::spawn({
            let (throttle, cancel) = (Arc::clone(&throttle), cancel.clone());
            async move { throttle.enter(&cancel, || told.send(()).expect("it is heard")).await.is_none() }
        });
        hears.await.expect("it waits");
        cancel.cancel();
        assert!(waiting.await.expect("no panic"));
        drop(first);
        assert_eq!(throttle.slots.available_permits(), 1);
        assert!(throttle.enter(&cancel, || ()).await.is_none());
    }
}
