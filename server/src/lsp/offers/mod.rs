//! What a person can do at a place in a document: lenses, code actions, hover.
//!
//! Invariants: all of it is made by pure functions from a [`snapshot`] of the folder's memory and the document's text;
//! what cannot be done now has no lens, and is disabled, with its reason, as an action.
//! Nothing here runs a command: an [`offer`] names it.

pub(crate) mod code_actions;
pub(crate) mod hover;
pub(crate) mod hunks;
pub(crate) mod lens_refresh;
pub(crate) mod lenses;
pub(crate) mod offer;
mod plan_this;
pub(crate) mod snapshot;
pub(crate) mod task_hover;
