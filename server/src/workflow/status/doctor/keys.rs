//! Slips in the variables that hold keys: what was copied along with a key.

use super::check::{Check, CheckStatus};

const KEYS: [&str; 3] = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY"];

/// What stands around a key and is none of it, where no error among those `found` says so. No key is shown.
pub(super) fn check_keys(env: &dyn Fn(&str) -> Option<String>, found: &[Check]) -> Vec<Check> {
    let is_said = |name: &str| {
        found.iter().any(|check| check.status == CheckStatus::Error && check.message.contains(&format!("in {name}")))
    };
    let warning = |what: String, fix: &str| Check::new("key", CheckStatus::Warning, what).with_fix(fix);
    let slip = |name: &str| {
        let value = env(name)?;
        let key = value.trim();
        let is_quoted = |quote: char| key.len() > 1 && key.starts_with(quote) && key.ends_with(quote);
        if key.is_empty() {
            return None;
        }
        if ['"', '\'', '`'].into_iter().any(is_quoted) {
            let what = format!("{name} stands in quotes, which are no part of a key");
            return Some(warning(what, "Set it again without them: a shell takes quotes away, other files may not."));
        }
        if key.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
            let what = format!("{name} begins with \"Bearer\", which is no part of a key");
            return Some(warning(what, "Set it again without that word; it is added where it is needed."));
        }
        if key.len() < value.len() {
            let what = format!("{name} has spaces or line ends around it, which are left out");
            return Some(warning(what, "It works as it is. Set it again without them for other programs."));
        }
        None
    };
    KEYS.iter().filter(|name| !is_said(name)).filter_map(|name| slip(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_copied_along_with_a_key_is_noticed_and_not_shown() {
        for (value, expected) in [
            ("\"sk-secret\"", "stands in quotes"),
            (" 'sk-secret' ", "stands in quotes"),
            ("Bearer sk-secret", "begins with \"Bearer\""),
            ("sk-secret\n", "spaces or line ends"),
            ("sk-secret", ""),
            (" ", ""),
            ("\"", ""),
        ] {
            let found = check_keys(&|name| (name == "OPENAI_API_KEY").then(|| value.to_owned()), &[]);
            let message = found.first().map(|check| check.message.clone()).unwrap_or_default();
            assert!(message.contains(expected) && !message.contains("sk-secret"), "{value:?}: {message}");
            assert_eq!(found.is_empty(), expected.is_empty(), "{value:?}");
        }
    }
}
