//! The models of an editor, asked by a request to it: no key and no network of ours.
//!
//! Source of its rules: the request `baton/languageModel` of this product. Blocks are those of the Messages API, and the
//! editor chooses the model of each tier.

mod answer;
mod client;
mod provider;
pub(super) mod service;

pub use client::{EditorClient, EditorConfig, EditorModel};
pub(super) use provider::PROVIDER;
pub use service::{EditorModels, EditorRefusal, RefusalKind};
