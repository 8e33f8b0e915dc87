//! From a task's staging to the working tree, all or nothing.
//!
//! The order makes it safe: the new bytes and the before-images are on disk first, then the journal that names them,
//! then each file is renamed into place after a last check that it is still the file that the task built on. A kill
//! before the journal leaves the tree unchanged; after a kill later on, [`recover`] finishes the publish.

mod place;
mod record;
mod recover;
mod reseal;
mod reversal;
mod steps;
mod transaction;

pub use record::{FinishedTask, PublishRecord, PublishState, PublishedFile, records};
pub use recover::{RecoverError, Recovered, RecoveredTask, recover};
pub use reseal::reseal;
pub use reversal::{Reversal, ReversalKind, TakenBack, UndoneHunk};
pub use steps::PublishError;
pub use transaction::{Published, publish, publish_reversal};

#[cfg(test)]
mod tests;
