//! From the engine's types to the protocol's.

use std::path::Path;

use tower_lsp::lsp_types::{DiagnosticSeverity, MessageType, Url};

use crate::contracts::Severity;
use crate::workflow::Outcome;

pub(crate) use crate::text::{count, short_line as plain};
/// The source of every diagnostic that the server publishes.
pub(crate) const DIAGNOSTIC_SOURCE: &str = "baton";

/// The URI of a file in a folder of the client's; `None` for a folder that is no absolute path.
pub(crate) fn uri(folder: &Path, file: &str) -> Option<Url> {
    Url::from_file_path(folder.join(file)).ok()
}

/// The diagnostic severity of an issue.
pub(crate) fn severity(severity: Severity) -> DiagnosticSeverity {
    match severity {
        Severity::Critical => DiagnosticSeverity::ERROR,
        Severity::Major => DiagnosticSeverity::WARNING,
        Severity::Minor => DiagnosticSeverity::INFORMATION,
        Severity::Suggestion => DiagnosticSeverity::HINT,
    }
}

/// The message type of an outcome.
pub(crate) fn message_type(outcome: Outcome) -> MessageType {
    match outcome {
        Outcome::Merged | Outcome::Done | Outcome::Rejected | Outcome::Cancelled | Outcome::RolledBack => {
            MessageType::INFO
        }
        Outcome::Escalated | Outcome::Waiting => MessageType::WARNING,
        Outcome::Failed => MessageType::ERROR,
    }
}
