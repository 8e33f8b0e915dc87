use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::error::AgentError;
use super::shortage::{Refused, Shortage};
use crate::contracts::Usage;
use crate::models::{Catalog, Price};
use crate::text::cost;

/// Least output a turn is sent with; a turn that affords less would be cut and wasted.
const LEAST_OUTPUT: u32 = 2048;

/// What a workflow may use.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// US dollars, for models with a price.
    pub usd: f64,
    /// Tokens, for all models.
    pub tokens: Option<u64>,
}

/// What the workflow has used, held against its limits before every turn.
///
/// A turn is admitted only if its worst case fits: the prompt at its dearest and an answer of full length. Turns
/// under way count with their worst case until they are settled, so that parallel tasks cannot overspend together.
///
/// Dollars are held against what turns with a known price cost: one model without a price beside them makes the
/// workflow's sum unknown, and lifts no limit.
pub struct Budget {
    pub(super) limits: Limits,
    /// What models cost.
    catalog: Arc<Catalog>,
    state: Mutex<State>,
    pub(super) settled: Notify,
}

pub(super) struct State {
    /// What this run used.
    run: Usage,
    /// What the workflow's earlier runs used.
    before: Usage,
    /// The turns that this run and the earlier ones took.
    turns: (u64, u64),
    /// What all turns with a known price cost, earlier runs included.
    pub(super) priced_usd: f64,
    pub(super) reserved_usd: f64,
    pub(super) reserved_tokens: u64,
    pub(super) turns_under_way: usize,
}

/// Room for one turn. Given back when it is dropped.
pub struct Reservation<'a> {
    budget: &'a Budget,
    /// What one attempt may cost at most.
    usd: f64,
    /// Tokens that one attempt may use at most.
    tokens: u64,
    /// What the model costs.
    price: Price,
    /// What lost attempts of the turn have used, and stays used.
    lost: Mutex<Lost>,
    /// Most tokens the answer may have.
    pub max_tokens: u32,
    /// Whether these are fewer than were asked for, and others held room that they may give back.
    pub is_shortened_by_others: bool,
}

#[derive(Debug, Default)]
struct Lost {
    usd: f64,
    tokens: u64,
}

impl Budget {
    /// A budget of which the turns of the workflow's earlier runs used so much each, lost ones included; the prices of the turns
    /// to come are the catalog's.
    pub fn new(limits: Limits, earlier: &[Usage], catalog: Arc<Catalog>) -> Self {
        let state = State {
            run: Usage::default(),
            before: earlier.iter().copied().sum(),
            turns: (0, 0),
            // The sum of nothing is -0.0, which would be shown as $-0.00.
            priced_usd: earlier.iter().map(Usage::known_usd).fold(0.0, |sum, usd| sum + usd),
            reserved_usd: 0.0,
            reserved_tokens: 0,
            turns_under_way: 0,
        };
        Self { limits, catalog, state: Mutex::new(state), settled: Notify::new() }
    }

    /// The same, where so many of the earlier turns were answered.
    pub fn with_turns_before(mut self, turns: u64) -> Self {
        self.state.get_mut().unwrap_or_else(PoisonError::into_inner).turns.1 = turns;
        self
    }

    /// How many turns of models were answered in this run.
    pub fn turns(&self) -> u64 {
        self.state().turns.0
    }

    /// How many turns of models were answered in the workflow, in this run and the earlier ones.
    pub fn turns_of_workflow(&self) -> u64 {
        let (now, before) = self.state().turns;
        now + before
    }

    /// What this run has used.
    pub fn used(&self) -> Usage {
        self.state().run
    }

    /// What the workflow has used, this run and the earlier ones.
    pub fn used_by_workflow(&self) -> Usage {
        let state = self.state();
        let mut sum = state.before;
        sum += state.run;
        sum
    }

    /// Whether what is not used holds so much more; dollars where they are known. Most of what turns under way hold they give
    /// back.
    pub fn holds(&self, usd: Option<f64>, tokens: u64) -> bool {
        let state = self.state();
        let has_usd = usd.is_none_or(|usd| state.priced_usd + usd <= self.limits.usd);
        has_usd && self.limits.tokens.is_none_or(|limit| state.tokens().saturating_add(tokens) <= limit)
    }

