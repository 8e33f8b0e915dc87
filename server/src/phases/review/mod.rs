//! The review phase: judges what was implemented against the plan's acceptance criteria, or the working tree against a
//! commit.
//!
//! Invariant: an issue stands at the line that it quotes, or is one without a place; it is never lost, and never stands on
//! a wrong line. A criterion is met only where something shows it.

mod accept;
mod against_base;
mod brief;
mod criteria;
mod drift;
mod earlier;
mod finish;
mod phase;
mod unchanged;
mod validate;

pub(super) use accept::clean_issues;
pub(super) use brief::{attach_changed, attach_editor, attach_guidance, dismissed_section, guidance_section};
pub(super) use phase::Review;

#[cfg(test)]
mod tests;
