use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::error::ToolError;
use super::tool::{Shows, Tool};
use super::toolbox::{Toolbox, Users};

/// Run one of the user's checks on a task's edits.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TryCheck {
    /// The name of the check, as it is listed under `checks`.
    name: String,
}

impl Tool for TryCheck {
    const NAME: &'static str = "try_check";
    const DESCRIPTION: &'static str = "Run one of the user's checks on the working tree as it is now with your staged \
        edits, before they are published. Nothing that it writes is kept. The answer is how it ended, and the beginning \
        and the end of its output. Your edits, this and `submit_result` may come in one turn, in that order: where the check \
        fails, nothing is submitted.";
    const USERS: Users = Users::ImplementersWithChecks;
    const SHOWS: Shows = Shows::Workspace;
    // A check has a limit of its own, which does not count the time it waits for others.
    const TIME_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

    fn activity(&self) -> String {
        format!("tried the check {}", self.name)
    }

    fn run(self, toolbox: &Toolbox) -> Result<String, ToolError> {
        let changes = toolbox.writing()?.changes();
        let Some(checks) = toolbox.checks() else { return Err("There are no checks to try.".to_owned().into()) };
        Ok(checks.try_check(&self.name, changes)?)
    }
}
