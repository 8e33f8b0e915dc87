//! The end of a run as Markdown, for the summary page of a CI job.

use super::findings::{Ending, Finding};
use crate::contracts::{CriteriaCount, Verdict};
use crate::text::{code, count, markdown, markdown_line};
use crate::workflow::Outcome;

/// Bytes of a summary. A step of GitHub Actions has 1 MiB for all of its summaries.
const MOST_BYTES: usize = 200 << 10;

/// The summary, which ends with a blank line: what is added behind it begins anew.
pub(super) fn summary(ending: &Ending) -> String {
    let mut text = format!("## Baton: {}\n\n", title(ending));
    let end = markdown_line(&ending.message);
    if !end.is_empty() {
        text.push_str(&format!("{end}\n\n"));
    }
    let Some(review) = &ending.review else { return text };
    let judged = markdown(&review.summary);
    if !judged.is_empty() && !ending.message.contains(review.summary.trim()) {
        text.push_str(&format!("{judged}\n\n"));
    }
    let proof = [checks(ending), criteria(&CriteriaCount::of(&review.criteria))].concat();
    if !proof.is_empty() {
        text.push_str(&format!("{}\n\n", proof.join("\n")));
    }
    let shown = ending.shown();
    let mut left = shown.len();
    for finding in &shown {
        let line = issue(finding);
        if text.len() + line.len() > MOST_BYTES {
            text.push_str(&format!("- and {} more\n", count(left, "issue")));
            break;
        }
        text.push_str(&line);
        left -= 1;
    }
    if !shown.is_empty() {
        text.push('\n');
    }
    let dismissed = ending.findings().iter().filter(|finding| finding.dismissal.is_some()).count();
    if dismissed > 0 {
        text.push_str(&format!("{} dismissed.\n\n", count(dismissed, "issue")));
    }
    text
}

fn title(ending: &Ending) -> String {
    let Some(review) = ending.review.as_ref().filter(|_| ending.is_success) else {
        let words = match ending.outcome {
            Some(Outcome::Merged | Outcome::Done | Outcome::RolledBack) => "done",
            Some(Outcome::Escalated) => "needs a person",
            Some(Outcome::Waiting) => "waits for an answer to the plan",
            Some(Outcome::Rejected) => "the plan was rejected",
            Some(Outcome::Cancelled) => "stopped",
            Some(Outcome::Failed) | None => "failed",
        };
        return words.to_owned();
    };
    let verdict = match review.verdict {
        Verdict::Approved => "approved",
        Verdict::ChangesRequested => "changes requested",
        Verdict::Rejected => "rejected",
    };
    match ending.compared_words() {
        Some(compared) => format!("{verdict}, {compared}"),
        None => format!("{verdict}, {}", count(ending.shown().len(), "issue")),
    }
}

fn issue(finding: &Finding<'_>) -> String {
    let place = match (finding.path(), finding.lines()) {
        (Some(path), Some((line, end))) if end > line => format!("{}:{line}-{end}", code(path.as_str())),
        (Some(path), Some((line, _))) => format!("{}:{line}", code(path.as_str())),
        _ => "no place in the code".to_owned(),
    };
    let known = if finding.is_new == Some(false) { ", unchanged" } else { "" };
    let fix = finding.fix().map(|fix| format!("  \n  Suggested fix: {}", markdown_line(&fix))).unwrap_or_default();
    let severity = finding.issue.severity.as_str();
    let description = markdown_line(&finding.description());
    format!("- **{severity}{known}** {place} — {description}{fix}  \n  id {}\n", code(&finding.issue.id))
}

fn checks(ending: &Ending) -> Vec<String> {
    let line = |check: &crate::contracts::CheckResult| {
        format!("- {} check {}: {}", check.state.mark(), code(&check.name), markdown_line(&check.words()))
    };
    ending.checks.iter().map(line).collect()
}

fn criteria(counted: &CriteriaCount) -> Vec<String> {
    let CriteriaCount { met, unmet, unproven } = *counted;
    if met + unmet + unproven == 0 {
        return Vec::new();
    }
    vec![format!("- acceptance criteria: {met} met, {unmet} unmet, {unproven} unproven")]
}
