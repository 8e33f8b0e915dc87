//! The provider `openai` against a fake that speaks as each of the servers that have its API.

mod dialects;
mod workflow;
