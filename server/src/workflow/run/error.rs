use super::events::{EventError, EventErrorKind, FailureCause};
use crate::agents::AgentError;
use crate::memory::MemoryError;
use crate::models::{ModelError, ModelErrorKind};
use crate::workspace::{BaseError, PublishError, RecoverError, WorkspaceError};

/// Why a phase did not end well.
#[derive(Debug, thiserror::Error)]
pub enum PhaseError {
    /// An agent handed nothing on.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The memory folder.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The files of the workspace.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// Publishing a task's edits.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The working tree cannot be compared with a commit.
    #[error(transparent)]
    Base(BaseError),
    /// A part of this program failed; nothing was written by it.
    #[error("internal error: {0}; please report it")]
    Internal(String),
}

/// Why a run could not begin. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What was asked for makes no sense as things stand; the message says what does.
    #[error("{0}")]
    Usage(String),
    /// The answer is to another plan than the one there is now.
    #[error("{file} changed since that plan was shown; read the plan as it is now and answer again")]
    StalePlan {
        /// plan.json, relative to the workspace root.
        file: String,
    },
    /// The memory folder: locked, faulty, unreadable.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The workspace.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// What a killed run was publishing cannot be finished.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// Files could not be rolled back.
    #[error("the rollback did not happen: {0}")]
    Publish(#[from] PublishError),
    /// No model to work with.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The workers who are to hold the conversations cannot be reached, or there is none; the message says what to do.
    #[error("{0}")]
    NoWorker(String),
}

impl From<PhaseError> for StartError {
    fn from(error: PhaseError) -> Self {
        match error {
            PhaseError::Memory(error) => error.into(),
            PhaseError::Workspace(error) => error.into(),
            PhaseError::Publish(error) => error.into(),
            PhaseError::Agent(AgentError::Model(error)) => error.into(),
            other => Self::Usage(other.to_string()),
        }
    }
}

impl PhaseError {
    /// What kind of failure an event names.
    pub fn kind(&self) -> EventErrorKind {
        match self {
            Self::Agent(error) => agent_kind(error),
            Self::Memory(error) => memory_kind(error),
            Self::Workspace(_) | Self::Publish(_) | Self::Base(_) | Self::Internal(_) => EventErrorKind::Workspace,
        }
    }

    /// What a person can do something about.
    fn cause(&self) -> Option<FailureCause> {
        let Self::Agent(AgentError::Model(error)) = self else { return None };
        match error.kind {
            ModelErrorKind::Auth => Some(FailureCause::Key),
            ModelErrorKind::Quota => Some(FailureCause::Quota),
            ModelErrorKind::Unavailable => Some(FailureCause::Network),
            _ => None,
        }
    }

    /// The error as an event carries it.
    pub fn event(&self) -> EventError {
        EventError { cause: self.cause(), ..EventError::new(self.kind(), self.to_string()) }
    }
}

fn agent_kind(error: &AgentError) -> EventErrorKind {
    match error {
        AgentError::Model(error) if error.kind == ModelErrorKind::Settings => EventErrorKind::Config,
        AgentError::Window { is_first: true, .. } => EventErrorKind::Config,
        AgentError::Model(_) | AgentError::Window { .. } => EventErrorKind::Model,
        AgentError::Budget(_) => EventErrorKind::Budget,
        AgentError::Cancelled => EventErrorKind::Cancelled,
        AgentError::Journal(_) | AgentError::Changed(_) | AgentError::Elsewhere(_) => EventErrorKind::Workspace,
        AgentError::Memory(error) => memory_kind(error),
        AgentError::Contract { .. }
        | AgentError::NoTools { .. }
        | AgentError::Refused { .. }
        | AgentError::Loop { .. }
        | AgentError::TooLong { .. } => EventErrorKind::Contract,
    }
}

fn memory_kind(error: &MemoryError) -> EventErrorKind {
    match error {
        MemoryError::Faulty(_) | MemoryError::PlanChanged { .. } => EventErrorKind::Contract,
        _ => EventErrorKind::Workspace,
    }
}
