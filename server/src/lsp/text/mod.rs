//! Text as the editor has it: open documents, positions in them, and what is read from their comments.
//!
//! Invariants: a notification changes [`documents`] before any other code sees it, in the order of arrival; every position
//! of the protocol is converted by [`position`], in the negotiated encoding; text of a model becomes Markdown only through
//! [`markdown`]. Imports `wire` alone.

pub(crate) mod comments;
pub(crate) mod documents;
pub(crate) mod markdown;
pub(crate) mod position;
pub(crate) mod todo;
