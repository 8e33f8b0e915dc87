//! What a search shows of the files with matches: the lines, file by file, under the definitions that they stand in.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::{ControlFlow, Range};
use std::time::Duration;

use super::pattern::{Match, Pattern};
use super::scan::{Hit, Sources};
use crate::contracts::RepoPath;
use crate::text::cut;
use crate::workspace::{Interrupt, Interrupted, enclosing_definitions, is_secret_text, masked, secret_spans, text_of};

pub(super) const MOST_MATCHES: usize = 200;
const MOST_TEXT: usize = 40_000;
/// Characters shown of a line.
const LINE: usize = 240;
/// Lines shown of a match that spans lines.
const MOST_LINES: usize = 40;

/// The lines of the matches, as far as there is room.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) text: String,
    pub(super) matches: usize,
    pub(super) files: usize,
    /// The time limit, if it was exceeded.
    pub(super) timed_out: Option<Duration>,
}

/// The lines of a match, from 0, the last one included.
struct Block {
    first: usize,
    last: usize,
    /// How far from the beginning of the first line the match begins, in bytes of what is shown; `None` if unknown.
    column: Option<usize>,
}

/// A file with what is shown of it.
struct Lines<'a> {
    pattern: &'a Pattern,
    lines: Vec<&'a str>,
    blocks: Vec<Block>,
    /// Of each block, the line where the definition around it begins.
    definitions: Vec<Option<usize>>,
    context: usize,
    interrupt: &'a Interrupt,
}

/// Shows the matches of files, so many lines around each.
///
/// # Errors
/// When stopped; when the time is up, what was shown by then is what there is.
pub(super) fn show<'a>(
    sources: &Sources<'_>,
    pattern: &Pattern,
    hits: impl IntoIterator<Item = &'a Hit>,
    context: usize,
) -> Result<Shown, Interrupted> {
    let mut shown = Shown::default();
    let mut buffer = Vec::new();
    for hit in hits {
        if shown.matches == MOST_MATCHES || shown.text.len() > MOST_TEXT {
            break;
        }
        let Some(bytes) = sources.load(&hit.path, &mut buffer) else { continue };
        let before = (shown.text.len(), shown.matches, shown.files);
        match show_file(&mut shown, &hit.path, bytes, pattern, context, &sources.toolbox.interrupt) {
            Ok(()) => {}
            Err(Interrupted::TimedOut(time)) => {
                shown.timed_out = Some(time);
                if shown.matches == before.1 {
                    // Its path alone says nothing.
                    shown.text.truncate(before.0);
                    shown.files = before.2;
                }
                break;
            }
            Err(Interrupted::Stopped) => return Err(Interrupted::Stopped),
        }
    }
    Ok(shown)
}

