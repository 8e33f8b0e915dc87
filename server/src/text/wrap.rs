use textwrap::core::display_width;

use super::safe_line;

/// A paragraph of one safe line, broken at `width` columns: the first line after `first`, the others after as many spaces.
pub fn paragraph(first: &str, text: &str, width: usize) -> String {
    let rest = " ".repeat(display_width(first));
    // Words stay whole: a path broken in two can be neither read nor copied.
    let options = textwrap::Options::new(width).initial_indent(first).subsequent_indent(&rest).break_words(false);
    textwrap::fill(&safe_line(text), options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_hangs_under_its_first_word() {
        assert_eq!(paragraph("  - ", "one two\nthree four", 14), "  - one two\n    three four");
        assert_eq!(paragraph("  ", "a/path/longer/than/the/width x", 10), "  a/path/longer/than/the/width\n  x");
        assert_eq!(paragraph("\u{1b}[1mab\u{1b}[0m ", "one two", 6), "\u{1b}[1mab\u{1b}[0m one\n   two");
    }
}
