//! How a run starts.

pub(crate) mod beginning;
pub(crate) mod engine;
pub(crate) mod memory_dir;
