//! A map of many files: which of them matter to a task, and which of their definitions.
//!
//! Each content is read once, and what is remembered of it is kept by its hash, in the user's cache. From that alone `rank`
//! says which files matter: those that speak of what the task names, and those that these refer to. `render` shows as much
//! as fits.
//!
//! Invariants: a cache that is missing, old or broken costs time and nothing else; what is interrupted is kept as far as it
//! came.

mod codec;
mod gather;
mod index;
mod rank;
mod render;
mod role;
mod scan;
mod words;

pub use gather::{Blob, Map, Sources};

#[cfg(test)]
mod tests;
