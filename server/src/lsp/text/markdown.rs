//! Text of models as Markdown, its lines bounded. What Markdown would make of it is decided in `text` alone.

use crate::text::{self, cut, safe_lines};

/// Longest line shown, in characters.
const LONGEST_LINE: usize = 2000;

/// A model's text, line for line; it becomes no link, command, picture or HTML.
pub(crate) fn markdown(text: &str) -> String {
    text::markdown(&within_lines(text))
}

/// A model's text in one line.
pub(crate) fn markdown_line(text: &str) -> String {
    text::markdown_line(&text::short_line(text, LONGEST_LINE))
}

/// The same text for a client that shows no Markdown.
pub(crate) fn plain_lines(text: &str) -> String {
    within_lines(text.trim())
}

fn within_lines(text: &str) -> String {
    safe_lines(text).lines().map(|line| cut(line, LONGEST_LINE)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_keeps_its_lines_and_loses_its_control_characters() {
        assert_eq!(plain_lines(" a\u{7}b\r\n\tc  d\u{202e}\n"), "ab\n    c  d");
    }

    #[test]
    fn a_line_is_bounded_and_inert() {
        assert_eq!(markdown_line("a\n*b* [c](command:d)"), r"a \*b\* \[c](`command:d`)");
        let long = "x".repeat(3000);
        assert_eq!(markdown(&format!("{long}\n# y")), format!("{}…  \n\\# y", &long[..2000]));
    }
}
