use std::borrow::Cow;
use std::fmt::Write as _;

use super::cut::{MARK, head};

/// What a character begins with that [`encoded`] writes.
const ENCODED: &str = "\\u{";
/// How far a tab goes where the columns before it do not count.
const TAB: &str = "    ";

/// Whether a character must not reach a screen as it is: it drives a terminal, turns the direction of reading, breaks a
/// line where it cannot be seen, or is not seen at all.
///
/// Invisible joiners are among them, so an emoji made of several shows as these several. Variation selectors, which only
/// choose between two looks of the character before, are not.
///
/// Source: the Unicode Standard, sections 23.2 to 23.9 (control codes C0 and C1, layout controls, deprecated format
/// characters, tags), and Unicode Technical Report 36 on what deceives the eye.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// One line that is safe to show: escape sequences and unsafe characters out, white space joined.
pub fn safe_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in without_sequences(text) {
        if c.is_whitespace() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
        } else if !is_unsafe(c) {
            line.push(c);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// [`safe_line`] of at most so many characters, and `…` behind them where there were more.
pub fn short_line(text: &str, most: usize) -> String {
    let line = safe_line(text);
    let head = head(&line, most);
    if head.len() == line.len() { line } else { format!("{}{MARK}", head.trim_end()) }
}

/// A text of several lines that is safe to show: its indentation stays, tabs are spaces, the last line end is left out.
pub fn safe_lines(text: &str) -> String {
    let mut lines = String::with_capacity(text.len());
    for c in without_sequences(text) {
        match c {
            '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => lines.push('\n'),
            '\t' => lines.push_str(TAB),
            c if !is_unsafe(c) => lines.push(c),
            _ => {}
        }
    }
    if lines.ends_with('\n') {
        lines.pop();
    }
    lines
}

/// A text that is safe to show, otherwise as it is: its lines, tabs and blanks stay.
pub fn safe_text(text: &str) -> String {
    let kept = |c: char| match c {
        '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\n' | '\t' => Some(c),
        c => (!is_unsafe(c)).then_some(c),
    };
    without_sequences(text).filter_map(kept).collect()
}

/// A name that is safe to show and comes back by [`from_encoded`] as it was, whatever is in it: `a\u{202e}b`. One without
/// anything unsafe stays as it is.
pub fn encoded(name: &str) -> Cow<'_, str> {
    if !name.contains(is_unsafe) && !name.contains(ENCODED) {
        return Cow::Borrowed(name);
    }
    let mut safe = String::with_capacity(name.len() + 8);
    for c in name.chars() {
        if c == '\\' || is_unsafe(c) { safe.extend(c.escape_unicode()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

/// The name that [`encoded`] has made safe.
pub fn from_encoded(name: &str) -> Cow<'_, str> {
    let mut parts = name.split(ENCODED);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let decoded = part.split_once('}').and_then(|(hex, rest)| Some((decoded(hex)?, rest)));
        match decoded {
            Some((c, rest)) => plain.extend(std::iter::once(c).chain(rest.chars())),
            None => plain.extend([ENCODED, part]),
        }
    }
    if plain == name { Cow::Borrowed(name) } else { Cow::Owned(plain) }
}

fn decoded(hex: &str) -> Option<char> {
    char::from_u32(u32::from_str_radix(hex, 16).ok()?)
}

/// JSON text with every unsafe character escaped; it parses to the same value.
pub fn safe_json(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut units = [0; 2];
    for c in text.chars() {
        // Line ends stand between values only.
        if c == '\n' || !is_unsafe(c) {
            safe.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                // Writing to a string does not fail.
                let _ = write!(safe, "\\u{unit:04x}");
            }
        }
    }
    safe
}

/// A name in which whatever is unsafe stays to be seen: `a\u{1b}b`.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { safe.extend(c.escape_default()) } else { safe.extend(c.escape_debug()) }
    }
    safe
}

/// A text of which a person has to see everything, such as a command: [`escaped`] where it is unsafe, otherwise as it is,
/// with its lines.
pub fn revealed(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_unsafe(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    safe
}

/// The characters of a text that belong to no escape sequence. What only begins like one is kept: nothing a terminal
/// would not take for a sequence may hide what comes after it.
///
/// Source: ECMA-48, sections 5.3 to 5.6, and ECMA-35, section 13.2, but for `ESC SP F`: a stray escape before a blank takes
/// no letter with it. BEL as the end of an OSC is xterm's.
fn without_sequences(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let c = rest.chars().next()?;
            let length = sequence(rest);
            if length == 0 {
                rest = &rest[c.len_utf8()..];
                return Some(c);
            }
            rest = &rest[length..];
        }
    })
}

