//! JSON as agents write it by hand, made plain: Markdown fences, comments, trailing commas, and line breaks and tabs inside of
//! texts are taken for what they can only mean.
//!
//! Invariant: the plain text has as many bytes as the one that was read, so that every place in it is one there. What a parser
//! gets is scanned without recursion here, and limits are counted after that: a comment hides nothing from them.

use std::borrow::Cow;

/// A text made plain.
pub(super) struct PlainJson<'a> {
    /// The text with blanks in place of what JSON does not have, as long as the original.
    pub(super) plain: Cow<'a, str>,
    /// The same with what stands inside of texts escaped as JSON wants it: for a parser, not for places.
    pub(super) parsed: Cow<'a, str>,
    /// What was taken otherwise than it stands, each at the byte where it stands first.
    pub(super) notes: Vec<(usize, &'static str)>,
}

impl PlainJson<'_> {
    /// The plain text with the first line break or tab inside of a text as it stands in the original.
    pub(super) fn with_first_break(&self, original: &str) -> Cow<'_, str> {
        let Some((at, _)) = self.notes.iter().find(|(_, note)| *note == BREAK) else {
            return Cow::Borrowed(self.plain.as_ref());
        };
        // Both are one byte: a control character, and the blank that stands for it.
        let mut plain = self.plain.as_ref().to_owned();
        plain.replace_range(*at..at + 1, &original[*at..at + 1]);
        Cow::Owned(plain)
    }
}

/// Makes a text plain. JSON, and what cannot be made JSON so, stays as it is.
pub(super) fn plain_json(text: &str) -> PlainJson<'_> {
    let mut scan = Scan { bytes: text.as_bytes().to_vec(), escapes: Vec::new(), notes: Vec::new() };
    scan.unfence(text);
    scan.all();
    if scan.notes.is_empty() {
        return PlainJson { plain: Cow::Borrowed(text), parsed: Cow::Borrowed(text), notes: Vec::new() };
    }
    // Whole characters were blanked, by ASCII: it is UTF-8 still.
    let Ok(plain) = String::from_utf8(scan.bytes) else {
        return PlainJson { plain: Cow::Borrowed(text), parsed: Cow::Borrowed(text), notes: Vec::new() };
    };
    let mut parsed = String::with_capacity(plain.len());
    let mut from = 0;
    for (at, escape) in scan.escapes {
        parsed.push_str(&plain[from..at]);
        parsed.push_str(escape);
        from = at + 1;
    }
    parsed.push_str(&plain[from..]);
    scan.notes.sort_unstable();
    PlainJson { plain: Cow::Owned(plain), parsed: Cow::Owned(parsed), notes: scan.notes }
}

const FENCE: &str = "the Markdown around the JSON was passed over; the file should hold the JSON alone";
const COMMENT: &str = "comments were passed over; JSON has none";
const COMMA: &str = "a comma before a closing bracket was passed over";
const BREAK: &str = "line breaks and tabs inside of texts were taken as \\n and \\t, as which they are written in JSON";

