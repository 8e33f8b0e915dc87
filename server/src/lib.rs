//! Baton: one coding task through four AI agents, as a language server and a command line.
//!
//! `server/ARCHITECTURE.md` is the map of this crate.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make files and look at them"))]

pub mod agents;
pub mod bus;
pub mod cli;
pub mod config;
pub mod contracts;
pub mod lsp;
pub mod memory;
pub mod models;
pub mod outline;
pub mod phases;
pub mod text;
pub mod tools;
pub mod workflow;
pub mod workspace;
