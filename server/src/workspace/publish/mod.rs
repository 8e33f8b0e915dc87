//! From a task's staging to the working tree, all or nothing.
//!
//! The order is what makes it safe: the new bytes and the before-images are on disk first, then the journal that
//! names them, then each file is put in place by a rename, after one more look at whether it is still the file the
//! task built on. A kill before the journal leaves the tree as it was; a kill after it is finished by [`recover`].

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
pub use reversal::{Reversal, ReversalKind, TakenBack};
pub use steps::PublishError;
pub use transaction::{Published, publish, publish_reversal};

#[cfg(test)]
mod tests;
