//! A part of a budget that is spent elsewhere: it is set aside before, so that all parts together cannot overspend.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::budget::{Budget, Limits, State};
use super::error::AgentError;
use super::shortage::Refused;
use crate::contracts::Usage;
use crate::text::cost;

/// Less than so many dollars, or tokens, is nothing that a turn could be asked for.
const LEAST: (f64, u64) = (0.001, 3_000);

/// What one conversation elsewhere may spend. What is left of it is given back when it is dropped.
pub struct Slice<'a> {
    budget: &'a Budget,
    /// What is set aside and not spent; `None` where tokens have no limit.
    left: Mutex<(f64, Option<u64>)>,
}

impl Budget {
    /// Sets a part aside: of what is left, one of so many parts. Waits for others to settle while nothing is.
    ///
    /// # Errors
    /// [`AgentError::Budget`] when nothing is left, and nothing is under way that could give something back.
    pub async fn slice(&self, parts: usize) -> Result<Slice<'_>, AgentError> {
        self.slice_above(parts, None).await
    }

    /// The same, larger than one that was not enough: all that is left.
    ///
    /// # Errors
    /// [`AgentError::Budget`] when nothing more is left, and nothing is under way that could give something back.
    pub async fn larger_slice(&self, slice: Slice<'_>, agent: &str) -> Result<Slice<'_>, AgentError> {
        let had = slice.limits();
        drop(slice);
        self.slice_above(1, Some((had, agent))).await
    }

    async fn slice_above(&self, parts: usize, above: Option<(Limits, &str)>) -> Result<Slice<'_>, AgentError> {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            // Registered before the state is looked at, so that no settling in between is missed.
            settled.as_mut().enable();
            {
                let mut state = self.state();
                let left = self.left(&state);
                let is_more = match above {
                    None => left.usd >= LEAST.0.min(self.limits.usd) && left.tokens.is_none_or(|left| left >= LEAST.1),
                    Some((before, _)) => {
                        left.usd > before.usd * 1.05
                            || left.tokens.zip(before.tokens).is_some_and(|(now, then)| now > then)
                    }
                };
                if is_more {
                    let parts = parts.max(1);
                    let size = Limits {
                        usd: left.usd / parts as f64,
                        tokens: left.tokens.map(|tokens| tokens / parts as u64),
                    };
                    state.reserved_usd += size.usd;
                    state.reserved_tokens += size.tokens.unwrap_or(0);
                    state.turns_under_way += 1;
                    return Ok(Slice { budget: self, left: Mutex::new((size.usd, size.tokens)) });
                }
                if state.turns_under_way == 0 {
                    let agent = above.map(|(_, agent)| agent.to_owned());
                    return Err(AgentError::Budget(self.shortage(&state, Refused::Slice { agent })));
                }
            }
            settled.await;
        }
    }

    /// What is neither spent nor set aside.
    fn left(&self, state: &State) -> Limits {
        let tokens = |limit: u64| limit.saturating_sub(state.tokens() + state.reserved_tokens);
        Limits {
            usd: (self.limits.usd - state.priced_usd - state.reserved_usd).max(0.0),
            tokens: self.limits.tokens.map(tokens),
        }
    }

    pub(super) fn too_small(&self, state: &State, agent: Option<&str>) -> String {
        let used = format!("{} of {} used", cost(state.priced_usd), cost(self.limits.usd));
        let tokens =
            self.limits.tokens.map(|limit| format!(", {} of {limit} tokens", state.tokens())).unwrap_or_default();
        let next = agent.map_or_else(|| "a turn".to_owned(), |agent| format!("the next turn of the {agent} agent"));
        format!("too small: {used}{tokens}, and too little is left for {next}. Raise budget_usd or budget_tokens")
    }
}

