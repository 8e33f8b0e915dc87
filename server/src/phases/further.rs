//! A reviewing phase that the user's configuration adds (`[[phases]]`): it reads, and hands on a summary and issues.
//! The reviewer, who alone decides, is given them, and people see them as diagnostics.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::placing::place_all;
use super::reviewing::{accept, accept_last, first_message};
use super::run_one::{OneAgent, Work, run_one, toolbox};
use super::work_done::{WorkDone, diffs_since_review, implemented, lacks_work};
use crate::agents::submit_tool;
use crate::config::{PhaseTier, UserPhase};
use crate::contracts::{Findings, HandoffFile, PhaseName};
use crate::memory::Memory;
use crate::models::{Tier, ToolSpec};
use crate::text::count;
use crate::workflow::{Costs, Phase, PhaseEnd, PhaseError, Policy, Run, TierRule, Titles, ToolSet};

/// The row of a phase from the user's configuration. The same configuration gives the same row, which lives as long as
/// the process: configurations are few, and read again at every change.
pub(super) fn row(added: &UserPhase) -> &'static dyn Phase {
    static ROWS: Mutex<Vec<(UserPhase, &'static Further)>> = Mutex::new(Vec::new());
    let mut rows = ROWS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, row)) = rows.iter().find(|(known, _)| known == added) {
        return *row;
    }
    let row: &'static Further = Box::leak(Box::new(Further::new(added)));
    rows.push((added.clone(), row));
    row
}

struct Further {
    name: PhaseName,
    titles: Titles,
    prompt: &'static str,
    files: &'static [HandoffFile],
    tier: Tier,
}

fn leaked(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

impl Further {
    fn new(added: &UserPhase) -> Self {
        // The configuration refuses what cannot be a name.
        let name = PhaseName::read(&added.name).unwrap_or(PhaseName::new("further"));
        let file = leaked(format!("{name}.json"));
        Self {
            name,
            titles: Titles { help: "Review it by your own prompt", subject: leaked(format!("The {name} phase")) },
            prompt: leaked(added.prompt.clone()),
            files: Box::leak(Box::new([HandoffFile::findings::<Findings>(file, name.as_str())])),
            tier: match added.tier {
                PhaseTier::Fast => Tier::Fast,
                PhaseTier::Balanced => Tier::Balanced,
                PhaseTier::Powerful => Tier::Powerful,
            },
        }
    }
}

#[async_trait]
impl Phase for Further {
    fn name(&self) -> PhaseName {
        self.name
    }

    fn titles(&self) -> Titles {
        self.titles
    }

    fn prompt(&self) -> &'static str {
        self.prompt
    }

    fn is_prompt_from_settings(&self) -> bool {
        true
    }

    fn files(&self) -> &'static [HandoffFile] {
        self.files
    }

    fn handoff(&self) -> &'static str {
        self.files.first().map_or("", |file| file.file)
    }

    fn tools(&self) -> ToolSet {
        ToolSet::ReadDiff
    }

    fn tier(&self) -> TierRule {
        TierRule::Always(self.tier)
    }

    fn weight(&self) -> u32 {
        10
    }

    fn is_written(&self, memory: &Memory) -> bool {
        memory.findings.contains_key(&self.name)
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
impl OneAgent for Further {
    type Handoff = Findings;
    /// The round of the report.
    type Material = u32;

    fn phase(&self) -> &dyn Phase {
        self
    }

    fn begin(&self, _run: &Run, memory: &Memory) -> Result<String, PhaseError> {
        implemented(memory)?;
        Ok("Reviewing".to_owned())
    }

    async fn gather(&self, run: &Arc<Run>, memory: &Memory) -> Result<(Work<Findings>, u32), PhaseError> {
        let (_, report) = implemented(memory)?;
        let done = WorkDone::look_up(run, memory).await?;
        let first_message = first_message(run, memory, &done, "submit_findings")?;
        let toolbox = toolbox(run, self, &memory.task_text(), done.diffs());
        let toolbox = toolbox.since_review(diffs_since_review(run, report.round)?);
        Ok((Work::ask(first_message, toolbox), report.round))
    }

    fn submit(&self) -> ToolSpec {
        submit_tool::<Findings>("submit_findings", "Hand on what you found. Ends your work.")
    }

    fn accept(&self, run: &Run, _round: &u32, input: Value) -> Result<Findings, Vec<String>> {
        accept(run, input, |found: &Findings| &found.issues)
    }

    fn accept_last(&self, _run: &Run, _round: &u32, input: Value) -> Result<Findings, Vec<String>> {
        accept_last(input)
    }

    fn complete(&self, run: &Run, _memory: &Memory, round: &u32, found: Findings) -> Result<Findings, PhaseError> {
        Ok(complete(run, *round, found))
    }

    fn write(&self, run: &Run, found: &Findings) -> Result<(), PhaseError> {
        Ok(run.store.write_as(self.handoff(), found)?)
    }

    fn done(&self, _round: &u32, found: &Findings) -> String {
        count(found.issues.len(), "issue")
    }
}

/// Every issue at its place; one whose place was not found is kept.
fn complete(run: &Run, round: u32, mut found: Findings) -> Findings {
    place_all(run, &mut found.issues);
    found.timestamp = Some(Timestamp::now());
    found.round = round;
    found
}
