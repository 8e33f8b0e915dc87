//! A part of somebody else's text that is ours: it stands between two marks, and nothing outside of them is touched.

const BEGIN: &str = "<!-- baton:begin v1 -->";
/// What a mark of any version begins with.
const BEGINS: &str = "<!-- baton:begin";
const END: &str = "<!-- baton:end -->";

/// The text with `body` between the marks: in place of what stood there, else at the end.
///
/// # Errors
/// When the marks that are there are not one pair.
pub(super) fn with_block(text: &str, body: &str) -> Result<String, String> {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let block = format!("{BEGIN}\n{}\n{END}", body.trim_end()).replace('\n', end);
    let (begins, ends) = (text.matches(BEGINS).count(), text.matches(END).count());
    match (begins, ends, text.find(BEGINS), text.find(END)) {
        (1, 1, Some(from), Some(to)) if from < to => Ok([&text[..from], &block, &text[to + END.len()..]].concat()),
        (0, 0, ..) if text.trim_start_matches('\u{feff}').is_empty() => Ok(format!("{text}{block}{end}")),
        (0, 0, ..) => {
            let gap = if text.ends_with('\n') { end.to_owned() } else { end.repeat(2) };
            Ok([text, &gap, &block, end].concat())
        }
        _ => Err(format!("its marks ({BEGIN} and {END}) are not one pair; mend or remove them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, body: &str) -> String {
        with_block(text, body).unwrap()
    }

    #[test]
    fn own_text_stays_and_the_block_is_replaced() {
        let first = with("# Mine\n", "one\n");
        assert_eq!(first, "# Mine\n\n<!-- baton:begin v1 -->\none\n<!-- baton:end -->\n");
        assert_eq!(with(&first, "one\n"), first, "again, and nothing changes");
        let more = format!("{first}\nMore.");
        assert_eq!(with(&more, "two"), more.replace("one", "two"));
        assert_eq!(with(&more.replace("v1", "v0"), "one"), more, "an older version is replaced");
        assert_eq!(with("No end", "x"), "No end\n\n<!-- baton:begin v1 -->\nx\n<!-- baton:end -->\n");
        assert_eq!(with("", "x"), "<!-- baton:begin v1 -->\nx\n<!-- baton:end -->\n");
        let windows = with("# Mine\r\n", "a\nb");
        assert_eq!(windows, "# Mine\r\n\r\n<!-- baton:begin v1 -->\r\na\r\nb\r\n<!-- baton:end -->\r\n");
        assert_eq!(with(&windows, "a\nb"), windows);
    }

    #[test]
    fn marks_that_are_no_pair_are_left_alone() {
        for text in ["<!-- baton:begin v1 -->\n", "<!-- baton:end -->\n<!-- baton:begin v1 -->\n"] {
            assert!(with_block(text, "x").unwrap_err().contains("not one pair"), "{text}");
        }
        let twice = with("", "x").repeat(2);
        assert!(with_block(&twice, "x").is_err());
    }
}
