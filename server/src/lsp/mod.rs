//! The language server: the one module that knows the Language Server Protocol.
//!
//! Invariants: nothing of the crate imports this module, and nothing outside of it knows an LSP type. The protocol's
//! wire is [`transport`]'s alone; what the engine does reaches this module as events.

mod client;
mod framing;
mod transport;
