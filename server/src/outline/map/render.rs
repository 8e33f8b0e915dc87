//! A ranked map as text.

use std::fmt::Write as _;

use super::index::{Entry, Index};
use super::rank::Ranked;
use crate::outline::definition::Kind;
use crate::text::count;

/// Of how many files, from the first on, at most how many definitions are shown.
const SHARES: [(usize, usize); 3] = [(10, 14), (25, 6), (usize::MAX, 3)];
/// Of the bytes, how many are for files with their definitions; the rest is for more paths.
const FOR_DEFINITIONS: f64 = 0.85;

/// Files that are not in a map.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Files that could not be read.
    pub(super) unread: usize,
    /// Files there was no time for.
    pub(super) late: usize,
}

/// As much as fits, in the order of the ranks; the definitions of a file are in the order of its lines.
pub(super) fn render(index: &Index, ranked: &[Ranked<'_>], left_out: LeftOut, most_bytes: usize) -> String {
    let mut text = String::new();
    let most_with_definitions = (most_bytes as f64 * FOR_DEFINITIONS) as usize;
    let mut shown = 0;
    for (place, file) in ranked.iter().enumerate() {
        let part = part(index, file, place);
        if text.len() + part.len() > most_with_definitions {
            break;
        }
        text.push_str(&part);
        shown += 1;
    }
    for file in &ranked[shown..] {
        let line = header(file);
        if text.len() + line.len() > most_bytes {
            break;
        }
        text.push_str(&line);
        shown += 1;
    }
    let rest = ranked.len() - shown;
    if rest > 0 {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{} not shown: outline a folder of them, or use list_files.", count(rest, "more file"));
    }
    if left_out.late > 0 {
        let files = count(left_out.late, "file");
        let _ = writeln!(text, "There was no time for {files}: outline this again, or a folder of it.");
    }
    if left_out.unread > 0 {
        let _ = writeln!(text, "{} could not be read.", count(left_out.unread, "file"));
    }
    let by_lines = ranked.iter().filter(|file| file.entry.tries > 0).count();
    if by_lines > 0 {
        let files = count(by_lines, "file");
        let _ = writeln!(
            text,
            "Parsing {files} took too long, or they are too large: their definitions are guessed from lines."
        );
    }
    text
}

fn header(file: &Ranked<'_>) -> String {
    format!("{} ({})\n", file.path, count(file.entry.lines as usize, "line"))
}

fn part(index: &Index, file: &Ranked<'_>, place: usize) -> String {
    let most = SHARES.iter().find(|(first, _)| place < *first).map_or(0, |(_, most)| *most);
    let mut text = header(file);
    for at in chosen(file.entry, &file.definitions, most) {
        let Some(defined) = file.entry.definitions.get(at) else { continue };
        let indent = "  ".repeat(1 + defined.depth as usize);
        let (first, last) = defined.lines;
        let _ = writeln!(text, "{indent}{first}-{last} {} {}", defined.kind.word(), index.words.get(defined.name));
    }
    text
}

/// The definitions of a file that matter most, in their order: of equal ones those that lie in no other, then the longer ones.
fn chosen(entry: &Entry, scores: &[f64], most: usize) -> Vec<usize> {
    let mut places: Vec<usize> = (0..entry.definitions.len()).collect();
    let rank = |place: usize| {
        let defined = &entry.definitions[place];
        let small = matches!(defined.kind, Kind::Constant | Kind::Variable | Kind::Property | Kind::Declaration);
        let value = scores.get(place).copied().unwrap_or_default() - f64::from(defined.depth.min(4)) * 0.5;
        (if small { value - 1.0 } else { value }, defined.lines.1.saturating_sub(defined.lines.0))
    };
    places.sort_by(|a, b| {
        let ((a_value, a_length), (b_value, b_length)) = (rank(*a), rank(*b));
        b_value.total_cmp(&a_value).then(b_length.cmp(&a_length)).then(a.cmp(b))
    });
    places.truncate(most);
    places.sort_unstable();
    places
}
