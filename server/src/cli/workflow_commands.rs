//! Text of models and files in the log of a GitHub Actions job, where a line may be taken for a command to the runner.
//!
//! Source: GitHub's documentation, "Workflow commands for GitHub Actions", and the runner's own reading
//! (`ActionCommand.cs`): `::name …::` at the beginning of a line, after white space, and `##[name …]` anywhere in one.

use std::borrow::Cow;

use crate::config;

/// What keeps the two parts of a mark from being one: it takes no room.
const BETWEEN: char = '\u{200b}';

/// The text, in which the runner of a job finds no command. Elsewhere it stays as it is.
pub(super) fn disarmed(text: &str) -> Cow<'_, str> {
    if is_in_a_job() { without_commands(text) } else { Cow::Borrowed(text) }
}

/// The same for a line of JSON, whose value stays as it is.
pub(super) fn disarmed_json(json: &str) -> Cow<'_, str> {
    // It begins with a bracket, and a number sign stands only in its strings.
    if is_in_a_job() && json.contains("##[") { json.replace("##[", "#\\u0023[").into() } else { Cow::Borrowed(json) }
}

fn is_in_a_job() -> bool {
    config::variable("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

fn without_commands(text: &str) -> Cow<'_, str> {
    if !text.contains("::") && !text.contains("##[") {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    let mut is_at_start = true;
    for (at, c) in text.char_indices() {
        let rest = &text[at..];
        safe.push(c);
        if (is_at_start && rest.starts_with("::")) || (c == '#' && rest.starts_with("#[") && safe.ends_with("##")) {
            safe.push(BETWEEN);
        }
        is_at_start = matches!(c, '\n' | '\r') || (is_at_start && (c.is_whitespace() || c.is_control()));
    }
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_would_be_a_command_is_none() {
        for (text, expected) in [
            ("::error::x", ":\u{200b}:error::x"),
            ("a\n \u{a0}\t::stop-commands::t\r::t::", "a\n \u{a0}\t:\u{200b}:stop-commands::t\r:\u{200b}:t::"),
            ("said ##[add-mask]x and ###[b]", "said ##\u{200b}[add-mask]x and ###\u{200b}[b]"),
            ("##[debug]", "##\u{200b}[debug]"),
        ] {
            assert_eq!(without_commands(text), expected);
        }
        for text in ["std::fs::read", "a ::b::", "# [a] #[b]", "## Title", ""] {
            assert_eq!(without_commands(text), text);
        }
    }
}
