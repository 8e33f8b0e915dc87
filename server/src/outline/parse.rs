//! Parsing within limits.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use tree_sitter::{ParseOptions, Parser, Tree};

use super::language::Grammar;
use crate::workspace::{Interrupt, Interrupted};

/// The largest text that is parsed, in bytes.
pub const MOST_BYTES: usize = 1024 * 1024;
/// How long one text may take: most take milliseconds, and a grammar can be slow on what it does not understand.
pub(super) const MOST_TIME: Duration = Duration::from_secs(2);

/// Why a text has no outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoOutline {
    /// No grammar for such files.
    #[error("it is in no language that outlines are made of")]
    Language,
    /// Too large.
    #[error("it is larger than {} KiB, and files of that size are not parsed", MOST_BYTES / 1024)]
    Size,
    /// The grammar took too long.
    #[error("parsing it took longer than {} s", MOST_TIME.as_secs())]
    Time,
    /// Whoever asked stopped it.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

/// The end of the time that one text may take, and of the patience of whoever asked.
pub(super) struct Limit<'a> {
    end: Instant,
    interrupt: &'a Interrupt,
    reached: Option<NoOutline>,
}

impl<'a> Limit<'a> {
    /// The time of a text that is asked for alone.
    pub(super) fn new(interrupt: &'a Interrupt) -> Self {
        Self::until(Instant::now() + MOST_TIME, interrupt)
    }

    pub(super) fn until(end: Instant, interrupt: &'a Interrupt) -> Self {
        Self { end, interrupt, reached: None }
    }

    /// Whether to go on.
    pub(super) fn check(&mut self) -> ControlFlow<()> {
        if let Err(interrupted) = self.interrupt.check() {
            self.reached = Some(interrupted.into());
        } else if Instant::now() >= self.end {
            self.reached = Some(NoOutline::Time);
        }
        if self.reached.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// What was reached.
    pub(super) fn reached(&self) -> Option<NoOutline> {
        self.reached
    }
}

/// Parses a text. What the grammar does not understand is in the tree as an error.
pub(super) fn parse(grammar: &Grammar, text: &str, limit: &mut Limit<'_>) -> Result<Tree, NoOutline> {
    if text.len() > MOST_BYTES {
        return Err(NoOutline::Size);
    }
    let bytes = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_language(&grammar.language).map_err(|_| NoOutline::Language)?;
    let mut go_on = |_: &_| limit.check();
    let options = ParseOptions::new().progress_callback(&mut go_on);
    let tree = parser.parse_with_options(&mut |from, _| bytes.get(from..).unwrap_or_default(), None, Some(options));
    tree.ok_or_else(|| limit.reached().unwrap_or(NoOutline::Time))
}
