//! The row of the review phase.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::accept::{accept, accept_last, submit};
use super::brief::{Reviewed, first_message, guidance_section, shared};
use super::criteria::{Judged, raise_unmet};
use super::earlier::{Earlier, earlier_issues, open_findings};
use super::finish::{Facts, finish, verdict_and_count};
use super::validate::{self, Grounds, validate};
use super::{against_base, drift, unchanged};
use crate::agents::{AgentError, Opening};
use crate::contracts::{Acceptance, CheckResult, Handoff, HandoffFile, PhaseName, RepoPath, ReviewOutput};
use crate::memory::Memory;
use crate::models::{Tier, ToolSpec};
use crate::phases::attached;
use crate::phases::checks_told;
use crate::phases::placing::{Texts, use_names_on_disk};
use crate::phases::run_one::{OneAgent, Work, run_one, toolbox};
use crate::phases::undone::{FOR_REVIEWERS, undone};
use crate::phases::work_done::{WorkDone, approved_part, diffs_since_review, implemented, lacks_work};
use crate::workflow::{Costs, Phase, PhaseEnd, PhaseError, Policy, REVIEW, Run, TierRule, Titles, ToolSet};
use crate::workspace::{self, Base};

/// The row of the review phase.
pub(in crate::phases) struct Review;

#[async_trait]
impl Phase for Review {
    fn name(&self) -> PhaseName {
        REVIEW
    }

    fn titles(&self) -> Titles {
        Titles { help: "Judge what was written", subject: "The review" }
    }

    fn prompt(&self) -> &'static str {
        include_str!("../../../prompts/review.md")
    }

    fn prompts_beside(&self) -> &'static [(PhaseName, &'static str)] {
        const { &[validate::PROMPT] }
    }

    fn files(&self) -> &'static [HandoffFile] {
        // In the order in which they are set aside: the review goes last.
        const { &[HandoffFile::of::<Acceptance>(), HandoffFile::of::<ReviewOutput>()] }
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
        memory.review.is_none()
    }

    fn lacks(&self, memory: &Memory) -> Option<&'static str> {
        lacks_work(memory)
    }

    fn add_costs(&self, costs: &mut Costs<'_>) {
        costs.add_review(self);
        validate::add_costs(costs);
    }

    async fn run(&self, run: &Arc<Run>, memory: &Memory) -> Result<PhaseEnd, PhaseError> {
        run_one(self, run, memory).await.map(|_| PhaseEnd::Done)
    }

    async fn run_against(&self, run: &Arc<Run>, base: &Base) -> Option<Result<String, PhaseError>> {
        Some(against_base::review(self, run, base).await)
    }
}

/// Bytes of what was changed since the review before, where it is attached.
const MOST_SINCE_REVIEW: usize = 8 * 1024;

/// What was changed since the review before, where that is short.
async fn since_review(run: &Run, since: Option<&Vec<(RepoPath, String)>>) -> Result<Opening, AgentError> {
    let diffs = since.cloned().unwrap_or_default();
    let what = ("since_review", "what was changed since the review before");
    attached::further_diff(run, diffs, what, (MOST_SINCE_REVIEW, false)).await
}

/// What a review is judged and completed by.
pub(in crate::phases) struct Material {
    earlier: Earlier,
    /// What is judged by its criteria.
    judged: Judged,
    /// The round of the report.
    round: u32,
    /// Files that were changed and that no approved plan lists, and what a fix round changed far from its issues, one
    /// sentence each.
    drift: Vec<String>,
    /// What was changed, by file.
    diffs: Vec<(RepoPath, String)>,
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
        let approved = approved_part(plan, memory);
        let far = drift::far_from_issues(run, memory, report.round)?;
        let shared = shared(&memory.task_text(), memory.context.as_ref(), &approved);
        let since = diffs_since_review(run, report.round)?;
        let first_message = first_message(Reviewed {
            report,
            changed: &done.summaries,
            diff: done.diff.clone(),
            ranges: done.ranges.clone(),
            undone: undone(run, |_| true, FOR_REVIEWERS).await??,
            since: since_review(run, since.as_ref()).await?,
            unchanged: &unchanged::planned_but_unchanged(&run.workspace, &approved, &done.changes, &done.foreign),
            foreign: &done.foreign,
            further: &open_findings(memory),
            earlier: &earlier,
            dismissals: &memory.dismissed,
            far: &far,
            guidance: &guidance_section(&run.workspace),
            findings: &done.editor,
            passing_checks: &checks_told::passing(&run.store, &report.checks),
            failing_checks: &checks_told::failing(&run.store, &report.checks),
        });
        let diffs = done.diffs();
        let toolbox = toolbox(run, self, &memory.task_text(), diffs.clone());
        let toolbox = toolbox.since_review(since);
        let mut agreed = run.store.earlier_approved_plans()?;
        agreed.push(plan.clone());
        let mut drift = drift::unplanned(&run.workspace, &agreed, &done.changes, &done.foreign);
        drift.extend(far);
        let judged = Judged { plan: approved, keys: memory.keys.clone(), checks: report.checks.clone() };
        Ok((
            Work::Ask { shared, first_message, toolbox },
            Material { earlier, judged, round: report.round, drift, diffs },
        ))
    }

    fn submit(&self) -> ToolSpec {
        submit()
    }

    fn accept(&self, run: &Run, material: &Material, input: Value) -> Result<ReviewOutput, Vec<String>> {
        accept(input, &material.judged, &material.earlier, &Texts::of(run))
    }

    fn accept_last(&self, run: &Run, material: &Material, input: Value) -> Result<ReviewOutput, Vec<String>> {
        accept_last(input, &material.judged, &material.earlier, &Texts::of(run))
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
        let mut review = finish(review, facts, &material.earlier, &Texts::of(run));
        raise_unmet(&mut review, &material.judged, &material.earlier);
        Ok(review)
    }

    async fn check(
        &self,
        run: &Arc<Run>,
        memory: &Memory,
        material: &Material,
        review: ReviewOutput,
    ) -> Result<(ReviewOutput, Vec<String>), PhaseError> {
        let (_, report) = implemented(memory)?;
        let has_broken_check = report.checks.iter().any(CheckResult::is_broken);
        let grounds = Grounds { before: &material.earlier.open, diffs: &material.diffs, has_broken_check };
        validate(run, memory, review, &grounds).await
    }

    fn done(&self, _material: &Material, review: &ReviewOutput) -> String {
        verdict_and_count(review, review.issues.iter())
    }
}
