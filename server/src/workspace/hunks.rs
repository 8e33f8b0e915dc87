//! The hunks between two contents of a file: what they are called, and the file without some of them.

use std::collections::HashMap;
use std::ops::Range;

use super::diff::changed_lines;
use super::sha256;
use super::text_file::decode_lines;
use crate::contracts::RepoPath;

/// The largest content that has hunks, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Hex digits of an id.
const ID_DIGITS: usize = 12;

/// One stretch of lines in which a file differs from what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineHunk {
    /// Twelve hex digits; see [`line_hunks`].
    pub id: String,
    /// The lines that are gone, counted from 0 in the old content.
    pub old: Range<usize>,
    /// The lines that came, counted from 0 in the new content.
    pub new: Range<usize>,
}

/// The hunks between two contents, from top to bottom. `None` is a missing file. There are none where one content is binary or
/// larger than 1 MiB.
///
/// An id is the first 12 hex digits of SHA-256 over: the path; a zero byte; the number of removed lines, and each with its
/// length in front; the same for the added lines; and how many equal hunks of the file stand above it. Numbers are 64 bits,
/// little-endian; lines are bytes of the file, with their ends.
pub fn line_hunks(path: &RepoPath, old: Option<&[u8]>, new: Option<&[u8]>) -> Vec<LineHunk> {
    let (old_bytes, new_bytes) = (old.unwrap_or_default(), new.unwrap_or_default());
    if old_bytes.len().max(new_bytes.len()) > MAX_BYTES {
        return Vec::new();
    }
    let (Ok(old_text), Ok(new_text)) = (decode_lines(old_bytes), decode_lines(new_bytes)) else { return Vec::new() };
    let (old_lines, new_lines) = (byte_lines(old_bytes), byte_lines(new_bytes));
    let counts = |text: &str, lines: &[&[u8]]| text.split_inclusive('\n').count() == lines.len();
    let stretches = if counts(&old_text, &old_lines) && counts(&new_text, &new_lines) {
        changed_lines(old, new)
    } else {
        vec![(0..old_lines.len(), 0..new_lines.len())]
    };
    let mut equal: HashMap<String, u64> = HashMap::new();
    let named = stretches.into_iter().map(|(old, new)| {
        let mut content = path.as_str().as_bytes().to_vec();
        content.push(0);
        for lines in [&old_lines[old.clone()], &new_lines[new.clone()]] {
            content.extend((lines.len() as u64).to_le_bytes());
            for line in lines {
                content.extend((line.len() as u64).to_le_bytes());
                content.extend(*line);
            }
        }
        let ordinal = equal.entry(sha256(&content)).or_default();
        content.extend(ordinal.to_le_bytes());
        *ordinal += 1;
        let id = sha256(&content).chars().take(ID_DIGITS).collect();
        LineHunk { id, old, new }
    });
    named.collect()
}

/// The new content with the old lines in place of some of the hunks between both. `None` is a missing file, also in the answer.
pub fn without_hunks(old: Option<&[u8]>, new: Option<&[u8]>, hunks: &[LineHunk]) -> Option<Vec<u8>> {
    let (old_lines, new_lines) = (byte_lines(old.unwrap_or_default()), byte_lines(new.unwrap_or_default()));
    let covers = |lines: usize, range: fn(&LineHunk) -> &Range<usize>| {
        hunks.iter().map(range).map(Range::len).sum::<usize>() == lines
    };
    // All that came is gone, and so is the file, where there was none; one that was deleted comes back.
    if hunks.is_empty() {
        return new.map(<[u8]>::to_vec);
    }
    if old.is_none() && covers(new_lines.len(), |hunk| &hunk.new) {
        return None;
    }
    let mut bytes = Vec::new();
    let mut at = 0;
    for LineHunk { old, new, .. } in hunks {
        bytes.extend(new_lines.get(at..new.start).unwrap_or_default().concat());
        bytes.extend(old_lines.get(old.clone()).unwrap_or_default().concat());
        at = new.end;
    }
    bytes.extend(new_lines.get(at..).unwrap_or_default().concat());
    Some(bytes)
}

/// `now` changed to `target`, but for the lines of these hunks of `now`, which stay.
pub fn changed_except(now: &[u8], target: Option<&[u8]>, kept: &[LineHunk]) -> Option<Vec<u8>> {
    let touches = |lines: &Range<usize>, kept: &LineHunk| {
        // A hunk without lines of its own stands between two.
        let (a, b) = (lines, &kept.new);
        if a.is_empty() || b.is_empty() {
            a.start <= b.end && b.start <= a.end
        } else {
            a.start < b.end && b.start < a.end
        }
    };
    let all = changed_lines(target, Some(now)).into_iter().map(|(old, new)| LineHunk { id: String::new(), old, new });
    let rest: Vec<LineHunk> = all.filter(|hunk| !kept.iter().any(|kept| touches(&hunk.new, kept))).collect();
    without_hunks(target, Some(now), &rest)
}

