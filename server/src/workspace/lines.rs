//! Compares two sequences, of lines or characters, in linear time.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::{Interrupt, Interrupted};

/// The largest number of items of both sides that are compared as a whole. A comparison is superlinear in the worst
/// case; up to this size it takes a fraction of a second.
const WHOLE: usize = 100_000;
/// The size of the pieces of a longer stretch without unique items: a piece is not interrupted.
const PIECE: usize = 20_000;

/// Equal items of both sequences, at these indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EqualRun {
    pub(super) old: usize,
    pub(super) new: usize,
    pub(super) len: usize,
}

/// The equal runs, in order. Very long sequences are cut at items that are unique on both sides, and where there are
/// none into pieces, so that the result is not always the longest possible.
///
/// # Errors
/// When interrupted.
pub(super) fn equal_runs<T: Hash + Eq>(
    old: &[T],
    new: &[T],
    interrupt: &Interrupt,
) -> Result<Vec<EqualRun>, Interrupted> {
    let mut ids = HashMap::new();
    let (old, new) = (numbered(&mut ids, old), numbered(&mut ids, new));
    let mut comparison = Comparison { old: &old, new: &new, distinct: ids.len(), found: Vec::new(), interrupt };
    comparison.part(0..old.len(), 0..new.len())?;
    Ok(comparison.found)
}

/// The same as edit steps: equal, delete, insert, replace.
///
/// # Errors
/// When interrupted.
pub(super) fn steps<T: Hash + Eq>(old: &[T], new: &[T], interrupt: &Interrupt) -> Result<Vec<DiffOp>, Interrupted> {
    let end = EqualRun { old: old.len(), new: new.len(), len: 0 };
    let (mut steps, mut old_index, mut new_index) = (Vec::new(), 0, 0);
    for EqualRun { old, new, len } in equal_runs(old, new, interrupt)?.into_iter().chain([end]) {
        let (old_len, new_len) = (old - old_index, new - new_index);
        match (old_len, new_len) {
            (0, 0) => {}
            (_, 0) => steps.push(DiffOp::Delete { old_index, old_len, new_index }),
            (0, _) => steps.push(DiffOp::Insert { old_index, new_index, new_len }),
            _ => steps.push(DiffOp::Replace { old_index, old_len, new_index, new_len }),
        }
        if len > 0 {
            steps.push(DiffOp::Equal { old_index: old, new_index: new, len });
        }
        (old_index, new_index) = (old + len, new + len);
    }
    Ok(steps)
}

/// Maps equal items to equal numbers.
fn numbered<'a, T: Hash + Eq>(ids: &mut HashMap<&'a T, usize>, items: &'a [T]) -> Vec<usize> {
    items
        .iter()
        .map(|item| {
            let next = ids.len();
            *ids.entry(item).or_insert(next)
        })
        .collect()
}

struct Comparison<'a> {
    old: &'a [usize],
    new: &'a [usize],
    distinct: usize,
    found: Vec<EqualRun>,
    interrupt: &'a Interrupt,
}