fn show_file(
    shown: &mut Shown,
    path: &RepoPath,
    bytes: &[u8],
    pattern: &Pattern,
    context: usize,
    interrupt: &Interrupt,
) -> Result<(), Interrupted> {
    // It may have changed since it was counted.
    let Some(text) = text_of(bytes).filter(|_| !is_secret_text(bytes)) else { return Ok(()) };
    let mut matches = Vec::new();
    let room = MOST_MATCHES - shown.matches;
    let hidden = secret_spans(&text);
    pattern.each_match(&text, &hidden, interrupt, |found| {
        matches.push(found);
        if matches.len() == room { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if matches.is_empty() {
        return Ok(());
    }
    let mut blocks = blocks(&text, &matches);
    // Without a span there is nothing to mask.
    let text = if hidden.is_empty() { text } else { Cow::Owned(masked(&text).into_owned()) };
    if !hidden.is_empty() {
        blocks.iter_mut().for_each(|block| block.column = None);
    }
    let lines: Vec<&str> = text.lines().collect();
    let firsts: Vec<usize> = blocks.iter().map(|block| block.first).collect();
    let definitions = enclosing_definitions(path, &lines, &firsts);
    let file = Lines { pattern, lines, blocks, definitions, context, interrupt };
    // Writing to a string does not fail.
    let _ = writeln!(shown.text, "{}{path}", if shown.files > 0 { "\n" } else { "" });
    shown.files += 1;
    file.write(shown)
}

/// The lines of matches, by their numbers.
fn blocks(text: &str, matches: &[Match]) -> Vec<Block> {
    let breaks = |range: Range<usize>| memchr::memchr_iter(b'\n', &text.as_bytes()[range]).count();
    let (mut line, mut at) = (0, 0);
    let block = |found: &Match| {
        let Range { start, end } = found.lines;
        line += breaks(at..start);
        at = start;
        // The line end of the last line is no further line.
        let inside = start..end - usize::from(text[start..end].ends_with('\n'));
        Block { first: line, last: line + breaks(inside), column: found.start.map(|found| found - start) }
    };
    matches.iter().map(block).collect()
}

impl Lines<'_> {
    fn write(&self, shown: &mut Shown) -> Result<(), Interrupted> {
        // Of what was written without a gap, the first line and the one after the last.
        let mut stretch = 0..0;
        let mut current = None;
        for (at, block) in self.blocks.iter().enumerate() {
            if shown.text.len() > MOST_TEXT {
                break;
            }
            let from = block.first.saturating_sub(self.context).max(stretch.end);
            let is_apart = at > 0 && from > stretch.end;
            let before = stretch.end.checked_sub(1).filter(|_| at > 0);
            if is_apart || at == 0 {
                stretch = from..from;
            }
            let definition = self.definitions.get(at).copied().flatten();
            let has_left = definition.is_none() && current.is_some();
            if (is_apart && self.context > 0) || has_left {
                shown.text.push_str("--\n");
            }
            if definition != current
                && let Some(line) = definition.filter(|line| *line < stretch.start && before != Some(*line))
            {
                self.write_line(shown, line, '=', None)?;
            }
            current = definition;
            for line in from..block.first {
                self.write_line(shown, line, '-', None)?;
            }
            let last = block.last.min(block.first + MOST_LINES - 1);
            for line in block.first.max(stretch.end)..=last {
                self.write_line(shown, line, ':', Some(block))?;
            }
            shown.matches += 1;
            if last < block.last {
                // Writing to a string does not fail.
                let _ = writeln!(shown.text, "… {} more lines of this match", block.last - last);
            }
            let next = self.blocks.get(at + 1).map_or(self.lines.len(), |next| next.first);
            let end = (block.last + 1 + self.context).min(next).min(self.lines.len());
            for line in block.last + 1..end {
                self.write_line(shown, line, '-', None)?;
            }
            stretch.end = end.max(block.last + 1);
        }
        Ok(())
    }

    /// Writes a line, of a long one that a match begins in what is around its beginning.
    fn write_line(
        &self,
        shown: &mut Shown,
        number: usize,
        mark: char,
        block: Option<&Block>,
    ) -> Result<(), Interrupted> {
        let Some(line) = self.lines.get(number) else { return Ok(()) };
        let is_long = line.len() > LINE && line.chars().nth(LINE).is_some();
        let start = match block.filter(|block| is_long && block.first == number) {
            Some(Block { column: Some(column), .. }) => *column,
            Some(_) => self.pattern.first_in(line, 0..line.len(), &[], self.interrupt)?.unwrap_or_default(),
            None => 0,
        };
        let from = line.floor_char_boundary(start.saturating_sub(LINE / 4));
        let front = if from > 0 { "…" } else { "" };
        // Writing to a string does not fail.
        let _ = match is_long {
            true => writeln!(shown.text, "{}{mark}{front}{}", number + 1, cut(&line[from..], LINE)),
            false => writeln!(shown.text, "{}{mark}{line}", number + 1),
        };
        Ok(())
    }
}
