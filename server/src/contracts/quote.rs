/// The line, from 1, where a quote stands in the lines of a file, nearest to the one named; white space around each
/// line does not count. A quote of several lines stands where all of them do; failing that, where its first one does,
/// if that is one place only. A single line may also be quoted in part.
pub fn find_quote(lines: &[&str], quote: &str, near: u32) -> Option<u32> {
    let quoted: Vec<&str> = quote.trim().lines().map(str::trim).collect();
    let first = *quoted.first()?;
    let stands = |at: usize| {
        lines.get(at..at + quoted.len()).is_some_and(|block| block.iter().zip(&quoted).all(|(a, b)| a.trim() == *b))
    };
    if (near as usize).checked_sub(1).is_some_and(stands) {
        return Some(near);
    }
    let blocks = (0..lines.len()).filter(|at| stands(*at));
    let number = |at: usize| u32::try_from(at + 1).unwrap_or(u32::MAX);
    let closest = |places: &mut dyn Iterator<Item = usize>| places.map(number).min_by_key(|line| line.abs_diff(near));
    if let Some(line) = closest(&mut blocks.into_iter()) {
        return Some(line);
    }
    let mut holding = (0..lines.len()).filter(|at| lines[*at].contains(first));
    match quoted.len() {
        1 => closest(&mut holding),
        _ => holding.next().filter(|_| holding.next().is_none()).map(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_stands_nearest_to_the_line_that_is_named() {
        let lines = ["a", "  b(c);", "a", "b(c); d", "a", "x"];
        for (quote, near, found) in [
            ("a", 3, Some(3)),
            (" a ", 4, Some(3)),
            ("a", u32::MAX, Some(5)),
            ("a", 0, Some(1)),
            ("b(c);", 9, Some(2)),
            ("(c); d", 1, Some(4)),
            ("a\nx", 1, Some(5)),
            ("x\nnot there", 1, Some(6)),
            ("a\nnot there", 1, None),
            ("", 1, None),
            ("z", 1, None),
        ] {
            assert_eq!(find_quote(&lines, quote, near), found, "{quote:?} near {near}");
        }
    }
}
