//! What every report tells: how a run ended, and each issue of its review.

use super::baseline::Baseline;
use crate::contracts::{CheckResult, Dismissal, Issue, RepoPath, ReviewOutput, Severity, fingerprints};
use crate::text;
use crate::workflow::Outcome;

/// How a run ended.
#[derive(Debug, Default)]
pub(in crate::cli) struct Ending {
    /// How it ended; `None` where it did not begin.
    pub(in crate::cli) outcome: Option<Outcome>,
    /// The code that the process ends with.
    pub(in crate::cli) exit_code: u8,
    /// Whether what was asked for came about, whatever the review found.
    pub(in crate::cli) is_success: bool,
    /// What people are told of the end.
    pub(in crate::cli) message: String,
    /// The review with all its issues, dismissed ones included.
    pub(in crate::cli) review: Option<ReviewOutput>,
    /// What the user dismissed.
    pub(in crate::cli) dismissed: Vec<Dismissal>,
    /// The file of the review in the workspace, at which an issue without a place stands.
    pub(in crate::cli) review_file: String,
    /// What ran at the end of the round.
    pub(in crate::cli) checks: Vec<CheckResult>,
    /// What issues are compared with.
    pub(in crate::cli) baseline: Option<Baseline>,
    /// Whether only new issues are shown to people.
    pub(in crate::cli) shows_new_only: bool,
}

/// An issue, as reports tell it.
#[derive(Debug)]
pub(in crate::cli) struct Finding<'a> {
    /// The issue.
    pub(in crate::cli) issue: &'a Issue,
    /// What it is recognised by.
    pub(super) fingerprint: String,
    /// That the user dismissed it.
    pub(in crate::cli) dismissal: Option<&'a Dismissal>,
    /// Whether the baseline does not have it; `None` without a baseline.
    pub(in crate::cli) is_new: Option<bool>,
}

impl Ending {
    /// All issues of the review.
    pub(in crate::cli) fn findings(&self) -> Vec<Finding<'_>> {
        let issues = self.review.as_ref().map(|review| review.issues.as_slice()).unwrap_or_default();
        let known = |issue: &Issue| self.dismissed.iter().find(|dismissal| dismissal.id == issue.id);
        let finding = |(issue, fingerprint): (_, String)| Finding {
            issue,
            dismissal: known(issue),
            is_new: self.baseline.as_ref().map(|baseline| !baseline.has(&fingerprint)),
            fingerprint,
        };
        issues.iter().zip(fingerprints(issues)).map(finding).collect()
    }

    /// What people are to look at, the worst first.
    pub(super) fn shown(&self) -> Vec<Finding<'_>> {
        let mut shown = self.findings();
        shown.retain(|finding| finding.dismissal.is_none() && !(self.shows_new_only && finding.is_new == Some(false)));
        shown.sort_by_key(|finding| finding.issue.severity);
        shown
    }

    /// `2 new, 5 unchanged`; `None` where issues are compared with nothing, or there is no review.
    pub(in crate::cli) fn compared_words(&self) -> Option<String> {
        if self.baseline.is_none() || self.review.is_none() {
            return None;
        }
        let of = |is_new| {
            let is_counted = |finding: &&Finding<'_>| finding.dismissal.is_none() && finding.is_new == Some(is_new);
            self.findings().iter().filter(is_counted).count()
        };
        Some(format!("{} new, {} unchanged", of(true), of(false)))
    }
}

impl Finding<'_> {
    /// Whether it counts at the end: not dismissed, and not known before.
    pub(in crate::cli) fn counts(&self) -> bool {
        self.dismissal.is_none() && self.is_new != Some(false)
    }

    /// `review.major`, as its diagnostic in an editor is called.
    pub(super) fn rule(&self) -> String {
        rule_id(self.issue.severity)
    }

    /// Its file, where it names one that can be in the workspace.
    pub(super) fn path(&self) -> Option<RepoPath> {
        RepoPath::parse(&self.issue.file).ok()
    }

    /// Its first and its last line; `None` where its place was not found.
    pub(super) fn lines(&self) -> Option<(u32, u32)> {
        let Issue { line, end_line, .. } = *self.issue;
        self.issue.is_placed().then(|| (line.max(1), end_line.unwrap_or(line).max(line).max(1)))
    }

    /// What is wrong, in plain text that is safe to show.
    pub(super) fn description(&self) -> String {
        let mut words = text::safe_lines(self.issue.description.trim());
        if !self.issue.is_placed() {
            words.push_str(&format!(" (at {}; no place in the code was found)", text::safe_line(&self.issue.file)));
        }
        if let Some(refuted) = &self.issue.refuted {
            words.push_str(&format!(" ({})", text::safe_line(&refuted.words())));
        }
        words
    }

    /// How to mend it, in plain text that is safe to show.
    pub(super) fn fix(&self) -> Option<String> {
        let fix = text::safe_lines(self.issue.suggested_fix.as_deref().unwrap_or_default().trim());
        (!fix.is_empty()).then_some(fix)
    }

    /// What is wrong and how to mend it.
    pub(super) fn message(&self) -> String {
        match self.fix() {
            Some(fix) => format!("{}\n\nSuggested fix: {fix}", self.description()),
            None => self.description(),
        }
    }
}

/// The rule of all issues of a severity.
pub(super) fn rule_id(severity: Severity) -> String {
    format!("review.{}", severity.as_str())
}
