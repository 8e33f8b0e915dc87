//! What is remembered of one text.

use std::collections::HashMap;

use super::index::{Defined, Entry, Interner};
use super::words::names;
use crate::outline::definition::Definition;
use crate::outline::definitions::read;
use crate::outline::parse::NoOutline;
use crate::text::head_bytes;
use crate::workspace::{Interrupt, Interrupted};

/// Bytes of a text whose words are counted; of one that has no outline, only the beginning says what it is.
const MOST_COUNTED: usize = 1024 * 1024;
const MOST_COUNTED_WITHOUT_OUTLINE: usize = 64 * 1024;
/// Most different words of one text.
const MOST_WORDS: usize = 20_000;

/// A text as it was read, its words not yet numbered.
pub(super) struct Scanned<'t> {
    lines: usize,
    definitions: Vec<Definition>,
    words: HashMap<&'t str, u32>,
}

/// Reads a text. Where there is no outline of it, its words still count.
pub(super) fn scan<'t>(path: &str, text: &'t str, interrupt: &Interrupt) -> Result<Scanned<'t>, Interrupted> {
    let (definitions, most) = match read(path, text, interrupt) {
        Ok(outline) => (outline.definitions, MOST_COUNTED),
        Err(NoOutline::Interrupted(interrupted)) => return Err(interrupted),
        Err(NoOutline::Language | NoOutline::Size | NoOutline::Time) => (Vec::new(), MOST_COUNTED_WITHOUT_OUTLINE),
    };
    let mut words: HashMap<&str, u32> = HashMap::new();
    for word in names(head_bytes(text, most)) {
        if let Some(count) = words.get_mut(word) {
            *count = count.saturating_add(1);
        } else if words.len() < MOST_WORDS {
            words.insert(word, 1);
        }
    }
    Ok(Scanned { lines: text.lines().count(), definitions, words })
}

impl Scanned<'_> {
    pub(super) fn numbered(self, interner: &mut Interner) -> Entry {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let definitions = self.definitions.iter().map(|definition| Defined {
            name: interner.number(&definition.name),
            word: interner.number(mentioned_as(&definition.name)),
            kind: definition.kind,
            depth: number(definition.depth),
            lines: (number(*definition.lines.start()), number(*definition.lines.end())),
        });
        let definitions = definitions.collect();
        let mut counted: Vec<(&str, u32)> = self.words.into_iter().collect();
        counted.sort_unstable();
        let words = counted.into_iter().map(|(word, count)| (interner.number(word), count));
        let mut words: Vec<(u32, u32)> = words.collect();
        words.sort_unstable();
        Entry { is_shown: true, lines: number(self.lines), definitions, words }
    }
}

/// The word by which others mention a definition: the last name in it.
fn mentioned_as(name: &str) -> &str {
    names(name).last().unwrap_or_default()
}
