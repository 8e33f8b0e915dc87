//! What all providers over HTTP have in common: an address, a credential, a streamed answer, and what a refusal means.
//!
//! A provider adds its request, its [`Incoming`] answer and an [`Api`], which says what messages call it.

mod api;
mod cause;
mod client;
mod config;
mod credential;
mod endpoint;
mod error_body;
mod fault;
mod incoming;
mod plain_http;
mod reading;
mod server;
mod surrogates;
mod tokens;
mod tool_input;

pub(super) use api::Api;
pub use config::ApiConfig;
pub use credential::Credential;
pub(super) use credential::source as credential_source;
pub(super) use error_body::ErrorBody;
pub(super) use fault::Fault;
pub(super) use incoming::{Incoming, Step};
pub(super) use reading::Watch;
pub(super) use server::{Failed, Refusal, Server, ServerConfig, Timing, Unanswered, watching};
pub(super) use surrogates::{join as join_surrogates, join_in as join_surrogates_in, parse as parse_json};
pub(super) use tokens::{Length, Tokens};
pub(super) use tool_input::{tool_input, tool_input_of};
