//! Ollama's own chat API, `/api/chat`, streamed as JSON lines.
//!
//! Source of its rules: Ollama's API reference (chat, show, tags) and the code of its server. By itself it cuts a prompt that
//! is longer than its context and answers as if nothing had happened. So each request says how large the context is to be
//! and that nothing may be cut (`truncate` and `shift`, which Ollama knows from 0.12.6 on), and what an older one reports as
//! read is compared with what was sent.
//!
//! Deliberately absent: pulling a model, `keep_alive`, and sampling parameters. They are the user's.

mod address;
mod answer;
mod client;
mod cut_prompts;
mod list;
mod model;
mod provider;
mod refusal;
mod request;
mod shown;

pub(super) use provider::{PROVIDER, address_fault};
