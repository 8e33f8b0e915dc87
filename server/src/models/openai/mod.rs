//! Chat Completions, streamed: OpenAI's own API, and the many servers that speak it.
//!
//! Source of its rules: OpenAI's API reference for Chat Completions (streaming, function calling, errors), and the
//! documentation of those who follow it: OpenRouter, vLLM, llama.cpp's server, LM Studio, DeepSeek, and the compatible
//! endpoints of Google and Mistral. Where one leaves something out, or puts it elsewhere, that is no fault.
//!
//! Conversations are kept as blocks of the Messages API, and translated in `request` and `answer`. What a model thought
//! is kept as a block of our own kind (`reasoning`) and goes back in the field in which it came.

mod answer;
mod client;
mod learned;
mod limits;
mod list;
mod listed;
mod model;
mod prices;
mod provider;
mod reasoning;
mod refusal;
mod request;

pub use client::OpenAiClient;
pub use model::OpenAi;
pub(super) use provider::PROVIDER;
