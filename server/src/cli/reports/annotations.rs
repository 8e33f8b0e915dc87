//! Issues as annotations of GitHub Actions: workflow commands on standard output.
//!
//! Source: GitHub's documentation, "Workflow commands for GitHub Actions", and the escaping of its own toolkit
//! (`command.ts` of `@actions/core`).

use super::findings::{Ending, Finding};
use crate::contracts::Severity;
use crate::text;

/// Characters of a message; an annotation is no document.
const LONGEST: usize = 4000;

/// A line for each issue that people are to look at, the worst first: GitHub shows ten of each kind. `folder` is where the
/// workspace is in the repository.
pub(super) fn annotations(ending: &Ending, folder: &str) -> String {
    ending.shown().iter().map(|finding| annotation(finding, folder) + "\n").collect()
}

fn annotation(finding: &Finding<'_>, folder: &str) -> String {
    let mut properties = Vec::new();
    if let (Some(path), Some((line, end))) = (finding.path(), finding.lines()) {
        properties.push(format!("file={}", property(&format!("{folder}{path}"))));
        properties.push(format!("line={line}"));
        if end > line {
            properties.push(format!("endLine={end}"));
        }
    }
    let known = if finding.is_new == Some(false) { ", unchanged" } else { "" };
    properties.push(format!("title={}", property(&format!("Baton: {}{known}", finding.issue.severity.as_str()))));
    let message = finding.message();
    let message = text::cut(&message, LONGEST);
    format!("::{} {}::{}", command(finding.issue.severity), properties.join(","), data(&message))
}

/// As serious as in an editor.
fn command(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "error",
        Severity::Major => "warning",
        Severity::Minor | Severity::Suggestion => "notice",
    }
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
