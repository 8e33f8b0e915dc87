use super::super::limits::Limits;

/// Context window and longest answer of Anthropic's models, in tokens, as its models overview has them, as of 2026-11.
const MODELS: &[(&str, u64, u32)] = &[
    ("claude-opus-5-5", 1_000_000, 128_000),
    ("claude-sonnet-5-5", 1_000_000, 128_000),
    ("claude-haiku-5-5", 1_000_000, 128_000),
    ("claude-haiku-4-5", 200_000, 64_000),
    ("claude-sonnet-4-6", 1_000_000, 128_000),
];

/// The limits of one of Anthropic's own models, by its name or one with a date behind it; nothing of others.
pub(super) fn limits(model: &str) -> Limits {
    let is_date = |rest: &str| rest.len() == 8 && rest.bytes().all(|byte| byte.is_ascii_digit());
    let is_version = |rest: &str| rest.strip_prefix('-').is_some_and(|rest| rest == "latest" || is_date(rest));
    let is_named = |name: &str| model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || is_version(rest));
    let found = MODELS.iter().find(|(name, ..)| is_named(name));
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
