//! The edits that an agent made: by them the line numbers are understood that it was shown before.
//!
//! A model numbers the lines of a file as it was last shown them, and that is before all the calls of its turn. What a file said
//! then is kept, and where its lines have gone to.

use std::collections::HashMap;

use super::edit_match::{Edited, whole_lines};
use super::line_map::{Change, LineMap};
use crate::contracts::RepoPath;

/// The edits of all files, by their names on disk.
#[derive(Debug, Default)]
pub(super) struct Edits {
    files: HashMap<RepoPath, OfFile>,
}

#[derive(Debug, Default)]
struct OfFile {
    /// The file before this turn, where it was edited in it.
    turn: Option<Before>,
    /// Where the lines are that it had before all of its edits.
    all: LineMap,
}

/// A file as the model was last shown it.
#[derive(Debug, Clone)]
pub(super) struct Before {
    /// Its text, secrets masked.
    pub(super) shown: String,
    /// Where its lines are now.
    pub(super) lines: LineMap,
}

impl Edits {
    /// The model has seen what became of its calls, and numbers lines by that.
    pub(super) fn begin_turn(&mut self) {
        self.files.values_mut().for_each(|file| file.turn = None);
    }

    /// The file before this turn, where it was edited in it.
    pub(super) fn before(&self, path: &RepoPath) -> Option<Before> {
        self.files.get(path)?.turn.clone()
    }

    /// Where the lines are that a file had before all of its edits.
    pub(super) fn since_first(&self, path: &RepoPath) -> LineMap {
        self.files.get(path).map(|file| file.all.clone()).unwrap_or_default()
    }

    /// Take in one edit: its changes by lines of the file as it was before it, in their order, none within another.
    pub(super) fn edited(&mut self, path: &RepoPath, shown: impl FnOnce() -> String, changes: &[Change]) {
        let OfFile { turn, all } = self.files.entry(path.clone()).or_default();
        let before = turn.get_or_insert_with(|| Before { shown: shown(), lines: LineMap::default() });
        for change in changes.iter().rev() {
            before.lines.apply(*change);
            all.apply(*change);
        }
    }

    /// The model wrote the whole file, and so knows its lines as they are.
    pub(super) fn written(&mut self, path: &RepoPath) {
        self.files.remove(path);
    }

    /// A file has another name.
    pub(super) fn moved(&mut self, from: &RepoPath, to: &RepoPath) {
        if let Some(file) = self.files.remove(from) {
            self.files.insert(to.clone(), file);
        }
    }
}

/// The lines that an edit by text changes: not those at the ends of its places that stay as they were.
pub(super) fn changed_lines(old: &str, edited: &Edited) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::with_capacity(edited.replaced.len());
    let (mut counted, mut line) = (0, 1);
    for region in regions(old, edited) {
        line += old[counted..region.old.0].matches('\n').count();
        counted = region.old.0;
        let before = lines(&old[region.old.0..region.old.1]);
        let after = lines(&edited.text[region.new.0..region.new.1]);
        let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
        let head = before.iter().zip(&after).take_while(same).count();
        let tail = before[head..].iter().rev().zip(after[head..].iter().rev()).take_while(same).count();
        let change =
            Change { first: line + head, removed: before.len() - head - tail, added: after.len() - head - tail };
        if change.removed + change.added > 0 {
            changes.push(change);
        }
    }
    changes
}

fn lines(text: &str) -> Vec<&str> {
    whole_lines(text).map(|line| &text[line]).collect()
}

/// Whole lines of the old text, in bytes, and what they became in the new one.
struct Region {
    old: (usize, usize),
    new: (usize, usize),
}

/// The whole lines that the places of an edit lie in; places that share one are one region.
fn regions(old: &str, edited: &Edited) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::with_capacity(edited.replaced.len());
    for (replaced, place) in edited.replaced.iter().zip(&edited.places) {
        let start = old[..replaced.start].rfind('\n').map_or(0, |end| end + 1);
        let lead = replaced.start - start;
        let new = &edited.text[place.clone()];
        let is_whole = old[..replaced.end].ends_with('\n') || replaced.end == 0;
        let ends_whole = if new.is_empty() { lead == 0 } else { new.ends_with('\n') };
        let rest = old[replaced.end..].find('\n').map_or(old.len() - replaced.end, |at| at + 1);
        let behind = if is_whole && ends_whole { 0 } else { rest };
        let (old_end, new_end) = (replaced.end + behind, place.end + behind);
        match regions.last_mut() {
            Some(before) if start < before.old.1 => {
                before.old.1 = before.old.1.max(old_end);
                before.new.1 = new_end;
            }
            _ => regions.push(Region { old: (start, old_end), new: (place.start - lead, new_end) }),
        }
    }
    regions
}

#[cfg(test)]
mod tests {
    use super::super::edit_match::edit;
    use super::*;
    use crate::workspace::Interrupt;

    fn changes(text: &str, old: &str, new: &str) -> Vec<(usize, usize, usize)> {
        let edited = edit(text, old, new, true, &Interrupt::never()).unwrap();
        changed_lines(text, &edited).iter().map(|change| (change.first, change.removed, change.added)).collect()
    }

    #[test]
    fn the_lines_of_an_edit_by_text_are_those_that_change() {
        let text = "a\nb\nc\nd\n";
        assert_eq!(changes(text, "b", "x"), [(2, 1, 1)]);
        assert_eq!(changes(text, "b\nc\n", "b\nx\ny\nc\n"), [(3, 0, 2)], "its ends stay");
        assert_eq!(changes(text, "b\nc", "b"), [(3, 1, 0)]);
        assert_eq!(changes(text, "b\n", ""), [(2, 1, 0)]);
        assert_eq!(changes(text, "\nb", ""), [(2, 1, 0)]);
        assert_eq!(changes(text, "b\n", "b"), [(2, 2, 1)], "two lines become one");
        assert_eq!(changes(text, "d", "d\ne"), [(5, 0, 1)]);
        assert_eq!(changes("a\nb", "b", "b\nc"), [(3, 0, 1)], "without a last line break");
        assert_eq!(changes("xx\nx x\n", "x", "y\ny"), [(1, 1, 3), (2, 1, 3)]);
    }

    #[test]
    fn places_that_share_a_line_are_one_change() {
        assert_eq!(changes("a b a\nc\na\n", "a", "x"), [(1, 1, 1), (3, 1, 1)]);
        assert_eq!(changes("é a a\n", "a", "é\n"), [(1, 1, 3)]);
    }
}
