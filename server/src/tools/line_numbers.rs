//! The numbers that tools show before the lines of a file, where a model copied them along with the lines.

/// A text all of whose lines had the number and the tab in front that tools show, without them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unnumbered {
    pub(super) text: String,
    /// The number of the first line, where those that follow count on from it.
    pub(super) start: Option<usize>,
    /// Whether the numbers are right-aligned with spaces, as tools show them and hardly anyone else writes them.
    pub(super) is_padded: bool,
}

/// The text without the line numbers that tools show, if all of its lines have one. A blank line may lack it.
pub(super) fn unnumbered(text: &str) -> Option<Unnumbered> {
    let mut plain = String::with_capacity(text.len());
    let (mut start, mut counts_on, mut is_padded, mut expected) = (None, true, true, None);
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            plain.push_str(line);
            expected = expected.map(|line: usize| line.saturating_add(1));
            continue;
        }
        let (shown, rest) = line.split_once('\t')?;
        let number = number(shown)?;
        counts_on &= expected.is_none_or(|expected| expected == number);
        is_padded &= shown.starts_with(' ');
        start.get_or_insert(number);
        expected = Some(number.saturating_add(1));
        plain.push_str(rest);
    }
    let start = start?;
    Some(Unnumbered { text: plain, start: counts_on.then_some(start), is_padded })
}

/// A line without the number that tools show before it.
pub(super) fn without_number(line: &str) -> Option<&str> {
    let (shown, text) = line.split_once('\t')?;
    number(shown).map(|_| text)
}

/// Whether a line begins as tools show the lines of a file.
pub(super) fn has_number(line: &str) -> bool {
    without_number(line).is_some()
}

fn number(shown: &str) -> Option<usize> {
    let digits = shown.trim_start_matches(' ');
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Option<(String, Option<usize>, bool)> {
        unnumbered(text).map(|Unnumbered { text, start, is_padded }| (text, start, is_padded))
    }

    #[test]
    fn numbers_are_taken_off_where_all_lines_have_them() {
        let both = plain("    6\tdef a():\n    7\t\treturn 1\n").unwrap();
        assert_eq!(both, ("def a():\n\treturn 1\n".to_owned(), Some(6), true));
        assert_eq!(plain("9\tx").unwrap(), ("x".to_owned(), Some(9), false));
        assert_eq!(plain("    1\ta\n\n    3\tb").unwrap(), ("a\n\nb".to_owned(), Some(1), true), "a blank line");
        assert_eq!(plain("    1\ta\n    2\t\n    3\tb").unwrap().0, "a\n\nb");
        assert_eq!(plain("   10\ta\n   12\tb").unwrap().1, None, "they do not count on");
    }

    #[test]
    fn a_text_that_has_none_before_some_line_is_left_alone() {
        for text in
            ["", "\n", "a\tb", "    1\ta\nb", "\t1", "1 a", "    \ta", "-1\ta", "1.5\ta", "99999999999999999999999\ta"]
        {
            assert_eq!(plain(text), None, "{text:?}");
        }
    }
}
