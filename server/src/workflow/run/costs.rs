//! What phases may cost from the gate on.

use std::collections::HashSet;
use std::sync::Arc;

use super::phase_kinds::TierRule;
use crate::agents::MAX_TURNS;
use crate::config::Settings;
use crate::contracts::{Complexity, Estimate, PlanOutput, RepoPath, RoundKind, Spending, Task, Usage};
use crate::memory::Memory;
use crate::models::{Catalog, MOST_ATTEMPTS, Models, Price, Tier};
use crate::workspace::Workspace;

/// Turns of a conversation, and tokens written in each, in a good and in a bad case.
struct CostProfile {
    turns: (u64, u64),
    output: (u64, u64),
}

/// A simple task reads once and edits once, a complex one goes back and forth; the good case is a model of few words.
const SIMPLE: CostProfile = CostProfile { turns: (2, 5), output: (80, 900) };
const MODERATE: CostProfile = CostProfile { turns: (3, 9), output: (120, 1600) };
const COMPLEX: CostProfile = CostProfile { turns: (4, 16), output: (200, 2500) };
const REVIEW: CostProfile = CostProfile { turns: (2, 8), output: (100, 1800) };
/// A finding that another model checks. How many there will be nobody knows: none, or a few.
const CHECK: CostProfile = CostProfile { turns: (1, 1), output: (60, 900) };
const CHECKS: u64 = 4;
/// Bytes of what such a check is given, at most.
const CHECK_PROMPT: u64 = 80_000;
/// The longest prompt that any model of the price table takes, in tokens.
const LONGEST_PROMPT: u64 = 1_000_000;
/// Prompt and tools, in bytes.
const FIXED_PROMPT: u64 = 11_000;
/// Bytes of a token, in a good and in a bad case: prose and code.
const BYTES_A_TOKEN: (u64, u64) = (4, 3);

/// A prompt in bytes: what is shared with the conversations before it, and what it alone holds.
#[derive(Clone, Copy)]
struct Prompt {
    shared: u64,
    is_cached: bool,
    /// In a good and in a bad case.
    own: (u64, u64),
}

/// What is spent already, and the settings that limit the rest.
pub(crate) struct Spent<'a> {
    pub(crate) usage: Usage,
    pub(crate) settings: &'a Settings,
}

/// What the price of a phase's conversations depends on. Every phase has it.
pub trait Priced {
    /// Most tokens that one answer may have.
    fn answer_tokens(&self) -> u32;

    /// Which model serves it.
    fn tier_rule(&self) -> TierRule;
}

/// Adds up what phases may cost from the gate on.
pub struct Costs<'a> {
    plan: &'a PlanOutput,
    memory: &'a Memory,
    models: Option<&'a Models>,
    workspace: &'a Workspace,
    settings: &'a Settings,
    /// Bytes of what all conversations begin with.
    shared: u64,
    /// Bytes of the files that tasks own, as far as they were added.
    files: u64,
    range: (Spending, Spending),
    bound: Bound,
    /// Models whose cache holds what is shared.
    opened: HashSet<String>,
    /// What models cost.
    catalog: Arc<Catalog>,
}

impl<'a> Costs<'a> {
    /// Nothing so far.
    pub(crate) fn new(
        plan: &'a PlanOutput,
        memory: &'a Memory,
        models: Option<&'a Models>,
        workspace: &'a Workspace,
        settings: &'a Settings,
    ) -> Self {
        let shared = FIXED_PROMPT + bytes(&crate::agents::json_text(plan)) + context_bytes(memory);
        let (range, bound) = ((NOTHING, NOTHING), Bound::default());
        let catalog = models.map(|models| Arc::clone(&models.catalog)).unwrap_or_default();
        let (files, opened) = (0, HashSet::new());
        Self { plan, memory, models, workspace, settings, shared, files, range, bound, opened, catalog }
    }

    /// The sum. Its ceiling is for all rounds that there may be, and no more than the budget has left.
    pub(crate) fn estimate(self, spent: &Spent<'_>) -> Estimate {
        if self.models.is_some_and(Models::are_of_demo) {
            return Estimate { low: NOTHING, high: NOTHING, ceiling: NOTHING, is_recorded: false };
        }
        let is_recorded = self.models.is_some_and(Models::is_recorded);
        Estimate { low: self.range.0, high: self.range.1, ceiling: self.bound.within(spent), is_recorded }
    }
}