/// How many bytes the escape sequence has that a text begins with; 0 where it begins with none.
fn sequence(text: &str) -> usize {
    let mut chars = text.chars();
    let (kind, start) = match chars.next() {
        Some('\u{1b}') => match chars.next() {
            Some(kind @ '#'..='~') => (kind, 2),
            _ => return 0,
        },
        // The one-character forms of `ESC P`, `ESC X`, `ESC [`, `ESC ]`, `ESC ^` and `ESC _`.
        Some(c @ ('\u{90}' | '\u{98}' | '\u{9b}' | '\u{9d}'..='\u{9f}')) => {
            (char::from_u32(u32::from(c) - 0x40).unwrap_or(c), c.len_utf8())
        }
        _ => return 0,
    };
    let body = &text[start..];
    let length = match kind {
        '[' => control_sequence(body),
        ']' | 'P' | 'X' | '^' | '_' => control_string(body),
        // `ESC ( B` and its like.
        '#'..='/' => body.starts_with(|c| matches!(c, '0'..='~')).then_some(1),
        _ => Some(0),
    };
    length.map_or(0, |length| start + length)
}

/// Parameters, intermediate bytes, then the final one.
fn control_sequence(body: &str) -> Option<usize> {
    let rest = body.trim_start_matches(|c| matches!(c, '0'..='?')).trim_start_matches(|c| matches!(c, ' '..='/'));
    rest.starts_with(|c| matches!(c, '@'..='~')).then(|| body.len() - rest.len() + 1)
}

