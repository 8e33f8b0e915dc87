//! What the end-to-end tests share.
#![allow(dead_code, unreachable_pub, reason = "the benches use a part of it, and some of that alone")]
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that cannot go on ends loudly")]

pub mod desk;
#[cfg(unix)]
pub mod editors;
pub mod lsp_client;
pub mod messages_api;
#[cfg(unix)]
pub mod plain_editor;
#[cfg(unix)]
pub mod replies;
#[cfg(unix)]
pub mod session;
#[cfg(unix)]
pub mod terminal;
