//! What the server makes of a judgement: every issue at its place, under the id it has.

use jiff::Timestamp;

use super::earlier::Earlier;
use crate::contracts::{Answer, AnswerState, Issue, RepoPath, ReviewOutput, find_quote};
use crate::phases::placing::{place, with_unplaced};
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

/// Fill what the server knows, and set every issue at its place in the files as they are; `text` reads one.
///
/// An issue lands where its quote stands, nearest to the line it names. One whose file does not exist, or whose quote
/// stands nowhere, is moved to the summary: an issue never lands on a wrong line.
///
/// Of the earlier open issues, those answered as open or found again stay, under the ids they have; one neither
/// answered nor found again counts as fixed, but for those that the round was not about. A dismissed one that is found
/// again keeps its id too, and so stays dismissed.
pub(super) fn finish(
    mut review: ReviewOutput,
    facts: Facts,
    earlier: &Earlier,
    text: &dyn Fn(&RepoPath) -> Option<String>,
) -> ReviewOutput {
    let mut raised: Vec<Issue> = Vec::new();
    let mut dropped = Vec::new();
    for issue in std::mem::take(&mut review.issues) {
        let known = found_again(&issue, &review.answers, earlier, text);
        let placed = place(issue, text).or_else(|why| known.map_or(Err(why), |known| place_again(known, text)));
        match (placed, known) {
            (Ok(issue), Some(known)) => raised.push(Issue { id: known.id.clone(), ..issue }),
            (Ok(issue), None) => raised.push(issue),
            (Err(why), _) => dropped.push(why),
        }
    }
    let is_left = |id: &String| earlier.left.contains(id) && !is_answered(&review.answers, id, AnswerState::Fixed);
    let is_open = |issue: &Issue| is_answered(&review.answers, &issue.id, AnswerState::Open) || is_left(&issue.id);
    let mut issues: Vec<Issue> = Vec::new();
    for issue in earlier.open.iter().filter(|issue| is_open(issue)) {
        match place_again(issue, text) {
            Ok(_) if raised.iter().any(|other| other.id == issue.id) => {}
            Ok(placed) => issues.push(Issue { id: issue.id.clone(), ..placed }),
            Err(why) => dropped.push(why),
        }
    }
    for issue in raised {
        if issues.iter().all(|other| other.id != issue.id) {
            issues.push(issue);
        }
    }
    review.summary = with_unplaced(&review.summary, &dropped);
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

fn is_answered(answers: &[Answer], id: &str, state: AnswerState) -> bool {
    answers.iter().any(|answer| answer.id == id && answer.state == state)
}

/// The earlier issue that a finding repeats: the same description in the same file, where the line it stood on is no
/// more what it was. (On the same line the finding has the same id by itself.)
fn found_again<'a>(
    issue: &Issue,
    answers: &[Answer],
    earlier: &'a Earlier,
    text: &dyn Fn(&RepoPath) -> Option<String>,
) -> Option<&'a Issue> {
    let path = RepoPath::parse(&issue.file).ok()?;
    let content = text(&path)?;
    let lines: Vec<&str> = content.lines().collect();
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
fn place_again(issue: &Issue, text: &dyn Fn(&RepoPath) -> Option<String>) -> Result<Issue, String> {
    place(issue.clone(), text).or_else(|_| place(Issue { quote: None, ..issue.clone() }, text))
}

/// `changes requested, 2 issues`
pub(super) fn verdict_and_count(review: &ReviewOutput, issues: usize) -> String {
    format!("{}, {}", review.verdict.as_str().replace('_', " "), count(issues, "issue"))
}
