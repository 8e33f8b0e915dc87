//! One run: what all its parts share.

use std::sync::Arc;

use super::changes::Changes;
use super::checkpoints::Checkpoints;
use super::editor::Editor;
use super::error::PhaseError;
use super::events::{Bus, EventErrorKind, EventPhase, EventStatus, Said};
use super::gate::Approver;
use super::gate_content::GateSources;
use super::next::Policy;
use super::phase::Phase;
use crate::agents::{AgentError, Desk, Prompts};
use crate::config::Settings;
use crate::memory::Store;
use crate::models::{Model, ModelError, Models, Tier};
use crate::workspace::{self, Base, Dir, Workspace};

/// One run and all it works with.
pub(super) struct Run {
    pub(super) workspace: Workspace,
    pub(super) store: Store,
    pub(super) settings: Settings,
    pub(super) models: Result<Models, ModelError>,
    pub(super) prompts: Prompts,
    pub(super) approver: Arc<dyn Approver>,
    pub(super) editor: Editor,
    pub(super) policy: Policy,
    pub(super) desk: Desk,
    pub(super) bus: Bus,
    pub(super) checkpoints: Checkpoints,
    /// `runs/<run>/`.
    pub(super) folder: Dir,
    /// The one phase asked for by name.
    pub(super) phase: Option<Phase>,
    pub(super) auto_approve: bool,
    /// The tasks an approval is for, where not all.
    pub(super) only: Option<Vec<String>>,
    /// The issues that were chosen to be fixed: the run ends with the review of their round.
    pub(super) fix: Option<Vec<String>>,
    /// The commit to review against: the run is that review, and no workflow.
    pub(super) base: Option<Base>,
}

impl Run {
    /// The model of a tier.
    pub(super) fn model(&self, tier: Tier) -> Result<Arc<dyn Model>, PhaseError> {
        match &self.models {
            Ok(models) => Ok(models.for_tier(tier).clone()),
            Err(error) => Err(AgentError::Model(error.clone()).into()),
        }
    }

    /// What a gate's content comes from.
    pub(super) fn gate_sources(&self) -> GateSources<'_> {
        GateSources {
            store: &self.store,
            settings: &self.settings,
            models: self.models.as_ref().ok(),
            usage: self.desk.budget.used_by_workflow(),
        }
    }

    pub(super) fn say(&self, phase: EventPhase, status: EventStatus, message: impl Into<String>) {
        self.tell(phase, status, None, message);
    }

    pub(super) fn tell(&self, phase: EventPhase, status: EventStatus, task: Option<&str>, message: impl Into<String>) {
        self.bus.emit(Said {
            phase,
            status,
            task: task.map(str::to_owned),
            message: message.into(),
            error: None,
            usage: Some(self.desk.budget.used()),
        });
    }

    /// Keep what the workflow has changed so far, as a diff, in the run's folder.
    pub(super) fn write_diff(&self, changes: &Changes) -> Result<(), PhaseError> {
        workspace::replace(&self.folder, "changes.diff", changes.unified().as_bytes(), 0o600)
            .map_err(|source| self.store.file_error("write", "changes.diff", source).into())
    }

    /// Say that a phase ended badly.
    pub(super) fn fail(&self, phase: EventPhase, error: &PhaseError) {
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
