/// Most lines of one.
const MOST_LINES: usize = 200;

/// Whether a line, without its indentation, begins a decorator or an attribute: `@cached`, `#[cfg(unix)]`.
pub fn begins_decorator(line: &str) -> bool {
    line.starts_with("#[") || line.strip_prefix('@').is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic()))
}

/// The last line of a decorator or an attribute that begins at `first`, both from 0: that at which its brackets are closed.
/// `None` where they are not closed soon.
pub fn decorator_end(lines: &[&str], first: usize) -> Option<usize> {
    let mut open = 0_i64;
    for (number, line) in lines.iter().enumerate().skip(first).take(MOST_LINES) {
        let mut quote = None;
        let mut chars = line.chars();
        while let Some(c) = chars.next() {
            match (c, quote) {
                ('\\', Some(_)) => drop(chars.next()),
                (c, Some(end)) if c == end => quote = None,
                (_, Some(_)) => {}
                ('"' | '\'', None) => quote = Some(c),
                ('(' | '[' | '{', None) => open += 1,
                (')' | ']' | '}', None) => open -= 1,
                _ => {}
            }
        }
        if open <= 0 {
            return Some(number);
        }
    }
    None
}

/// The first line of the decorator or attribute that line `at` is one of, both from 0.
pub fn decorator_around(lines: &[&str], at: usize) -> Option<usize> {
    let mut limit = usize::MAX;
    for (number, line) in lines.iter().enumerate().take(at + 1).skip(at.saturating_sub(MOST_LINES)).rev() {
        let text = line.trim_start();
        let depth = line.len() - text.len();
        if !text.is_empty() && depth <= limit {
            if begins_decorator(text) {
                return (decorator_end(lines, number)? >= at).then_some(number);
            }
            limit = depth;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decorator_ends_where_its_brackets_are_closed() {
        let lines = ["@one(", "    \"a)\", ')', \"\\\")\",", "    [1],", ")", "@two", "#[cfg(unix)]", "x", "@open("];
        assert_eq!([0, 4, 5, 7].map(|line| decorator_end(&lines, line)), [Some(3), Some(4), Some(5), None]);
        let around = [0, 1, 2, 3, 4, 5, 6, 7].map(|line| decorator_around(&lines, line));
        assert_eq!(around, [Some(0), Some(0), Some(0), Some(0), Some(4), Some(5), None, None]);
        assert!(begins_decorator("@a.b(1)") && begins_decorator("#[test]"));
        assert!(!begins_decorator("@") && !begins_decorator("# [x]") && !begins_decorator("@-a"));
    }
}
