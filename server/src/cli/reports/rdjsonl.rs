//! Issues in the Reviewdog Diagnostic Format, one JSON object a line.
//!
//! Source: the format's definition in the repository of reviewdog (`proto/rdf/reviewdog.proto`).

use serde_json::{Value, json};

use super::findings::{Ending, Finding};
use crate::contracts::Severity;
use crate::text;

/// A line for each issue that people are to look at, the worst first. One without a place in a file of the workspace stands at
/// the review itself: the format wants a path.
pub(super) fn rdjsonl(ending: &Ending) -> String {
    ending.shown().iter().map(|finding| text::safe_json(&diagnostic(finding, ending).to_string()) + "\n").collect()
}

fn diagnostic(finding: &Finding<'_>, ending: &Ending) -> Value {
    let path = finding.path().map_or_else(|| ending.review_file.clone(), |path| path.to_string());
    let mut location = json!({ "path": path });
    if let Some((line, end)) = finding.lines() {
        location["range"] = json!({ "start": { "line": line }, "end": { "line": end } });
    }
    json!({
        "message": finding.message(),
        "location": location,
        "severity": severity(finding.issue.severity),
        "source": { "name": "baton" },
        "code": { "value": finding.rule() },
    })
}

/// As serious as in an editor; the format has three degrees.
fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "ERROR",
        Severity::Major => "WARNING",
        Severity::Minor | Severity::Suggestion => "INFO",
    }
}
