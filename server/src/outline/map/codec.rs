//! An index as bytes, for the cache. What is read back is checked: anything else than what was written counts as nothing.

use super::index::{Defined, Entry, Index, Key, Words};
use crate::outline::definition::Kind;

/// Changes with the form, and with whatever changes what is found in a text.
const MARK: &[u8; 12] = b"baton-map-3\n";
/// The largest index that is kept, in bytes.
pub(super) const MOST_BYTES: u64 = 32 * 1024 * 1024;

pub(super) fn encode(index: &Index) -> Vec<u8> {
    let mut bytes = MARK.to_vec();
    push(&mut bytes, index.words.ends.len());
    let mut start = 0;
    for end in &index.words.ends {
        push(&mut bytes, (end - start) as usize);
        start = *end;
    }
    push(&mut bytes, index.words.text.len());
    bytes.extend_from_slice(index.words.text.as_bytes());
    push(&mut bytes, index.entries.len());
    let mut entries: Vec<(&Key, &Entry)> = index.entries.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| **key);
    for (key, entry) in entries {
        bytes.extend_from_slice(key);
        bytes.push(entry.is_shown.into());
        bytes.push(entry.tries);
        push(&mut bytes, entry.lines as usize);
        push(&mut bytes, entry.definitions.len());
        for defined in &entry.definitions {
            push(&mut bytes, defined.name as usize);
            push(&mut bytes, defined.word as usize);
            bytes.push(defined.kind as u8);
            push(&mut bytes, defined.depth as usize);
            push(&mut bytes, defined.lines.0 as usize);
            push(&mut bytes, defined.lines.1.saturating_sub(defined.lines.0) as usize);
        }
        push(&mut bytes, entry.words.len());
        let mut before = 0;
        for (word, count) in &entry.words {
            push(&mut bytes, (word - before) as usize);
            push(&mut bytes, *count as usize);
            before = *word;
        }
    }
    push(&mut bytes, index.stamps.len());
    let mut stamps: Vec<_> = index.stamps.iter().collect();
    stamps.sort_unstable();
    for (stamp, key) in stamps {
        bytes.extend_from_slice(stamp);
        bytes.extend_from_slice(key);
    }
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

pub(super) fn decode(bytes: &[u8]) -> Option<Index> {
    let (body, sum) = bytes.split_last_chunk::<8>()?;
    if checksum(body) != u64::from_le_bytes(*sum) {
        return None;
    }
    let mut from = Reader { rest: body.strip_prefix(MARK)? };
    let mut ends = Vec::with_capacity(from.length()?);
    let mut end = 0_u32;
    for _ in 0..ends.capacity() {
        end = end.checked_add(from.number()?)?;
        ends.push(end);
    }
    let length = from.length()?;
    let text = std::str::from_utf8(from.take(length)?).ok()?.to_owned();
    let are_words = ends.iter().all(|end| text.is_char_boundary(*end as usize));
    if !are_words || end as usize != text.len() {
        return None;
    }
    let mut index = Index { words: Words { text, ends }, ..Index::default() };
    for _ in 0..from.length()? {
        let key: Key = from.take(16)?.try_into().ok()?;
        let entry = from.entry(index.words.ends.len())?;
        index.entries.insert(key, entry);
    }
    for _ in 0..from.length()? {
        let stamp = from.take(16)?.try_into().ok()?;
        index.stamps.insert(stamp, from.take(16)?.try_into().ok()?);
    }
    from.rest.is_empty().then_some(index)
}

/// Little numbers take one byte: seven bits each, the last one without the eighth.
fn push(bytes: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn number(&mut self) -> Option<u32> {
        let mut number = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(number).ok();
            }
        }
        None
    }

    /// How many follow: at least a byte each, so that no number makes us reserve more than there is.
    fn length(&mut self) -> Option<usize> {
        let length = self.number()? as usize;
        (length <= self.rest.len()).then_some(length)
    }

    /// The number of one of so many words.
    fn word(&mut self, words: usize) -> Option<u32> {
        self.number().filter(|word| (*word as usize) < words)
    }

    fn entry(&mut self, known: usize) -> Option<Entry> {
        let is_shown = self.byte()? == 1;
        let tries = self.byte()?;
        let lines = self.number()?;
        let length = self.length()?;
        let mut definitions = Vec::with_capacity(length.min(1_024));
        for _ in 0..length {
            let (name, word) = (self.word(known)?, self.word(known)?);
            let kind = *Kind::ALL.get(usize::from(self.byte()?))?;
            let (depth, first, more) = (self.number()?, self.number()?, self.number()?);
            definitions.push(Defined { name, word, kind, depth, lines: (first, first.checked_add(more)?) });
        }
        let length = self.length()?;
        let mut words = Vec::with_capacity(length);
        let mut word = 0_u32;
        for _ in 0..length {
            word = word.checked_add(self.number()?).filter(|word| (*word as usize) < known)?;
            words.push((word, self.number()?));
        }
        Some(Entry { is_shown, tries, lines, definitions, words })
    }
}

/// Finds what a disk did to the bytes; it is no protection against a person, and what it guards decides nothing.
pub(super) fn checksum(bytes: &[u8]) -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        sum = (sum ^ u64::from_le_bytes(*chunk)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
    for byte in rest {
        sum = (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    sum
}
