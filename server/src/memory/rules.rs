//! What follows from the memory alone: which tasks were approved and done, which issues are open, what the task is.

use super::Memory;
use crate::contracts::{CriterionResult, Dismissed, Issue, RecommendedAction, ReviewOutput, Task};

impl Memory {
    /// Whether there is a plan, also one that breaks its contract.
    pub fn has_plan(&self) -> bool {
        self.plan.is_some() || self.faulty_plan.is_some()
    }

    /// Whether the workflow has begun: one of its runs, or with handoffs from elsewhere.
    pub fn is_begun(&self) -> bool {
        self.begun || self.context.is_some() || self.has_plan()
    }

    /// Whether context and plan are still to be made in one conversation. A plan that is made anew is made by the planner.
    pub fn plans_quickly(&self) -> bool {
        self.quick && self.task.is_some() && !self.has_plan() && self.revision.is_none()
    }

    /// The task, or what a context from elsewhere, or failing that the plan to be changed, says it is.
    pub fn task_text(&self) -> String {
        let restated = || self.context.as_ref().map(|context| context.task_description.clone());
        let planned = || {
            let plan = self.revision.as_ref().and_then(|revision| revision.plan.as_ref().ok());
            plan.map(|plan| plan.approach_summary.clone())
        };
        self.task.clone().or_else(restated).or_else(planned).unwrap_or_default()
    }

    /// Ids of the tasks that the answer to the plan covers, in plan order. While there is no answer, all: none is ruled
    /// out.
    pub fn approved_tasks(&self) -> Vec<String> {
        let Some(plan) = self.plan.as_ref().map(|loaded| &loaded.plan) else { return Vec::new() };
        match &self.approval {
            Some(approval) => approval.task_ids(plan),
            None => plan.task_ids().map(str::to_owned).collect(),
        }
    }

    /// Whether the plan was rejected.
    pub fn is_rejected(&self) -> bool {
        self.approval.as_ref().is_some_and(|approval| approval.is_rejected())
    }

    /// Whether a task has a result that others can build on.
    pub fn is_done(&self, task: &str) -> bool {
        self.report.as_ref().is_some_and(|report| report.is_done(task))
    }

    /// Ids of the tasks with a result that others can build on.
    pub fn done_tasks(&self) -> Vec<&str> {
        self.report.iter().flat_map(|report| report.done()).map(|result| result.task_id.as_str()).collect()
    }

    /// Whether the user dismissed the issue of this id.
    pub fn is_dismissed(&self, issue: &str) -> bool {
        Dismissed::has(&self.dismissed, issue)
    }

    /// The issues of the review at hand that the user has not dismissed.
    pub fn open_issues(&self) -> impl Iterator<Item = &Issue> {
        self.review.iter().flat_map(|review| review.open_issues(&self.dismissed))
    }

    /// What the review at hand says of the acceptance criteria; nothing where the plan was changed since, other than by a
    /// round that follows from the review.
    pub fn criteria(&self) -> &[CriterionResult] {
        let Some(review) = &self.review else { return &[] };
        let reported = self.report.as_ref().map(|report| report.plan_sha256.as_str()).unwrap_or_default();
        let is_other = self.plan.as_ref().is_some_and(|plan| !reported.is_empty() && plan.sha256 != reported);
        let is_followed = self.round.as_ref().is_some_and(|round| round.n > review.round);
        if is_other && !is_followed { &[] } else { &review.criteria }
    }

    /// Those of them that can be worked on, and were not refuted.
    pub fn fixable_issues(&self) -> impl Iterator<Item = &Issue> {
        let approved = self.approved_tasks();
        self.open_issues().filter(move |issue| issue.refuted.is_none() && self.can_fix(issue, &approved))
    }

    /// Whether an issue of the workflow's review can be worked on. Without a plan nothing is known against it.
    fn can_fix(&self, issue: &Issue, approved: &[String]) -> bool {
        self.plan.as_ref().is_none_or(|loaded| loaded.plan.can_fix(issue, approved))
    }

