//! The lines of a text that a regular expression matches.
//!
//! A text is matched in windows, so that a search hears a stop whatever the pattern is. What is hidden (secrets) has no
//! influence on the outcome: no match lies in it or touches it.

use std::cell::RefCell;
use std::ops::{ControlFlow, Range};
use std::sync::OnceLock;

use grep_regex::{ErrorKind, RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkMatch};
use regex::RegexBuilder;
use regex_automata::util::syntax;
use regex_automata::{Input, meta};

use crate::text::cut;
use crate::workspace::{Interrupt, Interrupted};

const LONGEST: usize = 4_096;

/// Sizes that a compiled pattern may have, and how much of a text it is then matched against at once, all in bytes: at
/// worst each byte is compared with all of the pattern, and matching cannot be interrupted.
const WINDOWS: [(usize, usize); 3] = [(1 << 16, 1 << 16), (1 << 19, 1 << 13), (1 << 21, 1 << 11)];

/// A regular expression, ready to search with.
pub(super) struct Pattern {
    text: String,
    matcher: RegexMatcher,
    /// For parts of a text, whose surroundings still count for `^`, `$` and `\b`.
    parts: OnceLock<Option<meta::Regex>>,
    size: usize,
    window: usize,
    spans_lines: bool,
}

/// The lines of a match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    /// Their bytes, with their line ends.
    pub(super) lines: Range<usize>,
    /// Where in the text the match begins. Not told of a line that is shorter than the window: there it is soon found.
    pub(super) start: Option<usize>,
}

