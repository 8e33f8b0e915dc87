//! Why a subcommand failed, and the exit codes.

use crate::config::ConfigErrors;
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
    /// Where in a file it is to be mended.
    pub(super) place: Option<Place>,
}

/// A place in a file that a person wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The file, as the message names it.
    pub(super) file: String,
    /// The line, from 1, where it is one of its lines.
    pub(super) line: Option<u32>,
}

impl Failure {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }

    /// The reader of standard output has left: no message, and exit code 0.
    pub(super) fn quiet() -> Self {
        Self::new(0, "")
    }

    /// Whether there is no message to print.
    pub(super) fn is_quiet(&self) -> bool {
        self.message.is_empty()
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(FAILED, message)
    }

    /// With another code.
    pub(super) fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), place: None }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let code = match &error {
            StartError::Usage(_) | StartError::StalePlan { .. } => USAGE,
            StartError::Model(error) if error.kind == ModelErrorKind::Settings => USAGE,
            StartError::Model(_) | StartError::NoWorker(_) => NO_CONCLUSION,
            StartError::Memory(_) | StartError::Workspace(_) | StartError::Recover(_) | StartError::Publish(_) => {
                FAILED
            }
        };
        let place = match &error {
            StartError::Memory(error) => place_of(error),
            _ => None,
        };
        Self { place, ..Self::new(code, error.to_string()) }
    }
}

/// All faults are told; the place is the first one's.
impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        let first = errors.0.iter().find_map(|error| Some((error.place.source.clone(), error.place.position?.line)));
        let place = first.map(|(file, line)| Place { file, line: Some(line) });
        Self { place, ..Self::usage(errors.to_string()) }
    }
}

fn place_of(error: &MemoryError) -> Option<Place> {
    let MemoryError::Faulty(files) = error else { return None };
    let first = files.first()?;
    Some(Place { file: first.file.clone(), line: first.faults.first().map(|fault| fault.position.line) })
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
