//! Why a subcommand failed, and the exit codes.

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
/// An issue is at least as severe as `--fail-on`.
pub(super) const ISSUES: u8 = 6;
/// Cancelled.
pub(super) const CANCELLED: u8 = 130;

/// Why a subcommand did not do what it was asked: the message, and the code the process ends with.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) code: u8,
    pub(super) message: String,
}

impl Failure {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into() }
    }

    /// The reader of standard output has left: no message, and exit code 0.
    pub(super) fn quiet() -> Self {
        Self { code: 0, message: String::new() }
    }

    /// Whether there is no message to print.
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

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::failed(error.to_string())
    }
}
