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

/// From recorded runs: a simple task reads once and edits once, a complex one goes back and forth.
const SIMPLE: Habit = Habit { turns: (2, 5), output: (300, 900) };
const MODERATE: Habit = Habit { turns: (3, 9), output: (500, 1600) };
const COMPLEX: Habit = Habit { turns: (4, 16), output: (800, 2500) };
const REVIEW: Habit = Habit { turns: (2, 8), output: (500, 1800) };
/// Prompt and tools, in tokens.
const FIXED_PROMPT: u64 = 4_000;

/// What implementing and reviewing this plan may cost in US dollars, as a range; `None` where a price is not known.
///
/// The prefix is written to the cache once and read in later turns, as the providers bill it; the files a task owns
/// are counted as read once.
pub(super) fn estimate(
    plan: &PlanOutput,
    memory: &Memory,
    models: &Models,
    workspace: &Workspace,
) -> Option<(f64, f64)> {
    let shared = FIXED_PROMPT + tokens(&crate::agents::json_text(plan)) + context_tokens(memory);
    let mut range = (0.0, 0.0);
    let mut all_files = 0;
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
            .map(|file| file.bytes.len() as u64 / 3)
            .sum();
        all_files += files;
        let tier = Phase::Implement.row().tier.tier(task.estimated_complexity);
        add(&mut range, conversation(models.for_tier(tier).id(), shared + files, habit)?);
    }
    let TierRule::Always(tier) = Phase::Review.row().tier else { return Some(range) };
    add(&mut range, conversation(models.for_tier(tier).id(), shared + all_files, &REVIEW)?);
    Some(range)
}

fn conversation(model: &str, prompt: u64, habit: &Habit) -> Option<(f64, f64)> {
    let one = |turns: u64, output: u64| {
        let grown = output * turns;
        let usage = Usage {
            cache_write_tokens: prompt + grown,
            cache_read_tokens: (turns - 1) * (prompt + grown / 2),
            output_tokens: grown,
            ..Usage::default()
        };
        models::cost(model, &usage)
    };
    Some((one(habit.turns.0, habit.output.0)?, one(habit.turns.1, habit.output.1)?))
}

fn add(range: &mut (f64, f64), more: (f64, f64)) {
    range.0 += more.0;
    range.1 += more.1;
}

fn context_tokens(memory: &Memory) -> u64 {
    memory.context.as_ref().map_or(0, |context| tokens(&crate::agents::json_text(context)))
}

fn tokens(text: &str) -> u64 {
    text.len() as u64 / 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Tier;

    #[test]
    fn a_conversation_costs_more_when_it_is_longer() {
        let (low, high) = conversation("anthropic:claude-opus-5-5", 10_000, &MODERATE).unwrap();
        assert!(0.05 < low && low < high && high < 2.0, "{low} {high}");
        assert_eq!(conversation("ollama:qwen", 10_000, &MODERATE), None);
        assert_eq!(Phase::Review.row().tier, TierRule::Always(Tier::Powerful));
    }
}
