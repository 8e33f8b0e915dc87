use std::collections::HashSet;

use super::phase::{Phase, TierRule};
use crate::contracts::{Complexity, PlanOutput, RepoPath, Usage};
use crate::memory::Memory;
use crate::models::{self, Models};
use crate::workspace::Workspace;

/// Turns of a conversation, and tokens written in each, in a good and in a bad case.
struct Habit {
    turns: (u64, u64),
    output: (u64, u64),
}

/// A simple task reads once and edits once, a complex one goes back and forth; the good case is a model of few words.
const SIMPLE: Habit = Habit { turns: (2, 5), output: (80, 900) };
const MODERATE: Habit = Habit { turns: (3, 9), output: (120, 1600) };
const COMPLEX: Habit = Habit { turns: (4, 16), output: (200, 2500) };
const REVIEW: Habit = Habit { turns: (2, 8), output: (100, 1800) };
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

/// What implementing and reviewing this plan may cost in US dollars, as a range; `None` where a price is not known.
///
/// The prefix that tasks share is written to the cache by the first of each model and read by the others, as the
/// providers bill it; the files a task owns are counted as read once, and a reviewer's as read or not.
pub(super) fn estimate(
    plan: &PlanOutput,
    memory: &Memory,
    models: &Models,
    workspace: &Workspace,
) -> Option<(f64, f64)> {
    let shared = FIXED_PROMPT + bytes(&crate::agents::json_text(plan)) + context_bytes(memory);
    let mut range = (0.0, 0.0);
    let mut all_files = 0;
    let mut opened = HashSet::new();
    for task in &plan.tasks {
        let habit = match task.estimated_complexity {
            Complexity::Simple => &SIMPLE,
            Complexity::Moderate => &MODERATE,
            Complexity::Complex => &COMPLEX,
        };
        let files: u64 = task
            .files()
            .filter_map(|file| RepoPath::parse(file).ok())
            .filter_map(|path| workspace.read(&path).ok().flatten())
            .map(|file| file.bytes.len() as u64)
            .sum();
        all_files += files;
        let model = models.for_tier(Phase::Implement.row().tier.tier(task.estimated_complexity)).id();
        let prompt = Prompt { shared, is_cached: !opened.insert(model), own: (files, files) };
        add(&mut range, conversation(model, prompt, habit)?);
    }
    let TierRule::Always(tier) = Phase::Review.row().tier else { return Some(range) };
    let prompt = Prompt { shared, is_cached: false, own: (0, all_files) };
    add(&mut range, conversation(models.for_tier(tier).id(), prompt, &REVIEW)?);
    Some(range)
}

fn conversation(model: &str, prompt: Prompt, habit: &Habit) -> Option<(f64, f64)> {
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
        models::cost(model, &usage)
    };
    let good = one(habit.turns.0, habit.output.0, prompt.own.0, BYTES_A_TOKEN.0)?;
    Some((good, one(habit.turns.1, habit.output.1, prompt.own.1, BYTES_A_TOKEN.1)?))
}

fn add(range: &mut (f64, f64), more: (f64, f64)) {
    range.0 += more.0;
    range.1 += more.1;
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
    use crate::models::Tier;

    #[test]
    fn a_conversation_costs_more_when_it_is_longer_and_less_when_its_prefix_is_cached() {
        let prompt = Prompt { shared: 30_000, is_cached: false, own: (0, 0) };
        let (low, high) = conversation("anthropic:claude-opus-5-5", prompt, &MODERATE).unwrap();
        assert!(0.04 < low && low < high && high < 2.0, "{low} {high}");
        let cached = Prompt { is_cached: true, ..prompt };
        let (cheaper, _) = conversation("anthropic:claude-opus-5-5", cached, &MODERATE).unwrap();
        assert!(cheaper < low / 2.0, "{cheaper} {low}");
        assert_eq!(conversation("ollama:qwen", prompt, &MODERATE), None);
        assert_eq!(Phase::Review.row().tier, TierRule::Always(Tier::Powerful));
    }
}