/// Everything up to BEL or ST. It stands in one line; one that nothing ends is none.
fn control_string(body: &str) -> Option<usize> {
    let end = body.find(['\u{7}', '\u{9c}', '\u{1b}', '\n'])?;
    let rest = &body[end..];
    let last = ["\u{7}", "\u{9c}", "\u{1b}\\"].into_iter().find(|last| rest.starts_with(last))?;
    Some(end + last.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every class of what is dangerous: a text, and what the functions make of it (one line, several, JSON, escaped).
    const CLASSES: [(&str, &str, [&str; 4]); 18] = [
        ("C0", "a\u{7}\u{8}\u{0}b", ["ab", "ab", "a\\u0007\\u0008\\u0000b", "a\\u{7}\\u{8}\\u{0}b"]),
        ("delete", "a\u{7f}b", ["ab", "ab", "a\\u007fb", "a\\u{7f}b"]),
        ("C1", "a\u{80}\u{9a}b", ["ab", "ab", "a\\u0080\\u009ab", "a\\u{80}\\u{9a}b"]),
        ("carriage return", "a\rb", ["a b", "ab", "a\\u000db", "a\\rb"]),
        ("next line", "a\u{85}b", ["a b", "a\nb", "a\\u0085b", "a\\u{85}b"]),
        (
            "line and paragraph separators",
            "a\u{2028}\u{2029}b",
            ["a b", "a\n\nb", "a\\u2028\\u2029b", "a\\u{2028}\\u{2029}b"],
        ),
        ("bidi embeddings", "a\u{202a}\u{202e}b", ["ab", "ab", "a\\u202a\\u202eb", "a\\u{202a}\\u{202e}b"]),
        ("bidi isolates", "a\u{2066}\u{2069}b", ["ab", "ab", "a\\u2066\\u2069b", "a\\u{2066}\\u{2069}b"]),
        (
            "bidi marks",
            "a\u{61c}\u{200e}\u{200f}b",
            ["ab", "ab", "a\\u061c\\u200e\\u200fb", "a\\u{61c}\\u{200e}\\u{200f}b"],
        ),
        (
            "zero width",
            "a\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}b",
            ["ab", "ab", "a\\u200b\\u200c\\u200d\\u2060\\ufeffb", "a\\u{200b}\\u{200c}\\u{200d}\\u{2060}\\u{feff}b"],
        ),
        (
            "invisible",
            "a\u{ad}\u{180e}\u{2063}b",
            ["ab", "ab", "a\\u00ad\\u180e\\u2063b", "a\\u{ad}\\u{180e}\\u{2063}b"],
        ),
        (
            "annotations and tags",
            "a\u{fff9}\u{e0041}b",
            ["ab", "ab", "a\\ufff9\\udb40\\udc41b", "a\\u{fff9}\\u{e0041}b"],
        ),
        (
            "CSI",
            "a\u{1b}[1;31m\u{1b}[?25l\u{9b}2Jb",
            ["ab", "ab", "a\\u001b[1;31m\\u001b[?25l\\u009b2Jb", "a\\u{1b}[1;31m\\u{1b}[?25l\\u{9b}2Jb"],
        ),
        (
            "OSC",
            "a\u{1b}]0;title\u{7}b\u{1b}]8;;http://x\u{1b}\\c\u{9d}2;t\u{9c}d",
            [
                "abcd",
                "abcd",
                "a\\u001b]0;title\\u0007b\\u001b]8;;http://x\\u001b\\c\\u009d2;t\\u009cd",
                "a\\u{1b}]0;title\\u{7}b\\u{1b}]8;;http://x\\u{1b}\\\\c\\u{9d}2;t\\u{9c}d",
            ],
        ),
        (
            "DCS, SOS, PM, APC",
            "a\u{1b}Pq\u{1b}\\\u{1b}Xs\u{1b}\\\u{1b}^p\u{1b}\\\u{1b}_c\u{1b}\\b",
            [
                "ab",
                "ab",
                "a\\u001bPq\\u001b\\\\u001bXs\\u001b\\\\u001b^p\\u001b\\\\u001b_c\\u001b\\b",
                "a\\u{1b}Pq\\u{1b}\\\\\\u{1b}Xs\\u{1b}\\\\\\u{1b}^p\\u{1b}\\\\\\u{1b}_c\\u{1b}\\\\b",
            ],
        ),
        ("other sequences", "a\u{1b}(B\u{1b}cb", ["ab", "ab", "a\\u001b(B\\u001bcb", "a\\u{1b}(B\\u{1b}cb"]),
        (
            "no sequence hides a text",
            "a\u{1b}]0;title",
            ["a]0;title", "a]0;title", "a\\u001b]0;title", "a\\u{1b}]0;title"],
        ),
        (
            "no sequence arises",
            "\u{1b}\u{1b}[0m[2J\u{1b}",
            ["[2J", "[2J", "\\u001b\\u001b[0m[2J\\u001b", "\\u{1b}\\u{1b}[0m[2J\\u{1b}"],
        ),
    ];

    #[test]
    fn every_dangerous_class_is_made_safe_by_every_function() {
        for (class, text, [line, lines, json, name]) in CLASSES {
            assert_eq!(safe_line(text), line, "{class}");
            assert_eq!(short_line(text, 100), line, "{class}");
            assert_eq!(super::super::paragraph("", text, 100), line, "{class}");
            assert_eq!(safe_lines(text), lines, "{class}");
            assert_eq!(safe_json(text), json, "{class}");
            assert_eq!(escaped(text), name, "{class}");
            for safe in [line, lines, json, name, &safe_text(text), &encoded(text)] {
                assert_eq!(safe.chars().find(|c| is_unsafe(*c) && *c != '\n'), None, "{class}");
            }
        }
    }

    #[test]
    fn a_name_that_is_made_safe_comes_back_as_it_was() {
        for (name, shown) in [
            ("i1", "i1"),
            (r"src\a\u.rs", r"src\a\u.rs"),
            ("a\u{202e}b", r"a\u{202e}b"),
            ("\u{1b}[2J\n\\é", r"\u{1b}[2J\u{a}\u{5c}é"),
            (r"a\u{202e}b", r"a\u{5c}u{202e}b"),
            (r"\u{", r"\u{5c}u{"),
            ("", ""),
        ] {
            assert_eq!(encoded(name), shown);
            assert_eq!(from_encoded(shown), name);
        }
        for odd in [r"\u{zz}", r"\u{110000}x", r"\u{", r"\u{}"] {
            assert_eq!(from_encoded(odd), odd, "it is no encoding");
        }
    }

    #[test]
    fn a_text_keeps_its_lines_and_its_indentation() {
        for (text, safe) in [
            ("a\r\n\tb  c\n\n", "a\n\tb  c\n\n"),
            ("a\u{202e}b\u{1b}[2Jc\u{2028}d\u{0}", "abc\nd"),
            ("Grüße \u{1F980}", "Grüße \u{1F980}"),
        ] {
            assert_eq!(safe_text(text), safe);
        }
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        let text = "Grüße, 日本語, עברית, नमस्ते \u{2764}\u{fe0f} \u{1F980} «a» `b` \\ \"c\" — 1\u{a0}000";
        assert_eq!(safe_lines(text), text);
        assert_eq!(safe_json(text), text);
        assert_eq!(safe_line(text), text.replace('\u{a0}', " "));
    }

    #[test]
    fn white_space_is_joined_in_a_line_and_kept_in_lines() {
        assert_eq!(safe_line("  a \t\u{202e} b\r\n\r\n c \u{0}"), "a b c");
        assert_eq!(safe_lines("# a\u{1b}[2J\r\n\n\t- b  c\u{0}  \n"), "# a\n\n    - b  c  ");
        assert_eq!(safe_lines("a\n\n"), "a\n");
    }

    #[test]
    fn a_short_line_ends_in_no_blank() {
        for (most, text) in [(13, "one two three"), (9, "one two t…"), (8, "one two…"), (7, "one two…"), (0, "…")]
        {
            assert_eq!(short_line("one two\n three ", most), text);
        }
    }

    #[test]
    fn safe_json_says_the_same() {
        let value = serde_json::json!({ "text": "a\u{9b}31m\u{1b}[2J\u{202e}\u{7f}é\u{e0041}\u{1F980}\n" });
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let safe = safe_json(&text);
            assert_eq!(safe.chars().find(|c| is_unsafe(*c) && *c != '\n'), None, "{safe:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        }
    }
}
