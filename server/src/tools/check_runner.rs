use std::fmt;

use crate::workspace::StagedChange;

/// Runs the user's checks for one task. What may run, where and how often is up to it.
pub trait CheckRunner: Send + Sync + fmt::Debug {
    /// Run the check of this name on the working tree with these changes laid over it. Blocks until it ends.
    ///
    /// # Errors
    /// That it does not pass, unless it fails without the changes too, or why it did not run, in words that the model can act on.
    /// What the model hands on in the same turn is not taken then.
    fn try_check(&self, name: &str, changes: Vec<StagedChange>) -> Result<String, String>;
}
