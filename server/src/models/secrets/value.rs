/// The shortest secret that is masked: a shorter one stands in too many words.
const SHORTEST: usize = 8;

/// Values of enough letters that keep nothing secret: where a server asks for no key, its documentation says to write one of
/// these, or they are the values of an example.
const NO_SECRETS: &[&str] = &[
    "anything",
    "changeme",
    "dummy-key",
    "dummy_key",
    "lm-studio",
    "llama.cpp",
    "localhost",
    "no-key-needed",
    "no-key-required",
    "not-needed",
    "not-required",
    "not_needed",
    "password",
    "placeholder",
    "required",
    "sk-dummy",
    "sk-no-key-required",
    "undefined",
    "whatever",
    "your-api-key",
    "your_api_key",
];

/// Whether a key or a password is one that is masked: long enough to be told from other words, and meant to be secret.
pub(in crate::models) fn is_worth_masking(value: &str) -> bool {
    let first = value.chars().next();
    value.chars().count() >= SHORTEST
        && value.chars().any(|c| Some(c) != first)
        && !NO_SECRETS.contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_or_says_that_there_is_no_key_is_no_secret() {
        for value in ["", "x", "none", "EMPTY", "ollama", "sk-", "sk-1234", "xxxxxxxx", "LM-Studio", "not-needed"] {
            assert!(!is_worth_masking(value), "{value}");
        }
        for value in ["sk-12345", "correct-horse", "token-abc123"] {
            assert!(is_worth_masking(value), "{value}");
        }
    }
}
