//! The checks of a run.

use super::phase::Run;
use crate::config::{self, Check, Settings};
use crate::memory::CheckTrust;
use crate::workspace::Workspace;

/// The checks in force under these settings. Where they set none, those of the workspace's file as it is now: the gate of
/// a run writes there what a person wants remembered.
pub(crate) fn checks_in_force(settings: &Settings, workspace: &Workspace) -> Vec<Check> {
    if settings.has_set_checks {
        return settings.checks.clone();
    }
    config::workspace_checks(workspace.root())
}

impl Run {
    /// The checks in force.
    pub(crate) fn checks(&self) -> Vec<Check> {
        checks_in_force(&self.settings, &self.workspace)
    }

    /// Which of them may run, as a person has said by now.
    pub(crate) fn check_trust(&self) -> CheckTrust {
        CheckTrust::open(self.store.seal())
    }
}