impl Costs<'_> {
    /// Add the conversations of the tasks that are still to be done.
    ///
    /// The prefix that tasks share is written to the cache by the first of each model and read by the others, as the
    /// providers bill it; the files that a task owns are counted as read once.
    pub fn add_tasks(&mut self, phase: &(impl Priced + ?Sized)) {
        for task in to_do(self.plan, self.memory) {
            let files = file_bytes(self.workspace, task);
            self.files += files;
            let tier = phase.tier_rule().tier(task.estimated_complexity);
            let model = self.model(tier);
            let price = self.catalog.price(&model);
            let is_cached = !self.opened.insert(model);
            let prompt = Prompt { shared: self.shared, is_cached, own: (files, files) };
            add(&mut self.range, conversation(&price, prompt, profile(task)));
            // A task whose files changed meanwhile is done once more, and each time a second model may be asked. The round is
            // repaired so often.
            let times = 2 * (1 + u64::from(self.settings.max_repair_rounds));
            self.bound.conversations(times, &price, phase.answer_tokens());
            if let Some(next) = tier.next() {
                let price = self.price(next);
                self.bound.conversations(times, &price, phase.answer_tokens());
            }
        }
    }

    /// Add the conversation of a phase that reviews: the files of the tasks are counted as read or not.
    pub fn add_review(&mut self, phase: &(impl Priced + ?Sized)) {
        let price = self.price(phase.tier_rule().tier(Complexity::Moderate));
        let prompt = Prompt { shared: self.shared, is_cached: false, own: (0, self.files) };
        add(&mut self.range, conversation(&price, prompt, &REVIEW));
        self.bound.conversations(1, &price, phase.answer_tokens());
    }

    /// Add requests that stand alone, of which there may be so many: each is given one place in a file, and nothing of what
    /// conversations share.
    pub fn add_single_requests(&mut self, most: usize, tier: Tier, answer_tokens: u32) {
        let price = self.price(tier);
        let own = CHECK_PROMPT.min(FIXED_PROMPT + self.files);
        let prompt = Prompt { shared: 0, is_cached: false, own: (0, own) };
        let (_, one) = conversation(&price, prompt, &CHECK);
        for _ in 0..CHECKS {
            add(&mut self.range, (NOTHING, one));
        }
        let bytes = BYTES_A_TOKEN.1;
        self.bound.turns(most as u64, &price, CHECK_PROMPT.div_ceil(bytes), answer_tokens);
    }

    /// The settings of the run.
    pub fn settings(&self) -> &Settings {
        self.settings
    }

    fn price(&self, tier: Tier) -> Price {
        self.catalog.price(&self.model(tier))
    }

    /// Without models their tiers tell them apart.
    fn model(&self, tier: Tier) -> String {
        self.models.map_or(tier.as_str(), |models| models.for_tier(tier).id()).to_owned()
    }
}

/// What one attempt at a task may take of this model, in a bad case. `shared` are the bytes that its prompt begins with.
pub(crate) fn attempt_cost(
    catalog: &Catalog,
    workspace: &Workspace,
    model: &str,
    task: &Task,
    shared: u64,
) -> Spending {
    let files = file_bytes(workspace, task);
    let prompt = Prompt { shared: FIXED_PROMPT + shared, is_cached: false, own: (files, files) };
    conversation(&catalog.price(model), prompt, profile(task)).1
}

fn profile(task: &Task) -> &'static CostProfile {
    match task.estimated_complexity {
        Complexity::Simple => &SIMPLE,
        Complexity::Moderate => &MODERATE,
        Complexity::Complex => &COMPLEX,
    }
}

/// Bytes of the files that a task owns.
fn file_bytes(workspace: &Workspace, task: &Task) -> u64 {
    let files = task.files().filter_map(|file| RepoPath::parse(file).ok());
    files.filter_map(|path| workspace.read(&path).ok().flatten()).map(|file| file.bytes.len() as u64).sum()
}

const NOTHING: Spending = Spending::new(Some(0.0), 0);

/// The tasks that are still to be done: in a round for issues those of the round.
fn to_do<'a>(plan: &'a PlanOutput, memory: &Memory) -> Vec<&'a Task> {
    let fixing = memory.round.as_ref().filter(|round| round.kind == RoundKind::Fix);
    let is_due = |task: &&Task| match fixing {
        Some(round) => round.tasks.contains(&task.id),
        None => !memory.is_done(&task.id),
    };
    plan.tasks.iter().filter(is_due).collect()
}

/// What one round can cost at the very most: each turn with the longest prompt that a model takes.
#[derive(Default)]
struct Bound {
    tokens: u64,
    usd: f64,
    is_unpriced: bool,
    /// Dollars of the cheapest token there is.
    cheapest: Option<f64>,
}

impl Bound {
    /// A conversation whose window is full begins once more.
    fn conversations(&mut self, count: u64, price: &Price, max_tokens: u32) {
        self.turns(2 * count * u64::from(MAX_TURNS), price, LONGEST_PROMPT, max_tokens);
    }

    /// Each turn may be lost so often as it is tried again.
    fn turns(&mut self, turns: u64, price: &Price, prompt: u64, max_tokens: u32) {
        let turns = turns * u64::from(MOST_ATTEMPTS);
        let turn = Usage { cache_write_tokens: prompt, output_tokens: max_tokens.into(), ..Usage::default() };
        self.tokens += turns * turn.total_tokens();
        match price.of(&turn) {
            Some(usd) => self.usd += turns as f64 * usd,
            None => self.is_unpriced = true,
        }
        let one = Usage { cache_read_tokens: 1, ..Usage::default() };
        let cheapest = self.cheapest.into_iter().chain(price.of(&one));
        self.cheapest = cheapest.min_by(f64::total_cmp);
    }

