//! What a search shows of the files with matches: the lines, file by file, under the definitions that they stand in.

use std::fmt::Write as _;
use std::ops::{ControlFlow, Range};
use std::time::Duration;

use super::pattern::Pattern;
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
/// When interrupted before there is anything to show.
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
        match show_file(&mut shown, &hit.path, bytes, pattern, context, &sources.toolbox.interrupt) {
            Ok(()) => {}
            Err(Interrupted::TimedOut(time)) if shown.matches > 0 => {
                shown.timed_out = Some(time);
                break;
            }
            Err(interrupted) => return Err(interrupted),
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
    let mut spans = Vec::new();
    let room = MOST_MATCHES - shown.matches;
    pattern.each_match(&text, &secret_spans(&text), interrupt, |span| {
        spans.push(span);
        if spans.len() == room { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if spans.is_empty() {
        return Ok(());
    }
    let blocks = blocks(&text, &spans);
    let masked = masked(&text);
    let lines: Vec<&str> = masked.lines().collect();
    let firsts: Vec<usize> = blocks.iter().map(|block| block.first).collect();
    let definitions = enclosing_definitions(path, &lines, &firsts);
    let file = Lines { pattern, lines, blocks, definitions, context, interrupt };
    // Writing to a string does not fail.
    let _ = writeln!(shown.text, "{}{path}", if shown.files > 0 { "\n" } else { "" });
    shown.files += 1;
    file.write(shown)
}

/// The lines of matches that are given by their bytes.
fn blocks(text: &str, spans: &[Range<usize>]) -> Vec<Block> {
    let breaks = |range: Range<usize>| memchr::memchr_iter(b'\n', &text.as_bytes()[range]).count();
    let (mut line, mut at) = (0, 0);
    let block = |span: &Range<usize>| {
        line += breaks(at..span.start);
        at = span.start;
        // The line end of the last line is no further line.
        let inside = span.start..span.end - usize::from(text[span.clone()].ends_with('\n'));
        Block { first: line, last: line + breaks(inside) }
    };
    spans.iter().map(block).collect()
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
                self.write_line(shown, line, '=')?;
            }
            current = definition;
            for line in from..block.first {
                self.write_line(shown, line, '-')?;
            }
            shown.matches += 1;
            let last = block.last.min(block.first + MOST_LINES - 1);
            for line in block.first.max(stretch.end)..=last {
                self.write_line(shown, line, ':')?;
            }
            if last < block.last {
                // Writing to a string does not fail.
                let _ = writeln!(shown.text, "… {} more lines of this match", block.last - last);
            }
            let next = self.blocks.get(at + 1).map_or(self.lines.len(), |next| next.first);
            let end = (block.last + 1 + self.context).min(next).min(self.lines.len());
            for line in block.last + 1..end {
                self.write_line(shown, line, '-')?;
            }
            stretch.end = end.max(block.last + 1);
        }
        Ok(())
    }

    fn write_line(&self, shown: &mut Shown, number: usize, mark: char) -> Result<(), Interrupted> {
        let Some(line) = self.lines.get(number) else { return Ok(()) };
        // Writing to a string does not fail.
        let _ = write!(shown.text, "{}{mark}", number + 1);
        if line.len() > LINE && line.chars().nth(LINE).is_some() {
            // Of a long line, what is around the match.
            let found =
                if mark == ':' { self.pattern.first_in(line, 0..line.len(), &[], self.interrupt)? } else { None };
            let start = found.map_or(0, |found| found.start);
            let from = line.floor_char_boundary(start.saturating_sub(LINE / 4));
            let front = if from > 0 { "…" } else { "" };
            shown.text.push_str(front);
            shown.text.push_str(&cut(&line[from..], LINE));
        } else {
            shown.text.push_str(line);
        }
        shown.text.push('\n');
        Ok(())
    }
}
