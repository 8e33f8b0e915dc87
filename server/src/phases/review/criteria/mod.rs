//! What becomes of the acceptance criteria: each is answered once, and is met only where something shows it.

use std::collections::HashSet;

use super::earlier::Earlier;
use super::finish::still_open;
use crate::contracts::{
    CheckResult, CheckState, CriterionResult, CriterionState, Evidence, FileKeys, Handoff, Issue, PlanOutput,
    Recommended, RecommendedAction, ReviewOutput, Severity, Task, Verdict, issue_id,
};
use crate::phases::placing::{NoPlace, Texts, place_quote};
use crate::text::short_line;

/// Criteria that are named in one fault.
const MOST_NAMED: usize = 20;

/// The work whose criteria are answered.
#[derive(Debug, Clone)]
pub(super) struct Judged {
    /// The approved part of the plan.
    pub(super) plan: PlanOutput,
    /// Which of its files are one.
    pub(super) keys: FileKeys,
    /// What the checks said after the round.
    pub(super) checks: Vec<CheckResult>,
}

impl Judged {
    /// Every criterion that is to be answered: its task, its number from 1, and its words.
    fn criteria(&self) -> impl Iterator<Item = (&Task, u32, &str)> {
        self.plan.tasks.iter().flat_map(|task| {
            (1..).zip(&task.acceptance_criteria).map(move |(number, words)| (task, number, words.as_str()))
        })
    }

    /// The tasks that issues belong to.
    fn tasks_of<'a>(&'a self, issues: impl Iterator<Item = &'a Issue>) -> HashSet<&'a str> {
        let approved: Vec<String> = self.plan.task_ids().map(str::to_owned).collect();
        issues.filter_map(|issue| Some(self.plan.task_of(issue, &self.keys, &approved)?.id.as_str())).collect()
    }
}