    /// Add a turn that was answered, and what it used.
    pub fn charge_turn(&self, usage: Usage) {
        self.charge(usage);
        self.state().turns.0 += 1;
    }

    /// Add what was used.
    pub fn charge(&self, usage: Usage) {
        let mut state = self.state();
        state.run += usage;
        state.priced_usd += usage.known_usd();
    }

    /// Make room for a turn of this many prompt tokens, waiting for turns under way to settle if need be. A turn
    /// that only fits with a shorter answer is given a smaller `max_tokens`.
    ///
    /// # Errors
    /// [`AgentError::Budget`] when the turn does not fit even with nothing else under way.
    pub async fn admit(&self, model: &str, prompt: u64, max_tokens: u32) -> Result<Reservation<'_>, AgentError> {
        self.admit_turn(model, prompt, max_tokens, false).await
    }

    /// The same, where a shorter answer was too short: it waits until others have given back enough, or all that they hold.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub async fn admit_whole(&self, model: &str, prompt: u64, max_tokens: u32) -> Result<Reservation<'_>, AgentError> {
        self.admit_turn(model, prompt, max_tokens, true).await
    }

    async fn admit_turn(
        &self,
        model: &str,
        prompt: u64,
        max_tokens: u32,
        is_whole: bool,
    ) -> Result<Reservation<'_>, AgentError> {
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            // Registered before the state is looked at, so that no settling in between is missed.
            settled.as_mut().enable();
            if let Some(admitted) = self.try_admit(model, prompt, max_tokens, is_whole) {
                return admitted;
            }
            settled.await;
        }
    }

    /// The same shortage, told with what is used by now.
    pub fn told_now(&self, shortage: Shortage) -> Shortage {
        match shortage.refused.map(|refused| *refused) {
            // What was lost is charged by now.
            Some(Refused::Attempt { price, .. }) => {
                self.shortage(&self.state(), Refused::Attempt { price, lost: Usage::default() })
            }
            Some(refused) => self.shortage(&self.state(), refused),
            None => Shortage { reason: shortage.reason, refused: None },
        }
    }

    /// `None` when turns under way have to settle first.
    fn try_admit(
        &self,
        model: &str,
        prompt: u64,
        max_tokens: u32,
        is_whole: bool,
    ) -> Option<Result<Reservation<'_>, AgentError>> {
        let price = self.catalog.price(model);
        let worst = |output: u32| price.of(&worst_case(prompt, output));
        let mut state = self.state();
        let mut affordable = max_tokens;
        if let (Some(bare), Some(full)) = (worst(0), worst(max_tokens)) {
            let left = self.limits.usd - state.priced_usd - state.reserved_usd;
            if full > left {
                let per_token = (full - bare) / f64::from(max_tokens.max(1));
                affordable = ((left - bare) / per_token).max(0.0) as u32;
            }
        }
        if let Some(limit) = self.limits.tokens {
            let left = limit.saturating_sub(state.tokens() + state.reserved_tokens).saturating_sub(prompt);
            affordable = affordable.min(u32::try_from(left).unwrap_or(u32::MAX));
        }
        let least = if is_whole { max_tokens } else { LEAST_OUTPUT.min(max_tokens) };
        if affordable < least && state.turns_under_way > 0 {
            return None;
        }
        if affordable < LEAST_OUTPUT.min(max_tokens) {
            return Some(Err(AgentError::Budget(self.shortage(&state, Refused::Turn { price, prompt }))));
        }
        let is_shortened_by_others = affordable < max_tokens && state.turns_under_way > 0;
        let usd = worst(affordable).unwrap_or(0.0);
        let tokens = prompt + u64::from(affordable);
        state.reserved_usd += usd;
        state.reserved_tokens += tokens;
        state.turns_under_way += 1;
        let lost = Mutex::default();
        Some(Ok(Reservation { budget: self, usd, tokens, price, lost, max_tokens: affordable, is_shortened_by_others }))
    }

    /// Why something is refused, and which setting to raise. Dollars are told where any have a part in it.
    pub(super) fn shortage(&self, state: &State, refused: Refused) -> Shortage {
        let reason = match &refused {
            Refused::Turn { price, prompt } => self.reason(state, price, Some(*prompt), Usage::default()),
            Refused::Attempt { price, lost } => self.reason(state, price, None, *lost),
            Refused::Slice { agent } => self.too_small(state, agent.as_deref()),
        };
        Shortage { reason, refused: Some(Box::new(refused)) }
    }

    /// Of a turn with this prompt, or of one more attempt of a turn that lost so much, which is charged once it ends.
    fn reason(&self, state: &State, price: &Price, prompt: Option<u64>, lost: Usage) -> String {
        let (usd, tokens) = (state.priced_usd + lost.known_usd(), state.tokens() + lost.total_tokens());
        let in_dollars = (usd > 0.0 || matches!(price, Price::Known { .. }))
            .then(|| format!("{} of {}", cost(usd), cost(self.limits.usd)));
        let about = if state.is_estimated() || lost.estimated { "about " } else { "" };
        let in_tokens = self.limits.tokens.map(|limit| format!("{about}{tokens} of {limit} tokens"));
        let used: Vec<String> = in_tokens.into_iter().chain(in_dollars).collect();
        let used = used.join(" and ");
        let least = prompt.and_then(|prompt| price.of(&worst_case(prompt, LEAST_OUTPUT)));
        let left = match (prompt, self.limits.tokens, least) {
            (Some(prompt), Some(_), _) => {
                format!("too little is left for a turn of about {prompt} tokens and its answer")
            }
            (None, _, _) => "there was no room for another as long".to_owned(),
            (_, None, Some(least)) => format!("the next turn could cost {}, more than is left", cost(least)),
            (_, None, None) => "the next turn could cost more than is left".to_owned(),
        };
        let is_spent = usd >= self.limits.usd || self.limits.tokens.is_some_and(|limit| tokens >= limit);
        let what = if is_spent { "spent" } else { "too small" };
        let setting = match (price, self.limits.tokens) {
            (Price::Known { .. }, Some(_)) => "budget_usd or budget_tokens",
            (_, Some(_)) => "budget_tokens",
            (_, None) => "budget_usd",
        };
        let broken = if prompt.is_none() { "an answer was lost, and " } else { "" };
        format!("{what}: {broken}{used} used, and {left}. Raise {setting}")
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a turn whose answer was lost cannot be tried again.
#[derive(Debug)]
pub enum Uncovered {
    /// Turns under way hold what they may give back.
    ForNow,
    /// There is no room, and nothing to wait for.
    AtAll(Shortage),
}

impl State {
    fn is_estimated(&self) -> bool {
        self.before.estimated || self.run.estimated
    }

    /// Tokens of the workflow, this run and the earlier ones.
    pub(super) fn tokens(&self) -> u64 {
        self.before.total_tokens() + self.run.total_tokens()
    }
}

impl Reservation<'_> {
    /// Make room for one more attempt of the turn, of which the attempts so far cost `lost` in all.
    ///
    /// # Errors
    /// When another attempt could overspend: the turn must not be tried again under this reservation. It does not wait for
    /// other turns to settle; that this may help is told only where the caller `can_wait`.
    pub fn cover(&self, lost: &Usage, can_wait: bool) -> Result<(), Uncovered> {
        let mut state = self.budget.state();
        let mut held = self.lost();
        let now = Lost { usd: lost.known_usd(), tokens: lost.total_tokens() };
        // What one attempt may cost is held already.
        let usd = state.priced_usd + state.reserved_usd + now.usd - held.usd;
        let tokens = state.tokens() + state.reserved_tokens + now.tokens - held.tokens.min(now.tokens);
        let too_dear = now.usd > held.usd && usd > self.budget.limits.usd;
        let too_long = now.tokens > held.tokens && self.budget.limits.tokens.is_some_and(|limit| tokens > limit);
        if too_dear || too_long {
            if can_wait && state.turns_under_way > 1 {
                return Err(Uncovered::ForNow);
            }
            let refused = Refused::Attempt { price: self.price.clone(), lost: *lost };
            return Err(Uncovered::AtAll(self.budget.shortage(&state, refused)));
        }
        state.reserved_usd += now.usd - held.usd;
        state.reserved_tokens = state.reserved_tokens + now.tokens - held.tokens.min(now.tokens);
        *held = now;
        Ok(())
    }

    fn lost(&self) -> MutexGuard<'_, Lost> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        let lost = self.lost();
        state.reserved_usd -= self.usd + lost.usd;
        state.reserved_tokens -= self.tokens + lost.tokens;
        state.turns_under_way -= 1;
        drop((state, lost));
        self.budget.settled.notify_waiters();
    }
}

