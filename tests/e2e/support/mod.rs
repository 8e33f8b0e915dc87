//! What the end-to-end tests share: a workspace and its user, the clients, the scripted models, and waits.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "the benches use a part of it, and some of that alone")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot continue fails")]

#[cfg(unix)]
pub mod broker;
pub mod check;
#[cfg(unix)]
pub mod editors;
pub mod greeting;
pub mod lsp_client;
pub mod messages_api;
pub mod ollama_api;
pub mod plain_editor;
pub mod ports;
#[cfg(unix)]
pub mod programs;
pub mod replies;
pub mod session;
#[cfg(unix)]
pub mod terminal;
pub mod under_way;
pub mod wait;
pub mod web_hook;