struct Scan {
    bytes: Vec<u8>,
    /// What a parser needs in place of these bytes, in their order.
    escapes: Vec<(usize, &'static str)>,
    notes: Vec<(usize, &'static str)>,
}

impl Scan {
    fn note(&mut self, at: usize, note: &'static str) {
        if self.notes.iter().all(|(_, known)| *known != note) {
            self.notes.push((at, note));
        }
    }

    fn blank(&mut self, range: std::ops::Range<usize>) {
        for byte in self.bytes.get_mut(range).into_iter().flatten() {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }

    /// Takes away a fence with all that stands around it, where there is one block of JSON and no more.
    fn unfence(&mut self, text: &str) {
        if text.trim_start().starts_with(['{', '[']) {
            return;
        }
        let (mut blocks, mut open, mut at) = (Vec::new(), None, 0);
        for line in text.split_inclusive('\n') {
            let (start, end) = (at, at + line.len());
            at = end;
            if !line.trim_start().starts_with("```") {
                continue;
            }
            match open.take() {
                None => open = Some((start, end)),
                Some((fence, first)) if line.trim() == "```" => blocks.push((fence, first..start)),
                // A fence inside of a text: it opens nothing.
                still => open = still,
            }
        }
        blocks.retain(|(_, block)| text[block.clone()].trim_start().starts_with(['{', '[']));
        if let [(fence, block)] = blocks.as_slice() {
            self.blank(0..block.start);
            self.blank(block.end..text.len());
            self.note(*fence, FENCE);
        }
    }

    fn all(&mut self) {
        let mut at = 0;
        // The last comma that nothing but blanks and comments followed, and what stood there last besides them.
        let (mut comma, mut last) = (None, b'[');
        while let Some(byte) = self.bytes.get(at).copied() {
            match byte {
                b'"' => {
                    (comma, last) = (None, byte);
                    at = self.text(at + 1);
                    continue;
                }
                b'/' if matches!(self.bytes.get(at + 1), Some(b'/' | b'*')) => {
                    let Some(end) = self.comment_end(at) else { return };
                    self.blank(at..end);
                    self.note(at, COMMENT);
                    at = end;
                    continue;
                }
                // One that follows no value is a mistake.
                b',' => (comma, last) = (Some(at).filter(|_| !matches!(last, b'[' | b'{' | b',' | b':')), byte),
                b']' | b'}' => {
                    if let Some(comma) = comma.take() {
                        self.blank(comma..comma + 1);
                        self.note(comma, COMMA);
                    }
                    last = byte;
                }
                b' ' | b'\n' | b'\r' | b'\t' => {}
                _ => (comma, last) = (None, byte),
            }
            at += 1;
        }
    }

    /// Goes through a text, and returns where it has ended.
    fn text(&mut self, mut at: usize) -> usize {
        while let Some(byte) = self.bytes.get(at).copied() {
            match byte {
                b'"' => return at + 1,
                b'\\' => at += 1,
                b'\n' | b'\r' | b'\t' => {
                    let escape = match byte {
                        b'\n' => "\\n",
                        b'\r' => "\\r",
                        _ => "\\t",
                    };
                    self.escapes.push((at, escape));
                    self.bytes[at] = b' ';
                    self.note(at, BREAK);
                }
                _ => {}
            }
            at += 1;
        }
        at
    }

    fn comment_end(&self, at: usize) -> Option<usize> {
        let rest = self.bytes.get(at + 2..)?;
        match self.bytes[at + 1] {
            b'/' => Some(at + 2 + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())),
            _ => Some(at + 4 + rest.windows(2).position(|pair| pair == b"*/")?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (serde_json::Value, usize) {
        let plain = plain_json(text);
        assert_eq!(plain.plain.len(), text.len(), "{text}");
        (serde_json::from_str(&plain.parsed).unwrap_or_default(), plain.notes.len())
    }

    #[test]
    fn what_can_mean_one_thing_only_is_taken_so() {
        let one = serde_json::json!({ "a": [1, "x"] });
        for (text, notes) in [
            (r#"{"a": [1, "x"]}"#, 0),
            ("```json\n{\"a\": [1, \"x\"]}\n```\n", 1),
            ("Here is it:\r\n\r\n```\r\n{\"a\": [1, \"x\"]}\r\n```\r\nBye, é.", 1),
            ("{\"a\": [1, \"x\",], // one\n /* two ] */ }", 2),
            ("{\"a\": [1, \"x\" ,\n /* , */ ]\n,}\n", 2),
        ] {
            assert_eq!(read(text), (one.clone(), notes), "{text}");
        }
        let (value, _) = read("{\"a\": \"one\n\ttwo // no comment, }\", \"b\": \"c:\\\\\",}");
        assert_eq!(value, serde_json::json!({ "a": "one\n\ttwo // no comment, }", "b": "c:\\" }));
        let (value, _) = read("```json\n{\"a\": \"```\nx\n```\"}\n```");
        assert_eq!(value, serde_json::json!({ "a": "```\nx\n```" }), "a fence inside of a text is part of it");
    }

    #[test]
    fn json_stays_byte_for_byte_and_nonsense_too() {
        for text in [
            r#"{"a": "//", "b": "/* , */ ,]"}"#,
            "",
            "oops",
            "{ oops }",
            "```\nno JSON\n```",
            "\"a\\",
            "[,]",
            "{,}",
            "[1,,]",
            "/*",
            "/",
            "é/",
        ] {
            let plain = plain_json(text);
            assert_eq!((&*plain.plain, &*plain.parsed), (text, text));
        }
        for text in ["```json\n{}\n```\n```json\n{}\n```", "Look: {}"] {
            assert_eq!(plain_json(text).plain, text, "which one is meant is not guessed");
        }
    }

    #[test]
    fn a_comment_hides_no_depth_from_the_limits() {
        let deep = format!("// \"\n{}", "[".repeat(100_000));
        let plain = plain_json(&deep);
        assert!(crate::contracts::over_limit(plain.plain.as_bytes()).is_some());
    }
}