/// The dearest a turn can be: the whole prompt written to the cache, and an answer of full length.
fn worst_case(prompt: u64, output: u32) -> Usage {
    Usage { cache_write_tokens: prompt, output_tokens: u64::from(output), ..Usage::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPUS: &str = "anthropic:claude-opus-5-5";

    fn budget(usd: f64, tokens: Option<u64>) -> Budget {
        Budget::new(Limits { usd, tokens }, &[], Arc::default())
    }

    #[tokio::test]
    async fn a_turn_that_could_overspend_is_not_sent() {
        // 10,000 prompt tokens at 5 $/MTok are 0.05 $, 2048 output tokens at 20 $/MTok 0.041 $.
        assert!(matches!(budget(0.09, None).admit(OPUS, 10_000, 16_000).await, Err(AgentError::Budget(_))));
        let roomy = budget(0.10, None);
        let turn = roomy.admit(OPUS, 10_000, 16_000).await.unwrap();
        assert_eq!(turn.max_tokens, 2500);
    }

    #[tokio::test]
    async fn parallel_turns_wait_for_each_other_instead_of_overspending() {
        let budget = budget(0.10, None);
        let first = budget.admit(OPUS, 10_000, 2500).await.unwrap();
        let second = budget.admit(OPUS, 10_000, 2500);
        tokio::pin!(second);
        assert!(futures::poll!(second.as_mut()).is_pending());
        drop(first);
        assert!(second.await.is_ok());
    }

    #[tokio::test]
    async fn tokens_are_a_limit_for_models_without_a_price() {
        let budget = budget(0.0, Some(20_000));
        assert_eq!(budget.admit("openai:x", 10_000, 16_000).await.unwrap().max_tokens, 10_000);
        budget.charge(Usage { input_tokens: 15_000, cost_usd: None, ..Usage::default() });
        assert!(budget.admit("openai:x", 4_000, 16_000).await.is_err());
    }

    #[tokio::test]
    async fn earlier_runs_of_the_workflow_count() {
        let before = Usage { cost_usd: Some(4.99), ..Usage::default() };
        let budget = Budget::new(Limits { usd: 5.0, tokens: None }, &[before], Arc::default());
        assert!(budget.admit(OPUS, 10_000, 16_000).await.is_err());
        assert_eq!(budget.used(), Usage::default());
    }

    #[tokio::test]
    async fn a_model_without_a_price_lifts_no_limit() {
        let unpriced = Usage { input_tokens: 5, cost_usd: None, ..Usage::default() };
        let earlier = [unpriced, Usage { cost_usd: Some(4.0), ..Usage::default() }];
        let budget = Budget::new(Limits { usd: 5.0, tokens: None }, &earlier, Arc::default());
        budget.charge(unpriced);
        budget.charge(Usage { cost_usd: Some(0.99), ..Usage::default() });
        assert_eq!(budget.used().cost_usd, None, "the sum is not known");
        assert!(budget.admit(OPUS, 10_000, 16_000).await.is_err(), "and yet 4.99 $ are spent");
    }

    #[tokio::test]
    async fn a_lost_answer_is_tried_again_only_while_there_is_room() {
        let budget = budget(0.25, None);
        let turn = budget.admit(OPUS, 10_000, 2500).await.unwrap();
        // An attempt costs 0.10 $ at most.
        let lost = |usd| Usage { cost_usd: Some(usd), ..Usage::default() };
        turn.cover(&lost(0.07), true).unwrap();
        turn.cover(&lost(0.14), true).unwrap();
        let Err(Uncovered::AtAll(shortage)) = turn.cover(&lost(0.21), true) else { panic!("it is covered") };
        let message = AgentError::Budget(shortage.clone()).to_string();
        assert!(
            message
                .starts_with("the budget is too small: an answer was lost, and $0.21 of $0.25 used, and there was no"),
            "{message}"
        );
        budget.charge(lost(0.21));
        drop(turn);
        budget.charge(lost(0.02));
        let now = budget.told_now(shortage).to_string();
        assert!(now.starts_with("too small: an answer was lost, and $0.23 of $0.25 used, and"), "{now}");
        let state = budget.state();
        assert!(state.reserved_usd.abs() < 1e-9 && (state.priced_usd - 0.23).abs() < 1e-9);
    }

    #[tokio::test]
    async fn what_is_short_beside_other_turns_is_so_for_now() {
        let budget = budget(0.25, None);
        let first = budget.admit(OPUS, 10_000, 2500).await.unwrap();
        let second = budget.admit(OPUS, 10_000, 5000).await.unwrap();
        let third = Usage { cost_usd: Some(0.07), ..Usage::default() };
        assert!(matches!(second.cover(&third, true), Err(Uncovered::ForNow)));
        assert!(matches!(second.cover(&third, false), Err(Uncovered::AtAll(_))));
        drop(first);
        second.cover(&third, true).unwrap();
        drop(second);
        let first = budget.admit(OPUS, 10_000, 2500).await.unwrap();
        assert!(budget.admit(OPUS, 10_000, 16_000).await.unwrap().is_shortened_by_others);
        let whole = budget.admit_whole(OPUS, 10_000, 16_000);
        tokio::pin!(whole);
        assert!(futures::poll!(whole.as_mut()).is_pending(), "others may give back what they hold");
        drop(first);
        let alone = whole.await.unwrap();
        assert!(alone.max_tokens < 16_000 && !alone.is_shortened_by_others);
    }

    #[tokio::test]
    async fn a_limit_is_told_in_what_it_is_about() {
        let refused = async |budget: &Budget, model: &str| match budget.admit(model, 7_000, 16_000).await {
            Err(error) => error.to_string(),
            Ok(_) => panic!("it fits"),
        };
        let unpriced = budget(5.0, Some(6_000));
        let fresh = refused(&unpriced, "openai:x").await;
        assert!(
            fresh.starts_with(
                "the budget is too small: 0 of 6000 tokens used, and too little is left for a turn of about 7000 tokens"
            ),
            "{fresh}"
        );
        unpriced.charge(Usage { input_tokens: 5_000, cost_usd: None, estimated: true, ..Usage::default() });
        let later = refused(&unpriced, "openai:x").await;
        assert!(later.starts_with("the budget is too small: about 5000 of 6000 tokens used, and"), "{later}");
        let priced = refused(&budget(0.01, None), OPUS).await;
        assert!(priced.starts_with("the budget is too small: $0.00 of $0.01 used, and the next turn"), "{priced}");
        unpriced.charge(Usage { input_tokens: 10, cost_usd: Some(0.5), ..Usage::default() });
        let both = refused(&unpriced, "openai:x").await;
        assert!(both.contains(": about 5010 of 6000 tokens and $0.50 of $5.00 used,"), "{both}");
    }

    #[tokio::test]
    async fn what_a_mixed_run_paid_still_counts_in_the_next() {
        let mut mixed = Usage { input_tokens: 5, cost_usd: None, ..Usage::default() };
        mixed += Usage { input_tokens: 5, cost_usd: Some(4.99), ..Usage::default() };
        let budget = Budget::new(Limits { usd: 5.0, tokens: None }, &[mixed], Arc::default());
        assert!(budget.admit(OPUS, 10_000, 16_000).await.is_err());
    }

    #[tokio::test]
    async fn lost_tokens_count_too() {
        let budget = budget(0.0, Some(20_000));
        let turn = budget.admit("openai:x", 5_000, 4_000).await.unwrap();
        let lost = |tokens| Usage { input_tokens: tokens, cost_usd: None, ..Usage::default() };
        turn.cover(&lost(8_000), true).unwrap();
        assert!(turn.cover(&lost(16_000), true).is_err());
    }
}
