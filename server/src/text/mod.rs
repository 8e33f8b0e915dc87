//! Text for people: made safe to show, counted, cut, and numbers as people read them.
//!
//! The ground floor, like the standard library: it imports nothing of the crate, and every room may use it. Whatever
//! comes from a model, a file, the network or an editor goes through [`safe_line`], [`safe_lines`] or [`safe_json`] on
//! its way to a screen, and through [`markdown()`] where Markdown is read; what is unsafe is decided by [`is_unsafe`] alone.
//!
//! Deliberately absent: what is sent to models, but for masks (its bytes are pinned by recorded transcripts), which names a path may
//! hold (`contracts::RepoPath`).

mod count;
mod cut;
mod decorator;
mod markdown;
mod mask;
mod numbers;
mod reason;
mod safe;
mod wrap;

pub use count::{count, plural};
pub use cut::{cut, cut_middle, head, head_bytes};
pub use decorator::{begins_decorator, decorator_around, decorator_end};
pub use markdown::{code, code_block, markdown, markdown_line};
pub use mask::{MASK, mask};
pub use numbers::{cost, elapsed, tokens, took, whole_seconds};
pub use reason::innermost_reason;
pub use safe::{
    encoded, escaped, from_encoded, is_unsafe, revealed, safe_json, safe_line, safe_lines, safe_text, short_line,
};
pub use wrap::{columns_of, fitted, hanging, paragraph, rewrapped, wrapped};
