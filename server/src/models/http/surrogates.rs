//! JSON whose strings were cut between the two halves of a surrogate pair.
//!
//! A server that cuts an answer's text into pieces by UTF-16 units writes the first half of a character beyond U+FFFF at the
//! end of one piece and the second at the start of the next, each as an escape. Alone neither is a character, and readers of
//! JSON refuse it. Here each half becomes a character of a private plane, and the two are joined again once the pieces are.

use std::borrow::Cow;

use serde_json::Value;

/// The first character of the private plane that stands for halves: U+D800 is this one.
const PLANE: u32 = 0x000F_0000;
const FIRST_HALVES: std::ops::RangeInclusive<u32> = 0xD800..=0xDBFF;
const SECOND_HALVES: std::ops::RangeInclusive<u32> = 0xDC00..=0xDFFF;

/// Read JSON in which halves of pairs may stand alone. [`join`] makes whole characters of the pieces.
pub(in crate::models) fn parse(json: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(json).or_else(|error| match with_stand_ins(json) {
        Cow::Borrowed(_) => Err(error),
        Cow::Owned(json) => serde_json::from_str(&json),
    })
}

/// Make one character of each two halves that now stand side by side. A half that is still alone becomes U+FFFD.
pub(in crate::models) fn join(text: String) -> String {
    if !text.chars().any(|c| half(c).is_some()) {
        return text;
    }
    let mut joined = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let Some(first) = half(c) else {
            joined.push(c);
            continue;
        };
        let second = chars.peek().copied().and_then(half).filter(|unit| SECOND_HALVES.contains(unit));
        let pair = second.filter(|_| FIRST_HALVES.contains(&first)).and_then(|second| {
            char::from_u32(0x1_0000 + ((first - FIRST_HALVES.start()) << 10) + (second - SECOND_HALVES.start()))
        });
        if pair.is_some() {
            chars.next();
        }
        joined.push(pair.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    joined
}

/// [`join`] in every text of a value.
pub(in crate::models) fn join_in(value: &mut Value) {
    match value {
        Value::String(text) => *text = join(std::mem::take(text)),
        Value::Array(list) => list.iter_mut().for_each(join_in),
        Value::Object(object) => object.values_mut().for_each(join_in),
        _ => {}
    }
}

/// The half that a stand-in stands for.
fn half(c: char) -> Option<u32> {
    let unit = u32::from(c).checked_sub(PLANE)? + FIRST_HALVES.start();
    (FIRST_HALVES.contains(&unit) || SECOND_HALVES.contains(&unit)).then_some(unit)
}

/// The text with a stand-in for each escape of a half without the other.
fn with_stand_ins(json: &str) -> Cow<'_, str> {
    let mut rest = json;
    let mut made = String::new();
    while let Some(at) = rest.find('\\') {
        let unit = |at: usize| {
            let digits = rest.get(at..at + 6)?.strip_prefix("\\u")?;
            u32::from_str_radix(digits, 16).ok()
        };
        let (before, after) = match unit(at) {
            Some(first) if FIRST_HALVES.contains(&first) => match unit(at + 6) {
                Some(second) if SECOND_HALVES.contains(&second) => (at + 12, at + 12),
                _ => (at, at + 6),
            },
            Some(second) if SECOND_HALVES.contains(&second) => (at, at + 6),
            // An escape of two characters, `\\` among them, whose second begins none.
            _ => {
                let end = rest[at + 1..].chars().next().map_or(rest.len(), |c| at + 1 + c.len_utf8());
                (end, end)
            }
        };
        made.push_str(&rest[..before]);
        if before < after {
            let stand_in = unit(at).and_then(|unit| char::from_u32(PLANE + unit - FIRST_HALVES.start()));
            made.push(stand_in.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        rest = &rest[after..];
    }
    if made.is_empty() {
        return Cow::Borrowed(json);
    }
    made.push_str(rest);
    Cow::Owned(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pieces: &[&str]) -> String {
        let read = |piece: &&str| parse(piece).expect("JSON")["t"].as_str().expect("a text").to_owned();
        join(pieces.iter().map(read).collect())
    }

    #[test]
    fn a_pair_that_was_cut_between_two_pieces_is_one_character_again() {
        assert_eq!(texts(&[r#"{"t":"crab \ud83e"}"#, r#"{"t":"\udd80!"}"#]), "crab 🦀!");
        assert_eq!(
            texts(&[r#"{"t":"\ud83e"}"#, r#"{"t":""}"#, r#"{"t":"\uDD80\ud83d"}"#, r#"{"t":"\ude00"}"#]),
            "🦀😀"
        );
    }

    #[test]
    fn whole_pairs_and_escaped_backslashes_stay() {
        assert_eq!(texts(&[r#"{"t":"\ud83e\udd80 \\ud83e \u00e9 \" \\"}"#]), "🦀 \\ud83e é \" \\");
        assert_eq!(texts(&[r#"{"t":"\ud83e\udd80 \\\ud83e"}"#, r#"{"t":"\udd80 é"}"#]), "🦀 \\🦀 é");
    }

    #[test]
    fn a_half_that_stays_alone_is_a_replacement_character() {
        assert_eq!(texts(&[r#"{"t":"a\ud83eb"}"#]), "a\u{FFFD}b");
        assert_eq!(texts(&[r#"{"t":"\udd80\ud83e"}"#]), "\u{FFFD}\u{FFFD}");
    }

    #[test]
    fn what_is_no_json_is_none_in_this_way_either() {
        for text in ["", "{", r#"{"t":"\ud83e"#, r#"{"t":"\u12"}"#, "\\", r"\u", "{\"t\":\"\\é\"}"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
