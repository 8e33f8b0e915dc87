//! What an agent is told of an edit: the lines as they now are.

use std::fmt::Write as _;

use super::edit_match::{Edited, Tolerance};
use super::show::{MOST_EXCERPT, excerpt};
use crate::contracts::RepoPath;
use crate::text::count;
use crate::workspace::masked;

/// Lines of an answer after which no further places are shown.
const SHOWN: usize = 80;

/// Lines with places in them, both included.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    first: usize,
    last: usize,
    places: usize,
}

/// The lines around places that come in their order; what overlaps or touches is one, unless it gets too long to be shown
/// whole.
fn windows(places: &[(usize, usize)], context: usize) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    for (first, last) in places {
        let (first, last) = (first.saturating_sub(context).max(1), last + context);
        match windows.last_mut() {
            Some(before) if last <= before.last => before.places += 1,
            Some(before) if first <= before.last + 1 && last - before.first < MOST_EXCERPT => {
                before.last = last;
                before.places += 1;
            }
            Some(before) => {
                let first = first.max(before.last + 1);
                windows.push(Window { first, last, places: 1 });
            }
            None => windows.push(Window { first, last, places: 1 }),
        }
    }
    windows
}

/// What the agent is told of an edit. Of a long new text that went in as it was sent only the ends are shown.
pub(super) fn echo(path: &RepoPath, edited: &Edited, note: &str) -> String {
    const CONTEXT: usize = 3;
    let how = match edited.tolerance {
        Tolerance::Exact => "",
        Tolerance::Trailing => " (old_text differed in trailing spaces)",
        Tolerance::Indentation => " (old_text differed in indentation; new_text was indented alike)",
        Tolerance::Punctuation => " (old_text differed in quotes, dashes or spaces)",
    };
    let mut text = match edited.places.len() {
        1 => format!("Edited {path}{how}{note}. It now reads:\n"),
        n => format!("Edited {path} in {n} places{how}{note}. It now reads:\n"),
    };
    // A key can reach beyond the lines that are shown.
    let shown = masked(&edited.text);
    let changed = edited.lines();
    let windows = windows(&changed, CONTEXT);
    let is_as_sent = edited.tolerance == Tolerance::Exact && note.is_empty();
    let known = if is_as_sent { middles(&changed) } else { Vec::new() };
    let (mut lines, mut places, mut shown_to) = (0, 0, None);
    for window in &windows {
        if shown_to.is_some_and(|last| window.first > last + 1) {
            text.push_str("      …\n");
        }
        shown_to = Some(window.last);
        let mut next = window.first;
        for (first, last) in known.iter().filter(|(first, last)| window.first <= *first && *last <= window.last) {
            text.push_str(&excerpt(&shown, next, first - 1));
            // Writing to a string does not fail.
            let _ = writeln!(text, "      … {} as you sent them …", count(last - first + 1, "line"));
            lines += first - next;
            next = last + 1;
        }
        text.push_str(&excerpt(&shown, next, window.last));
        lines += (window.last + 1).saturating_sub(next);
        places += window.places;
        if lines >= SHOWN {
            break;
        }
    }
    if edited.places.len() > places {
        text.push_str(&format!("and {} not shown.\n", count(edited.places.len() - places, "more place")));
    }
    if edited.text.is_empty() {
        text.push_str("(nothing: the file is empty)\n");
    }
    text
}

/// Lines at the ends of a new text that are shown.
const ENDS: usize = 5;

/// The lines between the ends of long new texts.
fn middles(places: &[(usize, usize)]) -> Vec<(usize, usize)> {
    const LEAST: usize = 3;
    let middle = |(first, last): &(usize, usize)| (first + ENDS, last.saturating_sub(ENDS));
    places.iter().map(middle).filter(|(first, last)| last + 1 >= first + LEAST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_that_touch_are_one() {
        let window = |first, last, places| Window { first, last, places };
        assert_eq!(windows(&[(2, 2), (4, 4), (30, 31)], 3), [window(1, 7, 2), window(27, 34, 1)]);
        assert_eq!(windows(&[(10, 10), (17, 17)], 3), [window(7, 20, 2)], "they touch");
        assert_eq!(windows(&[(10, 10), (18, 18)], 3), [window(7, 13, 1), window(15, 21, 1)]);
        assert!(windows(&[], 3).is_empty());
        let dense: Vec<(usize, usize)> = (1..=200).map(|line| (line, line)).collect();
        let windows = windows(&dense, 3);
        assert!(windows.iter().all(|window| window.last - window.first < MOST_EXCERPT), "{windows:?}");
        assert_eq!(windows.iter().map(|window| window.places).sum::<usize>(), 200);
    }

    #[test]
    fn of_a_long_new_text_only_the_ends_are_shown() {
        use super::super::edit_match::edit;
        use crate::workspace::Interrupt;
        use crate::workspace::fixture::path;
        let old: String = (1..=9).map(|n| format!("{n}\n")).collect();
        let told = |new: &str, note: &str| {
            let edited = edit(&old, "5", new, false, &Interrupt::never()).unwrap();
            echo(&path("a.txt"), &edited, note)
        };
        let long: Vec<String> = (1..=40).map(|n| format!("new {n}")).collect();
        let text = told(&long.join("\n"), "");
        let expected = "Edited a.txt. It now reads:\n    2\t2\n    3\t3\n    4\t4\n    5\tnew 1\n    6\tnew 2\n    7\tnew 3\n    \
                        8\tnew 4\n    9\tnew 5\n      … 30 lines as you sent them …\n   40\tnew 36\n   41\tnew 37\n   \
                        42\tnew 38\n   43\tnew 39\n   44\tnew 40\n   45\t6\n   46\t7\n   47\t8\n";
        assert_eq!(text, expected);
        assert!(!told(&long[..12].join("\n"), "").contains('…'), "two lines are no longer than to say so");
        assert!(told(&long[..13].join("\n"), "").contains("… 3 lines as you sent them …"));
        assert!(told(&long.join("\n"), " (numbers left out)").contains("new 20"), "it is not what was sent");
    }
}
