use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;

use crate::contracts::{
    Complexity, Estimate, FlaggedFile, GateCheck, OfferedCheck, PlanNote, PlanOutput, ProtectedFile, Usage,
};
use crate::memory::FileFaults;

/// What a person is shown before anything is written.
#[derive(Debug, Clone)]
pub struct Gate {
    /// The run that asks.
    pub run: String,
    /// The user's task.
    pub task: String,
    /// The plan to answer.
    pub plan: PlanOutput,
    /// What every face shows of it, and the hash that an approval binds to.
    pub content: GateContent,
    /// Each task as it will run.
    pub tasks: Vec<GateTask>,
    /// The notes in plan.md, as they are by now.
    pub notes: GateNotes,
    /// What the workflow has used so far.
    pub usage: Usage,
    /// plan.md and plan.json, relative to the workspace root.
    pub plan_md: String,
    /// See `plan_md`.
    pub plan_json: String,
}

/// Reads the user's notes in plan.md, which come and go while the gate stands.
#[derive(Clone)]
pub struct GateNotes(Arc<dyn Fn() -> Vec<PlanNote> + Send + Sync>);

impl GateNotes {
    /// Read by this function.
    pub fn new(read: impl Fn() -> Vec<PlanNote> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Those that were not sent, as they are now.
    pub fn read(&self) -> Vec<PlanNote> {
        (self.0)()
    }
}

impl std::fmt::Debug for GateNotes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GateNotes")
    }
}

/// What every face shows of a plan that waits for an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GateContent {
    /// SHA-256 of plan.json's bytes, in hex: what an approval binds to.
    pub plan_sha256: String,
    /// The plan for people, with all of what follows: what plan.md holds.
    pub markdown: String,
    /// Protected files the plan would write: only a person can approve those, and some are never written.
    pub protected: Vec<ProtectedFile>,
    /// Files to look at twice.
    pub flagged: Vec<FlaggedFile>,
    /// What only the user can decide.
    pub questions: Vec<String>,
    /// What implementing and reviewing may cost from now on.
    pub estimate: Estimate,
    /// The models that would do it; none where none is set up.
    pub models: Vec<TierModel>,
    /// The checks that are set: those that would run, and those that would be skipped.
    pub checks: Vec<GateCheck>,
    /// Commands that the workspace shows it is checked by, where no checks are set.
    pub offered_checks: Vec<OfferedCheck>,
    /// What a person should know of how the plan came here: what counts as absent, what was done elsewhere.
    pub warnings: Vec<String>,
    /// The plan before this one; `None` of a first plan.
    pub previous: Option<PreviousVersion>,
}

/// The plan that was shown before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviousVersion {
    /// Its version.
    pub plan_version: u32,
    /// plan.md as it stood then, relative to the workspace root, where it is there.
    pub plan_md: Option<String>,
}

/// The model of a tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TierModel {
    /// `fast`, `balanced` or `powerful`.
    pub tier: &'static str,
    /// `provider:name`.
    pub model: String,
    /// Whose model it is and on whose account.
    pub account: String,
}

/// A gate at which no plan can be shown: plan.json breaks its contract, or is gone.
#[derive(Debug, Clone)]
pub struct FaultyGate {
    /// What is wrong, each fault at its place; `None` where plan.json is gone.
    pub faults: Option<FileFaults>,
    /// plan.json, relative to the workspace root.
    pub plan_json: String,
}

impl FaultyGate {
    /// What is wrong, a line a fault, as compilers say it; of very many faults the first.
    pub fn message(&self) -> String {
        const SHOWN: usize = 10;
        let Some(FileFaults { file, faults }) = &self.faults else { return format!("{} is gone", self.plan_json) };
        let mut lines: Vec<String> = faults.iter().take(SHOWN).map(|fault| format!("{file}:{fault}")).collect();
        if faults.len() > SHOWN {
            lines.push(format!("and {} more", faults.len() - SHOWN));
        }
        lines.join("\n")
    }
}

/// One task as the gate shows it.
#[derive(Debug, Clone)]
pub struct GateTask {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its complexity, shown as a badge.
    pub complexity: Complexity,
    /// Every file it may write.
    pub files: Vec<String>,
    /// Ids it waits for.
    pub depends_on: Vec<String>,
}

/// A person's answer at the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateAnswer {
    /// Go on, with all tasks or only these.
    Approve {
        /// Ids, or `None` for all.
        tasks: Option<Vec<String>>,
    },
    /// Plan again with these words and the notes in plan.md.
    Revise {
        /// What should be different; may be empty where there are notes.
        feedback: String,
    },
    /// plan.json was edited: read it again and ask again.
    Edited,
    /// Stop.
    Reject,
    /// Nobody answers here; the workflow waits for `baton approve`.
    Wait,
}

/// What a person says of the checks when approving. Nothing said trusts nothing and remembers nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckAnswer {
    /// Ids of untrusted checks that may run.
    pub trust: Vec<String>,
    /// Ids of offered commands to remember as checks, and to run; the others are not offered again. `None`: nothing was
    /// said of them.
    pub remember: Option<Vec<String>>,
}

impl GateContent {
    /// The checks that would be skipped because nobody has trusted them.
    pub fn untrusted(&self) -> impl Iterator<Item = &GateCheck> {
        self.checks.iter().filter(|check| !check.trusted)
    }

    /// Whether there is something to ask about the checks.
    pub fn asks_about_checks(&self) -> bool {
        !self.offered_checks.is_empty() || self.untrusted().next().is_some()
    }
}

/// Asks a person. The engine may drop the question (an approval came from elsewhere, the run was cancelled); an
/// implementation takes its prompt away then.
#[async_trait]
pub trait Approver: Send + Sync {
    /// Put the gate before a person and wait for the answer.
    async fn ask(&self, gate: &Gate) -> GateAnswer;

    /// Ask whether the untrusted checks may run, and which offered ones to remember; asked after an approval, where there
    /// are such. No answer is a no.
    async fn ask_about_checks(&self, _gate: &Gate) -> CheckAnswer {
        CheckAnswer::default()
    }

    /// Show a person what is wrong with the plan, and wait: the engine drops this as soon as plan.json is another one.
    /// [`GateAnswer::Edited`] has it read again at once; nothing can be approved here.
    async fn show_faults(&self, _gate: &FaultyGate) -> GateAnswer {
        GateAnswer::Wait
    }
}
