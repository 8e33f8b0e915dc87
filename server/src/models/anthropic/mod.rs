//! The Messages API, streamed.
//!
//! Source of its rules: Anthropic's API reference for Messages (streaming, errors, prompt caching, tool use), version
//! [`API_VERSION`]. Other servers speak it too (llama.cpp among them); where they leave something out, that is no fault.

mod answer;
mod client;
mod described;
mod list;
mod model;
mod prices;
mod provider;
mod request;
mod windows;

pub use client::{API_VERSION, AnthropicClient};
pub use model::Anthropic;
pub(super) use provider::PROVIDER;
