//! The store: everything that is read from and written to one memory folder.
//!
//! `Store` is a handle, cheap to clone; each file here but `handle` adds the methods for one part of the folder. Nothing is
//! cached: two reads may see two states of the files, and [`Memory`] is a snapshot of one moment.

mod acceptance;
mod approval;
mod archive;
mod base_review;
mod checks;
mod file_io;
mod handle;
mod issue_ids;
mod load;
mod notes;
mod reseal;
mod rollback;
mod runs;
mod uncounted;
mod workflows;

pub use checks::CheckedFiles;
pub use handle::Store;
pub use load::{FaultyPlan, LoadedPlan, Memory, PreviousPlan, Revision};
pub use reseal::Resealed;
pub use runs::RunDir;
pub use uncounted::{Origin, Uncounted, UncountedFrom};
pub use workflows::{KnownWorkflow, SetAsideEnd};
