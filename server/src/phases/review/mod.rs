//! The review phase: judges what was implemented against the plan's acceptance criteria, or the working tree against a
//! commit.
//!
//! Invariant: an issue stands at the line that it quotes, or in the summary; never on a wrong line.

mod accept;
mod against_base;
mod brief;
mod drift;
mod earlier;
mod finish;
mod phase;
mod unchanged;

pub(super) use accept::clamp_lines;
pub(super) use brief::{changed_section, editor_section};
pub(super) use phase::Review;

#[cfg(test)]
mod tests;
