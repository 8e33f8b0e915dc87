//! What is known of the contents of files: their definitions, and which words stand in them how often.

use std::collections::HashMap;

use crate::outline::definition::Kind;
use crate::workspace::Stamp;

/// Names a file's content, and what its name says of its language.
pub(super) type Key = [u8; 16];

/// What is known of many contents.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Index {
    pub(super) words: Words,
    pub(super) entries: HashMap<Key, Entry>,
    /// Which content a file had in which state, so that it need not be read to know.
    pub(super) stamps: HashMap<Stamp, Key>,
}

/// What is known of one content. Words are named by their numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Entry {
    /// Whether agents may see it: it is text and no secret.
    pub(super) is_shown: bool,
    /// How often it was parsed in vain, for lack of time: then its definitions are what its lines show.
    pub(super) tries: u8,
    pub(super) lines: u32,
    pub(super) definitions: Vec<Defined>,
    /// Each word once, in the order of the numbers, and how often it stands there.
    pub(super) words: Vec<(u32, u32)>,
}

/// A definition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Defined {
    /// Its name as it is shown.
    pub(super) name: u32,
    /// The word by which other files mention it.
    pub(super) word: u32,
    pub(super) kind: Kind,
    pub(super) depth: u32,
    /// From 1, both included.
    pub(super) lines: (u32, u32),
}

/// Different words, numbered from 0.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Words {
    pub(super) text: String,
    /// Where each ends in `text`.
    pub(super) ends: Vec<u32>,
}

impl Words {
    pub(super) fn get(&self, number: u32) -> &str {
        let number = number as usize;
        let start = number.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        let end = self.ends.get(number).copied().unwrap_or(start);
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (u32, &str)> {
        (0..).zip(&self.ends).map(|(number, _)| (number, self.get(number)))
    }
}

/// Words as they are collected.
#[derive(Debug, Default)]
pub(super) struct Interner {
    words: Words,
    numbers: HashMap<Box<str>, u32>,
}

impl Interner {
    pub(super) fn of(words: Words) -> Self {
        let numbers = words.all().map(|(number, word)| (word.into(), number)).collect();
        Self { words, numbers }
    }

    pub(super) fn number(&mut self, word: &str) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        // What does not fit is never numbered: an index is far smaller than 4 GiB.
        let number = u32::try_from(self.words.ends.len()).unwrap_or(u32::MAX);
        self.words.text.push_str(word);
        self.words.ends.push(u32::try_from(self.words.text.len()).unwrap_or(u32::MAX));
        self.numbers.insert(word.into(), number);
        number
    }

    pub(super) fn into_words(self) -> Words {
        self.words
    }
}

impl Index {
    /// Leaves out the contents that are not among these, and the words that only they have.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&Key) -> bool) {
        let before = std::mem::take(self);
        let mut interner = Interner::default();
        let mut numbers: HashMap<u32, u32> = HashMap::new();
        for (key, mut entry) in before.entries.into_iter().filter(|(key, _)| is_kept(key)) {
            let mut renumber =
                |number: u32| *numbers.entry(number).or_insert_with(|| interner.number(before.words.get(number)));
            for defined in &mut entry.definitions {
                (defined.name, defined.word) = (renumber(defined.name), renumber(defined.word));
            }
            for (word, _) in &mut entry.words {
                *word = renumber(*word);
            }
            entry.words.sort_unstable();
            self.entries.insert(key, entry);
        }
        self.words = interner.into_words();
        self.stamps = before.stamps.into_iter().filter(|(_, key)| is_kept(key)).collect();
    }
}
