//! A fifth phase, as it is added to the program: this file, its prompt beside it, and one row in a table. It reviews
//! with a handoff of its own shape, of which its issues and its summary go to the reviewer.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agents::submit_tool;
use crate::contracts::{Findings, Handoff, HandoffFile, Issue, PhaseName};
use crate::memory::Memory;
use crate::models::{Tier, ToolSpec};
use crate::phases::placing::place_all;
use crate::phases::reviewing::{accept, accept_last, first_message};
use crate::phases::run_one::{OneAgent, Work, run_one, toolbox};
use crate::phases::work_done::{WorkDone, implemented, lacks_work};
use crate::workflow::{Costs, Phase, PhaseEnd, PhaseError, Policy, Run, TierRule, Titles, ToolSet};

/// What it is called everywhere.
pub(super) const SECURITY: PhaseName = PhaseName::new("security");

/// The row of the phase.
pub(super) struct Security;

/// security.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(super) struct SecurityOutput {
    /// When it was written. The server fills it.
    timestamp: Option<Timestamp>,
    /// The round. The server fills it.
    #[serde(default)]
    round: u32,
    /// What can be abused, each at its place.
    issues: Vec<Issue>,
    /// From where it can be reached.
    attack_surface: String,
}

impl Handoff for SecurityOutput {
    const NAME: &'static str = "security";
    const FILE: &'static str = "security.json";
    const SERVER_FILLED: &'static [&'static str] = &["timestamp", "round", "issues.id"];
}

impl From<SecurityOutput> for Findings {
    fn from(output: SecurityOutput) -> Self {
        let SecurityOutput { timestamp, round, issues, attack_surface } = output;
        Self { timestamp, round, issues, summary: attack_surface }
    }
}

#[async_trait]
impl Phase for Security {
    fn name(&self) -> PhaseName {
        SECURITY
    }

    fn titles(&self) -> Titles {
        Titles { help: "Look how it can be abused", subject: "The security review" }
    }

    fn prompt(&self) -> &'static str {
        include_str!("security.md")
    }

    fn files(&self) -> &'static [HandoffFile] {
        const { &[HandoffFile::findings::<SecurityOutput>(SecurityOutput::FILE, SecurityOutput::NAME)] }
    }

    fn handoff(&self) -> &'static str {
        SecurityOutput::FILE
    }

    fn tools(&self) -> ToolSet {
        ToolSet::ReadDiff
    }

    fn tier(&self) -> TierRule {
        TierRule::Always(Tier::Powerful)
    }

    fn weight(&self) -> u32 {
        10
    }

    fn is_written(&self, memory: &Memory) -> bool {
        memory.findings.contains_key(&SECURITY)
    }

    fn is_due(&self, memory: &Memory, _policy: &Policy, _now: Timestamp) -> bool {
        !self.is_written(memory)
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
}

#[async_trait]
impl OneAgent for Security {
    type Handoff = SecurityOutput;
    /// The round of the report.
    type Material = u32;

    fn phase(&self) -> &dyn Phase {
        self
    }

    fn begin(&self, _run: &Run, _memory: &Memory) -> Result<String, PhaseError> {
        Ok("Looking for holes".to_owned())
    }

    async fn gather(&self, run: &Arc<Run>, memory: &Memory) -> Result<(Work<SecurityOutput>, u32), PhaseError> {
        let (_, report) = implemented(memory)?;
        let done = WorkDone::look_up(run, memory).await?;
        let first_message = first_message(run, memory, &done, "submit_security")?;
        Ok((Work::ask(first_message, toolbox(run, self, &memory.task_text(), done.diffs())), report.round))
    }

    fn submit(&self) -> ToolSpec {
        submit_tool::<SecurityOutput>("submit_security", "Hand on what you found. Ends your work.")
    }

    fn accept(&self, run: &Run, _round: &u32, input: Value) -> Result<SecurityOutput, Vec<String>> {
        accept(run, input, |output: &SecurityOutput| &output.issues)
    }

    fn accept_last(&self, _run: &Run, _round: &u32, input: Value) -> Result<SecurityOutput, Vec<String>> {
        accept_last(input)
    }

    fn complete(
        &self,
        run: &Run,
        _memory: &Memory,
        round: &u32,
        mut output: SecurityOutput,
    ) -> Result<SecurityOutput, PhaseError> {
        place_all(run, &mut output.issues);
        Ok(SecurityOutput { timestamp: Some(Timestamp::now()), round: *round, ..output })
    }

    fn done(&self, _round: &u32, output: &SecurityOutput) -> String {
        output.attack_surface.clone()
    }
}
