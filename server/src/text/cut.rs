use std::borrow::Cow;

/// Stands for what was cut off.
pub(super) const MARK: char = '…';

/// At most so many characters, and `…` behind them where there were more.
pub fn cut(text: &str, most: usize) -> Cow<'_, str> {
    let head = head(text, most);
    if head.len() == text.len() { Cow::Borrowed(text) } else { Cow::Owned(format!("{head}{MARK}")) }
}

/// Of a text with more than `first` characters, those and the `last` ones, with ` … ` between.
pub fn cut_middle(text: &str, first: usize, last: usize) -> Cow<'_, str> {
    let head = head(text, first);
    if head.len() == text.len() {
        return Cow::Borrowed(text);
    }
    let tail = match last.checked_sub(1) {
        Some(before) => text.char_indices().rev().nth(before).map_or(text, |(start, _)| &text[start..]),
        None => "",
    };
    Cow::Owned(format!("{head} {MARK} {tail}"))
}

/// The first so many characters, without a mark.
pub fn head(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

/// As many whole characters as fit into so many bytes, without a mark.
pub fn head_bytes(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_falls_between_characters_and_is_marked() {
        for (text, most, expected) in
            [("", 0, ""), ("aé", 2, "aé"), ("aéb", 2, "aé…"), ("aéb", 0, "…"), ("\u{1F980}\u{1F980}", 1, "\u{1F980}…")]
        {
            assert_eq!(cut(text, most), expected);
            assert_eq!(head(text, most), expected.trim_end_matches('…'));
        }
        for (most, expected) in [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (9, "aéb")] {
            assert_eq!(head_bytes("aéb", most), expected);
        }
        for (first, last, expected) in [(9, 1, "abcdé"), (5, 9, "abcdé"), (2, 2, "ab … dé"), (1, 0, "a … ")] {
            assert_eq!(cut_middle("abcdé", first, last), expected);
        }
    }
}
