//! What is remembered of one text.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::index::{Defined, Entry, Interner};
use super::words::names;
use crate::outline::definition::Definition;
use crate::outline::definitions::read_within;
use crate::outline::lines::by_lines;
use crate::outline::parse::{Limit, MOST_BYTES, NoOutline};
use crate::text::head_bytes;
use crate::workspace::{Interrupt, Interrupted};

/// Bytes of a text whose words are counted; of one that has no outline, only the beginning says what it is.
const MOST_COUNTED: usize = 1024 * 1024;
const MOST_COUNTED_WITHOUT_OUTLINE: usize = 64 * 1024;
/// Most different words of one text.
const MOST_WORDS: usize = 20_000;

/// How long the first, the second and the last try to parse a text may take. A text that is fine takes milliseconds, and fails
/// the first one where the machine is busy.
const TRIES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(4)];

/// A text as it was read, its words not yet numbered.
pub(super) struct Scanned<'t> {
    lines: usize,
    definitions: Vec<Definition>,
    words: HashMap<&'t str, u32>,
    tries: u8,
}

/// How many failed tries end them.
pub(super) fn most_tries() -> u8 {
    TRIES.len() as u8
}

/// Reads a text that was tried so often in vain, until `end` at the latest. Where there is no outline of it, its lines and its
/// words still count.
pub(super) fn scan<'t>(
    path: &str,
    text: &'t str,
    tries: u8,
    end: Instant,
    interrupt: &Interrupt,
) -> Result<Scanned<'t>, Interrupted> {
    let time = TRIES[usize::from(tries).min(TRIES.len() - 1)];
    let now = Instant::now();
    let is_cut_short = now + time > end;
    let outline = read_within(path, text, &mut Limit::until(end.min(now + time), interrupt));
    let (definitions, most, tries) = match outline {
        Ok(outline) => (outline.definitions, MOST_COUNTED, 0),
        Err(NoOutline::Interrupted(interrupted)) => return Err(interrupted),
        // A try that ended with the time of the whole folder is none.
        Err(NoOutline::Time) => (by_lines(text), MOST_COUNTED, tries.max(1) + u8::from(!is_cut_short && tries > 0)),
        Err(NoOutline::Size) => (by_lines(head_bytes(text, MOST_BYTES)), MOST_COUNTED_WITHOUT_OUTLINE, most_tries()),
        Err(NoOutline::Language) => (Vec::new(), MOST_COUNTED_WITHOUT_OUTLINE, 0),
    };
    let mut words: HashMap<&str, u32> = HashMap::new();
    for word in names(head_bytes(text, most)) {
        if let Some(count) = words.get_mut(word) {
            *count = count.saturating_add(1);
        } else if words.len() < MOST_WORDS {
            words.insert(word, 1);
        }
    }
    Ok(Scanned { lines: text.lines().count(), definitions, words, tries })
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
        Entry { is_shown: true, tries: self.tries, lines: number(self.lines), definitions, words }
    }
}

/// The word by which others mention a definition: the last name in it.
fn mentioned_as(name: &str) -> &str {
    names(name).last().unwrap_or_default()
}
