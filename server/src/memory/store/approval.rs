//! The plan and the answers to it: writing, sealing and counting approvals.

use jiff::Timestamp;

use super::file_io::to_pretty_json;
use super::handle::Store;
use crate::contracts::{Approval, ApprovedBy, Decision, Handoff, PlanOutput, read};
use crate::memory::answers::{Counted, LastAnswer};
use crate::memory::error::MemoryError;
use crate::memory::history::SetAside;
use crate::memory::plan_lock::{PlanLock, digest};
use crate::memory::seal::Seal;

const APPROVAL_KIND: &str = "approval";

impl Store {
    /// Writes the plan. Returns the hash that an approval is bound to. plan.md is rendered by the caller.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_plan(&self, plan: &PlanOutput) -> Result<String, MemoryError> {
        let bytes = to_pretty_json(plan);
        self.replace(PlanOutput::FILE, &bytes, 0o644)?;
        Ok(digest(&bytes))
    }

    /// Moves a plan to `history/` that somebody else wrote since the last one was set aside, while this one was being made.
    /// Answers where it is kept; `None` where there is none.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn keep_other_plan(&self, plan: &PlanOutput) -> Result<Option<String>, MemoryError> {
        match self.plan_sha256() {
            Some(sha256) if sha256 != digest(&to_pretty_json(plan)) => {
                self.set_aside(SetAside::Phase, &[PlanOutput::FILE])
            }
            _ => Ok(None),
        }
    }

    /// Locks plan.json while it is implemented.
    ///
    /// # Errors
    /// When plan.json has a different hash.
    pub fn lock_plan(&self, sha256: &str) -> Result<PlanLock, MemoryError> {
        PlanLock::engage(self.dir()?, self.name(PlanOutput::FILE), sha256)
    }

    /// Records an answer to a plan.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_approval(
        &self,
        plan_sha256: &str,
        decision: Decision,
        by: ApprovedBy,
        tasks: Option<Vec<String>>,
        at: Timestamp,
    ) -> Result<Approval, MemoryError> {
        let counted = self.count_answer()?;
        let (n, mac) = (Some(counted.n), String::new());
        let mut approval = Approval { plan_sha256: plan_sha256.to_owned(), decision, by, tasks, at: Some(at), n, mac };
        self.sign_approval(&self.seal, &mut approval);
        self.write(&approval)?;
        Ok(approval)
    }

    /// Whether the plan with this hash has a genuine answer, or is no longer the current plan.
    pub fn is_answered(&self, plan_sha256: &str) -> bool {
        self.plan_sha256().is_none_or(|sha256| sha256 != plan_sha256) || self.answer_to(plan_sha256).is_some()
    }

    /// The genuine answer to the plan with this hash.
    pub fn answer_to(&self, plan_sha256: &str) -> Option<Decision> {
        let approval = self.whole_text(Approval::FILE).and_then(|text| read::<Approval>(&text).ok())?;
        (approval.plan_sha256 == plan_sha256 && self.is_last_answer(&approval)).then_some(approval.decision)
    }

    /// Whether this user gave this answer here, as the last one or before.
    pub(super) fn is_genuine(&self, approval: &Approval) -> bool {
        self.is_sealed_by(&self.seal, approval)
    }

    /// Whether this is the last answer that this user gave here.
    pub(super) fn is_last_answer(&self, approval: &Approval) -> bool {
        let last = approval.n.map_or(LastAnswer::Uncounted, LastAnswer::Number);
        self.is_genuine(approval) && self.seal.answers().last() == last
    }

    pub(super) fn is_sealed_by(&self, seal: &Seal, approval: &Approval) -> bool {
        seal.verify(APPROVAL_KIND, &signed_content(approval), &approval.mac)
    }

    pub(super) fn sign_approval(&self, seal: &Seal, approval: &mut Approval) {
        approval.mac = seal.sign(APPROVAL_KIND, &signed_content(approval));
    }

    /// Counts an answer: no earlier one is valid from then on.
    pub(super) fn count_answer(&self) -> Result<Counted, MemoryError> {
        let answers = self.seal.answers();
        let file = || answers.file().display().to_string();
        answers.count().map_err(|source| MemoryError::Io { action: "count the answer in", file: file(), source })
    }
}

/// The content that an approval's MAC covers: everything that decides.
fn signed_content(approval: &Approval) -> Vec<u8> {
    let Approval { plan_sha256, decision, by, tasks, at, n, mac: _ } = approval;
    match n {
        // The form from before answers were numbered.
        None => serde_json::json!([plan_sha256, decision, by, tasks, at]),
        Some(n) => serde_json::json!([plan_sha256, decision, by, tasks, at, n]),
    }
    .to_string()
    .into_bytes()
}