impl Comparison<'_> {
    fn part(&mut self, mut old: Range<usize>, mut new: Range<usize>) -> Result<(), Interrupted> {
        if old.len() + new.len() <= WHOLE {
            return self.whole(old, new);
        }
        let pairs = self.old[old.clone()].iter().zip(&self.new[new.clone()]);
        let front = pairs.take_while(|(a, b)| a == b).count();
        self.push(old.start, new.start, front);
        (old.start, new.start) = (old.start + front, new.start + front);
        let pairs = self.old[old.clone()].iter().rev().zip(self.new[new.clone()].iter().rev());
        let back = pairs.take_while(|(a, b)| a == b).count();
        (old.end, new.end) = (old.end - back, new.end - back);
        let (mut old_at, mut new_at) = (old.start, new.start);
        for (old_index, new_index) in self.anchors(&old, &new) {
            self.gap(old_at..old_index, new_at..new_index)?;
            self.push(old_index, new_index, 1);
            (old_at, new_at) = (old_index + 1, new_index + 1);
        }
        self.gap(old_at..old.end, new_at..new.end)?;
        self.push(old.end, new.end, back);
        Ok(())
    }

    /// Compares what is between two anchors, in pieces if it is long.
    fn gap(&mut self, old: Range<usize>, new: Range<usize>) -> Result<(), Interrupted> {
        let all = old.len() + new.len();
        let pieces = if all <= WHOLE { 1 } else { all.div_ceil(PIECE) };
        let cut = |range: &Range<usize>, piece: usize| range.start + range.len() * piece / pieces;
        for piece in 0..pieces {
            self.whole(cut(&old, piece)..cut(&old, piece + 1), cut(&new, piece)..cut(&new, piece + 1))?;
        }
        Ok(())
    }

    fn whole(&mut self, old: Range<usize>, new: Range<usize>) -> Result<(), Interrupted> {
        if old.is_empty() || new.is_empty() {
            return Ok(());
        }
        self.interrupt.check()?;
        for op in capture_diff_slices(Algorithm::Histogram, &self.old[old.clone()], &self.new[new.clone()]) {
            if let DiffOp::Equal { old_index, new_index, len } = op {
                self.push(old.start + old_index, new.start + new_index, len);
            }
        }
        Ok(())
    }

    fn push(&mut self, old: usize, new: usize, len: usize) {
        match self.found.last_mut() {
            Some(last) if last.old + last.len == old && last.new + last.len == new => last.len += len,
            _ if len == 0 => {}
            _ => self.found.push(EqualRun { old, new, len }),
        }
    }

    /// The longest increasing sequence of items that are unique on both sides: patience sorting.
    fn anchors(&self, old: &Range<usize>, new: &Range<usize>) -> Vec<(usize, usize)> {
        const SEVERAL: usize = usize::MAX;
        const NOWHERE: usize = usize::MAX - 1;
        let places = |items: &[usize], range: &Range<usize>| {
            let mut places = vec![NOWHERE; self.distinct];
            for index in range.clone() {
                let place = &mut places[items[index]];
                *place = if *place == NOWHERE { index } else { SEVERAL };
            }
            places
        };
        let (in_old, in_new) = (places(self.old, old), places(self.new, new));
        let pairs: Vec<(usize, usize)> = new
            .clone()
            .filter(|index| in_new[self.new[*index]] == *index)
            .map(|index| (in_old[self.new[index]], index))
            .filter(|(old_index, _)| *old_index < NOWHERE)
            .collect();
        // The top of each pile, and for each pair the one before it in its sequence.
        let mut piles: Vec<usize> = Vec::new();
        let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
        for (index, (old_index, _)) in pairs.iter().enumerate() {
            let pile = piles.partition_point(|top| pairs[*top].0 < *old_index);
            before.push(pile.checked_sub(1).map(|pile| piles[pile]));
            if pile == piles.len() {
                piles.push(index);
            } else {
                piles[pile] = index;
            }
        }
        let mut chosen: Vec<(usize, usize)> =
            std::iter::successors(piles.last().copied(), |index| before[*index]).map(|index| pairs[index]).collect();
        chosen.reverse();
        chosen
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn same_of<T: Hash + Eq>(old: &[T], new: &[T]) -> Vec<EqualRun> {
        let found = equal_runs(old, new, &Interrupt::never()).unwrap();
        let (mut old_at, mut new_at) = (0, 0);
        for EqualRun { old: o, new: n, len } in &found {
            assert!(*len > 0 && *o >= old_at && *n >= new_at, "in order, and none twice");
            assert!(old[*o..o + len] == new[*n..n + len]);
            (old_at, new_at) = (o + len, n + len);
        }
        found
    }

    #[test]
    fn what_stays_is_found_in_short_and_in_long_texts() {
        assert_eq!(same_of(&["a", "b", "c"], &["a", "x", "c"]).iter().map(|same| same.len).sum::<usize>(), 2);
        let old: Vec<usize> = (0..300_000).collect();
        let mut new = old.clone();
        new.retain(|number| number % 1000 != 7);
        new.insert(123_456, 999_999);
        assert_eq!(same_of(&old, &new).iter().map(|same| same.len).sum::<usize>(), 300_000 - 300);
        assert_eq!(same_of(&old, &old), [EqualRun { old: 0, new: 0, len: 300_000 }]);
        assert!(same_of(&old, &[]).is_empty());
    }

    #[test]
    fn long_texts_without_a_line_of_their_own_are_compared_in_pieces() {
        let mut random = fastrand::Rng::with_seed(3);
        let old: Vec<u8> = (0..200_000).map(|_| random.u8(..3)).collect();
        let mut new = old.clone();
        new.remove(70_000);
        new.remove(10);
        assert!(same_of(&old, &new).iter().map(|same| same.len).sum::<usize>() > 150_000);
        let moved: Vec<usize> = (100_000..200_000).chain(0..100_000).collect();
        let straight: Vec<usize> = (0..200_000).collect();
        assert_eq!(same_of(&straight, &moved).iter().map(|same| same.len).sum::<usize>(), 100_000);
    }

    #[test]
    fn the_steps_lead_from_one_to_the_other() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..300 {
            let mut letters = || -> Vec<u8> { (0..random.usize(..20)).map(|_| random.u8(..4)).collect() };
            let (old, new) = (letters(), letters());
            let mut built = Vec::new();
            for step in steps(&old, &new, &Interrupt::never()).unwrap() {
                match step {
                    DiffOp::Equal { old_index, len, .. } => built.extend_from_slice(&old[old_index..old_index + len]),
                    DiffOp::Insert { new_index, new_len, .. } | DiffOp::Replace { new_index, new_len, .. } => {
                        built.extend_from_slice(&new[new_index..new_index + new_len]);
                    }
                    DiffOp::Delete { .. } => {}
                }
            }
            assert_eq!(built, new);
        }
    }

    #[test]
    fn it_hears_stop() {
        let late = Interrupt::after(Duration::ZERO);
        assert!(equal_runs(&[1, 2], &[2, 3], &late).is_err());
    }
}
