use similar::TextDiff;

use crate::workspace::{Interrupt, Interrupted};

/// The line, from 1, that is the most like this one; `None` when none is like it.
pub(crate) fn nearest_line(text: &str, line: &str) -> Option<usize> {
    nearest(text, line, &Interrupt::never()).ok().flatten().map(|(first, _)| first)
}

/// Lines, from 1, that are the most like `old`; `None` when nothing is like it.
pub(super) fn nearest(text: &str, old: &str, interrupt: &Interrupt) -> Result<Option<(usize, usize)>, Interrupted> {
    const CANDIDATES: usize = 40;
    const COMPARED: usize = 10;
    const ALIKE: f32 = 0.5;
    let old_lines: Vec<&str> = old.lines().skip_while(|line| line.trim().is_empty()).collect();
    let Some(anchor) = old_lines.first() else { return Ok(None) };
    // What characters two lines share bounds how alike they can be, and costs little.
    let mut wanted = Histogram::of(anchor);
    let mut lines = Vec::new();
    let mut bounds: Vec<(usize, usize)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if index % 4096 == 0 {
            interrupt.check()?;
        }
        lines.push(line);
        bounds.push((wanted.shared(line), index));
    }
    let order = |a: &(usize, usize), b: &(usize, usize)| b.0.cmp(&a.0).then(a.1.cmp(&b.1));
    if bounds.len() > CANDIDATES {
        bounds.select_nth_unstable_by(CANDIDATES, order);
        bounds.truncate(CANDIDATES);
    }
    bounds.sort_by(order);
    let score = |start: usize| {
        let compared = old_lines.len().min(COMPARED);
        let total: f32 = (0..compared)
            .map(|offset| lines.get(start + offset).map_or(0.0, |line| alike(old_lines[offset], line)))
            .sum();
        #[expect(clippy::cast_precision_loss, reason = "at most ten")]
        let mean = total / compared as f32;
        mean
    };
    let best = bounds
        .iter()
        .map(|(_, start)| (score(*start), *start))
        .filter(|(score, _)| *score >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
    Ok(best.map(|(_, start)| (start + 1, start + old_lines.len().min(lines.len() - start))))
}

/// How alike two lines are, from 0 to 1; what is blank at their ends does not count.
pub(super) fn alike(a: &str, b: &str) -> f32 {
    let (a, b) = (start_of(a), start_of(b));
    if a == b { 1.0 } else { TextDiff::from_chars(a, b).ratio() }
}

/// As much of a line as is compared.
fn start_of(line: &str) -> &str {
    let line = line.trim();
    line.char_indices().nth(200).map_or(line, |(end, _)| &line[..end])
}

/// How often each byte stands in a line.
struct Histogram {
    counts: [u32; 256],
    /// What of `counts` another line has not used up; the same as them between two lines.
    left: [u32; 256],
    all: usize,
}

impl Histogram {
    fn of(line: &str) -> Self {
        let line = start_of(line);
        let mut counts = [0; 256];
        line.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
        Self { counts, left: counts, all: line.len() }
    }

    /// How alike another line can be at best, in thousandths.
    fn shared(&mut self, line: &str) -> usize {
        let line = start_of(line);
        let mut common = 0;
        for byte in line.bytes() {
            let left = &mut self.left[usize::from(byte)];
            if *left > 0 {
                *left -= 1;
                common += 1;
            }
        }
        line.bytes().for_each(|byte| self.left[usize::from(byte)] = self.counts[usize::from(byte)]);
        2000 * common / (self.all + line.len()).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nearest(text: &str, old: &str) -> Option<(usize, usize)> {
        super::nearest(text, old, &Interrupt::never()).unwrap()
    }

    #[test]
    fn finds_the_lines_that_were_meant() {
        let text = "fn main() {\n    let total = items.len();\n    println!(\"{total}\");\n}\n";
        assert_eq!(nearest(text, "    let totals = item.len();\n    println!(\"{totals}\");\n"), Some((2, 3)));
        assert_eq!(nearest(text, "\n\nfn main(args) {"), Some((1, 1)));
    }

    #[test]
    fn says_so_when_nothing_is_like_it() {
        assert_eq!(nearest("alpha\nbeta\n", "0123456789"), None);
        assert_eq!(nearest("", "x"), None);
        assert_eq!(nearest("x\n", "\n"), None);
    }
}
