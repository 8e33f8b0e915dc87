//! Where the lines of a text are after edits of it.

/// Lines of a text as it was, and where they are now. Both are counted from 1; line 0 is the beginning, and there is no last
/// one, so that the place behind the end is a line too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineMap {
    /// In their order, none of them empty.
    kept: Vec<Kept>,
}

/// Lines that no edit touched, and between which none came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    was: usize,
    now: usize,
    len: usize,
}

/// Lines that an edit replaces by others; 0 are removed where it only inserts, before `first`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) first: usize,
    pub(super) removed: usize,
    pub(super) added: usize,
}

impl Default for LineMap {
    fn default() -> Self {
        Self { kept: vec![Kept { was: 0, now: 0, len: usize::MAX / 2 }] }
    }
}

impl LineMap {
    /// Take in an edit of the text as it is now.
    pub(super) fn apply(&mut self, change: Change) {
        let Change { first, removed, added } = change;
        let behind = first + removed;
        for Kept { was, now, len } in std::mem::take(&mut self.kept) {
            let end = now + len;
            if now < first {
                self.push(Kept { was, now, len: len.min(first - now) });
            }
            if end > behind {
                let from = now.max(behind);
                self.push(Kept { was: was + (from - now), now: from - removed + added, len: end - from });
            }
        }
    }

    fn push(&mut self, next: Kept) {
        match self.kept.last_mut() {
            // What stood between them is gone again.
            Some(last) if (last.was + last.len, last.now + last.len) == (next.was, next.now) => last.len += next.len,
            _ => self.kept.push(next),
        }
    }

    /// Where lines are now that no edit touched and between which none came in.
    pub(super) fn stretch(&self, first: usize, last: usize) -> Option<(usize, usize)> {
        let kept = self.kept.iter().find(|kept| kept.holds(first) && kept.holds(last))?;
        Some((kept.now + (first - kept.was), kept.now + (last - kept.was)))
    }

    /// The line now before which the gap before a line is. What was put into the gap stands before it.
    pub(super) fn gap(&self, line: usize) -> Option<usize> {
        let now = |line: usize| self.stretch(line, line).map(|(now, _)| now);
        now(line).or_else(|| Some(now(line.checked_sub(1)?)? + 1))
    }

    /// What takes the place of lines now, both included, with all that was edited around them. The last one is before the first
    /// where nothing does.
    pub(super) fn around(&self, first: usize, last: usize) -> (usize, usize) {
        let before = self.kept.iter().rev().find(|kept| kept.was < first);
        let from = before.map_or(1, |kept| (kept.now + kept.len).min(kept.now + (first - kept.was)));
        let behind = self.kept.iter().find(|kept| kept.was + kept.len > last + 1);
        let to = behind.map_or(from, |kept| kept.now + (last + 1).saturating_sub(kept.was));
        (from, to.saturating_sub(1))
    }
}

impl Kept {
    fn holds(self, line: usize) -> bool {
        (self.was..self.was + self.len).contains(&line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(changes: &[(usize, usize, usize)]) -> LineMap {
        let mut map = LineMap::default();
        for (first, removed, added) in changes {
            map.apply(Change { first: *first, removed: *removed, added: *added });
        }
        map
    }

    #[test]
    fn lines_below_an_edit_move_and_those_it_replaces_are_gone() {
        let map = after(&[(3, 1, 6)]);
        assert_eq!(map.stretch(1, 2), Some((1, 2)));
        assert_eq!((map.stretch(3, 3), map.stretch(2, 4)), (None, None));
        assert_eq!(map.stretch(12, 14), Some((17, 19)));
        assert_eq!(map.around(3, 3), (3, 8));
        assert_eq!(map.around(12, 14), (17, 19));
        let fewer = after(&[(3, 5, 0), (4, 1, 2)]);
        assert_eq!(
            (fewer.stretch(8, 8), fewer.stretch(9, 9), fewer.stretch(10, 10)),
            (Some((3, 3)), None, Some((6, 6)))
        );
        assert_eq!(fewer.around(4, 5), (3, 2), "nothing stands there");
    }

    #[test]
    fn an_insertion_splits_what_it_stands_in() {
        let map = after(&[(5, 0, 2)]);
        assert_eq!((map.stretch(4, 4), map.stretch(5, 6), map.stretch(4, 5)), (Some((4, 4)), Some((7, 8)), None));
        assert_eq!(map.around(4, 5), (4, 7));
        assert_eq!(map.gap(5), Some(7), "behind what was put there before");
    }

    #[test]
    fn a_gap_has_its_place_as_long_as_a_line_beside_it_has() {
        let map = after(&[(3, 2, 1)]);
        assert_eq!((map.gap(3), map.gap(4), map.gap(5)), (Some(3), None, Some(4)));
        assert_eq!(after(&[(1, 1, 3)]).gap(1), Some(1), "the beginning stays where it is");
        assert_eq!(after(&[(10, 1, 3)]).gap(11), Some(13), "the end moves");
    }

    /// Held against lines that carry their old numbers.
    #[test]
    fn many_edits_are_what_they_come_to_line_by_line() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..300 {
            let mut lines: Vec<usize> = (1..=30).collect();
            let mut map = LineMap::default();
            for _ in 0..random.usize(1..6) {
                let first = random.usize(1..=lines.len() + 1);
                let removed = random.usize(0..=(lines.len() + 1 - first).min(4));
                let added = random.usize(0..4);
                map.apply(Change { first, removed, added });
                lines.splice(first - 1..first - 1 + removed, std::iter::repeat_n(0, added));
            }
            for was in 1..=30 {
                let now = lines.iter().position(|line| *line == was).map(|at| (at + 1, at + 1));
                assert_eq!(map.stretch(was, was), now);
                let both = lines.windows(2).position(|pair| pair == [was, was + 1]).map(|at| (at + 1, at + 2));
                assert_eq!(map.stretch(was, was + 1).filter(|_| was < 30), both);
            }
        }
    }
}