thread_local! {
    /// It holds buffers and is for one thread at a time.
    static SEARCHER: RefCell<Searcher> = RefCell::new(
        SearcherBuilder::new()
            .line_number(false)
            .bom_sniffing(false)
            .binary_detection(BinaryDetection::none())
            .build(),
    );
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it, in words for a model.
    pub(super) fn compile(text: &str, spans_lines: bool) -> Result<Self, String> {
        if text.is_empty() {
            return Err("The pattern is empty; write what to search for.".to_owned());
        }
        if text.len() > LONGEST {
            return Err(format!("The pattern is longer than {LONGEST} bytes; search for a part of it."));
        }
        let mut reason = String::new();
        for (size, window) in WINDOWS {
            let mut builder = RegexMatcherBuilder::new();
            builder.multi_line(true).size_limit(size);
            if !spans_lines {
                builder.line_terminator(Some(b'\n'));
            }
            match builder.build(text) {
                Ok(matcher) => {
                    let parts = OnceLock::new();
                    return Ok(Self { text: text.to_owned(), matcher, parts, size, window, spans_lines });
                }
                Err(error) if matches!(error.kind(), ErrorKind::NotAllowed(_)) => {
                    return Err(
                        "The pattern holds a line break, and a search goes line by line; set multiline to true \
                         for a match that spans lines."
                            .to_owned(),
                    );
                }
                Err(error) => {
                    // The plain engine shows the pattern as it was written.
                    let plain = RegexBuilder::new(text).multi_line(true).size_limit(size).build().err();
                    let told = plain.map_or_else(|| error.to_string(), |plain| plain.to_string());
                    reason = cut(&told, 600).into_owned();
                }
            }
        }
        Err(format!(
            "The pattern is no valid regular expression.\n{reason}\nPut a \\ before a character that is meant as itself."
        ))
    }

    /// Hands over the lines of a text that match, in order; several lines at once where a match spans them. In a text (a line, where matches span none) longer than the window a match longer than
    /// half of it may be missed.
    ///
    /// # Errors
    /// When interrupted.
    pub(super) fn each_match(
        &self,
        text: &str,
        hidden: &[Range<usize>],
        interrupt: &Interrupt,
        mut found: impl FnMut(Match) -> ControlFlow<()>,
    ) -> Result<(), Interrupted> {
        if self.spans_lines {
            return self.each_block(text, 0..text.len(), hidden, interrupt, &mut found).map(drop);
        }
        let mut at = 0;
        while at < text.len() {
            interrupt.check()?;
            let chunk = at..whole_lines(text, at, self.window);
            at = chunk.end;
            let is_plain = chunk.len() <= self.window && !hidden.iter().any(|span| overlap(span, &chunk));
            let flow = if is_plain {
                self.each_line(text, chunk, &mut found)
            } else {
                let mut flow = ControlFlow::Continue(());
                for line in lines(text, chunk) {
                    flow = self.each_block(text, line, hidden, interrupt, &mut found)?;
                    if flow.is_break() {
                        break;
                    }
                }
                flow
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Where a match first begins in a stretch of a text, as far as that is not hidden.
    ///
    /// # Errors
    /// When interrupted.
    pub(super) fn first_in(
        &self,
        text: &str,
        stretch: Range<usize>,
        hidden: &[Range<usize>],
        interrupt: &Interrupt,
    ) -> Result<Option<usize>, Interrupted> {
        Ok(self.first(text, stretch, hidden, Extent::Start, interrupt)?.map(|found| found.start))
    }

    fn first(
        &self,
        text: &str,
        stretch: Range<usize>,
        hidden: &[Range<usize>],
        extent: Extent,
        interrupt: &Interrupt,
    ) -> Result<Option<Range<usize>>, Interrupted> {
        for part in visible(text, stretch, hidden) {
            let found = self.find(text, part, extent, interrupt)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The lines of a chunk that match.
    fn each_line(
        &self,
        text: &str,
        chunk: Range<usize>,
        found: &mut dyn FnMut(Match) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut lines = Lines { start: chunk.start, found, flow: ControlFlow::Continue(()) };
        let outcome = SEARCHER
            .with_borrow_mut(|searcher| searcher.search_slice(&self.matcher, &text.as_bytes()[chunk], &mut lines));
        if let Err(error) = outcome {
            tracing::debug!(%error, "a part of a text could not be searched");
        }
        lines.flow
    }

    /// The lines of a stretch that hold a match.
    fn each_block(
        &self,
        text: &str,
        stretch: Range<usize>,
        hidden: &[Range<usize>],
        interrupt: &Interrupt,
        found: &mut dyn FnMut(Match) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Interrupted> {
        // A line matches however much of it does.
        let extent = if self.spans_lines { Extent::Whole } else { Extent::Start };
        let mut at = stretch.start;
        // An empty line is a stretch too; behind the last line end there is no line.
        let is_line = |at: usize| at < text.len() || !(text.is_empty() || text.ends_with('\n'));
        while let Some(span) = self.first(text, at..stretch.end, hidden, extent, interrupt)? {
            if !is_line(span.start) {
                break;
            }
            let start = text[..span.start].rfind('\n').map_or(0, |before| before + 1);
            // A line end that is matched belongs to the line that it ends.
            let last = if span.end > span.start && text[..span.end].ends_with('\n') { span.end - 1 } else { span.end };
            let end = text[last..].find('\n').map_or(text.len(), |after| last + after + 1);
            if found(Match { lines: start..end, start: Some(span.start) }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            at = end;
            if at >= stretch.end {
                break;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Where the pattern first matches in a part of a text; what is around the part counts for `^`, `$` and `\b` alone.
    fn find(
        &self,
        text: &str,
        part: Range<usize>,
        extent: Extent,
        interrupt: &Interrupt,
    ) -> Result<Option<Range<usize>>, Interrupted> {
        let Some(regex) = self.for_parts() else { return Ok(None) };
        let mut start = part.start;
        loop {
            interrupt.check()?;
            let end = text.floor_char_boundary(part.end.min(start + self.window));
            let found = regex.find(Input::new(text).span(start..end)).map(|found| found.range());
            match found {
                Some(found) if end == part.end || found.end < end || extent == Extent::Start => return Ok(Some(found)),
                _ if end == part.end => return Ok(None),
                // One that ends with the window is searched again with more of the text.
                _ => start = text.floor_char_boundary(end - self.window / 2),
            }
        }
    }

    fn for_parts(&self) -> Option<&meta::Regex> {
        let compile = || {
            // A little more than what the other engine needs of it.
            let config = meta::Config::new().nfa_size_limit(Some(self.size * 2));
            let syntax = syntax::Config::new().multi_line(true);
            meta::Builder::new().configure(config).syntax(syntax).build(&self.text).ok()
        };
        self.parts.get_or_init(compile).as_ref()
    }
}

/// How much of a match is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Where it begins; it may go on behind the window.
    Start,
    Whole,
}

/// Takes the matching lines of a chunk.
struct Lines<'a> {
    start: usize,
    found: &'a mut dyn FnMut(Match) -> ControlFlow<()>,
    flow: ControlFlow<()>,
}

impl Sink for Lines<'_> {
    type Error = std::io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, Self::Error> {
        let offset = usize::try_from(found.absolute_byte_offset()).unwrap_or_default();
        let start = self.start + offset;
        self.flow = (self.found)(Match { lines: start..start + found.bytes().len(), start: None });
        Ok(self.flow.is_continue())
    }
}

/// The end of as many whole lines from a place as fit in a window, at least of one.
fn whole_lines(text: &str, at: usize, window: usize) -> usize {
    let bytes = text.as_bytes();
    if bytes.len() - at <= window {
        return bytes.len();
    }
    match memchr::memrchr(b'\n', &bytes[at..at + window]) {
        Some(end) => at + end + 1,
        None => memchr::memchr(b'\n', &bytes[at + window..]).map_or(bytes.len(), |end| at + window + end + 1),
    }
}

/// The lines of a chunk of whole lines, without their ends.
fn lines(text: &str, chunk: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = chunk.start;
    text[chunk].split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        start..start + line.strip_suffix('\n').unwrap_or(line).len()
    })
}

/// The parts of a stretch in which a match is the same whatever is hidden: without the characters beside what is.
fn visible(text: &str, stretch: Range<usize>, hidden: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut at = stretch.start;
    for span in hidden.iter().filter(|span| overlap(span, &stretch)) {
        let before = text[..span.start].char_indices().next_back().map_or(0, |(before, _)| before);
        if before > at {
            parts.push(at..before);
        }
        let after = text[span.end..].chars().next().map_or(0, char::len_utf8);
        at = at.max(span.end + after);
    }
    if at < stretch.end || parts.is_empty() && at == stretch.start {
        parts.push(at..stretch.end);
    }
    parts
}

/// Whether two ranges overlap or touch.
fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start <= b.end && b.start <= a.end
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matches in a text.
    fn matches(pattern: &str, spans_lines: bool, text: &str) -> Vec<Match> {
        let mut found = Vec::new();
        let take = |one| {
            found.push(one);
            ControlFlow::Continue(())
        };
        Pattern::compile(pattern, spans_lines).unwrap().each_match(text, &[], &Interrupt::never(), take).unwrap();
        found
    }

    #[test]
    fn a_long_line_is_looked_through_only_up_to_its_match() {
        let text = format!("ab\n{}needle{}\nb", "x".repeat(100_000), "x".repeat(20_000));
        let line = 3..120_010;
        for (pattern, start) in [(".*", 3), ("x+", 3), ("n.*", 100_003), ("e+dlex", 100_004)] {
            let expected = Match { lines: line.clone(), start: Some(start) };
            let found = matches(pattern, false, &text);
            assert_eq!(found.into_iter().find(|found| found.lines.start == 3), Some(expected), "{pattern}");
        }
        let first = |pattern: &str, spans_lines| {
            let pattern = Pattern::compile(pattern, spans_lines).unwrap();
            pattern.first_in(&text, line.clone(), &[], &Interrupt::never()).unwrap()
        };
        assert_eq!((first(".*", false), first("(?s).+", true), first("y", true)), (Some(3), Some(3), None));
        let found = matches("(?s)needle.*\nb", true, &text);
        assert_eq!(found, [Match { lines: 3..120_011, start: Some(100_003) }], "as far as it goes");
    }
}