/// What is wrong with the answers, for the model.
pub(super) fn faults(review: &ReviewOutput, work: &Judged, earlier: &Earlier) -> Vec<String> {
    let mut faults = Vec::new();
    let mut answered: HashSet<(&str, u32)> = HashSet::new();
    for (index, result) in review.criteria.iter().enumerate() {
        let (id, number) = (result.task_id.as_str(), result.criterion);
        match work.plan.tasks.iter().find(|task| task.id == id) {
            None => {
                let known: Vec<&str> = work.plan.task_ids().collect();
                faults.push(format!(
                    "/criteria/{index}/task_id: no task {id:?} is reviewed; these are: {}",
                    known.join(", ")
                ));
            }
            Some(task) if number == 0 || number as usize > task.acceptance_criteria.len() => faults.push(format!(
                "/criteria/{index}/criterion: there is no criterion {number} of {id}, which has {}, counted from 1",
                task.acceptance_criteria.len()
            )),
            Some(_) if !answered.insert((id, number)) => {
                faults.push(format!("/criteria/{index}: criterion {number} of {id} is answered twice"));
            }
            Some(_) => {}
        }
    }
    let missing: Vec<String> = work
        .criteria()
        .filter(|(task, number, _)| !answered.contains(&(task.id.as_str(), *number)))
        .map(|(task, number, words)| format!("criterion {number} of {} ({})", task.id, short_line(words, 80)))
        .collect();
    if !missing.is_empty() {
        let named = missing[..missing.len().min(MOST_NAMED)].join("; ");
        let more = missing.len().saturating_sub(MOST_NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        faults.push(format!(
            "/criteria: every acceptance criterion of every reviewed task is to be answered; these are not: {named}{more}"
        ));
    }
    faults.extend(unmet_faults(review, work, earlier));
    faults
}

/// What follows from criteria that are not met, where the review says something else.
fn unmet_faults(review: &ReviewOutput, work: &Judged, earlier: &Earlier) -> Vec<String> {
    let mut faults = Vec::new();
    let issues = review.issues.iter().chain(still_open(&review.answers, earlier)).chain(&earlier.dismissed);
    let with_issue = work.tasks_of(issues);
    let unmet = |result: &&CriterionResult| result.state == CriterionState::Unmet;
    for CriterionResult { task_id, criterion, .. } in review.criteria.iter().filter(unmet) {
        if review.recommended_action == RecommendedAction::Merge {
            faults.push(format!(
                "/verdict: criterion {criterion} of {task_id} is unmet, and with it the work cannot be approved"
            ));
        }
        if work.plan.task(task_id).is_some() && !with_issue.contains(task_id.as_str()) {
            faults.push(format!(
                "/issues: criterion {criterion} of {task_id} is unmet, and no issue of {task_id} says what is to be mended; \
                 raise one, with task_id {task_id:?} where its file is not one of that task"
            ));
        }
    }
    faults
}

/// What is wrong with quotes that would show that a criterion is met, had they been copied well: what nothing in the file is
/// like is no slip, and shows nothing.
pub(super) fn evidence_faults(review: &ReviewOutput, work: &Judged, texts: &Texts<'_>) -> Vec<String> {
    let fault = |(index, result): (usize, &CriterionResult)| {
        let evidence = result.evidence.as_ref().filter(|_| result.state == CriterionState::Met)?;
        if held(evidence, result.state, work, texts).is_some() {
            return None;
        }
        let (quote, file) = (quote_of(evidence)?, evidence.file.as_deref()?);
        let missed = place_quote(file, quote, evidence.line.unwrap_or(1), texts).err()?;
        let NoPlace { property, why, .. } = Some(missed).filter(|missed| missed.is_near)?;
        Some(format!("/criteria/{index}/evidence/{property}: {why}"))
    };
    review.criteria.iter().enumerate().filter_map(fault).collect()
}

/// A quote that says something.
fn quote_of(evidence: &Evidence) -> Option<&str> {
    evidence.quote.as_deref().filter(|quote| quote.contains(char::is_alphanumeric))
}

/// Answer every criterion once, in the order of the plan. Where several answers are given the worst counts, and one that is
/// missing is unproven; so is one that is called met and that nothing shows.
pub(super) fn complete(review: &mut ReviewOutput, work: &Judged, texts: &Texts<'_>) {
    let given = std::mem::take(&mut review.criteria);
    let answer = |(task, number, _): (&Task, u32, &str)| {
        let of_it = given.iter().filter(|result| result.task_id == task.id && result.criterion == number);
        let worst = of_it.min_by_key(|result| match result.state {
            CriterionState::Unmet => 0,
            CriterionState::Unproven => 1,
            CriterionState::Met => 2,
        });
        let state = worst.map_or(CriterionState::Unproven, |result| result.state);
        let said = worst.and_then(|result| result.evidence.as_ref());
        let evidence = said.and_then(|evidence| held(evidence, state, work, texts));
        let state = match (state, &evidence) {
            (CriterionState::Met, None) => CriterionState::Unproven,
            (state, _) => state,
        };
        CriterionResult { task_id: task.id.clone(), criterion: number, evidence, state }
    };
    review.criteria = work.criteria().map(answer).collect();
}

/// What of the evidence holds: a check that ran and says so, and a quote at the line where it stands.
fn held(evidence: &Evidence, state: CriterionState, work: &Judged, texts: &Texts<'_>) -> Option<Evidence> {
    let says_so = |check: &&CheckResult| match state {
        CriterionState::Met => check.state == CheckState::Passed,
        CriterionState::Unmet => check.has_failed(),
        CriterionState::Unproven => false,
    };
    let named = evidence.check.as_deref().map(str::trim);
    let check = named.and_then(|name| work.checks.iter().filter(says_so).find(|check| check.name == name));
    let quote = quote_of(evidence);
    let quoted = quote.filter(|_| state != CriterionState::Unproven).zip(evidence.file.as_deref());
    let place = quoted.and_then(|(quote, file)| place_quote(file, quote, evidence.line.unwrap_or(1), texts).ok());
    (check.is_some() || place.is_some()).then(|| Evidence {
        check: check.map(|check| check.name.clone()),
        file: place.as_ref().map(|(path, ..)| path.to_string()),
        line: place.as_ref().map(|(_, line, _)| *line),
        quote: place.as_ref().and(quote).map(str::to_owned),
    })
}

/// Raise an issue from every criterion that is not met while no issue is of its task, and take back an approval that a
/// criterion stands against. Only a reviewer that mends nothing any more leaves this to do.
pub(super) fn raise_unmet(review: &mut ReviewOutput, work: &Judged, earlier: &Earlier) {
    let with_issue = work.tasks_of(review.issues.iter().chain(&earlier.dismissed));
    let is_unmet = |task: &Task, number: u32| {
        let of_it = |result: &&CriterionResult| result.task_id == task.id && result.criterion == number;
        review.criteria.iter().find(of_it).is_some_and(|result| result.state == CriterionState::Unmet)
    };
    let unmet: Vec<(&Task, u32, &str)> = work.criteria().filter(|(task, number, _)| is_unmet(task, *number)).collect();
    let lacking = unmet.iter().filter(|(task, ..)| !with_issue.contains(task.id.as_str()));
    let raised: Vec<Issue> = lacking.map(|(task, number, words)| issue_of(task, *number, words)).collect();
    review.issues.extend(raised);
    if !unmet.is_empty() && review.recommended_action == RecommendedAction::Merge {
        review.recommended = Some(Recommended { verdict: review.verdict, action: review.recommended_action });
        review.verdict = Verdict::ChangesRequested;
        review.recommended_action = RecommendedAction::FixAndReReview;
    }
}

/// The issue that a criterion is not met. It is about no line, and its task mends it.
fn issue_of(task: &Task, number: u32, words: &str) -> Issue {
    let file = task.files().next().unwrap_or(PlanOutput::FILE).to_owned();
    let description = format!("Acceptance criterion {number} of {} is not met: {}", task.id, words.trim());
    Issue {
        id: issue_id(&file, words, &description),
        severity: Severity::Major,
        file,
        line: 1,
        end_line: None,
        quote: None,
        description,
        suggested_fix: None,
        task_id: Some(task.id.clone()),
        placed: Some(false),
        refuted: None,
    }
}

#[cfg(test)]
mod tests;
