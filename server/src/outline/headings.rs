//! The headings of a Markdown text: lines that begin with `#`, outside of fenced code.

use super::definition::{Definition, Kind};
use crate::text::short_line;

const LONGEST_NAME: usize = 100;
const MOST_HEADINGS: usize = 5_000;
const DEEPEST: usize = 6;

/// The headings, each with the lines up to the next one of its level or a higher one.
pub(super) fn headings(text: &str) -> Vec<Definition> {
    let mut headings: Vec<Definition> = Vec::new();
    // The headings that are open, by their levels.
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut fence: Option<&str> = None;
    let mut last = 0;
    for (line, number) in text.lines().zip(1..) {
        last = number;
        let trimmed = line.trim_start();
        match (fence, ["```", "~~~"].into_iter().find(|mark| trimmed.starts_with(mark))) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            _ => {}
        }
        let Some((level, name)) = heading(line).filter(|_| fence.is_none()) else { continue };
        while let Some((_, index)) = open.pop_if(|(outer, _)| *outer >= level) {
            end(&mut headings, index, number - 1);
        }
        if headings.len() == MOST_HEADINGS {
            continue;
        }
        open.push((level, headings.len()));
        let depth = open.len() - 1;
        headings.push(Definition { name, kind: Kind::Heading, lines: number..=number, name_line: number, depth });
    }
    for (_, index) in open {
        end(&mut headings, index, last);
    }
    headings
}

fn end(headings: &mut [Definition], index: usize, last: usize) {
    if let Some(heading) = headings.get_mut(index) {
        heading.lines = *heading.lines.start()..=last;
    }
}

/// The level and the words of a heading.
fn heading(line: &str) -> Option<(usize, String)> {
    let words = line.trim_start_matches('#');
    let level = line.len() - words.len();
    let is_heading = (1..=DEEPEST).contains(&level) && words.starts_with([' ', '\t']);
    let name = short_line(words.trim().trim_end_matches('#').trim_end(), LONGEST_NAME);
    (is_heading && !name.is_empty()).then_some((level, name))
}