    /// The issues of the review against a commit that the user has not dismissed.
    pub fn open_base_issues(&self) -> impl Iterator<Item = &Issue> {
        self.base_review.iter().flat_map(|review| review.open_issues(&self.dismissed))
    }

    /// Whether the user takes the work as it is, though the review of the workflow asks for something: they dismissed all
    /// of its issues but those that were refuted, at least one of them since it was written, or said so. A review that names nothing but what was
    /// dismissed before has not been looked at by anyone.
    pub fn is_accepted(&self) -> bool {
        self.review.as_ref().is_some_and(|review| {
            review.recommended_action != RecommendedAction::Merge
                && review.open_issues(&self.dismissed).all(|issue| issue.refuted.is_some())
                && (self.acceptance.is_some() || self.is_dismissed_since(review))
        })
    }

    /// Whether the user dismissed an issue of this review after it was written.
    fn is_dismissed_since(&self, review: &ReviewOutput) -> bool {
        let of_review = |id: &str| review.issues.iter().any(|issue| issue.id == id);
        let since = |at| review.timestamp.is_none_or(|written| at >= written);
        self.dismissed.iter().any(|dismissal| of_review(&dismissal.id) && dismissal.at.is_none_or(since))
    }

    /// The task that an issue belongs to: the approved one it names, else the owner of its file.
    pub fn task_of(&self, issue: &Issue) -> Option<&Task> {
        self.plan.as_ref()?.plan.task_of(issue, &self.keys, &self.approved_tasks())
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::contracts::{Acceptance, Dismissal};
    use crate::memory::{FaultyPlan, FileFaults, LoadedPlan, Revision};

    fn from<T: DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    fn plan() -> LoadedPlan {
        let task = |id: &str, file: &str| {
            json!({
                "id": id, "title": id, "description": id, "files_to_modify": [file], "estimated_complexity": "simple"
            })
        };
        let plan = json!({
            "approach_summary": "the approach", "tasks": [task("T1", "a.rs"), task("T2", "a.rs")],
            "parallel_groups": [["T1"], ["T2"]]
        });
        LoadedPlan { plan: from(plan), sha256: "00".to_owned() }
    }

    #[test]
    fn a_workflow_has_begun_with_a_run_a_context_or_any_plan() {
        assert!(!Memory { task: Some("t".to_owned()), ..Memory::default() }.is_begun());
        assert!(Memory { begun: true, ..Memory::default() }.is_begun());
        let context = Some(from(json!({ "task_description": "t", "relevant_files": [] })));
        assert!(Memory { context, ..Memory::default() }.is_begun());
        assert!(Memory { plan: Some(plan()), ..Memory::default() }.is_begun());
        let faults = FileFaults { file: "plan.json".to_owned(), faults: Vec::new() };
        let faulty_plan = Some(FaultyPlan { sha256: "00".to_owned(), faults });
        let faulty = Memory { faulty_plan, ..Memory::default() };
        assert!(faulty.is_begun() && faulty.has_plan());
    }

    #[test]
    fn the_task_is_what_the_user_said_else_what_the_context_or_the_plan_to_change_says() {
        let revision = Revision { plan: Ok(plan().plan), version: 1, review: None, feedback: None };
        let mut memory = Memory { revision: Some(revision), ..Memory::default() };
        assert_eq!(memory.task_text(), "the approach");
        memory.context = Some(from(json!({ "task_description": "restated", "relevant_files": [] })));
        assert_eq!(memory.task_text(), "restated");
        memory.task = Some("as said".to_owned());
        assert_eq!(memory.task_text(), "as said");
        assert_eq!(Memory::default().task_text(), "");
    }

    #[test]
    fn an_issue_belongs_to_an_approved_task_and_while_none_is_to_any() {
        let issue: Issue = from(json!({ "severity": "minor", "file": "a.rs", "description": "d" }));
        let mut memory = Memory { plan: Some(plan()), ..Memory::default() };
        let owner = |memory: &Memory| memory.task_of(&issue).map(|task| task.id.clone());
        assert_eq!(memory.approved_tasks(), ["T1", "T2"]);
        assert_eq!(owner(&memory).as_deref(), Some("T2"));
        let approval = json!({ "plan_sha256": "00", "decision": "approved", "by": "person", "tasks": ["T1"] });
        memory.approval = Some(from(approval));
        assert_eq!(memory.approved_tasks(), ["T1"]);
        assert_eq!(owner(&memory).as_deref(), Some("T1"));
        assert!(Memory::default().approved_tasks().is_empty() && owner(&Memory::default()).is_none());
    }

    #[test]
    fn the_work_is_accepted_when_the_user_said_so_or_dismissed_all_issues_since_the_review() {
        let review = |action: &str, ids: &[&str]| -> Option<ReviewOutput> {
            let issue = |id: &&str| json!({ "severity": "minor", "file": "a.rs", "description": "d", "id": id });
            let issues: Vec<Value> = ids.iter().map(issue).collect();
            let review = json!({
                "timestamp": "2026-11-23T12:00:00Z", "verdict": "changes_requested", "summary": "s", "issues": issues,
                "recommended_action": action
            });
            from(review)
        };
        let at = |id: &str, time: &str| Dismissal { at: time.parse().ok(), ..id.into() };
        let (before, after) = ("2026-11-23T11:59:59Z", "2026-11-23T12:00:00Z");
        let said = from::<Option<Acceptance>>(json!({ "review_sha256": "00" }));
        for (ids, dismissed, acceptance, expected) in [
            (&["a", "b"][..], vec![at("a", after), at("b", after)], None, true),
            (&["a", "b"], vec![at("a", before), at("b", after)], None, true),
            (&["a", "b"], vec!["a".into(), "b".into()], None, true),
            (&["a", "b"], vec![at("a", before), at("b", before)], None, false),
            (&["a", "b"], vec![at("a", before), at("b", before)], said.clone(), true),
            (&["a", "b"], vec![at("a", after)], None, false),
            // An issue that is restored is open, whatever was said of the whole before.
            (&["a", "b"], vec![at("a", after)], said.clone(), false),
            (&["a"], vec![at("a", before), at("other", after)], None, false),
            (&[], vec![at("a", after)], None, false),
            (&[], Vec::new(), said, true),
        ] {
            for action in ["fix_and_re_review", "re_plan", "escalate_to_human"] {
                let (dismissed, acceptance) = (dismissed.clone(), acceptance.clone());
                let memory = Memory { review: review(action, ids), dismissed, acceptance, ..Memory::default() };
                assert_eq!(memory.is_accepted(), expected, "{action}, {ids:?}, {:?}", memory.dismissed);
            }
            let approved = Memory { review: review("merge", ids), dismissed, acceptance, ..Memory::default() };
            assert!(!approved.is_accepted(), "the review approved");
        }
    }

    #[test]
    fn criteria_are_of_the_plan_that_was_reviewed() {
        let review = json!({
            "verdict": "approved", "summary": "s", "recommended_action": "merge", "round": 1,
            "criteria": [{ "task_id": "T1", "criterion": 1, "state": "met" }]
        });
        let report = |sha256: &str| from(json!({ "plan_sha256": sha256, "results": [] }));
        let mut memory = Memory { plan: Some(plan()), review: Some(from(review)), ..Memory::default() };
        assert_eq!(memory.criteria().len(), 1, "of work done elsewhere nothing more is known");
        memory.report = Some(report("00"));
        assert_eq!(memory.criteria().len(), 1);
        memory.report = Some(report("11"));
        assert_eq!(memory.criteria().len(), 0, "the plan is another one by now");
        memory.round = Some(from(json!({ "n": 2, "kind": "fix" })));
        assert_eq!(memory.criteria().len(), 1, "the round added a task of its own");
        memory.review = None;
        assert_eq!(memory.criteria().len(), 0);
    }
}
