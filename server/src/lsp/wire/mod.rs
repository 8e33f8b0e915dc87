//! The connection to the client: messages in and out, its capabilities, and the conversion of types.
//!
//! Invariants: [`transport`] alone deals with the traps of tower-lsp, and [`client`] alone sends. Nothing here waits for
//! the client to read, and nothing here knows a folder, a run or a file's text. Imports no other room of the server.

pub(crate) mod capabilities;
pub(crate) mod client;
pub(crate) mod document_content;
pub(crate) mod editor_process;
mod framing;
pub(crate) mod from_proto;
pub(crate) mod to_proto;
pub(crate) mod transport;
mod unadvertised;
pub(crate) mod until_stopped;
pub(crate) mod window;
pub(crate) mod words;