    /// The bound of all rounds there may be, and no more than the budget has left.
    fn within(self, spent: &Spent<'_>) -> Spending {
        let rounds = u64::from(spent.settings.max_review_cycles.max(1));
        let mut tokens = self.tokens.saturating_mul(rounds);
        if let Some(budget) = spent.settings.budget_tokens {
            tokens = tokens.min(budget.saturating_sub(spent.usage.total_tokens()));
        }
        if self.is_unpriced {
            return Spending::new(None, tokens);
        }
        let left = (spent.settings.budget_usd - spent.usage.known_usd()).max(0.0);
        let usd = left.min(self.usd * rounds as f64);
        if let Some(cheapest) = self.cheapest.filter(|usd| *usd > 0.0) {
            tokens = tokens.min((usd / cheapest) as u64);
        }
        Spending::new(Some(usd), tokens)
    }
}

fn conversation(price: &Price, prompt: Prompt, profile: &CostProfile) -> (Spending, Spending) {
    let one = |turns: u64, output: u64, own: u64, bytes_a_token: u64| {
        let (shared, own) = (prompt.shared / bytes_a_token, own / bytes_a_token);
        let grown = output * turns;
        let (written, read) = if prompt.is_cached { (own, shared) } else { (shared + own, 0) };
        let usage = Usage {
            cache_write_tokens: written + grown,
            cache_read_tokens: read + (turns - 1) * (shared + own + grown / 2),
            output_tokens: grown,
            ..Usage::default()
        };
        Spending { local: *price == Price::Local, ..Spending::new(price.of(&usage), usage.total_tokens()) }
    };
    let good = one(profile.turns.0, profile.output.0, prompt.own.0, BYTES_A_TOKEN.0);
    (good, one(profile.turns.1, profile.output.1, prompt.own.1, BYTES_A_TOKEN.1))
}

fn add(range: &mut (Spending, Spending), more: (Spending, Spending)) {
    *range = (range.0 + more.0, range.1 + more.1);
}

fn context_bytes(memory: &Memory) -> u64 {
    memory.context.as_ref().map_or(0, |context| bytes(&crate::agents::json_text(context)))
}

fn bytes(text: &str) -> u64 {
    text.len() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPUS: &str = "anthropic:claude-opus-5-5";

    fn price(model: &str) -> Price {
        Catalog::default().price(model)
    }

    #[test]
    fn a_conversation_costs_more_when_it_is_longer_and_less_when_its_prefix_is_cached() {
        let prompt = Prompt { shared: 30_000, is_cached: false, own: (0, 0) };
        let usd = |spending: Spending| spending.usd.unwrap();
        let (low, high) = conversation(&price(OPUS), prompt, &MODERATE);
        assert!(0.04 < usd(low) && usd(low) < usd(high) && usd(high) < 2.0, "{low:?} {high:?}");
        assert!(low.tokens < high.tokens);
        let cached = Prompt { is_cached: true, ..prompt };
        let (cheaper, _) = conversation(&price(OPUS), cached, &MODERATE);
        assert!(usd(cheaper) < usd(low) / 2.0, "{cheaper:?} {low:?}");
        let (unpriced, _) = conversation(&price("openai:qwen"), prompt, &MODERATE);
        assert_eq!(unpriced, Spending { usd: None, ..low });
    }

    #[test]
    fn the_ceiling_is_what_the_budget_has_left_and_no_more_than_the_turns_there_may_be() {
        let ceiling = |model: &str, settings: &Settings, cost_usd| {
            let mut bound = Bound::default();
            bound.conversations(3, &price(model), 16_000);
            let usage = Usage { output_tokens: 400, cost_usd, ..Usage::default() };
            bound.within(&Spent { usage, settings })
        };
        let mut settings = Settings { budget_usd: 5.0, max_review_cycles: 3, ..Settings::default() };
        assert_eq!(ceiling(OPUS, &settings, Some(1.25)).usd, Some(3.75));
        assert_eq!(ceiling(OPUS, &settings, Some(6.0)), NOTHING, "the budget is spent");
        let mixed = Usage { cost_usd: None, priced_usd: 2.0, unpriced_tokens: 400, ..Usage::default() };
        let mut bound = Bound::default();
        bound.conversations(3, &price(OPUS), 16_000);
        assert_eq!(bound.within(&Spent { usage: mixed, settings: &settings }).usd, Some(3.0), "what is known is spent");
        settings.budget_usd = 1e9;
        let all = ceiling(OPUS, &settings, Some(0.0)).usd.unwrap();
        // 900 turns, twice and each tried five times, of 1M tokens written at $5 and 16k answered at $20 a million.
        assert!((all - 9_000.0 * 5.32).abs() < 0.01, "{all}");
        assert_eq!(ceiling("openai:qwen", &settings, None), Spending::new(None, 9_000 * 1_016_000));
        settings.budget_tokens = Some(1_000);
        assert_eq!(ceiling("openai:qwen", &settings, None), Spending::new(None, 600));
    }
}
