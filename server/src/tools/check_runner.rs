use std::fmt;

use serde::{Deserialize, Serialize};

use crate::workspace::StagedChange;

/// A check of the user's, for a sandbox elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedCheck {
    /// Its name.
    pub name: String,
    /// What is run, by `sh -c` in the root.
    pub command: String,
    /// How long it may take, in seconds.
    pub timeout_s: u64,
    /// Whether it may use the network.
    pub network: bool,
    /// Whether it needs secrets, which stay where they are: elsewhere it is not run.
    pub secrets: bool,
}

/// Runs the user's checks for one task. What may run, where and how often is up to it.
pub trait CheckRunner: Send + Sync + fmt::Debug {
    /// Run the check of this name on the working tree with these changes laid over it. Blocks until it ends.
    ///
    /// # Errors
    /// That it does not pass, unless it fails without the changes too, or why it did not run, in words that the model can act on.
    /// What the model hands on in the same turn is not taken then.
    fn try_check(&self, name: &str, changes: Vec<StagedChange>) -> Result<String, String>;

    /// What an agent elsewhere may try in its own sandbox, and how often.
    fn offered(&self) -> (Vec<OfferedCheck>, u32) {
        (Vec::new(), 0)
    }

    /// Tells how tries ended that were made elsewhere: the check, and whether it failed.
    fn note_tries(&self, _tries: &[(String, bool)]) {}
}
