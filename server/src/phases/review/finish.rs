//! What the server makes of a judgement: every issue at its place, under the id it has.

use jiff::Timestamp;

use super::earlier::Earlier;
use crate::contracts::{Answer, AnswerState, Issue, RepoPath, ReviewOutput, find_quote};
use crate::phases::placing::{FileText, Texts, keep, place};
use crate::text::count;

/// What the server knows of a review and a model does not.
pub(super) struct Facts {
    /// When.
    pub(super) now: Timestamp,
    /// The round it judges.
    pub(super) round: u32,
    /// Branch at the time.
    pub(super) branch: Option<String>,
    /// Commit at the time.
    pub(super) head: Option<String>,
    /// For a review of a diff nobody planned: the commit it compares with.
    pub(super) base: Option<String>,
    /// Files changed that no plan lists, one sentence each.
    pub(super) drift: Vec<String>,
}

/// Fill what the server knows, and set every issue at its place in the files as they are.
///
/// An issue lands where its quote stands, nearest to the line it names. One whose file does not exist, or whose quote
/// stands nowhere, is kept as one without a place.
///
/// Of the earlier open issues, those answered as open or found again stay, under the ids they have; one neither
/// answered nor found again counts as fixed, but for those that the round was not about. A dismissed one that is found
/// again keeps its id too, and so stays dismissed.
pub(super) fn finish(mut review: ReviewOutput, facts: Facts, earlier: &Earlier, texts: &Texts<'_>) -> ReviewOutput {
    let mut raised: Vec<Issue> = Vec::new();
    for issue in std::mem::take(&mut review.issues) {
        let known = found_again(&issue, &review.answers, earlier, texts);
        let placed = match (place(issue.clone(), texts), known) {
            (Ok(placed), _) => placed,
            (Err(_), Some(known)) => place_again(known, texts),
            (Err(_), None) => keep(issue, texts),
        };
        raised.push(match known {
            Some(known) => Issue { id: known.id.clone(), ..placed },
            None => placed,
        });
    }
    let mut issues: Vec<Issue> = Vec::new();
    for issue in still_open(&review.answers, earlier) {
        if raised.iter().all(|other| other.id != issue.id) {
            issues.push(Issue { id: issue.id.clone(), ..place_again(issue, texts) });
        }
    }
    for issue in raised {
        if issues.iter().all(|other| other.id != issue.id) {
            issues.push(issue);
        }
    }
    if !facts.drift.is_empty() {
        review.plan_drift_detected = true;
        let reported = std::mem::take(&mut review.drift_details);
        review.drift_details = [reported.trim(), &facts.drift.join(" ")]
            .into_iter()
            .filter(|s| !s.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
    }
    review.issues = issues;
    review.answers.clear();
    review.timestamp = Some(facts.now);
    review.round = facts.round;
    review.branch = facts.branch;
    review.head = facts.head;
    review.base = facts.base;
    review
}

/// The earlier issues that a review says are open, and those that the round was not about and that it does not call fixed.
pub(super) fn still_open<'a>(answers: &'a [Answer], earlier: &'a Earlier) -> impl Iterator<Item = &'a Issue> {
    let is_left = |id: &String| earlier.left.contains(id) && !is_answered(answers, id, AnswerState::Fixed);
    let is_open = move |issue: &&Issue| is_answered(answers, &issue.id, AnswerState::Open) || is_left(&issue.id);
    earlier.open.iter().filter(is_open)
}

fn is_answered(answers: &[Answer], id: &str, state: AnswerState) -> bool {
    answers.iter().any(|answer| answer.id == id && answer.state == state)
}

/// The earlier issue that a finding repeats: the same description in the same file, where the line it stood on is no
/// more what it was. (On the same line the finding has the same id by itself.)
fn found_again<'a>(issue: &Issue, answers: &[Answer], earlier: &'a Earlier, texts: &Texts<'_>) -> Option<&'a Issue> {
    let text = RepoPath::parse(&issue.file).ok().map(|path| texts.get(&path));
    let lines: Vec<&str> = match text.as_deref() {
        Some(FileText::Shown(text)) => text.lines().collect(),
        Some(FileText::Hidden(_) | FileText::Missing) | None => Vec::new(),
    };
    let is_gone = |quote: Option<&str>| quote.is_none_or(|quote| find_quote(&lines, quote, 1).is_none());
    let is_same = |other: &&Issue| {
        other.id == issue.id
            || other.description.trim() == issue.description.trim()
                && earlier.keys.is_same(&other.file, &issue.file)
                && is_gone(other.quote.as_deref())
    };
    let open = earlier.open.iter().filter(|other| !is_answered(answers, &other.id, AnswerState::Fixed));
    // Without a quote nobody can tell whether a dismissed finding is the same one.
    let dismissed = earlier.dismissed.iter().filter(|other| other.quote.is_some());
    open.chain(dismissed).filter(is_same).min_by_key(|other| other.line.abs_diff(issue.line))
}

/// Set an earlier issue at its place. The text it stood on may have changed, and a person must still be able to see
/// that it stands.
fn place_again(issue: &Issue, texts: &Texts<'_>) -> Issue {
    let placed = match (issue.is_placed(), &issue.quote) {
        (true, _) => place(issue.clone(), texts).or_else(|_| place(Issue { quote: None, ..issue.clone() }, texts)).ok(),
        (false, Some(_)) => place(issue.clone(), texts).ok(),
        // It is about no line.
        (false, None) => None,
    };
    placed.unwrap_or_else(|| keep(issue.clone(), texts))
}

/// `changes requested, 2 issues`, and how many of them were refuted.
pub(super) fn verdict_and_count<'a>(review: &ReviewOutput, issues: impl Iterator<Item = &'a Issue>) -> String {
    let (refuted, standing): (Vec<&Issue>, Vec<&Issue>) = issues.partition(|issue| issue.refuted.is_some());
    let words = format!("{}, {}", review.verdict.as_str().replace('_', " "), count(standing.len(), "issue"));
    if refuted.is_empty() { words } else { format!("{words}, {} refuted", refuted.len()) }
}