impl Slice<'_> {
    /// What may be spent of it.
    pub fn limits(&self) -> Limits {
        let (usd, tokens) = *self.state();
        Limits { usd, tokens }
    }

    /// A turn was answered elsewhere, and used this.
    pub fn charge_turn(&self, usage: Usage) {
        self.budget.charge_turn(usage);
        self.spend(usage);
    }

    /// A turn failed elsewhere, and used this.
    pub fn charge(&self, usage: Usage) {
        self.budget.charge(usage);
        self.spend(usage);
    }

    /// Part of what was set aside was charged: it is held no more. Not before that, so that nobody is given it in between.
    fn spend(&self, usage: Usage) {
        let mut left = self.state();
        let usd = usage.known_usd().min(left.0);
        let tokens = left.1.map_or(0, |left| usage.total_tokens().min(left));
        left.0 -= usd;
        left.1 = left.1.map(|left| left - tokens);
        let mut state = self.budget.state();
        state.reserved_usd -= usd;
        state.reserved_tokens -= tokens;
    }

    fn state(&self) -> MutexGuard<'_, (f64, Option<u64>)> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slice<'_> {
    fn drop(&mut self) {
        let (usd, tokens) = *self.state();
        let mut state = self.budget.state();
        state.reserved_usd -= usd;
        state.reserved_tokens -= tokens.unwrap_or(0);
        state.turns_under_way -= 1;
        drop(state);
        self.budget.settled.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn budget(usd: f64, tokens: Option<u64>) -> Budget {
        Budget::new(Limits { usd, tokens }, &[], Arc::default())
    }

    fn used(usd: f64, tokens: u64) -> Usage {
        Usage { input_tokens: tokens, cost_usd: Some(usd), ..Usage::default() }
    }

    #[tokio::test]
    async fn slices_together_are_never_more_than_the_budget() {
        let budget = budget(4.0, Some(40_000));
        let slices = [budget.slice(4).await.unwrap(), budget.slice(3).await.unwrap(), budget.slice(2).await.unwrap()];
        let (mut usd, mut tokens) = (0.0, 0);
        for slice in &slices {
            usd += slice.limits().usd;
            tokens += slice.limits().tokens.unwrap();
        }
        assert!((usd - 3.0).abs() < 1e-9 && tokens == 30_000, "{usd} {tokens}");
        slices[0].charge_turn(used(0.5, 5_000));
        assert_eq!(slices[0].limits(), Limits { usd: 0.5, tokens: Some(5_000) });
        let last = budget.slice(1).await.unwrap();
        assert!((last.limits().usd - 1.0).abs() < 1e-9, "what is spent is not given out again");
        drop(slices);
        drop(last);
        assert!((budget.slice(1).await.unwrap().limits().usd - 3.5).abs() < 1e-9);
    }

    #[tokio::test]
    async fn a_slice_that_was_too_small_grows_once_others_give_back_and_else_the_budget_is_too_small() {
        let budget = budget(4.0, None);
        let (small, other) = (budget.slice(4).await.unwrap(), budget.slice(1).await.unwrap());
        let larger = budget.larger_slice(small, "plan");
        tokio::pin!(larger);
        drop(other);
        let larger = larger.await.unwrap();
        assert!((larger.limits().usd - 4.0).abs() < 1e-9);
        larger.charge_turn(used(3.9, 10));
        let error = budget.larger_slice(larger, "plan").await.err().unwrap().to_string();
        assert!(
            error.contains("$3.90 of $4.00 used, and too little is left for the next turn of the plan agent"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_slice_that_is_all_but_spent_grows_by_less_than_it_was() {
        let budget = budget(4.0, None);
        let (large, other) = (budget.slice(2).await.unwrap(), budget.slice(1).await.unwrap());
        large.charge_turn(used(1.9, 10));
        other.charge_turn(used(0.5, 10));
        drop(other);
        let larger = budget.larger_slice(large, "plan").await.unwrap();
        assert!((larger.limits().usd - 1.6).abs() < 1e-9, "{:?}", larger.limits());
    }

    #[tokio::test]
    async fn nothing_is_set_aside_of_a_spent_budget() {
        let budget = budget(1.0, None);
        budget.charge_turn(used(1.0, 10));
        assert!(matches!(budget.slice(1).await, Err(AgentError::Budget(_))));
    }
}
