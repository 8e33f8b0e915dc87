use crate::memory::MemoryError;
use crate::models::ModelErrorKind;
use crate::workflow::StartError;

/// Failed.
pub(super) const FAILED: u8 = 1;
/// Wrong usage or settings.
pub(super) const USAGE: u8 = 2;
/// A person is needed.
pub(super) const PERSON: u8 = 3;
/// The plan was rejected.
pub(super) const REJECTED: u8 = 4;
/// Model, network or quota failed.
pub(super) const NO_CONCLUSION: u8 = 5;
/// An issue is as bad as `--fail-on` says.
pub(super) const ISSUES: u8 = 6;
/// Cancelled.
pub(super) const CANCELLED: u8 = 130;

/// Why a subcommand did not do what it was asked: what is said, and the code the process ends with.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: u8,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }

    /// Nobody reads the result any more: nothing is said, and it is no failure.
    pub(super) fn quiet() -> Self {
        Self { code: 0, message: String::new() }
    }

    /// Whether nothing is to be said of it.
    pub(super) fn is_quiet(&self) -> bool {
        self.message.is_empty()
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: message.into() }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = match &error {
            StartError::Usage(_) | StartError::StalePlan { .. } => USAGE,
            StartError::Model(error) if error.kind == ModelErrorKind::Settings => USAGE,
            StartError::Model(_) => NO_CONCLUSION,
            StartError::Memory(_) | StartError::Workspace(_) | StartError::Recover(_) | StartError::Publish(_) => {
                FAILED
            }
        };
        Self { code, message: error.to_string() }
    }
}

impl From<MemoryError> for Failure {
    fn from(error: MemoryError) -> Self {
        StartError::from(error).into()
    }
}
