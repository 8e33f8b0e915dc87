//! The phases: the one table of them, and a file or a folder for each.
//!
//! A row says everything there is to know of a phase; the engine, the faces, the schemas and the memory folder derive
//! their lists from the table they are given. A further phase is one row here, one prompt and one file.
//!
//! Invariant: nothing imports this room but the faces' entry, which passes [`TABLE`] on.

mod attached;
mod checks_told;
mod context;
mod file_texts;
mod further;
mod implement;
mod named;
mod passage;
mod placing;
mod plan;
mod quick;
mod review;
mod reviewing;
mod run_one;
mod table;
mod undone;
mod work_done;

pub use table::TABLE;

#[cfg(test)]
mod tests;
