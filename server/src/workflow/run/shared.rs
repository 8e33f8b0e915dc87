//! One run: what all its parts share.

use std::sync::Arc;

use super::editor::Editor;
use super::error::PhaseError;
use super::events::{Bus, EventErrorKind, EventPhase, EventStatus, Said};
use super::goal::Goal;
use super::prompts::Prompts;
use super::question::Approver;
use crate::agents::{AgentError, RunContext};
use crate::config::Settings;
use crate::memory::Store;
use crate::models::{Model, ModelError, Models, Tier};
use crate::workflow::changes::checkpoints::Checkpoints;
use crate::workflow::changes::files::Changes;
use crate::workflow::decide::next::Policy;
use crate::workflow::gate::content::GateSources;
use crate::workspace::{self, Dir, Workspace};

/// One run and all it works with.
pub struct Run {
    pub(crate) workspace: Workspace,
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) models: Result<Models, ModelError>,
    pub(crate) prompts: Prompts,
    pub(crate) approver: Arc<dyn Approver>,
    pub(crate) editor: Editor,
    pub(crate) policy: Policy,
    pub(crate) desk: RunContext,
    pub(crate) bus: Bus,
    pub(crate) checkpoints: Checkpoints,
    /// `runs/<run>/`.
    pub(crate) folder: Dir,
    /// What the start asks for.
    pub(crate) goal: Goal,
    pub(crate) auto_approve: bool,
}

impl Run {
    /// The model of a tier.
    pub(crate) fn model(&self, tier: Tier) -> Result<Arc<dyn Model>, PhaseError> {
        match &self.models {
            Ok(models) => Ok(models.for_tier(tier).clone()),
            Err(error) => Err(AgentError::Model(error.clone()).into()),
        }
    }

    /// What a gate's content comes from.
    pub(crate) fn gate_sources(&self) -> GateSources<'_> {
        GateSources {
            store: &self.store,
            settings: &self.settings,
            models: self.models.as_ref().ok(),
            usage: self.desk.budget.used_by_workflow(),
            phases: &self.policy.phases,
        }
    }

    pub(crate) fn say(&self, phase: impl Into<EventPhase>, status: EventStatus, message: impl Into<String>) {
        self.tell(phase, status, None, message);
    }

    pub(crate) fn tell(
        &self,
        phase: impl Into<EventPhase>,
        status: EventStatus,
        task: Option<&str>,
        message: impl Into<String>,
    ) {
        self.bus.emit(Said {
            phase: phase.into(),
            status,
            task: task.map(str::to_owned),
            message: message.into(),
            error: None,
            usage: Some(self.desk.budget.used()),
        });
    }

    /// Keep what the workflow has changed so far, as a diff, in the run's folder.
    pub(crate) fn write_diff(&self, changes: &Changes) -> Result<(), PhaseError> {
        workspace::replace(&self.folder, "changes.diff", changes.unified().as_bytes(), 0o600)
            .map_err(|source| self.store.file_error("write", "changes.diff", source).into())
    }

    /// Say that a phase ended badly.
    pub(crate) fn fail(&self, phase: EventPhase, error: &PhaseError) {
        let cancelled = error.kind() == EventErrorKind::Cancelled;
        self.bus.emit(Said {
            phase,
            status: if cancelled { EventStatus::Cancelled } else { EventStatus::Failed },
            task: None,
            message: error.to_string(),
            error: Some(error.event()),
            usage: Some(self.desk.budget.used()),
        });
    }
}
