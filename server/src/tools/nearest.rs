use similar::TextDiff;

/// Lines, from 1, that are the most like `old`; `None` when nothing is like it.
pub(super) fn nearest(text: &str, old: &str) -> Option<(usize, usize)> {
    const CANDIDATES: usize = 40;
    const COMPARED: usize = 10;
    const ALIKE: f32 = 0.5;
    let lines: Vec<&str> = text.lines().collect();
    let old_lines: Vec<&str> = old.lines().skip_while(|line| line.trim().is_empty()).collect();
    let anchor = old_lines.first()?;
    // What characters two lines share bounds how alike they can be, and costs little.
    let wanted = histogram(anchor);
    let mut bounds: Vec<(usize, usize)> =
        lines.iter().enumerate().map(|(index, line)| (shared(&wanted, line), index)).collect();
    bounds.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
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
        .take(CANDIDATES)
        .map(|(_, start)| (score(*start), *start))
        .filter(|(score, _)| *score >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))?;
    Some((best.1 + 1, best.1 + old_lines.len().min(lines.len() - best.1)))
}

fn alike(a: &str, b: &str) -> f32 {
    let (a, b) = (start_of(a), start_of(b));
    if a == b { 1.0 } else { TextDiff::from_chars(a, b).ratio() }
}

/// As much of a line as is compared.
fn start_of(line: &str) -> &str {
    let line = line.trim();
    line.char_indices().nth(200).map_or(line, |(end, _)| &line[..end])
}

fn histogram(line: &str) -> [i32; 256] {
    let mut counts = [0; 256];
    for byte in start_of(line).bytes() {
        counts[usize::from(byte)] += 1;
    }
    counts
}

/// How alike two lines can be at best, in thousandths.
fn shared(wanted: &[i32; 256], line: &str) -> usize {
    let have = histogram(line);
    let common: i32 = wanted.iter().zip(&have).map(|(a, b)| a.min(b)).sum();
    let all: i32 = wanted.iter().chain(&have).sum();
    usize::try_from(2000 * common / all.max(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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
