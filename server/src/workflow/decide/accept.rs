//! A person takes the work as it is, whatever its review asks for.

use jiff::Timestamp;

use super::dismiss::{dismiss_issues, reason};
use super::next::{Next, next_phase};
use crate::config::Settings;
use crate::contracts::{CriteriaCount, RoundKind};
use crate::memory::{Memory, Store};
use crate::text::count;
use crate::workflow::run::error::StartError;
use crate::workflow::run::phase::{Phases, Policy};

/// Whether the work can be accepted where the workflow stands: it was reviewed, and the review does not approve it.
///
/// # Errors
/// When there is nothing to accept; the message says why and what can be done.
pub(crate) fn check_acceptable(memory: &Memory, next: &Next) -> Result<(), StartError> {
    let why = match next {
        Next::Fix(_) | Next::RePlan | Next::Escalated { .. } if memory.review.is_some() => return Ok(()),
        Next::NeedTask => "there is nothing to accept: no task was worked on here yet".to_owned(),
        Next::Gate => {
            "there is nothing to accept: the plan waits for an answer. Approve or reject it; accepting is for work that was \
             reviewed"
                .to_owned()
        }
        Next::Phase(name) => {
            format!("there is nothing to accept yet: the {name} phase comes next. Go on with the workflow to its review")
        }
        Next::Repair(_) => {
            "there is nothing to accept yet: a round that repairs failing checks comes next. Go on with the workflow to its \
             review"
                .to_owned()
        }
        Next::EnterRound if memory.round.as_ref().is_some_and(|round| round.kind == RoundKind::Repair) => {
            "there is nothing to accept yet: a round that repairs failing checks has begun. Go on with the workflow to its \
             review"
                .to_owned()
        }
        Next::EnterRound => {
            "there is nothing to accept yet: a round that fixes issues has begun. Go on with the workflow to its review"
                .to_owned()
        }
        Next::Failed { tasks } => format!(
            "there is nothing to accept: {} did not come to an end, so nothing was reviewed. Go on to try again, or undo what \
             was written",
            tasks.join(", ")
        ),
        Next::Merged if memory.is_accepted() => "there is nothing to accept: you accepted the work already".to_owned(),
        Next::Merged => "there is nothing to accept: the review approved the work already".to_owned(),
        Next::Rejected => "there is nothing to accept: the plan was rejected, so nothing of it was reviewed".to_owned(),
        Next::Fix(_) | Next::RePlan | Next::Escalated { .. } => {
            "there is nothing to accept: the work was not reviewed. Go on with the workflow to its review".to_owned()
        }
    };
    Err(StartError::Usage(why))
}

/// Dismiss every open issue of the review, and record that a person takes the work as it is. A kill between the two leaves
/// the issues dismissed, which is accepted as well.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn accept(store: &Store, memory: &Memory, because: Option<&str>) -> Result<(), StartError> {
    let because = reason(because)?;
    let open = memory.review.iter().flat_map(|review| review.open_issues(&memory.dismissed));
    let ids: Vec<String> = open.map(|issue| issue.id.clone()).collect();
    if !ids.is_empty() {
        dismiss_issues(store, &ids, because.as_deref())?;
    }
    Ok(store.write_acceptance(because, Timestamp::now())?)
}

/// `Accepted by you; 2 issues dismissed, 1 criterion unmet`, where a person took the work as it is; `None` where they did
/// not.
pub(crate) fn accepted_words(memory: &Memory) -> Option<String> {
    let review = memory.review.as_ref().filter(|_| memory.is_accepted())?;
    let issues = match review.issues.len() {
        0 => None,
        issues => Some(format!("{} dismissed", count(issues, "issue"))),
    };
    let criteria = match CriteriaCount::of(&review.criteria).unmet {
        0 => None,
        1 => Some("1 criterion unmet".to_owned()),
        unmet => Some(format!("{unmet} criteria unmet")),
    };
    let taken: Vec<String> = issues.into_iter().chain(criteria).collect();
    Some(match taken.is_empty() {
        true => "Accepted by you".to_owned(),
        false => format!("Accepted by you; {}", taken.join(", ")),
    })
}

/// Whether the workflow stands as finished because a person takes the work as it is.
///
/// # Errors
/// When the memory folder cannot be read.
pub fn is_accepted(store: &Store, settings: &Settings, phases: &Phases, now: Timestamp) -> Result<bool, StartError> {
    let (memory, _) = store.inspect()?;
    Ok(memory.is_accepted() && next_phase(&memory, &Policy::of(settings, phases), now) == Next::Merged)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::contracts::Acceptance;

    fn accepted(issues: usize, states: &[&str]) -> Option<String> {
        let issue = |n: usize| json!({ "id": format!("i{n}"), "severity": "major", "file": "a", "description": "d" });
        let criterion = |(n, state): (usize, &&str)| json!({ "task_id": "T1", "criterion": n + 1, "state": state });
        let review = json!({
            "verdict": "changes_requested", "summary": "s", "recommended_action": "escalate_to_human",
            "issues": (0..issues).map(issue).collect::<Vec<_>>(),
            "criteria": states.iter().enumerate().map(criterion).collect::<Vec<_>>(),
        });
        let memory = Memory {
            review: serde_json::from_value(review).unwrap(),
            dismissed: (0..issues).map(|n| format!("i{n}").as_str().into()).collect(),
            acceptance: Some(Acceptance { review_sha256: String::new(), because: None, at: None, mac: String::new() }),
            ..Memory::default()
        };
        accepted_words(&memory)
    }

    #[test]
    fn what_is_taken_as_it_is_is_counted() {
        for (issues, states, expected) in [
            (0, &[][..], "Accepted by you"),
            (2, &["met"], "Accepted by you; 2 issues dismissed"),
            (2, &["unmet", "met"], "Accepted by you; 2 issues dismissed, 1 criterion unmet"),
            (1, &["unmet", "unmet", "unproven"], "Accepted by you; 1 issue dismissed, 2 criteria unmet"),
            (0, &["unmet"], "Accepted by you; 1 criterion unmet"),
            (0, &["unproven"], "Accepted by you"),
        ] {
            assert_eq!(accepted(issues, states).as_deref(), Some(expected));
        }
    }
}
