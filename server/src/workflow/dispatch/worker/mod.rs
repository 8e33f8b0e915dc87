//! A worker: takes conversations from the queue, holds them on a copy of the tree, and hands back what came of them.
//!
//! Invariants: nothing is acted on that the log does not hold; whoever has lost its claim writes nothing more.

mod at_work;
mod checks;
mod hold;
mod machine;
mod serve;
mod session;
mod tree;

pub use serve::serve_worker;
