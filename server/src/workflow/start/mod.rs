//! How a run starts.

pub(crate) mod base;
pub(crate) mod beginning;
pub(crate) mod engine;
pub(crate) mod launch;
pub(crate) mod memory_dir;
pub(crate) mod reset;
