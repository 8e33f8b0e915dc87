//! The review phase: judges what was implemented against the plan's acceptance criteria.

mod accept;
mod against_base;
mod brief;
mod drift;
mod finish;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use self::accept::accept;
pub(super) use self::accept::clamp_lines;
use self::brief::{Reviewed, first_message};
pub(super) use self::brief::{changed_section, editor_section};
use self::finish::{Facts, finish};
use super::placing::{text, use_names_on_disk};
use super::run_one::{OneAgent, Work, run_one, toolbox};
use super::work_done::{WorkDone, approved_part, dismissed_issues, implemented, lacks_work};
use crate::agents::submit_tool;
use crate::contracts::{FileKeys, Findings, Handoff, HandoffFile, Issue, PhaseName, ReviewOutput, RoundKind};
use crate::memory::Memory;
use crate::models::{Tier, ToolSpec};
use crate::text::count;
use crate::workflow::{Costs, Phase, PhaseEnd, PhaseError, Policy, REVIEW, Run, TierRule, Titles, ToolSet};
use crate::workspace::{self, Base};

/// The row of the review phase.
pub(super) struct Review;

/// What earlier reviews of a workflow found, as far as a re-review must know.
#[derive(Debug, Clone, Default)]
pub(super) struct Earlier {
    /// Issues of the review before that the user has not dismissed; a re-review answers them by id.
    open: Vec<Issue>,
    /// Ids of those among them that the round was not about: nobody worked on them, and they stay open unless they are
    /// answered as fixed.
    left: Vec<String>,
    /// Issues that the user dismissed, of all reviews.
    dismissed: Vec<Issue>,
    /// Which of their files are one.
    keys: FileKeys,
}

#[async_trait]
impl Phase for Review {
    fn name(&self) -> PhaseName {
        REVIEW
    }

    fn titles(&self) -> Titles {
        Titles { help: "Judge what was written", subject: "The review" }
    }

    fn prompt(&self) -> &'static str {
        include_str!("../../../../prompts/review.md")
    }

    fn files(&self) -> &'static [HandoffFile] {
        const { &[HandoffFile::of::<ReviewOutput>()] }
    }

    fn handoff(&self) -> &'static str {
        ReviewOutput::FILE
    }

    fn tools(&self) -> ToolSet {
        ToolSet::ReadDiff
    }

    fn tier(&self) -> TierRule {
        TierRule::Always(Tier::Powerful)
    }

    fn weight(&self) -> u32 {
        19
    }

    fn is_written(&self, memory: &Memory) -> bool {
        memory.review.is_some()
    }

    fn is_due(&self, memory: &Memory, _policy: &Policy, _now: Timestamp) -> bool {
        memory.workflow_review().is_none()
    }

    fn lacks(&self, memory: &Memory) -> Option<&'static str> {
        lacks_work(memory)
    }

    fn add_costs(&self, costs: &mut Costs<'_>) {
        costs.add_review(self);
    }

    async fn run(&self, run: &Arc<Run>, memory: &Memory) -> Result<PhaseEnd, PhaseError> {
        run_one(self, run, memory).await.map(|_| PhaseEnd::Done)
    }

    async fn run_against(&self, run: &Arc<Run>, base: &Base) -> Option<Result<String, PhaseError>> {
        Some(against_base::review(self, run, base).await)
    }
}

/// What a review is judged and completed by.
pub(super) struct Material {
    earlier: Earlier,
    /// The round of the report.
    round: u32,
    /// Files that were changed and that no approved plan lists, one sentence each.
    drift: Vec<String>,
}

#[async_trait]
impl OneAgent for Review {
    type Handoff = ReviewOutput;
    type Material = Material;

    fn phase(&self) -> &dyn Phase {
        self
    }

    fn begin(&self, _run: &Run, memory: &Memory) -> Result<String, PhaseError> {
        implemented(memory)?;
        Ok("Reviewing".to_owned())
    }

    async fn gather(&self, run: &Arc<Run>, memory: &Memory) -> Result<(Work<ReviewOutput>, Material), PhaseError> {
        let (plan, report) = implemented(memory)?;
        let earlier = earlier_issues(run, memory, report.round)?;
        let done = WorkDone::look_up(run, memory).await?;
        let first_message = first_message(&Reviewed {
            task: &memory.task_text(),
            context: memory.context.as_ref(),
            plan: &approved_part(plan, memory),
            report,
            changed: &done.summaries,
            elsewhere: &done.elsewhere.for_the_reviewer(),
            further: &open_findings(memory),
            earlier: &earlier,
            findings: &done.editor,
        });
        let toolbox = toolbox(run, self, done.diffs());
        let mut agreed = run.store.earlier_approved_plans()?;
        agreed.push(plan.clone());
        let drift = drift::unplanned(&run.workspace, &agreed, &done.changes, &done.elsewhere);
        Ok((Work::Ask { first_message, toolbox }, Material { earlier, round: report.round, drift }))
    }

    fn submit(&self) -> ToolSpec {
        submit_tool::<ReviewOutput>("submit_review", "Hand on your judgement. Ends your work.")
    }

    fn accept(&self, _run: &Run, material: &Material, input: Value) -> Result<ReviewOutput, Vec<String>> {
        accept(input, &material.earlier)
    }

    fn complete(
        &self,
        run: &Run,
        _memory: &Memory,
        material: &Material,
        mut review: ReviewOutput,
    ) -> Result<ReviewOutput, PhaseError> {
        use_names_on_disk(&run.workspace, &mut review.issues);
        let head = workspace::head(&run.workspace);
        let facts = Facts {
            now: Timestamp::now(),
            round: material.round,
            branch: head.as_ref().and_then(|head| head.branch.clone()),
            head: head.and_then(|head| head.commit),
            base: None,
            drift: material.drift.clone(),
        };
        Ok(finish(review, facts, &material.earlier, &|path| text(&run.workspace, path)))
    }

    fn done(&self, _material: &Material, review: &ReviewOutput) -> String {
        verdict_and_count(review, review.issues.len())
    }
}

/// `changes requested, 2 issues`
fn verdict_and_count(review: &ReviewOutput, issues: usize) -> String {
    format!("{}, {}", review.verdict.as_str().replace('_', " "), count(issues, "issue"))
}

/// What further phases found, without what the user dismissed.
fn open_findings(memory: &Memory) -> BTreeMap<PhaseName, Findings> {
    let mut all = memory.findings.clone();
    for found in all.values_mut() {
        found.issues.retain(|issue| !memory.is_dismissed(&issue.id));
    }
    all
}

/// What the workflow's earlier reviews found, as far as the review of this round must know.
fn earlier_issues(run: &Run, memory: &Memory, round: u32) -> Result<Earlier, PhaseError> {
    let reviews = run.store.earlier_reviews()?;
    let before = reviews.iter().rev().find(|review| review.round < round);
    let open: Vec<&Issue> = before.map(|review| review.open_issues(&memory.dismissed).collect()).unwrap_or_default();
    let dismissed = dismissed_issues(run, memory, &reviews)?;
    let chosen = memory.round.as_ref().filter(|chosen| chosen.kind == RoundKind::Fix && chosen.n == round);
    let is_left = |issue: &&&Issue| chosen.is_some_and(|chosen| !chosen.issues.contains(&issue.id));
    let left = open.iter().filter(is_left).map(|issue| issue.id.clone()).collect();
    let keys = run.workspace.file_keys_of(open.iter().copied().chain(&dismissed).map(|issue| issue.file.as_str()));
    Ok(Earlier { open: open.into_iter().cloned().collect(), left, dismissed, keys })
}

#[cfg(test)]
mod tests;
