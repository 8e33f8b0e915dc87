//! Why there is no better level, once for a line and once in full.

/// A reason, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Why {
    /// A few words, at most 21 characters, so that they fit beside the level in a narrow terminal.
    pub(super) short: &'static str,
    /// What it means, and what can be done: one or more sentences without a full stop at the end.
    pub(super) long: String,
}

impl Why {
    pub(super) fn new(short: &'static str, long: impl Into<String>) -> Self {
        Self { short, long: long.into() }
    }

    /// A reason that nobody foresaw.
    #[cfg(target_os = "linux")]
    pub(super) fn unknown(long: impl Into<String>) -> Self {
        Self::new("no view here", long)
    }
}

/// A part of a text as a sentence of its own.
pub(super) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    format!("{first}{}.", letters.as_str())
}