/// The lines of a text with their ends, as bytes; of UTF-16 with a byte order mark in its units.
pub fn byte_lines(bytes: &[u8]) -> Vec<&[u8]> {
    let end: &[u8] = match bytes {
        [0xff, 0xfe, ..] => b"\n\0",
        [0xfe, 0xff, ..] => b"\0\n",
        _ => return bytes.split_inclusive(|byte| *byte == b'\n').collect(),
    };
    let (mut lines, mut start) = (Vec::new(), 0);
    for (index, unit) in bytes.chunks_exact(2).enumerate() {
        if unit == end {
            lines.push(&bytes[start..index * 2 + 2]);
            start = index * 2 + 2;
        }
    }
    if start < bytes.len() {
        lines.push(&bytes[start..]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::fixture::path;
    use super::*;

    fn hunks(old: &str, new: &str) -> Vec<LineHunk> {
        line_hunks(&path("src/a.rs"), Some(old.as_bytes()), Some(new.as_bytes()))
    }

    #[test]
    fn an_id_is_made_of_path_lines_and_ordinal() {
        let mut content = b"src/a.rs\0".to_vec();
        content.extend(b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0b\n");
        content.extend(b"\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0B\n");
        content.extend([0; 8]);
        let found = hunks("a\nb\nc\n", "a\nB\nc\n");
        assert_eq!(found, [LineHunk { id: sha256(&content)[..12].to_owned(), old: 1..2, new: 1..2 }]);
        assert_eq!(found[0].id, "3a9a0e42b1a7", "ids of earlier versions stay");
        let elsewhere = line_hunks(&path("src/b.rs"), Some(b"a\nb\nc\n"), Some(b"a\nB\nc\n"));
        assert_ne!(elsewhere[0].id, found[0].id);
    }

    #[test]
    fn equal_hunks_have_different_ids() {
        let found = hunks("x\n1\n2\n3\nx\n", "y\n1\n2\n3\ny\n");
        assert_eq!(found.len(), 2);
        assert_ne!(found[0].id, found[1].id);
    }

    #[test]
    fn hunks_undone_in_any_order_give_the_old_content() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let mut text = |ends: &[&str]| {
                let lines = random.usize(..12);
                (0..lines)
                    .map(|_| format!("{}{}", random.u8(..4), ends[random.usize(..ends.len())]))
                    .collect::<String>()
            };
            let (old, first) = (text(&["\n", "\r\n", ""]), text(&["\n", "\r\n"]));
            let mut now = first.into_bytes();
            for _ in 0..40 {
                let left = line_hunks(&path("a"), Some(old.as_bytes()), Some(&now));
                let Some(count) = left.len().checked_sub(1) else { break };
                let chosen = &left[random.usize(..=count)];
                now = without_hunks(Some(old.as_bytes()), Some(&now), std::slice::from_ref(chosen)).unwrap();
            }
            assert_eq!(now, old.as_bytes());
        }
    }

    #[test]
    fn what_is_kept_is_all_that_is_left_of_a_change() {
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..300 {
            let mut text = || -> String {
                let lines = random.usize(1..14);
                (0..lines)
                    .map(|_| format!("{}{}", random.u8(..4), random.choice(["\n", "\r\n"]).unwrap_or("\n")))
                    .collect()
            };
            let (old, mut now) = (text(), text());
            if random.bool() {
                now = now.trim_end().to_owned();
            }
            let (old, now) = (old.as_bytes(), now.as_bytes());
            let (kept, rest): (Vec<LineHunk>, Vec<LineHunk>) =
                line_hunks(&path("a"), Some(old), Some(now)).into_iter().partition(|_| random.bool());
            let left = changed_except(now, Some(old), &kept);
            assert_eq!(left, without_hunks(Some(old), Some(now), &rest));
            let lines = left.as_deref().map(byte_lines).unwrap_or_default();
            let of_kept = kept.iter().map(|hunk| hunk.new.len()).sum::<usize>();
            let of_old = byte_lines(old).len() - kept.iter().map(|hunk| hunk.old.len()).sum::<usize>();
            assert_eq!(lines.len(), of_kept + of_old, "{old:?} {now:?}");
        }
    }

    #[test]
    fn a_created_and_a_deleted_file_are_one_hunk() {
        let made = line_hunks(&path("a"), None, Some(b"1\n2"));
        assert_eq!(made.len(), 1);
        assert_eq!(without_hunks(None, Some(b"1\n2"), &made), None);
        let gone = line_hunks(&path("a"), Some(b"1\n2"), None);
        assert_eq!(without_hunks(Some(b"1\n2"), None, &gone).as_deref(), Some(&b"1\n2"[..]));
    }

    #[test]
    fn other_encodings_and_binaries() {
        let wide =
            |text: &str| [b"\xff\xfe".to_vec(), text.encode_utf16().flat_map(u16::to_le_bytes).collect()].concat();
        let (old, new) = (wide("a\n\u{a0a}\nc\n"), wide("a\n\u{a0a}\nd\n"));
        let found = line_hunks(&path("a"), Some(&old), Some(&new));
        assert_eq!(found[0].new, 2..3);
        assert_eq!(without_hunks(Some(&old), Some(&new), &found), Some(old));
        assert!(line_hunks(&path("a"), Some(b"a\0b"), Some(b"a\0c")).is_empty());
        let bytes = (&b"a\n\xe9\n"[..], &b"b\n\xe9\n"[..]);
        let found = line_hunks(&path("a"), Some(bytes.0), Some(bytes.1));
        assert_eq!(without_hunks(Some(bytes.0), Some(bytes.1), &found).as_deref(), Some(bytes.0));
    }

    #[test]
    fn kept_hunks_stay_when_the_rest_goes_back() {
        let (old, now) = (&b"1\n2\n3\n4\n5\n"[..], &b"one\n2\n3\n4\nfive\n"[..]);
        let found = line_hunks(&path("a"), Some(old), Some(now));
        assert_eq!(changed_except(now, Some(old), &found[1..]).as_deref(), Some(&b"1\n2\n3\n4\nfive\n"[..]));
        assert_eq!(changed_except(now, Some(old), &found).as_deref(), Some(now));
    }
}
