use super::super::limits::Limits;
use super::super::prices::is_version_of;

/// Context window and longest answer of Anthropic's models, in tokens, as its models overview has them, as of 2026-11.
const MODELS: &[(&str, u64, u32)] = &[
    ("claude-opus-5-5", 1_000_000, 128_000),
    ("claude-sonnet-5-5", 1_000_000, 128_000),
    ("claude-haiku-5-5", 1_000_000, 128_000),
    ("claude-haiku-4-5", 200_000, 64_000),
    ("claude-sonnet-4-6", 1_000_000, 128_000),
];

/// The limits of one of Anthropic's own models, by its name or one with a version behind it; nothing of others.
pub(super) fn limits(model: &str) -> Limits {
    let found = MODELS.iter().find(|(name, ..)| is_version_of(model, name));
    found.map(|(_, window, output)| Limits::of_table(*window, *output)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_found_by_its_name_with_a_date_or_without() {
        assert_eq!(limits("claude-haiku-4-5").window, Some(200_000));
        for name in ["claude-opus-5-5", "claude-opus-5-5-20260901", "claude-opus-5-5-latest"] {
            assert_eq!(limits(name), Limits::of_table(1_000_000, 128_000), "{name}");
        }
        for name in ["", "qwen", "claude-opus-5", "claude-opus-5-5-5", "claude-opus-5-5-2026", "my-claude-opus-5-5"] {
            assert_eq!(limits(name), Limits::default(), "{name}");
        }
    }
}
